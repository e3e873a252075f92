//! A payment as its row and back. Every field is named on the way out, so that a new one does not
//! compile until it has a column.

use super::entity::payment::Model;
use super::error::{Corrupt, corrupt};
use super::{lookout_wire, operation_wire, wire, words};
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, Kind, PaymentKey, Subject, Texts,
};
use crate::domain::ids::{
    AuthorizationId, CaptureId, ChargeId, IdError, MerchantAccountId, MessageId, OrderId,
    ReferenceId, UpsellId,
};
use crate::domain::merchant::Api;
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{DeadLetterReason, Effort, Lease, Payment, Phase, Sealed};
use crate::ports::store::StoreError;

impl From<&Payment> for Model {
    #[expect(clippy::too_many_lines, reason = "one line for each column, and nothing else")]
    fn from(payment: &Payment) -> Self {
        let Payment {
            key,
            seller_account,
            reference,
            permission,
            owns_reference,
            api,
            amount,
            capture,
            authorization,
            initial_charge,
            of_order,
            not_before,
            texts,
            opener,
            personal,
            details,
            phase,
            epoch,
            synchronous,
            exposure,
            unanswered_at,
            authorization_id,
            capture_id,
            captured,
            refunded,
            confirmed_total,
            processing_failures,
            capture_declines,
            decline,
            declined_at,
            reauthorized,
            sequence,
            published_in_epoch,
            told_pending_amazon,
            told_pending_operator,
            latest_event,
            effort,
            due_at,
            close_reference_at,
            dead_letter,
            prior,
            operations,
            lookout,
            lease,
            version,
            created_at,
            updated_at,
        } = payment;
        let Texts { soft_descriptor, note, custom_information, store_name, cycle } = texts.clone();
        let Asker { message_id, reply_to, correlation_id, traceparent } = opener.clone();
        let (order_id, upsell_id, charge_id) = parts(&key.subject);
        Self {
            id: payment.id(),
            mid: key.mid.to_string(),
            kind: key.subject.kind().as_str().to_owned(),
            order_id,
            upsell_id,
            charge_id,
            seller_account: seller_account.clone(),
            reference: reference.as_ref().map(ToString::to_string),
            permission: permission.as_ref().map(ToString::to_string),
            owns_reference: *owns_reference,
            api: api.as_str().to_owned(),
            amount_minor: amount.minor(),
            currency: amount.currency().code().to_owned(),
            capture_mode: capture.as_str().to_owned(),
            authorization_mode: authorization.as_str().to_owned(),
            soft_descriptor,
            note,
            custom_information,
            store_name,
            cycle,
            opener_message_id: message_id.to_string(),
            opener_reply_to: reply_to,
            opener_correlation_id: correlation_id,
            opener_traceparent: traceparent,
            personal: personal.as_ref().map(|sealed| sealed.0.clone()),
            details: details.as_ref().map(|sealed| sealed.0.clone()),
            phase: phase.as_str().to_owned(),
            epoch: i64::from(*epoch),
            synchronous: *synchronous,
            exposure: words::exposure_word(*exposure).to_owned(),
            authorization_id: authorization_id.as_ref().map(ToString::to_string),
            capture_id: capture_id.as_ref().map(ToString::to_string),
            captured_minor: captured.minor(),
            refunded_minor: refunded.minor(),
            confirmed_minor: confirmed_total.map(Money::minor),
            confirmed_currency: confirmed_total.map(|total| total.currency().code().to_owned()),
            processing_failures: i64::from(*processing_failures),
            capture_declines: i64::from(*capture_declines),
            decline: decline.as_ref().map(wire::decline_text),
            sequence: i64::from(*sequence),
            published_in_epoch: *published_in_epoch,
            told_pending_amazon: *told_pending_amazon,
            told_pending_operator: *told_pending_operator,
            latest_event: latest_event.clone(),
            attempt: i64::from(effort.attempt),
            effort_since: effort.since,
            quota_wait_ms: effort.quota_wait_ms,
            polls: i64::from(effort.polls),
            crashes: i64::from(effort.crashes),
            crashes_alone: i64::from(effort.crashes_alone),
            last_fault: effort.last_fault.clone(),
            refused_since: effort.refused_since,
            due_at: payment.next_due(),
            own_due_at: due_at.filter(|_| !operations.is_empty()),
            close_reference_at: *close_reference_at,
            dead_letter: dead_letter.map(|reason| reason.as_str().to_owned()),
            prior: prior.as_deref().map(wire::prior_text),
            operations: operation_wire::operations_text(operations),
            look_at: lookout.at,
            lookout: lookout_wire::lookout_text(lookout),
            lease_owner: lease.as_ref().map(|lease| lease.owner.clone()),
            lease_until: lease.as_ref().map(|lease| lease.until),
            version: *version,
            created_at: *created_at,
            updated_at: *updated_at,
            initial_charge: *initial_charge,
            not_before: *not_before,
            declined_at: *declined_at,
            unanswered_at: *unanswered_at,
            unanswered_version: unanswered_at.map(|_| *version),
            reauthorized: i64::from(*reauthorized),
            of_order: of_order.as_ref().map(ToString::to_string),
        }
    }
}

