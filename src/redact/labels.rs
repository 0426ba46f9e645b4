//! Words that speak for the number beside them: "NPWP", "rekening", a bank's name, in text and in object keys.
//!
//! A token of ours (`[REDACTED:bank_account]`) is never a label, and in front of a value it counts with its own
//! length whether it already stands in the text or is about to be put there. So a second run over a redacted text
//! sees the same labels at the same distances as the first and finds nothing new.

use super::limits::LABEL_BEHIND_BYTES;
use memchr::memmem::FinderRev;
use std::sync::LazyLock;

/// A set of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels(u32);

impl Labels {
    /// No label.
    pub const NONE: Self = Self(0);
    /// Identity card: "NIK", "KTP".
    pub const NIK: Self = Self(1);
    /// Tax number.
    pub const NPWP: Self = Self(2);
    /// A bank account of any bank: "rekening", "account number".
    pub const ACCOUNT: Self = Self(4);
    /// Bank Central Asia.
    pub const BCA: Self = Self(8);
    /// Bank Mandiri.
    pub const MANDIRI: Self = Self(16);
    /// Bank Rakyat Indonesia.
    pub const BRI: Self = Self(32);
    /// Bank Negara Indonesia.
    pub const BNI: Self = Self(64);
    /// Any label of a bank account.
    pub const BANKS: Self = Self(4 | 8 | 16 | 32 | 64);
    /// United States social security number.
    pub const SSN: Self = Self(1 << 7);
    /// Telephone number of any country.
    pub const PHONE: Self = Self(1 << 8);
    /// Indian Aadhaar number.
    pub const AADHAAR: Self = Self(1 << 9);
    /// Indian permanent account number.
    pub const PAN: Self = Self(1 << 10);
    /// Singapore's identity numbers of persons: NRIC and FIN.
    pub const NRIC: Self = Self(1 << 11);
    /// Singapore's number of an entity.
    pub const UEN: Self = Self(1 << 12);
    /// Passport.
    pub const PASSPORT: Self = Self(1 << 13);
    /// Day of birth.
    pub const BIRTH: Self = Self(1 << 14);
    /// Driver's licence.
    pub const LICENCE: Self = Self(1 << 15);
    /// Routing number of a bank in the United States.
    pub const ROUTING: Self = Self(1 << 16);
    /// Value-added tax number.
    pub const VAT: Self = Self(1 << 17);
    /// Identity or tax number of a person, of any country.
    pub const NATIONAL: Self = Self(1 << 18);
    /// International bank account number.
    pub const IBAN: Self = Self(1 << 19);
    /// A version number follows, which may look like an IP address.
    pub const VERSION: Self = Self(1 << 20);
    /// The labels that also speak for later numbers of a list (`rekening 1234567890, 9876543210`). All others speak
    /// for the first number behind them only.
    const FAR: Self = Self(0x7F);

