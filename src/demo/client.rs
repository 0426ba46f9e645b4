//! The tour's MCP client: raw JSON-RPC lines to and from a proxy that it started itself.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines read and not yet looked at; a proxy that says more waits, as it would with any slow client.
const LINES_QUEUED: usize = 256;
/// Longest wait for one answer, above every deadline of the proxy itself.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait for the proxy to end after its input was closed.
const EXIT_DEADLINE: Duration = Duration::from_secs(10);
/// How often an exiting proxy is looked at.
const EXIT_POLL: Duration = Duration::from_millis(10);
/// The environment families of the person's own set-up, which must not reach the demo.
const OWN_FAMILIES: [&str; 3] = ["AXONFLOW_", "AAF_", "CALLGATE_"];

/// One answer: the line as it came, and what it says.
pub(super) struct Answer {
    pub(super) line: String,
    pub(super) message: Value,
}

impl Answer {
    pub(super) fn has_result(&self) -> bool {
        self.message.get("result").is_some()
    }

    pub(super) fn error_code(&self) -> Option<i64> {
        self.message["error"]["code"].as_i64()
    }
}

/// A proxy and the session with it.
pub(super) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Answers that came while another one was awaited.
    early: BTreeMap<u64, Answer>,
    last_id: u64,
}

impl Client {
    /// Starts `program` with `settings` as its whole set-up; what it logs goes to `log`.
    pub(super) fn start(program: &Path, settings: &[(&str, String)], log: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if OWN_FAMILIES.iter().any(|family| name.to_string_lossy().starts_with(family)) {
                command.env_remove(name);
            }
        }
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| io::Error::other("the proxy has no output"))?;
        let (sender, lines) = sync_channel(LINES_QUEUED);
        std::thread::Builder::new().name("demo reader".to_owned()).spawn(move || pump(output, &sender))?;
        Ok(Self { child, input, lines, early: BTreeMap::new(), last_id: 0 })
    }

    /// Sends one request and returns its id and the line as sent.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> io::Result<(u64, String)> {
        self.last_id += 1;
        let line =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).to_string();
        self.send(&line)?;
        Ok((self.last_id, line))
    }

    /// Sends one line.
    pub(super) fn send(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}")?;
        input.flush()
    }

    /// Waits for the answer to request `id`; answers to others are kept, notifications are passed over.
    pub(super) fn answer(&mut self, id: u64) -> io::Result<Answer> {
        let deadline = Instant::now() + ANSWER_DEADLINE;
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return Ok(answer);
            }
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("no answer to request {id}"),
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the proxy ended"));
                }
            };
            let message: Value = serde_json::from_str(&line).map_err(|_| {
                io::Error::other(format!("not a protocol line on the proxy's output: {line:?}"))
            })?;
            if let (None, Some(id)) = (message.get("method"), message["id"].as_u64()) {
                self.early.insert(id, Answer { line, message });
            }
        }
    }

    /// Whether the answer to `id` came while others were awaited.
    pub(super) fn has_come(&self, id: u64) -> bool {
        self.early.contains_key(&id)
    }

    /// Closes the proxy's input and waits for its end; `true` when it ended by itself and in time.
    pub(super) fn close(mut self) -> io::Result<bool> {
        self.input = None;
        let deadline = Instant::now() + EXIT_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(EXIT_POLL);
        }
        Ok(false)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        // Without effect on a proxy that has ended; a process left behind would outlive the demo.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pump(output: impl io::Read, lines: &SyncSender<String>) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return;
        }
    }
}
