//! What happens to a payment next. One total function over (phase, input); it never calls anybody:
//! it says which call to make, or that the run is over and what is to be committed.

use super::lookup;
use super::state::{DeadLetterReason, Exposure, Outcome, Payment, Phase};
use crate::domain::command::CaptureMode;
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Capture, CaptureState, CaptureView,
    Effect, Fault, ReferenceView, Reply, SetDetails,
};
use crate::domain::ids::OperationKey;
use crate::domain::policy::Policy;
use crate::domain::reference::{Operation, operation_key};

/// What a run remembers from call to call; gone when it ends.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// When it began, in milliseconds since the epoch.
    pub began_at: i64,
    /// Tries of the call in hand.
    pub tries: u32,
    /// The reference as it was last read.
    pub seen: Option<ReferenceView>,
    /// The refusal that led to a look-up.
    pub cause: Option<String>,
    /// Look-ups so far: a guard against turning in circles.
    pub lookups: u32,
    /// Whether a suspended reference was confirmed again in this run.
    pub reconfirmed: bool,
    /// Whether the budget is spent and Amazon is asked a last time.
    pub last_look: bool,
    /// What is to be told, in order.
    pub told: Vec<Outcome>,
    /// The rule behind the last transition, for the journal.
    pub rule: &'static str,
}

/// What must be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Make this call and come back with the reply.
    Call(Effect),
    /// Commit (a new intent) and come back with [`start`].
    Checkpoint,
    /// Commit and let go.
    Settle(Wait),
    /// The message that opened the epoch is not acceptable after all.
    Reject(RejectionCode, Vec<FieldError>),
}

/// What a payment waits for after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: it is at an end or at rest.
    Nothing,
    /// A time, in milliseconds since the epoch.
    Until(i64),
    /// The next try of the retry schedule.
    Backoff,
    /// Amazon's quota.
    Quota {
        /// Amazon's hint, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// Credentials that are accepted again.
    Credentials,
    /// An operator.
    Operator(DeadLetterReason, String),
}

/// The first call of a run.
#[must_use]
pub fn start(payment: &mut Payment, run: &mut Run, now: i64, policy: &Policy) -> Next {
    run.tries = 0;
    match payment.phase {
        Phase::WaitingForOrder => Next::Settle(Wait::Until(now + 500)),
        Phase::Inspecting | Phase::LookingUp => read_reference(payment),
        Phase::SettingDetails | Phase::Confirming => match payment.exposure {
            // The same call again tells what became of it; everything before it is done.
            Exposure::Sent => authorize(payment),
            Exposure::Clear | Exposure::Open => set_details(payment),
        },
        Phase::Authorizing => authorize(payment),
        Phase::AuthorizationPending => read_authorization(payment),
        Phase::Capturing => capture(payment),
        Phase::CapturePending => read_capture(payment),
        Phase::ClosingAuthorization => close_authorization(payment, run, now, policy),
        Phase::Authorized => read_authorization(payment),
        Phase::Paid | Phase::Declined | Phase::Failed | Phase::Canceled => {
            Next::Settle(Wait::Nothing)
        }
    }
}