    /// Both sets together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the sets share a label.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Words in a row, in lower case, and what they say. Case, `camelCase`, `snake_case` and punctuation do not matter.
const PHRASES: &[(&[&str], Labels)] = &[
    (&["accountnumber"], Labels::ACCOUNT),
    (&["accountno"], Labels::ACCOUNT),
    (&["bank", "account"], Labels::ACCOUNT),
    (&["bank", "acct"], Labels::ACCOUNT),
    (&["aadhaar"], Labels::AADHAAR),
    (&["aadhar"], Labels::AADHAAR),
    (&["adhaar"], Labels::AADHAAR),
    (&["aadhaarnumber"], Labels::AADHAAR),
    (&["permanent", "account"], Labels::PAN),
    (&["aba"], Labels::ROUTING),
    (&["abn"], Labels::NATIONAL),
    (&["amka"], Labels::NATIONAL),
    (&["afm"], Labels::NATIONAL),
    (&["ahv"], Labels::NATIONAL),
    (&["avs"], Labels::NATIONAL),
    (&["adoszam"], Labels::NATIONAL),
    (&["bca"], Labels::BCA),
    (&["bri"], Labels::BRI),
    (&["bni"], Labels::BNI),
    (&["bankaccount"], Labels::ACCOUNT),
    (&["birthdate"], Labels::BIRTH),
    (&["birthday"], Labels::BIRTH),
    (&["birth"], Labels::BIRTH),
    (&["born"], Labels::BIRTH),
    (&["btw"], Labels::VAT),
    (&["bsn"], Labels::NATIONAL),
    (&["bvn"], Labels::NATIONAL),
    (&["build"], Labels::VERSION),
    (&["cell"], Labels::PHONE),
    (&["cellphone"], Labels::PHONE),
    (&["call"], Labels::PHONE),
    (&["id", "card"], Labels::NATIONAL),
    (&["identity", "card"], Labels::NATIONAL),
    (&["personal", "code"], Labels::NATIONAL),
    (&["cif"], Labels::NATIONAL),
    (&["cpf"], Labels::NATIONAL),
    (&["cnpj"], Labels::NATIONAL),
    (&["curp"], Labels::NATIONAL),
    (&["cnp"], Labels::NATIONAL),
    (&["cpr"], Labels::NATIONAL),
    (&["codicefiscale"], Labels::NATIONAL),
    (&["rodne", "cislo"], Labels::NATIONAL),
    (&["dob"], Labels::BIRTH),
    (&["dateofbirth"], Labels::BIRTH),
    (&["driverslicense"], Labels::LICENCE),
    (&["driverlicense"], Labels::LICENCE),
    (&["driverlicence"], Labels::LICENCE),
    (&["driverslicence"], Labels::LICENCE),
    (&["drivinglicence"], Labels::LICENCE),
    (&["drivinglicense"], Labels::LICENCE),
    (&["dl"], Labels::LICENCE),
    (&["dln"], Labels::LICENCE),
    (&["dlno"], Labels::LICENCE),
    (&["dni"], Labels::NATIONAL),
    (&["ein"], Labels::SSN),
    (&["unique", "entity"], Labels::UEN),
    (&["egn"], Labels::NATIONAL),
    (&["emso"], Labels::NATIONAL),
    (&["fax"], Labels::PHONE),
    (&["fin"], Labels::NRIC),
    (&["fuhrerschein"], Labels::LICENCE),
    (&["fodselsnummer"], Labels::NATIONAL),
    (&["codice", "fiscale"], Labels::NATIONAL),
    (&["firmware"], Labels::VERSION),
    (&["geboren"], Labels::BIRTH),
    (&["geburtsdatum"], Labels::BIRTH),
    (&["geboortedatum"], Labels::BIRTH),
    (&["hp"], Labels::PHONE),
    (&["handphone"], Labels::PHONE),
    (&["handy"], Labels::PHONE),
    (&["hotline"], Labels::PHONE),
    (&["henkilotunnus"], Labels::NATIONAL),
    (&["hetu"], Labels::NATIONAL),
    (&["hkid"], Labels::NATIONAL),
    (&["tax", "payer", "id"], Labels::SSN),
    (&["taxpayer", "id"], Labels::SSN),
    (&["itin"], Labels::SSN),
    (&["vat", "id"], Labels::VAT),
    (&["ust", "id"], Labels::VAT),
    (&["iva"], Labels::VAT),
    (&["partita", "iva"], Labels::VAT),
    (&["national", "id"], Labels::NATIONAL),
    (&["idnumber"], Labels::NATIONAL),
    (&["idcard"], Labels::NATIONAL),
    (&["citizen", "id"], Labels::NATIONAL),
    (&["personal", "id"], Labels::NATIONAL),
    (&["steuer", "id"], Labels::NATIONAL),
    (&["idnr"], Labels::NATIONAL),
    (&["insee"], Labels::NATIONAL),
    (&["isikukood"], Labels::NATIONAL),
    (&["national", "insurance"], Labels::NATIONAL),
    (&["tax", "id"], Labels::NATIONAL),
    (&["tax", "identification"], Labels::NATIONAL),
    (&["iban"], Labels::IBAN),
    (&["ibans"], Labels::IBAN),
    (&["ibannumber"], Labels::IBAN),
    (&["bank", "iban"], Labels::IBAN),
    (&["ktp"], Labels::NIK),
    (&["asmens", "kodas"], Labels::NATIONAL),
    (&["tc", "kimlik"], Labels::NATIONAL),
    (&["kimlik"], Labels::NATIONAL),
    (&["lahir"], Labels::BIRTH),
    (&["driver", "license"], Labels::LICENCE),
    (&["driver", "licence"], Labels::LICENCE),
    (&["drivers", "license"], Labels::LICENCE),
    (&["drivers", "licence"], Labels::LICENCE),
    (&["driver", "s", "license"], Labels::LICENCE),
    (&["driver", "s", "licence"], Labels::LICENCE),
    (&["driving", "license"], Labels::LICENCE),
    (&["driving", "licence"], Labels::LICENCE),
    (&["licensenumber"], Labels::LICENCE),
    (&["mandiri"], Labels::MANDIRI),
    (&["mobile"], Labels::PHONE),
    (&["mobilenumber"], Labels::PHONE),
    (&["mobil"], Labels::PHONE),
    (&["msisdn"], Labels::PHONE),
    (&["moms"], Labels::VAT),
    (&["medicare"], Labels::NATIONAL),
    (&["mykad"], Labels::NATIONAL),
    (&["nik"], Labels::NIK),
    (&["noktp"], Labels::NIK),
    (&["npwp"], Labels::NPWP),
    (&["nonpwp"], Labels::NPWP),
    (&["norekening"], Labels::ACCOUNT),
    (&["norek"], Labels::ACCOUNT),
    (&["account", "number"], Labels::ACCOUNT),
    (&["account", "num"], Labels::ACCOUNT),
    (&["account", "no"], Labels::ACCOUNT),
    (&["acct", "number"], Labels::ACCOUNT),
    (&["acct", "no"], Labels::ACCOUNT),
    (&["acc", "no"], Labels::ACCOUNT),
    (&["social", "security", "number"], Labels::SSN),
    (&["ss", "number"], Labels::SSN),
    (&["nohp"], Labels::PHONE),
    (&["nric"], Labels::NRIC),
    (&["nricno"], Labels::NRIC),
    (&["nricfin"], Labels::NRIC),
    (&["fin", "no"], Labels::NRIC),
    (&["nopaspor"], Labels::PASSPORT),
    (&["pass", "no"], Labels::PASSPORT),
    (&["naissance"], Labels::BIRTH),
    (&["nacimiento"], Labels::BIRTH),
    (&["nascita"], Labels::BIRTH),
    (&["dl", "no"], Labels::LICENCE),
    (&["license", "number"], Labels::LICENCE),
    (&["licence", "number"], Labels::LICENCE),
    (&["license", "no"], Labels::LICENCE),
    (&["licence", "no"], Labels::LICENCE),
    (&["nationalid"], Labels::NATIONAL),
    (&["nationalidnumber"], Labels::NATIONAL),
    (&["id", "number"], Labels::NATIONAL),
    (&["id", "no"], Labels::NATIONAL),
    (&["identity", "number"], Labels::NATIONAL),
    (&["identity", "no"], Labels::NATIONAL),
    (&["identification", "number"], Labels::NATIONAL),
    (&["personal", "number"], Labels::NATIONAL),
    (&["insurance", "number"], Labels::NATIONAL),
    (&["insurance", "no"], Labels::NATIONAL),
    (&["nino"], Labels::NATIONAL),
    (&["nhs"], Labels::NATIONAL),
    (&["nhs", "number"], Labels::NATIONAL),
    (&["nie"], Labels::NATIONAL),
    (&["nif"], Labels::NATIONAL),
    (&["nipc"], Labels::NATIONAL),
    (&["nir"], Labels::NATIONAL),
    (&["pps", "number"], Labels::NATIONAL),
    (&["registre", "national"], Labels::NATIONAL),
    (&["my", "number"], Labels::NATIONAL),
    (&["nationalinsurance"], Labels::NATIONAL),
    (&["ni", "number"], Labels::NATIONAL),
    (&["tax", "number"], Labels::NATIONAL),
    (&["tax", "no"], Labels::NATIONAL),
    (&["nric"], Labels::NATIONAL),
    (&["oib"], Labels::NATIONAL),
    (&["phone"], Labels::PHONE),
    (&["phones"], Labels::PHONE),
    (&["phonenumber"], Labels::PHONE),
    (&["ph"], Labels::PHONE),
    (&["pan"], Labels::PAN),
    (&["pancard"], Labels::PAN),
    (&["pannumber"], Labels::PAN),
    (&["passport"], Labels::PASSPORT),
    (&["passportnumber"], Labels::PASSPORT),
    (&["passportno"], Labels::PASSPORT),
    (&["passports"], Labels::PASSPORT),
    (&["paspor"], Labels::PASSPORT),
    (&["passeport"], Labels::PASSPORT),
    (&["pasaporte"], Labels::PASSPORT),
    (&["passaporto"], Labels::PASSPORT),
    (&["paspoort"], Labels::PASSPORT),
    (&["permis"], Labels::LICENCE),
    (&["partitaiva"], Labels::VAT),
    (&["personalnumber"], Labels::NATIONAL),
    (&["pesel"], Labels::NATIONAL),
    (&["personnummer"], Labels::NATIONAL),
    (&["pps"], Labels::NATIONAL),
    (&["ppsn"], Labels::NATIONAL),
    (&["rekening"], Labels::ACCOUNT),
    (&["rek"], Labels::ACCOUNT),
    (&["reisepass"], Labels::PASSPORT),
    (&["rijbewijs"], Labels::LICENCE),
    (&["routing"], Labels::ROUTING),
    (&["rtn"], Labels::ROUTING),
    (&["routingnumber"], Labels::ROUTING),
    (&["rfc"], Labels::NATIONAL),
    (&["rc"], Labels::NATIONAL),
    (&["rijksregisternummer"], Labels::NATIONAL),
    (&["rrn"], Labels::NATIONAL),
    (&["release"], Labels::VERSION),
    (&["ssn"], Labels::SSN),
    (&["ssns"], Labels::SSN),
    (&["social", "security"], Labels::SSN),
    (&["socialsecurity"], Labels::SSN),
    (&["socialsecuritynumber"], Labels::SSN),
    (&["social", "sec"], Labels::SSN),
    (&["sms"], Labels::PHONE),
    (&["sin"], Labels::NATIONAL),
    (&["steuerid"], Labels::NATIONAL),
    (&["steuernummer"], Labels::NATIONAL),
    (&["steueridentifikationsnummer"], Labels::NATIONAL),
    (&["securite", "sociale"], Labels::NATIONAL),
    (&["secu"], Labels::NATIONAL),
    (&["svnr"], Labels::NATIONAL),
    (&["sozialversicherungsnummer"], Labels::NATIONAL),
    (&["tin"], Labels::SSN),
    (&["telephone"], Labels::PHONE),
    (&["tel"], Labels::PHONE),
    (&["telepon"], Labels::PHONE),
    (&["telp"], Labels::PHONE),
    (&["telefon"], Labels::PHONE),
    (&["telefono"], Labels::PHONE),
    (&["transit"], Labels::ROUTING),
    (&["tva"], Labels::VAT),
    (&["tfn"], Labels::NATIONAL),
    (&["tckn"], Labels::NATIONAL),
    (&["taxid"], Labels::NATIONAL),
    (&["tajszam"], Labels::NATIONAL),
    (&["taj"], Labels::NATIONAL),
    (&["uidai"], Labels::AADHAAR),
    (&["uid"], Labels::AADHAAR),
    (&["uen"], Labels::UEN),
    (&["ustid"], Labels::VAT),
    (&["ustidnr"], Labels::VAT),
    (&["umsatzsteuer"], Labels::VAT),
    (&["vat"], Labels::VAT),
    (&["vatid"], Labels::VAT),
    (&["vatin"], Labels::VAT),
    (&["vatnumber"], Labels::VAT),
    (&["versicherungsnummer"], Labels::NATIONAL),
    (&["version"], Labels::VERSION),
    (&["versions"], Labels::VERSION),
    (&["ver"], Labels::VERSION),
    (&["v"], Labels::VERSION),
    (&["whatsapp"], Labels::PHONE),
    (&["wa"], Labels::PHONE),
];

/// Where the phrases whose last word starts with a letter begin; they are sorted by it.
const FIRST_PHRASES: [usize; 27] = {
    let mut table = [PHRASES.len(); 27];
    let mut row = PHRASES.len();
    let mut letter = 26;
    while letter > 0 {
        letter -= 1;
        while row > 0 && last_letter(row - 1) >= letter {
            assert!(
                last_letter(row - 1) == letter,
                "phrases are sorted by the first letter of their last word"
            );
            row -= 1;
        }
        table[letter] = row;
    }
    assert!(row == 0, "phrases are sorted by the first letter of their last word");
    table
};

/// Which letter of the alphabet the last word of a phrase starts with.
const fn last_letter(row: usize) -> usize {
    let words = PHRASES[row].0;
    (words[words.len() - 1].as_bytes()[0] - b'a') as usize
}

/// For the first letter of a phrase's last word: which lengths that word may have, as bits. Most words of a text are
/// told apart from all phrases by one look.
const LENGTHS_BY_LETTER: [u64; 26] = {
    let mut table = [0; 26];
    let mut row = 0;
    while row < PHRASES.len() {
        let words = PHRASES[row].0;
        let last = words[words.len() - 1].as_bytes();
        table[(last[0] - b'a') as usize] |= 1 << last.len();
        row += 1;
    }
    table
};

/// Keys that say nothing themselves, so that the key around them speaks: `{"rekening":{"number":…}}`.
const PLAIN_KEYS: &[&str] = &["number", "no", "nomor", "num", "value", "account", "text", "id"];

/// Longest word in [`PHRASES`] and [`PLAIN_KEYS`].
const LONGEST_WORD: usize = 27;

const TOKEN_HEAD: &[u8] = b"[REDACTED:";
static TOKEN_FINDER: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(TOKEN_HEAD));

