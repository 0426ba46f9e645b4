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
