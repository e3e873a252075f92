//! What a message asks for, as types that cannot be wrong. Whether it makes sense is judged
//! elsewhere, by what is known.

pub use super::parse::{Parsed, Refusal, Rejection, parse};
pub use crate::domain::operation::{OperationCommand, OperationKind, Wanted};

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

/// Whether a currency can be had in the region of the merchant account.
///
/// # Errors
/// It cannot.
pub fn check_region(currency: Currency, region: Region) -> Result<(), FieldError> {
    if region.has(currency) {
        return Ok(());
    }
    let message = format!("{currency} is not taken in region {}", region.as_str());
    Err(FieldError::new("currency", message))
}
