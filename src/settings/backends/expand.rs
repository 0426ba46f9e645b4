//! `${VAR}` in the texts of a backend entry, filled from callgate's own environment.

use super::super::families::is_ours;
use super::super::reader::{Wrong, is_unset, lookup};
use crate::fault::quoted;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Fills `${VAR}`, `${env:VAR}` and `${VAR:-default}`; `$${` stands for `${`. A variable that is unset, blank, or of
/// callgate's own families is an error: the one would start a backend with half a setting, the other hand it our
/// secrets.
pub(super) fn expand(text: &str, env: &BTreeMap<String, OsString>) -> Result<String, Wrong> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some(end) = after.find('}') else {
            return Err(Wrong::new(
                "\"${\" is not closed",
                "close it with }, or write $${ for the characters themselves",
            ));
        };
        out.push_str(before);
        out.push_str(&variable(&after[..end], env)?);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(inner: &str, env: &BTreeMap<String, OsString>) -> Result<String, Wrong> {
    let inner = inner.strip_prefix("env:").unwrap_or(inner);
    let (name, default) =
        inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    let named = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !named {
        let hint = "write ${NAME} with letters, digits and underscores, or $${ for the characters themselves";
        return Err(Wrong::new(format!("{} is not the name of a variable", quoted(name)), hint));
    }
    if is_ours(name) {
        let what = format!("the variable {name} is callgate's own and never handed to a backend");
        return Err(Wrong::new(what, "keep what the backend needs in a variable of another name"));
    }
    let value = match lookup(env, name) {
        None => None,
        Some(value) => match value.to_str() {
            Some(value) => (!is_unset(value)).then(|| value.to_owned()),
            None => {
                return Err(Wrong::new(format!("the variable {name} is not UTF-8"), "set it again in UTF-8"));
            }
        },
    };
    value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        let hint = format!("set it where callgate is started, or write ${{{name}:-default}}");
        Wrong::new(format!("the variable {name} is not set"), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> BTreeMap<String, OsString> {
        [("HOME", "/h"), ("BLANK", " "), ("AXONFLOW_CLIENT_SECRET", "s"), ("DOLLAR", "a${HOME}$1")]
            .map(|(name, value)| (name.to_owned(), OsString::from(value)))
            .into()
    }

    #[test]
    fn variables_are_filled_once() {
        for (text, filled) in [
            ("plain $1 $", "plain $1 $"),
            ("${HOME}/x/${HOME}", "/h/x//h"),
            ("${env:HOME}", "/h"),
            ("${NONE:-a:-b}", "a:-b"),
            ("${NONE:-}", ""),
            ("${BLANK:-x}", "x"),
            ("$${HOME}", "${HOME}"),
            ("pa$$wo$&rd", "pa$$wo$&rd"),
            ("${DOLLAR}", "a${HOME}$1"),
        ] {
            assert_eq!(expand(text, &env()).as_deref(), Ok(filled), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        for (text, what) in [
            ("${NONE}", "NONE is not set"),
            ("${BLANK}", "BLANK is not set"),
            ("${HOME", "not closed"),
            ("${}", "not the name"),
            ("${user_config.x}", "not the name"),
            ("${1A}", "not the name"),
        ] {
            let wrong = expand(text, &env()).expect_err(text);
            assert!(wrong.what.contains(what), "{wrong:?}");
        }
    }

    #[test]
    fn w26_our_own_variables_are_never_filled_in() {
        for text in
            ["${AXONFLOW_CLIENT_SECRET}", "${axonflow_client_secret:-x}", "${AAF_API_KEY}", "${CALLGATE_PDP}"]
        {
            let wrong = expand(text, &env()).expect_err(text);
            assert!(wrong.what.contains("callgate's own"), "{wrong:?}");
        }
    }
}
