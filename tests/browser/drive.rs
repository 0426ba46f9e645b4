//! A real browser, as a test drives it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Names of the browser, in the order in which they are looked for.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// A running browser; ended on drop.
pub(crate) struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    /// Starts one without a window.
    pub(crate) fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        assert!(
            folder.join("node_modules").exists(),
            "run scripts/test, which installs what drives the browser"
        );
        let mut node = Command::new("node");
        node.arg("driver.mjs").current_dir(folder).env("BROWSER", browser());
        let mut child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the driver starts");
        let input = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut browser = Self { child, input, answers };
        browser.answer(&json!("the start"));
        browser
    }

    /// Runs a command of the driver; what it answered.
    pub(crate) fn run(&mut self, command: &Value) -> Value {
        let input = self.input.as_mut().expect("not ended");
        writeln!(input, "{command}").expect("the driver listens");
        self.answer(command)
    }

    fn answer(&mut self, command: &Value) -> Value {
        let line = self.answers.next().expect("the driver answers").expect("a line");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer.get("failed").is_none(), "{command}: {}", answer["failed"]);
        answer["ok"].clone()
    }

    /// Opens a tab of the first person.
    pub(crate) fn open(&mut self, tab: &str, url: &str) {
        self.open_as("one", tab, url);
    }

    /// Opens a tab of that person, who has a profile of their own.
    pub(crate) fn open_as(&mut self, person: &str, tab: &str, url: &str) {
        self.run(&json!({"do": "open", "person": person, "tab": tab, "url": url}));
    }

    /// Waits until an element with that text is seen.
    pub(crate) fn see(&mut self, tab: &str, selector: &str, text: &str) {
        self.run(&json!({"do": "see", "tab": tab, "selector": selector, "text": text}));
    }

    /// Waits until no such element is seen.
    pub(crate) fn miss(&mut self, tab: &str, selector: &str) {
        self.run(&json!({"do": "miss", "tab": tab, "selector": selector}));
    }

    /// Presses keys, one after the other.
    pub(crate) fn press(&mut self, tab: &str, keys: &[&str]) {
        for key in keys {
            self.run(&json!({"do": "press", "tab": tab, "key": key}));
        }
    }

    /// Types a text.
    pub(crate) fn type_text(&mut self, tab: &str, text: &str) {
        self.run(&json!({"do": "type", "tab": tab, "text": text}));
    }

    /// The text of an element.
    pub(crate) fn text(&mut self, tab: &str, selector: &str) -> String {
        let text = self.run(&json!({"do": "text", "tab": tab, "selector": selector}));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// How many of such elements there are, seen or not.
    pub(crate) fn count(&mut self, tab: &str, selector: &str) -> u64 {
        self.run(&json!({"do": "count", "tab": tab, "selector": selector})).as_u64().unwrap_or_default()
    }

    /// The value of a script in the page.
    pub(crate) fn script(&mut self, tab: &str, script: &str) -> Value {
        self.run(&json!({"do": "run", "tab": tab, "script": script}))
    }

    /// Waits until a script in the page says true.
    pub(crate) fn until(&mut self, tab: &str, script: &str) {
        self.run(&json!({"do": "until", "tab": tab, "script": script}));
    }

    /// The address of a tab.
    pub(crate) fn address(&mut self, tab: &str) -> String {
        self.run(&json!({"do": "address", "tab": tab})).as_str().unwrap_or_default().to_owned()
    }

    /// Presses the key that decides, once the form takes it.
    pub(crate) fn decide(&mut self, tab: &str) {
        self.settle(tab);
        self.press(tab, &["Control+Enter"]);
    }

    /// Waits until a form that was just opened takes a word.
    pub(crate) fn settle(&mut self, tab: &str) {
        self.script(tab, "new Promise((done) => setTimeout(done, 450))");
    }

    /// What went wrong in the pages so far: errors of scripts, dialogs.
    pub(crate) fn faults(&mut self) -> Value {
        self.run(&json!({"do": "faults"}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes the browser when its input ends; killed, it would leave it behind.
        self.input.take();
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn browser() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|path| path.exists());
    found.expect("a Chromium is installed (scripts/test does)")
}
