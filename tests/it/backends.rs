//! Backends over stdio: starting, framing, environment, settings.

use crate::harness::{STACKED_SQL, Setup, eventually};
use serde_json::{Value, json};
use std::net::TcpListener;

#[test]
fn w13_a_backend_that_is_down_at_the_start_comes_in_later() {
    let setup = Setup::new().stub("good", &[]).expecting("good__echo");
    let up = setup.path("up");
    let gate = setup.stub("late", &["--up-file", &up]).open();
    assert!(!gate.tool_names().contains(&"late__echo".to_owned()));
    std::fs::write(&up, "").expect("written");
    gate.notification("notifications/tools/list_changed", |_| true);
    gate.wait_for_tool("late__echo");
    assert!(gate.call_until_ok("late__echo", &json!({})).is_ok());
}

#[test]
fn w13_a_missing_command_disturbs_nobody_and_is_named() {
    let gate = Setup::new()
        .stub("good", &[])
        .backend(json!({"id": "gone", "command": "no-such-command-anywhere"}))
        .expecting("good__echo")
        .open();
    assert!(gate.call("good__echo", &json!({})).is_ok());
    gate.wait_for_stderr("no-such-command-anywhere");
}

#[test]
fn w14_a_backend_that_never_lists_holds_nobody_up() {
    let gate =
        Setup::new().stub("good", &[]).stub("mute", &["--mute", "tools/list"]).expecting("good__echo").open();
    assert!(gate.call("good__echo", &json!({})).is_ok());
}

#[test]
fn w14_an_http_backend_that_never_answers_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let gate = Setup::new()
        .stub("good", &[])
        .backend(json!({"id": "silent", "url": format!("http://127.0.0.1:{port}/mcp")}))
        .expecting("good__echo")
        .open();
    assert!(gate.call("good__echo", &json!({})).is_ok());
}

#[test]
fn w23_a_line_above_the_limit_costs_one_call() {
    let gate = Setup::new().env("CALLGATE_MAX_LINE", "1000000").stub("a", &[]).stub("b", &[]).open();
    let long = gate.start_call("a__big", &json!({"kb": 4000}));
    assert!(gate.call("b__echo", &json!({})).is_ok());
    assert_eq!(gate.reply(long).code(), -32603);
    assert!(gate.call_until_ok("a__echo", &json!({})).is_ok());
}

#[test]
fn w23_an_answer_of_many_megabytes_passes() {
    let gate = Setup::new().stub("a", &[]).open();
    assert!(gate.call("big", &json!({"kb": 8000})).text().len() > 8_000_000);
    assert!(gate.call("echo", &json!({})).is_ok());
}

#[test]
fn w24_stderr_without_end_blocks_nobody() {
    let gate = Setup::new().stub("a", &["--stderr-flood"]).open();
    for _ in 0..50 {
        assert!(gate.call("echo", &json!({})).is_ok());
    }
    let size = gate.stderr().len();
    assert!(size < 64 << 20, "{size} bytes of a backend's stderr were passed on");
}

#[test]
fn w25_a_backend_that_stops_reading_blocks_only_its_own_calls() {
    let gate = Setup::new().env("AXONFLOW_BACKEND_TIMEOUT", "2s").stub("a", &[]).stub("b", &[]).open();
    gate.call("a__stop_reading", &json!({}));
    let large = "large ".repeat(1 << 17);
    let stuck: Vec<i64> = (0..8).map(|_| gate.start_call("a__text", &json!({"text": large}))).collect();
    assert!(gate.call("b__echo", &json!({})).is_ok());
    gate.ask("ping", &json!({})).result();
    // Those that never left are sent to the next incarnation; what was begun is not.
    let replies: Vec<_> = stuck.into_iter().map(|id| gate.reply(id)).collect();
    let failed: Vec<_> = replies.iter().filter(|reply| !reply.is_ok()).collect();
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|reply| reply.code() == -32603));
    assert!(gate.call("b__echo", &json!({})).is_ok());
}

#[test]
fn w26_no_secret_of_the_proxy_reaches_a_backend() {
    let gate = Setup::new()
        .env("AXONFLOW_CLIENT_SECRET", "s3cret-client")
        .env("AXONFLOW_USER_TOKEN", "s3cret-user")
        .env("CALLGATE_LOG", "info,s3cret_callgate=info")
        .env("AAF_API_KEY", "s3cret-aaf")
        .env("CALLGATE_PDP", "embedded")
        .env("GITHUB_TOKEN", "s3cret-github")
        .env("NODE_OPTIONS", "--s3cret-node")
        .stub("a", &[])
        .open();
    let environment = gate.call("env", &json!({})).json();
    let environment = environment.as_object().expect("an object");
    for (name, value) in environment {
        let forbidden = ["AXONFLOW_", "AAF_", "CALLGATE_"].iter().any(|family| name.starts_with(family));
        assert!(!forbidden && !value.to_string().contains("s3cret"), "{name} reached the backend");
    }
    assert!(environment.contains_key("PATH") && environment.contains_key("HOME"));
    assert!(environment.contains_key("STUB_MARK"), "what the entry declares is there");
    assert!(!gate.stderr().contains("s3cret-client"));
}

