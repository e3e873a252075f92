//! Billing agreements and their charges.

use super::*;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};

fn draft(shop: &mut Shop, authorize: &[Step], consent: bool) -> AgreementAt {
    let first = shop.draft(Plan::default());
    let buyer = Arc::clone(&shop.books[first].buyer);
    let authorize = authorize.iter().copied().collect();
    let plan = Plan { authorize, ..Plan::default() };
    let environment = Some(Environment::Sandbox);
    shop.books.leave_agreement(shop.seller, buyer, (plan, consent), environment).0
}

fn agreement(shop: &mut Shop, authorize: &[Step]) -> AgreementAt {
    let at = draft(shop, authorize, true);
    shop.books.confirm_agreement(at).unwrap();
    at
}

fn charge(
    shop: &mut Shop,
    at: AgreementAt,
    reference: &str,
    amount: i64,
) -> Result<AuthorizationAt, Refusal> {
    let ask = AuthorizeAsk { capture_now: true, ..ask(reference, amount) };
    shop.books.charge(at, &ask, &Attributes::default(), None).map(|made| made.at)
}

fn told(shop: &Shop, at: AgreementAt) -> (OrderState, Option<Reason>) {
    (shop.books[at].state, shop.books[at].reason)
}

#[test]
fn an_agreement_needs_the_buyer_s_consent_and_goes_stale_without_it() {
    let mut shop = Shop::new();
    let at = draft(&mut shop, &[], false);
    let missing = Refusal::AgreementConstraints(vec![Constraint::BuyerConsentNotSet]);
    assert_eq!(shop.books.confirm_agreement(at), Err(missing));
    let refused = Refusal::AgreementState(OrderState::Draft);
    assert_eq!(charge(&mut shop, at, "a", 100), Err(refused));
    shop.wait(3 * HOUR);
    assert_eq!(told(&shop, at), (OrderState::Canceled, Some(Reason::Stale)));
}

#[test]
fn a_confirmed_agreement_is_not_changed_and_never_expires() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[]);
    shop.books.confirm_agreement(at).unwrap();
    let set = shop.books.set_agreement(at, &AgreementAttributes::default());
    assert_eq!(set, Err(Refusal::AgreementNotModifiable));
    shop.wait(500 * DAY);
    assert_eq!(told(&shop, at), (OrderState::Open, None));
}

#[test]
fn each_charge_is_an_order_reference_that_is_closed_with_it() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[]);
    let charged = charge(&mut shop, at, "a", 1_995).unwrap();
    let order = shop.books[charged].order;
    assert!(shop.books[order].id.starts_with('S') && shop.books[at].id.starts_with('C'));
    let processed = (OrderState::Closed, Some(Reason::MaxAuthorizationsProcessed));
    assert_eq!(shop.order_told(order), processed);
    assert_eq!(shop.moved(), [(EntryKind::Authorize, 1_995), (EntryKind::Capture, 1_995)]);
    assert_eq!(shop.books.balance(at).left, usd(48_005));
}

#[test]
fn a_charge_is_one_request_for_ever() {
    let mut shop = Shop::new();
    let (at, other) = (agreement(&mut shop, &[]), agreement(&mut shop, &[]));
    let first = charge(&mut shop, at, "a", 100).unwrap();
    assert_eq!(charge(&mut shop, at, "a", 100), Ok(first));
    assert_eq!(charge(&mut shop, at, "a", 101), Err(Refusal::DuplicateRequest));
    assert_eq!(charge(&mut shop, other, "a", 100), Err(Refusal::DuplicateReference));
    assert_eq!(shop.books[at].orders.len(), 1);
}

#[test]
fn no_more_than_the_month_allows_until_the_next_begins() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[decline(Reason::ProcessingFailure)]);
    charge(&mut shop, at, "declined", 50_000).unwrap();
    charge(&mut shop, at, "a", 40_000).unwrap();
    let exceeded = Refusal::MonthExceeded {
        used: usd(40_000),
        asked: usd(10_001),
        allowed: usd(50_000),
        ends: 31 * DAY,
    };
    assert_eq!(charge(&mut shop, at, "b", 10_001), Err(exceeded));
    charge(&mut shop, at, "c", 10_000).unwrap();
    assert!(charge(&mut shop, at, "d", 1).is_err());
    shop.wait(31 * DAY);
    assert_eq!(shop.books.balance(at).left, usd(50_000));
    charge(&mut shop, at, "e", 50_000).unwrap();
}

