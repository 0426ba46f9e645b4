//! What is asked: the body of `POST /api/v1/decide` for one call.

use super::wire::{CallerIdentity, Context, DecideRequest, Target};
use super::{AxonflowOptions, MAX_BODY_BYTES};
use crate::canonical::go_json;
use crate::strict::read_object;
use callgate_actors::call::Call;

/// Who asks; the same in every request.
#[derive(Debug)]
pub(super) struct Identity {
    gateway_id: String,
    org_id: String,
    tenant_id: String,
    ai_agent: String,
    session_id: String,
    leader_email: String,
}

/// Why a call is not put to the service at all. None of these is an outage: the client could provoke it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// The arguments are no sound JSON object.
    Malformed(String),
    /// The body would be longer than the service reads.
    TooLarge(String),
}

impl Identity {
    pub(super) fn new(options: &AxonflowOptions) -> Self {
        Self {
            gateway_id: options.gateway_id.clone(),
            org_id: options.org_id.clone(),
            tenant_id: options.tenant_id.clone(),
            ai_agent: options.ai_agent.clone(),
            session_id: options.session_id.clone(),
            leader_email: options.leader_email.clone(),
        }
    }

    /// The body for this call, at most [`MAX_BODY_BYTES`] long.
    pub(super) fn decide_body(&self, user_token: &str, call: &Call) -> Result<Vec<u8>, NotAsked> {
        let query = query(call)?;
        let request = DecideRequest {
            stage: "tool",
            caller_identity: CallerIdentity {
                gateway_id: &self.gateway_id,
                org_id: &self.org_id,
                tenant_id: &self.tenant_id,
            },
            target: Target { kind: "tool", tool: &call.tool, server: &call.backend },
            query: &query,
            user_token,
            context: Context {
                tool_name: &call.tool,
                exposed_name: &call.exposed,
                backend: &call.backend,
                protocol: "mcp",
                surface: "claude_desktop",
                ai_agent: &self.ai_agent,
                session_id: &self.session_id,
                leader_identity: &self.leader_email,
            },
            fulfillment_capabilities: &["request_body_redaction"],
        };
        let body = serde_json::to_vec(&request).map_err(|e| NotAsked::Malformed(e.to_string()))?;
        if body.len() > MAX_BODY_BYTES { Err(too_large(body.len())) } else { Ok(body) }
    }
}

/// The text that the policies scan (the AxonFlow contract, section 1.3).
fn query(call: &Call) -> Result<String, NotAsked> {
    if is_empty(call) {
        return Ok(format!("tool_call: {}", call.tool));
    }
    let arguments = call.arguments.as_deref().unwrap_or_default();
    // The canonical text is about as long as the arguments; what is far too large is not even read.
    if arguments.len() > MAX_BODY_BYTES {
        return Err(too_large(arguments.len()));
    }
    read_object(arguments, &mut ()).map_err(malformed)?;
    let canonical = go_json(Some(arguments)).map_err(malformed)?;
    let canonical = String::from_utf8(canonical).map_err(malformed)?;
    Ok(format!("tool_call: {} args: {canonical}", call.tool))
}

/// Whether the call has no arguments: none, `null` or `{}`.
pub(super) fn is_empty(call: &Call) -> bool {
    let text = call.arguments.as_deref().unwrap_or_default().trim_ascii();
    match text {
        b"" | b"null" => true,
        [b'{', inner @ .., b'}'] => inner.trim_ascii().is_empty(),
        _ => false,
    }
}

fn malformed(error: impl std::fmt::Display) -> NotAsked {
    NotAsked::Malformed(format!("the arguments cannot be decided on: {error}"))
}

fn too_large(bytes: usize) -> NotAsked {
    NotAsked::TooLarge(format!(
        "the arguments are too large for the policy service ({bytes} bytes, it reads {MAX_BODY_BYTES}); send less"
    ))
}
