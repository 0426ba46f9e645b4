//! Every setting that there is: the one list behind the reader, `--help`, and `docs/settings.md`.

use std::fmt::Write as _;

/// One setting, which is one environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// What may be written.
    pub form: &'static str,
    /// What holds when it is unset; empty when nothing does.
    pub default: &'static str,
    /// What it is for, in one line.
    pub doc: &'static str,
}

impl Setting {
    /// Whether a variable of that name is this setting. On Windows names do not differ by case.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name || (cfg!(windows) && self.name.eq_ignore_ascii_case(name))
    }
}

macro_rules! settings {
    ($($constant:ident = $name:literal, $form:literal, $default:literal, $doc:literal;)+) => {
        $(pub(super) static $constant: Setting =
            Setting { name: $name, form: $form, default: $default, doc: $doc };)+
        /// Every setting, in the order in which they are shown.
        pub static ALL: &[&Setting] = &[$(&$constant),+];
    };
}

settings! {
    BACKENDS_FILE = "AXONFLOW_BACKENDS_FILE", "path", "",
        "JSON file that lists the backends; wins over `AXONFLOW_BACKENDS`";
    BACKENDS = "AXONFLOW_BACKENDS", "JSON", "",
        "the same text inline; one of the two is needed";
    PDP = "CALLGATE_PDP", "auto, embedded, axonflow, aaf", "auto",
        "who decides; `auto` asks AxonFlow when `AXONFLOW_ENDPOINT` is set, the Agent Action Firewall when `AAF_API_KEY` is set, and decides by itself otherwise";
    ENDPOINT = "AXONFLOW_ENDPOINT", "http or https address", "http://localhost:8080",
        "the AxonFlow platform; the default holds for `CALLGATE_PDP=axonflow`";
    CLIENT_ID = "AXONFLOW_CLIENT_ID", "text", "claude-desktop-proxy",
        "user of Basic authentication; the organisation's id in the enterprise edition";
    CLIENT_SECRET = "AXONFLOW_CLIENT_SECRET", "secret", "",
        "password of Basic authentication, taken as it is; unset sends no `Authorization`";
    CLIENT_SECRET_FILE = "AXONFLOW_CLIENT_SECRET_FILE", "path", "",
        "file that holds the client secret; one newline at its end is not part of it";
    USER_TOKEN = "AXONFLOW_USER_TOKEN", "secret", "",
        "token of the person, sent as `user_token`";
    USER_TOKEN_FILE = "AXONFLOW_USER_TOKEN_FILE", "path", "",
        "file that holds the user token; one newline at its end is not part of it";
    TENANT_ID = "AXONFLOW_TENANT_ID", "text", "",
        "tenant that calls are decided for";
    ORG_ID = "AXONFLOW_ORG_ID", "text", "",
        "organisation that calls are decided for";
    GATEWAY_ID = "AXONFLOW_GATEWAY_ID", "text", "claude_desktop.<host>",
        "name of this gate in decisions and audit rows";
    LEADER_EMAIL = "AXONFLOW_LEADER_EMAIL", "text", "",
        "person who answers for the calls; asserted, not proven";
    AI_AGENT = "AXONFLOW_AI_AGENT", "text", "claude-desktop",
        "name of the calling agent";
    SESSION_ID = "AXONFLOW_SESSION_ID", "text", "cd-<16 hex>-<unix seconds>",
        "id of this session; new for every process unless set";
    PEP_AUDIENCE = "AXONFLOW_PEP_AUDIENCE", "1 to 128 of A-Z a-z 0-9 . _ : -", "",
        "audience of the enforcement-point handshake; unset sends none";
    AAF_API_KEY = "AAF_API_KEY", "secret", "",
        "key of the agent at the Agent Action Firewall (docs/aaf.md)";
    AAF_API_KEY_FILE = "AAF_API_KEY_FILE", "path", "",
        "file that holds that key; one newline at its end is not part of it";
    AAF_API_URL = "AAF_API_URL", "https address, or http on this machine", "https://api.agentactionfirewall.com",
        "API of the Agent Action Firewall";
    AAF_AGENT_ID = "CALLGATE_AAF_AGENT_ID", "text", "mcp-proxy",
        "id of the agent at the Agent Action Firewall; `AXONFLOW_AI_AGENT` is its name in policies and audit rows here";
    AAF_OPERATION = "CALLGATE_AAF_OPERATION", "word", "call",
        "`operation` of every action that is submitted to the Agent Action Firewall";
    AAF_PARAMS = "CALLGATE_AAF_PARAMS", "params, parameters, both", "params",
        "under which name the Agent Action Firewall is sent the arguments";
    AAF_REQUEST_TIMEOUT = "MCP_PROXY_REQUEST_TIMEOUT_MS", "1 to 3600000", "5000",
        "longest wait for one request to the Agent Action Firewall, in milliseconds; `AXONFLOW_DECIDE_TIMEOUT` bounds all attempts together";
    FAIL_MODE = "AXONFLOW_FAIL_MODE", "closed, open", "closed",
        "what happens to calls while the PDP is away; only `open` opens, a typo stays closed";
    FAIL_OPEN = "CALLGATE_FAIL_OPEN", "true, false", "false",
        "the same as a tick box: `true` means `open`; `AXONFLOW_FAIL_MODE` wins";
    DECIDE_TIMEOUT = "AXONFLOW_DECIDE_TIMEOUT", "duration", "10s",
        "longest wait for one decision";
    BACKEND_TIMEOUT = "AXONFLOW_BACKEND_TIMEOUT", "duration", "30s",
        "longest wait for one answer of a backend; a backend's own `timeout` wins";
    CALL_BUDGET = "CALLGATE_CALL_BUDGET", "duration", "55s",
        "longest time one call may take altogether; hosts give up after 60 s";
    APPROVAL_HOLD = "CALLGATE_APPROVAL_HOLD", "duration, or 0", "25s",
        "how long a call that needs approval waits for a person before it is answered with its ticket; 0 answers at once; 30s while the Agent Action Firewall decides, whose proxy calls it `approvalTimeoutMs`";
    APPROVAL_POLL = "CALLGATE_APPROVAL_POLL", "duration", "2s",
        "how often a remote decision service is asked how an approval stands";
    APPROVAL_LIFETIME = "CALLGATE_APPROVAL_LIFETIME", "duration", "1h",
        "how long a ticket can be decided, and its grant be used";
    APPROVAL_ASK_CLIENT = "CALLGATE_APPROVAL_ASK_CLIENT", "on, off", "on",
        "whether the person in front of the client may decide, where the client can ask (MCP elicitation)";
    APPROVAL_NOTIFY = "CALLGATE_APPROVAL_NOTIFY", "auto, on, off", "auto",
        "whether a desktop notification tells of a new ticket; `auto` does where there is a session that can show one";
    LIST_WAIT = "CALLGATE_LIST_WAIT", "duration", "10s",
        "how long the first `tools/list` waits for backends whose catalogue is not known yet";
    REDACT_RESPONSES = "AXONFLOW_REDACT_RESPONSES", "always, on-obligation, off", "always",
        "which answers are redacted";
    REDACT_ENGINE = "CALLGATE_REDACT_ENGINE", "local, remote, both", "local",
        "who redacts; `remote` and `both` need the AxonFlow platform";
    CARD_MATCH = "CALLGATE_CARD_MATCH", "loose, precise", "loose",
        "how sure a number must be to be masked as a payment card";
    REDACT_STYLE = "CALLGATE_REDACT_STYLE", "token, plain, mask, partial, hash, pseudonym, or by type `email=pseudonym,card=partial,*=token`", "token",
        "what stands in place of a masked value";
    PSEUDONYMS_ACROSS = "CALLGATE_PSEUDONYMS_ACROSS", "off, on", "off",
        "whether a pseudonym is turned back also for backends that did not give the value";
    RESULT_META = "CALLGATE_RESULT_META", "on, off", "on",
        "whether the results of tools carry in `_meta` what was masked and which policies spoke";
    PROFILE = "AXONFLOW_PROFILE", "shipped, dev, default, strict, compliance", "shipped",
        "how strict the embedded policies are; `shipped` does what each policy's row says, `default` is AxonFlow's own";
    PII_ACTION = "PII_ACTION", "block, require_approval, redact, warn, log", "",
        "what the embedded policies do about personal data in arguments; wins over the profile";
    SQLI_ACTION = "SQLI_ACTION", "block, require_approval, warn, log", "",
        "what the embedded policies do about SQL injection and destructive SQL; wins over the profile";
    SENSITIVE_DATA_ACTION = "SENSITIVE_DATA_ACTION", "block, require_approval, redact, warn, log", "",
        "what the embedded policies do about passwords, keys and tokens; wins over the profile";
    DANGEROUS_COMMAND_ACTION = "DANGEROUS_COMMAND_ACTION", "block, require_approval, warn, log", "",
        "what the embedded policies do about dangerous commands, paths, addresses and prompts; wins over the profile";
    TOOLS_PROFILE = "CALLGATE_TOOLS_PROFILE", "unrestricted, read_only, locked", "unrestricted",
        "which tools may run at all: all, those known to read only, or those that an allow list names (docs/governance.md)";
    TOOLS_ALLOW = "CALLGATE_TOOLS_ALLOW", "tools such as `get_*,crm/find_user`", "",
        "where it is set, no other tool runs; `*` and `?` are wild cards";
    TOOLS_DENY = "CALLGATE_TOOLS_DENY", "tools such as `delete_*,crm/*_secret`", "",
        "tools that do not run, whatever an allow list says; what looks like them does not either";
    TOOLS_READ_ONLY = "CALLGATE_TOOLS_READ_ONLY", "tools such as `count_*,crm/find_user`", "",
        "tools that you know to read only, though their servers do not say so; for the profile `read_only`";
    TOOLS_AGENTS = "CALLGATE_TOOLS_AGENTS", "JSON", "",
        "limits for single agents, such as `{\"claude-*\":{\"profile\":\"read_only\",\"deny\":[\"crm/*\"]}}`";
    MONITOR = "CALLGATE_MONITOR", "on, off", "off",
        "a trial: everything is decided and recorded, nothing is blocked; rows say what would have been (docs/governance.md)";
    STORE = "CALLGATE_STORE", "auto, sqlite, postgres, off", "auto",
        "where stored policies and decisions are; `auto` is PostgreSQL when `CALLGATE_DATABASE_URL` is set, else `callgate.db` in the state directory";
    DATABASE_URL = "CALLGATE_DATABASE_URL", "secret", "",
        "PostgreSQL, as `postgres://user:password@host:5432/database?sslmode=require`; `DATABASE_URL` is not read";
    DATABASE_URL_FILE = "CALLGATE_DATABASE_URL_FILE", "path", "",
        "file that holds that address; one newline at its end is not part of it";
    ADMIN_SECRET = "CALLGATE_ADMIN_SECRET", "secret", "",
        "for `callgate pdp`: the password that changing policies and overrides and deciding held calls needs; unset lets every client do it";
    ADMIN_SECRET_FILE = "CALLGATE_ADMIN_SECRET_FILE", "path", "",
        "file that holds the admin secret; one newline at its end is not part of it";
    POLICY_CACHE_TTL = "POLICY_CACHE_TTL", "duration", "5m",
        "how often stored policies and overrides are read again";
    POLICY_BLOCK_ON_ERROR = "POLICY_BLOCK_ON_ERROR", "true, false", "false",
        "whether every call is blocked while stored policies cannot be read; otherwise the last good ones hold";
    POLICY_FILE = "CALLGATE_POLICY_FILE", "path", "",
        "JSON file with rules of your own, overrides and tests (docs/policies.md); followed while callgate runs";
    REGO = "CALLGATE_REGO", "path", "",
        "file or folder of Rego rules, which are asked before all other policies (docs/rego.md); followed while callgate runs";
    AUDIT_LOG = "AXONFLOW_AUDIT_LOG", "path", "",
        "file of audit rows; a relative path is taken from the state directory; unset leaves the rows on stderr only";
    AUDIT_DIR = "CALLGATE_AUDIT_DIR", "path", "",
        "folder for the audit rows, in `audit.jsonl`; for forms that pick folders; `AXONFLOW_AUDIT_LOG` wins";
    AUDIT_REQUIRED = "CALLGATE_AUDIT_REQUIRED", "on, off", "on",
        "whether a call that cannot be recorded is refused";
    AUDIT_SYNC = "CALLGATE_AUDIT_SYNC", "always, duration, off", "1s",
        "when audit rows must survive a power cut: before each call and answer, within a time, or when the system pleases";
    AUDIT_ROTATE_SIZE = "CALLGATE_AUDIT_ROTATE_SIZE", "size such as 64MiB, off", "256MiB",
        "the audit file is moved aside at this size, to `<name>.<number of its last row>`; nothing is ever deleted";
    AUDIT_ROTATE_AGE = "CALLGATE_AUDIT_ROTATE_AGE", "such as 12h or 30d, off", "off",
        "the audit file is moved aside when its first row is that old";
    STATE_DIR = "CALLGATE_STATE_DIR", "absolute path", "per-user state directory + callgate",
        "where pinned catalogues and the key that signs the audit record live: `$XDG_STATE_HOME` or `~/.local/state`, on Windows `%LOCALAPPDATA%`";
    MAX_LINE = "CALLGATE_MAX_LINE", "bytes or a size such as 64MiB", "64MiB",
        "longest message that is read from the client or a backend, between 64KiB and 1GiB";
    TOOL_NAME_MAX = "CALLGATE_TOOL_NAME_MAX", "16 to 128", "49",
        "longest tool name that is shown to the client: 64 less the host's own prefix `mcp__callgate__`";
    LOG = "CALLGATE_LOG", "tracing filter", "info",
        "what is logged to stderr, such as `debug` or `warn,callgate=debug`";
}

