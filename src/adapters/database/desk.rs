//! `ports::desk`: what operators look at.

use async_trait::async_trait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Database;
use super::entity::{dead_letter, journal, payment};
use crate::domain::payment::{Payment, Phase};
use crate::ports::desk::{DeadLetterFilter, DeadLetterRow, Desk, PaymentFilter};
use crate::ports::store::{JournalEntry, StoreError};

/// By row, order, charge, message or reference; `$2` is the reference that an authorization or a
/// capture named by `$1` hangs on, because Amazon's ids of those begin with it.
const FIND: &str = "FROM payments WHERE id IN (\
    SELECT id FROM payments WHERE id = $1 \
    UNION SELECT id FROM payments WHERE order_id = $1 \
    UNION SELECT id FROM payments WHERE charge_id = $1 \
    UNION SELECT payment_id FROM inbox WHERE message_id = $1 \
    UNION SELECT id FROM payments \
    WHERE owns_reference AND (reference = $1 OR (reference = $2 \
    AND (authorization_id = $1 OR capture_id = $1))) \
    UNION SELECT u.id FROM payments AS o JOIN payments AS u \
    ON u.order_id = o.order_id AND u.mid = o.mid AND u.reference = o.reference \
    WHERE o.owns_reference AND (o.reference = $1 OR (o.reference = $2 \
    AND (u.authorization_id = $1 OR u.capture_id = $1)))) \
    ORDER BY created_at, id LIMIT 100";

#[async_trait]
impl Desk for Database {
    async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterRow>, StoreError> {
        use dead_letter::Column;
        let mut select = dead_letter::Entity::find();
        if !filter.ids.is_empty() {
            select = select.filter(Column::Id.is_in(&filter.ids));
        }
        if let Some(reason) = filter.reason {
            select = select.filter(Column::Reason.eq(reason.as_str()));
        }
        if let Some(mid) = &filter.mid {
            select = select.filter(Column::Mid.eq(mid));
        }
        if let Some(since) = filter.since {
            select = select.filter(Column::Since.gte(since));
        }
        if let Some(status) = filter.status {
            select = select.filter(Column::Status.eq(status.as_str()));
        }
        let select = select.order_by_asc(Column::Since).order_by_asc(Column::Id);
        let found = self.ask(|| select.clone().all(&self.read)).await?;
        found.into_iter().map(dead_letter::Model::row).collect()
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        use payment::Column;
        let mut select = payment::Entity::find();
        if let Some(mid) = &filter.mid {
            select = select.filter(Column::Mid.eq(mid));
        }
        if let Some(phase) = &filter.phase {
            select = select.filter(Column::Phase.eq(phase));
            if phase != Phase::Paid.as_str() {
                // Said again for the index that leaves the paid ones out.
                select = select.filter(Column::Phase.ne(Phase::Paid.as_str()));
            }
        }
        let select = select.order_by_desc(Column::CreatedAt).limit(u64::from(filter.limit));
        let found = self.ask(|| select.clone().all(&self.read)).await?;
        found.into_iter().map(payment::Model::payment).collect()
    }

    async fn find(&self, text: &str) -> Result<Vec<Payment>, StoreError> {
        // A zero is in no id, and PostgreSQL does not take it.
        let text = text.replace('\0', "");
        let reference = text.rsplit_once('-').map_or("", |(reference, _)| reference);
        let values = [text.as_str().into(), reference.into()];
        let found: Vec<payment::Model> = self.models(FIND, values).await?;
        found.into_iter().map(payment::Model::payment).collect()
    }

    async fn timeline(&self, payment_id: &str) -> Result<Vec<JournalEntry>, StoreError> {
        let text = "FROM journal WHERE payment_id = $1 ORDER BY number";
        let found: Vec<journal::Model> = self.models(text, [payment_id.into()]).await?;
        Ok(found.into_iter().map(JournalEntry::from).collect())
    }
}
