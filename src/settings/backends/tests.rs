//! What people write into backends files, and what they are told.

use super::super::{Environment, Machine};
use super::*;

const HOME: &str = if cfg!(windows) { r"C:\Users\ada" } else { "/home/ada" };

const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("USERPROFILE", HOME),
    ("TOKEN", "hunter2"),
    ("CRM_TOKEN", "t"),
    ("WAREHOUSE_TOKEN", "t"),
];

fn parse_text(text: &str) -> (Vec<BackendEntry>, Vec<String>, Vec<String>) {
    let env: Environment =
        ENVIRONMENT.iter().map(|(name, value)| ((*name).into(), OsString::from(value))).collect();
    let machine = Machine { host_name: None, home: None, unix_seconds: 0, random: 0 };
    let base = if cfg!(windows) { Path::new(r"C:\etc") } else { Path::new("/etc") };
    let places = Places::new(&env, &machine);
    let origin = Origin { place: "b.json", base: Some(base), env: &env, places: &places };
    let (entries, faults, notes) = parse(text, &origin);
    assert!(faults.iter().all(|fault| !fault.hint.is_empty()), "{faults:#?}");
    (entries, faults.iter().map(Fault::to_string).collect(), notes)
}

#[track_caller]
fn entries(text: &str) -> Vec<BackendEntry> {
    let (entries, faults, _) = parse_text(text);
    assert_eq!(faults, Vec::<String>::new());
    entries
}

/// The faults, each without `settings: b.json:`.
fn faults(text: &str) -> Vec<String> {
    let (_, faults, _) = parse_text(text);
    faults.into_iter().map(|fault| fault.replacen("settings: b.json:", "", 1)).collect()
}

#[track_caller]
fn assert_fault(text: &str, part: &str) {
    let faults = faults(text);
    assert!(
        faults.len() == 1 && faults[0].contains(part),
        "{text}\nshould tell {part:?} only, but tells {faults:#?}"
    );
}

fn stdio(entry: &BackendEntry) -> &StdioEntry {
    match &entry.transport {
        Transport::Stdio(stdio) => stdio,
        Transport::Http(_) => panic!("a child"),
    }
}

fn http(entry: &BackendEntry) -> &HttpEntry {
    match &entry.transport {
        Transport::Http(http) => http,
        Transport::Stdio(_) => panic!("an endpoint"),
    }
}

#[test]
fn all_three_shapes_are_read() {
    for text in [
        r#"[{"id":"crm","command":"node","args":["a"]}]"#,
        r#"{"backends":[{"id":"crm","command":"node","args":["a"]}]}"#,
        r#"{"mcpServers":{"crm":{"command":"node","args":["a"]}}}"#,
    ] {
        let entries = entries(text);
        assert_eq!((entries.len(), entries[0].id.as_str()), (1, "crm"), "{text}");
        assert_eq!(
            (stdio(&entries[0]).command.as_str(), &stdio(&entries[0]).args[..]),
            ("node", &["a".to_owned()][..])
        );
    }
}

#[test]
fn variables_are_filled_in_and_secrets_are_not_printed() {
    let entries = entries(
        r#"[{"id":"a","command":"x","args":["--token=${TOKEN}"],"env":{"T":"${TOKEN}","N":"${NONE:-n}"},"timeout":"1m30s"},
            {"id":"b","url":"https://e.example/mcp?key=${TOKEN}","headers":{"Authorization":"Bearer ${TOKEN}"}}]"#,
    );
    assert_eq!(stdio(&entries[0]).args, ["--token=hunter2"]);
    assert_eq!(stdio(&entries[0]).env["T"].expose(), "hunter2");
    assert_eq!(stdio(&entries[0]).env["N"].expose(), "n");
    assert_eq!(entries[0].timeout, Some(Duration::from_secs(90)));
    assert_eq!(http(&entries[1]).url, "https://e.example/mcp?key=hunter2");
    assert_eq!(http(&entries[1]).headers[0].1.expose(), "Bearer hunter2");
    assert!(!format!("{entries:#?}").contains("hunter2"), "{entries:#?}");
    assert_eq!(entries[1].target(), "https://e.example/mcp");
}

