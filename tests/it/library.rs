//! Callgate inside other programs: the examples as they stand in the documentation, and the layer over real HTTP.

use crate::harness::{PATIENCE, Setup, eventually, lines, stub};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use callgate::intercept::{Builder, CallgateLayer, Interceptor};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[path = "../../examples/axum_mcp.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod axum_mcp;
#[path = "../../examples/intercept.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod intercept;

const SQL: &str = "SELECT 1; DROP TABLE customers; --";
const JSON: (&str, &str) = ("content-type", "application/json");

/// An application on a free port, served until it is dropped.
struct Served {
    address: SocketAddr,
    _leave: oneshot::Sender<()>,
    setup: Setup,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    text: String,
}

impl Served {
    fn start(setup: Setup, app: Router) -> Self {
        let (address, bound) = std::sync::mpsc::sync_channel(1);
        let (leave, left) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
                address.send(listener.local_addr().expect("an address")).expect("told");
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("served"),
                    _ = left => {}
                }
            });
        });
        Self { address: bound.recv().expect("it serves"), _leave: leave, setup }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build()
            .into();
        let uri = format!("http://{}{path}", self.address);
        let mut request = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            b"" => agent.run(request.body(()).expect("a request")),
            body => agent.run(request.body(body).expect("a request")),
        };
        let mut response = sent.expect("an answer");
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
        let text = response.body_mut().read_to_string().expect("a body");
        Answer { status: response.status().as_u16(), kind: kind.unwrap_or_default(), text }
    }

    fn post(&self, text: &str) -> Answer {
        self.send("POST", "/mcp", &[JSON], text.as_bytes())
    }

    fn call(&self, name: &str, arguments: &Value) -> Answer {
        self.post(&call(name, arguments))
    }

    /// The rows as (tool, verdict, outcome); waits until there are so many.
    fn rows(&self, count: usize) -> Vec<(String, String, String)> {
        let file = self.setup.path("audit.jsonl");
        let rows = eventually("the rows", || {
            let rows = lines(file.as_ref());
            (rows.len() >= count).then_some(rows)
        });
        let told = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = rows.iter().map(|row| serde_json::from_str::<Value>(row).expect("a row"));
        rows.map(|row| (told(&row, "tool_name"), told(&row, "verdict"), told(&row, "outcome"))).collect()
    }
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!((self.status, self.kind.as_str()), (200, "application/json"), "{}", self.text);
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The messages of an event stream.
    fn events(&self) -> Vec<Value> {
        assert_eq!((self.status, self.kind.as_str()), (200, "text/event-stream"), "{}", self.text);
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
    }

    /// The error of a blocked call, in the form that is documented.
    fn blocked(&self) -> Value {
        assert!(self.text.starts_with("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":"), "{}", self.text);
        assert!(self.text.ends_with("\n\n"));
        let mut events = self.events();
        assert_eq!(events.len(), 1);
        events.remove(0)["error"].take()
    }

    /// The error of what was no message.
    fn refused(&self, status: u16) -> Value {
        assert_eq!((self.status, self.kind.as_str()), (status, "application/json"), "{}", self.text);
        serde_json::from_str(&self.text).expect("JSON")
    }
}

fn call(name: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": arguments}}).to_string()
}

fn builder(setup: &Setup) -> Builder {
    Interceptor::from_variables(setup.environment())
}

fn interceptor(builder: Builder) -> Interceptor {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

// ------------------------------------------------------------------------------------------------- the examples

fn example() -> Served {
    let setup = Setup::new();
    let app = axum_mcp::app(interceptor(builder(&setup).deny(["delete_*"])));
    Served::start(setup, app)
}

#[test]
fn an_allowed_call_reaches_the_handler_and_its_answer_is_masked() {
    let served = example();
    let answer = served.call("find_customer", &json!({"id": 7})).json();
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["result"]["content"][0]["text"], "customer 7: Siti, [REDACTED:email]");
    let stream = served.call("export", &json!({}));
    let events = stream.events();
    assert_eq!(events[0]["params"]["message"], "writing to [REDACTED:email]");
    assert_eq!(events[1]["result"]["content"][0]["text"], "sent to [REDACTED:email]");
    assert!(stream.text.starts_with("id: 1\ndata: "), "what stands beside the data stays: {}", stream.text);
    let allowed = |tool: &str| (tool.to_owned(), "allow".to_owned(), "ok".to_owned());
    assert_eq!(served.rows(2), [allowed("find_customer"), allowed("export")]);
}

#[test]
fn a_denied_call_is_answered_as_one_event() {
    let served = example();
    let error = served.call("delete_customer", &json!({"id": 7})).blocked();
    assert_eq!(error["code"], -32001);
    assert!(error["message"].as_str().is_some_and(|why| why.contains("deny list")), "{error}");
    assert_eq!(error["data"]["evaluated_policies"], json!(["governance:deny:delete_*"]));
    let error = served.call("find_customer", &json!({"id": SQL})).blocked();
    assert!(error["data"]["policy_info"]["matched_policies"][0]["policy_id"].is_string(), "{error}");
    assert_eq!(served.rows(2)[0], ("delete_customer".into(), "deny".into(), "not_forwarded".into()));
}

#[test]
fn the_first_example_says_what_the_documentation_says() {
    let setup = Setup::new();
    let interceptor =
        interceptor(builder(&setup).deny(["delete_*"]).setting("SQLI_ACTION", "require_approval"));
    let run = |name: &str, arguments: Value| intercept::call(&interceptor, name, &arguments);
    assert_eq!(run("find_customer", json!({"id": 7})), "customer 7: Siti, [REDACTED:email]");
    assert!(run("delete_customer", json!({"id": 7})).contains("deny list"));
    assert!(run("query", json!({"sql": SQL})).starts_with("needs approval: ticket "));
    assert!(run("nothing", json!({})).contains("there is no tool"));
}

#[test]
fn the_document_holds_the_examples() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect(file);
    let (document, examples) =
        (read("docs/library.md"), [read("examples/intercept.rs"), read("examples/axum_mcp.rs")]);
    let blocks: Vec<&str> =
        document.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        assert!(examples.iter().any(|example| example.contains(block)), "no example holds\n{block}");
    }
}

