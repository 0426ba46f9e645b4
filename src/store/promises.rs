//! What every store promises, checked against any of them.

use super::samples::{decision, ended, now, override_of, policy, soon, ticket, yes};
use super::{
    DecisionFilter, DecisionRow, MatchedRow, Review, Store, StoreError, StoredOverride, StoredPolicy, Ticket,
    TicketFilter, limits,
};
use jiff::ToSpan;

/// Checks an empty store.
pub(crate) fn hold(store: &dyn Store) {
    policies(store);
    overrides(store);
    decisions(store);
    opening(store);
    deciding(store);
    consuming(store);
    queue(store);
    bound(store);
}

fn ids(rows: &[StoredPolicy]) -> Vec<&str> {
    rows.iter().map(|row| row.policy_id.as_str()).collect()
}

fn policies(store: &dyn Store) {
    let own = policy("a", "own");
    store.create_policy(&own).expect("made");
    store.create_policy(&StoredPolicy { priority: 90, ..policy("global", "all") }).expect("made");
    store.create_policy(&policy("b", "other")).expect("made");
    let rows = store.policies("a").expect("read");
    assert_eq!(ids(&rows), ["all", "own"], "the higher priority first; another tenant's never");
    assert_eq!(rows[1], own, "every member comes back");
    let twice = store.create_policy(&policy("a", "own")).expect_err("taken");
    assert!(matches!(&twice, StoreError::Conflict(told) if told.contains("own")), "{twice:?}");

    let changed = StoredPolicy {
        pattern: "другое".into(),
        enabled: false,
        tags: Vec::new(),
        action_response: Some("redact".into()),
        version: 77,
        created_by: "somebody else".into(),
        ..policy("a", "own")
    };
    let stands = store.update_policy(&changed).expect("changed");
    assert_eq!((stands.version, &stands.created_by, &stands.id), (2, &own.created_by, &own.id));
    assert_eq!((&stands.pattern, stands.enabled), (&changed.pattern, false));
    assert_eq!(store.policies("a").expect("read")[1], stands);

    assert!(matches!(store.update_policy(&policy("a", "none")), Err(StoreError::Missing(_))));
    assert!(matches!(store.delete_policy("a", "other"), Err(StoreError::Missing(_))), "another tenant's");
    store.delete_policy("a", "own").expect("deleted");
    assert!(matches!(store.delete_policy("a", "own"), Err(StoreError::Missing(_))));
    assert_eq!(ids(&store.policies("a").expect("read")), ["all"]);
    store.create_policy(&policy("a", "own")).expect("a deleted id is free");
}

fn overrides(store: &dyn Store) {
    let first = override_of("a", "own");
    store.create_override(&first).expect("made");
    let second = StoredOverride { action_override: Some("warn".into()), ..override_of("a", "own") };
    store.create_override(&second).expect("made");
    let tool = StoredOverride {
        tool_signature: Some("crm/drop".into()),
        enabled_override: Some(false),
        action_override: None,
        expires_at: Some(soon()),
        ..override_of("a", "own")
    };
    store.create_override(&tool).expect("made");
    store
        .create_override(&StoredOverride { expires_at: Some(ended()), ..override_of("a", "past") })
        .expect("made");
    store.create_override(&override_of("b", "own")).expect("made");
    let mut rows = store.overrides("a").expect("read");
    rows.sort_by_key(|row| row.tool_signature.clone());
    assert_eq!(
        rows,
        [second.clone(), tool.clone()],
        "the newest for each tool; expired and others' left out"
    );
    assert!(
        matches!(store.revoke_override("b", &second.id), Err(StoreError::Missing(_))),
        "another tenant's"
    );
    store.revoke_override("a", &second.id).expect("revoked");
    assert!(matches!(store.revoke_override("a", &second.id), Err(StoreError::Missing(_))));
    assert_eq!(store.overrides("a").expect("read"), [tool]);
}

