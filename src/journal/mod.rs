//! The audit record: one Layer-1 row per ended call, in the audit file and on stderr.
//!
//! The row is the AxonFlow contract's (section 7.1) with our own fields behind it. The file is only ever appended
//! to, by as many processes as there are. What is not here yet: a durable intent before the call; for now an
//! intent proves that the file can be written.

mod file;
mod records;
mod row;

use crate::log::{self, Lines};
use callgate_actors::call::Call;
use callgate_actors::ports::{Ending, Record, RecordError};
use file::AuditFile;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use records::record_count;

/// Between two complaints about a record that is not required.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// Memory that the row buffers keep between two batches; a batch of 100 rows fits.
const KEPT_BUFFER_BYTES: usize = 64 * 1024;

/// Where rows go and what they say of this process.
#[derive(Clone, Debug, Default)]
pub struct JournalOptions {
    /// The audit file (`AXONFLOW_AUDIT_LOG`); `None` leaves stderr alone.
    pub path: Option<PathBuf>,
    /// No record, no call. Otherwise a record that cannot be kept is only complained about.
    pub required: bool,
    /// The row's `session_id`.
    pub session_id: String,
    /// The row's `leader_email`; may be empty. It is asserted by configuration, not proven.
    pub leader_email: String,
    /// The row's `ai_agent`.
    pub ai_agent: String,
    /// The row's `gateway_id`.
    pub gateway_id: String,
}

/// Writes the audit record.
pub struct Journal {
    options: JournalOptions,
    file: Option<AuditFile>,
    log: Option<Lines>,
    complaints: Complaints,
    rows: Vec<u8>,
}

impl Journal {
    /// Opens the audit file, if there is one. That it cannot be opened is told by the first [`Record::intent`].
    pub fn open(options: JournalOptions) -> Self {
        Self::with_log(options, log::stderr())
    }

    /// The same with a log of its own in place of stderr.
    pub fn with_log(options: JournalOptions, log: Option<Lines>) -> Self {
        let file = options.path.clone().map(AuditFile::open);
        Self { options, file, log, complaints: Complaints::default(), rows: Vec::new() }
    }

    /// Every row also goes to stderr; without a file that is the record.
    fn show(&self, from: usize) -> bool {
        self.log.as_ref().is_some_and(|log| log.push(row::for_a_person(&self.rows[from..])))
    }

    /// An error where the record is required, else a complaint from time to time.
    fn judge(&mut self, result: Result<(), RecordError>) -> Result<(), RecordError> {
        match result {
            Err(error) if !self.options.required => {
                self.complaints.tell(&error);
                Ok(())
            }
            result => result,
        }
    }
}

impl Record for Journal {
    fn intent(&mut self, _call: &Call) -> Result<(), RecordError> {
        let proof = match &mut self.file {
            Some(file) => file.prove(),
            None if self.log.as_ref().is_some_and(Lines::is_accepting) => Ok(()),
            None => Err(stderr_lost()),
        };
        self.judge(proof)
    }

    fn endings(&mut self, endings: &[Ending]) -> Result<(), RecordError> {
        let mut shown = true;
        for ending in endings {
            let from = self.rows.len();
            row::push(&mut self.rows, &self.options, ending);
            shown &= self.show(from);
            self.rows.push(b'\n');
        }
        let kept = match &mut self.file {
            Some(file) => file.append(&self.rows),
            None if shown => Ok(()),
            None => Err(stderr_lost()),
        };
        self.rows.clear();
        self.rows.shrink_to(KEPT_BUFFER_BYTES);
        self.judge(kept)
    }

    fn close(&mut self) -> Result<(), RecordError> {
        let closed = self.file.as_mut().map_or(Ok(()), AuditFile::close);
        self.judge(closed)
    }
}

fn stderr_lost() -> RecordError {
    RecordError(
        "audit rows go to stderr only, and stderr is closed or not read; set AXONFLOW_AUDIT_LOG to a file"
            .into(),
    )
}

/// Complains at most once in [`COMPLAIN_EVERY`], with the number of what was not said.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    fn tell(&mut self, error: &RecordError) {
        if self.last.is_some_and(|last| last.elapsed() < COMPLAIN_EVERY) {
            self.unsaid += 1;
            return;
        }
        tracing::warn!(unsaid = self.unsaid, "calls go on without a record: {error}");
        self.last = Some(Instant::now());
        self.unsaid = 0;
    }
}

#[cfg(test)]
mod tests;
