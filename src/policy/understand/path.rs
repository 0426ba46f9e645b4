//! Reads paths in their canonical form: percent forms decoded, one kind of slash, doubled dots and slashes undone.

use crate::policy::signal::{Signal, Signals};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::sync::LazyLock;

/// What wakes this kind of understanding.
pub(super) const WAKE: &str = r"\.\.\.*[/\\;]|\.\.(?:%|\xc0|\xe3)|%2e|%c0%a[ef]|%u2215|/(?:etc|proc|root|run|boot|sys|var|home|users|opt|usr|private|dev)/|[\\/](?:windows|winnt|system32)|boot\.ini|win\.ini|\.(?:ssh|aws|kube|gnupg|docker|netrc|pgpass|git-credentials|bash_history|htpasswd|azure|npmrc|pypirc)\b|web-inf|wp-config|inetpub|sysprep|unattend|mlocate|%u(?:ff0e|002e|2215|2216)|\.\.\.[/\\]|//+\.\./|id_(?:rsa|dsa|ecdsa|ed25519)|/flag\b";

/// Files that hold secrets or govern the system, in canonical form.
static SENSITIVE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    build(
        r"(?:^|[\s'`=:(<>@,;|&/{}\x22])(?:
            /+(?:private/)?etc/(?:passwd|shadow|gshadow|sudoers(?:\.d/\S*)?|master\.passwd|security/\w+|ssh/ssh_host_\w+_key|krb5\.keytab|group|crontab|ssl/private/\S+|kubernetes/(?:admin\.conf|pki/\S+)|rancher/\S+\.yaml|mysql/(?:debian|my)\.cnf|issue|fstab|exports|hosts\.(?:allow|deny)|ld\.so\.preload|pam\.d/\S+|apache2/\S+|nginx/\S+|httpd/\S+)
          | /+proc/(?:self|\d+|version|cmdline|kcore|mounts|net|sched_debug)/?(?:environ|cmdline|maps|mem|fd|cwd|root|status|mounts|net/\w+|tcp|arp)?
          | /+root/\.\S+
          | /+var/(?:log/(?:auth\.log|secure|apache\S*|nginx\S*|httpd\S*|messages|syslog|mail\S*|vsftpd\S*)|run/(?:docker\.sock|secrets/\S+)|lib/(?:kubelet|mysql/mysql)/\S+|lib/[mp]?locate(?:/[mp]locate)?\.db|spool/cron\S*|mail/\S+|backups/\S+)
          | /+run/(?:secrets/\S+|docker\.sock)
          | /+boot/(?:grub\S*|vmlinuz\S*)
          | /+dev/(?:mem|kmem|sd[a-z]\d?)
          | (?:[a-z]:)?/+(?:windows|winnt)/(?:system32/[^\s/]+\.(?:rtf|txt|ini|log|dat)|win\.ini|system\.ini|system32/(?:config/\S+|drivers/etc/\S+|cmd\.exe|inetsrv/\S+)|repair/\S+|ntds/\S+|panther/\S+|php\.ini)
          | (?:[a-z]:)?/+(?:boot\.ini|autoexec\.bat|inetpub/(?:\S+\.(?:config|log|asa)|logs/\S*)|sysprep(?:/sysprep)?\.(?:inf|xml)|unattend(?:ed)?\.(?:xml|txt))
          | [a-z]\$/+(?:windows|winnt)/\S+
          | /+usr/local/(?:apache\d?|nginx|httpd)/(?:logs?|conf)/\S+
          | /+wp-config\.php | /+\S*/web-inf/web\.xml | /+flag(?:\.txt)?
          | \S*/?\.(?:bash_history|zsh_history|mysql_history|psql_history|netrc|pgpass|git-credentials|htpasswd)
          | \S*/?\.ssh/(?:id_\w+|identity|authorized_keys|known_hosts|config)
          | \S*/?\.aws/(?:credentials|config) | \S*/?\.kube/config | \S*/?\.docker/config\.json | \S*/?\.gnupg/\S+
          | \S*/?\.azure/\S*tokens?\S* | \S*/?\.config/gcloud/\S*(?:credentials|tokens)\S* | \S*/?\.(?:npmrc|pypirc)
        )(?:$|[\s'`\x22?\x00\#)<>,;:|&%/}]|\.(?:\s|$))",
    )
});
/// Climbing, in canonical form: three steps and more, or two to a system's folder.
static CLIMBS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    build(
        r"(?:\.\./+){1,}(?:[\w.-]+/+){0,3}(?:etc/|proc/|root/|windows/|winnt/|var/|usr/|boot\.ini|win\.ini|home/|users/|\.ssh|\.aws|\.env|\.git/|web-inf|wp-config|passwd|shadow|config\.php|system32)|(?:\.\./+){3,}[^\s'`\x22]*|(?:^|[=\s])(?:/[\w.-]+)+(?:/\.\.){2,}/|https?://[^\s/]+/+(?:\.\./){2,}",
    )
});

