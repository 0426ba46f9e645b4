//! Drives `callgate pdp` with the AxonFlow SDK from crates.io, as its users write it.
//!
//! Arguments: the server's address, client id, client secret. The server runs as `drive.py` describes it. Says what
//! failed and exits with 1, or exits with 0.

use axonflow_sdk_rust::{
    AxonFlowClient, AxonFlowConfig, AxonFlowError, CacheConfig, DecideRequest, DecisionTarget,
    HITLCreateInput, HITLQueueListOptions, HITLReviewInput, ListDecisionsOptions,
};
use serde_json::json;
use std::collections::HashMap;
use std::error::Error;

type Done = Result<(), Box<dyn Error>>;

const SSN: &str = "078-05-1120";

macro_rules! expect {
    ($truth:expr, $($what:tt)+) => {
        if !$truth {
            return Err(format!($($what)+).into());
        }
    };
}

fn call(query: &str) -> DecideRequest {
    DecideRequest {
        target: DecisionTarget {
            r#type: Some("tool".into()),
            tool: Some("run".into()),
            server: Some("ledger".into()),
            ..DecisionTarget::default()
        },
        ..DecideRequest::new("tool", query)
    }
}

async fn decisions(client: &AxonFlowClient) -> Done {
    let allowed = client.decide(call(r#"tool_call: run args: {"q":"weather in Oslo"}"#)).await?;
    expect!(allowed.verdict == "allow" && allowed.obligations.is_empty(), "harmless: {allowed:?}");
    let danger = DecideRequest {
        context: Some(json!({"x-ai-agent": "driver"})),
        ..call(r#"tool_call: run args: {"cmd":"rm -rf / --no-preserve-root"}"#)
    };
    let denied = client.decide(danger).await?;
    expect!(denied.verdict == "deny", "dangerous: {denied:?}");
    let id = denied.decision_id.clone().unwrap_or_default();
    let explained = client.explain_decision(&id).await?;
    expect!(explained.decision == "blocked" && explained.decision_id == id, "explained: {explained:?}");
    expect!(
        explained.policy_matches[0].policy_id == denied.evaluated_policies[0],
        "its policy: {explained:?}"
    );
    expect!(explained.context.is_some_and(|context| context["x_ai_agent"] == "driver"), "its context");
    let wanted =
        ListDecisionsOptions { decision: Some("blocked".into()), limit: Some(5), ..Default::default() };
    let listed = client.list_decisions(wanted).await?;
    expect!(listed.iter().any(|row| row.decision_id == id), "listed: {listed:?}");
    let unknown = client.explain_decision("no-such-decision").await;
    expect!(matches!(unknown, Err(AxonFlowError::ApiError { status: 404, .. })), "unknown: {unknown:?}");
    Ok(())
}

async fn redaction(client: &AxonFlowClient) -> Done {
    let query = format!("write to jane@acme.com, ssn {SSN}");
    let (verdict, content, decision) = client.decide_and_fulfill(DecideRequest::new("llm", query)).await?;
    expect!(verdict == "allow" && decision.obligations.len() == 1, "obligation: {decision:?}");
    expect!(!content.contains(SSN) && content.starts_with("write to"), "masked: {content}");
    Ok(())
}

async fn queries(client: &AxonFlowClient) -> Done {
    let connectors = client.list_connectors().await?;
    expect!(connectors.iter().any(|one| one.id == "ledger" && one.installed), "connectors: {connectors:?}");
    let params = || HashMap::from([("query".to_owned(), json!("siti"))]);
    let found = client.query_connector("user", "ledger", "find_customer", params()).await?;
    expect!(found.success && !found.data.to_string().contains('@'), "found: {found:?}");
    let hostile = HashMap::from([("query".to_owned(), json!("rm -rf / --no-preserve-root"))]);
    let stopped = client.query_connector("user", "ledger", "find_customer", hostile).await?;
    expect!(!stopped.success && stopped.error.is_some() && stopped.data.is_null(), "stopped: {stopped:?}");
    Ok(())
}

async fn approvals(client: &AxonFlowClient) -> Done {
    let asked = r#"tool_call: run args: {"sql":"1; DROP TABLE invoices"}"#;
    let held = client.decide(call(asked)).await?;
    expect!(held.verdict == "needs_approval", "held: {held:?}");
    let pending = held.pending_approval.ok_or("no pending approval")?;
    let wanted = HITLQueueListOptions { status: Some("pending".into()), ..Default::default() };
    let queue = client.list_hitl_queue(wanted).await?;
    expect!(queue.items.iter().any(|item| item.request_id == pending.approval_id), "queue: {queue:?}");
    let item = client.get_hitl_request(&pending.approval_id).await?;
    expect!(item.status == "pending", "item: {item:?}");
    expect!(client.get_hitl_stats().await?.total_pending >= 1, "stats");
    let review = || HITLReviewInput {
        reviewer_id: "reviewer-1".into(),
        reviewer_email: "reviewer@example.com".into(),
        reviewer_role: None,
        comment: Some("fine".into()),
    };
    client.approve_hitl_request(&pending.approval_id, review()).await?;
    let retry = || DecideRequest { approval_id: Some(pending.approval_id.clone()), ..call(asked) };
    let paid = client.decide(retry()).await?;
    expect!(paid.verdict == "allow" && paid.approval_id.is_some(), "paid: {paid:?}");
    expect!(client.decide(retry()).await?.verdict == "needs_approval", "used once");
    let input = HITLCreateInput {
        client_id: "desk".into(),
        original_query: "pay 50000".into(),
        request_type: "tool".into(),
        ..Default::default()
    };
    let made = client.create_hitl_request(input).await?;
    client.reject_hitl_request(&made.request_id, review()).await?;
    expect!(client.get_hitl_request(&made.request_id).await?.status == "rejected", "rejected");
    Ok(())
}

async fn drive(address: &str, id: &str, secret: &str) -> Done {
    let config = |secret: &str| {
        let cache = CacheConfig { enabled: false, ..CacheConfig::default() };
        AxonFlowConfig::new(address).with_auth(id, secret).with_cache(cache)
    };
    let client = AxonFlowClient::new(config(secret))?;
    let named =
        |name: &'static str| move |why: Box<dyn Error>| -> Box<dyn Error> { format!("{name}: {why}").into() };
    decisions(&client).await.map_err(named("decisions"))?;
    redaction(&client).await.map_err(named("redaction"))?;
    queries(&client).await.map_err(named("queries"))?;
    approvals(&client).await.map_err(named("approvals"))?;
    let stranger = AxonFlowClient::new(config("wrong"))?.decide(call("tool_call: run")).await;
    expect!(matches!(stranger, Err(AxonFlowError::ApiError { status: 401, .. })), "stranger: {stranger:?}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, id, secret] = arguments.as_slice() else {
        eprintln!("arguments: ADDRESS CLIENT_ID CLIENT_SECRET");
        return std::process::ExitCode::from(2);
    };
    match drive(address, id, secret).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            std::process::ExitCode::FAILURE
        }
    }
}
