//! The decision service: the AxonFlow API on the embedded policies, for a fleet of gates and for clients of that
//! platform (`callgate pdp`).
//!
//! One process serves one tenant. Its state is in the store, so that several instances behind a balancer say the same.
//! What differs from AxonFlow stands in `docs/pdp-server.md`.

mod auth;
mod body;
mod check;
mod connectors;
mod context;
mod decide;
mod decisions;
mod guard;
mod handshake;
mod health;
mod hitl;
mod hold;
mod idempotency;
mod judge;
pub mod limits;
mod listen;
mod overrides;
mod page;
mod policies;
mod query;
mod recorder;
mod reply;
mod rows;
mod state;

pub use auth::{Credentials, Hosts};
pub use connectors::Connectors;
pub use page::{Page, PageOptions, serve_page};
pub use state::{OnTicket, Parts, Refresh};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use state::App;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves `listener` until `leave` resolves; then lets open requests end, writes the last decisions, and ends the
/// backends.
pub async fn serve(parts: Parts, listener: TcpListener, leave: impl Future<Output = ()>) {
    let page = parts.page.clone();
    let app = Arc::new(App::new(parts));
    let leave = async {
        leave.await;
        if let Some(page) = &page {
            page.close();
        }
    };
    listen::serve(listener, router(app.clone(), page.clone()), listen::Bounds::default(), leave).await;
    app.recorder.close().await;
    if let Some(connectors) = &app.connectors {
        connectors.stop();
    }
}

/// Every path. A method that a path has not is answered with 405 and `Allow`.
fn router(app: Arc<App>, page: Option<Arc<Page>>) -> Router {
    let policy = get(policies::get).put(policies::update).patch(policies::patch).delete(policies::delete);
    let of_policy = post(overrides::create_for).delete(overrides::delete_for);
    let api = Router::new()
        .route("/health", get(health::health))
        .route("/api/v1/decide", post(decide::decide))
        .route("/api/v1/mcp/check-input", post(check::input))
        .route("/api/v1/mcp/check-output", post(check::output))
        .route("/api/v1/decisions", get(decisions::list))
        .route("/api/v1/decisions/{id}/explain", get(decisions::explain))
        .route("/api/v1/audit/search", post(decisions::search))
        .route("/api/v1/audit/tenant/{id}", get(decisions::of_tenant))
        .route("/api/v1/static-policies", get(policies::list).post(policies::create))
        .route("/api/v1/static-policies/effective", get(policies::effective))
        .route("/api/v1/static-policies/test", post(policies::test))
        .route("/api/v1/static-policies/overrides", get(overrides::list))
        .route("/api/v1/static-policies/{id}", policy)
        .route("/api/v1/static-policies/{id}/versions", get(policies::versions))
        .route("/api/v1/static-policies/{id}/override", of_policy)
        .route("/api/v1/overrides", get(overrides::list).post(overrides::create))
        .route("/api/v1/overrides/{id}", get(overrides::get).delete(overrides::delete))
        .route("/api/v1/hitl/queue", get(hitl::list).post(hitl::create))
        .route("/api/v1/hitl/queue/{id}", get(hitl::get))
        .route("/api/v1/hitl/queue/{id}/approve", post(hitl::approve))
        .route("/api/v1/hitl/queue/{id}/reject", post(hitl::reject))
        .route("/api/v1/hitl/queue/{id}/override", post(hitl::overrule))
        .route("/api/v1/hitl/queue/{id}/history", get(hitl::history))
        .route("/api/v1/hitl/stats", get(hitl::stats))
        .route("/api/v1/hitl/status", get(hitl::status))
        .route("/api/v1/hitl/expire", post(hitl::expire))
        .route("/mcp/resources/query", post(connectors::query))
        .route("/mcp/connectors", get(connectors::list))
        .route("/api/request", post(connectors::request))
        .route("/api/v1/connectors", get(connectors::list))
        .route("/api/v1/connectors/{id}", get(connectors::show))
        .route("/api/v1/connectors/{id}/health", get(connectors::health))
        .fallback(guard::nowhere)
        .with_state(app.clone());
    let all = match page {
        Some(page) => api.merge(page::router(page)),
        None => api,
    };
    all.layer(from_fn_with_state(app, guard::guard))
}
