//! Requests of the backend's toward the client, and the client's answers on their way back.

use super::{BackendMessage, Incarnation};
use crate::backend::link::Kind;
use crate::face::Face;
use crate::front::Asker;
use crate::wire::codes::{ErrorObject, INVALID_REQUEST};
use crate::wire::envelope::{self, Body};
use crate::wire::splice::splice;
use crate::wire::write::{self, Line};
use crate::wire::{skim, strict};
use bytes::Bytes;
use ractor::ActorRef;
use std::sync::atomic::Ordering;

impl Incarnation {
    pub(super) fn request(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: Bytes,
        method: &str,
        params: Option<Bytes>,
    ) -> Result<(), String> {
        if !envelope::is_id(&id) {
            self.noise(&id);
            return Ok(());
        }
        if method == "ping" && self.start.face == Face::Gate {
            return self.send(Kind::Notice, Line::result(&id, Bytes::from_static(b"{}")));
        }
        if self.asks.contains_key(&id) {
            self.noise(&id);
            return Ok(());
        }
        if params.as_ref().is_some_and(|params| strict::check(params).is_err()) {
            // A question with two readings: a person could be shown another one than the gate has looked at.
            let error =
                ErrorObject::new(INVALID_REQUEST, "the request has more than one reading").into_bytes();
            return self.send(Kind::Notice, Line::error(&id, error));
        }
        let params = params.map(|params| self.signed(method, params));
        let asker = Box::new(BackendAsker { actor: myself.clone(), id: id.clone() });
        match self.start.front.ask(&self.start.id, method, params, asker) {
            Ok(ask) => {
                self.asks.insert(id, ask);
                self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
                Ok(())
            }
            Err(error) => self.send(Kind::Notice, Line::error(&id, error)),
        }
    }

    /// A person must see which server asks: the client only knows the gate.
    pub(super) fn signed(&self, method: &str, params: Bytes) -> Bytes {
        if method != "elicitation/create" || !self.start.is_one_of_several {
            return params;
        }
        let Some(span) = skim::member(&params, "message") else { return params };
        let Some(message) = skim::string(&params[span.clone()]) else { return params };
        let mut raw = Vec::new();
        write::string(&mut raw, &format!("[{}] {message}", self.start.id));
        splice(&params, &[(span, &raw)]).into()
    }

    pub(super) fn client_answered(&mut self, id: &Bytes, body: Body) -> Result<(), String> {
        if self.asks.remove(id).is_none() {
            return Ok(());
        }
        self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
        let line = match body {
            Body::Result(result) => Line::result(id, result),
            Body::Error(error) => Line::error(id, error),
        };
        self.send(Kind::Notice, line)
    }

    pub(super) fn backend_cancels(&mut self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "requestId") else { return };
        if let Some(ask) = self.asks.remove(&params[span]) {
            self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
            self.start.front.cancel_ask(ask, "the backend took its request back");
        }
    }
}

/// A backend that waits for the client's answer.
struct BackendAsker {
    actor: ActorRef<BackendMessage>,
    id: Bytes,
}

impl Asker for BackendAsker {
    fn answered(self: Box<Self>, body: Body) {
        let _ = self.actor.send_message(BackendMessage::ClientAnswered { id: self.id, body });
    }

    fn progress(&self, params: Bytes) {
        let method = "notifications/progress".into();
        let _ = self.actor.send_message(BackendMessage::Notify { method, params: Some(params) });
    }
}
