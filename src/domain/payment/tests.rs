//! The rows of "what an answer means", each as a history: calls that must be made, in order, the
//! answers they get, and where the payment ends.

use super::decide::{Next, Run, Wait, decide, start};
use super::invariants;
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase, Told};
use super::state::{Payment, Sealed};
use crate::domain::command::{Asker, PaymentKey};
use crate::domain::command::{AuthorizationMode, CaptureMode, Sale, Subject, Texts};
use crate::domain::gateway::{
    Answer, AuthorizationState as A, AuthorizationView, CaptureState, CaptureView, Fault,
    ReferenceState as R, ReferenceView, Reply,
};
use crate::domain::ids::{
    AuthorizationId, CaptureId, MerchantAccountId, MessageId, OrderId, ReferenceId,
};
use crate::domain::money::{Currency, Money};
use crate::domain::policy::Policy;

pub(super) const NOW: i64 = 1_000_000;

pub(super) fn usd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::USD)
}

pub(super) fn sale() -> Sale {
    Sale {
        key: PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: Subject::Order(OrderId::new("CRM-1").unwrap()),
        },
        reference: Some(ReferenceId::new("S01-0000001-0000001").unwrap()),
        amount: usd(1995),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    }
}

pub(super) fn asker(message: &str) -> Asker {
    Asker {
        message_id: MessageId::new(message).unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    }
}

pub(super) fn opened(sale: Sale) -> Payment {
    let mut payment = Payment::open(sale, asker("m1"), "na/sandbox/A1".to_owned(), NOW);
    payment.exposure = Exposure::Open;
    payment
}

pub(super) fn reference(state: R) -> ReferenceView {
    ReferenceView { total: Some(usd(1995)), ..ReferenceView::in_state(state) }
}

pub(super) fn set() -> Reply {
    Ok(Answer::Reference(reference(R::Draft)))
}

pub(super) fn authorization(state: A, reason: &str, captures: &[&str]) -> Reply {
    Ok(Answer::Authorization(AuthorizationView {
        id: AuthorizationId::new("S01-0000001-0000001-A000001").unwrap(),
        key: String::new(),
        state,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        amount: Some(usd(1995)),
        captures: captures.iter().map(|id| CaptureId::new(*id).unwrap()).collect(),
        shown: None,
    }))
}

pub(super) fn capture(state: CaptureState, reason: &str) -> Reply {
    Ok(Answer::Capture(CaptureView {
        id: CaptureId::new("C1").unwrap(),
        key: String::new(),
        state,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        amount: Some(usd(1995)),
        refunded: None,
    }))
}

pub(super) fn refused(code: &str) -> Reply {
    Err(Fault::Refused { code: code.to_owned() })
}

pub(super) struct Played {
    pub(super) payment: Payment,
    pub(super) told: Vec<Outcome>,
    pub(super) last: Next,
}

/// Plays one run: each call must be the named one and gets its reply.
pub(super) fn play_at(now: i64, mut payment: Payment, script: &[(&str, Reply)]) -> Played {
    let policy = Policy::default();
    let mut run = Run { began_at: now, ..Run::default() };
    let mut replies = script.iter();
    let mut next = start(&mut payment, &mut run, now);
    loop {
        next = match next {
            Next::Call(effect) => {
                let Some((name, reply)) = replies.next() else {
                    panic!("an unexpected call: {effect:?}")
                };
                assert_eq!(effect.name(), *name, "{effect:?}");
                decide(&mut payment, &mut run, &effect, reply.clone(), now, &policy)
            }
            Next::Checkpoint | Next::Adopt => start(&mut payment, &mut run, now),
            Next::Meter => match super::metered(&mut payment, &mut run, now) {
                None => start(&mut payment, &mut run, now),
                Some(next) => next,
            },
            last @ (Next::Settle(_) | Next::Reject(..)) => {
                assert_eq!(replies.next(), None, "a call was not made");
                let told = run.told.into_iter().map(|told| {
                    let Told::Payment(outcome) = told else { panic!("of another: {told:?}") };
                    outcome
                });
                return Played { payment, told: told.collect(), last };
            }
        };
    }
}

pub(super) fn play(payment: Payment, script: &[(&str, Reply)]) -> Played {
    play_at(NOW, payment, script)
}

pub(super) fn ends(played: &Played, phase: Phase, told: &[Outcome]) {
    assert_eq!(played.payment.phase, phase, "{:?}", played.last);
    assert_eq!(played.told, told);
    let mut settled = played.payment.clone();
    settled.latest_event = Some("evt".to_owned());
    settled.due_at = settled.in_hand().then_some(NOW);
    if settled.exposure == Exposure::Open {
        settled.exposure = Exposure::Clear;
    }
    assert_eq!(invariants::check(&settled), []);
}

#[test]
fn an_order_is_set_confirmed_authorized_and_paid() {
    let played = play(
        opened(sale()),
        &[
            ("set_details", set()),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Closed, "MaxCapturesProcessed", &["C1"])),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!(played.payment.captured, usd(1995));
    assert_eq!(played.payment.capture_id, Some(CaptureId::new("C1").unwrap()));
}

