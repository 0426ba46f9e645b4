//! The five questions the machine asks the meaning: [`Decide`], [`Approve`], [`Redact`], [`Record`], [`Launch`].
//!
//! The machine (this crate) knows how calls move and nothing of what they mean; the package `callgate` answers
//! these traits and knows nothing of actors. All five are plain blocking code: the machine chooses the thread.

use crate::call::Call;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};

// ---------------------------------------------------------------------------------------------------- Decide

/// Decides one call before it runs.
pub trait Decide: Send + Sync + 'static {
    /// Whether [`Decide::decide`] is short for this call and waits for nothing, so that it may run where the
    /// messages move. Everything else goes to a worker thread.
    fn is_quick(&self, call: &Call) -> bool;

    /// The decision. Must return by `deadline`; the machine stops waiting then and takes the PDP as away.
    fn decide(&self, call: &Call, deadline: Instant) -> Decision;

    /// Does now what the first decision would have to do before it. Called on a thread that nobody waits for, once the
    /// client has been told what there is; may be called more than once, or never.
    fn warm(&self) {}
}

/// What the PDP said of one call.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What is to happen.
    pub verdict: Verdict,
    /// The PDP's id of this decision; empty when it gave none.
    pub decision_id: String,
    /// 32 lower-case hex digits; empty when there is none.
    pub trace_id: String,
    /// Reasons in the order given; the first one is shown.
    pub reasons: Vec<String>,
    /// Ids of the policies that were looked at; on a deny the first one is the one that blocked.
    pub evaluated_policies: Vec<String>,
    /// The policies and rules that spoke, the strongest first; empty when none did or the PDP does not tell.
    pub matched: Vec<MatchedPolicy>,
    /// How many policies were asked; 0 when the PDP does not tell.
    pub evaluated: u32,
    /// How long deciding took; zero when nobody measured.
    pub took: Duration,
    /// Names in the client's arguments that were turned back into what they stand for before it was decided.
    pub restored: Vec<String>,
    /// Which set of policies decided; empty when the PDP does not tell. A person's grant is bound to it.
    pub policy_version: String,
    /// The approval that is waited for, or that paid for this decision; empty when there is none. A PDP that keeps
    /// approvals itself sets it with [`Verdict::NeedsApproval`].
    pub approval_id: String,
    /// Arguments to send once a person has said yes, when an obligation changes them: one JSON object.
    pub approved_arguments: Option<Bytes>,
    /// What would have become of the call if it were not merely monitored; `None` when it would have run just so.
    pub would: Option<Would>,
    /// Which tier of a cascade decided: `rego`, `stored`, `heuristics`; empty when none spoke or the PDP does not tell.
    pub tier: &'static str,
}

impl Decision {
    /// A decision that says nothing but its verdict.
    pub fn of(verdict: Verdict) -> Self {
        Decision {
            verdict,
            decision_id: String::new(),
            trace_id: String::new(),
            reasons: Vec::new(),
            evaluated_policies: Vec::new(),
            matched: Vec::new(),
            evaluated: 0,
            took: Duration::ZERO,
            restored: Vec::new(),
            policy_version: String::new(),
            approval_id: String::new(),
            approved_arguments: None,
            tier: "",
            would: None,
        }
    }
}

/// What monitor mode let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// The call would have been denied.
    Deny,
    /// The call would have been held for a person.
    NeedsApproval,
    /// The call would have been refused, since nobody decided.
    Unavailable,
    /// The call would have run with other arguments.
    Redact,
    /// The call ran, and its answer would have been withheld.
    Withhold,
}

impl Would {
    /// The word of audit rows and reports.
    pub fn word(self) -> &'static str {
        match self {
            Would::Deny => "deny",
            Would::NeedsApproval => "needs_approval",
            Would::Unavailable => "unavailable",
            Would::Redact => "redact",
            Would::Withhold => "withhold",
        }
    }
}

/// A policy or rule that spoke, in the words of `policy_info.matched_policies[]` (the AxonFlow contract, section 2.4).
/// Quotes nothing of what it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MatchedPolicy {
    /// Its id.
    pub policy_id: String,
    /// What it finds, for people.
    pub policy_name: String,
    /// A category of the contract.
    pub category: String,
    /// `low`, `medium`, `high`, `critical`
    pub severity: String,
    /// `block`, `require_approval`, `redact`, `warn`, `log`
    pub action: String,
}

