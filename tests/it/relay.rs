//! Everything that passes through besides the answer of a call, both ways.

use crate::harness::{Gate, PATIENCE, Setup, eventually, within};
use serde_json::{Value, json};

fn full_client() -> Value {
    json!({"sampling": {}, "elicitation": {}, "roots": {"listChanged": true}})
}

#[test]
fn w02_a_cancel_reaches_its_backend_and_no_other() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let probe = gate.start_call("a__cancel_probe", &json!({"name": "p"}));
    arrived(&gate, "a", "cancel_probe");
    gate.cancel(probe);
    eventually("the cancel at its backend", || {
        gate.call("a__cancelled", &json!({})).text().starts_with(r#"["p"]"#).then_some(())
    });
    assert_eq!(gate.call("b__cancelled", &json!({})).text(), "[] of 0 notifications");
    assert_eq!(gate.replies_to(probe), 0, "a cancelled request gets no answer");
    gate.audit_row("cancelled", |row| row["outcome"] == "cancelled");
}

#[test]
fn w02_a_cancel_for_nobody_is_ignored() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.cancel(424_242);
    gate.notify("notifications/cancelled", &json!({"requestId": 0}));
    gate.notify("notifications/cancelled", &json!({}));
    assert!(gate.call("echo", &json!({})).is_ok());
    assert_eq!(gate.call("cancelled", &json!({})).text(), "[] of 0 notifications");
}

#[test]
fn w02_a_call_that_timed_out_is_cancelled_at_its_backend() {
    let gate = Setup::new().env("AXONFLOW_BACKEND_TIMEOUT", "1s").stub("a", &[]).open();
    let reply = gate.call("cancel_probe", &json!({"name": "t"}));
    assert_eq!(reply.code(), -32603);
    assert_eq!(reply.data()["outcome"], "timed_out");
    eventually("the cancel", || {
        gate.call("cancelled", &json!({})).text().starts_with(r#"["t"]"#).then_some(())
    });
    gate.audit_row("timed out", |row| row["outcome"] == "timed_out");
}

#[test]
fn w03_progress_carries_the_clients_token_with_its_type() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let start = |tool: &str, token: Value| {
        gate.request(
            "tools/call",
            &json!({"name": tool, "arguments": {"steps": 3, "ms": 20}, "_meta": {"progressToken": token}}),
        )
    };
    let ids = [start("a__progress", json!(7)), start("b__progress", json!("7"))];
    for id in ids {
        assert_eq!(gate.reply(id).text(), "done");
    }
    for token in [json!(7), json!("7")] {
        let of_token: Vec<Value> = gate
            .seen("notifications/progress")
            .into_iter()
            .map(|notice| notice["params"].clone())
            .filter(|params| params["progressToken"] == token)
            .collect();
        let steps: Vec<&Value> = of_token.iter().map(|params| &params["progress"]).collect();
        assert_eq!(steps, [1, 2, 3], "token {token}");
        assert!(of_token.iter().all(|params| params["message"] == "for [REDACTED:email]"));
    }
    assert_eq!(gate.call("a__progress", &json!({"steps": 1})).text(), "no token", "none is invented");
}