fn decisions(store: &dyn Store) {
    let spoke = MatchedRow {
        policy_id: "p".into(),
        policy_name: "P".into(),
        category: "security-sqli".into(),
        severity: "high".into(),
        action: "block".into(),
    };
    let old = DecisionRow { timestamp: now() - 2.hours(), ..decision("a") };
    let denied = DecisionRow {
        verdict: "deny".into(),
        matched: vec![spoke],
        tool_signature: "crm/drop".into(),
        reasons: vec!["because".into()],
        timestamp: now() - 1.hours(),
        ..decision("a")
    };
    let young = decision("a");
    store.record_decisions(&[young.clone(), old.clone(), denied.clone(), decision("b")]).expect("kept");
    store.record_decisions(std::slice::from_ref(&young)).expect("the same again changes nothing");
    assert_eq!(store.decision("a", &denied.decision_id), Ok(Some(denied.clone())));
    assert_eq!(store.decision("b", &denied.decision_id), Ok(None), "another tenant's");
    let all = DecisionFilter { limit: 10, ..DecisionFilter::default() };
    assert_eq!(store.decisions("a", &all), Ok(vec![young.clone(), denied.clone(), old]));
    assert_eq!(store.decision_count("a", &DecisionFilter::default()), Ok(3));
    let one = DecisionFilter { limit: 1, ..DecisionFilter::default() };
    assert_eq!(store.decisions("a", &one), Ok(vec![young.clone()]));
    let since = DecisionFilter { since: Some(now() - 90.minutes()), ..all.clone() };
    assert_eq!(store.decisions("a", &since), Ok(vec![young, denied.clone()]));
    for narrow in [
        DecisionFilter { verdict: Some("deny".into()), ..all.clone() },
        DecisionFilter { policy_id: Some("p".into()), ..all.clone() },
        DecisionFilter { tool_signature: Some("crm/drop".into()), ..all },
    ] {
        assert_eq!(store.decisions("a", &narrow), Ok(vec![denied.clone()]), "{narrow:?}");
        assert_eq!(store.decision_count("a", &narrow), Ok(1));
    }
}

fn opening(store: &dyn Store) {
    let first = ticket("a", "one call");
    let stands = store.open_ticket(&first).expect("opened");
    assert_eq!(stands, first, "every member comes back");
    assert_eq!(store.open_ticket(&ticket("a", "one call")), Ok(first.clone()), "the same call attaches");
    assert_ne!(store.open_ticket(&ticket("a", "another call")).expect("opened").request_id, first.request_id);
    assert_ne!(store.open_ticket(&ticket("b", "one call")).expect("opened").request_id, first.request_id);
    let newer = Ticket { policy_version: "v2".into(), ..ticket("a", "one call") };
    assert_eq!(store.open_ticket(&newer), Ok(newer), "a grant of another version could not be used");
    assert!(matches!(
        store.open_ticket(&Ticket { digest: "x".into(), ..first.clone() }),
        Err(StoreError::Conflict(_))
    ));
    let forged = Ticket { status: "approved".into(), ..ticket("a", "forged") };
    assert_eq!(store.open_ticket(&forged).expect("opened").status, "pending", "nothing is opened as granted");
    assert_eq!(store.ticket("b", &first.request_id), Ok(None), "another tenant's");
}

fn deciding(store: &dyn Store) {
    let waiting = store.open_ticket(&ticket("a", "to decide")).expect("opened");
    let id = waiting.request_id.as_str();
    assert!(matches!(store.decide_ticket("b", id, &yes()), Err(StoreError::Missing(_))), "another tenant's");
    let nothing = Review { status: "maybe".into(), ..yes() };
    assert!(matches!(store.decide_ticket("a", id, &nothing), Err(StoreError::Conflict(_))));
    let decided = store.decide_ticket("a", id, &yes()).expect("decided");
    assert_eq!((decided.status.as_str(), decided.reviewer_id.as_deref()), ("approved", Some("boss")));
    assert!(decided.reviewed_at.is_some() && decided.updated_at >= waiting.updated_at);
    let again =
        store.decide_ticket("a", id, &Review { status: "rejected".into(), ..yes() }).expect_err("decided");
    assert!(
        matches!(&again, StoreError::Conflict(told) if told.contains("approved already, by boss")),
        "{again}"
    );
    assert_eq!(store.open_ticket(&ticket("a", "to decide")).expect("attached").request_id, id);
    let told = store.ticket_history("a", id).expect("read");
    assert_eq!(told.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["created", "approved"]);
    assert_eq!((told[1].by.as_str(), told[1].comment.as_str()), ("boss", "go on"));

    let late = store.open_ticket(&Ticket { expires_at: ended(), ..ticket("a", "late") }).expect("opened");
    assert_eq!(late.status, "expired");
    assert!(matches!(store.decide_ticket("a", &late.request_id, &yes()), Err(StoreError::Conflict(_))));
    let history = |at: &str| store.ticket_history("a", at).expect("read").pop().expect("an event").event;
    assert_eq!(history(&late.request_id), "expired", "before it was written down");
    assert_eq!(store.expire_tickets("a"), Ok(1));
    assert_eq!(store.expire_tickets("a"), Ok(0));
    assert_eq!(history(&late.request_id), "expired");
    assert_eq!(store.ticket_history("a", &late.request_id).expect("read").len(), 2);

    let refused = store.open_ticket(&ticket("a", "refused")).expect("opened");
    let no = Review { status: "rejected".into(), ..yes() };
    store.decide_ticket("a", &refused.request_id, &no).expect("decided");
    assert_eq!(store.consume_ticket("a", &refused.request_id, "refused", "v1"), Ok(false));
    assert_ne!(store.open_ticket(&ticket("a", "refused")).expect("opened").request_id, refused.request_id);
}

