//! The approvals page, spoken to byte by byte: who may speak to it, what it shows, and that its word counts as any other.

use crate::harness::{Gate, Page, Reply, Setup, event, eventually};
use serde_json::{Value, json};
use std::io::Read;

const HELD: &str = "DROP TABLE customers";
const TICKETS: &str = "/approvals/api/tickets";
const EVENTS: &str = "/approvals/api/events";

/// A gate that holds destructive SQL.
fn setup(hold: &str) -> Setup {
    Setup::new().stub("a", &[]).env("SQLI_ACTION", "require_approval").env("CALLGATE_APPROVAL_HOLD", hold)
}

fn arguments(effect: &str) -> Value {
    json!({"effect": effect, "q": HELD})
}

fn start(gate: &Gate, effect: &str) -> i64 {
    gate.start_call("count", &arguments(effect))
}

fn id(ticket: &Value) -> String {
    ticket["id"].as_str().expect("an id").to_owned()
}

// ------------------------------------------------------------------------------------------------ who is let in

#[test]
fn nothing_is_told_without_the_key() {
    let page = Setup::new().page();
    for path in [TICKETS, EVENTS, "/approvals/api/tickets/x"] {
        for headers in [
            &[][..],
            &["X-Callgate-Key: wrong"],
            &["X-Callgate-Key:"],
            &[&page.key_header(), "X-Callgate-Key: wrong"],
            &[&format!("Authorization: Bearer {}", page.key)],
            &[&format!("Cookie: key={}", page.key)],
        ] {
            let heard = page.ask_as("GET", path, headers, None);
            assert_eq!(heard.status, 403, "{path} {headers:?}: {}", heard.body);
            assert!(!heard.body.contains("waiting"));
        }
    }
    let by_query = page.ask_as("GET", &format!("{TICKETS}?key={}", page.key), &[], None);
    assert_eq!(by_query.status, 403, "a key in an address would stand in logs");
    assert_eq!(
        page.ask_as("POST", "/approvals/api/tickets/x", &[], Some(&json!({"decision": "approve"}))).status,
        403
    );
    assert_eq!(
        page.ask_as("POST", "/approvals/api/enter", &[], Some(&json!({"code": page.key}))).status,
        403
    );
    assert_eq!(page.ask("GET", TICKETS, None).status, 200);
}

#[test]
fn what_is_public_holds_no_key_and_neither_does_the_log() {
    let page = Setup::new().env("CALLGATE_LOG", "trace").page();
    for (path, kind) in [
        ("/approvals", "text/html; charset=utf-8"),
        ("/approvals/page.css", "text/css; charset=utf-8"),
        ("/approvals/page.js", "text/javascript; charset=utf-8"),
        ("/approvals/icon.svg", "image/svg+xml"),
    ] {
        let heard = page.ask_as("GET", path, &[], None);
        assert_eq!(heard.status, 200, "{path}");
        assert!(heard.has("content-type", kind), "{}", heard.head);
        assert!(!heard.body.contains(&page.key) && !heard.head.contains("set-cookie"), "{path}");
    }
    page.desk();
    assert!(!page.log().contains(&page.key));
}

#[test]
fn other_names_and_other_pages_are_refused() {
    let page = Setup::new().page();
    let (key, port) = (page.key_header(), page.port);
    for path in ["/approvals", TICKETS] {
        for host in ["Host: evil.example", "Host: 127.0.0.1.evil.example", "Host: 10.0.0.1", "Host: "] {
            assert_eq!(page.ask_as("GET", path, &[&key, host], None).status, 421, "{path} {host}");
        }
        assert_ne!(page.ask_as("GET", path, &[&key, "Host:"], None).status, 200, "{path} without a name");
        for origin in
            ["http://evil.example", "null", "http://localhost:1", &format!("http://evil.example:{port}")]
        {
            let heard = page.ask_as("GET", path, &[&key, &format!("Origin: {origin}")], None);
            assert_eq!(heard.status, 403, "{path} {origin}");
            assert!(!heard.head.contains("access-control"), "{}", heard.head);
        }
    }
    for site in ["cross-site", "same-site", "none"] {
        let heard = page.ask_as("GET", TICKETS, &[&key, &format!("Sec-Fetch-Site: {site}")], None);
        assert_eq!(heard.status, 403, "{site}");
    }
    let preflight = page.ask_as(
        "OPTIONS",
        TICKETS,
        &["Origin: http://evil.example", "Access-Control-Request-Headers: x-callgate-key"],
        None,
    );
    assert!(preflight.status >= 400 && !preflight.head.contains("access-control"), "{}", preflight.head);
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let (name, origin) = (format!("Host: {host}:{port}"), format!("Origin: http://{host}:{port}"));
        let heard = page.ask_as("GET", TICKETS, &[&key, &name, &origin, "Sec-Fetch-Site: same-origin"], None);
        assert_eq!(heard.status, 200, "{host}");
    }
}

