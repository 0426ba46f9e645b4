//! The handle on one backend's endpoint, and the threads behind it.

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::limits::{
    DELETE_DEADLINE, NOTICE_THREADS, NOTICES_WAITING, REQUEST_THREADS, REQUESTS_WAITING, STREAM_THREADS,
};
use super::link::{Key, Link};
use super::stream::GetStream;
use super::{HttpLimits, Incoming, Outgoing, post};
use crate::ports::HttpPlan;
use crate::workers::{Busy, Workers};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A connection to one backend. Dropping it ends every exchange at once; [`HttpConnection::close`] also ends the
/// session at the server and waits for the threads.
pub struct HttpConnection {
    link: Arc<Link>,
    /// One thread for each request in flight.
    requests: Workers,
    /// Notifications and responses, which must never wait behind a request.
    notices: Workers,
    streams: Workers,
    /// Counts the jobs that run.
    jobs: TaskTracker,
    counter: AtomicU64,
    stream: Mutex<Option<Key>>,
}

impl HttpConnection {
    /// Prepares a connection for `backend` (its id, for the log); connects to nothing yet. A full `incoming` stops
    /// the reading from the server.
    ///
    /// # Errors
    /// What is wrong with the plan, for a person; no secret is in it.
    pub fn open(
        backend: Arc<str>,
        plan: &HttpPlan,
        limits: HttpLimits,
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, String> {
        let link = Link::new(backend, Endpoint::new(plan)?, limits, incoming);
        Ok(Self {
            link: Arc::new(link),
            requests: Workers::new("http-request", REQUEST_THREADS, REQUESTS_WAITING),
            notices: Workers::new("http-notice", NOTICE_THREADS, NOTICES_WAITING),
            streams: Workers::new("http-stream", STREAM_THREADS, 1),
            jobs: TaskTracker::new(),
            counter: AtomicU64::new(0),
            stream: Mutex::new(None),
        })
    }

    /// Sends one message. Never waits.
    ///
    /// # Errors
    /// [`Busy`] when no thread and no place in the queue is left, or the connection is closing: the message was not
    /// sent, and nothing more will be told of it.
    pub fn send(&self, out: Outgoing) -> Result<(), Busy> {
        let (pool, key) = match out.kind.request() {
            Some(id) => (&self.requests, Key::Request(id)),
            None => (&self.notices, Key::Notice(self.count())),
        };
        self.start(pool, key, move |link, exchange| {
            post::run(link, exchange, &out);
        })
    }

    /// Every later message names this protocol version: the one of the answer to `initialize`.
    pub fn negotiated(&self, protocol_version: &str) {
        self.link.session.negotiated(protocol_version);
    }

    /// Opens the GET stream of the session, in place of an earlier one, and keeps it open. Tells
    /// [`Incoming::StreamReady`] once. Call it after [`Incoming::Accepted`].
    pub fn open_stream(&self) {
        let key = Key::Stream(self.count());
        let earlier = self.stream.lock().unwrap_or_else(PoisonError::into_inner).replace(key);
        if let Some(earlier) = earlier {
            self.link.cancel(earlier);
        }
        let started = self.start(&self.streams, key, |link, exchange| {
            exchange.scope(|| GetStream::new(link, exchange).run());
        });
        if started.is_err() && !self.link.is_over() {
            tracing::warn!(backend = %self.link.backend, "no thread for the GET stream");
            self.link.tell_stream_ready();
        }
    }

    /// Stops waiting for a request: one that has not begun is not sent, an open answer is cut. Nothing more is told
    /// of it, besides what is in the queue already. The notification to the server is the caller's to send.
    pub fn cancel(&self, request: u64) {
        self.link.cancel(Key::Request(request));
    }

    /// Ends every exchange, then the session at the server, then the connections, and waits for the threads: all by
    /// `deadline`. A thread inside a DNS lookup or a TCP connect may outlive it by seconds; it ends by itself.
    pub async fn close(self, deadline: Duration) {
        let ends = Instant::now() + deadline;
        self.link.cancel_all();
        let _ = timeout(deadline.min(DELETE_DEADLINE), self.end_session()).await;
        self.link.endpoint.shutdown();
        self.jobs.close();
        if timeout_at(ends, self.jobs.wait()).await.is_err() {
            tracing::debug!(backend = %self.link.backend, left = self.jobs.len(), "threads are still at work");
        }
    }

    /// DELETE (MCP 2025-11-25, "Session Management", item 5). A server may refuse it with 405.
    async fn end_session(&self) {
        let ticket = self.link.session.ticket();
        if ticket.id.is_none() {
            return;
        }
        let (link, job) = (self.link.clone(), self.jobs.token());
        let ended = self.notices.run(move || {
            let _job = job;
            // An exchange of its own: all others are over.
            let exchange = Exchange::new(&CancellationToken::new());
            match exchange.scope(|| link.endpoint.delete(&ticket)) {
                Ok(response) => tracing::debug!(backend = %link.backend, status = response.status().as_u16(), "session ended"),
                Err(error) => tracing::debug!(backend = %link.backend, %error, "the session could not be ended"),
            }
        });
        if let Ok(ended) = ended {
            let _ = ended.await;
        }
    }

    /// Counts the jobs under way, also after closing.
    #[cfg(test)]
    pub(super) fn jobs(&self) -> impl Fn() -> usize + use<> {
        let jobs = self.jobs.clone();
        move || jobs.len()
    }

    fn count(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives `work` to a thread of `pool`, as the exchange `key`.
    fn start(
        &self,
        pool: &Workers,
        key: Key,
        work: impl FnOnce(&Link, &Arc<Exchange>) + Send + 'static,
    ) -> Result<(), Busy> {
        if self.link.is_over() {
            return Err(Busy);
        }
        let exchange = self.link.begin(key);
        let (link, job) = (self.link.clone(), self.jobs.token());
        let started = pool.run(move || {
            let _job = job;
            work(&link, &exchange);
            link.forget(key);
        });
        match started {
            Ok(pending) => {
                self.link.keep(key, pending);
                Ok(())
            }
            Err(Busy) => {
                self.link.forget(key);
                Err(Busy)
            }
        }
    }
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        self.link.cancel_all();
        self.link.endpoint.shutdown();
    }
}
