//! The options of `callgate wrap`, and the settings that they stand for: everything that an option can say is a setting
//! too, so that whatever else is set in the environment holds beside it.

use crate::fault::Fault;
use crate::fault::quoted;
use crate::secret::Secret;
use crate::settings::{Environment, lookup, table};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What `callgate wrap` is told.
#[derive(Clone, Debug, Args)]
pub struct WrapOptions {
    /// Which tools may be called at all: every one, those known to be read-only, or none that is not allowed by name
    #[arg(long, value_name = "PROFILE", value_parser = ["unrestricted", "read_only", "locked"])]
    pub profile: Option<String>,
    /// Allow only tools with such names (may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub allow: Vec<String>,
    /// Deny tools with such names (may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub deny: Vec<String>,
    /// Rules of your own: a .json file, or a .rego file or folder (may be repeated, once for each kind)
    #[arg(long, value_name = "PATH")]
    pub policy: Vec<PathBuf>,
    /// Who decides [default: the policies inside callgate; aaf when --api-key or --api-url is given]
    #[arg(long, value_name = "WHO", value_parser = ["embedded", "axonflow", "aaf"])]
    pub pdp: Option<String>,
    /// Key of the Agent Action Firewall; AAF_API_KEY in the environment is not seen by others on this machine
    #[arg(long, value_name = "KEY", value_parser = secret)]
    pub api_key: Option<Secret>,
    /// Address of the Agent Action Firewall, or AAF_API_URL in the environment
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// Who calls, for decisions and audit rows [default: mcp-proxy]
    #[arg(long, value_name = "ID")]
    pub agent_id: Option<String>,
    /// What the server is called in rules and audit rows [default: taken from its command]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Decide and record everything, and block nothing
    #[arg(long)]
    pub monitor: bool,
    /// Log to standard error, between the lines of the server
    #[arg(long)]
    pub verbose: bool,
    /// The server's command, behind `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Who calls where nothing else is said (the Agent Action Firewall contract, section 8.3).
const AGENT: &str = "mcp-proxy";
/// What the person set who gave no key in a file.
const KEY_FILE: &str = "AAF_API_KEY_FILE";

/// Programs that run others: the server is called after what they run.
const RUNNERS: &[&str] = &[
    "bash", "bun", "bunx", "deno", "env", "node", "nodejs", "npm", "npx", "pipx", "pnpm", "pnpx", "python",
    "python3", "ruby", "sh", "uv", "uvx", "yarn",
];
/// Words between such a program and what it runs.
const RUNNERS_WORDS: &[&str] = &["dlx", "exec", "run", "tool", "x"];
/// Files and folders that every other server has too.
const COMMON_NAMES: &[&str] =
    &["__main__", "bin", "build", "cli", "dist", "index", "lib", "main", "out", "server", "src"];
/// Longest name of a backend.
const NAME_MAX: usize = 64;

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// An environment with the options' settings in it.
pub(super) struct Overlay {
    pub(super) env: Environment,
    /// The option behind a setting.
    options: BTreeMap<&'static str, &'static str>,
}

impl Overlay {
    fn set(&mut self, setting: &'static str, option: &'static str, value: impl Into<OsString>) {
        self.env.retain(|name, _| !(cfg!(windows) && name.eq_ignore_ascii_case(setting)));
        self.env.insert(setting.to_owned(), value.into());
        self.options.insert(setting, option);
    }

    /// Sets what nobody has set.
    fn default(&mut self, setting: &'static str, value: &str) {
        if !self.has(setting) {
            self.env.insert(setting.to_owned(), value.into());
        }
    }

    fn has(&self, setting: &str) -> bool {
        lookup(&self.env, setting).is_some_and(|value| !value.to_string_lossy().trim().is_empty())
    }

    /// The faults of the settings under the names that the person wrote.
    pub(super) fn named(&self, mut faults: Vec<Fault>) -> Vec<Fault> {
        for fault in &mut faults {
            let setting = fault.where_.split(':').next().unwrap_or_default();
            if let Some(option) = self.options.get(setting) {
                fault.where_ = (*option).to_owned();
            }
        }
        faults
    }
}

impl WrapOptions {
    /// The program to run.
    pub(super) fn program(&self) -> &OsStr {
        self.command.first().map(OsString::as_os_str).unwrap_or_default()
    }

