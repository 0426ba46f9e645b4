//! `GET /health`: who answers here, and what it can do (the AxonFlow contract, section 3.5).

use super::state::Shared;
use axum::Json;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Healthy from the first answer on: both planes are ready before the port is opened.
pub(super) async fn health(state: Shared) -> Json<Value> {
    let capability = |name: &str, description: &str| json!({"name": name, "since": env!("CARGO_PKG_VERSION"), "description": description});
    let mut capabilities = vec![
        capability("decide", "decisions on tool calls"),
        capability("mcp_check", "what goes to and comes from connectors"),
        capability("decisions", "decisions explained and listed"),
        capability("static_policies", "policies and overrides"),
        capability("hitl", "calls that wait for a person"),
    ];
    if state.0.connectors.is_some() {
        capabilities.push(capability("mcp_query", "statements run on backends"));
    }
    Json(json!({
        "status": "healthy",
        "service": "callgate-pdp",
        "timestamp": Timestamp::now().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "capabilities": capabilities,
        "sdk_compatibility": {"min_sdk_version": {}, "recommended_sdk_version": {}},
        "plugin_compatibility": {"min_plugin_version": {}, "recommended_plugin_version": {}},
    }))
}
