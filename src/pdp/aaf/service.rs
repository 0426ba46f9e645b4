//! Talks to the API of the Agent Action Firewall: credentials, time limits, breaker, and when to try again.
//!
//! An action is submitted again only with the same idempotency key, and only when nobody answered, the service failed
//! (5xx), or it named a time to come back at.

use super::options::{AafOptions, OptionsError};
use super::request::MAX_BODY_BYTES;
use crate::pdp::remote::breaker::{Breaker, Permission};
use crate::pdp::remote::http::{NoReply, PolicyClient, Post, Reply};
use crate::pdp::remote::refusal::{self, Words};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};

const ACTIONS: &str = "/v1/actions";
/// Attempts to have one call decided.
pub(super) const ATTEMPTS: u32 = 3;
/// Pause before the second attempt where the service names none; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// An attempt that would have less time than this is not begun.
const LEAST_TIME: Duration = Duration::from_millis(100);
/// Longest time of one request, whatever is set.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// How the settings of this dialect are called.
const WORDS: Words = Words {
    credentials: "AAF_API_KEY",
    forbidden: "the agent is not known there, disabled, or not allowed for this key (403); check \
                CALLGATE_AAF_AGENT_ID and AAF_API_KEY",
    address: "AAF_API_URL",
};

/// The API, as long as the process lives.
pub(super) struct Service {
    http: PolicyClient,
    breaker: Mutex<Breaker>,
    request_timeout: Duration,
}

/// Why there is no body to read.
#[derive(Clone, Debug)]
pub(super) struct NoAnswer {
    /// Nobody who decides has answered.
    pub(super) outage: bool,
    /// The status, when there was one.
    pub(super) status: Option<u16>,
    /// For the person and the model.
    pub(super) text: String,
    /// When asking again makes sense.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same question may be asked again at once.
    again: bool,
}

impl Service {
    /// Makes the client; nothing is connected yet.
    pub(super) fn new(options: &AafOptions) -> Result<Self, OptionsError> {
        let mut headers = HeaderMap::new();
        let mut key = header("AAF_API_KEY", options.api_key.expose())?;
        key.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-agent-key"), key);
        let agent = header("CALLGATE_AAF_AGENT_ID", &options.agent_id)?;
        headers.insert(HeaderName::from_static("x-agent-id"), agent);
        let http = PolicyClient::new(&options.url, &options.client_version, headers)
            .map_err(|_| OptionsError::Address)?;
        let request_timeout = options.request_timeout.min(LONGEST_TIMEOUT);
        Ok(Self { http, breaker: Mutex::new(Breaker::new()), request_timeout })
    }

    /// Submits an action; `body` holds its idempotency key. Gives the body of a 200, 201 or 202.
    pub(super) fn submit(
        &self,
        body: &[u8],
        traceparent: &str,
        deadline: Instant,
    ) -> Result<Vec<u8>, NoAnswer> {
        let traceparent = HeaderValue::from_str(traceparent).ok();
        let headers: Vec<_> =
            traceparent.into_iter().map(|value| (HeaderName::from_static("traceparent"), value)).collect();
        let send = |deadline| {
            let (headers, max_reply_bytes) = (&headers, MAX_BODY_BYTES);
            self.http.post(&Post { path: ACTIONS, headers, body, max_reply_bytes, deadline })
        };
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.exchange(deadline, |wait| fits(wait.unwrap_or(pause), deadline), send) {
                Err(no_answer) if no_answer.again => {
                    std::thread::sleep(no_answer.retry_after.unwrap_or(pause));
                    pause *= 2;
                }
                done => return done,
            }
        }
        self.exchange(deadline, |_| false, send)
    }

    /// Asks once for what is at `path`, which begins with a slash.
    pub(super) fn get(&self, path: &str, deadline: Instant) -> Result<Vec<u8>, NoAnswer> {
        let send = |deadline| self.http.get(path, MAX_BODY_BYTES, deadline);
        self.exchange(deadline, |_| false, send)
    }

    /// One request with the breaker before and behind it. `may_wait` says whether there is time to ask again after a
    /// pause: the one that the service named, or one of ours.
    fn exchange(
        &self,
        deadline: Instant,
        may_wait: impl Fn(Option<Duration>) -> bool,
        send: impl Fn(Instant) -> Result<Reply, NoReply>,
    ) -> Result<Vec<u8>, NoAnswer> {
        let now = Instant::now();
        let deadline = deadline.min(now + self.request_timeout);
        if deadline <= now {
            return Err(NoAnswer::unasked(true, unavailable("no time was left to ask it"), None));
        }
        let probe = match self.breaker().ask(now, deadline) {
            Permission::Ask { probe } => probe,
            Permission::FailFast { retry_after } => {
                let text = unavailable("it has not answered lately");
                return Err(NoAnswer::unasked(true, text, Some(retry_after)));
            }
            Permission::Wait { retry_after, status } => {
                let text = refusal::still_waiting(status, retry_after, &WORDS);
                let again = may_wait(Some(retry_after));
                return Err(NoAnswer { again, ..NoAnswer::unasked(false, text, Some(retry_after)) });
            }
        };
        let answer = read(send(deadline));
        match answer {
            Ok(body) => {
                self.breaker().answered();
                Ok(body)
            }
            Err(mut no_answer) => {
                no_answer.again = no_answer.is_passing() && !probe && may_wait(no_answer.retry_after);
                self.report(&no_answer, probe);
                Err(no_answer)
            }
        }
    }

    fn report(&self, no_answer: &NoAnswer, probe: bool) {
        let now = Instant::now();
        let mut breaker = self.breaker();
        match *no_answer {
            // One call counts once, however often it was tried.
            NoAnswer { outage: true, again: true, .. } => {}
            NoAnswer { outage: true, .. } => breaker.failed(now, probe),
            NoAnswer { status: Some(status @ (429 | 503)), retry_after: Some(after), .. } => {
                breaker.answered();
                breaker.told_to_wait(now, after, status);
            }
            NoAnswer { .. } => breaker.answered(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NoAnswer {
    fn unasked(outage: bool, text: String, retry_after: Option<Duration>) -> Self {
        Self { outage, status: None, text, retry_after, again: false }
    }

    /// Whether the next attempt may find something else.
    fn is_passing(&self) -> bool {
        match self.status {
            None => self.outage,
            Some(500..=599) => true,
            Some(408 | 409 | 425 | 429) => self.retry_after.is_some(),
            Some(_) => false,
        }
    }
}

fn read(reply: Result<Reply, NoReply>) -> Result<Vec<u8>, NoAnswer> {
    let broken = |NoReply { outage, text }| NoAnswer::unasked(outage, unavailable(text), None);
    let Reply { status, retry_after, body } = reply.map_err(broken)?;
    if matches!(status, 200..=202) {
        return body.map_err(broken);
    }
    let refusal = refusal::read(status, body.as_deref().ok(), retry_after, &WORDS);
    let (outage, text) = (refusal.outage, refusal.text);
    Err(NoAnswer { outage, status: Some(status), text, retry_after, again: false })
}

fn fits(pause: Duration, deadline: Instant) -> bool {
    deadline.saturating_duration_since(Instant::now()) >= pause + LEAST_TIME
}

fn unavailable(text: &str) -> String {
    format!("policy service unavailable: {text}")
}

fn header(setting: &'static str, text: &str) -> Result<HeaderValue, OptionsError> {
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| text.trim() == text && !text.is_empty())
        .ok_or(OptionsError::NotAHeader { setting })
}
