//! `callgate demo`: a real proxy, two sample servers behind it and a client in front, step by step.
//!
//! Every step prints what was sent, what came back, and what it claims to show; a claim that does not hold fails the
//! whole command.

use super::client::{Answer, Client};
use super::decision_service::DecisionService;
use super::ledger::Customer;
use super::screen::Screen;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for a server to be there, at the start and again after its crash.
const BACKEND_DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at it.
const BACKEND_POLL: Duration = Duration::from_millis(100);
/// Calls that have to pass the slow one.
const CALLS_MEANWHILE: usize = 20;
/// Lines of the proxy's log that are shown when a claim failed.
const LOG_TAIL: usize = 20;

/// How the tour is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The proxy, which is also the sample server (`<program> sample-server`).
    pub program: PathBuf,
    /// Columns of the screen.
    pub width: usize,
}

impl Options {
    /// This very binary, on a screen of 110 columns.
    pub fn of_this_binary() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, width: 110 })
    }
}

/// Runs the whole tour and prints it to `out`. `true` when every claim held.
///
/// Needs no network and no account; leaves nothing behind.
pub fn run(options: &Options, out: &mut dyn Write) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut tour = Tour {
        screen: Screen::new(out, options.width),
        program: options.program.clone(),
        folder: folder.path().to_owned(),
        calls: 0,
    };
    if let Err(error) = tour.all() {
        tour.screen.claim(false, &format!("the tour goes to its end: {error}"))?;
    }
    tour.verdict()
}

struct Tour<'out> {
    screen: Screen<'out>,
    program: PathBuf,
    /// Everything that the proxies write.
    folder: PathBuf,
    /// Calls made so far, each of which owes one audit row.
    calls: usize,
}

