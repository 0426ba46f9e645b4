//! `callgate wrap`: one server governed without a file, and apart from that as if nobody stood before it.

use crate::harness::{Gate, PATIENCE, STACKED_SQL, Setup, callgate, eventually, stub, within};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A server that ignores everything costs its own time and the whole ladder of signals, about three seconds.
const GONE_WITH_STUBBORN: Duration = Duration::from_secs(8);

/// The stub server `s` behind `callgate wrap` with these options.
fn wrapped(options: &[&str], flags: &[&str]) -> Setup {
    let setup = Setup::new();
    let (counter, record) = (setup.path("s.counter"), setup.path("s.record"));
    let program = stub("stub-mcp").display().to_string();
    let mark = setup.mark.clone();
    let server = ["--name", "s", "--counter", &counter, "--record", &record];
    setup
        .env("STUB_MARK", &mark)
        .args(&["wrap", "--name", "s"])
        .args(options)
        .args(&["--", &program])
        .args(&server)
        .args(flags)
}

/// A shell script behind `callgate wrap`.
fn script(text: &str) -> Setup {
    let setup = Setup::new();
    let mark = setup.mark.clone();
    setup.env("STUB_MARK", &mark).args(&["wrap", "--", "sh", "-c", text])
}

/// Whether this build has that setting.
fn knows(setting: &str) -> bool {
    callgate::settings::table::ALL.iter().any(|known| known.name == setting)
}

fn exit_code(gate: &Gate) -> Option<i32> {
    gate.exit_within(PATIENCE).expect("it ends").code()
}

// --------------------------------------------------------------------------------------------- ends as the server does

#[test]
fn the_servers_exit_code_is_ours_while_the_client_still_listens() {
    assert_eq!(exit_code(&script("exit 42").spawn()), Some(42));
    assert_eq!(exit_code(&script("exit 0").spawn()), Some(0));
    assert_eq!(exit_code(&script("kill -9 $$").spawn()), Some(137), "as a shell would see it");
}

#[test]
fn at_the_end_of_stdin_the_servers_stdin_ends() {
    let gate = script("cat > seen; exit 9").spawn();
    gate.close_stdin();
    assert_eq!(exit_code(&gate), Some(9));
    let (code, _, err) = script("cat > seen; exit 9").run(&[]);
    assert_eq!(code, Some(9), "closed before the server ran: {err}");
}

#[test]
fn what_cannot_be_run_ends_as_in_a_shell() {
    let (code, out, err) = Setup::new().run(&["wrap", "--", "no-such-server", "--flag"]);
    assert_eq!((code, out.as_str()), (Some(127), ""));
    assert!(
        err.contains("command \"no-such-server\" not found; install it, or write its whole path"),
        "{err}"
    );
    let (code, _, err) = Setup::new().run(&["wrap", "--", "/etc/passwd"]);
    assert_eq!(code, Some(126));
    assert!(err.contains("\"/etc/passwd\" is not executable"), "{err}");
    let setup = Setup::new();
    let file = setup.path("script");
    std::fs::write(&file, "#!/no/such/interpreter\n").expect("written");
    make_executable(&file);
    let gate = setup.args(&["wrap", "--", &file]).spawn();
    assert_eq!(exit_code(&gate), Some(126));
    gate.wait_for_stderr("interpreter that its first line names is not installed");
}

fn make_executable(file: &str) {
    let done = Command::new("chmod").args(["+x", file]).status();
    assert!(done.is_ok_and(|status| status.success()));
}

#[test]
fn a_signal_is_the_servers() {
    for (signal, code) in [("TERM", 5), ("INT", 6), ("HUP", 7)] {
        let gate = script(
            "trap 'exit 5' TERM; trap 'exit 6' INT; trap 'exit 7' HUP; echo ready >&2; while :; do sleep 1; done",
        )
        .spawn();
        gate.wait_for_stderr("ready");
        gate.signal(signal);
        assert_eq!(exit_code(&gate), Some(code), "SIG{signal}");
    }
    let gate = script("echo ready >&2; exec sleep 1000").spawn();
    gate.wait_for_stderr("ready");
    gate.signal("TERM");
    assert_eq!(exit_code(&gate), Some(143));
}

