//! What happens to a payment next. One total function over (phase, input); it never calls anybody:
//! it says which call to make, or that the run is over and what is to be committed.

use super::answers::{finish_decline, on_authorization, on_capture, on_verdict};
use super::calls::{
    authorize, capture, close_authorization, complete, confirm, read_authorization, read_capture,
    read_reference, set_details,
};
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase, Told};
use super::state::Payment;
use super::{lookup, session};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::gateway::{
    Answer, AuthorizationView, Effect, Fault, ReferenceState, ReferenceView, Reply,
};
use crate::domain::ids::CaptureId;
use crate::domain::mandate::Before;
use crate::domain::policy::Policy;

/// What a run remembers from call to call; gone when it ends.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// When it began, in milliseconds since the epoch.
    pub began_at: i64,
    /// Tries of the call in hand.
    pub tries: u32,
    /// The reference as it was last read.
    pub seen: Option<ReferenceView>,
    /// How its mandate stood before that, where it was read for the month's balance.
    pub before: Option<Before>,
    /// The authorization as it was last read, by an operation.
    pub authorization: Option<AuthorizationView>,
    /// Further captures that the authorization lists, the next one last.
    pub captures: Vec<CaptureId>,
    /// The refusal that led to a look-up.
    pub cause: Option<String>,
    /// Whether Amazon keeps a refusal under the epoch's key, and would only repeat it.
    pub key_spent: bool,
    /// Whether Amazon said no to the money call, and what that proves is still to be looked at.
    pub refused: bool,
    /// Whether it said so when no earlier try of that call could be at work any more.
    pub refused_late: bool,
    /// Whether the reference is read only to see that the money call may be repeated.
    pub repeats: bool,
    /// Look-ups so far: a guard against turning in circles.
    pub lookups: u32,
    /// Whether a suspended reference was confirmed again in this run.
    pub reconfirmed: bool,
    /// Whether a charge that somebody else made is taken for this payment's.
    pub adopting: bool,
    /// Whether the budget is spent and Amazon is asked a last time.
    pub last_look: bool,
    /// Whether it ended what lay in the dead letters, so that its letter is settled.
    pub settles_letter: bool,
    /// What is to be told, in order.
    pub told: Vec<Told>,
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
    /// Take its part of what an agreement may be charged this month, and come back with [`start`];
    /// where it does not fit, with [`super::lookup::over_the_month`].
    Meter,
    /// Commit that the permission is this payment's, unless another payment has it, and come back
    /// with [`start`].
    Adopt,
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
pub fn start(payment: &mut Payment, run: &mut Run, now: i64) -> Next {
    run.tries = 0;
    run.repeats = false;
    if payment.phase.waits_for_amazon() && payment.effort.attempt == 0 {
        // It slept until now: the budget is for trouble, and begins with it.
        payment.effort.since = now;
    }
    match payment.phase {
        Phase::Scheduled => match payment.not_before {
            Some(at) if at > now => Next::Settle(Wait::Until(at)),
            Some(_) | None => {
                // What it waited was not trouble.
                payment.effort.since = now;
                payment.phase = if payment.epoch > 1 { Phase::Inspecting } else { Phase::Metering };
                start(payment, run, now)
            }
        },
        Phase::WaitingForOrder => Next::Settle(Wait::Until(now + 500)),
        Phase::Metering => Next::Meter,
        // A look proves nothing about a call that was sent, only the same call again does. But none
        // of these says that the call was sent: where it was to be refused it must not be made.
        Phase::Inspecting | Phase::LookingUp | Phase::SettingDetails | Phase::Confirming
            if payment.exposure == Exposure::Sent =>
        {
            run.repeats = true;
            read_reference(payment)
        }
        Phase::Inspecting | Phase::LookingUp => read_reference(payment),
        Phase::SettingDetails | Phase::Confirming => set_details(payment),
        Phase::Completing => complete(payment),
        Phase::Authorizing => authorize(payment),
        Phase::AuthorizationPending => read_authorization(payment),
        Phase::Capturing => capture(payment),
        Phase::CapturePending => read_capture(payment),
        Phase::ClosingAuthorization => close_authorization(payment, run),
        // An agreement without a first charge has no authorization: it is looked at itself.
        Phase::Authorized if payment.authorization_id.is_none() => read_reference(payment),
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
            let uncompleted = payment.is_uncompleted();
            // Of an agreement it holds the month's balance, which need not be read again.
            run.seen = Some(view);
            if uncompleted { complete(payment) } else { confirm(payment) }
        }
        (Effect::Complete(_), Answer::Reference(view)) => {
            session::on_completion(payment, run, view)
        }
        (Effect::Confirm(_), Answer::Done) if payment.on_agreement() => {
            if let Some(seen) = &mut run.seen {
                seen.state = ReferenceState::Open;
                seen.reason = None;
            }
            lookup::meter(payment)
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
        (Effect::CloseAuthorization(_), Answer::Done) => finish_decline(payment, run),
        (effect, answer) => unexpected(payment, format!("{} answered {answer:?}", effect.name())),
    }
}

#[must_use]
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
    run.told.push(Told::Payment(Outcome::Declined));
    Next::Settle(Wait::Nothing)
}

/// An answer that is in no table: not paid, and a matter for people.
pub(super) fn unexpected(payment: &Payment, detail: String) -> Next {
    let reason = match payment.exposure {
        Exposure::Sent => DeadLetterReason::UnknownOutcome,
        Exposure::Clear | Exposure::Open => DeadLetterReason::Exhausted,
    };
    Next::Settle(Wait::Operator(reason, detail))
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
        payment.goes_unanswered(now);
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
        Fault::Declined { reason } => {
            run.tries = 0;
            on_verdict(payment, run, effect, &reason, now, policy)
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
        // An agreement does not list its authorizations: a look would tell nothing.
        Exposure::Sent if !run.last_look && !payment.on_agreement() => {
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
