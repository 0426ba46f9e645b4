//! What an answer costs on its way to the model: `cargo bench --bench answers`. Prints one line per input with the time
//! of masking alone, and what policies, the report and each style add.
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

use callgate::policy::authority::{Authority, PolicySet};
use callgate::policy::posture::Posture;
use callgate::redact::port::{LocalRedactor, RedactMode};
use callgate::redact::pseudonyms::Pseudonyms;
use callgate::redact::scoping::Spares;
use callgate::redact::style::{HashKey, Replacer};
use callgate::redact::treatment::Treatment;
use callgate::redact::{Options, Redactor};
use callgate::response_phase::ResponsePhase;
use callgate::response_plane::{Engine, ResponsePlane};
use callgate_actors::ports::{Carrier, Redact, Subject};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time spent on one input.
const BUDGET: Duration = Duration::from_millis(200);

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let authority = Arc::new(Authority::new(PolicySet::shipped(Posture::default()).expect("sound policies")));
    authority.current().warm();
    let phase = ResponsePhase::new(authority, "bench".to_owned());
    let local = |style: &str| {
        let names = Some(Arc::new(Pseudonyms::new(false)));
        let replacer = Replacer::new(style.parse().expect("a style"), Some(HashKey::new([1; 32])), names);
        LocalRedactor::new(Redactor::new(Options::default()), RedactMode::Always)
            .with_treatment(Treatment::new(replacer, Spares::default()))
    };
    let plane = |style: &str| ResponsePlane::new(local(style), None, Engine::Local, true);
    let ways: Vec<(&str, ResponsePlane)> = vec![
        ("mask", plane("token")),
        ("+policies", plane("token").with_policies(phase.clone())),
        ("+report", plane("token").with_policies(phase).with_reports()),
        ("hash", plane("hash")),
        ("pseudonym", plane("pseudonym")),
    ];
    print!("{:<22}{:>10}", "answer", "bytes");
    ways.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!("   µs");
    for size in [1_000, 4_000, 30_000, 1_000_000, 8_000_000] {
        for (name, hits) in [("clean", false), ("mixed", true)] {
            let answer = answer(size, hits);
            print!("{name:<22}{:>10}", answer.len());
            for (_, plane) in &ways {
                print!("{:>12.1}", time(plane, &answer));
            }
            println!();
        }
    }
}

fn answer(size: usize, hits: bool) -> Vec<u8> {
    let row = |at: usize| {
        let mail =
            if hits && at.is_multiple_of(20) { format!("user{at}@acme.com") } else { "none".to_owned() };
        json!({"id": at, "name": "Siti Rahayu", "city": "Bandung", "mail": mail, "score": 17.25,
            "note": "Paid in full, delivered on time; asks for a call next week."})
    };
    let count = size.div_ceil(row(1).to_string().len() * 2).max(1);
    let data = json!({"rows": (0..count).map(row).collect::<Vec<_>>()});
    json!({"content": [{"type": "text", "text": data.to_string()}], "structuredContent": data})
        .to_string()
        .into()
}

/// Microseconds for one answer, the median.
fn time(plane: &ResponsePlane, answer: &[u8]) -> f64 {
    let subject = Subject {
        backend: "bench".into(),
        tool: Some("get".into()),
        carrier: Carrier::ToolResult,
        obliged: false,
        decision: None,
    };
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < BUDGET || times.len() < 5 {
        let one = Instant::now();
        black_box(plane.redact(&subject, black_box(answer)).expect("it passes"));
        times.push(one.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
