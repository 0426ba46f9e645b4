//! Actions and their approvals.
//!
//! | the parameters hold | decision |
//! |---|---|
//! | `DROP TABLE` | deny |
//! | `NEEDS_APPROVAL` | require_approval |
//! | anything else | allow |
//!
//! The same idempotency key gives the same action. A yes changes the action's status to `allowed`, a no to `denied`.

use crate::mode::{Endpoint, Mode};
use callgate_stubs::http::{Request, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All actions of this process.
#[derive(Default)]
pub(crate) struct Actions {
    /// By id.
    actions: BTreeMap<String, Value>,
    /// By id.
    approvals: BTreeMap<String, Value>,
    /// Action ids.
    by_key: BTreeMap<String, String>,
}

impl Actions {
    /// A healthy answer.
    pub(crate) fn answer(
        &mut self,
        endpoint: Endpoint,
        id: &str,
        request: &Request,
        mode: &Mode,
    ) -> Response {
        match endpoint {
            Endpoint::Submit => self.submit(request, mode),
            Endpoint::Action => self.action(id, mode),
            Endpoint::Actions => {
                let data: Vec<&Value> = self.actions.values().collect();
                Response::json(200, json!({"data": data, "pagination": {"total": data.len()}}).to_string())
            }
            Endpoint::Approval => self.approval(id, mode),
            Endpoint::Approvals => self.list(request),
        }
    }

    fn submit(&mut self, request: &Request, mode: &Mode) -> Response {
        let Ok(body) = serde_json::from_str::<Value>(&request.text()) else {
            return Response::json(400, r#"{"error":"Bad Request","message":"no JSON"}"#);
        };
        let params = if body["params"].is_object() { &body["params"] } else { &body["parameters"] };
        if !params.is_object() || body["tool"].as_str().is_none() || body["operation"].as_str().is_none() {
            return Response::json(
                400,
                r#"{"error":"Bad Request","message":"tool, operation, params are required"}"#,
            );
        }
        let key = body["idempotency_key"].as_str().unwrap_or_default().to_owned();
        if let Some(action) = self.by_key.get(&key).and_then(|id| self.actions.get(id)) {
            return Response::json(200, mode.shape(action.clone()).to_string());
        }
        let id = format!("act_{}", self.actions.len() + 1);
        let text = params.to_string();
        let (status, decision, reason, risk) = if text.contains("DROP TABLE") {
            ("denied", "deny", "destructive SQL is not allowed", "critical")
        } else if text.contains("NEEDS_APPROVAL") {
            ("pending_approval", "require_approval", "payments need a person", "high")
        } else {
            ("allowed", "allow", "nothing speaks against it", "low")
        };
        let action = json!({
            "id": id, "status": status, "tool": body["tool"], "operation": body["operation"],
            "decision": {"decision": decision, "reason": reason, "risk_level": risk, "policy_id": "pol_stub"},
            "created_at": "2026-11-20T12:00:00Z",
        });
        let mut answer = action.clone();
        self.actions.insert(id.clone(), action);
        self.by_key.insert(key, id.clone());
        if status == "pending_approval" {
            self.open(&id, mode, &mut answer);
        }
        Response::json(201, mode.shape(answer).to_string())
    }

    /// Opens an approval, and names it where the mode wants it named.
    fn open(&mut self, action_id: &str, mode: &Mode, answer: &mut Value) {
        let id = format!("apr_{}", self.approvals.len() + 1);
        let place = mode.text("approval_in").unwrap_or("approval_url");
        let url = format!("https://app.example.com/approvals/{id}");
        match place {
            "approval.id" => answer["approval"] = json!({"id": id, "status": "pending"}),
            "approval_id" => answer["approval_id"] = id.as_str().into(),
            "approval_url" => answer["approval_url"] = url.into(),
            _ => {}
        }
        let action = &self.actions[action_id];
        self.approvals.insert(
            id.clone(),
            json!({
                "id": id, "action_id": action_id, "status": "pending", "place": place,
                "action": {"tool": action["tool"], "operation": action["operation"]},
                "decision": action["decision"], "assignees": [], "history": [],
                "created_at": "2026-11-20T12:00:00Z", "expires_at": "2100-01-01T00:00:00Z",
            }),
        );
    }

    fn action(&self, id: &str, mode: &Mode) -> Response {
        let Some(action) = self.actions.get(id) else {
            return Response::json(404, r#"{"error":"Not Found","message":"no such action"}"#);
        };
        let approval = self.approvals.values().find(|of| of["action_id"] == id && of["place"] == "action");
        let mut action = action.clone();
        action["approval"] = approval.map_or(Value::Null, |approval| {
            json!({"id": approval["id"], "status": approval["status"], "expires_at": approval["expires_at"]})
        });
        Response::json(200, mode.shape(action).to_string())
    }

    fn approval(&self, id: &str, mode: &Mode) -> Response {
        // Who names its approvals nowhere finds them by the action.
        let by_action =
            || self.approvals.values().find(|of| of["action_id"] == id && of["place"] == "nowhere");
        match self.approvals.get(id).or_else(by_action) {
            Some(approval) => Response::json(200, mode.shape(approval.clone()).to_string()),
            None => Response::json(404, r#"{"error":"Not Found","message":"no such approval"}"#),
        }
    }

    fn list(&self, request: &Request) -> Response {
        let is_asked = |of: &&Value| {
            (!request.path.contains("status=pending") || of["status"] == "pending")
                && of["place"] != "nowhere"
        };
        let data: Vec<&Value> = self.approvals.values().filter(is_asked).collect();
        let pagination = json!({"total": data.len(), "limit": 20, "offset": 0});
        Response::json(200, json!({"data": data, "pagination": pagination}).to_string())
    }

    /// A person's word, or the end of their time; `false` when there is no such approval.
    pub(crate) fn decide(&mut self, id: &str, verb: &str) -> bool {
        let Some(approval) = self.approvals.get_mut(id) else { return false };
        let (status, of_action) = match verb {
            "approve" => ("approved", "allowed"),
            "deny" => ("denied", "denied"),
            "expire" => ("expired", "denied"),
            _ => {
                self.approvals.remove(id);
                return true;
            }
        };
        approval["status"] = status.into();
        approval["decided_by"] = json!({"id": "user_1", "email": "ann@example.com"});
        approval["decision_reason"] = "as agreed".into();
        let action_id = approval["action_id"].as_str().unwrap_or_default().to_owned();
        if let Some(action) = self.actions.get_mut(&action_id) {
            action["status"] = of_action.into();
        }
        true
    }

    /// All approvals by id.
    pub(crate) fn approvals(&self) -> Value {
        self.approvals.iter().map(|(id, approval)| (id.clone(), approval.clone())).collect()
    }
}
