//! What becomes of a payment whose worker died, that lay still for long, or of which somebody has
//! heard: taken up again it is neither charged twice nor against its buyer's word, and not lost.

use super::decide::{Next, Run, Wait};
use super::order_gate;
use super::phase::{Exposure, Outcome, Phase};
use super::tests::{NOW, authorization, ends, opened, play, play_at, reference, sale, set, usd};
use crate::domain::command::{CaptureMode, PaymentKey, Sale, Subject};
use crate::domain::decline::RejectionCode;
use crate::domain::gateway::{
    Answer, AuthorizationState as A, Fault, ReferenceState as R, ReferenceView,
};
use crate::domain::ids::{AuthorizationId, OrderId, UpsellId};
use crate::domain::policy::Policy;

#[test]
fn after_a_crash_the_same_call_tells_what_became_of_it() {
    let mut payment = opened(sale());
    payment.exposure = Exposure::Sent;
    let read = |view| ("read_reference", Ok(Answer::Reference(view)));
    let paid = || ("authorize", authorization(A::Closed, "MaxCapturesProcessed", &["C1"]));
    let played = play(payment.clone(), &[read(reference(R::Open)), paid()]);
    ends(&played, Phase::Paid, &[Outcome::Paid]);

    // It died before it had confirmed anything: on a draft nothing is charged, and it begins anew.
    let anew = [("set_details", set()), ("confirm", Ok(Answer::Done)), paid()];
    let played = play(payment, &[&[read(reference(R::Draft))][..], &anew].concat());
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn what_would_have_been_rejected_is_not_charged_because_its_worker_died() {
    let phases = [Phase::SettingDetails, Phase::Inspecting, Phase::Confirming, Phase::LookingUp];
    for (phase, state) in phases.into_iter().zip([R::Open, R::Open, R::Suspended, R::Open]) {
        let mut payment = opened(sale());
        payment.phase = phase;
        payment.exposure = Exposure::Sent;
        let other = ReferenceView { total: Some(usd(1900)), ..reference(state) };
        let played = play(payment, &[("read_reference", Ok(Answer::Reference(other)))]);
        let Next::Reject(code, errors) = played.last else { panic!("{:?}", played.last) };
        assert_eq!((code, errors[0].field.as_str()), (RejectionCode::Conflict, "amount"));
    }
}

#[test]
fn what_somebody_has_heard_of_does_not_vanish() {
    let id = (OrderId::new("CRM-1").unwrap(), UpsellId::new("U1").unwrap());
    let key = PaymentKey { subject: Subject::Upsell(id.0, id.1), ..sale().key };
    let policy = Policy::default();
    let late = NOW + policy.order_unknown_ms;
    let judged = |published| {
        let mut upsell = opened(Sale { key: key.clone(), reference: None, ..sale() });
        upsell.published_in_epoch = published;
        let mut run = Run::default();
        let next = order_gate::judge(&mut upsell, &mut run, None, late, &policy);
        (next.unwrap(), upsell)
    };
    let (next, _) = judged(false);
    assert!(matches!(next, Next::Reject(RejectionCode::UnknownReference, _)), "{next:?}");
    // It was told to be pending, while its merchant account was disabled.
    let (next, upsell) = judged(true);
    assert_eq!((next, upsell.phase), (Next::Settle(Wait::Nothing), Phase::Declined));
    assert!(!upsell.declined_soft());
}

#[test]
fn a_rest_is_no_trouble_however_long() {
    let mut rests = opened(Sale { capture: CaptureMode::Manual, ..sale() });
    rests.phase = Phase::Authorized;
    rests.exposure = Exposure::Clear;
    rests.authorization_id = Some(AuthorizationId::new("A1").unwrap());
    let away = || ("read_authorization", Err(Fault::NotSent));
    let a_day_later = NOW + 25 * 3_600_000;
    let played = play_at(a_day_later, rests, &[away(), away(), away()]);
    assert_eq!((played.last, played.told), (Next::Settle(Wait::Backoff), vec![]));
    // From there on it is counted, until Amazon answers.
    let mut tried = played.payment;
    tried.effort.attempt = 1;
    let late = a_day_later + Policy::default().budget_checkout_ms + 1;
    let played = play_at(late, tried.clone(), &[away(), away(), away()]);
    assert!(matches!(played.last, Next::Settle(Wait::Operator(..))), "{:?}", played.last);
    let played = play_at(late, tried, &[("read_authorization", authorization(A::Open, "", &[]))]);
    assert_eq!((played.payment.effort.attempt, played.payment.effort.since), (0, late));
}

#[test]
fn sent_back_to_work_an_unknown_payment_makes_the_same_call_again() {
    for phase in [Phase::LookingUp, Phase::Inspecting] {
        let mut payment = opened(sale());
        payment.phase = phase;
        payment.exposure = Exposure::Sent;
        let paid = authorization(A::Closed, "MaxCapturesProcessed", &["C1"]);
        let open = ("read_reference", Ok(Answer::Reference(reference(R::Open))));
        ends(&play(payment, &[open, ("authorize", paid)]), Phase::Paid, &[Outcome::Paid]);
    }
}
