//! `callgate pdp`: serves the AxonFlow API on the embedded policies.

use super::{page, tell};
use crate::approvals::announced;
use crate::approvals::notify::Notifier;
use crate::fault::{EXIT_OK, Fault};
use crate::policy::authority::Authority;
use crate::policy::sources::Sources;
use crate::server::{self, Connectors, Credentials, Hosts, OnTicket, Page, Parts, Refresh};
use crate::settings::{self, Environment, Settings};
use crate::store::{Ticket, configured};
use crate::{log, signals, wiring};
use clap::Args;
use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Longest wait for the last log lines.
const LAST_LOG: Duration = Duration::from_millis(50);

/// How long the first reading of the stored policies is waited for.
const FIRST_READING: Duration = Duration::from_secs(10);

/// What `callgate pdp` is told.
#[derive(Clone, Debug, Args)]
pub struct PdpOptions {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// JSON file of backends that statements may be run on (POST /mcp/resources/query)
    #[arg(long, value_name = "FILE")]
    pub backends: Option<PathBuf>,
    /// Allow an address that others reach; needs AXONFLOW_CLIENT_SECRET or AXONFLOW_CLIENT_SECRET_FILE
    #[arg(long)]
    pub allow_remote: bool,
    /// Serve requests for this host name, besides localhost (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Print the address of the approvals page with its key also when the output is no terminal
    #[arg(long)]
    pub show_page_key: bool,
}

/// Serves until a signal comes. The first line on `out` is the address, for whoever started it.
pub fn run(options: &PdpOptions, out: &mut dyn Write) -> ExitCode {
    let mut env = settings::environment();
    let loaded = match &options.backends {
        Some(file) => {
            env.insert("AXONFLOW_BACKENDS_FILE".to_owned(), file.clone().into_os_string());
            Settings::load(&env, &settings::read_file)
        }
        None => Settings::load_without_backends(&env, &settings::read_file),
    };
    let settings = match loaded {
        Ok(settings) => settings,
        Err(faults) => return tell(&faults),
    };
    let log = log::init(&settings.log);
    let served = serve(options, &settings, &env, out);
    log.flush(Instant::now() + LAST_LOG);
    match served {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(fault) => tell(&[fault]),
    }
}

