//! The embedded authority as the machine asks it: whole arguments in, a decision out.

use super::*;
use bytes::Bytes;
use callgate_actors::call::Hints;
use serde_json::json;
use std::sync::LazyLock;
use std::time::SystemTime;

static PDP: LazyLock<EmbeddedPdp> =
    LazyLock::new(|| EmbeddedPdp::shipped().expect("the shipped rules compile"));

fn call_with(arguments: &str) -> Call {
    Call {
        number: 1,
        received_at: SystemTime::now(),
        backend: "db".into(),
        tool: "query".into(),
        exposed: "db__query".into(),
        arguments: (!arguments.is_empty()).then(|| Bytes::copy_from_slice(arguments.as_bytes())),
        meta: None,
        hints: Hints::default(),
    }
}

fn decide_json(arguments: &str) -> Decision {
    PDP.decide(&call_with(arguments), Instant::now())
}

fn decide(arguments: &serde_json::Value) -> Decision {
    decide_json(&arguments.to_string())
}

fn is_denied(text: &str) -> bool {
    matches!(decide(&json!({"text": text})).verdict, Verdict::Deny)
}

#[test]
fn a_deny_names_the_rule_and_quotes_nothing() {
    let decision = decide(&json!({"sql": "DROP TABLE salaries_2026"}));
    assert!(matches!(decision.verdict, Verdict::Deny));
    assert_eq!(decision.evaluated_policies, ["sys_sqli_drop_table"]);
    assert_eq!(decision.reasons, ["DROP TABLE (sys_sqli_drop_table)"]);
    assert!(uuid::Uuid::parse_str(&decision.decision_id).is_ok());
    assert!(crate::pdp::trace::is_hex(&decision.trace_id, 32));
}

#[test]
fn an_allow_changes_nothing() {
    for arguments in ["", "null", " null", "{}", r#"{"a":1,"b":[true,null,"x"]}"#] {
        let decision = decide_json(arguments);
        assert!(matches!(decision.verdict, Verdict::Allow { arguments: None, redact: false }), "{arguments}");
        assert_eq!(decision.evaluated_policies, [RULE_SET]);
        assert!(decision.reasons.is_empty());
    }
}

#[test]
fn the_most_severe_rule_that_blocks_comes_first() {
    let decision = decide(&json!({"a": "cat /etc/shadow", "b": "rm -rf /"}));
    assert_eq!(decision.evaluated_policies[0], "sys_dangerous_destructive_fs");
    assert!(decision.evaluated_policies.contains(&"sys_dangerous_credential_access".to_owned()));
    assert!(decision.reasons.len() >= 2);
}

#[test]
fn actions_decide_the_verdict() {
    let of = |actions: &[Action], masked: Option<&str>| {
        verdict(Judgement {
            action: actions.first().copied(),
            masked: masked.map(|json| json.as_bytes().to_vec()),
            ..Judgement::default()
        })
    };
    assert!(matches!(of(&[Action::RequireApproval], None), Verdict::NeedsApproval));
    assert!(matches!(of(&[Action::Block, Action::RequireApproval], None), Verdict::Deny));
    assert!(matches!(of(&[Action::Warn, Action::Log], None), Verdict::Allow { arguments: None, .. }));
    assert!(matches!(of(&[], None), Verdict::Allow { .. }));
    assert!(matches!(of(&[Action::Redact], None), Verdict::Deny), "what cannot be masked does not pass");
    let Verdict::Allow { arguments, redact: true } = of(&[Action::Redact, Action::Warn], Some("{}")) else {
        panic!("allowed and masked")
    };
    assert_eq!(arguments.as_deref(), Some(&b"{}"[..]));
}

#[test]
fn arguments_that_readers_disagree_on_are_denied() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(300), "}".repeat(300));
    for arguments in [r#"{"a":1,"a":2}"#, r#"{"a":"\ud800"}"#, "[]", "\"x\"", "{", "{\"a\":1e999}", &deep] {
        let decision = decide_json(arguments);
        assert!(matches!(decision.verdict, Verdict::Deny), "{arguments}");
        assert!(
            decision.reasons[0].starts_with("the arguments cannot be decided on"),
            "{:?}",
            decision.reasons
        );
    }
}

#[test]
fn w38_no_way_of_writing_json_hides_anything() {
    for arguments in [
        r#"{"sql":"DROP TABLE users"}"#,
        r#"{"sql":"\u0044\u0052OP TABLE users"}"#,
        r#"{"sql":"x\nDROP TABLE users"}"#,
        r#"{"sql":"x;\r\n\tDROP\nTABLE\nusers"}"#,
        r#"{"sql":"DROP\u00a0TABLE\u3000users"}"#,
        r#"{"sql":"DR\u200bOP TABLE users"}"#,
        r#"{"sql":"ＤＲＯＰ ＴＡＢＬＥ users"}"#,
        r#"{"sql":"DROP/*x*/TABLE/**/users"}"#,
        r#"{"sql":"DROP -- x\nTABLE users"}"#,
        r#"{"sql":"/*!50000DROP*/ TABLE users"}"#,
        r#"{"DROP TABLE users":1}"#,
        r#"{"a":{"b":[[{"c":"DROP TABLE users"}]]}}"#,
        r#"{"argv":["DROP TABLE","users"]}"#,
        r#"{"argv":["rm","-rf","/"]}"#,
        r#"{"command":"rm","args":["-rf","/"]}"#,
        r#"{"url":"http:\/\/169.254.169.254\/"}"#,
        r#"{"cmd":"cat x \u003e \/dev\/sda"}"#,
    ] {
        assert!(matches!(decide_json(arguments).verdict, Verdict::Deny), "{arguments}");
    }
}

