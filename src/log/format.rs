//! How an event of `tracing` looks: `2026-01-02T03:04:05.678901Z  WARN journal: message name=value`.

use super::escape::Escaping;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// One event, one line.
pub(super) struct Line {
    /// Colour the level; only for a terminal.
    pub(super) colours: bool,
}

impl<S> FormatEvent<S, Fields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let (colour, plain) = if self.colours { (colour(level), "\u{1b}[0m") } else { ("", "") };
        let target = brief(event.metadata().target());
        write!(writer, "{} {colour}{level:>5}{plain} {target}: ", now())?;
        let spans = context.event_scope().into_iter().flat_map(|scope| scope.from_root());
        // The actor library puts each of its actors into a span, by a number that tells nobody anything.
        for span in spans.filter(|span| !span.metadata().target().starts_with("ractor")) {
            writer.write_str(span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<Fields>>()
                && !fields.is_empty()
            {
                write!(writer, "{{{fields}}}")?;
            }
            writer.write_str(": ")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// The message, then `name=value`, all escaped.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { writer, first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Visitor<'w> {
    writer: Writer<'w>,
    first: bool,
    result: fmt::Result,
}

impl Visitor<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_err() {
            return;
        }
        let space = if self.first { "" } else { " " };
        self.first = false;
        let mut escaping = Escaping(&mut self.writer);
        self.result = match field.name() {
            "message" => write!(escaping, "{space}{value}"),
            name => write!(escaping, "{space}{name}={value}"),
        };
    }
}

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.put(field, format_args!("{value}"));
        } else {
            self.put(field, format_args!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
    }
}

/// The start of a line that does not come from an event.
pub(super) fn head(level: &str, target: &str) -> String {
    format!("{} {level:>5} {target}: ", now())
}

/// UTC with microseconds, always of the same width.
fn now() -> impl fmt::Display {
    fmt::from_fn(|f| write!(f, "{:.6}", jiff::Timestamp::now()))
}

/// A target without the name of our own crates.
fn brief(target: &str) -> &str {
    let own = ["callgate::", "callgate_actors::"];
    own.iter().find_map(|prefix| target.strip_prefix(prefix)).unwrap_or(target)
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[2m",
    }
}
