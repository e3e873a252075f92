//! What Amazon's answers about an authorization and its capture mean: paid, at rest, pending, and
//! every decline, soft or hard.

use super::calls::{authorization_key, capture, close_authorization, read_capture};
use super::decide::{Next, Run, Wait, decline, unexpected};
use super::lookup::meter;
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase, Told};
use super::session;
use super::state::Payment;
use crate::domain::command::AuthorizationMode;
use crate::domain::decline::Decline;
use crate::domain::gateway::{
    AuthorizationState, AuthorizationView, CaptureState, CaptureView, Effect,
};
use crate::domain::ids::CaptureId;
use crate::domain::money::Money;
use crate::domain::policy::Policy;

/// What the state of this epoch's authorization means. `made` says that it is the answer to the
/// call that authorizes and captures at once: only then is its capture id the proof (I4).
pub(super) fn on_authorization(
    payment: &mut Payment,
    run: &mut Run,
    view: AuthorizationView,
    made: bool,
    now: i64,
    policy: &Policy,
) -> Next {
    let ours = authorization_key(payment);
    if !view.key.is_empty() && view.key != ours.as_str() {
        payment.exposure = Exposure::Sent;
        return unexpected(payment, "an authorization under another key".to_owned());
    }
    if let Some(amount) = view.amount
        && amount != payment.amount
    {
        if run.adopting {
            return session::not_ours(payment, run, amount);
        }
        payment.exposure = Exposure::Sent;
        return unexpected(payment, "an authorization of another amount".to_owned());
    }
    payment.authorization_id = Some(view.id);
    let reason = view.reason.as_deref().unwrap_or_default();
    match view.state {
        AuthorizationState::Pending => {
            pending(payment, run, Phase::AuthorizationPending, now, policy)
        }
        AuthorizationState::Declined => on_declined(payment, run, reason, now, policy),
        AuthorizationState::Open => {
            match (payment.captures_at_once(), first_of(view.captures, run)) {
                (_, Some(capture)) => {
                    payment.capture_id = Some(capture);
                    payment.phase = Phase::CapturePending;
                    payment.exposure = Exposure::Sent;
                    look_at_capture(payment, run, view.shown, now, policy)
                }
                (false, None) => rest(payment, run, now),
                (true, None) => capture(payment),
            }
        }
        AuthorizationState::Closed => {
            let one = view.captures.len() == 1;
            match first_of(view.captures, run) {
                Some(id) if reason == "MaxCapturesProcessed" && made && one => {
                    payment.capture_id = Some(id);
                    paid(payment, run, payment.amount, now, policy)
                }
                Some(id) => {
                    payment.capture_id = Some(id);
                    payment.phase = Phase::CapturePending;
                    look_at_capture(payment, run, view.shown, now, policy)
                }
                None => closed_without_capture(payment, run, reason, now, policy),
            }
        }
        AuthorizationState::Other => {
            payment.exposure = Exposure::Sent;
            unexpected(payment, format!("an authorization in an unknown state ({reason})"))
        }
    }
}

/// The capture to look at first; the others are for when it proves to be declined.
fn first_of(captures: Vec<CaptureId>, run: &mut Run) -> Option<CaptureId> {
    run.captures = captures;
    run.captures.reverse();
    run.captures.pop()
}

/// Amazon's word on the capture itself: heard already, or asked for.
fn look_at_capture(
    payment: &mut Payment,
    run: &mut Run,
    shown: Option<CaptureView>,
    now: i64,
    policy: &Policy,
) -> Next {
    match shown.filter(|shown| Some(&shown.id) == payment.capture_id.as_ref()) {
        Some(capture) => on_capture(payment, run, capture, now, policy),
        None => read_capture(payment),
    }
}

fn closed_without_capture(
    payment: &mut Payment,
    run: &mut Run,
    reason: &str,
    now: i64,
    policy: &Policy,
) -> Next {
    if reason == "MaxCapturesProcessed" {
        // Amazon says captured and lists nothing: read on until it does.
        return pending(payment, run, Phase::AuthorizationPending, now, policy);
    }
    if payment.phase == Phase::Authorized {
        run.rule = "authorization_expired";
        payment.phase = Phase::Canceled;
        payment.exposure = Exposure::Clear;
        run.told.push(Told::Payment(Outcome::Canceled));
        return Next::Settle(Wait::Nothing);
    }
    decline(payment, run, "authorization_closed", Decline::of_object(reason))
}