fn build(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).case_insensitive(true).ignore_whitespace(true).build().ok()
}

/// Adds what the paths in `text` name.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    let (canonical, disguised) = canonical(text);
    let is_in =
        |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_none_or(|regex| regex.is_match(&canonical));
    if is_in(&SENSITIVE) && !is_public_key(&canonical) {
        signals.add(Signal::PathSensitive);
    }
    let climbs = canonical.contains("../");
    // Programs import and build through several `..`; they do not encode them.
    if climbs && (disguised || (is_in(&CLIMBS) && !is_program_text(text))) {
        signals.add(Signal::PathTraversal);
    }
}

fn is_public_key(text: &str) -> bool {
    text.contains(".pub") && !text.contains("/etc/")
}

/// A line of a program or a build that names files beside it.
fn is_program_text(text: &str) -> bool {
    let words = [
        "import ", "require(", "from '", "from \"", "#include", "href=", "src=", "](../", "cd ../",
        "@import", "ln -s", "COPY ", "path =",
    ];
    let system = ["etc/", "passwd", "shadow", "windows", "proc/self", "boot.ini", "win.ini"];
    words.iter().any(|word| text.contains(word))
        && !system.iter().any(|word| text.to_ascii_lowercase().contains(word))
}

/// The text with paths in canonical form, and whether dots or slashes of it were disguised.
fn canonical(text: &str) -> (Cow<'_, str>, bool) {
    let mut disguised = false;
    let mut current = Cow::Borrowed(text);
    // Twice encoded is common; three times is read, too.
    for _ in 0..3 {
        match super::decode::percent(&current) {
            Some(decoded) => {
                let dots = |text: &str| {
                    memchr::memmem::find_iter(text.as_bytes(), b"../").count()
                        + memchr::memmem::find_iter(text.as_bytes(), b"..\\").count()
                };
                disguised |= dots(&decoded) > dots(&current);
                current = Cow::Owned(decoded);
            }
            None => break,
        }
    }
    let odd = ["\\", "..../", "....\\", "..;/", "/./", ".../", "\u{ff0e}", "\u{2215}", "\u{c0}\u{af}"];
    if odd.iter().any(|form| current.contains(form)) {
        let text = current.replace('\u{ff0e}', ".").replace(['\u{2215}', '\\'], "/");
        let plain = text.replace("/./", "/");
        let undone = plain
            .replace("....//", "../")
            .replace("..../", "../")
            .replace("..;/", "../")
            .replace(".../", "../");
        disguised |= undone != plain;
        current = Cow::Owned(undone);
    }
    (current, disguised)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Signal> {
        crate::policy::understand::found(judge, text)
    }

    #[test]
    fn disguises_are_seen_through() {
        for path in [
            "../../../etc/passwd",
            "..%2f..%2f..%2fetc%2fpasswd",
            "%2e%2e/%2e%2e/x",
            "..%252f..%252fboot.ini",
            "....//....//etc/hosts",
            "..\\..\\..\\windows\\win.ini",
            "..;/..;/manager/html",
            "/var/www/../../etc/passwd",
        ] {
            assert!(of(path).contains(&Signal::PathTraversal), "{path}");
        }
    }

    #[test]
    fn sensitive_files_are_known() {
        assert!(SENSITIVE.is_some() && CLIMBS.is_some(), "the expressions compile");
        for path in [
            "/etc/passwd",
            "file:///etc/shadow",
            "/proc/self/environ",
            "C:\\Windows\\System32\\config\\SAM",
            "~/.aws/credentials",
            "cat ~/.ssh/id_rsa",
            "/root/.bash_history",
        ] {
            assert!(of(path).contains(&Signal::PathSensitive), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "import x from '../../../lib/x'",
            "../src/etc.rs",
            "/home/a/notes.txt",
            "/etc/nginx.md",
            "~/.ssh/id_rsa.pub",
            "src/proc/self.rs",
            "100%2e",
            "/usr/share/doc",
        ] {
            assert_eq!(of(path), [], "{path}");
        }
    }
}
