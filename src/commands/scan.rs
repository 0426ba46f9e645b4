//! `callgate scan`: judges JSON lines as calls or answers would be judged, and tells what was found.

use crate::policy::authority::{Content, PolicySet, Question};
use crate::policy::model::{self, Action};
use crate::redact::{CardMatch, Options, Redactor};
use callgate_actors::call::Hints;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant, SystemTime};

/// Longest line that is read: the longest message of a backend that any setting allows (1 GiB).
const LONGEST_LINE_BYTES: u64 = 1 << 30;

/// Which way the lines would flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// From the model to a backend: arguments
    Request,
    /// From a backend to the model: answers
    #[default]
    Response,
}

/// How sure a number must be to be masked as a payment card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Cards {
    /// Any 13 to 19 digits
    #[default]
    Loose,
    /// Only with a valid sum and issuer
    Precise,
}

/// What `callgate scan` is told.
#[derive(Clone, Debug, Default, Args)]
pub struct ScanOptions {
    /// Which way the lines would flow
    #[arg(long, value_enum, default_value_t)]
    pub phase: Phase,
    /// How sure a number must be to be masked as a payment card
    #[arg(long, value_enum, default_value_t)]
    pub card_match: Cards,
    /// Detector to switch on, by policy id (may be repeated)
    #[arg(long, value_name = "POLICY")]
    pub on: Vec<String>,
    /// Detector to switch off, by policy id (may be repeated)
    #[arg(long, value_name = "POLICY")]
    pub off: Vec<String>,
    /// Add a last line with totals
    #[arg(long)]
    pub stats: bool,
}

/// What all lines together held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines that were read, blank ones left out.
    pub lines: u64,
    /// Lines in which something was masked.
    pub lines_masked: u64,
    /// Lines about which something would be done.
    pub lines_flagged: u64,
    /// Lines that were no JSON.
    pub lines_refused: u64,
    /// Bytes of the lines.
    pub bytes: u64,
    /// Masked values by type.
    pub masked: BTreeMap<&'static str, u64>,
    /// Time spent in the redactor.
    pub spent: Duration,
}

/// A text with a name, as corpora have them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample<'a> {
    /// Any JSON value; given back as it is.
    #[serde(borrow)]
    id: &'a RawValue,
    text: String,
}

/// What lines are judged by.
struct Judges<'a> {
    redactor: Redactor,
    set: &'a PolicySet,
    phase: Phase,
}

/// What is said of one line.
struct Said {
    flagged: bool,
    types: Vec<&'static str>,
    policies: Vec<String>,
    action: &'static str,
    /// The content with personal data masked, where there was any.
    masked: Option<Vec<u8>>,
}

/// Judges every line of `input`, one JSON value each, by `set` and writes a line of JSON for it.
///
/// A line `{"id":…,"text":"…"}` gives `id`, `flagged` (something would be done: masked, warned of, held or stopped),
/// `types` (of personal data), `policies` (ids), `action` (the strongest; `allow` when there is none) and `redacted`
/// (the text with tokens).
///
/// Any other line gives in the response phase `line` (from 1), `redacted` (the value with tokens, otherwise byte for
/// byte as it came), `types` and `masked` (values by type); in the request phase, in which it has to be an object,
/// `line` in the place of `id`. A line that cannot be read gives `line` and `error` and never its content. With
/// [`ScanOptions::stats`] a last line holds `stats`.
///
/// # Errors
/// When reading or writing fails, and when a line is longer than 1 GiB.
pub fn run(
    options: &ScanOptions,
    set: &PolicySet,
    input: impl BufRead,
    out: &mut dyn Write,
) -> io::Result<Totals> {
    let card_match = match (options.phase, options.card_match) {
        (Phase::Response, Cards::Loose) => CardMatch::Loose,
        // As arguments are judged by the gate.
        (Phase::Request, _) | (_, Cards::Precise) => CardMatch::Precise,
    };
    let on = options.on.iter().map(|policy| (policy.clone(), true));
    let off = options.off.iter().map(|policy| (policy.clone(), false));
    let redactor = Redactor::new(Options { card_match, switches: on.chain(off).collect() });
    let judges = Judges { redactor, set, phase: options.phase };
    let mut totals = Totals::default();
    let mut input = input;
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        if (&mut input).take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        if !line.ends_with(b"\n") && line.len() as u64 == LONGEST_LINE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {number} is longer than 1 GiB"),
            ));
        }
        let json = line.trim_ascii();
        if json.is_empty() {
            continue;
        }
        totals.lines += 1;
        totals.bytes += json.len() as u64;
        match (serde_json::from_slice::<Sample<'_>>(json), options.phase) {
            (Ok(sample), _) => one_sample(&judges, number, &sample, &mut totals, out)?,
            (Err(_), Phase::Request) => one_call(&judges, number, json, &mut totals, out)?,
            (Err(_), Phase::Response) => one_line(&judges.redactor, number, json, &mut totals, out)?,
        }
    }
    if options.stats {
        writeln!(out, "{}", stats(&totals))?;
    }
    out.flush()?;
    Ok(totals)
}

