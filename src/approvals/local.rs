//! Tickets in the embedded store, which several processes share: a person decides on the command line, on the page,
//! or in front of the client, and the grant is used once.

use super::announced;
use super::digest::digest_text;
use super::granted;
use super::notify::Notifier;
use crate::redact::{Options, Redactor};
use crate::store::{LazyStore, Review, StoreError, Ticket as Row, TicketFilter};
use bytes::Bytes;
use callgate_actors::call::Call;
use callgate_actors::ports::{Approve, Decision, MatchedPolicy, Standing, Ticket, Word};
use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a ticket is looked at: a read of the store takes some 10 µs.
const POLL: Duration = Duration::from_millis(200);
/// Longest text of arguments that is shown to a person; the rest is cut and said to be.
const SHOWN_BYTES: usize = 16 * 1024;
/// Longest text of arguments in a question in front of the client.
const ASKED_BYTES: usize = 2 * 1024;
/// `request_type` of a ticket for a call of the gate.
const REQUEST_TYPE: &str = "mcp_tool_call";

/// What tickets say and how long they live.
#[derive(Clone, Debug, Default)]
pub struct LocalOptions {
    /// Tenant of the tickets; may be empty.
    pub tenant: String,
    /// Organisation; may be empty.
    pub organisation: String,
    /// Who asks (`AXONFLOW_AI_AGENT`).
    pub agent: String,
    /// The person for whom; may be empty.
    pub user: String,
    /// From the opening of a ticket until it can be neither decided nor used any more.
    pub lifetime: Duration,
    /// Whether the person in front of the client may decide when the client can ask them.
    pub asks_client: bool,
    /// Where a page may be announced that shows the tickets of a desk: the state directory and the desk.
    pub page: Option<(PathBuf, String)>,
}

/// Keeps tickets in the embedded store.
pub struct LocalApprovals {
    store: Arc<LazyStore>,
    redactor: Redactor,
    options: LocalOptions,
    notifier: Option<Notifier>,
}

impl LocalApprovals {
    /// Keeps tickets in `store`, which is not touched before the first one.
    pub fn new(store: Arc<LazyStore>, options: LocalOptions) -> Self {
        LocalApprovals { store, redactor: Redactor::new(Options::default()), options, notifier: None }
    }

    /// Has `notifier` tell of new tickets.
    pub fn with_notifier(self, notifier: Option<Notifier>) -> Self {
        LocalApprovals { notifier, ..self }
    }

    /// The address of the page that is served now; empty when there is none. It holds no key: the model reads it.
    fn page(&self) -> String {
        let announced =
            self.options.page.as_ref().and_then(|(state_dir, desk)| announced::find(state_dir, desk));
        announced.unwrap_or_default()
    }

    /// A ticket for this very call and set of policies that a person has refused, while it would still be good.
    fn refused(&self, digest: &str, version: &str) -> Result<Option<Row>, StoreError> {
        let filter = TicketFilter {
            statuses: vec!["rejected".into()],
            digest: Some(digest.into()),
            limit: 1,
            ..TicketFilter::default()
        };
        let (rows, _) = self.store.get()?.tickets(&self.options.tenant, &filter)?;
        let now = Timestamp::now();
        Ok(rows.into_iter().find(|row| row.expires_at > now && row.policy_version == version))
    }

    fn row(&self, call: &Call, decision: &Decision, digest: String) -> Row {
        let now = Timestamp::now();
        let arguments = self.masked(call);
        let asking = decision.matched.iter().find(|matched| matched.action == "require_approval");
        let MatchedPolicy { policy_id, policy_name, severity, .. } = asking.cloned().unwrap_or_default();
        let options = &self.options;
        Row {
            request_id: uuid::Uuid::new_v4().to_string(),
            org_id: options.organisation.clone(),
            tenant_id: options.tenant.clone(),
            client_id: options.agent.clone(),
            user_id: options.user.clone(),
            original_query: format!("{}/{} {arguments}", call.backend, call.tool),
            request_type: REQUEST_TYPE.into(),
            request_context: context(call, decision, &arguments),
            triggered_policy_id: policy_id,
            triggered_policy_name: policy_name,
            trigger_reason: decision.reasons.join("; "),
            severity: if severity.is_empty() { "high".into() } else { severity },
            status: "pending".into(),
            reviewer_id: None,
            reviewer_email: None,
            review_comment: None,
            reviewed_at: None,
            notify_url: None,
            expires_at: now.checked_add(options.lifetime).unwrap_or(Timestamp::MAX),
            created_at: now,
            updated_at: now,
            digest,
            policy_version: decision.policy_version.clone(),
            consumed_at: None,
        }
    }

    /// The arguments as a person may see them.
    fn masked(&self, call: &Call) -> String {
        let Some(arguments) = call.arguments.as_deref() else { return "{}".into() };
        match self.redactor.scan(arguments) {
            Ok(scan) => {
                let text = scan.json.map_or_else(|| Bytes::copy_from_slice(arguments), Bytes::from);
                cut(&String::from_utf8_lossy(&text), SHOWN_BYTES)
            }
            Err(_) => "(cannot be shown)".into(),
        }
    }

