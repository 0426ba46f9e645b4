//! What comes back for one request, and what it is told as.

use super::stub::{self, Stub};
use super::{Client, answer_in_session};
use crate::http::{Executed, HttpLimits, Incoming, Kind};
use std::net::TcpListener;
use std::time::Duration;

#[tokio::test]
async fn w30_a_body_of_megabytes_comes_whole_and_one_over_the_limit_is_an_unknown_outcome() {
    let body = format!(r#"{{"jsonrpc":"2.0","id":2,"result":"{}"}}"#, "x".repeat(3 << 20));
    let served = body.clone();
    let stub = Stub::start(move |_, reply| reply.json(&served));
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert!(client.message().await == body, "3 MiB come whole");

    let url = format!("http://{}/mcp", stub.address);
    let mut small = Client::open(&url, HttpLimits { max_body: 1 << 20 }, &[], 8);
    small.send(Kind::Request(2));
    let (executed, why) = small.failure().await;
    assert_eq!(executed, Executed::Possibly, "the tool ran");
    assert!(why.contains("1048576 bytes") && why.contains("longest line"), "{why}");
}

#[tokio::test]
async fn an_event_over_the_limit_is_an_unknown_outcome() {
    let stub = Stub::start(|_, reply| {
        reply.begin_events();
        reply.event(&"x".repeat(2000));
        reply.wait_for_close();
    });
    let url = format!("http://{}/mcp", stub.address);
    let mut client = Client::open(&url, HttpLimits { max_body: 1000 }, &[], 8);
    client.send(Kind::Request(2));
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::Possibly);
    assert!(why.contains("1000 bytes"), "{why}");
}

#[tokio::test]
async fn w31_only_the_asked_id_ends_a_request() {
    let stub = Stub::start(|asked, reply| match asked.id() {
        2 => reply.result(99),
        id => {
            reply.begin_events();
            reply.event(&stub::result(99));
            reply.event(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list","result":1}}"#));
            reply.event(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{}}}}"#));
            reply.event(&stub::result(id));
            reply.end_events();
        }
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert_eq!(client.message().await, stub::result(99), "delivered, for the receiver to match");
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::Possibly);
    assert!(why.contains("no response to the request's id"), "{why}");

    client.send(Kind::Request(3));
    for _ in 0..3 {
        assert_ne!(client.message().await, stub::result(3));
    }
    assert_eq!(client.message().await, stub::result(3));
}

#[tokio::test]
async fn a_batch_is_delivered_message_by_message() {
    let batch = r#"[{"jsonrpc":"2.0","method":"notifications/progress"},
        {"jsonrpc":"2.0","id":2,"result":{}}]"#;
    let stub = Stub::start(move |_, reply| reply.json(batch));
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert!(client.message().await.contains("notifications/progress"));
    assert_eq!(client.message().await, stub::result(2));
}

#[tokio::test]
async fn a_pretty_printed_answer_comes_on_one_line() {
    let stub =
        Stub::start(|_, reply| reply.json("{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 2, \"result\": {}\n}\n"));
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert!(!client.message().await.contains(['\n', '\r']));
}

/// Asks a server that answers with `status` and `headers`.
async fn refusal(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
) -> (Executed, String, Option<Duration>) {
    let stub = Stub::start(move |_, reply| reply.send(status, headers, ""));
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    match client.next().await {
        Incoming::Failed { what: Kind::Request(2), executed, why, retry_after, .. } => {
            (executed, why, retry_after)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_says_whether_the_server_acted() {
    let (executed, why, _) = refusal(500, &[]).await;
    assert_eq!(executed, Executed::Possibly, "{why}");
    let (executed, _, retry_after) = refusal(503, &[("Retry-After", "3")]).await;
    assert_eq!((executed, retry_after), (Executed::Possibly, Some(Duration::from_secs(3))));
    let (executed, why, retry_after) = refusal(429, &[("Retry-After", "7")]).await;
    assert_eq!((executed, retry_after), (Executed::No, Some(Duration::from_secs(7))));
    assert!(why.contains("too many requests"), "{why}");
}

#[tokio::test]
async fn missing_credentials_name_the_setting() {
    for status in [401, 403] {
        let (executed, why, _) = refusal(status, &[("WWW-Authenticate", "Bearer")]).await;
        assert_eq!(executed, Executed::No);
        assert!(why.contains("credentials are missing or were refused") && why.contains("${VAR}"), "{why}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (executed, why, _) = refusal(307, &[("Location", "https://login.example/next?ticket=s3cret")]).await;
    assert_eq!(executed, Executed::No);
    assert!(why.contains("https://login.example") && !why.contains("s3cret"), "{why}");
}

#[tokio::test]
async fn a_refusal_that_is_the_response_is_an_answer() {
    let body = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool"}}"#;
    let stub = Stub::start(move |_, reply| reply.send(400, &[("Content-Type", "application/json")], body));
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert_eq!(client.message().await, body);
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_unknown_outcome() {
    let answers: [(u16, &str, &str); 5] = [
        (200, "application/json", r#"{"jsonrpc":"2.0","id":2,"result":{"#),
        (200, "application/json", ""),
        (200, "text/html", "<p>hello</p>"),
        (202, "application/json", ""),
        (200, "application/json", "{\"id\":2,\"result\":\"s3cret\""),
    ];
    for (status, content_type, body) in answers {
        let stub = Stub::start(move |_, reply| reply.send(status, &[("Content-Type", content_type)], body));
        let mut client = Client::to(&stub);
        client.send(Kind::Request(2));
        let (executed, why) = client.failure().await;
        assert_eq!(executed, Executed::Possibly, "{why}");
        assert!(!why.contains("s3cret"), "what the server sent is not ours to tell: {why}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_unknown_outcome() {
    let stub = Stub::start(|_, reply| {
        reply.raw(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":2,",
        );
        reply.cut();
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert_eq!(client.failure().await.0, Executed::Possibly);
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_vanishes_leaves_an_unknown_outcome() {
    let stub = Stub::start(|_, reply| reply.cut());
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::Possibly);
    assert!(why.contains("no answer from http://127.0.0.1"), "{why}");
}

/// Asks `url`, and expects that the message provably never left.
async fn not_sent(url: &str) -> String {
    let mut client = Client::open(url, HttpLimits::default(), &[("Authorization", "s3cret")], 8);
    client.send(Kind::Request(2));
    match client.next().await {
        Incoming::NotSent { what: Kind::Request(2), why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = not_sent(&format!("http://{address}/mcp?key=s3cret")).await;
    assert!(why.contains("connection refused") && !why.contains("s3cret"), "{why}");
}

#[tokio::test]
async fn a_failed_tls_handshake_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let why = not_sent(&format!("https://{address}/mcp")).await;
    assert!(why.contains("cannot reach https://"), "{why}");
}

#[tokio::test]
async fn the_next_request_uses_the_connection_again() {
    let stub = Stub::start(|asked, reply| match asked.id() {
        3 => {
            reply.begin_events();
            reply.event(&stub::result(3));
            reply.end_events();
        }
        _ => answer_in_session(asked, reply, ""),
    });
    let mut client = Client::to(&stub);
    for id in 2..=5 {
        client.ask(id).await;
        // The answer is told before the thread has put the connection back.
        client.at_rest().await;
    }
    let connections: Vec<_> = stub.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 0, 0, 0]);
}
