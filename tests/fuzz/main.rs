//! The fuzz targets in the ordinary tests: the stored corpus as it is, and mutations of it from a fixed seed, so that
//! every run tries the same. `FUZZ_RUNS=100000 cargo test --test fuzz` tries more, `FUZZ_SEED` others.

#![allow(clippy::expect_used, reason = "a test may panic")]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use fastrand::Rng;
use std::path::Path;
use std::{env, fs, panic};

/// Mutations of each target in an ordinary run.
const RUNS: usize = 1_500;
/// Longest input that is made.
const LONGEST: usize = 4_096;

/// What the languages of the targets are made of.
const WORDS: [&[u8]; 40] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\\u0040",
    b"\\\\",
    b"\\\"",
    b"@",
    b"=",
    b"%40",
    b"&#64;",
    b"\xe2\x80\xa8",
    b"\xef\xbc\x91",
    b"\xc2\xad",
    b"\xf0\x9f\x98\x80",
    b"\0",
    b"4111 1111 1111 1111",
    b"jane@acme.com",
    b"+62 812-3456-7890",
    b"password=",
    b"[REDACTED:email]",
    b"[REDACTED:",
    b"rekening",
    b"data:",
    b"\"id\":1",
    b"\"method\"",
    b"\"result\":",
    b"\"jsonrpc\":\"2.0\"",
    b"null",
    b"-0",
    b"1e5",
    b"eyJhbGciOiJIUzI1NiJ9.",
    b"-----BEGIN PRIVATE KEY-----",
];

fn number(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The stored inputs of a target, in a steady order.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

fn mutate(random: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut Rng| corpus[random.usize(..corpus.len())].clone();
    let mut data = pick(random);
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=data.len());
        let end = random.usize(at..=data.len().min(at + 64));
        match random.u8(..6) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            1 => data.insert(at, random.u8(..)),
            2 => drop(data.drain(at..end)),
            3 => {
                let word = WORDS[random.usize(..WORDS.len())];
                data.splice(at..at, word.iter().copied());
            }
            4 => {
                let part = data[at..end].repeat(random.usize(1..20));
                data.splice(at..at, part);
            }
            _ => {
                let other = pick(random);
                data.truncate(at);
                data.extend_from_slice(&other[random.usize(..=other.len())..]);
            }
        }
    }
    data.truncate(LONGEST);
    data
}

fn run(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let corpus = corpus(name);
    let mut random = Rng::with_seed(number("FUZZ_SEED", 1) as u64);
    let mutations = (0..number("FUZZ_RUNS", RUNS)).map(|_| mutate(&mut random, &corpus));
    for data in corpus.clone().into_iter().chain(mutations) {
        if panic::catch_unwind(|| target(&data)).is_err() {
            panic!(
                "{name} breaks on {:?}; keep it as a file in fuzz/corpus/{name}",
                data.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn redaction() {
    run("redaction");
}

#[test]
fn framing() {
    run("framing");
}

#[test]
fn envelope() {
    run("envelope");
}

#[test]
fn events() {
    run("events");
}

#[test]
fn settings() {
    run("settings");
}

#[test]
fn journal() {
    run("journal");
}

#[test]
fn every_target_has_its_test_its_program_and_its_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).expect("the manifest");
    let tests = fs::read_to_string(file!())
        .or_else(|_| fs::read_to_string(root.join("tests/fuzz/main.rs")))
        .expect("this file");
    for (name, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(root.join(format!("fuzz/fuzz_targets/{name}.rs")).is_file(), "{name}");
        assert!(tests.contains(&format!("run(\"{name}\")")), "{name}");
        assert!(!corpus(name).is_empty(), "{name}");
    }
}
