//! The client's side: the handshake, strict parsing, ids, lines, concurrency.

use crate::harness::{Gate, Setup, eventually};
use serde_json::{Value, json};

const COUNT: &str = r#""params":{"name":"count","arguments":{"effect":"forbidden"}}"#;

#[test]
fn w01_one_slow_tool_holds_nobody_up() {
    let gate = Setup::new().stub("a", &[]).open();
    let probe = gate.start_call("cancel_probe", &json!({"name": "p"}));
    let slow = gate.start_call("slow", &json!({"ms": 1500}));
    gate.ask("ping", &json!({})).result();
    assert!(gate.tool_names().contains(&"echo".to_owned()));
    assert!(gate.call("echo", &json!({})).is_ok());
    assert_eq!(gate.replies_to(probe), 0);
    assert_eq!(gate.reply(slow).text(), "slept");
}

#[test]
fn w05_a_line_of_many_megabytes_is_served() {
    let gate = Setup::new().stub("a", &[]).open();
    let text = "long ".repeat(1 << 20);
    let reply = gate.call("text", &json!({"text": text}));
    assert_eq!(reply.text().len(), text.len());
}

#[test]
fn w05_a_line_above_the_limit_is_refused_and_the_next_is_served() {
    let gate = Setup::new().env("CALLGATE_MAX_LINE", "1000000").stub("a", &[]).open();
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":"long","method":"ping","params":{{"x":"{}"}}}}"#,
        "x".repeat(3 << 20)
    );
    let error = gate.refused(&long);
    assert!(matches!(error.code(), -32700 | -32600), "{}", error.raw);
    assert!(gate.call("echo", &json!({"after": true})).is_ok());
}

#[test]
fn w06_initialize_waits_for_no_backend() {
    let gate = Setup::new()
        .stub("good", &[])
        .stub("late", &["--start-delay-ms", "600000"])
        .stub("mute", &["--never-answer"])
        .expecting("good__echo")
        .open();
    assert!(gate.call("good__echo", &json!({})).is_ok());
    gate.ask("ping", &json!({})).result();
}

#[test]
fn w07_versions_are_negotiated_from_a_known_list() {
    let negotiated = |asked: &str| -> Value {
        let gate = Setup::new().stub("a", &[]).version(asked).spawn();
        gate.handshake().result()["protocolVersion"].clone()
    };
    for known in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(negotiated(known), known);
    }
    for unknown in ["2099-01-01", "2026-07-28", "", "newest"] {
        assert_eq!(negotiated(unknown), "2025-11-25", "for {unknown:?}");
    }
}

#[test]
fn w08_a_batch_is_refused_whole_outside_2025_03_26() {
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let gate = Setup::new().stub("a", &[]).version(version).open();
        let batch = format!(r#"[{{"jsonrpc":"2.0","id":"b1","method":"tools/call",{COUNT}}}]"#);
        assert_eq!(gate.refused(&batch).code(), -32600, "in {version}");
        assert_eq!(gate.replies_to("b1"), 0);
        nothing_ran(&gate);
    }
}

