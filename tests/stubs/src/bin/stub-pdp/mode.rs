//! Faults that can be set while the service runs.
//!
//! `POST /admin/mode` takes `{"plane":"decide"|"check-input"|"check-output", …}` (without `plane`: all of them) with any of
//! `status`, `body`, `delay_ms`, `close`, `close_after_answer`, `retry_after`, `verdict`, `obligation`, `reasons`,
//! `redacted_data`, `redaction_evaluated`; what is absent is healthy again.

use crate::planes::Plane;
use callgate_stubs::http::Response;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How one plane behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    settings: Value,
    /// Close the connection instead of answering.
    pub(crate) close: bool,
    /// Close the connection after the answer.
    pub(crate) close_after_answer: bool,
}

impl Mode {
    /// A setting.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).filter(|value| !value.is_null())
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.get(key) == Some(&Value::Bool(true))
    }

    /// Sleeps for `delay_ms`.
    pub(crate) fn wait(&self) {
        let delay = self.get("delay_ms").and_then(Value::as_u64).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(delay));
    }

    /// The spoiled answer, when `status` or `body` is set.
    pub(crate) fn spoiled(&self) -> Option<Response> {
        let status = self.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let body = self.get("body").and_then(Value::as_str);
        if status.is_none() && body.is_none() {
            return None;
        }
        let status = status.unwrap_or(200);
        let default = r#"{"error":"stub: set to fail","verdict":"deny"}"#;
        let response = Response::json(status, body.unwrap_or(default));
        Some(match self.get("retry_after").and_then(Value::as_str) {
            Some(seconds) => response.with("Retry-After", seconds),
            None => response,
        })
    }
}

/// The modes of all planes.
#[derive(Default)]
pub(crate) struct Modes(BTreeMap<Plane, Mode>);

impl Modes {
    /// The mode of one plane.
    pub(crate) fn of(&self, plane: Plane) -> Mode {
        self.0.get(&plane).cloned().unwrap_or_default()
    }

    /// Takes the body of `POST /admin/mode`.
    pub(crate) fn set(&mut self, body: &str) -> Result<(), String> {
        let settings: Value = serde_json::from_str(body).map_err(|why| why.to_string())?;
        let is_on = |key: &str| settings.get(key) == Some(&Value::Bool(true));
        let (close, close_after_answer) = (is_on("close"), is_on("close_after_answer"));
        let planes = match settings.get("plane").and_then(Value::as_str) {
            Some(name) => vec![Plane::named(name).ok_or(format!("no plane {name}"))?],
            None => Plane::ALL.to_vec(),
        };
        for plane in planes {
            self.0.insert(plane, Mode { settings: settings.clone(), close, close_after_answer });
        }
        Ok(())
    }
}
