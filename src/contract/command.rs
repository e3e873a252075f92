//! Commands: a message from the queue becomes a type that cannot be wrong, or a rejection that
//! names everything that is. Whether the command makes sense is judged elsewhere, by what is known.

use super::fingerprint;
use super::ids::ReadableIds;
use super::json::{self, Numbers, Object};
use super::personal::{self, CLEAR, Personal, SEALED, Wire};
use super::read;
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::ids::{MerchantAccountId, MessageId, OrderId, ReferenceId, RequestId};
use crate::domain::merchant::Region;
use crate::domain::money::{Currency, Money};
use crate::ports::broker::Message;
use crate::ports::vault::{Vault, VaultError};

/// An acceptable message.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Who asked.
    pub asker: Asker,
    /// For what.
    pub command: Command,
    /// Digest of message id, routing key and fields as parsed; the same whether the personal ones
    /// were sealed or in clear.
    pub fingerprint: String,
    /// Its ids, for whoever must reject it later.
    pub ids: ReadableIds,
}

/// What a message asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// `order.import`, `upsell.import`.
    Sale(Box<SaleCommand>),
    /// `charge.recurring`.
    Charge(Box<ChargeCommand>),
    /// `capture.request`, `refund.request`, `cancel.request`.
    Operation(Box<OperationCommand>),
    /// `agreement.close`.
    CloseAgreement(CloseAgreement),
}

/// Pay an order or an upsell.
#[derive(Debug, Clone)]
pub struct SaleCommand {
    /// Through which merchant account.
    pub biller: Biller,
    /// What is paid.
    pub draft: SaleDraft,
    /// What is told about the buyer.
    pub personal: Personal,
}

/// The merchant account of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Biller {
    /// Named.
    Named(MerchantAccountId),
    /// That of the order, among the accounts of this client of ingest (its `loginId`).
    OfOrder {
        /// The client.
        client: String,
    },
}

/// A sale whose merchant account may still have to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleDraft {
    /// What is paid within it.
    pub subject: Subject,
    /// The buyer's consent.
    pub reference: Option<ReferenceId>,
    /// How much.
    pub amount: Money,
    /// When it is captured.
    pub capture: CaptureMode,
    /// How Amazon is asked.
    pub authorization: AuthorizationMode,
    /// Whether an agreement is charged at once.
    pub initial_charge: bool,
    /// Texts carried through.
    pub texts: Texts,
}

impl SaleDraft {
    /// The sale through this merchant account.
    #[must_use]
    pub fn through(self, mid: MerchantAccountId) -> Sale {
        Sale {
            key: PaymentKey { mid, subject: self.subject },
            reference: self.reference,
            amount: self.amount,
            capture: self.capture,
            authorization: self.authorization,
            initial_charge: self.initial_charge,
            texts: self.texts,
        }
    }
}

/// Charge an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeCommand {
    /// Which payment.
    pub key: PaymentKey,
    /// The agreement.
    pub agreement: ReferenceId,
    /// How much.
    pub amount: Money,
    /// The order that it belongs to.
    pub order: Option<OrderId>,
    /// Not before this time, in milliseconds since the epoch.
    pub not_before: Option<i64>,
    /// Texts carried through.
    pub texts: Texts,
}

/// What is done to a payment that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Take what is authorized.
    Capture,
    /// Give back what was taken.
    Refund,
    /// Take nothing.
    Cancel,
}

impl OperationKind {
    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OperationKind::Capture => "capture",
            OperationKind::Refund => "refund",
            OperationKind::Cancel => "cancel",
        }
    }
}

/// Do something to a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationCommand {
    /// What.
    pub operation: OperationKind,
    /// To which payment.
    pub key: PaymentKey,
    /// Once under this id.
    pub request: RequestId,
    /// How much of it.
    pub wanted: Wanted,
    /// Why.
    pub reason: Option<String>,
}

/// An amount that may leave out its currency, or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// In hundredths; none means all that is left.
    pub hundredths: Option<i64>,
    /// None means the payment's.
    pub currency: Option<Currency>,
}

impl Wanted {
    /// The amount in the payment's currency; none means all that is left.
    ///
    /// # Errors
    /// It names another currency, or has a fraction that the currency has not.
    pub fn in_currency(self, currency: Currency) -> Result<Option<Money>, FieldError> {
        if self.currency.is_some_and(|named| named != currency) {
            return Err(FieldError::new("currency", format!("the payment is in {currency}")));
        }
        let Some(hundredths) = self.hundredths else { return Ok(None) };
        let per_unit = hundredths_per_unit(currency);
        if hundredths % per_unit != 0 {
            return Err(FieldError::new("amount", "has more decimals than its currency"));
        }
        Ok(Some(Money::from_minor(hundredths / per_unit, currency)))
    }
}

const fn hundredths_per_unit(currency: Currency) -> i64 {
    match currency.digits() {
        0 => 100,
        _ => 1,
    }
}

/// The amount without its currency.
pub(super) const fn hundredths(amount: Money) -> i64 {
    amount.minor() * hundredths_per_unit(amount.currency())
}

/// Close an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseAgreement {
    /// Of which merchant account.
    pub mid: MerchantAccountId,
    /// Which.
    pub agreement: ReferenceId,
    /// Once under this id.
    pub request: RequestId,
    /// Why.
    pub reason: Option<String>,
}

/// A message that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// `malformed` or `invalid`.
    pub code: RejectionCode,
    /// Everything that is wrong with it.
    pub errors: Vec<FieldError>,
    /// What is readable all the same.
    pub ids: ReadableIds,
    /// Digest of the message as it was sent: a redelivery has the same.
    pub fingerprint: String,
}

