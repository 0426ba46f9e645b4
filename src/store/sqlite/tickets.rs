//! Approval tickets. Every change runs inside a transaction that was a writing one from its beginning.

use super::super::{Review, StoreError, Ticket, TicketEvent, TicketFilter, TicketStats, limits};
use super::values::{json, micros, now, parsed, stamp, time, time_or_none};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params, params};

/// The tickets with what their status is at `:now`.
const SEEN: &str =
    "(SELECT *, CASE WHEN status = 'pending' AND expires_at <= :now THEN 'expired' ELSE status END AS seen
    FROM tickets WHERE tenant_id = :tenant)";
/// What a filter finds. A parameter that is NULL asks for nothing; lists are JSON.
const FOUND: &str = "(:statuses IS NULL OR seen IN (SELECT value FROM json_each(:statuses)))
    AND (:severities IS NULL OR severity IN (SELECT value FROM json_each(:severities)))
    AND (:policy IS NULL OR triggered_policy_id = :policy)
    AND (:client IS NULL OR client_id = :client)
    AND (:user IS NULL OR user_id = :user)
    AND (:digest IS NULL OR digest = :digest)";

pub(super) fn open(connection: &Connection, new: &Ticket) -> Result<Ticket, StoreError> {
    let now = now();
    let mut statement = connection.prepare_cached(
        "SELECT *, status AS seen FROM tickets
         WHERE tenant_id = ?1 AND digest = ?2 AND policy_version = ?3 AND status IN ('pending', 'approved')
         AND consumed_at IS NULL AND expires_at > ?4
         ORDER BY created_at, rowid LIMIT 1",
    )?;
    let same =
        statement.query_row((&new.tenant_id, &new.digest, &new.policy_version, now), ticket).optional()?;
    if let Some(same) = same {
        return Ok(same);
    }
    let waiting: i64 = connection.query_row(
        "SELECT count(*) FROM tickets WHERE tenant_id = ?1 AND status = 'pending' AND expires_at > ?2",
        (&new.tenant_id, now),
        |row| row.get(0),
    )?;
    if waiting.unsigned_abs() >= limits::PENDING_TICKETS {
        return Err(StoreError::Full(format!("{waiting} approvals wait already; decide some of them first")));
    }
    insert(connection, new)?;
    event(connection, &new.request_id, micros(new.created_at), "created", &new.client_id, "")?;
    get(connection, &new.tenant_id, &new.request_id)?.ok_or_else(|| unknown(&new.request_id))
}

fn insert(connection: &Connection, new: &Ticket) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO tickets VALUES (:request_id, :org_id, :tenant_id, :client_id, :user_id, :original_query,
         :request_type, :request_context, :triggered_policy_id, :triggered_policy_name, :trigger_reason, :severity,
         'pending', NULL, NULL, NULL, NULL, :notify_url, :expires_at, :created_at, :updated_at, :digest,
         :policy_version, NULL) ON CONFLICT DO NOTHING",
    )?;
    let added = statement.execute(named_params! {
        ":request_id": new.request_id, ":org_id": new.org_id, ":tenant_id": new.tenant_id,
        ":client_id": new.client_id, ":user_id": new.user_id, ":original_query": new.original_query,
        ":request_type": new.request_type, ":request_context": json(&new.request_context)?,
        ":triggered_policy_id": new.triggered_policy_id, ":triggered_policy_name": new.triggered_policy_name,
        ":trigger_reason": new.trigger_reason, ":severity": new.severity, ":notify_url": new.notify_url,
        ":expires_at": micros(new.expires_at), ":created_at": micros(new.created_at),
        ":updated_at": micros(new.updated_at), ":digest": new.digest, ":policy_version": new.policy_version,
    })?;
    if added == 0 {
        return Err(StoreError::Conflict(format!(
            "ticket \"{}\" exists already; use a new id",
            new.request_id
        )));
    }
    Ok(())
}

