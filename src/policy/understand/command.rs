//! Reads command lines as a shell does and judges each command by program, flags and target.

use crate::policy::signal::{Signal, Signals};

/// What wakes this kind of understanding: programs that destroy, raise rights or carry away, and marks behind which a
/// second command stands.
pub(super) const WAKE: &str = r"\b(?:rm|rmdir|unlink|shred|dd|mkfs\S*|wipefs|blkdiscard|fdisk|chmod|chown|chattr|truncate|mv|find|nc|ncat|netcat|socat|telnet|setenforce|iptables|ufw|auditctl|systemctl|service|useradd|usermod|adduser|passwd|visudo|sudoers|crontab|insmod|modprobe|kill|pkill|killall|shutdown|reboot|halt|poweroff|init|history|unset|rmmod|chgrp|remove-item|format-volume|clear-disk|initialize-disk|remove-partition|set-mppreference|erase|docker|kubectl|nsenter|chroot|mimikatz|vssadmin|bcdedit|reg|net|netsh|schtasks|wevtutil|cipher|diskpart|powershell|certutil|bitsadmin|mshta|regsvr32|rundll32|del|rd|format|setcap|ld_preload|gdb|strace|tcpdump|git|terraform|aws|gcloud)\b|[;&|`]\s*(?:cat|id|whoami|ls|uname|ping|curl|wget|nslookup|dig|sleep|echo|env|printenv|ifconfig|ip|ps|netstat|type|dir|net|bash|sh|python\d?|perl|php|ruby|nc|rm|touch|head|tail|more|less|which|hostname|pwd|tasklist|systeminfo|ipconfig|powershell|cmd)\b|/etc/(?:cron|sudoers|passwd|shadow|ld\.so)|\$\(|\x60|/bin/(?:ba|da|z)?sh\b";

/// Simple commands of one text that are looked at; text with more is a program, and judged by its patterns.
const COMMANDS: usize = 2_000;

/// Longest text that is looked at as a value that goes on as a command.
const VALUE_BYTES: usize = 2_000;

/// One simple command: its words, quotes removed, and what stands before it.
struct Simple {
    words: Vec<String>,
    /// The mark before it: `;`, `|`, `&`, newline, `$(`, or a backtick.
    behind: Option<char>,
}

/// Adds what the commands in `text` do.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    let commands = split(text);
    for (at, command) in commands.iter().enumerate() {
        one(command, signals);
        if let [.., before] = &commands[..at]
            && removes_here(before, command)
        {
            signals.add(Signal::CommandDestroys);
        }
        if at > 0
            && text.len() <= VALUE_BYTES
            && matches!(command.behind, Some(';' | '|' | '&' | '`' | '$' | '\n'))
        {
            injected(text, &commands, at, signals);
        }
    }
}

/// The simple commands, words unquoted.
fn split(text: &str) -> Vec<Simple> {
    let mut commands = vec![Simple { words: Vec::new(), behind: None }];
    let (mut word, mut in_word) = (String::new(), false);
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if let Some(mark) = quote {
            if c == mark {
                quote = None;
            } else if matches!(c, '`') && mark == '"' {
                // Runs inside double quotes, too.
                end_word(&mut commands, &mut word, &mut in_word);
                next_command(&mut commands, '`');
                quote = None;
            } else {
                word.push(c);
            }
            continue;
        }
        match c {
            // An apostrophe inside a word of language opens nothing.
            '\'' | '"' if !in_word || word.ends_with('=') || word.ends_with('/') => {
                quote = Some(c);
                in_word = true;
            }
            '\\' => {
                // Escapes hide letters from a reader, not from the shell; on Windows it is a separator.
                if let Some(next) = chars.next_if(|next| !next.is_alphanumeric()) {
                    word.push(next);
                } else {
                    word.push('\\');
                }
                in_word = true;
            }
            ';' | '|' | '\n' | '`' => {
                end_word(&mut commands, &mut word, &mut in_word);
                next_command(&mut commands, c);
            }
            '&' => {
                end_word(&mut commands, &mut word, &mut in_word);
                next_command(&mut commands, c);
            }
            '$' if chars.peek() == Some(&'(') => {
                chars.next();
                end_word(&mut commands, &mut word, &mut in_word);
                next_command(&mut commands, '$');
            }
            '(' | ')' | '{' | '}' => end_word(&mut commands, &mut word, &mut in_word),
            c if c.is_whitespace() => end_word(&mut commands, &mut word, &mut in_word),
            _ => {
                word.push(c);
                in_word = true;
            }
        }
        if commands.len() > COMMANDS {
            break;
        }
    }
    end_word(&mut commands, &mut word, &mut in_word);
    commands
}

