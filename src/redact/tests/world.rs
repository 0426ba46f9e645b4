//! Detectors beyond Indonesia: identifiers of other countries, telephone numbers, labels, secrets.

use super::precise;

/// The text after redaction with the precise rule for cards.
fn out(text: &str) -> String {
    precise().scan_text(text).text.unwrap_or_else(|| text.to_owned())
}

#[track_caller]
fn check(pairs: &[(&str, &str)]) {
    for (before, after) in pairs {
        assert_eq!(out(before), *after, "{before}");
    }
}

#[track_caller]
fn check_left(texts: &[&str]) {
    for text in texts {
        assert_eq!(out(text), *text);
    }
}

#[test]
fn american_identifiers() {
    check(&[
        ("078-05-1120", "[REDACTED:ssn]"),
        ("SSN 219 09 9999", "SSN [REDACTED:ssn]"),
        ("SSN: 219099999", "SSN: [REDACTED:ssn]"),
        ("routing 021000021", "routing [REDACTED:bank_account]"),
        ("021000021-12345678901", "[REDACTED:bank_account]"),
        ("DOB: 04/12/1988", "DOB: [REDACTED:dob]"),
        ("date of birth 1988-04-12", "date of birth [REDACTED:dob]"),
        ("born 12 March 1988 in", "born [REDACTED:dob] in"),
        ("born on March 12, 1988", "born on [REDACTED:dob]"),
        ("passport no: X1234567", "passport no: [REDACTED:passport]"),
        ("Passport C01234567", "Passport [REDACTED:passport]"),
        ("passport 123456789", "passport [REDACTED:passport]"),
        ("driver's license D123-4567-8901", "driver's license [REDACTED:driver_license]"),
        ("DL: A1234567", "DL: [REDACTED:driver_license]"),
    ]);
    check_left(&[
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "zip 12345-6789",
        "123456789",
        "invoice 2026-11-20",
        "due 11/20/2026",
        "order AB123456",
        "SKU A1234567",
        "order 20261120 99887766",
    ]);
}

#[test]
fn telephone_numbers() {
    check(&[
        ("+1 (415) 555-2671", "[REDACTED:phone]"),
        ("415-555-2671", "[REDACTED:phone]"),
        ("(415) 555-2671", "[REDACTED:phone]"),
        ("415.555.2671", "[REDACTED:phone]"),
        ("1-800-555-0199", "[REDACTED:phone]"),
        ("+65 9123 4567", "[REDACTED:phone]"),
        ("+44 20 7946 0958", "[REDACTED:phone]"),
        ("+49 (0)30 901820", "[REDACTED:phone]"),
        ("+628123456789", "[REDACTED:phone_id]"),
        ("06 12 34 56 78", "[REDACTED:phone]"),
        ("phone: 4155552671", "phone: [REDACTED:phone]"),
        ("Tel. 030 901820", "Tel. [REDACTED:phone]"),
    ]);
    check_left(&[
        "2026-11-20",
        "10 000 000 items",
        "1700000000",
        "5551234",
        "4155552671",
        "1.415.555",
        "+5 points",
    ]);
}

#[test]
fn identifiers_of_other_countries() {
    check(&[
        ("DE89370400440532013000", "[REDACTED:iban]"),
        ("GB82 WEST 1234 5698 7654 32.", "[REDACTED:iban]."),
        ("gb82west12345698765432", "[REDACTED:iban]"),
        ("NO9386011117947", "[REDACTED:iban]"),
        ("2341 2341 2346", "[REDACTED:aadhaar]"),
        ("Aadhaar: 234123412346", "Aadhaar: [REDACTED:aadhaar]"),
        ("ABCPE1234F", "[REDACTED:pan]"),
        ("S1234567D", "[REDACTED:nric]"),
        ("FIN: G1234567X", "FIN: [REDACTED:fin]"),
        ("UEN 201912345K", "UEN [REDACTED:uen]"),
        ("T08LL1234A", "[REDACTED:uen]"),
        ("12345678Z", "[REDACTED:national_id]"),
        ("RSSMRA85T10A562S", "[REDACTED:national_id]"),
        ("131052-308T", "[REDACTED:national_id]"),
        ("AB123456C", "[REDACTED:national_id]"),
        ("44051401359", "[REDACTED:national_id]"),
        ("529.982.247-25", "[REDACTED:national_id]"),
        ("756.9217.0769.85", "[REDACTED:national_id]"),
        ("736028/5163", "[REDACTED:national_id]"),
        ("BSN 111222333", "BSN [REDACTED:national_id]"),
        ("ATU13585627", "[REDACTED:vat]"),
        ("NL004495445B01", "[REDACTED:vat]"),
        ("DE136695976", "[REDACTED:vat]"),
    ]);
    check_left(&[
        "GB82WEST12345698765431",
        "AB12CDEF1234567",
        "ABCDE1234F",
        "tracking 987654321098",
        "0234 1234 1234",
        "1234 5678 9012",
        "asset T1234567A",
        "S1234567",
        "12345678X",
        "the fin whale",
        "NIKE2024 A1B2C3D4",
    ]);
}

