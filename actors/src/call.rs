//! One `tools/call`, as the ports and the flow see it.

use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;

/// One `tools/call` after its name was resolved.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts from 1 in this process.
    pub number: u64,
    /// When its line arrived.
    pub received_at: SystemTime,
    /// The backend's id.
    pub backend: Arc<str>,
    /// The tool's own name, as the backend knows it.
    pub tool: Arc<str>,
    /// The name the client used.
    pub exposed: Arc<str>,
    /// `params.arguments` as the bytes that came: a JSON object, `null`, or `None` when absent.
    pub arguments: Option<Bytes>,
    /// `params._meta` as the bytes that came.
    pub meta: Option<Bytes>,
    /// What the backend says of the tool.
    pub hints: Hints,
}

/// The tool annotations that matter for moving calls. Absent means `false`: the cautious reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `annotations.readOnlyHint`
    pub read_only: bool,
    /// `annotations.idempotentHint`
    pub idempotent: bool,
    /// All four hints as they were told.
    pub told: ToldHints,
}

/// The tool annotations as the backend told them: `None` where it said nothing, or no truth value (MCP, "Tool
/// annotations"). They are the backend's own words and prove nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldHints {
    /// `annotations.readOnlyHint`
    pub read_only: Option<bool>,
    /// `annotations.destructiveHint`
    pub destructive: Option<bool>,
    /// `annotations.idempotentHint`
    pub idempotent: Option<bool>,
    /// `annotations.openWorldHint`
    pub open_world: Option<bool>,
}

impl From<ToldHints> for Hints {
    fn from(told: ToldHints) -> Self {
        Self {
            read_only: told.read_only.unwrap_or(false),
            idempotent: told.idempotent.unwrap_or(false),
            told,
        }
    }
}

impl Hints {
    /// Whether running the tool twice does no more than running it once.
    pub fn may_repeat(self) -> bool {
        self.read_only || self.idempotent
    }
}
