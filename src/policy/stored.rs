//! Turns rows of a store into policies and overrides of a set.

use super::builder::ScopedOverride;
use super::compile::{self, Triggers};
use super::model::{Action, Detect, Pattern, Phase, Policy, Scope, Severity, Tier};
use super::posture::Override;
use crate::store::{StoredOverride, StoredPolicy};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Longest expression, in bytes: eight times what AxonFlow's own column took at first.
const PATTERN_BYTES: usize = 4096;
/// Rows of the first AxonFlow databases that the shipped catalogue has taken the place of (the AxonFlow contract,
/// section 4.4).
const SUPERSEDED: [&str; 5] = [
    "drop_table_prevention",
    "pii_ssn_detection",
    "sql_injection_or",
    "sql_injection_union",
    "truncate_prevention",
];

/// What rows came to.
#[derive(Debug, Default)]
pub(super) struct Converted {
    /// The policies that can be asked.
    pub(super) policies: Vec<Policy>,
    /// The overrides, and shipped policies that are switched off.
    pub(super) overrides: Vec<ScopedOverride>,
    /// What is worth telling a person: one line each, by id.
    pub(super) told: Vec<String>,
}

/// Converts rows. Nothing of them is able to stop the others: a row that cannot be used is told.
pub(super) fn convert(
    policies: Vec<StoredPolicy>,
    overrides: Vec<StoredOverride>,
    shipped: &[Policy],
) -> Converted {
    let mut done = Converted::default();
    let mut rows: BTreeMap<String, StoredPolicy> = BTreeMap::new();
    for row in policies {
        // The tenant's own row is meant where there is a global one, too.
        let own = row.tenant_id != "global";
        if own || !rows.contains_key(&row.policy_id) {
            rows.insert(row.policy_id.clone(), row);
        }
    }
    for row in &overrides {
        if let (None, Some(enabled), Some(policy)) =
            (&row.tool_signature, row.enabled_override, rows.get_mut(&row.policy_id))
        {
            policy.enabled = enabled;
        }
    }
    for row in rows.into_values() {
        done.take(row, shipped);
    }
    for row in overrides {
        done.take_override(row);
    }
    done.fit_prefilter(shipped);
    done
}

impl Converted {
    fn take(&mut self, row: StoredPolicy, shipped: &[Policy]) {
        if row.tier == "system" && shipped.iter().any(|policy| policy.policy_id == row.policy_id) {
            // The same policy in an older form: ours understands what it looks at. That it is switched off counts.
            if !row.enabled {
                self.overrides.push(switched_off(row.policy_id));
            }
            return;
        }
        if !row.enabled || SUPERSEDED.contains(&row.policy_id.as_str()) {
            return;
        }
        match pattern(&row.pattern) {
            Ok(regex) => {
                let policy = self.policy(row, regex);
                self.policies.push(policy);
            }
            Err(why) => self.told.push(format!("stored policy {} is not asked: {why}", row.policy_id)),
        }
    }

    fn policy(&mut self, row: StoredPolicy, regex: String) -> Policy {
        let id = row.policy_id;
        let action = |word: Option<&str>, told: &mut Vec<String>| {
            let word = word.filter(|word| !word.is_empty()).unwrap_or(&row.action);
            action(word).unwrap_or_else(|| {
                told.push(format!("stored policy {id} blocks: its action \"{word}\" is not known"));
                Action::Block
            })
        };
        let action_request = action(row.action_request.as_deref(), &mut self.told);
        let action_response = action(row.action_response.as_deref(), &mut self.told);
        Policy {
            name: if row.name.is_empty() { id.clone() } else { row.name },
            category: row.category,
            severity: match row.severity.as_str() {
                "low" => Severity::Low,
                "medium" => Severity::Medium,
                "critical" => Severity::Critical,
                _ => Severity::High,
            },
            tier: match row.tier.as_str() {
                "system" => Tier::System,
                "organization" => Tier::Organization,
                _ => Tier::Tenant,
            },
            priority: row.priority,
            phase: match row.phase.as_str() {
                "request" => Phase::Request,
                "response" => Phase::Response,
                _ => Phase::Both,
            },
            action_request,
            action_response,
            observe_only: false,
            detect: Detect {
                scope: Scope::Together,
                trigger: regex.clone(),
                patterns: vec![Pattern { regex, confirm: None }],
                ..Detect::default()
            },
            must_match: Vec::new(),
            must_not_match: Vec::new(),
            policy_id: id,
        }
    }

