//! A few connections to one database: made when needed, checked before each use, given up when they are too slow.

use super::super::{StoreError, limits};
use super::address;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The connections of one process.
pub(super) struct Links {
    config: Config,
    /// Organisation for the row-level security of an AxonFlow database; may be empty.
    org_id: String,
    shown: String,
    pool: Mutex<Pool>,
    given_back: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Link>,
    /// Idle ones and those in use.
    open: usize,
    /// The tables were looked after.
    prepared: bool,
}

/// One connection. It moves only while somebody works with it.
struct Link {
    runtime: Option<Runtime>,
    client: Client,
}

impl Drop for Link {
    /// Does not wait, so that it may be dropped anywhere.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The right to one connection; gives it back, also when the work panics.
struct Turn<'a> {
    links: &'a Links,
    link: Option<Link>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pool = self.links.pool();
        match self.link.take() {
            Some(link) => pool.idle.push(link),
            None => pool.open -= 1,
        }
        self.links.given_back.notify_one();
    }
}

impl Links {
    pub(super) fn new(config: Config, org_id: String) -> Self {
        let shown = address::shown(&config);
        Self { config, org_id, shown, pool: Mutex::default(), given_back: Condvar::new() }
    }

    /// Host and database.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with one connection, [`limits::POSTGRES_WORK`] at most. After an error nobody knows whether a change
    /// was made. Must not be called where a tokio runtime runs its tasks.
    pub(super) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.try_run(work).map_err(|error| match error {
            StoreError::Failed(what) => StoreError::Failed(format!("database \"{}\": {what}", self.shown)),
            other => other,
        })
    }

    fn try_run<T>(
        &self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let end = Instant::now() + limits::POSTGRES_WORK;
        let mut turn = self.turn(end)?;
        let mut link = match turn.link.take().and_then(|link| link.checked(end)) {
            Some(link) => link,
            None => self.connect(end)?,
        };
        let worked = link.block_on(end, async |client| work(client).await);
        // Of a connection that did not answer in time nobody knows what it will say next.
        if matches!(&worked, Some(Ok(_) | Err(_))) && !link.client.is_closed() {
            turn.link = Some(link);
        }
        worked.unwrap_or_else(|| Err(late("no answer")))
    }

    /// Waits for one of the few connections.
    fn turn(&self, end: Instant) -> Result<Turn<'_>, StoreError> {
        let mut pool = self.pool();
        loop {
            if let Some(link) = pool.idle.pop() {
                return Ok(Turn { links: self, link: Some(link) });
            }
            if pool.open < limits::POSTGRES_CONNECTIONS {
                pool.open += 1;
                return Ok(Turn { links: self, link: None });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(late("every connection is in use"));
            }
            pool = self.given_back.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn connect(&self, end: Instant) -> Result<Link, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Failed(format!("no runtime: {error}; check the system's limits")))?;
        let connecting = async {
            if self.config.get_ssl_mode() == SslMode::Disable {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            } else {
                let (client, connection) = self.config.connect(encryption()?).await?;
                tokio::spawn(connection);
                Ok(client)
            }
        };
        let client = runtime.block_on(async { tokio::time::timeout_at(end.into(), connecting).await });
        let client = client.unwrap_or_else(|_| Err(late("no connection")))?;
        let mut link = Link { runtime: Some(runtime), client };
        let begun = link.block_on(end, async |client| self.begin(client).await);
        begun.unwrap_or_else(|| Err(late("no answer")))?;
        Ok(link)
    }

    async fn begin(&self, client: &mut Client) -> Result<(), StoreError> {
        let timeout = limits::POSTGRES_WORK.as_millis();
        client
            .batch_execute(&format!(
                "SET TimeZone = 'UTC'; SET statement_timeout = {timeout}; SET lock_timeout = {timeout};
                 SET idle_in_transaction_session_timeout = {timeout}"
            ))
            .await?;
        client.execute("SELECT set_config('app.current_org_id', $1, false)", &[&self.org_id]).await?;
        if !self.pool().prepared {
            super::schema::prepare(client).await?;
            self.pool().prepared = true;
        }
        Ok(())
    }
}

impl Link {
    /// `None` when the time is over.
    fn block_on<T>(&mut self, end: Instant, work: impl AsyncFnOnce(&mut Client) -> T) -> Option<T> {
        let Self { runtime, client } = self;
        let runtime = runtime.as_ref()?;
        runtime.block_on(async { tokio::time::timeout_at(end.into(), work(client)).await }).ok()
    }

    /// The same connection, if the other end is still there.
    fn checked(mut self, end: Instant) -> Option<Self> {
        /// A connection that is slower than that is made again.
        const CHECK: Duration = Duration::from_secs(1);
        let end = end.min(Instant::now() + CHECK);
        let there = self.block_on(end, async |client| client.check_connection().await.is_ok());
        (there == Some(true)).then_some(self)
    }
}

/// Encryption with the system's certificates, by the provider that everything else here uses.
fn encryption() -> Result<MakeRustlsConnect, StoreError> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let failed = |error: rustls::Error| {
        StoreError::Failed(format!("no encryption: {error}; check the system's certificates"))
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(failed)?;
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn late(what: &str) -> StoreError {
    let limit = limits::POSTGRES_WORK.as_secs();
    StoreError::Failed(format!("{what} within {limit} s; check that the database is up and not overloaded"))
}

impl From<tokio_postgres::Error> for StoreError {
    /// What the database said, or why it could not be asked. Its own texts hold no password.
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else {
            let mut what = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                what = format!("{what}: {inner}");
                cause = inner.source();
            }
            return Self::Failed(format!("{what}; check that the database is up and its address right"));
        };
        let what = told.message();
        match told.code() {
            code if *code == SqlState::UNIQUE_VIOLATION => {
                Self::Conflict("a row with that id exists already; use a new id or update it".into())
            }
            code if [SqlState::STRING_DATA_RIGHT_TRUNCATION, SqlState::CHECK_VIOLATION].contains(code) => {
                Self::Conflict(format!("{what}; correct the value"))
            }
            code if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Failed(format!("{what}; grant the role what it needs (docs/stores.md)"))
            }
            code => Self::Failed(format!("{what} ({}); check the database's log", code.code())),
        }
    }
}
