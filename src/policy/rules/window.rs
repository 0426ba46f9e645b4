//! Times of day: on these days, from this hour to that, in a time zone.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use std::time::SystemTime;

/// A recurring stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Days on which it begins; empty for every day.
    pub(super) days: Vec<Weekday>,
    /// When it begins.
    pub(super) from: Time,
    /// When it has ended; `None` is the end of the day. Not later than `from`, it is on the next day.
    pub(super) to: Option<Time>,
    /// Where.
    pub(super) zone: TimeZone,
    /// It is the time outside that is meant.
    pub(super) outside: bool,
}

impl Window {
    /// Whether `at` is meant. A time that no calendar holds (before the year -9999) is taken as meant.
    pub(super) fn holds(&self, at: SystemTime) -> bool {
        let Ok(at) = Timestamp::try_from(at) else { return true };
        let local = self.zone.to_datetime(at);
        let (date, time) = (local.date(), local.time());
        let inside = match self.to {
            None => self.begins_on(Some(date)) && time >= self.from,
            Some(to) if to > self.from => self.begins_on(Some(date)) && time >= self.from && time < to,
            Some(to) => {
                (self.begins_on(Some(date)) && time >= self.from)
                    || (self.begins_on(date.yesterday().ok()) && time < to)
            }
        };
        inside != self.outside
    }

    fn begins_on(&self, date: Option<Date>) -> bool {
        self.days.is_empty() || date.is_some_and(|date| self.days.contains(&date.weekday()))
    }
}

/// `mon` to `sun`, also written out, in lower case.
pub(super) fn weekday(text: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    DAYS.iter().find(|(name, _)| *name == text || name[..3] == *text).map(|(_, day)| *day)
}

/// `HH:MM` or `HH:MM:SS`; `24:00` is `None`, the end of the day.
pub(super) fn time(text: &str) -> Result<Option<Time>, ()> {
    if text == "24:00" {
        return Ok(None);
    }
    let parts: Vec<i8> = text
        .split(':')
        .map(|part| {
            Some(part)
                .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|part| part.parse().ok())
                .ok_or(())
        })
        .collect::<Result<_, _>>()?;
    match parts[..] {
        [hour, minute] => Time::new(hour, minute, 0, 0).map(Some).map_err(drop),
        [hour, minute, second] => Time::new(hour, minute, second, 0).map(Some).map_err(drop),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[&str], from: &str, to: &str, zone: &str) -> Window {
        Window {
            days: days.iter().map(|day| weekday(day).expect("a day")).collect(),
            from: time(from).expect("a time").expect("not the end"),
            to: time(to).expect("a time"),
            zone: TimeZone::get(zone).expect("a zone"),
            outside: false,
        }
    }

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().expect("a time").into()
    }

    #[test]
    fn office_hours_follow_the_zone_and_its_summer_time() {
        let office = window(&["mon", "tuesday", "wed", "thu", "fri"], "09:00", "17:00", "Europe/Berlin");
        for (text, right) in [
            ("2026-11-20T08:00:00Z", true),
            ("2026-11-20T07:59:59Z", false),
            ("2026-11-20T16:00:00Z", false),
            ("2026-07-17T07:00:00Z", true),
            ("2026-11-21T10:00:00Z", false),
        ] {
            assert_eq!(office.holds(at(text)), right, "{text}");
            assert_eq!(Window { outside: true, ..office.clone() }.holds(at(text)), !right, "outside, {text}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = window(&["fri"], "22:00", "06:00", "UTC");
        for (text, right) in [
            ("2026-11-20T22:00:00Z", true),
            ("2026-11-21T05:59:00Z", true),
            ("2026-11-21T06:00:00Z", false),
            ("2026-11-21T23:00:00Z", false),
            ("2026-11-20T03:00:00Z", false),
        ] {
            assert_eq!(night.holds(at(text)), right, "{text}");
        }
        assert!(window(&[], "00:00", "24:00", "UTC").holds(at("2026-11-20T23:59:59.999Z")));
        assert!(window(&[], "12:00", "12:00", "UTC").holds(at("2026-11-20T03:00:00Z")), "round the clock");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "9:00", "25:00", "12:60", "12", "12:00:00:00", "-1:00", "+1:00", "noon"] {
            assert_eq!(time(wrong), Err(()), "{wrong}");
        }
        assert_eq!((weekday("mo"), weekday("Mon")), (None, None));
    }
}
