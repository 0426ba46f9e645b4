//! Where messages go: the answer of a request, and what else belongs to it.

use std::sync::Arc;

type Write = Arc<dyn Fn(&str) + Send + Sync>;

/// The way back to the client for one request.
#[derive(Clone)]
pub(crate) struct Lane {
    answer: Write,
    other: Write,
}

impl Lane {
    /// `answer` takes the response, `other` takes notifications and requests.
    pub(crate) fn new(
        answer: impl Fn(&str) + Send + Sync + 'static,
        other: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), other: Arc::new(other) }
    }

    /// Sends a whole response.
    pub(crate) fn answer(&self, message: &str) {
        (self.answer)(message);
    }

    /// Sends a notification or a request.
    pub(crate) fn other(&self, message: &str) {
        (self.other)(message);
    }

    /// Sends a notification.
    pub(crate) fn notify(&self, method: &str, params: &str) {
        self.other(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#));
    }
}
