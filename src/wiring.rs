//! The only file that knows both worlds: turns settings into the five ports and the plan of the machine.

use crate::approvals::Keeper;
use crate::approvals::local::{LocalApprovals, LocalOptions};
use crate::approvals::notify::Notifier;
use crate::fault::Fault;
use crate::governance::{Governance, Governed, Monitored};
use crate::journal::{Journal, JournalOptions};
use crate::launch::{Launcher, Wrapped};
use crate::pdp::aaf::{AafOptions, AafPdp};
use crate::pdp::around::{Around, AroundApprovals};
use crate::pdp::axonflow::{AxonflowOptions, AxonflowPdp};
use crate::pdp::embedded::EmbeddedPdp;
use crate::pdp::recorded::Recorded;
use crate::policy::authority::{Authority, PolicySet};
use crate::policy::builder::PolicySetBuilder;
use crate::policy::rego;
use crate::policy::rules::watch;
use crate::policy::sources::{SourceOptions, Sources};
use crate::redact::port::{LocalRedactor, RedactMode};
use crate::redact::pseudonyms::Pseudonyms;
use crate::redact::scoping::Spares;
use crate::redact::style::{Replacer, Style};
use crate::redact::treatment::Treatment;
use crate::redact::{self, Redactor, hash_key};
use crate::response_phase::{self, ResponsePhase};
use crate::response_plane::{Engine, ResponsePlane};
use crate::secret::Secret;
use crate::settings::{CardMatch, Environment, FailMode, Pdp, RedactEngine, RedactResponses, Settings};
use crate::store::{DecisionLog, StoreError, configured};
use callgate_actors::audit::OpenJournal;
use callgate_actors::flow::FlowSettings;
use callgate_actors::guardian::Guardian;
use callgate_actors::limits::DECISION_THREADS;
use callgate_actors::machine::Plan;
use callgate_actors::ports::{Approve, Decide, Redact};
use callgate_actors::process::Tether;
use callgate_actors::session::Identity;
use callgate_actors::wire::codes::VerdictCodes;
use callgate_actors::workers::Threads;
use std::sync::{Arc, OnceLock};

/// Our name on the wire; hosts put it before tool names, so it is short.
const NAME: &str = "callgate";
/// The hidden command that runs the guardian.
pub const GUARDIAN_COMMAND: &str = "guardian";

/// The plan of the machine that these settings describe.
pub fn plan(settings: &Settings, env: &Environment) -> Result<Plan, Fault> {
    let authority = authority(settings)?;
    let Point { decide, remote, approve, log } = decision_point(settings, &authority)?;
    let treatment = treatment(settings)?;
    let names = treatment.pseudonyms;
    let decide = Arc::new(Around::new(decide, names.clone()));
    let decide = Arc::new(Governed::new(decide, Arc::new(governance(settings))));
    let decide: Arc<dyn Decide> = match settings.monitor {
        true => Arc::new(Monitored::new(decide, names.clone(), fails_open(settings))),
        false => decide,
    };
    let launch = Launcher::new(&settings.backends, env, &settings.state_dir);
    Ok(Plan {
        ids: settings.backends.iter().map(|entry| Arc::from(entry.id.as_str())).collect(),
        name_budget: settings.tool_name_max,
        max_line: settings.max_line_bytes,
        flow: flow(settings),
        identity: identity(settings),
        wraps: None,
        guardian: guardian(),
        redactor_threads: match settings.redact_engine {
            RedactEngine::Local => std::thread::available_parallelism().map_or(1, usize::from),
            RedactEngine::Remote | RedactEngine::Both => DECISION_THREADS,
        },
        threads: Threads::System,
        seed: fastrand::u64(..),
        decide,
        approve: Some(Arc::new(AroundApprovals::new(approvals(settings, approve)?, names))),
        redact: response_plane(settings, remote, treatment.treatment, authority, log),
        journal: journal(settings, Journal::open),
        launch: Arc::new(launch),
    })
}

/// The plan for calls that the program around this library carries out itself: the same but for what belongs to backends.
/// Nobody stands in front of a client here, and no children have to be guarded.
pub fn library_plan(settings: &Settings, env: &Environment) -> Result<Plan, Fault> {
    let settings = Settings { approval_asks_client: false, ..settings.clone() };
    Ok(Plan { guardian: None, ..plan(&settings, env)? })
}

