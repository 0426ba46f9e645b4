//! The commands besides serving.

use crate::harness::{Setup, stub};
use serde_json::json;

#[test]
fn version_and_help_are_told() {
    let setup = Setup::new();
    let (code, stdout, _) = setup.run(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains(env!("CARGO_PKG_VERSION")), "{stdout}");
    let (code, stdout, _) = setup.run(&["--help"]);
    assert_eq!(code, Some(0));
    for told in ["check", "demo"] {
        assert!(stdout.contains(told), "{told} is missing in {stdout}");
    }
}

#[test]
fn an_unknown_argument_is_refused() {
    let (code, stdout, stderr) = Setup::new().stub("a", &[]).run(&["--no-such-flag"]);
    assert_eq!(code, Some(2));
    assert_eq!(stdout, "");
    assert!(stderr.contains("--no-such-flag"), "{stderr}");
}

#[test]
fn w63_check_names_what_works() {
    let (code, stdout, stderr) = Setup::new().stub("crm", &[]).stub("ledger", &[]).run(&["check"]);
    let told = format!("{stdout}{stderr}");
    assert_eq!(code, Some(0), "{told}");
    for wanted in ["crm", "ledger", "embedded"] {
        assert!(told.contains(wanted), "{wanted} is missing in {told}");
    }
}

#[test]
fn w63_check_names_what_does_not() {
    let setup = Setup::new().stub("fine", &[]).stub("broken", &["--exit-at-start"]);
    let (code, stdout, stderr) = setup.run(&["check"]);
    let told = format!("{stdout}{stderr}");
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("broken"), "{told}");
}

#[test]
fn nothing_is_served_without_backends() {
    let (code, stdout, stderr) = Setup::new().run(&[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert_eq!(stdout, "");
    assert!(stderr.contains("AXONFLOW_BACKENDS"), "the way out is named: {stderr}");
}

#[test]
fn secrets_are_never_shown() {
    let entry = json!({"id": "a", "command": stub("stub-mcp"), "env": {"TOKEN": "s3cret-entry"}});
    let setup = Setup::new()
        .backend(entry)
        .env("AXONFLOW_CLIENT_SECRET", "s3cret-client")
        .env("AXONFLOW_USER_TOKEN", "s3cret-user");
    let (_, stdout, stderr) = setup.run(&["check"]);
    assert!(!stdout.contains("s3cret") && !stderr.contains("s3cret"), "{stdout}{stderr}");
}

#[test]
fn w51_what_is_only_asserted_is_called_so() {
    let (code, stdout, _) = Setup::new().run(&["--help"]);
    assert_eq!(code, Some(0));
    let leader = stdout.split("AXONFLOW_LEADER_EMAIL").nth(1).unwrap_or_default();
    let about_leader: String = leader.split_whitespace().take(16).collect::<Vec<_>>().join(" ");
    assert!(about_leader.contains("asserted, not proven"), "{about_leader}");
    let session = stdout.split("AXONFLOW_SESSION_ID").nth(1).unwrap_or_default();
    let about_session: String = session.split_whitespace().take(16).collect::<Vec<_>>().join(" ");
    assert!(about_session.contains("new for every process"), "{about_session}");
}
