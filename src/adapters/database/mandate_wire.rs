//! A mandate as its row and back. What lies in a column as JSON is written by this program and read
//! by later ones: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use super::entity::mandate::Model;
use super::error::{Corrupt, corrupt};
use super::payment_rows::count;
use crate::domain::command::Asker;
use crate::domain::gateway::Month;
use crate::domain::ids::{MerchantAccountId, MessageId, ReferenceId, RequestId};
use crate::domain::mandate::{Closing, Held, Mandate, MandateState};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::DeadLetterReason;
use crate::ports::store::StoreError;

#[derive(Serialize, Deserialize)]
struct MonthWire {
    left: i64,
    currency: String,
    begins: i64,
    ends: i64,
}

#[derive(Serialize, Deserialize)]
struct HeldWire {
    payment: String,
    epoch: u32,
    minor: i64,
    currency: String,
    begins: i64,
}

#[derive(Serialize, Deserialize)]
struct ClosingWire {
    mid: String,
    request: String,
    askers: Vec<AskerWire>,
    reason: Option<String>,
    since: i64,
    event: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AskerWire {
    message_id: String,
    reply_to: Option<String>,
    correlation_id: Option<String>,
    traceparent: Option<String>,
}

/// Texts, numbers and lists thereof are always JSON.
fn text_of<T: Serialize>(wire: &T) -> String {
    serde_json::to_string(wire).unwrap_or_default()
}

fn list_text<T: Serialize>(wire: &[T]) -> Option<String> {
    (!wire.is_empty()).then(|| text_of(&wire))
}

fn read<T: for<'a> Deserialize<'a>>(text: &str, column: &'static str) -> Result<T, Corrupt> {
    serde_json::from_str(text).map_err(|_| corrupt(column))
}

fn read_list<T: for<'a> Deserialize<'a>>(
    text: Option<&str>,
    column: &'static str,
) -> Result<Vec<T>, Corrupt> {
    text.map_or_else(|| Ok(Vec::new()), |text| read(text, column))
}

impl From<&Mandate> for Model {
    fn from(mandate: &Mandate) -> Self {
        let Mandate {
            seller_account,
            reference,
            mid,
            state,
            reason,
            consent,
            month,
            held,
            closings,
            declined_at,
            reopened_at,
            sequence,
            polls,
            due_at,
            dead_letter,
            version,
            created_at,
            updated_at,
        } = mandate;
        Self {
            id: mandate.id(),
            seller_account: seller_account.clone(),
            reference: reference.to_string(),
            mid: mid.to_string(),
            state: state.as_str().to_owned(),
            reason: reason.clone(),
            consent: *consent,
            month: month.map(|month| text_of(&MonthWire::from(month))),
            held: list_text(&held.iter().map(HeldWire::from).collect::<Vec<_>>()),
            closings: list_text(&closings.iter().map(ClosingWire::from).collect::<Vec<_>>()),
            declined_at: *declined_at,
            reopened_at: *reopened_at,
            sequence: i64::from(*sequence),
            polls: i64::from(*polls),
            due_at: *due_at,
            dead_letter: dead_letter.map(|reason| reason.as_str().to_owned()),
            version: *version,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

impl From<Month> for MonthWire {
    fn from(Month { left, begins, ends }: Month) -> Self {
        Self { left: left.minor(), currency: left.currency().code().to_owned(), begins, ends }
    }
}

impl From<&Held> for HeldWire {
    fn from(held: &Held) -> Self {
        Self {
            payment: held.payment.clone(),
            epoch: held.epoch,
            minor: held.amount.minor(),
            currency: held.amount.currency().code().to_owned(),
            begins: held.begins,
        }
    }
}

impl From<&Closing> for ClosingWire {
    fn from(closing: &Closing) -> Self {
        let askers = closing.askers.iter().cloned();
        Self {
            mid: closing.mid.to_string(),
            request: closing.request.to_string(),
            askers: askers
                .map(|asker| AskerWire {
                    message_id: asker.message_id.to_string(),
                    reply_to: asker.reply_to,
                    correlation_id: asker.correlation_id,
                    traceparent: asker.traceparent,
                })
                .collect(),
            reason: closing.reason.clone(),
            since: closing.since,
            event: closing.event.clone(),
        }
    }
}

fn money(minor: i64, code: &str, column: &'static str) -> Result<Money, Corrupt> {
    Ok(Money::from_minor(minor, Currency::parse(code).ok_or(corrupt(column))?))
}

fn month(wire: MonthWire) -> Result<Month, Corrupt> {
    let left = money(wire.left, &wire.currency, "month")?;
    Ok(Month { left, begins: wire.begins, ends: wire.ends })
}

fn held(wire: HeldWire) -> Result<Held, Corrupt> {
    Ok(Held {
        amount: money(wire.minor, &wire.currency, "held")?,
        payment: wire.payment,
        epoch: wire.epoch,
        begins: wire.begins,
    })
}

fn closing(wire: ClosingWire) -> Result<Closing, Corrupt> {
    let askers = wire.askers.into_iter().map(|asker| {
        Ok(Asker {
            message_id: MessageId::new(asker.message_id).map_err(|_| corrupt("closings"))?,
            reply_to: asker.reply_to,
            correlation_id: asker.correlation_id,
            traceparent: asker.traceparent,
        })
    });
    Ok(Closing {
        mid: MerchantAccountId::new(wire.mid).map_err(|_| corrupt("closings"))?,
        request: RequestId::new(wire.request).map_err(|_| corrupt("closings"))?,
        askers: askers.collect::<Result<_, Corrupt>>()?,
        reason: wire.reason,
        since: wire.since,
        event: wire.event,
    })
}

impl Model {
    /// The mandate that lies in this row.
    pub(in super::super) fn mandate(self) -> Result<Mandate, StoreError> {
        let id = self.id.clone();
        self.read().map_err(|corrupt| corrupt.of("mandate", &id))
    }

    fn read(self) -> Result<Mandate, Corrupt> {
        let months: Option<MonthWire> =
            self.month.as_deref().map(|text| read(text, "month")).transpose()?;
        let helds: Vec<HeldWire> = read_list(self.held.as_deref(), "held")?;
        let closings: Vec<ClosingWire> = read_list(self.closings.as_deref(), "closings")?;
        let letter = |word: String| DeadLetterReason::parse(&word).ok_or(corrupt("dead_letter"));
        Ok(Mandate {
            seller_account: self.seller_account,
            reference: ReferenceId::new(self.reference).map_err(|_| corrupt("reference"))?,
            mid: MerchantAccountId::new(self.mid).map_err(|_| corrupt("mid"))?,
            state: MandateState::parse(&self.state).ok_or(corrupt("state"))?,
            reason: self.reason,
            consent: self.consent,
            month: months.map(month).transpose()?,
            held: helds.into_iter().map(held).collect::<Result<_, _>>()?,
            closings: closings.into_iter().map(closing).collect::<Result<_, _>>()?,
            declined_at: self.declined_at,
            reopened_at: self.reopened_at,
            sequence: count(self.sequence, "sequence")?,
            polls: count(self.polls, "polls")?,
            due_at: self.due_at,
            dead_letter: self.dead_letter.map(letter).transpose()?,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
