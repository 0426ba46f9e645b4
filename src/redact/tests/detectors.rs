//! What each detector takes and leaves, with the samples of the AxonFlow contract, sections 4.2, 4.3 and 5.3.

use super::{masked, masked_text, precise};

/// Checks `before => after` pairs of plain text.
#[track_caller]
fn check(pairs: &[(&str, &str)]) {
    for (before, after) in pairs {
        assert_eq!(masked_text(before), *after, "{before}");
    }
}

/// Checks that nothing is masked.
#[track_caller]
fn check_left(texts: &[&str]) {
    for text in texts {
        assert_eq!(masked_text(text), *text);
    }
}

#[test]
fn nik_is_known_by_its_structure() {
    check(&[
        ("3174012501990001", "[REDACTED:nik]"),
        ("NIK: 3174012501990001.", "NIK: [REDACTED:nik]."),
        ("KTP 3174-0125-0199-0001", "KTP [REDACTED:nik]"),
        ("317401 250199 0001", "[REDACTED:nik]"),
        ("NIK3174012501990001", "NIK[REDACTED:nik]"),
        ("order 3174012501990001", "order [REDACTED:nik]"),
        ("3174016502000001 (a woman, the 25th)", "[REDACTED:nik] (a woman, the 25th)"),
        ("3174012902000001", "[REDACTED:nik]"),
        ("3174012501990001,3174012501990002", "[REDACTED:nik],[REDACTED:nik]"),
    ]);
}

#[test]
fn what_only_looks_like_a_nik_falls_to_the_loose_card_rule() {
    for (text, why) in [
        ("2074012501990001", "no such province"),
        ("3174013201990001", "day 32"),
        ("3174017201990001", "day 72"),
        ("3174010001990001", "day 0"),
        ("3174012513990001", "month 13"),
        ("3174013104990001", "31 April"),
        ("3174012902990001", "29 February 1999"),
        ("3174012501990000", "serial 0000"),
    ] {
        assert_eq!(masked_text(text), "[REDACTED:card]", "{why}");
        assert_eq!(precise().scan_text(text).text, None, "{why}");
    }
    check_left(&["93174012501990001312", "x 31740125019900013174012501990001"]);
}

#[test]
fn npwp_is_known_by_its_print_or_its_label() {
    check(&[
        ("01.234.567.8-901.000", "[REDACTED:npwp]"),
        ("NPWP: 012345678901000", "NPWP: [REDACTED:npwp]"),
        ("npwp baru 0123456789010000", "npwp baru [REDACTED:npwp]"),
        ("No. NPWP 01 234 567 8 901 000", "No. NPWP [REDACTED:npwp]"),
        ("NPWP = NIK 3174012501990001", "NPWP = NIK [REDACTED:nik]"),
    ]);
    check_left(&["01.234.567.8-901.0000", "1.2.3.4-5.6", "oid 12.123.123.1.123.123"]);
    assert_eq!(precise().scan_text("ref 012345678901000").text, None);
}

#[test]
fn indonesian_mobile_numbers_in_every_usual_writing() {
    check(&[
        ("+628123456789", "[REDACTED:phone_id]"),
        ("call +62 812-3456-7890 now", "call [REDACTED:phone_id] now"),
        ("0812 3456 789", "[REDACTED:phone_id]"),
        ("0812.3456.7890", "[REDACTED:phone_id]"),
        ("WA0812345678", "WA[REDACTED:phone_id]"),
        ("tel:6281234567890", "tel:[REDACTED:phone_id]"),
        ("0812345678 100 boxes", "[REDACTED:phone_id] 100 boxes"),
        ("1 0812 3456 7890", "1 [REDACTED:phone_id]"),
        ("0812-3456-7890/0813-3456-7890", "[REDACTED:phone_id]/[REDACTED:phone_id]"),
        ("6281234567890123", "[REDACTED:card]"),
    ]);
    check_left(&[
        "0802345678",
        "081234567",
        "021-5551234",
        "2026-08-15 1234567",
        "0 8 1 2 3 4 5 6 7 8",
        "a1b2c30812345678d9",
        "10 000 000 items",
        "1700000000",
    ]);
}

#[test]
fn bank_accounts_need_a_label() {
    check(&[
        ("BCA 1234567890", "BCA [REDACTED:bank_account]"),
        ("BCA: 123-456-7890 a.n. Budi", "BCA: [REDACTED:bank_account] a.n. Budi"),
        ("Mandiri 1234567890123", "Mandiri [REDACTED:bank_account]"),
        ("rekening BRI 0123-01-012345-53-4", "rekening BRI [REDACTED:bank_account]"),
        ("bni 0123456789", "bni [REDACTED:bank_account]"),
        ("transfer ke No. Rek: 12345678", "transfer ke No. Rek: [REDACTED:bank_account]"),
        ("account number 123456789012", "account number [REDACTED:bank_account]"),
        ("1234567890 (BCA)", "[REDACTED:bank_account] (BCA)"),
        ("1234567890 - Bank BNI", "[REDACTED:bank_account] - Bank BNI"),
        ("rekening 1234567890, 9876543210", "rekening [REDACTED:bank_account], [REDACTED:bank_account]"),
        ("BCA1234567890", "BCA[REDACTED:bank_account]"),
        ("BCA\n1234567890", "BCA\n[REDACTED:bank_account]"),
    ]);
    check_left(&[
        "1234567890",
        "BCA 12345678901",
        "BCA 123456789",
        "brigade 1234567890",
        "rekening dibuka 2026-11-20",
        "saldo rekening Rp 12.345.678",
        "rekening sudah lama sekali tidak dipakai oleh siapa pun; pesanan 12345678",
    ]);
    assert_eq!(precise().scan_text("order 1234567890123").text, None);
}

