CREATE TABLE callgate_tickets (
    request_id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    original_query TEXT NOT NULL,
    request_type TEXT NOT NULL,
    request_context JSONB NOT NULL,
    triggered_policy_id TEXT NOT NULL,
    triggered_policy_name TEXT NOT NULL,
    trigger_reason TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'overridden')),
    reviewer_id TEXT,
    reviewer_email TEXT,
    review_comment TEXT,
    reviewed_at TIMESTAMPTZ,
    notify_url TEXT,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    digest TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    consumed_at TIMESTAMPTZ
);
CREATE INDEX callgate_tickets_call ON callgate_tickets (tenant_id, digest, policy_version);
CREATE INDEX callgate_tickets_queue ON callgate_tickets (tenant_id, status, created_at);
CREATE INDEX callgate_tickets_age ON callgate_tickets (updated_at);
CREATE TABLE callgate_ticket_events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id TEXT NOT NULL REFERENCES callgate_tickets (request_id) ON DELETE CASCADE,
    at TIMESTAMPTZ NOT NULL,
    event TEXT NOT NULL,
    by TEXT NOT NULL,
    comment TEXT NOT NULL
);
CREATE INDEX callgate_ticket_events_ticket ON callgate_ticket_events (request_id);
