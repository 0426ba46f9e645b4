//! The page on which a person decides the calls that wait: alone (`callgate approvals serve`) or as a part of the decision
//! service, under `/approvals`.
//!
//! Whoever can speak to the page decides, so it is told to one person: it is served on the loopback interface, under
//! loopback names, to pages of its own origin, and every request for data carries the key that was made at the start.
//! The key travels in the fragment of the address, which browsers send to nobody, and then in a header that pages of
//! others cannot set and browsers never add by themselves: there is no cookie, since cookies of one port reach every
//! other port of the same name.

mod door;
mod live;
mod view;

use super::auth::Hosts;
use super::body::Input;
use super::hold::reviewer_fault;
use super::limits::{PAGE_JOBS_QUEUED, PAGE_WORKERS, STORE_DEADLINE};
use super::reply::Refusal;
use super::{auth, listen};
use crate::approvals::announced;
use crate::secret::Secret;
use crate::store::{LazyStore, Review, Store, StoreError, Ticket};
use axum::extract::{Path, State};
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use callgate_actors::workers::Workers;
use door::{Keys, door};
use live::{Live, events};
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Longest comment, in characters.
const COMMENT_CHARACTERS: usize = 2000;

/// What a page is made of.
pub struct PageOptions {
    /// Where the tickets are.
    pub store: Arc<LazyStore>,
    /// Whose tickets; empty for an unnamed tenant.
    pub tenant: String,
    /// Who decides unless they name themselves: the account that serves the page.
    pub account: String,
    /// Names besides the loopback ones under which it may be addressed.
    pub more_hosts: Vec<String>,
}

/// One page.
pub struct Page {
    store: Arc<LazyStore>,
    tenant: String,
    account: String,
    hosts: Hosts,
    keys: Keys,
    live: Live,
    workers: Workers,
}

type Shared = State<Arc<Page>>;

impl Page {
    /// A page with a new key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(options: PageOptions) -> std::io::Result<Self> {
        let PageOptions { store, tenant, account, more_hosts } = options;
        Ok(Self {
            store,
            tenant,
            account,
            hosts: Hosts::Loopback(more_hosts),
            keys: Keys::new()?,
            live: Live::default(),
            workers: Workers::new("page", PAGE_WORKERS, PAGE_JOBS_QUEUED),
        })
    }

    /// The address that opens it. For the person who started it, and for nobody else.
    pub fn address(&self, server: SocketAddr) -> Secret {
        Secret::new(format!("{}#key={}", announced::url(server), self.keys.key().expose()))
    }

    /// An address that opens it once and soon: it may be seen by others of this machine, in the arguments of the program
    /// that is told to open it.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn address_for_once(&self, server: SocketAddr) -> std::io::Result<Secret> {
        let code = self.keys.code()?;
        Ok(Secret::new(format!("{}#code={}", announced::url(server), code.expose())))
    }

    /// Ends the streams, so that the server need not wait for them.
    pub fn close(&self) {
        self.live.close();
    }

    /// Asks the store on a thread.
    async fn stored<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (store, tenant) = (self.store.clone(), self.tenant.clone());
        let job = move || ask(store.get()?.as_ref(), &tenant);
        let pending = self.workers.run(job).map_err(|_| Refusal::busy())?;
        match tokio::time::timeout(STORE_DEADLINE, pending).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) => Err(Refusal::unavailable("the request could not be worked on")),
            Err(_) => Err(Refusal::unavailable("the store did not answer in time")),
        }
    }
}

/// Serves the page alone on `listener` until `leave` resolves.
pub async fn serve_page(page: Arc<Page>, listener: TcpListener, leave: impl Future<Output = ()>) {
    let router = router(page.clone()).fallback(super::guard::nowhere);
    let leave = async {
        leave.await;
        page.close();
    };
    listen::serve(listener, router, listen::Bounds::default(), leave).await;
}

/// The paths of the page.
pub(super) fn router(page: Arc<Page>) -> Router {
    Router::new()
        .route("/approvals", get(html))
        .route("/approvals/page.css", get(css))
        .route("/approvals/page.js", get(script))
        .route("/approvals/icon.svg", get(icon))
        .route("/approvals/api/enter", post(door::enter))
        .route("/approvals/api/events", get(events))
        .route("/approvals/api/tickets", get(tickets))
        .route("/approvals/api/tickets/{id}", get(ticket).post(decide))
        .layer(from_fn_with_state(page.clone(), door))
        .with_state(page)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn html() -> Response {
    file("text/html; charset=utf-8", include_str!("page/page.html"))
}

async fn css() -> Response {
    file("text/css; charset=utf-8", include_str!("page/page.css"))
}

async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

async fn icon() -> Response {
    file("image/svg+xml", include_str!("page/icon.svg"))
}

/// What the page shows, once.
async fn tickets(page: Shared) -> Result<Response, Refusal> {
    let shown = page.stored(view::read).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], shown).into_response())
}

/// One ticket, for a page on which it vanished.
async fn ticket(page: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let found = page.stored(move |store, tenant| store.ticket(tenant, &id)).await?;
    let ticket = found.ok_or_else(|| Refusal::unknown("ticket: there is none with this id"))?;
    Ok(Json(json!(view::Shown::of(&ticket))))
}

/// A person's word.
#[derive(Debug, Deserialize)]
struct Word {
    decision: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    name: String,
}

/// Decides a ticket, as the command line does: the first word holds, and whoever comes second is told whose it was
/// (409).
async fn decide(
    page: Shared,
    Path(id): Path<String>,
    Input(word): Input<Word>,
) -> Result<Json<Value>, Refusal> {
    let status = match word.decision.as_str() {
        "approve" => "approved",
        "deny" => "rejected",
        _ => return Err(Refusal::malformed("decision: must be approve or deny")),
    };
    let name = auth::plain(&word.name);
    let review = Review {
        status: status.to_owned(),
        reviewer_id: if name.is_empty() { page.account.clone() } else { name },
        reviewer_email: String::new(),
        comment: word.comment.trim().chars().take(COMMENT_CHARACTERS).collect(),
    };
    let ticket = page.stored(move |store, tenant| decide_in(store, tenant, &id, &review)).await??;
    tracing::info!(ticket = ticket.request_id, status, "a held call was decided on the page");
    page.live.nudge();
    Ok(Json(json!(view::Shown::of(&ticket))))
}

type Decided = Result<Ticket, Refusal>;

fn decide_in(store: &dyn Store, tenant: &str, id: &str, review: &Review) -> Result<Decided, StoreError> {
    let held = store.ticket(tenant, id)?.ok_or_else(|| StoreError::Missing(format!("ticket {id:?}")))?;
    // The service does not redeem a grant of the caller's own.
    let is_of_the_service = held.request_context.get("plane").is_some();
    let as_reviewed = Ticket { reviewer_id: Some(review.reviewer_id.clone()), ..held };
    if review.status == "approved" && is_of_the_service && reviewer_fault(&as_reviewed, "").is_some() {
        let text = "approval_reviewer_excluded: the one who asks cannot say yes; name yourself otherwise";
        return Ok(Err(Refusal::forbidden(text)));
    }
    store.decide_ticket(tenant, id, review).map(Ok)
}
