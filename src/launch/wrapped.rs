//! The one server that `callgate wrap` runs, started as a shell would start it: found in the same places, with the
//! environment that the host gave for it, and with our own standard error.

use super::{check_batch_arguments, search_path};
use crate::fault::quoted;
use crate::settings::families::is_ours;
use crate::settings::{Environment, lookup};
use callgate_actors::ports::{ChildPlan, Launch, LaunchError, Plan, Stderr};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a shell ends with when there is no such command (POSIX.1-2017, Shell Command Language, 2.8.2).
const NOT_FOUND: u8 = 127;
/// What a shell ends with when there is one that cannot be run.
const NOT_EXECUTABLE: u8 = 126;

/// A server that can be run. Has no `Debug`: its environment is the host's.
#[derive(Clone)]
pub struct Wrapped {
    plan: ChildPlan,
}

/// Why a command cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunnable {
    /// What a shell would end with.
    pub exit_code: u8,
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub hint: &'static str,
}

impl Wrapped {
    /// Finds `command` as a shell in `env` would, or where people have their programs when a host knows only the
    /// system's directories. Of `env` the server gets everything but our own three families of variables.
    pub fn find(command: &OsStr, args: &[OsString], env: &Environment) -> Result<Self, NotRunnable> {
        let own = lookup(env, "PATH").cloned().unwrap_or_default();
        let mut env: Environment = env
            .iter()
            .filter(|(name, _)| !is_ours(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let program = match which::which_in(command, Some(&own), &here) {
            Ok(program) => program,
            Err(_) => {
                let extended = search_path::extended(&env);
                let found = which::which_in(command, Some(&extended), &here);
                let program = found.map_err(|_| not_runnable(command, &here))?;
                // What lies beside it is found by the program too: `npx` runs `node`.
                env.retain(|name, _| !(cfg!(windows) && name.eq_ignore_ascii_case("PATH")));
                env.insert("PATH".into(), extended.into());
                program
            }
        };
        let texts: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        check_batch_arguments(&program, &texts).map_err(|what| NotRunnable {
            exit_code: NOT_EXECUTABLE,
            what,
            hint: "",
        })?;
        let plan = ChildPlan { program, args: args.to_vec(), env, cwd: None, stderr: Stderr::Inherited };
        Ok(Self { plan })
    }
}

impl Launch for Wrapped {
    fn plan(&self, _: &str) -> Result<Plan, LaunchError> {
        Ok(Plan::Child(self.plan.clone()))
    }

    /// Nothing answers for a server that is not there.
    fn remembered(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn remember(&self, _: &str, _: &[u8], _: &[u8]) {}
}

fn not_runnable(command: &OsStr, here: &Path) -> NotRunnable {
    let shown = quoted(&command.to_string_lossy());
    let place: PathBuf = here.join(command);
    let is_path = Path::new(command).components().count() > 1;
    let (exit_code, what, hint) = if is_path && place.is_dir() {
        (NOT_EXECUTABLE, format!("{shown} is a directory"), "name a program behind --")
    } else if is_path && place.exists() {
        let hint = "make it executable, or put its interpreter before it";
        (NOT_EXECUTABLE, format!("{shown} is not executable"), hint)
    } else {
        (NOT_FOUND, format!("command {shown} not found"), "install it, or write its whole path behind --")
    };
    NotRunnable { exit_code, what, hint }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
    }

    fn find(command: &str, env: &Environment) -> Result<ChildPlan, NotRunnable> {
        Wrapped::find(OsStr::new(command), &["a b".into()], env).map(|wrapped| wrapped.plan)
    }

    #[test]
    fn the_server_gets_the_hosts_environment_without_our_families() {
        let host = env(&[
            ("PATH", "/usr/bin:/bin:."),
            ("GITHUB_TOKEN", "t"),
            ("NODE_OPTIONS", "--x"),
            ("AAF_API_KEY", "hunter2"),
            ("AXONFLOW_USER_TOKEN", "hunter2"),
            ("callgate_log", "info"),
        ]);
        let plan = find("sh", &host).expect("a shell");
        assert_eq!(plan.env.keys().collect::<Vec<_>>(), ["GITHUB_TOKEN", "NODE_OPTIONS", "PATH"]);
        assert_eq!(plan.env["PATH"], "/usr/bin:/bin:.", "as the host gave it");
        assert_eq!((plan.args, plan.cwd, plan.stderr), (vec!["a b".into()], None, Stderr::Inherited));
    }

    #[test]
    fn a_program_of_the_home_directory_is_found_and_finds_its_neighbours() {
        let home = tempfile::tempdir().expect("a directory");
        let bin = home.path().join(".local/bin");
        std::fs::create_dir_all(&bin).expect("made");
        std::os::unix::fs::symlink("/bin/sh", bin.join("my-server")).expect("linked");
        let home_text = home.path().to_str().expect("UTF-8");
        let plan = find("my-server", &env(&[("PATH", "/usr/bin:/bin"), ("HOME", home_text)])).expect("found");
        assert_eq!(plan.program, bin.join("my-server"));
        assert!(plan.env["PATH"].to_str().is_some_and(|path| path.contains(".local/bin")), "{plan:?}");
    }

    #[test]
    fn what_cannot_be_run_ends_as_in_a_shell() {
        let host = env(&[("PATH", "/usr/bin:/bin"), ("HOME", "/nowhere")]);
        let code = |command: &str| find(command, &host).expect_err("no program").exit_code;
        assert_eq!((code("no-such-program"), code("/no/such/program")), (127, 127));
        assert_eq!((code("/etc/passwd"), code("/usr/bin/")), (126, 126));
    }
}
