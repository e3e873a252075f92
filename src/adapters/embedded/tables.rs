//! What is done in one commit, as statements. Whoever calls them holds the transaction.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::open::sql;
use super::routing::{self, Queues};
use super::wire;
use crate::ports::broker::{Lane, Message, Publication, PublishError, Target};

/// Beyond it a message is put beside its lane, as RabbitMQ does with the lanes' delivery limit.
const DELIVERY_LIMIT: i64 = 1_000_000;
const MIGHT_RETURN: &str = "holder = NULL, queue = CASE WHEN deliveries >= ";

/// A message taken from its queue and not settled yet.
pub(super) struct Taken {
    pub(super) id: i64,
    /// Deliveries before this one.
    pub(super) earlier: u32,
    pub(super) message: Message,
}

/// What a consumer asks for.
pub(super) struct Wanted {
    pub(super) queue: String,
    pub(super) holder: String,
    pub(super) limit: u32,
    /// Only while nobody else holds anything of this queue.
    pub(super) alone: bool,
}

/// A queue beside the lanes.
pub(super) struct NewQueue {
    pub(super) name: String,
    /// Whose it is and with whom it ends; none where it lasts.
    pub(super) process: Option<String>,
    /// The events that it takes.
    pub(super) pattern: Option<String>,
}

pub(super) async fn queues(tx: &DatabaseTransaction) -> Result<Queues, DbErr> {
    let mut queues = Queues::default();
    for row in tx.query_all_raw(sql("SELECT name FROM queue", [])).await? {
        queues.names.insert(row.try_get_by_index(0)?);
    }
    for row in tx.query_all_raw(sql("SELECT pattern, queue FROM binding", [])).await? {
        queues.bindings.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    }
    Ok(queues)
}

/// The queues that it came into. The inner result is the publication's, the outer one the whole
/// commit's.
pub(super) async fn publish(
    tx: &DatabaseTransaction,
    publication: &Publication,
    queues: &Queues,
    now: i64,
) -> Result<Result<Vec<String>, PublishError>, DbErr> {
    let into = match routing::route(publication, queues) {
        Ok(into) => into,
        Err(error) => return Ok(Err(error)),
    };
    let message = &publication.message;
    let Ok(properties) = wire::write(message) else { return Ok(Err(PublishError::Refused)) };
    let delay = match publication.target {
        Target::Retry(tier) => i64::try_from(tier.delay().as_millis()).unwrap_or(i64::MAX),
        _ => 0,
    };
    for queue in &into {
        // Nothing is ever late in a queue that is no lane: only the order of arrival counts.
        let is_lane = Lane::ALL.iter().any(|lane| lane.queue() == queue.as_str());
        let ready_at = if is_lane { now.saturating_add(delay) } else { 0 };
        let insert = "INSERT INTO message (queue, ready_at, routing_key, properties, body) \
                      VALUES (?, ?, ?, ?, ?)";
        tx.execute_raw(sql(
            insert,
            [
                queue.as_str().into(),
                ready_at.into(),
                message.routing_key.clone().into(),
                properties.clone().into(),
                message.body.clone().into(),
            ],
        ))
        .await?;
    }
    Ok(Ok(into))
}

pub(super) async fn take(
    tx: &DatabaseTransaction,
    wanted: &Wanted,
    now: i64,
) -> Result<Vec<Taken>, DbErr> {
    let Wanted { queue, holder, limit, alone } = wanted;
    let alone = if *alone {
        "AND NOT EXISTS (SELECT 1 FROM message WHERE holder IS NOT NULL AND holder <> ?1 \
         AND queue = ?2)"
    } else {
        ""
    };
    let update = format!(
        "UPDATE message SET holder = ?1, deliveries = deliveries + 1 WHERE id IN (SELECT id FROM \
         message WHERE queue = ?2 AND holder IS NULL AND ready_at <= ?3 {alone} ORDER BY ready_at, \
         id LIMIT ?4) RETURNING ready_at, id, deliveries, routing_key, properties, body"
    );
    let values = [holder.clone().into(), queue.clone().into(), now.into(), (*limit).into()];
    let rows = tx.query_all_raw(sql(&update, values)).await?;
    let mut taken = rows.iter().map(taken).collect::<Result<Vec<_>, _>>()?;
    // The order of what an update returns is nobody's promise.
    taken.sort_unstable_by_key(|(ready_at, taken)| (*ready_at, taken.id));
    Ok(taken.into_iter().map(|(_, taken)| taken).collect())
}

