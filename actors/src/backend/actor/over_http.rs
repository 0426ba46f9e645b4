//! What a Streamable HTTP connection tells besides messages: a stream that is ready, a session that is lost, requests
//! without an answer.

use super::{BackendMessage, Incarnation, Phase};
use crate::backend::Lost;
use crate::backend::link::{Kind, Link};
use crate::backend::pending::{OwnRequest, Waiter};
use crate::gate::Permit;
use crate::http::{Executed, Incoming};
use crate::limits::SESSION_DRAIN;
use ractor::ActorRef;

impl Incarnation {
    pub(super) fn http(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        incoming: Incoming,
        place: Permit,
    ) -> Result<(), String> {
        self.http_event(myself, incoming, place)?;
        match &self.lost_session {
            Some(why) if !self.pending.has_flows() => Err(why.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn http_event(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        incoming: Incoming,
        place: Permit,
    ) -> Result<(), String> {
        match incoming {
            Incoming::Message { json, .. } => return self.message(myself, &json, place),
            Incoming::Accepted => {
                if let Some(Link::Http(connection)) = &self.link {
                    connection.open_stream();
                }
            }
            Incoming::StreamReady if self.phase == Phase::Accepting => return self.list_all(myself),
            Incoming::StreamReady => {}
            Incoming::NotSent { what, why } => return self.not_sent(what, why),
            Incoming::SessionGone { what, .. } => self.session_gone(myself, what),
            Incoming::Failed { what, executed, why, server_said, .. } => {
                // The server's own words are content: they go through the redactor like any answer.
                let said = server_said.and_then(|said| self.start.front.quoted(&self.start.id, &said));
                let why = said.map_or_else(|| why.clone(), |said| format!("{why}: {said}"));
                let make: fn(String) -> Lost = match executed {
                    Executed::No => Lost::Refused,
                    Executed::Possibly => Lost::Failed,
                };
                return self.failed(what, make, why);
            }
        }
        Ok(())
    }

    /// The server does not know our session, so it has not executed this request. Others may still be answered; then
    /// a new incarnation opens a new session.
    pub(super) fn session_gone(&mut self, myself: &ActorRef<BackendMessage>, what: Option<Kind>) {
        let why = "its session expired".to_owned();
        if let Some(id) = what.and_then(Kind::request) {
            self.lost(id, Lost::NotSent, why.clone());
        }
        if self.lost_session.is_none() {
            self.lost_session = Some(why);
            myself.send_after(SESSION_DRAIN, || BackendMessage::DrainDue);
        }
    }

    pub(super) fn not_sent(&mut self, what: Kind, why: String) -> Result<(), String> {
        if let Some(id) = what.request() {
            self.lost(id, Lost::NotSent, why.clone());
        }
        // Nothing listens there any more: the supervisor tries again.
        Err(why)
    }

    pub(super) fn failed(&mut self, what: Kind, make: fn(String) -> Lost, why: String) -> Result<(), String> {
        match what {
            Kind::Initialize(_) | Kind::Initialized => Err(why),
            Kind::Request(id) => {
                if self.lost(id, make, why.clone()) {
                    Ok(())
                } else {
                    Err(why)
                }
            }
            Kind::Notice => {
                tracing::debug!(backend = %self.start.id, "a notification was not accepted: {why}");
                Ok(())
            }
        }
    }

    /// Ends a flow's request as lost. `false` when the request was the actor's own.
    pub(super) fn lost(&mut self, id: u64, make: impl FnOnce(String) -> Lost, why: String) -> bool {
        match self.pending.take(id) {
            Some(Waiter::Flow(flow)) => {
                flow.answer(Err(make(why)));
                true
            }
            Some(Waiter::Own(OwnRequest::Restore(_)) | Waiter::Zombie) | None => true,
            Some(Waiter::Own(_)) => false,
        }
    }
}
