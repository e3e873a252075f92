//! Checkout sessions and permissions, each as a history: what is looked at before money moves, what
//! becomes of a lost answer, and what somebody else did before us.

use super::admission::{Admission, Known, admit};
use super::decide::{Next, Wait};
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase};
use super::state::Payment;
use super::tests::{NOW, asker, sale, usd};
use super::tests::{Played, authorization, capture, ends, opened, play, refused};
use crate::domain::command::{CaptureMode, Sale};
use crate::domain::decline::{Decline, RejectionCode, Softness};
use crate::domain::gateway::{
    Answer, AuthorizationState as A, CaptureState, Fault, Intent, ReferenceState as R,
    ReferenceView, Reply,
};
use crate::domain::ids::{AuthorizationId, CaptureId, ReferenceId};
use crate::domain::merchant::Api;

const SESSION: &str = "bd504926-f659-4ad7-a1a9-9a747aaf5275";
pub(super) const PERMISSION: &str = "S01-0000009-0000009";

fn id(text: &str) -> ReferenceId {
    ReferenceId::new(text).unwrap()
}

pub(super) fn order_on(reference: &str, capture: CaptureMode) -> Payment {
    let mut payment = opened(Sale { reference: Some(id(reference)), capture, ..sale() });
    payment.begin_by(Api::V2);
    payment
}

fn order() -> Payment {
    order_on(SESSION, CaptureMode::Immediate)
}

fn view(state: R, intent: Intent) -> ReferenceView {
    ReferenceView {
        total: Some(usd(1995)),
        lists_all: false,
        intent: Some(intent),
        seller_order_id: Some("CRM-1".to_owned()),
        ..ReferenceView::in_state(state)
    }
}

fn open(intent: Intent) -> Reply {
    Ok(Answer::Reference(view(R::Draft, intent)))
}

fn completed(intent: Intent, charge: Option<&str>) -> Reply {
    Ok(Answer::Reference(ReferenceView {
        permission: Some(id(PERMISSION)),
        authorizations: charge.map(|id| AuthorizationId::new(id).unwrap()).into_iter().collect(),
        ..view(R::Open, intent)
    }))
}

fn canceled(reason: &str) -> Reply {
    let over = view(R::Canceled, Intent::Capture);
    Ok(Answer::Reference(ReferenceView { reason: Some(reason.to_owned()), ..over }))
}

/// A permission with so much left of 19.95.
pub(super) fn permission(state: R, left: i64) -> Reply {
    Ok(Answer::Reference(ReferenceView {
        limit: Some(usd(1995)),
        balance: Some(usd(left)),
        lists_all: false,
        ..ReferenceView::in_state(state)
    }))
}

pub(super) fn charged() -> Reply {
    authorization(A::Closed, "MaxCapturesProcessed", &["C1"])
}

pub(super) fn declined(reason: &str) -> Reply {
    Err(Fault::Declined { reason: reason.to_owned() })
}

#[track_caller]
pub(super) fn rejects(played: &Played, field: &str) {
    let Next::Reject(RejectionCode::Conflict, errors) = &played.last else {
        panic!("{:?}", played.last)
    };
    assert_eq!(errors[0].field, field);
}

