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

/// Serves until `leave` resolves; then takes no more, lets what is open end, and cuts off what takes too long.
pub(super) async fn serve(listener: TcpListener, router: Router, leave: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
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
            one(stream, router, ends).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = ending.send(true);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN_DEADLINE, places.acquire_many(all)).await.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
}

async fn one(stream: TcpStream, router: Router, mut ends: watch::Receiver<bool>) {
    // Answers are small and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that breaks off is no event.
        _ = connection.as_mut() => return,
        _ = ends.wait_for(|ending| *ending) => {}
        () = tokio::time::sleep(CONNECTION_LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(DRAIN_DEADLINE, connection).await;
}