#[test]
fn every_answer_tells_the_browser_to_be_careful() {
    let page = Setup::new().page();
    for path in ["/approvals", "/approvals/page.js", TICKETS, "/approvals/api/tickets/x"] {
        for key in [page.key_header(), "X-Nothing: x".to_owned()] {
            let heard = page.ask_as("GET", path, &[&key], None);
            for (name, value) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert!(heard.has(name, value), "{path}: {name} in\n{}", heard.head);
            }
            let policy = heard.head.lines().find_map(|line| line.strip_prefix("content-security-policy: "));
            let policy = policy.expect("a policy");
            for part in ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
            {
                assert!(policy.contains(part), "{policy}");
            }
            assert!(
                !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
                "{policy}"
            );
        }
    }
}

#[test]
fn it_listens_on_this_machine_only() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let (code, out, err) = Setup::new().run(&["approvals", "serve", "--listen", address]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{address}");
        assert!(err.contains("listen on 127.0.0.1"), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn what_opens_the_browser_gets_an_address_that_is_good_once() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::new();
    let (bin, opened) = (setup.path("bin"), setup.path("opened"));
    std::fs::create_dir(&bin).expect("made");
    for name in ["xdg-open", "open"] {
        let program = format!("{bin}/{name}");
        std::fs::write(
            &program,
            format!("#!/bin/sh\necho \"$@\" > '{opened}.new' && mv '{opened}.new' '{opened}'\n"),
        )
        .expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let setup = setup.env("PATH", &path);
    let page = setup.page_of(&["approvals", "serve", "--listen", "127.0.0.1:0", "--open"]);
    let address = eventually("the browser", || std::fs::read_to_string(&opened).ok());
    assert!(!address.contains(&page.key), "others see the arguments of a program");
    let code = address.trim().strip_prefix(&format!("{}#code=", page.url())).expect("a code").to_owned();
    let enter = |code: &str| page.ask_as("POST", "/approvals/api/enter", &[], Some(&json!({"code": code})));
    assert_eq!(enter(&code).json()["key"], page.key.as_str());
    assert_eq!(enter(&code).status, 403, "used");
}

#[test]
fn malformed_words_decide_nothing() {
    let setup = setup("0");
    let gate = setup.clone().open();
    gate.call("count", &arguments("one"));
    let page = setup.page();
    let path = format!("{TICKETS}/{}", id(&page.ticket()));
    for body in
        [json!({}), json!({"decision": "yes"}), json!({"decision": true}), json!([]), json!({"decision": ""})]
    {
        assert_eq!(page.ask("POST", &path, Some(&body)).status, 400, "{body}");
    }
    let form = [&page.key_header()[..], "Content-Type: text/plain"];
    assert_eq!(page.ask_as("POST", &path, &form, Some(&json!({"decision": "approve"}))).status, 415);
    assert_eq!(page.decide("no-such-ticket", "approve", "", "").status, 404);
    assert_eq!(page.ask("PUT", &path, None).status, 405);
    assert_eq!(page.ticket()["state"], "pending");
}

// ---------------------------------------------------------------------------------------------- what it does

#[test]
fn a_call_that_waits_runs_once_when_it_is_approved_here() {
    let setup = setup("20s");
    let (gate, page) = (setup.clone().open(), setup.page());
    let call = start(&gate, "one");
    let ticket = page.ticket();
    assert_eq!(
        (&ticket["backend"], &ticket["tool"], &ticket["agent"]),
        (&json!("a"), &json!("count"), &json!("claude-desktop"))
    );
    let shown = ticket["arguments"].as_array().expect("a list");
    assert!(shown.contains(&json!({"name": "q", "kind": "text", "text": HELD})), "{shown:?}");
    assert!(gate.effects("a").is_empty());
    let heard = page.decide(&id(&ticket), "approve", "looked at it", "jane");
    assert_eq!(heard.status, 200, "{}", heard.body);
    assert!(gate.reply(call).is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
    let decided = eventually("the grant is used", || {
        Some(page.desk()["decided"][0].clone()).filter(|ticket| ticket["state"] == "used")
    });
    assert_eq!((&decided["reviewer"], &decided["comment"]), (&json!("jane"), &json!("looked at it")));
    assert!(!page.log().contains("looked at it") && !page.log().contains(HELD));
}

#[test]
fn a_call_that_is_denied_here_does_not_run_and_says_who_and_why() {
    let setup = setup("20s");
    let (gate, page) = (setup.clone().open(), setup.page());
    let call = start(&gate, "one");
    page.decide(&id(&page.ticket()), "deny", "not this table", "jane");
    let refused = gate.reply(call);
    assert_eq!(refused.code(), -32001);
    assert!(
        refused.message().contains("jane") && refused.message().contains("not this table"),
        "{}",
        refused.message()
    );
    assert!(gate.effects("a").is_empty());
}

#[test]
fn of_many_words_at_once_the_first_holds_and_the_others_are_told_whose_it_was() {
    let setup = setup("0");
    let gate = setup.clone().open();
    gate.call("count", &arguments("one"));
    let (one, other) = (setup.page(), setup.page_of(&["approvals", "serve", "--listen", "127.0.0.1:0"]));
    let ticket = id(&one.ticket());
    let word = |page: &Page, number: usize| {
        let decision = if number.is_multiple_of(2) { "approve" } else { "deny" };
        page.decide(&ticket, decision, "", &format!("person {number}"))
    };
    let heard: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|number| {
                let page = if number % 3 == 0 { &one } else { &other };
                scope.spawn(move || (number, word(page, number)))
            })
            .collect();
        asked.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let winners: Vec<usize> =
        heard.iter().filter(|(_, heard)| heard.status == 200).map(|(n, _)| *n).collect();
    let [winner] = winners[..] else { panic!("one word holds, not {winners:?}") };
    for (number, heard) in heard.iter().filter(|(number, _)| *number != winner) {
        assert_eq!(heard.status, 409, "{number}: {}", heard.body);
        assert!(heard.body.contains(&format!("person {winner}")), "{}", heard.body);
    }
    assert_eq!(one.desk()["decided"][0]["reviewer"], format!("person {winner}"));
}

#[test]
fn open_pages_hear_of_tickets_without_asking() {
    let setup = setup("0");
    let (gate, page) = (setup.clone().open(), setup.page());
    let mut streams = [page.listen(), page.listen()];
    for stream in &mut streams {
        let (name, data) = event(stream).expect("an event");
        assert_eq!((name.as_str(), &data["state"]["waiting"]), ("state", &json!([])));
    }
    gate.call("count", &arguments("one"));
    let mut ticket = String::new();
    for stream in &mut streams {
        let (_, data) = event(stream).expect("an event");
        ticket = id(&data["state"]["waiting"][0]);
    }
    // From the command line, which is elsewhere.
    let (code, _, err) = setup.run(&["approvals", "deny", &ticket, "--as", "joe"]);
    assert_eq!(code, Some(0), "{err}");
    for stream in &mut streams {
        let (_, data) = event(stream).expect("an event");
        assert_eq!(data["state"]["total"], 0);
        assert_eq!(data["state"]["decided"][0]["reviewer"], "joe");
    }
}

#[test]
fn streams_are_bounded_and_a_closed_one_makes_room() {
    let page = Setup::new().page();
    let mut streams: Vec<_> = (0..16).map(|_| page.listen()).collect();
    let one_more = page.ask("GET", EVENTS, None);
    assert_eq!(one_more.status, 429, "{}", one_more.body);
    streams.pop();
    eventually("room for another stream", || {
        let mut stream = page_stream(&page);
        let mut start = [0; 12];
        stream.read_exact(&mut start).ok()?;
        (&start == b"HTTP/1.1 200").then_some(())
    });
}

fn page_stream(page: &Page) -> std::net::TcpStream {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", page.port)).expect("the page listens");
    write!(stream, "GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", page.key_header())
        .expect("sent");
    stream
}

#[test]
fn it_leaves_at_once_although_pages_are_open() {
    let mut page = Setup::new().page();
    let mut stream = page.listen();
    event(&mut stream).expect("an event");
    page.signal("TERM");
    assert_eq!(event(&mut stream).map(|(name, _)| name).as_deref(), Some("bye"));
    assert!(page.ended());
    assert!(!page.log().contains("cut off"), "{}", page.log());
}

// ------------------------------------------------------------------------------------------- what tickets say

fn held(gate: &Gate, effect: &str) -> Reply {
    let held = gate.call("count", &arguments(effect));
    assert_eq!(held.code(), -32002, "{}", held.message());
    held
}

#[test]
fn tickets_name_the_page_while_it_is_served_and_never_its_key() {
    let setup = setup("0");
    let gate = setup.clone().open();
    let before = held(&gate, "before");
    assert!(!before.message().contains("http"), "{}", before.message());
    let mut page = setup.page();
    let named = held(&gate, "one");
    assert!(named.message().contains(&format!("or at {},", page.url())), "{}", named.message());
    assert_eq!(named.data()["approval_url"], page.url());
    // However it ends: what it left behind is old.
    page.signal("KILL");
    page.ended();
    let after = held(&gate, "after");
    assert!(!after.message().contains("http"), "{}", after.message());
    for text in [gate.audit_text(), gate.stderr(), named.raw] {
        assert!(!text.contains(&page.key));
    }
    let key = page.key.as_bytes();
    for entry in std::fs::read_dir(setup.path("state")).expect("the state directory").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|part| part == key), "{}", entry.path().display());
    }
}

