//! What is asked: the body of `POST /v1/actions` for one call (the Agent Action Firewall contract, section 8.2).

use super::options::{AafOptions, ParamsMember};
use crate::strict::read_object;
use callgate_actors::call::Call;
use serde::Serialize;
use serde_json::value::RawValue;

/// Longest body: what common servers read unless told otherwise.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What is the same in every request.
#[derive(Debug)]
pub(super) struct Envelope {
    operation: String,
    params: ParamsMember,
    session_id: String,
}

/// Why a call is not put to the service at all. None of these is an outage: the client could provoke it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// The arguments are no sound JSON object.
    Malformed(String),
    /// The body would be longer than a service reads.
    TooLarge(String),
}

#[derive(Serialize)]
struct Action<'a> {
    tool: &'a str,
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    idempotency_key: &'a str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    server: &'a str,
    session_id: &'a str,
    /// The tool's own name, where the client knows it by another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_tool: Option<&'a str>,
}

impl Envelope {
    pub(super) fn new(options: &AafOptions) -> Self {
        Self {
            operation: options.operation.clone(),
            params: options.params,
            session_id: options.session_id.clone(),
        }
    }

    /// The body for this call. `key` is the same for every attempt to have one call decided.
    pub(super) fn action(&self, call: &Call, key: &str) -> Result<Vec<u8>, NotAsked> {
        let arguments = arguments(call)?;
        let of = |members: [ParamsMember; 2]| members.contains(&self.params).then_some(&*arguments);
        let action = Action {
            tool: &call.exposed,
            operation: &self.operation,
            params: of([ParamsMember::Params, ParamsMember::Both]),
            parameters: of([ParamsMember::Parameters, ParamsMember::Both]),
            idempotency_key: key,
            metadata: Metadata {
                server: &call.backend,
                session_id: &self.session_id,
                server_tool: (call.tool != call.exposed).then_some(&call.tool),
            },
        };
        let body = serde_json::to_vec(&action).map_err(malformed)?;
        if body.len() > MAX_BODY_BYTES { Err(too_large(body.len())) } else { Ok(body) }
    }
}

/// The arguments byte by byte: what is judged is what is sent to the backend. A call without arguments has none, `{}`.
fn arguments(call: &Call) -> Result<Box<RawValue>, NotAsked> {
    let text = match call.arguments.as_deref().unwrap_or_default().trim_ascii() {
        b"" | b"null" => &b"{}"[..],
        text => text,
    };
    // What is far too large is not even read.
    if text.len() > MAX_BODY_BYTES {
        return Err(too_large(text.len()));
    }
    read_object(text, &mut ()).map_err(malformed)?;
    serde_json::from_slice(text).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> NotAsked {
    NotAsked::Malformed(format!("the arguments cannot be decided on: {error}"))
}

fn too_large(bytes: usize) -> NotAsked {
    NotAsked::TooLarge(format!(
        "the arguments are too large for the policy service ({bytes} bytes of at most {MAX_BODY_BYTES}); send less"
    ))
}
