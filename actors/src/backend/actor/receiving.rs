//! From the backend: answers, notifications, noise.

use super::{BackendMessage, Incarnation, Phase, Report};
use crate::backend::Lost;
use crate::backend::catalogue::List;
use crate::backend::pending::{OwnRequest, Waiter};
use crate::gate::Permit;
use crate::limits::{BACKEND_IN_FLIGHT, LIGHT_ANSWER_BYTES, MAX_METHOD_BYTES, REFRESH_PAUSE};
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR};
use crate::wire::envelope::{self, Body, Message};
use crate::wire::frame::Frame;
use crate::wire::splice::{set_member, splice};
use crate::wire::write;
use crate::wire::{skim, strict};
use bytes::Bytes;
use ractor::ActorRef;
use std::time::Duration;

impl Incarnation {
    pub(super) fn frame(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        frame: Frame,
        place: Permit,
    ) -> Result<(), String> {
        self.silent_timeouts = 0;
        match frame {
            Frame::Line(line) => self.message(myself, &line, place),
            Frame::TooLong { prefix, len } => self.too_long(myself, &prefix, len),
        }
    }

    pub(super) fn message(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        line: &Bytes,
        place: Permit,
    ) -> Result<(), String> {
        match envelope::read_backend(line) {
            Some(Message::Response { id, body }) => {
                let body = match body {
                    Body::Result(result) => Body::Result(alone(line, result)),
                    Body::Error(error) => Body::Error(alone(line, error)),
                };
                self.response(myself, &id, body, place)
            }
            Some(Message::Notification { method, params }) => {
                self.flood.note(&self.start.id, place);
                self.notification(myself, &method, params.map(|params| alone(line, params)));
                Ok(())
            }
            Some(Message::Request { id, method, params }) => {
                self.flood.note(&self.start.id, place);
                let id = Bytes::copy_from_slice(&id);
                self.request(myself, id, &method, params.map(|params| alone(line, params)))
            }
            None => self.batch_or_noise(myself, line, place),
        }
    }

    /// MCP 2025-03-26 lets a server answer in batches; anything else is noise: a banner, a stray print.
    pub(super) fn batch_or_noise(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        line: &Bytes,
        place: Permit,
    ) -> Result<(), String> {
        let mut parts = Vec::new();
        let is_batch = skim::elements(line, |range| {
            // One more than there can be answers shows that it is none.
            if parts.len() <= BACKEND_IN_FLIGHT {
                parts.push(line.slice(range));
            }
        });
        let is_batch = is_batch.is_some() && parts.len() <= BACKEND_IN_FLIGHT;
        if !is_batch || parts.iter().any(|part| part.first() != Some(&b'{')) {
            self.flood.note(&self.start.id, place);
            self.noise(line);
            return Ok(());
        }
        let mut place = Some(place);
        for part in &parts {
            if let Some(Message::Response { id, body }) = envelope::read_backend(part) {
                self.take_response(myself, &id, body, &mut place)?;
            }
        }
        if let Some(place) = place {
            self.flood.note(&self.start.id, place);
        }
        Ok(())
    }

    pub(super) fn noise(&mut self, line: &[u8]) {
        self.noise += 1;
        if self.noise <= 3 || self.noise.is_power_of_two() {
            let text = String::from_utf8_lossy(&line[..line.len().min(120)]);
            let (backend, count) = (&self.start.id, self.noise);
            tracing::warn!(%backend, count, "what it printed is no message: {}", text.escape_debug());
        }
    }

