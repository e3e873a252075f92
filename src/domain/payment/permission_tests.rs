//! Charge permissions, each as a history: what is read before one is charged, what Amazon's
//! verdicts mean, and what is proven by an absence or a "no" of Amazon's.

use super::decide::{Next, Wait};
use super::operations::turn::{self, Focus};
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase};
use super::session_tests::{PERMISSION, charged, declined, order_on, permission, rejects};
use super::state::{Lease, Payment};
use super::tests::{NOW, ends, play, play_at, refused};
use super::tests::{sale, set, usd};
use crate::domain::command::CaptureMode;
use crate::domain::decline::Softness;
use crate::domain::gateway::{Answer, Fault, ReferenceState as R, ReferenceView, Reply};
use crate::domain::policy::Policy;

const STANDING: &str = "C01-0000009-0000009";

#[test]
fn a_permission_is_read_before_it_is_charged() {
    let on = || order_on(PERMISSION, CaptureMode::Immediate);
    let played =
        play(on(), &[("read_reference", permission(R::Open, 1995)), ("authorize", charged())]);
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    // Somebody else has charged it, or it is for another total.
    let played = play(on(), &[("read_reference", permission(R::Open, 1000))]);
    rejects(&played, "amazonOrderId");
    let dear = Payment { amount: usd(1999), ..on() };
    let played = play(dear, &[("read_reference", permission(R::Open, 1995))]);
    rejects(&played, "amount");
    // Not chargeable: whether the buyer mended it is asked once.
    let played = play(
        on(),
        &[
            ("read_reference", permission(R::Suspended, 1995)),
            ("confirm", refused("PaymentMethodNotUpdated")),
        ],
    );
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(played.payment.declined_soft());
}

#[test]
fn verdicts_of_v2_have_the_same_meaning_as_their_likes() {
    for (reason, code, softness) in [
        ("HardDeclined", "InvalidPaymentMethod", Softness::Soft),
        ("MFANotCompleted", "AuthenticationRequired", Softness::Soft),
        ("PaymentMethodNotAllowed", "PaymentMethodNotAllowed", Softness::Soft),
        ("AmazonRejected", "AmazonRejected", Softness::Hard),
    ] {
        let played = play(
            order_on(PERMISSION, CaptureMode::Immediate),
            &[("read_reference", permission(R::Open, 1995)), ("authorize", declined(reason))],
        );
        ends(&played, Phase::Declined, &[Outcome::Declined]);
        let decline = played.payment.decline.unwrap();
        assert_eq!((decline.code.as_str(), decline.softness), (code, softness));
        assert_eq!(decline.amazon_reason.as_deref(), Some(reason));
    }
    // Softly declined is Amazon's failure: it is asked again, twice, and then told.
    let mut payment = order_on(PERMISSION, CaptureMode::Immediate);
    payment.phase = Phase::Authorizing;
    for epoch in [2, 3] {
        let played = play(payment, &[("authorize", declined("SoftDeclined"))]);
        assert_eq!((played.payment.epoch, played.told.len()), (epoch, 0));
        payment = played.payment;
    }
    let played = play(payment, &[("authorize", declined("SoftDeclined"))]);
    let decline = played.payment.decline.unwrap();
    assert_eq!(decline.code, "ProcessingFailure");
    assert_eq!(decline.amazon_reason.as_deref(), Some("SoftDeclined"));
}

#[test]
fn where_nothing_is_listed_an_absence_proves_nothing() {
    let mut sent = order_on(PERMISSION, CaptureMode::Immediate);
    sent.phase = Phase::Authorizing;
    sent.exposure = Exposure::Sent;
    let late = NOW + Policy::default().budget_checkout_ms + 1;
    for state in [R::Open, R::Closed] {
        let played = play_at(
            late,
            sent.clone(),
            &[
                ("authorize", Err(Fault::Unavailable { code: "ProcessingFailure".to_owned() })),
                ("authorize", Err(Fault::Unavailable { code: "ProcessingFailure".to_owned() })),
                ("authorize", Err(Fault::Unavailable { code: "ProcessingFailure".to_owned() })),
                ("read_reference", permission(state, 1995)),
            ],
        );
        let Next::Settle(Wait::Operator(reason, _)) = &played.last else {
            panic!("{:?}", played.last)
        };
        assert_eq!(*reason, DeadLetterReason::UnknownOutcome);
        assert_eq!(played.payment.epoch, 1, "a key that may have booked is never replaced");
    }
}

