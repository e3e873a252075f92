//! What is told and what is kept of the buyer: events rendered and sealed, personal data sealed
//! for the row that it belongs to.

use secrecy::SecretString;

use super::engine::Engine;
use crate::contract::{Personal, details_from_json, details_to_json, event};
use crate::domain::payment::{Outcome, Payment, Sealed};
use crate::ports::gateway::BuyerDetails;
use crate::ports::store::{OutboxEntry, ReplyTarget};

fn identity(payment: &Payment) -> String {
    format!("payment/{}", payment.id())
}

impl Engine {
    /// The next event of a payment: numbered, rendered for ever, sealed.
    pub(crate) fn tell(&self, payment: &mut Payment, outcome: Outcome, now: i64) -> OutboxEntry {
        payment.sequence += 1;
        payment.published_in_epoch = true;
        payment.prior = None;
        let details = self.details(payment);
        let personal = self.personal(payment);
        let around = event::Circumstances {
            time_ms: now,
            personal: Some(&personal),
            details: details.as_ref(),
            traceparent: None,
        };
        let event = event::render(payment, outcome, &around);
        self.metrics.payment(payment.key.subject.kind(), outcome.as_str());
        payment.latest_event = Some(event.id.clone());
        let opener = &payment.opener;
        OutboxEntry {
            body: self.vault.seal(&format!("event/{}", event.id), &event.body),
            event_id: event.id,
            subject: event.subject,
            mid: Some(payment.key.mid.to_string()),
            routing_key: event.routing_key,
            replies: opener
                .reply_to
                .clone()
                .map(|reply_to| ReplyTarget {
                    reply_to,
                    correlation_id: opener.correlation_id.clone(),
                })
                .into_iter()
                .collect(),
            payment_id: Some(payment.id()),
            done: outcome.is_done(),
            replay: false,
            traceparent: opener.traceparent.clone(),
            created_at: now,
        }
    }

    /// Seals what a command told about the buyer; nothing where it told nothing.
    pub(crate) fn seal_personal(&self, payment_id: &str, told: &Personal) -> Option<Sealed> {
        if told.is_empty() {
            return None;
        }
        Some(self.vault.seal(&format!("payment/{payment_id}"), &told.to_json()))
    }

    fn personal(&self, payment: &Payment) -> Personal {
        self.unseal(payment, payment.personal.as_ref())
            .and_then(|json| Personal::from_json(&json).ok())
            .unwrap_or_default()
    }

    /// The buyer's access token, where the command had one.
    pub(crate) fn consent_token(&self, payment: &Payment) -> Option<SecretString> {
        self.personal(payment).consent_token
    }

    fn details(&self, payment: &Payment) -> Option<BuyerDetails> {
        self.unseal(payment, payment.details.as_ref())
            .and_then(|json| details_from_json(&json).ok())
    }

    /// Seals what Amazon told about the buyer.
    pub(crate) fn seal_details(&self, payment: &Payment, details: &BuyerDetails) -> Sealed {
        self.vault.seal(&identity(payment), &details_to_json(details))
    }

    /// The order's details, sealed anew for an upsell on its reference.
    pub(crate) fn adopt_details(&self, order: &Payment, upsell: &Payment) -> Option<Sealed> {
        self.details(order).map(|details| self.seal_details(upsell, &details))
    }

    fn unseal(&self, payment: &Payment, sealed: Option<&Sealed>) -> Option<Vec<u8>> {
        match self.vault.open(&identity(payment), sealed?) {
            Ok(clear) => Some(clear),
            Err(error) => {
                let id = payment.id();
                tracing::error!(payment = %id, %error, "what payment {id} keeps cannot be opened");
                None
            }
        }
    }
}