/// The plan for standing in the place of one server: `server` says how it is started, `tether` reaches it. The server's
/// standard error is ours too, so audit rows are only shown there when that was asked for.
pub fn wrap_plan(
    settings: &Settings,
    env: &Environment,
    server: Wrapped,
    tether: Tether,
    shows_rows: bool,
) -> Result<Plan, Fault> {
    let open = if shows_rows { Journal::open } else { |options| Journal::with_log(options, None) };
    Ok(Plan {
        wraps: Some(tether),
        launch: Arc::new(server),
        journal: journal(settings, open),
        ..plan(settings, env)?
    })
}

/// The plan for doing that inside another program. Its path is not ours, so nobody guards the server against its death by
/// force; on Linux the system does.
pub fn library_wrap_plan(
    settings: &Settings,
    env: &Environment,
    server: Wrapped,
    tether: Tether,
) -> Result<Plan, Fault> {
    Ok(Plan { guardian: None, ..wrap_plan(settings, env, server, tether, false)? })
}

type CheckOutput = crate::pdp::axonflow::CheckOutput;

/// Who decides, and what comes with it.
struct Point {
    decide: Arc<dyn Decide>,
    /// The response plane of a remote service.
    remote: Option<CheckOutput>,
    /// The approvals that a remote service keeps.
    approve: Option<Arc<dyn Approve>>,
    /// Where decisions are kept.
    log: Option<Arc<DecisionLog>>,
}

/// Which tools may run, for the agent that calls here.
pub fn governance(settings: &Settings) -> Governance {
    let backends = settings.backends.iter().map(|entry| (entry.id.as_str(), &entry.tools));
    Governance::new(&settings.tools, backends, &settings.identity.ai_agent)
}

/// The policies in this program. With a remote decision point they judge answers only.
fn authority(settings: &Settings) -> Result<Arc<Authority>, Fault> {
    let authority = Arc::new(Authority::new(policy_set(settings)?));
    follow(settings, &authority)?;
    Ok(authority)
}

/// Follows the policy file and the Rego rules, where there are some.
pub fn follow(settings: &Settings, authority: &Arc<Authority>) -> Result<(), Fault> {
    let no_thread = |error: std::io::Error| {
        Fault::failure(format!("no thread to follow the policy files: {error}"), "check the system's limits")
    };
    if let Some((file, _)) = &settings.policy_file {
        watch::follow(file.clone(), authority).map_err(no_thread)?;
    }
    if let Some((path, _)) = &settings.rego {
        rego::watch::follow(path.clone(), authority).map_err(no_thread)?;
    }
    Ok(())
}

fn decision_point(settings: &Settings, authority: &Arc<Authority>) -> Result<Point, Fault> {
    match settings.pdp {
        Pdp::Embedded => {
            let pdp = EmbeddedPdp::new(authority.clone(), settings.identity.ai_agent.clone());
            let point = |decide, log| Point { decide, remote: None, approve: None, log };
            let Some(store) = configured::configured(settings).map_err(|error| no_store(&error))? else {
                return Ok(point(Arc::new(pdp), None));
            };
            let log = Arc::new(DecisionLog::start(store.clone()));
            let recorded = Recorded {
                inner: pdp,
                sources: Sources::start(authority.clone(), store, source_options(settings)),
                authority: authority.clone(),
                log: log.clone(),
                tenant: settings.identity.tenant_id.clone().unwrap_or_default(),
                agent: settings.identity.ai_agent.clone(),
                monitor: settings.monitor,
            };
            Ok(point(Arc::new(recorded), Some(log)))
        }
        Pdp::Axonflow => {
            let pdp = AxonflowPdp::new(&axonflow_options(settings)).map_err(|error| {
                Fault::settings("AXONFLOW_ENDPOINT", error.to_string(), "correct the AXONFLOW_ settings")
            })?;
            let remote = (settings.redact_engine != RedactEngine::Local).then(|| pdp.check_output());
            let pdp = Arc::new(pdp);
            Ok(Point { decide: pdp.clone(), remote, approve: Some(pdp), log: None })
        }
        Pdp::Aaf => {
            let pdp = Arc::new(aaf(settings)?);
            Ok(Point { decide: pdp.clone(), remote: None, approve: Some(pdp), log: None })
        }
    }
}

/// The client of the Agent Action Firewall that these settings describe; which calls wait is kept where tickets are.
pub fn aaf(settings: &Settings) -> Result<AafPdp, Fault> {
    let store = configured::for_tickets(settings).map_err(|error| no_store(&error))?;
    AafPdp::new(&aaf_options(settings), store)
        .map_err(|error| Fault::settings("CALLGATE_PDP", error.to_string(), "correct the AAF_ settings"))
}

