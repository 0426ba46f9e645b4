//! The tools: what each is called, and what it does.

use crate::faults;
use crate::lane::Lane;
use crate::server::Server;
use callgate_stubs::json::{self, Members, quoted};
use std::time::Duration;

/// Tools without annotations, with a line of description each.
const PLAIN: &[(&str, &str)] = &[
    ("echo", "Returns the raw text of its arguments"),
    ("slow", "Answers after `ms` milliseconds"),
    ("crash", "Records `effect` and exits without an answer"),
    ("count", "Records `effect`; exits then when `crash` is true"),
    ("error", "Answers with a JSON-RPC error of `code`, `message` and `data`"),
    ("tool_error", "Answers with isError"),
    ("progress", "Reports `steps` times, `ms` apart"),
    ("sample", "Asks the client to sample; write to author@example.com"),
    ("elicit", "Asks the person through the client"),
    ("roots", "Asks the client for its roots"),
    ("ask_ping", "Pings the client"),
    ("log", "Sends a log message"),
    ("big", "Returns `kb` kilobytes"),
    ("image", "Returns base64 with digits that look like a card"),
    ("env", "Returns the environment"),
    ("cwd", "Returns the working directory"),
    ("pid", "Returns the process id"),
    ("meta", "Returns the raw `_meta` that came"),
    ("client", "Returns the params of initialize"),
    ("cancel_probe", "Never answers"),
    ("cancelled", "Tells which probes were cancelled"),
    ("received", "Tells how often each method came"),
    ("level", "Returns the log level that was set"),
    ("add_tool", "Adds the tool `name` and says so"),
    ("storm", "Says `n` times that the tools changed"),
    ("touch", "Says that the resource `uri` changed"),
    ("long_line", "Writes `bytes` bytes on one line, no JSON, then answers"),
    ("text", "Returns `text` as it is"),
    ("stop_reading", "Reads no more than one more line from stdin"),
];

/// The whole catalogue, one raw descriptor each.
pub(crate) fn list(server: &Server) -> Vec<String> {
    let mut list: Vec<String> = PLAIN.iter().map(|(name, about)| plain(name, about)).collect();
    list.push(LOOKUP.to_owned());
    list.push(annotated("read_count", "readOnlyHint"));
    list.push(annotated("idem", "idempotentHint"));
    list.extend((0..server.options.tools).map(|number| plain(&format!("extra_{number:03}"), "more")));
    list.extend(server.options.script.iter().map(|_| plain("scripted", "Writes its script")));
    list.extend(server.options.tool_names.iter().map(|name| plain(name, "named")));
    list.extend(server.state().added_tools.iter().map(|name| plain(name, "added")));
    list
}

/// Members in an order, and of a kind, that a re-encoder would lose.
const LOOKUP: &str = r#"{"name":"lookup","x-vendor":{"z":1,"a":12345678901234567890,"html":"<b>&</b>"},"description":"A customer record","inputSchema":{"type":"object","properties":{"customer_id":{"type":"string"}}},"outputSchema":{"type":"object","properties":{"email":{"type":"string","format":"email"},"nik":{"type":"integer"},"card":{"type":"integer"},"phone":{"type":"string","pattern":"^\\+[0-9]+$"},"balance":{"type":"number"},"contacts":{"type":"object","additionalProperties":{"type":"string"}}},"required":["email","nik"]}}"#;

/// A record with personal data in text, numbers and keys.
const RECORD: &str = r#"{"content":[{"type":"text","text":"Siti <siti@example.co.id>, phone +6281234567890, NIK 3174012501990001, card 4111 1111 1111 1111, NPWP 01.234.567.8-901.000"}],"structuredContent":{"email":"siti@example.co.id","nik":3174012501990001,"card":4111111111111111,"phone":"+6281234567890","balance":125000.50,"contacts":{"budi@example.com":"a friend"}},"_meta":{"vendor/key":"<kept & raw>"}}"#;

