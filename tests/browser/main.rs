//! The approvals page in a real browser, with a real gate behind it.
//!
//! `scripts/test` installs the browser and what drives it.
#![cfg(unix)]
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]

mod drive;
#[path = "../it/harness/mod.rs"]
mod harness;
mod relay;
mod screenshot;

use drive::Browser;
use harness::{Gate, Page, Setup};
use relay::Relay;
use serde_json::{Value, json};

const HELD: &str = "DROP TABLE customers";

/// A gate that holds destructive SQL as long as a call may take, and a page.
fn desk() -> (Setup, Gate, Page) {
    let setup = Setup::new()
        .stub("a", &[])
        .env("SQLI_ACTION", "require_approval")
        .env("CALLGATE_CALL_BUDGET", "10m")
        .env("CALLGATE_APPROVAL_HOLD", "5m");
    let (gate, page) = (setup.clone().open(), setup.page());
    (setup, gate, page)
}

fn start(gate: &Gate, effect: &str) -> i64 {
    gate.start_call("count", &json!({"effect": effect, "q": HELD}))
}

fn decided(page: &Page) -> Vec<Value> {
    page.desk()["decided"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_ticket_appears_by_itself_and_is_approved_with_the_keyboard_alone() {
    let (_setup, gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    browser.see("a", "#empty", "Nothing waits");
    browser.script("a", "window.loaded = 'once'");
    let call = start(&gate, "one");
    browser.see("a", ".ticket", HELD);
    browser.see("a", "#word", "A call waits: a / count.");
    assert_eq!(browser.script("a", "document.title"), "(1) Approvals – Callgate");

    // One key, or the same one again, decides nothing.
    browser.press("a", &["j", "a"]);
    browser.see("a", ".step.approve", "once");
    browser.settle("a");
    browser.press("a", &["a", "Enter", "Escape"]);
    browser.miss("a", ".step");
    assert!(decided(&page).is_empty() && gate.effects("a").is_empty());
    assert_eq!(
        browser.script("a", "document.activeElement.className"),
        "ticket",
        "the focus is where it was"
    );

    browser.press("a", &["a"]);
    browser.type_text("a", "looked at it");
    browser.decide("a");
    assert!(gate.reply(call).is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
    browser.see("a", ".decided li", "looked at it");
    browser.see("a", ".decided .chip", "Approved and used");
    browser.see("a", "#empty", "Nothing waits");
    assert_eq!(browser.script("a", "window.loaded"), "once", "nothing was loaded again");
    assert_eq!(browser.faults(), json!([]));
}

#[test]
fn a_call_is_denied_with_the_keyboard_and_a_name() {
    let (_setup, gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    let call = start(&gate, "one");
    browser.see("a", ".ticket", HELD);
    browser.run(&json!({"do": "fill", "tab": "a", "selector": "#name", "text": "jane"}));
    // By the buttons that a screen reader finds, with Tab and Enter.
    browser.script("a", "document.querySelector('.ticket').focus()");
    browser.press("a", &["Tab", "Tab", "Enter"]);
    browser.see("a", ".step.deny", "does not run");
    browser.type_text("a", "not this table");
    browser.press("a", &["Tab"]);
    assert_eq!(browser.script("a", "document.activeElement.textContent"), "Deny");
    browser.settle("a");
    browser.press("a", &["Enter"]);
    let refused = gate.reply(call);
    assert_eq!(refused.code(), -32001);
    assert!(
        refused.message().contains("jane") && refused.message().contains("not this table"),
        "{}",
        refused.message()
    );
    browser.see("a", ".decided li", "by jane: not this table");
    assert!(gate.effects("a").is_empty());
}

#[test]
fn a_double_click_approves_nothing() {
    let (_setup, gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    start(&gate, "one");
    browser.see("a", ".ticket", HELD);
    browser.run(&json!({"do": "double", "tab": "a", "selector": ".begin"}));
    browser.see("a", ".step.approve", "once");
    browser.script("a", "document.querySelector('.step').requestSubmit()");
    browser.settle("a");
    assert!(decided(&page).is_empty() && gate.effects("a").is_empty());
}

#[test]
fn hostile_arguments_are_text() {
    let (_setup, gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    let hostile = [
        "<img src=x onerror=\"window.hacked=1\">",
        "</script><script>window.hacked=2</script>",
        "javascript:window.hacked=3",
        "safe\u{202e}gnp.exe\u{2066}a\u{200b}b\u{1b}[2J",
    ];
    let mut arguments = json!({"effect": "one", "q": HELD, "more": {"deep": hostile}});
    for (number, text) in hostile.iter().enumerate() {
        arguments[format!("{text}{number}")] = json!(text);
    }
    arguments["long"] = json!(format!("{}THE END", "line of a long text\n".repeat(200)));
    gate.start_call("count", &arguments);
    browser.see("a", ".ticket", HELD);
    let text = browser.text("a", ".ticket");
    for shown in [hostile[0], hostile[1], hostile[2]] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    for (hidden, written) in
        [('\u{202e}', "U+202E"), ('\u{2066}', "U+2066"), ('\u{200b}', "U+200B"), ('\u{1b}', "U+001B")]
    {
        assert!(!text.contains(hidden) && text.contains(written), "{written} in {text}");
    }
    assert!(!text.contains("THE END"), "long ones are folded");
    assert_eq!(browser.count("a", ".ticket img, .ticket script, .ticket a, .ticket iframe"), 0);
    assert_eq!(browser.script("a", "String(window.hacked)"), "undefined");

    // Whoever approves without unfolding is told so; a key unfolds.
    browser.press("a", &["j", "a"]);
    browser.see("a", ".step .careful", "folded");
    browser.press("a", &["Escape", "f"]);
    browser.see("a", ".ticket", "THE END");
    browser.press("a", &["a"]);
    assert_eq!(browser.count("a", ".step .careful"), 0);

    // And if a script of the page ever tried: the browser would not let it.
    let tried = "try { document.body.innerHTML = '<b>x</b>'; 'done' } catch (error) { error.name }";
    assert_eq!(browser.script("a", tried), "TypeError");
    assert_eq!(browser.faults(), json!([]));
}

#[test]
fn the_key_leaves_the_address_and_opens_tabs_of_the_same_browser_only() {
    let (_setup, _gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    browser.see("a", "#empty", "Nothing waits");
    assert_eq!(browser.address("a"), page.url(), "the key is out of the address");
    assert_eq!(browser.script("a", "document.cookie + JSON.stringify(localStorage)"), "{}");
    browser.run(&json!({"do": "reload", "tab": "a"}));
    browser.see("a", "#empty", "Nothing waits");
    // A link, as a model shows it, opened beside it.
    browser.open("b", &page.url());
    browser.see("b", "#empty", "Nothing waits");
    // Somebody else's browser.
    browser.open_as("two", "c", &page.url());
    browser.see("c", "#locked", "locked");
    browser.run(&json!({"do": "fill", "tab": "c", "selector": "#unlock-text", "text": "wrong"}));
    browser.press("c", &["Enter"]);
    browser.see("c", "#locked-why", "missing or wrong");
    browser.run(&json!({"do": "fill", "tab": "c", "selector": "#unlock-text", "text": page.address()}));
    browser.press("c", &["Enter"]);
    browser.see("c", "#empty", "Nothing waits");
}

#[test]
fn pages_of_others_can_neither_ask_nor_frame_it() {
    let (setup, _gate, page) = desk();
    let other = setup.page();
    let mut browser = Browser::start();
    // Another origin on the same machine, with scripts of its own that even know the key.
    let elsewhere = other.url().replace("127.0.0.1", "localhost");
    browser.open("a", &elsewhere);
    let ask = |headers: &str| {
        format!(
            "fetch('{}/api/tickets', {{headers: {headers}}}).then((answer) => 'status ' + answer.status, (error) => error.name)",
            page.url()
        )
    };
    // The policy of the page that asks forbids it already; so ask from one without any.
    browser.open("b", "data:text/html,<p>elsewhere</p>");
    for tab in ["a", "b"] {
        for headers in ["{}", &format!("{{'X-Callgate-Key': '{}'}}", page.key)] {
            assert_eq!(browser.script(tab, &ask(headers)), "TypeError", "{tab} {headers}");
        }
    }
    let frame = format!("data:text/html,<iframe src='{}' id='frame'></iframe>", page.url());
    browser.open("c", &frame);
    let frames = browser.run(&json!({"do": "frames", "tab": "c"}));
    assert_eq!(
        frames[1], "chrome-error://chromewebdata/",
        "the browser shows an error in its place: {frames}"
    );
    assert!(!page.log().contains(&page.key));
}

#[test]
fn of_two_browsers_at_once_one_decides_and_the_other_is_told() {
    let (_setup, gate, page) = desk();
    let mut browser = Browser::start();
    for (person, tab) in [("one", "a"), ("two", "b")] {
        browser.open_as(person, tab, &page.address());
        browser.see(tab, "#empty", "Nothing waits");
        browser
            .run(&json!({"do": "fill", "tab": tab, "selector": "#name", "text": format!("person {person}")}));
        browser.script(tab, "document.activeElement.blur()");
    }
    let call = start(&gate, "one");
    for (tab, key) in [("a", "a"), ("b", "d")] {
        browser.see(tab, ".ticket", HELD);
        browser.press(tab, &["j", key]);
        browser.see(tab, ".step", "Comment");
        browser.settle(tab);
    }
    browser.run(&json!({"do": "together", "tabs": ["a", "b"], "key": "Control+Enter"}));
    for tab in ["a", "b"] {
        browser.miss(tab, ".ticket");
    }
    let ran = gate.reply(call).is_ok();
    assert_eq!(gate.effects("a").len(), usize::from(ran));
    let (winner, loser) = if ran { ("one", "b") } else { ("two", "a") };
    assert_eq!(decided(&page)[0]["reviewer"], format!("person {winner}"));
    let told = browser.text(loser, "#word");
    assert!(told.contains(&format!("person {winner}")), "{told}");
}

#[test]
fn what_is_decided_elsewhere_goes_with_a_word() {
    let (setup, gate, page) = desk();
    let mut browser = Browser::start();
    browser.open("a", &page.address());
    start(&gate, "one");
    browser.see("a", ".ticket", HELD);
    browser.press("a", &["j", "a"]);
    let id = page.ticket()["id"].as_str().expect("an id").to_owned();
    let (code, _, err) = setup.run(&["approvals", "deny", &id, "--as", "joe"]);
    assert_eq!(code, Some(0), "{err}");
    browser.miss("a", ".ticket");
    browser.see("a", "#word", "Denied by joe, elsewhere: a / count.");
    assert_eq!(browser.script("a", "document.activeElement.id"), "waiting-title", "the focus is not lost");
}

#[test]
fn a_lost_connection_is_told_and_comes_back() {
    let (_setup, gate, page) = desk();
    let mut relay = Relay::start(page.port);
    let mut browser = Browser::start();
    browser.open("a", &format!("http://127.0.0.1:{}/approvals#key={}", relay.port(), page.key));
    browser.see("a", "#connection", "Connected");
    start(&gate, "one");
    browser.see("a", ".ticket", HELD);
    relay.cut();
    browser.see("a", "#banner", "The connection is lost");
    assert_eq!(browser.count("a", ".begin:enabled"), 0, "nothing can be decided");
    browser.press("a", &["j", "a"]);
    assert_eq!(browser.count("a", ".step"), 0);
    start(&gate, "two");
    relay.mend();
    browser.see("a", "#connection", "Connected");
    browser.until("a", "document.querySelectorAll('.ticket').length === 2");
    browser.miss("a", "#banner");
    browser.press("a", &["a"]);
    browser.see("a", ".step.approve", "once");
}

#[test]
fn a_page_whose_server_was_started_anew_is_locked() {
    let setup = Setup::new();
    let (old, new) = (setup.page(), setup.page());
    let mut relay = Relay::start(old.port);
    let mut browser = Browser::start();
    browser.open("a", &format!("http://127.0.0.1:{}/approvals#key={}", relay.port(), old.key));
    browser.see("a", "#connection", "Connected");
    relay.cut();
    relay.turn_to(new.port);
    relay.mend();
    browser.see("a", "#locked-why", "missing or wrong");
    browser.run(&json!({"do": "fill", "tab": "a", "selector": "#unlock-text", "text": new.key}));
    browser.press("a", &["Enter"]);
    browser.see("a", "#connection", "Connected");
}
