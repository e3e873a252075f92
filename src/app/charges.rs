//! Charges of agreements as they come in: what is taken, and which other charge stands in the way.

use super::engine::Engine;
use super::intake::Taken;
use crate::contract::Personal;
use crate::contract::command::{Parsed, check_agreement};
use crate::domain::command::{Kind, Sale};
use crate::domain::decline::RejectionCode;
use crate::domain::payment::Payment;
use crate::domain::payment::admission::Known;
use crate::ports::broker::Message;
use crate::ports::mandates::RivalQuery;
use crate::ports::store::StoreError;

impl Engine {
    pub(super) async fn take_charge(
        &self,
        message: &Message,
        parsed: &Parsed,
        sale: &Sale,
        redelivered: bool,
    ) -> Result<Taken, StoreError> {
        if let Some(Err(error)) = sale.reference.as_ref().map(check_agreement) {
            self.reject(message, parsed, RejectionCode::Invalid, vec![error]).await?;
            return Ok(Taken::Done);
        }
        // No unique key tells of another charge for the same thing: it is looked for.
        let look = redelivered || (sale.of_order.is_some() && sale.texts.cycle.is_some());
        self.take_payment(message, parsed, sale, &Personal::default(), look).await
    }

    /// Adds what else is charged for the same agreement, order and cycle.
    pub(super) async fn add_rivals(
        &self,
        known: &mut Known,
        sale: &Sale,
        seller: &str,
    ) -> Result<(), StoreError> {
        let (Kind::Charge, Some(agreement), Some(order), Some(cycle)) =
            (sale.key.subject.kind(), &sale.reference, &sale.of_order, &sale.texts.cycle)
        else {
            return Ok(());
        };
        let query = RivalQuery {
            key: sale.key.clone(),
            seller_account: seller.to_owned(),
            agreement: agreement.clone(),
            order: order.clone(),
            cycle: cycle.clone(),
        };
        known.rivals = self.mandates.rivals(&query).await?;
        if known.rivals.iter().any(Payment::declined_soft) {
            // The fence comes first: what becomes of them after it is found by it.
            known.mandate = self.mandates.mandate(seller, agreement).await?;
            known.rivals = self.mandates.rivals(&query).await?;
        }
        Ok(())
    }
}
