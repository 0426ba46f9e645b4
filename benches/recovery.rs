//! How fast a crashed server is back, and what a healthy one notices of neighbours that misbehave:
//! `cargo bench --bench recovery` (the stub server must be built: `cargo build --release -p callgate-stubs`).
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot run has nothing to tell")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Crashes for one figure.
const CRASHES: usize = 30;
/// Calls of one round, and rounds that take turns, so that all see the same machine.
const CALLS: usize = 1_000;
const ROUNDS: usize = 5;
/// Calls before a round counts.
const WARMING: usize = 100;

struct Gate {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next: u64,
    _dir: tempfile::TempDir,
}

fn stub(id: &str, flags: &[&str]) -> Value {
    let program = gate_path().with_file_name(format!("stub-mcp{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: build callgate-stubs first", program.display());
    let args = [&["--name", id], flags].concat();
    json!({"id": id, "command": program, "args": args})
}

fn gate_path() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_callgate"))
}

impl Gate {
    /// Starts a gate over these servers and waits for the tools of the one named `good`.
    fn open(servers: &[Value]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(gate_path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", dir.path())
            .env("CALLGATE_STATE_DIR", dir.path().join("state"))
            .env("AXONFLOW_AUDIT_LOG", dir.path().join("audit.jsonl"))
            .env("AXONFLOW_BACKENDS", Value::from(servers).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the gate starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut gate = Self { child, input, output, next: 0, _dir: dir };
        gate.ask(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}),
        );
        gate.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        while !gate.ask("tools/list", &json!({}))["result"]["tools"].to_string().contains("\"good__echo\"") {
            std::thread::sleep(Duration::from_millis(5));
        }
        gate
    }

    fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).expect("the gate reads");
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let line = self.output.next().expect("the gate lives").expect("text");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    fn call(&mut self, tool: &str) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": {"a": "some text"}}))
    }

    /// Median and 99th percentile of calls to the healthy server.
    fn latency(&mut self) -> (Duration, Duration) {
        for _ in 0..WARMING {
            self.call("good__echo");
        }
        let mut took: Vec<Duration> = (0..CALLS)
            .map(|_| {
                let begun = Instant::now();
                let reply = self.call("good__echo");
                assert!(reply.get("result").is_some(), "{reply}");
                begun.elapsed()
            })
            .collect();
        took.sort();
        (took[CALLS / 2], took[CALLS * 99 / 100])
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// From the answer that tells of the crash to the first answer of the next incarnation.
fn recovery() {
    let mut took = Vec::new();
    for _ in 0..CRASHES {
        let mut gate = Gate::open(&[stub("good", &[]), stub("other", &[])]);
        let lost = gate.call("good__crash");
        assert!(lost.get("error").is_some(), "{lost}");
        let begun = Instant::now();
        while gate.call("good__echo").get("result").is_none() {}
        took.push(begun.elapsed());
    }
    took.sort();
    println!(
        "a crashed server answers again after {:.1} ms (median), {:.1} ms (longest of {CRASHES})",
        micros(took[CRASHES / 2]) / 1e3,
        micros(took[CRASHES - 1]) / 1e3
    );
}

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    recovery();
    let neighbours: [(&str, &[&str]); 4] = [
        ("a healthy one, idle", &[]),
        ("one that crashes at every start", &["--exit-at-start"]),
        ("one that floods its stdout", &["--flood-stdout"]),
        ("one that answers nothing", &["--never-answer"]),
    ];
    let mut all = vec![Vec::new(); neighbours.len()];
    for _ in 0..ROUNDS {
        for (rounds, (_, flags)) in all.iter_mut().zip(neighbours) {
            rounds.push(Gate::open(&[stub("good", &[]), stub("other", flags)]).latency());
        }
    }
    println!("{:<34} {:>10} {:>10} {:>10}", "beside", "p50, µs", "p99, µs", "× idle");
    let median = |rounds: &[(Duration, Duration)], which: fn(&(Duration, Duration)) -> Duration| {
        let mut rounds: Vec<Duration> = rounds.iter().map(which).collect();
        rounds.sort();
        micros(rounds[rounds.len() / 2])
    };
    let idle = median(&all[0], |round| round.0);
    for (rounds, (name, _)) in all.iter().zip(neighbours) {
        let p50 = median(rounds, |round| round.0);
        println!("{name:<34} {p50:>10.1} {:>10.1} {:>10.2}", median(rounds, |round| round.1), p50 / idle);
    }
}