#[test]
fn the_right_to_capture_later_is_a_rest() {
    let manual = Sale { capture: CaptureMode::Manual, ..sale() };
    let played = play(
        opened(manual),
        &[
            ("set_details", set()),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Open, "", &[])),
        ],
    );
    ends(&played, Phase::Authorized, &[Outcome::Authorized]);
}

#[test]
fn what_is_not_to_be_charged_at_first_rests_authorized() {
    let played = play(
        opened(Sale { initial_charge: false, ..sale() }),
        &[
            ("set_details", set()),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Open, "", &[])),
        ],
    );
    ends(&played, Phase::Authorized, &[Outcome::Authorized]);
}

#[test]
fn a_new_epoch_reads_its_buyer_anew_and_gives_the_last_one_back() {
    let mut payment = opened(sale());
    payment.details = Some(Sealed("the last buyer".to_owned()));
    payment.phase = Phase::Declined;
    let known = payment.clone();
    let other = ReferenceId::new("S01-0000002-0000002").unwrap();
    for reference in [sale().reference, Some(other)] {
        payment.reopen(Sale { reference, ..sale() }, asker("m2"), None, NOW);
        assert_eq!(payment.details, None);
        payment.details = Some(Sealed("another buyer".to_owned()));
        assert!(payment.restore());
        assert_eq!(payment.details, known.details);
    }
}