    /// Its arguments.
    pub(super) fn arguments(&self) -> &[OsString] {
        self.command.get(1..).unwrap_or_default()
    }

    /// Tells what was better done in another way.
    pub(super) fn warn(&self) {
        if self.api_key.is_some() {
            tracing::warn!(
                "--api-key: others on this machine can read the arguments of a process; set AAF_API_KEY or \
                 AAF_API_KEY_FILE in the environment instead"
            );
        }
    }

    /// The environment `host` with the settings of these options. An option wins over the variable that it stands for,
    /// but for denied tools, which add up.
    pub(super) fn over(&self, host: &Environment) -> Result<Overlay, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut overlay = Overlay { env: host.clone(), options: BTreeMap::new() };
        self.set_server(&mut overlay);
        self.set_governance(&mut overlay, &mut faults);
        self.set_policies(&mut overlay, &mut faults);
        self.set_decision_point(&mut overlay, &mut faults);
        overlay.default("CALLGATE_LOG", if self.verbose { "info" } else { "warn" });
        if faults.is_empty() { Ok(overlay) } else { Err(faults) }
    }

    /// The one backend. How it is started is not told here: neither its arguments nor its environment are a setting.
    fn set_server(&self, overlay: &mut Overlay) {
        let name = self.name.clone().unwrap_or_else(|| name_of(&self.command));
        let backends = json!([{"id": name, "command": "wrapped"}]);
        overlay.env.retain(|name, _| !name.eq_ignore_ascii_case("AXONFLOW_BACKENDS_FILE"));
        overlay.set("AXONFLOW_BACKENDS", "--name", backends.to_string());
    }

    fn set_governance(&self, overlay: &mut Overlay, faults: &mut Vec<Fault>) {
        if let Some(profile) = &self.profile {
            overlay.set("CALLGATE_TOOLS_PROFILE", "--profile", profile);
        }
        for (option, setting, globs) in
            [("--allow", "CALLGATE_TOOLS_ALLOW", &self.allow), ("--deny", "CALLGATE_TOOLS_DENY", &self.deny)]
        {
            if let Some(glob) = globs.iter().find(|glob| glob.contains(',') || glob.trim().is_empty()) {
                let what = format!("{} is not one glob", quoted(glob));
                faults.push(Fault::settings(option, what, "repeat the option for each"));
            }
            let mut all = globs.clone();
            if setting.ends_with("DENY")
                && overlay.has(setting)
                && let Some(set) = lookup(&overlay.env, setting)
            {
                all.insert(0, set.to_string_lossy().into_owned());
            }
            if !globs.is_empty() {
                overlay.set(setting, option, all.join(","));
            }
        }
        if self.monitor {
            overlay.set("CALLGATE_MONITOR", "--monitor", "on");
        }
    }

    fn set_policies(&self, overlay: &mut Overlay, faults: &mut Vec<Fault>) {
        const OPTION: &str = "--policy";
        let mut set: Vec<&str> = Vec::new();
        for path in &self.policy {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            let setting = match ending.as_deref() {
                _ if path.is_dir() => "CALLGATE_REGO",
                Some("rego") => "CALLGATE_REGO",
                Some("json") => "CALLGATE_POLICY_FILE",
                _ => {
                    let what = format!("{} is no kind of policy", quoted(&path.to_string_lossy()));
                    let hint = "name a .json file with rules, or a .rego file or folder";
                    faults.push(Fault::settings(OPTION, what, hint));
                    continue;
                }
            };
            if set.contains(&setting) {
                let what = format!("{} is the second of its kind", quoted(&path.to_string_lossy()));
                faults.push(Fault::settings(
                    OPTION,
                    what,
                    "put the .rego files into one folder, the rules into one file",
                ));
            }
            set.push(setting);
            overlay.set(setting, OPTION, whole(path));
        }
    }

