//! The supervisor actor. It never waits for anything a child does: it is told of every end, and overrides the
//! default of stopping when a child dies.

use super::SupervisorHandle;
use super::restart::Next;
use super::slot::{Live, Slot};
use crate::audit::Audit;
use crate::backend::catalogue::{Catalogue, List};
use crate::backend::{Backend, BackendMessage, LinkSettings, Report, Start};
use crate::directory::{Directory, Listing, Names, Shown, State};
use crate::face::Face;
use crate::front::Front;
use crate::limits::{ANNOUNCE_PAUSE, LAUNCH_SETTLES, RESPAWN_PAUSE, STARTS_AT_ONCE};
use crate::pdp::Pdp;
use crate::ports::Launch;
use crate::process::StopGrace;
use crate::redactor::Redactor;
use bytes::Bytes;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

/// What the supervisor needs.
pub struct SupervisorSettings {
    /// What the client takes the machine for.
    pub face: Face,
    /// The backends' ids, in the order of the configuration.
    pub ids: Vec<Arc<str>>,
    /// How names are made.
    pub names: Names,
    /// How backends are reached and what they offered last time.
    pub launch: Arc<dyn Launch>,
    /// What all links share.
    pub link: LinkSettings,
    /// The client.
    pub front: Front,
    /// Redacts catalogue entries.
    pub redactor: Redactor,
    /// Publishes the directory.
    pub directory: watch::Sender<Arc<Directory>>,
    /// The PDP actor.
    pub pdp: Pdp,
    /// The audit actor.
    pub audit: Audit,
    /// Where ending connections are waited for.
    pub closings: TaskTracker,
    /// How long each step of ending a backend takes.
    pub grace: StopGrace,
    /// Seeds the jitter of restarts.
    pub seed: u64,
}

/// The session was opened.
pub struct Begin {
    /// What each backend offered last time, in the order of the configuration.
    pub remembered: Vec<Option<Arc<Catalogue>>>,
}

/// What the supervisor is told.
pub enum SupervisorMessage {
    /// Start the backends.
    Begin(Box<Begin>),
    /// A backend reports.
    Report {
        /// Its position.
        slot: usize,
        /// Its incarnation.
        generation: u64,
        /// What it says.
        report: Report,
    },
    /// A backend is to be started again.
    RestartDue {
        /// Its position.
        slot: usize,
        /// The incarnation that ended.
        generation: u64,
    },
    /// A start no longer counts among those that run at once.
    LaunchSettled {
        /// Its position.
        slot: usize,
        /// Its incarnation.
        generation: u64,
    },
    /// The client may be told that lists changed.
    AnnounceDue,
    /// The next backend may be launched.
    LaunchDue,
    /// The PDP actor is to be seated again.
    SeatPdp,
    /// The audit actor is to be seated again.
    SeatAudit,
    /// Stop every backend and start none again.
    StopBackends {
        /// Fires when each has been told.
        reply: oneshot::Sender<()>,
    },
}

/// The actor.
pub struct Supervisor {
    /// Its handle, which it seats itself in.
    pub handle: SupervisorHandle,
}