/// Where the token that covers or starts at the beginning of `text` ends, if there is one.
fn token_end(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(TOKEN_HEAD)?;
    let length = name.iter().position(|byte| !(byte.is_ascii_lowercase() || *byte == b'_'))?;
    (name.get(length) == Some(&b']')).then_some(TOKEN_HEAD.len() + length + 1)
}

/// Longest token (`[REDACTED:bank_account]` and room for longer types).
const LONGEST_TOKEN: usize = 40;

/// Skips a token that `at` lies inside of, as long as it starts at or after `floor`.
pub(super) fn skip_cut_token(text: &[u8], floor: usize, at: usize) -> usize {
    let from = floor.max(at.saturating_sub(LONGEST_TOKEN));
    let to = text.len().min(at + TOKEN_HEAD.len());
    let Some(start) = TOKEN_FINDER.rfind(&text[from..to]).map(|offset| from + offset) else {
        return at;
    };
    match token_end(&text[start..]) {
        Some(length) if start < at && start + length > at => start + length,
        _ => at,
    }
}

/// A reader of words that knows which labels the words so far amount to.
#[derive(Default)]
struct Reader {
    found: Labels,
    previous: Word,
    before: Word,
}

#[derive(Clone, Copy, Default)]
struct Word {
    bytes: [u8; LONGEST_WORD],
    /// 0 where nothing may be joined with the next word.
    length: usize,
}

