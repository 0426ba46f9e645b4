//! What the person set: every variable, read and checked, and the backends they name.
//!
//! Reading is pure over an environment and a file reader. Everything that is wrong is told at once.

pub mod backends;
mod duration;
pub mod families;
mod loading;
mod machine;
mod reader;
pub mod table;
#[cfg(test)]
mod tests;
mod tools;
mod url;
mod values;

pub use backends::{BackendEntry, HttpEntry, StdioEntry, Transport};
pub use machine::{MAX_SETTINGS_FILE_BYTES, Machine, environment, read_file};
pub use values::{CardMatch, FailMode, Notify, Pdp, RedactEngine, RedactResponses, StoreKind};

pub(crate) use reader::lookup;

use crate::fault::Fault;
use crate::governance::ToolRules;
use crate::journal::Sync;
use crate::pdp::aaf::ParamsMember;
use crate::policy::posture::Posture;
use crate::policy::rego::{RegoPath, RegoSet};
use crate::policy::rules::PolicyFile;
use crate::policy::rules::watch::Watched;
use crate::redact::style::Styles;
use crate::secret::Secret;
use loading::Loading;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Reads a duration as settings write it, above zero and at most 24 hours. `Err` is what is wrong and the way out.
pub(crate) fn duration(text: &str) -> Result<Duration, (String, String)> {
    duration::parse(text).map_err(|wrong| (wrong.what, wrong.hint))
}

/// An environment: variables by name.
pub type Environment = BTreeMap<String, OsString>;
/// Reads a whole file.
pub type FileReader<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Everything that was set, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who decides.
    pub pdp: Pdp,
    /// The AxonFlow platform; meaningful when `pdp` or the redaction engine asks it.
    pub platform: Platform,
    /// The Agent Action Firewall; meaningful when `pdp` asks it.
    pub aaf: Aaf,
    /// Who calls, for decisions and audit rows.
    pub identity: Identity,
    /// What happens while the PDP is away.
    pub fail_mode: FailMode,
    /// Which answers are redacted.
    pub redact_responses: RedactResponses,
    /// Who redacts.
    pub redact_engine: RedactEngine,
    /// How sure a number must be to be masked as a payment card.
    pub card_match: CardMatch,
    /// What stands in place of masked values.
    pub redact_style: Styles,
    /// Whether a pseudonym is turned back for every backend.
    pub pseudonyms_across: bool,
    /// Whether results of tools carry a report in `_meta`.
    pub result_meta: bool,
    /// Which tools may run, on all backends.
    pub tools: ToolRules,
    /// Whether nothing is blocked, only recorded.
    pub monitor: bool,
    /// What the embedded policies do about their findings.
    pub posture: Posture,
    /// Where stored policies and decisions are.
    pub store: StoreSettings,
    /// The policy file and what stood in it at the start.
    pub policy_file: Option<(Watched, PolicyFile)>,
    /// The Rego rules and what they were at the start.
    pub rego: Option<(RegoPath, Arc<RegoSet>)>,
    /// Longest wait for one decision.
    pub decide_timeout: Duration,
    /// Longest wait for one answer of a backend without a timeout of its own.
    pub backend_timeout: Duration,
    /// Longest time one call may take altogether.
    pub call_budget: Duration,
    /// How long a call that needs approval is held; zero answers at once.
    pub approval_hold: Duration,
    /// How often a remote decision service is asked how an approval stands.
    pub approval_poll: Duration,
    /// How long a ticket can be decided and used.
    pub approval_lifetime: Duration,
    /// Whether the person in front of the client may decide.
    pub approval_asks_client: bool,
    /// Whether the desktop tells of new tickets.
    pub approval_notify: Notify,
    /// How long the first `tools/list` waits for backends without a known catalogue.
    pub list_wait: Duration,
    /// Longest message, in bytes.
    pub max_line_bytes: usize,
    /// Longest tool name shown to the client, in characters.
    pub tool_name_max: usize,
    /// Where state is kept; absolute. It may not exist yet.
    pub state_dir: PathBuf,
    /// The audit file; absolute. It may not exist yet.
    pub audit_log: Option<PathBuf>,
    /// Whether a call that cannot be recorded is refused.
    pub audit_required: bool,
    /// When audit rows reach the disk.
    pub audit_sync: Sync,
    /// Size at which the audit file is rotated, in bytes.
    pub audit_rotate_bytes: Option<u64>,
    /// Age at which the audit file is rotated.
    pub audit_rotate_age: Option<Duration>,
    /// Filter of the log, checked to be one.
    pub log: String,
    /// The backends that are not disabled, in the order written.
    pub backends: Vec<BackendEntry>,
    /// What is worth telling but stops nothing: one line each, no secrets.
    pub notes: Vec<String>,
}

/// Where stored policies and decisions are.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Which database.
    pub kind: StoreKind,
    /// Address of a PostgreSQL database, checked to be one; there when `kind` is [`StoreKind::Postgres`].
    pub database_url: Option<Secret>,
    /// How often stored policies are read.
    pub cache_ttl: Duration,
    /// Whether every call is blocked while they cannot be read.
    pub block_on_error: bool,
}

/// How the AxonFlow platform is reached.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Base address without a slash at its end.
    pub endpoint: String,
    /// User of Basic authentication.
    pub client_id: String,
    /// Password of Basic authentication; `None` sends no header.
    pub client_secret: Option<Secret>,
    /// The person's token for the body's `user_token`.
    pub user_token: Option<Secret>,
    /// Audience of the enforcement-point handshake; `None` sends none.
    pub pep_audience: Option<String>,
    /// Password of those who administer our own service; `None` asks for none.
    pub admin_secret: Option<Secret>,
}

/// How the API of the Agent Action Firewall is reached.
#[derive(Clone, Debug)]
pub struct Aaf {
    /// Base address without a slash at its end.
    pub url: String,
    /// Key of the agent; there when [`Settings::pdp`] is [`Pdp::Aaf`].
    pub api_key: Option<Secret>,
    /// Id of the agent.
    pub agent_id: String,
    /// `operation` of every action.
    pub operation: String,
    /// Under which name the arguments are sent.
    pub params: ParamsMember,
    /// Longest wait for one request.
    pub request_timeout: Duration,
}

/// Who calls, for decisions and audit rows.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name of this gate.
    pub gateway_id: String,
    /// Tenant.
    pub tenant_id: Option<String>,
    /// Organisation.
    pub org_id: Option<String>,
    /// Person who answers for the calls; asserted, not proven.
    pub leader_email: Option<String>,
    /// Name of the calling agent.
    pub ai_agent: String,
    /// Id of this session.
    pub session_id: String,
}

impl Settings {
    /// Reads and checks all settings and backends. The faults are all that there are, in a steady order.
    pub fn load(env: &Environment, read_file: FileReader<'_>) -> Result<Self, Vec<Fault>> {
        Self::load_on(&Machine::here(), env, read_file)
    }

    /// As [`Settings::load`], on a machine of the caller's choice.
    pub fn load_on(
        machine: &Machine,
        env: &Environment,
        read_file: FileReader<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut loading = Loading::new(machine, env, read_file);
        let mut settings = loading.scalars(machine);
        settings.backends = loading.backends(env);
        loading.end(settings)
    }

    /// As [`Settings::load`], for commands that touch no backend: neither reads nor needs them.
    pub fn load_without_backends(env: &Environment, read_file: FileReader<'_>) -> Result<Self, Vec<Fault>> {
        let machine = Machine::here();
        let mut loading = Loading::new(&machine, env, read_file);
        let settings = loading.scalars(&machine);
        loading.end(settings)
    }
}