#[test]
fn w08_a_batch_of_2025_03_26_is_governed_call_by_call() {
    let gate = Setup::new().stub("a", &[]).version("2025-03-26").open();
    let sql = crate::harness::STACKED_SQL;
    gate.send(&format!(
        r#"[{{"jsonrpc":"2.0","id":"b1","method":"ping"}},{{"jsonrpc":"2.0","id":"b2","method":"tools/call","params":{{"name":"echo","arguments":{{"k":1}}}}}},{{"jsonrpc":"2.0","id":"b3","method":"tools/call","params":{{"name":"echo","arguments":{{"q":"{sql}"}}}}}},{{"jsonrpc":"2.0","method":"notifications/unknown"}}]"#
    ));
    gate.reply("b1").result();
    assert_eq!(gate.reply("b2").text(), r#"{"k":1}"#);
    assert_eq!(gate.reply("b3").code(), -32001);
    assert_eq!(gate.refused("[]").code(), -32600);
    gate.audit_of(2);
}

#[test]
fn w09_a_call_without_id_never_runs_and_gets_no_answer() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.send(&format!(r#"{{"jsonrpc":"2.0","method":"tools/call",{COUNT}}}"#));
    nothing_ran(&gate);
    assert_eq!(gate.count_of(|message| message.value.get("error").is_some()), 0);
    assert_eq!(gate.replies_to(Value::Null), 0);
}

#[test]
fn w10_members_are_strict() {
    let gate = Setup::new().stub("a", &[]).open();
    let refused = [
        format!(r#"{{"id":"x","method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"1.0","id":"x","method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":"x","METHOD":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":"x","Method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":null,"method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{{}},"method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":true,"method":"tools/call",{COUNT}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":"x","method":"ping","method":"tools/call",{COUNT}}}"#),
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","name":"count","arguments":{"effect":"forbidden"}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"count","arguments":{"effect":"a","effect":"forbidden"}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"count","arguments":{"effect":"a","\u0065ffect":"forbidden"}}}"#.to_owned(),
    ];
    for line in &refused {
        assert_eq!(gate.refused(line).code(), -32600, "{line}");
    }
    for params in [
        r#"{"NAME":"count"}"#,
        r#"{"name":7}"#,
        r#"{"name":"count","arguments":[1]}"#,
        r#"{"name":"count","arguments":"x"}"#,
        "[]",
    ] {
        let id = gate.request_raw("tools/call", params);
        assert!(matches!(gate.reply(id).code(), -32602 | -32600), "{params}");
    }
    nothing_ran(&gate);
}

#[test]
fn parse_errors_have_id_null_and_the_process_reads_on() {
    let gate = Setup::new().stub("a", &[]).open();
    for line in [
        "this is no JSON",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping""#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"} trailing"#,
    ] {
        let error = gate.refused(line);
        assert_eq!(error.code(), -32700, "{line}");
        assert_eq!(error.value["id"], Value::Null, "{line}");
    }
    let errors = |message: &crate::harness::Reply| message.value["error"]["code"] == -32700;
    let before = gate.count_of(errors);
    gate.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xffng\"}\n");
    eventually("the answer to invalid UTF-8", || (gate.count_of(errors) == before + 1).then_some(()));
    gate.ask("ping", &json!({})).result();
}

#[test]
fn deep_nesting_is_refused_and_kills_nothing() {
    let gate = Setup::new().stub("a", &[]).open();
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{{"name":"echo","arguments":{{"a":{}{}}}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(matches!(gate.refused(&deep).code(), -32700 | -32600 | -32602));
    gate.ask("ping", &json!({})).result();
}

#[test]
fn w12_what_passes_keeps_its_bytes() {
    let gate = Setup::new().stub("a", &[]).open();
    let list = gate.ask("tools/list", &json!({}));
    let vendor = r#""x-vendor":{"z":1,"a":12345678901234567890,"html":"<b>&</b>"}"#;
    assert!(list.raw.contains(vendor), "the descriptor of lookup changed");
    let reply = gate.call("text", &json!({"text": "<b>&amp;</b> ümlaut 山田 😀 tab\t"}));
    assert!(reply.raw.contains(r#""<b>&amp;</b> ümlaut 山田 😀 tab\t""#), "{}", reply.raw);
    let record = gate.call("lookup", &json!({}));
    assert!(record.raw.contains(r#""vendor/key":"<kept & raw>""#), "{}", record.raw);
    assert!(record.raw.contains(r#""balance":125000.50"#), "{}", record.raw);
}

#[test]
fn line_separators_inside_strings_are_neither_split_nor_passed_raw() {
    let gate = Setup::new().stub("a", &[]).open();
    let text = "one\u{2028}two\u{2029}three\u{85}four";
    let id = gate.request_raw("tools/call", &format!(r#"{{"name":"text","arguments":{{"text":"{text}"}}}}"#));
    let reply = gate.reply(id);
    assert_eq!(reply.text(), text);
    assert!(!reply.raw.contains(['\u{2028}', '\u{2029}']), "raw separators hang some hosts");
}

#[test]
fn carriage_returns_before_the_line_end_are_tolerated() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.send("{\"jsonrpc\":\"2.0\",\"id\":\"cr\",\"method\":\"ping\"}\r");
    gate.reply("cr").result();
}

#[test]
fn ids_come_back_byte_for_byte_and_typed() {
    let gate = Setup::new().stub("a", &[]).open();
    for id in ["1000001", r#""1000001""#, "0", r#""""#, "-7", "9007199254740993", r#""é\u00e9 \"quoted\"""#]
    {
        gate.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{}}}}}}"#
        ));
        gate.message(&format!("reply with id {id}"), |message| {
            message.raw.contains(&format!(r#""id":{id},"#))
                || message.raw.contains(&format!(r#""id":{id}}}"#))
        });
    }
}

#[test]
fn equal_ids_of_different_types_are_two_requests() {
    let gate = Setup::new().stub("a", &[]).open();
    let call = |id: &str, ms: u32| {
        gate.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"slow","arguments":{{"ms":{ms}}}}}}}"#
        ));
    };
    call("77", 300);
    call(r#""77""#, 1);
    assert!(gate.reply(77).is_ok());
    assert!(gate.reply("77").is_ok());
}

#[test]
fn an_id_in_flight_is_not_taken_twice() {
    let gate = Setup::new().stub("a", &[]).open();
    let slow = gate.start_call("slow", &json!({"ms": 1000}));
    let again = format!(r#"{{"jsonrpc":"2.0","id":{slow},"method":"tools/call",{COUNT}}}"#);
    assert_eq!(gate.refused(&again).code(), -32600);
    gate.message("the first one's answer", |message| {
        message.value["id"] == slow && message.value.get("result").is_some()
    });
    nothing_ran(&gate);
    // The id is free again.
    gate.send(&format!(r#"{{"jsonrpc":"2.0","id":{slow},"method":"ping"}}"#));
    gate.message("the ping's answer", |message| {
        message.value["id"] == slow && message.value["result"] == json!({})
    });
}

#[test]
fn an_unknown_method_is_told_and_spawns_nothing() {
    let gate = Setup::new().stub("a", &[]).spawn();
    let reply = gate
        .ask("server/discover", &json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}));
    assert_eq!(reply.code(), -32601);
    assert!(gate.descendants().is_empty(), "a probe must start no backend");
    assert!(gate.is_alive());
    gate.handshake();
    gate.wait_for_tool("echo");
    assert_eq!(gate.ask("no/such/method", &json!({})).code(), -32601);
    gate.notify("notifications/no/such", &json!({}));
    gate.ask("ping", &json!({})).result();
}

#[test]
fn responses_nobody_asked_for_are_dropped() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.send(r#"{"jsonrpc":"2.0","id":424242,"result":{}}"#);
    gate.send(r#"{"jsonrpc":"2.0","id":"nobody","error":{"code":1,"message":"x"}}"#);
    gate.ask("ping", &json!({})).result();
    assert_eq!(gate.count_of(|message| message.value.get("error").is_some()), 0);
}

#[test]
fn many_calls_at_once_are_each_answered_once() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let ids: Vec<(i64, String)> = (0..400)
        .map(|number| {
            let tool = if number % 2 == 0 { "a__echo" } else { "b__echo" };
            (gate.start_call(tool, &json!({"number": number})), format!(r#"{{"number":{number}}}"#))
        })
        .collect();
    for (id, text) in &ids {
        assert_eq!(gate.reply(*id).text(), text);
    }
    gate.ask("ping", &json!({})).result();
    assert!(ids.iter().all(|(id, _)| gate.replies_to(*id) == 1));
}

/// A harmless call ran, the forbidden one did not.
fn nothing_ran(gate: &Gate) {
    assert!(gate.call("count", &json!({"effect": "witness"})).is_ok());
    assert_eq!(gate.effects("a"), ["witness"]);
}