#[test]
fn secrets_by_form() {
    for (text, kind) in [
        (concat!("AKIA", "IOSFODNN7EXAMPLE"), "aws_key"),
        (concat!("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"), "github_token"),
        (concat!("glpat-", "x4Tz8sWq2Lk9Pm3Rv7Yb"), "gitlab_token"),
        (concat!("xoxb-", "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"), "slack_token"),
        (concat!("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"), "stripe_key"),
        (concat!("AIza", "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"), "gcp_key"),
        (concat!("sk-ant-", "api03-AbCdEf0123456789AbCdEf0123456789"), "anthropic_key"),
        (concat!("npm_", "abcDEF0123456789abcDEF0123456789abcd"), "npm_token"),
        (
            concat!("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"),
            "jwt",
        ),
    ] {
        for around in ["@", "key: @ end", "(@)", "\n@\n", "https://x.io/?k=@&b=1"] {
            assert!(!out(&around.replace('@', text)).contains(text), "{around} {text}");
        }
        assert_eq!(out(text), format!("[REDACTED:{kind}]"));
    }
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabcd\n-----END RSA PRIVATE KEY-----";
    assert_eq!(out(&format!("a {key} b {}", "x".repeat(10))), "a [REDACTED:private_key] b xxxxxxxxxx");
    check(&[
        ("postgres://u:p4ss@db.host:5432/x", "postgres://[REDACTED:connection_string]@db.host:5432/x"),
        ("redis://:s3cret@cache:6379", "redis://[REDACTED:connection_string]@cache:6379"),
    ]);
    check_left(&[
        "https://example.com:8080/a@b",
        "sk-learn-is-a-library-for-machine-learning",
        "-----BEGIN CERTIFICATE-----",
    ]);
}

#[test]
fn secrets_by_name() {
    check(&[
        ("password=hunter2", "password=[REDACTED:password]"),
        ("DB_PASSWORD: \"s3cr3t!\"", "DB_PASSWORD: \"[REDACTED:password]\""),
        ("api_key: sk-abc123", "api_key: [REDACTED:api_key]"),
        ("Authorization: Bearer abcDEF123456abcDEF", "Authorization: Bearer [REDACTED:token]"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = [REDACTED:api_key]",
        ),
        ("?user=a&pwd=abc123&x=1", "?user=a&pwd=[REDACTED:password]&x=1"),
    ]);
    check_left(&[
        "PRIMARY KEY: id",
        "password policy",
        "token count: 12345",
        "password=<your-password>",
        "password=${DB_PASSWORD}",
        "password: must be at least 8 characters",
        "token: string",
        "nextPageToken=abc123def456",
        "compass: north",
    ]);
    let json = r#"{"password":"hunter two","api_key":"abc123def456","note":"x","password_hint":"my dog","nextPageToken":"abc123def456"}"#;
    let after = r#"{"password":"[REDACTED:password]","api_key":"[REDACTED:api_key]","note":"x","password_hint":"my dog","nextPageToken":"abc123def456"}"#;
    assert_eq!(super::masked(json), after);
}

#[test]
fn hidden_writings() {
    check(&[
        ("4111\u{200b}1111\u{200b}1111\u{200b}1111", "[REDACTED:card]"),
        ("\u{ff14}\u{ff11}\u{ff11}\u{ff11}1111\u{a0}1111\u{2011}1111", "[REDACTED:card]"),
        ("mail jane%40acme.com now", "mail [REDACTED:email] now"),
        ("jane&#64;acme.com", "[REDACTED:email]"),
        ("see amFuZS5kb2VAYWNtZS5jb20= end", "see [REDACTED:email] end"),
        ("see 6a616e652e646f654061636d652e636f6d end", "see [REDACTED:email] end"),
        ("NDExMTExMTExMTExMTExMQ==", "[REDACTED:card]"),
        ("jane\\u0040acme.com", "[REDACTED:email]"),
        ("\u{1d7d2}111 1111 1111 1111", "[REDACTED:card]"),
    ]);
}

