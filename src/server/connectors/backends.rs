//! The machine with the backends: started on a thread of its own, since it moves its messages on one.

use super::decided::Decided;
use super::mapping::Tool;
use super::pipe::{self, Answer, Ask};
use crate::fault::Fault;
use crate::governance::{Denial, Governance, Governed, Tool as GovernedTool};
use crate::redact::port::{LocalRedactor, RedactMode};
use crate::redact::{Options, Redactor};
use crate::server::limits::{CONNECTOR_CALLS, CONNECTOR_START, PIPE_BYTES};
use callgate_actors::backend::catalogue::List;
use callgate_actors::call::Hints;
use callgate_actors::directory::{self, Directory, Reader, State};
use callgate_actors::machine::{Plan, Running};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// How long behind a call's own budget its answer is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The backends that statements run on.
pub struct Connectors {
    ids: Vec<Arc<str>>,
    directory: Reader,
    asks: mpsc::Sender<Ask>,
    places: Semaphore,
    budget: Duration,
    governance: Arc<Governance>,
    pub(super) decided: Arc<Decided>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why a call has no answer.
pub(super) enum NoAnswer {
    /// As many calls as may be are open.
    Busy,
    /// The machine is gone, or too slow.
    Gone,
}

impl Connectors {
    /// Starts the machine of `plan`. What decides and redacts in it is replaced: this plane has judged before, and
    /// judges the answer after. `governance` says which tools may run. `budget` is the longest time one call takes.
    ///
    /// # Errors
    /// When the machine does not start.
    pub fn start(mut plan: Plan, governance: Arc<Governance>, budget: Duration) -> Result<Self, Fault> {
        let failed = |error: String| Fault::failure(error, "start it again; report it if it happens twice");
        let decided = Arc::new(Decided::default());
        plan.decide = Arc::new(Governed::new(decided.clone(), governance.clone()));
        plan.redact = Arc::new(LocalRedactor::new(Redactor::new(Options::default()), RedactMode::Off));
        let ids = plan.ids.clone();
        let (asks, asked) = mpsc::channel(CONNECTOR_CALLS);
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let run = move || run(plan, asked, stopped, ready);
        let thread = std::thread::Builder::new().name("backends".into()).spawn(run);
        let thread = thread.map_err(|error| failed(format!("no thread for the backends: {error}")))?;
        let directory = started
            .blocking_recv()
            .map_err(|_| failed("the backends' machine ended at once".into()))?
            .map_err(failed)?;
        Ok(Self {
            ids,
            directory,
            asks,
            places: Semaphore::new(CONNECTOR_CALLS),
            budget,
            governance,
            decided,
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The connectors' names.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(|id| &**id)
    }

    /// Why a connector does not take statements now; `None` when it does.
    pub(super) fn trouble(&self, id: &str) -> Option<String> {
        let directory = self.directory.borrow();
        match directory.standings.iter().find(|standing| *standing.id == *id).map(|standing| &standing.state)
        {
            Some(State::Up(_)) => None,
            Some(State::Starting) | None => Some("it is starting".to_owned()),
            Some(State::Restarting { why, .. } | State::Parked { why, .. } | State::Over { why }) => {
                Some(why.to_string())
            }
        }
    }

    /// The tools of a connector; waits for them while it starts for the first time.
    pub(super) async fn tools(&self, id: &str) -> Vec<Tool> {
        let known = |directory: &Directory| {
            directory.has_begun
                && directory.standings.iter().any(|standing| {
                    *standing.id == *id
                        && (standing.catalogue.is_some() || !matches!(standing.state, State::Starting))
                })
        };
        let directory = directory::wait(&self.directory, Instant::now() + CONNECTOR_START, known).await;
        let listing = &directory.listing;
        let schemas = schemas(&listing.rendered(List::Tools));
        let tool = |exposed: &str| {
            Some(Tool {
                own: listing.tool(exposed)?.own.to_string(),
                exposed: exposed.to_owned(),
                schema: schemas.get(exposed).cloned().unwrap_or_default(),
            })
        };
        listing.tools_of(id).filter_map(tool).collect()
    }

    /// What a backend says of a tool.
    pub(super) fn hints(&self, exposed: &str) -> Hints {
        self.directory.borrow().listing.tool(exposed).map(|route| route.hints).unwrap_or_default()
    }

    /// Why a tool may not run, whatever it is called with.
    pub(super) fn denial(&self, backend: &str, own: &str, exposed: &str) -> Option<Denial> {
        let is_annotated = self.hints(exposed).told.read_only == Some(true);
        self.governance.judge(&GovernedTool { backend, own, exposed, is_annotated })
    }

    /// Calls a tool that was decided on.
    pub(super) async fn call(&self, params: String) -> Result<Answer, NoAnswer> {
        let _place = self.places.try_acquire().map_err(|_| NoAnswer::Busy)?;
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask { params, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoAnswer::Busy,
            mpsc::error::TrySendError::Closed(_) => NoAnswer::Gone,
        })?;
        match tokio::time::timeout(self.budget + GRACE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::Gone),
        }
    }

    /// Ends the backends and waits for it. Blocks for about a second at most.
    pub(crate) fn stop(&self) {
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn run(
    plan: Plan,
    asked: mpsc::Receiver<Ask>,
    stopped: oneshot::Receiver<()>,
    ready: oneshot::Sender<Result<Reader, String>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(format!("no runtime for the backends: {error}")));
            return;
        }
    };
    runtime.block_on(async move {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let (input, output) = tokio::io::split(theirs);
        let mut machine = match Running::start(plan, output).await {
            Ok(machine) => machine,
            Err(error) => {
                let _ = ready.send(Err(error.to_string()));
                return;
            }
        };
        let _ = ready.send(Ok(machine.directory()));
        let client = tokio::spawn(pipe::serve(ours, asked));
        let leave = async {
            let _ = stopped.await;
            "the server leaves"
        };
        let why = machine.serve(input, leave).await;
        tracing::info!("the backends end: {why}");
        let late = machine.shut_down().await;
        if !late.is_empty() {
            tracing::warn!("did not end in time and were cut off: {}", late.join(", "));
        }
        client.abort();
    });
    runtime.shutdown_background();
}

/// The input schemas by exposed name.
fn schemas(list: &[u8]) -> BTreeMap<String, Value> {
    #[derive(Deserialize)]
    struct Tools {
        tools: Vec<Shown>,
    }
    #[derive(Deserialize)]
    struct Shown {
        name: String,
        #[serde(default, rename = "inputSchema")]
        schema: Value,
    }
    let tools = serde_json::from_slice::<Tools>(list).map(|list| list.tools).unwrap_or_default();
    tools.into_iter().map(|tool| (tool.name, tool.schema)).collect()
}
