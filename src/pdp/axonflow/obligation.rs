//! Fulfils what an allow obliges to, before the call leaves: personal data in the arguments is masked by the
//! service's own check-input. What cannot be fulfilled blocks the call.

use super::answer::reason;
use super::wire::{CheckInputAnswer, CheckInputRequest, Fulfillment, Obligation};
use super::{AxonflowPdp, CONNECTOR_TYPE, MAX_BODY_BYTES};
use crate::pdp::remote::http::{Post, Reply};
use crate::strict::read_object;
use bytes::Bytes;
use std::time::Instant;
use ureq::http::Uri;

/// Where personal data in a request is masked. No other address is ever called for it.
const CHECK_INPUT: &str = "/api/v1/mcp/check-input";
/// Where personal data in an answer is masked.
const CHECK_OUTPUT: &str = "/api/v1/mcp/check-output";

/// What has to be done about an allowed call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Duty {
    /// Mask the arguments before the call leaves.
    pub(super) redact_arguments: bool,
    /// Mask the answer.
    pub(super) redact_answer: bool,
}

/// Reads the obligations; `Err` says which one cannot be fulfilled.
pub(super) fn duty(obligations: &[Obligation]) -> Result<Duty, String> {
    let mut duty = Duty::default();
    for obligation in obligations {
        if obligation.kind != "redact_pii" {
            let kind = crate::pdp::text::clean(&obligation.kind, 64);
            return Err(format!("the policy demands \"{kind}\", which this gate does not know"));
        }
        let default = Fulfillment::default();
        let fulfillment = obligation.fulfillment.as_ref().unwrap_or(&default);
        let path = match fulfillment.phase.as_deref().unwrap_or("request") {
            "request" => {
                duty.redact_arguments = true;
                CHECK_INPUT
            }
            "response" => CHECK_OUTPUT,
            _ => {
                return Err("the policy demands redaction in a phase that this gate does not know".to_owned());
            }
        };
        if !is_known_way(fulfillment, path) {
            return Err("the policy demands redaction in a way that this gate does not know".to_owned());
        }
        duty.redact_answer = true;
    }
    Ok(duty)
}

/// Whether the fulfilment is the known one. An absolute URL is accepted for its path and then not called: the
/// request goes to the configured endpoint, whatever host the URL names.
fn is_known_way(fulfillment: &Fulfillment, path: &str) -> bool {
    let endpoint = fulfillment.endpoint.as_deref().is_none_or(|given| {
        given == path || given.parse::<Uri>().is_ok_and(|uri| uri.path() == path && uri.query().is_none())
    });
    let method = fulfillment.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case("POST"));
    let text = fulfillment.content_types.as_deref().is_none_or(|types| {
        types.is_empty() || types.iter().any(|t| t.trim().to_ascii_lowercase().starts_with("text/plain"))
    });
    endpoint && method && text
}

/// Why the arguments were not masked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRedacted {
    /// The service blocks the arguments.
    Blocked(String),
    /// The obligation could not be fulfilled.
    Failed(&'static str),
}

impl AxonflowPdp {
    /// Has the service mask `arguments`; `None` when there was nothing to mask.
    pub(super) fn redact_arguments(
        &self,
        arguments: &Bytes,
        deadline: Instant,
    ) -> Result<Option<Bytes>, NotRedacted> {
        let statement =
            std::str::from_utf8(arguments).map_err(|_| NotRedacted::Failed("they are not UTF-8"))?;
        let request = CheckInputRequest {
            client_id: &self.shared.client_id,
            user_token: self.shared.user_token(),
            tenant_id: &self.shared.tenant_id,
            connector_type: CONNECTOR_TYPE,
            statement,
        };
        let body = serde_json::to_vec(&request).map_err(|_| NotRedacted::Failed("they cannot be written"))?;
        if body.len() > MAX_BODY_BYTES {
            return Err(NotRedacted::Failed("they are too large"));
        }
        let post =
            Post { path: CHECK_INPUT, headers: &[], body: &body, max_reply_bytes: MAX_BODY_BYTES, deadline };
        let reply = self.shared.http.post(&post).map_err(|no_reply| NotRedacted::Failed(no_reply.text))?;
        read(&reply)
    }
}

