//! What is told and what is kept of the buyer: events rendered and sealed, personal data sealed
//! for the row that it belongs to.

use secrecy::SecretString;

use super::engine::Engine;
use crate::contract::{Personal, details_from_json, details_to_json, event};
use crate::domain::command::Asker;
use crate::domain::payment::{Payment, Sealed, Told};
use crate::ports::gateway::BuyerDetails;
use crate::ports::store::{OutboxEntry, ReplyTarget};

fn identity(payment: &Payment) -> String {
    format!("payment/{}", payment.id())
}

fn reply_to(asker: Asker) -> Option<ReplyTarget> {
    let Asker { reply_to, correlation_id, .. } = asker;
    reply_to.map(|reply_to| ReplyTarget { reply_to, correlation_id })
}

impl Engine {
    /// The next event of a payment or of one of its operations: numbered, rendered for ever,
    /// sealed. What an operation alone came to is no result of the payment.
    pub(crate) fn tell(
        &self,
        payment: &mut Payment,
        told: impl Into<Told>,
        now: i64,
    ) -> OutboxEntry {
        let told = told.into();
        payment.sequence += 1;
        let of_payment = match told {
            Told::Payment(_) | Told::By(..) => true,
            Told::Operation(..) | Told::Found(_) => false,
        };
        if of_payment {
            payment.published_in_epoch = true;
            payment.prior = None;
        }
        let details = self.details(payment);
        let personal = self.personal(payment);
        let around = event::Circumstances {
            time_ms: now,
            personal: Some(&personal),
            details: details.as_ref(),
            traceparent: None,
        };
        let event = event::render(payment, told.clone(), &around);
        self.metrics.payment(payment.key.subject.kind(), told.as_str());
        if of_payment {
            payment.latest_event = Some(event.id.clone());
        }
        let mut askers = Vec::new();
        if let Some(operation) = told.tag().and_then(|tag| payment.operation_mut(tag)) {
            operation.latest_event = Some(event.id.clone());
            askers.push(operation.asker.clone());
        }
        if of_payment {
            askers.insert(0, payment.opener.clone());
        }
        let id = payment.id();
        OutboxEntry {
            body: self.vault.seal(&format!("event/{}", event.id), &event.body),
            event_id: event.id,
            subject: event.subject,
            mid: Some(payment.key.mid.to_string()),
            routing_key: event.routing_key,
            traceparent: askers.last().and_then(|asker| asker.traceparent.clone()),
            replies: askers.into_iter().filter_map(reply_to).collect(),
            payment_id: match &told {
                Told::Payment(_) | Told::By(..) => Some(id),
                Told::Operation(tag, _) => Some(tag.row_id(&id)),
                // Nobody asked for it.
                Told::Found(_) => None,
            },
            done: told.is_done(),
            replay: false,
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
