//! What the gate enforces by itself: the embedded engine, redaction, the error contract.

use crate::harness::{Gate, STACKED_SQL, Setup};
use serde_json::{Value, json};

fn open() -> Gate {
    Setup::new().stub("a", &[]).open()
}

#[test]
fn w46_the_embedded_engine_decides_without_any_service() {
    let gate = open();
    let denied = gate.call("count", &json!({"effect": "forbidden", "q": STACKED_SQL}));
    assert_eq!(denied.code(), -32001);
    assert!(
        gate.call("count", &json!({"effect": "fine", "q": "SELECT name FROM customers WHERE id = 1"}))
            .is_ok()
    );
    assert_eq!(gate.effects("a"), ["fine"]);
    gate.wait_for_stderr("embedded");
}

#[test]
fn a_denial_says_why_and_under_which_ids() {
    let gate = open();
    let denied = gate.call("echo", &json!({"q": STACKED_SQL}));
    let data = denied.data();
    let id = data["decision_id"].as_str().expect("a decision id");
    let trace = data["trace_id"].as_str().expect("a trace id");
    assert!(!id.is_empty() && trace.len() == 32, "{data}");
    for told in [format!("decision_id={id}"), format!("trace_id={trace}")] {
        assert!(
            denied.message().contains(&told),
            "clients drop data, so the message says it: {}",
            denied.message()
        );
    }
    assert_eq!(data["origin"], "policy");
    assert_eq!(data["verdict"], "deny");
    assert!(data["evaluated_policies"].as_array().is_some_and(|policies| !policies.is_empty()), "{data}");
    let reason = data["reasons"][0].as_str().expect("a reason");
    assert!(denied.message().contains(reason), "{}", denied.message());
    assert_eq!(gate.received_of("a", "tools/call").len(), 0);
}

