//! What the client of the Agent Action Firewall is told at the start.

use crate::secret::Secret;
use std::time::Duration;

/// Settings of the `aaf` dialect (the Agent Action Firewall contract, section 8.3).
#[derive(Clone, Debug)]
pub struct AafOptions {
    /// `AAF_API_URL`: base URL, `https`, or `http` on this machine; trailing slashes do not matter.
    pub url: String,
    /// `AAF_API_KEY`, sent as `X-Agent-Key`.
    pub api_key: Secret,
    /// `CALLGATE_AAF_AGENT_ID`, sent as `X-Agent-Id`.
    pub agent_id: String,
    /// `CALLGATE_AAF_OPERATION`: `operation` of every action.
    pub operation: String,
    /// `CALLGATE_AAF_PARAMS`: under which name the arguments are sent.
    pub params: ParamsMember,
    /// `MCP_PROXY_REQUEST_TIMEOUT_MS`: longest time of one request.
    pub request_timeout: Duration,
    /// `CALLGATE_APPROVAL_POLL`: how often it is asked how an approval stands.
    pub approval_poll: Duration,
    /// `CALLGATE_APPROVAL_LIFETIME`: how long an approval is waited for, and a grant used.
    pub approval_lifetime: Duration,
    /// `AXONFLOW_SESSION_ID`
    pub session_id: String,
    /// `AXONFLOW_AI_AGENT`: who stands as the asking one in the tickets kept here.
    pub ai_agent: String,
    /// Version of this program.
    pub client_version: String,
}

/// The name of the member that carries the arguments. The API pages say `params`, the proxy's page `parameters`
/// (section 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsMember {
    /// `params`
    Params,
    /// `parameters`
    Parameters,
    /// Both, with the same value.
    Both,
}

/// A setting that cannot work, with the way out. Quotes no value: some are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not an HTTP URL.
    #[error(
        "AAF_API_URL is not an http or https URL without a query; write it like \
         \"https://api.agentactionfirewall.com\""
    )]
    Address,
    /// A header cannot carry the value.
    #[error(
        "{setting} has characters that an HTTP header cannot carry; remove line breaks and blanks at its ends"
    )]
    NotAHeader {
        /// Name of the setting.
        setting: &'static str,
    },
}
