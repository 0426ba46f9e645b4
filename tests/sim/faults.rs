//! What can go wrong, by name, and how a seed chooses among it.

use fastrand::Rng;
use std::collections::BTreeMap;

macro_rules! faults {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($name),+ }

        impl Fault {
            /// All of them, in the order of the table.
            pub(crate) const ALL: &[Fault] = &[$(Fault::$name),+];

            /// In words.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Fault::$name => $text),+ }
            }
        }
    };
}

faults! {
    ConnectFails = "a backend does not start",
    DiesInHandshake = "a backend dies during its handshake",
    SilentHandshake = "a backend never answers `initialize`",
    CrashBefore = "a backend dies before it executes a call",
    CrashDuring = "a backend dies after it executed, before it answers",
    CrashAfter = "a backend dies right after its answer",
    HalfLine = "a backend dies in the middle of its answer's line",
    Silent = "a backend executes and never answers",
    Slow = "a backend answers late",
    AnswersError = "a backend answers with an error",
    ToolError = "a tool reports an error",
    WrongId = "an answer carries an id that nobody asked with",
    AnswersTwice = "an answer comes twice",
    Noise = "a backend prints what is no message",
    Flood = "a backend floods with notices",
    TooLong = "an answer is longer than the longest line",
    Killed = "a backend is killed at any moment",
    Cancels = "the client takes calls back",
    SameId = "the client uses an id twice",
    Malformed = "the client sends what is no call",
    SlowReader = "the client reads slowly",
    Burst = "the client sends hundreds of calls at once",
    TwiceAtOnce = "the client makes the same call twice at once",
    StoreFails = "the keeper of approvals cannot reach its store",
    KeeperPanics = "the keeper of approvals panics",
    Outage = "the PDP is not there",
    Refuses = "the PDP refuses to decide",
    SlowDecision = "a decision takes its time",
    LateDecision = "a decision comes after its deadline",
    PdpPanics = "the PDP panics",
    IntentFails = "the journal refuses an intent",
    EndingFails = "the journal cannot write a row",
    JournalPanics = "the journal panics",
    Withholds = "an answer cannot be redacted",
    RedactorPanics = "the redactor panics",
    SlowRedaction = "a redaction takes its time",
    ClientLeaves = "the client leaves in the middle",
    Stopped = "the gate is told to stop in the middle",
}

/// Which faults a seed has, and how often each comes when there is occasion, in percent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    rates: BTreeMap<Fault, u8>,
}

impl Faults {
    /// A few kinds per seed: with all at once nothing would get far enough to go wrong in a new way.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let wanted = rng.usize(0..=6);
        let mut rates = BTreeMap::new();
        for _ in 0..wanted {
            let fault = Fault::ALL[rng.usize(..Fault::ALL.len())];
            rates.insert(fault, if rng.bool() { 15 } else { 60 });
        }
        Faults { rates }
    }

    /// How often `fault` comes, in percent; 0 when the seed does not have it.
    pub(crate) fn rate(&self, fault: Fault) -> u8 {
        self.rates.get(&fault).copied().unwrap_or(0)
    }

    /// Whether the seed has it.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.rates.contains_key(&fault)
    }
}

/// A defect that is put in on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The redactor passes everything.
    RedactorPassesAll,
    /// The journal forgets its rows and says that they are written.
    RowsAreForgotten,
    /// The journal forgets its intents and says that they are written.
    IntentsAreForgotten,
    /// The PDP's denials arrive as permissions.
    DenialsAreLost,
    /// A backend executes everything twice.
    RunsTwice,
    /// An answer reaches the client twice.
    AnswersTwice,
    /// An answer never reaches the client.
    AnswersVanish,
    /// The healthy backend does not answer.
    HealthyHangs,
    /// A grant is used again.
    GrantsAreReused,
    /// A backend is handed more than it has places for.
    PlacesAreForgotten,
    /// A backend does not end with its streams.
    BackendStays,
}

impl Sabotage {
    /// All of them.
    pub(crate) const ALL: [Sabotage; 11] = [
        Sabotage::RedactorPassesAll,
        Sabotage::RowsAreForgotten,
        Sabotage::IntentsAreForgotten,
        Sabotage::DenialsAreLost,
        Sabotage::RunsTwice,
        Sabotage::AnswersTwice,
        Sabotage::AnswersVanish,
        Sabotage::HealthyHangs,
        Sabotage::GrantsAreReused,
        Sabotage::PlacesAreForgotten,
        Sabotage::BackendStays,
    ];

    /// The invariant that must notice it.
    pub(crate) fn noticed_by(self) -> &'static str {
        use crate::invariants::Invariant;
        match self {
            Sabotage::RedactorPassesAll => Invariant::NothingUnredacted,
            Sabotage::RowsAreForgotten => Invariant::NoEndingWithoutRecord,
            Sabotage::IntentsAreForgotten => Invariant::NoForwardWithoutIntent,
            Sabotage::DenialsAreLost => Invariant::DeniedNeverArrives,
            Sabotage::RunsTwice => Invariant::NoEffectTwice,
            Sabotage::AnswersTwice | Sabotage::AnswersVanish => Invariant::OneEnding,
            Sabotage::HealthyHangs => Invariant::HealthyUnaffected,
            Sabotage::GrantsAreReused => Invariant::GrantedOnce,
            Sabotage::PlacesAreForgotten => Invariant::WithinNumbers,
            Sabotage::BackendStays => Invariant::ShutdownLeavesNothing,
        }
        .name()
    }
}
