//! Callgate inside a program: an [`Interceptor`] that is asked before a tool runs, a [`CallgateLayer`] for a Streamable HTTP
//! endpoint, and [`Builder::wrap`] for one stdio server. All decide, hold, mask and record as the gate does, by the same settings and the same code.
//!
//! ```
//! use callgate::intercept::Interceptor;
//! use serde_json::json;
//!
//! # let state = tempfile::tempdir()?;
//! let interceptor = Interceptor::builder()
//!     .deny(["delete_*"])
//! #   .state_dir(state.path())
//!     .build()?;
//!
//! let call = interceptor.intercept_tool_call("delete_customer", &json!({"id": 7}));
//! assert!(!call.allowed);
//! assert!(call.reason.contains("deny list"));
//!
//! let call = interceptor.intercept_tool_call("find_customer", &json!({"id": 7}));
//! assert!(call.allowed);
//! // Run the tool here, then pass on what `answer` gives back.
//! let found = json!({"content": [{"type": "text", "text": "Siti, siti@example.co.id"}]});
//! let masked = call.answer(&found)?;
//! assert_eq!(masked["content"][0]["text"], "Siti, [REDACTED:email]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a gate holds and a library cannot
//!
//! - The gate is a process of its own: what it denies does not run. A library only says so; the program around it must
//!   ask about every call and heed the answer.
//! - A grant of a person is used up when a call is let through, before it runs, and never given back: a program that dies in
//!   between has to ask for another one.
//! - Annotations of tools are unknown here. With the profile `read_only` only tools run that the program vouches for
//!   ([`Builder::read_only`]).
//! - Nobody asks the person in front of the client; tickets are decided on the command line or the page.

mod builder;
mod engine;
mod interception;
mod layer;
#[cfg(test)]
mod tests;
pub(crate) mod wrapped;

pub use builder::{Builder, SetupError};
pub use callgate_actors::ports::{AuditVerdict, Outcome, Would};
pub use interception::{Approval, Interception, Refusal};
pub use layer::{CallgateLayer, CallgateService};

use crate::settings::{self, Settings};
use bytes::Bytes;
use callgate_actors::call::Hints;
use callgate_actors::flow::outside::Question;
use engine::Engine;
use serde_json::Value;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

/// Decides calls that this program is about to run itself. Cheap to clone; with the last clone and the last open call it
/// ends by itself.
///
/// Everything that goes wrong shuts it: no decision, no time, no record, no call. At most 1,024 calls may be open at once.
#[derive(Clone)]
pub struct Interceptor {
    engine: Arc<Engine>,
    server: Arc<str>,
    /// Longest message, in bytes.
    limit: usize,
}

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interceptor").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Interceptor {
    /// Sets one up step by step. Of the process's environment only the home directory counts.
    pub fn builder() -> Builder {
        Builder::empty()
    }

    /// Sets one up by the process's environment, as the gate is; what the builder is told besides wins.
    pub fn from_environment() -> Builder {
        Builder::from_variables(settings::environment())
    }

    /// Sets one up by these variables alone.
    ///
    /// ```
    /// use callgate::intercept::Interceptor;
    ///
    /// let wrong = Interceptor::from_variables([("CALLGATE_TOOLS_PROFILE", "readonly")]).build().unwrap_err();
    /// assert!(wrong.to_string().contains("set it to one of unrestricted, read_only, locked"));
    /// ```
    pub fn from_variables<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Builder {
        Builder::from_variables(
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        )
    }

    /// One by settings that were read already, which hold as they are: their `approval_hold` too. Backends in them are
    /// left out. `server` is what the server is called whose tools these are.
    ///
    /// # Errors
    /// What kept it from starting.
    pub fn new(settings: Settings, server: &str) -> Result<Self, SetupError> {
        builder::start(settings, &settings::environment(), server)
    }

    /// Whether this call may run. Blocks the thread: for some microseconds where the policies inside callgate decide, for a
    /// round trip where a remote service does, and for the hold where one is set and a person is asked.
    ///
    /// `arguments` must be an object or `null`.
    pub fn intercept_tool_call(&self, name: &str, arguments: &Value) -> Interception {
        let asked = self.engine.ask_blocking(self.question(name, arguments));
        Interception::of(asked, &self.engine)
    }

    /// As [`Self::intercept_tool_call`], without blocking; on any runtime. Dropping the future takes the call back.
    ///
    /// ```
    /// # use callgate::intercept::{Interceptor, Outcome};
    /// # use serde_json::json;
    /// # let state = tempfile::tempdir()?;
    /// # let interceptor = Interceptor::builder().state_dir(state.path()).build()?;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let call = interceptor.intercept_tool_call_async("query", &json!({"sql": "SELECT 1; DROP TABLE t; --"})).await;
    /// assert!(!call.allowed);
    /// assert_eq!(call.refusal().map(|refusal| refusal.code), Some(-32001));
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn intercept_tool_call_async(&self, name: &str, arguments: &Value) -> Interception {
        let asked = self.engine.ask(self.question(name, arguments)).await;
        Interception::of(asked, &self.engine)
    }

    /// Ends it and waits until the journal is closed: for the end of a program. Calls that are still open are recorded as
    /// unknown by the next start. `false` when it took too long.
    pub fn close(self) -> bool {
        self.engine.close()
    }

    fn question(&self, name: &str, arguments: &Value) -> Question {
        Question {
            backend: self.server.clone(),
            tool: name.into(),
            arguments: Some(Bytes::from(arguments.to_string())),
            meta: None,
            hints: Hints::default(),
        }
    }
}
