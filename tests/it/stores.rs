//! Stored policies and kept decisions, from outside: a real PostgreSQL, one SQLite file that several gates use, and
//! what happens when the database goes away in the middle.

use crate::harness::{Cluster, Gate, Setup, eventually};
use callgate::store::{DecisionFilter, SqliteStore, Store, StoredPolicy};
use serde_json::json;
use std::path::PathBuf;

/// A row of `static_policies` with the columns that every age has.
const INSERT: &str =
    "INSERT INTO static_policies (id, policy_id, name, category, pattern, action, tenant_id) VALUES ";

fn cluster() -> Cluster {
    let cluster = Cluster::start(None);
    cluster.sql(
        "CREATE TABLE static_policies (
            id UUID PRIMARY KEY DEFAULT gen_random_uuid(), org_id VARCHAR(255), policy_id VARCHAR(100) UNIQUE NOT NULL,
            name VARCHAR(255) NOT NULL, category VARCHAR(50) NOT NULL, pattern VARCHAR(500) NOT NULL,
            severity VARCHAR(20) DEFAULT 'medium', description TEXT, action VARCHAR(20) DEFAULT 'block',
            enabled BOOLEAN DEFAULT true, tenant_id VARCHAR(100) DEFAULT 'global', metadata JSONB DEFAULT '{}',
            created_at TIMESTAMP DEFAULT now(), updated_at TIMESTAMP DEFAULT now(), version INTEGER DEFAULT 1)",
    );
    cluster
}

fn governed(cluster: &Cluster) -> Setup {
    Setup::new()
        .stub("a", &[])
        .env("CALLGATE_DATABASE_URL", &cluster.url())
        .env("AXONFLOW_TENANT_ID", "acme")
        .env("POLICY_CACHE_TTL", "200ms")
}

/// Whether a call that holds this text is denied.
fn denies(gate: &Gate, text: &str) -> bool {
    let reply = gate.call("echo", &json!({"q": text}));
    !reply.is_ok() && reply.code() == -32001
}

fn until_denied(gate: &Gate, text: &str) {
    eventually("the call is denied", || denies(gate, text).then_some(()));
}

fn until_allowed(gate: &Gate, text: &str) {
    eventually("the call is allowed", || (!denies(gate, text)).then_some(()));
}

#[test]
fn a_change_in_the_database_holds_within_the_time_that_is_set() {
    let cluster = cluster();
    let gate = governed(&cluster).open();
    assert!(!denies(&gate, "project nightingale"));
    cluster.sql(&format!(
        "{INSERT} (gen_random_uuid(), 'own', 'Nightingale is secret', 'sensitive-data', 'nightingale', 'block', 'acme'),
         (gen_random_uuid(), 'theirs', 'Of others', 'sensitive-data', 'albatross', 'block', 'other'),
         (gen_random_uuid(), 'all', 'Everybody''s', 'sensitive-data', 'cormorant', 'block', 'global'),
         (gen_random_uuid(), 'broken', 'Broken', 'sensitive-data', 'a(b', 'block', 'acme')"
    ));
    until_denied(&gate, "project nightingale");
    let denied = gate.call("echo", &json!({"q": "nightingale"}));
    assert!(denied.message().contains("Nightingale is secret (own)"), "{}", denied.message());
    assert!(denies(&gate, "cormorant"), "what holds for everybody");
    assert!(!denies(&gate, "albatross"), "another tenant's");
    gate.wait_for_stderr("stored policy broken is not asked");

    // The gate made the table of overrides, which was missing.
    cluster.sql(
        "INSERT INTO policy_overrides (id, policy_id, action_override, override_reason, tenant_id, expires_at) VALUES
         (gen_random_uuid(), 'own', 'log', 'a demonstration', 'acme', now() + interval '1 hour'),
         (gen_random_uuid(), 'all', 'log', 'not ours', 'other', now() + interval '1 hour')",
    );
    until_allowed(&gate, "nightingale");
    assert!(denies(&gate, "cormorant"), "another tenant's override");
    cluster
        .sql("UPDATE policy_overrides SET expires_at = now() + interval '1 second' WHERE policy_id = 'own'");
    until_denied(&gate, "nightingale");

    let kept = "SELECT count(*) FROM callgate_decisions WHERE tenant_id = 'acme' AND verdict = 'deny'
                AND tool_signature = 'a/echo' AND matched @> '[{\"policy_id\": \"own\"}]'";
    eventually("the denials are kept", || (cluster.sql(kept) != "0").then_some(()));
}

