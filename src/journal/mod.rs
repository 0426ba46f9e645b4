//! The audit record: one Layer-1 row per ended call, in the audit file and on stderr.
//!
//! The row is the AxonFlow contract's (section 7.1) with our own fields behind it, tied to the row before. Before a
//! call leaves, its intent is written beside the audit file; an intent without a row becomes a row with the outcome
//! `unknown` at the next start of any process. The format is written down in `docs/journal.md`.

mod append;
pub mod chain;
pub mod checkpoint;
pub mod evidence;
mod file;
mod hmac;
mod intents;
pub mod keys;
pub mod place;
pub mod read;
mod records;
mod recovery;
mod row;
mod tail;
pub mod verify;

use crate::log::{self, Lines};
use callgate_actors::ports::{Durability, Ending, Flush, Record, RecordError};
use file::{AuditFile, Care, Rows};
use intents::Intents;
use row::{Author, Digests};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use records::record_count;
pub use row::harmless;

/// Between two complaints about a record that is not required.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// Memory that the row buffers keep between two batches; a batch of 100 rows fits.
const KEPT_BUFFER_BYTES: usize = 64 * 1024;

/// When what was written is made to survive a power cut. The death of the process alone loses nothing in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before a call leaves, and before its answer is sent.
    Always,
    /// Within this time.
    Every(Duration),
    /// When the system pleases.
    Off,
}

/// Where rows go and what they say of this process.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The audit file (`AXONFLOW_AUDIT_LOG`); `None` leaves stderr alone.
    pub path: Option<PathBuf>,
    /// Where the signing key is kept; `None` signs nothing.
    pub state_dir: Option<PathBuf>,
    /// No record, no call. Otherwise a record that cannot be kept is only complained about.
    pub required: bool,
    /// When rows reach the disk.
    pub sync: Sync,
    /// The audit file is rotated at this length, in bytes.
    pub rotate_bytes: Option<u64>,
    /// The audit file is rotated at this age.
    pub rotate_age: Option<Duration>,
    /// The row's `session_id`.
    pub session_id: String,
    /// The row's `leader_email`; may be empty. It is asserted by configuration, not proven.
    pub leader_email: String,
    /// The row's `ai_agent`.
    pub ai_agent: String,
    /// The row's `gateway_id`.
    pub gateway_id: String,
}

/// Writes the audit record. Clones write the same record, so that a writer that has to be replaced loses nothing.
#[derive(Clone)]
pub struct Journal {
    core: Arc<Mutex<Core>>,
}

struct Core {
    options: JournalOptions,
    /// Names this process among all that ever used the audit file.
    run: String,
    file: Option<AuditFile>,
    intents: Intents,
    log: Option<Lines>,
    complaints: Complaints,
    rows: Rows,
}

impl Journal {
    /// Opens the audit file, if there is one. That it cannot be opened is told by the first [`Record::intents`].
    pub fn open(options: JournalOptions) -> Self {
        Self::with_log(options, log::stderr())
    }

    /// The same with a log of its own in place of stderr.
    pub fn with_log(options: JournalOptions, log: Option<Lines>) -> Self {
        let file = options.path.clone().map(|path| AuditFile::open(path, care(&options)));
        let run = format!("{:016x}", fastrand::u64(..));
        let core = Core {
            options,
            intents: Intents::new(run.clone()),
            run,
            file,
            log,
            complaints: Complaints::default(),
            rows: Rows::default(),
        };
        Self { core: Arc::new(Mutex::new(core)) }
    }

