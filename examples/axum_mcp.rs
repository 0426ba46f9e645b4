//! An MCP server over Streamable HTTP whose tool calls are governed by a layer.
//!
//! `cargo run --example axum_mcp`, then
//! `curl -s localhost:8080/mcp -H 'content-type: application/json' -d
//! '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find_customer","arguments":{"id":7}}}'`
#![allow(clippy::print_stdout, reason = "an example shows what comes of it")]

use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, http::StatusCode, http::header};
use callgate::intercept::{CallgateLayer, Interceptor};
use serde_json::{Value, json};
use std::error::Error;
use tokio::net::TcpListener;

/// The server as it would be without the layer. It knows nothing of policies.
async fn mcp(Json(message): Json<Value>) -> Response {
    let id = &message["id"];
    if id.is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let params = &message["params"];
    match (message["method"].as_str(), params["name"].as_str()) {
        (Some("initialize"), _) => Json(result(json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "crm", "version": "1"}
        })))
        .into_response(),
        (Some("tools/list"), _) => Json(result(json!({"tools": [
            {"name": "find_customer", "inputSchema": {"type": "object"}},
            {"name": "export", "inputSchema": {"type": "object"}}
        ]})))
        .into_response(),
        (Some("tools/call"), Some("find_customer")) => {
            let text = format!("customer {}: Siti, siti@example.co.id", params["arguments"]["id"]);
            Json(result(json!({"content": [{"type": "text", "text": text}]}))).into_response()
        }
        // One that takes longer tells of its progress on the way.
        (Some("tools/call"), Some("export")) => {
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": 1, "progress": 1, "message": "writing to siti@example.co.id"}});
            let end = result(json!({"content": [{"type": "text", "text": "sent to siti@example.co.id"}]}));
            let events = format!("id: 1\ndata: {progress}\n\nid: 2\nevent: message\ndata: {end}\n\n");
            ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        _ => Json(json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "unknown"}}))
            .into_response(),
    }
}

/// The application: only what is posted to `/mcp` passes the layer.
pub(crate) fn app(interceptor: Interceptor) -> Router {
    Router::new()
        .route("/mcp", post(mcp).layer(CallgateLayer::new(interceptor)))
        .route("/health", get(|| async { "ok" }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let interceptor = Interceptor::from_environment().server("crm").deny(["delete_*"]).build()?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, app(interceptor)).await?;
    Ok(())
}
