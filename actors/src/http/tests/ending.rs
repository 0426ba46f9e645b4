//! Taking requests back, closing, and leaving nothing behind.

use super::stub::{self, Stub};
use super::{Client, PATIENCE, answer_in_session, until};
use crate::http::limits::LINGERING;
use crate::http::{HttpLimits, Incoming, Kind};
use crossbeam_channel::{Receiver, bounded};

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;

/// A server that answers request 1 at once and holds every other one; it tells the id of each that the client gave up.
fn holding(with_head: bool) -> (Stub, Receiver<u64>) {
    let (closed, seen) = bounded(256);
    let stub = Stub::start(move |asked, reply| match asked.id() {
        0 | 1 => answer_in_session(asked, reply, "s"),
        id => {
            if with_head {
                reply.begin_events();
                reply.event(PROGRESS);
            }
            reply.wait_for_close();
            closed.send(id).unwrap();
        }
    });
    (stub, seen)
}

#[tokio::test]
async fn cancel_cuts_one_request_and_no_other() {
    for with_head in [true, false] {
        let (stub, closed) = holding(with_head);
        let mut client = Client::to(&stub);
        client.come_up().await;
        for id in [2, 3] {
            client.send(Kind::Request(id));
            // Both are at the server before the first is taken back.
            until(|| stub.asked().iter().any(|asked| asked.id() == id)).await;
            if with_head {
                assert_eq!(client.message().await, PROGRESS);
            }
        }
        client.connection.cancel(2);
        assert_eq!(closed.recv_timeout(PATIENCE), Ok(2));
        assert!(client.incoming.try_recv().is_err(), "nothing is told of a request that was taken back");
        client.send(Kind::Initialized);
        assert!(matches!(client.next().await, Incoming::Accepted), "the connection lives on");
        client.close().await;
        assert_eq!(closed.recv_timeout(PATIENCE), Ok(3));
    }
}

#[tokio::test]
async fn cancel_reaches_a_thread_that_waits_for_a_place_in_the_queue() {
    let stub = Stub::start(|asked, reply| {
        reply.begin_events();
        for _ in 0..100 {
            reply.event(PROGRESS);
        }
        reply.event(&stub::result(asked.id()));
        reply.wait_for_close();
    });
    let url = format!("http://{}/mcp", stub.address);
    let mut client = Client::open(&url, HttpLimits::default(), &[], 1);
    client.send(Kind::Request(2));
    assert_eq!(client.message().await, PROGRESS);
    client.connection.cancel(2);
    client.at_rest().await;
}

#[tokio::test]
async fn close_ends_blocked_streams_and_leaves_no_thread_at_work() {
    let (stub, closed) = holding(true);
    let mut client = Client::to(&stub);
    client.come_up().await;
    for id in 2..=21 {
        client.send(Kind::Request(id));
        assert_eq!(client.message().await, PROGRESS);
    }
    let jobs = client.connection.jobs();
    client.close().await;
    assert_eq!(jobs(), 0, "every job has ended by the end of close");
    let mut ids: Vec<u64> = (0..20).map(|_| closed.recv_timeout(PATIENCE).unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (2..=21).collect::<Vec<_>>());
    assert_eq!(stub.asked_with("DELETE").len(), 1);
}

#[tokio::test]
async fn close_is_not_held_up_by_a_server_that_does_not_answer_delete_nor_by_a_full_queue() {
    let stub = Stub::start(|asked, reply| match asked.method.as_str() {
        "DELETE" => reply.wait_for_close(),
        "GET" => {
            reply.begin_events();
            for _ in 0..100 {
                reply.event(PROGRESS);
            }
            reply.wait_for_close();
        }
        _ => answer_in_session(asked, reply, "s"),
    });
    let url = format!("http://{}/mcp", stub.address);
    let mut client = Client::open(&url, HttpLimits::default(), &[], 1);
    client.come_up().await;
    let jobs = client.connection.jobs();
    client.connection.close(PATIENCE).await;
    assert_eq!(jobs(), 0);
    assert_eq!(stub.asked_with("DELETE").len(), 1);
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_delete() {
    let stub = Stub::start(|asked, reply| reply.result(asked.id()));
    let mut client = Client::to(&stub);
    client.send(Kind::Initialize(1));
    client.message().await;
    client.close().await;
    assert!(stub.asked_with("DELETE").is_empty());
}

#[tokio::test]
async fn dropping_the_connection_ends_everything_without_a_runtime() {
    let (stub, closed) = holding(true);
    let mut client = Client::to(&stub);
    client.send(Kind::Request(2));
    assert_eq!(client.message().await, PROGRESS);
    let Client { connection, incoming } = client;
    std::thread::spawn(move || drop(connection)).join().unwrap();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(2));
    drop(incoming);
}

#[tokio::test]
async fn streams_that_never_end_after_their_answer_are_cut_from_the_oldest_on() {
    let (closed, seen) = bounded(256);
    let stub = Stub::start(move |asked, reply| {
        reply.begin_events();
        reply.event(&stub::result(asked.id()));
        reply.wait_for_close();
        let _ = closed.send(asked.id());
    });
    let mut client = Client::to(&stub);
    let last = LINGERING as u64 + 3;
    for id in 1..=last {
        client.ask(id).await;
    }
    let mut cut: Vec<u64> = (0..3).map(|_| seen.recv_timeout(PATIENCE).unwrap()).collect();
    cut.sort_unstable();
    assert!(cut.iter().all(|id| *id < last), "the newest stays: {cut:?}");
    client.close().await;
}