#[test]
fn a_database_that_goes_away_in_the_middle_leaves_the_last_good_set_or_blocks() {
    let mut cluster = cluster();
    cluster.sql(&format!(
        "{INSERT} (gen_random_uuid(), 'own', 'Nightingale', 'sensitive-data', 'nightingale', 'block', 'acme')"
    ));
    let keeping = governed(&cluster).open();
    let blocking = governed(&cluster).env("POLICY_BLOCK_ON_ERROR", "true").open();
    until_denied(&keeping, "nightingale");
    until_allowed(&blocking, "fine");
    assert!(denies(&blocking, "nightingale"));

    cluster.kill();
    keeping.wait_for_stderr("the last good ones hold");
    blocking.wait_for_stderr("every call is blocked");
    assert!(denies(&keeping, "nightingale") && !denies(&keeping, "fine"));
    let told = blocking.call("echo", &json!({"q": "fine"}));
    assert!(!told.is_ok(), "{}", blocking.stderr());
    assert_eq!(told.code(), -32001);
    assert!(told.message().contains("POLICY_BLOCK_ON_ERROR"), "{}", told.message());

    // A start without the database: the shipped policies hold, or nothing passes.
    let late = governed(&cluster).open();
    assert!(!denies(&late, "nightingale"), "unknown yet");
    assert!(denies(&late, "SELECT 1; DROP TABLE customers"));
    let shut = governed(&cluster).env("POLICY_BLOCK_ON_ERROR", "true").open();
    assert!(denies(&shut, "fine"));

    cluster.up();
    until_allowed(&blocking, "fine");
    until_allowed(&shut, "fine");
    until_denied(&late, "nightingale");
    for gate in [&keeping, &blocking] {
        gate.wait_for_stderr("the stored policies are loaded again");
        assert!(denies(gate, "nightingale"));
    }
}

#[test]
fn several_gates_share_one_file() {
    let setup = Setup::new().stub("a", &[]).env("POLICY_CACHE_TTL", "200ms");
    let state = PathBuf::from(setup.path("state"));
    let gates = [setup.clone().open(), setup.open()];
    let made = serde_json::from_value(json!({
        "id": "6f0d2a10-0000-4000-8000-000000000001", "policy_id": "own", "name": "Nightingale",
        "category": "sensitive-data", "pattern": "nightingale", "severity": "high", "action": "block",
        "phase": "request", "enabled": true, "tier": "tenant", "priority": 50, "org_id": "", "tenant_id": "global",
        "tags": [], "metadata": {}, "version": 1, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "created_by": "", "updated_by": "",
    }));
    let policy: StoredPolicy = made.expect("a row");
    let store = SqliteStore::open(&state).expect("opened");
    store.create_policy(&policy).expect("made");
    for gate in &gates {
        until_denied(gate, "nightingale");
    }
    let ids: Vec<String> = gates
        .iter()
        .map(|gate| {
            gate.call("echo", &json!({"q": "nightingale"})).data()["decision_id"].as_str().unwrap().to_owned()
        })
        .collect();
    for id in &ids {
        let row = eventually("the decision is kept", || store.decision("", id).expect("read"));
        assert_eq!((row.verdict.as_str(), row.matched[0].policy_id.as_str()), ("deny", "own"));
        assert_eq!((row.tool_signature.as_str(), row.policy_version.len()), ("a/echo", 64));
    }
    assert!(gates[0].call("echo", &json!({"q": "fine"})).is_ok());
    let [first, _second] = gates;
    first.close_stdin();
    first.exit_within(crate::harness::PATIENCE).expect("it ends");
    let allowed = DecisionFilter { verdict: Some("allow".into()), limit: 10, ..DecisionFilter::default() };
    assert!(!store.decisions("", &allowed).expect("read").is_empty(), "the last ones are written at the end");
}

