//! How an interceptor is set up: everything that can be said here is a setting too, under the name in `docs/settings.md`.

use super::{Interceptor, engine::Engine, wrapped};
use crate::fault::Fault;
use crate::governance::Profile;
use crate::launch::Wrapped;
use crate::settings::{self, Environment, Settings};
use crate::wiring;
use callgate_actors::process::Tether;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The audit file in the state directory where the settings name none: without one no call could be recorded.
const AUDIT_FILE: &str = "audit.jsonl";
/// What the server is called in rules, decisions and rows where nobody says.
const SERVER: &str = "app";
/// What says where a person's files are. A builder that takes nothing else from the environment takes these.
const PLACES: &[&str] = &["HOME", "XDG_STATE_HOME", "USERPROFILE", "LOCALAPPDATA"];

/// Sets up an [`Interceptor`].
///
/// ```
/// use callgate::governance::Profile;
/// use callgate::intercept::Interceptor;
///
/// # let state = tempfile::tempdir()?;
/// let interceptor = Interceptor::builder()
///     .profile(Profile::ReadOnly)
///     .read_only(["find_*", "list_*"])
///     .deny(["*_secret"])
///     .agent("billing-bot")
/// #   .state_dir(state.path())
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing before build()"]
pub struct Builder {
    variables: Environment,
    server: String,
    hold: Duration,
    faults: Vec<Fault>,
}

impl fmt::Debug for Builder {
    /// Names of settings, never their values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("Builder")
            .field("variables", &names)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Nothing is set. Of the process's environment only the home directory is looked at.
    pub(super) fn empty() -> Self {
        let all = settings::environment();
        let places = all.into_iter().filter(|(name, _)| PLACES.contains(&name.to_uppercase().as_str()));
        Self::from_variables(places.collect())
    }

    pub(super) fn from_variables(variables: Environment) -> Self {
        Self { variables, server: SERVER.into(), hold: Duration::ZERO, faults: Vec::new() }
    }

    /// A setting by its name in `docs/settings.md`. The last word on a setting counts.
    pub fn setting(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Which tools may run before any list is asked (`CALLGATE_TOOLS_PROFILE`).
    pub fn profile(self, profile: Profile) -> Self {
        self.setting("CALLGATE_TOOLS_PROFILE", profile.to_string())
    }

    /// Only these tools may run: names with `*` and `?` (`CALLGATE_TOOLS_ALLOW`).
    pub fn allow<P: AsRef<str>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.patterns("CALLGATE_TOOLS_ALLOW", patterns)
    }