#[test]
fn an_entry_may_set_environment_and_folder() {
    let setup = Setup::new().stub("a", &[]);
    let folder = setup.path("folder");
    std::fs::create_dir(&folder).expect("created");
    let mut entry = setup.backends()[0].clone();
    entry["id"] = "b".into();
    entry["cwd"] = folder.into();
    entry["env"]["NODE_OPTIONS"] = "declared".into();
    let gate = setup.backend(entry).open();
    assert!(gate.call("b__cwd", &json!({})).text().ends_with("/folder"));
    assert_eq!(gate.call("b__env", &json!({})).json()["NODE_OPTIONS"], "declared");
}

#[test]
fn w33_unknown_members_are_refused_with_the_nearest_name() {
    let setup = Setup::new().stub("a", &[]);
    let mut typo = setup.backends()[0].clone();
    typo["id"] = "b".into();
    typo["arg"] = json!([]);
    let mut other = setup.backends()[0].clone();
    other["id"] = "c".into();
    other["comand"] = "x".into();
    let (code, stdout, stderr) = setup.backend(typo).backend(other).run(&[]);
    assert_ne!(code, Some(0), "{stderr}");
    assert_eq!(stdout, "");
    for told in ["\"arg\"", "args", "\"comand\"", "command"] {
        assert!(stderr.contains(told), "{told} is not told, and everything wrong is told at once:\n{stderr}");
    }
}

#[test]
fn w33_entries_that_cannot_be_are_refused() {
    let refused = |entries: Value| {
        let (code, _, stderr) = Setup::new().env("AXONFLOW_BACKENDS", &entries.to_string()).run(&[]);
        assert_ne!(code, Some(0), "{entries} was taken: {stderr}");
    };
    refused(json!([{"id": "a b", "command": "x"}]));
    refused(json!([{"id": "a", "command": "x"}, {"id": "a", "command": "y"}]));
    refused(json!([{"id": "a"}]));
    refused(json!([{"id": "a", "command": "x", "url": "http://localhost"}]));
    refused(json!([{"id": "a", "url": "file:///etc/passwd"}]));
    refused(json!([]));
    refused(json!("text"));
}

#[test]
fn backends_are_read_in_every_form_that_hosts_write() {
    let setup = Setup::new().stub("a", &[]);
    let entry = setup.backends()[0].clone();
    let in_file = |content: &Value| {
        let setup = Setup::new();
        let file = setup.path("backends.json");
        std::fs::write(&file, content.to_string()).expect("written");
        let gate = setup.env("AXONFLOW_BACKENDS_FILE", &file).expecting("echo").open();
        assert!(gate.call("echo", &json!({})).is_ok(), "{content}");
    };
    in_file(&json!([entry]));
    in_file(&json!({"//": "a comment", "backends": [entry]}));
    let mut server = entry;
    server.as_object_mut().expect("an object").remove("id");
    server["//why"] = "a comment".into();
    server["type"] = "stdio".into();
    server["disabled"] = false.into();
    in_file(&json!({"mcpServers": {"a": server}}));
}

#[test]
fn blank_and_unexpanded_settings_count_as_unset() {
    let gate = Setup::new()
        .env("AXONFLOW_ENDPOINT", "  ")
        .env("AXONFLOW_BACKENDS_FILE", "${user_config.backends_file}")
        .env("AXONFLOW_FAIL_MODE", "null")
        .env("AXONFLOW_REDACT_RESPONSES", "undefined")
        .env("AXONFLOW_DECIDE_TIMEOUT", "")
        .stub("a", &[])
        .open();
    assert!(gate.call("echo", &json!({})).is_ok());
    assert_eq!(gate.call("echo", &json!({"q": STACKED_SQL})).code(), -32001, "the embedded engine decides");
}

#[test]
fn settings_that_would_weaken_by_a_typo_stop_the_start() {
    for (key, value) in
        [("AXONFLOW_REDACT_RESPONSES", "of"), ("AXONFLOW_DECIDE_TIMEOUT", "0s"), ("CALLGATE_PDP", "axonfow")]
    {
        let (code, _, stderr) = Setup::new().stub("a", &[]).env(key, value).run(&[]);
        assert_ne!(code, Some(0), "{key}={value} was taken");
        assert!(stderr.contains(key), "{stderr}");
    }
}

#[test]
fn w60_what_a_backend_prints_cannot_forge_log_lines() {
    let gate = Setup::new().stub("crm", &["--stderr-text", "\u{1b}[2J\u{7}forged\rAUDIT {}"]).open();
    eventually("the line", || gate.stderr().contains("forged").then_some(()));
    let stderr = gate.stderr();
    assert!(!stderr.contains('\u{1b}') && !stderr.contains('\u{7}') && !stderr.contains('\r'), "{stderr:?}");
    let line = stderr.lines().find(|line| line.contains("forged")).expect("printed");
    assert!(line.contains("crm"), "the line names its backend: {line}");
}
