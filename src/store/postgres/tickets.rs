//! Approval tickets. Whether a ticket's time has run out is said by the database's clock, which all processes share.

use super::super::{Review, StoreError, Ticket, TicketEvent, TicketFilter, TicketStats, limits};
use tokio_postgres::types::Json;
use tokio_postgres::{Client, GenericClient, Row};

/// The tickets with what their status is now.
const SEEN: &str =
    "(SELECT *, CASE WHEN status = 'pending' AND expires_at <= clock_timestamp() THEN 'expired'
    ELSE status END AS seen FROM callgate_tickets WHERE tenant_id = $1) t";
/// A ticket with that status as its own.
const TICKET: &str = "to_jsonb(t) || jsonb_build_object('status', t.seen)";
/// What a filter finds. An empty list and NULL ask for nothing.
const FOUND: &str = "(cardinality($2::text[]) = 0 OR seen = ANY($2))
    AND (cardinality($3::text[]) = 0 OR severity = ANY($3))
    AND ($4::text IS NULL OR triggered_policy_id = $4)
    AND ($5::text IS NULL OR client_id = $5)
    AND ($6::text IS NULL OR user_id = $6)
    AND ($7::text IS NULL OR digest = $7)";

pub(super) async fn open(client: &mut Client, new: &Ticket) -> Result<Ticket, StoreError> {
    let transaction = client.transaction().await?;
    // Two who open at once for one tenant stand in line.
    transaction
        .execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('callgate tickets ' || $1, 0))",
            &[&new.tenant_id],
        )
        .await?;
    let text = format!(
        "SELECT {TICKET} FROM {SEEN} WHERE digest = $2 AND policy_version = $3 AND seen IN ('pending', 'approved')
         AND consumed_at IS NULL AND expires_at > clock_timestamp() ORDER BY created_at, request_id LIMIT 1"
    );
    let same = transaction.query_opt(&text, &[&new.tenant_id, &new.digest, &new.policy_version]).await?;
    if let Some(same) = same {
        return ticket(&same);
    }
    let text = format!("SELECT count(*) FROM {SEEN} WHERE seen = 'pending'");
    let waiting: i64 = transaction.query_one(&text, &[&new.tenant_id]).await?.try_get(0)?;
    if waiting.unsigned_abs() >= limits::PENDING_TICKETS {
        return Err(StoreError::Full(format!("{waiting} approvals wait already; decide some of them first")));
    }
    let opened = Ticket {
        status: "pending".into(),
        reviewer_id: None,
        reviewer_email: None,
        review_comment: None,
        reviewed_at: None,
        consumed_at: None,
        ..new.clone()
    };
    transaction
        .execute(
            "INSERT INTO callgate_tickets SELECT * FROM jsonb_populate_record(NULL::callgate_tickets, $1)",
            &[&Json(&opened)],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO callgate_ticket_events (request_id, at, event, by, comment)
             SELECT request_id, created_at, 'created', client_id, '' FROM callgate_tickets WHERE request_id = $1",
            &[&new.request_id],
        )
        .await?;
    let stands = get(&transaction, &new.tenant_id, &new.request_id).await?;
    transaction.commit().await?;
    stands.ok_or_else(|| unknown(&new.request_id))
}

pub(super) async fn get(
    client: &impl GenericClient,
    tenant: &str,
    request_id: &str,
) -> Result<Option<Ticket>, StoreError> {
    let text = format!("SELECT {TICKET} FROM {SEEN} WHERE request_id = $2");
    client.query_opt(&text, &[&tenant, &request_id]).await?.as_ref().map(ticket).transpose()
}

pub(super) async fn list(
    client: &Client,
    tenant: &str,
    filter: &TicketFilter,
) -> Result<(Vec<Ticket>, u64), StoreError> {
    let TicketFilter { statuses, severities, policy_id, client_id, user_id, digest, .. } = filter;
    let counted = client
        .query_one(
            &format!("SELECT count(*) FROM {SEEN} WHERE {FOUND}"),
            &[&tenant, statuses, severities, policy_id, client_id, user_id, digest],
        )
        .await?;
    let order = if filter.oldest_first { "ASC" } else { "DESC" };
    let text = format!(
        "SELECT {TICKET} FROM {SEEN} WHERE {FOUND} ORDER BY created_at {order}, request_id {order}
         LIMIT $8 OFFSET $9"
    );
    let (limit, offset) = (i64::from(filter.limit.min(limits::PAGE)), i64::from(filter.offset));
    let rows = client
        .query(
            &text,
            &[&tenant, statuses, severities, policy_id, client_id, user_id, digest, &limit, &offset],
        )
        .await?;
    let total: i64 = counted.try_get(0)?;
    Ok((rows.iter().map(ticket).collect::<Result<_, _>>()?, total.unsigned_abs()))
}