/// `policy_info` as clients are told it: exactly the members of the AxonFlow contract, section 2.4.
#[derive(Debug, serde::Serialize)]
pub struct PolicyInfo<'a> {
    /// How many policies were asked.
    pub policies_evaluated: u32,
    /// The call or its answer was kept back.
    pub blocked: bool,
    /// Why; left out when nothing was blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_reason: Option<&'a str>,
    /// How many values were masked.
    pub redactions_applied: u32,
    /// Time of deciding and redacting.
    pub processing_time_ms: u64,
    /// Everybody who spoke.
    pub matched_policies: Vec<&'a MatchedPolicy>,
}

/// A duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is to happen with a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Run it.
    Allow {
        /// Arguments to send in place of the client's, when an obligation changed them: one JSON object.
        arguments: Option<Bytes>,
        /// The PDP obliged the gate to redact the answer.
        redact: bool,
    },
    /// Do not run it.
    Deny,
    /// Do not run it until a person has said yes.
    NeedsApproval,
    /// There is no decision.
    Unavailable {
        /// Nobody answered (connection refused, time ran out, a bare 5xx): the only cause that may open a gate
        /// whose fail mode is open. A refusal (4xx, a breaker's 503, an unreadable body) is `false`.
        outage: bool,
        /// When asking again makes sense.
        retry_after: Option<Duration>,
    },
}

// --------------------------------------------------------------------------------------------------- Approve

/// Has a person decide the calls that need one. All of it blocks, on a thread.
pub trait Approve: Send + Sync + 'static {
    /// Opens a ticket for a held call, or finds the one that waits for the same call already. An error says why no
    /// person can be asked.
    fn open(&self, call: &Call, decision: &Decision, deadline: Instant) -> Result<Ticket, String>;

    /// How the ticket of this call stands. [`Standing::Granted`] is said to one caller only, among all processes: the
    /// grant is used up with it.
    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, deadline: Instant) -> Standing;

    /// What the person in front of the client said when the client asked them. An error is only logged.
    fn answered(&self, ticket: &Ticket, word: Word) -> Result<(), String>;
}

/// A request to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// Which keeper made it; nothing to the machine.
    pub keeper: &'static str,
    /// Where a person decides, in words that follow "decide it".
    pub place: String,
    /// An address where a person decides; empty when there is none.
    pub url: String,
    /// Until when, RFC 3339; empty when nobody knows.
    pub expires_at: String,
    /// The question to put to the person in front of the client, masked; `None` when they may not decide.
    pub question: Option<String>,
    /// How often to look.
    pub poll: Duration,
}

impl Ticket {
    /// What to do about it, in words.
    pub fn how_to_decide(&self) -> String {
        let Self { id, place, url, .. } = self;
        let mut text = format!("ticket {id}: decide it {place}");
        if !url.is_empty() {
            text.push_str(&format!(" or at {url}"));
        }
        text.push_str(", then repeat the same call");
        text
    }
}

/// How a ticket stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nobody has decided.
    Waiting,
    /// Yes: the call runs by this decision.
    Granted(Box<Decision>),
    /// No, or too late; final for this ticket. Says who and why.
    Refused(String),
    /// The grant was used up by another call that is the same; a new one has to be asked for.
    Used,
    /// The ticket cannot be looked at now.
    Unknown(String),
}

/// What the person in front of the client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Yes or no.
    pub approves: bool,
    /// In their own words; may be empty.
    pub comment: String,
}

// ---------------------------------------------------------------------------------------------------- Redact

/// Masks what must not reach the model.
pub trait Redact: Send + Sync + 'static {
    /// Whether [`Redact::redact`] for this subject and length is short and waits for nothing.
    fn is_quick(&self, subject: &Subject, len: usize) -> bool;

    /// Masks `json`, one whole JSON value. Nothing but the masked spans may differ in the bytes.
    fn redact(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld>;
}

/// Where a piece of JSON comes from.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The backend's id.
    pub backend: Arc<str>,
    /// The tool's own name, for the answer of a call.
    pub tool: Option<Arc<str>>,
    /// What carries it.
    pub carrier: Carrier,
    /// The decision obliged the gate to redact this answer.
    pub obliged: bool,
    /// The decision that let the call run, for the answer of a call.
    pub decision: Option<Arc<Decision>>,
}

