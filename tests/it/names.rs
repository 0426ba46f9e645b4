//! Names of tools across backends: injective, stable, acceptable to hosts.

use crate::harness::{Gate, Setup};
use serde_json::json;
use std::collections::BTreeSet;

/// What hosts accept: one bad name drops the whole toolset there.
fn is_acceptable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[test]
fn w32_one_backend_keeps_its_names_and_several_are_prefixed() {
    let alone = Setup::new().stub("a", &[]).open().tool_names();
    assert!(alone.contains(&"echo".to_owned()) && alone.contains(&"read_count".to_owned()));
    let both = Setup::new().stub("a", &[]).stub("b", &[]).open().tool_names();
    let prefixed: BTreeSet<String> =
        ["a", "b"].iter().flat_map(|id| alone.iter().map(move |tool| format!("{id}__{tool}"))).collect();
    assert_eq!(both.iter().cloned().collect::<BTreeSet<_>>(), prefixed);
    assert!(both.iter().position(|name| name == "a__echo") < both.iter().position(|name| name == "b__echo"));
}

#[test]
fn w32_names_that_would_coincide_stay_apart_or_are_refused_at_the_start() {
    let setup = Setup::new()
        .stub("a", &["--tool-name", "b__c"])
        .stub("a__b", &["--tool-name", "c"])
        .expecting("a__echo");
    let (code, _, stderr) = setup.run(&[]);
    if code != Some(0) {
        assert!(stderr.contains("a__b"), "the refusal names the id: {stderr}");
        return;
    }
    let gate = setup.open();
    gate.wait_for_tool("a__b__echo");
    let names = gate.tool_names();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{names:?}");
    let mut told: Vec<String> = coinciding(&gate, &names);
    told.sort();
    assert_eq!(told, ["b__c", "c"]);
}

/// What the two tools in question say when they are called by the names they are listed under.
fn coinciding(gate: &Gate, names: &[String]) -> Vec<String> {
    let candidates = names.iter().filter(|name| *name == "a__b__c" || name.starts_with("a__b__c_"));
    candidates.map(|name| gate.call(name, &json!({})).text().to_owned()).collect()
}

#[test]
fn w32_long_and_odd_names_become_acceptable_and_reach_their_own_tool() {
    let long = "create_".repeat(11);
    let odd = [
        format!("{long}one"),
        format!("{long}two"),
        "x.y".to_owned(),
        "x_y".to_owned(),
        "x/y".to_owned(),
        "größe".to_owned(),
    ];
    let flags: Vec<&str> = odd.iter().flat_map(|name| ["--tool-name", name.as_str()]).collect();
    let setup = Setup::new().stub("first", &flags).stub("second", &[]);
    let gate = setup.clone().open();
    let names = gate.tool_names();
    assert!(names.iter().all(|name| is_acceptable(name)), "{names:?}");
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{names:?}");
    // A stub's named tool answers with its own name.
    let odd_names: Vec<&String> =
        names.iter().rev().filter(|name| name.starts_with("first__")).take(odd.len()).collect();
    let mut reached: Vec<String> =
        odd_names.iter().map(|name| gate.call(name, &json!({})).text().to_owned()).collect();
    reached.sort();
    let mut expected = odd.to_vec();
    expected.sort();
    assert_eq!(reached, expected);
    drop(gate);
    assert_eq!(setup.open().tool_names(), names, "names are the same after a restart");
}

#[test]
fn w32_one_backend_with_odd_names_is_acceptable_too() {
    let gate = Setup::new().stub("a", &["--tool-name", "x.y", "--tool-name", "x_y"]).open();
    let names = gate.tool_names();
    assert!(names.iter().all(|name| is_acceptable(name)), "{names:?}");
    assert_eq!(gate.call("x_y", &json!({})).text(), "x_y");
}

#[test]
fn names_stay_the_same_while_a_backend_is_away() {
    let setup = Setup::new().stub("a", &[]);
    let up = setup.path("up");
    std::fs::write(&up, "").expect("written");
    let gate = setup.stub("b", &["--up-file", &up]).open();
    let before = gate.tool_names();
    std::fs::remove_file(&up).expect("removed");
    let pid: u32 = gate.call("b__pid", &json!({})).text().parse().expect("a pid");
    for process in gate.backends().iter().filter(|process| process.pid == pid) {
        process.signal("KILL");
    }
    assert_eq!(gate.tool_names(), before, "descriptors of a backend that restarts are kept");
}