impl Word {
    fn new(text: &[u8]) -> Self {
        let mut word = Self::default();
        if text.len() <= LONGEST_WORD {
            word.length = text.len();
            for (lower, byte) in word.bytes.iter_mut().zip(text) {
                *lower = byte.to_ascii_lowercase();
            }
        }
        word
    }

    /// Whether first letter and length are those of the last word of a phrase.
    fn may_end_phrase(&self) -> bool {
        let letter = self.bytes[0].wrapping_sub(b'a');
        self.length > 0
            && LENGTHS_BY_LETTER
                .get(usize::from(letter))
                .is_some_and(|lengths| lengths >> self.length & 1 == 1)
    }

    fn is(&self, text: &str) -> bool {
        self.length == text.len() && &self.bytes[..self.length] == text.as_bytes()
    }
}

impl Reader {
    fn word(&mut self, text: &[u8]) {
        let word = Word::new(text);
        if word.may_end_phrase() {
            let letter = usize::from(word.bytes[0] - b'a');
            for (phrase, label) in &PHRASES[FIRST_PHRASES[letter]..FIRST_PHRASES[letter + 1]] {
                let hit = match phrase {
                    [only] => word.is(only),
                    [first, second] => word.is(second) && self.previous.is(first),
                    [first, second, third] => {
                        word.is(third) && self.previous.is(second) && self.before.is(first)
                    }
                    _ => false,
                };
                if hit {
                    self.found = self.found.or(*label);
                }
            }
        }
        self.before = std::mem::replace(&mut self.previous, word);
    }

