//! Event streams: of a request, resumed ones, and the GET stream.

use super::stub::{self, Stub};
use super::{Client, answer_in_session};
use crate::http::{Executed, HttpLimits, Incoming, Kind};
use crossbeam_channel::bounded;
use std::sync::atomic::{AtomicUsize, Ordering};

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;

#[tokio::test]
async fn progress_comes_before_the_result_is_there() {
    let (go, gate) = bounded::<()>(1);
    let stub = Stub::start(move |asked, reply| {
        reply.begin_events();
        reply.event(PROGRESS);
        gate.recv().unwrap();
        reply.event(&stub::result(asked.id()));
        reply.end_events();
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    let first = client.next().await;
    assert!(
        matches!(&first, Incoming::Message { during: Some(2), json } if json.as_ref() == PROGRESS.as_bytes()),
        "{first:?}"
    );
    go.send(()).unwrap();
    assert_eq!(client.message().await, stub::result(2));
}

#[tokio::test]
async fn events_may_come_byte_by_byte_and_between_comments() {
    let stub = Stub::start(|asked, reply| {
        reply.begin_events();
        let answer = stub::result(asked.id());
        let (head, tail) = answer.split_at(r#"{"jsonrpc":"2.0","#.len());
        let text = format!(
            ": hello\n\nevent: ping\ndata: {{}}\n\nid: 1\ndata:\n\ndata: {head}\r\ndata:{tail}\r\n\r\n"
        );
        for byte in text.chars() {
            reply.chunk(&byte.to_string());
        }
        reply.end_events();
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    let message = client.message().await;
    let value: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!(value["id"], 2, "the answer is the first thing told: {message}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_does_not_end_the_stream() {
    let stub = Stub::start(|asked, reply| {
        reply.begin_events();
        reply.event("nonsense");
        reply.event(&stub::result(asked.id()));
        reply.end_events();
    });
    Client::to(&stub).ask(2).await;
}

#[tokio::test]
async fn a_stream_without_ids_that_breaks_is_an_unknown_outcome() {
    let stub = Stub::start(|asked, reply| {
        reply.begin_events();
        reply.event(PROGRESS);
        reply.chunk(&format!("data: {}", stub::result(asked.id())));
        match asked.id() {
            2 => reply.cut(),
            _ => reply.end_events(),
        }
    });
    let mut client = Client::to(&stub);
    for id in [2, 3] {
        client.send(Kind::Request(id));
        assert_eq!(client.message().await, PROGRESS);
        let (executed, why) = client.failure().await;
        assert_eq!(executed, Executed::Possibly);
        assert!(
            why.contains("the stream ended without it"),
            "an event without its blank line is none: {why}"
        );
    }
    assert!(stub.asked_with("GET").is_empty());
}

#[tokio::test]
async fn a_broken_stream_with_ids_is_resumed_until_the_answer_comes() {
    let gets = AtomicUsize::new(0);
    let stub = Stub::start(move |asked, reply| {
        reply.begin_events();
        match (asked.method.as_str(), gets.load(Ordering::Relaxed)) {
            ("POST", _) => {
                reply.chunk(&format!("retry: 1\nid: 7\ndata: {PROGRESS}\n\n"));
                // The id of an incomplete event does not count.
                reply.chunk("id: 8\ndata: {\"jso");
                reply.cut();
            }
            (_, 0) => {
                gets.store(1, Ordering::Relaxed);
                reply.chunk("id: 9\ndata:\n\n");
                reply.end_events();
            }
            _ => {
                reply.event(&stub::result(2));
                reply.end_events();
            }
        }
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert_eq!(client.message().await, PROGRESS);
    assert_eq!(client.message().await, stub::result(2));
    let ids: Vec<_> = stub.asked_with("GET").iter().map(|a| a.header("last-event-id").to_owned()).collect();
    assert_eq!(ids, ["7", "9"]);
    assert_eq!(stub.asked_with("POST").len(), 1, "the request is never sent twice");
}

#[tokio::test]
async fn resuming_ends_after_failures_in_a_row_or_a_refusal() {
    let stub = Stub::start(|asked, reply| match (asked.method.as_str(), asked.id()) {
        ("POST", id) => {
            reply.begin_events();
            reply.chunk(&format!("retry: 1\nid: {id}\ndata:\n\n"));
            reply.end_events();
        }
        _ if asked.header("last-event-id") == "3" => reply.send(405, &[], ""),
        _ => reply.send(502, &[], ""),
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Request(3));
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::Possibly, "the request itself was taken: {why}");
    assert!(why.contains("HTTP 405"), "{why}");
    client.send(Kind::Request(2));
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::Possibly);
    assert!(why.contains("5 attempts"), "{why}");
    assert_eq!(stub.asked_with("GET").len(), 6);
}

#[tokio::test]
async fn a_server_without_a_get_stream_is_ready_too() {
    for status in [405, 404, 400, 501] {
        let stub = Stub::start(move |asked, reply| match asked.method.as_str() {
            "GET" => reply.send(status, &[], ""),
            _ => answer_in_session(asked, reply, "s"),
        });
        let mut client = Client::to(&stub);
        client.come_up().await;
        client.ask(2).await;
        client.close().await;
        assert_eq!(stub.asked_with("GET").len(), 1, "{status} is final");
    }
}

#[tokio::test]
async fn a_get_stream_that_is_down_is_no_reason_to_wait_and_is_tried_again() {
    let gets = AtomicUsize::new(0);
    let stub = Stub::start(move |asked, reply| match asked.method.as_str() {
        "GET" if gets.fetch_add(1, Ordering::Relaxed) == 0 => reply.send(503, &[], ""),
        "GET" => {
            reply.begin_events();
            reply.event(PROGRESS);
            reply.wait_for_close();
        }
        _ => answer_in_session(asked, reply, "s"),
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    assert_eq!(
        client.message().await,
        PROGRESS,
        "the second attempt came through, and is not told as ready again"
    );
    client.close().await;
}

#[tokio::test]
async fn server_requests_come_on_the_get_stream_and_it_is_opened_again_where_it_broke() {
    const ASK: &str = r#"{"jsonrpc":"2.0","id":"a","method":"roots/list"}"#;
    const ASK_MORE: &str = r#"{"jsonrpc":"2.0","id":"b","method":"roots/list"}"#;
    let stub = Stub::start(|asked, reply| match (asked.method.as_str(), asked.header("last-event-id")) {
        ("GET", "") => {
            reply.begin_events();
            reply.chunk(&format!("retry: 1\nid: 41\ndata: {ASK}\n\n"));
            reply.cut();
        }
        ("GET", "41") => {
            reply.begin_events();
            reply.event(ASK_MORE);
            reply.wait_for_close();
        }
        _ => answer_in_session(asked, reply, "s"),
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    let first = client.next().await;
    assert!(
        matches!(&first, Incoming::Message { during: None, json } if json.as_ref() == ASK.as_bytes()),
        "{first:?}"
    );
    assert_eq!(client.message().await, ASK_MORE);
    client.ask(2).await;
    client.close().await;
}

#[tokio::test]
async fn a_get_stream_that_meets_404_after_it_was_up_tells_of_the_lost_session() {
    let stub = Stub::start(|asked, reply| match (asked.method.as_str(), asked.header("last-event-id")) {
        ("GET", "") => {
            reply.begin_events();
            reply.chunk("retry: 1\nid: 1\ndata:\n\n");
            reply.end_events();
        }
        ("GET", _) => reply.send(404, &[], ""),
        _ => answer_in_session(asked, reply, "s"),
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    let gone = client.next().await;
    assert!(matches!(gone, Incoming::SessionGone { what: None, renew: true }), "{gone:?}");
}

#[tokio::test]
async fn a_slow_receiver_holds_the_server_up_and_loses_nothing() {
    let stub = Stub::start(|asked, reply| {
        reply.begin_events();
        for n in 0..500 {
            reply.event(&format!(r#"{{"jsonrpc":"2.0","method":"n","params":{n}}}"#));
        }
        reply.event(&stub::result(asked.id()));
        reply.end_events();
    });
    let url = format!("http://{}/mcp", stub.address);
    let mut client = Client::open(&url, HttpLimits::default(), &[], 1);
    client.send(Kind::Request(2));
    for n in 0..500 {
        let value: serde_json::Value = serde_json::from_str(&client.message().await).unwrap();
        assert_eq!(value["params"], n);
    }
    assert_eq!(client.message().await, stub::result(2));
}
