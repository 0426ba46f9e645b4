//! How fast the redactor is: `cargo bench --bench redact`. Prints one line per input, nothing else.
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]

use callgate::redact::{Options, Redactor};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Time spent on one input.
const BUDGET: Duration = Duration::from_millis(300);

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let redactor = Redactor::new(Options::default());
    println!("{:<34} {:>10} {:>12} {:>10} {:>8}", "input", "bytes", "µs/scan", "MB/s", "masked");
    for size in [200, 2_000, 32_000, 1_000_000, 8_000_000] {
        run(&redactor, "clean records", &records(size, clean_record));
        run(&redactor, "mixed records (1 in 8 has a hit)", &records(size, mixed_record));
        run(&redactor, "dense records", &records(size, dense_record));
    }
    let size = 8_000_000;
    run(&redactor, "records as JSON in a text block", &in_text_block(&records(size, mixed_record)));
    run(&redactor, "clean prose", &Value::from(prose(size)).to_string());
    run(&redactor, "clean prose, hardly a number", &Value::from(plain_prose(size)).to_string());
    run(&redactor, "image", &image(size));
    for (name, text) in hostile(size) {
        run(&redactor, name, &text);
    }
}

fn run(redactor: &Redactor, name: &str, json: &str) {
    let bytes = json.as_bytes();
    let started = Instant::now();
    let mut scans = 0u32;
    let mut masked = 0;
    while scans == 0 || started.elapsed() < BUDGET {
        // What is no JSON (some hostile inputs) is timed up to the refusal.
        masked = redactor.scan(black_box(bytes)).map_or(0, |scan| scan.masked.values().sum::<u32>());
        scans += 1;
    }
    let seconds = started.elapsed().as_secs_f64() / f64::from(scans);
    let length = u32::try_from(bytes.len()).map_or(f64::MAX, f64::from);
    let rate = length / seconds / 1e6;
    println!("{name:<34} {:>10} {:>12.2} {rate:>10.0} {masked:>8}", bytes.len(), seconds * 1e6);
}

/// A tool's result with records up to about `size` bytes.
fn records(size: usize, record: fn(usize) -> Value) -> String {
    let mut rows = Vec::new();
    let mut length = 0;
    while length < size || rows.is_empty() {
        let row = record(rows.len());
        length += row.to_string().len() + 1;
        rows.push(row);
    }
    json!({ "content": [], "structuredContent": { "rows": rows } }).to_string()
}

fn clean_record(index: usize) -> Value {
    json!({
        "id": index, "name": "Siti Rahayu", "city": "Bandung", "active": true, "score": 17.25,
        "created": "2026-11-20T10:15:30Z", "note": "Asked for a longer trial and a call back next week, prefers chat.",
        "tags": ["trial", "retail", "west-java"], "parent": null
    })
}

fn mixed_record(index: usize) -> Value {
    if index % 8 == 3 { dense_record(index) } else { clean_record(index) }
}

fn dense_record(index: usize) -> Value {
    json!({
        "nik": format!("317401250199{:04}", index % 9999 + 1), "email": format!("siti{index}@example.co.id"),
        "phone": "+62 812-3456-7890", "rekening": 1_234_567_890u64, "card": "4111 1111 1111 1111",
        "note": "transfer ke BCA 1234567890, NPWP 01.234.567.8-901.000"
    })
}

fn in_text_block(json: &str) -> String {
    json!({ "content": [{ "type": "text", "text": json }] }).to_string()
}

fn prose(size: usize) -> String {
    "The quarterly report lists 12 regions, 340 stores and 5 warehouses; growth was 3.5 % in 2026. "
        .repeat(size / 95)
}

fn plain_prose(size: usize) -> String {
    "The quarterly report lists 42 regions, each with its own budget line and a short remark on delivery dates. "
        .repeat(size / 107)
}

fn image(size: usize) -> String {
    let base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ4111111111111111AAAA".repeat(size / 64);
    json!({ "content": [{ "type": "image", "data": base64, "mimeType": "image/png" }] }).to_string()
}

/// Inputs made to be slow.
fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let text = |piece: &str| Value::from(piece.repeat(size / piece.len())).to_string();
    let nested = (0..7).fold("[".repeat(size / 256), |inner, _| Value::from(inner).to_string());
    vec![
        ("hostile: digits", text("7")),
        ("hostile: digit groups", text("1 ")),
        ("hostile: four-digit groups", text("1234 ")),
        ("hostile: @", text("@")),
        ("hostile: a@a@", text("a@")),
        ("hostile: a.a.@", format!("\"{}@{}\"", "a.".repeat(size / 4), "b.".repeat(size / 4))),
        ("hostile: backslashes", text("\\")),
        ("hostile: \\u0031", format!("\"{}\"", "\\u0031".repeat(size / 6))),
        (
            "hostile: escape, then addresses",
            Value::from(format!("\n{}", "a@b.co ".repeat(size / 7))).to_string(),
        ),
        ("hostile: [ in a string", text("[12345678@")),
        ("hostile: nested strings", nested),
        (
            "hostile: JSON that fails late",
            Value::from(format!("[{}x]", "12345678,\"a@b.co\",".repeat(size / 18))).to_string(),
        ),
        ("hostile: labels", text("BCA rekening 12345678 ")),
        ("hostile: addresses as keys", {
            let members: Vec<String> = (0..size / 20).map(|index| format!("\"a{index}@b.co\":1")).collect();
            format!("{{{}}}", members.join(","))
        }),
        ("hostile: [[[[", "[".repeat(size)),
    ]
}