#[test]
fn addresses_in_ascii() {
    check(&[
        ("jane.doe+x@acme.co.id", "[REDACTED:email]"),
        ("A_B@x.io", "[REDACTED:email]"),
        ("<jane@acme.com>, 'bob@acme.com'.", "<[REDACTED:email]>, '[REDACTED:email]'."),
        ("mail jane@acme.com.", "mail [REDACTED:email]."),
        ("mailto:jane@acme.com?subject=x", "mailto:[REDACTED:email]?subject=x"),
        ("0812345678@gmail.com", "[REDACTED:email]"),
        ("jane@acme.com.2", "[REDACTED:email].2"),
        ("jane@acme.xn--p1ai", "[REDACTED:email]"),
        ("o'brien@acme.com", "[REDACTED:email]"),
        ("a@163.com", "[REDACTED:email]"),
        ("/mails/jane@acme.co.id.txt", "/mails/[REDACTED:email].txt"),
        ("4111 1111 1111 1111a@b.co", "[REDACTED:card][REDACTED:email]"),
    ]);
    check_left(&[
        "user@localhost",
        "@handle",
        "a@b",
        "a@b.c",
        "image@2x.png",
        "react@18.2.0",
        "pkg@1.2.3-rc.one",
        "git@github.com:org/repo.git",
        "ssh://git@github.com/org/repo",
        "@.com @@ a@ @b.com a@-b",
    ]);
}

#[test]
fn the_loose_card_rule_takes_any_13_to_19_digits() {
    check(&[
        ("4111111111111111", "[REDACTED:card]"),
        ("4111111111111112", "[REDACTED:card]"),
        ("1700000000000", "[REDACTED:card]"),
        ("1234567890123456789", "[REDACTED:card]"),
        ("1234-5678-9012-3456", "[REDACTED:card]"),
        ("5500 0055 5555 5559", "[REDACTED:card]"),
        ("3782-822463-10005", "[REDACTED:card]"),
        ("3782-8224-6310-005", "[REDACTED:card]"),
        ("41 1111 1111 1111 11", "[REDACTED:card]"),
        ("card:4111111111111111.", "card:[REDACTED:card]."),
        ("id_4111111111111111x", "id_[REDACTED:card]x"),
        ("12 4111 1111 1111 1111 12/26", "12 [REDACTED:card] 12/26"),
        ("4111111111111111 5500005555555559", "[REDACTED:card] [REDACTED:card]"),
    ]);
    check_left(&[
        "123456789012",
        "12345678901234567890",
        "10 20 30 40 50 60 70 80",
        "2020 2021 2022 2023",
        "2026-11-20 2026-11-21",
        "0.30000000000000004",
        "106.82718300000001",
        "9007199254740991",
        "-9223372036854775808",
        "550e8400-e29b-41d4-a716-446655440000",
        "41d3c2b1a09f8e7d6c5b4a392817061514131211",
        "1234567890123456789012345678abcd",
    ]);
}

#[test]
fn the_precise_card_rule_asks_for_sum_and_issuer() {
    let taken = |text: &str| precise().scan_text(text).text.is_some();
    for text in [
        "4111111111111111",
        "5500 0055 5555 5559",
        "3782-822463-10005",
        "2223003122003222",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
    ] {
        assert!(taken(text), "{text}");
    }
    for text in
        ["4111111111111112", "1700000000000", "1234-5678-9012-3456", "9911111111111111", "0000000000000000"]
    {
        assert!(!taken(text), "{text}");
    }
}

#[test]
fn keys_speak_for_their_values() {
    for (before, after) in [
        (r#"{"rekening":"12345678"}"#, r#"{"rekening":"[REDACTED:bank_account]"}"#),
        (r#"{"accountNumber":1234567890}"#, r#"{"accountNumber":"[REDACTED:bank_account]"}"#),
        (r#"{"no_rek":["12345678"]}"#, r#"{"no_rek":["[REDACTED:bank_account]"]}"#),
        (r#"{"bca":{"number":1234567890}}"#, r#"{"bca":{"number":"[REDACTED:bank_account]"}}"#),
        (r#"{"npwp":"012345678901000"}"#, r#"{"npwp":"[REDACTED:npwp]"}"#),
        (r#"{"npwp":012}"#, ""),
        (r#"{"order":"12345678","rek":1}"#, r#"{"order":"12345678","rek":1}"#),
        (r#"{"rekening":{"opened":"20261120"}}"#, r#"{"rekening":{"opened":"20261120"}}"#),
        (r#"{"rekening":"{\"no\":12345678}"}"#, r#"{"rekening":"{\"no\":\"[REDACTED:bank_account]\"}"}"#),
    ] {
        if after.is_empty() {
            assert!(super::scan(before.as_bytes()).is_err());
        } else {
            assert_eq!(masked(before), after);
        }
    }
}

#[test]
fn everyday_text_is_left_alone() {
    check_left(&[
        "2026-11-20T10:15:30.123456789Z",
        "2026-11-20 10:15:30,123",
        "2026-11-20 2026-11-21 2026-11-22",
        "20261120T101530Z",
        "from 1990-2020, pages 100-200",
        "ISBN 978-602-03-1234-5",
        "192.168.100.200:8080 -> 10.20.30.40",
        "v1.22.333.4444",
        "1,234,567,890,123",
        "Rp 1.234.567.890.123",
        "lat -6.208763400000001 lon 106.845599",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "d41d8cd98f00b204e9800998ecf8427e",
        "urn:uuid:01234567-8901-7234-8567-890123456789",
        "total 123456 kB, 98765 files, 12345678 inodes",
        "| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |",
        "100 200 300 400 500 600",
        "const MAX = 9223372036854775807;",
    ]);
}