    pub(super) fn too_long(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        prefix: &[u8],
        len: usize,
    ) -> Result<(), String> {
        let why = format!(
            "answered with {len} bytes on one line, more than the limit of {}",
            self.start.link.max_line
        );
        tracing::warn!(backend = %self.start.id, len, "a line is longer than the limit and was skipped");
        match id_before_cut(prefix).and_then(|id| self.pending.take(id)) {
            Some(Waiter::Flow(flow)) => flow.answer(Err(Lost::Failed(why))),
            Some(Waiter::Own(OwnRequest::Page(list))) => {
                let error = ErrorObject::new(INTERNAL_ERROR, why).into_bytes();
                return self.page(myself, list, &Body::Error(error));
            }
            Some(Waiter::Own(OwnRequest::Initialize)) => return Err(why),
            Some(Waiter::Own(OwnRequest::Restore(_)) | Waiter::Zombie) | None => {}
        }
        Ok(())
    }

    pub(super) fn response(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: &[u8],
        body: Body,
        place: Permit,
    ) -> Result<(), String> {
        self.take_response(myself, id, body, &mut Some(place))
    }

    /// Takes an answer. One that nobody waits for uses up the line's place, as a flood of them would.
    fn take_response(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: &[u8],
        body: Body,
        place: &mut Option<Permit>,
    ) -> Result<(), String> {
        let ours = envelope::our_id(id);
        // An empty answer ends a call, which would wait for nothing; to what the gate itself asks it is noise, such as a
        // banner, and the answer may still come.
        let is_empty = matches!(&body, Body::Error(error) if &error[..] == envelope::NEITHER);
        let ours = ours.filter(|id| !is_empty || self.pending.flow(*id).is_some());
        let Some(waiter) = ours.and_then(|id| self.pending.take(id)) else {
            self.noise(id);
            if let Some(place) = place.take() {
                self.flood.note(&self.start.id, place);
            }
            return Ok(());
        };
        match waiter {
            Waiter::Flow(flow) => {
                if !self.has_worked {
                    self.has_worked = true;
                    (self.start.report)(Report::Worked);
                }
                let told = ours.map_or(Ok(()), |id| self.relayed(myself, id, &body));
                flow.answer(Ok(body));
                told
            }
            Waiter::Own(OwnRequest::Initialize) => self.initialized(myself, &body),
            Waiter::Own(OwnRequest::Page(list)) => self.page(myself, list, &body),
            Waiter::Own(OwnRequest::Restore(method)) => {
                if let Body::Error(error) = body {
                    let why = crate::wire::codes::message_of(&error);
                    tracing::warn!(backend = %self.start.id, method, "could not be set again after the start: {why}");
                }
                Ok(())
            }
            Waiter::Zombie => {
                tracing::info!(backend = %self.start.id, "answered a request that was taken back; it may have been executed");
                Ok(())
            }
        }
    }

    pub(super) fn notification(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        method: &str,
        params: Option<Bytes>,
    ) {
        let front = self.start.front.clone();
        if method.len() > MAX_METHOD_BYTES {
            return self.noise(&method.as_bytes()[..MAX_METHOD_BYTES]);
        }
        if self.start.face.is_backend() && method.ends_with("/list_changed") {
            front.notice(&self.start.id, method, params.clone());
        }
        match method {
            "notifications/progress" => self.progress(params),
            "notifications/message" => {
                front.notice(&self.start.id, method, params.map(|params| self.named_logger(params)));
            }
            "notifications/tools/list_changed" => self.changed(myself, &[List::Tools]),
            "notifications/prompts/list_changed" => self.changed(myself, &[List::Prompts]),
            "notifications/resources/list_changed" => {
                self.changed(myself, &[List::Resources, List::Templates]);
            }
            "notifications/resources/updated" => self.resource_updated(params),
            "notifications/cancelled" => self.backend_cancels(params),
            "notifications/elicitation/complete" => front.notice(&self.start.id, method, params),
            _ if !self.start.is_one_of_several && self.takes_requests() => {
                front.notice(&self.start.id, method, params);
            }
            _ => tracing::debug!(backend = %self.start.id, method, "an unknown notification was dropped"),
        }
    }

