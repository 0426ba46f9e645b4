//! What the client takes the machine for.

/// What the client takes the machine for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Face {
    /// A server of its own with backends behind it: it introduces itself, shows lists of its own making, and starts
    /// again what ends.
    #[default]
    Gate,
    /// Its one backend: that one introduces itself, everything but `tools/call` goes to it as it came, and its end is
    /// the end of the session. Calls are decided, answers are redacted, and both are recorded all the same.
    Backend,
}

impl Face {
    /// Whether the client takes the machine for its backend.
    pub fn is_backend(self) -> bool {
        self == Face::Backend
    }
}