pub(super) fn get(
    connection: &Connection,
    tenant: &str,
    request_id: &str,
) -> Result<Option<Ticket>, StoreError> {
    let text = format!("SELECT * FROM {SEEN} WHERE request_id = :id");
    let mut statement = connection.prepare_cached(&text)?;
    let values = named_params! { ":tenant": tenant, ":now": now(), ":id": request_id };
    Ok(statement.query_row(values, ticket).optional()?)
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    filter: &TicketFilter,
) -> Result<(Vec<Ticket>, u64), StoreError> {
    let order = if filter.oldest_first { "ASC" } else { "DESC" };
    let one_of = |words: &[String]| (!words.is_empty()).then(|| json(&words)).transpose();
    let (statuses, severities) = (one_of(&filter.statuses)?, one_of(&filter.severities)?);
    let (now, limit) = (now(), filter.limit.min(limits::PAGE));
    let asked: [(&str, &dyn ToSql); 8] = [
        (":tenant", &tenant),
        (":now", &now),
        (":statuses", &statuses),
        (":severities", &severities),
        (":policy", &filter.policy_id),
        (":client", &filter.client_id),
        (":user", &filter.user_id),
        (":digest", &filter.digest),
    ];
    let mut counting = connection.prepare_cached(&format!("SELECT count(*) FROM {SEEN} WHERE {FOUND}"))?;
    let total: i64 = counting.query_row(asked.as_slice(), |row| row.get(0))?;
    let mut paged = asked.to_vec();
    paged.extend([(":limit", &limit as &dyn ToSql), (":offset", &filter.offset)]);
    let text = format!(
        "SELECT * FROM {SEEN} WHERE {FOUND} ORDER BY created_at {order}, request_id {order} LIMIT :limit OFFSET :offset"
    );
    let mut statement = connection.prepare_cached(&text)?;
    let rows = statement.query_map(paged.as_slice(), ticket)?;
    Ok((rows.collect::<Result<_, _>>()?, total.unsigned_abs()))
}

pub(super) fn decide(
    connection: &Connection,
    tenant: &str,
    request_id: &str,
    review: &Review,
) -> Result<Ticket, StoreError> {
    review.check()?;
    let now = now();
    let decided = connection.execute(
        "UPDATE tickets SET status = ?3, reviewer_id = ?4, reviewer_email = ?5, review_comment = ?6, reviewed_at = ?7,
         updated_at = ?7
         WHERE tenant_id = ?1 AND request_id = ?2 AND status = 'pending' AND expires_at > ?7",
        params![
            tenant,
            request_id,
            review.status,
            review.reviewer_id,
            review.reviewer_email,
            review.comment,
            now
        ],
    )?;
    let stands = get(connection, tenant, request_id)?.ok_or_else(|| unknown(request_id))?;
    if decided == 0 {
        return Err(stands.already());
    }
    event(connection, request_id, now, &review.status, &review.reviewer_id, &review.comment)?;
    Ok(stands)
}

pub(super) fn consume(
    connection: &Connection,
    tenant: &str,
    request_id: &str,
    digest: &str,
    policy_version: &str,
) -> Result<bool, StoreError> {
    let now = now();
    let consumed = connection.execute(
        "UPDATE tickets SET consumed_at = ?5, updated_at = ?5
         WHERE tenant_id = ?1 AND request_id = ?2 AND digest = ?3 AND policy_version = ?4
         AND status = 'approved' AND consumed_at IS NULL AND expires_at > ?5",
        (tenant, request_id, digest, policy_version, now),
    )?;
    if consumed == 1 {
        event(connection, request_id, now, "consumed", "", "")?;
    }
    Ok(consumed == 1)
}