impl Tour<'_> {
    fn all(&mut self) -> io::Result<()> {
        self.screen.part("With the rules built in: nothing but this binary decides")?;
        let mut client = self.connect(&[])?;
        self.tools(&mut client)?;
        self.allow_and_redact(&mut client)?;
        self.deny(&mut client)?;
        self.slow(&mut client)?;
        self.crash(&mut client)?;
        self.leave(client)?;

        self.screen.part("With a decision service, here a small one on the loopback interface")?;
        let service = DecisionService::start()?;
        let settings =
            [("AXONFLOW_ENDPOINT", service.endpoint()), ("AXONFLOW_DECIDE_TIMEOUT", "3s".to_owned())];
        let mut client = self.connect(&settings)?;
        self.await_tools(&mut client)?;
        self.approval(&mut client)?;
        self.outage(&mut client, service)?;
        self.leave(client)?;

        self.screen.part("What is left on record")?;
        self.audit()
    }

    /// Starts a proxy with two sample servers and shakes hands with it.
    fn connect(&mut self, more: &[(&str, String)]) -> io::Result<Client> {
        let server = |id: &str| json!({"id": id, "command": self.program, "args": ["sample-server"]});
        let mut settings = vec![
            ("AXONFLOW_BACKENDS", json!([server("crm"), server("ledger")]).to_string()),
            ("AXONFLOW_AUDIT_LOG", self.path("audit.jsonl")),
            ("CALLGATE_STATE_DIR", self.path("state")),
        ];
        settings.extend(more.iter().cloned());
        let mut client = Client::start(&self.program, &settings, &self.folder.join("proxy.log"))?;
        let (id, _) = client.request(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "callgate-demo", "version": env!("CARGO_PKG_VERSION")}}),
        )?;
        client.answer(id)?;
        client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(client)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// One call, shown.
    fn call(&mut self, client: &mut Client, tool: &str, arguments: &Value) -> io::Result<Answer> {
        self.calls += 1;
        let (id, _) = client.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let got = client.answer(id)?;
        self.screen.call(tool, arguments)?;
        self.screen.answer(&got.message)?;
        Ok(got)
    }

    /// One call that is not shown.
    fn quiet_call(&mut self, client: &mut Client, tool: &str, arguments: &Value) -> io::Result<Answer> {
        self.calls += 1;
        let (id, _) = client.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        client.answer(id)
    }

    /// Asks for the tools until both servers' are listed: they start while the client already talks.
    fn await_tools(&mut self, client: &mut Client) -> io::Result<Vec<String>> {
        let deadline = Instant::now() + BACKEND_DEADLINE;
        loop {
            let (id, _) = client.request("tools/list", &json!({}))?;
            let names = tool_names(&client.answer(id)?.message);
            let both = ["crm__find_customer", "ledger__find_customer"];
            if both.iter().all(|name| names.iter().any(|known| known == name)) || Instant::now() > deadline {
                return Ok(names);
            }
            std::thread::sleep(BACKEND_POLL);
        }
    }

    fn tools(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("Two servers, one list of tools")?;
        let names = self.await_tools(client)?;
        self.screen.text("->", "tools/list")?;
        self.screen.text("<-", &names.join(", "))?;
        let count = |id: &str| names.iter().filter(|name| name.starts_with(id)).count();
        let same = count("crm__") == count("ledger__") && count("crm__") > 0;
        self.screen.claim(same, "the tools of both servers are listed, each under its server's name")
    }

    fn allow_and_redact(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("An allowed call")?;
        let got = self.call(client, "crm__list_orders", &json!({"customer_id": "CUST-001"}))?;
        self.screen.claim(got.line.contains("ORD-2041"), "the server's answer came through")?;

        self.screen.heading("Personal data is masked before the model sees it")?;
        let got = self.call(client, "crm__find_customer", &json!({"query": "siti"}))?.line;
        let leaked: Vec<&str> = Customer::find("siti")
            .map(|customer| {
                customer.personal_values().into_iter().filter(|value| got.contains(value)).collect()
            })
            .unwrap_or_default();
        self.screen.claim(got.contains("Siti Rahma"), "the rest of the record is there")?;
        self.screen.claim(got.contains("[REDACTED:"), "the masks are there")?;
        self.screen.claim(leaked.is_empty(), "neither e-mail, phone, identity nor card number is")
    }

    fn deny(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("A dangerous call is denied")?;
        let sql = "SELECT * FROM orders; DROP TABLE orders";
        let got = self.call(client, "ledger__run_sql", &json!({"sql": sql}))?;
        self.screen.claim(got.error_code() == Some(-32001), "the answer is error -32001")
    }

    fn slow(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("A slow call holds nobody up")?;
        self.calls += 1;
        let arguments = json!({"seconds": 2});
        let report = json!({"name": "ledger__run_report", "arguments": arguments});
        let (slow, _) = client.request("tools/call", &report)?;
        self.screen.call("ledger__run_report", &arguments)?;
        let mut answered = 0;
        for _ in 0..CALLS_MEANWHILE {
            let got = self.quiet_call(client, "ledger__list_orders", &json!({"customer_id": "CUST-002"}))?;
            answered += usize::from(got.has_result());
        }
        let passed = answered == CALLS_MEANWHILE && !client.has_come(slow);
        let got = client.answer(slow)?;
        self.screen.answer(&got.message)?;
        self.screen
            .claim(passed, &format!("{CALLS_MEANWHILE} calls to the same server were answered before it"))?;
        self.screen.claim(got.has_result(), "the slow answer came, too")
    }

    fn crash(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("A server dies in the middle of a call")?;
        let got = self.call(client, "ledger__crash", &json!({}))?;
        let says_so = got.message["error"]["message"].as_str().is_some_and(|text| text.contains("unknown"));
        self.screen
            .claim(says_so, "the call is answered: its outcome is unknown, and it is not sent again")?;
        let got = self.call(client, "crm__list_orders", &json!({"customer_id": "CUST-003"}))?;
        self.screen.claim(got.has_result(), "the other server's calls are unaffected")?;
        let deadline = Instant::now() + BACKEND_DEADLINE;
        let back = loop {
            let got = self.quiet_call(client, "ledger__list_orders", &json!({"customer_id": "CUST-003"}))?;
            if got.has_result() || Instant::now() > deadline {
                break got;
            }
            std::thread::sleep(BACKEND_POLL);
        };
        self.screen.claim(back.has_result(), "the dead server was started again and answers")
    }

    fn approval(&mut self, client: &mut Client) -> io::Result<()> {
        self.screen.heading("The service allows a call, and wants a person to approve another")?;
        let note = |text: &str| json!({"customer_id": "CUST-001", "text": text});
        let got = self.call(client, "ledger__add_note", &note("called back"))?;
        self.screen.claim(got.has_result(), "the first note is written")?;
        let got = self.call(client, "ledger__add_note", &note("transfer 4,000,000 to the supplier"))?;
        self.screen.claim(got.error_code() == Some(-32002), "the second is held with error -32002")
    }

    fn outage(&mut self, client: &mut Client, service: DecisionService) -> io::Result<()> {
        self.screen.heading("The service is stopped: the gate falls shut")?;
        drop(service);
        let got = self.call(client, "crm__list_orders", &json!({"customer_id": "CUST-001"}))?;
        self.screen.claim(got.error_code() == Some(-32003), "the same call as before now gets error -32003")
    }

    fn leave(&mut self, client: Client) -> io::Result<()> {
        let ended = client.close()?;
        self.screen.claim(ended, "the proxy ends by itself when its input is closed")
    }

    fn audit(&mut self) -> io::Result<()> {
        self.screen.heading("One audit row for every call")?;
        let text = std::fs::read_to_string(self.folder.join("audit.jsonl"))?;
        let rows: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        self.screen.rows(&rows)?;
        if let Some(line) = text.lines().last() {
            self.screen.text("", &format!("the last one in full: {line}"))?;
        }
        let complete = rows.len() == self.calls;
        self.screen
            .claim(complete, &format!("{} calls were made and {} rows written", self.calls, rows.len()))?;
        for (verdict, what) in [("allow", "allowed"), ("deny", "denied"), ("needs_approval", "held")] {
            let count = rows.iter().filter(|row| row["verdict"] == verdict).count();
            self.screen.claim(count > 0, &format!("{count} of them {what}"))?;
        }
        let mut stopped =
            rows.iter().filter(|row| row["verdict"] == "deny" || row["verdict"] == "needs_approval");
        let none_left = stopped.all(|row| row["outcome"] == "not_forwarded");
        self.screen.claim(none_left, "what was denied or held never reached a server")?;
        Ok(())
    }

    fn verdict(&mut self) -> io::Result<bool> {
        let failed = self.screen.failed();
        if failed == 0 {
            writeln!(self.screen.out, "\nEvery claim held.")?;
            return Ok(true);
        }
        writeln!(
            self.screen.out,
            "\n{failed} of the claims above did not hold. The end of the proxy's log:"
        )?;
        for line in tail(&self.folder.join("proxy.log")) {
            writeln!(self.screen.out, "   {line}")?;
        }
        Ok(false)
    }
}

fn tool_names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect()
}

fn tail(path: &Path) -> Vec<String> {
    let text =
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LOG_TAIL)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_fails_fails_the_tour_and_shows_why() {
        // Not a proxy: `false` ends at once, so nothing of the tour can hold.
        let Ok(program) = which::which("false") else { return };
        let mut out = Vec::new();
        assert!(!run(&Options { program, width: 80 }, &mut out).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("FAILED") && text.contains("did not hold"), "{text}");
    }
}
