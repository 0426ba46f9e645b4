//! Which keys a backends file may hold. The JSON schema in `config/` lists the same; a test compares them.

/// Keys of an entry in `backends` or a bare list.
pub(super) const ENTRY: &[&str] =
    &["id", "command", "args", "env", "cwd", "url", "headers", "timeout", "enabled", "redact", "tools"];

/// Keys of `redact` in an entry.
pub(super) const REDACT: &[&str] = &["spare"];

/// Keys of a rule in `redact.spare`.
pub(super) const SPARE: &[&str] = &["tool", "path", "types"];

/// Keys of the whole file, when it is an object.
pub(super) const TOP: &[&str] = &["$schema", "backends", "mcpServers"];

/// Keys that hosts keep beside `mcpServers`; they do not concern callgate.
pub(super) const HOST_TOP: &[&str] =
    &["globalShortcut", "inputs", "isUsingBuiltInNodeForMcp", "preferences", "scale"];

/// Keys of a host's entry that change how it is reached, and are honoured.
pub(super) const HOST_HONOURED: &[&str] = &["type", "transport", "disabled", "httpUrl", "serverUrl"];

const CALLGATE_DECIDES: &str = "callgate decides every call itself";
/// What becomes of a host's own list of tools.
pub(super) const ALL_TOOLS: &str =
    r#"every tool of this backend is offered; limit them with "tools": {"allow": […], "deny": […]}"#;
const NOT_READ: &str = "write what the backend needs into \"env\"";
const NO_LOGIN: &str = "write the credential into \"headers\"";
const OWN_LIMITS: &str = "write \"timeout\" as a text with a unit such as \"30s\"";
const LOOKS: &str = "it only concerns the host";

/// Keys that hosts add and callgate does not honour, each with what that means.
pub(super) const HOST_SKIPPED: &[(&str, &str)] = &[
    ("alwaysAllow", CALLGATE_DECIDES),
    ("auth", NO_LOGIN),
    ("authProviderType", NO_LOGIN),
    ("autoApprove", CALLGATE_DECIDES),
    ("autoStart", LOOKS),
    ("description", LOOKS),
    ("dev", LOOKS),
    ("disabledTools", ALL_TOOLS),
    ("enabledTools", ALL_TOOLS),
    ("envFile", NOT_READ),
    ("excludeTools", ALL_TOOLS),
    ("gallery", LOOKS),
    ("headersHelper", NO_LOGIN),
    ("icon", LOOKS),
    ("includeTools", ALL_TOOLS),
    ("initTimeout", OWN_LIMITS),
    ("name", LOOKS),
    ("oauth", NO_LOGIN),
    ("timeoutMs", OWN_LIMITS),
    ("toolPolicy", CALLGATE_DECIDES),
    ("trust", CALLGATE_DECIDES),
    ("version", LOOKS),
];

/// Headers that callgate itself sends, in lower case (MCP, "Streamable HTTP"; RFC 9112).
pub(super) const RESERVED_HEADERS: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];