#[test]
fn w03_unknown_meta_reaches_the_backend() {
    let gate = Setup::new().stub("a", &[]).open();
    let id = gate.request_raw(
        "tools/call",
        r#"{"name":"meta","arguments":{},"_meta":{"vendor.example/x":{"n":12345678901234567890,"b":[1.0]}},"future":{"kept":true}}"#,
    );
    let text = gate.reply(id).text().to_owned();
    assert!(text.contains(r#""vendor.example/x":{"n":12345678901234567890,"b":[1.0]}"#), "{text}");
    let line = gate.received_of("a", "tools/call").pop().expect("one call");
    assert!(line.contains(r#""future":{"kept":true}"#), "{line}");
}

#[test]
fn w04_prompts_pass() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let names: Vec<Value> = gate.list("prompts/list", "prompts").iter().map(|p| p["name"].clone()).collect();
    assert_eq!(names, ["a__greet", "a__plain", "b__greet", "b__plain"]);
    let reply = gate.ask("prompts/get", &json!({"name": "b__greet", "arguments": {"who": "X"}}));
    let text = reply.result()["messages"][0]["content"]["text"].as_str().expect("text");
    assert!(text.starts_with(r#"greet with {"who":"X"}."#), "{text}");
    assert!(text.contains("[REDACTED:email]") && text.contains("[REDACTED:nik]"), "{text}");
    assert_eq!(gate.received_of("a", "prompts/get").len(), 0);
    assert_eq!(gate.ask("prompts/get", &json!({"name": "nobody"})).code(), -32602);
}

#[test]
fn w04_resources_pass() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let uris: Vec<String> = gate
        .list("resources/list", "resources")
        .iter()
        .map(|resource| resource["uri"].as_str().expect("a URI").to_owned())
        .collect();
    for id in ["a", "b"] {
        let own = uris.iter().find(|uri| uri.ends_with(&format!("{id}/own"))).expect("listed");
        let reply = gate.ask("resources/read", &json!({"uri": own}));
        let text = reply.result()["contents"][0]["text"].as_str().expect("text");
        assert!(text.starts_with(&format!("stub://{id}/own: ")), "{text}");
        assert!(text.contains("[REDACTED:email]"), "{text}");
        let seen = gate.received_of(id, "resources/read");
        assert!(seen.iter().any(|line| line.contains(&format!("stub://{id}/own"))), "{seen:?}");
    }
    for uri in &uris {
        assert!(
            gate.ask("resources/read", &json!({"uri": uri})).is_ok(),
            "{uri} is listed, so it is readable"
        );
    }
    assert!(!gate.list("resources/templates/list", "resourceTemplates").is_empty());
}

#[test]
fn w04_one_backend_keeps_its_uris_and_its_not_found() {
    let gate = Setup::new().stub("a", &[]).open();
    let uris: Vec<Value> =
        gate.list("resources/list", "resources").iter().map(|r| r["uri"].clone()).collect();
    assert_eq!(uris, ["stub://note", "stub://a/own", "memo:insights"]);
    assert!(gate.ask("resources/read", &json!({"uri": "memo:insights"})).is_ok());
    assert!(gate.ask("resources/read", &json!({"uri": "stub://note/never-listed"})).is_ok());
    let missing = gate.ask("resources/read", &json!({"uri": "http://nowhere/x"}));
    assert_eq!(missing.code(), -32002, "resource not found keeps its code before 2026-07-28");
}

#[test]
fn w04_subscriptions_pass() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.ask("resources/subscribe", &json!({"uri": "stub://note"})).result();
    gate.call("touch", &json!({"uri": "stub://note"}));
    gate.notification("notifications/resources/updated", |params| params["uri"] == "stub://note");
    gate.ask("resources/unsubscribe", &json!({"uri": "stub://note"})).result();
    let received = gate.call("received", &json!({})).json();
    assert_eq!(received["resources/subscribe"], 1);
    assert_eq!(received["resources/unsubscribe"], 1);
}

#[test]
fn w04_completion_passes() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let reply = gate.ask(
        "completion/complete",
        &json!({"ref": {"type": "ref/prompt", "name": "b__greet"}, "argument": {"name": "who", "value": "S"}}),
    );
    assert_eq!(reply.result()["completion"]["values"], json!(["Siti", "[REDACTED:email]"]));
    let line = gate.received_of("b", "completion/complete").pop().expect("asked at b");
    assert!(line.contains(r#""greet""#) && !line.contains("b__greet"), "{line}");
}

#[test]
fn w04_logging_passes() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    gate.ask("logging/setLevel", &json!({"level": "warning"})).result();
    for id in ["a", "b"] {
        eventually("the level", || {
            (gate.call(&format!("{id}__level"), &json!({})).text() == r#""warning""#).then_some(())
        });
    }
    gate.call("a__log", &json!({}));
    let notice = gate.notification("notifications/message", |params| params["level"] == "warning");
    assert_eq!(notice.value["params"]["data"], "mail [REDACTED:email]");
    let logger = notice.value["params"]["logger"].as_str().unwrap_or_default();
    assert!(logger.contains('a'), "the logger names the backend: {logger:?}");
}

#[test]
fn w04_sampling_elicitation_and_roots_reach_the_client_and_come_back() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).capabilities(full_client()).open();
    gate.on_request(
        "sampling/createMessage",
        json!({"result": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "sampled"}}}),
    );
    gate.on_request(
        "elicitation/create",
        json!({"result": {"action": "accept", "content": {"colour": "red"}}}),
    );
    gate.on_request("roots/list", json!({"result": {"roots": [{"uri": "file:///r"}]}}));
    // Both backends ask at once, both with their own id 1.
    let tools = ["sample", "elicit", "roots"];
    let asked: Vec<(i64, &str)> = ["a", "b"]
        .iter()
        .flat_map(|id| tools.map(|tool| (gate.start_call(&format!("{id}__{tool}"), &json!({})), tool)))
        .collect();
    for (id, tool) in asked {
        let answer = gate.reply(id).json();
        match tool {
            "sample" => assert_eq!(answer["result"]["content"]["text"], "sampled"),
            "elicit" => assert_eq!(answer["result"]["content"]["colour"], "red"),
            _ => assert_eq!(answer["result"]["roots"][0]["uri"], "file:///r"),
        }
    }
    let sampled = gate.seen("sampling/createMessage");
    assert!(
        sampled.iter().all(|request| request.to_string().contains("about [REDACTED:email]")),
        "{sampled:?}"
    );
    let elicited: Vec<String> =
        gate.seen("elicitation/create").iter().map(|r| r["params"]["message"].to_string()).collect();
    assert!(elicited.iter().all(|message| message.contains("Which colour?")), "{elicited:?}");
    assert!(elicited.iter().any(|message| message.contains('b')), "the message names who asks: {elicited:?}");
}