#[test]
fn a_server_that_goes_on_after_a_signal_goes_on() {
    let gate = wrapped(&[], &["--ignore-term"]).open();
    for signal in ["TERM", "INT", "HUP"] {
        gate.signal(signal);
    }
    assert!(gate.call("echo", &json!({"n": 1})).is_ok());
    assert!(gate.is_alive());
    gate.close_stdin();
    assert_eq!(exit_code(&gate), Some(0));
}

#[test]
fn a_server_that_ignores_everything_is_killed_in_the_end() {
    let gate = wrapped(&[], &["--ignore-term", "--ignore-eof"]).open();
    let descendants = gate.descendants();
    gate.close_stdin();
    let status = gate.exit_within(GONE_WITH_STUBBORN).expect("it ends");
    assert_eq!(status.code(), Some(137));
    let gone = || descendants.iter().all(|process| !process.is_alive()).then_some(());
    assert!(within(Duration::from_secs(4), gone).is_some());
}

#[test]
fn killed_nobody_is_left() {
    let setup = wrapped(&[], &[]);
    let pids = setup.path("grandchildren");
    let gate = setup.args(&["--fork-grandchild", &pids, "--ignore-term"]).open();
    let descendants = gate.descendants();
    assert!(descendants.len() >= 2, "{descendants:?}");
    gate.signal("KILL");
    let gone = || descendants.iter().all(|process| !process.is_alive()).then_some(());
    assert!(within(Duration::from_secs(4), gone).is_some(), "{descendants:?}");
}

#[test]
fn a_server_that_dies_in_mid_call_leaves_no_request_open() {
    let gate = wrapped(&[], &[]).open();
    let open = gate.start_call("cancel_probe", &json!({}));
    let dying = gate.start_call("crash", &json!({"effect": "boom"}));
    for id in [open, dying] {
        let reply = gate.reply(id);
        assert_eq!(reply.code(), -32603, "{}", reply.raw);
        assert_eq!(reply.data()["outcome"], "unknown", "{}", reply.raw);
    }
    assert_eq!(exit_code(&gate), Some(3), "its own exit code");
    assert_eq!(gate.effects("s"), ["boom"], "it was not started again");
    let rows = gate.audit_of(2);
    assert!(rows.iter().all(|row| row["outcome"] == "unknown"), "{rows:?}");
}

#[test]
fn an_answer_that_was_written_last_is_delivered() {
    let gate = wrapped(&[], &["--exit-with-answer"]).open();
    assert!(gate.call("echo", &json!({"n": 1})).is_ok());
    assert_eq!(exit_code(&gate), Some(5));
}

#[test]
fn calls_that_run_at_the_end_of_stdin_are_answered() {
    let gate = wrapped(&[], &["--ignore-eof"]).open();
    let call = gate.start_call("slow", &json!({"ms": 900}));
    eventually("it arrives", || (!gate.received_of("s", "tools/call").is_empty()).then_some(()));
    gate.close_stdin();
    assert_eq!(gate.reply(call).text(), "slept");
    assert!(gate.exit_within(GONE_WITH_STUBBORN).is_some());
}

#[test]
fn a_session_may_come_in_one_piece() {
    // The stub would drop its calls at the end of its input.
    let setup = wrapped(&[], &["--ignore-eof"]);
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
            "capabilities": {}, "clientInfo": {"name": "it", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "echo", "arguments": {"a": 1}}}),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (code, out, err) = setup.run_with(&[], &input);
    assert_eq!(code, Some(143), "it was asked to leave: {err}");
    assert_eq!(err, "", "nothing of ours");
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 3, "{out}");
    assert!(answers.iter().all(|answer| answer.get("result").is_some()), "{out}");
}

