//! Opening an incarnation, from the plan to the lists, and reading lists again when they changed.

use super::{BackendMessage, Incarnation, Phase, Report};
use crate::backend::catalogue::List;
use crate::backend::handshake;
use crate::backend::link::{Kind, Link};
use crate::backend::pending::OwnRequest;
use crate::face::Face;
use crate::limits::{PAGE_DEADLINE, REFRESH_PAUSE, REFRESH_RETRY, START_DEADLINE};
use crate::wire::codes::{METHOD_NOT_FOUND, code_of};
use crate::wire::envelope::Body;
use crate::wire::write::{self, Line};
use bytes::Bytes;
use ractor::ActorRef;
use std::sync::Arc;

impl Incarnation {
    /// ## Idle => Opening
    pub(super) fn open(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        if self.start.face.is_backend() {
            return self.open_for_client(myself);
        }
        let client = self.start.front.client().ok_or("no client has opened the session")?;
        let plan = self.start.launch.plan(&self.start.id).map_err(|error| error.to_string())?;
        self.link = Some(Link::open(&plan, &self.start.link, &self.start.id, myself)?);
        self.phase = Phase::Opening;
        myself.send_after(START_DEADLINE, || BackendMessage::StartDeadlineDue);
        let id = self.pending.next_id();
        let params = handshake::initialize_params(&client);
        self.ask_own(OwnRequest::Initialize, Kind::Initialize(id), "initialize", Some(params))
    }

    /// ## Idle => Opening, where the client opens the backend itself: it takes as long as it takes.
    fn open_for_client(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        let plan = self.start.launch.plan(&self.start.id).map_err(|error| error.to_string())?;
        self.link = Some(Link::open(&plan, &self.start.link, &self.start.id, myself)?);
        self.phase = Phase::Opening;
        (self.start.report)(Report::Open);
        Ok(())
    }

    /// ## Opening => Accepting, where the answer is the client's: what calls are judged by is read from it.
    pub(super) fn relayed(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: u64,
        answer: &Body,
    ) -> Result<(), String> {
        if self.relayed.id != Some(id) || self.phase != Phase::Opening {
            return Ok(());
        }
        let Some(catalogue) = handshake::relayed(answer) else { return Ok(()) };
        self.catalogue = catalogue;
        self.phase = Phase::Accepting;
        self.list_if_acknowledged(myself)
    }

    /// A notification was passed on.
    pub(super) fn noticed(&mut self, myself: &ActorRef<BackendMessage>, method: &str) -> Result<(), String> {
        if !self.start.face.is_backend() || method != "notifications/initialized" {
            return Ok(());
        }
        self.relayed.is_acknowledged = true;
        self.list_if_acknowledged(myself)
    }

    fn list_if_acknowledged(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        if self.phase == Phase::Accepting && self.relayed.is_acknowledged {
            return self.list_all(myself);
        }
        Ok(())
    }

    /// ## Opening => Accepting
    pub(super) fn initialized(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        answer: &Body,
    ) -> Result<(), String> {
        let (catalogue, version) = handshake::initialized(answer).map_err(|refused| {
            let said = self.start.front.quoted(&self.start.id, &refused.said).filter(|said| !said.is_empty());
            said.map_or_else(|| refused.why.to_owned(), |said| format!("{}: {said}", refused.why))
        })?;
        self.catalogue = catalogue;
        self.keep_known_lists();
        self.phase = Phase::Accepting;
        if let Some(Link::Http(connection)) = &self.link {
            connection.negotiated(version);
        }
        self.send(Kind::Initialized, Line::notification("notifications/initialized", None))?;
        match &self.link {
            Some(Link::Http(_)) => Ok(()),
            _ => self.list_all(myself),
        }
    }

    /// A list that cannot be read now stays as it was when the backend was last seen.
    fn keep_known_lists(&mut self) {
        let Some(known) = &self.start.known else { return };
        for list in List::ALL {
            if self.catalogue.can(&[list.capability()]) {
                *self.catalogue.list_mut(list) = known.list(list).to_vec();
            }
        }
    }

    /// ## Accepting => Listing
    pub(super) fn list_all(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        self.phase = Phase::Listing;
        for list in List::ALL {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(myself, list)?;
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
        if self.start.face == Face::Gate {
            self.restore();
        }
        (self.start.report)(Report::Ready(Arc::new(self.catalogue.clone())));
        Ok(())
    }

    /// What the client had set before this incarnation began is set again.
    pub(super) fn restore(&mut self) {
        if let Some(level) = self.start.front.log_level()
            && self.catalogue.can(&["logging"])
        {
            let restore = OwnRequest::Restore("logging/setLevel");
            self.restore_one(restore, "logging/setLevel", level);
        }
        for (_, own) in self.start.front.subscribed(&self.start.id) {
            let mut params = b"{\"uri\":".to_vec();
            write::string(&mut params, &own);
            params.push(b'}');
            let restore = OwnRequest::Restore("resources/subscribe");
            self.restore_one(restore, "resources/subscribe", params.into());
        }
    }

    /// What does not fit any more is told and left: a backend must not fail for having too many subscribers.
    fn restore_one(&mut self, restore: OwnRequest, method: &'static str, params: Bytes) {
        let id = self.pending.next_id();
        if self.ask_own(restore, self.next_kind(), method, Some(params)).is_err() {
            self.pending.take(id);
            tracing::warn!(backend = %self.start.id, method, "could not be set again after the start");
        }
    }

    pub(super) fn ask_list(&mut self, myself: &ActorRef<BackendMessage>, list: List) -> Result<(), String> {
        match self.listing.begin(list) {
            Some(params) => self.ask_page(myself, list, params),
            None => {
                self.stale.insert(list);
                Ok(())
            }
        }
    }

    fn ask_page(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        list: List,
        params: Option<Bytes>,
    ) -> Result<(), String> {
        let id = self.pending.next_id();
        myself.send_after(PAGE_DEADLINE, move || BackendMessage::PageDue { id });
        self.ask_own(OwnRequest::Page(list), self.next_kind(), list.method(), params)
    }

    /// A page that does not come ends its list as an error would.
    pub(super) fn page_is_late(&mut self, myself: &ActorRef<BackendMessage>, id: u64) -> Result<(), String> {
        let Some(list) = self.pending.page(id) else { return Ok(()) };
        self.pending.take(id);
        self.page(myself, list, &Body::Error(Bytes::from_static(LATE)))
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
            return self.ask_page(myself, list, Some(params));
        }
        if is_failure(answer) {
            self.stale.insert(list);
            self.refresh_after(myself, REFRESH_RETRY);
        }
        if self.phase == Phase::Ready && self.catalogue.list(list) != before {
            (self.start.report)(Report::Changed(Arc::new(self.catalogue.clone())));
        }
        if self.stale.contains(&list) {
            self.refresh_after(myself, REFRESH_PAUSE);
        }
        self.ready_if_listed()
    }
}

/// What stands for a page that did not come.
const LATE: &[u8] = br#"{"code":-32603,"message":"no answer in time"}"#;

/// A backend that does not know the method has an empty list; any other error is worth another try.
fn is_failure(answer: &Body) -> bool {
    matches!(answer, Body::Error(error) if code_of(error) != METHOD_NOT_FOUND)
}