    fn ticket(&self, row: &Row) -> Ticket {
        let question = format!(
            "{} wants to call {}. {}. Policy: {}. Allow it once?",
            row.client_id,
            cut(&row.original_query, ASKED_BYTES),
            row.trigger_reason,
            row.triggered_policy_id
        );
        Ticket {
            id: row.request_id.clone(),
            keeper: "local",
            place: format!("with `callgate approvals approve {}` (or `deny`)", row.request_id),
            url: self.page(),
            expires_at: row.expires_at.to_string(),
            question: self.options.asks_client.then_some(question),
            poll: POLL,
        }
    }

    fn standing(&self, call: &Call, decision: &Decision, ticket: &Ticket) -> Result<Standing, StoreError> {
        let (store, tenant) = (self.store.get()?, self.options.tenant.as_str());
        let Some(row) = store.ticket(tenant, &ticket.id)? else {
            return Ok(Standing::Unknown("its ticket is not there any more".into()));
        };
        match row.status.as_str() {
            "pending" => Ok(Standing::Waiting),
            "approved" | "overridden" if row.consumed_at.is_some() => Ok(Standing::Used),
            "approved" | "overridden" => self.redeem(call, decision, &row),
            "expired" => Ok(Standing::Refused(format!(
                "nobody decided ticket {} before it expired at {}; repeat the call to ask again",
                row.request_id, row.expires_at
            ))),
            _ => Ok(Standing::Refused(refusal(&row))),
        }
    }

    /// Uses the grant up; the call runs only if this process did it.
    fn redeem(&self, call: &Call, decision: &Decision, row: &Row) -> Result<Standing, StoreError> {
        let (store, tenant) = (self.store.get()?, self.options.tenant.as_str());
        let (digest, version) = (digest_text(call), decision.policy_version.as_str());
        if row.policy_version != version {
            let what = "the policies changed since it was approved; repeat the call to ask again";
            return Ok(Standing::Refused(what.into()));
        }
        if store.consume_ticket(tenant, &row.request_id, &digest, version)? {
            return Ok(Standing::Granted(Box::new(granted(decision))));
        }
        let late = row.expires_at <= Timestamp::now();
        Ok(if late {
            Standing::Refused(format!("the approval expired at {} before it was used", row.expires_at))
        } else {
            Standing::Used
        })
    }
}

fn refusal(row: &Row) -> String {
    let who = row.reviewer_email.as_deref().filter(|email| !email.is_empty());
    let who = who.or(row.reviewer_id.as_deref()).unwrap_or("somebody");
    match row.review_comment.as_deref().filter(|comment| !comment.is_empty()) {
        Some(comment) => format!("{who} refused ticket {}: {comment}", row.request_id),
        None => format!("{who} refused ticket {}", row.request_id),
    }
}

fn context(call: &Call, decision: &Decision, arguments: &str) -> Value {
    let shown: Value = match serde_json::from_str::<Box<RawValue>>(arguments) {
        Ok(_) => serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into()),
        Err(_) => arguments.into(),
    };
    let matched: Vec<Value> = decision
        .matched
        .iter()
        .map(|matched| {
            json!({"policy_id": matched.policy_id, "policy_name": matched.policy_name, "category": matched.category,
                   "severity": matched.severity, "action": matched.action})
        })
        .collect();
    json!({
        "backend": &*call.backend,
        "tool": &*call.tool,
        "exposed_name": &*call.exposed,
        "arguments": shown,
        "read_only": call.hints.read_only,
        "matched_policies": matched,
        "reasons": decision.reasons,
        "decision_id": decision.decision_id,
        "trace_id": decision.trace_id,
    })
}

/// At most `len` bytes, and a word about what is missing.
fn cut(text: &str, len: usize) -> String {
    if text.len() <= len {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(len);
    format!("{} … ({} more bytes)", &text[..end], text.len() - end)
}

impl Approve for LocalApprovals {
    fn open(&self, call: &Call, decision: &Decision, _: Instant) -> Result<Ticket, String> {
        let digest = digest_text(call);
        let opened = self.refused(&digest, &decision.policy_version).and_then(|refused| match refused {
            None => {
                let row = self.row(call, decision, digest);
                let opened = self.store.get()?.open_ticket(&row)?;
                Ok((opened.request_id == row.request_id, opened))
            }
            Some(refused) => Ok((false, refused)),
        });
        let (is_new, row) = opened.map_err(|error| error.to_string())?;
        let ticket = self.ticket(&row);
        if let Some(notifier) = self.notifier.as_ref().filter(|_| is_new) {
            notifier.tell(&call.backend, &call.tool, &ticket.id, &ticket.url);
        }
        Ok(ticket)
    }

    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, _: Instant) -> Standing {
        self.standing(call, decision, ticket).unwrap_or_else(|error| Standing::Unknown(error.to_string()))
    }

    fn answered(&self, ticket: &Ticket, word: Word) -> Result<(), String> {
        let review = Review {
            status: if word.approves { "approved" } else { "rejected" }.into(),
            reviewer_id: format!("the person in front of {}", self.options.agent),
            reviewer_email: self.options.user.clone(),
            comment: word.comment,
        };
        let tenant = &self.options.tenant;
        let decided = self.store.get().and_then(|store| store.decide_ticket(tenant, &ticket.id, &review));
        decided.map(|_| ()).map_err(|error| error.to_string())
    }
}