// --------------------------------------------------------------------------------------------- stderr and surroundings

#[test]
fn stderr_is_the_servers_byte_for_byte() {
    let gate = script(r"printf 'a\033[31m\0\377 no end of line' >&2; exit 0").spawn();
    assert_eq!(exit_code(&gate), Some(0));
    let program = callgate();
    let output = Command::new(program)
        .args(["wrap", "--", "sh", "-c", r"printf 'a\033[31m\0\377 no end of line' >&2"])
        .env("CALLGATE_STATE_DIR", gate.path("state"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.stderr, b"a\x1b[31m\0\xff no end of line");
    assert!(output.stdout.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_on_stderr_passes_nobody() {
    let gate = wrapped(&[], &["--stderr-flood"]).open();
    let server = gate.call("pid", &json!({})).text().to_owned();
    let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/fd/2")).expect("it has one");
    assert_eq!(of(&server), of(&gate.pid().to_string()), "it writes to the same pipe as we");
    assert!(gate.call("echo", &json!({"n": 1})).is_ok());
}

#[test]
fn the_log_is_told_when_it_is_asked_for() {
    let gate = wrapped(&["--verbose"], &["--stderr-text", "the server says"]).open();
    gate.call("echo", &json!({}));
    gate.wait_for_stderr("the server says");
    gate.wait_for_stderr("callgate starts");
    gate.wait_for_stderr("\"tool_name\":\"echo\"");
    let quiet = wrapped(&[], &["--stderr-text", "the server says"]).open();
    quiet.call("echo", &json!({}));
    quiet.audit_of(1);
    quiet.close_stdin();
    exit_code(&quiet);
    assert_eq!(quiet.stderr(), "the server says\n");
}

#[test]
fn the_environment_and_the_folder_are_the_hosts_but_for_our_families() {
    let gate = wrapped(&[], &[])
        .env("GITHUB_TOKEN", "t")
        .env("NODE_OPTIONS", "--x")
        .env("AXONFLOW_USER_TOKEN", "hunter2")
        .env("AAF_API_URL", "https://aaf.test")
        .open();
    let env = gate.call("env", &json!({})).json();
    assert_eq!((env["GITHUB_TOKEN"].as_str(), env["NODE_OPTIONS"].as_str()), (Some("t"), Some("--x")));
    let names = env.as_object().expect("an object").keys();
    let ours: Vec<_> = names
        .filter(|name| ["AXONFLOW_", "AAF_", "CALLGATE_"].iter().any(|family| name.starts_with(family)))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    let folder = std::fs::canonicalize(gate.path(".")).expect("the test's folder");
    assert_eq!(gate.call("cwd", &json!({})).text(), folder.display().to_string());
}

// -------------------------------------------------------------------------------------------- the server's own answers

/// The two ways to the same server: nobody before it, and `callgate wrap`.
fn both(flags: &[&str]) -> [Gate; 2] {
    let mut all = vec!["--name", "s"];
    all.extend(flags);
    [Setup::direct_stub(&all).spawn(), wrapped(&[], flags).spawn()]
}

#[test]
fn the_server_introduces_itself() {
    for flags in [
        &["--instructions", "Say \"please\".\n\nTwice."][..],
        &["--tools-only"],
        &["--protocol", "2024-11-05"],
        &["--protocol", "2099-01-01"],
    ] {
        let [direct, behind] = both(flags).map(|gate| gate.handshake().raw);
        assert_eq!(direct, behind, "{flags:?}");
    }
    let params = r#"{"capabilities":{"x":{"y":1}}, "protocolVersion":"2025-06-18","clientInfo":{"name":"n","version":"1"},"more":[1.0]}"#;
    let gate = wrapped(&[], &[]).spawn();
    let id = gate.request_raw("initialize", params);
    gate.reply(id).result();
    gate.notify("notifications/initialized", &json!({}));
    assert_eq!(gate.call("client", &json!({})).text(), params, "and hears the client's own words");
}

#[test]
fn instructions_are_masked_and_names_are_not() {
    let gate = wrapped(&[], &["--instructions", "ask siti@example.co.id"]).spawn();
    let reply = gate.handshake();
    assert_eq!(reply.result()["instructions"], "ask [REDACTED:email]");
    assert_eq!(reply.result()["serverInfo"]["name"], "s");
}

#[test]
fn everything_but_calls_is_answered_by_the_server() {
    let ways = both(&[
        "--pages",
        "7",
        "--tool-name",
        "a.very/long name that no host would take, with all its characters",
    ]);
    let _ = ways.each_ref().map(Gate::handshake);
    let asked = [
        ("ping", json!({})),
        ("tools/list", json!({})),
        ("tools/list", json!({"cursor": "no such cursor"})),
        ("prompts/list", json!({})),
        ("resources/list", json!({"_meta": {}})),
        ("resources/templates/list", json!({})),
        ("prompts/get", json!({"name": "nobody"})),
        ("prompts/get", json!({})),
        ("resources/read", json!({"uri": "nowhere://at/all"})),
        ("resources/subscribe", json!({"uri": "memo://x"})),
        ("resources/unsubscribe", json!({"uri": "memo://x"})),
        ("logging/setLevel", json!({"level": "shout"})),
        ("tasks/list", json!({})),
        ("vendor/own", json!({"x": [1, null]})),
    ];
    for (method, params) in asked {
        let [direct, behind] = ways.each_ref().map(|gate| gate.ask(method, &params).raw);
        // The gate promises less of the structured results that it may have to mask.
        let [direct, behind] = [direct, behind].map(|raw| without_output_schemas(&raw));
        assert_eq!(direct, behind, "{method} {params}");
    }
    let names = ways.each_ref().map(Gate::tool_names);
    assert_eq!(names[0], names[1]);
}

fn without_output_schemas(raw: &str) -> Value {
    let mut value: Value = serde_json::from_str(raw).expect("JSON");
    for tool in value["result"]["tools"].as_array_mut().into_iter().flatten() {
        tool.as_object_mut().expect("an object").remove("outputSchema");
    }
    value
}

#[test]
fn an_era_that_is_not_spoken_is_unknown() {
    let gate = wrapped(&[], &[]).spawn();
    assert_eq!(gate.ask("server/discover", &json!({})).code(), -32601);
    gate.handshake();
    assert!(gate.call("echo", &json!({})).is_ok());
    assert!(gate.received_of("s", "server/discover").is_empty());
}

#[test]
fn what_reads_like_a_call_is_never_passed_on() {
    let gate = wrapped(&[], &[]).open();
    for method in ["Tools/Call", "tools/call/", " tools/call", "tools.call", "tools\u{200b}/call"] {
        let params = json!({"name": "count", "arguments": {"effect": method}});
        assert_eq!(gate.ask(method, &params).code(), -32601, "{method:?}");
        gate.notify(method, &params);
    }
    gate.notify("tools/call", &json!({"name": "count", "arguments": {"effect": "notified"}}));
    assert!(gate.call("echo", &json!({})).is_ok());
    assert!(gate.effects("s").is_empty());
    assert_eq!(gate.received("s").iter().filter(|line| line.contains("count")).count(), 0);
}

#[test]
fn notifications_pass_both_ways() {
    let gate = wrapped(&[], &[]).open();
    gate.notify("notifications/vendor", &json!({"x": 1}));
    gate.notify("notifications/roots/list_changed", &json!({}));
    let received = eventually("they arrive", || {
        let received = gate.call("received", &json!({})).json();
        received.get("notifications/roots/list_changed").is_some().then_some(received)
    });
    assert_eq!(received["notifications/vendor"], 1);
    gate.call("add_tool", &json!({"name": "late"}));
    gate.notification("notifications/tools/list_changed", |_| true);
    assert!(gate.tool_names().contains(&"late".to_owned()), "the list is the server's own");
    assert!(gate.call("late", &json!({})).is_ok());
    assert_eq!(gate.seen("notifications/tools/list_changed").len(), 1, "told once, by the server");
    gate.call("log", &json!({"data": "mail siti@example.co.id"}));
    gate.notification("notifications/message", |params| params["data"] == "mail [REDACTED:email]");
    gate.call("touch", &json!({"uri": "memo://never/subscribed"}));
    gate.notification("notifications/resources/updated", |params| params["uri"] == "memo://never/subscribed");
}

#[test]
fn the_client_answers_for_itself() {
    let gate = wrapped(&[], &[]).open();
    gate.on_request("roots/list", json!({"error": {"code": -32601, "message": "the client has none"}}));
    gate.on_request("ping", json!({"result": {"of": "the client"}}));
    assert!(gate.call("roots", &json!({})).raw.contains("the client has none"));
    assert!(gate.call("ask_ping", &json!({})).raw.contains("of"), "also pings");
    gate.on_request("sampling/createMessage", json!({"result": {"role": "assistant", "model": "m"}}));
    assert!(gate.call("sample", &json!({})).is_ok());
    assert!(gate.seen("sampling/createMessage")[0].to_string().contains("[REDACTED:email]"));
}

#[test]
fn a_tool_that_is_not_listed_is_decided_and_then_the_servers_to_refuse() {
    let gate = wrapped(&[], &[]).open();
    let reply = gate.call("no_such_tool", &json!({"x": 1}));
    assert_eq!((reply.code(), reply.message()), (-32602, "stub: unknown tool no_such_tool"));
    assert_eq!(gate.call("no_such_tool", &json!({"sql": STACKED_SQL})).code(), -32001);
    let rows = gate.audit_of(2);
    assert_eq!((&rows[0]["tool_name"], &rows[1]["verdict"]), (&json!("no_such_tool"), &json!("deny")));
}

#[test]
fn nothing_answers_for_a_server_that_is_not_there_yet() {
    for _ in 0..2 {
        let gate = wrapped(&[], &["--start-delay-ms", "300"]).spawn();
        gate.handshake();
        assert_eq!(
            gate.received_of("s", "initialize").len(),
            1,
            "it was asked before the client was answered"
        );
        gate.ask("tools/list", &json!({})).result();
        let asked = gate.received_of("s", "tools/list").len();
        assert!(asked >= 1);
    }
}

// --------------------------------------------------------------------------------------------------------- governance

#[test]
fn calls_are_governed_masked_and_recorded() {
    let gate = wrapped(&[], &[]).open();
    let denied = gate.call("echo", &json!({"sql": STACKED_SQL}));
    assert_eq!(denied.code(), -32001);
    assert!(gate.received_of("s", "tools/call").is_empty());
    let masked = gate.call("text", &json!({"text": "mail siti@example.co.id"}));
    assert_eq!(masked.text(), "mail [REDACTED:email]");
    let rows = gate.audit_of(2);
    assert_eq!((&rows[0]["verdict"], &rows[0]["server"]), (&json!("deny"), &json!("s")));
    assert_eq!((&rows[1]["outcome"], &rows[1]["redaction_count"]), (&json!("ok"), &json!(1)));
    assert!(rows.iter().all(|row| row["ai_agent"] == "mcp-proxy"), "{rows:?}");
}

#[test]
fn without_an_audit_file_the_rows_are_in_the_state_folder() {
    let gate = wrapped(&["--agent-id", "desk"], &[]).without("AXONFLOW_AUDIT_LOG").open();
    assert!(gate.call("echo", &json!({})).is_ok());
    let rows = std::fs::read_to_string(gate.path("state/audit.jsonl")).expect("a record");
    assert!(rows.contains("\"ai_agent\":\"desk\""), "{rows}");
    assert_eq!(gate.stderr(), "");
}

#[test]
fn a_rules_file_is_a_policy() {
    let setup = wrapped(&[], &[]);
    let file = setup.path("rules.json");
    let rules = json!({"rules": [{"id": "no-count", "action": "block", "when": {"tool": "count"}}]});
    std::fs::write(&file, rules.to_string()).expect("written");
    let (code, _, err) = setup.run(&[]);
    assert_eq!(code, Some(0), "{err}");
    let gate = wrapped(&["--policy", &file], &[]).open();
    assert_eq!(gate.call("count", &json!({"effect": "x"})).code(), -32001);
    assert!(gate.call("echo", &json!({})).is_ok());
    std::fs::write(&file, "{\"rules\": 5}").expect("written");
    let (code, _, err) = wrapped(&["--policy", &file], &[]).run(&[]);
    assert_eq!(code, Some(2), "{err}");
    let (code, _, err) = wrapped(&["--policy", "/no/such.json"], &[]).run(&[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("settings: --policy: cannot read \"/no/such.json\""), "{err}");
}

#[test]
fn a_rego_file_is_a_policy() {
    if !knows("CALLGATE_REGO") {
        return;
    }
    let setup = Setup::new();
    let file = setup.path("p.rego");
    let policy =
        "package aaf.policy\n\nimport rego.v1\n\ndecision := \"deny\" if input.action.tool == \"count\"\n";
    std::fs::write(&file, policy).expect("written");
    let gate = wrapped(&["--policy", &file], &[]).open();
    assert!(!gate.call("count", &json!({"effect": "x"})).is_ok());
    assert!(gate.call("echo", &json!({})).is_ok());
}

#[test]
fn profiles_and_lists_hold() {
    if !knows("CALLGATE_TOOLS_PROFILE") {
        return;
    }
    let gate = wrapped(&["--profile", "read_only"], &[]).open();
    assert!(gate.call("read_count", &json!({"effect": "r"})).is_ok());
    assert!(!gate.call("count", &json!({"effect": "w"})).is_ok());
    assert!(!gate.call("unlisted", &json!({})).is_ok());
    assert_eq!(gate.effects("s"), ["r"]);
    let gate = wrapped(&["--allow", "ec*", "--allow", "count", "--deny", "c*"], &[]).open();
    assert!(gate.call("echo", &json!({})).is_ok());
    assert!(!gate.call("count", &json!({"effect": "w"})).is_ok());
    assert!(!gate.call("text", &json!({"text": "x"})).is_ok());
}

#[test]
fn monitoring_blocks_nothing() {
    if !knows("CALLGATE_MONITOR") {
        return;
    }
    let gate = wrapped(&["--monitor"], &[]).open();
    assert!(gate.call("echo", &json!({"sql": STACKED_SQL})).is_ok());
    assert_eq!(gate.audit_of(1).len(), 1);
}

// ------------------------------------------------------------------------------------------------------------ options

#[test]
fn options_that_cannot_be_meant_are_refused_with_a_way_out() {
    for (args, told) in [
        (&["wrap", "uvx", "x"][..], "-- <COMMAND>..."),
        (&["wrap"], "-- <COMMAND>..."),
        (&["wrap", "--profile", "lax", "--", "true"], "read_only"),
        (
            &["wrap", "--deny", "a,b", "--", "true"],
            "--deny: \"a,b\" is not one glob; repeat the option for each",
        ),
        (
            &["wrap", "--policy", "p.yaml", "--", "true"],
            "name a .json file with rules, or a .rego file or folder",
        ),
        (&["wrap", "--name", "two words", "--", "true"], "settings: --name"),
    ] {
        let (code, out, err) = Setup::new().run(args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(told), "{args:?}: {err}");
    }
}

#[test]
fn a_key_is_told_to_nobody() {
    let key = "aaf-hunter2-key";
    let options = ["--api-key", key, "--api-url", "http://127.0.0.1:9", "--verbose"];
    let gate = wrapped(&options, &[]).env("CALLGATE_LOG", "trace").spawn();
    if knows("AAF_API_KEY") {
        gate.wait_for_stderr("--api-key: others on this machine can read the arguments of a process");
        gate.handshake();
        let env = gate.call("env", &json!({}));
        assert!(!env.raw.contains(key));
    }
    gate.close_stdin();
    exit_code(&gate);
    assert!(!gate.stderr().contains(key) && !gate.audit_text().contains(key), "{}", gate.stderr());
    let (_, out, err) = Setup::new().stub("s", &[]).env("AAF_API_KEY", key).run(&["check"]);
    assert!(!out.contains(key) && !err.contains(key), "{out}{err}");
}

#[test]
fn a_name_is_found_for_the_server() {
    let setup = Setup::new();
    let file = setup.path("server-notes");
    let program = stub("stub-mcp").display().to_string();
    let mut script = std::fs::File::create(&file).expect("created");
    writeln!(script, "#!/bin/sh\nexec '{program}' --name notes").expect("written");
    drop(script);
    make_executable(&file);
    let gate = setup.args(&["wrap", "--", "sh", &file]).open();
    gate.call("echo", &json!({}));
    assert_eq!(gate.audit_of(1)[0]["server"], "server-notes");
}

// -------------------------------------------------------------------------------------------------- the document

/// What `docs/wrap.md` shows for hosts is what the program takes.
#[test]
fn the_documents_configurations_are_taken() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wrap.md");
    let text = std::fs::read_to_string(path).expect("docs/wrap.md").replace("\r\n", "\n");
    let mut seen = 0;
    for block in text.split("```json\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let config: Value = serde_json::from_str(block).expect("JSON");
        for (name, entry) in config["mcpServers"].as_object().expect("the host's form") {
            let args = entry["args"].as_array().expect("arguments").iter();
            taken(name, &args.map(|arg| arg.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>());
            seen += 1;
        }
    }
    for line in text.lines().filter(|line| line.contains("callgate wrap") && !line.contains('`')) {
        let words = line.split_whitespace().skip_while(|word| *word != "wrap").map(str::to_owned);
        taken(line, &words.collect::<Vec<_>>());
        seen += 1;
    }
    assert!(seen >= 4, "the document shows {seen} commands");
}

#[test]
fn the_document_tells_every_option() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wrap.md");
    let document = std::fs::read_to_string(path).expect("docs/wrap.md");
    let (_, help, _) = Setup::new().run(&["wrap", "--help"]);
    let options = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
    let options: Vec<&str> =
        options.filter(|option| option.chars().all(|c| c == '-' || c.is_ascii_lowercase())).collect();
    assert!(options.len() >= 11, "{options:?}");
    for option in options.into_iter().filter(|option| *option != "--help") {
        assert!(document.contains(&format!("`{option}")), "{option} is not told");
    }
}

/// The options are understood: with another server behind them the command runs to its end.
fn taken(what: &str, args: &[String]) {
    let setup = Setup::new();
    std::fs::write(setup.path("rules.json"), "{\"rules\": []}").expect("written");
    let is_missing = |option: &str, setting: &str| args.iter().any(|arg| arg == option) && !knows(setting);
    if is_missing("--profile", "CALLGATE_TOOLS_PROFILE")
        || is_missing("--allow", "CALLGATE_TOOLS_ALLOW")
        || is_missing("--deny", "CALLGATE_TOOLS_DENY")
        || is_missing("--monitor", "CALLGATE_MONITOR")
        || is_missing("aaf", "AAF_API_KEY")
    {
        return;
    }
    let options = args.iter().take_while(|arg| *arg != "--").map(String::as_str);
    let all: Vec<&str> = options.chain(["--", "true"]).collect();
    let (code, _, err) = setup.env("AAF_API_KEY", "k").run(&all);
    assert_eq!(code, Some(0), "{what}: {err}");
}