#[test]
fn a_page_of_another_tenant_is_not_named() {
    let setup = setup("0");
    let _page = setup.clone().env("AXONFLOW_TENANT_ID", "others").page();
    let gate = setup.open();
    assert!(!held(&gate, "one").message().contains("http"));
}

// -------------------------------------------------------------------------------------------- inside the service

const PDP: &[&str] = &["pdp", "--listen", "127.0.0.1:0", "--show-page-key"];

/// `admin:boss` and `org:secret`.
const ADMIN: &str = "Authorization: Basic YWRtaW46Ym9zcw==";
const CLIENT: &str = "Authorization: Basic b3JnOnNlY3JldA==";

#[test]
fn the_service_serves_it_too() {
    let setup = Setup::new().env("SQLI_ACTION", "require_approval");
    let page = setup.page_of(PDP);
    assert_eq!(page.ask_as("GET", "/approvals", &[], None).status, 200);
    assert_eq!(page.ask_as("GET", TICKETS, &[], None).status, 403);
    let body = json!({"stage": "tool", "query": HELD, "target": {"type": "tool", "tool": "run"}});
    let held = page.ask_as("POST", "/api/v1/decide", &["X-Client-ID: bot"], Some(&body)).json();
    assert_eq!(held["verdict"], "needs_approval", "{held}");
    let ticket = page.ticket();
    let own = page.decide(&id(&ticket), "approve", "", "bot");
    assert_eq!(own.status, 403, "nobody approves their own call: {}", own.body);
    assert_eq!(page.decide(&id(&ticket), "approve", "fine", "jane").status, 200);
    let approval = format!("X-Axonflow-Approval-Id: {}", id(&ticket));
    let paid = page.ask_as("POST", "/api/v1/decide", &["X-Client-ID: bot", &approval], Some(&body)).json();
    assert_eq!(paid["verdict"], "allow", "{paid}");
}