impl Judges<'_> {
    fn judge(&self, content: Content<'_>, totals: &mut Totals) -> Result<Said, String> {
        let started = Instant::now();
        let judged = self.set.judge(&Question {
            phase: match self.phase {
                Phase::Request => model::Phase::Request,
                Phase::Response => model::Phase::Response,
            },
            content,
            backend: "",
            tool: "",
            agent: "",
            hints: Hints::default(),
            at: SystemTime::now(),
        });
        let scanned = match content {
            Content::Text(text) => {
                let scan = self.redactor.scan_text(text);
                Ok((scan.text.map(String::into_bytes), scan.masked))
            }
            Content::Json(json) => self.redactor.scan(json).map(|scan| (scan.json, scan.masked)),
        };
        totals.spent += started.elapsed();
        let (judged, (masked, counts)) = (judged?, scanned.map_err(|fault| fault.to_string())?);
        for (kind, count) in &counts {
            *totals.masked.entry(kind).or_default() += u64::from(*count);
        }
        let mut action = judged.action;
        if self.phase == Phase::Response && masked.is_some() {
            // Answers are masked whatever the policies say.
            action = Some(action.map_or(Action::Redact, |action| action.min(Action::Redact)));
        }
        let flagged = action.is_some_and(|action| action < Action::Log);
        totals.lines_flagged += u64::from(flagged);
        totals.lines_masked += u64::from(masked.is_some());
        Ok(Said {
            flagged,
            types: counts.into_keys().collect(),
            policies: judged.matched.into_iter().map(|found| found.policy_id).collect(),
            action: action.map_or("allow", Action::word),
            masked,
        })
    }
}

fn one_sample(
    judges: &Judges<'_>,
    number: u64,
    sample: &Sample<'_>,
    totals: &mut Totals,
    out: &mut dyn Write,
) -> io::Result<()> {
    match judges.judge(Content::Text(&sample.text), totals) {
        Err(error) => refused(number, &error, totals, out),
        Ok(said) => {
            let masked = said.masked.as_ref().map(|text| String::from_utf8_lossy(text));
            let redacted = json!(masked.as_deref().unwrap_or(&sample.text)).to_string();
            said_line("id", sample.id.get(), &said, &redacted, out)
        }
    }
}

fn one_call(
    judges: &Judges<'_>,
    number: u64,
    json: &[u8],
    totals: &mut Totals,
    out: &mut dyn Write,
) -> io::Result<()> {
    match judges.judge(Content::Json(json), totals) {
        Err(error) => refused(number, &error, totals, out),
        Ok(said) => {
            let redacted = String::from_utf8_lossy(said.masked.as_deref().unwrap_or(json));
            said_line("line", &number.to_string(), &said, &redacted, out)
        }
    }
}

/// Members in the order of the documents; `name` and `redacted` are JSON already.
fn said_line(key: &str, name: &str, said: &Said, redacted: &str, out: &mut dyn Write) -> io::Result<()> {
    let Said { flagged, types, policies, action, .. } = said;
    let (types, policies) = (json!(types), json!(policies));
    writeln!(
        out,
        "{{\"{key}\":{name},\"flagged\":{flagged},\"types\":{types},\"policies\":{policies},\
         \"action\":\"{action}\",\"redacted\":{redacted}}}"
    )
}

fn one_line(
    redactor: &Redactor,
    number: u64,
    json: &[u8],
    totals: &mut Totals,
    out: &mut dyn Write,
) -> io::Result<()> {
    let started = Instant::now();
    let scanned = redactor.scan(json);
    totals.spent += started.elapsed();
    let scan = match scanned {
        Ok(scan) => scan,
        Err(fault) => return refused(number, &fault.to_string(), totals, out),
    };
    for (kind, count) in &scan.masked {
        *totals.masked.entry(kind).or_default() += u64::from(*count);
    }
    totals.lines_masked += u64::from(scan.json.is_some());
    totals.lines_flagged += u64::from(scan.json.is_some());
    let types: Vec<_> = scan.masked.keys().collect();
    let redacted = scan.json.as_deref().unwrap_or(json);
    let redacted: &RawValue = serde_json::from_slice(redacted)?;
    let head = json!({ "line": number, "types": types, "masked": scan.masked }).to_string();
    // The redacted value goes in as it is: writing it anew could change what was not masked.
    writeln!(out, "{},\"redacted\":{}}}", head.strip_suffix('}').unwrap_or(&head), redacted.get())
}

fn refused(number: u64, fault: &str, totals: &mut Totals, out: &mut dyn Write) -> io::Result<()> {
    totals.lines_refused += 1;
    writeln!(out, "{}", json!({ "line": number, "error": fault }))
}

