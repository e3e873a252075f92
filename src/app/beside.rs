//! What goes beside a run's calls: the buyer's details, a line in the timeline, and the news that
//! an account is accepted again.

use serde_json::json;

use super::engine::Engine;
use super::process::Course;
use super::trail::Trail;
use crate::domain::command::Kind;
use crate::domain::gateway::{Effect, Fault};
use crate::domain::payment::{Payment, Phase};
use crate::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange};

impl Course<'_> {
    /// Beside the authorization, or where there is none beside the look at the agreement; not for
    /// charges, of which there are thousands, and whose buyer the order's event has told.
    pub(super) fn wants_details(&self, effect: &Effect) -> bool {
        let payment = &self.payment;
        let beside = match effect {
            Effect::Authorize(_) => true,
            Effect::ReadAuthorization(_) => payment.permission.is_some(),
            Effect::ReadReference(_) => !payment.initial_charge && payment.phase == Phase::Metering,
            Effect::SetDetails(_)
            | Effect::Confirm(_)
            | Effect::Complete(_)
            | Effect::FindAuthorization { .. }
            | Effect::Capture(_)
            | Effect::ReadCapture(_)
            | Effect::FindCapture { .. }
            | Effect::Refund(_)
            | Effect::ReadRefund(_)
            | Effect::ReadRefunds(_)
            | Effect::CloseAuthorization(_)
            | Effect::CloseReference(_) => false,
        };
        beside && payment.details.is_none() && payment.key.subject.kind() != Kind::Charge
    }
}

impl Engine {
    pub(super) async fn wake_account(&self, mid: &crate::domain::ids::MerchantAccountId) {
        if let Err(error) = self.store.wake(mid, self.clock.now_ms()).await {
            // They are due within a probe's rest anyway.
            tracing::warn!(mid = %mid, %error, "payments of mid {mid} were not woken");
        }
    }

    /// Buyer and address as Amazon gives them; whatever goes wrong stops no payment. Asked for once
    /// more where Amazon failed soon or the line broke, which a kept one does of itself: reading
    /// moves nothing. An Amazon that hangs is not waited for twice.
    pub(super) async fn read_details(
        &self,
        account: &Account,
        payment: &Payment,
    ) -> Option<BuyerDetails> {
        let reference = payment.charged()?;
        let token = self.consent_token(payment);
        let began = self.clock.now_ms();
        let mut read = self.gateway.buyer(account, reference, token.as_ref()).await;
        let soon = self.clock.now_ms() - began <= self.policy.at_once_ms;
        let passing = matches!(
            read,
            Err(BuyerError::Fault(Fault::NotSent | Fault::Unavailable { .. } | Fault::Unknown))
        );
        if soon && passing {
            read = self.gateway.buyer(account, reference, token.as_ref()).await;
        }
        match read {
            Ok(details) => Some(details),
            Err(error) => {
                let id = payment.id();
                tracing::warn!(payment = %id, %error, "no buyer details for payment {id}");
                None
            }
        }
    }
}

impl Trail {
    /// A call and what it came to.
    pub(super) fn call(&mut self, now: i64, effect: &Effect, exchange: &Exchange) {
        let result = match &exchange.reply {
            Ok(_) => json!("answered"),
            Err(Fault::Refused { code } | Fault::Unavailable { code }) => json!(code),
            Err(Fault::Declined { reason }) => json!(reason),
            Err(Fault::Credentials { code }) => json!(code),
            Err(fault) => json!(fault.name()),
        };
        self.step(
            now,
            "call",
            effect.name(),
            json!({ "result": result, "requestId": exchange.request_id }),
        );
    }
}