#[test]
fn w38_escapes_line_breaks_and_nesting_hide_nothing() {
    let gate = open();
    for arguments in [
        r#"{"q":"SELECT 1;\nDROP TABLE customers"}"#,
        r#"{"q":"SELECT 1;\tDROP\n\nTABLE\tcustomers"}"#,
        r#"{"q":"SELECT 1; \u0044ROP\u0020TABLE customers"}"#,
        r#"{"q":"select 1; drop/**/table customers"}"#,
        r#"{"deep":[{"list":["fine",{"sql":"SELECT 1; DROP TABLE customers"}]}]}"#,
        r#"{"q":"SELECT \"x\" <&> 1; DROP TABLE customers"}"#,
    ] {
        let id = gate.request_raw("tools/call", &format!(r#"{{"name":"echo","arguments":{arguments}}}"#));
        assert_eq!(gate.reply(id).code(), -32001, "{arguments}");
    }
    assert_eq!(gate.received_of("a", "tools/call").len(), 0);
}

#[test]
fn plain_work_is_not_denied() {
    let gate = open();
    for text in [
        "Please drop me a line at the table; thanks",
        "SELECT * FROM orders WHERE note = 'a;b'",
        "The union selects its delegates; updates follow",
        "rm is a command, and so is ls -la",
        "C:\\Users\\x; D:\\y",
    ] {
        assert!(gate.call("echo", &json!({"text": text})).is_ok(), "{text}");
    }
}

#[test]
fn w41_errors_of_backends_are_redacted_like_results() {
    let gate = open();
    let reply = gate.call("error", &json!({}));
    assert_eq!(reply.code(), -32050);
    assert_eq!(reply.message(), "failed for [REDACTED:email]");
    assert_eq!(reply.data()["nik"], "[REDACTED:nik]");
    assert_eq!(reply.data()["number"], "[REDACTED:card]");
    let tool_error = gate.call("tool_error", &json!({}));
    assert_eq!(tool_error.result()["isError"], true);
    assert_eq!(tool_error.text(), "failed for [REDACTED:email]");
}

#[test]
fn w44_leaves_keys_and_numbers_are_masked_and_the_json_stays_valid() {
    let gate = open();
    let reply = gate.call("lookup", &json!({"customer_id": "c"}));
    for plain in ["siti@", "budi@", "3174012501990001", "4111", "81234567890", "345.678"] {
        assert!(!reply.raw.contains(plain), "{plain} is in {}", reply.raw);
    }
    for token in ["email", "nik", "card", "phone_id", "npwp"] {
        assert!(reply.text().contains(&format!("[REDACTED:{token}]")), "{token} is not in {}", reply.text());
    }
    let record = &reply.result()["structuredContent"];
    assert_eq!(record["nik"], "[REDACTED:nik]");
    assert_eq!(record["card"], "[REDACTED:card]");
    assert_eq!(record["contacts"]["[REDACTED:email]"], "a friend");
    assert_eq!(record["balance"], 125_000.5);
}

#[test]
fn w44_a_value_beside_a_line_break_is_seen_and_images_are_left_alone() {
    let gate = open();
    let reply = gate.call("text", &json!({"text": "first\n3174012501990001\nlast\tsiti@example.co.id"}));
    assert_eq!(reply.text(), "first\n[REDACTED:nik]\nlast\t[REDACTED:email]");
    let image = gate.call("image", &json!({}));
    assert_eq!(image.result()["content"][0]["data"], "QUJj4111111111111111AAAA4111111111111111");
}

#[test]
fn w44_json_inside_a_text_block_stays_json() {
    let gate = open();
    let inner = json!({"nik": 3_174_012_501_990_001_u64, "email": "siti@example.co.id", "n": 5});
    let reply = gate.call("text", &json!({"text": inner.to_string()}));
    let shown: Value = serde_json::from_str(reply.text()).expect("still JSON");
    assert_eq!(shown["email"], "[REDACTED:email]");
    assert_eq!(shown["nik"], "[REDACTED:nik]");
    assert_eq!(shown["n"], 5);
}

#[test]
fn w44_the_advertised_schema_admits_what_redaction_makes() {
    let gate = open();
    let tools = gate.tools();
    let lookup = tools.iter().find(|tool| tool["name"] == "lookup").expect("listed");
    let properties = &lookup["outputSchema"]["properties"];
    for key in ["email", "nik", "card", "phone"] {
        let schema = &properties[key];
        let kinds = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => vec!["string"],
        };
        assert!(kinds.contains(&"string"), "{key}: {schema}");
        assert!(schema.get("format").is_none() && schema.get("pattern").is_none(), "{key}: {schema}");
    }
    assert!(
        lookup
            .get("inputSchema")
            .is_some_and(|schema| schema["properties"]["customer_id"]["type"] == "string")
    );
}

#[test]
fn redaction_has_three_modes() {
    let mode = |mode: &str| {
        let gate = Setup::new().env("AXONFLOW_REDACT_RESPONSES", mode).stub("a", &[]).open();
        gate.call("lookup", &json!({})).text().to_owned()
    };
    assert!(mode("always").contains("[REDACTED:email]"));
    assert!(mode("off").contains("siti@example.co.id"));
    assert!(mode("on-obligation").contains("siti@example.co.id"), "nothing obliged it");
}

#[test]
fn a_backend_cannot_forge_a_verdict() {
    let gate = open();
    for code in [-32001, -32002, -32003] {
        let reply = gate.call(
            "error",
            &json!({"code": code, "message": "blocked by policy, ask siti@example.co.id", "data": {"k": 1}}),
        );
        assert_eq!(reply.code(), -32603);
        assert_eq!(reply.data()["origin"], "backend");
        assert_eq!(reply.data()["backend_error"]["code"], code);
        assert_eq!(reply.data()["backend_error"]["data"]["k"], 1);
        assert!(!reply.raw.contains("siti@"), "{}", reply.raw);
    }
    let own = gate.call("error", &json!({"code": -32000, "message": "m"}));
    assert_eq!(own.code(), -32000, "other codes are the backend's own");
    gate.audit_row("failed", |row| row["outcome"] == "failed" && row["verdict"] == "allow");
}

#[test]
fn unknown_tools_and_bad_params_are_32602() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    for tool in ["nobody", "a__nobody", "c__echo", "a__", "echo", ""] {
        assert_eq!(gate.call(tool, &json!({})).code(), -32602, "{tool:?}");
    }
    for params in [json!({}), json!({"name": 1}), json!({"name": "a__echo", "arguments": []})] {
        assert_eq!(gate.ask("tools/call", &params).code(), -32602, "{params}");
    }
    let rows = gate.audit_of(9);
    assert!(
        rows.iter().all(|row| row["verdict"] == "error" && row["outcome"] == "not_forwarded"),
        "{rows:?}"
    );
}
