//! What a person sets, and what they are told.

use super::*;
use crate::fault::Kind;
use std::cell::Cell;

const HOME: &str = if cfg!(windows) { r"C:\Users\ada" } else { "/home/ada" };
const ONE: &str = r#"[{"id":"crm","command":"node"}]"#;

fn machine() -> Machine {
    Machine {
        host_name: Some("desk.example".into()),
        home: Some(HOME.into()),
        unix_seconds: 1_700_000_000,
        random: 0xfeed,
    }
}

fn environment_of(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
}

fn files(path: &Path) -> io::Result<Vec<u8>> {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("secret") => Ok(b"hunter2\n".to_vec()),
        Some("windows-secret") => Ok(b"\xef\xbb\xbfhunter2 \r\n".to_vec()),
        Some("blank") => Ok(b" \n".to_vec()),
        Some("backends.json") => Ok(format!("\u{feff}{ONE}").into_bytes()),
        Some("utf-16.json") => Ok(b"\xff\xfe[\0]\0".to_vec()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

/// Loads with one backend unless the pairs name some.
fn load(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Fault>> {
    let mut env = environment_of(&[("HOME", HOME), ("USERPROFILE", HOME)]);
    if !pairs.iter().any(|(name, _)| name.starts_with("AXONFLOW_BACKENDS")) {
        env.extend(environment_of(&[("AXONFLOW_BACKENDS", ONE)]));
    }
    env.extend(environment_of(pairs));
    Settings::load_on(&machine(), &env, &files)
}

#[track_caller]
fn settings(pairs: &[(&str, &str)]) -> Settings {
    load(pairs).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The faults as a person sees them.
#[track_caller]
fn told(pairs: &[(&str, &str)]) -> String {
    let faults = load(pairs).expect_err("a fault");
    assert!(faults.iter().all(|fault| fault.kind == Kind::Settings && !fault.hint.is_empty()), "{faults:#?}");
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[track_caller]
fn assert_told(pairs: &[(&str, &str)], line: &str) {
    assert_eq!(told(pairs).trim_end(), line);
}

fn notes(pairs: &[(&str, &str)]) -> String {
    settings(pairs).notes.join("\n")
}

#[test]
fn unset_settings_have_the_contracts_defaults() {
    let settings = settings(&[]);
    assert_eq!(settings.pdp, Pdp::Embedded);
    assert_eq!(settings.platform.endpoint, "http://localhost:8080");
    assert_eq!(settings.platform.client_id, "claude-desktop-proxy");
    assert!(settings.platform.client_secret.is_none() && settings.platform.user_token.is_none());
    assert_eq!(settings.identity.gateway_id, "claude_desktop.desk-example");
    assert_eq!(settings.identity.ai_agent, "claude-desktop");
    assert_eq!(settings.identity.session_id, "cd-000000000000feed-1700000000");
    assert_eq!(settings.identity.tenant_id, None);
    assert_eq!(settings.fail_mode, FailMode::Closed);
    assert_eq!(settings.redact_responses, RedactResponses::Always);
    assert_eq!(settings.decide_timeout, Duration::from_secs(10));
    assert_eq!(settings.backend_timeout, Duration::from_secs(30));
    assert_eq!(settings.tool_name_max, 49);
    assert!(settings.audit_required);
    assert_eq!(settings.notes, Vec::<String>::new());
}

#[test]
fn the_store_is_a_file_unless_a_database_has_an_address() {
    let url = ("CALLGATE_DATABASE_URL", "postgres://u:hunter2@db.example.com/d");
    let kind = |pairs: &[(&str, &str)]| settings(pairs).store.kind;
    assert_eq!(kind(&[]), StoreKind::Sqlite);
    assert_eq!(kind(&[url]), StoreKind::Postgres);
    assert_eq!(kind(&[url, ("CALLGATE_STORE", "sqlite")]), StoreKind::Sqlite);
    assert!(notes(&[url, ("CALLGATE_STORE", "off")]).contains("CALLGATE_DATABASE_URL: not used"));
    assert_eq!(settings(&[]).store.cache_ttl, Duration::from_secs(300));
    assert!(settings(&[("POLICY_BLOCK_ON_ERROR", "true")]).store.block_on_error);
    assert!(told(&[("CALLGATE_STORE", "postgres")]).contains("the database has no address"));
    assert!(told(&[("POLICY_CACHE_TTL", "often")]).contains("POLICY_CACHE_TTL"));
    let open = told(&[("CALLGATE_DATABASE_URL", "postgres://u:hunter2@db.example.com/d?sslmode=prefer")]);
    assert!(open.contains("sslmode=require") && !open.contains("hunter2"), "{open}");
}

#[test]
fn the_table_tells_the_defaults_that_hold() {
    let unset = format!("{:?}", settings(&[]));
    for setting in table::ALL {
        let made_up = setting.default.is_empty() || setting.default.contains(['<', ' ']);
        // Setting the endpoint chooses the PDP.
        if !made_up && setting.name != "AXONFLOW_ENDPOINT" {
            let set = format!("{:?}", settings(&[(setting.name, setting.default)]));
            assert_eq!(set, unset, "{}", setting.name);
        }
    }
}

#[test]
fn every_setting_of_the_table_is_read_and_no_other() {
    let env = environment_of(&[]);
    let machine = machine();
    let mut loading = Loading::new(&machine, &env, &files);
    loading.scalars(&machine);
    loading.backends(&env);
    let asked = loading.reader.asked().clone();
    assert_eq!(asked, table::ALL.iter().map(|setting| setting.name).collect());
}

#[test]
fn what_a_host_leaves_behind_for_empty_fields_changes_nothing() {
    let unset = format!("{:?}", settings(&[]));
    for blank in ["", "  ", "null", "undefined", "${user_config.some_field}"] {
        let all = table::ALL.iter().filter(|setting| setting.name != "AXONFLOW_BACKENDS");
        let pairs: Vec<(&str, &str)> =
            all.map(|setting| (setting.name, blank)).chain([("AXONFLOW_BACKENDS", ONE)]).collect();
        assert_eq!(format!("{:?}", settings(&pairs)), unset, "{blank:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let told = told(&[
        ("AXONFLOW_BACKENDS", r#"[{"id":"a","comand":"x"},{"id":"A b","command":"y"}]"#),
        ("AXONFLOW_REDACT_RESPONSES", "alway"),
        ("AXONFLOW_DECIDE_TIMEOUT", "0s"),
        ("CALLGATE_FAIL_MODE", "open"),
        ("CALLGATE_CARD_MATCH", "sharp"),
    ]);
    assert_eq!(
        told,
        "settings: AXONFLOW_REDACT_RESPONSES: \"alway\" is not known; \
         set it to one of always, on-obligation, off, on_obligation\n\
         settings: CALLGATE_CARD_MATCH: \"sharp\" is not known; set it to one of loose, precise\n\
         settings: AXONFLOW_DECIDE_TIMEOUT: \"0s\" is no time at all; write a duration above zero such as 10s\n\
         settings: AXONFLOW_BACKENDS:1: [0]: unknown key \"comand\"; did you mean \"command\"\n\
         settings: AXONFLOW_BACKENDS:1: [1].id: \"A b\" is not an id; \
         write 1 to 64 letters, digits, underscores and hyphens\n\
         settings: CALLGATE_FAIL_MODE: unknown setting; did you mean AXONFLOW_FAIL_MODE\n"
    );
}

#[test]
fn unknown_variables_of_our_own_prefix_are_refused_and_others_noted() {
    assert_told(
        &[("CALLGATE_MAXLINE", "1")],
        "settings: CALLGATE_MAXLINE: unknown setting; did you mean CALLGATE_MAX_LINE",
    );
    assert!(told(&[("CALLGATE_WHATEVER_ELSE", "1")]).contains("remove it"));
    let notes = notes(&[("AXONFLOW_FAILMODE", "open"), ("AXONFLOW_TELEMETRY", "off"), ("AAF_ZZZ", "1")]);
    assert_eq!(
        notes,
        "AAF_ZZZ: unknown and not used here\n\
         AXONFLOW_FAILMODE: unknown and not used here; did you mean AXONFLOW_FAIL_MODE\n\
         AXONFLOW_TELEMETRY: belongs to another product and is not used here"
    );
}

#[test]
fn only_the_word_open_opens_and_a_typo_is_told() {
    for open in ["open", "OPEN", " Open "] {
        assert_eq!(settings(&[("AXONFLOW_FAIL_MODE", open)]).fail_mode, FailMode::Open, "{open}");
    }
    for closed in ["opne", "true", "fail-open", "open;", "0pen"] {
        let settings = settings(&[("AXONFLOW_FAIL_MODE", closed)]);
        assert_eq!(settings.fail_mode, FailMode::Closed, "{closed}");
        assert!(settings.notes[0].contains("means closed"), "{:?}", settings.notes);
    }
    assert_eq!(settings(&[("AXONFLOW_FAIL_MODE", "Closed")]).notes, Vec::<String>::new());
}

#[test]
fn the_pdp_follows_the_endpoint_unless_it_is_named() {
    let endpoint = ("AXONFLOW_ENDPOINT", "https://axonflow.example.com//");
    let chosen = settings(&[endpoint]);
    assert_eq!(
        (chosen.pdp, chosen.platform.endpoint.as_str()),
        (Pdp::Axonflow, "https://axonflow.example.com")
    );
    assert_eq!(settings(&[("CALLGATE_PDP", "axonflow")]).platform.endpoint, "http://localhost:8080");
    let embedded = settings(&[endpoint, ("CALLGATE_PDP", "embedded")]);
    assert_eq!(embedded.pdp, Pdp::Embedded);
    assert!(embedded.notes[0].contains("not asked"), "{:?}", embedded.notes);
    assert!(notes(&[("AXONFLOW_CLIENT_SECRET", "s")]).contains("set AXONFLOW_ENDPOINT to ask AxonFlow"));
}

#[test]
fn a_key_of_the_agent_action_firewall_has_it_decide() {
    let key = ("AAF_API_KEY", "hunter2");
    let chosen = settings(&[key]);
    assert_eq!((chosen.pdp, chosen.aaf.url.as_str()), (Pdp::Aaf, "https://api.agentactionfirewall.com"));
    assert_eq!((chosen.aaf.agent_id.as_str(), chosen.aaf.operation.as_str()), ("mcp-proxy", "call"));
    assert_eq!(chosen.identity.ai_agent, "claude-desktop");
    assert_eq!(chosen.approval_hold, Duration::from_secs(30));
    assert_eq!(settings(&[]).approval_hold, Duration::from_secs(25));
    assert_eq!(chosen.aaf.request_timeout, Duration::from_secs(5));
    assert!(!format!("{chosen:?}").contains("hunter2"));
    assert_eq!(settings(&[("AAF_API_KEY_FILE", "/secret")]).pdp, Pdp::Aaf);
    let endpoint = ("AXONFLOW_ENDPOINT", "https://axonflow.example.com");
    assert!(told(&[key, endpoint]).contains("set it to axonflow or aaf, or unset one of them"));
    let either = settings(&[key, endpoint, ("CALLGATE_PDP", "axonflow")]);
    assert!(
        either.pdp == Pdp::Axonflow && either.notes[0].contains("AAF_API_KEY: not used"),
        "{:?}",
        either.notes
    );
    let either = settings(&[key, endpoint, ("CALLGATE_PDP", "aaf")]);
    assert!(either.pdp == Pdp::Aaf && either.notes[0].contains("not asked"), "{:?}", either.notes);
    assert!(notes(&[key, ("CALLGATE_PDP", "embedded")]).contains("because CALLGATE_PDP is embedded"));
}

#[test]
fn what_cannot_work_with_the_agent_action_firewall_is_refused() {
    let key = ("AAF_API_KEY", "hunter2");
    for (pairs, what) in [
        (
            &[("CALLGATE_PDP", "aaf")][..],
            "settings: AAF_API_KEY: the Agent Action Firewall answers nobody without",
        ),
        (
            &[("AAF_API_KEY", "hunter2\n")],
            "settings: AAF_API_KEY: cannot stand in a header; write it without",
        ),
        (
            &[key, ("AAF_API_URL", "http://aaf.example.com")],
            "is not encrypted, and the key would go over it; write",
        ),
        (&[key, ("AAF_API_URL", "https://aaf.example.com/?a=b")], "has a query; remove the ?"),
        (&[key, ("AAF_API_URL", "aaf.example.com")], "settings: AAF_API_URL: "),
        (&[key, ("AAF_API_KEY_FILE", "/secret")], "the secret is set twice; unset one of"),
        (&[key, ("MCP_PROXY_REQUEST_TIMEOUT_MS", "5s")], "is not a number of milliseconds; write a number"),
        (&[key, ("CALLGATE_AAF_PARAMS", "args")], "set it to one of params, parameters, both"),
        (&[key, ("CALLGATE_AAF_OPERATION", "a b")], "is not an operation; write"),
        (&[key, ("CALLGATE_AAF_AGENT_ID", "a\r\nX-Evil: 1")], "printable ASCII"),
        (&[key, ("CALLGATE_REDACT_ENGINE", "both")], "set CALLGATE_PDP to axonflow, or this to local"),
        (
            &[key, ("CALLGATE_POLICY_FILE", "/rules.json")],
            "not asked while the Agent Action Firewall decides; unset",
        ),
    ] {
        let told = told(pairs);
        assert!(
            told.contains(what) && !told.contains("hunter2") && told.lines().count() == 1,
            "{pairs:?}: {told}"
        );
    }
    for url in ["http://localhost:8080", "http://127.0.0.1:1/", "https://aaf.example.com/base/"] {
        assert!(!settings(&[key, ("AAF_API_URL", url)]).aaf.url.ends_with('/'), "{url}");
    }
}

#[test]
fn remote_redaction_needs_the_platform() {
    for engine in ["remote", "both"] {
        assert!(
            told(&[("CALLGATE_REDACT_ENGINE", engine)])
                .contains("set CALLGATE_PDP to axonflow, or this to local")
        );
        assert_ne!(
            settings(&[("CALLGATE_REDACT_ENGINE", engine), ("CALLGATE_PDP", "axonflow")]).redact_engine,
            RedactEngine::Local
        );
    }
}

#[test]
fn an_endpoint_is_an_http_address_without_credentials_or_query() {
    for (endpoint, what) in [
        ("localhost:8080", "is not an http address"),
        ("ftp://example.com", "is not an http address"),
        ("https://me:hunter2@example.com", "holds credentials"),
        ("https://example.com/?key=hunter2", "has a query"),
    ] {
        let told = told(&[("AXONFLOW_ENDPOINT", endpoint)]);
        assert!(told.contains(what) && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn w47_plain_http_with_credentials_is_told() {
    let secret = ("AXONFLOW_CLIENT_SECRET", "hunter2");
    let told = notes(&[("AXONFLOW_ENDPOINT", "http://axonflow.example.com"), secret]);
    assert!(
        told.contains("is not encrypted") && told.contains("use https") && !told.contains("hunter2"),
        "{told}"
    );
    let token = ("AXONFLOW_USER_TOKEN", "hunter2");
    assert!(notes(&[("AXONFLOW_ENDPOINT", "http://10.0.0.1:8080"), token]).contains("is not encrypted"));
    for quiet in
        ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:1", "https://axonflow.example.com"]
    {
        assert_eq!(notes(&[("AXONFLOW_ENDPOINT", quiet), secret]), "", "{quiet}");
    }
    assert_eq!(notes(&[("AXONFLOW_ENDPOINT", "http://axonflow.example.com")]), "");
}

#[test]
fn a_secret_is_taken_as_it_is_and_never_printed() {
    let settings = settings(&[("CALLGATE_PDP", "axonflow"), ("AXONFLOW_CLIENT_SECRET", " pa$$w0rd \n")]);
    assert_eq!(settings.platform.client_secret.as_ref().map(Secret::expose), Some(" pa$$w0rd \n"));
    assert!(settings.notes[0].contains("ends with a newline"), "{:?}", settings.notes);
    assert!(!format!("{settings:?}").contains("w0rd"));
    let damaged = notes(&[
        ("CALLGATE_PDP", "axonflow"),
        ("AXONFLOW_CLIENT_SECRET", "pa${user_config.client_secret}rd"),
    ]);
    assert!(damaged.contains("set AXONFLOW_CLIENT_SECRET_FILE") && !damaged.contains("rd;"), "{damaged}");
}

#[test]
fn a_secret_may_come_from_a_file() {
    let exposed = |file| {
        let settings = settings(&[("CALLGATE_PDP", "axonflow"), ("AXONFLOW_CLIENT_SECRET_FILE", file)]);
        settings.platform.client_secret.map(|secret| secret.expose().to_owned())
    };
    assert_eq!(exposed("/secret").as_deref(), Some("hunter2"));
    assert_eq!(exposed("~/windows-secret").as_deref(), Some("hunter2 "));
    let blank = told(&[("AXONFLOW_USER_TOKEN_FILE", "/blank")]);
    assert!(blank.contains("the file holds no secret"), "{blank}");
    assert!(
        told(&[("AXONFLOW_CLIENT_SECRET_FILE", "/none")]).contains("cannot read \"/none\": no such file")
    );
    let twice = told(&[("AXONFLOW_CLIENT_SECRET", "a"), ("AXONFLOW_CLIENT_SECRET_FILE", "/secret")]);
    assert!(twice.contains("the secret is set twice"), "{twice}");
}

#[test]
fn what_goes_into_headers_cannot_break_them() {
    for name in ["AXONFLOW_LEADER_EMAIL", "AXONFLOW_SESSION_ID", "AXONFLOW_ORG_ID"] {
        assert!(told(&[(name, "a\r\nX-Evil: 1")]).contains("printable ASCII"), "{name}");
        assert!(told(&[(name, &"a".repeat(257))]).contains("at most 256 bytes"), "{name}");
    }
    assert!(told(&[("AXONFLOW_CLIENT_ID", "org:secret")]).contains("AXONFLOW_CLIENT_SECRET"));
    assert!(told(&[("AXONFLOW_PEP_AUDIENCE", "a b")]).contains("is not an audience"));
}

#[test]
fn sizes_and_numbers_keep_their_bounds() {
    assert_eq!(settings(&[("CALLGATE_MAX_LINE", "1MiB")]).max_line_bytes, 1 << 20);
    for (name, value) in [
        ("CALLGATE_MAX_LINE", "65535"),
        ("CALLGATE_MAX_LINE", "2GiB"),
        ("CALLGATE_MAX_LINE", "much"),
        ("CALLGATE_TOOL_NAME_MAX", "15"),
        ("CALLGATE_TOOL_NAME_MAX", "129"),
        ("CALLGATE_TOOL_NAME_MAX", "-1"),
        ("CALLGATE_LOG", "info,callgate=loudly"),
        ("CALLGATE_AUDIT_REQUIRED", "perhaps"),
        ("CALLGATE_LIST_WAIT", "-1s"),
    ] {
        assert!(told(&[(name, value)]).starts_with(&format!("settings: {name}: ")), "{name}={value}");
    }
    assert!(
        notes(&[("AXONFLOW_BACKEND_TIMEOUT", "90s")])
            .contains("1m 30s is longer than CALLGATE_CALL_BUDGET, 55s")
    );
}

#[test]
fn a_tick_box_opens_the_gate_with_exactly_one_word() {
    let mode = |pairs: &[(&str, &str)]| settings(pairs).fail_mode;
    assert_eq!(mode(&[("CALLGATE_FAIL_OPEN", "true")]), FailMode::Open);
    for text in ["false", "yes", "1", "TRUE", " "] {
        assert_eq!(mode(&[("CALLGATE_FAIL_OPEN", text)]), FailMode::Closed, "{text}");
    }
    let both = [("CALLGATE_FAIL_OPEN", "true"), ("AXONFLOW_FAIL_MODE", "closed")];
    assert_eq!(mode(&both), FailMode::Closed);
}

#[cfg(unix)]
#[test]
fn paths_do_not_depend_on_the_working_directory() {
    let of = |pairs: &[(&str, &str)]| {
        settings(pairs).audit_log.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    };
    assert_eq!(of(&[]), "", "without a path the rows are on stderr only");
    assert_eq!(of(&[("CALLGATE_AUDIT_DIR", "~/logs")]), "/home/ada/logs/audit.jsonl");
    assert_eq!(of(&[("CALLGATE_AUDIT_DIR", "/x"), ("AXONFLOW_AUDIT_LOG", "/a.jsonl")]), "/a.jsonl");
    assert_eq!(of(&[("AXONFLOW_AUDIT_LOG", "/var/log/a.jsonl")]), "/var/log/a.jsonl");
    assert_eq!(of(&[("AXONFLOW_AUDIT_LOG", "~/logs/")]), "/home/ada/logs/audit.jsonl");
    let relative = settings(&[("AXONFLOW_AUDIT_LOG", "audit/a.jsonl"), ("CALLGATE_STATE_DIR", "~/state")]);
    assert_eq!(relative.audit_log.as_deref(), Some(Path::new("/home/ada/state/audit/a.jsonl")));
    assert!(relative.notes[0].contains("is relative and taken as \"/home/ada/state/audit/a.jsonl\""));
    assert!(told(&[("CALLGATE_STATE_DIR", "state")]).contains("is not absolute"));
}

#[test]
fn the_backends_file_wins_over_the_variable() {
    let settings =
        settings(&[("AXONFLOW_BACKENDS_FILE", "/backends.json"), ("AXONFLOW_BACKENDS", "rubbish")]);
    assert_eq!(settings.backends.len(), 1);
    assert!(settings.notes[0].contains("not read"), "{:?}", settings.notes);
    assert!(settings.backends[0].source.starts_with("/backends.json:1"), "{}", settings.backends[0].source);
}

#[test]
fn without_backends_nothing_starts() {
    assert_told(
        &[("AXONFLOW_BACKENDS", " ")],
        "settings: backends: there are none; set AXONFLOW_BACKENDS_FILE to a JSON file that lists them",
    );
    assert!(told(&[("AXONFLOW_BACKENDS_FILE", "/none.json")]).contains("cannot read \"/none.json\""));
    assert!(told(&[("AXONFLOW_BACKENDS_FILE", "/utf-16.json")]).contains("save it as UTF-8"));
    assert!(told(&[("AXONFLOW_BACKENDS", "/etc/backends.json")]).contains("AXONFLOW_BACKENDS_FILE"));
    assert!(told(&[("AXONFLOW_BACKENDS_FILE", "none.json")]).contains("write an absolute path"));
}

#[test]
fn commands_without_backends_do_not_need_them() {
    let read = Cell::new(false);
    let env = environment_of(&[("HOME", HOME), ("USERPROFILE", HOME), ("AXONFLOW_BACKENDS_FILE", "/x")]);
    let settings = Settings::load_without_backends(&env, &|path| {
        read.set(true);
        files(path)
    });
    assert!(settings.is_ok_and(|settings| settings.backends.is_empty()) && !read.get());
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStringExt;
    let mut env = environment_of(&[("HOME", HOME), ("AXONFLOW_BACKENDS", ONE)]);
    env.insert("AXONFLOW_ORG_ID".into(), OsString::from_vec(vec![0xff]));
    let faults = Settings::load_on(&machine(), &env, &files).expect_err("a fault");
    assert_eq!(faults[0].to_string(), "settings: AXONFLOW_ORG_ID: is not UTF-8; set it again in UTF-8");
}

#[test]
fn the_posture_is_the_profile_and_the_actions_of_classes() {
    use crate::policy::model::Action;
    use crate::policy::posture::{Class, Profile};
    let posture = settings(&[]).posture;
    assert_eq!((posture.profile, posture.actions.len()), (Profile::Shipped, 0));
    let posture =
        settings(&[("AXONFLOW_PROFILE", "Strict"), ("SQLI_ACTION", "warn"), ("PII_ACTION", "redact")])
            .posture;
    assert_eq!(posture.profile, Profile::Strict);
    assert_eq!(posture.actions.get(&Class::Sqli), Some(&Action::Warn));
    assert_eq!(posture.actions.get(&Class::PersonalData), Some(&Action::Redact));
    assert_told(
        &[("DANGEROUS_COMMAND_ACTION", "redact")],
        "settings: DANGEROUS_COMMAND_ACTION: \"redact\" is not known; \
         set it to one of block, require_approval, warn, log",
    );
    assert_told(
        &[("AXONFLOW_PROFILE", "lax")],
        "settings: AXONFLOW_PROFILE: \"lax\" is not known; \
         set it to one of shipped, dev, default, strict, compliance",
    );
}
