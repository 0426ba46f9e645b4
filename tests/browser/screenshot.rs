//! The picture of the page in the documentation, with tickets as people meet them.

use crate::drive::Browser;
use crate::harness::Setup;
use bytes::Bytes;
use callgate::approvals::local::{LocalApprovals, LocalOptions};
use callgate::store::{LazyStore, Review, SqliteStore, Store};
use callgate_actors::call::{Call, Hints};
use callgate_actors::ports::{Approve, Decision, MatchedPolicy, Verdict};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Largest picture in the documentation, in bytes.
const PICTURE_BYTES: u64 = 300_000;

fn picture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/approvals-page.png")
}

/// Opens a ticket as the gate does.
fn open(
    approvals: &LocalApprovals,
    backend: &str,
    tool: &str,
    arguments: &Value,
    policy: [&str; 3],
) -> String {
    let [id, name, severity] = policy;
    let call = Call {
        number: 1,
        received_at: SystemTime::now(),
        backend: backend.into(),
        tool: tool.into(),
        exposed: tool.into(),
        arguments: Some(Bytes::from(arguments.to_string())),
        meta: None,
        hints: Hints::default(),
    };
    let matched = MatchedPolicy {
        policy_id: id.into(),
        policy_name: name.into(),
        category: "custom".into(),
        severity: severity.into(),
        action: "require_approval".into(),
    };
    let decision = Decision {
        reasons: vec![name.into()],
        matched: vec![matched],
        policy_version: "82905ff600d3c1f7".into(),
        ..Decision::of(Verdict::NeedsApproval)
    };
    approvals.open(&call, &decision, Instant::now()).expect("opened").id
}

/// A desk with calls that wait and calls that were decided.
fn fill(setup: &Setup) {
    let folder = PathBuf::from(setup.path("state"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder).expect("opened"));
    let options = LocalOptions {
        agent: "claude-desktop".into(),
        user: "jane@acme.example".into(),
        lifetime: Duration::from_secs(60 * 60),
        ..LocalOptions::default()
    };
    let approvals = LocalApprovals::new(Arc::new(LazyStore::from(store.clone())), options);
    let old = "DELETE FROM sessions WHERE last_seen < '2025-01-01'";
    let decided = [
        open(&approvals, "warehouse", "run_sql", &json!({"sql": old}), ["p1", "Rows are deleted", "high"]),
        open(
            &approvals,
            "payroll",
            "export_salaries",
            &json!({"month": "2026-10"}),
            ["p2", "Salaries leave", "critical"],
        ),
    ];
    let words =
        [("approved", "The backup of this night is there."), ("rejected", "Ask Mira; she owns this list.")];
    for (id, (status, comment)) in decided.iter().zip(words) {
        let review = Review {
            status: status.into(),
            reviewer_id: "jane".into(),
            reviewer_email: String::new(),
            comment: comment.into(),
        };
        store.decide_ticket("", id, &review).expect("decided");
    }
    let sql = "UPDATE invoices\n   SET status = 'written_off', closed_at = now()\n WHERE due_on < '2024-01-01'\n   AND status = 'open'";
    let arguments = json!({"sql": sql, "database": "billing", "dry_run": false});
    open(
        &approvals,
        "warehouse",
        "run_sql",
        &arguments,
        ["p3", "Invoices are changed by a statement", "critical"],
    );
    let arguments = json!({"to": "siti.rahma@contoso.co.id", "subject": "Your refund",
        "body": "Dear Siti,\n\nwe have sent the refund to your card 4111 1111 1111 1111.\n\nKind regards"});
    open(&approvals, "mail", "send_message", &arguments, ["p4", "A message leaves the company", "high"]);
}

#[test]
fn the_page_is_shown_as_it_is_in_the_documentation() {
    let setup = Setup::new().env("USER", "jane");
    fill(&setup);
    let page = setup.page();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    browser.see("a", ".ticket", "written_off");
    for part in
        ["run_sql", "send_message", "claude-desktop for jane@acme.example", "[REDACTED:email]", "expires in"]
    {
        browser.see("a", ".ticket", part);
    }
    browser.see("a", ".decided li", "Ask Mira");
    let path = setup.path("page.png");
    browser.run(&json!({"do": "shot", "tab": "a", "path": path, "full": true}));
    assert!(std::fs::metadata(&path).expect("taken").len() < PICTURE_BYTES);
    if std::env::var_os("WRITE_THE_PICTURE").is_some() {
        std::fs::copy(&path, picture()).expect("written");
    }
    let known = std::fs::metadata(picture()).expect("docs/approvals-page.png is there").len();
    assert!(known < PICTURE_BYTES);
}
