//! Opening an incarnation, from the plan to the lists, and reading lists again when they changed.

use super::{BackendMessage, Incarnation, Phase, Report};
use crate::backend::catalogue::List;
use crate::backend::handshake;
use crate::backend::link::{Kind, Link};
use crate::backend::pending::OwnRequest;
use crate::limits::START_DEADLINE;
use crate::wire::envelope::Body;
use crate::wire::write::{self, Line};
use ractor::ActorRef;
use std::sync::Arc;

impl Incarnation {
    /// ## Idle => Opening
    pub(super) fn open(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        let client = self.start.front.client().ok_or("no client has opened the session")?;
        let plan = self.start.launch.plan(&self.start.id).map_err(|error| error.to_string())?;
        self.link = Some(Link::open(&plan, &self.start.link, &self.start.id, myself)?);
        self.phase = Phase::Opening;
        myself.send_after(START_DEADLINE, || BackendMessage::StartDeadlineDue);
        let id = self.pending.next_id();
        let params = handshake::initialize_params(&client);
        self.ask_own(OwnRequest::Initialize, Kind::Initialize(id), "initialize", Some(params))
    }

    /// ## Opening => Accepting
    pub(super) fn initialized(&mut self, answer: &Body) -> Result<(), String> {
        let (catalogue, version) = handshake::initialized(answer)?;
        self.catalogue = catalogue;
        self.phase = Phase::Accepting;
        if let Some(Link::Http(connection)) = &self.link {
            connection.negotiated(version);
        }
        self.send(Kind::Initialized, Line::notification("notifications/initialized", None))?;
        match &self.link {
            Some(Link::Http(_)) => Ok(()),
            _ => self.list_all(),
        }
    }

    /// ## Accepting => Listing
    pub(super) fn list_all(&mut self) -> Result<(), String> {
        self.phase = Phase::Listing;
        for list in List::ALL {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(list)?;
            }
        }
        self.ready_if_listed()
    }

    /// ## Listing => Ready
    pub(super) fn ready_if_listed(&mut self) -> Result<(), String> {
        if self.phase != Phase::Listing || !self.listing.is_done() {
            return Ok(());
        }
        self.phase = Phase::Ready;
        self.restore()?;
        (self.start.report)(Report::Ready(Arc::new(self.catalogue.clone())));
        Ok(())
    }

    /// What the client had set before this incarnation began is set again.
    pub(super) fn restore(&mut self) -> Result<(), String> {
        if let Some(level) = self.start.front.log_level()
            && self.catalogue.can(&["logging"])
        {
            let restore = OwnRequest::Restore("logging/setLevel");
            self.ask_own(restore, self.next_kind(), "logging/setLevel", Some(level))?;
        }
        for (_, own) in self.start.front.subscribed(&self.start.id) {
            let mut params = b"{\"uri\":".to_vec();
            write::string(&mut params, &own);
            params.push(b'}');
            let restore = OwnRequest::Restore("resources/subscribe");
            self.ask_own(restore, self.next_kind(), "resources/subscribe", Some(params.into()))?;
        }
        Ok(())
    }

    pub(super) fn ask_list(&mut self, list: List) -> Result<(), String> {
        match self.listing.begin(list) {
            Some(params) => self.ask_own(OwnRequest::Page(list), self.next_kind(), list.method(), params),
            None => {
                self.stale.insert(list);
                Ok(())
            }
        }
    }

    pub(super) fn page(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        list: List,
        answer: &Body,
    ) -> Result<(), String> {
        let before = self.catalogue.list(list).to_vec();
        let start_id = self.start.id.clone();
        if let Some(params) = self.listing.page(list, answer, &mut self.catalogue, &start_id) {
            return self.ask_own(OwnRequest::Page(list), self.next_kind(), list.method(), Some(params));
        }
        if self.phase == Phase::Ready && self.catalogue.list(list) != before {
            (self.start.report)(Report::Changed(Arc::new(self.catalogue.clone())));
        }
        if self.stale.contains(&list) {
            self.refresh_soon(myself);
        }
        self.ready_if_listed()
    }
}
