//! The command line of the stub: which faults it has.

use std::path::PathBuf;

/// Every setting; the default is a healthy stdio server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Name in `serverInfo`.
    pub(crate) name: String,
    /// Server instructions.
    pub(crate) instructions: Option<String>,
    /// Protocol version to answer whatever the client asked for.
    pub(crate) protocol: Option<String>,
    /// Serve Streamable HTTP on this port instead of stdio; 0 takes a free one.
    pub(crate) http: Option<u16>,
    /// HTTP: answer requests as an event stream instead of JSON.
    pub(crate) sse: bool,
    /// HTTP: 405 for the GET stream.
    pub(crate) no_get_stream: bool,
    /// HTTP: the GET stream opens only after this time.
    pub(crate) get_delay_ms: u64,
    /// HTTP: value that the header `x-stub-key` must have.
    pub(crate) require_key: Option<String>,
    /// One line per side effect.
    pub(crate) counter: Option<PathBuf>,
    /// One line per message (stdio) or request (HTTP) that came.
    pub(crate) record: Option<PathBuf>,
    /// Sleep before anything else.
    pub(crate) start_delay_ms: u64,
    /// Exit with code 7 at once.
    pub(crate) exit_at_start: bool,
    /// Exit at once unless this file exists.
    pub(crate) up_file: Option<PathBuf>,
    /// Exit after that many answered calls.
    pub(crate) exit_after: Option<u64>,
    /// Exit when this tool is called.
    pub(crate) crash_on: Option<String>,
    /// Line printed on stdout before anything else.
    pub(crate) banner: Option<String>,
    /// Notifications without end after the handshake.
    pub(crate) flood_stdout: bool,
    /// Lines on stderr without end, the first of 2 MiB.
    pub(crate) stderr_flood: bool,
    /// Text printed once on stderr.
    pub(crate) stderr_text: Option<String>,
    /// Stop reading stdin after that many lines; 0 never reads.
    pub(crate) stop_reading_after: Option<u64>,
    /// Answer nothing at all.
    pub(crate) never_answer: bool,
    /// Never answer these methods.
    pub(crate) mute: Vec<String>,
    /// Answer calls under an id that nobody asked with.
    pub(crate) wrong_ids: bool,
    /// Answer calls twice.
    pub(crate) duplicates: bool,
    /// Answer calls under the string form of their id.
    pub(crate) string_ids: bool,
    /// A request with the pending call's id before each answer.
    pub(crate) id_collision: bool,
    /// Write half of a call's answer, then exit.
    pub(crate) half_line: bool,
    /// Exit right after a call's answer was written.
    pub(crate) exit_with_answer: bool,
    /// One line of that many bytes, no JSON, after the handshake.
    pub(crate) long_line: Option<u64>,
    /// Page the lists: entries per page.
    pub(crate) pages: Option<usize>,
    /// Hand out the same cursor for ever.
    pub(crate) loop_cursor: bool,
    /// More tools, `extra_000` and on.
    pub(crate) tools: usize,
    /// Tools with these names exactly.
    pub(crate) tool_names: Vec<String>,
    /// Announce nothing but tools, and answer -32601 to the rest.
    pub(crate) tools_only: bool,
    /// That many `tools/list_changed` after the handshake.
    pub(crate) list_changed_storm: u64,
    /// Start a sleeping grandchild and append its pid to this file.
    pub(crate) fork_grandchild: Option<PathBuf>,
    /// SIGTERM, SIGINT and SIGHUP are ignored.
    pub(crate) ignore_term: bool,
    /// The tool `scripted` writes what stands in this file instead of an answer; `${rid}` is its request's id.
    pub(crate) script: Option<PathBuf>,
    /// Stay after stdin was closed.
    pub(crate) ignore_eof: bool,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { name: "stub-mcp".to_owned(), ..Self::default() };
        let mut args = args;
        while let Some(flag) = args.next() {
            if !options.switch(&flag) {
                let value = args.next().ok_or(format!("{flag}: unknown switch, or its value is missing"))?;
                options.set(&flag, value)?;
            }
        }
        Ok(options)
    }

    /// Takes a flag without a value; `false` when it is none.
    fn switch(&mut self, flag: &str) -> bool {
        let switch = match flag {
            "--sse" => &mut self.sse,
            "--no-get-stream" => &mut self.no_get_stream,
            "--exit-at-start" => &mut self.exit_at_start,
            "--flood-stdout" => &mut self.flood_stdout,
            "--stderr-flood" => &mut self.stderr_flood,
            "--never-answer" => &mut self.never_answer,
            "--wrong-ids" => &mut self.wrong_ids,
            "--duplicates" => &mut self.duplicates,
            "--string-ids" => &mut self.string_ids,
            "--id-collision" => &mut self.id_collision,
            "--half-line" => &mut self.half_line,
            "--exit-with-answer" => &mut self.exit_with_answer,
            "--loop-cursor" => &mut self.loop_cursor,
            "--tools-only" => &mut self.tools_only,
            "--ignore-term" => &mut self.ignore_term,
            "--ignore-eof" => &mut self.ignore_eof,
            "--never-read-stdin" => {
                self.stop_reading_after = Some(0);
                return true;
            }
            _ => return false,
        };
        *switch = true;
        true
    }

    fn set(&mut self, flag: &str, value: String) -> Result<(), String> {
        match flag {
            "--name" => self.name = value,
            "--instructions" => self.instructions = Some(value),
            "--protocol" => self.protocol = Some(value),
            "--require-key" => self.require_key = Some(value),
            "--counter" => self.counter = Some(value.into()),
            "--record" => self.record = Some(value.into()),
            "--script" => self.script = Some(value.into()),
            "--up-file" => self.up_file = Some(value.into()),
            "--crash-on" => self.crash_on = Some(value),
            "--banner" => self.banner = Some(value),
            "--stderr-text" => self.stderr_text = Some(value),
            "--mute" => self.mute.push(value),
            "--tool-name" => self.tool_names.push(value),
            "--fork-grandchild" => self.fork_grandchild = Some(value.into()),
            "--http" => self.http = Some(number(flag, &value)?),
            "--get-delay-ms" => self.get_delay_ms = number(flag, &value)?,
            "--start-delay-ms" => self.start_delay_ms = number(flag, &value)?,
            "--exit-after" => self.exit_after = Some(number(flag, &value)?),
            "--stop-reading-after" => self.stop_reading_after = Some(number(flag, &value)?),
            "--long-line" => self.long_line = Some(number(flag, &value)?),
            "--pages" => self.pages = Some(number(flag, &value)?),
            "--tools" => self.tools = number(flag, &value)?,
            "--list-changed-storm" => self.list_changed_storm = number(flag, &value)?,
            _ => return Err(format!("{flag}: unknown flag")),
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(flag: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{flag}: {value:?} is no number"))
}
