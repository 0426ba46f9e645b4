//! A running server and the raw client at its pipes.

use super::inbox::{Inbox, Outlet, write_bytes, write_line};
use super::processes::{self, Process, marked, tree};
use super::reply::Reply;
use super::setup::Setup;
use super::{PATIENCE, eventually, lines, within};
use serde_json::{Value, json};
use std::io::Read;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A running server. Dropping it kills it and everything that carries its mark.
pub(crate) struct Gate {
    setup: Setup,
    child: Mutex<Child>,
    pid: u32,
    outlet: Outlet,
    inbox: Arc<Inbox>,
    stderr: Arc<Mutex<Vec<u8>>>,
    next_id: AtomicI64,
}

impl Gate {
    /// Takes a fresh child with all three pipes.
    pub(crate) fn new(mut child: Child, setup: Setup) -> Self {
        let outlet: Outlet = Arc::new(Mutex::new(child.stdin.take()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut pipe = child.stderr.take().expect("stderr is piped");
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&stderr);
        std::thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(size @ 1..) = pipe.read(&mut piece) {
                lock(&kept).extend_from_slice(&piece[..size]);
            }
        });
        let inbox = Inbox::read(stdout, Arc::clone(&outlet));
        let pid = child.id();
        Self { setup, child: Mutex::new(child), pid, outlet, inbox, stderr, next_id: AtomicI64::new(1) }
    }

    // ------------------------------------------------------------------------------------------------ sending

    /// Sends one line as it is.
    pub(crate) fn send(&self, line: &str) {
        write_line(&self.outlet, line);
    }

    /// Sends bytes as they are, without a line's end.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        write_bytes(&self.outlet, bytes);
    }

    /// Sends one line and waits for the error that it gets, under whatever id.
    pub(crate) fn refused(&self, line: &str) -> Reply {
        let before = self.count();
        self.send(line);
        let shown: String = line.chars().take(200).collect();
        self.inbox
            .wait(PATIENCE, |seen| {
                seen.messages[before..].iter().find(|message| message.value.get("error").is_some()).cloned()
            })
            .unwrap_or_else(|| panic!("no error for {shown}; stderr:\n{}", self.stderr_tail()))
    }

    /// Sends a notification.
    pub(crate) fn notify(&self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Sends a request and returns its id.
    pub(crate) fn request(&self, method: &str, params: &Value) -> i64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Sends a request whose `params` are this raw text, and returns its id.
    pub(crate) fn request_raw(&self, method: &str, params: &str) -> i64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
        id
    }

    /// Starts a call and returns its id.
    pub(crate) fn start_call(&self, tool: &str, arguments: &Value) -> i64 {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Sends `notifications/cancelled`.
    pub(crate) fn cancel(&self, id: i64) {
        self.notify("notifications/cancelled", &json!({"requestId": id, "reason": "test"}));
    }

    /// Closes stdin.
    pub(crate) fn close_stdin(&self) {
        lock(&self.outlet).take();
    }

    // ---------------------------------------------------------------------------------------------- receiving

    /// Sends a request and waits for its reply.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Reply {
        let id = self.request(method, params);
        self.reply(id)
    }

    /// Calls a tool and waits for its reply.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Reply {
        let id = self.start_call(tool, arguments);
        self.reply(id)
    }

    /// Calls a tool until the reply is no error: a backend may be on its way back.
    pub(crate) fn call_until_ok(&self, tool: &str, arguments: &Value) -> Reply {
        eventually(&format!("{tool} works"), || Some(self.call(tool, arguments)).filter(Reply::is_ok))
    }

    /// Waits for the reply to `id`, which is compared with its type.
    pub(crate) fn reply(&self, id: impl Into<Value>) -> Reply {
        let id = id.into();
        self.reply_within(PATIENCE, &id)
            .unwrap_or_else(|| panic!("no reply to {id}; stderr:\n{}", self.stderr_tail()))
    }

    /// Waits for the reply to `id`, at most for `limit`.
    pub(crate) fn reply_within(&self, limit: Duration, id: &Value) -> Option<Reply> {
        self.inbox.wait(limit, |seen| seen.messages.iter().find(|message| answers(message, id)).cloned())
    }

    /// How many replies to `id` came so far.
    pub(crate) fn replies_to(&self, id: impl Into<Value>) -> usize {
        let id = id.into();
        self.inbox.seen().messages.iter().filter(|message| answers(message, &id)).count()
    }

    /// How many messages came so far.
    pub(crate) fn count(&self) -> usize {
        self.inbox.seen().messages.len()
    }

    /// How many messages so far satisfy `wanted`.
    pub(crate) fn count_of(&self, wanted: impl Fn(&Reply) -> bool) -> usize {
        self.inbox.seen().messages.iter().filter(|message| wanted(message)).count()
    }

    /// The messages from the one with that number on.
    pub(crate) fn messages_from(&self, first: usize) -> Vec<Reply> {
        self.inbox.seen().messages.get(first..).unwrap_or_default().to_vec()
    }

    /// Waits until `find` gives a value, at most for `limit`.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&[Reply]) -> Option<T>,
    ) -> Option<T> {
        self.inbox.wait(limit, |seen| find(&seen.messages))
    }

    /// How it was started.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Waits for a message that satisfies `wanted`.
    pub(crate) fn message(&self, what: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        self.inbox
            .wait(PATIENCE, |seen| seen.messages.iter().find(|message| wanted(message)).cloned())
            .unwrap_or_else(|| panic!("no {what}; stderr:\n{}", self.stderr_tail()))
    }

    /// Waits for a notification whose params satisfy `wanted`.
    pub(crate) fn notification(&self, method: &str, wanted: impl Fn(&Value) -> bool) -> Reply {
        let wanted = |message: &Reply| {
            let value = &message.value;
            value["method"] == method && value.get("id").is_none() && wanted(&value["params"])
        };
        self.message(method, wanted)
    }

    /// All messages of a method (notifications and requests) so far.
    pub(crate) fn seen(&self, method: &str) -> Vec<Value> {
        let seen = self.inbox.seen();
        seen.messages
            .iter()
            .filter(|message| message.value["method"] == method)
            .map(|m| m.value.clone())
            .collect()
    }

    /// Answers the server's requests of that method from now on with `{"result":…}` or `{"error":…}`.
    pub(crate) fn on_request(&self, method: &str, answer: Value) {
        self.inbox.on_request(method, answer);
    }

    /// `initialize` and `notifications/initialized`; the reply to the first.
    pub(crate) fn handshake(&self) -> Reply {
        let params = json!({"protocolVersion": self.setup.version, "capabilities": self.setup.capabilities,
            "clientInfo": {"name": "it", "version": "1"}});
        let reply = self.ask("initialize", &params);
        reply.result();
        self.notify("notifications/initialized", &json!({}));
        reply
    }

    // -------------------------------------------------------------------------------------------------- tools

    /// The descriptors of `tools/list`, all pages.
    pub(crate) fn tools(&self) -> Vec<Value> {
        self.list("tools/list", "tools")
    }

    /// Every entry of a list method, all pages.
    pub(crate) fn list(&self, method: &str, key: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut params = json!({});
        loop {
            let reply = self.ask(method, &params);
            let result = reply.result();
            entries.extend(result[key].as_array().unwrap_or_else(|| panic!("no {key} in {result}")).clone());
            match result.get("nextCursor") {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return entries,
            }
        }
    }

    /// The names of `tools/list`.
    pub(crate) fn tool_names(&self) -> Vec<String> {
        self.tools().iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until that tool is listed.
    pub(crate) fn wait_for_tool(&self, name: &str) {
        let listed = within(PATIENCE, || self.tool_names().iter().any(|tool| tool == name).then_some(()));
        assert!(listed.is_some(), "{name} was never listed; stderr:\n{}", self.stderr_tail());
    }

    // -------------------------------------------------------------------------------------------------- files

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.setup.path(name)
    }

    /// The side effects of a stub backend, in order.
    pub(crate) fn effects(&self, id: &str) -> Vec<String> {
        lines(self.path(&format!("{id}.counter")).as_ref())
    }

    /// The raw lines that a stub backend received, in order.
    pub(crate) fn received(&self, id: &str) -> Vec<String> {
        lines(self.path(&format!("{id}.record")).as_ref())
    }

    /// The raw lines of one method that a stub backend received, in order.
    pub(crate) fn received_of(&self, id: &str, method: &str) -> Vec<String> {
        let is_method = |line: &String| {
            serde_json::from_str::<Value>(line).is_ok_and(|message| message["method"] == method)
        };
        self.received(id).into_iter().filter(is_method).collect()
    }

    /// The whole audit file as text.
    pub(crate) fn audit_text(&self) -> String {
        std::fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default()
    }

    /// The audit rows so far.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = self.audit_text();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|row| serde_json::from_str(row).unwrap_or_else(|why| panic!("{why} in {row}")))
            .collect()
    }

    /// Waits until at least `count` rows are there.
    pub(crate) fn audit_of(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} audit rows"), || Some(self.audit()).filter(|rows| rows.len() >= count))
    }

    /// Waits for a row that satisfies `wanted`.
    pub(crate) fn audit_row(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("audit row: {what}"), || self.audit().into_iter().find(|row| wanted(row)))
    }

    /// What was written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&lock(&self.stderr)).into_owned()
    }

    /// Waits until stderr holds this text.
    pub(crate) fn wait_for_stderr(&self, text: &str) {
        eventually(&format!("{text:?} on stderr"), || self.stderr().contains(text).then_some(()));
    }

    /// Lines on stdout that were no protocol.
    pub(crate) fn strange_lines(&self) -> Vec<String> {
        self.inbox.seen().strange.clone()
    }

    /// Ends a server that was told to write noise, which is a failure otherwise.
    pub(crate) fn forgive_strange_lines(self) {
        self.signal("KILL");
        self.exit_within(PATIENCE);
        self.inbox.wait(PATIENCE, |seen| seen.ended.then_some(()));
        self.inbox.seen().strange.clear();
    }

    fn stderr_tail(&self) -> String {
        let text = self.stderr();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    // ---------------------------------------------------------------------------------------------- processes

    /// The pid of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by name to the server alone.
    pub(crate) fn signal(&self, name: &str) {
        processes::signal(self.pid, name);
    }

    /// Everything that lives because of this server: its tree, and what carries its mark.
    pub(crate) fn descendants(&self) -> Vec<Process> {
        let mut all: Vec<Process> =
            tree(self.pid).into_iter().filter(|process| process.pid != self.pid).collect();
        all.extend(marked(&self.setup.mark).into_iter().filter(|process| process.pid != self.pid));
        all.sort();
        all.dedup();
        all
    }

    /// The pids of the stub (or other marked) backends that live now.
    pub(crate) fn backends(&self) -> Vec<Process> {
        marked(&self.setup.mark).into_iter().filter(|process| process.pid != self.pid).collect()
    }

    /// Waits for the end of the server, at most for `limit`.
    pub(crate) fn exit_within(&self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || lock(&self.child).try_wait().ok().flatten())
    }

    /// Whether the server still runs.
    pub(crate) fn is_alive(&self) -> bool {
        lock(&self.child).try_wait().ok().flatten().is_none()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let leftovers = self.descendants();
        {
            let mut child = lock(&self.child);
            let _ = child.kill().and_then(|()| child.wait());
        }
        for process in leftovers.iter().chain(&marked(&self.setup.mark)) {
            process.signal("KILL");
        }
        if !std::thread::panicking() {
            let strange = self.strange_lines();
            assert!(strange.is_empty(), "stdout carried more than the protocol: {strange:?}");
        }
    }
}

fn answers(message: &Reply, id: &Value) -> bool {
    message.value.get("method").is_none() && message.value.get("id") == Some(id)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
