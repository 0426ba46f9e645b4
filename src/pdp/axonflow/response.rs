//! The response plane: has the service check and mask what a tool answered. Closed in every case but an explicit
//! yes, whatever the fail mode is: the tool has run, but nobody has seen its answer yet.

use super::answer;
use super::wire::{CheckOutputAnswer, CheckOutputRequest};
use super::{CONNECTOR_TYPE, Shared, WORDS};
use crate::pdp::remote::breaker::{Breaker, Permission};
use crate::pdp::remote::http::{NoReply, Post, Reply};
use crate::pdp::remote::refusal;
use callgate_actors::ports::Withheld;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const CHECK_OUTPUT: &str = "/api/v1/mcp/check-output";
/// Longest body to and from the response plane (the AxonFlow contract, section 2.1).
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Asks `POST /api/v1/mcp/check-output`. Its breaker is its own, so that answers which are slow to check never
/// make the decision plane look dead.
pub struct CheckOutput {
    shared: Arc<Shared>,
    breaker: Mutex<Breaker>,
}

impl CheckOutput {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, breaker: Mutex::new(Breaker::new()) }
    }

    /// Checks `result_json`, the whole serialised result of a tool: one JSON object. `Ok(None)` passes it as it is,
    /// `Ok(Some(..))` is the masked object to pass instead. Blocks for at most the decide timeout.
    pub fn check(&self, result_json: &[u8]) -> Result<Option<Vec<u8>>, Withheld> {
        let reply = self.ask(result_json).map_err(|reason| withheld(&reason))?;
        let body = match &reply.body {
            Ok(body) => body,
            Err(broken) => return Err(withheld(broken.text)),
        };
        let answer = match reply.status {
            // A block is a 403, and so is a tenant that does not belong to the credentials: the body tells.
            200 | 403 => serde_json::from_slice::<CheckOutputAnswer>(body).ok(),
            _ => None,
        };
        match answer {
            Some(answer) if !answer.allowed => Err(blocked(&answer)),
            Some(answer) if reply.status == 200 => masked(answer).map_err(withheld),
            None if reply.status == 200 => Err(withheld("the policy service's answer cannot be read")),
            _ => Err(withheld(&refusal::read(reply.status, Some(body), reply.retry_after, &WORDS).text)),
        }
    }

    fn ask(&self, result_json: &[u8]) -> Result<Reply, String> {
        let message = std::str::from_utf8(result_json).map_err(|_| "it is not UTF-8".to_owned())?;
        let request = CheckOutputRequest {
            client_id: &self.shared.client_id,
            user_token: self.shared.user_token(),
            tenant_id: &self.shared.tenant_id,
            connector_type: CONNECTOR_TYPE,
            message,
        };
        // Escaping only makes the message longer.
        let body = (message.len() <= MAX_BODY_BYTES).then(|| serde_json::to_vec(&request).ok()).flatten();
        let body = body.filter(|body| body.len() <= MAX_BODY_BYTES).ok_or_else(|| {
            format!("it is too large for the policy service, which reads {MAX_BODY_BYTES} bytes")
        })?;
        let now = Instant::now();
        let deadline = now + self.shared.timeout;
        let probe = match self.breaker().ask(now, deadline) {
            Permission::Ask { probe } => probe,
            Permission::FailFast { .. } => {
                return Err("the policy service has not answered lately".to_owned());
            }
            Permission::Wait { retry_after, status } => {
                return Err(refusal::still_waiting(status, retry_after, &WORDS));
            }
        };
        let post =
            Post { path: CHECK_OUTPUT, headers: &[], body: &body, max_reply_bytes: MAX_BODY_BYTES, deadline };
        let reply = self.shared.http.post(&post);
        self.report(&reply, probe);
        reply.map_err(|no_reply| format!("policy service unavailable: {}", no_reply.text))
    }

    fn report(&self, reply: &Result<Reply, NoReply>, probe: bool) {
        let now = Instant::now();
        let mut breaker = self.breaker();
        match reply {
            Err(NoReply { outage: true, .. }) => breaker.failed(now, probe),
            Ok(Reply { body: Err(NoReply { outage: true, .. }), .. }) => breaker.failed(now, probe),
            Ok(Reply { status: status @ (429 | 503), retry_after: Some(after), .. }) => {
                breaker.answered();
                breaker.told_to_wait(now, *after, *status);
            }
            Ok(_) | Err(_) => breaker.answered(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads an explicit yes: nothing masked, or a masked text that is one JSON object.
fn masked(answer: CheckOutputAnswer) -> Result<Option<Vec<u8>>, &'static str> {
    use serde_json::Value;
    if answer.redaction_evaluated == Some(false) {
        return Err("the policy service did not look for personal data");
    }
    match answer.redacted_data {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Err("the policy service masked all of it"),
        Some(Value::String(text)) => {
            let object = text.trim_ascii_start().starts_with('{')
                && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            if object { Ok(Some(text.into_bytes())) } else { Err("masked, it is no JSON object any more") }
        }
        Some(_) => Err("the policy service masked it in a form that cannot be read"),
    }
}

fn blocked(answer: &CheckOutputAnswer) -> Withheld {
    let reason = answer::reason(answer.block_reason.as_deref().unwrap_or_default());
    let reason = if reason.is_empty() { "response blocked by policy" } else { &reason };
    Withheld {
        blocked: true,
        reason: reason.to_owned(),
        decision_id: answer::decision_id(answer.decision_id.as_deref().unwrap_or_default()),
        ..Withheld::default()
    }
}

fn withheld(reason: &str) -> Withheld {
    Withheld { reason: reason.to_owned(), ..Withheld::default() }
}
