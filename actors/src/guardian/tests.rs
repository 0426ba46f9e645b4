//! A proxy that is killed for real: this test binary plays the proxy and the guardian as well.
//!
//! A role is a test that does nothing unless its word stands on the command line, where the test harness takes it
//! for one more filter.

use super::watch::follow;
use super::{Guardian, run};
use crate::ports::ChildPlan;
use crate::process::tests::{running, stat, until};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const GUARDIAN: &str = "role:guardian";
const PROXY: &str = "role:proxy";

fn plays(role: &str) -> bool {
    std::env::args().any(|arg| arg == role)
}

fn role_args(test: &str, role: &str) -> Vec<String> {
    ["--exact", test, role, "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec()
}

fn guardian() -> Guardian {
    let args = role_args("guardian::tests::role_guardian", GUARDIAN);
    Guardian::new(std::env::current_exe().unwrap(), args)
}

#[test]
fn role_guardian() {
    if plays(GUARDIAN) {
        run(std::io::stdin());
    }
}

/// A proxy with one child; says the numbers of the child's group and of the guardian, then waits to be killed.
#[test]
fn role_proxy() {
    if !plays(PROXY) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guardian = guardian();
    let script = std::env::var("SCRIPT").unwrap();
    let plan = ChildPlan {
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".into())]),
        cwd: None,
        stderr: crate::ports::Stderr::Logged,
    };
    runtime.block_on(async {
        use tokio::io::AsyncReadExt;
        let mut child = crate::process::spawn(&plan, Some(&guardian)).unwrap();
        child.stdout.read_u8().await.unwrap();
        println!("\nnumbers {} {}", child.group.pid(), guardian.helper_pid().unwrap());
        let _ = std::io::stdin().read(&mut [0]);
    });
}

/// Starts the role of a proxy; gives it with the numbers it said.
fn proxy(script: &str) -> (Child, u32, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(role_args("guardian::tests::role_proxy", PROXY)).env("SCRIPT", script);
    let mut proxy = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(proxy.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("numbers ")).unwrap();
    let numbers: Vec<u32> = line.split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
    (proxy, numbers[0], numbers[1])
}

#[test]
fn nothing_outlives_a_killed_proxy() {
    for script in [
        "sleep 1000 & sleep 1000 & echo; wait",
        "sh -c 'sleep 1000; :' & echo; sleep 1000",
        "trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo; while :; do sleep 1000; done",
    ] {
        let (mut proxy, group, guardian) = proxy(script);
        assert!(running(group).len() >= 2, "{script}");
        proxy.kill().unwrap();
        proxy.wait().unwrap();
        until(script, || running(group).is_empty());
        until("the guardian is gone", || stat(guardian).is_none_or(|(state, _)| state == 'Z'));
    }
}

#[test]
fn the_guardian_ignores_requests_to_end() {
    let (mut proxy, group, guardian) = proxy("sleep 1000 & echo; sleep 1000");
    // The handlers stand once the kernel shows SIGTERM among the caught signals.
    until("the guardian's handlers stand", || {
        let status = std::fs::read_to_string(format!("/proc/{guardian}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap().to_owned();
        let caught = u64::from_str_radix(&caught, 16).unwrap();
        [1, 2, 3, 15].iter().all(|signal| caught & (1 << (signal - 1)) != 0)
    });
    let pid = Pid::from_raw(guardian.cast_signed()).unwrap();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(pid, signal).unwrap();
    }
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    until("the group is gone", || running(group).is_empty());
}

/// A group of this process's own that the guardian is to end; it is reaped when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]).process_group(0);
        Self(command.spawn().unwrap())
    }

    fn runs(&self) -> bool {
        !running(self.0.id()).is_empty()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

#[test]
fn a_forgotten_group_is_left_alone() {
    let (kept, forgotten) = (Sleeper::start(), Sleeper::start());
    let guardian = guardian();
    assert_eq!(guardian.helper_pid(), None, "it starts with the first child");
    guardian.add(forgotten.0.id());
    guardian.add(kept.0.id());
    guardian.remove(forgotten.0.id());
    let helper = guardian.helper_pid().unwrap();
    drop(guardian);
    until("the kept group is gone", || !kept.runs());
    until("the guardian is gone", || stat(helper).is_none_or(|(state, _)| state == 'Z'));
    assert!(forgotten.runs());
}

#[test]
fn a_guardian_that_died_is_started_anew_and_told_everything() {
    let (early, late) = (Sleeper::start(), Sleeper::start());
    let guardian = guardian();
    guardian.add(early.0.id());
    let first = guardian.helper_pid().unwrap();
    let pid = Pid::from_raw(first.cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // Not by `/proc`, which shows a zombie as soon as the first of its threads is gone, with the pipe still open.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    assert!(early.runs());

    guardian.add(late.0.id());
    assert_ne!(guardian.helper_pid().unwrap(), first);
    drop(guardian);
    until("both groups are gone", || !early.runs() && !late.runs());
}

#[test]
fn a_guardian_that_does_not_read_is_replaced_without_harm() {
    let group = Sleeper::start();
    // `sleep` never reads its stdin.
    let guardian = Guardian::new(PathBuf::from("/bin/sleep"), vec!["60".to_owned()]);
    guardian.add(group.0.id());
    let first = guardian.helper_pid().unwrap();
    until("the pipe is full and the guardian replaced", || {
        (0..1000).for_each(|_| guardian.add(group.0.id()));
        guardian.helper_pid() != Some(first)
    });
    assert_eq!(stat(first), None, "the old one is gone and reaped");
    assert!(group.runs());
    let second = guardian.helper_pid().unwrap();
    drop(guardian);
    let pid = Pid::from_raw(second.cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_guardian_that_cannot_start_is_no_error() {
    let guardian = Guardian::new(PathBuf::from("/nowhere/callgate"), Vec::new());
    guardian.add(u32::MAX);
    assert_eq!(guardian.helper_pid(), None);
    guardian.remove(u32::MAX);
}

/// Gives its text in pieces of one byte, with an interruption before each.
struct Crumbs<'a>(&'a [u8], bool);

impl Read for Crumbs<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        self.0 = rest;
        (&mut buffer[..1]).write(&[*first])
    }
}

#[test]
fn only_a_sign_and_a_group_s_number_are_taken() {
    for (text, groups) in [
        ("+17\n+18\n-17\n", vec![18]),
        ("+17\n+17\n-17\n", vec![]),
        ("-17\n+17", vec![]),
        ("+0\n+1\n+-5\n+ 7\n+\n\n7\n*7\n+7x\n", vec![]),
        ("+2147483647\n+2147483648\n+99999999999999999999999999\n+2\n", vec![2, i32::MAX]),
    ] {
        let groups = BTreeSet::from_iter(groups);
        assert_eq!(follow(text.as_bytes()), groups, "{text:?}");
        assert_eq!(follow(Crumbs(text.as_bytes(), false)), groups, "{text:?} in crumbs");
    }
}
