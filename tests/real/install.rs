//! Where the real servers and clients are, and how they are run.

use crate::harness::{Setup, callgate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server's command line with the environment that it needs.
#[derive(Clone)]
pub(crate) struct Server {
    /// The program, an absolute path or a name in `PATH`.
    pub(crate) command: String,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Variables it needs.
    pub(crate) env: BTreeMap<String, String>,
}

impl Server {
    fn new(command: impl Into<String>, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { command: command.into(), args, env: BTreeMap::new() }
    }

    fn node(package: &str, args: &[&str]) -> Self {
        let script = installed(&format!("node_modules/@modelcontextprotocol/server-{package}/dist/index.js"));
        let mut all = vec![script.as_str()];
        all.extend(args);
        Self::new("node", &all)
    }

    /// The server that offers everything.
    pub(crate) fn everything() -> Self {
        Self::node("everything", &[])
    }

    /// The same over Streamable HTTP on that port.
    pub(crate) fn everything_over_http(port: u16) -> Self {
        Self::node("everything", &["streamableHttp"]).env("PORT", &port.to_string())
    }

    /// Files below one folder.
    pub(crate) fn filesystem(folder: &str) -> Self {
        Self::node("filesystem", &[folder])
    }

    /// A graph of facts kept in one file.
    pub(crate) fn memory(file: &str) -> Self {
        Self::node("memory", &[]).env("MEMORY_FILE_PATH", file)
    }

    /// Output schemas as strict as they can be.
    pub(crate) fn strict() -> Self {
        Self::new("node", &[&folder().join("strict-server.mjs").display().to_string()])
    }

    /// One git repository.
    pub(crate) fn git(repository: &str) -> Self {
        Self::new(installed(".venv/bin/mcp-server-git"), &["--repository", repository])
    }

    /// Times and zones.
    pub(crate) fn time() -> Self {
        Self::new(installed(".venv/bin/mcp-server-time"), &["--local-timezone", "UTC"])
    }

    /// One SQLite file.
    pub(crate) fn sqlite(file: &str) -> Self {
        Self::new(installed(".venv-sqlite/bin/mcp-server-sqlite"), &["--db-path", file])
    }

    /// One more variable.
    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// This server as a backend entry that carries the mark of `setup`.
    pub(crate) fn entry(&self, id: &str, setup: &Setup) -> Value {
        let mut env = self.env.clone();
        env.insert("STUB_MARK".to_owned(), setup.mark.clone());
        json!({"id": id, "command": self.command, "args": self.args, "env": env})
    }
}

/// One of the two clients.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// `client.mjs`
    TypeScript,
    /// `client.py`
    Python,
}

impl Client {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::TypeScript, Self::Python];

    /// Runs scenarios against a server without the proxy.
    pub(crate) fn direct(self, server: &Server, scenarios: &Value) -> Vec<Value> {
        let mut env = server.env.clone();
        env.insert("HOME".to_owned(), std::env::temp_dir().display().to_string());
        self.run(&server.command, &server.args, env, scenarios)
    }

    /// Runs scenarios against the proxy.
    pub(crate) fn proxied(self, setup: &Setup, scenarios: &Value) -> Vec<Value> {
        self.run(&callgate().display().to_string(), &[], setup.environment(), scenarios)
    }

    /// Runs scenarios against a server that `callgate wrap` stands before, with the server's own environment.
    pub(crate) fn wrapped(self, server: &Server, setup: &Setup, scenarios: &Value) -> Vec<Value> {
        let mut env = setup.environment();
        env.extend(server.env.clone());
        let mut args: Vec<String> = ["wrap", "--"].map(str::to_owned).into();
        args.push(server.command.clone());
        args.extend(server.args.clone());
        self.run(&callgate().display().to_string(), &args, env, scenarios)
    }

    fn run(
        self,
        command: &str,
        args: &[String],
        env: BTreeMap<String, String>,
        scenarios: &Value,
    ) -> Vec<Value> {
        let (program, script) = match self {
            Self::TypeScript => ("node".to_owned(), "client.mjs"),
            Self::Python => (installed(".venv/bin/python"), "client.py"),
        };
        let output = Command::new(program)
            .arg(folder().join(script))
            .args([&scenarios.to_string(), command])
            .args(args)
            .env_clear()
            .envs(env)
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .output()
            .expect("the client starts");
        let told = String::from_utf8_lossy(&output.stdout);
        let results: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let wanted = scenarios.as_array().map_or(0, Vec::len);
        let why = String::from_utf8_lossy(&output.stderr);
        assert_eq!(results.len(), wanted, "{self:?} against {command} ended early:\n{told}\n{why}");
        results
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real")
}

fn installed(path: &str) -> String {
    let path = folder().join(path);
    assert!(path.exists(), "{} is missing: run scripts/test, which installs it", path.display());
    path.display().to_string()
}