fn end_word(commands: &mut [Simple], word: &mut String, in_word: &mut bool) {
    if *in_word && let Some(command) = commands.last_mut() {
        command.words.push(std::mem::take(word));
    }
    *in_word = false;
}

fn next_command(commands: &mut Vec<Simple>, behind: char) {
    let several = commands.len() > 1;
    match commands.last_mut() {
        // `&&`, `||` and empty lines make no empty commands.
        Some(last) if last.words.is_empty() && several => last.behind = Some(behind),
        _ => commands.push(Simple { words: Vec::new(), behind: Some(behind) }),
    }
}

/// The program's name without its folder and the words before it that only wrap it, and its arguments.
fn program(command: &Simple) -> Option<(&str, &[String])> {
    const WRAPPERS: &[&str] = &[
        "sudo", "doas", "nohup", "time", "nice", "env", "exec", "command", "then", "do", "xargs", "busybox",
        "stdbuf", "timeout", "setsid", "else", "!",
    ];
    let mut words = command.words.as_slice();
    while let [first, rest @ ..] = words {
        let wraps =
            WRAPPERS.contains(&first.as_str()) || first.contains('=') && !first.starts_with(['-', '/', '=']);
        let flag = first.starts_with('-') || (first.parse::<u32>().is_ok());
        if wraps || (flag && words.len() < command.words.len()) {
            words = rest;
            continue;
        }
        let name = first.rsplit('/').next().unwrap_or(first);
        return Some((name, rest));
    }
    None
}

