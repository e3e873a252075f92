//! `ports::relay`: what is to be published, and the feed of what was. Published rows stay: they are
//! the feed, and what is published again is read from them.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, TransactionTrait, Value};

use super::entity::{outbox, waiter};
use super::error::store_error;
use super::rows::{Field, Given, Rows};
use super::writer::immediate;
use super::{Database, statements, wire};
use crate::domain::payment::Phase;
use crate::ports::relay::{FeedRow, Outbox, OutboxRow, RowKey};
use crate::ports::store::{StoreError, Waiter};
use crate::ports::vault::Sealed;

/// Takes the one lock under which places are given out, so that nothing appears at or before a
/// place that a reader of the feed has seen.
const LAST_PLACE: &str = "UPDATE counters SET value = value WHERE name = 'feed' RETURNING value";
const NEW_LAST_PLACE: &str = "UPDATE counters SET value = $1 WHERE name = 'feed'";

/// Accounts of one client in the feed, each read through its own index; with more of them the feed
/// is read as a whole.
const MIDS_MAX: usize = 50;

impl Database {
    async fn publish(&self, rows: &[RowKey], over: &[String], now: i64) -> Result<(), DbErr> {
        let transaction = self.write.begin_with_options(immediate()).await?;
        if !rows.is_empty() {
            self.place(&transaction, rows, now).await?;
        }
        if !over.is_empty() {
            // A payment that was opened again meanwhile keeps them: they hear of the new epoch.
            let text = format!(
                "DELETE FROM waiters WHERE payment_id IN {} AND NOT EXISTS \
                 (SELECT 1 FROM payments AS p WHERE p.id = payment_id AND p.phase IN ({}))",
                self.dialect.values(Field::text("payment_id"), "$1"),
                statements::phases(Phase::in_hand)
            );
            let over = wire::texts(over.iter().map(String::as_str));
            transaction.execute_raw(self.statement(&text, [over.into()])).await?;
        }
        transaction.commit().await
    }

    async fn place(
        &self,
        transaction: &DatabaseTransaction,
        published: &[RowKey],
        now: i64,
    ) -> Result<(), DbErr> {
        let last = transaction.query_one_raw(self.statement(LAST_PLACE, [])).await?;
        let last = last.ok_or_else(|| DbErr::RecordNotFound("the counter of the feed".into()))?;
        let mut place: i64 = last.try_get("", "value")?;
        let mut numbers = self.not_yet_published(transaction, published).await?;
        let mut rows = Rows::new();
        for key in published {
            // Named twice, it is placed once.
            let Some(number) = numbers.remove(key) else { continue };
            let number = ("number", Value::from(number));
            match key {
                RowKey::First(_) => {
                    place += 1;
                    rows.push_values(&[number, ("position", place.into())]);
                }
                RowKey::Replay(_) => rows.push_values(&[number]),
            }
        }
        let given = self
            .dialect
            .table(&[Field::number("number"), Field::number("position")], Given::Many(1));
        let text = format!(
            "UPDATE outbox AS t SET published_at = $2, position = n.position FROM {given} \
             WHERE t.number = n.number"
        );
        let values = [rows.into_json().into(), now.into()];
        transaction.execute_raw(self.statement(&text, values)).await?;
        transaction.execute_raw(self.statement(NEW_LAST_PLACE, [place.into()])).await?;
        Ok(())
    }

    /// The numbers of those rows that have not been published.
    async fn not_yet_published(
        &self,
        transaction: &DatabaseTransaction,
        rows: &[RowKey],
    ) -> Result<HashMap<RowKey, i64>, DbErr> {
        let (mut events, mut replays) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                RowKey::First(event) => events.push(event.as_str()),
                RowKey::Replay(number) => replays.push(*number),
            }
        }
        let text = format!(
            "SELECT number, event_id, replay FROM outbox \
             WHERE published_at IS NULL AND NOT replay AND event_id IN {} \
             UNION ALL SELECT number, event_id, replay FROM outbox \
             WHERE published_at IS NULL AND replay AND number IN {}",
            self.dialect.values(Field::text("event_id"), "$1"),
            self.dialect.values(Field::number("number"), "$2"),
        );
        let values = [wire::texts(events).into(), wire::numbers(&replays).into()];
        let found = transaction.query_all_raw(self.statement(&text, values)).await?;
        let read = found.iter().map(|row| {
            let number: i64 = row.try_get("", "number")?;
            let replay: bool = row.try_get("", "replay")?;
            let key = if replay {
                RowKey::Replay(number)
            } else {
                RowKey::First(row.try_get("", "event_id")?)
            };
            Ok((key, number))
        });
        read.collect()
    }
}