#[test]
fn w33_unknown_backend_keys_are_refused() {
    assert_fault(
        r#"[{"id":"a","command":"x","arg":["y"]}]"#,
        r#"1: [0]: unknown key "arg"; did you mean "args""#,
    );
    assert_fault(
        "{\"backends\":[\n{\"id\":\"a\",\n\"command\":\"x\",\n\"Header\":{}}]}",
        r#"4: backends[0]: unknown key "Header"; did you mean "headers""#,
    );
    assert_fault(r#"[{"id":"a","command":"x","colour":"red"}]"#, "begin its name with //");
    assert_fault(
        r#"{"mcpServers":{"a":{"command":"x","timout":"3s"}}}"#,
        r#"mcpServers.a: unknown key "timout"; did you mean "timeout""#,
    );
    assert_fault(r#"{"mcpServers":{"a":{"command":"x","id":"b"}}}"#, "the backend's name is its id");
    assert_fault(r#"[{"id":"a","command":"x","disabled":true}]"#, r#"write "enabled": false"#);
    assert_fault(r#"[{"id":"a","command":"x","autoApprove":[]}]"#, "a host's key");
    assert_fault(
        r#"{"backend":[{"id":"a","command":"x"}],"backends":[{"id":"a","command":"x"}]}"#,
        r#"did you mean "backends""#,
    );
}

#[test]
fn w33_a_backend_has_its_own_timeout_directory_and_headers() {
    let entries = entries(
        r#"[{"id":"a","command":"x","cwd":"~/a","timeout":"45s"},{"id":"b","command":"x","cwd":"sub"},
            {"id":"c","url":"https://c.example","headers":{"X-Key":"k"}}]"#,
    );
    assert_eq!(stdio(&entries[0]).cwd, Some(Path::new(HOME).join("a")));
    assert_eq!(entries[0].timeout, Some(Duration::from_secs(45)));
    assert!(stdio(&entries[1]).cwd.as_ref().is_some_and(|cwd| cwd.is_absolute() && cwd.ends_with("sub")));
    assert_eq!(http(&entries[2]).headers[0].0, "X-Key");
}

#[test]
fn w26_an_entry_cannot_hand_our_variables_to_a_child() {
    assert_fault(
        r#"[{"id":"a","command":"x","env":{"AXONFLOW_CLIENT_SECRET":"s"}}]"#,
        "never handed to a backend",
    );
    assert_fault(r#"[{"id":"a","command":"x","env":{"callgate_pdp":"s"}}]"#, "never handed to a backend");
    assert_fault(
        r#"[{"id":"a","command":"x","env":{"T":"${AXONFLOW_USER_TOKEN:-}"}}]"#,
        "[0].env.T: the variable AXONFLOW_USER_TOKEN",
    );
    assert_fault(
        r#"[{"id":"a","command":"x","args":["y","${AAF_API_KEY}"]}]"#,
        "[0].args[1]: the variable AAF_API_KEY",
    );
    assert_fault(
        r#"[{"id":"a","url":"https://x","headers":{"A":"${CALLGATE_X}"}}]"#,
        "[0].headers.A: the variable CALLGATE_X",
    );
}

#[test]
fn w32_ids_are_unique_and_checked() {
    assert_fault(
        r#"[{"id":"crm","command":"x"},{"id":"CRM","command":"y"}]"#,
        r#"[1]: the id "CRM" is that of [0] too"#,
    );
    for id in ["", "a b", "a.b", "ä", "a/b", &"a".repeat(65)] {
        assert_fault(&format!(r#"[{{"id":"{id}","command":"x"}}]"#), "is not an id");
    }
    assert_fault(r#"[{"command":"x"}]"#, "has no \"id\"");
    assert_fault(r#"[{"id":7,"command":"x"}]"#, "is a number and not a text");
    entries(&format!(r#"[{{"id":"{}","command":"x"}}]"#, "a".repeat(64)));
}

#[test]
fn w32_a_hosts_names_become_ids_the_same_way_every_time() {
    let (entries, faults, notes) = parse_text(r#"{"mcpServers":{" My CRM (eu) ":{"command":"x"}}}"#);
    assert_eq!((entries[0].id.as_str(), faults.len()), ("My-CRM--eu", 0));
    assert_eq!(notes, [r#"b.json:1: mcpServers." My CRM (eu) ": its id is "My-CRM--eu""#]);
    assert_fault(r#"{"mcpServers":{"a b":{"command":"x"},"A.B":{"command":"x"}}}"#, "is that of");
    assert_fault(r#"{"mcpServers":{"日本":{"command":"x"}}}"#, "no id can be made");
}

#[test]
fn a_hosts_own_keys_are_skipped_and_told() {
    let text = r#"{"globalShortcut":"x","mcpServers":{
        "a":{"type":"stdio","command":"x","args":[],"url_":0,"timeout":60,"alwaysAllow":["t"],"excludeTools":["rm"]}}}"#;
    let (entries, faults, notes) = parse_text(&text.replace("\"url_\":0,", ""));
    assert_eq!((entries.len(), faults.len(), entries[0].timeout), (1, 0, None));
    let notes = notes.join("\n");
    for part in [
        "globalShortcut: skipped",
        "a.timeout: skipped",
        "alwaysAllow: skipped; callgate decides",
        "excludeTools: skipped; every tool",
    ] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
}

#[test]
fn a_hosts_transport_is_understood() {
    for kind in ["http", "streamable-http", "streamableHttp", "streamable_http", "remote"] {
        entries(&format!(
            r#"{{"mcpServers":{{"a":{{"type":"{kind}","url":"https://x.example","args":[]}}}}}}"#
        ));
    }
    for key in ["httpUrl", "serverUrl"] {
        assert_eq!(
            http(&entries(&format!(r#"{{"mcpServers":{{"a":{{"{key}":"https://x.example"}}}}}}"#))[0]).url,
            "https://x.example"
        );
    }
    assert_fault(
        r#"{"mcpServers":{"a":{"type":"sse","url":"https://x.example/sse"}}}"#,
        "HTTP+SSE transport is not spoken; use the server's Streamable HTTP",
    );
    assert_fault(
        r#"{"mcpServers":{"a":{"transport":"pigeon","url":"https://x.example"}}}"#,
        "not a known transport",
    );
    assert_fault(r#"{"mcpServers":{"a":{"type":"http","command":"x"}}}"#, "contradicts");
    assert_fault(r#"{"mcpServers":{"a":{"type":"stdio","url":"https://x"}}}"#, "contradicts");
}

#[test]
fn disabled_backends_are_left_out() {
    let text = r#"{"mcpServers":{"a":{"command":"x","disabled":true,"env":{"T":"${NONE}"}},"b":{"command":"y","disabled":false}}}"#;
    let (entries, faults, notes) = parse_text(text);
    assert_eq!((entries.len(), entries[0].id.as_str(), faults.len()), (1, "b", 0));
    assert!(notes[0].contains("disabled, so not started"), "{notes:?}");
    assert_fault(r#"[{"id":"a","command":"x","enabled":false}]"#, "its only backend is disabled");
    assert_fault(r#"[{"id":"a","command":"x","enabled":"no"}]"#, "write true or false");
}

#[test]
fn callgate_is_not_started_inside_itself() {
    for command in ["callgate", "/usr/bin/callgate", r"C:\\Tools\\Callgate.EXE"] {
        assert_fault(&format!(r#"[{{"id":"a","command":"{command}"}}]"#), "callgate inside callgate");
    }
    assert_fault(
        r#"{"mcpServers":{"callgate":{"command":"callgate","args":["serve"]}}}"#,
        "callgate inside callgate",
    );
    entries(r#"[{"id":"a","command":"callgate","args":["stub"]},{"id":"b","command":"callgate2"}]"#);
}

#[test]
fn comments_are_allowed_at_every_level() {
    entries(
        r#"{"// a":1,"$schema":"x","backends":[{"// b":[],"// b":2,"id":"a","command":"x","env":{"// c":{},"A":"1"}}]}"#,
    );
    let host = entries(r#"{"mcpServers":{"// x":"y","a":{"command":"x"}}}"#);
    assert_eq!(host.len(), 1);
}

#[test]
fn duplicate_keys_are_a_fault() {
    assert_fault(
        "[{\"id\":\"a\",\"command\":\"x\",\n\"command\":\"y\"}]",
        r#"2: the key "command" stands here twice"#,
    );
    assert_fault(
        r#"{"mcpServers":{"a":{"command":"x"},"a":{"command":"y"}}}"#,
        r#"the key "a" stands here twice"#,
    );
    assert_fault(
        r#"[{"id":"a","url":"https://x.example","headers":{"X-A":"1","x-a":"2"}}]"#,
        "stands here twice",
    );
}

#[test]
fn a_wrong_shape_is_told_with_the_right_one() {
    for (text, part) in [
        (r#"{"command":"x"}"#, r#"is a single backend and not a list; put it into {"backends":[…]}"#),
        (r#"{"servers":{"a":{"command":"x"}}}"#, r#"rename it to "mcpServers""#),
        (r#"{"backends":{}}"#, "is an object and not a list"),
        (r#"{"mcpServers":[]}"#, "is a list and not an object"),
        (r#"{"backends":[],"mcpServers":{}}"#, "keep one of the two"),
        (r#"{"backends":[]}"#, "there are no backends in it"),
        ("[]", "there are no backends in it"),
        ("7", "is a number and not a list of backends"),
        ("[7]", "is a number and not a backend"),
        ("[{}", "not JSON"),
        ("{\"backends\":[\n{\"id\":\"a\",}]}", "2: not JSON"),
    ] {
        let faults = faults(text);
        assert!(faults.iter().any(|fault| fault.contains(part)), "{text}: {faults:#?}");
    }
    let many: Vec<String> = (0..=MAX_BACKENDS).map(|n| format!(r#"{{"id":"b{n}","command":"x"}}"#)).collect();
    assert_fault(&format!("[{}]", many.join(",")), "keep at most 256");
}

#[test]
fn a_wrong_value_is_told_with_its_path() {
    for (entry, part) in [
        (r#""command":"x","url":"https://x""#, "has both a command and an address"),
        ("\"timeout\":\"5s\"", "has neither"),
        (r#""command":"""#, "[0].command: is empty"),
        (r#""command":["x"]"#, "[0].command: is a list and not a text"),
        (r#""command":"x","args":"y""#, "[0].args: is a text and not a list"),
        (r#""command":"x","args":["y",7]"#, "[0].args[1]: is a number; write it in quotes"),
        (r#""command":"x","env":["A=1"]"#, "[0].env: is a list and not an object"),
        (r#""command":"x","env":{"A":7}"#, "[0].env.A: is a number; write it in quotes"),
        (r#""command":"x","env":{"A=B":"7"}"#, "is not the name of a variable"),
        (r#""command":"x","env":{"A":"${NONE}"}"#, "[0].env.A: the variable NONE is not set"),
        (r#""command":"x","env":{"A":"\u0000"}"#, "NUL"),
        (r#""command":"x","cwd":7"#, "[0].cwd: is a number"),
        (r#""command":"x","headers":{"A":"1"}"#, "a program takes no headers"),
        (r#""command":"x","timeout":30"#, "a text with a unit"),
        (r#""command":"x","timeout":"30""#, "[0].timeout: \"30\" has no unit"),
        (r#""url":"ws://x""#, "is not an http address"),
        (r#""url":"https://me:hunter2@x""#, "holds credentials"),
        (r#""url":"https://x","env":{"A":"1"}"#, "[0].env: only a program takes it"),
        (r#""url":"https://x","headers":{"Mcp-Session-Id":"1"}"#, "is sent by callgate itself"),
        (r#""url":"https://x","headers":{"A b":"1"}"#, "is not the name of a header"),
        (r#""url":"https://x","headers":{"A":"hunter2\r\nB: 2"}"#, "has a control character in its value"),
    ] {
        let text = format!(r#"[{{"id":"a",{entry}}}]"#);
        assert_fault(&text, part);
        assert!(!faults(&text)[0].contains("hunter2"), "{text}");
    }
}

#[test]
fn w47_headers_over_plain_http_are_told() {
    let (_, _, notes) =
        parse_text(r#"[{"id":"a","url":"http://x.example/mcp","headers":{"Authorization":"${TOKEN}"}}]"#);
    assert!(notes.len() == 1 && notes[0].contains("[0].url: is not encrypted"), "{notes:?}");
    let (_, _, notes) =
        parse_text(r#"[{"id":"a","url":"http://localhost:1/mcp","headers":{"Authorization":"${TOKEN}"}}]"#);
    assert_eq!(notes, Vec::<String>::new());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in r#"([\[\]{}:,"$ /\\a-zé0-9-]|"id"|"command"|"env"|"mcpServers"|"url"|\$\{){0,40}"#,
        name in ".{0,80}",
    ) {
        parse_text(&text);
        let name = serde_json::to_string(&name)?;
        for (key, value) in [("command", "x"), ("url", "http://x"), ("timeout", "1s")] {
            parse_text(&format!(r#"{{"mcpServers":{{{name}:{{"{key}":{name},"cwd":{name},"// ":"{value}"}}}}}}"#));
        }
    }
}
