//! The signals that ask the process to leave, behind one face.

#[cfg(unix)]
use callgate_actors::process::Asked;
use callgate_actors::process::Tether;

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

/// Hands every signal that asks the process to leave on to the child at the other end of `tether`, which is asked in our
/// place. Does not resolve.
#[cfg(unix)]
pub(crate) async fn hand_on(tether: Tether) -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt, hang_up) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (terminate, interrupt, hang_up) else {
        tracing::warn!("signals cannot be watched and are not handed on");
        return std::future::pending().await;
    };
    loop {
        tether.ask(tokio::select! {
            _ = terminate.recv() => Asked::Terminate,
            _ = interrupt.recv() => Asked::Interrupt,
            _ = hang_up.recv() => Asked::HangUp,
        });
    }
}

/// A console tells the child itself; what asks this process to leave ends both.
#[cfg(windows)]
pub(crate) async fn hand_on(_: Tether) -> &'static str {
    leave().await
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
