//! The connection of one incarnation: a child with two pumps, or a Streamable HTTP session, behind one face.
//!
//! One task writes to the child and another reads from it: a single task that does both hangs as soon as both pipes
//! are full.

use super::actor::BackendMessage;
use crate::gate::Gate;
use crate::guardian::Guardian;
use crate::http::{self, HttpConnection, HttpLimits, Outgoing};
use crate::limits::{BACKEND_LINES_QUEUED, BACKEND_OUT_QUEUE, EXIT_NEWS, HTTP_CLOSE, LAST_OUTPUT};
use crate::out::{self, Toward};
use crate::ports::Plan;
use crate::process::{self, Ended, Group, StopGrace, Tether};
use crate::wire::frame::Framer;
use crate::wire::write::Line;
use bytes::Bytes;
use ractor::ActorRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

/// How much is read from a child at once.
const READ_BYTES: usize = 64 * 1024;

/// What every link of a machine shares.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Longest line or body, in bytes.
    pub max_line: usize,
    /// Ends the children of a killed proxy.
    pub guardian: Option<Guardian>,
    /// The line to the one child that the client takes the machine for.
    pub tether: Option<Tether>,
}

/// An open connection.
pub(super) enum Link {
    Child(ChildLink),
    Http(HttpConnection),
}

/// A running child, or a server in this process.
pub(super) struct ChildLink {
    /// `None` once its input was ended.
    lines: Option<mpsc::Sender<Line>>,
    queued: u64,
    begun: Arc<AtomicU64>,
    /// Ends the writing pump, so that what it has not begun never leaves.
    pump: AbortHandle,
    close: oneshot::Sender<Closing>,
}

/// A request to end a child, and where to say how it ended.
struct Closing {
    grace: StopGrace,
    ended: oneshot::Sender<String>,
}

/// What a message is, for transports that must know.
pub(super) type Kind = http::Kind;

impl Link {
    /// Opens the connection that `plan` describes; what comes from it is sent to `actor`.
    pub(super) fn open(
        plan: &Plan,
        settings: &LinkSettings,
        backend: &Arc<str>,
        actor: &ActorRef<BackendMessage>,
    ) -> Result<Link, String> {
        match plan {
            Plan::Child(plan) => {
                let spawned =
                    process::spawn(plan, settings.guardian.as_ref()).map_err(|error| error.to_string())?;
                if let Some(tether) = &settings.tether {
                    tether.tell_start();
                }
                if let Some(stderr) = spawned.stderr {
                    tokio::spawn(super::stderr::drain(backend.clone(), stderr));
                }
                let (news, exit) = watch::channel(None);
                let (close, closing) = oneshot::channel();
                tokio::spawn(keep(spawned.group, news, closing, actor.clone(), settings.tether.clone()));
                tokio::spawn(read(spawned.stdout, settings.max_line, exit, actor.clone()));
                Ok(Link::Child(ChildLink::over(spawned.stdin, close)))
            }
            Plan::Streams(plan) => {
                let streams = (plan.connect)()?;
                let (close, closing) = oneshot::channel();
                tokio::spawn(until_closed(closing));
                let (_, no_exit) = watch::channel(None);
                tokio::spawn(read(streams.output, settings.max_line, no_exit, actor.clone()));
                Ok(Link::Child(ChildLink::over(streams.input, close)))
            }
            Plan::Http(plan) => {
                let (sender, receiver) = mpsc::channel(BACKEND_LINES_QUEUED);
                tokio::spawn(take_http(receiver, actor.clone()));
                let limits = HttpLimits { max_body: settings.max_line };
                HttpConnection::open(backend.clone(), plan, limits, sender).map(Link::Http)
            }
        }
    }

    /// The position the next line will have; see [`Link::begun`].
    pub(super) fn next_line(&self) -> u64 {
        match self {
            Link::Child(child) => child.queued + 1,
            Link::Http(_) => 0,
        }
    }

    /// Lines up to this one may have left. Over HTTP every message ends by itself and says so.
    pub(super) fn begun(&self) -> u64 {
        match self {
            Link::Child(child) => child.begun.load(Ordering::Acquire),
            Link::Http(_) => 0,
        }
    }

    /// Nothing that was not begun leaves any more; what [`Link::begun`] says from here on is final. A line that was
    /// given up here may be sent to the next incarnation, so it must not reach this one after all.
    pub(super) fn seal(&self) {
        if let Link::Child(child) = self {
            child.pump.abort();
        }
    }

    /// Sends now or refuses.
    pub(super) fn send(&mut self, kind: Kind, line: Line) -> Result<(), crate::gate::Busy> {
        match self {
            Link::Child(child) => {
                child.queued += 1;
                // A child whose input has ended is sent nothing; what was meant for it never left.
                let Some(lines) = &child.lines else { return Ok(()) };
                lines.try_send(line).map_err(|_| {
                    child.queued -= 1;
                    crate::gate::Busy
                })
            }
            Link::Http(connection) => {
                connection.send(Outgoing { line: line.to_bytes(), kind }).map_err(|_| crate::gate::Busy)
            }
        }
    }

    /// Ends a child's input and leaves the child alone: it may still answer.
    pub(super) fn end_input(&mut self) {
        if let Link::Child(child) = self {
            child.lines = None;
        }
    }

