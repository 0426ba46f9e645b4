//! Whether a path lies under a folder, whichever way it is spelled. Links are not followed: nothing is looked up on a
//! disk, which may be another machine's.

use super::truth::Truth;
use unicode_normalization::UnicodeNormalization;

/// How often percent forms are undone: three times encoded is the most that is seen.
const DECODINGS: usize = 3;

/// A folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: Canonical,
}

/// A path without `.`, `..`, doubled slashes and spellings of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Canonical {
    /// Where it begins: empty for a relative path, `/`, `c:/`, `//server/share/`, or `~name/`.
    root: String,
    parts: Vec<String>,
    /// Names do not differ by case there.
    folded: bool,
}

impl Folder {
    /// Reads a folder. `home` stands for `~`.
    pub(super) fn new(text: &str, home: Option<&str>) -> Self {
        // The operator's own writing has one meaning: backslashes separate when it looks like Windows.
        let windows = cfg!(windows) || drive(text).is_some() || text.starts_with(r"\\");
        Self { path: canonical(text, home, windows) }
    }

    fn holds(&self, path: &Canonical) -> bool {
        let fold = self.path.folded || path.folded;
        let same = |a: &str, b: &str| if fold { lower(a) == lower(b) } else { a == b };
        same(&self.path.root, &path.root)
            && path.parts.first().is_none_or(|first| first != "..")
            && self.path.parts.len() <= path.parts.len()
            && self.path.parts.iter().zip(&path.parts).all(|(a, b)| same(a, b))
    }
}

/// Whether `text` lies under one of the folders (or is one), in every way in which a program may read it: percent forms
/// taken as they are and decoded, backslashes as separators and as characters.
pub(super) fn under(text: &str, folders: &[Folder], home: Option<&str>) -> Truth {
    let mut spellings = vec![text.to_owned()];
    if let Some(decoded) = decoded(text) {
        spellings.push(decoded);
    }
    // A zero byte ends a path for some programs.
    let cut: Vec<String> = spellings
        .iter()
        .filter_map(|spelling| spelling.split_once('\0').map(|(before, _)| before.to_owned()))
        .collect();
    spellings.extend(cut);
    let readings = spellings.iter().flat_map(|spelling| {
        let both: &[bool] = if spelling.contains('\\') && !cfg!(windows) && drive(spelling).is_none() {
            &[false, true]
        } else {
            &[true]
        };
        both.iter().map(|windows| canonical(spelling, home, *windows))
    });
    Truth::agreed(readings.map(|path| folders.iter().any(|folder| folder.holds(&path))))
}

/// The text with percent forms undone, if it has any.
fn decoded(text: &str) -> Option<String> {
    let mut current = None;
    for _ in 0..DECODINGS {
        match percent(current.as_deref().unwrap_or(text)) {
            Some(next) => current = Some(next),
            None => break,
        }
    }
    current
}

/// One round of percent decoding; `None` when there is nothing to decode. What is no UTF-8 then is read leniently.
pub(super) fn percent(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hex = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut changed) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let form = (byte == b'%').then(|| Some(hex(at + 1)? * 16 + hex(at + 2)?)).flatten();
        match form.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
                changed = true;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    changed.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// The letter of a path that begins with a drive: `c:` and then a separator or nothing.
fn drive(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    (chars.next() == Some(':') && chars.next().is_none_or(|c| c == '/' || c == '\\'))
        .then(|| letter.to_ascii_lowercase())
}

fn canonical(text: &str, home: Option<&str>, backslashes: bool) -> Canonical {
    let text: String = text.trim().nfc().collect();
    let mut text = if backslashes { text.replace('\\', "/") } else { text };
    if let Some(rest) =
        text.get(..7).filter(|start| start.eq_ignore_ascii_case("file://")).map(|_| &text[7..])
    {
        let rest = rest.strip_prefix("localhost").unwrap_or(rest);
        // file:///c:/x
        let rest = rest.strip_prefix('/').filter(|rest| drive(rest).is_some()).unwrap_or(rest);
        text = rest.to_owned();
    }
    for device in ["//?/unc/", "//?/", "//./"] {
        if text.get(..device.len()).is_some_and(|start| start.eq_ignore_ascii_case(device)) && backslashes {
            let rest = text.split_off(device.len());
            text = if device.ends_with("unc/") { format!("//{rest}") } else { rest };
            break;
        }
    }
    if let (Some(rest), Some(home)) = (text.strip_prefix('~'), home)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        let home = if backslashes { home.replace('\\', "/") } else { home.to_owned() };
        text = format!("{}{rest}", home.trim_end_matches('/'));
    }
    let (root, rest, windows) = root(&text, backslashes);
    let parts = parts(rest, windows, !root.is_empty());
    Canonical { root, parts, folded: windows || cfg!(any(windows, target_os = "macos")) }
}