#[test]
fn a_soft_decline_is_mended_by_the_buyer_and_paid_in_a_new_epoch() {
    let played = play(
        opened(sale()),
        &[
            ("set_details", set()),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Declined, "InvalidPaymentMethod", &[])),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(played.payment.declined_soft());

    let mut again = played.payment;
    again.reopen(sale(), asker("m2"), None, NOW);
    assert_eq!(again.epoch, 2);
    let mut suspended = reference(R::Suspended);
    suspended.authorizations = vec![AuthorizationId::new("A1").unwrap()];
    let played = play(
        again,
        &[
            ("read_reference", Ok(Answer::Reference(suspended))),
            ("find_authorization", Ok(Answer::NotFound)),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Closed, "MaxCapturesProcessed", &["C2"])),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_method_that_was_not_mended_is_a_soft_decline_again() {
    let mut payment = opened(sale());
    payment.phase = Phase::Inspecting;
    let played = play(
        payment,
        &[
            ("read_reference", Ok(Answer::Reference(reference(R::Suspended)))),
            ("confirm", refused("PaymentMethodNotUpdated")),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(played.payment.declined_soft());
}

#[test]
fn a_hard_decline_closes_the_reference_later() {
    let played = play(
        opened(sale()),
        &[
            ("set_details", set()),
            ("confirm", Ok(Answer::Done)),
            ("authorize", authorization(A::Declined, "AmazonRejected", &[])),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(!played.payment.declined_soft());
    assert_eq!(played.payment.close_reference_at, Some(NOW));
}

#[test]
fn a_processing_failure_is_asked_again_twice_and_then_declined() {
    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    for epoch in [2, 3] {
        let failure = authorization(A::Declined, "ProcessingFailure", &[]);
        let played = play(payment, &[("authorize", failure)]);
        assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 90_000)));
        assert_eq!(played.payment.epoch, epoch);
        assert_eq!(played.told, []);
        payment = played.payment;
    }
    let failure = authorization(A::Declined, "ProcessingFailure", &[]);
    let played = play(payment, &[("authorize", failure)]);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
}

#[test]
fn a_timed_out_decision_is_asked_for_asynchronously_and_followed_to_its_end() {
    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    let played = play(
        payment,
        &[
            ("authorize", authorization(A::Declined, "TransactionTimedOut", &[])),
            ("authorize", authorization(A::Pending, "", &[])),
        ],
    );
    assert_eq!(played.told, [Outcome::PendingAmazon]);
    assert_eq!(played.payment.epoch, 2);
    assert!(!played.payment.synchronous);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 20_000)));

    let still = play(played.payment, &[("read_authorization", authorization(A::Pending, "", &[]))]);
    assert_eq!(still.told, []);
    assert_eq!(still.last, Next::Settle(Wait::Until(NOW + 30_000)));
    let done = play(
        still.payment,
        &[
            ("read_authorization", authorization(A::Closed, "MaxCapturesProcessed", &["C1"])),
            ("read_capture", capture(CaptureState::Completed, "")),
        ],
    );
    ends(&done, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_key_and_never_declined() {
    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    let lost = || ("authorize", Err(Fault::Unknown));
    let played = play(payment, &[lost(), lost(), lost()]);
    assert_eq!(played.last, Next::Settle(Wait::Backoff));
    assert_eq!(played.payment.exposure, Exposure::Sent);
    assert_eq!(played.told, []);

    // The budget is spent: Amazon is asked a last time, and a look that shows nothing is no proof.
    let late = NOW + 1_800_001;
    let played = play_at(
        late,
        played.payment,
        &[lost(), lost(), lost(), ("read_reference", Ok(Answer::Reference(reference(R::Open))))],
    );
    let Next::Settle(Wait::Operator(reason, _)) = played.last else { panic!() };
    assert_eq!(reason, DeadLetterReason::UnknownOutcome);
    assert!(played.payment.in_hand());
}

#[test]
fn already_so_may_be_our_own_success() {
    let mut open = reference(R::Open);
    open.authorizations = vec![AuthorizationId::new("A1").unwrap()];
    let played = play(
        opened(sale()),
        &[
            ("set_details", refused("OrderReferenceNotModifiable")),
            ("read_reference", Ok(Answer::Reference(open))),
            ("find_authorization", authorization(A::Closed, "MaxCapturesProcessed", &["C1"])),
            ("read_capture", capture(CaptureState::Completed, "")),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_reference_open_already_counts_as_confirmed_only_with_the_same_total() {
    let played = play(
        opened(sale()),
        &[
            ("set_details", refused("OrderReferenceNotModifiable")),
            ("read_reference", Ok(Answer::Reference(reference(R::Open)))),
            ("authorize", authorization(A::Closed, "MaxCapturesProcessed", &["C1"])),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);

    let mut other = reference(R::Open);
    other.total = Some(usd(2000));
    let played = play(
        opened(sale()),
        &[
            ("set_details", refused("OrderReferenceNotModifiable")),
            ("read_reference", Ok(Answer::Reference(other))),
        ],
    );
    assert!(matches!(played.last, Next::Reject(..)));
}

#[test]
fn a_capture_that_fails_is_asked_again_once_and_the_authorization_given_back() {
    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    let played = play(
        payment,
        &[
            ("authorize", authorization(A::Open, "", &["C1"])),
            ("read_capture", capture(CaptureState::Declined, "ProcessingFailure")),
        ],
    );
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 90_000)));
    let played = play(
        played.payment,
        &[
            ("capture", capture(CaptureState::Declined, "ProcessingFailure")),
            ("close_authorization", Ok(Answer::Done)),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
}

#[test]
fn money_that_somebody_else_captured_after_a_failure_is_found_behind_it() {
    let mut failed = opened(sale());
    failed.phase = Phase::Capturing;
    failed.authorization_id = Some(AuthorizationId::new("S01-0000001-0000001-A000001").unwrap());
    failed.capture_declines = 1;
    let listed = || authorization(A::Closed, "MaxCapturesProcessed", &["C0", "C1"]);
    let declined = || ("read_capture", capture(CaptureState::Declined, "ProcessingFailure"));
    let refusal = ("capture", refused("InvalidAuthorizationStatus"));
    let last = ("read_capture", capture(CaptureState::Completed, ""));
    let script = [refusal.clone(), ("read_authorization", listed()), declined(), last];
    let played = play(failed.clone(), &script);
    ends(&played, Phase::Paid, &[Outcome::Paid]);

    let closed = ("close_authorization", Ok(Answer::Done));
    let script = [refusal, ("read_authorization", listed()), declined(), declined(), closed];
    ends(&play(failed, &script), Phase::Declined, &[Outcome::Declined]);
}

#[test]
fn a_throttle_says_nothing_about_an_earlier_try() {
    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    let throttled = || Err(Fault::Throttled { retry_after_ms: None });
    let played = play(payment.clone(), &[("authorize", throttled())]);
    assert_eq!(played.payment.exposure, Exposure::Open);
    payment.exposure = Exposure::Sent;
    let played = play(payment, &[("authorize", throttled())]);
    assert_eq!(played.payment.exposure, Exposure::Sent);
}

#[test]
fn what_is_in_no_table_is_not_paid() {
    for reply in [
        authorization(A::Other, "Strange", &[]),
        Err(Fault::Unexpected { detail: "?".to_owned() }),
        Ok(Answer::Done),
        refused("SomethingNew"),
    ] {
        let mut payment = opened(sale());
        payment.phase = Phase::Authorizing;
        let played = play(payment, &[("authorize", reply)]);
        assert!(matches!(played.last, Next::Settle(Wait::Operator(..))), "{:?}", played.last);
        assert!(played.payment.in_hand());
    }
}

#[test]
fn constraints_and_allowances_are_declines_with_amazon_s_own_word() {
    let mut constrained = reference(R::Draft);
    constrained.constraints = vec!["PaymentMethodNotAllowed".to_owned()];
    let played = play(opened(sale()), &[("set_details", Ok(Answer::Reference(constrained)))]);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert_eq!(played.payment.decline.unwrap().code, "PaymentMethodNotAllowed");

    let mut payment = opened(sale());
    payment.phase = Phase::Authorizing;
    payment.owns_reference = false;
    let played = play(
        payment,
        &[
            ("authorize", refused("TransactionAmountExceeded")),
            ("read_reference", Ok(Answer::Reference(reference(R::Open)))),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert_eq!(played.payment.decline.unwrap().code, "TransactionAmountExceeded");
}
