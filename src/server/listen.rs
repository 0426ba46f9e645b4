//! The connections: so many at once, each with limits on its head and its silence, and an end that lets open requests
//! finish.

use super::limits::{CONNECTION_LIFE, CONNECTIONS, DRAIN_DEADLINE, HEAD_BYTES, HEAD_DEADLINE};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// How long the next connection is waited for after one could not be taken (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    connections: u32,
    head: Duration,
    life: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: CONNECTIONS, head: HEAD_DEADLINE, life: CONNECTION_LIFE }
    }
}

/// Serves until `leave` resolves; then takes no more, lets what is open end, and cuts off what takes too long.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    leave: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections as usize));
    let (ending, ends) = watch::channel(false);
    let mut leave = std::pin::pin!(leave);
    loop {
        let place = tokio::select! {
            biased;
            () = &mut leave => break,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let stream = tokio::select! {
            biased;
            () = &mut leave => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let (router, ends) = (router.clone(), ends.clone());
        tokio::spawn(async move {
            one(stream, router, bounds, ends).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = ending.send(true);
    if tokio::time::timeout(DRAIN_DEADLINE, places.acquire_many(bounds.connections)).await.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
}

async fn one(stream: TcpStream, router: Router, bounds: Bounds, mut ends: watch::Receiver<bool>) {
    // Answers are small and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that breaks off is no event.
        _ = connection.as_mut() => return,
        _ = ends.wait_for(|ending| *ending) => {}
        () = tokio::time::sleep(bounds.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(DRAIN_DEADLINE, connection).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    /// A server whose `/slow` waits for a permit.
    async fn start(
        bounds: Bounds,
    ) -> (SocketAddr, Arc<Semaphore>, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let gate = Arc::new(Semaphore::new(0));
        let held = gate.clone();
        let slow = move || {
            let held = held.clone();
            async move {
                held.acquire().await.expect("open").forget();
                "done"
            }
        };
        let router = Router::new().route("/", get(|| async { "here" })).route("/slow", get(slow));
        let (leave, left) = oneshot::channel();
        let served = tokio::spawn(serve(listener, router, bounds, async { drop(left.await) }));
        (address, gate, leave, served)
    }

    async fn ask(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("sent");
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("read to the end");
        text
    }

    const LAST: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_head_that_never_ends_and_a_silent_client_lose_their_place() {
        let bounds = Bounds { connections: 1, head: Duration::from_millis(50), ..Bounds::default() };
        let (address, _gate, _leave, _served) = start(bounds).await;
        for text in ["GET / HTTP/1.1\r\nX-Slow: ", "", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let stream = ask(address, text).await;
            let answer = rest(stream).await;
            assert!(!answer.contains("here") || text.ends_with("\r\n\r\n"), "{text:?}: {answer}");
        }
        assert!(rest(ask(address, LAST).await).await.ends_with("here"), "the place is free again");
    }

    #[tokio::test]
    async fn one_connection_more_waits_for_a_place() {
        let bounds = Bounds { connections: 1, ..Bounds::default() };
        let (address, gate, _leave, _served) = start(bounds).await;
        let slow = ask(address, &LAST.replace("/ ", "/slow ")).await;
        let next = tokio::spawn(async move { rest(ask(address, LAST).await).await });
        gate.add_permits(1);
        assert!(rest(slow).await.ends_with("done"));
        assert!(next.await.expect("answered").ends_with("here"));
    }

    #[tokio::test]
    async fn what_is_open_ends_before_the_server_does() {
        let (address, gate, leave, served) = start(Bounds::default()).await;
        let mut slow = ask(address, &LAST.replace("/ ", "/slow ")).await;
        // The first connection was taken once a second one was answered.
        rest(ask(address, LAST).await).await;
        leave.send(()).expect("told");
        gate.add_permits(1);
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.expect("read");
        assert!(answer.ends_with("done"), "{answer}");
        served.await.expect("ended");
        assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    }
}
