//! The detectors, as rows of data: what they are called, where candidates stand, who judges them, and which labels
//! the judge may consult. A new detector is a row here and a judge beside it.
//!
//! The rows are the documented built-ins of the AxonFlow contract, sections 5.1, 5.3 and 5.4, and what the field
//! expects beside them.

mod address;
mod american;
mod bank;
mod card;
mod checksums;
mod email;
mod iban;
mod identifiers;
mod indonesia;
mod labelled;
mod national;
mod opaque;
mod phone;
pub(super) mod secrets;
mod vat;

use super::labels::Labels;
use super::window::{Groups, Span, Surroundings};

pub use email::Address;
pub(super) use email::locate as email_at;
pub(super) use opaque::in_hexadecimal;

/// How a card number is told from other long numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CardMatch {
    /// Any run of 13 to 19 digits, the documented rule: nothing is missed, but identifiers and times in milliseconds
    /// (13 digits) are masked too.
    #[default]
    Loose,
    /// Only what passes the Luhn sum (ISO/IEC 7812-1, annex B) and starts like the cards of an issuer network.
    Precise,
}

/// One kind of thing that is masked.
pub struct Detector {
    /// The type, as it is counted and as it stands in the token.
    pub kind: &'static str,
    /// What takes the place of a match.
    pub token: &'static str,
    /// The policy that stands for this detector in decisions and settings.
    pub policy_id: &'static str,
    /// Where candidates stand and who judges them.
    pub judge: Judge,
    /// The labels that the judge may consult.
    pub context: Labels,
    /// Whether it runs unless somebody switched it off.
    pub default_on: bool,
}