fn plain(name: &str, about: &str) -> String {
    format!(
        r#"{{"name":{},"description":{},"inputSchema":{{"type":"object"}}}}"#,
        quoted(name),
        quoted(about)
    )
}

fn annotated(name: &str, hint: &str) -> String {
    format!(
        r#"{{"name":"{name}","description":"Records `effect`; exits the first time when `crash_first` is true","inputSchema":{{"type":"object"}},"annotations":{{"{hint}":true}}}}"#
    )
}

fn text(text: &str) -> String {
    format!(r#""result":{{"content":[{{"type":"text","text":{}}}]}}"#, quoted(text))
}

/// One call on its own thread.
pub(crate) struct Call<'a> {
    /// The server.
    pub(crate) server: &'a Server,
    /// The way back.
    pub(crate) lane: &'a Lane,
    /// The raw id.
    pub(crate) id: &'a str,
    /// `params`.
    pub(crate) params: &'a Members,
}

impl Call<'_> {
    /// The answer as `"result":…` or `"error":…`; `None` when there will be none.
    pub(crate) fn run(&self) -> Option<String> {
        let name = json::string(self.params, "name").unwrap_or_default();
        let arguments = json::object(self.params, "arguments");
        if self.server.options.crash_on.as_deref() == Some(&name) {
            std::process::exit(6);
        }
        let number = |key: &str| json::number(&arguments, key).unwrap_or(0);
        Some(match name.as_str() {
            "echo" => text(json::raw(self.params, "arguments").unwrap_or("absent")),
            "text" => text(&json::string(&arguments, "text").unwrap_or_default()),
            "lookup" => format!(r#""result":{RECORD}"#),
            "slow" => {
                std::thread::sleep(Duration::from_millis(number("ms")));
                text("slept")
            }
            "crash" | "count" | "read_count" | "idem" => self.effect(&name, &arguments),
            "error" => error(&arguments),
            "tool_error" => r#""result":{"content":[{"type":"text","text":"failed for siti@example.co.id"}],"isError":true}"#.to_owned(),
            "progress" => self.progress(number("steps"), number("ms")),
            "sample" | "elicit" | "roots" | "ask_ping" => self.ask(&name),
            "log" => {
                let data = json::raw(&arguments, "data").unwrap_or(r#""mail siti@example.co.id""#);
                self.lane.notify(
                    "notifications/message",
                    &format!(r#"{{"level":"warning","logger":"stub","data":{data}}}"#),
                );
                text("logged")
            }
            "big" => text(&"lorem ipsum dolor sit amet. ".repeat(number("kb").max(1) as usize * 1024 / 28 + 1)),
            "image" => r#""result":{"content":[{"type":"image","mimeType":"image/png","data":"QUJj4111111111111111AAAA4111111111111111"}]}"#.to_owned(),
            "scripted" => {
                let file = self.server.options.script.as_ref()?;
                let script = std::fs::read_to_string(file).unwrap_or_default();
                crate::stdio::write_raw(script.replace("${rid}", self.id).as_bytes());
                return None;
            }
            "cancel_probe" => {
                let probe = json::raw(&arguments, "name").unwrap_or("null").to_owned();
                self.server.state().probes.insert(self.id.to_owned(), probe);
                // Over HTTP an answer that never comes keeps its connection.
                faults::sleep_for_ever();
            }
            "add_tool" => {
                self.server.state().added_tools.push(json::string(&arguments, "name").unwrap_or_default());
                self.lane.notify("notifications/tools/list_changed", "{}");
                text("added")
            }
            "storm" => {
                for _ in 0..number("n") {
                    self.lane.notify("notifications/tools/list_changed", "{}");
                }
                text("stormed")
            }
            "touch" => {
                let uri = json::raw(&arguments, "uri").unwrap_or("null");
                self.lane.notify("notifications/resources/updated", &format!(r#"{{"uri":{uri}}}"#));
                text("touched")
            }
            "stop_reading" => {
                self.server.state().stopped_reading = true;
                text("stopped")
            }
            "long_line" => {
                faults::write_long_line(number("bytes"));
                text("written")
            }
            other => match self.report(other) {
                Some(report) => text(&report),
                None if self.is_listed(other) => text(other),
                None => format!(
                    r#""error":{{"code":-32602,"message":{}}}"#,
                    quoted(&format!("stub: unknown tool {other}"))
                ),
            },
        })
    }

    fn is_listed(&self, name: &str) -> bool {
        list(self.server)
            .iter()
            .filter_map(|tool| json::members(tool))
            .any(|tool| json::string(&tool, "name").as_deref() == Some(name))
    }

    /// What the process knows about itself and its client.
    fn report(&self, name: &str) -> Option<String> {
        let state = self.server.state();
        Some(match name {
            "env" => serde_json::Value::from_iter(std::env::vars()).to_string(),
            "cwd" => std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default(),
            "pid" => std::process::id().to_string(),
            "meta" => json::raw(self.params, "_meta").unwrap_or("absent").to_owned(),
            "client" => state.client.clone().unwrap_or_default(),
            "level" => state.level.clone().unwrap_or_default(),
            "received" => serde_json::json!(state.received).to_string(),
            "cancelled" => {
                let cancelled: Vec<String> = state
                    .cancelled
                    .iter()
                    .filter_map(|params| json::members(params))
                    .filter_map(|params| state.probes.get(json::raw(&params, "requestId")?).cloned())
                    .collect();
                format!("[{}] of {} notifications", cancelled.join(","), state.cancelled.len())
            }
            _ => return None,
        })
    }

    /// The four tools that leave a trace.
    fn effect(&self, name: &str, arguments: &Members) -> String {
        let effect = json::string(arguments, "effect");
        let seen = effect.as_ref().is_some_and(|effect| self.was_recorded(effect));
        if let Some(effect) = &effect {
            self.server.effect(effect);
        }
        let crash = name == "crash"
            || json::is_true(arguments, "crash")
            || (json::is_true(arguments, "crash_first") && !seen);
        if crash {
            std::process::exit(3);
        }
        text(&format!("counted {}", effect.unwrap_or_default()))
    }

    fn was_recorded(&self, effect: &str) -> bool {
        let file = self.server.options.counter.as_ref();
        let lines = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        lines.lines().any(|line| line == effect)
    }

    fn progress(&self, steps: u64, ms: u64) -> String {
        let meta = json::object(self.params, "_meta");
        let Some(token) = json::raw(&meta, "progressToken") else { return text("no token") };
        for step in 1..=steps {
            self.lane.notify(
                "notifications/progress",
                &format!(
                    r#"{{"progressToken":{token},"progress":{step},"total":{steps},"message":"for siti@example.co.id"}}"#
                ),
            );
            std::thread::sleep(Duration::from_millis(ms));
        }
        text("done")
    }

    fn ask(&self, name: &str) -> String {
        let (method, params) = match name {
            "sample" => (
                "sampling/createMessage",
                r#"{"messages":[{"role":"user","content":{"type":"text","text":"about siti@example.co.id"}}],"maxTokens":10}"#,
            ),
            "elicit" => (
                "elicitation/create",
                r#"{"message":"Which colour?","requestedSchema":{"type":"object","properties":{"colour":{"type":"string"}}}}"#,
            ),
            "roots" => ("roots/list", "{}"),
            _ => ("ping", "{}"),
        };
        text(&self.server.ask(method, params, self.lane).unwrap_or_else(|| "no answer".to_owned()))
    }
}

fn error(arguments: &Members) -> String {
    let code = json::raw(arguments, "code").unwrap_or("-32050");
    let message = json::raw(arguments, "message").unwrap_or(r#""failed for siti@example.co.id""#);
    let data =
        json::raw(arguments, "data").unwrap_or(r#"{"nik":"3174012501990001","number":4111111111111111}"#);
    format!(r#""error":{{"code":{code},"message":{message},"data":{data}}}"#)
}
