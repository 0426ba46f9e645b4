//! Writes decisions behind the answers: many at once, in the order in which they were made.
//!
//! The record never changes a verdict (the AxonFlow contract, section 1.7). What cannot be written is counted and
//! told in the log.

use super::limits::{LAST_ROWS_DEADLINE, ROW_PATIENCE, ROWS_AT_ONCE, ROWS_QUEUED, STORE_DEADLINE};
use crate::store::{DecisionRow, LazyStore};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The way to the thread that writes. It ends with the last handle.
pub(super) struct Recorder {
    queue: Mutex<Option<mpsc::Sender<Entry>>>,
    lost: AtomicU64,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

enum Entry {
    Row(Box<DecisionRow>),
    /// Everything before it is written, or will not be.
    Mark(oneshot::Sender<()>),
}

impl Recorder {
    pub(super) fn start(store: Arc<LazyStore>) -> Self {
        let (queue, rows) = mpsc::channel(ROWS_QUEUED);
        let (end, ended) = oneshot::channel();
        let started = std::thread::Builder::new().name("decisions".into()).spawn(move || {
            write_all(&store, rows);
            let _ = end.send(());
        });
        if let Err(error) = started {
            tracing::error!("decisions are not recorded: no thread for it ({error})");
        }
        Self { queue: Mutex::new(Some(queue)), lost: AtomicU64::new(0), ended: Mutex::new(Some(ended)) }
    }

    fn queue(&self) -> Option<mpsc::Sender<Entry>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has a decision written. Waits a moment for room.
    pub(super) async fn record(&self, row: DecisionRow) {
        let entry = Entry::Row(Box::new(row));
        let Some(queue) = self.queue() else { return };
        let sent = match queue.try_send(entry) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(entry)) => {
                queue.send_timeout(entry, ROW_PATIENCE).await.is_ok()
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        };
        if !sent {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::warn!(lost, "a decision could not be recorded: the store is too slow");
            }
        }
    }

    /// Waits until everything recorded so far is written.
    pub(super) async fn settle(&self) {
        let (mark, marked) = oneshot::channel();
        let Some(queue) = self.queue() else { return };
        if queue.send_timeout(Entry::Mark(mark), ROW_PATIENCE).await.is_ok() {
            let _ = tokio::time::timeout(STORE_DEADLINE, marked).await;
        }
    }

    /// Takes no more and waits until the last ones are written.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && tokio::time::timeout(LAST_ROWS_DEADLINE, ended).await.is_err()
        {
            tracing::warn!("the last decisions were not written in time");
        }
    }
}

fn write_all(store: &LazyStore, mut rows: mpsc::Receiver<Entry>) {
    let mut failing = false;
    while let Some(first) = rows.blocking_recv() {
        let (mut batch, mut marks) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Row(row) => batch.push(*row),
                Entry::Mark(mark) => marks.push(mark),
            }
            next = if batch.len() < ROWS_AT_ONCE { rows.try_recv().ok() } else { None };
        }
        match store.get().and_then(|store| store.record_decisions(&batch)) {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("decisions are recorded again");
            }
            Ok(()) => {}
            Err(error) => {
                if !failing {
                    tracing::warn!("decisions are not recorded: {error}");
                }
                failing = true;
            }
        }
        for mark in marks {
            let _ = mark.send(());
        }
    }
}
