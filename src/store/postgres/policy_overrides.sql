CREATE TABLE policy_overrides (
    id UUID PRIMARY KEY,
    policy_id VARCHAR(100) NOT NULL,
    policy_type VARCHAR(20) NOT NULL DEFAULT 'static',
    action_override VARCHAR(20),
    enabled_override BOOLEAN,
    tool_signature VARCHAR(255),
    override_reason TEXT NOT NULL,
    tenant_id VARCHAR(100) NOT NULL,
    created_by VARCHAR(255) NOT NULL DEFAULT '',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX policy_overrides_tenant ON policy_overrides (tenant_id);