pub(super) fn history(
    connection: &Connection,
    tenant: &str,
    request_id: &str,
) -> Result<Vec<TicketEvent>, StoreError> {
    let stands = get(connection, tenant, request_id)?.ok_or_else(|| unknown(request_id))?;
    let mut statement = connection.prepare_cached(
        "SELECT at, event, by, comment FROM ticket_events WHERE request_id = ?1 ORDER BY rowid",
    )?;
    let rows = statement.query_map([request_id], |row| {
        Ok(TicketEvent {
            at: time(row, "at")?,
            event: row.get("event")?,
            by: row.get("by")?,
            comment: row.get("comment")?,
        })
    })?;
    let mut events: Vec<TicketEvent> = rows.collect::<Result<_, _>>()?;
    events.extend(stands.ran_out(&events));
    Ok(events)
}

pub(super) fn stats(connection: &Connection, tenant: &str) -> Result<TicketStats, StoreError> {
    let text =
        format!("SELECT seen, severity, count(*), min(created_at) FROM {SEEN} GROUP BY seen, severity");
    let mut statement = connection.prepare_cached(&text)?;
    let rows = statement.query_map(named_params! { ":tenant": tenant, ":now": now() }, |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, i64>(2)?.unsigned_abs(),
            stamp(row.get(3)?)?,
        ))
    })?;
    let mut stats = TicketStats::default();
    for row in rows {
        let (status, severity, count, oldest) = row?;
        stats.add(status, severity, count, oldest);
    }
    Ok(stats)
}

pub(super) fn expire(connection: &Connection, tenant: &str) -> Result<u64, StoreError> {
    let now = now();
    connection.execute(
        "INSERT INTO ticket_events SELECT request_id, expires_at, 'expired', '', '' FROM tickets
         WHERE tenant_id = ?1 AND status = 'pending' AND expires_at <= ?2",
        (tenant, now),
    )?;
    let expired = connection.execute(
        "UPDATE tickets SET status = 'expired', updated_at = expires_at
         WHERE tenant_id = ?1 AND status = 'pending' AND expires_at <= ?2",
        (tenant, now),
    )?;
    Ok(expired as u64)
}

/// Removes tickets of which nothing can come any more and that are old.
pub(super) fn prune(connection: &Connection) -> Result<u64, StoreError> {
    let now = now();
    let oldest = now - i64::try_from(limits::TICKET_AGE.as_micros()).unwrap_or(i64::MAX);
    let gone = "updated_at < ?1 AND expires_at < ?2";
    connection.execute(
        &format!(
            "DELETE FROM ticket_events WHERE request_id IN (SELECT request_id FROM tickets WHERE {gone})"
        ),
        [oldest, now],
    )?;
    Ok(connection.execute(&format!("DELETE FROM tickets WHERE {gone}"), [oldest, now])? as u64)
}

fn event(
    connection: &Connection,
    request_id: &str,
    at: i64,
    what: &str,
    by: &str,
    comment: &str,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO ticket_events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    statement.execute((request_id, at, what, by, comment))?;
    Ok(())
}

fn unknown(request_id: &str) -> StoreError {
    StoreError::Missing(format!("ticket \"{request_id}\""))
}

fn ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    Ok(Ticket {
        request_id: row.get("request_id")?,
        org_id: row.get("org_id")?,
        tenant_id: row.get("tenant_id")?,
        client_id: row.get("client_id")?,
        user_id: row.get("user_id")?,
        original_query: row.get("original_query")?,
        request_type: row.get("request_type")?,
        request_context: parsed(row, "request_context")?,
        triggered_policy_id: row.get("triggered_policy_id")?,
        triggered_policy_name: row.get("triggered_policy_name")?,
        trigger_reason: row.get("trigger_reason")?,
        severity: row.get("severity")?,
        status: row.get("seen")?,
        reviewer_id: row.get("reviewer_id")?,
        reviewer_email: row.get("reviewer_email")?,
        review_comment: row.get("review_comment")?,
        reviewed_at: time_or_none(row, "reviewed_at")?,
        notify_url: row.get("notify_url")?,
        expires_at: time(row, "expires_at")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        digest: row.get("digest")?,
        policy_version: row.get("policy_version")?,
        consumed_at: time_or_none(row, "consumed_at")?,
    })
}
