//! The detectors, as rows of data: what they are called, where candidates stand, who judges them, and which labels
//! the judge may consult. A new detector is a row here and a judge beside it.
//!
//! The rows are the documented built-ins of the AxonFlow contract, sections 5.3 and 5.4.

mod bank;
mod card;
mod email;
mod indonesia;
mod opaque;

use super::labels::Labels;
use super::window::{Groups, Span, Surroundings};

pub use email::Address;
pub(super) use email::locate as email_at;

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
    /// At every group of digits.
    Digits(fn(&DigitQuestion<'_>) -> Option<Span>),
    /// At every `@`.
    AtSign(fn(&AddressQuestion<'_>) -> Option<Span>),
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

/// All detectors. Of matches that start at the same place the longest wins, of equally long ones the first row.
pub const DETECTORS: &[Detector] = &[
    Detector {
        kind: "nik",
        token: "[REDACTED:nik]",
        policy_id: "sys_pii_indonesia_nik",
        judge: Judge::Digits(indonesia::nik),
        context: Labels::NIK,
        default_on: true,
    },
    Detector {
        kind: "npwp",
        token: "[REDACTED:npwp]",
        policy_id: "sys_pii_indonesia_npwp",
        judge: Judge::Digits(indonesia::npwp),
        context: Labels::NPWP,
        default_on: true,
    },
    Detector {
        kind: "phone_id",
        token: "[REDACTED:phone_id]",
        policy_id: "sys_pii_indonesia_phone",
        judge: Judge::Digits(indonesia::phone),
        context: Labels::NONE,
        default_on: true,
    },
    Detector {
        kind: "bank_account",
        token: "[REDACTED:bank_account]",
        policy_id: "sys_pii_indonesia_bank_account",
        judge: Judge::Digits(bank::account),
        context: Labels::BANKS,
        default_on: true,
    },
    Detector {
        kind: "email",
        token: "[REDACTED:email]",
        policy_id: "sys_pii_email",
        judge: Judge::AtSign(email::email),
        context: Labels::NONE,
        default_on: true,
    },
    Detector {
        kind: "card",
        token: "[REDACTED:card]",
        policy_id: "sys_pii_credit_card",
        judge: Judge::Digits(card::card),
        context: Labels::NONE,
        default_on: true,
    },
];