fn serve(
    options: &PdpOptions,
    settings: &Settings,
    env: &Environment,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    check_address(options, settings)?;
    if settings.monitor {
        let what = "a decision service says what it decides, whoever blocks by it";
        return Err(Fault::settings("CALLGATE_MONITOR", what, "unset it here, and set it on the gates"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Fault::failure(format!("no runtime: {error}"), "check the system's limits"))?;
    let listener = runtime.block_on(TcpListener::bind(options.listen)).map_err(|error| {
        Fault::failure(
            format!("cannot listen on {}: {error}", options.listen),
            "choose another with --listen",
        )
    })?;
    let parts = parts(options, settings, env)?;
    let address = listener.local_addr().unwrap_or(options.listen);
    let _ = writeln!(out, "listening http://{address}").and_then(|()| out.flush());
    introduce(settings, address, &parts);
    let _announced = parts.page.as_ref().and_then(|page| {
        show_page(options, page, address, out);
        page::announce(settings, address)
    });
    runtime.block_on(server::serve(parts, listener, async {
        let why = signals::leave().await;
        tracing::info!("leaving: {why}");
    }));
    runtime.shutdown_background();
    Ok(())
}

/// Tells whoever started the service how the page is opened. The output of a service goes to a log, where a key does not
/// belong.
fn show_page(options: &PdpOptions, page: &Page, address: SocketAddr, out: &mut dyn Write) {
    #[expect(clippy::disallowed_methods, reason = "asks what it is, and writes nothing")]
    let is_seen = std::io::stdout().is_terminal();
    if options.show_page_key || is_seen {
        let _ = writeln!(out, "open {}", page.address(address).expose()).and_then(|()| out.flush());
    } else {
        let place = announced::url(address);
        tracing::info!("held calls are decided at {place}; --show-page-key prints its key");
    }
}

/// An address that others reach is opened only on an explicit word, and only with credentials.
fn check_address(options: &PdpOptions, settings: &Settings) -> Result<(), Fault> {
    if options.listen.ip().is_loopback() {
        return Ok(());
    }
    let address = options.listen;
    if !options.allow_remote {
        return Err(Fault::settings(
            "--listen",
            format!("{address} is reached from other machines"),
            "listen on 127.0.0.1, or say --allow-remote and set credentials",
        ));
    }
    if settings.platform.client_secret.is_none() {
        return Err(Fault::settings(
            "--allow-remote",
            format!("{address} would be open to everybody who reaches it"),
            "set AXONFLOW_CLIENT_ID and AXONFLOW_CLIENT_SECRET or AXONFLOW_CLIENT_SECRET_FILE",
        ));
    }
    Ok(())
}

fn parts(options: &PdpOptions, settings: &Settings, env: &Environment) -> Result<Parts, Fault> {
    let set = wiring::policy_set(settings)?;
    set.warm();
    let authority = Arc::new(Authority::new(set));
    wiring::follow(settings, &authority)?;
    let wrong = |what: String, way_out: &str| Fault::settings("CALLGATE_STORE", what, way_out);
    let store = configured::configured(settings)
        .map_err(|error| wrong(error.to_string(), "correct the address of the database"))?
        .ok_or_else(|| {
            let what = "the service keeps decisions and approvals in a store, which is off";
            wrong(what.to_owned(), "set it to sqlite or postgres")
        })?;
    let sources = Sources::start(authority.clone(), store.clone(), wiring::source_options(settings));
    authority.wait_settled(Instant::now() + FIRST_READING);
    // What does not hold now is told in the log, and read again in time.
    let refresh: Refresh = Arc::new(move || drop(sources.refresh_now()));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let credentials = settings
        .platform
        .client_secret
        .clone()
        .map(|client_secret| Credentials { client_id: settings.platform.client_id.clone(), client_secret });
    let page = match options.listen.ip().is_loopback() {
        true => Some(page::page(settings, store.clone(), options.allow_host.clone())?),
        false => None,
    };
    Ok(Parts {
        on_ticket: on_ticket(settings, options),
        page,
        authority,
        store,
        refresh,
        tenant: text(&settings.identity.tenant_id),
        organization: text(&settings.identity.org_id),
        credentials,
        admin: settings.platform.admin_secret.clone(),
        hosts: if options.listen.ip().is_loopback() {
            Hosts::Loopback(options.allow_host.clone())
        } else {
            Hosts::Any
        },
        connectors: match options.backends {
            Some(_) => {
                let governance = Arc::new(wiring::governance(settings));
                Some(Connectors::start(wiring::plan(settings, env)?, governance, settings.call_budget)?)
            }
            None => None,
        },
    })
}

/// Has the desktop tell of new tickets, where there is one.
fn on_ticket(settings: &Settings, options: &PdpOptions) -> Option<OnTicket> {
    let notifier = Notifier::new(settings.approval_notify)?;
    let desk =
        options.listen.ip().is_loopback().then(|| (settings.state_dir.clone(), configured::desk(settings)));
    Some(Arc::new(move |ticket: &Ticket| {
        let text = |key: &str| ticket.request_context[key].as_str().unwrap_or_default();
        let page = desk.as_ref().and_then(|(state_dir, desk)| announced::find(state_dir, desk));
        notifier.tell(text("server"), text("tool"), &ticket.request_id, &page.unwrap_or_default());
    }))
}

fn introduce(settings: &Settings, address: SocketAddr, parts: &Parts) {
    let version = env!("CARGO_PKG_VERSION");
    let who =
        if parts.credentials.is_some() { "one client with credentials" } else { "everybody on this machine" };
    tracing::info!(version, %address, backends = settings.backends.len(), "callgate decides for {who}");
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
}