#[test]
fn w04_the_clients_refusal_comes_back_as_it_is() {
    let gate = Setup::new().stub("a", &[]).capabilities(full_client()).open();
    gate.on_request("elicitation/create", json!({"error": {"code": -1, "message": "user rejected"}}));
    let answer = gate.call("elicit", &json!({})).json();
    assert_eq!(answer["error"]["code"], -1);
    assert_eq!(answer["error"]["message"], "user rejected");
}

#[test]
fn w04_what_the_client_cannot_is_refused_on_its_behalf() {
    let gate = Setup::new().stub("a", &[]).open();
    for tool in ["sample", "elicit", "roots"] {
        let answer = gate.call(tool, &json!({})).json();
        assert_eq!(answer["error"]["code"], -32601, "{tool}");
    }
    for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
        assert!(gate.seen(method).is_empty(), "{method} was asked of a client that cannot");
    }
    let client: Value = gate.call("client", &json!({})).json();
    assert_eq!(client["capabilities"], json!({}), "capabilities are passed on, never invented");
}

#[test]
fn client_capabilities_and_identity_are_passed_on() {
    let capabilities = json!({"roots": {"listChanged": true}, "sampling": {}});
    let gate = Setup::new().stub("a", &[]).capabilities(capabilities.clone()).open();
    let client: Value = gate.call("client", &json!({})).json();
    assert_eq!(client["capabilities"], capabilities);
    assert!(client["clientInfo"]["name"].as_str().is_some_and(|name| name.starts_with("it")), "{client}");
    gate.notify("notifications/roots/list_changed", &json!({}));
    eventually("the roots' change", || {
        gate.call("received", &json!({})).json().get("notifications/roots/list_changed").cloned()
    });
}

#[test]
fn capabilities_are_the_superset_that_can_be_routed() {
    let gate = Setup::new().stub("a", &["--tools-only"]).spawn();
    let reply = gate.handshake();
    let capabilities = &reply.result()["capabilities"];
    for key in ["tools", "prompts", "resources", "completions", "logging"] {
        assert!(capabilities.get(key).is_some(), "{key} is missing in {capabilities}");
    }
    assert_eq!(capabilities["tools"]["listChanged"], true);
    gate.wait_for_tool("echo");
    assert!(gate.list("prompts/list", "prompts").is_empty());
    assert!(gate.list("resources/list", "resources").is_empty());
}

#[test]
fn instructions_are_merged_under_their_backends() {
    let setup = Setup::new()
        .stub("a", &["--instructions", "First A. Ask siti@example.co.id"])
        .stub("b", &["--instructions", "Then B."]);
    // The first run learns the instructions; they are fixed at `initialize`, so the next one can tell them.
    drop(setup.clone().open());
    let gate = setup.spawn();
    let reply = gate.handshake();
    let instructions = reply.result()["instructions"].as_str().unwrap_or_default().to_owned();
    assert!(instructions.contains("[a]") && instructions.contains("First A."), "{instructions:?}");
    assert!(instructions.contains("[b]") && instructions.contains("Then B."), "{instructions:?}");
    assert!(!instructions.contains("siti@"), "{instructions:?}");
}

#[test]
fn w15_every_page_of_every_list_is_read() {
    let gate = Setup::new().stub("a", &["--pages", "3", "--tools", "40"]).open();
    let names = gate.tool_names();
    for number in 0..40 {
        assert!(names.contains(&format!("extra_{number:03}")), "extra_{number:03} is missing");
    }
    assert_eq!(gate.list("prompts/list", "prompts").len(), 2);
    assert_eq!(gate.list("resources/list", "resources").len(), 3);
}

#[test]
fn w15_a_backend_that_pages_for_ever_holds_nobody_up() {
    let gate = Setup::new()
        .stub("good", &[])
        .stub("loop", &["--pages", "1", "--loop-cursor"])
        .expecting("good__echo")
        .open();
    assert!(gate.call("good__echo", &json!({})).is_ok());
    assert!(gate.received_of("loop", "tools/list").len() < 20, "the same cursor twice is a loop");
}

