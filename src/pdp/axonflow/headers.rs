//! The headers that every request to AxonFlow carries: credentials, who asks, and the handshake.

use super::AxonflowOptions;
use super::options::OptionsError;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ureq::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// The headers of every request.
pub(super) fn common_headers(options: &AxonflowOptions) -> Result<HeaderMap, OptionsError> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = options.client_secret.as_deref().filter(|s| !s.is_empty()) {
        let basic = STANDARD.encode(format!("{}:{secret}", options.client_id));
        let mut value = header_value("AXONFLOW_CLIENT_SECRET", &format!("Basic {basic}"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let client = format!("mcp-proxy/{}", options.client_version);
    let named = [
        ("x-user-email", "AXONFLOW_LEADER_EMAIL", options.leader_email.as_str()),
        ("x-session-id", "AXONFLOW_SESSION_ID", options.session_id.as_str()),
        ("x-axonflow-client", "the version", client.as_str()),
    ];
    for (header, setting, text) in named.into_iter().filter(|(_, _, text)| !text.is_empty()) {
        headers.insert(HeaderName::from_static(header), header_value(setting, text)?);
    }
    if let Some(audience) = options.pep_audience.as_deref().filter(|a| !a.is_empty()) {
        let value = header_value("AXONFLOW_PEP_AUDIENCE", &handshake(&options.gateway_id, audience)?)?;
        headers.insert(HeaderName::from_static("x-axonflow-pep-handshake"), value);
    }
    Ok(headers)
}

fn header_value(setting: &'static str, text: &str) -> Result<HeaderValue, OptionsError> {
    HeaderValue::from_str(text).map_err(|_| OptionsError::NotAHeader { setting })
}

/// `X-Axonflow-PEP-Handshake` (the AxonFlow contract, section 1.4): base64url of a JSON object without padding.
fn handshake(pep_id: &str, audience: &str) -> Result<String, OptionsError> {
    let follows = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    let valid = audience.len() <= 128
        && audience.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && audience.bytes().all(follows);
    if !valid {
        return Err(OptionsError::Audience);
    }
    let hello = serde_json::json!({
        "profile_version": 1,
        "pep_id": pep_id,
        "audience": audience,
        "capabilities": [{"type": "field_redact", "version": 1}],
    });
    Ok(URL_SAFE_NO_PAD.encode(hello.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_a_json_object_in_base64url() {
        let decoded = URL_SAFE_NO_PAD.decode(handshake("gw", "team.a:1").expect("good")).expect("base64url");
        let hello: serde_json::Value = serde_json::from_slice(&decoded).expect("JSON");
        assert_eq!(hello["audience"], "team.a:1");
        assert_eq!(hello["capabilities"][0]["type"], "field_redact");
        for bad in [".a", "a b", "ä", &"a".repeat(129)] {
            assert!(handshake("gw", bad).is_err(), "{bad}");
        }
    }
}