// --------------------------------------------------------------------------------------------- what passes or not

/// What the handler saw, and what it answers with.
#[derive(Clone, Default)]
struct Handler {
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    status: StatusCode,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
}

impl Handler {
    fn says(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { headers: vec![("content-type", kind)], body: Some(body.into()), ..Self::default() }
    }

    /// An echo of the body without an answer of its own.
    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        self.seen.lock().expect("no panic").push((head.headers, body.clone()));
        let mut response = Body::from(self.body.unwrap_or_else(|| body.to_vec())).into_response();
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value.parse().expect("a value"));
        }
        response
    }

    fn seen(&self) -> Vec<Bytes> {
        self.seen.lock().expect("no panic").iter().map(|(_, body)| body.clone()).collect()
    }

    fn served(&self, setup: Setup, layer: CallgateLayer) -> Served {
        let handler = self.clone();
        let all = any(move |request: Request| handler.clone().answer(request));
        Served::start(setup, Router::new().route("/mcp", all.clone()).route("/other", all).layer(layer))
    }

    fn open(&self, settings: &[(&str, &str)]) -> Served {
        let setup = settings.iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value));
        let layer = CallgateLayer::new(interceptor(builder(&setup)));
        self.served(setup, layer)
    }
}

#[test]
fn everything_else_passes_byte_for_byte() {
    let handler = Handler::default();
    let setup = Setup::new();
    let layer = CallgateLayer::new(interceptor(builder(&setup).deny(["*"]))).only("/mcp");
    let served = handler.served(setup, layer);
    let messages = [
        "{ \"jsonrpc\":\"2.0\",\n\"id\":1,\"method\":\"tools/list\", \"params\":{\"x\":1.0,\"mail\":\"a@b.example\"} }",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"s","result":{"action":"accept"}}"#,
    ];
    for message in messages {
        assert_eq!(served.post(message).text, message);
    }
    let denied = call("a", &json!({}));
    for (method, path, body) in
        [("POST", "/other", &*denied), ("PUT", "/mcp", &denied), ("DELETE", "/mcp", ""), ("GET", "/mcp", "")]
    {
        let answer = served.send(method, path, &[], body.as_bytes());
        assert_eq!((answer.status, answer.text.as_str()), (200, body), "{method} {path}");
    }
    assert_eq!(handler.seen().len(), 7);
    assert_eq!(served.post(&denied).blocked()["code"], -32001);
    assert_eq!(handler.seen().len(), 7);
}

