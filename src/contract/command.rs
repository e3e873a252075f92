//! What a message asks for, as types that cannot be wrong. Whether it makes sense is judged
//! elsewhere, by what is known.

pub use super::parse::{Parsed, Refusal, Rejection, parse};
use super::personal::Personal;
use crate::domain::command::{AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts};
use crate::domain::decline::FieldError;
use crate::domain::ids::{MerchantAccountId, OrderId, ReferenceId, RequestId};
use crate::domain::merchant::Region;
use crate::domain::money::{Currency, Money};

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

impl Command {
    /// The merchant account that it names; of an upsell it may have to be found.
    #[must_use]
    pub const fn mid(&self) -> Option<&MerchantAccountId> {
        match self {
            Command::Sale(sale) => match &sale.biller {
                Biller::Named(mid) => Some(mid),
                Biller::OfOrder { .. } => None,
            },
            Command::Charge(charge) => Some(&charge.key.mid),
            Command::Operation(operation) => Some(&operation.key.mid),
            Command::CloseAgreement(close) => Some(&close.mid),
        }
    }

    /// The payment that it is about; none of an agreement.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Command::Sale(sale) => Some(&sale.draft.subject),
            Command::Charge(charge) => Some(&charge.key.subject),
            Command::Operation(operation) => Some(&operation.key.subject),
            Command::CloseAgreement(_) => None,
        }
    }

    /// The currency that it names.
    #[must_use]
    pub const fn currency(&self) -> Option<Currency> {
        match self {
            Command::Sale(sale) => Some(sale.draft.amount.currency()),
            Command::Charge(charge) => Some(charge.amount.currency()),
            Command::Operation(operation) => operation.wanted.currency,
            Command::CloseAgreement(_) => None,
        }
    }
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
            of_order: None,
            not_before: None,
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

impl ChargeCommand {
    /// The charge as what is to be paid. Nobody waits for it, so Amazon may take its time where it
    /// cannot decide at once.
    #[must_use]
    pub fn sale(&self) -> Sale {
        Sale {
            key: self.key.clone(),
            reference: Some(self.agreement.clone()),
            amount: self.amount,
            capture: CaptureMode::Immediate,
            authorization: AuthorizationMode::SyncThenAsync,
            initial_charge: true,
            of_order: self.order.clone(),
            not_before: self.not_before,
            texts: self.texts.clone(),
        }
    }
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

/// Whether it can be charged again and again.
///
/// # Errors
/// It is the consent to one payment.
pub fn check_agreement(agreement: &ReferenceId) -> Result<(), FieldError> {
    if agreement.is_recurring() {
        return Ok(());
    }
    let message = "is neither a billing agreement nor a recurring charge permission";
    Err(FieldError::new("amazonBillingAgreementId", message))
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
