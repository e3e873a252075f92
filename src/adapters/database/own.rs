//! A PostgreSQL connection that its writer keeps while there is something to be written. The pool
//! asks the server for a sign of life whenever one comes back to it: a second round trip for each
//! commit.

use std::sync::Arc;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{AssertSqlSafe, PgPool, Postgres, query};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, Value};

use super::error::{Failure, failure};

/// The connection of one writer.
pub(super) struct Own {
    pool: PgPool,
    held: Option<PoolConnection<Postgres>>,
}

impl Own {
    /// None yet, of a PostgreSQL pool.
    pub(super) fn of(database: &DatabaseConnection) -> Self {
        Self { pool: database.get_postgres_connection_pool().clone(), held: None }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn give_back(&mut self) {
        self.held = None;
    }

    /// Executes a statement that gives one row: numbers, truths and texts are its parameters.
    pub(super) async fn execute(
        &mut self,
        text: Arc<str>,
        values: Vec<Value>,
    ) -> Result<(), DbErr> {
        let mut connection = match self.held.take() {
            Some(held) => held,
            None => {
                let found = self.pool.acquire().await;
                found.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?
            }
        };
        // The text is our own; what comes from outside is in its parameters.
        let mut query = query(AssertSqlSafe(text));
        for value in values {
            query = match value {
                Value::BigInt(number) => query.bind(number),
                Value::Bool(truth) => query.bind(truth),
                Value::String(text) => query.bind(text),
                _ => return Err(DbErr::Type("a parameter is of no type of ours".to_owned())),
            };
        }
        let done = query.fetch_one(&mut *connection).await.map(drop);
        let done = done.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())));
        // One that broke goes back, and is thrown away there.
        if done.as_ref().err().is_none_or(|error| failure(error) != Failure::Broken) {
            self.held = Some(connection);
        }
        done
    }
}
