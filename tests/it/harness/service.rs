//! `callgate pdp` as a test starts and questions it.

use super::processes;
use super::setup::Setup;
use super::{PATIENCE, within};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};

/// A running decision service; killed on drop.
pub(crate) struct Service {
    child: Child,
    endpoint: String,
    log: String,
    credentials: Option<String>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// `null` when it is no JSON.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body of an answer with this status.
    pub(crate) fn of(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl Setup {
    /// Starts the decision service with these further arguments, on a free port. Backends of the setup are not taken.
    pub(crate) fn service(&self, name: &str, args: &[&str]) -> Service {
        self.service_at(name, "127.0.0.1:0", args)
    }

    /// As [`Setup::service`], at this address.
    pub(crate) fn service_at(&self, name: &str, address: &str, args: &[&str]) -> Service {
        let log = self.path(&format!("{name}.log"));
        let mut command = self.command();
        command.env_remove("AXONFLOW_BACKENDS");
        command.args(["pdp", "--listen", address]).args(args);
        command.stdin(Stdio::null()).stderr(File::create(&log).expect("a log"));
        let mut child = command.spawn().expect("the service starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("it speaks");
        let endpoint = line.trim().strip_prefix("listening ").map(str::to_owned);
        let endpoint = endpoint.unwrap_or_else(|| {
            panic!("no address in {line:?}; {}", std::fs::read_to_string(&log).unwrap_or_default())
        });
        Service { child, endpoint, log, credentials: None }
    }
}

impl Service {
    /// Sends these Basic credentials (base64) with every request.
    pub(crate) fn with_credentials(mut self, base64: &str) -> Self {
        self.credentials = Some(format!("Basic {base64}"));
        self
    }

    /// Its base address.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// Posts JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], &body.to_string())
    }

    /// Gets a path.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// The answer to a decide.
    pub(crate) fn decide(&self, query: &str) -> Value {
        self.post("/api/v1/decide", &serde_json::json!({"stage": "tool", "query": query})).of(200)
    }

    /// One request; a body is JSON unless a header says otherwise.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build()
            .into();
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        if let Some(credentials) = &self.credentials {
            request = request.header("authorization", credentials);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            "" => agent.run(request.body(()).expect("a request")),
            body => agent.run(request.body(body.to_owned()).expect("a request")),
        };
        let mut response = response.unwrap_or_else(|why| panic!("{method} {path}: {why}; {}", self.log()));
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().expect("a text");
        let headers = response.headers().iter();
        Answer {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// What was logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        processes::signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub(crate) fn exit(&mut self) -> Option<ExitStatus> {
        within(PATIENCE, || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
