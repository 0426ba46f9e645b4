//! Takes sentences that speak to the model out of an answer: `[REDACTED:security-dangerous]` stands in their place (the
//! AxonFlow contract, section 5.4, "remove statement").

use crate::policy::Engine;
use crate::policy::answer::{decoded, strings};
use crate::policy::authority::Matched;
use crate::policy::posture::Class;
use crate::redact::report;
use callgate_actors::ports::{Redaction, Withheld};
use callgate_actors::wire::splice::splice;
use std::ops::Range;

/// What is counted, and stands in the token.
const KIND: &str = "security-dangerous";
const TOKEN: &str = "[REDACTED:security-dangerous]";

/// Whether the policy speaks of sentences and not of data, which is masked already.
pub(super) fn is_for(matched: &Matched) -> bool {
    Class::of(&matched.category) == Class::Dangerous
}

/// Takes the sentences out; every byte outside of them stays as it came.
///
/// # Errors
/// When they cannot be taken out, the answer must not pass.
pub(super) fn remove(engine: &Engine, json: &[u8], redaction: &mut Redaction) -> Result<(), Withheld> {
    let text = redaction.json.as_deref().unwrap_or(json);
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (raw, _) in strings(text) {
        let start = raw.as_ptr().addr() - text.as_ptr().addr();
        spans.extend(sentences(engine, raw).into_iter().map(|span| (start + span.start, start + span.end)));
    }
    if spans.is_empty() {
        let reason = "what a policy takes out of it cannot be found".to_owned();
        return Err(Withheld { blocked: true, reason, ..Withheld::default() });
    }
    report::add_fields(text, &spans, &mut redaction.findings);
    let changes: Vec<(Range<usize>, &[u8])> =
        spans.iter().map(|(start, end)| (*start..*end, TOKEN.as_bytes())).collect();
    let out = splice(text, &changes);
    *redaction.masked.entry(KIND).or_default() += u32::try_from(spans.len()).unwrap_or(u32::MAX);
    redaction.json = Some(out);
    Ok(())
}

/// The sentences in the raw content of a string, in offsets of the raw bytes.
fn sentences(engine: &Engine, raw: &[u8]) -> Vec<Range<usize>> {
    let mut buffer = Vec::new();
    let text = decoded(raw, &mut buffer);
    let found = engine.sentences(&text);
    if found.is_empty() {
        return Vec::new();
    }
    let changes: Vec<(Range<usize>, &[u8])> =
        found.iter().map(|span| (span.clone(), TOKEN.as_bytes())).collect();
    if is_json(text.as_bytes()) && !is_json(&splice(text.as_bytes(), &changes)) {
        // Without them the text inside would be broken: nothing of it passes.
        return std::iter::once(0..raw.len()).collect();
    }
    let bounds = crate::redact::raw_offsets(raw, found.iter().flat_map(|span| [span.start, span.end]));
    bounds.as_chunks::<2>().0.iter().map(|[start, end]| *start..*end).collect()
}

fn is_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) && crate::redact::check(text).is_ok()
}
