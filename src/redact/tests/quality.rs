//! How well values are found: the corpora under `tests/corpus/redaction`, the matrix of types and evasions, and the
//! part of `docs/quality.md` that is made of both.

use super::precise;
use crate::redact::Redactor;
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const VALUES: &str = include_str!("../../../tests/corpus/redaction/values.jsonl");
const NEGATIVES: &str = include_str!("../../../tests/corpus/redaction/negatives.jsonl");
/// What was measured by hand, on data that are not in the tree.
const ELSEWHERE: &str = include_str!("../../../tests/corpus/redaction/elsewhere.md");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quality.md");

/// One row of the corpus of values.
struct Sample {
    kind: String,
    value: String,
    text: String,
}

fn rows(text: &str) -> impl Iterator<Item = Value> + '_ {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn samples() -> Vec<Sample> {
    let field = |row: &Value, name: &str| row[name].as_str().unwrap().replace('\u{b7}', "");
    rows(VALUES)
        .map(|row| Sample {
            kind: field(&row, "type"),
            value: field(&row, "value"),
            text: field(&row, "text"),
        })
        .collect()
}

/// A writing that hides a value: the JSON in which it stands.
type Evasion = (&'static str, fn(&Sample) -> String);

fn in_text(sample: &Sample, hidden: &str) -> String {
    Value::from(sample.text.replace("{}", hidden)).to_string()
}

fn between(value: &str, sign: &str) -> String {
    let half = value.char_indices().nth(value.chars().count() / 2).map_or(0, |(at, _)| at);
    format!("{}{sign}{}", &value[..half], &value[half..])
}

const EVASIONS: [Evasion; 17] = [
    ("plain", |sample| in_text(sample, &sample.value)),
    ("object key", |sample| json!({ sample.text.replace("{}", &sample.value): 1 }).to_string()),
    ("`\\u` escapes", |sample| {
        let text = sample.text.replace("{}", &sample.value);
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{escaped}\"")
    }),
    ("JSON in a string", |sample| {
        Value::from(json!({ "note": sample.text.replace("{}", &sample.value) }).to_string()).to_string()
    }),
    ("encoded twice", |sample| {
        let inner = Value::from(json!([sample.text.replace("{}", &sample.value)]).to_string()).to_string();
        Value::from(inner).to_string()
    }),
    ("zero width", |sample| in_text(sample, &between(&sample.value, "\u{200b}"))),
    ("soft hyphen", |sample| in_text(sample, &between(&sample.value, "\u{ad}"))),
    ("full width", |sample| {
        let wide = sample.value.chars().map(|character| match character {
            '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap(),
            other => other,
        });
        in_text(sample, &wide.collect::<String>())
    }),
    ("other digits", |sample| {
        let other = sample.value.chars().map(|character| {
            character.to_digit(10).map_or(character, |digit| char::from_u32(0x660 + digit).unwrap())
        });
        in_text(sample, &other.collect::<String>())
    }),
    ("NBSP, hyphens", |sample| {
        in_text(sample, &sample.value.replace(' ', "\u{a0}").replace('-', "\u{2011}"))
    }),
    ("percent", |sample| {
        in_text(sample, &sample.value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>())
    }),
    ("entities", |sample| {
        in_text(
            sample,
            &sample.value.chars().map(|character| format!("&#{};", u32::from(character))).collect::<String>(),
        )
    }),
    ("base64", |sample| {
        let text = sample.text.replace("{}", &sample.value);
        Value::from(base64::engine::general_purpose::STANDARD.encode(text)).to_string()
    }),
    ("hexadecimal", |sample| {
        let text = sample.text.replace("{}", &sample.value);
        Value::from(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()).to_string()
    }),
    ("over an array", |sample| {
        let label = sample.text.replace("{}", "");
        let label = label.trim_matches(|character: char| !character.is_ascii_alphanumeric());
        json!({ label: cut(&sample.value, 4) }).to_string()
    }),
    ("over fields", |sample| {
        let parts = cut(&sample.value, 3);
        json!({ "part1": parts[0], "part2": parts[1], "part3": parts[2] }).to_string()
    }),
    ("over blocks", |sample| {
        let (before, behind) = sample.text.split_once("{}").unwrap();
        let parts = cut(&sample.value, 2);
        let text = |text: String| json!({ "type": "text", "text": text });
        let blocks = [text(format!("{before}{}", parts[0])), text(format!("{}{behind}", parts[1]))];
        json!({ "content": blocks }).to_string()
    }),
];

/// How many of the writings hide a value in one text; the others cut it.
const IN_ONE_TEXT: usize = 14;

/// A value in so many parts; signs between its groups are left out, as they are when somebody cuts at them.
fn cut(value: &str, count: usize) -> Vec<String> {
    let plain: Vec<char> = value.chars().filter(|character| *character != ' ').collect();
    let length = plain.len().div_ceil(count).max(1);
    (0..count).map(|part| plain.iter().skip(part * length).take(length).collect()).collect()
}

/// Whether a value is gone as a whole, and whether its type was told.
fn outcome(redactor: &Redactor, hide: fn(&Sample) -> String, sample: &Sample) -> (bool, bool) {
    let json = hide(sample);
    let without = hide(&Sample { kind: String::new(), value: String::new(), text: sample.text.clone() });
    let scan = redactor.scan(json.as_bytes()).unwrap();
    let tokens: usize =
        scan.masked.iter().map(|(kind, count)| (kind.len() + "[REDACTED:]".len()) * *count as usize).sum();
    let left = scan.json.map_or(json.len(), |after| after.len() - tokens);
    // Two characters of padding come and go with the length of encoded text.
    (left <= without.len() + 2, scan.masked.contains_key(sample.kind.as_str()))
}