fn read(reply: &Reply) -> Result<Option<Bytes>, NotRedacted> {
    use NotRedacted::{Blocked, Failed};
    let body = reply.body.as_deref().map_err(|broken| Failed(broken.text))?;
    let answer = match reply.status {
        // A block is a 403, and so is a tenant that does not belong to the credentials: the body tells.
        200 | 403 => serde_json::from_slice::<CheckInputAnswer>(body).ok(),
        _ => None,
    };
    let answer = answer.ok_or(Failed("the policy service did not mask them"))?;
    if !answer.allowed {
        return Err(Blocked(reason(answer.block_reason.as_deref().unwrap_or_default())));
    }
    if reply.status != 200 {
        return Err(Failed("the policy service contradicts itself"));
    }
    if answer.redaction_evaluated == Some(false) {
        return Err(Failed("the policy service did not look for personal data"));
    }
    match answer.redacted_statement {
        Some(masked) => match read_object(masked.as_bytes(), &mut ()) {
            Ok(()) => Ok(Some(Bytes::from(masked))),
            Err(_) => Err(Failed("masked, they are no JSON object any more")),
        },
        None if answer.redacted == Some(false) || answer.redaction_evaluated == Some(true) => {
            if answer.redacted == Some(true) { Err(Failed("the masked ones are missing")) } else { Ok(None) }
        }
        // The service obliged us to mask and then says nothing of masking.
        None => Err(Failed("the policy service did not say that it looked for personal data")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duties(json: &str) -> Result<Duty, String> {
        duty(&serde_json::from_str::<Vec<Obligation>>(json).expect("obligations"))
    }

    const BOTH: Duty = Duty { redact_arguments: true, redact_answer: true };

    #[test]
    fn w37_redaction_of_the_request_is_the_default() {
        assert_eq!(duties("[]"), Ok(Duty::default()));
        for known in [
            r#"[{"type":"redact_pii"}]"#,
            r#"[{"type":"redact_pii","detail":"x","fulfillment":{"endpoint":"/api/v1/mcp/check-input",
                "method":"POST","phase":"request","content_types":["text/plain"]}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"endpoint":"https://p.example/api/v1/mcp/check-input"}}]"#,
        ] {
            assert_eq!(duties(known), Ok(BOTH), "{known}");
        }
        let response = r#"[{"type":"redact_pii","fulfillment":{"endpoint":"/api/v1/mcp/check-output",
            "phase":"response"}}]"#;
        assert_eq!(duties(response), Ok(Duty { redact_arguments: false, redact_answer: true }));
    }

    #[test]
    fn w37_what_is_not_known_cannot_be_fulfilled() {
        for unknown in [
            r#"[{"type":"redact_pii"},{"type":"watermark"}]"#,
            r#"[{"type":"REDACT_PII"}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"endpoint":"/api/v2/mcp/check-input"}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"endpoint":"https://evil.example/collect"}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"endpoint":"/api/v1/mcp/check-output"}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"phase":"later"}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"method":"PUT"}}]"#,
            r#"[{"type":"redact_pii","fulfillment":{"content_types":["application/xml"]}}]"#,
        ] {
            assert!(duties(unknown).is_err(), "{unknown}");
        }
    }

    fn reply(status: u16, body: &str) -> Result<Option<Bytes>, NotRedacted> {
        read(&Reply { status, retry_after: None, body: Ok(body.as_bytes().to_vec()) })
    }

    #[test]
    fn w37_masked_arguments_must_be_one_strict_object() {
        let masked = r#"{"allowed":true,"redacted":true,"redacted_statement":"{\"a\":\"***\"}"}"#;
        assert_eq!(reply(200, masked), Ok(Some(Bytes::from_static(br#"{"a":"***"}"#))));
        for statement in ["", "[1]", "masked", r#"{\"a\":1,\"a\":2}"#, r#"{\"a\":"#] {
            let body = format!(r#"{{"allowed":true,"redacted":true,"redacted_statement":"{statement}"}}"#);
            assert!(matches!(reply(200, &body), Err(NotRedacted::Failed(_))), "{statement}");
        }
    }

    #[test]
    fn w37_nothing_masked_needs_an_explicit_word() {
        assert_eq!(reply(200, r#"{"allowed":true,"redacted":false}"#), Ok(None));
        assert_eq!(reply(200, r#"{"allowed":true,"redaction_evaluated":true}"#), Ok(None));
        for body in [
            r#"{"allowed":true}"#,
            r#"{"allowed":true,"redacted":true}"#,
            r#"{"allowed":true,"redacted":true,"redaction_evaluated":true}"#,
            r#"{"allowed":true,"redacted":false,"redaction_evaluated":false}"#,
            r#"{"allowed":true,"redacted_statement":"{}","redaction_evaluated":false}"#,
            r#"{"redacted":false}"#,
            "",
        ] {
            assert!(matches!(reply(200, body), Err(NotRedacted::Failed(_))), "{body}");
        }
    }

    #[test]
    fn w40_a_403_is_a_block_only_if_its_body_says_so() {
        let blocked = reply(403, r#"{"allowed":false,"block_reason":"PII\nfound"}"#);
        assert_eq!(blocked, Err(NotRedacted::Blocked("PII found".into())));
        for (status, body) in [
            (403, r#"{"error":"Tenant mismatch"}"#),
            (403, r#"{"allowed":true,"redacted":false}"#),
            (401, r#"{"allowed":true,"redacted":false}"#),
            (404, ""),
            (503, r#"{"error":"no"}"#),
        ] {
            assert!(matches!(reply(status, body), Err(NotRedacted::Failed(_))), "{status} {body}");
        }
    }
}