fn aaf_options(settings: &Settings) -> AafOptions {
    let aaf = &settings.aaf;
    AafOptions {
        url: aaf.url.clone(),
        api_key: aaf.api_key.clone().unwrap_or_default(),
        agent_id: aaf.agent_id.clone(),
        operation: aaf.operation.clone(),
        params: aaf.params,
        request_timeout: aaf.request_timeout,
        approval_poll: settings.approval_poll,
        approval_lifetime: settings.approval_lifetime,
        session_id: settings.identity.session_id.clone(),
        ai_agent: settings.identity.ai_agent.clone(),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The error codes that the clients of this decision point know. The Agent Action Firewall has two: -32000 for whatever is
/// denied, a call that nobody could decide included, and -32001 for what a person did not approve (the Agent Action
/// Firewall contract, section 8.3).
fn codes(pdp: Pdp) -> VerdictCodes {
    match pdp {
        Pdp::Embedded | Pdp::Axonflow => VerdictCodes::default(),
        Pdp::Aaf => {
            VerdictCodes { denied: -32000, needs_approval: -32001, not_approved: -32001, undecided: -32000 }
        }
    }
}

/// How stored policies are read.
pub fn source_options(settings: &Settings) -> SourceOptions {
    SourceOptions {
        tenant: settings.identity.tenant_id.clone().unwrap_or_default(),
        every: settings.store.cache_ttl,
        block_on_error: settings.store.block_on_error,
    }
}

fn no_store(error: &StoreError) -> Fault {
    Fault::settings("CALLGATE_STORE", error.to_string(), "correct the address of the database")
}

/// Tickets here, and the approvals of the remote service that keeps its own.
fn approvals(settings: &Settings, remote: Option<Arc<dyn Approve>>) -> Result<Arc<dyn Approve>, Fault> {
    let store = configured::for_tickets(settings).map_err(|error| no_store(&error))?;
    let identity = &settings.identity;
    let options = LocalOptions {
        tenant: identity.tenant_id.clone().unwrap_or_default(),
        organisation: identity.org_id.clone().unwrap_or_default(),
        agent: identity.ai_agent.clone(),
        user: identity.leader_email.clone().unwrap_or_default(),
        lifetime: settings.approval_lifetime,
        asks_client: settings.approval_asks_client,
        page: Some((settings.state_dir.clone(), configured::desk(settings))),
    };
    let local = LocalApprovals::new(store, options).with_notifier(Notifier::new(settings.approval_notify));
    Ok(Arc::new(Keeper::new(local, remote)))
}

/// Everything that decides at the start: shipped policies, posture, policy file, Rego rules.
pub fn policy_set(settings: &Settings) -> Result<PolicySet, Fault> {
    let mut parts = PolicySetBuilder::new(settings.posture.clone());
    if let Some((_, file)) = &settings.policy_file {
        parts.set_file(file.rules.clone(), file.overrides.clone());
    }
    parts.set_rego(settings.rego.as_ref().map(|(_, set)| set.clone()));
    parts.build().map_err(|error| {
        Fault::failure(
            format!("the embedded policies cannot be used: {error}"),
            "report this build as broken",
        )
    })
}

fn axonflow_options(settings: &Settings) -> AxonflowOptions {
    let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (platform, identity) = (&settings.platform, &settings.identity);
    AxonflowOptions {
        endpoint: platform.endpoint.clone(),
        client_id: platform.client_id.clone(),
        client_secret: secret(&platform.client_secret),
        user_token: secret(&platform.user_token),
        tenant_id: text(&identity.tenant_id),
        org_id: text(&identity.org_id),
        gateway_id: identity.gateway_id.clone(),
        session_id: identity.session_id.clone(),
        leader_email: text(&identity.leader_email),
        ai_agent: identity.ai_agent.clone(),
        pep_audience: platform.pep_audience.clone(),
        decide_timeout: settings.decide_timeout,
        approval_poll: settings.approval_poll,
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// How findings are treated, and the names that were given meanwhile.
struct Treating {
    treatment: Treatment,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

fn treatment(settings: &Settings) -> Result<Treating, Fault> {
    let styles = settings.redact_style.clone();
    let pseudonyms =
        styles.has(Style::Pseudonym).then(|| Arc::new(Pseudonyms::new(settings.pseudonyms_across)));
    let key = if styles.has(Style::Hash) { Some(hash_key::load(&settings.state_dir)?) } else { None };
    let mut spares = Spares::default();
    for entry in &settings.backends {
        spares.add(&entry.id, entry.spare.iter().cloned());
    }
    let replacer = Replacer::new(styles, key, pseudonyms.clone());
    Ok(Treating { treatment: Treatment::new(replacer, spares), pseudonyms })
}

fn response_plane(
    settings: &Settings,
    remote: Option<CheckOutput>,
    treatment: Treatment,
    authority: Arc<Authority>,
    log: Option<Arc<DecisionLog>>,
) -> Arc<dyn Redact> {
    let card_match = match settings.card_match {
        CardMatch::Loose => redact::CardMatch::Loose,
        CardMatch::Precise => redact::CardMatch::Precise,
    };
    let mode = match settings.redact_responses {
        RedactResponses::Always => RedactMode::Always,
        RedactResponses::OnObligation => RedactMode::OnObligation,
        RedactResponses::Off => RedactMode::Off,
    };
    let engine = match settings.redact_engine {
        RedactEngine::Local => Engine::Local,
        RedactEngine::Remote => Engine::Remote,
        RedactEngine::Both => Engine::Both,
    };
    let local = Redactor::new(redact::Options { card_match, ..redact::Options::default() });
    let local = LocalRedactor::new(local, mode).with_treatment(treatment);
    let agent = settings.identity.ai_agent.clone();
    let mut phase = ResponsePhase::new(authority, agent.clone());
    if let Some(log) = log {
        let tenant = settings.identity.tenant_id.clone().unwrap_or_default();
        let keep = Box::new(move |row| log.record(move || row));
        phase = phase.with_keeper(response_phase::Keeper { tenant, agent, keep });
    }
    let plane = ResponsePlane::new(local, remote, engine, mode != RedactMode::Off).with_policies(phase);
    let plane = if settings.result_meta { plane.with_reports() } else { plane };
    Arc::new(if settings.monitor { plane.monitoring() } else { plane })
}

fn journal(settings: &Settings, open: fn(JournalOptions) -> Journal) -> OpenJournal {
    let options = journal_options(settings);
    let journal = OnceLock::new();
    // A writer that was replaced goes on with the same record: its calls are still under way.
    Arc::new(move || {
        let journal: &Journal = journal.get_or_init(|| {
            let journal = open(options.clone());
            journal.recover_beside();
            journal
        });
        Box::new(journal.clone())
    })
}

/// What the journal is told.
pub fn journal_options(settings: &Settings) -> JournalOptions {
    JournalOptions {
        path: settings.audit_log.clone(),
        state_dir: Some(settings.state_dir.clone()),
        required: settings.audit_required,
        sync: settings.audit_sync,
        rotate_bytes: settings.audit_rotate_bytes,
        rotate_age: settings.audit_rotate_age,
        session_id: settings.identity.session_id.clone(),
        leader_email: settings.identity.leader_email.clone().unwrap_or_default(),
        ai_agent: settings.identity.ai_agent.clone(),
        gateway_id: settings.identity.gateway_id.clone(),
    }
}

fn flow(settings: &Settings) -> FlowSettings {
    let own = settings.backends.iter().map(|entry| entry.timeout.unwrap_or(settings.backend_timeout));
    FlowSettings {
        decide_timeout: settings.decide_timeout,
        backend_timeouts: own.collect(),
        call_budget: settings.call_budget,
        list_wait: settings.list_wait,
        fail_open: fails_open(settings),
        approval_hold: settings.approval_hold,
        monitor: settings.monitor,
        codes: codes(settings.pdp),
    }
}

/// With the platform as redactor an outage takes the response plane away too: a call that ran could not be answered,
/// so an open fail mode does not hold there.
fn fails_open(settings: &Settings) -> bool {
    settings.fail_mode == FailMode::Open
        && (settings.redact_engine == RedactEngine::Local
            || settings.redact_responses == RedactResponses::Off)
}

fn identity(settings: &Settings) -> Identity {
    let names = if settings.redact_style.has(Style::Pseudonym) {
        " A name such as [EMAIL_3] stands for one value: use it as it is in a call of the server that gave it, and the \
         server receives the value."
    } else {
        ""
    };
    let ids: Vec<&str> = settings.backends.iter().map(|entry| entry.id.as_str()).collect();
    Identity {
        name: NAME.into(),
        title: "Callgate".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        preamble: format!(
            "These tools are governed: every call is checked before it runs, and personal data in answers is replaced \
             by tokens such as [REDACTED:email].{names} A refused call says why; change the request or ask the person \
             rather than repeating it. Servers behind this gate: {}.",
            ids.join(", ")
        ),
    }
}

/// The guardian is this program again; where it cannot be named, children are still ended on an orderly exit.
fn guardian() -> Option<Guardian> {
    match std::env::current_exe() {
        Ok(program) => Some(Guardian::new(program, vec![GUARDIAN_COMMAND.into()])),
        Err(error) => {
            tracing::warn!("this program's own path is unknown ({error}); children may outlive a kill -9");
            None
        }
    }
}
