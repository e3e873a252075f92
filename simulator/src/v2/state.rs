//! What the books' objects are in the words of API v2.

use super::errors::decline_code;
use crate::books::{
    AuthorizationAt, AuthorizationState, Books, Capture, CaptureState, Object, OrderState, Reason,
    RefundAt, RefundState,
};
use crate::clock::Millis;

/// A state, why, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) state: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) description: Option<String>,
    pub(super) updated: Millis,
}

/// The state of a charge permission.
pub(super) fn permission(books: &Books, object: Object) -> Status {
    let (state, reason, description, updated, created) = match object {
        Object::Agreement(at) => {
            let of = &books[at];
            (of.state, of.reason, of.description.clone(), of.updated, of.created)
        }
        other => match books.order_of(other).map(|at| &books[at]) {
            Some(of) => (of.state, of.reason, of.description.clone(), of.updated, of.created),
            None => (OrderState::Closed, None, None, None, books.now()),
        },
    };
    let (state, reason) = match state {
        OrderState::Open => ("Chargeable", None),
        OrderState::Draft => ("NonChargeable", Some("PaymentMethodNotSet")),
        OrderState::Suspended => ("NonChargeable", Some("PaymentMethodInvalid")),
        OrderState::Closed | OrderState::Canceled => ("Closed", Some(closed_by(reason))),
    };
    Status { state, reason, description, updated: updated.unwrap_or(created) }
}

fn closed_by(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::SellerClosed) => "MerchantClosed",
        Some(Reason::SellerCanceled) => "MerchantCanceled",
        Some(Reason::BuyerClosed) => "BuyerClosed",
        Some(Reason::AmazonCanceled) => "AmazonCanceled",
        Some(Reason::Expired | Reason::Stale) => "Expired",
        _ => "AmazonClosed",
    }
}

/// The state of a charge: an authorization and whatever was captured of it.
pub(super) fn charge(books: &Books, at: AuthorizationAt) -> Status {
    let of = &books[at];
    let capture = of.captures.last().map(|at| &books[*at]);
    let updated = capture.map_or(of.updated, |capture| capture.updated.max(of.updated));
    let (state, reason) = match of.state {
        AuthorizationState::Pending => ("AuthorizationInitiated", None),
        AuthorizationState::Declined => ("Declined", Some(decline_code(of))),
        AuthorizationState::Open | AuthorizationState::Closed => match capture {
            Some(capture) => captured(capture, of.state, of.reason),
            None if of.state == AuthorizationState::Open => ("Authorized", None),
            None => ("Canceled", Some(canceled_by(of.reason))),
        },
    };
    Status { state, reason, description: of.description.clone(), updated }
}

fn captured(
    capture: &Capture,
    state: AuthorizationState,
    reason: Option<Reason>,
) -> (&'static str, Option<&'static str>) {
    match capture.state {
        CaptureState::Pending => ("CaptureInitiated", None),
        CaptureState::Completed | CaptureState::Closed => ("Captured", None),
        CaptureState::Declined if state == AuthorizationState::Closed => {
            ("Canceled", Some(canceled_by(reason)))
        }
        CaptureState::Declined => {
            ("Declined", Some(capture.reason.map_or("ProcessingFailure", Reason::text)))
        }
    }
}

fn canceled_by(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::ExpiredUnused) => "ExpiredUnused",
        Some(Reason::SellerClosed) => "MerchantCanceled",
        Some(Reason::OrderReferenceCanceled) => "ChargePermissionCanceled",
        Some(Reason::BuyerClosed) => "BuyerCanceled",
        _ => "AmazonCanceled",
    }
}

/// The state of a refund.
pub(super) fn refund(books: &Books, at: RefundAt) -> Status {
    let of = &books[at];
    let state = match of.state {
        RefundState::Pending => "RefundInitiated",
        RefundState::Completed => "Refunded",
        RefundState::Declined => "Declined",
    };
    Status { state, reason: of.reason.map(Reason::text), description: None, updated: of.updated }
}
