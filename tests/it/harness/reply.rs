//! One message from the server, raw and parsed.

use serde_json::Value;

/// One line from the server.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The line as it came, without its end.
    pub(crate) raw: String,
    /// The same, parsed.
    pub(crate) value: Value,
}

impl Reply {
    /// `result`; panics when the reply is an error.
    pub(crate) fn result(&self) -> &Value {
        self.value.get("result").unwrap_or_else(|| panic!("no result in {}", self.shown()))
    }

    /// `error`; panics when the reply is a result.
    pub(crate) fn error(&self) -> &Value {
        self.value.get("error").unwrap_or_else(|| panic!("no error in {}", self.shown()))
    }

    /// Whether it is a result without `isError`.
    pub(crate) fn is_ok(&self) -> bool {
        self.value.get("result").is_some_and(|result| result["isError"] != true)
    }

    /// `error.code`
    pub(crate) fn code(&self) -> i64 {
        self.error()["code"].as_i64().unwrap_or_else(|| panic!("no code in {}", self.shown()))
    }

    /// `error.message`
    pub(crate) fn message(&self) -> &str {
        self.error()["message"].as_str().unwrap_or_else(|| panic!("no message in {}", self.shown()))
    }

    /// `error.data`, `null` when absent.
    pub(crate) fn data(&self) -> &Value {
        &self.error()["data"]
    }

    /// The text of the first content block.
    pub(crate) fn text(&self) -> &str {
        self.result()["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {}", self.shown()))
    }

    /// The text of the first content block, parsed as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|why| panic!("{why} in {}", self.shown()))
    }

    fn shown(&self) -> String {
        self.raw.chars().take(2_000).collect()
    }
}