#[test]
fn w38_newlines_silence_no_sample() {
    let mut lost = Vec::new();
    let set = PDP.authority.current();
    for rule in set.engine().policies().filter(|policy| !policy.detect.patterns.is_empty()) {
        if rule.action_request != Action::Block {
            continue;
        }
        for sample in &rule.must_match {
            for twisted in [
                format!("\n{sample}"),
                format!("\t{sample}\n"),
                sample.replace(' ', "\n"),
                sample.replace(' ', "\r\n\t"),
            ] {
                if !is_denied(&twisted) {
                    lost.push((rule.policy_id.clone(), twisted));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn it_does_not_cry_wolf_on_what_people_write() {
    let mut wrong = Vec::new();
    for text in [
        "we will grant access to the team tomorrow",
        "drop the table reservation for tonight, please",
        "please delete from my calendar what is older than a year",
        "# Update\n\n- select the right items\n- insert into the slot",
        "git log --selected-only --update --delete-branch",
        "O'Brien",
        "it's 5 o'clock; update your watch or don't",
        "rm -rf ./build && cargo build",
        "The European Union select committee; trade union members",
        "Enable SSO for staff. SSO_ENFORCED = true (default) --- done",
        "for x = 1 --verbose",
        "5 users signed up; how many users do we have",
        "system_prompt and my_config_file and admin_email",
        "SELECT name, total FROM orders WHERE status = 'open' ORDER BY total DESC LIMIT 10",
        "SELECT a FROM t WHERE x = 'it''s' UNION ALL SELECT b FROM u",
        "INSERT INTO notes (text) VALUES ('drop me a line')",
        "UPDATE tickets SET state = 'done' WHERE id = 7",
        "DELETE FROM sessions WHERE expires_at < now()",
        "CREATE TABLE t (id int)",
        "if (a || b) { sleep(5); }",
        "time.sleep(5)",
        "issue #12 update; see -- for details",
        "echo 'done' # then select the next",
        "curl -sS https://api.example.com/v1/items | jq '.[0]'",
        "wget https://example.com/install.sh",
        "The shadow of /etc; the credentials of aws are in the vault",
        "ssh-keygen -t ed25519",
        "format c: means the c drive",
        "Reset password, then log in or call 1 = one",
        "import x from '../../lib/x'",
        "choose 1 or 2 = two options",
        "10.0.0.1 and 192.168.0.1 and 169.254.1.1",
        "a, b or 'c'",
        "Wait for delay; benchmark (Q3) results",
        "{\"a\": \"b\"} or [1] or (2)",
        "/* note */ return selection; # Selection criteria",
        "char(10), VARCHAR(10, 2), concat(a,b), my_information_schema_x",
        "Drop-table furniture; drop table lamps from the order",
        "Meeting: create user stories, alter the plan, truncate the agenda",
    ] {
        let decision = decide(&json!({"text": text}));
        if !matches!(decision.verdict, Verdict::Allow { .. }) {
            wrong.push((text, decision.evaluated_policies));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn structured_arguments_are_no_sentences() {
    for arguments in [
        json!({"action": "update", "set": {"name": "x"}, "where": {"id": 1}}),
        json!({"operation": "delete", "from": "calendar", "ids": ["a", "b"]}),
        json!({"title": "rm", "labels": ["-rf is risky", "docs"]}),
        json!({"words": ["union", "select"]}),
    ] {
        let decision = decide(&arguments);
        assert!(matches!(decision.verdict, Verdict::Allow { .. }), "{arguments}: {:?}", decision.reasons);
    }
}

#[test]
fn only_small_arguments_are_judged_in_place() {
    let call = |len: usize| Call {
        number: 1,
        received_at: SystemTime::now(),
        backend: "db".into(),
        tool: "query".into(),
        exposed: "query".into(),
        arguments: Some(Bytes::from(vec![b' '; len])),
        meta: None,
        hints: Hints::default(),
    };
    assert!(PDP.is_quick(&call(DECIDE_IN_PLACE_BYTES)));
    assert!(!PDP.is_quick(&call(DECIDE_IN_PLACE_BYTES + 1)));
}

proptest::proptest! {
    #[test]
    fn no_arguments_make_it_fail(text in "(\\PC|[\\x00-\\x20'\";/*#-]|drop|union|select| or |=){0,60}") {
        let decision = decide(&json!({"more": [&text], "text": text}));
        proptest::prop_assert!(!decision.evaluated_policies.is_empty());
    }
}

#[test]
fn settings_mask_or_block_personal_data_in_arguments() {
    use crate::policy::posture::Class;
    let decide_with = |action| {
        let posture =
            Posture { actions: [(Class::PersonalData, action)].into_iter().collect(), ..Posture::default() };
        let set = PolicySet::shipped(posture).expect("the shipped policies are sound");
        let pdp = EmbeddedPdp::new(Arc::new(Authority::new(set)), "desk".into());
        let mut call = call_with(r#"{"to":"jane@acme.co.id","n":1}"#);
        call.tool = "send".into();
        pdp.decide(&call, Instant::now())
    };
    let masked = decide_with(Action::Redact);
    let Verdict::Allow { arguments: Some(arguments), redact: true } = masked.verdict else {
        panic!("masked")
    };
    assert_eq!(arguments, r#"{"to":"[REDACTED:email]","n":1}"#.as_bytes());
    assert_eq!(masked.evaluated_policies, ["sys_pii_email"]);
    assert!(matches!(decide_with(Action::Block).verdict, Verdict::Deny));
    assert!(matches!(decide_with(Action::Warn).verdict, Verdict::Allow { arguments: None, .. }));
}
