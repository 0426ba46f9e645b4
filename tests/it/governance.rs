//! Which tools may run, and monitor mode, through the binary.

use crate::harness::{Gate, Pdp, Reply, STACKED_SQL, Setup};
use serde_json::{Value, json};
use std::fs;

const DROP: &str = "rm -rf / --no-preserve-root";

fn with(settings: &[(&str, &str)]) -> Setup {
    settings.iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value))
}

/// One more stub backend with these rules about its tools.
fn governed(setup: Setup, id: &str, flags: &[&str], tools: &Value) -> Setup {
    let with_stub = setup.clone().stub(id, flags);
    let mut entry = with_stub.backends().last().cloned().expect("an entry");
    entry["tools"] = tools.clone();
    setup.backend(entry)
}

/// Which of these tools run.
fn running(gate: &Gate, tools: &[&str]) -> Vec<String> {
    let runs = |tool: &&&str| gate.call(tool, &json!({"effect": **tool})).is_ok();
    tools.iter().filter(runs).map(|tool| (*tool).to_owned()).collect()
}

fn denied_by(reply: &Reply) -> &str {
    assert_eq!(reply.code(), -32001, "{}", reply.raw);
    reply.data()["evaluated_policies"][0].as_str().expect("a policy")
}

// ----------------------------------------------------------------------------------------------- profiles, lists

/// `read_count` is annotated as reading, `idem` is not and may be vouched for, `count` is neither.
#[test]
fn each_profile_runs_what_it_says() {
    let tools = ["read_count", "idem", "count"];
    let vouched = ("CALLGATE_TOOLS_READ_ONLY", "idem");
    for (settings, expected) in [
        (vec![vouched], vec!["read_count", "idem", "count"]),
        (vec![("CALLGATE_TOOLS_PROFILE", "unrestricted")], vec!["read_count", "idem", "count"]),
        (vec![("CALLGATE_TOOLS_PROFILE", "read_only")], vec!["read_count"]),
        (vec![("CALLGATE_TOOLS_PROFILE", "read_only"), vouched], vec!["read_count", "idem"]),
        (vec![("CALLGATE_TOOLS_PROFILE", "locked"), vouched], vec![]),
        (vec![("CALLGATE_TOOLS_PROFILE", "LOCKED"), ("CALLGATE_TOOLS_ALLOW", "count")], vec!["count"]),
    ] {
        let gate = with(&settings).stub("a", &[]).open();
        assert_eq!(running(&gate, &tools), expected, "{settings:?}");
        assert_eq!(gate.effects("a"), expected, "what is denied never reaches the server: {settings:?}");
        assert!(
            tools.iter().all(|tool| gate.tool_names().iter().any(|name| name == tool)),
            "all stay listed"
        );
    }
}

#[test]
fn a_denial_says_what_denied_where_it_is_set_and_the_way_out() {
    let gate = with(&[("CALLGATE_TOOLS_PROFILE", "read_only")]).stub("a", &[]).open();
    let reply = gate.call("count", &json!({"effect": "x", "q": STACKED_SQL}));
    assert_eq!(denied_by(&reply), "governance:profile:read_only");
    for told in [
        "blocked by policy: ",
        "read_only (CALLGATE_TOOLS_PROFILE)",
        "\"a/count\"",
        "CALLGATE_TOOLS_READ_ONLY",
    ] {
        assert!(reply.message().contains(told), "{told} is missing in {}", reply.message());
    }
    let data = reply.data();
    let id = data["decision_id"].as_str().expect("an id");
    assert!(reply.message().contains(id) && data["trace_id"].as_str().is_some_and(|trace| trace.len() == 32));
    assert_eq!(
        data["policy_info"]["matched_policies"][0]["policy_name"],
        "Local governance: profile read_only"
    );
    let row = gate.audit_row("the call", |row| row["tool_name"] == "count");
    assert_eq!((&row["verdict"], &row["outcome"]), (&json!("deny"), &json!("not_forwarded")));
    assert_eq!(row["evaluated_policies"], json!(["governance:profile:read_only"]));
    assert_eq!((&row["decision_id"], row.get("would")), (&json!(id), None));
}