#[test]
fn what_has_no_one_reading_never_reaches_the_handler() {
    let handler = Handler::default();
    let served = handler.open(&[]);
    let single = call("a", &json!({}));
    let batch = format!("[{single}]");
    for (text, code) in [
        ("{", -32700),
        ("", -32700),
        ("5", -32600),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","ARGUMENTS":{}}}"#, -32602),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#, -32600),
        (batch.as_str(), -32600),
    ] {
        let error = served.post(text).refused(400);
        assert_eq!(error["error"]["code"], code, "{text}: {error}");
    }
    let compressed = served.send("POST", "/mcp", &[JSON, ("content-encoding", "gzip")], single.as_bytes());
    assert_eq!(compressed.refused(415)["error"]["code"], -32600);
    let other = served.send("POST", "/mcp", &[JSON, ("mcp-name", "b")], single.as_bytes());
    assert_eq!(other.refused(400)["error"]["code"], -32020);
    assert!(handler.seen().is_empty());
    assert_eq!(served.rows(5).len(), 5, "what was a call has its row");
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let handler = Handler::default();
    let setup = Setup::new();
    let layer = CallgateLayer::new(interceptor(builder(&setup))).body_limit(1000);
    let served = handler.served(setup, layer);
    let long = call("a", &json!({"text": "x".repeat(1000)}));
    let error = served.post(&long).refused(413);
    assert!(error["error"]["message"].as_str().is_some_and(|why| why.contains("1000 bytes")), "{error}");
    assert!(handler.seen().is_empty());
}

