//! What is done about a finding: the policy's own action, changed by a profile, by settings and by overrides.
//!
//! Precedence follows the AxonFlow contract, section 2.3: an override, then the setting for the class, then the
//! profile, then the policy's own action. AxonFlow's `default` profile only warns of SQL injection; Callgate's own
//! default is [`Profile::Shipped`], in which every policy does what its row says: what is sure blocks, what also
//! occurs in ordinary work warns or is noted.

use super::model::{Action, Phase, Policy};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// A way to weigh whole classes of policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Every policy's own action: Callgate's default.
    #[default]
    Shipped,
    /// Nothing is stopped; dangerous commands warn.
    Dev,
    /// AxonFlow's default: everything warns, dangerous commands are blocked.
    Default,
    /// Everything is blocked; administrative tables warn.
    Strict,
    /// Everything is blocked.
    Compliance,
}

/// Classes of policies that profiles and settings speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Personal data: categories that begin with `pii-`.
    PersonalData,
    /// `security-sqli`.
    Sqli,
    /// `sensitive-data`.
    SensitiveData,
    /// `security-admin`, `data-exfiltration` and what has no class of its own.
    HighRisk,
    /// `security-dangerous`.
    Dangerous,
}

impl Class {
    /// The class of a category.
    pub fn of(category: &str) -> Self {
        match category {
            "security-sqli" => Self::Sqli,
            "security-dangerous" => Self::Dangerous,
            "sensitive-data" => Self::SensitiveData,
            personal if personal.starts_with("pii-") => Self::PersonalData,
            _ => Self::HighRisk,
        }
    }
}

/// Somebody's decision to treat one policy differently.
#[derive(Clone, Debug)]
pub struct Override {
    /// What is done instead; `None` switches the policy off.
    pub action: Option<Action>,
    /// Why.
    pub reason: String,
    /// Until when; `None` is for ever.
    pub expires_at: Option<SystemTime>,
}

/// Everything that changes what is done about a finding.
#[derive(Clone, Debug, Default)]
pub struct Posture {
    /// The profile.
    pub profile: Profile,
    /// Actions set for whole classes: `PII_ACTION`, `SQLI_ACTION`, `SENSITIVE_DATA_ACTION`,
    /// `DANGEROUS_COMMAND_ACTION`.
    pub actions: BTreeMap<Class, Action>,
    /// Overrides by policy id.
    pub overrides: BTreeMap<String, Override>,
}

impl Posture {
    /// What is done about a finding of `policy` in `phase`; `None` when the policy is switched off or not asked.
    pub fn action(&self, policy: &Policy, phase: Phase, now: SystemTime) -> Option<Action> {
        if !policy.phase.covers(phase) {
            return None;
        }
        let valid = |o: &&Override| o.expires_at.is_none_or(|end| now < end);
        if let Some(found) = self.overrides.get(&policy.policy_id).filter(valid) {
            return found.action;
        }
        let own = if phase == Phase::Response { policy.action_response } else { policy.action_request };
        if policy.observe_only {
            return Some(own);
        }
        let class = Class::of(&policy.category);
        let set = self.actions.get(&class).copied().or_else(|| self.profile.action(class));
        Some(match set {
            // Masking is for data; a statement without its dangerous words would be another statement.
            Some(Action::Redact) if !matches!(class, Class::PersonalData | Class::SensitiveData) => {
                Action::Warn
            }
            Some(action) => action,
            None => own,
        })
    }
}

impl Profile {
    /// The contract's table, section 2.3.
    fn action(self, class: Class) -> Option<Action> {
        Some(match (self, class) {
            (Self::Shipped, _) => return None,
            (Self::Dev, Class::Dangerous) => Action::Warn,
            (Self::Dev, _) => Action::Log,
            (Self::Default, Class::Dangerous) => Action::Block,
            (Self::Default, _) => Action::Warn,
            (Self::Strict, Class::HighRisk) => Action::Warn,
            (Self::Strict | Self::Compliance, _) => Action::Block,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::catalogue::shipped;
    use std::time::Duration;

    fn action(posture: &Posture, id: &str, phase: Phase) -> Option<Action> {
        let policies = shipped().expect("the catalogue is sound");
        let policy = policies.iter().find(|policy| policy.policy_id == id).expect("known");
        posture.action(policy, phase, SystemTime::UNIX_EPOCH + Duration::from_secs(100))
    }

    #[test]
    fn own_actions_hold_until_somebody_says_otherwise() {
        let mut posture = Posture::default();
        let id = "sys_sqli_drop_table";
        assert_eq!(action(&posture, id, Phase::Request), Some(Action::Block));
        posture.profile = Profile::Default;
        assert_eq!(action(&posture, id, Phase::Request), Some(Action::Warn));
        assert_eq!(action(&posture, "sys_dangerous_destructive_fs", Phase::Request), Some(Action::Block));
        posture.actions.insert(Class::Sqli, Action::RequireApproval);
        assert_eq!(action(&posture, id, Phase::Request), Some(Action::RequireApproval));
        let ours = |action, expires| Override {
            action,
            reason: "migration week".into(),
            expires_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(expires)),
        };
        posture.overrides.insert(id.into(), ours(Some(Action::Log), 101));
        assert_eq!(action(&posture, id, Phase::Request), Some(Action::Log));
        posture.overrides.insert(id.into(), ours(None, 101));
        assert_eq!(action(&posture, id, Phase::Request), None, "switched off");
        posture.overrides.insert(id.into(), ours(Some(Action::Log), 100));
        assert_eq!(action(&posture, id, Phase::Request), Some(Action::RequireApproval), "expired");
    }

    #[test]
    fn masking_is_for_data() {
        let mut posture = Posture::default();
        posture.actions.insert(Class::Sqli, Action::Redact);
        assert_eq!(action(&posture, "sys_sqli_drop_table", Phase::Request), Some(Action::Warn));
    }

    #[test]
    fn the_more_severe_action_comes_first() {
        let order = [Action::Block, Action::RequireApproval, Action::Redact, Action::Warn, Action::Log];
        assert!(order.is_sorted());
    }
}