fn consuming(store: &dyn Store) {
    let waiting = store.open_ticket(&ticket("a", "to use")).expect("opened");
    let id = waiting.request_id.as_str();
    let consume =
        |tenant: &str, digest: &str, version: &str| store.consume_ticket(tenant, id, digest, version);
    assert_eq!(consume("a", "to use", "v1"), Ok(false), "not approved");
    store.decide_ticket("a", id, &yes()).expect("decided");
    for (tenant, digest, version) in [("b", "to use", "v1"), ("a", "changed", "v1"), ("a", "to use", "v2")] {
        assert_eq!(consume(tenant, digest, version), Ok(false), "{tenant} {digest} {version}");
    }
    assert_eq!(store.consume_ticket("a", "no such ticket", "to use", "v1"), Ok(false));
    assert_eq!(consume("a", "to use", "v1"), Ok(true));
    assert_eq!(consume("a", "to use", "v1"), Ok(false), "once");
    assert!(store.ticket("a", id).expect("read").expect("there").consumed_at.is_some());
    assert_ne!(
        store.open_ticket(&ticket("a", "to use")).expect("opened").request_id,
        id,
        "a used grant is over"
    );

    // A person may answer in the last moment; what was granted is over with the ticket's time.
    let short = Ticket { expires_at: now() + 400.milliseconds(), ..ticket("a", "short") };
    store.open_ticket(&short).expect("opened");
    if store.decide_ticket("a", &short.request_id, &yes()).is_ok() {
        while now() < short.expires_at {
            std::thread::yield_now();
        }
        assert_eq!(
            store.consume_ticket("a", &short.request_id, "short", "v1"),
            Ok(false),
            "its time ran out"
        );
    }
}

fn queue(store: &dyn Store) {
    let opened: Vec<Ticket> = (0..3)
        .map(|i| {
            let severity = if i == 1 { "low" } else { "critical" }.to_owned();
            let row = Ticket {
                created_at: now() - i64::from(10 - i).minutes(),
                severity,
                ..ticket("queue", &format!("{i}"))
            };
            store.open_ticket(&row).expect("opened")
        })
        .collect();
    store.decide_ticket("queue", &opened[2].request_id, &yes()).expect("decided");
    let found = |filter: TicketFilter| {
        let (rows, total) = store.tickets("queue", &filter).expect("read");
        (rows.into_iter().map(|row| row.digest).collect::<Vec<_>>().join(" "), total)
    };
    let all = TicketFilter { limit: 10, ..TicketFilter::default() };
    assert_eq!(found(all.clone()), ("2 1 0".into(), 3));
    assert_eq!(
        found(TicketFilter { oldest_first: true, limit: 1, offset: 1, ..all.clone() }),
        ("1".into(), 3)
    );
    assert_eq!(found(TicketFilter { statuses: vec!["pending".into()], ..all.clone() }), ("1 0".into(), 2));
    assert_eq!(
        found(TicketFilter { severities: vec!["low".into(), "high".into()], ..all.clone() }),
        ("1".into(), 1)
    );
    assert_eq!(found(TicketFilter { digest: Some("0".into()), ..all.clone() }), ("0".into(), 1));
    assert_eq!(found(TicketFilter { policy_id: Some("none".into()), ..all.clone() }), (String::new(), 0));
    assert_eq!(found(TicketFilter { client_id: Some("agent".into()), ..all.clone() }).1, 3);
    assert_eq!(found(TicketFilter { user_id: Some("nobody".into()), ..all }).1, 0);
    let stats = store.ticket_stats("queue").expect("read");
    assert_eq!((stats.by_status.get("pending"), stats.by_status.get("approved")), (Some(&2), Some(&1)));
    assert_eq!(
        (stats.pending_by_severity.get("low"), stats.pending_by_severity.get("critical")),
        (Some(&1), Some(&1))
    );
    assert_eq!(stats.oldest_pending, Some(opened[0].created_at));
}

fn bound(store: &dyn Store) {
    for i in 0..limits::PENDING_TICKETS {
        store.open_ticket(&ticket("flood", &format!("{i}"))).expect("opened");
    }
    assert!(matches!(store.open_ticket(&ticket("flood", "one more")), Err(StoreError::Full(_))));
    assert!(store.open_ticket(&ticket("flood", "0")).is_ok(), "a call that waits already attaches");
    assert!(store.open_ticket(&ticket("elsewhere", "one more")).is_ok());
}