/// A payment by v2 whose charge went out and was not answered.
fn unanswered(reference: &str) -> Payment {
    let mut payment = order_on(reference, CaptureMode::Immediate);
    payment.phase = Phase::Authorizing;
    payment.goes_unanswered(NOW);
    payment
}

#[test]
fn a_no_while_our_own_charge_may_be_at_work_keeps_the_key() {
    let again = || ("authorize", refused("InvalidChargePermissionStatus"));
    let in_progress = |limit| {
        Ok(Answer::Reference(ReferenceView {
            limit,
            balance: limit,
            reason: Some("ChargeInProgress".to_owned()),
            lists_all: false,
            ..ReferenceView::in_state(R::Open)
        }))
    };
    let standing = |state| {
        let view = ReferenceView { lists_all: false, ..ReferenceView::in_state(state) };
        Ok(Answer::Reference(view))
    };
    let away = || ("read_reference", Err(Fault::NotSent));
    for (reference, shown) in [
        (PERMISSION, permission(R::Open, 0)),
        (PERMISSION, permission(R::Closed, 0)),
        (PERMISSION, permission(R::Suspended, 0)),
        (PERMISSION, in_progress(Some(usd(1995)))),
        (STANDING, in_progress(None)),
        (STANDING, standing(R::Open)),
        (STANDING, standing(R::Closed)),
    ] {
        let shown = ("read_reference", shown);
        let script = [again(), shown.clone(), ("authorize", charged())];
        let played = play(unanswered(reference), &script);
        ends(&played, Phase::Paid, &[Outcome::Paid]);
        assert_eq!(played.payment.epoch, 1, "under another key it could be the second charge");
        // A run that ends before the look knows no less afterwards.
        let played = play(unanswered(reference), &[again(), away(), away(), away()]);
        assert_eq!(played.payment.exposure, Exposure::Sent);
        let played = play(played.payment, &[&[shown][..], &script].concat());
        ends(&played, Phase::Paid, &[Outcome::Paid]);
        assert_eq!(played.payment.epoch, 1);
    }
    // Nor does Amazon's word that it is too much: our own charge may be what took the rest.
    let script = [
        ("authorize", refused("TransactionAmountExceeded")),
        ("read_reference", permission(R::Open, 0)),
        ("authorize", charged()),
    ];
    ends(&play(unanswered(PERMISSION), &script), Phase::Paid, &[Outcome::Paid]);
    let script = [("authorize", refused("PeriodicAmountExceeded")), ("authorize", charged())];
    ends(&play(unanswered(STANDING), &script), Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_no_when_no_call_can_be_at_work_any_more_ends_what_is_over() {
    let later = NOW + Policy::default().call_at_work_ms;
    let no = || ("authorize", refused("InvalidChargePermissionStatus"));
    let standing = |state| {
        let view = ReferenceView { lists_all: false, ..ReferenceView::in_state(state) };
        ("read_reference", Ok(Answer::Reference(view)))
    };
    let of_once = |state, balance| ("read_reference", permission(state, balance));
    let is_paid = |at, payment: Payment, script: &[(&str, Reply)]| {
        let played = play_at(at, payment, &[script, &[("authorize", charged())]].concat());
        ends(&played, Phase::Paid, &[Outcome::Paid]);
        assert_eq!(played.payment.epoch, 1, "under another key it could be the second charge");
    };
    for (reference, shown) in [
        (PERMISSION, of_once(R::Closed, 1995)),
        (STANDING, standing(R::Closed)),
        (STANDING, standing(R::Canceled)),
    ] {
        let script = [no(), shown];
        let played = play_at(later, unanswered(reference), &script);
        ends(&played, Phase::Declined, &[Outcome::Declined]);
        assert!(!played.payment.declined_soft(), "nobody mends what is closed");
        // A moment earlier the call may be at work: it keeps its key, and is made again.
        is_paid(later - 1, unanswered(reference), &script);
        // So it may where the last silence is of this very run, or nobody knows when it was.
        let lost = [("authorize", Err(Fault::Unknown))];
        is_paid(later, unanswered(reference), &[&lost[..], &script].concat());
        is_paid(later, Payment { unanswered_at: None, ..unanswered(reference) }, &script);
    }
    // What shows a charge may show ours, and what can be charged would be charged twice.
    for (reference, shown) in [
        (PERMISSION, of_once(R::Closed, 0)),
        (PERMISSION, of_once(R::Open, 0)),
        (STANDING, standing(R::Open)),
    ] {
        is_paid(later, unanswered(reference), &[no(), shown]);
    }
    is_paid(later, unanswered(STANDING), &[("authorize", refused("PeriodicAmountExceeded"))]);
}

#[test]
fn a_silence_begins_anew_with_whoever_loses_the_payment() {
    let of = |exposure, unanswered_at| {
        let lease = Some(Lease { owner: "another".to_owned(), until: NOW + 1 });
        Payment { exposure, unanswered_at, lease, ..unanswered(STANDING) }
    };
    let claimed = |mut payment: Payment| {
        turn::claim(&mut payment, &Focus::Payment, NOW + 5);
        (payment.exposure, payment.unanswered_at)
    };
    let told = of(Exposure::Sent, Some(NOW));
    assert_eq!(claimed(told.clone()), (Exposure::Sent, Some(NOW)));
    let mut lost = told;
    assert!(turn::lose_driver(&mut lost) && lost.lease.is_none());
    assert_eq!(claimed(lost), (Exposure::Sent, Some(NOW + 5)));
    assert_eq!(claimed(of(Exposure::Open, None)), (Exposure::Sent, Some(NOW + 5)));
    assert_eq!(claimed(of(Exposure::Sent, None)), (Exposure::Sent, Some(NOW + 5)));
    let mut unwritten = of(Exposure::Sent, Some(NOW));
    turn::unwritten(&mut unwritten, &Focus::Payment, NOW + 7);
    assert_eq!(unwritten.unanswered_at, Some(NOW + 7));
    // A clock that went back shortens nothing.
    unwritten.goes_unanswered(NOW);
    assert_eq!(unwritten.unanswered_at, Some(NOW + 7));
}

#[test]
fn another_limit_does_not_prove_that_nothing_was_sent() {
    // What a session has become was charged without a look at its limit, and what MWS left in Draft
    // has got its limit from us; Amazon reckons it, not we.
    let other = ReferenceView {
        limit: Some(usd(2500)),
        balance: Some(usd(505)),
        lists_all: false,
        ..ReferenceView::in_state(R::Open)
    };
    let look = || ("read_reference", Ok(Answer::Reference(other.clone())));
    let looked = Payment { phase: Phase::LookingUp, ..unanswered(PERMISSION) };
    let played = play(looked, &[look()]);
    let Next::Settle(Wait::Operator(reason, _)) = &played.last else { panic!("{:?}", played.last) };
    assert_eq!(*reason, DeadLetterReason::UnknownOutcome);
    assert_eq!(played.payment.exposure, Exposure::Sent);
    // After a "no" the same call goes on telling.
    let refused = ("authorize", refused("InvalidChargePermissionStatus"));
    let script = [refused, look(), ("authorize", charged())];
    ends(&play(unanswered(PERMISSION), &script), Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_no_that_amazon_keeps_under_a_key_costs_that_key_alone() {
    let reference = sale().reference.unwrap().to_string();
    let again = ("authorize", refused("InvalidChargePermissionStatus"));
    // What MWS left in Draft was not confirmed.
    let draft = ("read_reference", Ok(Answer::Reference(ReferenceView::in_state(R::Draft))));
    let confirmed = [("set_details", set()), ("confirm", Ok(Answer::Done))];
    let script = [&[again.clone(), draft][..], &confirmed, &[("authorize", charged())]].concat();
    let played = play(unanswered(&reference), &script);
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!(played.payment.epoch, 2);
    // It can be charged by now.
    let script = [again, ("read_reference", permission(R::Open, 1995)), ("authorize", charged())];
    let played = play(unanswered(&reference), &script);
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!(played.payment.epoch, 2);
}