pub(super) async fn decide(
    client: &mut Client,
    tenant: &str,
    request_id: &str,
    review: &Review,
) -> Result<Ticket, StoreError> {
    review.check()?;
    let transaction = client.transaction().await?;
    let decided = transaction
        .execute(
            "WITH decided AS (
                 UPDATE callgate_tickets SET status = $3, reviewer_id = $4, reviewer_email = $5, review_comment = $6,
                     reviewed_at = clock_timestamp(), updated_at = clock_timestamp()
                 WHERE tenant_id = $1 AND request_id = $2 AND status = 'pending' AND expires_at > clock_timestamp()
                 RETURNING request_id, reviewed_at)
             INSERT INTO callgate_ticket_events (request_id, at, event, by, comment)
             SELECT request_id, reviewed_at, $3, $4, $6 FROM decided",
            &[
                &tenant,
                &request_id,
                &review.status,
                &review.reviewer_id,
                &review.reviewer_email,
                &review.comment,
            ],
        )
        .await?;
    let stands = get(&transaction, tenant, request_id).await?.ok_or_else(|| unknown(request_id))?;
    transaction.commit().await?;
    if decided == 0 { Err(stands.already()) } else { Ok(stands) }
}

pub(super) async fn consume(
    client: &Client,
    tenant: &str,
    request_id: &str,
    digest: &str,
    policy_version: &str,
) -> Result<bool, StoreError> {
    let consumed = client
        .execute(
            "WITH consumed AS (
                 UPDATE callgate_tickets SET consumed_at = clock_timestamp(), updated_at = clock_timestamp()
                 WHERE tenant_id = $1 AND request_id = $2 AND digest = $3 AND policy_version = $4
                 AND status = 'approved' AND consumed_at IS NULL AND expires_at > clock_timestamp()
                 RETURNING request_id, consumed_at)
             INSERT INTO callgate_ticket_events (request_id, at, event, by, comment)
             SELECT request_id, consumed_at, 'consumed', '', '' FROM consumed",
            &[&tenant, &request_id, &digest, &policy_version],
        )
        .await?;
    Ok(consumed == 1)
}

pub(super) async fn history(
    client: &Client,
    tenant: &str,
    request_id: &str,
) -> Result<Vec<TicketEvent>, StoreError> {
    let stands = get(client, tenant, request_id).await?.ok_or_else(|| unknown(request_id))?;
    let rows = client
        .query(
            "SELECT to_jsonb(e) FROM callgate_ticket_events e WHERE request_id = $1 ORDER BY seq",
            &[&request_id],
        )
        .await?;
    let events = rows.iter().map(|row| Ok(row.try_get::<_, Json<TicketEvent>>(0)?.0));
    let mut events: Vec<TicketEvent> = events.collect::<Result<_, StoreError>>()?;
    events.extend(stands.ran_out(&events));
    Ok(events)
}

pub(super) async fn stats(client: &Client, tenant: &str) -> Result<TicketStats, StoreError> {
    let text = format!(
        "SELECT seen, severity, count(*), to_jsonb(min(created_at)) #>> '{{}}' FROM {SEEN} GROUP BY seen, severity"
    );
    let mut stats = TicketStats::default();
    for row in client.query(&text, &[&tenant]).await? {
        let oldest: String = row.try_get(3)?;
        let oldest = oldest.parse().map_err(|error| StoreError::Failed(format!("{error}; report it")))?;
        stats.add(row.try_get(0)?, row.try_get(1)?, row.try_get::<_, i64>(2)?.unsigned_abs(), oldest);
    }
    Ok(stats)
}

pub(super) async fn expire(client: &Client, tenant: &str) -> Result<u64, StoreError> {
    let expired = client
        .execute(
            "WITH expired AS (
                 UPDATE callgate_tickets SET status = 'expired', updated_at = expires_at
                 WHERE tenant_id = $1 AND status = 'pending' AND expires_at <= clock_timestamp()
                 RETURNING request_id, expires_at)
             INSERT INTO callgate_ticket_events (request_id, at, event, by, comment)
             SELECT request_id, expires_at, 'expired', '', '' FROM expired",
            &[&tenant],
        )
        .await?;
    Ok(expired)
}

/// Removes tickets of which nothing can come any more and that are old.
pub(super) async fn prune(client: &Client) -> Result<u64, StoreError> {
    let gone = client
        .execute(
            "DELETE FROM callgate_tickets
             WHERE updated_at < now() - make_interval(secs => $1) AND expires_at < now()",
            &[&limits::TICKET_AGE.as_secs_f64()],
        )
        .await?;
    Ok(gone)
}

fn unknown(request_id: &str) -> StoreError {
    StoreError::Missing(format!("ticket \"{request_id}\""))
}

fn ticket(row: &Row) -> Result<Ticket, StoreError> {
    Ok(row.try_get::<_, Json<Ticket>>(0)?.0)
}
