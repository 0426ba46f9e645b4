//! Trees of real processes: what reaches them, what is left of them.

use super::{Ended, Spawned, StopGrace, spawn};
use crate::ports::{ChildPlan, Stderr};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Longest wait for what takes milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: StopGrace = StopGrace { exit: Duration::from_millis(30), term: Duration::from_millis(30) };
const LONG: StopGrace = StopGrace { exit: PATIENCE, term: PATIENCE };

fn plan(program: &str, args: &[&str]) -> ChildPlan {
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".into())]);
    let args = args.iter().map(|arg| (*arg).into()).collect();
    ChildPlan { program: PathBuf::from(program), args, env, cwd: None, stderr: Stderr::Logged }
}

/// Starts a shell script that says "ready" and waits until it did.
async fn shell(script: &str) -> Spawned {
    let mut child = spawn(&plan("/bin/sh", &["-c", script]), None).unwrap();
    let mut line = String::new();
    BufReader::new(&mut child.stdout).read_line(&mut line).await.unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// State and group of a process, from `/proc/<pid>/stat`.
pub(crate) fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.nth(1)?.parse().ok()?))
}

/// The processes of a group that still run; zombies do not.
pub(crate) fn running(group: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, of)| of == group && !"ZX".contains(state))).collect()
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn the_environment_is_the_plan_s_alone() {
    let mut child = spawn(&plan("/usr/bin/env", &[]), None).unwrap();
    let mut said = String::new();
    child.stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "PATH=/usr/bin:/bin\n");
}

#[tokio::test]
async fn the_working_directory_is_the_plan_s() {
    let mut here = plan("/bin/pwd", &[]);
    here.cwd = Some(PathBuf::from("/usr"));
    let mut said = String::new();
    spawn(&here, None).unwrap().stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "/usr\n");
}

#[tokio::test]
async fn a_kill_reaches_the_grandchildren() {
    let child = shell("sleep 1000 & sh -c 'sleep 1000' & echo ready; wait").await;
    let group = child.group.pid();
    assert!(running(group).len() >= 3);
    child.group.kill();
    assert_eq!(child.group.exited().await, Ended::Signalled(9));
    until("the whole group is gone", || running(group).is_empty());
}

#[tokio::test]
async fn a_dropped_group_is_killed_and_reaped() {
    let child = shell("sleep 1000 & echo ready; wait").await;
    let group = child.group.pid();
    drop(child.group);
    let deadline = Instant::now() + PATIENCE;
    while stat(group).is_some() || !running(group).is_empty() {
        assert!(Instant::now() < deadline, "left: {:?} {:?}", stat(group), running(group));
        // The runtime reaps what it was left, between two turns.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn a_group_can_be_dropped_after_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let child = runtime.block_on(shell("sleep 1000 & echo ready; wait"));
    let Spawned { group, .. } = child;
    drop(runtime);
    let pid = group.pid();
    assert!(!running(pid).is_empty());
    drop(group);
    until("the whole group is gone", || running(pid).is_empty());
}

#[tokio::test]
async fn a_look_at_the_exit_status_does_not_reap() {
    let child = shell("echo ready; exit 3").await;
    assert_eq!(child.group.exited().await, Ended::Exited(3));
    assert_eq!(child.group.exit_status(), Some(Ended::Exited(3)));
    assert_eq!(stat(child.group.pid()).map(|(state, _)| state), Some('Z'));
    assert_eq!(child.group.exit_status().unwrap().to_string(), "exited with code 3");
}

#[tokio::test]
async fn a_running_leader_has_no_exit_status() {
    let child = shell("echo ready; sleep 1000").await;
    assert_eq!(child.group.exit_status(), None);
    child.group.terminate();
    assert_eq!(child.group.exited().await.to_string(), "killed by signal 15");
}

#[tokio::test]
async fn stop_lets_a_child_leave_with_its_stdin() {
    let Spawned { stdin, group, .. } = shell("echo ready; cat; exit 4").await;
    let pid = group.pid();
    drop(stdin);
    assert_eq!(group.stop(LONG).await.how, "exited with code 4");
    assert_eq!(stat(pid), None);
}

#[tokio::test]
async fn stop_asks_a_child_that_ignores_its_stdin() {
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 1000; done";
    // The shell says on its stderr what became of `sleep`.
    let Spawned { stdin, group, stderr: _open, .. } = shell(script).await;
    drop(stdin);
    let grace = StopGrace { exit: SHORT.exit, term: PATIENCE };
    assert_eq!(group.stop(grace).await.how, "exited with code 7 after it was asked to end");
}

#[tokio::test]
async fn stop_kills_a_child_that_ignores_the_request() {
    let script = "trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo ready; while :; do sleep 1000; done";
    let Spawned { stdin, group, .. } = shell(script).await;
    let pid = group.pid();
    drop(stdin);
    let stopped = group.stop(SHORT).await;
    assert!(stopped.how.starts_with("killed: "), "{}", stopped.how);
    assert_eq!(stopped.ended, Ended::Signalled(9));
    assert_eq!(stat(pid), None);
    until("the whole group is gone", || running(pid).is_empty());
}

#[tokio::test]
async fn stop_ends_what_the_leader_left_behind() {
    let Spawned { group, .. } = shell("sleep 1000 & echo ready; exit 0").await;
    let pid = group.pid();
    group.exited().await;
    assert_eq!(running(pid).len(), 1);
    assert_eq!(group.stop(LONG).await.how, "exited with code 0");
    until("the whole group is gone", || running(pid).is_empty());
}

#[tokio::test]
async fn a_stop_that_is_dropped_midway_kills() {
    let Spawned { stdin, group, .. } = shell("echo ready; sleep 1000").await;
    let pid = group.pid();
    drop(stdin);
    let stopping = tokio::time::timeout(Duration::from_millis(1), group.stop(LONG)).await;
    assert!(stopping.is_err());
    until("the whole group is gone", || running(pid).is_empty());
}

#[test]
fn a_child_dies_with_the_thread_that_started_it() {
    let starter = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let child = runtime.block_on(shell("echo ready; exec sleep 1000"));
        let pid = child.group.pid();
        std::mem::forget(child);
        pid
    });
    let pid = starter.join().unwrap();
    until("the child is gone", || running(pid).is_empty());
}

#[tokio::test]
async fn a_failed_start_names_the_cause_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut nowhere = plan("/bin/sh", &[]);
    nowhere.cwd = Some(PathBuf::from("/nowhere/at/all"));
    let cases = [
        (plan("/nowhere/node", &[]), ErrorKind::NotFound, "command \"/nowhere/node\" not found; install it"),
        (nowhere, ErrorKind::NotFound, "working directory \"/nowhere/at/all\" does not exist"),
        (plan(&script("a", "#!/nowhere/sh\n", 0o755), &[]), ErrorKind::NotFound, "interpreter"),
        (plan(&script("b", "#!/bin/sh\n", 0o644), &[]), ErrorKind::PermissionDenied, "may not be run"),
        (plan("/bin/sh", &["a\0b"]), ErrorKind::InvalidInput, "change \"args\" or \"env\""),
    ];
    for (plan, kind, text) in cases {
        let error = spawn(&plan, None).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
    }
}