fn one(command: &Simple, signals: &mut Signals) {
    let Some((name, arguments)) = program(command) else { return };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // A short flag, alone or among others.
    let short = |flag: char| {
        arguments
            .iter()
            .any(|a| a.starts_with('-') && !a.starts_with("--") && a.len() < 8 && a[1..].contains(flag))
    };
    let system_target = || arguments.iter().any(|argument| is_system(argument));
    let is = |first: &str| arguments.first().is_some_and(|argument| argument.eq_ignore_ascii_case(first));
    let signal = match name {
        "rm" if (short('r') || short('R') || has("--recursive")) && system_target() => {
            Signal::CommandDestroys
        }
        "shred" | "truncate" if system_target() => Signal::CommandDestroys,
        "mv" if arguments.last().is_some_and(|target| target == "/dev/null") && system_target() => {
            Signal::CommandDestroys
        }
        "chmod"
            if (short('R') || has("--recursive"))
                && arguments.iter().any(|a| is_system(a) && a.len() > 1 || a == "/")
                && arguments.iter().any(|a| matches!(a.as_str(), "777" | "000" | "0777" | "a+rwx")) =>
        {
            Signal::CommandDestroys
        }
        "chmod" if arguments.iter().any(|a| is_setuid(a)) => Signal::CommandPrivilege,
        "chmod"
            if arguments.iter().any(|a| matches!(a.as_str(), "777" | "0777" | "a+rwx" | "000"))
                && arguments.iter().any(|a| is_folder_of_the_system(a)) =>
        {
            Signal::CommandPrivilege
        }
        "chown" | "chgrp"
            if arguments.iter().any(|a| a == "/")
                || (short('R') || has("--recursive"))
                    && arguments.iter().any(|a| is_folder_of_the_system(a)) =>
        {
            Signal::CommandDestroys
        }
        "insmod" | "modprobe" | "rmmod" if arguments.iter().any(|a| !a.starts_with('-')) => {
            Signal::CommandPrivilege
        }
        "nc" | "ncat" | "netcat" if listens(arguments) => Signal::CommandReverseShell,
        "remove-item" | "ri"
            if has_any(arguments, &["-recurse", "-r"]) && arguments.iter().any(|a| is_windows_root(a)) =>
        {
            Signal::CommandDestroys
        }
        "format-volume" | "clear-disk" | "initialize-disk" | "remove-partition" => Signal::CommandDisk,
        "set-mppreference" if has_any(arguments, &["-disablerealtimemonitoring"]) => Signal::CommandPrivilege,
        "format"
            if arguments.first().is_some_and(|a| is_windows_root(a))
                && arguments[1..].iter().all(|a| a.starts_with('/')) =>
        {
            Signal::CommandDisk
        }
        "del" | "erase" | "rd" | "rmdir"
            if has_any(arguments, &["/s"]) && arguments.iter().any(|a| is_windows_root(a)) =>
        {
            Signal::CommandDestroys
        }
        "chmod"
            if arguments
                .iter()
                .any(|a| matches!(a.as_str(), "777" | "0777" | "666" | "a+w" | "o+w" | "+w"))
                && arguments.iter().any(|a| a.starts_with("/etc/")) =>
        {
            Signal::CommandPrivilege
        }
        "chattr" if has("-i") && system_target() => Signal::CommandPrivilege,
        "setenforce" if is("0") || is("permissive") => Signal::CommandPrivilege,
        "iptables" | "ip6tables" | "nft" if has("-F") || has("--flush") || has("-X") || is("flush") => {
            Signal::CommandPrivilege
        }
        "ufw" if is("disable") || is("reset") => Signal::CommandPrivilege,
        "auditctl" if has("-e") && has("0") || has("-D") => Signal::CommandPrivilege,
        "systemctl" | "service" if stops_protection(arguments) => Signal::CommandPrivilege,
        "usermod"
            if arguments
                .iter()
                .any(|a| matches!(a.as_str(), "sudo" | "wheel" | "root" | "admin" | "docker")) =>
        {
            Signal::CommandPrivilege
        }
        "useradd" | "adduser"
            if has("0") || arguments.iter().any(|a| matches!(a.as_str(), "sudo" | "wheel" | "root")) =>
        {
            Signal::CommandPrivilege
        }
        "setcap" if arguments.iter().any(|a| a.starts_with("cap_") && a.contains("+e")) => {
            Signal::CommandPrivilege
        }
        "tee"
            if arguments
                .iter()
                .any(|a| a.starts_with("/etc/sudoers") || a == "/etc/passwd" || a == "/etc/shadow") =>
        {
            Signal::CommandPrivilege
        }
        "docker" | "podman" if is("run") && (has("--privileged") && has("-v") || mounts_root(arguments)) => {
            Signal::CommandPrivilege
        }
        "nsenter" if has("-t") && has("1") || has("--target") && has("1") => Signal::CommandPrivilege,
        "net" | "net1" if is("user") && has("/add") || is("localgroup") && has("/add") => {
            Signal::CommandPrivilege
        }
        "netsh" if is("advfirewall") && has("off") => Signal::CommandPrivilege,
        "reg"
            if is("save")
                && arguments.iter().any(|a| {
                    a.to_ascii_lowercase().starts_with("hklm\\sa")
                        || a.to_ascii_lowercase().starts_with("hklm\\sec")
                }) =>
        {
            Signal::CommandCredentials
        }
        "vssadmin" | "wbadmin" if is("delete") => Signal::CommandDestroys,
        "bcdedit" if has("/set") || is("/delete") => Signal::CommandDestroys,
        "wevtutil" if is("cl") => Signal::CommandPrivilege,
        "mimikatz" | "procdump" | "lazagne" | "secretsdump.py" => Signal::CommandCredentials,
        "certutil" if arguments.iter().any(|a| a.eq_ignore_ascii_case("-urlcache")) => {
            Signal::CommandRunsDownload
        }
        "bitsadmin" if has("/transfer") => Signal::CommandRunsDownload,
        "mshta" if arguments.iter().any(|a| a.contains("http") || a.contains("script:")) => {
            Signal::CommandRunsDownload
        }
        "regsvr32" if arguments.iter().any(|a| a.to_ascii_lowercase().contains("/i:http")) => {
            Signal::CommandRunsDownload
        }
        "kill" if has("-9") && (has("-1") || has("1")) => Signal::CommandDestroys,
        "kubectl" if is("delete") && (has("--all") || has("--all-namespaces")) => Signal::CommandDestroys,
        "git" if is("push") && (has("--mirror") && has("--force")) => Signal::CommandDestroys,
        "terraform"
            if is("destroy")
                && arguments
                    .iter()
                    .any(|a| a.starts_with("-auto-approve") || a.starts_with("--auto-approve")) =>
        {
            Signal::CommandDestroys
        }
        "aws"
            if is("s3") && has("rb") && has("--force")
                || is("s3")
                    && has("rm")
                    && has("--recursive")
                    && arguments.iter().any(|a| {
                        a.starts_with("s3://") && a.trim_end_matches('/').matches('/').count() == 2
                    }) =>
        {
            Signal::CommandDestroys
        }
        _ => return redirected(command, signals),
    };
    signals.add(signal);
}

