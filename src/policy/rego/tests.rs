//! Sets of rules as a whole, and the blocks of `docs/rego.md`.

use super::files::Text;
use super::*;
use crate::policy::authority::{Content, PolicySet};
use crate::policy::builder::PolicySetBuilder;
use crate::policy::cascade::CascadeTier;
use crate::policy::model::Phase;
use crate::policy::posture::Posture;
use crate::policy::rules;
use callgate_actors::call::Hints;
use std::sync::Arc;

fn question<'a>(tool: &'a str, json: &'a str) -> Question<'a> {
    Question {
        phase: Phase::Request,
        content: Content::Json(json.as_bytes()),
        backend: "files",
        tool,
        agent: "desk",
        hints: Hints::default(),
        at: SystemTime::now(),
    }
}

fn rules_of(text: &str) -> RegoSet {
    RegoSet::of_text("rules.rego", text).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"))
}

/// The action and the first message.
fn said(set: &RegoSet, tool: &str, json: &str) -> Option<(Action, String)> {
    let matched = set.judge(&question(tool, json)).expect("read")?;
    Some((matched[0].action, matched[0].message.clone().unwrap_or_default()))
}

fn action(set: &RegoSet, tool: &str, json: &str) -> Option<Action> {
    said(set, tool, json).map(|(action, _)| action)
}

fn text(name: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")).replace("\r\n", "\n")
}

fn example(name: &str) -> Text {
    let name = format!("config/rego.example/{name}.rego");
    Text { text: text(&name), name, is_data: false }
}

