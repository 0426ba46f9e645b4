//! Held calls: each approval is bound to one query and is used once.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Approved,
    Rejected,
    Consumed,
}

/// All approvals of this process.
#[derive(Default)]
pub(crate) struct Approvals {
    held: BTreeMap<String, (String, Status)>,
}

/// What a call that needs approval gets.
pub(crate) enum Redemption {
    /// Run it: this approval paid for it.
    Paid(String),
    /// Hold it, with the reason.
    Held(String, &'static str),
}

impl Approvals {
    /// Redeems `id` for `query`, or opens a new approval when there is no id.
    pub(crate) fn redeem(&mut self, id: Option<&str>, query: &str) -> Redemption {
        let Some(id) = id else { return Redemption::Held(self.open(query), "approval_required") };
        let Some((bound, status)) = self.held.get_mut(id) else {
            return Redemption::Held(self.open(query), "approval_not_found");
        };
        let reason = match status {
            _ if bound != query => "bound_input_changed",
            Status::Pending => "approval_pending",
            Status::Rejected => "approval_rejected",
            Status::Consumed => "approval_already_consumed",
            Status::Approved => {
                *status = Status::Consumed;
                return Redemption::Paid(id.to_owned());
            }
        };
        Redemption::Held(id.to_owned(), reason)
    }

    /// A person's word; `false` when there is no such approval.
    pub(crate) fn decide(&mut self, id: &str, yes: bool) -> bool {
        let Some((_, status)) = self.held.get_mut(id) else { return false };
        *status = if yes { Status::Approved } else { Status::Rejected };
        true
    }

    /// `{"<id>":{"query":…,"status":…}}`
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let entries = self.held.iter().map(|(id, (query, status))| {
            let status = format!("{status:?}").to_lowercase();
            (id.clone(), serde_json::json!({"query": query, "status": status}))
        });
        serde_json::Value::Object(entries.collect())
    }

    fn open(&mut self, query: &str) -> String {
        let id = format!("apr-{}", self.held.len() + 1);
        self.held.insert(id.clone(), (query.to_owned(), Status::Pending));
        id
    }
}
