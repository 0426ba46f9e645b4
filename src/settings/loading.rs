//! Walks through everything that can be set, once, and keeps what is wrong.

use super::machine::Places;
use super::reader::{self, Reader, Wrong};
use super::table::{self, Setting};
use super::{
    Aaf, BackendEntry, CardMatch, Environment, FailMode, FileReader, Identity, Machine, Notify, Pdp,
    Platform, RedactEngine, RedactResponses, Settings, StoreKind, StoreSettings, backends, duration,
    families, tools, url, values,
};
use crate::fault::{Fault, quoted};
use crate::journal::Sync;
use crate::pdp::aaf::ParamsMember;
use crate::policy::posture::{Class, Posture, Profile};
use crate::policy::rego::{RegoPath, RegoSet};
use crate::policy::rules::watch::Watched;
use crate::policy::rules::{self, PolicyFile};
use crate::redact::style::{Styles, UnknownStyle};
use crate::secret::Secret;
use crate::store::PostgresStore;
use callgate_actors::limits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest tool name that hosts take (`^[a-zA-Z0-9_-]{1,64}$`), less the prefix that they put before it.
const TOOL_NAME_MAX: usize = 64 - "mcp__callgate__".len();
/// A name needs room for a hash and something to recognise it by; 128 is MCP's own limit.
const TOOL_NAME_BOUNDS: std::ops::RangeInclusive<usize> = 16..=128;
/// Below 64 KiB ordinary tool lists do not fit; above 1 GiB one message could take the machine's memory.
const MAX_LINE_BOUNDS: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 30;
const DECIDE_TIMEOUT: Duration = Duration::from_secs(10);
const BACKEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Hosts cancel a call after 60 s: callgate answers before that.
/// With 30 s for the backend it makes the 55 s of a call.
const APPROVAL_HOLD: Duration = Duration::from_secs(25);
/// What the proxy of the Agent Action Firewall waits (the Agent Action Firewall contract, section 8.3); the call's budget
/// ends it earlier where the backend needs its time.
const AAF_APPROVAL_HOLD: Duration = Duration::from_secs(30);
const APPROVAL_POLL: Duration = Duration::from_secs(2);
const AAF_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A person who was at lunch can still decide.
const APPROVAL_LIFETIME: Duration = Duration::from_secs(60 * 60);
const CALL_BUDGET: Duration = Duration::from_secs(55);
const POLICY_CACHE_TTL: Duration = Duration::from_secs(5 * 60);
/// A power cut takes the rows of one second at most; waiting for the disk at each call costs a millisecond.
const AUDIT_SYNC: Duration = Duration::from_secs(1);
/// About 300,000 rows: an editor still opens that.
const AUDIT_ROTATE_BYTES: u64 = 256 << 20;
const LIST_WAIT: Duration = Duration::from_secs(10);

/// One walk through everything that can be set.
pub(super) struct Loading<'a> {
    pub(super) reader: Reader<'a>,
    places: Places,
    read_file: FileReader<'a>,
}

impl<'a> Loading<'a> {
    pub(super) fn new(machine: &Machine, env: &'a Environment, read_file: FileReader<'a>) -> Self {
        Self { reader: Reader::new(env), places: Places::new(env, machine), read_file }
    }

    /// The settings, or everything that is wrong.
    pub(super) fn end(mut self, mut settings: Settings) -> Result<Settings, Vec<Fault>> {
        families::check(&mut self.reader);
        check_together(&settings, &mut self.reader);
        let (faults, notes) = self.reader.end();
        if !faults.is_empty() {
            return Err(faults);
        }
        settings.notes = notes;
        Ok(settings)
    }

