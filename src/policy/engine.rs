//! Asks the policies: one look for trigger words, then only the policies and the kinds of understanding they wake.

use super::catalogue::{self, CatalogueError};
use super::compile::{Compiled, Triggers};
use super::documents;
use super::model::{Action, Phase, Policy, Scope};
use super::posture::Posture;
use super::signal::{Signal, Signals};
use super::texts::Texts;
use super::understand;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The compiled catalogue and what is done about its findings.
pub struct Engine {
    rows: Vec<Row>,
    /// For each phase, compiled when first needed, which a start need not wait for.
    triggers: [OnceLock<Option<Triggers>>; 3],
    posture: Posture,
}

struct Row {
    policy: Policy,
    patterns: Vec<Compiled>,
}

/// What is known of the call that texts belong to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Before the call, or its answer.
    pub phase: Phase,
    /// The backend's id; empty when it is not known.
    pub backend: &'a str,
    /// The tool's own name; empty when it is not known.
    pub tool: &'a str,
}

/// A policy that spoke.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// What is done about it here.
    pub action: Action,
}

impl Engine {
    /// The shipped catalogue under `posture`. Expressions are compiled when first needed, or by [`Engine::warm`].
    ///
    /// # Errors
    /// A catalogue that cannot be used, which the tests exclude for the shipped one.
    pub fn shipped(posture: Posture) -> Result<Self, CatalogueError> {
        Self::new(catalogue::shipped()?, posture)
    }

    /// These policies under `posture`.
    ///
    /// # Errors
    /// A check that there is not.
    pub fn new(policies: Vec<Policy>, posture: Posture) -> Result<Self, CatalogueError> {
        let broken = |what: String| CatalogueError {
            file: "(all)".into(),
            what,
            way_out: "correct the expression or the name",
        };
        let mut rows = Vec::with_capacity(policies.len());
        for policy in policies {
            let patterns = policy.detect.patterns.iter().map(Compiled::new).collect::<Result<_, _>>();
            let patterns = patterns
                .map_err(|name| broken(format!("policy {}: there is no check {name:?}", policy.policy_id)))?;
            rows.push(Row { policy, patterns });
        }
        Ok(Self { rows, triggers: Default::default(), posture })
    }

    /// `None` if they do not compile, which the tests exclude for the shipped ones.
    fn triggers(&self, phase: Phase) -> Option<&Triggers> {
        let compile = || Triggers::new(&self.policies().collect::<Vec<_>>(), phase).ok();
        self.triggers[phase as usize].get_or_init(compile).as_ref()
    }

    /// Compiles everything now: some milliseconds, better spent on a thread that nobody waits for.
    pub fn warm(&self) {
        self.triggers(Phase::Request);
        self.triggers(Phase::Response);
        for pattern in self.rows.iter().flat_map(|row| &row.patterns) {
            pattern.regex();
        }
        understand::warm();
    }

