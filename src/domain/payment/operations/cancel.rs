//! A cancel: at once where no money call was sent, by giving the authorization back where it rests,
//! and as an epoch of its own after a soft decline. The reference is never closed by it: others may
//! be on it.

use super::decide::{LOOKUPS_MAX, end, hand_over, transient, unexpected};
use super::standing;
use super::state::OperationPhase;
use crate::domain::gateway::{AuthorizationState, AuthorizationView, Effect};
use crate::domain::operation::{OperationKind, OperationTag};
use crate::domain::payment::decide::{Next, Run, Wait};
use crate::domain::payment::phase::{Exposure, Outcome, Phase, Told};
use crate::domain::payment::state::Payment;
use crate::domain::policy::Policy;

/// Its turn has come.
pub(super) fn begin(payment: &mut Payment, tag: &OperationTag, run: &mut Run) -> Next {
    let Some(operation) = payment.operation(tag).cloned() else {
        return Next::Settle(Wait::Nothing);
    };
    if let Err((code, errors)) = standing::object(payment, OperationKind::Cancel, operation.wanted)
    {
        run.rule = "not_cancelable";
        return Next::Reject(code, errors);
    }
    if payment.phase == Phase::Authorized && payment.authorization_id.is_some() {
        if let Some(operation) = payment.operation_mut(tag) {
            operation.phase = OperationPhase::Calling;
        }
        return call(payment);
    }
    if payment.phase == Phase::Declined {
        // An epoch of its own: the message that opened it is the cancel's.
        payment.begin_epoch();
        payment.opener = operation.asker;
    }
    finish(payment, tag, run, "given_up")
}

/// Gives the authorization back.
pub(super) fn call(payment: &Payment) -> Next {
    payment
        .authorization_id
        .clone()
        .map_or(Next::Settle(Wait::Nothing), |id| Next::Call(Effect::CloseAuthorization(id)))
}

/// Nothing moved, and nothing will.
pub(super) fn finish(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    rule: &'static str,
) -> Next {
    run.rule = rule;
    payment.phase = Phase::Canceled;
    payment.exposure = Exposure::Clear;
    payment.decline = None;
    run.settles_letter = payment.dead_letter.take().is_some();
    payment.due_at = None;
    end(payment, tag, OperationPhase::Done);
    run.told.push(Told::By(Outcome::Canceled, tag.clone()));
    Next::Settle(Wait::Nothing)
}

/// Amazon's business "no": the authorization is over already, and only a look tells how.
pub(super) fn on_refused(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    (effect, code): (&Effect, &str),
    now: i64,
    policy: &Policy,
) -> Next {
    if !matches!(code, "InvalidAuthorizationStatus" | "InvalidChargeStatus") {
        return unexpected(payment, tag, format!("{} refused: {code}", effect.name()));
    }
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, tag, run, now, policy);
    }
    super::capture::look(payment)
}

/// The authorization as it is: only Amazon's word that nothing was captured makes a cancel.
pub(super) fn on_look(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    view: AuthorizationView,
    now: i64,
    policy: &Policy,
) -> Next {
    let captured =
        !view.captures.is_empty() || view.reason.as_deref() == Some("MaxCapturesProcessed");
    match view.state {
        AuthorizationState::Closed | AuthorizationState::Declined if captured => {
            hand_over(payment, tag, run, now, policy)
        }
        AuthorizationState::Closed | AuthorizationState::Declined => {
            finish(payment, tag, run, "authorization_over")
        }
        AuthorizationState::Open | AuthorizationState::Pending if captured => {
            hand_over(payment, tag, run, now, policy)
        }
        AuthorizationState::Open | AuthorizationState::Pending => {
            transient(payment, tag, run, now, policy)
        }
        AuthorizationState::Other => {
            unexpected(payment, tag, "an authorization in an unknown state".to_owned())
        }
    }
}