    fn take_override(&mut self, row: StoredOverride) {
        if row.policy_type == "dynamic" {
            return;
        }
        let action = match (row.enabled_override, row.action_override.as_deref()) {
            (Some(false), _) => None,
            // That a policy is switched on changes nothing about one that is.
            (_, None | Some("")) => return,
            (_, Some(word)) => match action(word) {
                Some(action) => Some(action),
                None => {
                    let id = row.policy_id;
                    self.told
                        .push(format!("override of {id} does not hold: its action \"{word}\" is not known"));
                    return;
                }
            },
        };
        self.overrides.push(ScopedOverride {
            policy_id: row.policy_id,
            tool: row.tool_signature,
            change: Override {
                action,
                reason: row.override_reason,
                expires_at: row.expires_at.map(SystemTime::from),
            },
        });
    }

    /// Too many expressions for the common look at trigger words: each stored policy is asked about every text then,
    /// which is slower and finds the same.
    fn fit_prefilter(&mut self, shipped: &[Policy]) {
        let all: Vec<&Policy> = shipped.iter().chain(&self.policies).collect();
        if self.policies.is_empty() || Triggers::new(&all, Phase::Both).is_ok() {
            return;
        }
        for policy in &mut self.policies {
            policy.detect.trigger.clear();
        }
        self.told.push(format!(
            "the {} stored policies are too large to be looked for together, which makes decisions slower; shorten \
             their patterns",
            self.policies.len()
        ));
    }
}

fn switched_off(policy_id: String) -> ScopedOverride {
    let reason = "switched off in the store".to_owned();
    ScopedOverride { policy_id, tool: None, change: Override { action: None, reason, expires_at: None } }
}

fn action(word: &str) -> Option<Action> {
    let all = [Action::Block, Action::RequireApproval, Action::Redact, Action::Warn, Action::Log];
    all.into_iter().find(|action| action.word() == word)
}

/// The expression of a stored policy as it is asked, for trying it before it is stored. The error is one line.
pub(crate) fn expression(text: &str) -> Result<regex::bytes::Regex, String> {
    compile::compiled(&pattern(text)?)
}

