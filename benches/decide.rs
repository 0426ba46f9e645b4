//! How fast the embedded decision point is: `cargo bench --bench decide`. Prints one line per input, nothing else.
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

use bytes::Bytes;
use callgate::governance::{Governance, Governed, Limits, Pattern, Profile, ToolRules};
use callgate::pdp::embedded::EmbeddedPdp;
use callgate::policy::authority::Authority;
use callgate::policy::builder::PolicySetBuilder;
use callgate::policy::posture::Posture;
use callgate::policy::rego::RegoSet;
use callgate_actors::call::{Call, Hints};
use callgate_actors::ports::{Decide, Verdict};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Time spent on one input.
const BUDGET: Duration = Duration::from_millis(300);

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let pdp = EmbeddedPdp::shipped().expect("the catalogue is sound");
    pdp.warm();
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>8}  verdict",
        "arguments", "bytes", "p50 µs", "p99 µs", "max µs", "MB/s"
    );
    for (name, arguments) in small() {
        run(&pdp, name, &arguments);
    }
    own_rules();
    governed();
    rego_rules();
    for size in [16_000, 100_000, 1_000_000, 8_000_000] {
        run(&pdp, "prose", &json!({ "text": PROSE.repeat(size / PROSE.len()) }));
        run(&pdp, "records", &json!({ "rows": vec![record(); size / 260] }));
    }
    for (name, piece) in HOSTILE {
        let time = |size: usize| run(&pdp, name, &json!({ "text": piece.repeat(size / piece.len()) }));
        let (one, eight) = (time(1_000_000), time(8_000_000));
        // Eight where the time grows with the length.
        println!("{name:<34} from 1 to 8 MB: {:.1} times", eight.as_secs_f64() / one.as_secs_f64());
    }
}

const PROSE: &str =
    "The quarterly report lists 12 regions, 340 stores and 5 warehouses; growth was 3.5 % in 2026. ";
const HOSTILE: &[(&str, &str)] = &[
    ("hostile: or 1=2;", "or 1=2;"),
    ("hostile: quotes", "' \" "),
    ("hostile: comments", "/**/"),
    ("hostile: union select", "union select "),
    ("hostile: percent", "%2525"),
    ("hostile: ../", "../"),
    ("hostile: http://1.", "http://1."),
    ("hostile: ignore the ", "ignore the previous "),
    ("hostile: curl | ", "curl x | "),
    ("hostile: base64", "QUJDREVGR0hJSktMTU5PUFFS "),
    ("hostile: (", "("),
    ("hostile: <!-- ai", "<!-- ai "),
    ("hostile: report limit", "report the limit 10,000 "),
    ("hostile: or a =", "or a "),
    ("hostile: \\u", "\\u0041"),
    ("hostile: entities", "&#x27;"),
    ("hostile: act as", "act as you will respond "),
    ("hostile: json", "[\"a\","),
    ("hostile: full width", "\u{ff49}\u{ff47} "),
    ("hostile: a/b.c?", "a/b.c?"),
    ("hostile: delete update", "delete update drop "),
];

fn record() -> Value {
    json!({
        "id": 4711, "name": "Siti Rahayu", "city": "Bandung", "active": true, "score": 17.25,
        "created": "2026-11-20T10:15:30Z", "note": "Asked for a longer trial and a call back next week, prefers chat.",
        "tags": ["trial", "retail", "west-java"], "parent": null
    })
}

/// About 300 bytes each: what tools are called with.
fn small() -> Vec<(&'static str, Value)> {
    let sql = "SELECT c.name, SUM(o.total) AS total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE \
               o.created_at >= '2026-01-01' AND c.region IN ('EU', 'US') GROUP BY c.name HAVING SUM(o.total) > 1000 \
               ORDER BY total DESC LIMIT 20";
    vec![
        ("record", record()),
        (
            "words",
            json!({ "title": "Weekly review", "body": &PROSE.repeat(3)[..240], "labels": ["report", "weekly"] }),
        ),
        ("analyst's SQL", json!({ "sql": sql })),
        (
            "DELETE with a condition",
            json!({ "sql": "DELETE FROM sessions WHERE expires_at < now() AND user_id = 17" }),
        ),
        (
            "command",
            json!({ "command": "cargo test -p callgate --lib -- policy | tail -40 && git status", "cwd": "/home/a/src" }),
        ),
        (
            "path and address",
            json!({ "path": "/home/a/notes.txt", "url": "https://api.example.com/v1/items?page=2" }),
        ),
        ("injected SQL", json!({ "id": "1' UNION SELECT password, NULL FROM users --" })),
        ("removal of the root", json!({ "command": "sudo rm -rf / --no-preserve-root" })),
    ]
}