fn parts(subject: &Subject) -> (Option<String>, Option<String>, Option<String>) {
    match subject {
        Subject::Order(order) => (Some(order.to_string()), None, None),
        Subject::Upsell(order, upsell) => (Some(order.to_string()), Some(upsell.to_string()), None),
        Subject::Charge(charge) => (None, None, Some(charge.to_string())),
    }
}

impl Model {
    /// The payment that lies in this row.
    pub(in super::super) fn payment(self) -> Result<Payment, StoreError> {
        let id = self.id.clone();
        self.read().map_err(|corrupt| corrupt.of("payment", &id))
    }

    fn read(self) -> Result<Payment, Corrupt> {
        let currency = Currency::parse(&self.currency).ok_or(corrupt("currency"))?;
        let confirmed_total = self.confirmed_total()?;
        let (texts, opener, effort) = (self.texts(), self.opener()?, self.effort()?);
        Ok(Payment {
            key: self.key()?,
            seller_account: self.seller_account,
            reference: id(self.reference, ReferenceId::new, "reference")?,
            permission: id(self.permission, ReferenceId::new, "permission")?,
            owns_reference: self.owns_reference,
            api: Api::parse(&self.api).ok_or(corrupt("api"))?,
            amount: Money::from_minor(self.amount_minor, currency),
            capture: CaptureMode::parse(&self.capture_mode).ok_or(corrupt("capture_mode"))?,
            authorization: AuthorizationMode::parse(&self.authorization_mode)
                .ok_or(corrupt("authorization_mode"))?,
            initial_charge: self.initial_charge,
            of_order: id(self.of_order, OrderId::new, "of_order")?,
            not_before: self.not_before,
            texts,
            opener,
            personal: self.personal.map(Sealed),
            details: self.details.map(Sealed),
            phase: Phase::parse(&self.phase).ok_or(corrupt("phase"))?,
            epoch: count(self.epoch, "epoch")?,
            synchronous: self.synchronous,
            exposure: words::exposure(&self.exposure).ok_or(corrupt("exposure"))?,
            // A process of an older release writes the row and not this: then nobody knows.
            unanswered_at: self
                .unanswered_at
                .filter(|_| self.unanswered_version == Some(self.version)),
            authorization_id: id(self.authorization_id, AuthorizationId::new, "authorization_id")?,
            capture_id: id(self.capture_id, CaptureId::new, "capture_id")?,
            captured: Money::from_minor(self.captured_minor, currency),
            refunded: Money::from_minor(self.refunded_minor, currency),
            confirmed_total,
            processing_failures: count(self.processing_failures, "processing_failures")?,
            capture_declines: count(self.capture_declines, "capture_declines")?,
            decline: self.decline.as_deref().map(wire::decline).transpose()?,
            declined_at: self.declined_at,
            reauthorized: count(self.reauthorized, "reauthorized")?,
            sequence: count(self.sequence, "sequence")?,
            published_in_epoch: self.published_in_epoch,
            told_pending_amazon: self.told_pending_amazon,
            told_pending_operator: self.told_pending_operator,
            latest_event: self.latest_event,
            effort,
            // Without operations, the row is due when the payment is.
            due_at: if self.operations.is_some() { self.own_due_at } else { self.due_at },
            close_reference_at: self.close_reference_at,
            dead_letter: dead_letter_reason(self.dead_letter.as_deref())?,
            prior: self.prior.as_deref().map(wire::prior).transpose()?.map(Box::new),
            operations: match self.operations.as_deref() {
                Some(text) => operation_wire::operations(text, currency)?,
                None => Vec::new(),
            },
            lookout: lookout_wire::lookout(self.look_at, self.lookout.as_deref(), currency)?,
            lease: match (self.lease_owner, self.lease_until) {
                (Some(owner), Some(until)) => Some(Lease { owner, until }),
                _ => None,
            },
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    fn texts(&self) -> Texts {
        Texts {
            soft_descriptor: self.soft_descriptor.clone(),
            note: self.note.clone(),
            custom_information: self.custom_information.clone(),
            store_name: self.store_name.clone(),
            cycle: self.cycle.clone(),
        }
    }

    fn opener(&self) -> Result<Asker, Corrupt> {
        Ok(Asker {
            message_id: MessageId::new(self.opener_message_id.clone())
                .map_err(|_| corrupt("opener_message_id"))?,
            reply_to: self.opener_reply_to.clone(),
            correlation_id: self.opener_correlation_id.clone(),
            traceparent: self.opener_traceparent.clone(),
        })
    }

    fn effort(&self) -> Result<Effort, Corrupt> {
        Ok(Effort {
            attempt: count(self.attempt, "attempt")?,
            since: self.effort_since,
            quota_wait_ms: self.quota_wait_ms,
            polls: count(self.polls, "polls")?,
            crashes: count(self.crashes, "crashes")?,
            crashes_alone: count(self.crashes_alone, "crashes_alone")?,
            last_fault: self.last_fault.clone(),
            refused_since: self.refused_since,
        })
    }

    fn key(&self) -> Result<PaymentKey, Corrupt> {
        let order = || id(self.order_id.clone(), OrderId::new, "order_id");
        let upsell = || id(self.upsell_id.clone(), UpsellId::new, "upsell_id");
        let charge = || id(self.charge_id.clone(), ChargeId::new, "charge_id");
        let subject = match Kind::parse(&self.kind).ok_or(corrupt("kind"))? {
            Kind::Order => Subject::Order(order()?.ok_or(corrupt("order_id"))?),
            Kind::Upsell => Subject::Upsell(
                order()?.ok_or(corrupt("order_id"))?,
                upsell()?.ok_or(corrupt("upsell_id"))?,
            ),
            Kind::Charge => Subject::Charge(charge()?.ok_or(corrupt("charge_id"))?),
        };
        let mid = MerchantAccountId::new(&*self.mid).map_err(|_| corrupt("mid"))?;
        Ok(PaymentKey { mid, subject })
    }

    fn confirmed_total(&self) -> Result<Option<Money>, Corrupt> {
        let (Some(minor), Some(code)) = (self.confirmed_minor, &self.confirmed_currency) else {
            return Ok(None);
        };
        let currency = Currency::parse(code).ok_or(corrupt("confirmed_currency"))?;
        Ok(Some(Money::from_minor(minor, currency)))
    }
}

fn id<T>(
    text: Option<String>,
    new: impl FnOnce(String) -> Result<T, IdError>,
    column: &'static str,
) -> Result<Option<T>, Corrupt> {
    text.map(new).transpose().map_err(|_| corrupt(column))
}

/// A counter of the domain.
pub(super) fn count(stored: i64, column: &'static str) -> Result<u32, Corrupt> {
    u32::try_from(stored).map_err(|_| corrupt(column))
}

fn dead_letter_reason(word: Option<&str>) -> Result<Option<DeadLetterReason>, Corrupt> {
    word.map(|word| DeadLetterReason::parse(word).ok_or(corrupt("dead_letter"))).transpose()
}