/// For every type in order: samples, caught by evasion, right type in plain text.
fn matrix() -> Vec<(String, usize, Vec<usize>, usize)> {
    let redactor = precise();
    let mut table: Vec<(String, usize, Vec<usize>, usize)> = Vec::new();
    for sample in samples() {
        if table.last().is_none_or(|row| row.0 != sample.kind) {
            table.push((sample.kind.clone(), 0, vec![0; EVASIONS.len()], 0));
        }
        let Some(row) = table.last_mut() else { continue };
        row.1 += 1;
        for (index, (_, hide)) in EVASIONS.iter().enumerate() {
            let (caught, right) = outcome(&redactor, *hide, &sample);
            row.2[index] += usize::from(caught);
            row.3 += usize::from(right && index == 0);
        }
    }
    table
}

/// For every kind of harmless text: rows, and rows in which something was masked.
fn false_positives() -> BTreeMap<String, (usize, usize)> {
    let redactor = precise();
    let mut table = BTreeMap::new();
    for row in rows(NEGATIVES) {
        let (kind, text) = (row["kind"].as_str().unwrap(), row["text"].as_str().unwrap());
        let entry: &mut (usize, usize) = table.entry(kind.to_owned()).or_default();
        entry.0 += 1;
        entry.1 += usize::from(redactor.scan_text(text).text.is_some());
    }
    table
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.0}", 100.0 * part as f64 / whole.max(1) as f64)
}

fn markdown() -> String {
    let mut text = String::from(
        "# Quality\n\n## Redaction\n\nWritten by a test from the corpora under `tests/corpus/redaction`, which are made with Faker and\npython-stdnum, with `CALLGATE_CARD_MATCH=precise`. The corpora were made together with the detectors, so these are\nnumbers of agreement and not of unseen data.\n\n### Types and evasions\n\nShare of values, in percent, of which nothing is left; `right` is the share that is masked as its own type in plain text. In the last three columns the value is cut: over the elements of an array whose key is its label, over three fields, over two content blocks. What only a label proves is not masked over fields, which have names of their own.\n\n",
    );
    text.push_str("| type | right |");
    for (name, _) in EVASIONS {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|---|---:|");
    text.push_str(&"---:|".repeat(EVASIONS.len()));
    text.push('\n');
    for (kind, count, caught, right) in matrix() {
        let _ = write!(text, "| `{kind}` | {} |", percent(right, count));
        for caught in caught {
            let _ = write!(text, " {} |", percent(caught, count));
        }
        text.push('\n');
    }
    text.push_str("\n### Harmless text\n\nShare of texts, in percent, in which something is masked.\n\n| kind | texts | masked |\n|---|---:|---:|\n");
    let table = false_positives();
    for (kind, (count, masked)) in &table {
        let _ = writeln!(text, "| {kind} | {count} | {} |", percent(*masked, *count));
    }
    let (count, masked) = table.values().fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    let _ = writeln!(text, "| all | {count} | {:.1} |", 100.0 * masked as f64 / count as f64);
    text.push_str(ELSEWHERE);
    text
}

#[test]
fn values_are_found_and_harmless_text_is_left() {
    let table = matrix();
    let count: usize = table.iter().map(|row| row.1).sum();
    let plain: usize = table.iter().map(|row| row.2[0]).sum();
    let right: usize = table.iter().map(|row| row.3).sum();
    let hidden: usize = table.iter().flat_map(|row| &row.2[1..IN_ONE_TEXT]).sum();
    let over_array: usize = table.iter().map(|row| row.2[IN_ONE_TEXT]).sum();
    let over_blocks: usize = table.iter().map(|row| row.2[IN_ONE_TEXT + 2]).sum();
    assert!(over_array * 100 >= count * 85, "{over_array} of {count} values over an array are masked");
    assert!(over_blocks * 100 >= count * 85, "{over_blocks} of {count} values over blocks are masked");
    assert!(plain * 100 >= count * 98, "{plain} of {count} values are masked");
    assert!(right * 100 >= count * 95, "{right} of {count} values have the right type");
    let attempts = count * (IN_ONE_TEXT - 1);
    assert!(hidden * 100 >= attempts * 95, "{hidden} of {attempts} hidden values are masked");
    let (texts, masked) = false_positives().values().fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    assert!(masked * 100 <= texts * 3, "{masked} of {texts} harmless texts are masked");
}

#[test]
fn the_document_tells_what_is_measured() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        document.contains(&markdown()),
        "docs/quality.md is behind the redactor; write it with \
         `cargo test -p callgate write_the_quality -- --ignored`"
    );
}

#[test]
#[ignore = "writes docs/quality.md"]
fn write_the_quality_document() {
    std::fs::write(DOCUMENT, markdown()).unwrap();
}

#[test]
#[ignore = "shows what is missed"]
fn show_what_is_missed() {
    let redactor = precise();
    let mut text = String::new();
    for sample in samples() {
        for (name, hide) in EVASIONS {
            let json = hide(&sample);
            let (caught, right) = outcome(&redactor, hide, &sample);
            if !caught || name == "plain" && !right {
                let _ = writeln!(text, "{} {name}: {json} {caught}", sample.kind);
            }
        }
    }
    for row in rows(NEGATIVES) {
        if let Some(after) = redactor.scan_text(row["text"].as_str().unwrap()).text {
            let _ = writeln!(text, "negative {row} => {after}");
        }
    }
    panic!("{text}");
}