/// The supervisor's state.
pub struct Supervising {
    settings: SupervisorSettings,
    slots: Vec<Slot>,
    waiting: VecDeque<usize>,
    launching: usize,
    listing: Arc<Listing>,
    announced: BTreeMap<List, Bytes>,
    announce_is_due: bool,
    has_begun: bool,
    is_stopping: bool,
    pdp: Option<ActorId>,
    audit: Option<ActorId>,
    random: fastrand::Rng,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = Supervising;
    type Arguments = SupervisorSettings;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        settings: SupervisorSettings,
    ) -> Result<Supervising, ActorProcessingErr> {
        self.handle.seat.take(myself.clone());
        let mut state = Supervising::new(settings);
        state.seat_pdp(&myself).await;
        state.seat_audit(&myself).await;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        state: &mut Supervising,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Begin(begin) => state.begin(*begin),
            SupervisorMessage::Report { slot, generation, report } => {
                state.report(&myself, slot, generation, report);
            }
            SupervisorMessage::RestartDue { slot, generation } => state.restart(slot, generation),
            SupervisorMessage::LaunchSettled { slot, generation } => state.launch_settled(slot, generation),
            SupervisorMessage::AnnounceDue => state.announce(),
            SupervisorMessage::LaunchDue => {}
            SupervisorMessage::SeatPdp => state.seat_pdp(&myself).await,
            SupervisorMessage::SeatAudit => state.seat_audit(&myself).await,
            SupervisorMessage::StopBackends { reply } => {
                state.stop_backends();
                let _ = reply.send(());
            }
        }
        state.launch_waiting(&myself).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut Supervising,
    ) -> Result<(), ActorProcessingErr> {
        let (actor, why) = match event {
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell.get_id(), reason.unwrap_or_else(|| "stopped".into()))
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                (cell.get_id(), format!("failed inside the gate: {error}"))
            }
            _ => return Ok(()),
        };
        state.ended(&myself, actor, &why);
        state.launch_waiting(&myself).await;
        Ok(())
    }
}

impl Supervising {
    fn new(settings: SupervisorSettings) -> Self {
        let slots = settings.ids.iter().map(|id| Slot::new(id.clone())).collect();
        let random = fastrand::Rng::with_seed(settings.seed);
        Supervising {
            settings,
            slots,
            waiting: VecDeque::new(),
            launching: 0,
            listing: Arc::default(),
            announced: BTreeMap::new(),
            announce_is_due: false,
            has_begun: false,
            is_stopping: false,
            pdp: None,
            audit: None,
            random,
        }
    }

    // -------------------------------------------------------------------------------------------------- backends