    fn set_decision_point(&self, overlay: &mut Overlay, faults: &mut Vec<Fault>) {
        let is_of_aaf = self.api_key.is_some() || self.api_url.is_some();
        if is_of_aaf && self.pdp.as_deref().is_some_and(|pdp| pdp != "aaf") {
            let what = "the key and address of the Agent Action Firewall are not asked for by --pdp";
            faults.push(Fault::settings("--api-key, --api-url", what, "remove them, or write --pdp aaf"));
        }
        match &self.pdp {
            Some(pdp) => overlay.set("CALLGATE_PDP", "--pdp", pdp),
            None if is_of_aaf && !overlay.has("CALLGATE_PDP") => {
                let option = if self.api_key.is_some() { "--api-key" } else { "--api-url" };
                overlay.set("CALLGATE_PDP", option, "aaf");
            }
            None => {}
        }
        if let Some(key) = &self.api_key {
            overlay.env.retain(|name, _| !name.eq_ignore_ascii_case(KEY_FILE));
            overlay.set("AAF_API_KEY", "--api-key", key.expose());
        }
        if let Some(url) = &self.api_url {
            overlay.set("AAF_API_URL", "--api-url", url);
        }
        for setting in ["AXONFLOW_AI_AGENT", "CALLGATE_AAF_AGENT_ID"] {
            if !table::ALL.iter().any(|known| known.name == setting) {
                continue;
            }
            match &self.agent_id {
                Some(id) => overlay.set(setting, "--agent-id", id),
                None => overlay.default(setting, AGENT),
            }
        }
    }
}

/// The path from the root: settings take a relative one from elsewhere. `~` is theirs.
fn whole(path: &Path) -> OsString {
    if path.starts_with("~") {
        return path.into();
    }
    std::path::absolute(path).map_or_else(|_| path.into(), PathBuf::into_os_string)
}

/// What a server is called after its command: `uvx mcp-server-git --repository .` is `mcp-server-git`, and
/// `node /x/server-memory/dist/index.js` is `server-memory`.
fn name_of(command: &[OsString]) -> String {
    let words: Vec<String> = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = words.first().map_or("", String::as_str);
    let of_program = last_name(program);
    let is_runner = RUNNERS.contains(&of_program.as_str());
    let is_run = |word: &&String| !word.starts_with('-') && !RUNNERS_WORDS.contains(&word.as_str());
    let found = words.iter().skip(1).find(is_run).filter(|_| is_runner).map(|word| last_name(word));
    let name: String = found
        .unwrap_or(of_program)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .take(NAME_MAX)
        .collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "server".to_owned() } else { name }
}

