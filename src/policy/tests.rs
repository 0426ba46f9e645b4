//! The catalogue against its own samples, and the engine as a whole.

use super::model::{Phase, Policy};
use super::posture::Posture;
use super::{Engine, Texts};
use crate::redact::{CardMatch, Options, Redactor};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::shipped(Posture::default()).expect("the catalogue is sound"));
static REDACTOR: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::new(Options { card_match: CardMatch::Precise, ..Options::default() }));

fn found(engine: &Engine, sample: &str) -> Vec<String> {
    let mut texts = Texts::default();
    texts.value(sample);
    let masked = REDACTOR.scan_text(sample).masked;
    // Every policy counts here, whatever its phase.
    let asked = [Phase::Request, Phase::Response];
    let all = asked.into_iter().flat_map(|phase| engine.judge(&texts, &masked, phase));
    let mut ids: Vec<String> = all.map(|m| m.policy.policy_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether the redactor can find this kind at all; kinds that it learns later are not missed before.
fn is_asked(policy: &Policy) -> bool {
    let kinds: Vec<&str> = crate::redact::detect::DETECTORS.iter().map(|detector| detector.kind).collect();
    let detect = &policy.detect;
    !detect.patterns.is_empty()
        || !detect.signals.is_empty()
        || detect.personal_data.iter().any(|kind| kinds.contains(&kind.as_str()))
}

#[test]
fn every_sample_is_found_by_its_policy() {
    let mut wrong = Vec::new();
    for policy in ENGINE.policies().filter(|policy| is_asked(policy)) {
        let id = &policy.policy_id;
        assert!(!policy.must_match.is_empty() && !policy.must_not_match.is_empty(), "{id} has no samples");
        let missed = policy.must_match.iter().filter(|sample| !found(&ENGINE, sample).contains(id));
        wrong.extend(missed.map(|sample| (id, sample)));
    }
    assert!(wrong.is_empty(), "not found: {wrong:#?}");
}

#[test]
fn no_counter_sample_is_found_by_its_policy() {
    let mut wrong = Vec::new();
    for policy in ENGINE.policies() {
        let id = &policy.policy_id;
        let hit = policy.must_not_match.iter().filter(|sample| found(&ENGINE, sample).contains(id));
        wrong.extend(hit.map(|sample| (id, sample)));
    }
    assert!(wrong.is_empty(), "found: {wrong:#?}");
}

#[test]
fn every_policy_has_the_trigger_it_needs() {
    for policy in ENGINE.policies().filter(|policy| is_asked(policy)) {
        let alone = Engine::new(vec![policy.clone()], Posture::default()).expect("compiles");
        for sample in &policy.must_match {
            assert_eq!(found(&alone, sample), std::slice::from_ref(&policy.policy_id), "{sample:?}");
        }
    }
}

#[test]
fn every_expression_compiles() {
    assert!(super::compile::Triggers::new(&ENGINE.policies().collect::<Vec<_>>(), Phase::Both).is_ok());
    ENGINE.warm();
    for policy in ENGINE.policies() {
        for pattern in &policy.detect.patterns {
            let compiled = super::compile::Compiled::new(pattern).expect("the check exists");
            assert!(compiled.regex().is_some(), "{}: {}", policy.policy_id, pattern.regex);
        }
    }
}

#[test]
fn patterns_that_do_not_compile_find_everything() {
    let mut policy = ENGINE.policies().next().expect("there is one").clone();
    policy.detect.patterns[0].regex = "(".into();
    policy.detect.trigger = "x".into();
    let engine = Engine::new(vec![policy.clone()], Posture::default()).expect("the triggers compile");
    assert_eq!(found(&engine, "x"), [policy.policy_id]);
}

#[test]
fn an_unknown_check_is_refused() {
    let mut policy = ENGINE.policies().next().expect("there is one").clone();
    policy.detect.patterns[0].confirm = Some("no_such".into());
    let error = Engine::new(vec![policy], Posture::default()).expect_err("refused").to_string();
    assert!(error.contains("no_such"), "{error}");
}

#[test]
fn endless_candidates_end_shut() {
    let text = "or 1=2;".repeat(super::compile::LOOKED_AT + 1);
    assert!(!ENGINE.judge_text(&text, Phase::Request).is_empty());
}

#[test]
fn the_most_severe_policy_that_blocks_comes_first() {
    let mut texts = Texts::default();
    texts.value("cat /etc/shadow");
    texts.value("rm -rf /");
    let matched = ENGINE.judge(&texts, &BTreeMap::new(), Phase::Request);
    assert_eq!(matched[0].policy.policy_id, "sys_dangerous_destructive_fs");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_fail(text in "(\\PC|[\\x00-\\x20'\";/*#-]|drop|union|select| or |=|%2|0x|\\.\\./|http://){0,60}") {
        ENGINE.judge_text(&text, Phase::Request);
    }
}
