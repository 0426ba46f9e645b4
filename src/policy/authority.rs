//! The embedded authority: everything that decides at one moment ([`PolicySet`]), and the place where the set that
//! holds now is found and replaced ([`Authority`]).
//!
//! Whoever decides takes the set once per decision, so that one decision is made by one set, whatever is reloaded
//! meanwhile.

use super::builder::{Core, PolicySetBuilder};
use super::cascade::CascadeTier;
use super::catalogue::CatalogueError;
use super::model::{Action, Phase, Severity};
use super::posture::{Override, Posture};
use super::rules::{Rule, RuleSet};
use super::{Asked, Engine, Match, Texts};
use crate::strict::{Strings, read_object};
use arc_swap::{ArcSwap, ArcSwapOption};
use callgate_actors::call::Hints;
use callgate_actors::ports::MatchedPolicy;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

/// What is to be judged, and what is known of the call that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Before the call, or its answer.
    pub phase: Phase,
    /// The arguments, the answer, or a plain text.
    pub content: Content<'a>,
    /// The backend's id; empty when it is not known.
    pub backend: &'a str,
    /// The tool's own name; empty when it is not known.
    pub tool: &'a str,
    /// Who calls (`AXONFLOW_AI_AGENT`, or `x-ai-agent` of a remote caller); empty when it is not known.
    pub agent: &'a str,
    /// What the backend says of the tool.
    pub hints: Hints,
    /// When it is asked.
    pub at: SystemTime,
}

/// What the policies look at.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A JSON value as the bytes that came; in the request phase an object. Blank and `null` hold nothing.
    Json(&'a [u8]),
    /// A text for itself.
    Text(&'a str),
}

/// What was said of a [`Question`].
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The strongest action of all that spoke; `None` when nobody did.
    pub action: Option<Action>,
    /// Everybody who spoke, the strongest first.
    pub matched: Vec<Matched>,
    /// How many policies and rules were asked.
    pub evaluated: usize,
    /// The content with personal data masked, where there was any; as it came where a rule asks for masking and there
    /// was nothing to mask.
    pub masked: Option<Vec<u8>>,
    /// Which tier of the cascade decided; `None` when nobody spoke.
    pub tier: Option<CascadeTier>,
}

/// A policy or a rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its id.
    pub policy_id: String,
    /// What it finds, for people.
    pub policy_name: String,
    /// A category of the AxonFlow contract, section 4.1.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is done about it here.
    pub action: Action,
    /// What the model and the person are told; `None` leaves it at the name.
    pub message: Option<String>,
}

impl Matched {
    /// The reason in words: its own message, or its name; always with its id. Quotes nothing of the content.
    pub fn reason(&self) -> String {
        let what = self.message.as_deref().unwrap_or(&self.policy_name);
        format!("{what} ({})", self.policy_id)
    }
}

impl From<&Matched> for MatchedPolicy {
    fn from(spoke: &Matched) -> Self {
        Self {
            policy_id: spoke.policy_id.clone(),
            policy_name: spoke.policy_name.clone(),
            category: spoke.category.clone(),
            severity: spoke.severity.word().to_owned(),
            action: spoke.action.word().to_owned(),
        }
    }
}

impl From<&Match<'_>> for Matched {
    fn from(found: &Match<'_>) -> Self {
        Self {
            policy_id: found.policy.policy_id.clone(),
            policy_name: found.policy.name.clone(),
            category: found.policy.category.clone(),
            severity: found.policy.severity,
            action: found.action,
            message: None,
        }
    }
}

impl From<&Rule> for Matched {
    fn from(rule: &Rule) -> Self {
        Self {
            policy_id: rule.id.clone(),
            policy_name: rule.name.clone(),
            category: rule.category.clone(),
            severity: rule.severity,
            action: rule.action,
            message: rule.message.clone(),
        }
    }
}

impl Strings for Texts {
    fn key(&mut self, text: &str) {
        Texts::key(self, text);
    }

    fn value(&mut self, text: &str) {
        Texts::value(self, text);
    }
}

/// Everything that decides at one moment; never changed, only replaced as a whole.
pub struct PolicySet {
    core: Arc<Core>,
    parts: PolicySetBuilder,
    /// Overrides for single tools, by `backend/tool` or `tool`, then by policy.
    by_tool: BTreeMap<String, BTreeMap<String, Override>>,
    evaluated: usize,
    version: OnceLock<String>,
    /// Why nothing may pass.
    shut: Option<String>,
}