    /// Ends the connection: a child's stdin is closed, then its group is ended in stages; an HTTP session is
    /// deleted. Returns how it ended.
    pub(super) async fn close(self, grace: StopGrace) -> String {
        match self {
            Link::Child(child) => {
                drop(child.lines);
                let (ended, how) = oneshot::channel();
                let _ = child.close.send(Closing { grace, ended });
                how.await.unwrap_or_else(|_| "killed".into())
            }
            Link::Http(connection) => {
                connection.close(HTTP_CLOSE).await;
                "session closed".into()
            }
        }
    }
}

impl ChildLink {
    fn over(stdin: impl AsyncWrite + Unpin + Send + 'static, close: oneshot::Sender<Closing>) -> Self {
        let (lines, queue) = mpsc::channel(BACKEND_OUT_QUEUE);
        let begun = Arc::new(AtomicU64::new(0));
        let counter = begun.clone();
        let pump = tokio::spawn(async move {
            let count = |n| counter.store(n, Ordering::Release);
            // A broken pipe needs no word here: the reader sees the end of the child's output.
            let _ = out::pump(queue, stdin, Toward::Backend, count).await;
        });
        ChildLink { lines: Some(lines), queued: 0, begun, pump: pump.abort_handle(), close }
    }
}

/// Owns the child's group until it is over. The end of the leader is the end of the backend, even when a process it
/// left behind still holds the pipes. A link that vanishes without a word takes the group with it.
async fn keep(
    group: Group,
    news: watch::Sender<Option<Ended>>,
    mut closing: oneshot::Receiver<Closing>,
    actor: ActorRef<BackendMessage>,
    tether: Option<Tether>,
) {
    let asked = tokio::select! {
        biased;
        asked = &mut closing => asked,
        ended = exited(&group, tether.as_ref()) => {
            news.send_replace(Some(ended));
            // What the leader wrote last is still in the pipe; the reader's word comes first when the pipe ends.
            tokio::time::sleep(LAST_OUTPUT).await;
            let _ = actor.send_message(BackendMessage::LinkClosed { why: ended.to_string() });
            closing.await
        }
    };
    if let Ok(Closing { grace, ended }) = asked {
        let stopped = group.stop(grace).await;
        if let Some(tether) = &tether {
            tether.tell_end(stopped.ended);
        }
        let _ = ended.send(stopped.how);
    }
}

/// The end of the leader. Until then every signal that comes down the tether is handed on.
async fn exited(group: &Group, tether: Option<&Tether>) -> Ended {
    let Some(tether) = tether else { return group.exited().await };
    loop {
        tokio::select! {
            biased;
            ended = group.exited() => return ended,
            asked = tether.asked() => group.pass(asked),
        }
    }
}

/// A server in this process has no group to end: the end of its input is all it is told.
async fn until_closed(closing: oneshot::Receiver<Closing>) {
    if let Ok(Closing { ended, .. }) = closing.await {
        let _ = ended.send("closed".into());
    }
}

/// Reads the child's stdout to its end, one place per line: a child that floods waits on its own pipe.
async fn read(
    stdout: impl AsyncRead + Unpin,
    max_line: usize,
    mut exit: watch::Receiver<Option<Ended>>,
    actor: ActorRef<BackendMessage>,
) {
    let mut why = match read_frames(stdout, max_line, &actor).await {
        Ok(()) => "closed its standard output".to_owned(),
        Err(error) => format!("its standard output cannot be read: {error}"),
    };
    // The end of the pipe is usually the end of the child, which is heard of a moment later and says more.
    if let Ok(Ok(ended)) = tokio::time::timeout(EXIT_NEWS, exit.wait_for(Option::is_some)).await
        && let Some(ended) = *ended
    {
        why = ended.to_string();
    }
    let _ = actor.send_message(BackendMessage::LinkClosed { why });
}

async fn read_frames(
    mut stdout: impl AsyncRead + Unpin,
    max_line: usize,
    actor: &ActorRef<BackendMessage>,
) -> std::io::Result<()> {
    let places = Gate::new(BACKEND_LINES_QUEUED);
    let mut framer = Framer::new(max_line);
    loop {
        let read = stdout.read_buf(framer.spare(READ_BYTES)).await?;
        let ended = read == 0;
        while let Some(frame) = framer.next_frame().or_else(|| if ended { framer.rest() } else { None }) {
            let Ok(place) = places.enter().await else { return Ok(()) };
            if actor.send_message(BackendMessage::Frame(frame, place)).is_err() {
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
    }
}

/// Hands what comes over HTTP to the actor; the bounded channel holds up a server that floods.
async fn take_http(mut incoming: mpsc::Receiver<http::Incoming>, actor: ActorRef<BackendMessage>) {
    let places = Gate::new(BACKEND_LINES_QUEUED);
    while let Some(message) = incoming.recv().await {
        let Ok(place) = places.enter().await else { return };
        if actor.send_message(BackendMessage::Http(Box::new(message), place)).is_err() {
            return;
        }
    }
}

/// The bytes of a message that a link sends.
pub(super) fn request(id: u64, method: &str, params: Option<Bytes>) -> Line {
    Line::request(id.to_string().as_bytes(), method, params)
}
