//! What the operator wrote about tools in one place: the settings for all backends, or the entry of one backend.

use super::pattern::Pattern;
use std::fmt;

/// Most patterns in one list: each is asked about every call.
pub const MAX_PATTERNS: usize = 1_000;
/// Most agents named in one place.
pub const MAX_AGENTS: usize = 100;

/// Which tools may run before any list is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// All.
    #[default]
    Unrestricted,
    /// Those that are known to read only: annotated `readOnlyHint: true`, or vouched for by the operator.
    ReadOnly,
    /// Those that an allow list names.
    Locked,
}

impl Profile {
    /// Every profile with its word.
    pub const WORDS: &[(&str, Self)] =
        &[("unrestricted", Self::Unrestricted), ("read_only", Self::ReadOnly), ("locked", Self::Locked)];
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unrestricted => "unrestricted",
            Self::ReadOnly => "read_only",
            Self::Locked => "locked",
        })
    }
}

/// A profile and two lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The profile.
    pub profile: Profile,
    /// Where there is a list, only what it names runs; an empty one names nothing.
    pub allow: Option<Vec<Pattern>>,
    /// What it names does not run, and neither does what looks like it.
    pub deny: Vec<Pattern>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_open(&self) -> bool {
        self.profile == Profile::Unrestricted && self.allow.is_none() && self.deny.is_empty()
    }
}

/// Everything about tools in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolRules {
    /// For every agent.
    pub limits: Limits,
    /// Tools that the operator vouches for: they only read, whatever their servers say.
    pub read_only: Vec<Pattern>,
    /// For the agents with these names, besides.
    pub agents: Vec<(Pattern, Limits)>,
}
