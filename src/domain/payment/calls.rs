//! The calls that a payment makes, each with every parameter it will ever have: what is repeated
//! after a crash is the same call to the letter.

use super::answers::finish_decline;
use super::decide::{Next, Run, Wait};
use super::phase::{DeadLetterReason, Phase};
use super::state::Payment;
use crate::domain::gateway::{Authorize, Capture, Complete, Effect, SellerAttributes, SetDetails};
use crate::domain::ids::OperationKey;
use crate::domain::reference::{Operation, operation_key};

/// The key of the epoch's authorization.
pub fn authorization_key(payment: &Payment) -> OperationKey {
    operation_key(&payment.key, Operation::Authorize, None, payment.epoch, 0)
}

pub(super) fn no_reference() -> Next {
    Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, "no reference is known".to_owned()))
}

pub(super) fn set_details(payment: &mut Payment) -> Next {
    // A session is looked at again, should this be as far as it gets.
    payment.phase =
        if payment.is_uncompleted() { Phase::Inspecting } else { Phase::SettingDetails };
    let Some(reference) = payment.reference.clone() else { return no_reference() };
    Next::Call(Effect::SetDetails(SetDetails {
        reference,
        total: payment.amount,
        seller_order_id: payment.key.subject.seller_order_id(),
        store_name: payment.texts.store_name.clone(),
        custom_information: payment.texts.custom_information.clone(),
    }))
}

/// Completes the checkout session. Its intent may move money, so it is a money call.
pub(super) fn complete(payment: &mut Payment) -> Next {
    payment.phase = Phase::Completing;
    let Some(session) = payment.reference.clone() else { return no_reference() };
    Next::Call(Effect::Complete(Complete { session, total: payment.amount }))
}

/// Opens the reference, or makes sure that it is.
pub(super) fn confirm(payment: &mut Payment) -> Next {
    payment.phase = Phase::Confirming;
    payment.charged().cloned().map_or_else(no_reference, |id| Next::Call(Effect::Confirm(id)))
}

/// Makes or repeats the epoch's money call.
pub(super) fn authorize(payment: &mut Payment) -> Next {
    if payment.is_uncompleted() {
        // What a session would do is looked at first: its maker may have changed it.
        payment.phase = Phase::Inspecting;
        return read_reference(payment);
    }
    payment.phase = Phase::Authorizing;
    let Some(reference) = payment.charged().cloned() else { return no_reference() };
    let capture_now = payment.captures_at_once();
    Next::Call(Effect::Authorize(Authorize {
        reference,
        key: authorization_key(payment),
        amount: payment.amount,
        capture_now,
        synchronous: payment.synchronous,
        soft_descriptor: payment.texts.soft_descriptor.clone().filter(|_| capture_now),
        note: payment.texts.note.clone(),
        seller: SellerAttributes {
            order_id: payment.key.subject.seller_order_id(),
            store_name: payment.texts.store_name.clone(),
            custom_information: payment.texts.custom_information.clone(),
        },
    }))
}

/// Reads the reference, to see what became of it.
pub(super) fn read_reference(payment: &Payment) -> Next {
    payment.charged().cloned().map_or_else(no_reference, |id| Next::Call(Effect::ReadReference(id)))
}

pub(super) fn read_authorization(payment: &mut Payment) -> Next {
    match payment.authorization_id.clone() {
        Some(id) => Next::Call(Effect::ReadAuthorization(id)),
        None => {
            payment.phase = Phase::LookingUp;
            read_reference(payment)
        }
    }
}

pub(super) fn read_capture(payment: &mut Payment) -> Next {
    match payment.capture_id.clone() {
        Some(id) => Next::Call(Effect::ReadCapture(id)),
        None => read_authorization(payment),
    }
}

pub(super) fn capture(payment: &mut Payment) -> Next {
    let Some(authorization) = payment.authorization_id.clone() else {
        return read_authorization(payment);
    };
    payment.phase = Phase::Capturing;
    let declines = payment.capture_declines;
    Next::Call(Effect::Capture(Capture {
        authorization,
        key: operation_key(&payment.key, Operation::Capture, None, payment.epoch, declines),
        amount: payment.amount,
        soft_descriptor: payment.texts.soft_descriptor.clone(),
    }))
}

pub(super) fn close_authorization(payment: &mut Payment, run: &mut Run) -> Next {
    match payment.authorization_id.clone() {
        Some(id) => Next::Call(Effect::CloseAuthorization(id)),
        None => finish_decline(payment, run),
    }
}