#[test]
fn a_held_call_names_its_ticket_and_runs_once_when_it_was_approved() {
    let handler = Handler::says("application/json", r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    let served = handler.open(&[("SQLI_ACTION", "require_approval")]);
    let ask = || served.call("query", &json!({"sql": SQL}));
    let error = ask().blocked();
    assert_eq!(error["code"], -32002);
    let ticket = error["data"]["approval_id"].as_str().expect("a ticket").to_owned();
    assert!(error["message"].as_str().is_some_and(|text| text.contains(&ticket)), "{error}");
    let (code, out, err) = served.setup.run(&["approvals", "approve", &ticket]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(ask().json()["id"], 7);
    assert_eq!(ask().blocked()["code"], -32002, "it was used up");
    assert_eq!(handler.seen().len(), 1);
}

#[test]
fn arguments_that_a_policy_changed_reach_the_handler() {
    let handler = Handler::says("application/json", r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    let served = handler.open(&[("PII_ACTION", "redact")]);
    let text = r#"{"jsonrpc":"2.0","id":7, "method":"tools/call","params":{"arguments":{"to":"jane@acme.co.id"},"name":"mail"}}"#;
    served.send("POST", "/mcp", &[JSON, ("mcp-param-to", "jane@acme.co.id")], text.as_bytes()).json();
    assert_eq!(handler.seen()[0], text.replace("jane@acme.co.id", "[REDACTED:email]").as_bytes());
    let (headers, body) = handler.seen.lock().expect("no panic")[0].clone();
    assert_eq!(headers["content-length"], body.len().to_string().as_str());
    assert!(!headers.contains_key("mcp-param-to"));
}

#[test]
fn monitor_mode_lets_a_denied_call_through() {
    let handler = Handler::says("application/json", r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    let served = handler.open(&[("CALLGATE_MONITOR", "on"), ("CALLGATE_TOOLS_DENY", "*")]);
    let answer = served.call("a", &json!({})).json();
    assert_eq!(answer["result"]["_meta"]["io.callgate/governance"]["monitor"]["would"], "deny");
}

// ------------------------------------------------------------------------------------------------------- answers

#[test]
fn what_cannot_be_masked_is_withheld() {
    let forged = r#"{"jsonrpc":"2.0","id":7,"result":{"a":1},"result":{"mail":"a@b.example"}}"#;
    for (kind, body) in [
        ("text/html", "<p>siti@example.co.id</p>"),
        ("application/json", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{broken siti@example.co.id"),
        ("application/json", r#"[{"jsonrpc":"2.0","id":7,"result":{"mail":"siti@example.co.id"}}]"#),
        ("application/json", r#"{"mail":"siti@example.co.id"}"#),
        ("text/event-stream", "data: siti@example.co.id\n\n"),
    ] {
        let answer = Handler::says(kind, body).open(&[]).call("a", &json!({}));
        assert!(!answer.text.contains("siti@"), "{}", answer.text);
        let error = answer.events().remove(0)["error"].take();
        assert_eq!(
            (&error["code"], &error["data"]["outcome"]),
            (&json!(-32003), &json!("withheld")),
            "{body}"
        );
    }
    let answer = Handler::says("application/json", forged).open(&[]).call("a", &json!({}));
    assert!(!answer.text.contains("b.example"), "one result is passed on: {}", answer.text);
    let mut compressed = Handler::says("application/json", "\u{1f}");
    compressed.headers.push(("content-encoding", "gzip"));
    let served = compressed.open(&[]);
    assert_eq!(served.call("a", &json!({})).events()[0]["error"]["code"], -32003);
    assert_eq!(served.rows(1)[0].2, "withheld");
}

#[test]
fn errors_and_refusals_of_the_handler_are_masked_and_no_verdict_is_forged() {
    let forged = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"by siti@example.co.id"}}"#;
    let served = Handler::says("application/json", forged).open(&[]);
    let error = served.call("a", &json!({})).json()["error"].take();
    assert_eq!((&error["code"], &error["message"]), (&json!(-32603), &json!("by [REDACTED:email]")));
    assert_eq!(served.rows(1)[0].2, "failed");
    for (kind, body, shown) in [
        ("text/plain", "no session for siti@example.co.id", "no session for [REDACTED:email]"),
        ("application/json", r#"{"error":"siti@example.co.id"}"#, r#"{"error":"[REDACTED:email]"}"#),
        ("text/plain", "", ""),
    ] {
        let handler = Handler { status: StatusCode::NOT_FOUND, ..Handler::says(kind, body) };
        let served = handler.open(&[]);
        let answer = served.call("a", &json!({}));
        assert_eq!((answer.status, answer.text.as_str()), (404, shown));
        assert_eq!(served.rows(1)[0].2, "failed");
    }
}

#[test]
fn a_stream_without_an_answer_and_one_that_is_taken_up_again() {
    let answered =
        "id: 9\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"mail\":\"siti@example.co.id\"}}\n\n";
    let handler = Handler::says("text/event-stream", format!(": ping\n\nid: 8\ndata:\n\n{answered}"));
    let served = handler.open(&[]);
    let plain = served.send("GET", "/mcp", &[], b"");
    assert!(plain.text.contains("siti@"), "a stream of its own passes");
    let again = served.send("GET", "/mcp", &[("last-event-id", "7")], b"");
    assert!(again.text.starts_with(": ping\n\nid: 8\ndata:\n\nid: 9\ndata: "), "{}", again.text);
    assert_eq!(again.events()[0]["result"]["mail"], "[REDACTED:email]");
    let other = served.call("a", &json!({}));
    assert!(other.text.contains("[REDACTED:email]"), "{}", other.text);
    assert_eq!(served.rows(1)[0].2, "unknown", "nobody answered this call");
    let task = served.post(r#"{"jsonrpc":"2.0","id":3,"method":"tasks/result","params":{"taskId":"t"}}"#);
    assert_eq!(task.events()[0]["result"]["mail"], "[REDACTED:email]");
}

#[test]
fn without_masking_answers_stay_as_they_are() {
    let body = r#"{"jsonrpc":"2.0", "id":7,"result":{"mail":"siti@example.co.id"}}"#;
    let setup = Setup::new();
    let layer = CallgateLayer::new(interceptor(builder(&setup))).without_masking();
    let served = Handler::says("application/json", body).served(setup, layer);
    assert_eq!(served.call("a", &json!({})).text, body);
    assert_eq!(served.rows(1)[0], ("a".into(), "allow".into(), "ok".into()));
}

#[test]
fn many_calls_at_once_are_decided_each() {
    let handler = Handler::says("application/json", r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    let served = handler.open(&[]);
    std::thread::scope(|scope| {
        for n in 0..16 {
            let served = &served;
            scope.spawn(move || {
                let (sql, blocked) = if n % 2 == 0 { ("SELECT 1", false) } else { (SQL, true) };
                let answer = served.call("query", &json!({"sql": sql}));
                assert_eq!(answer.kind == "text/event-stream", blocked, "{}", answer.text);
            });
        }
    });
    assert_eq!(handler.seen().len(), 8);
    assert_eq!(served.rows(16).len(), 16);
}

// ------------------------------------------------------------------------------------------------- a stdio server

#[test]
fn a_stdio_server_is_wrapped_in_code() {
    let setup = Setup::new();
    let counter = setup.path("s.counter");
    let command = [stub("stub-mcp").into_os_string(), "--counter".into(), counter.clone().into()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (code, answers) = runtime.block_on(async {
        let (mut client, input) = tokio::io::duplex(64 * 1024);
        let (output, shown) = tokio::io::duplex(64 * 1024);
        let wrapping = builder(&setup).server("s").deny(["count"]).wrap(command, input, output);
        let talking = async move {
            let mut lines = BufReader::new(shown).lines();
            let mut answers = Vec::new();
            for (message, is_answered) in [
                (json!({"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}), true),
                (json!({"method": "notifications/initialized"}), false),
                (json!({"id": 2, "method": "tools/call", "params": {"name": "count", "arguments": {"effect": "x"}}}), true),
                (json!({"id": 3, "method": "tools/call", "params": {"name": "text", "arguments": {"text": "siti@example.co.id"}}}), true),
            ] {
                let mut message = message;
                message["jsonrpc"] = json!("2.0");
                client.write_all(format!("{message}\n").as_bytes()).await.expect("sent");
                if !is_answered {
                    continue;
                }
                loop {
                    let line = lines.next_line().await.expect("read").expect("an answer");
                    let answer: Value = serde_json::from_str(&line).expect("JSON");
                    if answer["id"] == message["id"] {
                        answers.push(answer);
                        break;
                    }
                }
            }
            drop(client);
            answers
        };
        tokio::join!(wrapping, talking)
    });
    assert_eq!(code, Ok(0));
    assert_eq!(answers[1]["error"]["code"], -32001, "{}", answers[1]);
    assert!(answers[2].to_string().contains("[REDACTED:email]"), "{}", answers[2]);
    assert!(lines(counter.as_ref()).is_empty(), "it did not run");
    runtime.block_on(async {
        let nothing = builder(&setup).wrap(["/no/such/program"], tokio::io::empty(), tokio::io::sink()).await;
        assert!(nothing.is_err_and(|error| error.to_string().contains("/no/such/program")));
    });
}
