-- Times are microseconds since 1970; lists and objects are JSON.
CREATE TABLE static_policies (
    id TEXT PRIMARY KEY,
    policy_id TEXT NOT NULL,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    pattern TEXT NOT NULL,
    severity TEXT NOT NULL,
    description TEXT,
    action TEXT NOT NULL,
    phase TEXT NOT NULL,
    action_request TEXT,
    action_response TEXT,
    enabled INTEGER NOT NULL,
    tier TEXT NOT NULL,
    priority INTEGER NOT NULL,
    org_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX static_policies_one ON static_policies (tenant_id, policy_id) WHERE deleted_at IS NULL;

CREATE TABLE policy_overrides (
    id TEXT PRIMARY KEY,
    policy_id TEXT NOT NULL,
    policy_type TEXT NOT NULL,
    action_override TEXT,
    enabled_override INTEGER,
    tool_signature TEXT,
    override_reason TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX policy_overrides_tenant ON policy_overrides (tenant_id, revoked_at);

CREATE TABLE decisions (
    decision_id TEXT PRIMARY KEY,
    trace_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    plane TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    tool_signature TEXT NOT NULL,
    client_id TEXT NOT NULL,
    reasons TEXT NOT NULL,
    matched TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    context TEXT NOT NULL,
    redactions TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_tenant ON decisions (tenant_id, timestamp);
CREATE INDEX decisions_age ON decisions (timestamp);

CREATE TABLE tickets (
    request_id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    original_query TEXT NOT NULL,
    request_type TEXT NOT NULL,
    request_context TEXT NOT NULL,
    triggered_policy_id TEXT NOT NULL,
    triggered_policy_name TEXT NOT NULL,
    trigger_reason TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'overridden')),
    reviewer_id TEXT,
    reviewer_email TEXT,
    review_comment TEXT,
    reviewed_at INTEGER,
    notify_url TEXT,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    digest TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    consumed_at INTEGER
) STRICT;
CREATE INDEX tickets_call ON tickets (tenant_id, digest, policy_version);
CREATE INDEX tickets_queue ON tickets (tenant_id, status, created_at);
CREATE INDEX tickets_age ON tickets (updated_at);

CREATE TABLE ticket_events (
    request_id TEXT NOT NULL REFERENCES tickets (request_id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    by TEXT NOT NULL,
    comment TEXT NOT NULL
) STRICT;
CREATE INDEX ticket_events_ticket ON ticket_events (request_id);
