//! The servers, the record, and what is compared.

use crate::harness::{Gate, PATIENCE, Setup, eventually, lines, stub};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The servers: `a` is started directly, `b` by a shell that waits for it, as package runners do.
pub(crate) const SERVERS: [&str; 2] = ["a", "b"];

/// Both servers and one audit file.
pub(crate) fn setup() -> Setup {
    let setup = Setup::new().stub("a", &[]);
    let (counter, record) = (setup.path("b.counter"), setup.path("b.record"));
    let shim = r#""$0" "$@"; exit $?"#;
    let program = stub("stub-mcp").display().to_string();
    let entry = json!({"id": "b", "command": "/bin/sh", "args":
        ["-c", shim, program, "--name", "b", "--counter", counter, "--record", record],
        "env": {"STUB_MARK": setup.mark}});
    setup.backend(entry)
}

/// Ends a gate as a client does that is done with it.
pub(crate) fn leave(gate: &Gate) {
    gate.close_stdin();
    assert!(gate.exit_within(PATIENCE).is_some(), "it does not end; {}", gate.stderr());
}

/// What a row calls these arguments, given as canonical JSON.
pub(crate) fn hash_of(arguments: &str) -> String {
    Sha256::digest(arguments).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The rows of a record, those of earlier files first, but for a line that is being written.
pub(crate) fn rows(setup: &Setup) -> Vec<Value> {
    let audit = setup.path("audit.jsonl");
    let folder = Path::new(&audit).parent().expect("a folder");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.display().to_string().starts_with(&audit))
        .collect();
    // The newest has the shortest name.
    files.sort_by_key(|path| (path.display().to_string() == audit, path.clone()));
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|row| serde_json::from_str(row).ok()).collect()
}

/// The hashes of the arguments of every call that reached a server.
pub(crate) fn forwarded(setup: &Setup) -> Vec<String> {
    let arguments = |line: &String| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_call = message["method"] == "tools/call";
        is_call.then(|| hash_of(&message["params"]["arguments"].to_string()))
    };
    let record = |id: &&str| lines(setup.path(&format!("{id}.record")).as_ref());
    SERVERS.iter().flat_map(record).filter_map(|line| arguments(&line)).collect()
}

/// Every side effect, in no order.
pub(crate) fn effects(setup: &Setup) -> Vec<String> {
    SERVERS.iter().flat_map(|id| lines(setup.path(&format!("{id}.counter")).as_ref())).collect()
}

/// The chain is whole.
pub(crate) fn assert_chain(setup: &Setup, what: &str) {
    let (code, stdout, stderr) = setup.run(&["audit", "verify", "--json"]);
    assert_eq!(code, Some(0), "{what}: {stdout}{stderr}");
}

/// What must hold once recovery is through. Every call of these tests has arguments of its own.
pub(crate) fn assert_all(setup: &Setup, what: &str) {
    let by_hash = || {
        let mut by_hash: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in rows(setup) {
            by_hash
                .entry(row["parameters_hash"].as_str().unwrap_or_default().to_owned())
                .or_default()
                .push(row);
        }
        by_hash
    };
    let missing = |rows: &BTreeMap<String, Vec<Value>>| {
        forwarded(setup).into_iter().filter(|hash| !rows.contains_key(hash)).count()
    };
    eventually(&format!("{what}: every forwarded call has a row"), || {
        (missing(&by_hash()) == 0).then_some(())
    });
    let rows = by_hash();
    let twice: Vec<&Vec<Value>> = rows.values().filter(|rows| rows.len() > 1).collect();
    assert!(twice.is_empty(), "{what}: calls with more than one row: {twice:?}");
    for hash in forwarded(setup) {
        let outcome = &rows[&hash][0]["outcome"];
        assert!(outcome != "not_forwarded", "{what}: it was forwarded: {}", rows[&hash][0]);
    }
    let effects = effects(setup);
    let distinct: BTreeSet<&String> = effects.iter().collect();
    assert_eq!(distinct.len(), effects.len(), "{what}: a write ran twice");
    assert_chain(setup, what);
}
