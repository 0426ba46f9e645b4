//! One vector: what is sent, and what must come of it.

use crate::harness::Reply;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is started for a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    /// What the file is about.
    #[expect(dead_code, reason = "for readers of the file")]
    about: String,
    /// The client's protocol version.
    #[serde(default = "newest")]
    pub(super) version: String,
    /// Further settings.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Stub servers and their flags.
    #[serde(default)]
    pub(super) stubs: Vec<(String, Vec<String>)>,
    /// A scripted server over HTTP, with the id `h`.
    #[serde(default)]
    pub(super) http: bool,
    /// A harmless tool.
    #[serde(default = "echo")]
    pub(super) fence: String,
}

fn newest() -> String {
    "2025-11-25".to_owned()
}

fn echo() -> String {
    "echo".to_owned()
}

/// A file of vectors.
pub(super) struct File {
    pub(super) group: Group,
    pub(super) vectors: Vec<Vector>,
}

/// One line of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    /// Unique; the JSON-RPC id too.
    pub(super) id: String,
    send: String,
    /// What the server answers the call with.
    #[serde(default)]
    pub(super) answer: Option<String>,
    #[serde(rename = "expect")]
    pub(super) expected: Vec<Expected>,
    /// Whether the mark may be seen at a backend; what the answers say otherwise.
    #[serde(default)]
    pub(super) reaches: Option<bool>,
}

/// One answer, or its absence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// The id that is answered; the vector's own when it is not given.
    #[serde(default = "own")]
    pub(super) of: Value,
    /// One of these errors.
    #[serde(default)]
    codes: Vec<i64>,
    /// A result that is no tool error.
    #[serde(default)]
    ok: bool,
    /// No answer at all.
    #[serde(default)]
    silent: bool,
    /// Stands in the line.
    #[serde(default)]
    has: Vec<String>,
    /// Stands nowhere in the line.
    #[serde(default)]
    lacks: Vec<String>,
}

fn own() -> Value {
    "${id}".into()
}

impl Expected {
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether the gate itself says no, or nothing.
    pub(super) fn is_refusal(&self) -> bool {
        self.silent || !self.codes.is_empty() && self.lacks.is_empty() && self.has.is_empty()
    }

    fn judge(&self, reply: &Reply) -> Result<(), String> {
        let shown: String = reply.raw.chars().take(400).collect();
        let code = reply.value["error"]["code"].as_i64();
        if !self.codes.is_empty() && !code.is_some_and(|code| self.codes.contains(&code)) {
            return Err(format!("not refused with {:?}: {shown}", self.codes));
        }
        if self.ok && !reply.is_ok() {
            return Err(format!("no result: {shown}"));
        }
        if let Some(missing) = self.has.iter().find(|text| !reply.raw.contains(text.as_str())) {
            return Err(format!("without {missing:?}: {shown}"));
        }
        match self.lacks.iter().find(|text| reply.raw.contains(text.as_str())) {
            Some(text) => Err(format!("{text:?} came through: {shown}")),
            None => Ok(()),
        }
    }
}

impl Vector {
    /// What tells at a backend that this vector's message arrived.
    pub(super) fn mark(&self) -> String {
        format!("mark.{}.", self.id)
    }

    /// All that is sent by either side.
    pub(super) fn everything(&self) -> String {
        format!("{}{}", self.send, self.answer.as_deref().unwrap_or_default())
    }

    /// What the client sends, with its last line's end.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = self.send.as_str();
        // What is no text is written as `${byte:ff}`.
        while let Some((before, behind)) = rest.split_once("${byte:") {
            out.extend_from_slice(before.as_bytes());
            let (digits, behind) = behind.split_once('}').expect("a byte in braces");
            out.push(u8::from_str_radix(digits, 16).expect("a byte in hexadecimal digits"));
            rest = behind;
        }
        out.extend_from_slice(rest.as_bytes());
        out.push(b'\n');
        out
    }

    /// Whether these are the answers that it must get, and no others.
    pub(super) fn judge(&self, replies: &[Reply]) -> Result<(), String> {
        let mut left: Vec<&Reply> = replies.iter().collect();
        for expected in self.expected.iter().filter(|expected| !expected.silent) {
            let mut why = format!("no answer to {}: {replies:?}", expected.of);
            let mut judged = left.iter().map(|reply| match reply.value["id"] == expected.of {
                true => expected.judge(reply).map_err(|error| why.clone_from(&error)).is_ok(),
                false => false,
            });
            let Some(at) = judged.position(|fits| fits) else { return Err(why) };
            left.remove(at);
        }
        match left.first() {
            Some(more) => {
                Err(format!("an answer too many: {}", more.raw.chars().take(400).collect::<String>()))
            }
            None => Ok(()),
        }
    }

    /// What is wrong with the way that its mark took, if anything.
    pub(super) fn judge_way(&self, reached: bool) -> Option<&'static str> {
        let has_mark = self.send.contains(&self.mark());
        let may = self.reaches.unwrap_or_else(|| !self.expected.iter().any(Expected::is_refusal));
        match (has_mark, may, reached) {
            (_, false, true) => Some("it reached a backend"),
            (true, true, false) => Some("it never reached a backend"),
            _ => None,
        }
    }

    fn fill(&mut self) {
        let (id, mark) = (self.id.clone(), self.mark());
        for text in std::iter::once(&mut self.send).chain(&mut self.answer) {
            *text = repeated(&text.replace("${id}", &id).replace("${mark}", &mark));
        }
        for expected in &mut self.expected {
            if let Value::String(of) = &mut expected.of {
                *of = of.replace("${id}", &id);
            }
        }
    }
}

/// Writes out `${repeat:TEXT:COUNT}`.
fn repeated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${repeat:") {
        out.push_str(before);
        let (repeat, behind) = behind.split_once('}').expect("a repeat in braces");
        let (piece, count) = repeat.rsplit_once(':').expect("a text and a count");
        out.push_str(
            &piece.replace("\\lbrace", "{").replace("\\rbrace", "}").repeat(count.parse().expect("a count")),
        );
        rest = behind;
    }
    out + rest
}

/// Reads `tests/bypass/<name>.jsonl`.
pub(super) fn read(name: &str) -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/bypass/{name}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let group = lines.next().expect("a first line");
    let group = serde_json::from_str(group).unwrap_or_else(|why| panic!("{name}: {why} in {group}"));
    let mut vectors: Vec<Vector> = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{name}: {why} in {line}")))
        .collect();
    vectors.iter_mut().for_each(Vector::fill);
    File { group, vectors }
}
