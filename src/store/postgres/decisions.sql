CREATE TABLE callgate_decisions (
    decision_id TEXT PRIMARY KEY,
    trace_id TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    verdict TEXT NOT NULL,
    plane TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    tool_signature TEXT NOT NULL,
    client_id TEXT NOT NULL,
    reasons JSONB NOT NULL,
    matched JSONB NOT NULL,
    policy_version TEXT NOT NULL,
    context JSONB NOT NULL,
    redactions JSONB NOT NULL
);
CREATE INDEX callgate_decisions_tenant ON callgate_decisions (tenant_id, timestamp);
CREATE INDEX callgate_decisions_age ON callgate_decisions (timestamp);