#[test]
fn w16_a_changed_tool_list_is_told_and_served() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    gate.call("b__add_tool", &json!({"name": "fresh"}));
    gate.notification("notifications/tools/list_changed", |_| true);
    gate.wait_for_tool("b__fresh");
    assert_eq!(gate.call("b__fresh", &json!({})).text(), "fresh");
}

#[test]
fn w16_a_storm_of_changes_is_one_refresh_or_few() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.call("storm", &json!({"n": 500}));
    gate.call("add_tool", &json!({"name": "after_storm"}));
    gate.wait_for_tool("after_storm");
    let listed = gate.received_of("a", "tools/list").len();
    assert!(listed < 30, "500 notices made {listed} lists");
    assert!(gate.seen("notifications/tools/list_changed").len() < 30);
}

#[test]
fn w17_a_backends_ping_is_answered() {
    let gate = Setup::new().stub("a", &[]).open();
    assert_eq!(gate.call("ask_ping", &json!({})).json()["result"], json!({}));
    assert!(gate.seen("ping").is_empty(), "the proxy answers it itself");
}

#[test]
fn w18_a_request_with_a_pending_id_is_no_answer() {
    let gate = Setup::new().stub("a", &["--id-collision"]).capabilities(full_client()).open();
    for number in 0..20 {
        assert_eq!(gate.call("echo", &json!({"n": number})).text(), format!(r#"{{"n":{number}}}"#));
    }
    assert!(gate.call("lookup", &json!({})).raw.contains("[REDACTED:email]"));
}

#[test]
fn w19_arguments_arrive_as_the_bytes_that_were_sent() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let arguments = r#"{"z":12345678901234567890, "a":1.0,"e":1e-7,"nested":{"y":[-0.0,9007199254740993]},"html":"<&>","esc":"\u0041\/"}"#;
    let id = gate.request_raw("tools/call", &format!(r#"{{"arguments":{arguments},"name":"b__echo"}}"#));
    gate.reply(id).result();
    let line = gate.received_of("b", "tools/call").pop().expect("one call");
    assert!(line.contains(arguments), "{line}");
    assert!(line.contains(r#""name":"echo""#), "{line}");
}

#[test]
fn w20_empty_absent_and_null_arguments_stay_what_they_are() {
    let gate = Setup::new().stub("a", &[]).open();
    for (params, expected) in [
        (r#"{"name":"echo","arguments":{}}"#, "{}"),
        (r#"{"name":"echo"}"#, "absent"),
        (r#"{"name":"echo","arguments":null}"#, "null"),
    ] {
        let id = gate.request_raw("tools/call", params);
        assert_eq!(gate.reply(id).text(), expected, "{params}");
    }
}

#[test]
fn w42_descriptors_are_scanned() {
    let gate = Setup::new().stub("a", &[]).open();
    let tools = gate.tools();
    let sample = tools.iter().find(|tool| tool["name"] == "sample").expect("listed");
    assert_eq!(sample["description"], "Asks the client to sample; write to [REDACTED:email]");
}

#[test]
fn w64_lists_asked_at_once_agree() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).spawn();
    gate.handshake();
    let ids: Vec<i64> = (0..20).map(|_| gate.request("tools/list", &json!({}))).collect();
    for id in ids {
        gate.reply(id).result();
    }
    gate.wait_for_tool("a__echo");
    gate.wait_for_tool("b__echo");
    let mut names = gate.tool_names();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "a name is listed twice");
    for id in ["a", "b"] {
        assert_eq!(gate.received_of(id, "initialize").len(), 1, "{id} was started more than once");
    }
}

#[test]
fn the_catalogue_of_last_time_answers_while_backends_start() {
    let setup = Setup::new().stub("a", &["--start-delay-ms", "1500"]);
    let first = setup.clone().open();
    let names = first.tool_names();
    drop(first);
    let gate = setup.spawn();
    gate.handshake();
    let reply = gate.ask("tools/list", &json!({}));
    let listed = reply.result()["tools"].as_array().expect("tools").len();
    assert_eq!(listed, names.len(), "the first answer is whole");
    assert!(gate.call("echo", &json!({})).is_ok(), "a call waits for its backend");
}

/// Waits until a stub backend has received a call of that tool.
fn arrived(gate: &Gate, id: &str, tool: &str) {
    let seen = within(PATIENCE, || {
        gate.received_of(id, "tools/call")
            .iter()
            .any(|line| line.contains(&format!(r#""{tool}""#)))
            .then_some(())
    });
    assert!(seen.is_some(), "{tool} never arrived at {id}");
}