fn taken(row: &QueryResult) -> Result<(i64, Taken), DbErr> {
    let deliveries: i64 = row.try_get_by_index(2)?;
    let properties: String = row.try_get_by_index(4)?;
    let message = wire::read(row.try_get_by_index(3)?, &properties, row.try_get_by_index(5)?)
        .map_err(|error| DbErr::Custom(format!("a message cannot be read: {error}")))?;
    let earlier = u32::try_from(deliveries - 1).unwrap_or(0);
    Ok((row.try_get_by_index(0)?, Taken { id: row.try_get_by_index(1)?, earlier, message }))
}

/// Removes what its holder has done; gives the ids that were still its.
pub(super) async fn acknowledge(
    tx: &DatabaseTransaction,
    holder: &str,
    ids: &[i64],
) -> Result<Vec<i64>, DbErr> {
    let delete = "DELETE FROM message WHERE holder = ? AND id IN (SELECT value FROM json_each(?)) \
                  RETURNING id";
    ids_of(tx.query_all_raw(sql(delete, [holder.into(), list(ids).into()])).await?)
}

/// Gives back what its holder has; gives the ids that were still its.
pub(super) async fn give_back(
    tx: &DatabaseTransaction,
    holder: &str,
    ids: &[i64],
) -> Result<Vec<i64>, DbErr> {
    let update = format!(
        "UPDATE message SET {MIGHT_RETURN}{DELIVERY_LIMIT} THEN queue || '.dlq' ELSE queue END \
         WHERE holder = ? AND id IN (SELECT value FROM json_each(?)) RETURNING id"
    );
    ids_of(tx.query_all_raw(sql(&update, [holder.into(), list(ids).into()])).await?)
}

/// Gives back everything that a consumer (`process/number`) or a whole process (`process/`) has.
pub(super) async fn give_back_all(tx: &DatabaseTransaction, holder: &str) -> Result<(), DbErr> {
    // Only a process ends in a slash, and 0 is what follows it in the alphabet.
    let after = holder.strip_suffix('/').map_or_else(|| holder.to_owned(), |id| format!("{id}0"));
    let update = format!(
        "UPDATE message SET {MIGHT_RETURN}{DELIVERY_LIMIT} THEN queue || '.dlq' ELSE queue END \
         WHERE holder = ?1 OR (holder > ?1 AND holder < ?2)"
    );
    tx.execute_raw(sql(&update, [holder.into(), after.into()])).await.map(|_| ())
}

pub(super) async fn add_queue(tx: &DatabaseTransaction, queue: &NewQueue) -> Result<(), DbErr> {
    let NewQueue { name, process, pattern } = queue;
    let insert = "INSERT INTO queue (name, process) VALUES (?, ?) ON CONFLICT DO NOTHING";
    tx.execute_raw(sql(insert, [name.into(), process.clone().into()])).await?;
    if let Some(pattern) = pattern {
        let insert = "INSERT INTO binding (queue, pattern) VALUES (?, ?) ON CONFLICT DO NOTHING";
        tx.execute_raw(sql(insert, [name.into(), pattern.into()])).await?;
    }
    Ok(())
}

/// Removes a queue with what is in it.
pub(super) async fn drop_queue(tx: &DatabaseTransaction, name: &str) -> Result<(), DbErr> {
    for text in [
        "DELETE FROM message WHERE queue = ?",
        "DELETE FROM binding WHERE queue = ?",
        "DELETE FROM queue WHERE name = ?",
    ] {
        tx.execute_raw(sql(text, [name.into()])).await?;
    }
    Ok(())
}

/// A sign of life.
pub(super) async fn beat(tx: &impl ConnectionTrait, process: &str, now: i64) -> Result<(), DbErr> {
    let insert = "INSERT INTO process (id, seen_at) VALUES (?, ?) \
                  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    tx.execute_raw(sql(insert, [process.into(), now.into()])).await.map(|_| ())
}

/// Removes a process that is no more: what it held is given back, its own queues go with it.
pub(super) async fn bury(tx: &DatabaseTransaction, process: &str) -> Result<(), DbErr> {
    give_back_all(tx, &format!("{process}/")).await?;
    let select = "SELECT name FROM queue WHERE process = ?";
    for row in tx.query_all_raw(sql(select, [process.into()])).await? {
        drop_queue(tx, &row.try_get_by_index::<String>(0)?).await?;
    }
    tx.execute_raw(sql("DELETE FROM process WHERE id = ?", [process.into()])).await.map(|_| ())
}

fn list(ids: &[i64]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn ids_of(rows: Vec<QueryResult>) -> Result<Vec<i64>, DbErr> {
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
