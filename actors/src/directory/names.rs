//! The names that the client sees: injective, the same after every start, and short enough for every host.
//!
//! MCP allows 128 characters of `[A-Za-z0-9_.-]`, hosts refuse a whole server for one name outside
//! `^[A-Za-z0-9_-]{1,64}$` and put a prefix of their own before it. A name that had to be changed ends in eight hex
//! digits of a hash of the original pair, so that two originals never meet; no name is ever taken apart again.

use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Length of `_` and eight hex digits.
const SUFFIX: usize = 9;

/// How names are made; depends on the configured backends only, never on which of them are up.
#[derive(Clone, Debug)]
pub struct Names {
    ids: Vec<Arc<str>>,
    budget: usize,
    /// Names stay as they are, whatever a host makes of them.
    are_kept: bool,
}

impl Names {
    /// Names of at most `budget` characters for these backends.
    pub fn new(ids: Vec<Arc<str>>, budget: usize) -> Self {
        Names { ids, budget, are_kept: false }
    }

    /// The names of the only backend, none of them changed.
    pub fn of_the_only_one() -> Self {
        Names { ids: Vec::new(), budget: 0, are_kept: true }
    }

    /// Whether names carry their backend's id.
    pub fn are_prefixed(&self) -> bool {
        self.ids.len() > 1
    }

    /// The name under which `name` of the backend `id` is offered.
    pub fn exposed(&self, id: &str, name: &str) -> String {
        if self.are_kept {
            return name.to_owned();
        }
        let plain = if self.are_prefixed() { format!("{id}__{name}") } else { name.to_owned() };
        let clean: String = plain.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect();
        let fits = clean.len() <= self.budget && !clean.is_empty();
        if fits && clean == plain && !self.could_be_anothers(id, &plain) {
            return clean;
        }
        let kept = clean.len().min(self.budget.saturating_sub(SUFFIX));
        format!("{}_{}", &clean[..kept], suffix(id, name))
    }

    /// `a` with a tool `b__c` and `a__b` with a tool `c` would have the same name. Judged by the ids alone, so that a
    /// name does not depend on what the other backend offers today; the backend with the longer id keeps the name.
    fn could_be_anothers(&self, id: &str, plain: &str) -> bool {
        self.are_prefixed()
            && self.ids.iter().any(|other| {
                other.len() > id.len()
                    && plain.strip_prefix(&**other).is_some_and(|rest| rest.starts_with("__"))
            })
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn suffix(id: &str, name: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update([0]);
    hash.update(name.as_bytes());
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn names(ids: &[&str], budget: usize) -> Names {
        Names::new(ids.iter().map(|id| Arc::from(*id)).collect(), budget)
    }

    #[test]
    fn one_backend_keeps_its_names_and_several_get_their_ids() {
        assert_eq!(names(&["crm"], 49).exposed("crm", "read_file"), "read_file");
        assert_eq!(names(&["crm", "ledger"], 49).exposed("crm", "read_file"), "crm__read_file");
    }

    #[test]
    fn w32_what_hosts_refuse_is_changed_and_stays_unique() {
        let names = names(&["a", "a__b", "c"], 30);
        let exposed: Vec<String> = [("a", "b__c"), ("a__b", "c"), ("c", "x.y"), ("c", "x_y"), ("c", "")]
            .iter()
            .map(|(id, name)| names.exposed(id, name))
            .collect();
        assert_ne!(exposed[0], exposed[1]);
        assert_eq!(exposed[1], "a__b__c");
        assert_ne!(exposed[2], exposed[3]);
        assert!(exposed[2].starts_with("c__x_y_"));
        let long = "delete_everything_in_the_warehouse";
        let (one, two) = (names.exposed("c", &format!("{long}_a")), names.exposed("c", &format!("{long}_b")));
        assert_ne!(one, two);
        assert!(one.len() <= 30 && two.len() <= 30);
    }

    proptest! {
        #[test]
        fn names_are_injective_and_fit(pairs in proptest::collection::vec(("[ab_]{1,4}", "[ab_.é]{0,20}"), 1..30)) {
            let ids: Vec<Arc<str>> = pairs.iter().map(|(id, _)| Arc::from(id.as_str())).collect();
            let mut unique = ids;
            unique.sort();
            unique.dedup();
            let names = Names::new(unique, 20);
            let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
            for pair in pairs {
                let exposed = names.exposed(&pair.0, &pair.1);
                prop_assert!(exposed.len() <= 20 && !exposed.is_empty() && exposed.chars().all(is_allowed));
                if let Some(other) = seen.insert(exposed, pair.clone()) {
                    prop_assert_eq!(other, pair);
                }
            }
        }
    }
}