/// Amazon's verdict instead of an answer: nothing moved under this key.
pub(super) fn on_verdict(
    payment: &mut Payment,
    run: &mut Run,
    effect: &Effect,
    reason: &str,
    now: i64,
    policy: &Policy,
) -> Next {
    match effect {
        Effect::Authorize(_) | Effect::Complete(_) => {
            on_declined(payment, run, reason, now, policy)
        }
        Effect::Capture(_) => on_capture_declined(payment, run, reason, now, policy),
        Effect::SetDetails(_)
        | Effect::Confirm(_)
        | Effect::ReadReference(_)
        | Effect::FindAuthorization { .. }
        | Effect::ReadAuthorization(_)
        | Effect::ReadCapture(_)
        | Effect::FindCapture { .. }
        | Effect::Refund(_)
        | Effect::ReadRefund(_)
        | Effect::ReadRefunds(_)
        | Effect::CloseAuthorization(_)
        | Effect::CloseReference(_) => {
            unexpected(payment, format!("{} declined: {reason}", effect.name()))
        }
    }
}

fn on_declined(
    payment: &mut Payment,
    run: &mut Run,
    reason: &str,
    now: i64,
    policy: &Policy,
) -> Next {
    payment.exposure = Exposure::Clear;
    match reason {
        // The soft decline: the buyer mends the method in the Amazon account.
        "InvalidPaymentMethod" | "HardDeclined" => {
            decline(payment, run, "soft_decline", Decline::invalid_payment_method(reason))
        }
        "MFANotCompleted" => {
            decline(payment, run, "authentication", Decline::authentication_required(reason))
        }
        "PaymentMethodNotAllowed" => {
            decline(payment, run, "constraint", Decline::constraint(reason))
        }
        "AmazonRejected" => {
            payment.close_reference_at = payment.ends_reference().then_some(now);
            decline(payment, run, "hard_decline", Decline::amazon_rejected())
        }
        "ProcessingFailure" | "SoftDeclined"
            if payment.processing_failures < policy.processing_failures_max =>
        {
            run.rule = "processing_failure_again";
            payment.processing_failures += 1;
            payment.begin_epoch();
            // What the last epoch took of an agreement's month is given back with it.
            payment.phase =
                if payment.on_agreement() { Phase::Metering } else { Phase::Authorizing };
            Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms))
        }
        "ProcessingFailure" | "SoftDeclined" => {
            decline(payment, run, "processing_failure", Decline::processing_failure(reason))
        }
        // A session says by itself whether it waits.
        "TransactionTimedOut"
            if payment.synchronous && falls_back(payment) && !payment.is_uncompleted() =>
        {
            run.rule = "asynchronous_fallback";
            payment.begin_epoch();
            payment.synchronous = false;
            if payment.on_agreement() {
                return meter(payment);
            }
            payment.phase = Phase::Authorizing;
            Next::Checkpoint
        }
        "TransactionTimedOut" => {
            decline(payment, run, "timed_out", Decline::transaction_timed_out())
        }
        "" => unexpected(payment, "an authorization declined without a reason".to_owned()),
        other => decline(payment, run, "declined_otherwise", Decline::of_object(other)),
    }
}

fn falls_back(payment: &Payment) -> bool {
    match payment.authorization {
        AuthorizationMode::SyncThenAsync => true,
        AuthorizationMode::Sync | AuthorizationMode::Async => false,
    }
}

pub(super) fn on_capture(
    payment: &mut Payment,
    run: &mut Run,
    view: CaptureView,
    now: i64,
    policy: &Policy,
) -> Next {
    if view.state == CaptureState::Declined
        && let Some(next) = run.captures.pop()
    {
        // One that Amazon declined leaves room for another, by whomever: of all that are listed
        // at most one is not declined, and that one tells whether money moved.
        payment.capture_id = Some(next);
        return read_capture(payment);
    }
    payment.capture_id = Some(view.id);
    match view.state {
        // Closed: refunded to its bound or disputed since; the money did move.
        CaptureState::Completed | CaptureState::Closed => {
            let captured = view.amount.unwrap_or(payment.amount);
            if let Some(refunded) = view.refunded {
                payment.refunded = refunded;
            }
            paid(payment, run, captured, now, policy)
        }
        CaptureState::Pending => pending(payment, run, Phase::CapturePending, now, policy),
        CaptureState::Declined => {
            if !payment.captures_at_once() {
                // Not asked for by us: what rests is captured by an operation of its own.
                run.rule = "rests_uncaptured";
                payment.capture_id = None;
                payment.exposure = Exposure::Clear;
                payment.phase = Phase::Authorized;
                payment.effort.begin_anew(now);
                return Next::Settle(Wait::Until(now + 86_400_000));
            }
            let reason = view.reason.unwrap_or_default();
            on_capture_declined(payment, run, &reason, now, policy)
        }
        CaptureState::Other => {
            payment.exposure = Exposure::Sent;
            unexpected(payment, "a capture in an unknown state".to_owned())
        }
    }
}

