//! The operations of a payment, as they lie in its row's `operations` as JSON. Written by this
//! program and read by later ones: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use super::error::{Corrupt, corrupt};
use super::wire::{DeclineWire, read, text_of};
use super::words;
use crate::domain::command::Asker;
use crate::domain::decline::Decline;
use crate::domain::ids::{MessageId, RefundId, RequestId};
use crate::domain::merchant::Api;
use crate::domain::money::{Currency, Money};
use crate::domain::operation::{OperationKind, OperationTag, Wanted};
use crate::domain::payment::{DeadLetterReason, Effort, Operation, OperationPhase};

#[derive(Serialize, Deserialize)]
struct OperationWire {
    kind: String,
    request: String,
    message_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted_hundredths: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted_currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount_minor: Option<i64>,
    #[serde(default)]
    epoch: u32,
    phase: String,
    exposure: String,
    #[serde(default)]
    declines: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decline: Option<DeclineWire>,
    #[serde(default)]
    told_pending_amazon: bool,
    #[serde(default)]
    told_pending_operator: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latest_event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
    #[serde(default)]
    effort: EffortWire,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct EffortWire {
    attempt: u32,
    since: i64,
    quota_wait_ms: i64,
    polls: u32,
    crashes: u32,
    crashes_alone: u32,
    last_fault: Option<String>,
    refused_since: Option<i64>,
}

impl From<&Operation> for OperationWire {
    fn from(operation: &Operation) -> Self {
        let Operation {
            tag,
            asker,
            wanted,
            api,
            amount,
            epoch,
            phase,
            exposure,
            declines,
            refund_id,
            decline,
            told_pending_amazon,
            told_pending_operator,
            latest_event,
            effort,
            due_at,
            dead_letter,
        } = operation.clone();
        let Asker { message_id, reply_to, correlation_id, traceparent } = asker;
        Self {
            kind: tag.kind.as_str().to_owned(),
            request: tag.request.to_string(),
            message_id: message_id.to_string(),
            reply_to,
            correlation_id,
            traceparent,
            wanted_hundredths: wanted.hundredths,
            wanted_currency: wanted.currency.map(|currency| currency.code().to_owned()),
            api: Some(api.as_str().to_owned()),
            amount_minor: amount.map(Money::minor),
            epoch,
            phase: phase.as_str().to_owned(),
            exposure: words::exposure_word(exposure).to_owned(),
            declines,
            refund_id: refund_id.map(|id| id.to_string()),
            decline: decline.as_ref().map(DeclineWire::from),
            told_pending_amazon,
            told_pending_operator,
            latest_event,
            due_at,
            dead_letter: dead_letter.map(|reason| reason.as_str().to_owned()),
            effort: effort.into(),
        }
    }
}

impl From<Effort> for EffortWire {
    fn from(effort: Effort) -> Self {
        let Effort {
            attempt,
            since,
            quota_wait_ms,
            polls,
            crashes,
            crashes_alone,
            last_fault,
            refused_since,
        } = effort;
        Self {
            attempt,
            since,
            quota_wait_ms,
            polls,
            crashes,
            crashes_alone,
            last_fault,
            refused_since,
        }
    }
}

impl From<EffortWire> for Effort {
    fn from(wire: EffortWire) -> Self {
        let EffortWire {
            attempt,
            since,
            quota_wait_ms,
            polls,
            crashes,
            crashes_alone,
            last_fault,
            refused_since,
        } = wire;
        Self {
            attempt,
            since,
            quota_wait_ms,
            polls,
            crashes,
            crashes_alone,
            last_fault,
            refused_since,
        }
    }
}

impl OperationWire {
    /// Its amount is in the payment's currency.
    fn operation(self, currency: Currency) -> Result<Operation, Corrupt> {
        let wanted_currency = self
            .wanted_currency
            .map(|code| Currency::parse(&code).ok_or(corrupt("operations.wanted_currency")))
            .transpose()?;
        let reason = self
            .dead_letter
            .map(|word| DeadLetterReason::parse(&word).ok_or(corrupt("operations.dead_letter")))
            .transpose()?;
        let kind = OperationKind::parse(&self.kind).ok_or(corrupt("operations.kind"))?;
        let request = RequestId::new(self.request).map_err(|_| corrupt("operations.request"))?;
        Ok(Operation {
            tag: OperationTag { kind, request },
            asker: Asker {
                message_id: MessageId::new(self.message_id)
                    .map_err(|_| corrupt("operations.message_id"))?,
                reply_to: self.reply_to,
                correlation_id: self.correlation_id,
                traceparent: self.traceparent,
            },
            wanted: Wanted {
                hundredths: self.wanted_hundredths,
                currency: wanted_currency,
                // How it was written was judged when it was accepted.
                fraction: false,
            },
            // Before there was another.
            api: match self.api.as_deref() {
                None => Api::Mws,
                Some(word) => Api::parse(word).ok_or(corrupt("operations.api"))?,
            },
            amount: self.amount_minor.map(|minor| Money::from_minor(minor, currency)),
            epoch: self.epoch,
            phase: OperationPhase::parse(&self.phase).ok_or(corrupt("operations.phase"))?,
            exposure: words::exposure(&self.exposure).ok_or(corrupt("operations.exposure"))?,
            declines: self.declines,
            refund_id: self
                .refund_id
                .map(RefundId::new)
                .transpose()
                .map_err(|_| corrupt("operations.refund_id"))?,
            decline: self.decline.map(Decline::try_from).transpose()?,
            told_pending_amazon: self.told_pending_amazon,
            told_pending_operator: self.told_pending_operator,
            latest_event: self.latest_event,
            effort: self.effort.into(),
            due_at: self.due_at,
            dead_letter: reason,
        })
    }
}

/// None where there are none, which is nearly always.
pub(super) fn operations_text(operations: &[Operation]) -> Option<String> {
    let wire: Vec<OperationWire> = operations.iter().map(OperationWire::from).collect();
    (!wire.is_empty()).then(|| text_of(&wire))
}

/// The operations of a payment in this currency.
pub(super) fn operations(text: &str, currency: Currency) -> Result<Vec<Operation>, Corrupt> {
    let wire: Vec<OperationWire> = read(text, "operations")?;
    wire.into_iter().map(|one| one.operation(currency)).collect()
}