fn stats(totals: &Totals) -> serde_json::Value {
    let seconds = totals.spent.as_secs_f64();
    let rate = if seconds > 0.0 { totals.bytes as f64 / seconds / 1e6 } else { 0.0 };
    json!({ "stats": {
        "lines": totals.lines,
        "lines_masked": totals.lines_masked,
        "lines_flagged": totals.lines_flagged,
        "lines_refused": totals.lines_refused,
        "bytes": totals.bytes,
        "masked": totals.masked,
        "seconds": (seconds * 1e6).round() / 1e6,
        "megabytes_per_second": rate.round(),
    }})
}

#[cfg(test)]
mod tests {
    use super::{Cards, Phase, ScanOptions, run};
    use crate::policy::authority::PolicySet;
    use crate::policy::posture::Posture;

    fn lines(options: &ScanOptions, input: &str) -> Vec<String> {
        let mut out = Vec::new();
        let set = PolicySet::shipped(Posture::default()).unwrap();
        run(options, &set, input.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_is_answered_in_order() {
        let input =
            "{\"a\" : \"jane@acme.com\", \"n\":1.50}\n\n[1]\r\nnot json jane@acme.com\n\"4111111111111111\"";
        let out = lines(&ScanOptions::default(), input);
        assert_eq!(
            out,
            [
                r#"{"line":1,"masked":{"email":1},"types":["email"],"redacted":{"a" : "[REDACTED:email]", "n":1.50}}"#,
                r#"{"line":3,"masked":{},"types":[],"redacted":[1]}"#,
                r#"{"error":"not valid JSON at byte 0: unknown word","line":4}"#,
                r#"{"line":5,"masked":{"card":1},"types":["card"],"redacted":"[REDACTED:card]"}"#,
            ]
        );
    }

    #[test]
    fn options_reach_the_redactor() {
        let options = ScanOptions {
            card_match: Cards::Precise,
            on: vec!["sys_pii_ip_address".into()],
            off: vec!["sys_pii_email".into()],
            ..ScanOptions::default()
        };
        let out = lines(&options, r#"["1700000000000","jane@acme.com","203.0.113.9"]"#);
        assert!(
            out[0].ends_with(r#""redacted":["1700000000000","jane@acme.com","[REDACTED:ip_address]"]}"#),
            "{out:?}"
        );
    }

    #[test]
    fn texts_with_a_name_are_judged_in_both_phases() {
        let request = ScanOptions { phase: Phase::Request, ..ScanOptions::default() };
        let input = "{\"id\":\"a\",\"text\":\"DROP TABLE users\"}\n{\"id\":7,\"text\":\"good day\"}";
        let out = lines(&request, input);
        assert!(
            out[0].starts_with(r#"{"id":"a","flagged":true,"types":[],"policies":["sys_sqli_drop_table""#)
                && out[0].ends_with(r#""action":"block","redacted":"DROP TABLE users"}"#),
            "{out:?}"
        );
        let nothing =
            r#"{"id":7,"flagged":false,"types":[],"policies":[],"action":"allow","redacted":"good day"}"#;
        assert_eq!(out[1], nothing);
        let out = lines(&ScanOptions::default(), "{\"id\":[1],\"text\":\"ask jane@acme.com\"}");
        let said: serde_json::Value = serde_json::from_str(&out[0]).unwrap();
        assert_eq!(said["id"], serde_json::json!([1]));
        assert_eq!((&said["flagged"], &said["action"]), (&true.into(), &"redact".into()));
        assert_eq!(said["types"], serde_json::json!(["email"]));
        assert_eq!(said["redacted"], "ask [REDACTED:email]");
    }

    #[test]
    fn arguments_are_judged_in_the_request_phase() {
        let request = ScanOptions { phase: Phase::Request, ..ScanOptions::default() };
        let out = lines(&request, "{\"cmd\":\"rm -rf /\"}\n[1]\n{\"a\":1,\"a\":2}");
        assert!(out[0].starts_with(r#"{"line":1,"flagged":true,"#), "{out:?}");
        assert!(out[0].ends_with(r#""action":"block","redacted":{"cmd":"rm -rf /"}}"#), "{out:?}");
        assert_eq!(out[1], r#"{"error":"not a JSON object","line":2}"#);
        assert!(out[2].contains("same key twice"), "{out:?}");
    }

    #[test]
    fn totals_come_last() {
        let options = ScanOptions { stats: true, ..ScanOptions::default() };
        let out = lines(&options, "\"a@b.co c@d.co\"\nx\n");
        let last: serde_json::Value = serde_json::from_str(out.last().unwrap()).unwrap();
        assert_eq!(last["stats"]["masked"]["email"], 2);
        assert_eq!((&last["stats"]["lines"], &last["stats"]["lines_refused"]), (&2.into(), &1.into()));
    }
}