impl PolicySet {
    /// The shipped catalogue under `posture`.
    ///
    /// # Errors
    /// A catalogue that cannot be used, which the tests exclude for the shipped one.
    pub fn shipped(posture: Posture) -> Result<Self, CatalogueError> {
        PolicySetBuilder::new(posture).build()
    }

    pub(super) fn assemble(core: Arc<Core>, parts: PolicySetBuilder) -> Self {
        let mut by_tool: BTreeMap<String, BTreeMap<String, Override>> = BTreeMap::new();
        for (tool, over) in parts.overrides().filter_map(|over| Some((over.tool.as_ref()?, over))) {
            by_tool.entry(tool.clone()).or_default().insert(over.policy_id.clone(), over.change.clone());
        }
        let evaluated = core.engine.policies().count() + parts.rules().enabled();
        Self { core, parts, by_tool, evaluated, version: OnceLock::new(), shut: None }
    }

    /// The engine behind it. Its own posture is the one without overrides for single tools.
    pub fn engine(&self) -> &Engine {
        &self.core.engine
    }

    /// The operator's own rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        self.parts.rules()
    }

    /// What it was made of, to make another one of.
    pub fn parts(&self) -> &PolicySetBuilder {
        &self.parts
    }

    /// What is done about findings in calls of this tool.
    pub fn posture(&self, backend: &str, tool: &str, now: SystemTime) -> Cow<'_, Posture> {
        let everywhere = self.parts.effective();
        if self.by_tool.is_empty() {
            return Cow::Borrowed(everywhere);
        }
        let qualified = self.by_tool.get(&format!("{backend}/{tool}"));
        let valid = |(_, over): &(&String, &Override)| over.expires_at.is_none_or(|end| now < end);
        let mut posture = Cow::Borrowed(everywhere);
        // The narrower one comes last and wins.
        for (id, over) in self.by_tool.get(tool).into_iter().chain(qualified).flatten().filter(valid) {
            posture.to_mut().overrides.insert(id.clone(), over.clone());
        }
        posture
    }

    /// A digest (SHA-256, 64 lower-case hex digits) of everything that decides: this program's policies, posture,
    /// rules, stored policies and overrides. Two sets that decide differently have different ones.
    pub fn version(&self) -> &str {
        self.version.get_or_init(|| self.parts.digest())
    }

    /// Compiles everything now, on a thread that nobody waits for.
    pub fn warm(&self) {
        self.core.engine.warm();
        self.version();
    }

    /// Judges one question: first the Rego rules, then, where those abstain, everything else. Rules with a rate count
    /// it if they are asked.
    ///
    /// # Errors
    /// Why the content cannot be judged; then it must not pass.
    pub fn judge(&self, question: &Question<'_>) -> Result<Judgement, String> {
        if let Some(reason) = &self.shut {
            return Err(reason.clone());
        }
        match self.judge_by_rego(question)? {
            Some(judgement) => Ok(judgement),
            None => self.judge_without_rego(question),
        }
    }

    /// As [`PolicySet::judge`], for content of a call that was decided already and is looked at again for what must be
    /// masked: what the Rego rules block stays blocked if the tool is named, and nothing else of them counts.
    ///
    /// # Errors
    /// As there.
    pub fn judge_decided(&self, question: &Question<'_>) -> Result<Judgement, String> {
        if let Some(reason) = &self.shut {
            return Err(reason.clone());
        }
        let by_rego = if question.tool.is_empty() { None } else { self.judge_by_rego(question)? };
        match by_rego.filter(|judgement| judgement.action == Some(Action::Block)) {
            Some(judgement) => Ok(judgement),
            None => self.judge_without_rego(question),
        }
    }

    fn judge_without_rego(&self, question: &Question<'_>) -> Result<Judgement, String> {
        let mut texts = Texts::default();
        let (masked, counts) = match question.content {
            Content::Json(json) if is_blank(json) => (None, BTreeMap::new()),
            Content::Json(json) => {
                texts = Texts::with_capacity(json.len());
                read_object(json, &mut texts).map_err(|error| error.to_string())?;
                let scan = self.core.redactor.scan(json).map_err(|fault| fault.to_string())?;
                (scan.json, scan.masked)
            }
            Content::Text(text) => {
                texts.value(text);
                let scan = self.core.redactor.scan_text(text);
                (scan.text.map(String::into_bytes), scan.masked)
            }
        };
        Ok(self.say(question, &texts, &counts, masked))
    }

    /// What the Rego rules say of a call; `None` when there are none, or they abstain.
    fn judge_by_rego(&self, question: &Question<'_>) -> Result<Option<Judgement>, String> {
        let Some(rego) = self.parts.rego().filter(|_| question.phase == Phase::Request) else {
            return Ok(None);
        };
        let Some(matched) = rego.judge(question)? else { return Ok(None) };
        let action = matched.first().map(|found| found.action);
        // Nothing of it is sent, but a person who decides is shown it.
        let masked = match question.content {
            _ if action == Some(Action::Block) => None,
            Content::Json(json) if is_blank(json) => None,
            Content::Json(json) => self.core.redactor.scan(json).map_err(|fault| fault.to_string())?.json,
            Content::Text(text) => self.core.redactor.scan_text(text).text.map(String::into_bytes),
        };
        let evaluated = rego.rules();
        Ok(Some(Judgement { action, matched, evaluated, masked, tier: Some(CascadeTier::Rego) }))
    }

    /// The tier of a policy or rule that is no Rego rule.
    fn tier_of(&self, policy_id: &str) -> CascadeTier {
        let is_rule = || self.rules().rules().iter().any(|rule| rule.id == policy_id);
        let is_stored = || self.parts.stored().iter().any(|policy| policy.policy_id == policy_id);
        if is_stored() || is_rule() { CascadeTier::Stored } else { CascadeTier::Heuristics }
    }

    /// Judges an answer that was masked and checked to be JSON already: personal data is not looked for again.
    ///
    /// # Errors
    /// Why it cannot be judged; then it must not pass. Rules read JSON as strictly as arguments.
    pub fn judge_masked(&self, question: &Question<'_>) -> Result<Judgement, String> {
        if let Some(reason) = &self.shut {
            return Err(reason.clone());
        }
        let mut texts = Texts::default();
        match question.content {
            Content::Json(json) if is_blank(json) => {}
            Content::Json(json) => {
                texts = Texts::with_capacity(json.len());
                if self.parts.rules().rules().is_empty() {
                    super::answer::read(json, &mut texts);
                } else {
                    read_object(json, &mut texts).map_err(|error| error.to_string())?;
                }
            }
            Content::Text(text) => texts.value(text),
        }
        Ok(self.say(question, &texts, &BTreeMap::new(), None))
    }

    fn say(
        &self,
        question: &Question<'_>,
        texts: &Texts,
        counts: &BTreeMap<&'static str, u32>,
        masked: Option<Vec<u8>>,
    ) -> Judgement {
        let posture = self.posture(question.backend, question.tool, question.at);
        let asked = Asked { phase: question.phase, backend: question.backend, tool: question.tool };
        let spoke = self.core.engine.judge_under(&posture, texts, counts, &asked, question.at);
        let rules = self.parts.rules().judge(question, texts);
        self.merge(question, &spoke, &rules, masked)
    }

    /// Deny wins over approval, approval over redact, redact over warn, whoever said it.
    fn merge(
        &self,
        question: &Question<'_>,
        spoke: &[Match<'_>],
        rules: &[&Rule],
        mut masked: Option<Vec<u8>>,
    ) -> Judgement {
        let mut matched: Vec<(i32, Matched)> =
            spoke.iter().map(|found| (found.policy.priority, Matched::from(found))).collect();
        if !rules.is_empty() {
            matched.extend(rules.iter().map(|rule| (rule.priority, Matched::from(*rule))));
            matched.sort_by_key(|(priority, m)| (m.action, Reverse((m.severity, *priority))));
        }
        let action = matched.first().map(|(_, found)| found.action);
        let only_rules = !spoke.iter().any(|found| found.action == Action::Redact);
        if action == Some(Action::Redact) && masked.is_none() && only_rules {
            // A rule that masks a tool's calls found nothing to mask in this one: it passes as it is.
            masked = Some(match question.content {
                Content::Json(json) if is_blank(json) => b"{}".to_vec(),
                Content::Json(json) => json.to_vec(),
                Content::Text(text) => text.as_bytes().to_vec(),
            });
        }
        let matched: Vec<Matched> = matched.into_iter().map(|(_, found)| found).collect();
        let tier = matched.first().map(|found| self.tier_of(&found.policy_id));
        Judgement { action, matched, evaluated: self.evaluated, masked, tier }
    }
}

