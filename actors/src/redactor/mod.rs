//! The redactor pool: small answers are scanned where they are, large ones on threads of their own.
//!
//! A job that is lost (a panic, a full queue, no answer in time) means that the answer is withheld: nothing passes
//! that was not scanned.

use crate::limits::{REDACT_DEADLINE, REDACTIONS_QUEUED, REDACTOR_THREADS_MIN};
use crate::ports::{Findings, Redact, Redaction, Subject, Withheld};
use crate::workers::{Threads, Workers};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Redacts. Cheap to clone; clones share the threads.
#[derive(Clone)]
pub struct Redactor {
    redact: Arc<dyn Redact>,
    workers: Workers,
}

/// A piece of JSON that may pass.
#[derive(Clone, Debug)]
pub struct Redacted {
    /// The bytes to pass on.
    pub json: Bytes,
    /// How many values of each type were masked.
    pub masked: BTreeMap<&'static str, u32>,
    /// What else is told of it.
    pub findings: Findings,
}

impl Redactor {
    /// A pool over `redact` with up to `width` threads; at least [`REDACTOR_THREADS_MIN`].
    pub fn new(redact: Arc<dyn Redact>, width: usize, threads: &Threads) -> Self {
        let workers = threads.workers("redact", width.max(REDACTOR_THREADS_MIN), REDACTIONS_QUEUED);
        Redactor { redact, workers }
    }

    /// Redacts `json`, or says why it must be withheld.
    pub async fn redact(&self, subject: &Subject, json: Bytes) -> Result<Redacted, Withheld> {
        if self.redact.is_quick(subject, json.len()) {
            return self.redact_here(subject, json);
        }
        let (redact, job_subject, input) = (self.redact.clone(), subject.clone(), json.clone());
        let job = move || redact.redact(&job_subject, &input);
        let Ok(pending) = self.workers.run(job) else {
            return Err(withheld("the redactor's queue is full; try again"));
        };
        match tokio::time::timeout(REDACT_DEADLINE, pending).await {
            Ok(Ok(result)) => result.map(|redaction| passed(json, redaction)),
            Ok(Err(_)) => Err(withheld("the redactor failed on this answer")),
            Err(_) => Err(withheld("the redactor took too long for this answer")),
        }
    }

    /// Redacts `json` without leaving the thread: for notices and catalogue entries, which must keep their order.
    pub fn redact_here(&self, subject: &Subject, json: Bytes) -> Result<Redacted, Withheld> {
        match catch_unwind(AssertUnwindSafe(|| self.redact.redact(subject, &json))) {
            Ok(result) => result.map(|redaction| passed(json, redaction)),
            Err(_) => Err(withheld("the redactor failed on this answer")),
        }
    }
}

fn passed(json: Bytes, redaction: Redaction) -> Redacted {
    let Redaction { json: masked_json, masked, findings } = redaction;
    Redacted { json: masked_json.map_or(json, Bytes::from), masked, findings }
}

fn withheld(reason: &str) -> Withheld {
    Withheld { reason: reason.into(), ..Withheld::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Carrier;
    use crossbeam_channel::{Receiver, Sender, bounded};
    use tokio::sync::mpsc;

    /// Lengths above this are no quick work; what starts with `!` panics, what starts with `~` waits to be let go.
    const QUICK: usize = 16;

    struct Staged {
        begun: mpsc::Sender<()>,
        let_go: Receiver<()>,
    }

    impl Redact for Staged {
        fn is_quick(&self, _: &Subject, len: usize) -> bool {
            len <= QUICK
        }

        fn redact(&self, _: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
            match json.first() {
                Some(b'!') => panic!("this job is to be lost"),
                Some(b'~') => {
                    self.begun.try_send(()).expect("somebody waits");
                    self.let_go.recv().expect("somebody lets go");
                }
                _ => {}
            }
            Ok(Redaction::default())
        }
    }

    fn staged(threads: usize) -> (Redactor, mpsc::Receiver<()>, Sender<()>) {
        let (begun, has_begun) = mpsc::channel(1);
        let (go, let_go) = bounded(1);
        let redact = Arc::new(Staged { begun, let_go });
        (Redactor::new(redact, threads, &Threads::System), has_begun, go)
    }

    fn subject() -> Subject {
        Subject {
            backend: "crm".into(),
            tool: Some("get".into()),
            carrier: Carrier::ToolResult,
            obliged: false,
            decision: None,
        }
    }

    fn text(first: u8, length: usize) -> Bytes {
        let mut text = vec![b'x'; length];
        text[0] = first;
        text.into()
    }

    #[tokio::test]
    async fn a_large_answer_delays_neither_a_small_nor_a_middle_one() {
        let (redactor, mut begun, go) = staged(2);
        let large = tokio::spawn({
            let redactor = redactor.clone();
            async move { redactor.redact(&subject(), text(b'~', 8 << 20)).await }
        });
        assert_eq!(begun.recv().await, Some(()), "the large one has begun");
        // Both are answered while the large one is held.
        assert!(redactor.redact(&subject(), text(b'a', QUICK)).await.is_ok());
        assert!(redactor.redact(&subject(), text(b'b', QUICK + 1)).await.is_ok());
        assert!(!large.is_finished());
        go.send(()).expect("it waits");
        assert!(large.await.expect("joined").is_ok());
    }

    #[tokio::test]
    async fn a_job_that_panics_is_withheld_and_its_thread_replaced() {
        let (redactor, ..) = staged(1);
        for _ in 0..2 * REDACTOR_THREADS_MIN {
            for length in [QUICK, QUICK + 1] {
                let lost = redactor.redact(&subject(), text(b'!', length)).await.expect_err("withheld");
                assert!(!lost.blocked);
                assert_eq!(lost.reason, "the redactor failed on this answer");
            }
        }
        assert!(redactor.redact(&subject(), text(b'a', QUICK + 1)).await.is_ok());
    }
}