/// What a reply means for the payment.
#[must_use]
pub fn decide(
    payment: &mut Payment,
    run: &mut Run,
    effect: &Effect,
    reply: Reply,
    now: i64,
    policy: &Policy,
) -> Next {
    let answer = match reply {
        Ok(answer) => answer,
        Err(fault) => return on_fault(payment, run, effect, fault, now, policy),
    };
    run.tries = 0;
    match (effect, answer) {
        (Effect::SetDetails(_), Answer::Reference(view)) => {
            if let Some(constraint) = view.constraints.first() {
                return decline(payment, run, "constraint", Decline::constraint(constraint));
            }
            payment.phase = Phase::Confirming;
            reference_of(payment).map_or_else(no_reference, |id| Next::Call(Effect::Confirm(id)))
        }
        (Effect::Confirm(_), Answer::Done) => {
            payment.confirmed_total = payment.confirmed_total.or(Some(payment.amount));
            payment.phase = Phase::Authorizing;
            authorize(payment)
        }
        (Effect::Authorize(call), Answer::Authorization(view)) => {
            let made = call.capture_now;
            on_authorization(payment, run, view, made, now, policy)
        }
        (Effect::ReadReference(_), Answer::Reference(view)) => {
            lookup::on_reference(payment, run, view, now, policy)
        }
        (Effect::FindAuthorization { .. }, Answer::Authorization(view))
        | (Effect::ReadAuthorization(_), Answer::Authorization(view)) => {
            on_authorization(payment, run, view, false, now, policy)
        }
        (Effect::FindAuthorization { .. }, Answer::NotFound) => {
            lookup::on_not_found(payment, run, now, policy)
        }
        (Effect::Capture(_) | Effect::ReadCapture(_), Answer::Capture(view)) => {
            on_capture(payment, run, view, now, policy)
        }
        (Effect::CloseAuthorization(_), Answer::Done) => finish_decline(payment, run, now),
        (effect, answer) => unexpected(payment, format!("{} answered {answer:?}", effect.name())),
    }
}

/// The key of the epoch's authorization.
#[must_use]
pub fn authorization_key(payment: &Payment) -> OperationKey {
    operation_key(&payment.key, Operation::Authorize, None, payment.epoch, 0)
}

fn reference_of(payment: &Payment) -> Option<crate::domain::ids::ReferenceId> {
    payment.reference.clone()
}

fn no_reference() -> Next {
    Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, "no reference is known".to_owned()))
}

fn set_details(payment: &mut Payment) -> Next {
    payment.phase = Phase::SettingDetails;
    let Some(reference) = reference_of(payment) else { return no_reference() };
    Next::Call(Effect::SetDetails(SetDetails {
        reference,
        total: payment.amount,
        seller_order_id: payment.key.subject.seller_order_id(),
        store_name: payment.texts.store_name.clone(),
        custom_information: payment.texts.custom_information.clone(),
    }))
}

/// Begins with the details of a reference in Draft.
pub(super) fn prepare(payment: &mut Payment) -> Next {
    set_details(payment)
}

/// Makes or repeats the epoch's money call.
pub(super) fn authorize(payment: &mut Payment) -> Next {
    payment.phase = Phase::Authorizing;
    let Some(reference) = reference_of(payment) else { return no_reference() };
    let capture_now = payment.capture == CaptureMode::Immediate;
    Next::Call(Effect::Authorize(Authorize {
        reference,
        key: authorization_key(payment),
        amount: payment.amount,
        capture_now,
        synchronous: payment.synchronous,
        soft_descriptor: payment.texts.soft_descriptor.clone().filter(|_| capture_now),
        note: payment.texts.note.clone(),
    }))
}

/// Reads the reference, to see what became of it.
pub(super) fn read_reference(payment: &Payment) -> Next {
    reference_of(payment).map_or_else(no_reference, |id| Next::Call(Effect::ReadReference(id)))
}

fn read_authorization(payment: &mut Payment) -> Next {
    match payment.authorization_id.clone() {
        Some(id) => Next::Call(Effect::ReadAuthorization(id)),
        None => {
            payment.phase = Phase::LookingUp;
            read_reference(payment)
        }
    }
}

fn read_capture(payment: &mut Payment) -> Next {
    match payment.capture_id.clone() {
        Some(id) => Next::Call(Effect::ReadCapture(id)),
        None => read_authorization(payment),
    }
}

