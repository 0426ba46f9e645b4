//! Faults and shapes that can be set while the service runs.
//!
//! `POST /admin/mode` takes `{"endpoint":"submit"|"action"|"actions"|"approval"|"approvals", …}` (without `endpoint`: all of
//! them) with any of
//!
//! - `status`, `body`, `retry_after`, `location`: this answer instead of the right one (`bytes`: a body of that length);
//! - `close`: no answer, nothing done; `close_when_done`: no answer, but the action is there;
//! - `delay_ms`; `times`: only for so many requests;
//! - `answer`: members that replace those of the right answer (`null` takes one away);
//! - `approval_in`: where the answer to a submission names the approval: `approval.id`, `approval_id`, `approval_url`
//!   (default), `action`, `list`, `nowhere`.
//!
//! What is absent is healthy again.

use callgate_stubs::http::Response;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    /// `POST /v1/actions`
    Submit,
    /// `GET /v1/actions/ID`
    Action,
    /// `GET /v1/actions`
    Actions,
    /// `GET /v1/approvals/ID`
    Approval,
    /// `GET /v1/approvals`
    Approvals,
}

impl Endpoint {
    const ALL: [(&'static str, Self); 5] = [
        ("submit", Self::Submit),
        ("action", Self::Action),
        ("actions", Self::Actions),
        ("approval", Self::Approval),
        ("approvals", Self::Approvals),
    ];

    /// The endpoint of a request, and the id in its path.
    pub(crate) fn of(method: &str, path: &str) -> Option<(Self, String)> {
        let path = path.split('?').next().unwrap_or_default();
        let (first, id) = path.strip_prefix("/v1/")?.split_once('/').unwrap_or((&path[4..], ""));
        let endpoint = match (method, first, id) {
            ("POST", "actions", "") => Self::Submit,
            ("GET", "actions", "") => Self::Actions,
            ("GET", "actions", _) => Self::Action,
            ("GET", "approvals", "") => Self::Approvals,
            ("GET", "approvals", _) => Self::Approval,
            _ => return None,
        };
        Some((endpoint, id.to_owned()))
    }
}

/// How one endpoint behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    settings: Value,
    left: Option<u64>,
}

impl Mode {
    /// A setting.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).filter(|value| !value.is_null())
    }

    /// A setting that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
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

    /// The spoiled answer, when there is one.
    pub(crate) fn spoiled(&self) -> Option<Response> {
        let status = self.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let bytes = self.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
        let body = self.text("body").map(str::to_owned).or_else(|| bytes.map(|bytes| "x".repeat(bytes)));
        if status.is_none() && body.is_none() {
            return None;
        }
        let default = r#"{"error":"stub: set to fail"}"#.to_owned();
        let mut response = Response::json(status.unwrap_or(200), body.unwrap_or(default));
        for (key, header) in [("retry_after", "Retry-After"), ("location", "Location")] {
            if let Some(value) = self.text(key) {
                response = response.with(header, value);
            }
        }
        Some(response)
    }

    /// Puts the members of `answer` over the right ones.
    pub(crate) fn shape(&self, mut right: Value) -> Value {
        let Some(members) = self.get("answer").and_then(Value::as_object) else { return right };
        for (key, value) in members {
            right[key] = value.clone();
        }
        right
    }
}

/// The modes of all endpoints.
#[derive(Default)]
pub(crate) struct Modes(BTreeMap<Endpoint, Mode>);

impl Modes {
    /// The mode of one endpoint, for one request.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Mode {
        let mode = self.0.get(&endpoint).cloned().unwrap_or_default();
        if let Some(left) = mode.left {
            match left {
                0 => return Mode::default(),
                left => self.0.insert(endpoint, Mode { left: Some(left - 1), ..mode.clone() }),
            };
        }
        mode
    }

    /// Takes the body of `POST /admin/mode`.
    pub(crate) fn set(&mut self, body: &str) -> Result<(), String> {
        let settings: Value = serde_json::from_str(body).map_err(|why| why.to_string())?;
        let named = settings.get("endpoint").and_then(Value::as_str);
        let chosen: Vec<Endpoint> = Endpoint::ALL
            .iter()
            .filter(|(name, _)| named.is_none_or(|named| named == *name))
            .map(|(_, endpoint)| *endpoint)
            .collect();
        if chosen.is_empty() {
            return Err(format!("no endpoint {named:?}"));
        }
        let left = settings.get("times").and_then(Value::as_u64);
        for endpoint in chosen {
            self.0.insert(endpoint, Mode { settings: settings.clone(), left });
        }
        Ok(())
    }
}
