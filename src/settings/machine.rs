//! What settings need to know of the machine, and the places on its disk.

use super::reader::{Wrong, lookup};
use crate::fault::quoted;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest backends or secret file that is read: a thousand backends of 1 KiB each.
pub const MAX_SETTINGS_FILE_BYTES: u64 = 1024 * 1024;

/// Facts that are not in the environment. Made up in tests.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Name of the host, when it has one.
    pub host_name: Option<String>,
    /// The person's home directory, when the environment does not say.
    pub home: Option<PathBuf>,
    /// Seconds since 1970.
    pub unix_seconds: u64,
    /// Random bits.
    pub random: u64,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            host_name: gethostname::gethostname().into_string().ok(),
            home: etcetera::home_dir().ok(),
            unix_seconds: since.map_or(0, |since| since.as_secs()),
            random: fastrand::u64(..),
        }
    }

    /// `claude_desktop.<host>` (the AxonFlow contract, section 6.1).
    pub(super) fn gateway_id(&self) -> String {
        let host =
            self.host_name.as_deref().map(str::trim).filter(|host| !host.is_empty()).unwrap_or("unknown");
        let host: String = host
            .to_lowercase()
            .chars()
            .map(|c| if c.is_whitespace() || c == '.' { '-' } else { c })
            .collect();
        format!("claude_desktop.{host}")
    }

    /// `cd-<16 hex>-<unix seconds>` (the AxonFlow contract, section 6.1).
    pub(super) fn session_id(&self) -> String {
        format!("cd-{:016x}-{}", self.random, self.unix_seconds)
    }
}

/// The process's environment. Variables whose name is not UTF-8 are left out: none of ours can be among them.
pub fn environment() -> BTreeMap<String, OsString> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

/// Reads a settings file, which may be no longer than [`MAX_SETTINGS_FILE_BYTES`].
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SETTINGS_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SETTINGS_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB"));
    }
    Ok(bytes)
}

/// Where the person's files are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    home: Option<PathBuf>,
    state_root: Option<PathBuf>,
}

impl Places {
    /// From the environment, and from the machine where that says nothing.
    pub(super) fn new(env: &BTreeMap<String, OsString>, machine: &Machine) -> Self {
        // The base directory specification: a path that is not absolute is ignored.
        let absolute = |name| lookup(env, name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home_name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = absolute(home_name).or_else(|| machine.home.clone());
        let (root_name, below_home) = if cfg!(windows) {
            ("LOCALAPPDATA", "AppData/Local")
        } else {
            ("XDG_STATE_HOME", ".local/state")
        };
        let state_root = absolute(root_name).or_else(|| Some(home.as_ref()?.join(below_home)));
        Self { home, state_root }
    }

    /// The home directory as text.
    pub(super) fn home(&self) -> Option<String> {
        self.home.as_ref().and_then(|home| home.to_str()).map(str::to_owned)
    }

    /// The default state directory.
    pub(super) fn state_dir(&self) -> Result<PathBuf, Wrong> {
        let root = self.state_root.as_ref().ok_or_else(|| {
            Wrong::new("there is no home directory to keep state in", "set it to an absolute path")
        })?;
        Ok(root.join("callgate"))
    }

    /// The path with `~/` at its start made the home directory.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, Wrong> {
        let after = if cfg!(windows) { text.strip_prefix(r"~\") } else { None };
        match after.or_else(|| text.strip_prefix("~/")) {
            None => Ok(PathBuf::from(text)),
            Some(rest) => match &self.home {
                Some(home) => Ok(home.join(rest)),
                None => Err(Wrong::new(
                    format!("{} has no home directory", quoted(text)),
                    "write an absolute path",
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(host: Option<&str>) -> Machine {
        Machine { host_name: host.map(str::to_owned), home: None, unix_seconds: 1_700_000_000, random: 0xabc }
    }

    #[test]
    fn made_up_names_have_the_contracts_form() {
        assert_eq!(machine(Some("Ada's Mac.local")).gateway_id(), "claude_desktop.ada's-mac-local");
        assert_eq!(machine(None).gateway_id(), "claude_desktop.unknown");
        assert_eq!(machine(None).session_id(), "cd-0000000000000abc-1700000000");
    }

    #[cfg(unix)]
    #[test]
    fn the_state_directory_is_the_persons_own() {
        let state = |pairs: &[(&str, &str)]| {
            let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
            Places::new(&env, &machine(None)).state_dir()
        };
        assert_eq!(state(&[("HOME", "/home/a")]), Ok(PathBuf::from("/home/a/.local/state/callgate")));
        assert_eq!(state(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Ok(PathBuf::from("/s/callgate")));
        assert_eq!(
            state(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]),
            Ok(PathBuf::from("/h/.local/state/callgate"))
        );
        assert!(state(&[]).is_err());
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(MAX_SETTINGS_FILE_BYTES + 1).expect("a length");
        let error = read_file(file.path()).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
