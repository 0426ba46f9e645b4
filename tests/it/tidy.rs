//! What the tree promises about itself: which way imports run, what the machine does not know, how files begin.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the machine, lowest first; those of one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["limits"],
    &["wire"],
    &["call", "face", "gate", "reply", "seat", "workers"],
    &["out", "ports"],
    &["approvals", "pdp", "redactor", "audit", "guardian"],
    &["front", "process", "http"],
    &["backend"],
    &["directory"],
    &["flow"],
    &["supervisor"],
    &["session"],
    &["machine"],
];

/// Neighbours that may know each other: a process is noted by the guardian, the pool of workers has a thread limit.
const ALLOWED: &[(&str, &str)] = &[("seat", "gate"), ("call", "limits")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text before the unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("text");
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "stub.rs")))
}

#[test]
fn imports_of_the_machine_run_downwards() {
    let rank = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let folder = root().join("actors/src");
    let mut wrong = Vec::new();
    for path in sources(&folder).into_iter().filter(|path| !is_test(path)) {
        let relative = path.strip_prefix(&folder).expect("below");
        let own =
            relative.iter().next().and_then(|part| part.to_str()).unwrap_or_default().trim_end_matches(".rs");
        let Some(own_rank) = rank(own) else {
            assert_eq!(own, "lib", "{} has no layer", relative.display());
            continue;
        };
        for used in code(&path).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let Some(used_rank) = rank(&used) else { continue };
            if used != own && used_rank >= own_rank && !ALLOWED.contains(&(own, used.as_str())) {
                wrong.push(format!("{} uses {used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_machine_knows_no_product_and_no_policy() {
    for path in sources(&root().join("actors/src")).into_iter().filter(|path| !is_test(path)) {
        let text = code(&path).to_lowercase();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in ["axonflow", "claude", "callgate", "sqli", "jailbreak", "nik", "npwp"] {
            let hit = code.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word);
            assert!(!hit, "{} says {word}", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for folder in ["src", "actors/src", "tests", "benches"] {
        for path in sources(&root().join(folder)) {
            let text = fs::read_to_string(&path).expect("text");
            let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
            assert!(first.starts_with("//!"), "{} opens with {first:?}", path.display());
        }
    }
}

#[test]
fn nothing_in_the_tree_names_a_machine() {
    for folder in ["src", "actors/src", "tests/it", "config", "docs", "scripts"] {
        for entry in walk(&root().join(folder)) {
            let Ok(text) = fs::read_to_string(&entry) else { continue };
            // The folder of a build machine; written so that this file does not name it.
            let word = concat!("/wo", "rk/");
            assert!(!text.contains(word), "{} names {word}", entry.display());
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|name| name == "node_modules" || name == ".venv") {
            continue;
        }
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