    pub(super) fn progress(&mut self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "progressToken") else { return };
        let Some(flow) = envelope::our_id(&params[span.clone()]).and_then(|id| self.pending.flow(id)) else {
            return;
        };
        flow.activity.note();
        if let Some(token) = &flow.progress {
            let params = splice(&params, &[(span, &token.raw)]);
            self.start.front.notice(&self.start.id, "notifications/progress", Some(params.into()));
        }
    }

    /// With several backends the logger's name begins with the backend's id.
    pub(super) fn named_logger(&self, params: Bytes) -> Bytes {
        if !self.start.is_one_of_several || params.first() != Some(&b'{') {
            return params;
        }
        if strict::check(&params).is_err() {
            // A name that stands twice could be read as another server's.
            return Bytes::from_static(b"{}");
        }
        let own = skim::member(&params, "logger").and_then(|range| skim::string(&params[range]));
        let name = own.map_or_else(|| self.start.id.to_string(), |own| format!("{}/{own}", self.start.id));
        let mut raw = Vec::new();
        write::string(&mut raw, &name);
        set_member(&params, "logger", &raw).into()
    }

    pub(super) fn changed(&mut self, myself: &ActorRef<BackendMessage>, lists: &[List]) {
        if self.phase == Phase::Ready || self.phase == Phase::Listing {
            self.stale.extend(lists);
            self.refresh_after(myself, REFRESH_PAUSE);
        }
    }

    /// Many notices, one refresh.
    pub(super) fn refresh_after(&mut self, myself: &ActorRef<BackendMessage>, pause: Duration) {
        if !self.refresh_is_due {
            self.refresh_is_due = true;
            myself.send_after(pause, || BackendMessage::RefreshDue);
        }
    }

    pub(super) fn refresh(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        self.refresh_is_due = false;
        for list in std::mem::take(&mut self.stale) {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(myself, list)?;
            }
        }
        Ok(())
    }

    pub(super) fn resource_updated(&self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "uri") else { return };
        let Some(own) = skim::string(&params[span.clone()]) else { return };
        let subscribed = self.start.front.subscribed(&self.start.id);
        let mut exposed = subscribed.iter().filter(|(_, uri)| *uri == own).peekable();
        if self.start.face.is_backend() && exposed.peek().is_none() {
            return self.start.front.notice(&self.start.id, "notifications/resources/updated", Some(params));
        }
        for (exposed, _) in exposed {
            let mut raw = Vec::new();
            write::string(&mut raw, exposed);
            let params = splice(&params, &[(span.clone(), &raw)]);
            self.start.front.notice(&self.start.id, "notifications/resources/updated", Some(params.into()));
        }
    }
}

/// Our id of a response whose line was cut: a member of its own before the cut, in a message without a method. An id
/// further in is content.
fn id_before_cut(prefix: &[u8]) -> Option<u64> {
    let (mut id, mut has_method) = (None, false);
    // The text ends in the middle of a member, so this says "not an object"; the members before have been seen.
    let _ = skim::members(prefix, |key, value| match &prefix[key] {
        b"id" => id = envelope::our_id(&prefix[value]),
        b"method" => has_method = true,
        _ => {}
    });
    id.filter(|_| !has_method)
}

/// A small part of a large line in memory of its own: kept as a slice it would keep the whole line.
fn alone(line: &Bytes, part: Bytes) -> Bytes {
    if line.len() > LIGHT_ANSWER_BYTES && part.len() < line.len() / 2 {
        return Bytes::copy_from_slice(&part);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_the_message_itself_counts() {
        assert_eq!(id_before_cut(br#"{"jsonrpc":"2.0","id":7,"result":{"a":[1,2"#), Some(7));
        assert_eq!(id_before_cut(br#"{"jsonrpc":"2.0","method":"n","params":{"id":7,"x":"#), None);
        assert_eq!(id_before_cut(br#"{"result":{"content":[],"id":7},"more":"#), None);
        assert_eq!(id_before_cut(br#"{"id":7,"method":"n","params":{"#), None);
    }
}