    fn barrier(&mut self) {
        self.previous = Word::default();
        self.before = Word::default();
    }

    /// Another value stood here, or the part of the text about the labels is over.
    fn forget(&mut self) {
        self.barrier();
        self.found = self.found.and(Labels::FAR);
    }

    fn text(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if text[at].is_ascii_alphabetic() {
                let end = word_end(text, at);
                self.word(&text[at..end]);
                at = end;
            } else if let Some(length) = token_end(&text[at..]) {
                self.forget();
                at += length;
            } else {
                let alone = at == 0 || !text[at - 1].is_ascii_alphanumeric();
                if matches!(text[at], b',' | b';' | b'|') || text[at].is_ascii_digit() && alone {
                    self.forget();
                } else if text[at].is_ascii_digit() {
                    self.barrier();
                }
                at += 1;
            }
        }
        self.barrier();
    }
}

/// The end of the word that starts at `at`: letters up to a change from lower to upper case, or up to the last of
/// several upper-case letters before a lower-case one (`noRek`, `BCAAccount`).
fn word_end(text: &[u8], at: usize) -> usize {
    let letters = text[at..].iter().position(|byte| !byte.is_ascii_alphabetic());
    let end = letters.map_or(text.len(), |length| at + length);
    for next in at + 1..end {
        if !text[next].is_ascii_uppercase() {
            continue;
        }
        let after_lower = text[next - 1].is_ascii_lowercase();
        if after_lower || (next + 1 < end && text[next + 1].is_ascii_lowercase()) {
            return next;
        }
    }
    end
}

