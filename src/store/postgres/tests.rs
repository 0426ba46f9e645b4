//! Against a real PostgreSQL. A cluster costs a second, so each test asks much of one.

#[path = "../../../tests/it/harness/postgres.rs"]
mod cluster;

use super::*;
use crate::store::samples::{decision, override_of, policy, ticket, yes};
use cluster::Cluster;
use std::sync::Barrier;

fn store(cluster: &Cluster) -> PostgresStore {
    PostgresStore::new(&Secret::new(cluster.url()), "org-1").expect("an address")
}

#[test]
fn the_promises_of_a_store_hold_and_one_of_many_consumes() {
    let cluster = Cluster::start(None);
    crate::store::promises::hold(&store(&cluster), |count| {
        cluster.sql(&format!(
            "INSERT INTO callgate_tickets SELECT (jsonb_populate_record(t,
                 jsonb_build_object('request_id', n::text, 'digest', n::text))).*
             FROM callgate_tickets t, generate_series(1, {count}) n WHERE t.tenant_id = 'flood'"
        ));
    });
    let stores: Vec<_> = (0..6).map(|_| store(&cluster)).collect();
    for round in 0..10 {
        let digest = format!("race {round}");
        let begin = Barrier::new(stores.len());
        let consumed = std::thread::scope(|scope| {
            let all: Vec<_> = stores
                .iter()
                .map(|store| {
                    scope.spawn(|| {
                        begin.wait();
                        let stands = store.open_ticket(&ticket("race", &digest)).expect("opened");
                        // All but one come too late to decide; that is part of the race.
                        let _ = store.decide_ticket("race", &stands.request_id, &yes());
                        begin.wait();
                        let used = store.consume_ticket("race", &stands.request_id, &digest, "v1");
                        (stands.request_id, used.expect("asked"))
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(consumed.iter().all(|(id, _)| *id == consumed[0].0), "one ticket for one call");
        assert_eq!(consumed.iter().filter(|(_, used)| *used).count(), 1);
    }
    let one = &stores[0];
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| assert!(one.policies("a").is_ok(), "more threads than connections"));
        }
    });
    cluster.sql(
        "UPDATE callgate_decisions SET timestamp = now() - interval '40 days' WHERE tenant_id = 'b';
         UPDATE callgate_tickets SET updated_at = now() - interval '100 days', expires_at = now() WHERE tenant_id = 'b'",
    );
    assert_eq!(one.prune(), Ok(2));
}

/// The table as AxonFlow's first migrations made it, and its rows under their old names.
const OLD: &str = "
    CREATE TABLE static_policies (
        id UUID PRIMARY KEY DEFAULT gen_random_uuid(), org_id VARCHAR(255), policy_id VARCHAR(100) UNIQUE NOT NULL,
        name VARCHAR(255) NOT NULL, category VARCHAR(50) NOT NULL, pattern VARCHAR(500) NOT NULL,
        severity VARCHAR(20) DEFAULT 'medium', description TEXT, action VARCHAR(20) DEFAULT 'block',
        enabled BOOLEAN DEFAULT true, tenant_id VARCHAR(100) DEFAULT 'global', metadata JSONB DEFAULT '{}',
        created_at TIMESTAMP DEFAULT '2025-01-02 03:04:05', updated_at TIMESTAMP, version INTEGER DEFAULT 1);
    INSERT INTO static_policies (policy_id, name, category, pattern, description) VALUES
        ('sql_injection_union', 'Union', 'sql_injection', 'union\\s+select', NULL);
    INSERT INTO static_policies (policy_id, name, category, pattern, tenant_id) VALUES
        ('foreign', 'Foreign', 'security-dangerous', 'x', 'other');";

/// A later age: types and columns that we do not make ourselves.
const NEW: &str = "
    ALTER TABLE static_policies ADD tier VARCHAR(20) DEFAULT 'tenant', ADD organization_id UUID,
        ADD priority INTEGER DEFAULT 50, ADD tags JSONB DEFAULT '[]', ADD created_by VARCHAR(255),
        ADD updated_by VARCHAR(255), ADD deleted_at TIMESTAMPTZ, ADD phase VARCHAR(20) DEFAULT 'both',
        ADD action_request VARCHAR(20), ADD action_response VARCHAR(20), ADD risk_level TEXT,
        ADD allow_override BOOLEAN, ADD segment_id UUID;
    CREATE TABLE policy_overrides (
        id UUID PRIMARY KEY DEFAULT gen_random_uuid(), policy_id UUID NOT NULL, policy_type VARCHAR(20) NOT NULL,
        organization_id UUID, tenant_id VARCHAR(100), action_override VARCHAR(20), enabled_override BOOLEAN,
        override_reason TEXT NOT NULL, expires_at TIMESTAMPTZ, created_by VARCHAR(255),
        created_at TIMESTAMPTZ DEFAULT now());";

#[test]
fn tables_that_axonflow_made_are_read_and_written_as_they_are() {
    let cluster = Cluster::start(None);
    cluster.sql(OLD);
    let columns =
        "SELECT string_agg(column_name || data_type, ',' ORDER BY 1) FROM information_schema.columns
                   WHERE table_name IN ('static_policies', 'policy_overrides')";
    let store = store(&cluster);
    let rows = store.policies("acme").expect("read");
    assert_eq!(rows.len(), 1, "the tenant's own and global ones: {rows:?}");
    assert_eq!((rows[0].policy_id.as_str(), rows[0].phase.as_str()), ("sql_injection_union", "both"));
    assert_eq!((rows[0].priority, rows[0].created_at.to_string().as_str()), (50, "2025-01-02T03:04:05Z"));
    store.create_policy(&StoredPolicy { phase: "both".into(), ..policy("acme", "own") }).expect("made");
    let lost = store.create_policy(&policy("acme", "request only")).expect_err("no column").to_string();
    assert!(lost.contains("no column phase") && lost.contains("up to date"), "{lost}");
    store.delete_policy("acme", "own").expect("deleted");
    assert_eq!(store.policies("acme").expect("read").len(), 1);

    cluster.sql(&format!("DROP TABLE policy_overrides; {NEW}"));
    let before = cluster.sql(columns);
    let own = policy("acme", "own");
    store.create_policy(&own).expect("made");
    assert_eq!(store.policies("acme").expect("read").first(), Some(&own));
    assert_eq!(store.update_policy(&StoredPolicy { enabled: false, ..own }).map(|row| row.version), Ok(2));
    cluster.sql(
        "INSERT INTO policy_overrides (policy_id, policy_type, tenant_id, action_override, override_reason, expires_at)
         SELECT id, 'static', 'acme', 'warn', 'past', now() - interval '1 hour' FROM static_policies",
    );
    let over = override_of("acme", "own");
    store.create_override(&over).expect("made");
    assert_eq!(store.overrides("acme"), Ok(vec![over.clone()]), "named by its id, not by AxonFlow's key");
    let tool = StoredOverride { tool_signature: Some("crm/drop".into()), ..override_of("acme", "own") };
    let lost = store.create_override(&tool).expect_err("it would hold for all tools").to_string();
    assert!(lost.contains("no column tool_signature"), "{lost}");
    assert_eq!(store.overrides("acme").expect("read").len(), 1, "nothing was changed half-way");
    store.revoke_override("acme", &over.id).expect("revoked");
    assert_eq!(store.overrides("acme"), Ok(Vec::new()));
    assert_eq!(cluster.sql(columns), before, "nothing of AxonFlow's was altered");
}

#[test]
fn a_role_that_may_only_read_reads_and_a_server_that_comes_back_is_found() {
    let mut cluster = Cluster::start(None);
    cluster.sql(OLD);
    cluster.sql(
        "CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
                 ALTER TABLE static_policies ENABLE ROW LEVEL SECURITY;
                 UPDATE static_policies SET org_id = 'org-1';
                 CREATE POLICY own ON static_policies USING (org_id = current_setting('app.current_org_id'));
                 GRANT SELECT ON static_policies TO reader",
    );
    let url = cluster.url().replace("postgres@", "reader@");
    let reader = PostgresStore::new(&Secret::new(&url), "org-1").expect("an address");
    assert_eq!(reader.policies("acme").map(|rows| rows.len()), Ok(1), "with its organisation");
    let stranger = PostgresStore::new(&Secret::new(&url), "org-2").expect("an address");
    assert_eq!(stranger.policies("acme"), Ok(Vec::new()), "another organisation");
    let refused = reader.record_decisions(&[decision("acme")]).expect_err("no table").to_string();
    assert!(refused.contains("callgate_decisions"), "{refused}");

    let store = store(&cluster);
    store.record_decisions(&[decision("acme")]).expect("kept");
    cluster.kill();
    let away = store.policies("acme").expect_err("it is away").to_string();
    assert!(away.contains("check that the database is up"), "{away}");
    cluster.up();
    assert_eq!(store.policies("acme").map(|rows| rows.len()), Ok(1), "without being told");
}

#[test]
fn a_database_that_does_not_answer_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let url = format!("postgres://u:hunter2@127.0.0.1:{port}/d");
    let store = PostgresStore::new(&Secret::new(url), "").expect("an address");
    let told = store.policies("t").expect_err("nobody answers").to_string();
    assert!(
        told.contains("127.0.0.1/d") && told.contains("within 5 s") && !told.contains("hunter2"),
        "{told}"
    );
    assert!(!format!("{store:?}").contains("hunter2"));
}
