//! How good the shipped catalogue is: the labelled texts of `tests/corpus/policy`, written for this project, and the
//! report in `docs/quality-policy.md` that they give.

use super::model::{Action, Phase};
use super::tests::ENGINE;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/policy/");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quality-policy.md");
/// The least recall of a type of attack, in percent. These texts are known, so less is a step back.
const RECALL_FLOOR: usize = 85;
/// The least recall of all attacks together.
const RECALL_FLOOR_ALL: usize = 95;
/// The most honest texts that may be stopped or warned of, in percent.
const FALSE_CEILING: usize = 1;

#[derive(Deserialize)]
struct Line {
    r#type: String,
    text: String,
}

#[derive(Default)]
struct Tally {
    all: usize,
    found: usize,
    wrong: Vec<(String, Vec<String>)>,
}

/// The policies that do more than take note of the text.
fn flagged(text: &str) -> Vec<String> {
    let matched = ENGINE.judge_text(text, Phase::Request);
    matched.iter().filter(|m| m.action != Action::Log).map(|m| m.policy.policy_id.clone()).collect()
}

fn tallies(file: &str, attacks: bool) -> BTreeMap<String, Tally> {
    let text = std::fs::read_to_string(format!("{FOLDER}{file}")).expect("the corpus is there");
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).expect("a line of the corpus");
        let tally = tallies.entry(line.r#type).or_default();
        let policies = flagged(&line.text);
        tally.all += 1;
        tally.found += usize::from(!policies.is_empty());
        if policies.is_empty() == attacks {
            tally.wrong.push((line.text, policies));
        }
    }
    tallies
}

fn percent(part: usize, all: usize) -> String {
    let tenths = (part * 1000 + all / 2) / all.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The page: the tables of the corpus, and a second part that is written by hand, because its texts are not in this
/// repository.
fn report(attacks: &BTreeMap<String, Tally>, honest: &BTreeMap<String, Tally>) -> String {
    let mut text = String::from(HEAD);
    for (title, wrong, tallies) in [("attacks", "found", attacks), ("honest texts", "flagged", honest)] {
        let _ = writeln!(text, "\n## {title}\n\n| type | texts | {wrong} | share |\n|---|---|---|---|");
        for (name, tally) in tallies {
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} |",
                tally.all,
                tally.found,
                percent(tally.found, tally.all)
            );
        }
        let (found, all) = sum(tallies);
        let _ = writeln!(text, "| **all** | {all} | {found} | {} |", percent(found, all));
    }
    for (title, tallies) in [("Missed attacks", attacks), ("Honest texts that are flagged", honest)] {
        let _ = writeln!(text, "\n## {title}\n");
        let before = text.len();
        for (name, tally) in tallies {
            for (sample, policies) in &tally.wrong {
                let by =
                    if policies.is_empty() { String::new() } else { format!(" ({})", policies.join(", ")) };
                let _ = writeln!(text, "- {name}: `` {} ``{by}", sample.escape_debug());
            }
        }
        if text.len() == before {
            text.push_str("None.\n");
        }
    }
    text.push('\n');
    let elsewhere =
        std::fs::read_to_string(format!("{FOLDER}elsewhere.md")).expect("the second part is there");
    text.push_str(&elsewhere.replace("\r\n", "\n"));
    text
}

fn sum(tallies: &BTreeMap<String, Tally>) -> (usize, usize) {
    tallies.values().fold((0, 0), |(found, all), tally| (found + tally.found, all + tally.all))
}

const HEAD: &str = "\
# How good the policies are

What the shipped catalogue finds in the texts of `tests/corpus/policy`, which were written for this project; a test
writes and checks this page. A text counts as flagged when a policy blocks, holds, masks or warns in the request
phase; what is only noted does not count. The texts are known to the authors of the policies: read these figures as a
guard against steps back. What it finds in texts from elsewhere stands at the end of this page.

Judged with the profile `shipped`, which is the default: every policy does what its row says. What is sure blocks (SQL
injection, destructive SQL and commands, traversal, metadata addresses, prompt injection), secrets in arguments and
internal addresses warn, personal data in arguments and what ordinary work also does (tables of users, the database's
own catalogue, package installs) is noted. The profile `default` is AxonFlow's own and only warns of SQL injection.
";

#[test]
fn the_corpus_is_judged_well_enough() {
    let (attacks, honest) = (tallies("attacks.jsonl", true), tallies("honest.jsonl", false));
    let shown = report(&attacks, &honest);
    for (name, tally) in &attacks {
        assert!(tally.found * 100 >= tally.all * RECALL_FLOOR, "{name}: {:#?}", tally.wrong);
    }
    let (found, all) = sum(&attacks);
    assert!(found * 100 >= all * RECALL_FLOOR_ALL, "{shown}");
    let (wrong, all) = sum(&honest);
    assert!(wrong * 100 <= all * FALSE_CEILING, "{shown}");
    let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        document == shown,
        "docs/quality-policy.md is behind; write it with `cargo test -p callgate write_the_quality_page -- --ignored`"
    );
}

#[test]
#[ignore = "writes docs/quality-policy.md"]
fn write_the_quality_page() {
    let (attacks, honest) = (tallies("attacks.jsonl", true), tallies("honest.jsonl", false));
    std::fs::write(DOCUMENT, report(&attacks, &honest)).expect("the page can be written");
}

/// The folder with texts from elsewhere, for [`judge_texts_from_elsewhere`].
const ELSEWHERE: &str = "CORPUS";

/// Judges every `*.jsonl` of the folder that `CORPUS` names, one JSON text in each line, and writes beside each file
/// what was flagged, as `*.judged`: a line with the policies' ids for each text, empty where nobody spoke.
#[test]
#[ignore = "reads the folder that the variable CORPUS names"]
fn judge_texts_from_elsewhere() {
    let folder = std::env::var(ELSEWHERE).expect("CORPUS names a folder");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let texts = std::fs::read_to_string(&path).expect("a file");
        let judged: String = texts
            .lines()
            .map(|line| serde_json::from_str::<String>(line).expect("a JSON text in each line"))
            .map(|text| flagged(&text).join(" ") + "\n")
            .collect();
        std::fs::write(path.with_extension("judged"), judged).expect("the folder can be written");
    }
}
