//! Reads `when`: the conditions of a rule.

use super::argument::{Argument, Presence, Test};
use super::condition::{Condition, Hint};
use super::glob::Glob;
use super::host::HostPattern;
use super::path::Folder;
use super::pointer::Pointer;
use super::rate::{By, MAX_CALLS, Rate};
use super::reading::{Item, Reading};
use super::window::{self, Window};
use crate::fault::quoted;
use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

/// Keys of `when`; those of `any` and `not` are the same without `rate`.
pub(super) const WHEN: &[&str] =
    &["backend", "tool", "agent", "annotations", "arguments", "text", "time", "any", "not", "rate"];
/// Keys of what is asked of an argument.
pub(super) const TESTS: &[&str] = &[
    "equals",
    "in",
    "glob",
    "regex",
    "min",
    "max",
    "min_length",
    "max_length",
    "path_under",
    "url_host_in",
    "exists",
    "not",
];
/// Keys of `time`.
pub(super) const TIME: &[&str] = &["days", "from", "to", "zone", "outside"];
/// Keys of `rate`.
pub(super) const RATE: &[&str] = &["calls", "per", "by"];
/// Keys of `text`.
pub(super) const TEXT: &[&str] = &["contains", "regex"];

/// What `rate` may count apart by.
pub(super) const BY: &[(&str, By)] = &[("backend", By::Backend), ("tool", By::Tool), ("agent", By::Agent)];

/// Memory that one expression may take when it is compiled.
const REGEX_BYTES: usize = 1024 * 1024;
/// Longest text or list that a length may be compared with.
const MAX_LENGTH: i64 = 1 << 30;

/// The conditions, which all have to hold, and the rate.
pub(super) fn when(reading: &mut Reading<'_>, item: &Item<'_>) -> (Vec<Condition>, Option<Rate>) {
    let Some(members) = reading.object(item, WHEN) else { return (Vec::new(), None) };
    let rate = members.get("rate").and_then(|item| rate(reading, item));
    let mut all = Vec::new();
    for (key, item) in members.iter() {
        match *key {
            "backend" => all.extend(globs(reading, item).map(Condition::Backend)),
            "tool" => all.extend(globs(reading, item).map(Condition::Tool)),
            "agent" => all.extend(globs(reading, item).map(Condition::Agent)),
            "annotations" => hints(reading, item, &mut all),
            "arguments" => arguments(reading, item, &mut all),
            "text" => all.extend(text(reading, item)),
            "time" => all.extend(time(reading, item)),
            "any" => {
                let branches = reading.one_or_more(item);
                all.push(Condition::Any(branches.iter().map(|item| inner(reading, item)).collect()));
            }
            "not" => all.push(Condition::Not(Box::new(inner(reading, item)))),
            _ => {}
        }
    }
    (all, rate)
}

/// A `when` inside another one.
fn inner(reading: &mut Reading<'_>, item: &Item<'_>) -> Condition {
    let (all, rate) = when(reading, item);
    if rate.is_some() {
        let hint = "write \"rate\" into the rule's outermost \"when\"";
        reading.wrong(item, "a rate cannot stand in \"any\" or \"not\"", hint);
    }
    if all.is_empty() {
        reading.wrong(item, "holds no condition", "write a condition, or remove it");
    }
    Condition::All(all)
}

