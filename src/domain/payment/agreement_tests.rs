//! What answers mean for a payment on an agreement: it lists none of its authorizations, its month
//! is taken before the money call, and many payments share it.

use super::admission::{Admission, Known, admit};
use super::decide::{Next, Run, Wait, decide, start};
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase};
use super::state::Payment;
use super::tests::{
    NOW, authorization, ends, opened, play, play_at, reference, refused, sale, usd,
};
use crate::domain::command::{PaymentKey, Sale, Subject, Texts};
use crate::domain::decline::{Decline, Softness};
use crate::domain::gateway::{
    Answer, AuthorizationState as A, Effect, Fault, Intent, Month, ReferenceState as R,
    ReferenceView, Reply,
};
use crate::domain::ids::{AuthorizationId, ChargeId, MerchantAccountId, OrderId, ReferenceId};
use crate::domain::merchant::Api;
use crate::domain::policy::Policy;

fn agreed() -> Sale {
    Sale { reference: Some(ReferenceId::new("C01-0000001-0000001").unwrap()), ..sale() }
}

fn charge() -> Sale {
    let subject = Subject::Charge(ChargeId::new("sub-1:2026-11").unwrap());
    Sale {
        key: PaymentKey { mid: MerchantAccountId::new("7").unwrap(), subject },
        of_order: Some(OrderId::new("CRM-1").unwrap()),
        texts: Texts { cycle: Some("3".to_owned()), ..Texts::default() },
        ..agreed()
    }
}

fn begun(sale: Sale) -> Payment {
    let mut payment = opened(sale);
    payment.exposure = Exposure::Clear;
    payment
}

fn agreement(state: R) -> ReferenceView {
    let month = Month { left: usd(50_000), begins: 0, ends: 9_000_000_000 };
    ReferenceView { total: None, consent: Some(true), month: Some(month), ..reference(state) }
}

fn read(state: R) -> Reply {
    Ok(Answer::Reference(agreement(state)))
}

fn paid() -> Reply {
    authorization(A::Closed, "MaxCapturesProcessed", &["C1"])
}

#[test]
fn an_order_on_an_agreement_is_set_confirmed_and_charged() {
    let payment = begun(agreed());
    assert!(!payment.owns_reference && !payment.may_move_money());
    let script =
        [("set_details", read(R::Draft)), ("confirm", Ok(Answer::Done)), ("authorize", paid())];
    let played = play(payment, &script);
    ends(&played, Phase::Paid, &[Outcome::Paid]);
    assert_eq!(played.payment.close_reference_at, None);
}

#[test]
fn without_a_first_charge_it_rests_with_nothing_captured_until_the_agreement_ends() {
    let payment = begun(Sale { initial_charge: false, ..agreed() });
    let script = [("set_details", read(R::Draft)), ("confirm", Ok(Answer::Done))];
    let played = play(payment, &script);
    ends(&played, Phase::Authorized, &[Outcome::Authorized]);
    assert!(played.payment.captured.is_zero() && played.payment.authorization_id.is_none());
    let kept = play(played.payment.clone(), &[("read_reference", read(R::Suspended))]);
    ends(&kept, Phase::Authorized, &[]);
    let over = play(played.payment, &[("read_reference", read(R::Closed))]);
    ends(&over, Phase::Canceled, &[Outcome::Canceled]);
}

#[test]
fn what_keeps_an_agreement_from_being_confirmed_is_a_soft_decline() {
    let mut draft = agreement(R::Draft);
    draft.consent = Some(false);
    draft.constraints = vec!["BuyerConsentNotSet".to_owned()];
    let shown = || Ok(Answer::Reference(draft.clone()));
    let played = play(begun(agreed()), &[("set_details", shown())]);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    let decline = played.payment.decline.unwrap();
    assert_eq!((decline.code.as_str(), decline.softness), ("BuyerConsentNotSet", Softness::Soft));
    let late = [
        ("set_details", read(R::Draft)),
        ("confirm", refused("BillingAgreementConstraintsExist")),
        ("read_reference", shown()),
    ];
    let played = play(begun(agreed()), &late);
    assert_eq!(played.payment.decline.unwrap().code, "BuyerConsentNotSet");
}

