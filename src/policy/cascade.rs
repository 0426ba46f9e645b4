//! The cascade: in which order the tiers of the policies are asked, and the words that say which one decided.
//!
//! The Rego rules come first, and what they say holds. Where they abstain the stored policies (policy file and store) and
//! the shipped ones are asked together and the strictest word wins: what loosens a shipped policy is an override, with a
//! reason, and no rule of the operator's can hide a finding by merely coming first. The tier that is named then is the
//! one of whoever stands first among those that spoke.

/// A tier of the cascade (the AAF contract, section 8.3: Rego, then the rules of a database, then heuristics).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CascadeTier {
    /// Rules in Rego.
    Rego,
    /// Rules of the policy file, and policies of the store.
    Stored,
    /// Policies that come with the program.
    Heuristics,
}

impl CascadeTier {
    /// The word that is written in answers and rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rego => "rego",
            Self::Stored => "stored",
            Self::Heuristics => "heuristics",
        }
    }
}