/// The small inputs again with a thousand rules of the operator's own beside the catalogue, of four kinds: for other tools,
/// for this backend with other arguments, for every tool by a place in the arguments, and by its text.
fn own_rules() {
    let rule = |n: usize| {
        let when = match n % 4 {
            0 => json!({ "tool": [format!("tool_{n}"), format!("other_{n}")] }),
            1 => json!({ "backend": "db", "arguments": { "/table": { "equals": format!("table_{n}") } } }),
            2 => {
                json!({ "tool": "*", "arguments": { "/sql": { "regex": format!("\\bsecret_{n}_[a-z]+\\b") } } })
            }
            _ => json!({ "arguments": { "/path": { "glob": format!("/srv/{n}/*.key") } } }),
        };
        json!({ "id": format!("own-{n}"), "action": "block", "when": when })
    };
    let file = json!({ "rules": (0..1_000).map(rule).collect::<Vec<_>>() }).to_string();
    let file = callgate::policy::rules::file::parse(&file, "bench", None).expect("the rules are sound");
    let mut parts = PolicySetBuilder::new(Posture::default());
    parts.set_file(file.rules, Vec::new());
    let set = parts.build().expect("the catalogue is sound");
    let pdp = EmbeddedPdp::new(Arc::new(Authority::new(set)), String::new());
    pdp.warm();
    for (name, arguments) in small() {
        run(&pdp, &format!("{name}, 1,000 own rules"), &arguments);
    }
}

/// The first small input behind the rules about tools, as they are unless somebody sets them, and with a profile, an allow
/// list and a deny list of twenty patterns each: what they add to a decision.
fn governed() {
    let patterns = |verb: &str| -> Vec<Pattern> {
        let texts = (0..19).map(|n| format!("{verb}_{n}_*")).chain([format!("db/{verb}*")]);
        texts.filter_map(|text| Pattern::new(&text).ok()).collect()
    };
    let limits =
        Limits { profile: Profile::ReadOnly, allow: Some(patterns("query")), deny: patterns("delete") };
    let limited = ToolRules { limits, read_only: patterns("query"), agents: Vec::new() };
    let inner = Arc::new(EmbeddedPdp::shipped().expect("the catalogue is sound"));
    inner.warm();
    let arguments = record();
    for (name, rules) in
        [("record, no rules on tools", ToolRules::default()), ("record, 40 rules on tools", limited)]
    {
        let governance = Governance::new(&rules, [("db", &ToolRules::default())], "bench");
        run(&Governed::new(inner.clone(), Arc::new(governance)), name, &arguments);
    }
}

/// The small inputs again with ten Rego rules before the catalogue, of which none speaks: the longest way. The last one is
/// a call that they deny.
fn rego_rules() {
    let rule = |n: usize| match n % 4 {
        0 => format!("deny contains \"r{n}\" if input.action.tool == \"tool_{n}\"\n"),
        1 => format!(
            "deny contains \"r{n}\" if {{\n\tinput.backend == \"db\"\n\tinput.action.params.table == \"table_{n}\"\n}}\n"
        ),
        2 => format!(
            "require_approval contains \"r{n}\" if contains(input.action.params.sql, \"secret_{n}\")\n"
        ),
        _ => format!("deny contains \"r{n}\" if startswith(input.action.params.path, \"/srv/{n}/\")\n"),
    };
    let text = format!("package aaf.policy\n{}", (0..10).map(rule).collect::<String>());
    let rego = RegoSet::of_text("bench.rego", &text).expect("the rules are sound");
    let mut parts = PolicySetBuilder::new(Posture::default());
    parts.set_rego(Some(Arc::new(rego)));
    let set = parts.build().expect("the catalogue is sound");
    let pdp = EmbeddedPdp::new(Arc::new(Authority::new(set)), String::new());
    pdp.warm();
    for (name, arguments) in small() {
        run(&pdp, &format!("{name}, 10 Rego rules"), &arguments);
    }
    run(&pdp, "denied by one of 10 Rego rules", &json!({ "path": "/srv/3/a.key" }));
}

/// Prints the times of one input; the middle one.
fn run(pdp: &dyn Decide, name: &str, arguments: &Value) -> Duration {
    let json = arguments.to_string();
    let call = Call {
        number: 1,
        received_at: SystemTime::now(),
        backend: "db".into(),
        tool: "query".into(),
        exposed: "db__query".into(),
        arguments: Some(Bytes::from(json)),
        meta: None,
        hints: Hints::default(),
    };
    let length = call.arguments.as_ref().map_or(0, Bytes::len);
    let deadline = Instant::now() + Duration::from_secs(60);
    let started = Instant::now();
    let mut times = Vec::new();
    let mut verdict = "allow";
    while times.len() < 2 || started.elapsed() < BUDGET {
        let one = Instant::now();
        let decision = pdp.decide(black_box(&call), deadline);
        times.push(one.elapsed());
        if matches!(decision.verdict, Verdict::Deny) {
            verdict = "deny";
        }
    }
    times.sort_unstable();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let rate = u32::try_from(length).map_or(f64::MAX, f64::from) / p50.as_secs_f64() / 1e6;
    let max = times.last().copied().unwrap_or_default();
    println!(
        "{name:<34} {length:>9} {:>9.2} {:>9.2} {:>9.2} {rate:>8.0}  {verdict}",
        micros(p50),
        micros(p99),
        micros(max)
    );
    p50
}
