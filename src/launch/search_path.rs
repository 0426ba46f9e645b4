//! Where commands are looked for. A host that was started from the dock or the menu has only the system's directories in
//! its `PATH`, and none of those in which people have `node`, `npx` or `uvx`.

use crate::settings::{Environment, lookup};
use std::path::{Path, PathBuf};

/// Directories of a `PATH` that no login shell has extended: launchd's, systemd's and a bare container's.
const SYSTEM: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/games",
    "/snap/bin",
];

/// Where people's programs are, in the order in which they are looked through after `PATH`.
const COMMON: &[&str] =
    &["/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin", "/snap/bin"];

/// The same below the home directory.
const COMMON_BELOW_HOME: &[&str] = &[
    ".local/bin",
    ".cargo/bin",
    ".volta/bin",
    ".local/share/mise/shims",
    ".asdf/shims",
    ".bun/bin",
    ".deno/bin",
];

/// The `PATH` for looking up commands and for children, so that `npx` finds its `node`: callgate's own without relative
/// directories, which would depend on the working directory, and, where it is a system's bare one, the common
/// directories behind it.
pub(super) fn extended(env: &Environment) -> String {
    let own =
        lookup(env, "PATH").map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    let mut directories: Vec<PathBuf> = own.into_iter().filter(|directory| directory.is_absolute()).collect();
    if cfg!(unix) && directories.is_empty() {
        directories.extend(["/usr/bin", "/bin"].map(PathBuf::from));
    }
    let is_bare =
        directories.iter().all(|directory| SYSTEM.iter().any(|known| Path::new(known) == directory));
    if cfg!(unix) && is_bare {
        let home = lookup(env, "HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let below_home = home.iter().flat_map(|home| COMMON_BELOW_HOME.iter().map(|below| home.join(below)));
        let nvm = home.iter().flat_map(|home| nvm(home));
        for directory in COMMON.iter().map(PathBuf::from).chain(below_home).chain(nvm) {
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
    }
    // A directory whose name holds the separator cannot be joined; the path that came then stays as it is.
    let joined = std::env::join_paths(directories);
    joined.unwrap_or_else(|_| lookup(env, "PATH").cloned().unwrap_or_default()).to_string_lossy().into_owned()
}

/// Where nvm keeps Node: the directory it links to, then the newest version.
fn nvm(home: &Path) -> Vec<PathBuf> {
    let root = home.join(".nvm");
    let mut found = vec![root.join("current/bin")];
    let versions = std::fs::read_dir(root.join("versions/node")).into_iter().flatten().flatten();
    let newest =
        versions.filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path()))).max();
    found.extend(newest.map(|(_, path)| path.join("bin")));
    found.retain(|directory| directory.is_dir());
    found
}

/// `v20.11.1` as numbers.
fn version(name: &str) -> Option<Vec<u32>> {
    name.strip_prefix('v')?.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn path(path: Option<&str>, home: &str) -> String {
        let pairs = [("PATH", path), ("HOME", Some(home))];
        let env =
            pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), OsString::from(value?))));
        extended(&env.collect())
    }

    #[test]
    fn a_login_shells_path_stays_as_it_is_but_for_relative_directories() {
        assert_eq!(path(Some("/home/a/bin:/usr/bin:.::rel"), "/home/a"), "/home/a/bin:/usr/bin");
    }

    #[test]
    fn launchds_path_is_extended_behind_its_end() {
        let extended = path(Some("/usr/bin:/bin:/usr/sbin:/sbin"), "/home/a");
        assert!(
            extended.starts_with("/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin:"),
            "{extended}"
        );
        assert!(extended.contains(":/home/a/.local/bin:/home/a/.cargo/bin:"), "{extended}");
    }

    #[test]
    fn nvms_newest_node_is_found() {
        let home = tempfile::tempdir().expect("a directory");
        for version in ["v9.9.9", "v20.1.0", "v18.20.0", "system"] {
            std::fs::create_dir_all(home.path().join(".nvm/versions/node").join(version).join("bin"))
                .expect("made");
        }
        let extended = path(Some("/usr/bin:/bin"), home.path().to_str().expect("UTF-8"));
        assert!(extended.ends_with("/.nvm/versions/node/v20.1.0/bin"), "{extended}");
        assert!(!extended.contains("v18.20.0"), "{extended}");
    }

    #[test]
    fn without_a_path_the_systems_programs_are_still_found() {
        assert!(path(None, "/home/a").split(':').any(|directory| directory == "/usr/bin"));
    }
}
