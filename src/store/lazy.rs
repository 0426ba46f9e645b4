//! A store that is opened when somebody first needs it, on that one's thread.

use super::{SqliteStore, Store, StoreError, sqlite};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

type Open = dyn Fn() -> Result<Arc<dyn Store>, StoreError> + Send + Sync;

/// A store that may not be open yet. Opening it is tried again as long as it fails.
pub struct LazyStore {
    open: Box<Open>,
    /// The file without which there is nothing in the store.
    file: Option<PathBuf>,
    opened: Mutex<Option<Arc<dyn Store>>>,
}

impl LazyStore {
    /// A store that `open` opens.
    pub fn new(open: impl Fn() -> Result<Arc<dyn Store>, StoreError> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), file: None, opened: Mutex::new(None) }
    }

    /// The SQLite file in that folder, made when something is first written.
    pub fn sqlite(state_dir: PathBuf) -> Self {
        let file = Some(state_dir.join(sqlite::FILE));
        Self { file, ..Self::new(move || Ok(Arc::new(SqliteStore::open(&state_dir)?))) }
    }

    /// The store for reading; `None` when there is nothing to read yet, and then nothing is made.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn existing(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        match &self.file {
            Some(file) if !file.exists() => Ok(None),
            _ => self.get().map(Some),
        }
    }

    /// The store, opened now if it is not open. Whoever else asks meanwhile waits.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn get(&self) -> Result<Arc<dyn Store>, StoreError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*opened {
            return Ok(store.clone());
        }
        let store = (self.open)()?;
        *opened = Some(store.clone());
        Ok(store)
    }
}

impl From<Arc<dyn Store>> for LazyStore {
    fn from(store: Arc<dyn Store>) -> Self {
        Self::new(move || Ok(store.clone()))
    }
}

impl std::fmt::Debug for LazyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyStore").finish_non_exhaustive()
    }
}