fn on_capture_declined(
    payment: &mut Payment,
    run: &mut Run,
    reason: &str,
    now: i64,
    policy: &Policy,
) -> Next {
    payment.capture_id = None;
    payment.exposure = Exposure::Clear;
    if is_failure_inside(reason) && payment.capture_declines == 0 {
        run.rule = "capture_again";
        payment.capture_declines = 1;
        payment.phase = Phase::Capturing;
        return Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms));
    }
    payment.decline = Some(capture_refused(reason));
    payment.phase = Phase::ClosingAuthorization;
    close_authorization(payment, run)
}

/// Amazon failed inside: it is worth asking again.
pub(super) fn is_failure_inside(reason: &str) -> bool {
    matches!(reason, "ProcessingFailure" | "SoftDeclined")
}

/// What a declined capture means.
pub(super) fn capture_refused(reason: &str) -> Decline {
    match reason {
        "AmazonRejected" => Decline::amazon_rejected(),
        "HardDeclined" => Decline::invalid_payment_method(reason),
        _ if is_failure_inside(reason) => Decline::processing_failure(reason),
        other => Decline::of_object(other),
    }
}

fn paid(payment: &mut Payment, run: &mut Run, captured: Money, now: i64, policy: &Policy) -> Next {
    run.rule = "captured";
    become_paid(payment, captured, now, policy);
    run.told.push(Told::Payment(Outcome::Paid));
    Next::Settle(Wait::Nothing)
}

/// The money was captured, by Amazon's word.
pub(super) fn become_paid(payment: &mut Payment, captured: Money, now: i64, policy: &Policy) {
    payment.phase = Phase::Paid;
    payment.exposure = Exposure::Clear;
    payment.captured = captured;
    payment.decline = None;
    payment.close_reference_at =
        payment.ends_reference().then_some(now + policy.reference_open_for_ms);
}

fn rest(payment: &mut Payment, run: &mut Run, now: i64) -> Next {
    payment.exposure = Exposure::Clear;
    payment.effort.begin_anew(now);
    if payment.phase != Phase::Authorized {
        run.rule = "authorized";
        payment.phase = Phase::Authorized;
        run.told.push(Told::Payment(Outcome::Authorized));
    }
    // Amazon lets it expire without a word: it is looked at once a day.
    Next::Settle(Wait::Until(now + 86_400_000))
}

fn pending(payment: &mut Payment, run: &mut Run, phase: Phase, now: i64, policy: &Policy) -> Next {
    run.rule = "pending_at_amazon";
    payment.phase = phase;
    payment.exposure = Exposure::Sent;
    // Amazon answered: trouble is counted from here on, and time is Amazon's.
    payment.effort.since = now;
    payment.effort.attempt = 0;
    if !payment.told_pending_amazon {
        payment.told_pending_amazon = true;
        payment.effort.polls = 0;
        run.told.push(Told::Payment(Outcome::PendingAmazon));
    }
    if payment.effort.polls >= policy.polls_max {
        let detail = "pending at Amazon for longer than it may be".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    let wait = policy.poll_after_ms(payment.effort.polls);
    payment.effort.polls = payment.effort.polls.saturating_add(1);
    Next::Settle(Wait::Until(now + wait))
}

/// Tells the decline that waited for the authorization to be given back.
pub(super) fn finish_decline(payment: &mut Payment, run: &mut Run) -> Next {
    let told =
        payment.decline.take().unwrap_or_else(|| Decline::processing_failure("ProcessingFailure"));
    decline(payment, run, "authorization_given_back", told)
}
