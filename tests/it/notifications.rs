//! Desktop notifications of new tickets, on a session bus of the test's own with a desktop that writes down what it is
//! asked to show.

use crate::harness::{Gate, Setup, eventually, lines};
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const HELD: &str = "DROP TABLE customers";

/// A bus and a desktop on it; both end with it.
struct Desktop {
    bus: Child,
    desktop: Child,
    address: String,
    shown: String,
}

impl Desktop {
    fn start(setup: &Setup, args: &[&str]) -> Self {
        let address = format!("unix:path={}", setup.path("bus"));
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", &format!("--address={address}")]);
        let bus = bus
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed (scripts/test does)");
        eventually("the bus", || Path::new(&setup.path("bus")).exists().then_some(()));
        let shown = setup.path("shown");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/notification_daemon.py");
        let mut desktop = Command::new("/usr/bin/python3");
        desktop.arg(script).args(args).env("DBUS_SESSION_BUS_ADDRESS", &address);
        desktop.stdin(Stdio::null()).stdout(File::create(&shown).expect("a file"));
        let desktop = desktop.spawn().expect("the system's Python starts");
        let started = Self { bus, desktop, address, shown };
        eventually("the desktop (python3-dbus and python3-gi)", || {
            lines(started.shown.as_ref()).first().is_some_and(|line| line == "ready").then_some(())
        });
        started
    }

    fn shown(&self) -> Vec<Value> {
        lines(self.shown.as_ref()).iter().skip(1).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn of(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} notifications"), || {
            Some(self.shown()).filter(|shown| shown.len() >= count)
        })
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in [&mut self.desktop, &mut self.bus] {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// A gate that answers held calls at once and finds `program` in its PATH.
fn setup(program: &str) -> Setup {
    let setup =
        Setup::new().stub("a", &[]).env("SQLI_ACTION", "require_approval").env("CALLGATE_APPROVAL_HOLD", "0");
    let bin = setup.path("bin");
    std::fs::create_dir(&bin).expect("made");
    let found = which(program);
    symlink(found, format!("{bin}/{program}")).expect("linked");
    setup.env("PATH", &bin).env("CALLGATE_APPROVAL_NOTIFY", "auto")
}

fn which(program: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is missing: run scripts/test, which installs it"))
}

fn held(gate: &Gate, effect: &str) -> String {
    let held = gate.call("count", &json!({"effect": effect, "q": HELD, "mail": "jane@acme.co.id"}));
    assert_eq!(held.code(), -32002, "{}", held.message());
    held.data()["approval_id"].as_str().expect("a ticket").to_owned()
}

#[test]
fn a_new_ticket_is_told_once_without_what_the_call_carries() {
    for program in ["notify-send", "gdbus"] {
        let setup = setup(program);
        let desktop = Desktop::start(&setup, &[]);
        let gate = setup.clone().env("DBUS_SESSION_BUS_ADDRESS", &desktop.address).open();
        let ticket = held(&gate, "one");
        assert_eq!(held(&gate, "one"), ticket, "the repeated call finds its ticket");
        let other = held(&gate, "two");
        let shown = desktop.of(2);
        for (ticket, shown) in [&ticket, &other].into_iter().zip(&shown) {
            let body = shown["body"].as_str().unwrap_or_default();
            assert!(body.contains("a / count") && body.contains(&ticket[..8]), "{program}: {body}");
            assert!(body.contains("callgate approvals approve"), "{body}");
            for carried in ["DROP", "customers", "jane", "one", "two"] {
                assert!(!shown.to_string().contains(carried), "{shown}");
            }
            assert_eq!((&shown["app"], &shown["actions"]), (&json!("Callgate"), &json!(0)));
        }
        assert_eq!(desktop.shown().len(), 2);
    }
}

#[test]
fn it_names_the_page_that_is_served_and_not_its_key() {
    let setup = setup("gdbus");
    let desktop = Desktop::start(&setup, &[]);
    let page = setup.page();
    let gate = setup.env("DBUS_SESSION_BUS_ADDRESS", &desktop.address).open();
    held(&gate, "one");
    let shown = desktop.of(1).remove(0).to_string();
    assert!(shown.contains(&page.url()) && !shown.contains(&page.key), "{shown}");
}

#[test]
fn a_desktop_that_hangs_holds_nothing_up_and_a_flood_becomes_a_few() {
    let setup = setup("gdbus");
    let desktop = Desktop::start(&setup, &["hang"]);
    let gate = setup.env("DBUS_SESSION_BUS_ADDRESS", &desktop.address).open();
    for number in 0..30 {
        held(&gate, &format!("call {number}"));
    }
    // The first one has not been answered, so no other was begun: all thirty calls were.
    assert!(desktop.of(1).len() <= 3, "{:?}", desktop.shown());
    assert!(gate.call("echo", &json!({"text": "still here"})).is_ok());
}

#[test]
fn nothing_is_told_where_nobody_is_or_wants_it() {
    let setup = setup("gdbus");
    let desktop = Desktop::start(&setup, &[]);
    let off = setup
        .clone()
        .env("CALLGATE_APPROVAL_NOTIFY", "off")
        .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
    held(&off.open(), "off");
    // No session that is known of, and a program that is not there: no matter, and told for `on`.
    let gate = setup.clone().env("XDG_RUNTIME_DIR", &setup.path("nothing")).open();
    held(&gate, "nobody");
    let without =
        setup.clone().env("PATH", &setup.path("nothing")).env("CALLGATE_APPROVAL_NOTIFY", "on").open();
    held(&without, "missing");
    without.wait_for_stderr("CALLGATE_APPROVAL_NOTIFY: neither notify-send nor gdbus");
    assert!(desktop.shown().is_empty(), "{:?}", desktop.shown());
    let (code, _, err) = setup.env("CALLGATE_APPROVAL_NOTIFY", "loud").run(&["check"]);
    assert!(
        code == Some(2) && err.contains("CALLGATE_APPROVAL_NOTIFY") && err.contains("auto, on, off"),
        "{err}"
    );
}
