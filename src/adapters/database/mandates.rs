//! `ports::mandates`: standing consents by their ids and by what is due, and the payments on them.

use async_trait::async_trait;

use super::entity::{mandate, payment};
use super::rows::Field;
use super::{Database, wire};
use crate::domain::ids::ReferenceId;
use crate::domain::mandate::{Mandate, mandate_id};
use crate::domain::payment::Payment;
use crate::ports::mandates::{MandateStore, RivalQuery};
use crate::ports::store::StoreError;

/// Each half has its own index.
const DECLINED: &str = "FROM (\
     SELECT * FROM payments WHERE COALESCE(permission, reference) = $1 \
     AND seller_account = $2 AND owns_reference \
     UNION ALL \
     SELECT * FROM payments WHERE reference = $1 AND seller_account = $2 \
     AND NOT owns_reference AND reference IS NOT NULL) AS p \
     WHERE p.phase = 'declined' ORDER BY p.created_at LIMIT $3";

const RIVALS: &str = "FROM payments WHERE reference = $1 AND seller_account = $2 \
     AND NOT owns_reference AND reference IS NOT NULL \
     AND kind = 'charge' AND of_order = $3 AND cycle = $4 AND id <> $5 ORDER BY created_at";

/// An earlier time stays; the version fences off whoever read it before.
const LOOK: &str = "UPDATE mandates SET version = version + 1, polls = 0, \
     due_at = CASE WHEN due_at < $2 THEN due_at ELSE $2 END WHERE id = $1";

fn payments(models: Vec<payment::Model>) -> Result<Vec<Payment>, StoreError> {
    models.into_iter().map(payment::Model::payment).collect()
}

#[async_trait]
impl MandateStore for Database {
    async fn mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
    ) -> Result<Option<Mandate>, StoreError> {
        self.mandate_by_id(&mandate_id(seller_account, reference)).await
    }

    async fn mandate_by_id(&self, id: &str) -> Result<Option<Mandate>, StoreError> {
        let found = self.models("FROM mandates WHERE id = $1", [id.into()]).await?;
        found.into_iter().next().map(mandate::Model::mandate).transpose()
    }

    async fn mandates_due(&self, now: i64, limit: u32) -> Result<Vec<Mandate>, StoreError> {
        let text = format!(
            "FROM mandates WHERE due_at <= $1 AND id NOT IN {} ORDER BY due_at LIMIT $2",
            self.dialect.values(Field::text("id"), "$3")
        );
        self.readable::<mandate::Model>(&text, [now.into()], limit).await
    }

    async fn payments(&self, ids: &[String]) -> Result<Vec<Payment>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let among = self.dialect.values(Field::text("id"), "$1");
        let text = format!("FROM payments WHERE id IN {among}");
        let ids = wire::texts(ids.iter().map(String::as_str));
        payments(self.models(&text, [ids.into()]).await?)
    }

    async fn declined_on(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let values = [reference.as_str().into(), seller_account.into(), i64::from(limit).into()];
        payments(self.models(DECLINED, values).await?)
    }

    async fn rivals(&self, query: &RivalQuery) -> Result<Vec<Payment>, StoreError> {
        let values = [
            query.agreement.as_str().into(),
            query.seller_account.as_str().into(),
            query.order.as_str().into(),
            query.cycle.as_str().into(),
            query.key.event_subject().into(),
        ];
        payments(self.models(RIVALS, values).await?)
    }

    async fn look_at_mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        now: i64,
    ) -> Result<(), StoreError> {
        let id = mandate_id(seller_account, reference);
        self.execute(LOOK, [id.into(), now.into()]).await.map(drop)
    }
}
