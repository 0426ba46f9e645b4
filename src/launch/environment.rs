//! The environment that a child starts with: an allow-list, so that no secret of ours or of the host reaches it.

use crate::settings::Environment;
use crate::settings::families::is_ours;
use std::collections::BTreeMap;

/// Variables that programs need to run at all, find their files, and reach the network. Loader variables
/// (`LD_PRELOAD`, `NODE_OPTIONS`, …) are not among them: an entry declares them where it means them.
const ALLOWED: &[&str] = &[
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    // The network.
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    // Windows.
    "ALLUSERSPROFILE",
    "APPDATA",
    "COMPUTERNAME",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "SystemDrive",
    "SystemRoot",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
    "windir",
];

/// Families of such variables.
const ALLOWED_FAMILIES: &[&str] = &["LC_", "XDG_", "PROGRAMFILES", "COMMONPROGRAMFILES"];

/// What a child sees of callgate's environment. Values that are not UTF-8 cannot be told to every system and stay out.
pub(super) fn inherited(env: &Environment) -> BTreeMap<String, String> {
    let allowed = env.iter().filter(|(name, _)| is_allowed(name, cfg!(windows)));
    allowed.filter_map(|(name, value)| Some((name.clone(), value.to_str()?.to_owned()))).collect()
}

/// Sets a variable; on Windows it takes the place of the same name in another case.
pub(super) fn set(env: &mut BTreeMap<String, String>, name: &str, value: String) {
    if !cfg!(windows) {
        env.insert(name.to_owned(), value);
        return;
    }
    env.retain(|other, _| !other.eq_ignore_ascii_case(name));
    // Looked up under this spelling afterwards.
    let name = if name.eq_ignore_ascii_case("PATH") { "PATH" } else { name };
    env.insert(name.to_owned(), value);
}

/// Takes out callgate's own families. Settings refuse them before; this is the last gate before a child.
pub(super) fn remove_ours(env: &mut BTreeMap<String, String>) {
    env.retain(|name, _| !is_ours(name));
}

fn is_allowed(name: &str, ignore_case: bool) -> bool {
    let same = |known: &str, name: &str| known == name || (ignore_case && known.eq_ignore_ascii_case(name));
    let in_family =
        |family: &str| name.get(..family.len()).is_some_and(|start| same(family, start)) && !is_ours(name);
    ALLOWED.iter().any(|known| same(known, name)) || ALLOWED_FAMILIES.iter().any(|family| in_family(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_kept() {
        for name in ["PATH", "LC_ALL", "XDG_RUNTIME_DIR", "https_proxy", "SystemRoot", "PROGRAMFILES(X86)"] {
            assert!(is_allowed(name, false), "{name}");
        }
        for name in
            ["LD_PRELOAD", "NODE_OPTIONS", "AWS_SECRET_ACCESS_KEY", "path", "LCD", "", "ANTHROPIC_API_KEY"]
        {
            assert!(!is_allowed(name, false), "{name}");
        }
        assert!(
            is_allowed("Path", true) && is_allowed("ProgramFiles(x86)", true) && is_allowed("ComSpec", true)
        );
    }
}