/// The labels in pieces of text that stand in a row with masked spans between them.
pub(super) fn of_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Labels {
    let mut reader = Reader::default();
    for (index, piece) in pieces.enumerate() {
        // A masked value stands between two pieces.
        if index > 0 {
            reader.forget();
        }
        reader.text(piece);
    }
    reader.found
}

/// The labels in an object key, decoded; `None` when the key says nothing itself.
pub(super) fn of_key(key: &[u8]) -> Option<Labels> {
    if PLAIN_KEYS.iter().any(|plain| key.eq_ignore_ascii_case(plain.as_bytes())) {
        return None;
    }
    Some(of_pieces(std::iter::once(key)))
}

/// The bank named right behind a value, as in `1234567890 (BCA)` or `1234567890 - Bank Mandiri`.
pub(super) fn behind(text: &[u8]) -> Labels {
    let reach = &text[..text.len().min(LABEL_BEHIND_BYTES)];
    let mut at = 0;
    for _ in 0..2 {
        let gap = reach[at..].iter().position(|byte| !matches!(byte, b' ' | b'(' | b'-' | b'/' | b','));
        let Some(gap) = gap.filter(|gap| *gap <= 3) else { return Labels::NONE };
        at += gap;
        let end = word_end(reach, at);
        if reach[at..end].eq_ignore_ascii_case(b"bank") {
            at = end;
            continue;
        }
        // A word that the reach cuts off is not a word.
        let whole = end < reach.len() || end == text.len();
        let found = if whole { of_pieces(std::iter::once(&reach[at..end])) } else { Labels::NONE };
        return found.and(Labels::BANKS);
    }
    Labels::NONE
}

#[cfg(test)]
mod tests {
    use super::{Labels, behind, of_key, of_pieces, skip_cut_token};

    fn of_text(text: &str) -> Labels {
        of_pieces(std::iter::once(text.as_bytes()))
    }

    #[test]
    fn phrases_are_found_however_they_are_written() {
        for text in ["No. Rek: ", "nomor rekening tujuan", "Bank Account - ", "ACCOUNT NO.", "acct no"] {
            assert_eq!(of_text(text), Labels::ACCOUNT, "{text}");
        }
        for key in ["no_rek", "norek", "noRekening", "bankAccount", "account-number", "REKENING", "accountNo"]
        {
            assert_eq!(of_key(key.as_bytes()), Some(Labels::ACCOUNT), "{key}");
        }
        assert_eq!(of_key(b"BCAAccount"), Some(Labels::BCA));
        assert_eq!(of_key(b"number"), None);
    }

    #[test]
    fn words_inside_words_are_no_labels() {
        for text in ["brigade", "technik", "rekor", "abri", "mandiriku", "account 5 number", "no, account"] {
            assert_eq!(of_text(text), Labels::NONE, "{text}");
        }
    }

    #[test]
    fn tokens_are_no_labels() {
        assert_eq!(of_text("[REDACTED:bank_account] and [REDACTED:npwp]"), Labels::NONE);
        assert_eq!(of_text("bank [REDACTED:email] account"), Labels::NONE);
        let text = b"x [REDACTED:bank_account] y";
        for at in 3..25 {
            assert_eq!(skip_cut_token(text, 0, at), 25, "{at}");
        }
        assert_eq!(skip_cut_token(text, 0, 2), 2);
        assert_eq!(skip_cut_token(text, 0, 25), 25);
    }

    #[test]
    fn a_bank_may_be_named_behind() {
        assert_eq!(behind(b" (BCA) a.n. Budi"), Labels::BCA);
        assert_eq!(behind(b" Bank Mandiri"), Labels::MANDIRI);
        assert_eq!(behind(b", order for BCA"), Labels::NONE);
        assert_eq!(behind(b""), Labels::NONE);
        assert_eq!(behind(b" rekening"), Labels::ACCOUNT);
    }
}