#[test]
fn the_services_own_credentials_are_asked_for_too() {
    let setup = Setup::new()
        .env("AXONFLOW_CLIENT_ID", "org")
        .env("AXONFLOW_CLIENT_SECRET", "secret")
        .env("CALLGATE_ADMIN_SECRET", "boss");
    let page = setup.page_of(PDP);
    let key = page.key_header();
    for path in ["/approvals", TICKETS] {
        for headers in [&[&key[..]][..], &[&key, CLIENT]] {
            let heard = page.ask_as("GET", path, headers, None);
            assert_eq!(heard.status, 401, "{path} {headers:?}");
            assert!(heard.head.contains("www-authenticate: Basic"), "the browser asks: {}", heard.head);
        }
    }
    assert_eq!(page.ask_as("GET", TICKETS, &[ADMIN], None).status, 403, "and the key as well");
    assert_eq!(page.ask_as("GET", TICKETS, &[ADMIN, &key], None).status, 200);
}

#[test]
fn a_service_shows_its_key_only_when_it_is_told_to_and_has_no_page_for_others() {
    let setup = Setup::new();
    let quiet = setup.service("pdp", &[]);
    eventually("the page's address in the log", || quiet.log().contains("/approvals;").then_some(()));
    assert!(!quiet.log().contains("#key="), "{}", quiet.log());
    let setup = Setup::new().env("AXONFLOW_CLIENT_ID", "org").env("AXONFLOW_CLIENT_SECRET", "secret");
    let remote = setup.service_at("remote", "0.0.0.0:0", &["--allow-remote"]);
    let remote = remote.with_credentials("b3JnOnNlY3JldA==");
    assert_eq!(remote.get("/health").status, 200);
    assert_eq!(remote.get("/approvals").status, 404);
}