    /// All policies, in the order in which they are asked.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.rows.iter().map(|row| &row.policy)
    }

    /// What is done about findings.
    pub fn posture(&self) -> &Posture {
        &self.posture
    }

    /// The policies that speak of one text.
    pub fn judge_text(&self, text: &str, phase: Phase) -> Vec<Match<'_>> {
        let mut texts = Texts::default();
        texts.value(text);
        self.judge(&texts, &BTreeMap::new(), phase)
    }

    /// As [`Engine::judge_call`], for a tool that is not known.
    pub fn judge(
        &self,
        texts: &Texts,
        personal_data: &BTreeMap<&'static str, u32>,
        phase: Phase,
    ) -> Vec<Match<'_>> {
        self.judge_call(texts, personal_data, &Asked { phase, backend: "", tool: "" })
    }

    /// As [`Engine::judge_under`], with the engine's own posture and now.
    pub fn judge_call(
        &self,
        texts: &Texts,
        personal_data: &BTreeMap<&'static str, u32>,
        asked: &Asked<'_>,
    ) -> Vec<Match<'_>> {
        self.judge_under(&self.posture, texts, personal_data, asked, SystemTime::now())
    }

    /// The policies that speak of these texts and of the kinds of personal data that a redactor counted, those that
    /// block first, the most severe of them first. Of a tool that is known to edit plain documents nobody says that
    /// it runs something: what stands in a ticket is a text.
    pub fn judge_under(
        &self,
        posture: &Posture,
        texts: &Texts,
        personal_data: &BTreeMap<&'static str, u32>,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Vec<Match<'_>> {
        let triggers = self.triggers(asked.phase);
        let wakes = |block: &str| triggers.is_none_or(|triggers| triggers.wakes_anything(block.as_bytes()));
        let awake: Vec<bool> = texts.blocks().map(|block| wakes(block.text)).collect();
        if personal_data.is_empty() && !awake.contains(&true) {
            return Vec::new();
        }
        // Policies that cannot be asked find everything.
        let mut hits = vec![triggers.is_none(); self.rows.len()];
        let mut signals = Signals::default();
        texts.statements().for_each(|text| understand::statement_by_name(text, &mut signals));
        // What wakes nothing as a whole wakes nothing line by line.
        for (block, _) in texts.blocks().zip(&awake).filter(|(_, awake)| **awake) {
            let alone = block.len() == 1;
            for (text, sql) in block.each().filter(|(text, _)| alone || wakes(text)) {
                self.ask(triggers, text, sql, Scope::Each, &mut hits, &mut signals);
            }
        }
        if let Some(together) = texts.together()
            && awake.first() == Some(&true)
        {
            self.ask(triggers, together, false, Scope::Together, &mut hits, &mut signals);
        }
        self.spoke(posture, &hits, signals, personal_data, asked, now)
    }

    /// What the findings mean here.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of it is known at the two places that ask, and nowhere else"
    )]
    fn spoke(
        &self,
        posture: &Posture,
        hits: &[bool],
        signals: Signals,
        personal_data: &BTreeMap<&'static str, u32>,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Vec<Match<'_>> {
        let spoke = self.rows.iter().zip(hits).filter_map(|(row, &hit)| {
            let detect = &row.policy.detect;
            let hit = hit
                || detect.signals.iter().any(|signal| signals.has(*signal))
                || detect.personal_data.iter().any(|kind| personal_data.contains_key(kind.as_str()));
            let action = hit.then(|| posture.action(&row.policy, asked.phase, now))??;
            Some(Match { policy: &row.policy, action })
        });
        let mut matched: Vec<Match<'_>> = spoke.collect();
        if matched.iter().any(|m| m.policy.is_about_running()) && documents::edits(asked.backend, asked.tool)
        {
            matched.retain(|m| !m.policy.is_about_running());
        }
        matched.sort_by_key(|m| (m.action, std::cmp::Reverse((m.policy.severity, m.policy.priority))));
        matched
    }

    /// As [`Engine::judge`], but every text is asked about everything: what the first look must not rule out.
    #[cfg(test)]
    pub(super) fn judge_everything(&self, texts: &Texts, phase: Phase) -> Vec<Match<'_>> {
        let mut hits = vec![false; self.rows.len()];
        let mut signals = Signals::default();
        let triggers = self.triggers(Phase::Both);
        let nothing = Signals::default();
        for (text, sql) in texts.each() {
            self.ask(triggers, text, sql, Scope::Each, &mut hits, &mut signals);
        }
        if let Some(together) = texts.together() {
            self.ask(triggers, together, false, Scope::Together, &mut hits, &mut signals);
        }
        if signals != nothing || hits.contains(&true) {
            texts.statements().for_each(|text| understand::statement_by_name(text, &mut signals));
        }
        let asked = Asked { phase, backend: "", tool: "" };
        self.spoke(&self.posture, &hits, signals, &BTreeMap::new(), &asked, SystemTime::now())
    }

    #[expect(clippy::too_many_arguments, reason = "what is found is added up by the caller")]
    fn ask(
        &self,
        triggers: Option<&Triggers>,
        text: &str,
        sql: bool,
        scope: Scope,
        hits: &mut [bool],
        signals: &mut Signals,
    ) {
        let bytes = text.as_bytes();
        for woken in triggers.into_iter().flat_map(|triggers| triggers.woken(bytes)) {
            let Some(row) = self.rows.get(woken) else {
                understand::understand(woken - self.rows.len(), text, sql, scope, signals);
                continue;
            };
            let asked = scope == Scope::Each || row.policy.detect.scope == Scope::Together;
            if !hits[woken] && asked {
                hits[woken] = row.patterns.iter().any(|pattern| pattern.is_in(bytes));
            }
        }
    }

    /// The signals that one text gives, for explaining a verdict.
    pub fn signals(&self, text: &str) -> Vec<Signal> {
        let mut texts = Texts::default();
        texts.value(text);
        let (mut hits, mut signals) = (vec![true; self.rows.len()], Signals::default());
        let triggers = self.triggers(Phase::Both);
        texts.each().for_each(|(text, sql)| {
            self.ask(triggers, text, sql, Scope::Each, &mut hits, &mut signals);
        });
        Signal::ALL.iter().copied().filter(|signal| signals.has(*signal)).collect()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("policies", &self.rows.len()).finish_non_exhaustive()
    }
}
