//! A tower layer for a Streamable HTTP endpoint (MCP, "Streamable HTTP"): every `tools/call` that is posted to it is decided
//! before the handler sees it, and what the handler answers is masked before the client sees it.

mod answer;
mod body;
mod events;
mod message;
mod refuse;

use super::Interceptor;
use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, Request, Response, header};
use callgate_actors::flow::outside::{self, Asked, Question};
use message::{Read, ToolCall};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Longest body of a request: what a policy service takes, too.
const BODY_BYTES: usize = crate::server::limits::BODY_BYTES;
/// The header that asks for what a broken stream still had to say.
const LAST_EVENT_ID: &str = "last-event-id";

/// Governs the `POST /mcp` handler under it.
///
/// A `tools/call` is decided as by [`Interceptor::intercept_tool_call`]. An allowed one reaches the handler as it came, or with
/// the arguments that a policy changed. A blocked one is answered with status 200 and one server-sent event that holds the
/// JSON-RPC error. Answers are masked, as JSON and as event streams, event by event; what cannot be masked is withheld.
///
/// Every other message and method passes byte for byte. A body that is no JSON-RPC message with one reading is refused with
/// 400 (it could be a call to whoever reads it otherwise), and so is a batch, as its calls would be answered together;
/// one that is too long with 413. Those answers are `application/json`.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use callgate::intercept::{CallgateLayer, Interceptor};
/// use serde_json::{Value, json};
///
/// async fn mcp(Json(message): Json<Value>) -> Json<Value> {
///     Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}))
/// }
///
/// # let state = tempfile::tempdir()?;
/// let interceptor = Interceptor::builder().deny(["delete_*"])
/// #   .state_dir(state.path())
///     .build()?;
/// let app: Router = Router::new().route("/mcp", post(mcp).layer(CallgateLayer::new(interceptor)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What it leaves to the application: `Host`, `Origin` and authentication (put those layers outside of this one), and
/// compression (outside, too: a compressed answer cannot be read and is withheld). Answers to other methods are not masked,
/// but for `tasks/result` and for streams that a client takes up again with `Last-Event-ID`, since both hold answers of
/// calls. What the handler sends of its own accord on a plain GET stream is not masked.
#[derive(Clone, Debug)]
pub struct CallgateLayer {
    settings: Arc<LayerSettings>,
}

#[derive(Clone, Debug)]
pub(super) struct LayerSettings {
    pub(super) interceptor: Interceptor,
    path: Option<String>,
    body_limit: usize,
    pub(super) masks: bool,
}

impl CallgateLayer {
    /// Governs every POST that passes it.
    pub fn new(interceptor: Interceptor) -> Self {
        let settings = LayerSettings { interceptor, path: None, body_limit: BODY_BYTES, masks: true };
        Self { settings: Arc::new(settings) }
    }

    /// Lets requests for other paths than this one pass untouched: for a layer over a whole application. Other spellings of
    /// the path (case, slashes, percent signs) are still taken for it.
    #[must_use]
    pub fn only(self, path: &str) -> Self {
        self.with(|settings| settings.path = Some(plain(path)))
    }

    /// Longest body of a request in bytes, 8 MiB unless it is set.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.body_limit = bytes)
    }

    /// Leaves answers as they are. The row of a call then says what became of it as far as the status tells: `ok` once the
    /// handler has begun to answer with a success.
    #[must_use]
    pub fn without_masking(self) -> Self {
        self.with(|settings| settings.masks = false)
    }

    fn with(self, change: impl FnOnce(&mut LayerSettings)) -> Self {
        let mut settings = (*self.settings).clone();
        change(&mut settings);
        Self { settings: Arc::new(settings) }
    }
}

impl<S> Layer<S> for CallgateLayer {
    type Service = CallgateService<S>;

    fn layer(&self, inner: S) -> CallgateService<S> {
        CallgateService { inner, settings: self.settings.clone() }
    }
}

/// A handler behind a [`CallgateLayer`].
#[derive(Clone, Debug)]
pub struct CallgateService<S> {
    inner: S,
    settings: Arc<LayerSettings>,
}