/// What carries a piece of JSON toward the model. A call's answer is judged more strictly than a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `result` of `tools/call`.
    ToolResult,
    /// `error` of any request: `{"code":…,"message":…,"data":…}`.
    Error,
    /// `result` of `prompts/get`, `resources/read`, `completion/complete`.
    Content,
    /// `params` of a notification: progress, log messages, updates.
    Notice,
    /// `params` of a request toward the client: sampling, elicitation.
    ClientRequest,
    /// A catalogue entry or server instructions: text that the backend's author wrote.
    Catalogue,
}

/// What redaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// The new bytes; `None` when nothing was masked.
    pub json: Option<Vec<u8>>,
    /// How many values of each type were masked.
    pub masked: BTreeMap<&'static str, u32>,
    /// What else is told of it.
    pub findings: Findings,
}

/// What is told of a redaction beside the counts. Holds no value that was masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many values of each type were found and left, because a setting spares them where they stand.
    pub scoped: BTreeMap<&'static str, u32>,
    /// JSON paths of what was masked, a bounded number of them.
    pub fields: Vec<String>,
    /// How many further places were masked.
    pub fields_left_out: u32,
    /// The policies that spoke in the response phase, the strongest first.
    pub matched: Vec<MatchedPolicy>,
    /// How many policies were asked in the response phase.
    pub evaluated: u32,
    /// The answer is passed on in monitor mode only: a response policy blocks it.
    pub would_withhold: bool,
}

impl Findings {
    /// What monitor mode let pass: the call by this decision, else its answer.
    pub fn would(&self, decision: Option<&Decision>) -> Option<Would> {
        let of_the_call = decision.and_then(|decision| decision.would);
        of_the_call.or_else(|| self.would_withhold.then_some(Would::Withhold))
    }
}

/// Why an answer must not be passed on.
#[derive(Clone, Debug, Default)]
pub struct Withheld {
    /// A response policy blocked it (`true`), or the redactor could not do its work (`false`).
    pub blocked: bool,
    /// For the person and the model.
    pub reason: String,
    /// The decision that blocked it; empty when there is none.
    pub decision_id: String,
    /// The policies that spoke in the response phase, the strongest first.
    pub matched: Vec<MatchedPolicy>,
}

// ---------------------------------------------------------------------------------------------------- Record

/// Keeps the audit record. Owned by one actor, so `&mut self`.
pub trait Record: Send + 'static {
    /// Called before calls leave, with the ending that each has should nothing more be heard of it (its outcome is
    /// [`Outcome::Unknown`]), and with every call that is waiting to leave. `Err` shuts the gate for all of them: no
    /// record, no call.
    fn intents(&mut self, intents: &[Ending]) -> Result<(), RecordError>;

    /// Writes one row per ending, in order. Called with every ending that is waiting. After an error rows that could
    /// not be written are kept and come first once writing works again: none is given twice.
    fn endings(&mut self, endings: &[Ending]) -> Result<(), RecordError>;

    /// When what was written must be on the disk.
    fn durability(&self) -> Durability {
        Durability::Unasked
    }

    /// The work that brings everything written so far to the disk; `None` when there is nothing to do. It blocks for
    /// milliseconds: the machine runs it on a thread.
    fn flush(&mut self) -> Option<Flush> {
        None
    }

    /// Called some time ([`crate::limits::TIDY_EVERY`]) after something was written: for what is not done for every row.
    fn tidy(&mut self) {}

    /// Makes everything written so far as lasting as it gets; called once at the end.
    fn close(&mut self) -> Result<(), RecordError>;
}

/// When what was written must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the intent or ending is acknowledged.
    Before,
    /// So long after it was acknowledged at the latest.
    Within(Duration),
    /// Nobody asks.
    Unasked,
}

/// Work that waits for the disk.
pub type Flush = Box<dyn FnOnce() -> Result<(), RecordError> + Send>;

/// The journal cannot write.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(pub String);

/// How one `tools/call` ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The call; for a malformed one only `received_at` is meaningful and the names are empty.
    pub call: Arc<Call>,
    /// When the ending was known.
    pub ended_at: SystemTime,
    /// From the line's arrival to the ending.
    pub duration: Duration,
    /// What the PDP said, if it was asked and answered.
    pub decision: Option<Arc<Decision>>,
    /// The audit row's verdict.
    pub verdict: AuditVerdict,
    /// What became of the call.
    pub outcome: Outcome,
    /// The backend's result as it came, before redaction, for counting records; empty when there is none.
    pub result: Bytes,
    /// What was masked in the answer.
    pub masked: BTreeMap<&'static str, u32>,
    /// What else is told of the answer's redaction.
    pub findings: Findings,
}