/// The setting as one line of text for a terminal: name, what may be written, default, purpose.
pub fn help() -> String {
    let widest = ALL.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for setting in ALL {
        let default =
            if setting.default.is_empty() { String::new() } else { format!(" [{}]", setting.default) };
        let _ = writeln!(text, "{:widest$}  {}{default}", setting.name, setting.doc.replace('`', ""));
    }
    text
}

/// The text of `docs/settings.md`.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for Setting { name, form, default, doc } in ALL {
        let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
        let _ = writeln!(text, "| `{name}` | {form} | {default} | {doc} |");
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = "\
# Settings

Callgate is set through environment variables, because that is what a host can pass to the server that it starts.
Everything that is wrong is told at once, and nothing is started (exit code 2).

| variable | may be | default | what for |
|---|---|---|---|
";

const TAIL: &str = "
- A blank value, `null`, `undefined` and an unfilled `${user_config.…}` count as unset: hosts pass them for empty fields.
- Values are trimmed, except secrets.
- A duration is written `10s`, `1m30s`, `500ms` or `1.5s`; it is above zero and at most 24 hours.
- `~/` at the start of a path is the home directory.
- An unknown `CALLGATE_` variable is refused. Unknown `AXONFLOW_` and `AAF_` variables are only noted, since other
  products share these prefixes.
- No backend ever sees a variable that begins with `AXONFLOW_`, `AAF_` or `CALLGATE_`.
- `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are honoured, and handed on to backends.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");

    #[test]
    fn names_are_unique_and_in_a_family_of_ours() {
        let names: BTreeSet<&str> = ALL.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|name| {
            super::super::families::is_ours(name) || super::super::families::WITHOUT_FAMILY.contains(name)
        }));
    }

    #[test]
    fn the_document_is_the_table() {
        let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default().replace("\r\n", "\n");
        assert!(
            document == markdown(),
            "docs/settings.md is behind the table; write it with \
             `cargo test -p callgate write_the_document -- --ignored`"
        );
    }

    #[test]
    #[ignore = "writes docs/settings.md"]
    fn write_the_document() {
        std::fs::write(DOCUMENT, markdown()).expect("docs/settings.md can be written");
    }

    #[test]
    fn help_has_a_line_for_every_setting() {
        assert_eq!(help().lines().count(), ALL.len());
        assert!(!help().contains('`'));
    }
}