#[test]
fn values_in_pieces() {
    let masked = |json: &str| {
        let scan = precise().scan(json.as_bytes()).unwrap();
        scan.json.map_or_else(|| json.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    };
    let card = "[REDACTED:card]";
    assert_eq!(
        masked(r#"["4111","1111","1111","1111"]"#),
        format!(r#"["{card}","{card}","{card}","{card}"]"#)
    );
    assert_eq!(
        masked(r#"{"a":[4111,1111,1111,1111]}"#),
        format!(r#"{{"a":["{card}","{card}","{card}","{card}"]}}"#)
    );
    assert!(
        masked(r#"{"p1":"4111","p2":"1111","p3":"1111","p4":"1111","exp":"12/26"}"#)
            .contains(r#""exp":"12/26""#)
    );
    assert!(!masked(r#"["4","1","1","1","1","1","1","1","1","1","1","1","1","1","1","1"]"#).contains('4'));
    assert!(!masked(r#"["DE89","3704","0044","0532","0130","00"]"#).contains("3704"));
    assert!(!masked(r#"["jane.doe","@","acme.com"]"#).contains("jane"));
    assert!(!masked(r#"{"ssn":["078","05","1120"]}"#).contains("1120"));
    for left in [
        r#"[1,2,3,4,5,6,7,8,9,10,11,12]"#,
        r#"[2021,2022,2023,2024]"#,
        r#"["078","05","1120"]"#,
        r#"["4111","1111","1111","1112"]"#,
        r#"{"order":"12345678","rek":1}"#,
        r#"["trial","retail","west-java"]"#,
    ] {
        assert_eq!(masked(left), left);
    }
}

#[test]
fn tax_numbers_of_the_union() {
    for number in [
        "ATU13585627",
        "BE0428759497",
        "CZ25123891",
        "DE136695976",
        "DK13585628",
        "EE100594102",
        "EL094259216",
        "ESB64717838",
        "FI20774740",
        "FR23334175221",
        "GB980780684",
        "HR33392005961",
        "HU12892312",
        "IE6433435F",
        "IE6433435OA",
        "IT00743110157",
        "LU15027442",
        "MT11679112",
        "NL004495445B01",
        "PL8567346215",
        "PT501964843",
        "RO18547290",
        "SE123456789701",
        "SI50223054",
        "SK2022749619",
    ] {
        assert_eq!(out(number), "[REDACTED:vat]", "{number}");
    }
    check_left(&[
        "ATU13585626",
        "DK13585627",
        "FI20774741",
        "IT00743110158",
        "HR33392005962",
        "PL8567346216",
    ]);
    assert_eq!(out("VAT BG123456789"), "VAT [REDACTED:vat]");
}

#[test]
fn labels_in_other_languages() {
    check(&[
        ("n\u{e9} le 24/2/1961", "n\u{e9} le [REDACTED:dob]"),
        ("Fecha de nacimiento: 22 de marzo de 1955", "Fecha de nacimiento: [REDACTED:dob]"),
        ("nascido em 3 novembro 1977", "nascido em [REDACTED:dob]"),
        ("nata il 9 luglio 1982", "nata il [REDACTED:dob]"),
        ("Geburtsdatum: 7. M\u{e4}rz 1970", "Geburtsdatum: [REDACTED:dob]"),
        (
            "\u{751f}\u{5e74}\u{6708}\u{65e5}: 1985\u{5e74}4\u{6708}12\u{65e5}",
            "\u{751f}\u{5e74}\u{6708}\u{65e5}: [REDACTED:dob]",
        ),
        ("\u{62a4}\u{7167}: W70199776", "\u{62a4}\u{7167}: [REDACTED:passport]"),
        ("Reisepassnummer T7597655", "Reisepassnummer [REDACTED:passport]"),
        ("tel\u{e9}fono 312 345", "tel\u{e9}fono [REDACTED:phone]"),
        ("contact number 0974833788", "contact number [REDACTED:phone]"),
        ("card # 503890547220", "card # [REDACTED:card]"),
        ("account number: DYAS24834352611955372153", "account number: [REDACTED:bank_account]"),
        ("National ID: OX 57 98 86 D", "National ID: [REDACTED:national_id]"),
        ("tax id: 460910-SX6", "tax id: [REDACTED:national_id]"),
        ("NATO 2026-11-20", "NATO 2026-11-20"),
        ("5 out of 2026 and 3 set 2020", "5 out of 2026 and 3 set 2020"),
    ]);
}

#[test]
fn numbers_in_the_groups_of_their_country() {
    check(&[
        ("BE 0202.239.951", "[REDACTED:vat]"),
        ("ATU 142 43 102", "[REDACTED:vat]"),
        ("ES B64717838", "[REDACTED:vat]"),
        ("GF25 9231 4151 511T E62P JLT1 U18", "[REDACTED:iban]"),
        ("056 590 36 33", "[REDACTED:phone]"),
        ("call +1-912-490-4047x96669 now", "call [REDACTED:phone] now"),
        ("phone 06 03 12 34", "phone [REDACTED:phone]"),
    ]);
    check_left(&["phone support since 2026-11-20", "10 20 30 40 50", "BE 12 boxes", "IBAN of the shop"]);
}

#[test]
fn secrets_of_commands_and_configuration() {
    check(&[
        ("mysql -u root -p3ajcvFubXz44aV shop", "mysql -u root -p[REDACTED:password] shop"),
        ("psql --password 8DQNc2LuKe4Npz -h db", "psql --password [REDACTED:password] -h db"),
        ("curl -u elastic:Pa55w0rd.9 https://x.io", "curl -u elastic:[REDACTED:password] https://x.io"),
        ("curl --user 'api:d2LkV78zLx!t' x", "curl --user 'api:[REDACTED:password]' x"),
        ("<password>jjGY0Zn8kPrX2aP3Pm</password>", "<password>[REDACTED:password]</password>"),
        ("session_token: |\n  aB3dE6gH9jK2mN5p", "session_token: |\n  [REDACTED:token]"),
        ("var apiToken string = \"aB3dE6gH9jK2mN5p\"", "var apiToken string = \"[REDACTED:token]\""),
        ("APP_TOKEN :::= \"aB3dE6gH9jK2mN5p\"", "APP_TOKEN :::= \"[REDACTED:token]\""),
        ("apiToken,aB3dE6gH9jK2mN5p,", "apiToken,[REDACTED:token],"),
        ("contrase\u{f1}a: JUGpqYpR9A", "contrase\u{f1}a: [REDACTED:password]"),
        ("MAPS_KEY=Kp4Qx7Rm2Sn5Tb8Vw3Yz", "MAPS_KEY=[REDACTED:api_key]"),
        (concat!("lms", "x_aB3dE6gH9jK2mN5paB3dE6gH9jK2mN5pQ7"), "[REDACTED:token]"),
    ]);
    check_left(&[
        "curl -u username:token",
        "curl -u \"${user}:${pass}\"",
        "the monkey = banana12345678AB",
        "cacheKey=user_profile_v2_settings",
        "password is required",
        "public_key: aB3dE6gH9jK2mN5p",
        "api_key=AbcdEXAMPLEEXAMPLE12",
    ]);
}

#[test]
fn values_cut_by_the_border_of_blocks() {
    let block = |first: &str, second: &str| {
        serde_json::json!({"content": [{"type": "text", "text": first}, {"type": "text", "text": second}]})
            .to_string()
    };
    let masked = |first: &str, second: &str| super::masked(&block(first, second));
    assert_eq!(
        masked("write to jane@ac", "me.com today"),
        block("write to [REDACTED:email]", "[REDACTED:email] today")
    );
    let after = masked("the card 4111 1111", " 1111 1111 is mine");
    assert!(!after.contains("1111") && after.contains("the card ") && after.contains(" is mine"), "{after}");
    let left = block("page 41", "11 of the report");
    assert_eq!(super::masked(&left), left);
}

#[test]
fn numbers_of_one_record_are_not_joined() {
    let record = r#"{"weight":2210,"power":71,"acceleration":165,"year":1976,"cylinders":4}"#;
    assert_eq!(precise().scan(record.as_bytes()).unwrap().json, None);
}

#[test]
fn a_text_as_a_data_uri_is_read() {
    let uri = |head: &str| format!("\"data:{head};base64,bWFpbCBqYW5lQGFjbWUuY29tIG5vdw==\"");
    assert!(super::masked(&uri("text/plain")).contains("[REDACTED:email]"));
    assert!(super::masked(&uri("image/png;name=jane@acme.com")).contains("[REDACTED:email]"));
    assert_eq!(super::masked(&uri("image/png")), uri("image/png"));
}