#[test]
fn a_charge_goes_straight_to_its_money_call_once_the_month_is_taken() {
    let payment = begun(charge());
    assert_eq!(payment.phase, Phase::Metering);
    ends(&play(payment, &[("authorize", paid())]), Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn an_agreement_that_takes_no_charge_is_looked_at() {
    let status = refused("InvalidBillingAgreementStatus");
    let suspended = [
        ("authorize", status.clone()),
        ("read_reference", read(R::Suspended)),
        ("confirm", refused("PaymentMethodNotUpdated")),
    ];
    let played = play(begun(charge()), &suspended);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(played.payment.declined_soft());
    let closed = [("authorize", status.clone()), ("read_reference", read(R::Closed))];
    let played = play(begun(charge()), &closed);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    assert!(!played.payment.declined_soft());
    let mended = [
        ("authorize", status.clone()),
        ("read_reference", read(R::Suspended)),
        ("confirm", Ok(Answer::Done)),
        ("authorize", paid()),
    ];
    ends(&play(begun(charge()), &mended), Phase::Paid, &[Outcome::Paid]);
    let draft = [
        ("authorize", status),
        ("read_reference", read(R::Draft)),
        ("set_details", read(R::Draft)),
        ("confirm", Ok(Answer::Done)),
        ("authorize", paid()),
    ];
    ends(&play(begun(charge()), &draft), Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn amazon_s_own_word_about_the_month_says_when_the_next_one_begins() {
    let played = play(begun(charge()), &[("authorize", refused("PeriodicAmountExceeded"))]);
    ends(&played, Phase::Declined, &[Outcome::Declined]);
    let decline = played.payment.decline.clone().unwrap();
    assert_eq!(decline.code, "BillingAgreementAmountExceeded");
    assert!(played.payment.declined_soft());
    assert_eq!(decline.amazon_reason.as_deref(), Some("PeriodicAmountExceeded"));
    // 1970-02-01.
    assert_eq!(decline.retry_after, Some(31 * 86_400_000));
}

#[test]
fn a_lost_answer_is_asked_for_again_and_never_looked_up() {
    let lost = || Err(Fault::Unknown);
    let script = [("authorize", lost()), ("authorize", lost()), ("authorize", lost())];
    let played = play(begun(charge()), &script);
    assert_eq!(played.last, Next::Settle(Wait::Backoff));
    assert_eq!(played.payment.exposure, Exposure::Sent);
    // Whatever the agreement is by now: only the same call tells.
    let again = play(played.payment.clone(), &[("authorize", paid())]);
    ends(&again, Phase::Paid, &[Outcome::Paid]);
    let declined = authorization(A::Declined, "InvalidPaymentMethod", &[]);
    let again = play(played.payment.clone(), &[("authorize", declined)]);
    ends(&again, Phase::Declined, &[Outcome::Declined]);
    // Beyond the budget nothing is proved by a look at the agreement.
    let late = NOW + 200_000_000;
    let script = [("authorize", lost()), ("authorize", lost()), ("authorize", lost())];
    let spent = play_at(late, played.payment, &script);
    let Next::Settle(Wait::Operator(reason, _)) = spent.last else { panic!("{:?}", spent.last) };
    assert_eq!(reason, DeadLetterReason::UnknownOutcome);
}

#[test]
fn a_charge_waits_for_its_time() {
    let mut payment = begun(Sale { not_before: Some(NOW + 5_000), ..charge() });
    assert_eq!((payment.phase, payment.due_at), (Phase::Scheduled, Some(NOW + 5_000)));
    let mut run = Run::default();
    let early = start(&mut payment, &mut run, NOW + 4_999);
    assert_eq!(early, Next::Settle(Wait::Until(NOW + 5_000)));
    let played = play_at(NOW + 5_000, payment, &[("authorize", paid())]);
    ends(&played, Phase::Paid, &[Outcome::Paid]);
}

#[test]
fn what_came_of_a_checkout_session_is_nobody_s_own() {
    let owned = || Known { reference_owner: Some("7/order/CRM-1".to_owned()), ..Known::default() };
    assert_eq!(admit(&charge(), "f", &owned()), Admission::Open);
    let mut declined = opened(charge());
    declined.phase = Phase::Declined;
    declined.decline = Some(Decline::invalid_payment_method("InvalidPaymentMethod"));
    let again = Known { payment: Some(declined.clone()), ..owned() };
    assert_eq!(admit(&charge(), "f", &again), Admission::Reopen);
    // Twice at once is one charge, and what was paid is told again.
    declined.reopen(charge(), declined.opener.clone(), None, NOW);
    let in_hand = Known { payment: Some(declined.clone()), ..owned() };
    assert_eq!(admit(&charge(), "f", &in_hand), Admission::Join);
    declined.phase = Phase::Paid;
    let paid = Known { payment: Some(declined), ..owned() };
    assert_eq!(admit(&charge(), "f", &paid), Admission::Again);
}

#[test]
fn a_newer_charge_is_refused_while_the_older_is_charged_by_itself_or_was() {
    let known = |rival: Payment| Known { rivals: vec![rival], ..Known::default() };
    let mut rival = opened(charge());
    assert_eq!(admit(&charge(), "f", &known(rival.clone())), Admission::Open);
    rival.phase = Phase::Declined;
    rival.decline = Some(Decline::invalid_payment_method("InvalidPaymentMethod"));
    assert_eq!(admit(&charge(), "f", &known(rival.clone())), Admission::Open);
    rival.reauthorize(NOW);
    assert!(rival.in_hand() && rival.epoch == 2);
    let conflict = |verdict: Admission| matches!(verdict, Admission::Reject(..));
    assert!(conflict(admit(&charge(), "f", &known(rival.clone()))));
    rival.phase = Phase::Paid;
    assert!(conflict(admit(&charge(), "f", &known(rival))));
}

#[test]
fn what_is_authorized_anew_takes_its_part_of_the_month_anew() {
    // The epoch before gives its part back, so another charge may have taken it meanwhile.
    let failed = authorization(A::Declined, "ProcessingFailure", &[]);
    let played = play(begun(charge()), &[("authorize", failed)]);
    assert_eq!((played.payment.phase, played.payment.epoch), (Phase::Metering, 2));
    assert!(!played.payment.may_move_money(), "no run may charge it before that commit");
    ends(&play(played.payment, &[("authorize", paid())]), Phase::Paid, &[Outcome::Paid]);

    let mut payment = begun(charge());
    let mut run = Run::default();
    payment.phase = Phase::Authorizing;
    let Next::Call(effect) = start(&mut payment, &mut run, NOW) else { panic!("no call") };
    let slow = authorization(A::Declined, "TransactionTimedOut", &[]);
    let next = decide(&mut payment, &mut run, &effect, slow, NOW, &Policy::default());
    assert_eq!((next, payment.phase, payment.epoch), (Next::Meter, Phase::Metering, 2));
    assert!(!payment.synchronous);
}

/// A checkout session whose buyer agreed to later charges, as it is read.
fn session(state: R, intent: Intent, charge: Option<&str>) -> ReferenceView {
    let permission = ReferenceId::new("C01-0000009-0000009").unwrap();
    ReferenceView {
        intent: Some(intent),
        seller_order_id: Some("CRM-1".to_owned()),
        permission: Some(permission).filter(|_| state == R::Open),
        authorizations: charge.map(|id| AuthorizationId::new(id).unwrap()).into_iter().collect(),
        lists_all: false,
        consent: Some(true),
        ..reference(state)
    }
}

/// An order on it whose completion was sent and not answered, and what follows once it is seen.
fn after_a_lost_completion(initial_charge: bool, seen: ReferenceView) -> (Next, Payment) {
    let id = ReferenceId::new("bd504926-f659-4ad7-a1a9-9a747aaf5275").unwrap();
    let mut payment = begun(Sale { reference: Some(id.clone()), initial_charge, ..sale() });
    payment.begin_by(Api::V2);
    payment.phase = Phase::Completing;
    payment.exposure = Exposure::Sent;
    let (mut run, policy) = (Run::default(), Policy::default());
    let effect = Effect::ReadReference(id);
    let reply = Ok(Answer::Reference(seen));
    (decide(&mut payment, &mut run, &effect, reply, NOW, &policy), payment)
}

#[test]
fn a_session_that_was_only_confirmed_is_measured_before_it_is_charged() {
    for initial_charge in [true, false] {
        let seen = session(R::Open, Intent::Confirm, None);
        let (next, payment) = after_a_lost_completion(initial_charge, seen);
        assert_eq!((next, payment.phase), (Next::Meter, Phase::Metering));
        // Else a look that shows no charge would lead to another try of one.
        assert_eq!(payment.exposure, Exposure::Clear);
        assert!(payment.permission.is_some());
    }
}

#[test]
fn what_a_session_has_charged_is_reckoned_in_before_it_is_followed() {
    for intent in [Intent::Authorize, Intent::Capture] {
        let seen = session(R::Open, intent, Some("A1"));
        let (next, payment) = after_a_lost_completion(true, seen);
        assert_eq!((next, payment.phase), (Next::Adopt, Phase::AuthorizationPending));
        assert_eq!(payment.exposure, Exposure::Sent);
        assert!(payment.permission.is_some() && payment.authorization_id.is_some());
    }
}