fn globs(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Vec<Glob>> {
    each(reading, item, |text| Glob::new(text).map_err(|what| (what, "write a shorter one".into())))
}

/// Texts, each turned into something. `None` when there is none, which was told.
fn each<T>(
    reading: &mut Reading<'_>,
    item: &Item<'_>,
    make: impl Fn(&str) -> Result<T, (String, String)>,
) -> Option<Vec<T>> {
    let mut made = Vec::new();
    for item in reading.one_or_more(item) {
        let Some(text) = reading.text(&item) else { continue };
        match make(text) {
            Ok(one) => made.push(one),
            Err((what, hint)) => reading.wrong(&item, what, hint),
        }
    }
    (!made.is_empty()).then_some(made)
}

fn regex(text: &str) -> Result<Regex, (String, String)> {
    RegexBuilder::new(text).size_limit(REGEX_BYTES).build().map_err(|error| {
        let error = error.to_string();
        let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        (
            format!("{} is no regular expression: {what}", quoted(text)),
            "write it in the syntax of RE2, and a backslash as two in JSON".into(),
        )
    })
}

fn hints(reading: &mut Reading<'_>, item: &Item<'_>, all: &mut Vec<Condition>) {
    let known = Hint::ALL.map(|(name, _)| name);
    let Some(members) = reading.object(item, &known) else { return };
    for (key, item) in members.iter() {
        if let (Some((_, hint)), Some(wanted)) =
            (Hint::ALL.iter().find(|(name, _)| name == key), reading.truth(item))
        {
            all.push(Condition::Hint(*hint, wanted));
        }
    }
}

fn arguments(reading: &mut Reading<'_>, item: &Item<'_>, all: &mut Vec<Condition>) {
    let Some(members) = reading.open_object(item) else { return };
    for (key, item) in members.iter() {
        match Pointer::new(key) {
            Ok(pointer) => all.extend(argument(reading, item, pointer).map(Condition::Argument)),
            Err(what) => {
                let hint = format!("write {}", quoted(&format!("/{}", key.replace(['#', '$'], ""))));
                reading.wrong(item, format!("{} is no place in arguments: {what}", quoted(key)), hint);
            }
        }
    }
}

fn argument(reading: &mut Reading<'_>, item: &Item<'_>, pointer: Pointer) -> Option<Argument> {
    let members = reading.object(item, TESTS)?;
    let exists = members.get("exists").map(|item| reading.truth(item));
    let tests = tests(reading, item);
    if members.iter().next().is_none() {
        reading.wrong(item, "asks for nothing", "write {\"exists\": true}, or what the value has to be");
        return None;
    }
    let presence = if exists == Some(Some(false)) { Presence::Absent } else { Presence::Present };
    if presence == Presence::Absent && members.iter().count() > 1 {
        let hint = "write the other tests into an \"any\" beside it";
        reading.wrong(item, "what does not exist cannot pass other tests", hint);
    }
    Some(Argument { pointer, tests, presence })
}

fn tests(reading: &mut Reading<'_>, item: &Item<'_>) -> Vec<Test> {
    let Some(members) = reading.open_object(item) else { return Vec::new() };
    let home = reading.home.map(str::to_owned);
    let mut tests = Vec::new();
    for (key, item) in members.iter() {
        tests.extend(match *key {
            "equals" => reading.value(item).map(|value| Test::In(vec![value])),
            "in" => {
                let items = reading.list(item);
                if items.is_empty() {
                    reading.wrong(item, "lists nothing", "write at least one value");
                }
                Some(Test::In(items.iter().filter_map(|item| reading.value(item)).collect()))
            }
            "glob" => globs(reading, item).map(Test::Glob),
            "regex" => each(reading, item, regex).map(Test::Regex),
            "min" => reading.number(item).map(Test::Min),
            "max" => reading.number(item).map(Test::Max),
            "min_length" => length(reading, item).map(Test::MinLength),
            "max_length" => length(reading, item).map(Test::MaxLength),
            "path_under" => each(reading, item, |text| folder(text, home.as_deref()))
                .map(|folders| Test::PathUnder(folders, home.clone())),
            "url_host_in" => {
                let host = |text: &str| {
                    HostPattern::new(text).map_err(|hint| (format!("{} is no host", quoted(text)), hint))
                };
                each(reading, item, host).map(Test::UrlHostIn)
            }
            "not" => {
                let Some(inner) = reading.object(item, TESTS) else { continue };
                if let Some(exists) = inner.get("exists") {
                    reading.wrong(
                        exists,
                        "cannot stand in \"not\"",
                        "write \"exists\": false beside the place",
                    );
                }
                if inner.iter().next().is_none() {
                    reading.wrong(item, "asks for nothing", "write what the value must not be");
                }
                Some(Test::Not(self::tests(reading, item)))
            }
            _ => None,
        });
    }
    tests
}

fn length(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<usize> {
    reading.whole(item, 0..=MAX_LENGTH).and_then(|number| usize::try_from(number).ok())
}

fn folder(text: &str, home: Option<&str>) -> Result<Folder, (String, String)> {
    if text.trim().is_empty() {
        return Err(("the folder is blank".into(), "write a path such as /srv/data or ~/work".into()));
    }
    if home.is_none() && (text == "~" || text.starts_with("~/")) {
        let what = format!("{} has no home directory", quoted(text));
        return Err((what, "write an absolute path".into()));
    }
    Ok(Folder::new(text, home))
}

fn text(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Condition> {
    let members = reading.object(item, TEXT)?;
    let mut all = Vec::new();
    if let Some(item) = members.get("contains") {
        let make = |text: &str| {
            if text.is_empty() {
                return Err(("is blank".into(), "write a word".into()));
            }
            regex(&format!("(?i){}", regex::escape(text)))
        };
        all.extend(each(reading, item, make).into_iter().flatten());
    }
    if let Some(item) = members.get("regex") {
        all.extend(each(reading, item, regex).into_iter().flatten());
    }
    if members.iter().next().is_none() {
        reading.wrong(item, "asks for nothing", "write \"contains\" or \"regex\"");
    }
    Some(Condition::Text(all))
}

fn time(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Condition> {
    let members = reading.object(item, TIME)?;
    if members.iter().next().is_none() {
        reading.wrong(item, "asks for nothing", "write \"days\", \"from\" or \"to\"");
    }
    let mut days = Vec::new();
    if let Some(item) = members.get("days") {
        let day = |text: &str| {
            window::weekday(text).ok_or_else(|| {
                (format!("{} is no day", quoted(text)), "write mon, tue, wed, thu, fri, sat or sun".into())
            })
        };
        days = each(reading, item, day).unwrap_or_default();
    }
    let mut clock = |key: &str| {
        let item = members.get(key)?;
        let text = reading.text(item)?;
        let time = window::time(text).ok();
        if time.is_none() {
            reading.wrong(item, format!("{} is no time of day", quoted(text)), "write it as 09:00");
        }
        time
    };
    let (from, to) = (clock("from"), clock("to"));
    if let (Some(item), Some(None)) = (members.get("from"), from) {
        reading.wrong(item, "nothing begins at the end of a day", "write 00:00");
    }
    Some(Condition::Time(Window {
        days,
        from: from.flatten().unwrap_or_default(),
        to: to.flatten(),
        zone: zone(reading, members.get("zone"))?,
        outside: members.get("outside").and_then(|item| reading.truth(item)).unwrap_or(false),
    }))
}

/// The machine's own zone unless one is named.
fn zone(reading: &mut Reading<'_>, item: Option<&Item<'_>>) -> Option<TimeZone> {
    let Some(item) = item else { return Some(TimeZone::system()) };
    let name = reading.text(item)?;
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        let what = format!("{} is no time zone", quoted(name));
        reading.wrong(item, what, "write a name such as Europe/Berlin or UTC");
    }
    zone
}

fn rate(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Rate> {
    let members = reading.object(item, RATE)?;
    for key in ["calls", "per"] {
        if members.get(key).is_none() {
            reading.wrong(item, format!("has no {key:?}"), "write it as {\"calls\": 10, \"per\": \"1m\"}");
        }
    }
    let most = i64::try_from(MAX_CALLS).unwrap_or(i64::MAX);
    let calls = members.get("calls").and_then(|item| reading.whole(item, 1..=most));
    let per = members.get("per").and_then(|item| {
        let text = reading.text(item)?;
        crate::settings::duration(text).map_err(|(what, hint)| reading.wrong(item, what, hint)).ok()
    });
    let by = match members.get("by") {
        // What a person means by "ten calls a minute" of a rule for some tools.
        None => vec![By::Tool, By::Agent],
        Some(item) => {
            let items = reading.list(item);
            items.iter().filter_map(|item| reading.word(item, BY)).collect()
        }
    };
    Some(Rate { calls: usize::try_from(calls?).ok()?, per: per?, by })
}
