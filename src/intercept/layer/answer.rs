//! What the handler answered, as the client may see it.

use super::body::is_limit;
use super::events::{self, Guard};
use super::{LayerSettings, refuse};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use callgate_actors::flow::outside::{Errand, redact_unknown};
use callgate_actors::ports::{Carrier, Outcome};
use callgate_actors::wire::codes::{ErrorObject, UNAVAILABLE};
use callgate_actors::wire::skim;
use callgate_actors::wire::write::string;

/// The answer to a call that was let through.
pub(super) async fn of_call(
    settings: &LayerSettings,
    id: Bytes,
    errand: Errand,
    response: Response<Body>,
) -> Response<Body> {
    if !settings.masks {
        let outcome = if response.status().is_success() { Outcome::Ok } else { Outcome::Failed };
        return match errand.end(outcome).await {
            Ok(()) => response,
            Err(error) => refuse::event(&id, &error),
        };
    }
    let guard = Guard::new(settings, Some(id), Some(errand));
    guarded(settings, guard, response).await
}

/// The answer to something that is no call and holds what one brought.
pub(super) async fn of_no_call(
    settings: &LayerSettings,
    id: Option<Bytes>,
    response: Response<Body>,
) -> Response<Body> {
    guarded(settings, Guard::new(settings, id, None), response).await
}

async fn guarded(settings: &LayerSettings, mut guard: Guard, response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return withheld(guard, "it is compressed; put compression outside of this layer").await;
    }
    let is_stream = is(&head.headers, "text/event-stream");
    let limit = settings.interceptor.limit;
    if is_stream {
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, events::masked(guard, body, limit));
    }
    let bytes = match to_bytes(body, limit).await {
        Ok(bytes) => bytes,
        Err(error) if is_limit(&error) => {
            return withheld(guard, &format!("it is longer than {limit} bytes")).await;
        }
        Err(_) => return withheld(guard, "it broke off").await,
    };
    let shown = if bytes.is_empty() {
        guard.nothing_more(head.status.is_success()).await;
        Ok(bytes)
    } else if is(&head.headers, "application/json") {
        json(&mut guard, bytes, head.status.is_success()).await
    } else if head.status.is_success() {
        Err("it is neither JSON nor an event stream".to_owned())
    } else {
        plain_text(&mut guard, &bytes).await
    };
    match shown {
        Ok(shown) => {
            guard.nothing_more(head.status.is_success()).await;
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(shown.len()));
            Response::from_parts(head, Body::from(shown))
        }
        Err(why) => withheld(guard, &why).await,
    }
}

/// A message, or some other JSON, which servers answer with when they refuse a request.
async fn json(guard: &mut Guard, bytes: Bytes, must_be_message: bool) -> Result<Bytes, String> {
    if must_be_message || skim::member(&bytes, "jsonrpc").is_some() {
        return match guard.message(bytes).await {
            Ok(Some(line)) => Ok(line.to_bytes()),
            Ok(None) => Err("it is no answer to this request".into()),
            Err(why) => Err(why),
        };
    }
    guard.other(bytes).await
}

/// A text that says why a request was refused, masked as the JSON text that it would be.
async fn plain_text(guard: &mut Guard, bytes: &Bytes) -> Result<Bytes, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let mut quoted = Vec::new();
    string(&mut quoted, text);
    let masked = guard.other(quoted.into()).await?;
    let text = skim::string(&masked).ok_or_else(|| "it could not be masked".to_owned())?;
    Ok(text.into())
}

async fn withheld(guard: Guard, why: &str) -> Response<Body> {
    let (id, error) = guard.withhold(format!("the answer cannot be masked: {why}")).await;
    refuse::event(&id, &error)
}

fn is(headers: &HeaderMap, kind: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let own = value.split(';').next().unwrap_or_default().trim();
    own.eq_ignore_ascii_case(kind)
}

impl Guard {
    /// JSON that is no message. It stands where an error is expected.
    async fn other(&mut self, bytes: Bytes) -> Result<Bytes, String> {
        let masked = match &self.errand {
            Some(errand) => errand.redact(Carrier::Error, bytes).await,
            None => self.redact_unknown(Carrier::ToolResult, bytes).await,
        };
        masked.map_err(|withheld| withheld.reason)
    }

    pub(super) async fn redact_unknown(
        &self,
        carrier: Carrier,
        json: Bytes,
    ) -> Result<Bytes, callgate_actors::ports::Withheld> {
        let engine = &self.interceptor.engine;
        redact_unknown(&engine.machine, &self.interceptor.server, carrier, json, &engine.runtime).await
    }

    /// The handler has said all it has to say.
    async fn nothing_more(&mut self, is_success: bool) {
        let outcome = if is_success { Outcome::Unknown } else { Outcome::Failed };
        if let Some(errand) = self.errand.take()
            && let Err(error) = errand.end(outcome).await
        {
            tracing::error!("an audit row was not written: {}", String::from_utf8_lossy(&error));
        }
    }

    /// Ends the call without its answer. The raw id and error for the client.
    pub(super) async fn withhold(mut self, why: String) -> (Bytes, Bytes) {
        let id = self.id.clone().unwrap_or(Bytes::from_static(b"null"));
        match self.errand.take() {
            Some(errand) => (id, errand.withhold(why).await),
            None => (id, ErrorObject::new(UNAVAILABLE, why).text("outcome", "withheld").into_bytes()),
        }
    }
}
