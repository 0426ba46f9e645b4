//! Tells open pages what changes: one reader of the store for all of them, and a bounded number of streams, each with a
//! heartbeat and an end (Server-Sent Events, WHATWG HTML, section 9.2).

use super::{Page, Shared, view};
use crate::server::limits::{PAGE_BEAT, PAGE_LIFE, PAGE_LISTENERS, PAGE_POLL};
use crate::server::reply::Refusal;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use jiff::Timestamp;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// Events that one listener has not taken yet. The newest state is enough, so few are kept.
const QUEUED: usize = 2;

/// What is shown now, or why it cannot be.
type Desk = Arc<Result<String, String>>;

/// The streams of one page.
pub(super) struct Live {
    desk: watch::Sender<Desk>,
    places: Arc<Semaphore>,
    is_read: AtomicBool,
    wake: Notify,
    closing: watch::Sender<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            desk: watch::Sender::new(Arc::new(Err("nothing was read yet".into()))),
            places: Arc::new(Semaphore::new(PAGE_LISTENERS)),
            is_read: AtomicBool::new(false),
            wake: Notify::new(),
            closing: watch::Sender::new(false),
        }
    }
}

impl Live {
    /// Has the store read now: something was just changed here.
    pub(super) fn nudge(&self) {
        self.wake.notify_one();
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    fn publish(&self, read: Result<String, String>) {
        self.desk.send_if_modified(|desk| {
            let is_new = **desk != read;
            if is_new {
                *desk = Arc::new(read);
            }
            is_new
        });
    }
}

async fn read(page: &Page) -> Result<String, String> {
    page.stored(view::read).await.map_err(|refusal| refusal.text().to_owned())
}

/// Reads the store as long as somebody listens.
async fn follow(page: Arc<Page>) {
    let live = &page.live;
    let mut closing = live.closing.subscribe();
    while !*closing.borrow_and_update() {
        if live.desk.receiver_count() == 0 {
            tokio::select! {
                () = live.wake.notified() => {}
                _ = closing.changed() => {}
            }
            continue;
        }
        let read = read(&page).await;
        live.publish(read);
        tokio::select! {
            _ = timeout(PAGE_POLL, live.wake.notified()) => {}
            _ = closing.changed() => {}
        }
    }
}

/// The stream of one open page: `state` with everything that is shown, whenever it changes; `trouble` while it cannot be
/// read; `beat` when nothing happens; `bye` when the page should connect anew.
pub(super) async fn events(page: Shared) -> Result<Response, Refusal> {
    let live = &page.live;
    let place = live.places.clone().try_acquire_owned().map_err(|_| {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many pages are open; close one of them")
    })?;
    let desk = live.desk.subscribe();
    let first = read(&page).await;
    live.publish(first);
    if !live.is_read.swap(true, Ordering::AcqRel) {
        tokio::spawn(follow(page.0.clone()));
    }
    live.nudge();
    let (sender, events) = mpsc::channel(QUEUED);
    tokio::spawn(tell(page.account.clone(), sender, desk, live.closing.subscribe()));
    let headers = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    Ok((headers, Body::new(Stream { events, _place: place })).into_response())
}

/// Sends events until the listener is gone, its time is over, or the server leaves.
async fn tell(
    account: String,
    events: mpsc::Sender<Bytes>,
    mut desk: watch::Receiver<Desk>,
    mut closing: watch::Receiver<bool>,
) {
    let ends = Instant::now() + PAGE_LIFE;
    desk.mark_changed();
    loop {
        let beat = Instant::now() + PAGE_BEAT;
        let text = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => break,
            () = events.closed() => return,
            () = sleep_until(ends) => break,
            changed = desk.changed() => match changed {
                Ok(()) => event(&account, &desk.borrow_and_update()),
                Err(_) => break,
            },
            () = sleep_until(beat) => "event: beat\ndata: {}\n\n".to_owned(),
        };
        // One that takes nothing for so long is not there.
        if !matches!(timeout(PAGE_BEAT, events.send(text.into())).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = events.try_send(Bytes::from_static(b"event: bye\ndata: {}\n\n"));
}

fn event(account: &str, desk: &Result<String, String>) -> String {
    let now = Timestamp::now().as_millisecond();
    match desk {
        Ok(state) => {
            let account = serde_json::json!(account);
            format!("event: state\ndata: {{\"now\":{now},\"account\":{account},\"state\":{state}}}\n\n")
        }
        Err(why) => format!("event: trouble\ndata: {}\n\n", serde_json::json!({"now": now, "trouble": why})),
    }
}

/// The body of one stream. Its place is free as soon as the connection is gone.
struct Stream {
    events: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
