//! What the CRM asks for after the sale: capture, refund, cancel. Which payment, how much of it,
//! and the id under which it happens once.

use std::fmt;

use super::command::{Kind, PaymentKey};
use super::decline::FieldError;
use super::ids::RequestId;
use super::money::{Currency, Money};

/// What is done to a payment that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationKind {
    /// Take what is authorized.
    Capture,
    /// Give back what was taken.
    Refund,
    /// Take nothing.
    Cancel,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [OperationKind; 3] =
        [OperationKind::Capture, OperationKind::Refund, OperationKind::Cancel];

    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OperationKind::Capture => "capture",
            OperationKind::Refund => "refund",
            OperationKind::Cancel => "cancel",
        }
    }

    /// Reads [`OperationKind::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The routing key of its command.
    #[must_use]
    pub const fn routing_key(self) -> &'static str {
        match self {
            OperationKind::Capture => "capture.request",
            OperationKind::Refund => "refund.request",
            OperationKind::Cancel => "cancel.request",
        }
    }
}

/// One operation of a payment, for ever: a request id belongs to one payment and one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationTag {
    /// What is done.
    pub kind: OperationKind,
    /// Once under this id.
    pub request: RequestId,
}

impl fmt::Display for OperationTag {
    /// `refund/r-1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.request)
    }
}

impl OperationTag {
    /// Where whoever waits for the operation is found, and what its dead letters are about:
    /// `<payment's row id>#<operation>/<requestId>`. No id of a payment has a `#` in it.
    #[must_use]
    pub fn row_id(&self, payment_id: &str) -> String {
        format!("{payment_id}#{self}")
    }

    /// Takes a [`OperationTag::row_id`] apart: the payment's row id, and the operation if there
    /// is one in it.
    #[must_use]
    pub fn split(row_id: &str) -> (&str, Option<Self>) {
        let Some((payment_id, tag)) = row_id.split_once('#') else { return (row_id, None) };
        let tag = tag.split_once('/').and_then(|(kind, request)| {
            let kind = OperationKind::parse(kind)?;
            Some(Self { kind, request: RequestId::new(request).ok()? })
        });
        (payment_id, tag)
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

impl OperationCommand {
    /// Which operation it asks for.
    #[must_use]
    pub fn tag(&self) -> OperationTag {
        OperationTag { kind: self.operation, request: self.request.clone() }
    }

    /// The field that names the payment.
    #[must_use]
    pub const fn payment_field(&self) -> &'static str {
        match self.key.subject.kind() {
            Kind::Order => "orderId",
            Kind::Upsell => "upsellId",
            Kind::Charge => "chargeId",
        }
    }
}

/// An amount that may leave out its currency, or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// In hundredths; none means all that is left.
    pub hundredths: Option<i64>,
    /// None means the payment's.
    pub currency: Option<Currency>,
    /// Whether it was written with a fraction, be it `.00`, which no yen has.
    pub fraction: bool,
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
        if hundredths % per_unit != 0 || (self.fraction && currency.digits() == 0) {
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
#[must_use]
pub const fn hundredths(amount: Money) -> i64 {
    amount.minor() * hundredths_per_unit(amount.currency())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_found_again_from_its_row_id() {
        for kind in OperationKind::ALL {
            let tag = OperationTag { kind, request: RequestId::new("r:1.a_-").unwrap() };
            let row_id = tag.row_id("7/order/CRM-1");
            assert_eq!(OperationTag::split(&row_id), ("7/order/CRM-1", Some(tag)));
            assert_eq!(OperationKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(OperationTag::split("7/order/CRM-1"), ("7/order/CRM-1", None));
        assert_eq!(OperationTag::split("7/order/CRM-1#what/r1").1, None);
    }
}