/// The feed of so many accounts, or of all: `$1` after, `$2` limit, then the accounts.
fn feed_text(mids: usize) -> String {
    let places = "SELECT number, position FROM outbox";
    let order = "ORDER BY position LIMIT $2";
    let inner = if mids == 0 {
        format!("{places} WHERE position > $1 {order}")
    } else {
        let each = (0..mids).map(|at| {
            let mid = at + 3;
            format!("SELECT * FROM ({places} WHERE mid = ${mid} AND position > $1 {order}) AS m")
        });
        each.collect::<Vec<_>>().join(" UNION ALL ")
    };
    format!(
        "SELECT o.position, o.event_id, o.body FROM ({inner}) AS p \
         JOIN outbox AS o ON o.number = p.number ORDER BY p.position LIMIT $2"
    )
}

#[async_trait]
impl Outbox for Database {
    async fn unpublished(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let text = format!(
            "FROM outbox WHERE published_at IS NULL AND subject NOT IN {} \
             ORDER BY number LIMIT $1",
            self.dialect.values(Field::text("subject"), "$2")
        );
        self.readable::<outbox::Model>(&text, [], limit).await
    }

    async fn joined(&self, payment_ids: &[String]) -> Result<Vec<Waiter>, StoreError> {
        let ids = wire::texts(payment_ids.iter().map(String::as_str));
        let given = self.dialect.values(Field::text("payment_id"), "$1");
        let text = format!("FROM waiters WHERE payment_id IN {given} ORDER BY number");
        let found: Vec<waiter::Model> = self.models(&text, [ids.into()]).await?;
        Ok(found.into_iter().map(Waiter::from).collect())
    }

    async fn published(
        &self,
        rows: &[RowKey],
        over: &[String],
        now: i64,
    ) -> Result<(), StoreError> {
        self.publish(rows, over, now).await.map_err(|error| store_error(&error))
    }

    async fn feed(
        &self,
        after: i64,
        limit: u32,
        mids: Option<&[String]>,
    ) -> Result<Vec<FeedRow>, StoreError> {
        let mut values: Vec<Value> = vec![after.into(), i64::from(limit).into()];
        let text = match mids {
            None => feed_text(0),
            Some([]) => return Ok(Vec::new()),
            Some(mids) if mids.len() <= MIDS_MAX => {
                values.extend(mids.iter().map(|mid| Value::from(mid.as_str())));
                feed_text(mids.len())
            }
            Some(mids) => {
                values.push(wire::texts(mids.iter().map(String::as_str)).into());
                let given = self.dialect.values(Field::text("mid"), "$3");
                format!(
                    "SELECT position, event_id, body FROM outbox \
                     WHERE position > $1 AND mid IN {given} ORDER BY position LIMIT $2"
                )
            }
        };
        let rows = self.rows(&text, values).await?;
        let read = rows.iter().map(|row| {
            Ok(FeedRow {
                position: row.try_get("", "position")?,
                event_id: row.try_get("", "event_id")?,
                body: Sealed(row.try_get("", "body")?),
            })
        });
        read.collect::<Result<_, DbErr>>().map_err(|error| store_error(&error))
    }

    async fn backlog(&self, now: i64) -> Result<(u64, i64), StoreError> {
        let text = "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS rows, \
                    (SELECT created_at FROM outbox WHERE published_at IS NULL \
                    ORDER BY number LIMIT 1) AS oldest";
        let rows = self.rows(text, []).await?;
        let read = |row: &sea_orm::QueryResult| {
            let count: i64 = row.try_get("", "rows")?;
            let oldest: Option<i64> = row.try_get("", "oldest")?;
            let age = oldest.map_or(0, |oldest| (now - oldest).max(0));
            Ok((u64::try_from(count).unwrap_or_default(), age))
        };
        rows.first().map_or(Ok((0, 0)), read).map_err(|error: DbErr| store_error(&error))
    }
}
