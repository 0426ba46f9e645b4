//! What a test wants to run: backends, settings, what the client can do.

use super::gate::Gate;
use super::processes::MARK;
use super::{callgate, eventually, stub};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A proxy (or a server to drive directly) that is not started yet. The environment is cleared but for what stands here.
#[derive(Clone)]
pub(crate) struct Setup {
    /// Holds every file of the test; removed with the last user.
    pub(crate) dir: Arc<TempDir>,
    /// Carried by every backend.
    pub(crate) mark: String,
    /// Client capabilities of the handshake.
    pub(crate) capabilities: Value,
    /// Protocol version of the handshake.
    pub(crate) version: String,
    /// Names that `open` waits for.
    pub(crate) expected: Vec<String>,
    program: PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    backends: Vec<Value>,
}

impl Setup {
    /// The proxy without any backend; audit and state lie in a folder of this test.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("callgate-it-").tempdir().expect("a temporary folder");
        let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut env = BTreeMap::new();
        let mut set = |key: &str, value: String| env.insert(key.to_owned(), value);
        set("PATH", std::env::var("PATH").unwrap_or_default());
        set("HOME", dir.path().display().to_string());
        set("AXONFLOW_AUDIT_LOG", dir.path().join("audit.jsonl").display().to_string());
        // Nobody's desktop is to be bothered by tests.
        set("CALLGATE_APPROVAL_NOTIFY", "off".to_owned());
        set("CALLGATE_STATE_DIR", dir.path().join("state").display().to_string());
        Self {
            dir: Arc::new(dir),
            mark,
            capabilities: json!({}),
            version: "2025-11-25".to_owned(),
            expected: Vec::new(),
            program: callgate(),
            args: Vec::new(),
            env,
            backends: Vec::new(),
        }
    }

    /// A server to drive without the proxy.
    pub(crate) fn direct(program: impl Into<PathBuf>, args: &[&str]) -> Self {
        let mut setup = Self::new().args(args);
        setup.program = program.into();
        let mark = setup.mark.clone();
        setup.env(MARK, &mark)
    }

    /// The stub server to drive without the proxy, with the same files as behind it.
    pub(crate) fn direct_stub(flags: &[&str]) -> Self {
        let setup = Self::direct(stub("stub-mcp"), flags);
        let (counter, record) = (setup.path("s.counter"), setup.path("s.record"));
        setup.args(&["--counter", &counter, "--record", &record])
    }

    /// One more stub backend. Its side effects are in `effects(id)`, what it received in `received(id)`.
    pub(crate) fn stub(self, id: &str, flags: &[&str]) -> Self {
        let (counter, record) = (self.path(&format!("{id}.counter")), self.path(&format!("{id}.record")));
        let mut args = vec!["--name", id, "--counter", &counter, "--record", &record];
        args.extend(flags);
        let entry = json!({"id": id, "command": stub("stub-mcp"), "args": args, "env": {MARK: self.mark}});
        self.backend(entry)
    }

    /// One more backend entry as it stands in the settings.
    pub(crate) fn backend(mut self, entry: Value) -> Self {
        self.backends.push(entry);
        self
    }

    /// One more backend over HTTP.
    pub(crate) fn http(self, id: &str, server: &HttpStub) -> Self {
        let url = server.url();
        self.backend(json!({"id": id, "url": url}))
    }

    /// The entries so far.
    pub(crate) fn backends(&self) -> &[Value] {
        &self.backends
    }

    /// A setting of the proxy.
    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Takes a setting away.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.env.remove(key);
        self
    }

    /// More arguments.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Starts the proxy through another program.
    pub(crate) fn through(mut self, program: &str, args: &[&str]) -> Self {
        self.program = program.into();
        self.args(args)
    }

    /// What the client declares.
    pub(crate) fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// The protocol version that the client asks for.
    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// `open` waits until this tool is listed, instead of one tool of each backend.
    pub(crate) fn expecting(mut self, tool: &str) -> Self {
        self.expected.push(tool.to_owned());
        self
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The whole environment of the proxy, for a client that starts it by itself.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("AXONFLOW_BACKENDS".to_owned(), Value::from(self.backends.clone()).to_string());
        env
    }

    /// Starts the process and says nothing.
    pub(crate) fn spawn(self) -> Gate {
        let child = self.command().stdin(Stdio::piped()).spawn().expect("the server starts");
        Gate::new(child, self)
    }

    /// Starts, shakes hands, and waits until every backend's tools are listed.
    pub(crate) fn open(self) -> Gate {
        let expected = match (self.expected.is_empty(), self.backends.as_slice()) {
            (false, _) => self.expected.clone(),
            (true, [] | [_]) => vec!["echo".to_owned()],
            (true, many) => many
                .iter()
                .map(|entry| format!("{}__echo", entry["id"].as_str().unwrap_or_default()))
                .collect(),
        };
        let gate = self.spawn();
        gate.handshake();
        for tool in expected {
            gate.wait_for_tool(&tool);
        }
        gate
    }

    /// Runs the program to its end with these arguments and an empty stdin: exit code, stdout, stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command().args(args).stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// As [`Setup::run`], with this text on stdin.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut child = self.command().args(args).stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_owned();
        // A program that answers line by line would wait for its reader otherwise.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("the program ends");
        // It may end without having read everything.
        let _ = writer.join().expect("no panic");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.env);
        if !self.backends.is_empty() {
            command.env("AXONFLOW_BACKENDS", Value::from(self.backends.clone()).to_string());
        }
        command.current_dir(self.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A stub server over HTTP; killed on drop.
pub(crate) struct HttpStub {
    child: Child,
    port: u16,
    record: PathBuf,
}

impl HttpStub {
    /// Starts one in the folder of `setup`.
    pub(crate) fn start(setup: &Setup, id: &str, flags: &[&str]) -> Self {
        Self::start_on(setup, id, 0, flags)
    }

    /// Starts one on that port.
    pub(crate) fn start_on(setup: &Setup, id: &str, port: u16, flags: &[&str]) -> Self {
        let record = PathBuf::from(setup.path(&format!("{id}.record")));
        let counter = setup.path(&format!("{id}.counter"));
        let mut command = Command::new(stub("stub-mcp"));
        command.args(["--name", id, "--http", &port.to_string(), "--counter", &counter]);
        command.arg("--record").arg(&record).args(flags);
        let (child, port) = listening(command);
        Self { child, port, record }
    }

    /// The MCP endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Forgets every session, as a restarted server does.
    pub(crate) fn expire_sessions(&self) {
        super::pdp::http(self.port, "POST", "/admin/expire", "");
    }

    /// Every request that came: `{"method","path","headers","body"}`.
    pub(crate) fn requests(&self) -> Vec<Value> {
        super::lines(&self.record).iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a request that satisfies `wanted`.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || self.requests().into_iter().find(|request| wanted(request)))
    }
}

impl Drop for HttpStub {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Starts a stub that says `listening PORT` on its first line.
pub(crate) fn listening(mut command: Command) -> (Child, u16) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the stub starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the stub speaks");
    let port = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok());
    (child, port.unwrap_or_else(|| panic!("no port in {line:?}")))
}

/// Whether a path exists.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
