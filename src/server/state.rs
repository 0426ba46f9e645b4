//! What all requests share.

use super::auth::{Credentials, Hosts};
use super::connectors::Connectors;
use super::idempotency::Idempotency;
use super::limits::{BODY_PIECES, JOBS_QUEUED, STORE_DEADLINE, WORKERS};
use super::page::Page;
use super::recorder::Recorder;
use super::reply::Refusal;
use crate::policy::authority::Authority;
use crate::secret::Secret;
use crate::store::{LazyStore, Store, StoreError, Ticket};
use callgate_actors::workers::Workers;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Reads the store anew, so that what was just changed holds at once in this process. Blocks.
pub type Refresh = Arc<dyn Fn() + Send + Sync>;

/// Is told of each new ticket. Waits for nothing.
pub type OnTicket = Arc<dyn Fn(&Ticket) + Send + Sync>;

/// What the server is made of.
pub struct Parts {
    /// Who decides.
    pub authority: Arc<Authority>,
    /// Policies, overrides, decisions and tickets.
    pub store: Arc<LazyStore>,
    /// Makes a change of the store hold.
    pub refresh: Refresh,
    /// The tenant that this server decides for; empty for an unnamed one.
    pub tenant: String,
    /// Its organisation; may be empty.
    pub organization: String,
    /// Who is let in; `None` lets everybody in who reaches the address.
    pub credentials: Option<Credentials>,
    /// The password that changing policies and deciding held calls needs; `None` lets every client do it.
    pub admin: Option<Secret>,
    /// Under which names the server may be addressed.
    pub hosts: Hosts,
    /// The backends of the connector plane; `None` serves none.
    pub connectors: Option<Connectors>,
    /// The page on which a person decides; `None` serves none.
    pub page: Option<Arc<Page>>,
    /// Is told of new tickets; `None` when nobody is.
    pub on_ticket: Option<OnTicket>,
}

/// What all requests share.
pub(super) struct App {
    pub(super) authority: Arc<Authority>,
    pub(super) store: Arc<LazyStore>,
    pub(super) refresh: Refresh,
    pub(super) tenant: String,
    pub(super) organization: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) admin: Option<Secret>,
    pub(super) hosts: Hosts,
    pub(super) connectors: Option<Connectors>,
    on_ticket: Option<OnTicket>,
    pub(super) recorder: Recorder,
    pub(super) idempotency: Mutex<Idempotency>,
    pub(super) body_room: Semaphore,
    workers: Workers,
}

/// As handlers take it.
pub(super) type Shared = axum::extract::State<Arc<App>>;

impl App {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            authority,
            store,
            refresh,
            tenant,
            organization,
            credentials,
            admin,
            hosts,
            connectors,
            page: _,
            on_ticket,
        } = parts;
        Self {
            recorder: Recorder::start(store.clone()),
            authority,
            store,
            refresh,
            tenant,
            organization,
            credentials,
            admin,
            hosts,
            connectors,
            on_ticket,
            idempotency: Mutex::default(),
            body_room: Semaphore::new(BODY_PIECES),
            workers: Workers::new("pdp", WORKERS, JOBS_QUEUED),
        }
    }

    /// Runs what blocks or is heavy on a thread, at most for `limit`. A job that is too late ends by itself.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        limit: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let pending = self.workers.run(job).map_err(|_| Refusal::busy())?;
        match tokio::time::timeout(limit, pending).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Refusal::unavailable("the request could not be worked on")),
            Err(_) => Err(Refusal::unavailable("the request could not be worked on in time")),
        }
    }

    /// Asks the store on a thread.
    pub(super) async fn stored<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (store, tenant) = (self.store.clone(), self.tenant.clone());
        let answer = self.on_thread(STORE_DEADLINE, move || ask(store.get()?.as_ref(), &tenant)).await?;
        answer.map_err(Refusal::from)
    }

    /// Opens a ticket, or finds the one that waits for the same call.
    pub(super) async fn open_ticket(&self, ticket: Ticket) -> Result<Ticket, Refusal> {
        let id = ticket.request_id.clone();
        let open = self.stored(move |store, _| store.open_ticket(&ticket)).await?;
        if let Some(on_ticket) = self.on_ticket.as_ref().filter(|_| open.request_id == id) {
            on_ticket(&open);
        }
        Ok(open)
    }

    /// As [`App::stored`] for what changes policies or overrides: they hold in this process when it returns.
    pub(super) async fn changed<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let refresh = self.refresh.clone();
        self.stored(move |store, tenant| {
            let changed = ask(store, tenant)?;
            refresh();
            Ok(changed)
        })
        .await
    }

    /// Whether a request may name this tenant and organisation: what it says must not contradict what the server is
    /// set to (the AxonFlow contract, section 1.1).
    pub(super) fn check_tenant(
        &self,
        tenant: Option<&str>,
        organization: Option<&str>,
    ) -> Result<(), Refusal> {
        let contradicts = |asked: Option<&str>, own: &str| {
            let asked = asked.unwrap_or_default();
            !asked.is_empty() && !own.is_empty() && asked != own
        };
        if contradicts(tenant, &self.tenant) {
            return Err(Refusal::forbidden("Tenant mismatch"));
        }
        if contradicts(organization, &self.organization) {
            return Err(Refusal::forbidden("Organization mismatch"));
        }
        Ok(())
    }
}