impl<S, B, R> Service<Request<B>> for CallgateService<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = self.settings.clone();
        let next = self.inner.clone();
        // The one that was asked whether it is ready must take the request.
        let mut inner = std::mem::replace(&mut self.inner, next);
        let request = request.map(Body::new);
        Box::pin(async move {
            let handler = move |request| {
                let answer = inner.call(request);
                async move { answer.await.map(|response| response.map(Body::new)) }
            };
            settings.govern(request, handler).await
        })
    }
}

impl LayerSettings {
    async fn govern<E, F: Future<Output = Result<Response<Body>, E>> + Send>(
        &self,
        request: Request<Body>,
        handler: impl FnOnce(Request<Body>) -> F,
    ) -> Result<Response<Body>, E> {
        if self.path.as_ref().is_some_and(|path| *path != plain(request.uri().path())) {
            return handler(request).await;
        }
        if request.method() == Method::GET && self.masks && request.headers().contains_key(LAST_EVENT_ID) {
            return Ok(answer::of_no_call(self, None, handler(request).await?).await);
        }
        if request.method() != Method::POST {
            return handler(request).await;
        }
        let (mut head, body) = request.into_parts();
        let bytes = match body::read(&head.headers, body, self.body_limit).await {
            Ok(bytes) => bytes,
            Err(refused) => return Ok(refused.response()),
        };
        let call = match message::read(&head.headers, &bytes) {
            Read::Passes => return handler(Request::from_parts(head, Body::from(bytes))).await,
            Read::BringsAnswers(id) => {
                head.headers.remove(header::ACCEPT_ENCODING);
                let answered = handler(Request::from_parts(head, Body::from(bytes))).await?;
                return Ok(match self.masks {
                    true => answer::of_no_call(self, Some(id), answered).await,
                    false => answered,
                });
            }
            Read::Refused { refused, calls } => {
                self.record_malformed(calls);
                return Ok(refused.response());
            }
            Read::Call(call) => call,
        };
        let mut errand = match self.interceptor.engine.ask(self.question(&call)).await {
            Some(Asked::Runs(errand)) => errand,
            Some(Asked::Blocked(blocked)) => return Ok(refuse::event(&call.id, &blocked.error)),
            None => return Ok(refuse::event(&call.id, &refuse::no_decision())),
        };
        let bytes = match errand.arguments() {
            Some(changed) => call.with_arguments(&bytes, changed, &mut head.headers),
            None => bytes,
        };
        head.headers.remove(header::ACCEPT_ENCODING);
        errand.claim();
        match handler(Request::from_parts(head, Body::from(bytes))).await {
            Ok(answered) => Ok(answer::of_call(self, call.id, errand, answered).await),
            // Dropping the errand says that nothing more is known of the call.
            Err(error) => Err(error),
        }
    }

    fn question(&self, call: &ToolCall) -> Question {
        let mut question = self.interceptor.question(&call.name, &serde_json::Value::Null);
        question.arguments.clone_from(&call.arguments);
        question.meta.clone_from(&call.meta);
        question
    }

    /// A call that could not be read has its row like any other.
    fn record_malformed(&self, calls: usize) {
        let engine = &self.interceptor.engine;
        for _ in 0..calls {
            let row = outside::record_malformed(engine.machine.clone());
            engine.machine.flows.spawn_on(row, &engine.runtime);
        }
    }
}

/// A path without what programs read in two ways: percent signs, case, doubled slashes and one at the end.
fn plain(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    let text = String::from_utf8_lossy(&decoded).to_lowercase();
    text.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn another_spelling_of_the_path_is_the_same_path() {
        for same in ["/mcp", "/mcp/", "//MCP", "/%6Dcp", "/m%63p/"] {
            assert_eq!(plain(same), "mcp", "{same}");
        }
        for other in ["/mcp/x", "/", "/mcpx", "/%"] {
            assert_ne!(plain(other), "mcp", "{other}");
        }
    }
}