#[test]
fn a_bad_payment_method_suspends_the_agreement_and_the_rest_does_not() {
    for (reason, state) in [
        (Reason::InvalidPaymentMethod, OrderState::Suspended),
        (Reason::AmazonRejected, OrderState::Open),
        (Reason::ProcessingFailure, OrderState::Open),
        (Reason::TransactionTimedOut, OrderState::Open),
    ] {
        let mut shop = Shop::new();
        let at = agreement(&mut shop, &[decline(reason)]);
        charge(&mut shop, at, "a", 100).unwrap();
        assert_eq!(told(&shop, at).0, state, "{reason:?}");
    }
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[decline(Reason::InvalidPaymentMethod)]);
    charge(&mut shop, at, "a", 100).unwrap();
    let suspended = Refusal::AgreementState(OrderState::Suspended);
    assert_eq!(charge(&mut shop, at, "b", 100), Err(suspended));
    assert_eq!(shop.books.confirm_agreement(at), Err(Refusal::MethodNotUpdated));
    shop.books.change_agreement_method(at, true);
    let charged = charge(&mut shop, at, "c", 100).unwrap();
    assert_eq!(shop.books[charged].reason, Some(Reason::MaxCapturesProcessed));
}

#[test]
fn a_note_lets_the_buyer_mend_the_method_by_himself() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[]);
    let mut fate = Fate::from(decline(Reason::InvalidPaymentMethod));
    fate.mended_after = Some(MINUTE);
    let patience = Patience::Enough;
    let ask = AuthorizeAsk { timeout_minutes: 1440, patience, ..ask("a", 100) };
    shop.books.charge(at, &ask, &Attributes::default(), Some(fate)).unwrap();
    shop.wait(30 * SECOND);
    assert_eq!(told(&shop, at).0, OrderState::Suspended);
    shop.wait(MINUTE);
    assert_eq!(told(&shop, at), (OrderState::Open, None));
}

#[test]
fn what_becomes_of_the_order_of_a_declined_charge_is_reading_six() {
    for (reading, order_told) in [
        (Reading::A, (OrderState::Closed, Some(Reason::MaxAuthorizationsProcessed))),
        (Reading::B, (OrderState::Canceled, Some(Reason::AmazonCanceled))),
        (Reading::C, (OrderState::Open, None)),
    ] {
        for timeout_minutes in [0, 1440] {
            let mut shop = Shop::new();
            assert!(shop.books.readings.choose(6, reading));
            let at = agreement(&mut shop, &[decline(Reason::AmazonRejected)]);
            let patience = Patience::Enough;
            let ask = AuthorizeAsk { timeout_minutes, patience, ..ask("a", 100) };
            let made = shop.books.charge(at, &ask, &Attributes::default(), None).unwrap();
            shop.wait(30 * SECOND);
            assert_eq!(shop.order_told(shop.books[made.at].order), order_told, "{reading:?}");
        }
    }
}

#[test]
fn validating_suspends_an_agreement_whose_method_would_not_do() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[]);
    assert_eq!(shop.books.validate_agreement(at), Ok(true));
    shop.books.change_agreement_method(at, false);
    assert_eq!(told(&shop, at).0, OrderState::Open);
    assert_eq!(shop.books.validate_agreement(at), Ok(false));
    let suspended = Err(Refusal::AgreementState(OrderState::Suspended));
    assert_eq!(shop.books.validate_agreement(at), suspended);
}

#[test]
fn orders_are_made_from_an_agreement_one_from_a_draft_and_many_later() {
    let mut shop = Shop::new();
    let at = draft(&mut shop, &[], true);
    let make = |shop: &mut Shop, total, confirm| {
        shop.books.order_from_agreement(at, total, &Attributes::default(), confirm)
    };
    let first = make(&mut shop, None, false).unwrap();
    assert_eq!(shop.order_told(first), (OrderState::Draft, None));
    assert_eq!(make(&mut shop, None, false), Err(Refusal::OrderCountExceeded));
    shop.books.confirm_agreement(at).unwrap();
    let order = make(&mut shop, Some(usd(10_000)), true).unwrap();
    shop.held(order, 10_000);
    assert_eq!(shop.books.balance(at).left, usd(40_000));
}

#[test]
fn a_closed_agreement_is_not_charged_but_what_is_held_is_captured() {
    let mut shop = Shop::new();
    let at = agreement(&mut shop, &[]);
    let ask = ask("a", 100);
    let made = shop.books.charge(at, &ask, &Attributes::default(), None).unwrap();
    shop.books.close_agreement(at, Some("moved away".to_owned())).unwrap();
    shop.books.close_agreement(at, None).unwrap();
    let closed = Refusal::AgreementState(OrderState::Closed);
    assert_eq!(charge(&mut shop, at, "b", 100), Err(closed));
    assert!(shop.capture(made.at, 100).is_ok());
    shop.books.dispute(Object::Agreement(at), None, RefundKind::Chargeback).unwrap();
    assert_eq!(shop.moved().last(), Some(&(EntryKind::Chargeback, 100)));
    let again = shop.books.close_by_hand(Object::Agreement(at), None);
    assert!(again.is_err());
}