    /// Everything but the backends.
    pub(super) fn scalars(&mut self, machine: &Machine) -> Settings {
        let pdp = self.pdp();
        let platform = self.platform(pdp);
        let aaf = self.aaf(pdp);
        let identity = self.identity(machine);
        let state_dir = self.state_dir();
        let audit_log = self.audit_log(&state_dir);
        let store = self.store();
        let policy_file = self.policy_file(pdp);
        let tools = tools::read(&mut self.reader);
        let rego = self.rego(pdp);
        let reader = &mut self.reader;
        Settings {
            pdp,
            platform,
            aaf,
            identity,
            fail_mode: fail_mode(reader),
            redact_responses: reader.parsed(&table::REDACT_RESPONSES, RedactResponses::Always, |text| {
                values::one_of(values::REDACT_RESPONSES, text)
            }),
            redact_engine: reader.parsed(&table::REDACT_ENGINE, RedactEngine::Local, |text| {
                values::one_of(values::REDACT_ENGINE, text)
            }),
            card_match: reader.parsed(&table::CARD_MATCH, CardMatch::Loose, |text| {
                values::one_of(values::CARD_MATCH, text)
            }),
            redact_style: reader.parsed(&table::REDACT_STYLE, Styles::default(), |text| {
                text.parse().map_err(|wrong: UnknownStyle| Wrong::new(wrong.what, wrong.hint))
            }),
            pseudonyms_across: reader
                .parsed(&table::PSEUDONYMS_ACROSS, false, |text| values::one_of(values::ON_OFF, text)),
            result_meta: reader
                .parsed(&table::RESULT_META, true, |text| values::one_of(values::ON_OFF, text)),
            tools,
            monitor: reader.parsed(&table::MONITOR, false, |text| values::one_of(values::ON_OFF, text)),
            posture: posture(reader),
            store,
            policy_file,
            rego,
            decide_timeout: reader.parsed(&table::DECIDE_TIMEOUT, DECIDE_TIMEOUT, duration::parse),
            backend_timeout: reader.parsed(&table::BACKEND_TIMEOUT, BACKEND_TIMEOUT, duration::parse),
            call_budget: reader.parsed(&table::CALL_BUDGET, CALL_BUDGET, duration::parse),
            approval_hold: reader.parsed(
                &table::APPROVAL_HOLD,
                if pdp == Pdp::Aaf { AAF_APPROVAL_HOLD } else { APPROVAL_HOLD },
                duration::parse_or_none,
            ),
            approval_poll: reader.parsed(&table::APPROVAL_POLL, APPROVAL_POLL, duration::parse),
            approval_lifetime: reader.parsed(&table::APPROVAL_LIFETIME, APPROVAL_LIFETIME, duration::parse),
            approval_asks_client: reader
                .parsed(&table::APPROVAL_ASK_CLIENT, true, |text| values::one_of(values::ON_OFF, text)),
            approval_notify: reader
                .parsed(&table::APPROVAL_NOTIFY, Notify::Auto, |text| values::one_of(values::NOTIFY, text)),
            list_wait: reader.parsed(&table::LIST_WAIT, LIST_WAIT, duration::parse),
            max_line_bytes: reader.parsed(&table::MAX_LINE, limits::MAX_LINE_BYTES, |text| {
                values::within(MAX_LINE_BOUNDS, values::size(text)?, ["64KiB", "1GiB"])
            }),
            tool_name_max: reader.parsed(&table::TOOL_NAME_MAX, TOOL_NAME_MAX, tool_name_max),
            state_dir,
            audit_log,
            audit_required: reader
                .parsed(&table::AUDIT_REQUIRED, true, |text| values::one_of(values::ON_OFF, text)),
            audit_sync: reader.parsed(&table::AUDIT_SYNC, Sync::Every(AUDIT_SYNC), values::sync),
            audit_rotate_bytes: reader.parsed(
                &table::AUDIT_ROTATE_SIZE,
                Some(AUDIT_ROTATE_BYTES),
                values::rotate_size,
            ),
            audit_rotate_age: reader.parsed(&table::AUDIT_ROTATE_AGE, None, values::rotate_age),
            log: reader.checked(&table::LOG, log_filter).unwrap_or_else(|| table::LOG.default.to_owned()),
            backends: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn store(&mut self) -> StoreSettings {
        let asked = self.reader.parsed(&table::STORE, None, |text| values::one_of(values::STORE, text));
        let database_url = self.secret(&table::DATABASE_URL, &table::DATABASE_URL_FILE);
        if let Some(Err(error)) = database_url.as_ref().map(|url| PostgresStore::new(url, "")) {
            let told = error.to_string();
            let (what, hint) = told.split_once("; ").unwrap_or((&told, "correct it"));
            self.reader.wrong(&table::DATABASE_URL, Wrong::new(what, hint));
        }
        let found = if database_url.is_some() { StoreKind::Postgres } else { StoreKind::Sqlite };
        let kind = asked.unwrap_or(found);
        if kind == StoreKind::Postgres && database_url.is_none() {
            let hint = "set CALLGATE_DATABASE_URL or CALLGATE_DATABASE_URL_FILE";
            self.reader.wrong(&table::STORE, Wrong::new("the database has no address", hint));
        }
        if kind != StoreKind::Postgres && database_url.is_some() {
            self.reader
                .note("CALLGATE_DATABASE_URL: not used, because CALLGATE_STORE is not postgres".into());
        }
        let reader = &mut self.reader;
        StoreSettings {
            kind,
            database_url,
            cache_ttl: reader.parsed(&table::POLICY_CACHE_TTL, POLICY_CACHE_TTL, duration::parse),
            block_on_error: reader
                .parsed(&table::POLICY_BLOCK_ON_ERROR, false, |text| values::one_of(values::ON_OFF, text)),
        }
    }

    fn pdp(&mut self) -> Pdp {
        let has_endpoint = self.reader.text(&table::ENDPOINT).is_some();
        let key = [&table::AAF_API_KEY, &table::AAF_API_KEY_FILE]
            .into_iter()
            .find(|setting| self.reader.text(setting).is_some());
        let asked = self.reader.parsed(&table::PDP, None, |text| values::one_of(values::PDP, text));
        let pdp = asked.unwrap_or(match (has_endpoint, key) {
            (true, _) => Pdp::Axonflow,
            (false, Some(_)) => Pdp::Aaf,
            (false, None) => Pdp::Embedded,
        });
        match key {
            Some(key) if asked.is_none() && has_endpoint => {
                let what =
                    format!("{} and AXONFLOW_ENDPOINT are both set, and one of the two can decide", key.name);
                let hint = "set it to axonflow or aaf, or unset one of them";
                self.reader.wrong(&table::PDP, Wrong::new(what, hint));
            }
            Some(key) if pdp != Pdp::Aaf => {
                self.reader.note(format!("{}: not used, because CALLGATE_PDP is {pdp}", key.name));
            }
            _ => {}
        }
        if pdp != Pdp::Axonflow && has_endpoint {
            self.reader.note(format!("AXONFLOW_ENDPOINT: not asked, because CALLGATE_PDP is {pdp}"));
        }
        if pdp == Pdp::Embedded && asked.is_none() {
            self.note_unused_credentials();
        }
        pdp
    }

    fn note_unused_credentials(&mut self) {
        let credentials =
            [&table::CLIENT_SECRET, &table::CLIENT_SECRET_FILE, &table::USER_TOKEN, &table::USER_TOKEN_FILE];
        for setting in credentials {
            if self.reader.text(setting).is_some() {
                self.reader.note(format!(
                    "{}: not used, because callgate decides by itself; set AXONFLOW_ENDPOINT to ask AxonFlow",
                    setting.name
                ));
            }
        }
    }

    /// How the Agent Action Firewall is reached. Its key goes with every request, so an open way is refused.
    fn aaf(&mut self, pdp: Pdp) -> Aaf {
        let url =
            self.reader.text(&table::AAF_API_URL).unwrap_or(table::AAF_API_URL.default).trim_end_matches('/');
        let shown = quoted(url::without_secrets(url));
        let wrong = match url::check(url) {
            Ok(_) if url.contains('?') => {
                Some(Wrong::new(format!("{shown} has a query"), "remove the ? and what follows"))
            }
            Ok(reach) if pdp == Pdp::Aaf && reach.is_open() => {
                let what = format!("{shown} is not encrypted, and the key would go over it");
                Some(Wrong::new(what, "write an address that begins with https://"))
            }
            Ok(_) => None,
            Err(wrong) => Some(wrong),
        };
        if let Some(wrong) = wrong {
            self.reader.wrong(&table::AAF_API_URL, wrong);
        }
        let faults = self.reader.faults();
        let api_key = self.secret(&table::AAF_API_KEY, &table::AAF_API_KEY_FILE);
        match &api_key {
            // What is wrong with it was told.
            None if self.reader.faults() > faults => {}
            None if pdp == Pdp::Aaf => {
                let hint = "set it to the agent's key, or AAF_API_KEY_FILE to a file that holds it";
                let wrong = Wrong::new("the Agent Action Firewall answers nobody without a key", hint);
                self.reader.wrong(&table::AAF_API_KEY, wrong);
            }
            Some(key) if pdp == Pdp::Aaf => {
                if let Err(wrong) = values::header_secret(key) {
                    self.reader.wrong(&table::AAF_API_KEY, wrong);
                }
            }
            _ => {}
        }
        let reader = &mut self.reader;
        let mut text = |setting: &'static Setting, check: fn(&str) -> Result<(), Wrong>| {
            reader.checked(setting, check).unwrap_or_else(|| setting.default.to_owned())
        };
        let agent_id = text(&table::AAF_AGENT_ID, values::header_text);
        let operation = text(&table::AAF_OPERATION, values::operation);
        Aaf {
            url: url.to_owned(),
            api_key,
            agent_id,
            operation,
            params: reader.parsed(&table::AAF_PARAMS, ParamsMember::Params, |text| {
                values::one_of(values::AAF_PARAMS, text)
            }),
            request_timeout: reader.parsed(
                &table::AAF_REQUEST_TIMEOUT,
                AAF_REQUEST_TIMEOUT,
                values::milliseconds,
            ),
        }
    }

    fn platform(&mut self, pdp: Pdp) -> Platform {
        let endpoint =
            self.reader.text(&table::ENDPOINT).unwrap_or(table::ENDPOINT.default).trim_end_matches('/');
        let reach = match url::check(endpoint) {
            Ok(_) if endpoint.contains('?') => {
                let what = format!("{} has a query", quoted(url::without_secrets(endpoint)));
                self.reader.wrong(&table::ENDPOINT, Wrong::new(what, "remove the ? and what follows"));
                None
            }
            Ok(reach) => Some(reach),
            Err(wrong) => {
                self.reader.wrong(&table::ENDPOINT, wrong);
                None
            }
        };
        let client_secret = self.secret(&table::CLIENT_SECRET, &table::CLIENT_SECRET_FILE);
        let user_token = self.secret(&table::USER_TOKEN, &table::USER_TOKEN_FILE);
        let admin_secret = self.secret(&table::ADMIN_SECRET, &table::ADMIN_SECRET_FILE);
        let carries_credentials = pdp == Pdp::Axonflow && (client_secret.is_some() || user_token.is_some());
        if carries_credentials && reach.is_some_and(url::Reach::is_open) {
            self.reader.note(format!(
                "AXONFLOW_ENDPOINT: {} is not encrypted, and credentials go over it; use https",
                quoted(endpoint)
            ));
        }
        Platform {
            endpoint: endpoint.to_owned(),
            client_id: self
                .reader
                .checked(&table::CLIENT_ID, values::basic_user)
                .unwrap_or_else(|| table::CLIENT_ID.default.to_owned()),
            client_secret,
            user_token,
            pep_audience: self.reader.checked(&table::PEP_AUDIENCE, values::audience),
            admin_secret,
        }
    }

    fn identity(&mut self, machine: &Machine) -> Identity {
        let mut text = |setting| self.reader.checked(setting, values::header_text);
        Identity {
            tenant_id: text(&table::TENANT_ID),
            org_id: text(&table::ORG_ID),
            gateway_id: text(&table::GATEWAY_ID).unwrap_or_else(|| machine.gateway_id()),
            leader_email: text(&table::LEADER_EMAIL),
            ai_agent: text(&table::AI_AGENT).unwrap_or_else(|| table::AI_AGENT.default.to_owned()),
            session_id: text(&table::SESSION_ID).unwrap_or_else(|| machine.session_id()),
        }
    }

    /// A secret from its variable or from the file that another one names.
    fn secret(&mut self, setting: &'static Setting, file_setting: &'static Setting) -> Option<Secret> {
        let direct = self.reader.secret(setting);
        let Some(file) = self.reader.text(file_setting) else { return direct };
        if direct.is_some() {
            let hint = format!("unset one of {} and {}", setting.name, file_setting.name);
            self.reader.wrong(file_setting, Wrong::new("the secret is set twice", hint));
            return None;
        }
        match self.read(file).and_then(|text| secret_of(&text)) {
            Ok(secret) => Some(secret),
            Err(wrong) => {
                self.reader.wrong(file_setting, wrong);
                None
            }
        }
    }

    /// The text of a file that a setting names.
    fn read(&self, file: &str) -> Result<String, Wrong> {
        let path = self.places.path(file)?;
        let shown = quoted(&path.to_string_lossy());
        let bytes = (self.read_file)(&path).map_err(|error| {
            let hint = if path.is_absolute() {
                "check the path and its permissions"
            } else {
                "write an absolute path"
            };
            Wrong::new(format!("cannot read {shown}: {error}"), hint)
        })?;
        String::from_utf8(bytes).map_err(|_| Wrong::new(format!("{shown} is not UTF-8"), "save it as UTF-8"))
    }

    /// The policy file. It holds for the policies inside callgate only: where somebody else decides, rules that nobody
    /// asks must not look as if they held.
    fn policy_file(&mut self, pdp: Pdp) -> Option<(Watched, PolicyFile)> {
        let name = self.reader.text(&table::POLICY_FILE)?;
        if pdp != Pdp::Embedded {
            let who = if pdp == Pdp::Aaf { "the Agent Action Firewall" } else { "AxonFlow" };
            let what = format!("its rules are not asked while {who} decides");
            let hint = "unset it, or set CALLGATE_PDP to embedded";
            self.reader.wrong(&table::POLICY_FILE, Wrong::new(what, hint));
            return None;
        }
        let text = match self.read(name) {
            Ok(text) => text,
            Err(wrong) => {
                self.reader.wrong(&table::POLICY_FILE, wrong);
                return None;
            }
        };
        let home = self.places.home();
        match rules::file::parse(&text, name, home.as_deref()) {
            Ok(file) => {
                let path = self.places.path(name).ok()?;
                let path = std::path::absolute(&path).unwrap_or(path);
                Some((Watched { path, home }, file))
            }
            Err(faults) => {
                self.reader.extend(faults, Vec::new());
                None
            }
        }
    }

    /// The Rego rules, which hold for the policies inside callgate only.
    fn rego(&mut self, pdp: Pdp) -> Option<(RegoPath, Arc<RegoSet>)> {
        let name = self.reader.text(&table::REGO)?;
        if pdp != Pdp::Embedded {
            let what = "its rules are not asked while a remote service decides";
            let hint = "unset it, or set CALLGATE_PDP to embedded";
            self.reader.wrong(&table::REGO, Wrong::new(what, hint));
            return None;
        }
        let path = match self.places.path(name) {
            Ok(path) => RegoPath { path: std::path::absolute(&path).unwrap_or(path) },
            Err(wrong) => {
                self.reader.wrong(&table::REGO, wrong);
                return None;
            }
        };
        match path.load() {
            Ok(set) => {
                for note in set.notes() {
                    self.reader.note(format!("CALLGATE_REGO: {note}"));
                }
                Some((path, Arc::new(set)))
            }
            Err(faults) => {
                self.reader.extend(faults, Vec::new());
                None
            }
        }
    }

    fn state_dir(&mut self) -> PathBuf {
        let places = &self.places;
        let set = self.reader.parsed(&table::STATE_DIR, None, |text| {
            let path = places.path(text)?;
            if path.is_absolute() {
                return Ok(Some(path));
            }
            Err(Wrong::new(format!("{} is not absolute", quoted(text)), "write an absolute path"))
        });
        set.unwrap_or_else(|| {
            self.places.state_dir().unwrap_or_else(|wrong| {
                self.reader.wrong(&table::STATE_DIR, wrong);
                PathBuf::new()
            })
        })
    }

    /// The audit file, if there is one. A relative path cannot be taken from the working directory, which is `/`
    /// under a desktop host.
    fn audit_log(&mut self, state_dir: &Path) -> Option<PathBuf> {
        const FILE: &str = "audit.jsonl";
        let (log, dir) = (self.reader.text(&table::AUDIT_LOG), self.reader.text(&table::AUDIT_DIR));
        let (setting, text) = match (log, dir) {
            (Some(log), dir) => {
                if dir.is_some() {
                    self.reader
                        .note("CALLGATE_AUDIT_DIR: not used, because AXONFLOW_AUDIT_LOG is set".into());
                }
                (&table::AUDIT_LOG, log)
            }
            (None, Some(dir)) => (&table::AUDIT_DIR, dir),
            (None, None) => return None,
        };
        let path = match self.places.path(text) {
            Ok(path) => path,
            Err(wrong) => {
                self.reader.wrong(setting, wrong);
                return None;
            }
        };
        let is_folder = setting == &table::AUDIT_DIR || text.ends_with(std::path::is_separator);
        let path = if is_folder { path.join(FILE) } else { path };
        if path.is_absolute() {
            return Some(path);
        }
        let path = state_dir.join(path);
        let shown = quoted(&path.to_string_lossy());
        self.reader.note(format!("{}: {} is relative and taken as {shown}", setting.name, quoted(text)));
        Some(path)
    }

    /// The backends that the file or the variable lists.
    pub(super) fn backends(&mut self, env: &Environment) -> Vec<BackendEntry> {
        let file = self.reader.text(&table::BACKENDS_FILE);
        let inline = self.reader.text(&table::BACKENDS);
        let (text, place, base) = match (file, inline) {
            (Some(file), inline) => {
                if inline.is_some() {
                    self.reader
                        .note("AXONFLOW_BACKENDS: not read, because AXONFLOW_BACKENDS_FILE is set".into());
                }
                match self.read(file) {
                    Ok(text) => (text, file.to_owned(), self.places.path(file).ok()),
                    Err(wrong) => {
                        self.reader.wrong(&table::BACKENDS_FILE, wrong);
                        return Vec::new();
                    }
                }
            }
            (None, Some(inline)) => (inline.to_owned(), table::BACKENDS.name.to_owned(), None),
            (None, None) => {
                let hint = "set AXONFLOW_BACKENDS_FILE to a JSON file that lists them";
                self.reader.fault("backends", "there are none", hint);
                return Vec::new();
            }
        };
        let base = base.as_deref().and_then(Path::parent).filter(|base| base.is_absolute());
        let origin = backends::Origin { place: &place, base, env, places: &self.places };
        let (entries, faults, notes) = backends::parse(&text, &origin);
        self.reader.extend(faults, notes);
        entries
    }
}

/// The profile and the actions for whole classes. A typo is a fault: a guard must not be weaker than was meant.
fn posture(reader: &mut Reader<'_>) -> Posture {
    let profile =
        reader.parsed(&table::PROFILE, Profile::Shipped, |text| values::one_of(values::PROFILE, text));
    let classes = [
        (&table::PII_ACTION, Class::PersonalData, values::DATA_ACTION),
        (&table::SQLI_ACTION, Class::Sqli, values::CODE_ACTION),
        (&table::SENSITIVE_DATA_ACTION, Class::SensitiveData, values::DATA_ACTION),
        (&table::DANGEROUS_COMMAND_ACTION, Class::Dangerous, values::CODE_ACTION),
    ];
    let mut actions = BTreeMap::new();
    for (setting, class, words) in classes {
        if let Some(action) = reader.parsed(setting, None, |text| values::one_of(words, text).map(Some)) {
            actions.insert(class, action);
        }
    }
    Posture { profile, actions, overrides: BTreeMap::new() }
}

/// Only the exact word opens the gate; a typo stays closed and is told (the AxonFlow contract, section 1.8). A form
/// with a tick box gives `true` in a variable of its own.
fn fail_mode(reader: &mut Reader<'_>) -> FailMode {
    let tick = reader.text(&table::FAIL_OPEN);
    let Some(text) = reader.text(&table::FAIL_MODE) else {
        return match tick {
            Some("true") => FailMode::Open,
            _ => FailMode::Closed,
        };
    };
    if tick.is_some() {
        reader.note("CALLGATE_FAIL_OPEN: not used, because AXONFLOW_FAIL_MODE is set".into());
    }
    if text.eq_ignore_ascii_case("open") {
        return FailMode::Open;
    }
    if !text.eq_ignore_ascii_case("closed") {
        let shown = quoted(text);
        reader.note(format!("AXONFLOW_FAIL_MODE: {shown} is not known and means closed; only open opens"));
    }
    FailMode::Closed
}

fn tool_name_max(text: &str) -> Result<usize, Wrong> {
    let number = text
        .parse()
        .map_err(|_| Wrong::new(format!("{} is not a number", quoted(text)), "write a number such as 49"))?;
    values::within(TOOL_NAME_BOUNDS, number, ["16", "128"])
}

fn log_filter(text: &str) -> Result<(), Wrong> {
    tracing_subscriber::EnvFilter::builder().parse(text).map(|_| ()).map_err(|error| {
        Wrong::new(format!("{} is not a filter: {error}", quoted(text)), "write info or debug")
    })
}

/// The secret in a file: editors and `echo` end a file with a newline, which is not part of it.
fn secret_of(text: &str) -> Result<Secret, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let secret = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if reader::is_unset(secret) {
        return Err(Wrong::new(
            "the file holds no secret",
            "write the secret into it, or unset the variable",
        ));
    }
    Ok(Secret::new(secret))
}

/// What is right by itself but not together.
fn check_together(settings: &Settings, reader: &mut Reader<'_>) {
    if settings.redact_engine != RedactEngine::Local && settings.pdp != Pdp::Axonflow {
        let what = "this redaction needs the AxonFlow platform, which is not asked";
        reader
            .wrong(&table::REDACT_ENGINE, Wrong::new(what, "set CALLGATE_PDP to axonflow, or this to local"));
    }
    let own = settings
        .backends
        .iter()
        .filter_map(|entry| Some((format!("timeout of \"{}\"", entry.id), entry.timeout?)));
    let waits = [
        ("AXONFLOW_DECIDE_TIMEOUT".to_owned(), settings.decide_timeout),
        ("AXONFLOW_BACKEND_TIMEOUT".to_owned(), settings.backend_timeout),
        ("CALLGATE_APPROVAL_HOLD".to_owned(), settings.approval_hold),
    ];
    for (name, wait) in waits.into_iter().chain(own) {
        if wait > settings.call_budget {
            reader.note(format!(
                "{name}: {} is longer than CALLGATE_CALL_BUDGET, {}, which ends the call first",
                humantime::format_duration(wait),
                humantime::format_duration(settings.call_budget)
            ));
        }
    }
}
