//! Keeps a set of policies in step with a store: reads it every so often and puts what it says into the
//! [`Authority`].

use super::authority::Authority;
use super::catalogue;
use super::model::Policy;
use super::stored::{Converted, convert};
use crate::store::{LazyStore, StoreError, StoredOverride, StoredPolicy};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long until a store that failed is asked again, when it would not be asked earlier.
const RETRY: Duration = Duration::from_secs(5);

/// What is read, and what a failure means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOptions {
    /// Whose policies; those of tenant `global` are always among them.
    pub tenant: String,
    /// How often the store is read: `POLICY_CACHE_TTL`.
    pub every: Duration,
    /// Whether nothing may pass while the store fails: `POLICY_BLOCK_ON_ERROR`. Otherwise the last good set holds.
    pub block_on_error: bool,
}

/// Reads a store on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Sources {
    reader: Arc<Reader>,
    /// Ends the thread when it goes.
    _stop: Sender<()>,
}

impl Sources {
    /// Begins to read. Returns at once; until the first reading has ended, well or not, [`Authority::is_settled`] is
    /// false, and with [`SourceOptions::block_on_error`] nothing passes.
    pub fn start(authority: Arc<Authority>, store: Arc<LazyStore>, options: SourceOptions) -> Self {
        let every = options.every;
        let reader = Arc::new(Reader { authority, store, options, state: Mutex::default() });
        reader.authority.unsettle();
        if reader.options.block_on_error {
            reader.authority.shut("the stored policies are not loaded yet; try again in a moment");
        }
        let (stop, stopped) = bounded(0);
        let of_thread = reader.clone();
        let thread = std::thread::Builder::new().name("policies".into());
        if let Err(error) = thread.spawn(move || of_thread.run(every, &stopped)) {
            reader.failed(&format!("no thread: {error}"));
            reader.authority.settle();
        }
        Self { reader, _stop: stop }
    }

    /// Reads now, on this thread, so that what was just written holds when it returns.
    ///
    /// # Errors
    /// Why it does not hold; told in the log, too.
    pub fn refresh_now(&self) -> Result<(), String> {
        self.reader.refresh()
    }
}

#[derive(Debug)]
struct Reader {
    authority: Arc<Authority>,
    store: Arc<LazyStore>,
    options: SourceOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the set in force was made of; `None` before the first reading.
    held: Option<(Vec<StoredPolicy>, Vec<StoredOverride>)>,
    /// The last reading failed, and that was told.
    away: bool,
    /// What was told of single rows.
    told: BTreeSet<String>,
    shipped: Vec<Policy>,
}