#[test]
fn without_a_store_nothing_is_made() {
    let gate = Setup::new().stub("a", &[]).env("CALLGATE_STORE", "off").open();
    assert!(denies(&gate, "SELECT 1; DROP TABLE customers"));
    assert!(!PathBuf::from(gate.path("state/callgate.db")).exists());
}

/// A certificate authority and a certificate for 127.0.0.1 in the folder of `setup`: the names of the authority's
/// file, and the texts of certificate and key.
#[cfg(target_os = "linux")]
fn certificates(setup: &Setup) -> (String, String, String) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
            -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=database -keyout db.key -out db.csr
        printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' > db.ext
        openssl x509 -req -in db.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile db.ext -out db.pem";
    let made = std::process::Command::new("sh").args(["-ec", script]).current_dir(setup.dir.path()).output();
    let made = made.expect("sh runs");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let text = |name: &str| std::fs::read_to_string(setup.path(name)).expect("written");
    (setup.path("ca.pem"), text("db.pem"), text("db.key"))
}

#[cfg(target_os = "linux")]
#[test]
fn the_way_to_the_database_is_encrypted_and_its_certificate_checked() {
    let setup = Setup::new().stub("a", &[]).env("POLICY_CACHE_TTL", "200ms");
    let (authority, certificate, key) = certificates(&setup);
    let cluster = Cluster::start(Some((&certificate, &key)));
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=require", cluster.port());
    let setup = setup.env("CALLGATE_DATABASE_URL", &url);
    let trusting = setup.clone().env("SSL_CERT_FILE", &authority).open();
    eventually("the table is made", || {
        (!cluster.sql("SELECT to_regclass('static_policies')").is_empty()).then_some(())
    });
    cluster.sql(&format!(
        "{INSERT} (gen_random_uuid(), 'own', 'Nightingale', 'sensitive-data', 'nightingale', 'block', 'global')"
    ));
    until_denied(&trusting, "nightingale");
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE application_name = 'callgate' AND NOT ssl";
    assert_eq!(cluster.sql(plain), "0");
    let stranger = setup.open();
    stranger.wait_for_stderr("the last good ones hold");
    assert!(stranger.stderr().to_lowercase().contains("certificate"), "{}", stranger.stderr());
    assert!(!denies(&stranger, "nightingale"));
}

#[test]
fn a_ticket_of_one_machine_is_decided_on_another() {
    let cluster = cluster();
    let setup =
        governed(&cluster).env("SQLI_ACTION", "require_approval").env("CALLGATE_APPROVAL_HOLD", "20s");
    let gate = setup.clone().open();
    eventually("the tables are made", || {
        (!cluster.sql("SELECT to_regclass('callgate_tickets')").is_empty()).then_some(())
    });
    let held = json!({"name": "count", "arguments": {"effect": "one", "q": "DROP TABLE customers"}});
    let id = gate.request("tools/call", &held);
    // Another state directory stands for another machine.
    let elsewhere = setup.clone().env("CALLGATE_STATE_DIR", &setup.path("elsewhere"));
    let ticket = "SELECT request_id FROM callgate_tickets WHERE tenant_id = 'acme' AND status = 'pending'";
    let ticket = eventually("a ticket", || Some(cluster.sql(ticket)).filter(|id| !id.is_empty()));
    let (code, out, err) = elsewhere.run(&["approvals", "approve", &ticket, "--comment", "as agreed"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(gate.reply(id).is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
    assert!(!PathBuf::from(gate.path("state/callgate.db")).exists(), "one database for all");
}