/// The `verdict` of an audit row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Allowed by a decision.
    Allow,
    /// Denied, or no decision in a closed gate.
    Deny,
    /// Held for a person.
    NeedsApproval,
    /// The PDP was away and the fail mode is open.
    AllowFailopen,
    /// The call was malformed or named an unknown tool.
    Error,
}

/// What became of a call. The verdict says what was decided, the outcome what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tool answered.
    Ok,
    /// The tool answered with `isError: true`.
    ToolError,
    /// The backend answered with a JSON-RPC error.
    Failed,
    /// No answer in time; the tool may have run.
    TimedOut,
    /// The client took the call back.
    Cancelled,
    /// The tool ran, its answer was kept back.
    Withheld,
    /// The call never reached the backend.
    NotForwarded,
    /// The backend went away while it had the call; the tool may have run.
    Unknown,
}

// ---------------------------------------------------------------------------------------------------- Launch

/// Says how a backend is reached and what it offered last time.
pub trait Launch: Send + Sync + 'static {
    /// A fresh plan for the backend `id`. Resolving a command in `PATH` may touch the disk; it never starts
    /// anything.
    fn plan(&self, id: &str) -> Result<Plan, LaunchError>;

    /// What [`Launch::remember`] was given for the same backend, defined the same way, and a client with the same
    /// capabilities (a server may offer more to a client that can do more).
    fn remembered(&self, id: &str, client_capabilities: &[u8]) -> Option<Vec<u8>>;

    /// Keeps what the backend offers for the next start. A failure is told in the log; nothing depends on it.
    fn remember(&self, id: &str, client_capabilities: &[u8], catalogue: &[u8]);
}

/// How a backend is reached.
#[derive(Clone, Debug)]
pub enum Plan {
    /// A child process that speaks newline-delimited JSON-RPC on its standard streams.
    Child(ChildPlan),
    /// A Streamable HTTP endpoint.
    Http(HttpPlan),
    /// A server in this process, over a pair of byte streams: embedded servers and simulations.
    Streams(StreamsPlan),
}

/// A server in this process that speaks newline-delimited JSON-RPC.
#[derive(Clone)]
pub struct StreamsPlan {
    /// Starts one incarnation. An error says why there is none.
    pub connect: Arc<dyn Fn() -> Result<Streams, String> + Send + Sync>,
}

impl std::fmt::Debug for StreamsPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamsPlan")
    }
}

/// The gate's ends of the two streams. The end of `output` is the end of the incarnation; dropping `input` asks the
/// server to leave.
pub struct Streams {
    /// What the server reads.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the server writes.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
}

/// A child process to start. The environment is complete: nothing is inherited.
#[derive(Clone)]
pub struct ChildPlan {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments, without the program.
    pub args: Vec<OsString>,
    /// The whole environment of the child.
    pub env: BTreeMap<String, OsString>,
    /// Working directory; `None` leaves the proxy's own.
    pub cwd: Option<PathBuf>,
    /// Where its standard error goes.
    pub stderr: Stderr,
}

/// Where a child's standard error goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stderr {
    /// Into the log, line by line, bounded.
    #[default]
    Logged,
    /// To the proxy's own standard error: the child writes there itself, and nothing of it is read or kept.
    Inherited,
}

impl std::fmt::Debug for ChildPlan {
    /// Arguments and values may hold secrets: counts and names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.env.keys().map(String::as_str).collect();
        f.debug_struct("ChildPlan")
            .field("program", &self.program)
            .field("arguments", &self.args.len())
            .field("variables", &names)
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// A Streamable HTTP endpoint (MCP 2025-03-26 and later, "Streamable HTTP").
#[derive(Clone)]
pub struct HttpPlan {
    /// The MCP endpoint, `http` or `https`.
    pub url: String,
    /// Headers for every request; values may be secrets, so this type does not print them.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for HttpPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("HttpPlan").field("url", &url).field("header_names", &names).finish()
    }
}

/// Why there is no plan, with the way out; shown to the person.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct LaunchError(pub String);
