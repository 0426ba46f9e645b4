//! Reads single variables and collects everything that is wrong with them.

use super::table::Setting;
use crate::fault::Fault;
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// What is wrong with a value and the way out; the place is added by who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is wrong.
    pub(super) what: String,
    /// The way out.
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// One walk through an environment.
pub(super) struct Reader<'a> {
    env: &'a BTreeMap<String, OsString>,
    read: BTreeSet<&'static str>,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(env: &'a BTreeMap<String, OsString>) -> Self {
        Self { env, read: BTreeSet::new(), faults: Vec::new(), notes: Vec::new() }
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.env.keys().map(String::as_str)
    }

    /// Keeps a fault.
    pub(super) fn fault(&mut self, where_: &str, what: &str, hint: &str) {
        self.faults.push(Fault::settings(where_, what, hint));
    }

    /// Keeps a fault of one setting.
    pub(super) fn wrong(&mut self, setting: &Setting, wrong: Wrong) {
        self.faults.push(Fault::settings(setting.name, wrong.what, wrong.hint));
    }

    /// How many faults there are so far.
    pub(super) fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Keeps faults of another reader.
    pub(super) fn extend(&mut self, faults: Vec<Fault>, notes: Vec<String>) {
        self.faults.extend(faults);
        self.notes.extend(notes);
    }

    /// Keeps something that is told but stops nothing.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The faults and notes of the walk.
    pub(super) fn end(self) -> (Vec<Fault>, Vec<String>) {
        (self.faults, self.notes)
    }

    /// The settings that were asked for, so that a test can hold the table against the code.
    #[cfg(test)]
    pub(super) fn asked(&self) -> &BTreeSet<&'static str> {
        &self.read
    }

    fn raw(&mut self, setting: &'static Setting) -> Option<&'a str> {
        self.read.insert(setting.name);
        let value = lookup(self.env, setting.name)?;
        let Some(text) = value.to_str() else {
            self.wrong(setting, Wrong::new("is not UTF-8", "set it again in UTF-8"));
            return None;
        };
        (!is_unset(text)).then_some(text)
    }

    /// The trimmed value, when it is set.
    pub(super) fn text(&mut self, setting: &'static Setting) -> Option<&'a str> {
        self.raw(setting).map(str::trim)
    }

    /// The value as it came, when it is set.
    pub(super) fn secret(&mut self, setting: &'static Setting) -> Option<Secret> {
        let text = self.raw(setting)?;
        let name = setting.name;
        if text.ends_with('\n') {
            self.note(format!(
                "{name}: ends with a newline, which is sent as part of it; remove it if it is not meant"
            ));
        }
        if text.contains("${user_config.") {
            self.note(format!(
                "{name}: the host damaged it while filling it in, as happens to a secret with a $; \
                 put it in a file and set {name}_FILE"
            ));
        }
        Some(Secret::new(text))
    }

    /// The parsed value, when it is set and right; `default` otherwise.
    pub(super) fn parsed<T>(
        &mut self,
        setting: &'static Setting,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> T {
        match self.text(setting).map(parse) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(wrong)) => {
                self.wrong(setting, wrong);
                default
            }
        }
    }

    /// The checked text, when it is set and right.
    pub(super) fn checked(
        &mut self,
        setting: &'static Setting,
        check: impl FnOnce(&str) -> Result<(), Wrong>,
    ) -> Option<String> {
        self.parsed(setting, None, |text| check(text).map(|()| Some(text.to_owned())))
    }
}

/// A variable of an environment; on Windows names do not differ by case.
pub(crate) fn lookup<'a>(env: &'a BTreeMap<String, OsString>, name: &str) -> Option<&'a OsString> {
    let exact = env.get(name);
    if cfg!(windows) && exact.is_none() {
        return env.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    }
    exact
}

/// Whether a value counts as unset: blank, or what a host leaves behind for a field that nobody filled in.
pub(super) fn is_unset(value: &str) -> bool {
    let value = value.trim();
    value.is_empty() || value == "null" || value == "undefined" || value.starts_with("${user_config.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_leaves_behind_counts_as_unset() {
        for unset in ["", " ", "\t\n", "null", " undefined ", "${user_config.tenant_id}"] {
            assert!(is_unset(unset), "{unset:?}");
        }
        for set in ["0", "nullable", "off", "x${user_config.a}", "${HOME}"] {
            assert!(!is_unset(set), "{set:?}");
        }
    }
}
