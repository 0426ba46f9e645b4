//! The signals that ask the process to leave, behind one face.

/// Resolves with the name of the first signal that asks the process to leave.
#[cfg(unix)]
pub(crate) async fn leave() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt, hang_up) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (terminate, interrupt, hang_up) else {
        tracing::warn!("signals cannot be watched; the process leaves when its input ends");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = hang_up.recv() => "SIGHUP",
    }
}

/// Resolves with the name of the first console event that asks the process to leave.
#[cfg(windows)]
pub(crate) async fn leave() -> &'static str {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
    let (Ok(mut interrupt), Ok(mut pause), Ok(mut close)) = (ctrl_c(), ctrl_break(), ctrl_close()) else {
        tracing::warn!("console events cannot be watched; the process leaves when its input ends");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "CTRL_C",
        _ = pause.recv() => "CTRL_BREAK",
        _ = close.recv() => "CTRL_CLOSE",
    }
}