/// Where candidates stand, with the function that judges one. The function answers with the span to mask.
#[derive(Clone, Copy)]
pub enum Judge {
    /// At every group of digits, if at least as many digits stand in the groups from there on.
    Digits(usize, fn(&DigitQuestion<'_>) -> Option<Span>),
    /// At every `@`.
    AtSign(fn(&AddressQuestion<'_>) -> Option<Span>),
    /// At every identifier of letters and digits.
    Word(fn(&WordQuestion<'_>) -> Option<Span>),
    /// Where `secrets` found it by its form or by its name.
    Secret(secrets::Secret),
}

/// Is there something to mask in the letters and digits that start here?
pub struct WordQuestion<'a> {
    /// What stands around them.
    pub around: &'a Surroundings<'a>,
    /// The labels that the row may consult.
    pub context: Labels,
}

impl WordQuestion<'_> {
    /// The labels that speak for a match ending at `end`.
    pub fn labels(&self, end: usize) -> Labels {
        self.around.labels(self.context, end)
    }
}

/// Is there something to mask in the digits that start here?
pub struct DigitQuestion<'a> {
    /// The digits.
    pub groups: &'a Groups,
    /// What stands around them.
    pub around: &'a Surroundings<'a>,
    /// The labels that the row may consult.
    pub context: Labels,
    /// The rule for cards.
    pub card_match: CardMatch,
}

impl DigitQuestion<'_> {
    /// The labels that speak for a match ending at `end`.
    pub fn labels(&self, end: usize) -> Labels {
        self.around.labels(self.context, end)
    }
}

/// Is there an address around this `@`?
pub struct AddressQuestion<'a> {
    /// Where the local part starts and where the `@` stands.
    pub address: Address,
    /// What stands around it.
    pub around: &'a Surroundings<'a>,
}

/// A row that is on by default.
const fn on(
    kind: &'static str,
    token: &'static str,
    policy_id: &'static str,
    judge: Judge,
    context: Labels,
) -> Detector {
    Detector { kind, token, policy_id, judge, context, default_on: true }
}

/// A row that is off by default.
const fn off(
    kind: &'static str,
    token: &'static str,
    policy_id: &'static str,
    judge: Judge,
    context: Labels,
) -> Detector {
    Detector { kind, token, policy_id, judge, context, default_on: false }
}

/// All detectors. Of matches that start at the same place the longest wins, of equally long ones the first row.
pub const DETECTORS: &[Detector] = &[
    on("card", "[REDACTED:card]", "sys_pii_credit_card", Judge::Digits(12, card::labelled), Labels::CARD),
    on("nik", "[REDACTED:nik]", "sys_pii_indonesia_nik", Judge::Digits(16, indonesia::nik), Labels::NIK),
    on("npwp", "[REDACTED:npwp]", "sys_pii_indonesia_npwp", Judge::Digits(15, indonesia::npwp), Labels::NPWP),
    on(
        "phone_id",
        "[REDACTED:phone_id]",
        "sys_pii_indonesia_phone",
        Judge::Digits(10, indonesia::phone),
        Labels::NONE,
    ),
    on(
        "bank_account",
        "[REDACTED:bank_account]",
        "sys_pii_indonesia_bank_account",
        Judge::Digits(8, bank::account),
        Labels::BANKS,
    ),
    on("email", "[REDACTED:email]", "sys_pii_email", Judge::AtSign(email::email), Labels::NONE),
    on("ssn", "[REDACTED:ssn]", "sys_pii_ssn", Judge::Digits(9, american::ssn), Labels::SSN),
    on("iban", "[REDACTED:iban]", "sys_pii_iban", Judge::Word(iban::iban), Labels::IBAN),
    on(
        "bank_account",
        "[REDACTED:bank_account]",
        "sys_pii_bank_account",
        Judge::Digits(9, american::bank),
        Labels::ROUTING.or(Labels::ACCOUNT),
    ),
    on(
        "aadhaar",
        "[REDACTED:aadhaar]",
        "sys_pii_aadhaar",
        Judge::Digits(12, american::aadhaar),
        Labels::AADHAAR,
    ),
    on("pan", "[REDACTED:pan]", "sys_pii_pan", Judge::Word(identifiers::pan), Labels::PAN),
    on("nric", "[REDACTED:nric]", "sys_pii_singapore_nric", Judge::Word(identifiers::nric), Labels::NRIC),
    on("fin", "[REDACTED:fin]", "sys_pii_singapore_fin", Judge::Word(identifiers::fin), Labels::NRIC),
    on("uen", "[REDACTED:uen]", "sys_pii_singapore_uen", Judge::Word(identifiers::uen), Labels::UEN),
    on(
        "passport",
        "[REDACTED:passport]",
        "sys_pii_passport",
        Judge::Word(american::passport_word),
        Labels::PASSPORT,
    ),
    on(
        "passport",
        "[REDACTED:passport]",
        "sys_pii_passport",
        Judge::Digits(5, american::passport_digits),
        Labels::PASSPORT,
    ),
    on(
        "driver_license",
        "[REDACTED:driver_license]",
        "sys_pii_driver_license",
        Judge::Word(american::licence_word),
        Labels::LICENCE,
    ),
    on(
        "driver_license",
        "[REDACTED:driver_license]",
        "sys_pii_driver_license",
        Judge::Digits(4, american::licence_digits),
        Labels::LICENCE,
    ),
    on("dob", "[REDACTED:dob]", "sys_pii_dob", Judge::Digits(1, american::birth), Labels::BIRTH),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Digits(8, national::national),
        Labels::NATIONAL,
    ),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Word(identifiers::national),
        Labels::NATIONAL,
    ),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Digits(6, identifiers::birth_number),
        Labels::NONE,
    ),
    on("vat", "[REDACTED:vat]", "sys_pii_eu_vat", Judge::Word(vat::word), Labels::VAT),
    on("vat", "[REDACTED:vat]", "sys_pii_eu_vat", Judge::Digits(7, vat::spaced), Labels::VAT),
    on("vat", "[REDACTED:vat]", "sys_pii_eu_vat", Judge::Word(labelled::vat_word), Labels::VAT),
    on("vat", "[REDACTED:vat]", "sys_pii_eu_vat", Judge::Digits(0, labelled::vat_digits), Labels::VAT),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Word(labelled::national_word),
        Labels::NATIONAL,
    ),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Digits(0, labelled::national_digits),
        Labels::NATIONAL,
    ),
    on(
        "national_id",
        "[REDACTED:national_id]",
        "sys_pii_national_id",
        Judge::Digits(6, labelled::pairs),
        Labels::NATIONAL,
    ),
    on(
        "bank_account",
        "[REDACTED:bank_account]",
        "sys_pii_bank_account",
        Judge::Word(labelled::account_word),
        Labels::ACCOUNT,
    ),
    on(
        "bank_account",
        "[REDACTED:bank_account]",
        "sys_pii_bank_account",
        Judge::Digits(0, labelled::account_digits),
        Labels::ACCOUNT,
    ),
    on("phone", "[REDACTED:phone]", "sys_pii_phone", Judge::Digits(1, phone::phone), Labels::PHONE),
    off(
        "ip_address",
        "[REDACTED:ip_address]",
        "sys_pii_ip_address",
        Judge::Digits(1, address::ipv4),
        Labels::VERSION,
    ),
    off(
        "ip_address",
        "[REDACTED:ip_address]",
        "sys_pii_ip_address",
        Judge::Digits(1, address::ipv6),
        Labels::NONE,
    ),
    on(
        "private_key",
        "[REDACTED:private_key]",
        "sys_sensitive_private_key",
        Judge::Secret(secrets::Secret::PrivateKey),
        Labels::NONE,
    ),
    on(
        "connection_string",
        "[REDACTED:connection_string]",
        "sys_sensitive_connection",
        Judge::Secret(secrets::Secret::Connection),
        Labels::NONE,
    ),
    on("jwt", "[REDACTED:jwt]", "sys_sensitive_jwt", Judge::Secret(secrets::Secret::Jwt), Labels::NONE),
    on(
        "aws_key",
        "[REDACTED:aws_key]",
        "sys_sensitive_aws_key",
        Judge::Secret(secrets::Secret::Aws),
        Labels::NONE,
    ),
    on(
        "gcp_key",
        "[REDACTED:gcp_key]",
        "sys_sensitive_gcp_key",
        Judge::Secret(secrets::Secret::Google),
        Labels::NONE,
    ),
    on(
        "github_token",
        "[REDACTED:github_token]",
        "sys_sensitive_github_token",
        Judge::Secret(secrets::Secret::GitHub),
        Labels::NONE,
    ),
    on(
        "gitlab_token",
        "[REDACTED:gitlab_token]",
        "sys_sensitive_gitlab_token",
        Judge::Secret(secrets::Secret::GitLab),
        Labels::NONE,
    ),
    on(
        "slack_token",
        "[REDACTED:slack_token]",
        "sys_sensitive_slack_token",
        Judge::Secret(secrets::Secret::Slack),
        Labels::NONE,
    ),
    on(
        "stripe_key",
        "[REDACTED:stripe_key]",
        "sys_sensitive_stripe_key",
        Judge::Secret(secrets::Secret::Stripe),
        Labels::NONE,
    ),
    on(
        "openai_key",
        "[REDACTED:openai_key]",
        "sys_sensitive_openai_key",
        Judge::Secret(secrets::Secret::OpenAi),
        Labels::NONE,
    ),
    on(
        "anthropic_key",
        "[REDACTED:anthropic_key]",
        "sys_sensitive_anthropic_key",
        Judge::Secret(secrets::Secret::Anthropic),
        Labels::NONE,
    ),
    on(
        "npm_token",
        "[REDACTED:npm_token]",
        "sys_sensitive_npm_token",
        Judge::Secret(secrets::Secret::Npm),
        Labels::NONE,
    ),
    on(
        "pypi_token",
        "[REDACTED:pypi_token]",
        "sys_sensitive_pypi_token",
        Judge::Secret(secrets::Secret::PyPi),
        Labels::NONE,
    ),
    on(
        "token",
        "[REDACTED:token]",
        "sys_sensitive_token",
        Judge::Secret(secrets::Secret::Token),
        Labels::NONE,
    ),
    on(
        "password",
        "[REDACTED:password]",
        "sys_sensitive_password",
        Judge::Secret(secrets::Secret::Password),
        Labels::NONE,
    ),
    on(
        "api_key",
        "[REDACTED:api_key]",
        "sys_sensitive_api_key",
        Judge::Secret(secrets::Secret::ApiKey),
        Labels::NONE,
    ),
    on(
        "api_key",
        "[REDACTED:api_key]",
        "sys_sensitive_api_key",
        Judge::Secret(secrets::Secret::Key),
        Labels::NONE,
    ),
    on(
        "secret",
        "[REDACTED:secret]",
        "sys_sensitive_secret",
        Judge::Secret(secrets::Secret::Other),
        Labels::NONE,
    ),
    on("card", "[REDACTED:card]", "sys_pii_credit_card", Judge::Digits(13, card::card), Labels::NONE),
];