fn has_any(arguments: &[String], flags: &[&str]) -> bool {
    arguments.iter().any(|argument| flags.iter().any(|flag| argument.eq_ignore_ascii_case(flag)))
}

/// The root or a folder right below it that the system needs; not somebody's own, and not what lies deeper.
fn is_folder_of_the_system(path: &str) -> bool {
    const FOLDERS: &[&str] =
        &["etc", "usr", "bin", "sbin", "lib", "lib64", "boot", "dev", "var", "root", "sys"];
    let trimmed = path.trim_end_matches(['*', '/']);
    path == "/" || path == "/*" || trimmed.strip_prefix('/').is_some_and(|name| FOLDERS.contains(&name))
}

/// A drive, or the system's folders on it.
fn is_windows_root(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    let plain = lower.trim_matches(['"', '\'']).trim_end_matches(['*', '\\', '.']);
    let [drive, b':', rest @ ..] = plain.as_bytes() else {
        return matches!(plain, "%systemroot%" | "$env:systemroot" | "%systemdrive%" | "$env:systemdrive");
    };
    drive.is_ascii_alphabetic() && matches!(rest, b"" | b"\\windows" | b"\\windows\\system32" | b"\\users")
}

/// `nc -lvp 4444`: the flags of those who wait for a shell. Plain `-l` tests a port.
fn listens(arguments: &[String]) -> bool {
    let flags: String =
        arguments.iter().filter(|a| a.starts_with('-') && !a.starts_with("--")).cloned().collect();
    flags.contains('l') && flags.contains('v') && (flags.contains('p') || flags.contains('n'))
}

/// Output redirected into what governs the system.
fn redirected(command: &Simple, signals: &mut Signals) {
    let mut words = command.words.iter().peekable();
    while let Some(word) = words.next() {
        let target = match word.trim_start_matches('1') {
            ">" | ">>" => words.peek().map(|next| next.as_str()),
            attached if attached.starts_with('>') => Some(attached.trim_start_matches('>')),
            _ => None,
        };
        if target.is_some_and(|t| {
            t.starts_with("/etc/sudoers")
                || matches!(
                    t,
                    "/etc/passwd" | "/etc/shadow" | "/etc/crontab" | "/etc/ld.so.preload" | "/etc/hosts"
                )
                || t.starts_with("/etc/cron")
                || t.ends_with(".ssh/authorized_keys")
        }) {
            signals.add(Signal::CommandPrivilege);
        }
    }
}