#[test]
fn a_session_that_only_confirms_is_completed_and_its_permission_charged() {
    let played = play(
        order(),
        &[
            ("read_reference", open(Intent::Confirm)),
            ("complete", completed(Intent::Confirm, None)),
            ("authorize", charged()),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!(played.payment.charged(), Some(&id(PERMISSION)));
    assert_eq!(played.payment.reference, Some(id(SESSION)), "the CRM knows it by this name");
}

#[test]
fn the_charge_of_a_session_is_read_before_anybody_is_told_that_it_was_paid() {
    for (intent, read) in [
        (
            Intent::Capture,
            vec![
                ("read_authorization", charged()),
                ("read_capture", capture(CaptureState::Completed, "")),
            ],
        ),
        (
            Intent::Authorize,
            vec![
                ("read_authorization", authorization(A::Open, "", &[])),
                ("capture", capture(CaptureState::Completed, "")),
            ],
        ),
    ] {
        let first = [("read_reference", open(intent)), ("complete", completed(intent, Some("A1")))];
        let played = play(order(), &[&first[..], &read].concat());
        ends(&played, Phase::Paid, &[Outcome::Paid]);
    }
    // Pending first, as 202 says.
    let played = play(
        order(),
        &[
            ("read_reference", open(Intent::Capture)),
            ("complete", completed(Intent::Capture, Some("A1"))),
            ("read_authorization", authorization(A::Pending, "", &[])),
        ],
    );
    assert_eq!(played.told, [Outcome::PendingAmazon]);
    assert_eq!(played.payment.phase, Phase::AuthorizationPending);
}

#[test]
fn a_session_that_says_something_else_is_rejected_before_it_is_completed() {
    let other = ReferenceView { total: Some(usd(2000)), ..view(R::Draft, Intent::Capture) };
    let played = play(order(), &[("read_reference", Ok(Answer::Reference(other)))]);
    rejects(&played, "amount");
    let manual = order_on(SESSION, CaptureMode::Manual);
    let played = play(manual, &[("read_reference", open(Intent::Capture))]);
    rejects(&played, "capture");
    let unfinished = ReferenceView {
        constraints: vec!["BuyerNotAssociated".to_owned()],
        ..view(R::Draft, Intent::Capture)
    };
    let played = play(order(), &[("read_reference", Ok(Answer::Reference(unfinished)))]);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert_eq!(played.payment.decline.unwrap().code, "BuyerNotAssociated");
}

#[test]
fn a_session_that_captures_is_not_for_who_wants_nothing_charged_at_first() {
    let unpaid = || Payment { initial_charge: false, ..order() };
    let played = play(unpaid(), &[("read_reference", open(Intent::Capture))]);
    rejects(&played, "recurring");
    let played = play(
        unpaid(),
        &[
            ("read_reference", open(Intent::Confirm)),
            ("complete", completed(Intent::Confirm, None)),
            ("authorize", authorization(A::Open, "", &[])),
        ],
    );
    ends(&played, Phase::Authorized, &[Outcome::Authorized]);
}

#[test]
fn a_session_and_its_permission_are_one_to_who_asks_again() {
    let asked = Sale { reference: Some(id(PERMISSION)), ..sale() };
    let mut payment = order();
    payment.permission = Some(id(PERMISSION));
    for (phase, expected) in [
        (Phase::Authorizing, Admission::Join),
        (Phase::Paid, Admission::Again),
        (Phase::Declined, Admission::Reopen),
    ] {
        payment.phase = phase;
        payment.decline = Some(Decline::invalid_payment_method("HardDeclined"));
        let known = Known { payment: Some(payment.clone()), ..Known::default() };
        assert_eq!(admit(&asked, "fingerprint", &known), expected);
    }
    // It was confirmed with a total, whichever of the two is named.
    payment.confirmed_total = Some(usd(1995));
    let known = Known { payment: Some(payment.clone()), ..Known::default() };
    let dearer = Sale { amount: usd(2995), ..asked.clone() };
    assert!(matches!(admit(&dearer, "fingerprint", &known), Admission::Reject(..)));
    payment.reopen(asked, asker("m2"), None, NOW);
    assert_eq!(payment.reference, Some(id(SESSION)));
    assert_eq!(payment.permission, Some(id(PERMISSION)));
    assert_eq!(payment.confirmed_total, Some(usd(1995)));
}

#[test]
fn a_session_bears_the_crms_id_before_it_is_completed() {
    let bare = ReferenceView { seller_order_id: None, ..view(R::Draft, Intent::Confirm) };
    let manual = order_on(SESSION, CaptureMode::Manual);
    let played = play(
        manual,
        &[
            ("read_reference", Ok(Answer::Reference(bare))),
            ("set_details", open(Intent::Confirm)),
            ("complete", completed(Intent::Confirm, None)),
            ("authorize", authorization(A::Open, "", &[])),
        ],
    );
    ends(&played, Phase::Authorized, &[Outcome::Authorized]);
}

#[test]
fn a_completion_without_an_answer_is_asked_for_again_and_found_done() {
    for charge in [Some("A1"), None] {
        let (intent, then) = match charge {
            Some(_) => (Intent::Authorize, "read_authorization"),
            None => (Intent::Confirm, "authorize"),
        };
        let played = play(
            order(),
            &[
                ("read_reference", open(intent)),
                ("complete", Err(Fault::Unknown)),
                ("complete", refused("InvalidCheckoutSessionStatus")),
                ("read_reference", completed(intent, charge)),
                (then, authorization(A::Open, "", &["C1"])),
                ("read_capture", capture(CaptureState::Completed, "")),
            ],
        );
        ends(&played, Phase::Paid, &[Outcome::Paid]);
    }
}

#[test]
fn a_process_that_died_about_a_session_looks_before_it_completes() {
    let mut dead = order();
    dead.exposure = Exposure::Sent;
    let played = play(
        dead.clone(),
        &[
            ("read_reference", open(Intent::Confirm)),
            ("complete", completed(Intent::Confirm, None)),
            ("authorize", charged()),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    // It had got as far as the charge: the same call again tells.
    let played = play(
        dead,
        &[("read_reference", completed(Intent::Confirm, None)), ("authorize", charged())],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn a_completion_has_no_key_under_which_a_no_is_kept() {
    let mut silent = order();
    silent.phase = Phase::Completing;
    silent.exposure = Exposure::Sent;
    let other = ReferenceView { total: Some(usd(2500)), ..view(R::Draft, Intent::Capture) };
    let played = play(
        silent,
        &[
            ("complete", refused("AmountMismatch")),
            ("read_reference", Ok(Answer::Reference(other))),
        ],
    );
    rejects(&played, "amount");
}

#[test]
fn a_charge_that_shows_its_capture_is_not_read_again() {
    let begun = [
        ("read_reference", open(Intent::Capture)),
        ("complete", completed(Intent::Capture, Some("A1"))),
    ];
    let charge = |state, of: &str, shown: Reply| {
        let (Ok(Answer::Authorization(mut view)), Ok(Answer::Capture(mut capture))) =
            (authorization(state, "MaxCapturesProcessed", &["C1"]), shown)
        else {
            panic!("both are what they are called")
        };
        capture.id = CaptureId::new(of).unwrap();
        view.shown = Some(capture);
        ("read_authorization", Ok(Answer::Authorization(view)))
    };
    let captured = || capture(CaptureState::Completed, "");
    let played = play(order(), &[&begun[..], &[charge(A::Closed, "C1", captured())]].concat());
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!((played.payment.captured, played.payment.exposure), (usd(1995), Exposure::Clear));
    // On its way it is waited for, and refused it is no money.
    let pending = charge(A::Open, "C1", capture(CaptureState::Pending, ""));
    let played = play(order(), &[&begun[..], &[pending]].concat());
    assert_eq!(played.told, [Outcome::PendingAmazon]);
    assert_eq!(played.payment.phase, Phase::CapturePending);
    let refused = charge(A::Closed, "C1", capture(CaptureState::Declined, "AmazonRejected"));
    let closed = ("close_authorization", Ok(Answer::Done));
    let played = play(order(), &[&begun[..], &[refused, closed]].concat());
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    // Another capture than the one that is listed proves nothing.
    let strange = charge(A::Closed, "C2", captured());
    let read = ("read_capture", captured());
    let played = play(order(), &[&begun[..], &[strange, read]].concat());
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn what_somebody_else_completed_is_this_payment_s_if_it_is_the_same() {
    let of = |played: &Played| (played.payment.charged().cloned(), played.payment.phase);
    let played = play(
        order(),
        &[
            ("read_reference", completed(Intent::Capture, Some("A1"))),
            ("read_authorization", charged()),
            ("read_capture", capture(CaptureState::Completed, "")),
        ],
    );
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    let cheap = Payment { amount: usd(1500), ..order() };
    let played = play(
        cheap,
        &[
            ("read_reference", completed(Intent::Capture, Some("A1"))),
            ("read_authorization", charged()),
        ],
    );
    rejects(&played, "amount");
    // One without a charge is charged, if nobody else has done it.
    let played = play(
        order(),
        &[
            ("read_reference", completed(Intent::Confirm, None)),
            ("read_reference", permission(R::Open, 1995)),
            ("authorize", charged()),
        ],
    );
    assert_eq!(of(&played), (Some(id(PERMISSION)), Phase::Paid));
    let played = play(
        order(),
        &[
            ("read_reference", completed(Intent::Confirm, None)),
            ("read_reference", permission(R::Open, 995)),
        ],
    );
    rejects(&played, "amazonOrderId");
}

#[test]
fn a_session_that_is_over_is_declined_softly_where_another_checkout_may_be_paid() {
    for reason in ["Declined", "AmazonCanceled", "Expired", "BuyerCanceled"] {
        let script = [
            ("read_reference", open(Intent::Capture)),
            ("complete", refused("CheckoutSessionCanceled")),
            ("read_reference", canceled(reason)),
        ];
        let played = play(order(), &script);
        ends(&played, Phase::Declined, &[Outcome::Declined]);
        let decline = played.payment.decline.unwrap();
        assert_eq!(decline.softness == Softness::Soft, reason == "Declined", "{reason}");
        assert_eq!(decline.amazon_reason.as_deref(), Some(reason));
        // In answer to a payment Amazon rejects; a session that was over before is just over.
        assert_eq!(decline.code == "AmazonRejected", reason == "AmazonCanceled", "{reason}");
        let before = play(order(), &[("read_reference", canceled(reason))]);
        assert_ne!(before.payment.decline.unwrap().code, "AmazonRejected", "{reason}");
    }
}

#[test]
fn a_checkout_that_should_have_charged_and_shows_no_charge_is_not_charged_beside_it() {
    for intent in [Intent::Authorize, Intent::Capture] {
        let script = [("read_reference", open(intent)), ("complete", completed(intent, None))];
        let played = play(order(), &script);
        let Next::Settle(Wait::Operator(why, _)) = played.last else { panic!("{:?}", played.last) };
        assert_eq!(why, DeadLetterReason::UnknownOutcome);
        assert_eq!(played.payment.exposure, Exposure::Sent);
        // Sent back to work it looks again, and goes on with the charge once that is shown.
        let again = play(
            played.payment.clone(),
            &[
                ("complete", refused("InvalidCheckoutSessionStatus")),
                ("read_reference", completed(intent, None)),
            ],
        );
        assert!(matches!(again.last, Next::Settle(Wait::Operator(..))), "{:?}", again.last);
        let shown = play(
            played.payment,
            &[
                ("complete", refused("InvalidCheckoutSessionStatus")),
                ("read_reference", completed(intent, Some("A1"))),
                ("read_authorization", charged()),
                ("read_capture", capture(CaptureState::Completed, "")),
            ],
        );
        ends(&shown, Phase::Paid, &[Outcome::Paid]);
    }
}
