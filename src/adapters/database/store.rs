//! `ports::store`: what is known of a message, payments by their ids and by what is due.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, QueryResult, Value};

use super::entity::{inbox, outbox, payment, waiter};
use super::error::store_error;
use super::rows::{Dialect, Field, fields, list};
use super::{Database, statements, wire};
use crate::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use crate::domain::payment::admission::Known;
use crate::domain::payment::{Payment, Phase};
use crate::ports::store::{Commit, DueQuery, KnownQuery, OutboxEntry, Store, StoreError, Waiter};

const REFERENCE_OWNER: &str = "SELECT id FROM payments \
     WHERE (reference = $1 OR COALESCE(permission, reference) = $1) \
     AND seller_account = $2 AND owns_reference";

const JOINS: &str = "SELECT joins FROM payments WHERE id = $1";

/// Statements whose texts follow from the tables' columns, written once.
pub(super) struct Texts {
    known: String,
    due: String,
    due_count: String,
    to_close: String,
    to_look_at: String,
    orders: String,
    orders_of: String,
}

impl Texts {
    pub(super) fn of(dialect: Dialect) -> Self {
        Self {
            known: known(),
            due: due(dialect),
            due_count: format!("SELECT count(*) AS due FROM {}", is_due()),
            to_close: asked(
                dialect,
                "close_reference_at <= $1 AND (lease_owner IS NULL OR lease_until < $1)",
                "close_reference_at",
                2,
            ),
            to_look_at: asked(
                dialect,
                "look_at <= $1 AND (lease_owner IS NULL OR lease_until < $2)",
                "look_at",
                3,
            ),
            orders: "FROM payments WHERE order_id = $1 AND kind = 'order' \
                     ORDER BY created_at"
                .to_owned(),
            orders_of: format!(
                "FROM payments WHERE order_id = $1 AND kind = 'order' AND mid IN {} \
                 ORDER BY created_at",
                dialect.values(Field::text("mid"), "$2")
            ),
        }
    }
}

/// One row, whatever is known: message, payment and the owner of the reference side by side.
fn known() -> String {
    let payment = fields::<payment::Entity>();
    let payment = list(&payment, |field| format!("p.\"{0}\" AS \"p_{0}\"", field.name));
    let message = fields::<inbox::Entity>();
    let message = list(&message, |field| format!("i.\"{0}\" AS \"i_{0}\"", field.name));
    format!(
        "SELECT {message}, {payment}, o.id AS owner FROM (SELECT 1 AS one) AS one \
         LEFT JOIN inbox AS i ON i.message_id = $1 \
         LEFT JOIN payments AS p ON p.id = $2 \
         LEFT JOIN payments AS o \
         ON (o.reference = $3 OR COALESCE(o.permission, o.reference) = $3) \
         AND o.seller_account = $4 AND o.owns_reference"
    )
}

/// What somebody must drive now: `$1` now, `$2` since when an owner is alive, `$3` charges or all
/// else.
fn is_due() -> String {
    let phases = statements::phases(|phase| phase.in_hand() || phase == Phase::Authorized);
    format!(
        "payments AS p \
         WHERE p.due_at <= $1 AND (p.operations IS NOT NULL \
         OR (p.dead_letter IS NULL AND p.phase IN ({phases}))) \
         AND (p.lease_owner IS NULL OR p.lease_until < $1 OR NOT EXISTS \
         (SELECT 1 FROM workers AS w WHERE w.id = p.lease_owner AND w.seen_at >= $2)) \
         AND (p.kind = 'charge') = $3"
    )
}

fn due(dialect: Dialect) -> String {
    let accounts = dialect.values(Field::text("seller_account"), "$4");
    let left_out = dialect.values(Field::text("id"), "$6");
    format!(
        "FROM {} AND p.seller_account NOT IN {accounts} AND p.id NOT IN {left_out} \
         ORDER BY p.due_at LIMIT $5",
        is_due()
    )
}

/// Payments by something else that is due, the limit being parameter `limit`.
fn asked(dialect: Dialect, what: &str, order: &str, limit: usize) -> String {
    let left_out = dialect.values(Field::text("id"), &format!("${}", limit + 1));
    format!(
        "FROM payments WHERE {what} AND id NOT IN {left_out} \
         ORDER BY {order} LIMIT ${limit}"
    )
}

fn payments(models: Vec<payment::Model>) -> Result<Vec<Payment>, StoreError> {
    models.into_iter().map(payment::Model::payment).collect()
}

/// The model in the columns with this prefix; none where its key is null.
fn joined<M: FromQueryResult>(
    row: &QueryResult,
    prefix: &str,
    key: &str,
) -> Result<Option<M>, StoreError> {
    let read = || match row.try_get::<Option<String>>(prefix, key)? {
        Some(_) => M::from_query_result(row, prefix).map(Some),
        None => Ok(None),
    };
    read().map_err(|error| store_error(&error))
}