/// `cd / && rm -rf *`: everything in a system's folder.
fn removes_here(before: &Simple, command: &Simple) -> bool {
    let [cd, folder] = before.words.as_slice() else { return false };
    let Some(("rm", arguments)) = program(command) else { return false };
    let recursive = arguments.iter().any(|a| a.starts_with('-') && a.contains(['r', 'R']));
    let all = arguments.iter().any(|a| matches!(a.as_str(), "*" | "./*" | "."));
    cd == "cd" && is_system(folder) && recursive && all
}

/// The root, a system's folder, a home, or all of one of them.
fn is_system(path: &str) -> bool {
    const FOLDERS: &[&str] = &[
        "etc",
        "usr",
        "bin",
        "sbin",
        "lib",
        "lib64",
        "boot",
        "dev",
        "var",
        "home",
        "root",
        "opt",
        "sys",
        "proc",
        "srv",
        "users",
        "system",
        "library",
        "applications",
        "windows",
    ];
    let plain = path.trim_end_matches('*').trim_end_matches('.');
    let trimmed = plain.trim_end_matches('/');
    if plain.starts_with('/') && trimmed.is_empty() {
        return true;
    }
    if matches!(trimmed, "~" | "$HOME" | "${HOME}" | "/*" | "/.") {
        return true;
    }
    let inner = trimmed.trim_start_matches('/');
    plain.starts_with('/') && FOLDERS.iter().any(|folder| inner.eq_ignore_ascii_case(folder))
        || plain.starts_with("/etc/")
        || plain.starts_with("/boot/")
        || plain.starts_with("/usr/bin")
        || plain.starts_with("/var/lib/")
}

fn is_setuid(mode: &str) -> bool {
    mode.contains("+s") && mode.len() <= 5
        || (mode.len() == 4 && mode.starts_with(['4', '6']) && mode.bytes().all(|b| b.is_ascii_digit()))
}

fn stops_protection(arguments: &[String]) -> bool {
    let stops = arguments.iter().any(|a| matches!(a.as_str(), "stop" | "disable" | "mask"));
    let protects = [
        "auditd",
        "firewalld",
        "ufw",
        "apparmor",
        "falcon-sensor",
        "clamav",
        "selinux",
        "rsyslog",
        "fail2ban",
        "iptables",
        "crowdstrike",
    ];
    stops && arguments.iter().any(|a| protects.iter().any(|name| a.starts_with(name)))
}

fn mounts_root(arguments: &[String]) -> bool {
    arguments.iter().any(|a| {
        a.starts_with("/:/")
            || a.starts_with("/var/run/docker.sock:")
            || a == "--pid=host"
            || a.starts_with("-v/:/")
    })
}

/// Programs that an attacker runs first, with what makes a call of them no language.
const FIRST: &[&str] = &[
    "id",
    "whoami",
    "uname",
    "ifconfig",
    "ipconfig",
    "hostname",
    "netstat",
    "systeminfo",
    "tasklist",
    "printenv",
    "nslookup",
    "pwd",
    "ps",
    "env",
];
const WITH_ARGUMENT: &[&str] = &[
    "cat",
    "ls",
    "ping",
    "curl",
    "wget",
    "nc",
    "ncat",
    "sleep",
    "bash",
    "sh",
    "rm",
    "type",
    "dir",
    "dig",
    "nslookup",
    "head",
    "tail",
    "more",
    "less",
    "python",
    "python3",
    "perl",
    "php",
    "ruby",
    "powershell",
    "cmd",
    "touch",
    "echo",
    "id",
    "uname",
    "net",
    "chmod",
    "telnet",
    "whoami",
    "find",
    "base64",
    "kill",
];

