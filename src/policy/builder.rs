//! What a [`PolicySet`] is made of, part by part, so that one part can change while the others stay.

use super::authority::PolicySet;
use super::catalogue::{self, CatalogueError};
use super::model::Policy;
use super::posture::{Override, Posture};
use super::rego::RegoSet;
use super::rules::RuleSet;
use super::{Engine, compile};
use crate::redact::{CardMatch, Options, Redactor};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Somebody's decision to treat one policy differently, everywhere or for one tool.
#[derive(Clone, Debug)]
pub struct ScopedOverride {
    /// The policy.
    pub policy_id: String,
    /// `tool` or `backend/tool`; `None` for all.
    pub tool: Option<String>,
    /// What is done instead.
    pub change: Override,
}

/// The compiled part that only stored policies change.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) redactor: Redactor,
}

/// The parts of a [`PolicySet`]. Begins with the shipped catalogue; the layers are the policy file, then the database:
/// where both override a policy, the database wins. Rego rules stand before all of them.
#[derive(Clone)]
pub struct PolicySetBuilder {
    posture: Posture,
    rego: Option<Arc<RegoSet>>,
    rules: Arc<RuleSet>,
    stored: Vec<Policy>,
    file_overrides: Vec<ScopedOverride>,
    stored_overrides: Vec<ScopedOverride>,
    /// The posture with all overrides that hold for every tool.
    effective: Posture,
    core: Option<Arc<Core>>,
}

impl PolicySetBuilder {
    /// The shipped catalogue under `posture`.
    pub fn new(posture: Posture) -> Self {
        Self {
            effective: posture.clone(),
            posture,
            rego: None,
            rules: Arc::default(),
            stored: Vec::new(),
            file_overrides: Vec::new(),
            stored_overrides: Vec::new(),
            core: None,
        }
    }

    /// Puts these Rego rules in the place of the earlier ones.
    pub fn set_rego(&mut self, rego: Option<Arc<RegoSet>>) -> &mut Self {
        self.rego = rego;
        self
    }

    /// The Rego rules, where there are some.
    pub fn rego(&self) -> Option<&Arc<RegoSet>> {
        self.rego.as_ref()
    }

    /// Puts the policy file's rules and overrides in the place of the earlier ones. Rules that stay the same go on
    /// counting where they are.
    pub fn set_file(&mut self, mut rules: RuleSet, overrides: Vec<ScopedOverride>) -> &mut Self {
        rules.keep_counting(&self.rules);
        self.rules = Arc::new(rules);
        self.file_overrides = overrides;
        self
    }

    /// Lets rules with a rate count from zero.
    pub(super) fn forget_counts(&mut self) {
        self.rules = Arc::new(self.rules.from_zero());
    }

    /// Puts the database's policies and overrides in the place of the earlier ones. A stored policy whose id is a
    /// shipped one's replaces it.
    pub fn set_stored(&mut self, stored: Vec<Policy>, overrides: Vec<ScopedOverride>) -> &mut Self {
        // Overrides alone need no new compilation.
        if format!("{:?}", self.stored) != format!("{stored:?}") {
            self.core = None;
        }
        self.stored = stored;
        self.stored_overrides = overrides;
        self
    }

    /// Every override, in the order in which later ones win.
    pub fn overrides(&self) -> impl Iterator<Item = &ScopedOverride> {
        self.file_overrides.iter().chain(&self.stored_overrides)
    }

    /// The overrides of the policy file alone.
    pub fn file_overrides(&self) -> &[ScopedOverride] {
        &self.file_overrides
    }

    /// The policies of the database.
    pub fn stored(&self) -> &[Policy] {
        &self.stored
    }

    /// The operator's own rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The posture as it was set, without the overrides of file and database.
    pub fn posture(&self) -> &Posture {
        &self.posture
    }

    /// The posture with the overrides that hold for every tool.
    pub(super) fn effective(&self) -> &Posture {
        &self.effective
    }

    /// The set that these parts make.
    ///
    /// # Errors
    /// A stored policy with an expression that cannot be one; the error names it.
    pub fn build(mut self) -> Result<PolicySet, CatalogueError> {
        self.effective = self.posture.clone();
        for over in self.file_overrides.iter().chain(&self.stored_overrides) {
            if over.tool.is_none() {
                self.effective.overrides.insert(over.policy_id.clone(), over.change.clone());
            }
        }
        let core = match &self.core {
            Some(core) => core.clone(),
            None => Arc::new(Core {
                engine: Engine::new(self.policies()?, self.posture.clone())?,
                redactor: Redactor::new(Options { card_match: CardMatch::Precise, ..Options::default() }),
            }),
        };
        self.core = Some(core.clone());
        Ok(PolicySet::assemble(core, self))
    }

    fn policies(&self) -> Result<Vec<Policy>, CatalogueError> {
        let mut policies = catalogue::shipped()?;
        policies.retain(|shipped| self.stored.iter().all(|own| own.policy_id != shipped.policy_id));
        for own in &self.stored {
            for pattern in &own.detect.patterns {
                compile::check(&pattern.regex).map_err(|error| CatalogueError {
                    file: "(stored)".into(),
                    what: format!("policy {}: {error}", own.policy_id),
                    way_out: "correct the expression, or switch the policy off",
                })?;
            }
        }
        policies.extend_from_slice(&self.stored);
        Ok(policies)
    }

    /// See [`PolicySet::version`].
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        catalogue::texts().for_each(&mut part);
        part(&format!("{:?}", self.effective));
        part(&format!("{:?}", self.stored));
        let for_tools: Vec<_> = self.overrides().filter(|over| over.tool.is_some()).collect();
        part(&format!("{for_tools:?}"));
        part(self.rules.source());
        part(self.rego.as_ref().map_or("", |rego| rego.digest()));
        let digest = hash.finalize();
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl std::fmt::Debug for PolicySetBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySetBuilder")
            .field("posture", &self.effective)
            .field("rules", &self.rules.rules().len())
            .field("stored", &self.stored.len())
            .finish_non_exhaustive()
    }
}
