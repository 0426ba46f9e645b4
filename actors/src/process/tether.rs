//! The line between whoever runs the machine and its one child: signals go down it, the child's end comes up.

use super::Ended;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, mpsc, watch};

/// Signals that may wait for a child that is just being started; a person who presses more often is not heard.
const SIGNALS_QUEUED: usize = 16;

/// A signal by which somebody asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGINT
    Interrupt,
    /// SIGTERM
    Terminate,
    /// SIGHUP
    HangUp,
}

/// A line to one child. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tether {
    down: mpsc::Sender<Asked>,
    /// Taken by whoever owns the child, for its life.
    waiting: Arc<Mutex<mpsc::Receiver<Asked>>>,
    end: watch::Sender<Option<Ended>>,
    has_run: Arc<AtomicBool>,
}

impl Default for Tether {
    fn default() -> Self {
        let (down, waiting) = mpsc::channel(SIGNALS_QUEUED);
        Tether {
            down,
            waiting: Arc::new(Mutex::new(waiting)),
            end: watch::Sender::new(None),
            has_run: Arc::default(),
        }
    }
}

impl Tether {
    /// Hands a signal on to the child: now, or as soon as it runs.
    pub fn ask(&self, asked: Asked) {
        if self.down.try_send(asked).is_err() {
            tracing::debug!(?asked, "a signal was not handed on: too many wait already");
        }
    }

    /// Whether there ever was a child.
    pub fn has_run(&self) -> bool {
        self.has_run.load(Ordering::Acquire)
    }

    /// Resolves when the child has ended.
    pub async fn ended(&self) -> Ended {
        let mut end = self.end.subscribe();
        match end.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(ended)) => ended,
            // The sender lives as long as this does.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// There is a child now.
    pub(crate) fn tell_start(&self) {
        self.has_run.store(true, Ordering::Release);
    }

    /// The next signal for the child.
    pub(crate) async fn asked(&self) -> Asked {
        match self.waiting.lock().await.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// The child has ended; the first word counts.
    pub(crate) fn tell_end(&self, ended: Ended) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(ended);
            is_first
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signals_wait_for_the_child_and_its_first_end_counts() {
        let tether = Tether::default();
        tether.ask(Asked::Terminate);
        assert_eq!(tether.clone().asked().await, Asked::Terminate);
        assert!(tether.end.borrow().is_none() && !tether.has_run());
        tether.tell_start();
        assert!(tether.has_run());
        tether.tell_end(Ended::Exited(3));
        tether.tell_end(Ended::Unknown);
        assert_eq!(tether.ended().await, Ended::Exited(3));
    }
}
