//! Sessions, headers and the order of the handshake.

use super::stub::{self, Stub};
use super::{Client, PATIENCE, answer_in_session};
use crate::http::{Executed, HttpLimits, Incoming, Kind};
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn the_session_id_goes_with_everything_but_initialize() {
    let stub = Stub::start(|asked, reply| answer_in_session(asked, reply, "s-1"));
    let mut client = Client::to(&stub);
    client.come_up().await;
    client.ask(2).await;
    client.close().await;
    let sessions: Vec<_> =
        stub.asked().iter().map(|a| (a.method.clone(), a.header("mcp-session-id").to_owned())).collect();
    let expected = [("POST", ""), ("POST", "s-1"), ("GET", "s-1"), ("POST", "s-1"), ("DELETE", "s-1")];
    assert_eq!(sessions, expected.map(|(method, session)| (method.to_owned(), session.to_owned())));
}

#[tokio::test]
async fn w28_a_lost_session_is_told_and_a_new_one_taken_over_and_ended() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |asked, reply| {
        if asked.body.contains("\"initialize\"") {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // The second session is the valid one.
        match count.load(Ordering::Relaxed) {
            1 if asked.id() > 1 => reply.send(404, &[("Mcp-Session-Id", "not-from-initialize")], "gone"),
            1 => answer_in_session(asked, reply, "old"),
            _ => answer_in_session(asked, reply, "new"),
        }
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    client.send(Kind::Request(2));
    let gone = client.next().await;
    assert!(
        matches!(gone, Incoming::SessionGone { what: Some(Kind::Request(2)), renew: true }),
        "the first to meet it is told to renew: {gone:?}"
    );
    client.come_up().await;
    client.ask(3).await;
    client.close().await;
    let deleted: Vec<_> =
        stub.asked_with("DELETE").iter().map(|a| a.header("mcp-session-id").to_owned()).collect();
    assert_eq!(deleted, ["new"]);
    assert!(stub.asked().iter().all(|a| a.header("mcp-session-id") != "not-from-initialize"));
}

#[tokio::test]
async fn of_several_requests_that_meet_the_lost_session_one_renews() {
    // Both requests are in before either is refused.
    let barrier = std::sync::Barrier::new(2);
    let stub = Stub::start(move |asked, reply| {
        if asked.id() > 1 {
            barrier.wait();
            return reply.send(404, &[], "");
        }
        answer_in_session(asked, reply, "s");
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    client.send(Kind::Request(2));
    client.send(Kind::Request(3));
    let mut renewals = Vec::new();
    for _ in 0..2 {
        match client.next().await {
            Incoming::SessionGone { what: Some(Kind::Request(_)), renew } => renewals.push(renew),
            other => panic!("{other:?}"),
        }
    }
    renewals.sort_unstable();
    assert_eq!(renewals, [false, true]);
}

#[tokio::test]
async fn a_400_that_speaks_of_the_session_is_a_lost_session_and_another_400_is_not() {
    let stub = Stub::start(|asked, reply| {
        let error = match asked.id() {
            2 => r#""error":{"code":-32000,"message":"Bad Request: unknown tool"},"id":null"#,
            3 => r#""error":{"code":-32602,"message":"no such session in this tool"},"id":3"#,
            4 => r#""error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":4"#,
            _ => return answer_in_session(asked, reply, "s"),
        };
        let body = format!(r#"{{"jsonrpc":"2.0",{error}}}"#);
        reply.send(400, &[("Content-Type", "application/json")], &body);
    });
    let mut client = Client::to(&stub);
    client.come_up().await;
    client.send(Kind::Request(2));
    let refused = client.next().await;
    let Incoming::Failed { executed: Executed::No, server_said, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(server_said.as_deref(), Some("Bad Request: unknown tool"));
    client.send(Kind::Request(3));
    assert!(client.message().await.contains("no such session in this tool"));
    client.send(Kind::Request(4));
    assert!(matches!(client.next().await, Incoming::SessionGone { renew: true, .. }));
}

#[tokio::test]
async fn a_404_without_a_session_is_a_wrong_address() {
    let stub = Stub::start(|_, reply| reply.send(404, &[], ""));
    let mut client = Client::to(&stub);
    client.send(Kind::Initialize(1));
    let (executed, why) = client.failure().await;
    assert_eq!(executed, Executed::No);
    assert!(why.contains("check \"url\""), "{why}");
}

#[tokio::test]
async fn a_session_id_that_is_not_visible_ascii_is_refused() {
    let stub = Stub::start(|asked, reply| {
        reply.send(200, &[("Mcp-Session-Id", "a b")], &stub::result(asked.id()));
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Initialize(1));
    let (_, why) = client.failure().await;
    assert!(why.contains("visible ASCII"), "{why}");
}

#[tokio::test]
async fn w29_version_and_own_headers_are_sent_and_any_success_is_one() {
    let stub = Stub::start(|asked, reply| match asked.id() {
        0 if asked.method == "POST" => reply.send(204, &[], ""),
        2 => reply.send(201, &[("Content-Type", "application/json; charset=utf-8")], &stub::result(2)),
        _ => answer_in_session(asked, reply, "s"),
    });
    let url = format!("http://{}/mcp?tenant=7", stub.address);
    let headers = [("Authorization", "Bearer t0ken"), ("X-Team", "a")];
    let mut client = Client::open(&url, HttpLimits::default(), &headers, 8);
    client.come_up().await;
    client.ask(2).await;
    client.close().await;
    let asked = stub.asked();
    assert_eq!(asked[0].header("mcp-protocol-version"), "", "nothing is negotiated yet");
    assert!(asked[1..].iter().all(|a| a.header("mcp-protocol-version") == "2025-11-25"), "{asked:?}");
    assert!(asked.iter().all(|a| a.header("authorization") == "Bearer t0ken" && a.header("x-team") == "a"));
    let posts = stub.asked_with("POST");
    assert!(posts.iter().all(|a| a.header("accept") == "application/json, text/event-stream"));
    assert!(posts.iter().all(|a| a.header("content-type") == "application/json"));
    assert_eq!(stub.asked_with("GET")[0].header("accept"), "text/event-stream");
}

#[tokio::test]
async fn what_becomes_of_notices_is_told_only_when_it_is_bad() {
    let stub = Stub::start(|asked, reply| match asked.body.contains("cancelled") {
        true => reply.send(500, &[], ""),
        false => reply.send(202, &[], ""),
    });
    let mut client = Client::to(&stub);
    client.send(Kind::Notice);
    let failed = client.next().await;
    assert!(matches!(failed, Incoming::Failed { what: Kind::Notice, .. }), "{failed:?}");
    client.send(Kind::Initialized);
    assert!(matches!(client.next().await, Incoming::Accepted));
}

#[tokio::test]
async fn notices_overtake_requests_that_hang() {
    let stub = Stub::start(|asked, reply| match asked.id() {
        0 => reply.send(202, &[], ""),
        _ => reply.wait_for_close(),
    });
    let mut client = Client::to(&stub);
    for id in 1..=40 {
        client.send(Kind::Request(id));
    }
    client.send(Kind::Initialized);
    assert!(matches!(client.next().await, Incoming::Accepted));
    client.connection.close(PATIENCE).await;
}
