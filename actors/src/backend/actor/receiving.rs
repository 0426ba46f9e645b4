//! From the backend: answers, notifications, noise.

use super::{BackendMessage, Incarnation, Phase, Report};
use crate::backend::Lost;
use crate::backend::catalogue::List;
use crate::backend::pending::{OwnRequest, Waiter};
use crate::gate::Permit;
use crate::limits::REFRESH_PAUSE;
use crate::wire::envelope::{self, Body, Message};
use crate::wire::frame::Frame;
use crate::wire::skim;
use crate::wire::splice::{set_member, splice};
use crate::wire::write;
use bytes::Bytes;
use ractor::ActorRef;

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
            Frame::TooLong { prefix, len } => {
                self.too_long(&prefix, len);
                Ok(())
            }
        }
    }

    pub(super) fn message(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        line: &Bytes,
        place: Permit,
    ) -> Result<(), String> {
        match envelope::read_backend(line) {
            Some(Message::Response { id, body }) => self.response(myself, &id, body),
            Some(Message::Notification { method, params }) => {
                self.flood.note(&self.start.id, place);
                self.notification(myself, &method, params);
                Ok(())
            }
            Some(Message::Request { id, method, params }) => {
                self.flood.note(&self.start.id, place);
                self.request(myself, id, &method, params)
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
        let is_batch = skim::elements(line, |range| parts.push(line.slice(range))).is_some();
        if !is_batch || parts.iter().any(|part| part.first() != Some(&b'{')) {
            self.flood.note(&self.start.id, place);
            self.noise(line);
            return Ok(());
        }
        for part in &parts {
            if let Some(Message::Response { id, body }) = envelope::read_backend(part) {
                self.response(myself, &id, body)?;
            }
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

    pub(super) fn too_long(&mut self, prefix: &[u8], len: usize) {
        let why = format!(
            "answered with {len} bytes on one line, more than the limit of {}",
            self.start.link.max_line
        );
        tracing::warn!(backend = %self.start.id, len, "a line is longer than the limit and was skipped");
        // The prefix is cut, so the envelope cannot be read whole; the id stands before the body in practice.
        let id = envelope_id_in(prefix).and_then(|raw| envelope::our_id(&raw));
        if let Some(Waiter::Flow(flow)) = id.and_then(|id| self.pending.take(id)) {
            flow.answer(Err(Lost::Unknown(why)));
        }
    }

    pub(super) fn response(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: &[u8],
        body: Body,
    ) -> Result<(), String> {
        let ours = envelope::our_id(id);
        // An empty answer ends a call, which would wait for nothing; to what the gate itself asks it is noise, such as a
        // banner, and the answer may still come.
        let is_empty = matches!(&body, Body::Error(error) if &error[..] == envelope::NEITHER);
        let ours = ours.filter(|id| !is_empty || self.pending.flow(*id).is_some());
        let Some(waiter) = ours.and_then(|id| self.pending.take(id)) else {
            self.noise(id);
            return Ok(());
        };
        match waiter {
            Waiter::Flow(flow) => {
                if !self.has_worked {
                    self.has_worked = true;
                    (self.start.report)(Report::Worked);
                }
                flow.answer(Ok(body));
                Ok(())
            }
            Waiter::Own(OwnRequest::Initialize) => self.initialized(&body),
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
            _ if !self.start.is_one_of_several && self.phase == Phase::Ready => {
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
        let own = skim::member(&params, "logger").and_then(|range| skim::string(&params[range]));
        let name = own.map_or_else(|| self.start.id.to_string(), |own| format!("{}/{own}", self.start.id));
        let mut raw = Vec::new();
        write::string(&mut raw, &name);
        set_member(&params, "logger", &raw).into()
    }

    pub(super) fn changed(&mut self, myself: &ActorRef<BackendMessage>, lists: &[List]) {
        if self.phase == Phase::Ready || self.phase == Phase::Listing {
            self.stale.extend(lists);
            self.refresh_soon(myself);
        }
    }

    /// Many notices, one refresh.
    pub(super) fn refresh_soon(&mut self, myself: &ActorRef<BackendMessage>) {
        if !self.refresh_is_due {
            self.refresh_is_due = true;
            myself.send_after(REFRESH_PAUSE, || BackendMessage::RefreshDue);
        }
    }

    pub(super) fn refresh(&mut self) -> Result<(), String> {
        self.refresh_is_due = false;
        for list in std::mem::take(&mut self.stale) {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(list)?;
            }
        }
        Ok(())
    }

    pub(super) fn resource_updated(&self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "uri") else { return };
        let Some(own) = skim::string(&params[span.clone()]) else { return };
        for (exposed, _) in self.start.front.subscribed(&self.start.id).iter().filter(|(_, uri)| *uri == own)
        {
            let mut raw = Vec::new();
            write::string(&mut raw, exposed);
            let params = splice(&params, &[(span.clone(), &raw)]);
            self.start.front.notice(&self.start.id, "notifications/resources/updated", Some(params.into()));
        }
    }
}

/// The raw id in the cut beginning of a response.
fn envelope_id_in(prefix: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memmem::find(prefix, b"\"id\":")? + 5;
    let rest = prefix.get(at..)?;
    let digits: Vec<u8> = rest
        .iter()
        .copied()
        .skip_while(|b| matches!(b, b' ' | b'"'))
        .take_while(u8::is_ascii_digit)
        .collect();
    (!digits.is_empty()).then_some(digits)
}