fn root(text: &str, backslashes: bool) -> (String, &str, bool) {
    if let Some(letter) = drive(text) {
        return (format!("{letter}:/"), text.get(2..).unwrap_or_default(), true);
    }
    if backslashes && cfg!(windows) && text.starts_with("//") {
        return ("//".into(), text.trim_start_matches('/'), true);
    }
    match text.strip_prefix('/') {
        Some(rest) => ("/".into(), rest, cfg!(windows)),
        None => (String::new(), text, cfg!(windows)),
    }
}

fn parts(text: &str, windows: bool, absolute: bool) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split('/') {
        // Windows drops dots and blanks at the end of a name, and a stream is a part of its file.
        let part = if windows && part != ".." {
            part.split(':').next().unwrap_or_default().trim_end_matches(['.', ' '])
        } else {
            part
        };
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_under(text: &str, folder: &str) -> Truth {
        let home = Some("/home/ada");
        under(text, &[Folder::new(folder, home)], home)
    }

    #[test]
    fn whichever_way_it_is_spelled() {
        for (text, folder, wanted) in [
            ("/home/ada/docs/a.txt", "/home/ada/docs", Truth::Yes),
            ("/home/ada/docs", "/home/ada/docs/", Truth::Yes),
            ("/home/ada/docsshop", "/home/ada/docs", Truth::No),
            ("/home/ada/docs/../.ssh/id", "/home/ada/docs", Truth::No),
            ("/home/ada/docs/./b//c", "/home/ada/docs", Truth::Yes),
            ("~/docs/x", "/home/ada/docs", Truth::Yes),
            ("/home/ada/docs/x", "~/docs", Truth::Yes),
            ("~bob/docs", "/home/ada", Truth::No),
            ("file:///home/ada/docs/x", "~/docs", Truth::Yes),
            ("/../../etc/passwd", "/etc", Truth::Yes),
            ("docs/x", "/home/ada/docs", Truth::No),
            ("docs/x", "docs", Truth::Yes),
            ("../docs/x", "docs", Truth::No),
            ("docs/../../x", "docs", Truth::No),
            ("../x", "", Truth::No),
            (r"C:\Users\Ada\x", r"c:\users\ada", Truth::Yes),
            ("C:/Users/Ada/../Bob", r"c:\users\ada", Truth::No),
            (r"\\?\C:\Windows\System32", "C:/Windows", Truth::Unsure),
            (r"C:\Windows.\x::$DATA", "C:/windows", Truth::Yes),
            ("file:///C:/Windows/x", "C:/windows", Truth::Yes),
            ("/e\u{301}/x", "/\u{e9}", Truth::Yes),
        ] {
            assert_eq!(is_under(text, folder), wanted, "{text} under {folder}");
        }
    }

    #[test]
    fn what_programs_read_differently_is_unsure() {
        for (text, folder) in [
            ("/home/ada/docs/%2e%2e/.ssh", "/home/ada/docs"),
            ("/home/ada/docs/%252e%252e/.ssh", "/home/ada/docs"),
            (r"/home/ada/docs/..\..\.ssh", "/home/ada/docs"),
            ("/home/ada/docs/../x\0/../docs", "/home/ada/docs"),
        ] {
            let truth = is_under(text, folder);
            assert!(truth == Truth::Unsure || cfg!(windows), "{text}: {truth:?}");
        }
        assert_eq!(is_under("/home/ada/docs/50%25/x", "/home/ada/docs"), Truth::Yes, "both readings agree");
    }

    proptest! {
        #[test]
        fn no_path_breaks_it(
            text in "(\\.\\.|/|\\\\|~|%2e|%|:|c|file://|\u{0}|é|\\?| ){0,16}", folder in "(/|a|\\.\\.|~|c:|\\\\){0,6}",
        ) {
            is_under(&text, &folder);
            is_under(&folder, &text);
        }

        #[test]
        fn climbing_out_is_never_under(down in 0usize..4, more in 1usize..4) {
            let text = format!("/a/b/{}{}x", "d/".repeat(down), "../".repeat(down + more));
            prop_assert_eq!(is_under(&text, "/a/b"), Truth::No);
        }
    }
}
