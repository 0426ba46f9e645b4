//! A full disk, processes that stand still, pipes that close, clients that do not read.

use crate::harness::{Gate, PATIENCE, Setup, callgate, eventually, within};
use crate::world::{assert_all, assert_chain, leave, rows, setup};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest row of these tests, and an intent.
const ROW_BYTES: usize = 2 * 1024;

/// A small file system of its own; gone when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where the user may not mount.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }

    /// Takes all that is left, but for `spare` bytes.
    fn fill(&self, spare: usize) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = fs::File::create(&filler).expect("a file");
        let mut written = 0;
        while file.write_all(&[0; 512]).is_ok() {
            written += 512;
        }
        file.set_len(u64::try_from(written - spare.min(written)).expect("small")).expect("shorter");
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Calls until one is refused because it cannot be recorded; each refused one left no effect.
fn call_until_shut(gate: &Gate, tag: &str) -> usize {
    let mut number = 0;
    eventually("the gate shuts", || {
        number += 1;
        let effect = format!("{tag}-{number}");
        let reply = gate.call("a__count", &json!({"effect": effect}));
        if reply.is_ok() {
            return None;
        }
        assert_eq!(reply.code(), -32003, "{}", reply.raw);
        Some(())
    });
    number
}

#[test]
fn a_full_disk_shuts_the_gate_and_room_opens_it() {
    let base = setup();
    let Some(disk) = SmallDisk::mount(PathBuf::from(base.path("disk"))) else {
        return a_file_that_may_not_grow();
    };
    let audit = disk.0.join("audit.jsonl").display().to_string();
    let setup = base.env("AXONFLOW_AUDIT_LOG", &audit);
    let gate = setup.clone().open();
    assert!(gate.call("a__count", &json!({"effect": "before"})).is_ok());
    for (round, spare) in [0, 700, 1_500, 4_096].into_iter().enumerate() {
        let filler = disk.fill(spare);
        call_until_shut(&gate, &format!("full-{round}"));
        fs::remove_file(filler).expect("it can be removed");
        let mut attempt = 0;
        eventually("the gate opens", || {
            attempt += 1;
            gate.call("a__count", &json!({"effect": format!("room-{round}-{attempt}")})).is_ok().then_some(())
        });
        let (code, stdout, stderr) = setup.run(&["audit", "verify", &audit]);
        assert_eq!(code, Some(0), "{spare} bytes were left: {stdout}{stderr}");
    }
    // A kill while it is full, and a start.
    let filler = disk.fill(ROW_BYTES);
    call_until_shut(&gate, "killed");
    gate.signal("KILL");
    assert!(gate.exit_within(PATIENCE).is_some());
    fs::remove_file(filler).expect("it can be removed");
    drop(gate);
    let gate = setup.clone().open();
    assert!(gate.call("a__count", &json!({"effect": "after"})).is_ok());
    leave(&gate);
    let (code, stdout, stderr) = setup.run(&["audit", "verify", &audit]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let text = fs::read_to_string(&audit).expect("the record");
    for effect in crate::world::effects(&setup) {
        assert_eq!(rows_of(&text, &effect), 1, "{effect}");
    }
}

fn rows_of(text: &str, effect: &str) -> usize {
    let hash = crate::world::hash_of(&json!({"effect": effect}).to_string());
    text.lines().filter(|row| row.contains(&hash)).count()
}

/// Where nobody may mount: files of the gate may not grow beyond a limit.
#[test]
fn a_file_that_may_not_grow() {
    let setup = setup();
    // The limit is in blocks of 512 bytes. An ignored signal survives `exec`, so that a write fails.
    let script = r#"trap '' XFSZ; ulimit -f 64; exec "$0""#;
    let limited = setup.clone().through("/bin/sh", &["-c", script, &callgate().display().to_string()]);
    let gate = limited.open();
    call_until_shut(&gate, "limit");
    // As logrotate does.
    fs::rename(setup.path("audit.jsonl"), setup.path("audit.jsonl.1")).expect("it can be moved");
    let mut attempt = 0;
    eventually("the gate opens", || {
        attempt += 1;
        gate.call("a__count", &json!({"effect": format!("room-{attempt}")})).is_ok().then_some(())
    });
    leave(&gate);
    assert_all(&setup, "a file that may not grow");
}

#[test]
fn processes_that_stand_still_for_a_while() {
    let setup = setup();
    let gate = setup.clone().open();
    let other = setup.clone().open();
    for round in 0..3 {
        let call = |gate: &Gate, tag: &str, n: usize| {
            let tool = if n.is_multiple_of(2) { "a__count" } else { "b__count" };
            gate.start_call(tool, &json!({"effect": format!("{tag}-{round}-{n}")}))
        };
        // A server: the other one goes on.
        let stopped = gate.backends().into_iter().find(|process| process.command.starts_with("stub-mcp"));
        let stopped = stopped.expect("a server");
        stopped.signal("STOP");
        let ids: Vec<i64> = (0..10).map(|n| call(&gate, "still", n)).collect();
        eventually("calls of another server are answered", || {
            (ids.iter().filter(|id| gate.replies_to(**id) == 1).count() >= 5).then_some(())
        });
        stopped.signal("CONT");
        ids.iter().for_each(|id| assert!(gate.reply(*id).is_ok()));
        // The gate itself, wherever it stands, beside another that writes the same file.
        let ids: Vec<i64> = (0..20).map(|n| call(&gate, "gate", n)).collect();
        gate.signal("STOP");
        let others: Vec<i64> = (0..20).map(|n| call(&other, "other", n)).collect();
        others.iter().for_each(|id| drop(other.reply(*id)));
        gate.signal("CONT");
        ids.iter().for_each(|id| drop(gate.reply(*id)));
        assert!(ids.iter().all(|id| gate.replies_to(*id) == 1));
    }
    leave(&gate);
    leave(&other);
    assert_all(&setup, "standing still");
}

#[test]
fn two_proxies_on_one_file_make_one_chain() {
    let setup = setup().env("CALLGATE_AUDIT_ROTATE_SIZE", "64KiB");
    let gates = [setup.clone().open(), setup.clone().open()];
    let mut ids = Vec::new();
    for n in 0..150 {
        for (which, gate) in gates.iter().enumerate() {
            ids.push((which, gate.start_call("a__count", &json!({"effect": format!("{which}-{n}")}))));
        }
    }
    for (which, id) in ids {
        assert!(gates[which].reply(id).is_ok());
    }
    gates.iter().for_each(leave);
    assert_eq!(rows(&setup).len(), 300);
    assert_all(&setup, "two proxies");
}

/// A gate whose pipes are in the test's hands.
fn raw(setup: &Setup) -> Child {
    let mut child = Command::new(callgate())
        .env_clear()
        .envs(setup.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let hello = concat!(
        r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"chaos","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n"
    );
    child.stdin.as_mut().expect("a pipe").write_all(hello.as_bytes()).expect("written");
    child
}

fn ended(child: &mut Child) {
    assert!(within(PATIENCE, || child.try_wait().ok().flatten()).is_some(), "it does not end");
}

fn call_line(id: usize, tool: &str, arguments: &Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
}

#[test]
fn pipes_that_close_in_the_middle_end_it_and_leave_a_whole_record() {
    let setup = setup();
    // The catalogue is kept from here on.
    leave(&setup.clone().open());
    for round in 0..6 {
        let mut child = raw(&setup);
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let tag = format!("pipe-{round}");
        for n in 0..20 {
            let line = call_line(n, "a__count", &json!({"effect": format!("{tag}-{n}")}));
            stdin.write_all(line.as_bytes()).expect("written");
        }
        let mut line = String::new();
        for _ in 0..=round {
            output.read_line(&mut line).expect("an answer");
        }
        if round % 2 == 0 {
            // The reader goes first.
            drop(output);
            for n in 20..40 {
                let line = call_line(n, "a__count", &json!({"effect": format!("{tag}-{n}")}));
                if stdin.write_all(line.as_bytes()).is_err() {
                    break;
                }
            }
            drop(stdin);
        } else {
            drop(stdin);
            drop(output);
        }
        ended(&mut child);
        leave(&setup.clone().open());
        assert_all(&setup, &tag);
    }
}

#[test]
fn a_client_that_does_not_read_loses_no_answer() {
    let setup = setup();
    leave(&setup.clone().open());
    let mut child = raw(&setup);
    let mut stdin = child.stdin.take().expect("a pipe");
    const CALLS: usize = 400;
    let writer = std::thread::spawn(move || {
        for n in 0..CALLS {
            let line = call_line(n, "a__text", &json!({"text": format!("{n} {}", "lorem ".repeat(2_000))}));
            stdin.write_all(line.as_bytes()).expect("written");
        }
        stdin
    });
    // Nothing is read until the pipe behind the gate must be full.
    eventually("calls arrive", || (crate::world::forwarded(&setup).len() > 20).then_some(()));
    let mut seen = vec![0; CALLS];
    let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    while seen.iter().sum::<usize>() < CALLS {
        let line = output.next().expect("a line").expect("text");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(id) = message["id"].as_u64() {
            seen[usize::try_from(id).expect("small")] += 1;
        }
        // A slow one for a while.
        if seen.iter().sum::<usize>() < 20 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert!(seen.iter().all(|count| *count == 1));
    drop(writer.join().expect("no panic"));
    ended(&mut child);
    assert_chain(&setup, "a slow reader");
}