    fn begin(&mut self, begin: Begin) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        for (slot, catalogue) in begin.remembered.into_iter().enumerate() {
            if let Some(catalogue) = catalogue {
                self.show(slot, catalogue);
            }
        }
        self.merge();
        self.announced = List::ALL.into_iter().map(|list| (list, self.listing.rendered(list))).collect();
        self.waiting.extend(0..self.slots.len());
        self.publish();
    }

    /// Launches what may be launched: at once while the client has to wait for lists anyway. Where all of them are
    /// remembered, one backend, and the next one behind whatever came meanwhile: starting a process holds up the thread
    /// for a millisecond or two, and a client that asks for a remembered list must not wait for sixteen of them.
    async fn launch_waiting(&mut self, myself: &ActorRef<SupervisorMessage>) {
        let are_listed = self.slots.iter().all(|slot| slot.catalogue.is_some());
        while self.launching < STARTS_AT_ONCE && !self.is_stopping {
            let Some(slot) = self.waiting.pop_front() else { return };
            self.launch(myself, slot).await;
            if are_listed {
                return launch_later(myself.clone());
            }
        }
    }

    /// Spawning an actor waits for its `pre_start` only, which does nothing that can fail or take time.
    async fn launch(&mut self, myself: &ActorRef<SupervisorMessage>, slot: usize) {
        let generation = self.slots[slot].generation + 1;
        self.slots[slot].generation = generation;
        let (supervisor, id) = (myself.clone(), self.slots[slot].id.clone());
        let start = Start {
            id: id.clone(),
            is_one_of_several: self.slots.len() > 1,
            face: self.settings.face,
            launch: self.settings.launch.clone(),
            known: self.slots[slot].catalogue.clone(),
            link: self.settings.link.clone(),
            front: self.settings.front.clone(),
            report: Arc::new(move |report| {
                let _ = supervisor.send_message(SupervisorMessage::Report { slot, generation, report });
            }),
            closings: self.settings.closings.clone(),
            grace: self.settings.grace,
        };
        let waits_for_client = Arc::new(AtomicUsize::new(0));
        let arguments = (start, waits_for_client.clone());
        let spawned = Actor::spawn_linked(None, Backend, arguments, myself.get_cell()).await;
        let (actor, _) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => {
                return self.start_again(myself, slot, &format!("its actor did not start: {error}"));
            }
        };
        let handle = Backend::handle(id, generation, actor.clone(), waits_for_client);
        let _ = actor.send_message(BackendMessage::Start);
        self.slots[slot].live = Some(Live::new(actor, handle));
        self.launching += 1;
        myself.send_after(LAUNCH_SETTLES, move || SupervisorMessage::LaunchSettled { slot, generation });
    }

    fn launch_settled(&mut self, slot: usize, generation: u64) {
        let slot = &mut self.slots[slot];
        if slot.generation == generation
            && let Some(live) = &mut slot.live
            && std::mem::take(&mut live.is_launching)
        {
            self.launching -= 1;
        }
    }

    fn report(&mut self, myself: &ActorRef<SupervisorMessage>, slot: usize, generation: u64, report: Report) {
        if self.slots[slot].generation != generation || self.slots[slot].live.is_none() {
            return;
        }
        match report {
            Report::Worked => {
                if let Some(live) = &mut self.slots[slot].live {
                    live.has_worked = true;
                }
            }
            Report::Open => {
                if let Some(live) = &self.slots[slot].live {
                    self.slots[slot].state = State::Up(live.handle.clone());
                }
                self.publish();
            }
            Report::Changed(catalogue) => self.catalogue(myself, slot, catalogue),
            Report::Ready(catalogue) => {
                self.launch_settled(slot, generation);
                if let Some(live) = &mut self.slots[slot].live {
                    live.was_ready = true;
                    self.slots[slot].state = State::Up(live.handle.clone());
                }
                let (backend, tools) = (&self.slots[slot].id, catalogue.tools.len());
                tracing::info!(%backend, tools, starts = generation, "ready");
                self.catalogue(myself, slot, catalogue);
                self.publish();
            }
        }
    }

    /// A backend said what it offers: remember it, show it, and tell the client if that makes a difference.
    fn catalogue(&mut self, myself: &ActorRef<SupervisorMessage>, slot: usize, catalogue: Arc<Catalogue>) {
        if self.slots[slot].catalogue.as_ref() == Some(&catalogue) {
            return;
        }
        self.slots[slot].tell_changes(&catalogue);
        // An empty offer may be a server that cannot reach what it serves; next time it is waited for.
        let keeps = self.settings.face == Face::Gate && !catalogue.is_empty();
        if let Some(client) = self.settings.front.client().filter(|_| keeps) {
            self.settings.launch.remember(&self.slots[slot].id, &client.capabilities, &catalogue.to_json());
        }
        self.show(slot, catalogue);
        self.merge();
        self.publish();
        // A backend that the client takes the machine for has told it itself.
        if self.settings.face == Face::Gate && !self.announce_is_due {
            self.announce_is_due = true;
            myself.send_after(ANNOUNCE_PAUSE, || SupervisorMessage::AnnounceDue);
        }
    }

    fn show(&mut self, slot: usize, catalogue: Arc<Catalogue>) {
        let id = self.slots[slot].id.clone();
        let shown = Shown::new(slot, &id, &catalogue, &self.settings.names, &self.settings.redactor);
        self.slots[slot].shown = Some(shown);
        self.slots[slot].catalogue = Some(catalogue);
    }

    fn merge(&mut self) {
        let shown = self.slots.iter().map(|slot| slot.shown.as_ref());
        self.listing = Arc::new(Listing::merge(&self.settings.ids, shown));
    }

    /// Many changes, one notice per list that really is another one.
    fn announce(&mut self) {
        self.announce_is_due = false;
        let mut told = std::collections::BTreeSet::new();
        for list in List::ALL {
            let now = self.listing.rendered(list);
            if self.announced.get(&list) != Some(&now) {
                self.announced.insert(list, now);
                if told.insert(list.changed()) {
                    self.settings.front.tell(list.changed());
                }
            }
        }
    }

    fn publish(&self) {
        self.settings.directory.send_replace(Arc::new(Directory {
            has_begun: self.has_begun,
            listing: self.listing.clone(),
            standings: self.slots.iter().map(Slot::standing).collect(),
        }));
    }

    fn ended(&mut self, myself: &ActorRef<SupervisorMessage>, actor: ActorId, why: &str) {
        if self.pdp == Some(actor) {
            tracing::error!("the decision actor ended ({why}); calls are refused until it is back");
            myself.send_after(RESPAWN_PAUSE, || SupervisorMessage::SeatPdp);
        } else if self.audit == Some(actor) {
            tracing::error!("the audit actor ended ({why}); calls are refused until it is back");
            myself.send_after(RESPAWN_PAUSE, || SupervisorMessage::SeatAudit);
        } else if let Some(slot) = self.slots.iter().position(|slot| slot.is(actor)) {
            self.start_again(myself, slot, why);
        }
    }

    fn start_again(&mut self, myself: &ActorRef<SupervisorMessage>, slot: usize, why: &str) {
        let generation = self.slots[slot].generation;
        self.launch_settled(slot, generation);
        if self.settings.face.is_backend() {
            self.slots[slot].is_over(why);
            return self.publish();
        }
        let next = self.slots[slot].ended(why, self.random.f64());
        let backend = &self.slots[slot].id;
        if self.is_stopping {
            return;
        }
        let pause = match next {
            Next::Restart(pause) => {
                tracing::warn!(%backend, starts = generation, "ended: {why}; it is started again in {} ms", pause.as_millis());
                pause
            }
            Next::Park(pause) => {
                tracing::error!(%backend, starts = generation, "failed too often: {why}; its calls fail until it comes up, next attempt in {} s", pause.as_secs());
                pause
            }
        };
        myself.send_after(pause, move || SupervisorMessage::RestartDue { slot, generation });
        self.publish();
    }

    fn restart(&mut self, slot: usize, generation: u64) {
        if self.slots[slot].generation == generation && self.slots[slot].live.is_none() {
            self.waiting.push_back(slot);
        }
    }

    /// Each backend's `post_stop` ends its requests and closes its connection.
    fn stop_backends(&mut self) {
        self.is_stopping = true;
        self.waiting.clear();
        for live in self.slots.iter().filter_map(|slot| slot.live.as_ref()) {
            live.actor.stop(None);
        }
    }

    // ----------------------------------------------------------------------------------------------- the guards

    async fn seat_pdp(&mut self, myself: &ActorRef<SupervisorMessage>) {
        match Actor::spawn_linked(None, self.settings.pdp.clone(), (), myself.get_cell()).await {
            Ok((actor, _)) => self.pdp = Some(actor.get_id()),
            Err(error) => {
                tracing::error!("the decision actor did not start: {error}");
                myself.send_after(RESPAWN_PAUSE, || SupervisorMessage::SeatPdp);
            }
        }
    }

    async fn seat_audit(&mut self, myself: &ActorRef<SupervisorMessage>) {
        match Actor::spawn_linked(None, self.settings.audit.clone(), (), myself.get_cell()).await {
            Ok((actor, _)) => self.audit = Some(actor.get_id()),
            Err(error) => {
                tracing::error!("the audit actor did not start: {error}");
                myself.send_after(RESPAWN_PAUSE, || SupervisorMessage::SeatAudit);
            }
        }
    }
}

/// In a task of its own, which comes back after the streams were looked at, whatever wakes the supervisor before.
fn launch_later(supervisor: ActorRef<SupervisorMessage>) {
    tokio::spawn(async move {
        tokio::task::yield_now().await;
        let _ = supervisor.send_message(SupervisorMessage::LaunchDue);
    });
}