    /// These tools may not run, nor what looks like them (`CALLGATE_TOOLS_DENY`).
    pub fn deny<P: AsRef<str>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.patterns("CALLGATE_TOOLS_DENY", patterns)
    }

    /// You vouch for these tools: they only read (`CALLGATE_TOOLS_READ_ONLY`). A program that asks about single calls
    /// tells nothing of its tools, so with [`Profile::ReadOnly`] only these run.
    pub fn read_only<P: AsRef<str>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.patterns("CALLGATE_TOOLS_READ_ONLY", patterns)
    }

    /// Rules of your own (`CALLGATE_POLICY_FILE`); the file is followed.
    pub fn policy_file(self, file: impl AsRef<Path>) -> Self {
        self.setting("CALLGATE_POLICY_FILE", file.as_ref())
    }

    /// Rego policies: a file or a folder (`CALLGATE_REGO`).
    pub fn rego(self, path: impl AsRef<Path>) -> Self {
        self.setting("CALLGATE_REGO", path.as_ref())
    }

    /// Who decides: `embedded`, or a remote service such as `axonflow` (`CALLGATE_PDP`).
    pub fn pdp(self, word: &str) -> Self {
        self.setting("CALLGATE_PDP", word)
    }

    /// Decide and record everything, and block nothing (`CALLGATE_MONITOR`).
    pub fn monitor(self, on: bool) -> Self {
        self.setting("CALLGATE_MONITOR", if on { "on" } else { "off" })
    }

    /// Who calls, for decisions and audit rows (`AXONFLOW_AI_AGENT`).
    pub fn agent(self, name: &str) -> Self {
        self.setting("AXONFLOW_AI_AGENT", name)
    }

    /// What the server is called whose tools these are, in patterns (`server/tool`), rules and audit rows; else `app`.
    pub fn server(mut self, name: &str) -> Self {
        name.clone_into(&mut self.server);
        self
    }

    /// Where state is kept (`CALLGATE_STATE_DIR`): the key of the journal, tickets, and the audit file unless it is set.
    pub fn state_dir(self, folder: impl AsRef<Path>) -> Self {
        self.setting("CALLGATE_STATE_DIR", folder.as_ref())
    }

    /// The audit file (`AXONFLOW_AUDIT_LOG`); else `audit.jsonl` in the state directory.
    pub fn audit_log(self, file: impl AsRef<Path>) -> Self {
        self.setting("AXONFLOW_AUDIT_LOG", file.as_ref())
    }

    /// Waits up to `limit` for a person when a call needs one. Without it such a call is answered at once with its
    /// ticket, and may be asked about again.
    pub fn hold(mut self, limit: Duration) -> Self {
        self.hold = limit;
        self
    }

    /// Reads the settings and starts the interceptor.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once; or what kept it from starting.
    pub fn build(self) -> Result<Interceptor, SetupError> {
        let Self { variables, server, hold, faults } = self;
        if !faults.is_empty() {
            return Err(SetupError(faults));
        }
        let settings =
            Settings::load_without_backends(&variables, &settings::read_file).map_err(SetupError)?;
        start(Settings { approval_hold: hold, ..settings }, &variables, &server)
    }

    /// Stands between a client and the MCP server `command`, which speaks on its standard streams and is started here: what
    /// `callgate wrap` does, on streams of the caller's. Ends when the server does, or when the client's input has ended and
    /// the server has left; then with the server's exit code as a shell would see it. Needs a tokio runtime with time and IO.
    /// To stop it, end the input: a future that is dropped leaves the server running until the runtime ends.
    ///
    /// The server gets this process's environment (but for callgate's own variables) and standard error. Signals are the
    /// program's own affair.
    ///
    /// ```no_run
    /// # use callgate::intercept::Interceptor;
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # async fn example(
    /// #     input: impl AsyncRead + Unpin,
    /// #     output: impl AsyncWrite + Unpin + Send + 'static,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let command = ["uvx", "mcp-server-git", "--repository", "."];
    /// let code = Interceptor::from_environment()
    ///     .deny(["git_push"])
    ///     .wrap(command, input, output)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the settings or the command, before anything is started; or what broke while it ran.
    pub async fn wrap<C: Into<OsString>>(
        self,
        command: impl IntoIterator<Item = C>,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Result<u8, SetupError> {
        let Self { mut variables, server, hold, faults } = self;
        let wrong = |fault| SetupError(vec![fault]);
        if !faults.is_empty() {
            return Err(SetupError(faults));
        }
        let command: Vec<OsString> = command.into_iter().map(Into::into).collect();
        let (program, arguments) = command.split_first().ok_or_else(|| {
            wrong(Fault::settings("command", "there is none", "name the server's program and its arguments"))
        })?;
        variables.retain(|name, _| !name.eq_ignore_ascii_case("AXONFLOW_BACKENDS_FILE"));
        let backends = serde_json::json!([{"id": server, "command": "wrapped"}]).to_string();
        variables.insert("AXONFLOW_BACKENDS".into(), backends.into());
        let settings = Settings::load(&variables, &settings::read_file).map_err(SetupError)?;
        let settings = with_audit_file(Settings { approval_hold: hold, ..settings });
        introduce(&settings);
        let found = Wrapped::find(program, arguments, &settings::environment());
        let found = found.map_err(|why| wrong(Fault::failure(why.what, why.hint)))?;
        let tether = Tether::default();
        let plan = wiring::library_wrap_plan(&settings, &variables, found, tether.clone()).map_err(wrong)?;
        wrapped::serve(plan, &tether, input, output, std::future::pending()).await.map_err(wrong)
    }

    fn patterns<P: AsRef<str>>(
        mut self,
        setting: &'static str,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        let patterns: Vec<String> = patterns.into_iter().map(|pattern| pattern.as_ref().to_owned()).collect();
        if let Some(wrong) = patterns.iter().find(|pattern| pattern.contains(',')) {
            let what = format!("{} is not one pattern", crate::fault::quoted(wrong));
            self.faults.push(Fault::settings(setting, what, "give each pattern by itself"));
        }
        if patterns.is_empty() {
            let hint = "leave the call out, or use the profile locked to let nothing run";
            self.faults.push(Fault::settings(setting, "there is no pattern", hint));
        }
        self.setting(setting, patterns.join(","))
    }
}

/// Starts an interceptor by these settings.
pub(super) fn start(settings: Settings, env: &Environment, server: &str) -> Result<Interceptor, SetupError> {
    let mut settings = with_audit_file(settings);
    introduce(&settings);
    // What belongs to backends has nobody here: the program carries the calls out.
    settings.backends = Vec::new();
    let limit = settings.max_line_bytes;
    let plan = wiring::library_plan(&settings, env).map_err(|fault| SetupError(vec![fault]))?;
    let engine = Engine::start(plan).map_err(|fault| SetupError(vec![fault]))?;
    Ok(Interceptor { engine: Arc::new(engine), server: server.into(), limit })
}

/// Told at the start, so that nobody takes a trial for a guard.
fn introduce(settings: &Settings) {
    if settings.monitor {
        tracing::warn!("MONITOR MODE: every call is decided and recorded, NOTHING IS BLOCKED");
    }
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
}

fn with_audit_file(mut settings: Settings) -> Settings {
    if settings.audit_log.is_none() {
        settings.audit_log = Some(settings.state_dir.join(AUDIT_FILE));
    }
    settings
}

/// Why there is no interceptor: everything that is wrong, one line each when displayed. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError(pub Vec<Fault>);

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SetupError {}