#[async_trait]
impl Store for Database {
    async fn known(&self, query: &KnownQuery) -> Result<Known, StoreError> {
        let (account, reference) = match &query.reference {
            Some((account, reference)) => (Some(account.clone()), Some(reference.to_string())),
            None => (None, None),
        };
        let ids = [Some(query.message_id.clone()), Some(query.payment_id.clone())];
        let values = ids.into_iter().chain([reference, account]).map(Value::from);
        let rows = self.rows(&self.texts.known, values).await?;
        let Some(row) = rows.first() else { return Ok(Known::default()) };
        let message: Option<inbox::Model> = joined(row, "i_", "message_id")?;
        let payment: Option<payment::Model> = joined(row, "p_", "id")?;
        Ok(Known {
            message: message.map(inbox::Model::seen).transpose()?,
            payment: payment.map(payment::Model::payment).transpose()?,
            reference_owner: row.try_get("", "owner").map_err(|error| store_error(&error))?,
            ..Known::default()
        })
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.commits.write(commit).await
    }

    async fn payment(&self, id: &str) -> Result<Option<Payment>, StoreError> {
        let found = self.models("FROM payments WHERE id = $1", [id.into()]).await?;
        found.into_iter().next().map(payment::Model::payment).transpose()
    }

    async fn orders(
        &self,
        order: &OrderId,
        mids: &[MerchantAccountId],
    ) -> Result<Vec<Payment>, StoreError> {
        let order = order.as_str().into();
        let found = if mids.is_empty() {
            self.models(&self.texts.orders, [order]).await?
        } else {
            self.models(&self.texts.orders_of, [order, wire::mids_text(mids).into()]).await?
        };
        payments(found)
    }

    async fn reference_owner(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
    ) -> Result<Option<String>, StoreError> {
        let values = [reference.as_str().into(), seller_account.into()];
        let rows = self.rows(REFERENCE_OWNER, values).await?;
        let owner = rows.first().map(|row| row.try_get("", "id")).transpose();
        owner.map_err(|error| store_error(&error))
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Payment>, StoreError> {
        let except = wire::texts(query.except.iter().map(String::as_str));
        let DueQuery { now, alive_since, charges, .. } = *query;
        let values = [now.into(), alive_since.into(), charges.into(), except.into()];
        self.readable::<payment::Model>(&self.texts.due, values, query.limit).await
    }

    async fn due_count(
        &self,
        now: i64,
        alive_since: i64,
        charges: bool,
    ) -> Result<u64, StoreError> {
        let values = [now.into(), alive_since.into(), charges.into()];
        let rows = self.rows(&self.texts.due_count, values).await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64>("", "due"));
        count.map(i64::unsigned_abs).map_err(|error| store_error(&error))
    }

    async fn references_to_close(&self, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.readable::<payment::Model>(&self.texts.to_close, [now.into()], limit).await
    }

    async fn to_look_at(&self, due: i64, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError> {
        let values = [due.into(), now.into()];
        self.readable::<payment::Model>(&self.texts.to_look_at, values, limit).await
    }

    async fn wake(&self, mid: &MerchantAccountId, now: i64) -> Result<u64, StoreError> {
        let phases = statements::phases(Phase::in_hand);
        let text = format!(
            "UPDATE payments SET due_at = $2, \
             own_due_at = CASE WHEN operations IS NULL THEN NULL ELSE $2 END \
             WHERE mid = $1 AND refused_since IS NOT NULL \
             AND dead_letter IS NULL AND phase IN ({phases}) \
             AND (lease_owner IS NULL OR lease_until < $2)"
        );
        self.execute(&text, [mid.as_str().into(), now.into()]).await
    }

    async fn joins(&self, payment_id: &str) -> Result<i64, StoreError> {
        let rows = self.rows(JOINS, [payment_id.into()]).await?;
        let joins = rows.first().map_or(Ok(0), |row| row.try_get("", "joins"));
        joins.map_err(|error| store_error(&error))
    }

    async fn waiters(&self, payment_id: &str) -> Result<Vec<Waiter>, StoreError> {
        let text = "FROM waiters WHERE payment_id = $1 ORDER BY number";
        let found: Vec<waiter::Model> = self.models(text, [payment_id.into()]).await?;
        Ok(found.into_iter().map(Waiter::from).collect())
    }

    async fn event(&self, event_id: &str) -> Result<Option<OutboxEntry>, StoreError> {
        let text = "FROM outbox WHERE event_id = $1 ORDER BY number LIMIT 1";
        let found: Vec<outbox::Model> = self.models(text, [event_id.into()]).await?;
        found.into_iter().next().map(|row| Ok(row.row()?.entry)).transpose()
    }

    async fn heartbeat(&self, worker: &str, now: i64, alive_since: i64) -> Result<u32, StoreError> {
        self.seen(worker, now, alive_since).await
    }

    async fn farewell(&self, worker: &str) -> Result<(), StoreError> {
        self.leave(worker).await
    }

    async fn take_turn(
        &self,
        task: &str,
        worker: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        self.turn(task, worker, now, until).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let behind = self.migration_status().await?.into_iter().find(|one| !one.applied);
        match behind {
            None => Ok(()),
            Some(one) => Err(StoreError::Away(format!("the schema is behind: {}", one.name))),
        }
    }
}