#[test]
fn the_examples_say_what_they_are_documented_to_say() {
    let one = |name: &str| RegoSet::compile(&[example(name)]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let (shell, files, known) = (one("shell"), one("system-files"), one("known-tools"));
    for set in [&shell, &files, &known] {
        assert_eq!(set.files()[0].syntax, Syntax::V0);
    }
    assert_eq!(action(&shell, "run_command", "{}"), Some(Action::Block));
    assert_eq!(action(&shell, "read_file", "{}"), None);
    assert_eq!(action(&files, "write_file", r#"{"path":"/etc/passwd"}"#), Some(Action::Block));
    assert_eq!(action(&files, "write_file", r#"{"path":"/tmp/x"}"#), None);
    assert_eq!(action(&known, "read_file", "{}"), None);
    assert_eq!(action(&known, "run_command", "{}"), Some(Action::RequireApproval));
}

#[test]
fn rules_that_contradict_each_other_deny() {
    let all = ["shell", "system-files", "known-tools"].map(example);
    let set = RegoSet::compile(&all).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let (action, message) = said(&set, "run_command", "{}").expect("said");
    assert_eq!(action, Action::Block);
    assert!(message.contains("cannot decide") && message.contains(".rego:"), "{message}");
    assert_eq!(said(&set, "read_file", "{}"), None);
    assert_eq!(said(&set, "write_file", r#"{"path":"/etc/x"}"#).map(|said| said.0), Some(Action::Block));
}

#[test]
fn sets_and_decisions_are_asked_together() {
    let set = rules_of(
        "package aaf.policy\n\
         decision := \"allow\" if input.action.tool == \"a\"\n\
         reason := \"known\"\n\
         deny contains msg if { input.action.params.x == 1; msg := \"one\" }\n\
         deny contains \"also\" if input.action.params.x == 1\n\
         require_approval contains \"two\" if input.action.params.x >= 1\n",
    );
    assert_eq!(said(&set, "a", "{}"), Some((Action::Log, "known".into())));
    assert_eq!(action(&set, "b", "{}"), None);
    assert_eq!(said(&set, "a", r#"{"x":2}"#), Some((Action::RequireApproval, "two".into())));
    let matched = set.judge(&question("a", r#"{"x":1}"#)).expect("read").expect("said");
    let told: Vec<_> = matched.iter().map(|found| found.message.as_deref().unwrap_or_default()).collect();
    assert_eq!(told, ["also", "one"]);
    assert!(
        matched.iter().all(|found| found.action == Action::Block && found.policy_id == "rego:aaf.policy")
    );
}

#[test]
fn values_of_the_call_are_not_told_in_errors() {
    let set =
        rules_of("package aaf.policy\ndecision := \"deny\" if startswith(input.action.params.p, \"x\")\n");
    let (action, message) = said(&set, "a", r#"{"p":{"password":"hunter2"}}"#).expect("said");
    assert_eq!(action, Action::Block);
    assert!(message.contains("rules.rego:2:") && !message.contains("hunter2"), "{message}");
    assert_eq!(said(&set, "a", "{}"), None, "what is not there is no error");
}

#[test]
fn a_rule_without_end_is_stopped_and_told_slow() {
    let set = rules_of(
        "package aaf.policy\ndecision := \"allow\" if {\n input.action.tool == \"spin\"\n \
         some a in numbers.range(1, 5000)\n some b in numbers.range(1, 5000)\n a * b == -1\n}\n",
    );
    assert!(set.is_quick());
    let (action, message) = said(&set, "spin", "{}").expect("said");
    assert_eq!(action, Action::Block);
    assert!(message.contains("longer than 100 ms"), "{message}");
    assert!(!set.is_quick());
}

#[test]
fn helpers_of_the_pages_are_there_unless_defined() {
    let rules = |more: &str| {
        rules_of(&format!(
            "package aaf.policy\ndecision = \"deny\" {{ is_private_ip(input.action.params.url) }}\n{more}"
        ))
    };
    let own = rules("");
    for url in [
        "http://10.1.2.3/x",
        "https://user@192.168.0.9:8443",
        "http://localhost",
        "http://[::1]/",
        "http://0x7f.1/",
    ] {
        assert_eq!(action(&own, "get", &format!(r#"{{"url":"{url}"}}"#)), Some(Action::Block), "{url}");
    }
    assert_eq!(action(&own, "get", r#"{"url":"https://example.com/10.0.0.1"}"#), None);
    assert_eq!(action(&own, "get", r#"{"url":7}"#), None);
    let theirs = rules("is_private_ip(url) { startswith(split(url, \"/\")[2], \"172.\") }\n");
    assert_eq!(action(&theirs, "get", r#"{"url":"http://172.16.0.1/"}"#), Some(Action::Block));
    assert_eq!(action(&theirs, "get", r#"{"url":"http://10.0.0.1/"}"#), None);
}

#[test]
fn sets_with_other_texts_have_other_versions() {
    let with = |rego: Option<RegoSet>| {
        let mut parts = PolicySetBuilder::new(Posture::default());
        parts.set_rego(rego.map(Arc::new));
        parts.build().expect("sound").version().to_owned()
    };
    let text = "package aaf.policy\ndeny contains \"x\" if input.action.tool == \"a\"\n";
    let (none, one) = (with(None), with(Some(rules_of(text))));
    assert_ne!(none, one);
    assert_eq!(one, with(Some(rules_of(text))));
    assert_ne!(one, with(Some(rules_of(&text.replace("\"a\"", "\"b\"")))));
}

fn set_with(rego: RegoSet) -> PolicySet {
    let mut parts = PolicySetBuilder::new(Posture::default());
    parts.set_rego(Some(Arc::new(rego)));
    parts.build().expect("sound")
}

#[test]
fn what_a_person_is_shown_is_masked() {
    let set = set_with(rules_of(
        "package aaf.policy\nrequire_approval contains \"look\" if input.action.tool == \"mail\"\n",
    ));
    let judged = set.judge(&question("mail", r#"{"to":"jane@acme.co.id"}"#)).expect("judged");
    assert_eq!((judged.action, judged.tier), (Some(Action::RequireApproval), Some(CascadeTier::Rego)));
    assert_eq!(judged.masked.as_deref(), Some(br#"{"to":"[REDACTED:email]"}"#.as_slice()));
    let answer = Question { phase: Phase::Response, ..question("mail", r#"{"x":"y"}"#) };
    assert_eq!(set.judge(&answer).expect("judged").tier, None, "answers are not theirs to judge");
    assert!(set.judge(&question("mail", r#"{"a":1,"a":2}"#)).is_err());
}

#[test]
fn every_block_of_the_document_holds() {
    let document = text("docs/rego.md");
    let (mut rego, mut data, mut proven) = (None::<Text>, None::<Text>, 0);
    for block in document.split("\n```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').expect("a block");
        match kind {
            "rego" => rego = Some(Text { name: "doc.rego".into(), text: body.to_owned(), is_data: false }),
            "json" if !body.contains("\"tests\"") => {
                data = Some(Text { name: "data.json".into(), text: body.to_owned(), is_data: true });
            }
            "json" => {
                let texts: Vec<Text> = data.take().into_iter().chain(rego.take()).collect();
                let set = RegoSet::compile(&texts).unwrap_or_else(|faults| panic!("{faults:#?}\n{texts:?}"));
                let set = set_with(set);
                let file = rules::file::parse(body, "docs/rego.md", None)
                    .unwrap_or_else(|faults| panic!("{faults:#?}\n{body}"));
                for case in &file.cases {
                    case.run(&set, "claude-desktop").unwrap_or_else(|instead| {
                        panic!("{}: expected {}; {instead}\n{body}", case.name, case.expect.word())
                    });
                    proven += 1;
                }
            }
            other => panic!("a block of {other:?} is not run"),
        }
    }
    assert!(proven >= 15, "{proven}");
}
