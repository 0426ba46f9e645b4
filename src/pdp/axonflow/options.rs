//! What the AxonFlow client is told at the start.

use std::fmt;
use std::time::Duration;

/// Settings of the AxonFlow dialect (the AxonFlow contract, section 6.1). An empty text means "not set".
#[derive(Clone)]
pub struct AxonflowOptions {
    /// `AXONFLOW_ENDPOINT`: base URL, `http` or `https`; trailing slashes do not matter.
    pub endpoint: String,
    /// `AXONFLOW_CLIENT_ID`: the Basic user and the `client_id` of the response plane.
    pub client_id: String,
    /// `AXONFLOW_CLIENT_SECRET`, raw; without one no credentials are sent.
    pub client_secret: Option<String>,
    /// `AXONFLOW_USER_TOKEN`, raw.
    pub user_token: Option<String>,
    /// `AXONFLOW_TENANT_ID`
    pub tenant_id: String,
    /// `AXONFLOW_ORG_ID`
    pub org_id: String,
    /// `AXONFLOW_GATEWAY_ID`
    pub gateway_id: String,
    /// `AXONFLOW_SESSION_ID`
    pub session_id: String,
    /// `AXONFLOW_LEADER_EMAIL`
    pub leader_email: String,
    /// `AXONFLOW_AI_AGENT`
    pub ai_agent: String,
    /// `AXONFLOW_PEP_AUDIENCE`: with one, every request carries the handshake header.
    pub pep_audience: Option<String>,
    /// `AXONFLOW_DECIDE_TIMEOUT`: longest time of one request; a call's own deadline may be shorter.
    pub decide_timeout: Duration,
    /// `CALLGATE_APPROVAL_POLL`: how often the platform is asked how an approval stands.
    pub approval_poll: Duration,
    /// Version of this program.
    pub client_version: String,
}

impl fmt::Debug for AxonflowOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| if secret.is_some() { "…" } else { "none" };
        f.debug_struct("AxonflowOptions")
            .field("client_id", &self.client_id)
            .field("client_secret", &hidden(&self.client_secret))
            .field("user_token", &hidden(&self.user_token))
            .field("gateway_id", &self.gateway_id)
            .field("decide_timeout", &self.decide_timeout)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot work, with the way out. Quotes no value: some are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not an HTTP URL.
    #[error(
        "AXONFLOW_ENDPOINT is not an http or https URL without a query; write it like \"https://policy.example.com\""
    )]
    Endpoint,
    /// A header cannot carry the value.
    #[error(
        "{setting} has characters that an HTTP header cannot carry; remove line breaks and control characters"
    )]
    NotAHeader {
        /// Name of the setting.
        setting: &'static str,
    },
    /// Outside the contract's alphabet.
    #[error(
        "AXONFLOW_PEP_AUDIENCE must be 1 to 128 letters, digits or \"._:-\" and begin with a letter or digit; \
         leave it empty to send no handshake"
    )]
    Audience,
}

/// A secret in memory; `Debug` does not print it.
#[derive(Clone)]
pub(super) struct Credential(String);

impl Credential {
    /// `None` for the empty text.
    pub(super) fn new(text: Option<&str>) -> Option<Self> {
        text.filter(|t| !t.is_empty()).map(|t| Self(t.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
