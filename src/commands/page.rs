//! `callgate approvals serve`: the page on which a person decides, and what `callgate pdp` shares with it.

use super::approvals::user;
use super::tell;
use crate::approvals::announced::{self, Announced};
use crate::fault::{EXIT_OK, Fault};
use crate::secret::Secret;
use crate::server::{self, Page, PageOptions};
use crate::settings::{self, Settings};
use crate::store::{LazyStore, configured};
use crate::{log, signals};
use clap::Args;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Longest wait for the last log lines.
const LAST_LOG: Duration = Duration::from_millis(50);

/// What `callgate approvals serve` is told.
#[derive(Clone, Debug, Args)]
pub struct PageServeOptions {
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8427")]
    pub listen: SocketAddr,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
}

/// Serves the page until a signal comes. The first line on `out` is the server's address, the second one opens the page.
pub fn run(options: &PageServeOptions, out: &mut dyn Write) -> ExitCode {
    let settings = match Settings::load_without_backends(&settings::environment(), &settings::read_file) {
        Ok(settings) => settings,
        Err(faults) => return tell(&faults),
    };
    let log = log::init(&settings.log);
    let served = serve(options, &settings, out);
    log.flush(Instant::now() + LAST_LOG);
    match served {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(fault) => tell(&[fault]),
    }
}

fn serve(options: &PageServeOptions, settings: &Settings, out: &mut dyn Write) -> Result<(), Fault> {
    let wanted = options.listen;
    if !wanted.ip().is_loopback() {
        let what =
            format!("{wanted} is reached from other machines, and whoever reaches the page sees its traffic");
        return Err(Fault::settings("--listen", what, "listen on 127.0.0.1"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Fault::failure(format!("no runtime: {error}"), "check the system's limits"))?;
    let listener = runtime.block_on(TcpListener::bind(wanted)).map_err(|error| {
        Fault::failure(format!("cannot listen on {wanted}: {error}"), "choose another with --listen")
    })?;
    let address = listener.local_addr().unwrap_or(wanted);
    let store = configured::for_tickets(settings).map_err(|error| {
        Fault::settings("CALLGATE_STORE", error.to_string(), "correct the database's address")
    })?;
    let page = page(settings, store, Vec::new())?;
    let _announced = announce(settings, address);
    let _ = introduce(&page, address, out);
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
    if options.open {
        let once = page.address_for_once(address).map_err(|error| no_key(&error))?;
        open(&once);
    }
    runtime.block_on(server::serve_page(page, listener, async {
        let why = signals::leave().await;
        tracing::info!("leaving: {why}");
    }));
    runtime.shutdown_background();
    Ok(())
}

fn introduce(page: &Page, address: SocketAddr, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "listening http://{address}")?;
    writeln!(out, "open {}", page.address(address).expose())?;
    writeln!(
        out,
        "This address holds the key: whoever has it can decide. It is good until this program ends."
    )?;
    out.flush()
}

/// The page over `store`.
pub(super) fn page(
    settings: &Settings,
    store: Arc<LazyStore>,
    more_hosts: Vec<String>,
) -> Result<Arc<Page>, Fault> {
    let tenant = settings.identity.tenant_id.clone().unwrap_or_default();
    let page = Page::new(PageOptions { store, tenant, account: user(), more_hosts });
    page.map(Arc::new).map_err(|error| no_key(&error))
}

fn no_key(error: &std::io::Error) -> Fault {
    Fault::failure(format!("no key for the page: {error}"), "check that the system gives random numbers")
}

/// Tells the gates where the page is; what goes wrong is told in the log, since the page works without it.
pub(super) fn announce(settings: &Settings, address: SocketAddr) -> Option<Announced> {
    match announced::announce(&settings.state_dir, &configured::desk(settings), address) {
        Ok(Some(announced)) => return Some(announced),
        Ok(None) => tracing::info!("another page is served already; tickets go on naming that one"),
        Err(error) => tracing::warn!("tickets cannot name this page: {error}"),
    }
    None
}

/// Has the system open an address.
fn open(address: &Secret) {
    #[cfg(target_os = "macos")]
    let (program, args): (&str, &[&str]) = ("open", &[]);
    #[cfg(windows)]
    let (program, args): (&str, &[&str]) = ("rundll32", &["url.dll,FileProtocolHandler"]);
    #[cfg(not(any(target_os = "macos", windows)))]
    let (program, args): (&str, &[&str]) = ("xdg-open", &[]);
    let mut command = Command::new(program);
    command.args(args).arg(address.expose());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        // It may be the browser itself, which stays: somebody must take its end.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::warn!("{program} cannot be started: {error}; open the address above by hand"),
    }
}
