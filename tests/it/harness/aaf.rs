//! The stub API of the Agent Action Firewall, as a test starts, spoils and questions it.

use super::setup::{Setup, listening};
use super::{eventually, http, stub};
use serde_json::{Value, json};
use std::process::{Child, Command};

/// The key that the stub knows.
pub(crate) const AAF_KEY: &str = "aaf-s3cret-key";

/// A running stub; killed on drop.
pub(crate) struct Aaf {
    child: Child,
    port: u16,
}

impl Aaf {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(stub("stub-aaf"));
        command.arg("0");
        let (child, port) = listening(command);
        Self { child, port }
    }

    /// Its base address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Points the proxy at it.
    pub(crate) fn serves(&self, setup: Setup) -> Setup {
        setup.env("AAF_API_URL", &self.url()).env("AAF_API_KEY", AAF_KEY)
    }

    /// Spoils the answers of an endpoint, see the stub's `mode.rs`.
    pub(crate) fn mode(&self, mode: &Value) {
        http(self.port, "POST", "/admin/mode", &mode.to_string());
    }

    /// Everything is healthy again.
    pub(crate) fn heal(&self) {
        self.mode(&json!({}));
    }

    /// A person's word, or the end of their time: `approve`, `deny`, `expire`, `forget`.
    pub(crate) fn decide(&self, verb: &str, id: &str) {
        http(self.port, "POST", &format!("/admin/{verb}/{id}"), "");
    }

    /// The approvals that were opened, by id.
    pub(crate) fn approvals(&self) -> Value {
        serde_json::from_str(&http(self.port, "GET", "/admin/approvals", "")).expect("JSON")
    }

    /// Waits until a call is held and gives the approval's id.
    pub(crate) fn pending(&self) -> String {
        eventually("a held call", || {
            let approvals = self.approvals();
            let held = approvals.as_object()?.iter().find(|(_, held)| held["status"] == "pending")?;
            Some(held.0.clone())
        })
    }

    /// Every request so far: `{"method","path","headers","body"}`, the body as text.
    pub(crate) fn requests(&self) -> Vec<Value> {
        serde_json::from_str(&http(self.port, "GET", "/admin/requests", "")).expect("JSON")
    }

    /// The requests of one method to a path that begins so.
    pub(crate) fn asked(&self, method: &str, path: &str) -> Vec<Value> {
        let is_it = |request: &Value| {
            request["method"] == method && request["path"].as_str().is_some_and(|at| at.starts_with(path))
        };
        self.requests().into_iter().filter(is_it).collect()
    }

    /// The bodies of all submissions.
    pub(crate) fn submitted(&self) -> Vec<Value> {
        let asked = self.asked("POST", "/v1/actions");
        asked.iter().filter_map(|request| serde_json::from_str(request["body"].as_str()?).ok()).collect()
    }

    /// Goes away, as a service that crashed.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Drop for Aaf {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