impl Reader {
    fn run(&self, every: Duration, stopped: &Receiver<()>) {
        loop {
            // The outcome is told where it happens.
            let next = if self.refresh().is_ok() { every } else { every.min(RETRY) };
            self.authority.settle();
            match stopped.recv_timeout(next) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Two who read at once stand in line, so that an older reading never takes the place of a newer one.
    fn refresh(&self) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let put = self.read().map_err(|error| error.to_string()).and_then(|rows| self.put(&mut state, rows));
        match &put {
            Ok(()) => {
                if std::mem::take(&mut state.away) {
                    tracing::info!("the stored policies are loaded again");
                }
                self.authority.open();
            }
            Err(why) => {
                if !std::mem::replace(&mut state.away, true) {
                    self.failed(why);
                }
            }
        }
        put
    }

    fn failed(&self, why: &str) {
        if self.options.block_on_error {
            self.authority.shut("the stored policies cannot be loaded, and POLICY_BLOCK_ON_ERROR blocks every call until they can");
            tracing::error!("every call is blocked, because the stored policies cannot be loaded: {why}");
        } else {
            tracing::warn!("the stored policies cannot be loaded, so the last good ones hold: {why}");
        }
    }

    fn read(&self) -> Result<(Vec<StoredPolicy>, Vec<StoredOverride>), StoreError> {
        let Some(store) = self.store.existing()? else { return Ok(Default::default()) };
        Ok((store.policies(&self.options.tenant)?, store.overrides(&self.options.tenant)?))
    }

    /// Makes a set of the rows, unless they are those that hold already.
    fn put(&self, state: &mut State, rows: (Vec<StoredPolicy>, Vec<StoredOverride>)) -> Result<(), String> {
        let nothing = rows.0.is_empty() && rows.1.is_empty();
        if state.held.as_ref() == Some(&rows) || (state.held.is_none() && nothing) {
            state.held = Some(rows);
            return Ok(());
        }
        if state.shipped.is_empty() {
            state.shipped = catalogue::shipped().map_err(|error| error.to_string())?;
        }
        let Converted { policies, overrides, told } = convert(rows.0.clone(), rows.1.clone(), &state.shipped);
        let (count, exceptions) = (policies.len(), overrides.len());
        self.authority
            .update(|parts| {
                parts.set_stored(policies, overrides);
            })
            .map_err(|error| error.to_string())?;
        let told: BTreeSet<String> = told.into_iter().collect();
        for line in told.difference(&state.told) {
            tracing::warn!("{line}");
        }
        tracing::info!("{count} stored policies and {exceptions} overrides hold");
        state.told = told;
        state.held = Some(rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::authority::{Content, PolicySet, Question};
    use crate::policy::model::{Action, Phase};
    use crate::policy::posture::Posture;
    use crate::store::samples::{override_of, policy};
    use crate::store::{SqliteStore, Store};
    use callgate_actors::call::Hints;
    use std::time::{Instant, SystemTime};

    /// A set, a store, and no thread that reads.
    struct Place {
        authority: Arc<Authority>,
        store: SqliteStore,
        reader: Reader,
        dir: tempfile::TempDir,
    }

    fn place(block_on_error: bool) -> Place {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Arc::new(Authority::new(PolicySet::shipped(Posture::default()).expect("sound")));
        let store = SqliteStore::open(dir.path()).expect("opened");
        let options = SourceOptions { tenant: "t".into(), every: Duration::from_secs(3600), block_on_error };
        let lazy = Arc::new(LazyStore::sqlite(dir.path().to_owned()));
        let reader = Reader { authority: authority.clone(), store: lazy, options, state: Mutex::default() };
        Place { authority, store, reader, dir }
    }

    fn judged(authority: &Authority, text: &str) -> Result<Option<Action>, String> {
        let question = Question {
            phase: Phase::Request,
            content: Content::Text(text),
            backend: "crm",
            tool: "ask",
            agent: "",
            hints: Hints::default(),
            at: SystemTime::now(),
        };
        authority.current().judge(&question).map(|judgement| judgement.action)
    }

    impl Place {
        fn says(&self) -> Option<Action> {
            judged(&self.authority, "a forbidden word").expect("judged")
        }

        /// Makes reading fail, or work again.
        fn damage(&self, from: &str, to: &str) {
            let file = rusqlite::Connection::open(self.dir.path().join("callgate.db")).expect("opened");
            file.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}")).expect("renamed");
        }
    }

    #[test]
    fn what_is_stored_holds_after_a_reading() {
        let place = place(false);
        place.reader.refresh().expect("read");
        assert_eq!(place.says(), None);
        place.store.create_policy(&policy("t", "p")).expect("made");
        place.store.create_policy(&policy("other", "q")).expect("made");
        assert_eq!(place.says(), None, "not read yet");
        place.reader.refresh().expect("read");
        assert_eq!(place.says(), Some(Action::Block));
        let held = place.authority.current();
        place.reader.refresh().expect("read");
        assert!(Arc::ptr_eq(&held, &place.authority.current()), "the same rows make no new set");
        place.store.create_override(&override_of("t", "p")).expect("made");
        place.reader.refresh().expect("read");
        assert_eq!(place.says(), Some(Action::Log));
        place.store.delete_policy("t", "p").expect("deleted");
        place.reader.refresh().expect("read");
        assert_eq!(place.says(), None);
    }

    #[test]
    fn a_store_that_fails_leaves_the_last_good_set() {
        let place = place(false);
        place.store.create_policy(&policy("t", "p")).expect("made");
        place.reader.refresh().expect("read");
        place.damage("static_policies", "hidden");
        assert!(place.reader.refresh().is_err());
        assert_eq!(place.says(), Some(Action::Block));
        assert_eq!(judged(&place.authority, "fine"), Ok(None));
    }

    #[test]
    fn or_lets_nothing_pass_until_it_is_back() {
        let place = place(true);
        place.reader.refresh().expect("read");
        place.damage("static_policies", "hidden");
        assert!(place.reader.refresh().is_err());
        let told = judged(&place.authority, "fine").expect_err("shut");
        assert!(told.contains("POLICY_BLOCK_ON_ERROR"), "{told}");
        assert_eq!(place.authority.shut_reason(), Some(told));
        place.damage("hidden", "static_policies");
        place.reader.refresh().expect("read");
        assert_eq!(judged(&place.authority, "fine"), Ok(None));
    }

    #[test]
    fn what_changes_while_it_is_shut_is_not_lost() {
        let place = place(true);
        place.authority.shut("a test");
        let changed = place.authority.update(|parts| {
            parts.set_stored(Vec::new(), Vec::new());
        });
        changed.expect("made");
        place.store.create_policy(&policy("t", "p")).expect("made");
        place.reader.refresh().expect("read");
        assert_eq!(place.says(), Some(Action::Block));
    }

    #[test]
    fn it_begins_shut_where_that_is_asked_for_and_settles() {
        let Place { authority, store, dir, .. } = place(true);
        store.create_policy(&policy("t", "p")).expect("made");
        let (release, hang) = bounded::<()>(0);
        let folder = dir.path().to_owned();
        let lazy = LazyStore::new(move || {
            let _ = hang.recv();
            Ok(Arc::new(SqliteStore::open(&folder)?))
        });
        let options =
            SourceOptions { tenant: "t".into(), every: Duration::from_secs(3600), block_on_error: true };
        let sources = Sources::start(authority.clone(), Arc::new(lazy), options);
        assert!(!authority.is_settled() && judged(&authority, "fine").is_err());
        drop(release);
        authority.wait_settled(Instant::now() + Duration::from_secs(30));
        assert_eq!(judged(&authority, "a forbidden word"), Ok(Some(Action::Block)));
        store.create_override(&override_of("t", "p")).expect("made");
        sources.refresh_now().expect("read");
        assert_eq!(judged(&authority, "a forbidden word"), Ok(Some(Action::Log)));
    }

    #[test]
    fn a_file_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Arc::new(Authority::new(PolicySet::shipped(Posture::default()).expect("sound")));
        let options =
            SourceOptions { tenant: String::new(), every: Duration::from_secs(3600), block_on_error: true };
        let lazy = Arc::new(LazyStore::sqlite(dir.path().join("state")));
        let _sources = Sources::start(authority.clone(), lazy, options);
        authority.wait_settled(Instant::now() + Duration::from_secs(30));
        assert_eq!(judged(&authority, "fine"), Ok(None));
        assert!(!dir.path().join("state").exists());
    }
}