/// The last part of a path or a package's name that says something, without its ending and its version.
fn last_name(word: &str) -> String {
    let parts = word.split(['/', '\\']).filter(|part| !part.is_empty());
    let stems: Vec<&str> = parts
        .map(|part| part.split_once('@').map_or(part, |(name, _)| if name.is_empty() { part } else { name }))
        .map(|part| {
            let endings = [".exe", ".cmd", ".js", ".mjs", ".cjs", ".ts", ".py", ".rb", ".sh"];
            endings.iter().find_map(|ending| part.strip_suffix(ending)).unwrap_or(part)
        })
        .collect();
    let telling = stems.iter().rev().find(|stem| !COMMON_NAMES.contains(stem));
    telling.or(stems.last()).map_or(String::new(), |stem| (*stem).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: WrapOptions,
    }

    fn options(line: &str) -> WrapOptions {
        Line::try_parse_from(format!("wrap {line}").split_whitespace()).expect("options").options
    }

    fn settings(line: &str, host: &[(&str, &str)]) -> BTreeMap<String, String> {
        let host = host.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        let overlay = options(line).over(&host).unwrap_or_else(|faults| panic!("{faults:?}"));
        overlay.env.into_iter().map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect()
    }

    #[test]
    fn options_are_settings() {
        let set = settings(
            "--profile read_only --allow read_* --allow list_* --deny *secret* --monitor --agent-id me -- uvx a",
            &[
                ("CALLGATE_TOOLS_DENY", "drop_*"),
                ("CALLGATE_TOOLS_ALLOW", "*"),
                ("AXONFLOW_BACKENDS_FILE", "/b"),
            ],
        );
        assert_eq!(set["CALLGATE_TOOLS_PROFILE"], "read_only");
        assert_eq!(set["CALLGATE_TOOLS_ALLOW"], "read_*,list_*", "the option wins");
        assert_eq!(set["CALLGATE_TOOLS_DENY"], "drop_*,*secret*", "what is denied adds up");
        assert_eq!((set["CALLGATE_MONITOR"].as_str(), set["AXONFLOW_AI_AGENT"].as_str()), ("on", "me"));
        assert_eq!(set["CALLGATE_LOG"], "warn");
        assert!(
            !set.contains_key("AXONFLOW_BACKENDS_FILE") && set["AXONFLOW_BACKENDS"].contains(r#""id":"a""#)
        );
    }

    #[test]
    fn what_no_option_says_stays_as_it_was_set() {
        let host = [("AXONFLOW_AI_AGENT", "mine"), ("CALLGATE_LOG", "debug"), ("CALLGATE_PDP", "axonflow")];
        let set = settings("--verbose -- a", &host);
        for (name, value) in host {
            assert_eq!(set[name], value);
        }
        let set = settings("--verbose -- a", &[]);
        assert_eq!((set["AXONFLOW_AI_AGENT"].as_str(), set["CALLGATE_LOG"].as_str()), ("mcp-proxy", "info"));
    }

    #[test]
    fn a_key_means_its_service_and_is_never_shown() {
        let line = "--api-key hunter2 --api-url https://aaf.test -- a";
        let set = settings(line, &[("AAF_API_KEY_FILE", "/k")]);
        assert_eq!((set["CALLGATE_PDP"].as_str(), set["AAF_API_KEY"].as_str()), ("aaf", "hunter2"));
        assert_eq!(set["AAF_API_URL"], "https://aaf.test");
        assert!(!set.contains_key("AAF_API_KEY_FILE"), "there is one key");
        assert!(!format!("{:?}", options(line)).contains("hunter2"));
    }

    #[test]
    fn policies_are_told_by_their_kind() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = format!("--policy rules.json --policy {} -- a", folder.path().display());
        let set = settings(&line, &[]);
        assert!(Path::new(&set["CALLGATE_POLICY_FILE"]).is_absolute());
        assert_eq!(Path::new(&set["CALLGATE_REGO"]), folder.path());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_under_the_options_name() {
        for (line, told) in [
            ("--deny a,b -- x", "settings: --deny: \"a,b\" is not one glob; repeat the option for each"),
            ("--policy rules.yaml -- x", "settings: --policy: \"rules.yaml\" is no kind of policy; "),
            (
                "--policy a.rego --policy b.rego -- x",
                "settings: --policy: \"b.rego\" is the second of its kind; ",
            ),
            ("--pdp embedded --api-key k -- x", "settings: --api-key, --api-url: "),
        ] {
            let Err(faults) = options(line).over(&Environment::new()) else { panic!("{line} was taken") };
            assert!(faults[0].to_string().starts_with(told), "{}", faults[0]);
        }
        let overlay = options("--pdp aaf -- x").over(&Environment::new());
        let Ok(overlay) = overlay else { panic!("a setting") };
        let named = overlay.named(vec![Fault::settings("CALLGATE_PDP", "is wrong", "")]);
        assert_eq!(named[0].to_string(), "settings: --pdp: is wrong");
    }

    #[test]
    fn a_server_is_called_after_what_is_run() {
        for (command, name) in [
            ("uvx mcp-server-git --repository .", "mcp-server-git"),
            ("npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /home", "server-filesystem"),
            ("node /opt/server-memory/dist/index.js", "server-memory"),
            ("python3 -m mcp_server_time", "mcp_server_time"),
            ("/usr/local/bin/crm --stdio", "crm"),
            ("C:\\tools\\crm.exe", "crm"),
            ("docker run -i mcp/git", "docker"),
            ("node", "node"),
            ("@", "server"),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(name_of(&words), name, "{command}");
        }
    }
}
