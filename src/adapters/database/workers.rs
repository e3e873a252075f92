//! Who is alive, and whose turn it is.

use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};

use super::Database;
use super::error::store_error;
use super::writer::immediate;
use crate::ports::store::StoreError;

/// A worker that was silent for so long is forgotten, in milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

const SEEN: &str = "INSERT INTO workers (id, seen_at) VALUES ($1, $2) \
                    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
const FORGET: &str = "DELETE FROM workers WHERE seen_at < $1";
const ALIVE: &str = "SELECT count(*) AS alive FROM workers WHERE seen_at >= $1";
const TURN: &str = "INSERT INTO turns (task, owner, until_at) VALUES ($1, $2, $4) \
                    ON CONFLICT (task) DO UPDATE \
                    SET owner = excluded.owner, until_at = excluded.until_at \
                    WHERE turns.owner = excluded.owner OR turns.until_at < $3";
const LEAVE: [&str; 3] = [
    // What is in hand still may make its money call until this very moment (turn::lose_driver).
    "UPDATE payments SET lease_owner = NULL, lease_until = NULL, \
     unanswered_at = CASE WHEN exposure = 'sent' THEN NULL ELSE unanswered_at END \
     WHERE lease_owner = $1",
    "DELETE FROM turns WHERE owner = $1",
    "DELETE FROM workers WHERE id = $1",
];

impl Database {
    pub(super) async fn seen(
        &self,
        worker: &str,
        now: i64,
        alive_since: i64,
    ) -> Result<u32, StoreError> {
        self.execute(SEEN, [worker.into(), now.into()]).await?;
        self.execute(FORGET, [(alive_since - FORGOTTEN_AFTER_MS).into()]).await?;
        let rows = self.rows(ALIVE, [alive_since.into()]).await?;
        let alive = rows.first().map_or(Ok(0_i64), |row| row.try_get("", "alive"));
        let alive = alive.map_err(|error| store_error(&error))?;
        // Itself at least, whatever the clocks say.
        Ok(u32::try_from(alive.max(1)).unwrap_or(u32::MAX))
    }

    pub(super) async fn leave(&self, worker: &str) -> Result<(), StoreError> {
        self.leave_all(worker).await.map_err(|error| store_error(&error))
    }

    async fn leave_all(&self, worker: &str) -> Result<(), DbErr> {
        let transaction = self.write.begin_with_options(immediate()).await?;
        for text in LEAVE {
            transaction.execute_raw(self.statement(text, [worker.into()])).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn turn(
        &self,
        task: &str,
        worker: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        let values = [task.into(), worker.into(), now.into(), until.into()];
        Ok(self.execute(TURN, values).await? > 0)
    }
}