fn capture(payment: &mut Payment) -> Next {
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

fn close_authorization(payment: &mut Payment, run: &mut Run, now: i64, policy: &Policy) -> Next {
    let _ = policy;
    match payment.authorization_id.clone() {
        Some(id) => Next::Call(Effect::CloseAuthorization(id)),
        None => finish_decline(payment, run, now),
    }
}

/// Ends the epoch with a decline.
pub(super) fn decline(
    payment: &mut Payment,
    run: &mut Run,
    rule: &'static str,
    decline: Decline,
) -> Next {
    run.rule = rule;
    payment.phase = Phase::Declined;
    payment.exposure = Exposure::Clear;
    payment.decline = Some(decline);
    run.told.push(Outcome::Declined);
    Next::Settle(Wait::Nothing)
}

fn finish_decline(payment: &mut Payment, run: &mut Run, _now: i64) -> Next {
    let told = payment.decline.take().unwrap_or_else(Decline::processing_failure);
    decline(payment, run, "authorization_given_back", told)
}

/// An answer that is in no table: not paid, and a matter for people.
pub(super) fn unexpected(payment: &Payment, detail: String) -> Next {
    let reason = match payment.exposure {
        Exposure::Sent => DeadLetterReason::UnknownOutcome,
        Exposure::Clear | Exposure::Open => DeadLetterReason::Exhausted,
    };
    Next::Settle(Wait::Operator(reason, detail))
}

/// What the state of this epoch's authorization means. `made` says that it is the answer to the
/// call that authorizes and captures at once: only then is its capture id the proof (I4).
fn on_authorization(
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
    if view.amount.is_some_and(|amount| amount != payment.amount) {
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
        AuthorizationState::Open => match (payment.capture, view.captures.into_iter().next()) {
            (_, Some(capture)) => {
                payment.capture_id = Some(capture);
                payment.phase = Phase::CapturePending;
                payment.exposure = Exposure::Sent;
                read_capture(payment)
            }
            (CaptureMode::Manual, None) => rest(payment, run, now),
            (CaptureMode::Immediate, None) => capture(payment),
        },
        AuthorizationState::Closed => {
            let one = view.captures.len() == 1;
            match view.captures.into_iter().next() {
                Some(id) if reason == "MaxCapturesProcessed" && made && one => {
                    payment.capture_id = Some(id);
                    paid(payment, run, payment.amount, now, policy)
                }
                Some(id) => {
                    payment.capture_id = Some(id);
                    payment.phase = Phase::CapturePending;
                    read_capture(payment)
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
        run.told.push(Outcome::Canceled);
        return Next::Settle(Wait::Nothing);
    }
    decline(payment, run, "authorization_closed", Decline::of_object(reason))
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
        "InvalidPaymentMethod" => {
            decline(payment, run, "soft_decline", Decline::invalid_payment_method(reason))
        }
        "AmazonRejected" => {
            payment.close_reference_at = payment.owns_reference.then_some(now);
            decline(payment, run, "hard_decline", Decline::amazon_rejected())
        }
        "ProcessingFailure" if payment.processing_failures < policy.processing_failures_max => {
            run.rule = "processing_failure_again";
            payment.processing_failures += 1;
            payment.begin_epoch();
            payment.phase = Phase::Authorizing;
            Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms))
        }
        "ProcessingFailure" => {
            decline(payment, run, "processing_failure", Decline::processing_failure())
        }
        "TransactionTimedOut" if payment.synchronous && falls_back(payment) => {
            run.rule = "asynchronous_fallback";
            payment.begin_epoch();
            payment.synchronous = false;
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
    use crate::domain::command::AuthorizationMode as Mode;
    match payment.authorization {
        Mode::SyncThenAsync => true,
        Mode::Sync | Mode::Async => false,
    }
}

fn on_capture(
    payment: &mut Payment,
    run: &mut Run,
    view: CaptureView,
    now: i64,
    policy: &Policy,
) -> Next {
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
            payment.capture_id = None;
            payment.exposure = Exposure::Clear;
            let reason = view.reason.unwrap_or_default();
            if reason == "ProcessingFailure" && payment.capture_declines == 0 {
                run.rule = "capture_again";
                payment.capture_declines = 1;
                payment.phase = Phase::Capturing;
                return Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms));
            }
            payment.decline = Some(match reason.as_str() {
                "AmazonRejected" => Decline::amazon_rejected(),
                "ProcessingFailure" => Decline::processing_failure(),
                other => Decline::of_object(other),
            });
            payment.phase = Phase::ClosingAuthorization;
            close_authorization(payment, run, now, policy)
        }
        CaptureState::Other => {
            payment.exposure = Exposure::Sent;
            unexpected(payment, "a capture in an unknown state".to_owned())
        }
    }
}