/// The expression as our engine takes it. Case counts unless the expression says `(?i)`, as in AxonFlow; a `.` is any
/// character, so that a line break hides nothing. Classes are ASCII where that is possible, as in AxonFlow.
fn pattern(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it has no pattern".into());
    }
    if text.len() > PATTERN_BYTES {
        return Err(format!("its pattern is longer than {PATTERN_BYTES} bytes"));
    }
    let ascii = format!("(?-i:{text})");
    if compile::check(&ascii).is_ok() {
        return Ok(ascii);
    }
    let unicode = format!("(?u-i:{text})");
    match compile::check(&unicode) {
        Ok(()) => Ok(unicode),
        Err(_) => {
            // The error shows the expression as it was written, not as we wrapped it.
            let why = compile::check(text).err().unwrap_or_default();
            Err(format!(
                "its pattern cannot be used: {}",
                why.lines().last().unwrap_or("it is no expression")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::catalogue;
    use crate::store::samples::{override_of, policy};

    fn converted(rows: Vec<StoredPolicy>, overrides: Vec<StoredOverride>) -> Converted {
        convert(rows, overrides, &catalogue::shipped().expect("sound"))
    }

    fn ids(done: &Converted) -> Vec<&str> {
        done.policies.iter().map(|policy| policy.policy_id.as_str()).collect()
    }

    #[test]
    fn what_cannot_be_used_is_told_and_stops_nothing_else() {
        let with = |id: &str, pattern: &str| StoredPolicy { pattern: pattern.into(), ..policy("t", id) };
        let done = converted(
            vec![
                with("broken", "a(b"),
                with("empty", " "),
                with("long", &"x".repeat(5000)),
                with("good", "x"),
            ],
            Vec::new(),
        );
        assert_eq!(ids(&done), ["good"]);
        assert_eq!(done.told.len(), 3, "{:?}", done.told);
        assert!(
            done.told.iter().any(|line| line.contains("broken") && line.contains("unclosed")),
            "{done:?}"
        );
    }

    #[test]
    fn a_shipped_policy_keeps_its_understanding_and_can_be_switched_off() {
        let system = |id: &str, enabled| StoredPolicy {
            tier: "system".into(),
            action: "warn".into(),
            enabled,
            ..policy("global", id)
        };
        let done = converted(
            vec![
                system("sys_sqli_drop_table", true),
                system("sys_sqli_truncate", false),
                system("sql_injection_union", true),
                system("int_of_another_product", true),
                policy("t", "sys_sqli_union_select"),
            ],
            Vec::new(),
        );
        assert_eq!(
            ids(&done),
            ["int_of_another_product", "sys_sqli_union_select"],
            "unknown ones and own ones"
        );
        assert_eq!(done.overrides.len(), 1);
        assert_eq!(
            (done.overrides[0].policy_id.as_str(), done.overrides[0].change.action),
            ("sys_sqli_truncate", None)
        );
    }

    #[test]
    fn the_tenants_own_row_is_meant_and_unknown_words_are_the_strict_ones() {
        let mine = StoredPolicy { action: "perhaps".into(), phase: String::new(), ..policy("t", "p") };
        let off = StoredPolicy { enabled: false, ..policy("t", "off") };
        let done = converted(vec![mine, policy("global", "p"), policy("global", "off"), off], Vec::new());
        assert_eq!(ids(&done), ["p"]);
        assert_eq!((done.policies[0].action_request, done.policies[0].phase), (Action::Block, Phase::Both));
        assert!(done.told.iter().all(|line| line.contains("\"perhaps\"")), "{:?}", done.told);
    }

    #[test]
    fn overrides_switch_on_and_off_and_change_what_is_done() {
        let row = |id: &str, action: Option<&str>, enabled| StoredOverride {
            action_override: action.map(str::to_owned),
            enabled_override: enabled,
            ..override_of("t", id)
        };
        let off = StoredPolicy { enabled: false, ..policy("t", "woken") };
        let done = converted(
            vec![off],
            vec![
                row("woken", None, Some(true)),
                row("a", Some("warn"), None),
                row("b", Some("log"), Some(false)),
                row("c", Some("perhaps"), None),
                StoredOverride { policy_type: "dynamic".into(), ..override_of("t", "d") },
                StoredOverride { tool_signature: Some("crm/x".into()), ..override_of("t", "e") },
            ],
        );
        assert_eq!(ids(&done), ["woken"]);
        let overrides: Vec<_> = done
            .overrides
            .iter()
            .map(|over| (over.policy_id.as_str(), over.change.action, over.tool.as_deref()))
            .collect();
        assert_eq!(
            overrides,
            [("a", Some(Action::Warn), None), ("b", None, None), ("e", Some(Action::Log), Some("crm/x"))]
        );
        assert!(done.told.len() == 1 && done.told[0].contains("override of c"), "{:?}", done.told);
    }

    #[test]
    fn patterns_mean_what_they_mean_in_axonflow() {
        let finds = |text: &str, sample: &str| {
            let regex = regex::bytes::RegexBuilder::new(&pattern(text).expect("usable"))
                .case_insensitive(true)
                .dot_matches_new_line(true)
                .unicode(false)
                .build();
            regex.expect("built").is_match(sample.as_bytes())
        };
        assert!(finds("Secret", "a Secret") && !finds("Secret", "a secret"), "case counts");
        assert!(finds("(?i)secret", "a SECRET"));
        assert!(finds("drop.*table", "drop\ntable"));
        assert!(finds("пароль", "мой пароль") && finds("[а-я]{3}", "мой"));
        assert!(finds(r"\bid\b", "ein id"));
    }

    #[test]
    fn too_many_for_one_look_are_all_asked() {
        let rows = (0..40)
            .map(|n| StoredPolicy {
                pattern: format!(r"(?i)(\w{{3,200}}\s){{1,60}}{n}"),
                ..policy("t", &format!("p{n}"))
            })
            .collect();
        let done = converted(rows, Vec::new());
        assert_eq!(done.policies.len(), 40);
        assert!(done.policies.iter().all(|policy| policy.detect.trigger.is_empty()));
        assert!(done.told.iter().any(|line| line.contains("slower")), "{:?}", done.told);
    }
}