pub(super) fn is_blank(json: &[u8]) -> bool {
    matches!(json.trim_ascii(), b"" | b"null")
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet").field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// Where the set that holds now is found.
#[derive(Debug)]
pub struct Authority {
    current: ArcSwap<PolicySet>,
    /// The same set, saying no to everything, while nothing may be decided.
    shut: ArcSwapOption<PolicySet>,
    /// Whether a part that is still being read will be there soon: [`Authority::unsettle`].
    reading: AtomicBool,
    settled: (Mutex<()>, Condvar),
    /// Held while a set is made of the current one, so that two who change different parts lose nothing.
    changing: Mutex<()>,
}

impl Authority {
    /// An authority that begins with `set`.
    pub fn new(set: PolicySet) -> Self {
        Self {
            current: ArcSwap::from_pointee(set),
            shut: ArcSwapOption::empty(),
            reading: AtomicBool::new(false),
            settled: (Mutex::new(()), Condvar::new()),
            changing: Mutex::new(()),
        }
    }

    /// The set that holds now. While the authority is shut, one whose [`PolicySet::judge`] says why.
    pub fn current(&self) -> Arc<PolicySet> {
        self.shut.load_full().unwrap_or_else(|| self.current.load_full())
    }

    /// The newest set that could be read, also while the authority is shut. For what is not a decision on a call: a
    /// tool list must not go empty, and what ran must not lose its answer, because a database is away.
    pub fn last_good(&self) -> Arc<PolicySet> {
        self.current.load_full()
    }

    /// Lets nothing pass until [`Authority::open`]: every judging fails with `reason`.
    pub fn shut(&self, reason: &str) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let set = self.current.load();
        let mut shut = PolicySet::assemble(set.core.clone(), set.parts.clone());
        shut.shut = Some(reason.to_owned());
        self.shut.store(Some(Arc::new(shut)));
    }

    /// Decides again.
    pub fn open(&self) {
        self.shut.store(None);
    }

    /// Why nothing may be decided now; `None` when it may.
    pub fn shut_reason(&self) -> Option<String> {
        self.shut.load().as_ref().and_then(|set| set.shut.clone())
    }

    /// Says that a part of what decides is being read for the first time and will be there in a moment.
    pub fn unsettle(&self) {
        self.reading.store(true, Ordering::Release);
    }

    /// Says that it is there, or will not come soon.
    pub fn settle(&self) {
        let (lock, told) = &self.settled;
        let _lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.reading.store(false, Ordering::Release);
        told.notify_all();
    }

    /// Whether everything that decides was read at least once.
    pub fn is_settled(&self) -> bool {
        !self.reading.load(Ordering::Acquire)
    }

    /// Waits until everything was read, or until `deadline`. Not for the thread that moves messages.
    pub fn wait_settled(&self, deadline: Instant) {
        let (lock, told) = &self.settled;
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_settled() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            held = told.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Puts another set in its place; decisions that have begun end with the old one.
    pub fn replace(&self, set: PolicySet) {
        self.current.store(Arc::new(set));
    }

    /// Changes some parts of the set that holds now and leaves the others: the policy file and the database change
    /// independently. Compiles the new set before it takes over. Blocks; not for the thread that moves messages.
    ///
    /// # Errors
    /// Why the new set cannot be used; then the old one stays.
    pub fn update(&self, change: impl FnOnce(&mut PolicySetBuilder)) -> Result<(), CatalogueError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = self.current.load().parts().clone();
        change(&mut parts);
        let set = parts.build()?;
        set.warm();
        self.replace(set);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::ScopedOverride;
    use super::super::model::{Detect, Pattern, Policy};
    use super::super::posture::Class;
    use super::*;
    use std::time::Duration;

    fn question<'a>(tool: &'a str, json: &'a [u8]) -> Question<'a> {
        Question {
            phase: Phase::Request,
            content: Content::Json(json),
            backend: "db",
            tool,
            agent: "desk",
            hints: Hints::default(),
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        }
    }

    fn over(
        policy_id: &str,
        tool: Option<&str>,
        action: Option<Action>,
        ends: Option<u64>,
    ) -> ScopedOverride {
        ScopedOverride {
            policy_id: policy_id.into(),
            tool: tool.map(str::to_owned),
            change: Override {
                action,
                reason: "a test".into(),
                expires_at: ends.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at)),
            },
        }
    }

    const DROP: &[u8] = br#"{"sql":"DROP TABLE users"}"#;

    /// What is done about the policy that the tests override, which is not the only one that speaks.
    fn action(parts: &PolicySetBuilder, tool: &str) -> Option<Action> {
        let set = parts.clone().build().expect("sound");
        let judged = set.judge(&question(tool, DROP)).expect("judged");
        judged.matched.iter().find(|found| found.policy_id == "sys_sqli_drop_table").map(|found| found.action)
    }

    #[test]
    fn overrides_hold_where_they_say_and_the_narrower_and_later_one_wins() {
        let id = "sys_sqli_drop_table";
        let mut parts = PolicySetBuilder::new(Posture::default());
        assert_eq!(action(&parts, "migrate"), Some(Action::Block));
        let everywhere = over(id, None, Some(Action::Warn), None);
        parts.set_file(RuleSet::default(), vec![everywhere, over(id, Some("db/migrate"), None, None)]);
        assert_eq!((action(&parts, "migrate"), action(&parts, "query")), (None, Some(Action::Warn)));
        parts.set_stored(Vec::new(), vec![over(id, None, Some(Action::RequireApproval), None)]);
        assert_eq!(action(&parts, "query"), Some(Action::RequireApproval));
        parts.set_stored(Vec::new(), vec![over(id, Some("query"), Some(Action::Block), Some(101))]);
        assert_eq!(action(&parts, "query"), Some(Action::Block));
        parts.set_stored(Vec::new(), vec![over(id, Some("query"), Some(Action::Block), Some(100))]);
        assert_eq!(action(&parts, "query"), Some(Action::Warn), "expired, so the wider one holds again");
    }

    fn stored(regex: &str) -> Policy {
        Policy {
            policy_id: "own_codename".into(),
            name: "a code name".into(),
            category: "custom".into(),
            severity: Severity::High,
            tier: super::super::model::Tier::Tenant,
            priority: 50,
            phase: Phase::Both,
            action_request: Action::Block,
            action_response: Action::Log,
            observe_only: false,
            detect: Detect {
                patterns: vec![Pattern { regex: regex.into(), confirm: None }],
                ..Detect::default()
            },
            must_match: Vec::new(),
            must_not_match: Vec::new(),
        }
    }

    #[test]
    fn a_stored_policy_needs_no_trigger_and_must_be_an_expression() {
        let mut parts = PolicySetBuilder::new(Posture::default());
        parts.set_stored(vec![stored("project\\s+bluebird")], Vec::new());
        let set = parts.clone().build().expect("sound");
        let ids = |json: &[u8]| {
            let judged = set.judge(&question("send", json)).expect("judged");
            judged.matched.into_iter().map(|found| found.policy_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(br#"{"text":"about Project Bluebird"}"#), ["own_codename"]);
        assert!(ids(br#"{"text":"about birds"}"#).is_empty());
        parts.set_stored(vec![stored("project(")], Vec::new());
        let error = parts.build().expect_err("broken").to_string();
        assert!(error.contains("own_codename"), "{error}");
    }

    #[test]
    fn whatever_decides_is_in_the_version() {
        let mut parts = PolicySetBuilder::new(Posture::default());
        let version = |parts: &PolicySetBuilder| parts.clone().build().expect("sound").version().to_owned();
        let mut seen = vec![version(&parts)];
        assert_eq!(version(&parts), seen[0], "the same parts have the same version");
        parts.set_stored(vec![stored("x")], Vec::new());
        seen.push(version(&parts));
        parts.set_stored(vec![stored("y")], Vec::new());
        seen.push(version(&parts));
        parts.set_file(RuleSet::default(), vec![over("p", Some("t"), None, None)]);
        seen.push(version(&parts));
        parts.set_file(RuleSet::default(), vec![over("p", None, None, None)]);
        seen.push(version(&parts));
        let posture =
            Posture { actions: [(Class::Sqli, Action::Warn)].into_iter().collect(), ..Posture::default() };
        seen.push(version(&PolicySetBuilder::new(posture)));
        assert!(seen.iter().all(|version| version.len() == 64));
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn a_change_of_one_part_leaves_the_others() {
        let authority = Authority::new(PolicySet::shipped(Posture::default()).expect("sound"));
        let before = authority.current();
        authority
            .update(|parts| {
                _ = parts.set_stored(vec![stored("x")], Vec::new());
            })
            .expect("sound");
        let file = vec![over("sys_sqli_drop_table", None, Some(Action::Warn), None)];
        authority
            .update(|parts| {
                _ = parts.set_file(RuleSet::default(), file);
            })
            .expect("sound");
        authority
            .update(|parts| {
                _ = parts.set_stored(vec![stored("(")], Vec::new());
            })
            .expect_err("broken");
        let now = authority.current();
        assert_eq!(now.parts().stored().len(), 1);
        assert_eq!(now.parts().file_overrides().len(), 1);
        assert_ne!(now.version(), before.version());
        assert_eq!(before.judge(&question("q", DROP)).expect("judged").action, Some(Action::Block));
    }
}