impl Rejection {
    /// What its event says.
    #[must_use]
    pub fn decline(&self) -> Decline {
        Decline::rejected(self.code, self.errors.clone())
    }
}

/// Why a message is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It never will be.
    Rejected(Box<Rejection>),
    /// It was sealed under a master key that this process does not have: once it has, it may be.
    KeyMissing(Box<ReadableIds>),
}

/// Reads a message.
///
/// # Errors
/// It is not acceptable, or cannot be opened yet.
pub fn parse(message: &Message, vault: &dyn Vault) -> Result<Parsed, Refusal> {
    let mut ids = ReadableIds::of_message(message);
    let mut faults = Vec::new();
    let mut errors = Vec::new();
    check_properties(message, &ids, &mut faults, &mut errors);
    let message_id = check_message_id(message, &mut errors);

    let object = match json::read(&message.body, Numbers::Kept) {
        Ok(mut object) => {
            ids.read(&object);
            faults.append(&mut object.faults);
            object
        }
        Err(unreadable) => {
            faults.push(FieldError::new("body", unreadable.to_string()));
            return Err(reject(message, ids, faults, errors));
        }
    };
    let mut wire = match open(&object, message_id.as_ref(), vault) {
        Ok(wire) => wire,
        Err(VaultError::UnknownKey) => return Err(Refusal::KeyMissing(Box::new(ids))),
        Err(VaultError::Broken) => {
            faults.push(FieldError::new(SEALED, "does not belong to this message"));
            None
        }
    };
    let client = wire.as_mut().and_then(|wire| wire.client.take());
    let mut reading = read::command(&message.routing_key, &object.values, wire, client);
    errors.append(&mut reading.errors);
    match (message_id, reading.command) {
        (Some(message_id), Some(command)) if faults.is_empty() && errors.is_empty() => Ok(Parsed {
            fingerprint: fingerprint::of_command(&message_id, &message.routing_key, &command),
            asker: asker(message, message_id),
            command,
            ids,
        }),
        _ => Err(reject(message, ids, faults, errors)),
    }
}

/// Whether a sale's currency can be had in the region of its merchant account.
///
/// # Errors
/// It cannot.
pub fn check_region(amount: Money, region: Region) -> Result<(), FieldError> {
    if region.has(amount.currency()) {
        return Ok(());
    }
    let message = format!("{} is not taken in region {}", amount.currency(), region.as_str());
    Err(FieldError::new("currency", message))
}

fn check_properties(
    message: &Message,
    ids: &ReadableIds,
    faults: &mut Vec<FieldError>,
    errors: &mut Vec<FieldError>,
) {
    if !ids.is_command() {
        errors.push(FieldError::new("routing_key", "names no command"));
    }
    if message.kind.as_ref().is_some_and(|kind| *kind != message.routing_key) {
        errors.push(FieldError::new("type", "must be the routing key or absent"));
    }
    if message.content_type.as_ref().is_some_and(|found| !is_json(found)) {
        faults.push(FieldError::new("content_type", "must be application/json or absent"));
    }
}

fn is_json(content_type: &str) -> bool {
    let (media, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameter = parameter.trim().to_ascii_lowercase();
    media.trim().eq_ignore_ascii_case("application/json")
        && matches!(parameter.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

fn check_message_id(message: &Message, errors: &mut Vec<FieldError>) -> Option<MessageId> {
    let Some(text) = message.message_id.as_deref().filter(|text| !text.is_empty()) else {
        errors.push(FieldError::new("message_id", "is required"));
        return None;
    };
    MessageId::new(text)
        .map_err(|error| errors.push(FieldError::new("message_id", error.to_string())))
        .ok()
}

fn open(
    object: &Object,
    message_id: Option<&MessageId>,
    vault: &dyn Vault,
) -> Result<Option<Wire>, VaultError> {
    match (object.values.get(SEALED), message_id) {
        (Some(serde_json::Value::String(sealed)), Some(message_id)) => {
            personal::open(sealed, message_id, vault).map(Some)
        }
        _ => Ok(None),
    }
}

fn asker(message: &Message, message_id: MessageId) -> Asker {
    // No queue and no header can be meant by it, and no database takes it.
    let clean = |text: &&String| !text.is_empty() && !text.contains('\0');
    let traceparent = message.headers.get("traceparent");
    Asker {
        message_id,
        reply_to: message.reply_to.as_ref().filter(clean).cloned(),
        correlation_id: message.correlation_id.as_ref().filter(clean).cloned(),
        traceparent: traceparent.filter(|text| is_traceparent(text)).cloned(),
    }
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2] && parts.iter().all(|part| hex(part)) && parts[0] != "ff"
}

fn reject(
    message: &Message,
    ids: ReadableIds,
    mut faults: Vec<FieldError>,
    mut errors: Vec<FieldError>,
) -> Refusal {
    let code = if faults.is_empty() { RejectionCode::Invalid } else { RejectionCode::Malformed };
    faults.append(&mut errors);
    let fingerprint = fingerprint::of_bytes(message);
    Refusal::Rejected(Box::new(Rejection { code, errors: faults, ids, fingerprint }))
}

/// The fields that may not stand in clear beside the sealed ones.
pub(super) fn both_forms(values: &serde_json::Map<String, serde_json::Value>) -> Vec<FieldError> {
    let clear =
        CLEAR.iter().filter(|name| values.get(**name).is_some_and(|value| !value.is_null()));
    clear.map(|name| FieldError::new(*name, "stands in clear beside the sealed form")).collect()
}
