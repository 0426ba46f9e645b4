//! What the person sees of the tour: headings, what was sent and what came back, and the claims, which are counted.
//!
//! Of each message the telling part is shown: of a request the tool and its arguments, of an answer the content, of an
//! error the code and the message.

use serde_json::Value;
use std::io::{self, Write};

/// Lines that one message may take on the screen.
const LINES_PER_MESSAGE: usize = 6;
/// Columns before a message's text.
const INDENT: usize = 6;

/// The screen.
pub(super) struct Screen<'out> {
    pub(super) out: &'out mut dyn Write,
    width: usize,
    step: usize,
    failed: usize,
}

impl<'out> Screen<'out> {
    /// A screen of `width` columns, at least 60.
    pub(super) fn new(out: &'out mut dyn Write, width: usize) -> Self {
        Self { out, width: width.max(60), step: 0, failed: 0 }
    }

    /// How many claims did not hold.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    pub(super) fn part(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n== {text} ==")
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.step += 1;
        writeln!(self.out, "\n{}. {text}", self.step)
    }

    /// A call of a tool.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> io::Result<()> {
        self.text("->", &format!("{tool} {arguments}"))
    }

    /// The answer to a call.
    pub(super) fn answer(&mut self, message: &Value) -> io::Result<()> {
        self.text("<-", &told(message))
    }

    /// `text` over a few lines of the screen's width; the rest is left away and says so.
    pub(super) fn text(&mut self, mark: &str, text: &str) -> io::Result<()> {
        for (number, line) in wrapped(text, self.width - INDENT).iter().enumerate() {
            writeln!(self.out, "   {:<2} {line}", if number == 0 { mark } else { "" })?;
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, holds: bool, text: &str) -> io::Result<()> {
        self.failed += usize::from(!holds);
        writeln!(self.out, "   {} {text}", if holds { "ok    " } else { "FAILED" })
    }

    /// Audit rows in short, equal ones in a row as one.
    pub(super) fn rows(&mut self, rows: &[Value]) -> io::Result<()> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let short = |row: &Value| {
            let tool = format!("{} {}", text(row, "server"), text(row, "tool_name"));
            let masked = row["redaction_count"].as_u64().unwrap_or(0);
            format!("{tool:<26} {:<15} {:<14} {masked:>6}", text(row, "verdict"), text(row, "outcome"))
        };
        writeln!(self.out, "      calls  {:<26} {:<15} {:<14} masked", "tool", "verdict", "outcome")?;
        let lines: Vec<String> = rows.iter().map(short).collect();
        for same in lines.chunk_by(|a, b| a == b) {
            writeln!(self.out, "      {:>5}  {}", same.len(), same[0])?;
        }
        Ok(())
    }
}

/// The telling part of an answer.
fn told(message: &Value) -> String {
    let error = &message["error"];
    if error.is_object() {
        return format!("error {}: {}", error["code"], error["message"].as_str().unwrap_or_default());
    }
    let result = &message["result"];
    if result["structuredContent"].is_object() {
        return result["structuredContent"].to_string();
    }
    let content = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = content.iter().filter_map(|item| item["text"].as_str()).collect();
    if texts.is_empty() { result.to_string() } else { texts.join("\n") }
}

/// `text` in at most [`LINES_PER_MESSAGE`] lines of `width` characters, broken behind a space or a comma where there is
/// one in the second half; the last line ends in dots when there is more.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut rest: Vec<char> = paragraph.chars().collect();
        while rest.len() > width {
            let breaks = rest[..width].iter().rposition(|c| matches!(c, ' ' | ','));
            let at = breaks.map(|at| at + 1).filter(|at| *at > width / 2).unwrap_or(width);
            let line: String = rest.drain(..at).collect();
            lines.push(line.trim_end().to_owned());
        }
        lines.push(rest.into_iter().collect());
    }
    if lines.len() > LINES_PER_MESSAGE {
        lines.truncate(LINES_PER_MESSAGE);
        if let Some(last) = lines.last_mut() {
            *last = last.chars().take(width.saturating_sub(4)).collect::<String>() + " ...";
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_messages_are_cut_visibly_and_short_ones_kept() {
        assert_eq!(wrapped("abc", 10), ["abc"]);
        assert_eq!(wrapped(&"x".repeat(15), 10), ["x".repeat(10), "x".repeat(5)]);
        assert_eq!(wrapped("one two, three four", 10), ["one two,", "three four"]);
        assert_eq!(wrapped("a\nb", 10), ["a", "b"]);
        let cut = wrapped(&"é".repeat(100), 10);
        assert_eq!(cut.len(), LINES_PER_MESSAGE);
        assert_eq!(cut.last().unwrap(), &("é".repeat(6) + " ..."));
    }

    #[test]
    fn the_telling_part_of_an_answer() {
        let error = json!({"error": {"code": -32001, "message": "blocked", "data": {}}});
        assert_eq!(told(&error), "error -32001: blocked");
        let text =
            json!({"result": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}});
        assert_eq!(told(&text), "a\nb");
        let both =
            json!({"result": {"content": [{"type": "text", "text": "{}"}], "structuredContent": {"n": 1}}});
        assert_eq!(told(&both), r#"{"n":1}"#);
    }

    #[test]
    fn equal_rows_stand_as_one() {
        let row =
            |tool: &str| json!({"server": "crm", "tool_name": tool, "verdict": "allow", "outcome": "ok"});
        let mut out = Vec::new();
        Screen::new(&mut out, 80).rows(&[row("a"), row("a"), row("b")]).unwrap();
        let lines: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].starts_with("          2  crm a "), "{lines:?}");
    }
}
