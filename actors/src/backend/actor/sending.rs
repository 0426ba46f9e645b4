//! Toward the backend: requests of flows, requests of our own, cancellations.

use super::Incarnation;
use crate::backend::link::{Kind, Link, request};
use crate::backend::pending::{FlowWaiter, OwnRequest, Waiter};
use crate::backend::{Forward, Lost};
use crate::face::Face;
use crate::limits::SILENT_TIMEOUTS;
use crate::wire::splice::splice;
use crate::wire::write::{self, Line};
use bytes::Bytes;

impl Incarnation {
    pub(super) fn forward(&mut self, forward: Forward) {
        if !self.takes_requests() || self.lost_session.is_some() || forward.reply.is_abandoned() {
            return;
        }
        let Some(link) = &self.link else { return };
        let line_number = link.next_line();
        let id = self.pending.next_id();
        let Forward { number, method, params, progress, activity, mut reply, permit } = forward;
        let own_token = id.to_string();
        let sent_params = match (&params, &progress) {
            (Some(params), Some(token)) => {
                Some(splice(params, &[(token.span.clone(), own_token.as_bytes())]).into())
            }
            _ => params,
        };
        reply.begin();
        let waiter = FlowWaiter { number, reply, progress, activity, permit };
        self.pending.insert(Waiter::Flow(waiter), line_number);
        if self.start.face.is_backend() && method == "initialize" {
            self.relayed.id = Some(id);
        }
        if self.send(Kind::Request(id), request(id, &method, sent_params)).is_err()
            && let Some(Waiter::Flow(flow)) = self.pending.take(id)
        {
            flow.answer(Err(Lost::Busy));
        }
    }

    pub(super) fn abandon(&mut self, number: u64, reason: &str) {
        let Some(id) = self.pending.abandon(number) else { return };
        if let Some(Link::Http(connection)) = &self.link {
            connection.cancel(id);
        }
        let mut params = format!("{{\"requestId\":{id},\"reason\":").into_bytes();
        write::string(&mut params, reason);
        params.push(b'}');
        // A backend that takes no more lines will not be helped by a cancellation.
        let _ = self.send(Kind::Notice, Line::notification("notifications/cancelled", Some(params.into())));
    }

    pub(super) fn timed_out(&mut self, number: u64) -> Result<(), String> {
        self.abandon(number, "no answer in time");
        self.silent_timeouts += 1;
        // Whoever runs a server by itself has nobody who ends it for being slow.
        let may_end = self.start.face == Face::Gate && matches!(self.link, Some(Link::Child(_)));
        if self.silent_timeouts >= SILENT_TIMEOUTS && may_end {
            return Err(format!("gave no sign of life while {SILENT_TIMEOUTS} calls timed out"));
        }
        Ok(())
    }

    pub(super) fn next_kind(&self) -> Kind {
        Kind::Request(self.pending.next_id())
    }

    pub(super) fn ask_own(
        &mut self,
        own: OwnRequest,
        kind: Kind,
        method: &'static str,
        params: Option<Bytes>,
    ) -> Result<(), String> {
        let line = self.link.as_ref().map_or(0, Link::next_line);
        let id = self.pending.insert(Waiter::Own(own), line);
        self.send(kind, request(id, method, params))
    }

    pub(super) fn send(&mut self, kind: Kind, line: Line) -> Result<(), String> {
        let link = self.link.as_mut().ok_or("has no connection")?;
        link.send(kind, line).map_err(|_| "does not read what it is sent".to_owned())
    }
}
