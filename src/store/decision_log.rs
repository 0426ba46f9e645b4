//! Writes the gate's decisions into a store, behind its back: nobody waits for it.
//!
//! The rows serve explaining; the evidence is the audit file. So a row for which there is no room is counted and told,
//! and the call goes on.

use super::{DecisionRow, LazyStore, limits};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Takes rows and writes them on a thread of its own. Dropping it writes what is left, for
/// [`limits::LAST_DECISIONS`] at most.
pub struct DecisionLog {
    rows: Option<Sender<Row>>,
    ended: Receiver<()>,
    counts: Arc<Counts>,
    plain: Mutex<Allowance>,
}

type Row = Box<dyn FnOnce() -> DecisionRow + Send>;

#[derive(Default)]
struct Counts {
    lost: AtomicU64,
    left_out: AtomicU64,
}

/// How many plain decisions of this second may still be kept.
struct Allowance {
    second: Instant,
    left: u32,
}

impl DecisionLog {
    /// A log into `store`, which is opened when the first row comes. Without a thread nothing is kept, which is told.
    pub fn start(store: Arc<LazyStore>) -> Self {
        let (rows, queue) = bounded(limits::DECISION_QUEUE);
        let (end, ended) = bounded(0);
        let counts = Arc::new(Counts::default());
        let mut writer = Writer { store, counts: counts.clone(), away: false, pruned: None };
        let thread = std::thread::Builder::new().name("decisions".into());
        let started = thread.spawn(move || {
            let _end = end;
            writer.run(&queue);
        });
        if let Err(error) = &started {
            tracing::warn!("decisions are not kept for explaining: no thread: {error}");
        }
        let rows = started.is_ok().then_some(rows);
        let plain = Mutex::new(Allowance { second: Instant::now(), left: limits::PLAIN_DECISIONS });
        Self { rows, ended, counts, plain }
    }

    /// Keeps a decision in which a policy spoke. `row` is called on the writer's thread.
    pub fn record(&self, row: impl FnOnce() -> DecisionRow + Send + 'static) {
        let Some(rows) = &self.rows else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = rows.try_send(Box::new(row)) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether there is room for a decision in which no policy spoke: [`limits::PLAIN_DECISIONS`] a second, so that
    /// calls that need no explanation cost next to nothing. Takes a place.
    pub fn has_room_for_plain(&self) -> bool {
        let mut allowance = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if allowance.second.elapsed() >= Duration::from_secs(1) {
            *allowance = Allowance { second: Instant::now(), left: limits::PLAIN_DECISIONS };
        }
        if allowance.left == 0 {
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        allowance.left -= 1;
        true
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        drop(self.rows.take());
        // Nothing is ever sent: it ends with the thread, or with our patience.
        let _ = self.ended.recv_timeout(limits::LAST_DECISIONS);
    }
}

impl std::fmt::Debug for DecisionLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecisionLog").finish_non_exhaustive()
    }
}

struct Writer {
    store: Arc<LazyStore>,
    counts: Arc<Counts>,
    /// The last writing failed, and that was told.
    away: bool,
    pruned: Option<Instant>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Row>) {
        while let Ok(first) = queue.recv() {
            let mut rows = vec![first()];
            let end = Instant::now() + limits::DECISION_GATHER;
            let mut open = true;
            while open && rows.len() < limits::DECISION_BATCH {
                match queue.recv_deadline(end) {
                    Ok(row) => rows.push(row()),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => open = false,
                }
            }
            self.write(&rows);
        }
        self.tell_what_is_missing();
    }

    fn write(&mut self, rows: &[DecisionRow]) {
        let written = self.store.get().and_then(|store| {
            store.record_decisions(rows)?;
            if self.pruned.is_none_or(|at| at.elapsed() >= limits::PRUNE_EVERY) {
                self.pruned = Some(Instant::now());
                store.prune()?;
            }
            Ok(())
        });
        match written {
            Ok(()) if self.away => {
                self.away = false;
                tracing::info!("decisions are kept again");
                self.tell_what_is_missing();
            }
            Ok(()) => {}
            Err(error) => {
                self.counts.lost.fetch_add(rows.len() as u64, Ordering::Relaxed);
                if !self.away {
                    tracing::warn!(
                        "decisions are not kept for explaining (the audit file has them): {error}"
                    );
                }
                self.away = true;
            }
        }
    }

    fn tell_what_is_missing(&self) {
        let lost = self.counts.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!("{lost} decisions were not kept for explaining; the audit file has them");
        }
        let left_out = self.counts.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::debug!("{left_out} decisions in which no policy spoke were left out of the store");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::decision;
    use super::super::{DecisionFilter, SqliteStore, Store, StoreError};
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn count(store: &dyn Store) -> u64 {
        store.decision_count("t", &DecisionFilter::default()).expect("read")
    }

    #[test]
    fn what_was_taken_is_written_before_it_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).expect("opened"));
        let log = DecisionLog::start(Arc::new(LazyStore::from(store.clone())));
        for _ in 0..600 {
            log.record(|| decision("t"));
        }
        drop(log);
        assert_eq!(count(&*store), 600);
    }

    #[test]
    fn a_store_that_hangs_holds_nobody_up_and_the_lost_rows_are_counted() {
        let (release, hang) = bounded::<()>(0);
        let log = DecisionLog::start(Arc::new(LazyStore::new(move || {
            let _ = hang.recv();
            Err(StoreError::Failed("away".into()))
        })));
        // One batch is in the writer's hands at most.
        let sent = limits::DECISION_QUEUE + limits::DECISION_BATCH + 50;
        for _ in 0..sent {
            log.record(|| decision("t"));
        }
        assert!(log.counts.lost.load(Ordering::Relaxed) >= 50);
        drop(release);
    }

    #[test]
    fn a_store_that_fails_is_tried_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).expect("opened"));
        let (away, opened) = (Arc::new(AtomicBool::new(true)), store.clone());
        let seen = away.clone();
        let lazy = LazyStore::new(move || match seen.load(Ordering::SeqCst) {
            true => Err(StoreError::Failed("away".into())),
            false => Ok(opened.clone()),
        });
        let counts = Arc::new(Counts::default());
        let mut writer = Writer { store: Arc::new(lazy), counts: counts.clone(), away: false, pruned: None };
        writer.write(&[decision("t"), decision("t")]);
        assert!(writer.away && counts.lost.load(Ordering::Relaxed) == 2);
        away.store(false, Ordering::SeqCst);
        writer.write(&[decision("t")]);
        assert!(!writer.away && counts.lost.load(Ordering::Relaxed) == 0, "told");
        assert_eq!(count(&*store), 1);
    }

    #[test]
    fn plain_decisions_have_an_allowance() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().to_owned();
        let log = DecisionLog::start(Arc::new(LazyStore::new(move || {
            Ok(Arc::new(SqliteStore::open(&path)?) as Arc<dyn Store>)
        })));
        let kept = (0..limits::PLAIN_DECISIONS * 10).filter(|_| log.has_room_for_plain()).count();
        assert!(kept >= limits::PLAIN_DECISIONS as usize, "{kept}");
        assert!(kept < limits::PLAIN_DECISIONS as usize * 5, "{kept} in far less than five seconds");
        drop(log);
        assert!(!dir.path().join("callgate.db").exists(), "nothing was recorded, so nothing was opened");
    }
}
