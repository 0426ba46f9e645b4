//! Times and JSON as SQLite keeps them.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Result, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Microseconds since 1970.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The microseconds of now.
pub(super) fn now() -> i64 {
    micros(Timestamp::now())
}

/// A time from a column.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    stamp(row.get(column)?)
}

/// A time from a column that may be empty.
pub(super) fn time_or_none(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(stamp).transpose()
}

pub(super) fn stamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, error.into()))
}

/// A value as the text that a column keeps.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A value from the text of a column.
pub(super) fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
}