#[test]
fn lists_profiles_and_agents_of_all_places_hold_together() {
    let setup = with(&[
        ("CALLGATE_TOOLS_ALLOW", "*count,b/echo,a__echo"),
        ("CALLGATE_TOOLS_DENY", "a/read_*"),
        ("CALLGATE_TOOLS_AGENTS", r#"{"claude-*":{"deny":["b/count"]},"cursor":{"profile":"locked"}}"#),
    ]);
    let setup = governed(setup, "a", &[], &json!({"allow": ["*"], "agents": {"cursor": {"deny": ["*"]}}}));
    let setup = governed(setup, "b", &[], &json!({"profile": "unrestricted", "deny": ["ECHO"]}));
    let gate = setup.open();
    let tools = ["a__count", "a__read_count", "a__echo", "a__idem", "b__count", "b__read_count", "b__echo"];
    assert_eq!(running(&gate, &tools), ["a__count", "a__echo", "b__read_count"]);
    for (tool, policy) in [
        ("a__read_count", "governance:deny:a/read_*"),
        ("a__idem", "governance:allow"),
        ("b__count", "governance:deny:b/count"),
        ("b__echo", "governance:deny:ECHO"),
    ] {
        assert_eq!(denied_by(&gate.call(tool, &json!({}))), policy, "{tool}");
    }
}

#[test]
fn an_entry_cannot_loosen_what_holds_for_all() {
    let setup = with(&[("CALLGATE_TOOLS_PROFILE", "read_only"), ("CALLGATE_TOOLS_DENY", "echo")]);
    let open = json!({"profile": "unrestricted", "allow": ["*"]});
    let gate = governed(setup, "a", &[], &open).open();
    assert_eq!(running(&gate, &["count", "echo", "read_count"]), ["read_count"]);
    assert_eq!(denied_by(&gate.call("echo", &json!({}))), "governance:deny:echo");
}

#[test]
fn another_spelling_does_not_get_past_a_deny_list() {
    let names = [
        "DELETE_all",
        "deIete_all",
        "d\u{435}lete_all",
        "de\u{200b}lete_all",
        "delete_\u{10300}",
        "undelete",
    ];
    let flags: Vec<&str> = names.iter().flat_map(|name| ["--tool-name", name]).collect();
    let gate = with(&[("CALLGATE_TOOLS_DENY", "delete_*")]).stub("a", &flags).open();
    let shown: Vec<String> = gate
        .tools()
        .iter()
        .filter(|tool| tool["description"] == "named")
        .filter_map(|tool| Some(tool["name"].as_str()?.to_owned()))
        .collect();
    assert_eq!(shown.len(), names.len(), "{shown:?}");
    let run: Vec<&String> = shown.iter().filter(|name| gate.call(name, &json!({})).is_ok()).collect();
    assert_eq!(run, ["undelete"]);
    assert_eq!(gate.received_of("a", "tools/call").len(), 1);
}

#[test]
fn what_is_denied_here_asks_nobody() {
    let pdp = Pdp::start();
    let gate = pdp.serves(with(&[("CALLGATE_TOOLS_DENY", "count")])).stub("a", &[]).open();
    assert_eq!(denied_by(&gate.call("count", &json!({}))), "governance:deny:count");
    assert!(pdp.bodies("/decide").is_empty());
    assert!(gate.call("echo", &json!({})).is_ok());
    assert_eq!(pdp.bodies("/decide").len(), 1);
}

#[test]
fn the_connector_plane_is_governed_too() {
    let setup = with(&[("CALLGATE_TOOLS_DENY", "db/count")]).stub("db", &[]);
    let file = setup.path("backends.json");
    fs::write(&file, Value::from(setup.backends().to_vec()).to_string()).expect("written");
    let service = setup.service("pdp", &["--backends", &file]);
    let query = |tool: &str| {
        let options = json!({"tool": tool, "argument": "effect"});
        service
            .post("/mcp/resources/query", &json!({"connector": "db", "statement": "x", "options": options}))
    };
    let blocked = query("count").of(403);
    assert_eq!(blocked["policy_info"]["matched_policies"][0]["policy_id"], "governance:deny:db/count");
    assert!(
        blocked["block_reason"].as_str().is_some_and(|why| why.contains("CALLGATE_TOOLS_DENY")),
        "{blocked}"
    );
    query("read_count").of(200);
    assert_eq!(crate::harness::lines(setup.path("db.counter").as_ref()), ["x"]);
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    for (name, value, told) in [
        ("CALLGATE_TOOLS_PROFILE", "readonly", "set it to one of unrestricted, read_only, locked"),
        ("CALLGATE_TOOLS_ALLOW", "a,", "write a tool's name"),
        ("CALLGATE_TOOLS_AGENTS", r#"{"a":{"profil":"locked"}}"#, "did you mean \"profile\""),
        ("CALLGATE_MONITOR", "maybe", "set it to one of on, off"),
        ("CALLGATE_TOOL_DENY", "x", "did you mean CALLGATE_TOOLS_DENY"),
    ] {
        let (code, stdout, stderr) = with(&[(name, value)]).stub("a", &[]).run(&[]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(name) && stderr.contains(told), "{told} is missing in {stderr}");
    }
    let setup = governed(Setup::new(), "a", &[], &json!({"denny": []}));
    let (code, _, stderr) = setup.run(&["check"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("[0].tools: unknown key \"denny\"; did you mean \"deny\""), "{stderr}");
}

#[test]
fn check_shows_what_holds_and_every_tool_that_is_denied() {
    let setup = with(&[("CALLGATE_TOOLS_DENY", "b/*cho,dorp_*")]).stub("b", &[]);
    let setup = governed(setup, "a", &[], &json!({"profile": "read_only", "read_only": ["count"]}));
    let (code, told, stderr) = setup.run(&["check"]);
    assert_eq!(code, Some(0), "{told}{stderr}");
    let has = |text: &str| assert!(told.contains(text), "{text} is missing in {told}");
    has("tools       deny b/*cho, dorp_* (CALLGATE_TOOLS_DENY)");
    has("        profile read_only (tools.profile of the backend \"a\")");
    has("        known to read only: count");
    has("        denied  b__echo: \"b/echo\" is on a deny list (CALLGATE_TOOLS_DENY: \"b/*cho\")");
    has("        denied  a__echo: the profile read_only (tools.profile of the backend \"a\")");
    has("note    CALLGATE_TOOLS_DENY: \"dorp_*\" names no tool");
    for free in ["denied  a__count", "denied  a__read_count", "denied  b__count", "MONITOR"] {
        assert!(!told.contains(free), "{free} stands in {told}");
    }
    let (_, told, _) = setup.env("CALLGATE_MONITOR", "on").run(&["check"]);
    assert!(told.contains("MONITOR MODE") && told.contains("would be denied  b__echo"), "{told}");
    let (_, told, _) = Setup::new().stub("a", &[]).run(&["check"]);
    assert!(told.contains("tools       unrestricted\n"), "{told}");
}

// -------------------------------------------------------------------------------------------------- monitor mode

fn on_trial(settings: &[(&str, &str)]) -> Setup {
    with(settings).env("CALLGATE_MONITOR", "on")
}

/// Calls `count` and gives its row; the call must have run as it came.
fn ran(gate: &Gate, effect: &str) -> Value {
    let reply = gate.call("count", &json!({"effect": effect}));
    assert!(reply.is_ok(), "{}", reply.raw);
    assert_eq!(gate.effects("a"), [effect]);
    gate.audit_row("the call", |row| row["tool_name"] == "count")
}

fn has_verdict(row: &Value, would: &Value, policy: &str) {
    assert_eq!(
        (&row["verdict"], &row["outcome"], &row["would"]),
        (&json!("allow"), &json!("ok"), would),
        "{row}"
    );
    assert_eq!(row["evaluated_policies"][0].as_str().unwrap_or_default(), policy, "{row}");
}

#[test]
fn monitor_mode_blocks_nothing_and_records_what_would_have_been() {
    let trial = |settings: &[(&str, &str)], effect: &str| {
        let gate = on_trial(settings).stub("a", &[]).open();
        let row = ran(&gate, effect);
        (gate, row)
    };
    let (gate, row) = trial(&[("CALLGATE_TOOLS_DENY", "count")], "x");
    has_verdict(&row, &json!("deny"), "governance:deny:count");
    gate.wait_for_stderr("MONITOR MODE");
    let (_, row) = trial(&[], DROP);
    assert_eq!((&row["verdict"], &row["would"]), (&json!("allow"), &json!("deny")), "{row}");
    let policy = row["evaluated_policies"][0].as_str().expect("a policy").to_owned();
    assert!(policy.starts_with("sys_dangerous"), "{row}");

    let (gate, row) = trial(&[("DANGEROUS_COMMAND_ACTION", "require_approval")], DROP);
    has_verdict(&row, &json!("needs_approval"), &policy);
    assert_eq!(row.get("approval_id"), None);
    let (_, tickets, _) = gate.setup().run(&["approvals", "list", "--all", "--json"]);
    assert_eq!(tickets.trim(), "", "no ticket is opened");

    let (_, row) = trial(&[("PII_ACTION", "redact")], "to jane@acme.co.id");
    has_verdict(&row, &json!("redact"), "sys_pii_email");
    let (_, row) = trial(&[], "plain");
    has_verdict(&row, &Value::Null, "callgate_builtin");
}

#[test]
fn monitor_mode_runs_calls_that_nobody_decides() {
    let pdp = Pdp::start();
    let setup = pdp.serves(on_trial(&[])).stub("a", &[]);
    let (held, denied) = (setup.clone(), setup.open());
    let row = denied.call("count", &json!({"effect": "x", "q": STACKED_SQL}));
    assert!(row.is_ok(), "{}", row.raw);
    let row = denied.audit_row("denied by the service", |row| row["would"] == "deny");
    assert!(!row["decision_id"].as_str().unwrap_or_default().is_empty(), "{row}");
    drop(denied);
    pdp.kill();
    let gate = held.open();
    let reply = gate.call("lookup", &json!({}));
    assert!(reply.is_ok() && reply.raw.contains("[REDACTED:email]"), "{}", reply.raw);
    let row = gate.audit_row("nobody decided", |row| row["tool_name"] == "lookup");
    assert_eq!((&row["verdict"], &row["would"]), (&json!("allow"), &json!("unavailable")), "{row}");
    assert_eq!(reply.result()["_meta"]["io.callgate/governance"]["monitor"]["would"], "unavailable");
}

#[test]
fn monitor_mode_passes_a_blocked_answer_and_masks_it_as_always() {
    let rule = json!({"id": "codename", "phase": "response", "action": "block", "when": {"text": {"contains": ["bluebird"]}}});
    let setup = on_trial(&[]);
    let file = setup.path("policy.json");
    fs::write(&file, json!({ "rules": [rule] }).to_string()).expect("written");
    let setup = setup.env("CALLGATE_POLICY_FILE", &file).stub("a", &[]);
    let gate = setup.clone().open();
    let answer = json!({"text": "Bluebird: ask siti@example.co.id"});
    let reply = gate.call("text", &answer);
    assert_eq!(reply.text(), "Bluebird: ask [REDACTED:email]");
    assert_eq!(reply.result()["_meta"]["io.callgate/governance"]["monitor"], json!({"would": "withhold"}));
    let row = gate.audit_row("the call", |row| row["tool_name"] == "text");
    assert_eq!(
        (&row["verdict"], &row["outcome"], &row["would"]),
        (&json!("allow"), &json!("ok"), &json!("withhold"))
    );
    assert!(
        row["response_policies"].as_array().is_some_and(|all| all.contains(&json!("block:codename"))),
        "{row}"
    );
    drop(gate);
    let gate = setup.env("CALLGATE_MONITOR", "off").open();
    let reply = gate.call("text", &answer);
    assert_eq!(reply.code(), -32001, "without the trial it is withheld");
    let row = gate.audit_row("the call", |row| row["outcome"] == "withheld");
    assert_eq!(row.get("would"), None);
}

#[test]
fn monitor_mode_turns_pseudonyms_back_in_calls_that_would_have_been_denied() {
    let gate = on_trial(&[("CALLGATE_TOOLS_DENY", "count"), ("CALLGATE_REDACT_STYLE", "pseudonym")])
        .stub("a", &[])
        .open();
    let shown = gate.call("text", &json!({"text": "siti@example.co.id"}));
    assert_eq!(shown.text(), "[EMAIL_1]");
    let row = ran_as(&gate, "[EMAIL_1]", "siti@example.co.id");
    has_verdict(&row, &json!("deny"), "governance:deny:count");
}

fn ran_as(gate: &Gate, sent: &str, arrived: &str) -> Value {
    assert!(gate.call("count", &json!({"effect": sent})).is_ok());
    assert_eq!(gate.effects("a"), [arrived]);
    gate.audit_row("the call", |row| row["tool_name"] == "count")
}

#[test]
fn monitor_mode_does_not_waive_the_record() {
    let gate = on_trial(&[("AXONFLOW_AUDIT_LOG", "/proc/none/audit.jsonl")]).stub("a", &[]).open();
    assert_eq!(gate.call("count", &json!({"effect": "x"})).code(), -32003);
    assert!(gate.effects("a").is_empty());
}

#[test]
fn monitor_mode_waives_verdicts_of_a_remote_redactor_but_not_its_failures() {
    let pdp = Pdp::start();
    let gate = pdp.serves(on_trial(&[("CALLGATE_REDACT_ENGINE", "remote")])).stub("a", &[]).open();
    let reply = gate.call("text", &json!({"text": "BLOCK_OUTPUT siti@example.co.id"}));
    assert_eq!(
        reply.text(),
        "BLOCK_OUTPUT [REDACTED:email]",
        "masked here, as the platform gave no masked text"
    );
    gate.audit_row("the call", |row| row["would"] == "withhold" && row["outcome"] == "ok");
    pdp.mode(&json!({"plane": "check-output", "status": 500}));
    let reply = gate.call("text", &json!({"text": "must not pass"}));
    assert_eq!(reply.code(), -32003, "{}", reply.raw);
    assert!(!reply.raw.contains("must not pass"));
}

#[test]
fn monitor_mode_opens_no_ticket_and_waits_for_none_at_a_service_that_never_answers() {
    let pdp = Pdp::start();
    let setup = on_trial(&[("AXONFLOW_DECIDE_TIMEOUT", "200ms"), ("AXONFLOW_FAIL_MODE", "closed")]);
    let gate = pdp.serves(setup).stub("a", &[]).open();
    pdp.mode(&json!({"plane": "decide", "delay_ms": 20_000}));
    let row = ran(&gate, "x");
    assert_eq!((&row["verdict"], &row["would"]), (&json!("allow"), &json!("unavailable")), "{row}");
}

#[test]
fn the_decision_service_refuses_monitor_mode() {
    let (code, _, stderr) = on_trial(&[]).run(&["pdp", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("CALLGATE_MONITOR: ") && stderr.contains("set it on the gates"), "{stderr}");
}

#[test]
fn the_statistics_of_a_trial_say_who_would_have_stopped_what() {
    let gate = on_trial(&[("CALLGATE_TOOLS_DENY", "a/count")]).stub("a", &[]).open();
    for _ in 0..3 {
        gate.call("count", &json!({"effect": "x"}));
    }
    gate.call("echo", &json!({"q": STACKED_SQL}));
    gate.call("echo", &json!({}));
    gate.audit_of(5);
    let setup = gate.setup();
    let (code, stdout, stderr) = setup.run(&["audit", "stats", "--would", "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["all"], json!({"calls": 5, "would": {"deny": 4}}));
    assert!(
        told["policies"].as_array().is_some_and(|all| all
            .contains(&json!({"policy": "governance:deny:a/count", "calls": 3, "would": {"deny": 3}}))),
        "{told}"
    );
    assert_eq!(told["tools"][0], json!({"backend": "a", "tool": "count", "calls": 3, "would": {"deny": 3}}));
    assert_eq!(told["tools"][1], json!({"backend": "a", "tool": "echo", "calls": 2, "would": {"deny": 1}}));
    let (_, table, _) = setup.run(&["audit", "stats", "--would"]);
    assert!(table.contains("4 of them ran in monitor mode only") && table.contains("a/count"), "{table}");
    let (_, shown, _) = setup.run(&["audit", "show", "--would"]);
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert!(shown.lines().all(|line| line.contains("  would deny  ")), "{shown}");
    let (code, stdout, _) = setup.run(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn explain_tells_of_monitor_mode_and_of_backends_that_cannot_be_read() {
    let setup = on_trial(&[("CALLGATE_TOOLS_DENY", "count")]);
    let call = r#"{"tool":"count"}"#;
    let (code, stdout, _) = setup.run(&["explain", call]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("verdict   deny\n") && stdout.contains("monitor   on"), "{stdout}");
    assert!(stdout.contains("governance  governance:deny:count"), "{stdout}");
    let broken = setup.env("AXONFLOW_BACKENDS", r#"[{"id":"a","command":"${NOWHERE}"}]"#);
    let (code, stdout, _) = broken.run(&["explain", "--json", call]);
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &told["verdict"], &told["monitor"]), (Some(0), &json!("deny"), &json!(true)), "{told}");
    assert!(told["notes"][0].as_str().is_some_and(|note| note.contains("NOWHERE")), "{told}");
}

// ----------------------------------------------------------------------------------------------------- documents

/// Runs every example of `docs/governance.md`: a JSON block is the backends file of the commands behind it, and each line
/// behind a command begins a line of its output.
#[test]
fn the_documents_examples_are_true() {
    let page = include_str!("../../docs/governance.md");
    let mut backends = None;
    let mut commands = 0;
    for (kind, block) in blocks(page) {
        match kind {
            "json" => backends = Some(block),
            "console" => {
                let mut output = String::new();
                for line in block.lines() {
                    match line.strip_prefix("$ ") {
                        Some(command) => {
                            let file = backends.as_deref().expect("a file before the command");
                            output = run(command, file);
                            commands += 1;
                        }
                        None => assert!(
                            output.lines().any(|told| told.starts_with(line)),
                            "{line:?} begins no line of:\n{output}"
                        ),
                    }
                }
            }
            _ => {}
        }
    }
    assert_eq!(commands, 10);
}

/// The fenced blocks of a page, with their languages.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind, text.join("\n")));
        }
    }
    blocks
}

/// Runs `NAME=value … callgate explain '…'`.
fn run(command: &str, backends: &str) -> String {
    let (before, call) = command.split_once(" explain '").expect("an explanation");
    let settings = before.strip_suffix("callgate").expect("the program").split_whitespace();
    let setup = settings.fold(Setup::new().env("AXONFLOW_BACKENDS", backends), |setup, setting| {
        let (name, value) = setting.split_once('=').expect("a setting");
        setup.env(name, value.trim_matches('\''))
    });
    let (code, stdout, stderr) = setup.run(&["explain", call.strip_suffix('\'').expect("a quote")]);
    assert_eq!(code, Some(0), "{command}: {stderr}");
    stdout
}