    /// Gives calls that a dead process left under way their rows, on a thread of its own: the start does not wait.
    pub fn recover_beside(&self) {
        let core = self.core();
        let Some(place) = core.file.as_ref().and_then(AuditFile::place).cloned() else { return };
        if !recovery::may_be_needed(&place) {
            return;
        }
        let options = core.options.clone();
        drop(core);
        let work = move || {
            if let Err(error) = recover(&options, &place) {
                tracing::error!("calls that a crash cut off were not recorded yet: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("journal-recovery".into()).spawn(work) {
            tracing::error!("calls that a crash cut off were not recorded yet: {error}");
        }
    }

    /// Whether a call could be recorded now.
    ///
    /// # Errors
    /// Why not, and the way out.
    pub fn prove(&self) -> Result<(), RecordError> {
        self.core().prove()
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        // After a panic the file is closed or whole: it is taken out while it is written to.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives calls that a dead process left under way their rows. How many there were.
fn recover(options: &JournalOptions, place: &place::Place) -> Result<usize, RecordError> {
    let mut file = AuditFile::open(place.audit.clone(), care(options));
    recovery::run(place, &mut file, options.sync != Sync::Off)
}

fn care(options: &JournalOptions) -> Care {
    Care {
        state_dir: options.state_dir.clone(),
        sync: options.sync != Sync::Off,
        rotate_bytes: options.rotate_bytes,
        rotate_age: options.rotate_age,
    }
}

impl Core {
    fn prove(&mut self) -> Result<(), RecordError> {
        match &mut self.file {
            Some(file) => file.prove(),
            None if self.log.as_ref().is_some_and(Lines::is_accepting) => Ok(()),
            None => Err(stderr_lost()),
        }
    }

    fn intents(&mut self, intents: &[Ending]) -> Result<(), RecordError> {
        self.prove()?;
        let Self { options, run, file: Some(file), intents: kept, .. } = self else { return Ok(()) };
        // A device takes rows and gives nothing back: there is no place for intents, and no way to recover.
        let Some(place) = file.place() else { return Ok(()) };
        let key = file.keys().map(|keys| &keys.hmac);
        let mut batch = intents::Batch::behind(file.known_seq());
        for intent in intents {
            let digests = Digests::of(intent.call.arguments.as_deref(), key);
            batch.push(intent.call.number, digests, |line, digests| {
                row::push(line, &Author { options, run, digests }, intent);
            });
        }
        let written = kept.begin(place, batch);
        if kept.take_was_lost() {
            file.reopen();
        }
        written.map_err(|error| file.describe(&error))
    }

    fn endings(&mut self, endings: &[Ending]) -> Result<(), RecordError> {
        let Self { options, run, file, intents, log, rows, .. } = self;
        let key = file.as_ref().and_then(AuditFile::keys).map(|keys| &keys.hmac);
        for ending in endings {
            let made;
            let digests = match intents.digests(ending.call.number) {
                Some(digests) => digests,
                None => {
                    made = Digests::of(ending.call.arguments.as_deref(), key);
                    &made
                }
            };
            row::push(&mut rows.text, &Author { options, run, digests }, ending);
            rows.text.push(b'\n');
            rows.calls.push(ending.call.number);
        }
        // Every row also goes to stderr; without a file that is the record.
        let mut shown = true;
        let mut show = |row: &[u8]| shown &= log.as_ref().is_some_and(|log| log.push(row::for_a_person(row)));
        let kept = match file {
            Some(file) => {
                let kept = file.append(rows, &mut show);
                file.recorded.drain(..).for_each(|number| intents.end(number));
                kept
            }
            None => {
                rows.iter().for_each(show);
                if shown { Ok(()) } else { Err(stderr_lost()) }
            }
        };
        rows.calls.clear();
        rows.text.clear();
        rows.text.shrink_to(KEPT_BUFFER_BYTES);
        if let Err(error) = self.compact_intents() {
            self.complaints.tell(&error);
        }
        kept
    }

    /// Everything that was written and not synced, as work for a thread.
    fn unsynced(&mut self) -> Option<Flush> {
        let Some(file) = &mut self.file else { return None };
        let mut files = file.take_unsynced();
        files.extend(self.intents.take_unsynced());
        if files.is_empty() || self.options.sync == Sync::Off {
            return None;
        }
        let (path, required) = (self.options.path.clone().unwrap_or_default(), self.options.required);
        Some(Box::new(move || match files.iter().try_for_each(|file| file.sync_data()) {
            Err(error) if required => Err(file::describe(&path, &error)),
            Err(error) => {
                tracing::warn!("audit rows may not survive a power cut: {error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }))
    }

    /// Keeps the intents of this process short. Once in 1,500 calls.
    fn compact_intents(&mut self) -> Result<(), RecordError> {
        if !self.intents.is_long() {
            return Ok(());
        }
        let lasting = self.options.sync == Sync::Always;
        // The rows of the calls that are forgotten here must be as lasting as their intents were.
        if let (true, Some(flush)) = (lasting, self.unsynced()) {
            flush()?;
        }
        let Some(file) = &self.file else { return Ok(()) };
        let Some(place) = file.place().cloned() else { return Ok(()) };
        self.intents.compact(&place, lasting).map_err(|error| file.describe(&error))
    }

    fn close(&mut self) -> Result<(), RecordError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let closed = file.close();
        file.recorded.drain(..).for_each(|number| self.intents.end(number));
        closed?;
        if let Some(flush) = self.unsynced() {
            flush()?;
        }
        self.intents.close();
        Ok(())
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
    fn intents(&mut self, intents: &[Ending]) -> Result<(), RecordError> {
        let mut core = self.core();
        let result = core.intents(intents);
        core.judge(result)
    }

    fn endings(&mut self, endings: &[Ending]) -> Result<(), RecordError> {
        let mut core = self.core();
        let result = core.endings(endings);
        core.judge(result)
    }

    fn durability(&self) -> Durability {
        let core = self.core();
        match core.options.sync {
            _ if core.file.is_none() => Durability::Unasked,
            Sync::Always => Durability::Before,
            Sync::Every(within) => Durability::Within(within),
            Sync::Off => Durability::Unasked,
        }
    }

    fn flush(&mut self) -> Option<Flush> {
        self.core().unsynced()
    }

    fn tidy(&mut self) {
        let mut core = self.core();
        if let Err(error) = core.file.as_mut().map_or(Ok(()), AuditFile::mark) {
            core.complaints.tell(&error);
        }
    }

    fn close(&mut self) -> Result<(), RecordError> {
        let mut core = self.core();
        let result = core.close();
        core.judge(result)
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
        tracing::warn!(unsaid = self.unsaid, "calls go on, but the record is not as it should be: {error}");
        self.last = Some(Instant::now());
        self.unsaid = 0;
    }
}

#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod tests;
