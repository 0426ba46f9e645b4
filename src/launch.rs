//! Says how each backend is reached: the program found, the environment made, the endpoint with its headers.

mod environment;
mod search_path;
#[cfg(test)]
mod tests;
mod wrapped;

use crate::catalogue::{CatalogueKey, CatalogueStore};
use crate::fault::quoted;
use crate::settings::{BackendEntry, Environment, HttpEntry, StdioEntry, Transport};
use callgate_actors::ports::{ChildPlan, HttpPlan, Launch, LaunchError, Plan, Stderr};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use wrapped::{NotRunnable, Wrapped};

/// Plans for the backends of the settings. Has no `Debug`: an inherited proxy address may hold a password.
pub struct Launcher {
    backends: BTreeMap<String, BackendEntry>,
    /// What every child sees, `PATH` included.
    inherited: BTreeMap<String, String>,
    catalogues: CatalogueStore,
}

impl Launcher {
    /// Plans for these backends, started from this environment (callgate's own); what they offer is kept below
    /// `state_dir`.
    pub fn new(backends: &[BackendEntry], env: &Environment, state_dir: &Path) -> Self {
        let mut inherited = environment::inherited(env);
        environment::set(&mut inherited, "PATH", search_path::extended(env));
        let backends = backends.iter().map(|entry| (entry.id.clone(), entry.clone())).collect();
        Self { backends, inherited, catalogues: CatalogueStore::new(state_dir) }
    }

    fn key(&self, id: &str, client_capabilities: &[u8]) -> Option<CatalogueKey> {
        let definition = definition(self.backends.get(id)?);
        Some(CatalogueKey::from_definition(id, definition.as_bytes(), client_capabilities))
    }

    fn child(&self, stdio: &StdioEntry) -> Result<ChildPlan, String> {
        let mut env = self.inherited.clone();
        for (name, value) in &stdio.env {
            environment::set(&mut env, name, value.expose().to_owned());
        }
        environment::remove_ours(&mut env);
        if let Some(cwd) = stdio.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
            let shown = quoted(&cwd.to_string_lossy());
            return Err(format!(
                "working directory {shown} is not a directory; set \"cwd\" to one that exists"
            ));
        }
        let program =
            program(&stdio.command, env.get("PATH").map_or("", String::as_str), stdio.cwd.as_deref())?;
        check_batch_arguments(&program, &stdio.args)?;
        Ok(ChildPlan {
            program,
            args: stdio.args.iter().map(Into::into).collect(),
            env: env.into_iter().map(|(name, value)| (name, value.into())).collect(),
            cwd: stdio.cwd.clone(),
            stderr: Stderr::Logged,
        })
    }
}

impl Launch for Launcher {
    fn plan(&self, id: &str) -> Result<Plan, LaunchError> {
        let entry = self
            .backends
            .get(id)
            .ok_or_else(|| LaunchError(format!("there is no backend {}", quoted(id))))?;
        match &entry.transport {
            Transport::Http(http) => Ok(Plan::Http(endpoint(http))),
            Transport::Stdio(stdio) => self
                .child(stdio)
                .map(Plan::Child)
                .map_err(|what| LaunchError(format!("backend {}: {what}", quoted(id)))),
        }
    }

    fn remembered(&self, id: &str, client_capabilities: &[u8]) -> Option<Vec<u8>> {
        self.catalogues.load(&self.key(id, client_capabilities)?)
    }

    fn remember(&self, id: &str, client_capabilities: &[u8], catalogue: &[u8]) {
        let Some(key) = self.key(id, client_capabilities) else { return };
        if let Err(error) = self.catalogues.save(&key, catalogue) {
            tracing::warn!("what backend {} offers cannot be kept for the next start: {error}", quoted(id));
        }
    }
}

/// What may change a backend's offer. Only the names of variables and headers: a digest of a short secret in a file
/// name could be guessed.
fn definition(entry: &BackendEntry) -> String {
    match &entry.transport {
        Transport::Http(http) => {
            let names: Vec<&str> = http.headers.iter().map(|(name, _)| name.as_str()).collect();
            format!("http {:?} {names:?}", http.url)
        }
        Transport::Stdio(stdio) => {
            let names: Vec<&str> = stdio.env.keys().map(|name| name.as_str()).collect();
            format!("stdio {:?} {:?} {:?} {names:?}", stdio.command, stdio.args, stdio.cwd)
        }
    }
}

fn endpoint(http: &HttpEntry) -> HttpPlan {
    let headers =
        http.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    HttpPlan { url: http.url.clone(), headers }
}

/// The absolute path of a command. On Windows the endings of `PATHEXT` are tried, so that `npx` is `npx.cmd`.
fn program(command: &str, path: &str, cwd: Option<&Path>) -> Result<PathBuf, String> {
    let shown = quoted(command);
    // Only a command with separators is taken from here; `/` then stands for a directory that is gone.
    let here =
        cwd.map(Path::to_path_buf).or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| "/".into());
    if let Ok(found) = which::which_in(command, Some(path), &here) {
        return Ok(found);
    }
    if Path::new(command).components().count() < 2 {
        return Err(format!("command {shown} not found in PATH; set \"command\" to an absolute path"));
    }
    let place = here.join(command);
    let looked = quoted(&place.to_string_lossy());
    Err(if place.is_dir() {
        format!("command {shown} is a directory; set \"command\" to a program")
    } else if place.exists() {
        format!("command {shown} is not executable; make it so, or name its interpreter in \"command\"")
    } else if place == Path::new(command) {
        format!("command {shown} does not exist; correct \"command\"")
    } else {
        format!("command {shown} does not exist at {looked}; set \"command\" to an absolute path")
    })
}

/// A batch file is run by `cmd.exe`, for which a line break ends the command: the standard library refuses to start it.
fn check_batch_arguments(program: &Path, args: &[String]) -> Result<(), String> {
    let is_batch = program
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("cmd") || ending.eq_ignore_ascii_case("bat"));
    match args.iter().position(|arg| is_batch && arg.contains(['\r', '\n', '\0'])) {
        None => Ok(()),
        Some(index) => Err(format!(
            "argument {index} has a line break, which a batch file cannot take; \
             set \"command\" to the program that {} starts",
            quoted(&program.to_string_lossy())
        )),
    }
}
