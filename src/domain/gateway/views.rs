//! What Amazon shows of its objects.

use crate::domain::ids::{AuthorizationId, CaptureId, ReferenceId, RefundId};
use crate::domain::money::Money;

/// State of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceState {
    /// Not confirmed yet.
    Draft,
    /// Takes authorizations.
    Open,
    /// Waits for the buyer to mend the payment method.
    Suspended,
    /// Takes no new authorizations, for good.
    Closed,
    /// Canceled, for good.
    Canceled,
    /// A word that we do not know.
    Other,
}

/// What completing a checkout session does, as its maker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Nothing but to open what may be charged then.
    Confirm,
    /// Authorizes its amount.
    Authorize,
    /// Authorizes and captures its amount.
    Capture,
}

/// A reference as Amazon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceView {
    /// Its state; a checkout session is in Draft until it is completed.
    pub state: ReferenceState,
    /// Amazon's reason for the state.
    pub reason: Option<String>,
    /// Its total, where it was set.
    pub total: Option<Money>,
    /// What keeps it from being confirmed.
    pub constraints: Vec<String>,
    /// Its authorizations, as far as Amazon lists them.
    pub authorizations: Vec<AuthorizationId>,
    /// Whether Amazon lists them all: where it does not, an absence proves nothing.
    pub lists_all: bool,
    /// How much may be authorized on it in all, where Amazon tells that instead of its total.
    pub limit: Option<Money>,
    /// How much of the limit is left.
    pub balance: Option<Money>,
    /// Of a checkout session: what completing it does.
    pub intent: Option<Intent>,
    /// Of a completed checkout session: the reference that is charged in its stead.
    pub permission: Option<ReferenceId>,
    /// What Amazon shows as the CRM's id of what is paid.
    pub seller_order_id: Option<String>,
    /// Whether strong customer authentication is still asked for.
    pub authentication_required: bool,
    /// Of an agreement: whether the buyer consented to later charges, where Amazon says so.
    pub consent: Option<bool>,
    /// Of an agreement: what may be charged this month, where Amazon says so.
    pub month: Option<Month>,
}

/// What an agreement may be charged within one calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// What is left of it.
    pub left: Money,
    /// When it began, in milliseconds since the epoch.
    pub begins: i64,
    /// When the next one begins, in milliseconds since the epoch.
    pub ends: i64,
}

impl ReferenceView {
    /// A reference of which nothing is known but its state, and that Amazon lists all that is
    /// authorized on it.
    #[must_use]
    pub const fn in_state(state: ReferenceState) -> Self {
        Self {
            state,
            reason: None,
            total: None,
            constraints: Vec::new(),
            authorizations: Vec::new(),
            lists_all: true,
            limit: None,
            balance: None,
            intent: None,
            permission: None,
            seller_order_id: None,
            authentication_required: false,
            consent: None,
            month: None,
        }
    }
}

/// State of an authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationState {
    /// Not decided.
    Pending,
    /// Approved, not captured.
    Open,
    /// Refused.
    Declined,
    /// Over: captured, expired or given back; the reason says which.
    Closed,
    /// A word that we do not know.
    Other,
}

/// An authorization as Amazon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationView {
    /// Amazon's id.
    pub id: AuthorizationId,
    /// The key that it was asked for under, empty where Amazon leaves it out.
    pub key: String,
    /// Its state.
    pub state: AuthorizationState,
    /// Amazon's reason for the state.
    pub reason: Option<String>,
    /// How much was authorized.
    pub amount: Option<Money>,
    /// Its captures.
    pub captures: Vec<CaptureId>,
    /// The one capture as it is, where the same document shows it: then it need not be read.
    pub shown: Option<CaptureView>,
}

/// State of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureState {
    /// Not decided.
    Pending,
    /// The money moved.
    Completed,
    /// Refused.
    Declined,
    /// Moved and refunded or disputed since.
    Closed,
    /// A word that we do not know.
    Other,
}

/// A capture as Amazon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureView {
    /// Amazon's id.
    pub id: CaptureId,
    /// The key that it was asked for under, empty where Amazon leaves it out.
    pub key: String,
    /// Its state.
    pub state: CaptureState,
    /// Amazon's reason for the state.
    pub reason: Option<String>,
    /// How much.
    pub amount: Option<Money>,
    /// How much of it was refunded.
    pub refunded: Option<Money>,
}

/// State of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// Not decided.
    Pending,
    /// The money went back.
    Completed,
    /// Refused.
    Declined,
    /// A word that we do not know.
    Other,
}

/// A refund as Amazon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundView {
    /// Amazon's id.
    pub id: RefundId,
    /// The key that it was asked for under; empty or another's where Amazon made it by itself.
    pub key: String,
    /// Whether the buyer's bank or Amazon's guarantee took it, and not the seller.
    pub dispute: bool,
    /// Its state.
    pub state: RefundState,
    /// Amazon's reason for the state.
    pub reason: Option<String>,
    /// How much.
    pub amount: Option<Money>,
}