fn paid(
    payment: &mut Payment,
    run: &mut Run,
    captured: crate::domain::money::Money,
    now: i64,
    policy: &Policy,
) -> Next {
    run.rule = "captured";
    payment.phase = Phase::Paid;
    payment.exposure = Exposure::Clear;
    payment.captured = captured;
    payment.decline = None;
    payment.close_reference_at =
        payment.owns_reference.then_some(now + policy.reference_open_for_ms);
    run.told.push(Outcome::Paid);
    Next::Settle(Wait::Nothing)
}

fn rest(payment: &mut Payment, run: &mut Run, now: i64) -> Next {
    payment.exposure = Exposure::Clear;
    if payment.phase != Phase::Authorized {
        run.rule = "authorized";
        payment.phase = Phase::Authorized;
        run.told.push(Outcome::Authorized);
    }
    // Amazon lets it expire without a word: it is looked at once a day.
    Next::Settle(Wait::Until(now + 86_400_000))
}

fn pending(payment: &mut Payment, run: &mut Run, phase: Phase, now: i64, policy: &Policy) -> Next {
    run.rule = "pending_at_amazon";
    payment.phase = phase;
    payment.exposure = Exposure::Sent;
    if !payment.told_pending_amazon {
        payment.told_pending_amazon = true;
        payment.effort.polls = 0;
        // From here on time is Amazon's; the age limit counts from the first `Pending`.
        payment.effort.since = now;
        run.told.push(Outcome::PendingAmazon);
    }
    if now - payment.effort.since > policy.pending_max_ms {
        let detail = "pending at Amazon for longer than it may be".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    let wait = policy.poll_after_ms(payment.effort.polls);
    payment.effort.polls = payment.effort.polls.saturating_add(1);
    Next::Settle(Wait::Until(now + wait))
}

fn on_fault(
    payment: &mut Payment,
    run: &mut Run,
    effect: &Effect,
    fault: Fault,
    now: i64,
    policy: &Policy,
) -> Next {
    payment.effort.last_fault = Some(fault.name().to_owned());
    if effect.moves_money() && fault.leaves_unknown() {
        payment.exposure = Exposure::Sent;
    }
    match fault {
        Fault::Throttled { retry_after_ms } => {
            run.rule = "throttled";
            Next::Settle(Wait::Quota { retry_after_ms })
        }
        Fault::Credentials { .. } => {
            run.rule = "credentials_refused";
            Next::Settle(Wait::Credentials)
        }
        Fault::NotSent | Fault::Unavailable { .. } | Fault::Unknown => {
            run.tries += 1;
            let early = now - run.began_at <= policy.at_once_ms;
            if run.tries < policy.at_once_tries && early {
                return Next::Call(effect.clone());
            }
            transient(payment, run, now, policy)
        }
        Fault::Refused { code } => {
            run.tries = 0;
            lookup::on_refused(payment, run, effect, &code, now, policy)
        }
        Fault::Unexpected { detail } => unexpected(payment, detail),
    }
}

/// Transient trouble: later again within the budget, else a last look, else an operator.
pub(super) fn transient(payment: &mut Payment, run: &mut Run, now: i64, policy: &Policy) -> Next {
    run.rule = "transient";
    let spent = now - payment.effort.since - payment.effort.quota_wait_ms;
    if spent <= policy.budget_ms(payment.key.subject.kind()) {
        return Next::Settle(Wait::Backoff);
    }
    match payment.exposure {
        Exposure::Sent if !run.last_look => {
            run.last_look = true;
            payment.phase = Phase::LookingUp;
            read_reference(payment)
        }
        Exposure::Sent => {
            let detail = "Amazon never told what became of the call".to_owned();
            Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail))
        }
        Exposure::Clear | Exposure::Open => {
            let fault = payment.effort.last_fault.clone().unwrap_or_default();
            let detail = format!("transient trouble outlasted the budget ({fault})");
            Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail))
        }
    }
}
