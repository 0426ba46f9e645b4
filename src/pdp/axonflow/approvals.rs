//! Approvals that people were asked for: the repeated call redeems them.

use super::wire::PendingApproval;
use crate::approvals::digest::CallDigest;
use crate::pdp::text::identifier;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// The one header that redeems an approval (the AxonFlow contract, section 1.4). A service cannot name another.
pub(super) const APPROVAL_HEADER: &str = "x-axonflow-approval-id";
/// Approvals kept; the oldest goes first. 256 × about 150 bytes = 40 KiB.
const KEPT: usize = 256;
/// How long an approval without an expiry of its own is kept: a working day and the night before it.
const KEPT_WITHOUT_EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// Longest approval id that is taken for one.
const MAX_ID_BYTES: usize = 128;

/// Open approvals by call.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    call: CallDigest,
    approval_id: String,
    expires_at: SystemTime,
}

impl Approvals {
    /// The approval that this very call was told to wait for.
    pub(super) fn find(&mut self, call: &CallDigest, now: SystemTime) -> Option<String> {
        self.held.retain(|held| held.expires_at > now);
        self.held.iter().find(|held| held.call == *call).map(|held| held.approval_id.clone())
    }

    /// Whether there is nothing to find, so that no digest is needed.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Remembers what the service says about redeeming; nothing when it cannot be redeemed here.
    pub(super) fn remember(&mut self, call: CallDigest, pending: &PendingApproval, now: SystemTime) {
        self.forget(&call);
        let approval_id = approval_id(pending);
        if approval_id.is_empty() || !is_redeemable(pending) {
            return;
        }
        let expires_at = match pending.expires_at.as_deref() {
            Some(text) => text.parse::<jiff::Timestamp>().ok().map(SystemTime::from),
            None => now.checked_add(KEPT_WITHOUT_EXPIRY),
        };
        let Some(expires_at) = expires_at.filter(|at| *at > now) else { return };
        if self.held.len() >= KEPT {
            self.held.pop_front();
        }
        self.held.push_back(Held { call, approval_id, expires_at });
    }

    /// The approval was used up, rejected, or is gone.
    pub(super) fn forget(&mut self, call: &CallDigest) {
        self.held.retain(|held| held.call != *call);
    }
}

/// The id if it can stand in a header, else the empty text.
pub(super) fn approval_id(pending: &PendingApproval) -> String {
    identifier(pending.approval_id.as_deref().unwrap_or_default(), MAX_ID_BYTES)
}

/// The id of an approval that this caller can redeem; empty when it cannot.
pub(super) fn redeemable_id(pending: &PendingApproval) -> String {
    if is_redeemable(pending) { approval_id(pending) } else { String::new() }
}

fn is_redeemable(pending: &PendingApproval) -> bool {
    let header = pending.retry.as_ref().and_then(|retry| retry.header.as_deref());
    header.is_none_or(|name| name.eq_ignore_ascii_case(APPROVAL_HEADER))
        && pending.plane.as_deref().is_none_or(|plane| plane == "decide")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdp::axonflow::wire::Retry;

    fn pending(id: &str) -> PendingApproval {
        PendingApproval { approval_id: Some(id.to_owned()), ..PendingApproval::default() }
    }

    fn call(n: usize) -> CallDigest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        digest
    }

    #[test]
    fn w36_an_approval_is_found_until_it_is_forgotten_or_expires() {
        let now = SystemTime::now();
        let mut approvals = Approvals::default();
        approvals.remember(call(1), &pending("ap-1"), now);
        assert_eq!(approvals.find(&call(1), now).as_deref(), Some("ap-1"));
        assert_eq!(approvals.find(&call(2), now), None, "bound to the call");
        assert_eq!(approvals.find(&call(1), now + KEPT_WITHOUT_EXPIRY), None, "expired");
        assert!(approvals.is_empty());
        approvals.remember(call(1), &pending("ap-2"), now);
        approvals.forget(&call(1));
        assert_eq!(approvals.find(&call(1), now), None);
    }

    #[test]
    fn w36_only_so_many_are_kept() {
        let now = SystemTime::now();
        let mut approvals = Approvals::default();
        for n in 0..KEPT + 10 {
            approvals.remember(call(n), &pending(&format!("ap-{n}")), now);
        }
        assert_eq!(approvals.held.len(), KEPT);
        assert_eq!(approvals.find(&call(9), now), None, "the oldest went");
        assert_eq!(approvals.find(&call(10), now).as_deref(), Some("ap-10"));
    }

    #[test]
    fn w36_what_cannot_be_redeemed_with_the_known_header_is_not_kept() {
        let now = SystemTime::now();
        let retry = |header: &str| Some(Retry { header: Some(header.to_owned()) });
        let refused = [
            PendingApproval { retry: retry("Authorization"), ..pending("ap") },
            PendingApproval { plane: Some("mcp:request".into()), ..pending("ap") },
            PendingApproval { expires_at: Some("2001-01-01T00:00:00Z".into()), ..pending("ap") },
            PendingApproval { expires_at: Some("tomorrow".into()), ..pending("ap") },
            pending("two words"),
            pending(&"x".repeat(129)),
            PendingApproval::default(),
        ];
        for pending in refused {
            let mut approvals = Approvals::default();
            approvals.remember(call(1), &pending, now);
            assert!(approvals.is_empty(), "{pending:?}");
        }
        let mut approvals = Approvals::default();
        let kept = PendingApproval {
            retry: retry("X-Axonflow-Approval-Id"),
            plane: Some("decide".into()),
            expires_at: Some("2999-01-01T00:00:00Z".into()),
            ..pending("ap")
        };
        approvals.remember(call(1), &kept, now);
        assert_eq!(approvals.find(&call(1), now).as_deref(), Some("ap"));
    }
}