/// A value (a host, a number, a name, or nothing) that goes on as a command: what a tool pastes into its own line.
fn injected(text: &str, commands: &[Simple], at: usize, signals: &mut Signals) {
    let Some(behind) = commands[at].behind else { return };
    // Only the piece before the mark decides whether this is a value: a command line of several commands is honest.
    let value = commands[..at].iter().all(|command| match command.words.as_slice() {
        [] => true,
        [one] => is_value(one) || command.behind.is_some() && FIRST.contains(&one.as_str()),
        _ => {
            command.behind.is_some()
                && program(command).is_some_and(|(name, _)| WITH_ARGUMENT.contains(&name))
        }
    });
    let words: Vec<&str> = commands[at].words.iter().map(String::as_str).collect();
    let Some(name) = words.first().map(|first| first.rsplit('/').next().unwrap_or(first)) else { return };
    if !value || text.len() > VALUE_BYTES || words.len() > 12 {
        return;
    }
    let target = words.get(1).is_some_and(|argument| {
        argument.starts_with(['-', '/', '~', '.', '$', '*'])
            || argument.contains(['/', '.', '\\', '='])
            || argument.parse::<u32>().is_ok()
    });
    let runs =
        (FIRST.contains(&name) && (words.len() == 1 || target)) || (WITH_ARGUMENT.contains(&name) && target);
    // A lone `id` in backticks is Markdown's code, unless nothing else is there.
    let alone = commands[..at].iter().all(|command| command.words.is_empty());
    let marks = !matches!(behind, '`' | '\n')
        || alone && text.trim().starts_with('`')
        || !text.trim().contains(' ')
        || target && behind == '\n' && at == 1;
    if runs && marks {
        signals.add(Signal::CommandInjection);
    }
}

/// A host, a number, a name or a path: what a tool asks for, and no program of a command line.
fn is_value(word: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        "ls", "cd", "pwd", "make", "cargo", "git", "npm", "true", "false", "date", "clear", "set", "df",
        "top", "ps", "env", "sync", "id", "who", "history", "uptime", "mount", "free", "lsblk", "dmesg", "w",
        "jobs", "builtin", "begin", "esac", "fi", "done",
    ];
    !PROGRAMS.contains(&word) && !word.starts_with(['-', '$', '#', '.', '/']) && !word.ends_with([':', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Signal> {
        crate::policy::understand::found(judge, text)
    }

    #[test]
    fn commands_are_judged_by_program_flags_and_target() {
        assert_eq!(of("r\"m\" -rf /"), []);
        for text in ["rm -rf /", "sudo rm -r -f '/etc'", "cd x && rm -fr ~/", "rm\n-rf\n/"] {
            let one_line = text.replace('\n', " ");
            assert_eq!(of(&one_line), [Signal::CommandDestroys], "{text}");
        }
        for text in [
            "rm -rf ./build",
            "rm -rf /tmp/x",
            "chmod -R 755 /srv/www/x",
            "iptables -L",
            "git push --force",
            "docker run -v $PWD:/src x",
        ] {
            assert_eq!(of(text), [], "{text}");
        }
        for text in [
            "chmod 4755 /tmp/sh",
            "docker run -v /:/host alpine",
            "usermod -aG sudo eve",
            "systemctl stop auditd",
        ] {
            assert_eq!(of(text), [Signal::CommandPrivilege], "{text}");
        }
    }

    #[test]
    fn values_do_not_go_on_as_commands() {
        for text in
            ["; cat /etc/passwd", "8.8.8.8 && whoami", "x | id", "$(curl http://x)", "a;sleep 10", "`id`"]
        {
            assert_eq!(of(text), [Signal::CommandInjection], "{text}");
        }
        for text in [
            "make && ls -l",
            "cd src && ls -la",
            "cat a.txt | head -5",
            "salt & pepper",
            "a; b",
            "tom && jerry",
            "run `id` to see",
            "first; more or less",
        ] {
            assert_eq!(of(text), [], "{text}");
        }
    }
}
