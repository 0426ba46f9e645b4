//! The bypass suite: what a client or a server sends to get past the gate, as data in `tests/bypass/*.jsonl`, against
//! the binary.
//!
//! The first line of a file says what is started, every further line is a vector; `tests/bypass/README.md` tells the
//! members. A gate is started for a file, and a failure names the vector.

mod server;
mod vector;

use crate::harness::{Gate, PATIENCE, Reply, Setup, eventually};
use serde_json::json;
use server::Scripted;
use std::fs;
use std::path::Path;
use vector::{Expected, File, Group, Vector};

/// Messages that answer something: neither requests nor notices.
fn answers(gate: &Gate, from: usize) -> Vec<Reply> {
    gate.messages_from(from).into_iter().filter(|message| message.value.get("method").is_none()).collect()
}

/// What is started for a file.
struct Stage {
    gate: Gate,
    server: Option<Scripted>,
    group: Group,
    fences: u64,
}

impl Stage {
    fn open(group: Group) -> Self {
        let mut setup = Setup::new().version(&group.version);
        for (name, value) in &group.env {
            setup = setup.env(name, value);
        }
        let script = setup.path("script");
        for (id, flags) in &group.stubs {
            let flags: Vec<String> = flags.iter().map(|flag| flag.replace("${script}", &script)).collect();
            setup = setup.stub(id, &flags.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let server = group.http.then(|| Scripted::start(Path::new(&setup.path("h.record"))));
        if let Some(server) = &server {
            setup = setup.backend(json!({"id": "h", "url": server.url()}));
        }
        Self { gate: setup.open(), server, group, fences: 0 }
    }

    /// Everything that the client sent before is read, and what backends were sent has arrived.
    fn fence(&mut self) {
        self.fences += 1;
        let id = format!("fence-{}", self.fences);
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": self.group.fence, "arguments": {"fence": self.fences}}});
        self.gate.send(&call.to_string());
        self.gate.reply(id);
    }

    fn script(&self, answer: &str) {
        match &self.server {
            Some(server) => server.answer_with(answer),
            None => fs::write(self.gate.path("script"), answer).expect("the script can be written"),
        }
    }

    fn received(&self) -> String {
        let ids = self.group.stubs.iter().map(|(id, _)| id.as_str()).chain(self.server.iter().map(|_| "h"));
        ids.map(|id| self.gate.received(id).join("\n")).collect::<Vec<_>>().join("\n")
    }

    /// Sends a vector and waits for what it should get: the answers.
    fn try_one(&mut self, vector: &Vector) -> Vec<Reply> {
        let before = self.gate.count();
        if let Some(answer) = &vector.answer {
            self.script(answer);
        }
        self.gate.send_bytes(&vector.bytes());
        let wanted = vector.expected.iter().filter(|expected| !expected.is_silent()).count();
        self.gate.wait_for(PATIENCE, |messages| {
            let new = messages.get(before..).unwrap_or_default();
            (new.iter().filter(|message| message.value.get("method").is_none()).count() >= wanted)
                .then_some(())
        });
        self.fence();
        let is_fence = |reply: &Reply| reply.value["id"].as_str().is_some_and(|id| id.starts_with("fence-"));
        answers(&self.gate, before).into_iter().filter(|reply| !is_fence(reply)).collect()
    }
}

fn run(name: &str) {
    let File { group, vectors } = vector::read(name);
    let mut stage = Stage::open(group);
    let begin = stage.gate.count();
    let mut wrong = Vec::new();
    let mut answered = 0;
    for vector in &vectors {
        let replies = stage.try_one(vector);
        answered += replies.len();
        if let Err(why) = vector.judge(&replies) {
            wrong.push(format!("{}: {why}", vector.id));
        }
        let strange = stage.gate.strange_lines();
        assert!(strange.is_empty(), "{}: stdout carried {strange:?}", vector.id);
        assert!(stage.gate.is_alive(), "{} killed the gate", vector.id);
    }
    stage.fence();
    let received = stage.received();
    for vector in &vectors {
        if let Some(why) = vector.judge_way(received.contains(&vector.mark())) {
            wrong.push(format!("{}: {why}", vector.id));
        }
    }
    let all = answers(&stage.gate, begin).len();
    let expected = answered + usize::try_from(stage.fences).expect("few");
    if all != expected {
        wrong.push(format!("{name}: {all} answers, not {expected}: one came after its time"));
    }
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    stage.gate.close_stdin();
    eventually("the gate ends", || stage.gate.exit_within(PATIENCE));
    let (code, report, _) = stage.gate.setup().run(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{report}");
}

macro_rules! groups {
    ($($name:ident),+ $(,)?) => {
        const GROUPS: &[&str] = &[$(stringify!($name)),+];
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )+
    };
}

groups![
    arguments,
    batches,
    forged_over_http,
    forged_over_stdio,
    identifiers,
    injections,
    members,
    methods,
    names,
    personal,
    side_doors,
    sizes,
];

#[test]
fn every_file_is_run_and_every_vector_can_fail() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bypass");
    let mut files: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    files.sort();
    assert_eq!(files, GROUPS);
    let all: Vec<Vector> = files.iter().flat_map(|name| vector::read(name).vectors).collect();
    let mut ids: Vec<&str> = all.iter().map(|vector| vector.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "an id stands twice");
    assert!(all.len() >= 200, "{}", all.len());
    for vector in &all {
        let id = &vector.id;
        // Nothing at all, or what a gate that looks at nothing would hand on.
        let naive = |expected: &Expected| {
            let value = json!({"jsonrpc": "2.0", "id": expected.of, "result":
                {"content": [{"type": "text", "text": vector.everything()}]}});
            Reply { raw: value.to_string(), value }
        };
        let naive: Vec<Reply> = vector.expected.iter().map(naive).collect();
        let is_sent_away = vector.judge(&[]).is_err() || vector.judge(&naive).is_err();
        assert!(is_sent_away, "{id} passes whatever is answered");
        let two = [naive.clone(), naive].concat();
        assert!(vector.judge(&two).is_err(), "{id} passes with two answers");
        let is_client_s = vector.answer.is_none() && vector.reaches.is_none();
        if is_client_s && vector.expected.iter().all(Expected::is_refusal) {
            assert!(vector.everything().contains(&vector.mark()), "{id} would not be seen at the backend");
        }
    }
}
