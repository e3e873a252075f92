//! Captures.

use super::*;
use crate::clock::{DAY, HOUR, SECOND};

fn capture_plan(steps: &[Step]) -> Plan {
    Plan { capture: steps.iter().copied().collect(), ..Plan::default() }
}

const LATER: Step = Step { ending: Ending::Approve, after: Some(60 * SECOND) };
const LATER_DECLINED: Step = Step { ending: DECLINED, after: Some(60 * SECOND) };

#[test]
fn a_part_closes_the_authorization_and_releases_the_rest() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let held = shop.held(order, 1_000);
    let exceeded = Refusal::AmountExceeded { used: usd(0), asked: usd(1_001), allowed: usd(1_000) };
    assert_eq!(shop.capture(held, 1_001), Err(exceeded));
    let capture = shop.capture(held, 600).unwrap();
    assert_eq!(shop.books[capture].state, CaptureState::Completed);
    let used = (AuthorizationState::Closed, Some(Reason::MaxCapturesProcessed));
    assert_eq!(shop.told(held), used);
    let expected =
        [(EntryKind::Authorize, 1_000), (EntryKind::Capture, 600), (EntryKind::Release, 400)];
    assert_eq!(shop.moved(), expected);
}

#[test]
fn what_a_second_capture_is_told_is_reading_two() {
    let closed = Refusal::AuthorizationState(AuthorizationState::Closed);
    for (mut shop, refusal) in [(Shop::new(), Refusal::CountExceeded), (Shop::reading(2), closed)] {
        let order = shop.order(&[]);
        let held = shop.held(order, 1_000);
        shop.capture(held, 600).unwrap();
        assert_eq!(shop.capture(held, 100), Err(refusal));
    }
}

#[test]
fn a_capture_is_one_request_for_ever() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let (held, other) = (shop.held(order, 1_000), shop.held(order, 1_000));
    let ask = capture_ask("c", 1_000);
    let made = shop.books.capture(held, &ask, None).unwrap();
    let again = shop.books.capture(held, &ask, None).unwrap();
    assert_eq!(again, Made { at: made.at, repeated: true });
    let less = capture_ask("c", 999);
    assert_eq!(shop.books.capture(held, &less, None), Err(Refusal::DuplicateRequest));
    assert_eq!(shop.books.capture(other, &ask, None), Err(Refusal::DuplicateReference));
    let reference = shop.books[held].reference.clone();
    let taken = capture_ask(&reference, 1_000);
    assert_eq!(shop.books.capture(other, &taken, None), Err(Refusal::DuplicateReference));
}

#[test]
fn after_a_declined_capture_the_authorization_is_as_it_was() {
    let mut shop = Shop::new();
    let order = shop.planned(capture_plan(&[decline(Reason::ProcessingFailure)]));
    let held = shop.held(order, 1_000);
    let declined = shop.capture(held, 1_000).unwrap();
    assert_eq!(shop.books[declined].state, CaptureState::Declined);
    assert_eq!(shop.told(held), (AuthorizationState::Open, None));
    let captured = shop.capture(held, 1_000).unwrap();
    assert_eq!(shop.books[captured].state, CaptureState::Completed);
}

#[test]
fn the_capture_of_the_same_call_has_the_same_digits_and_its_own_plan() {
    let mut shop = Shop::new();
    let order = shop.planned(capture_plan(&[step(Ending::Approve), LATER]));
    let sell = |shop: &mut Shop, reference: &str| {
        let ask = AuthorizeAsk { capture_now: true, ..ask(reference, 1_000) };
        let at = shop.authorize(order, &ask).unwrap();
        (at, shop.books[at].captures[0])
    };
    let (at, capture) = sell(&mut shop, "a");
    let same = shop.books[at].id.replace("-A", "-C");
    assert_eq!(shop.books[capture].id, same);
    assert_eq!(shop.books[capture].reference, "a");
    let (at, capture) = sell(&mut shop, "b");
    assert_eq!(shop.books[capture].state, CaptureState::Pending);
    assert_eq!(shop.told(at), (AuthorizationState::Open, None));
    shop.wait(60 * SECOND);
    assert_eq!(shop.books[capture].state, CaptureState::Completed);
}

#[test]
fn what_the_authorization_is_meanwhile_is_reading_three() {
    let used = (AuthorizationState::Closed, Some(Reason::MaxCapturesProcessed));
    let open = (AuthorizationState::Open, None);
    for (mut shop, meanwhile) in [(Shop::new(), open), (Shop::reading(3), used)] {
        let order = shop.planned(capture_plan(&[LATER_DECLINED, LATER]));
        let held = shop.held(order, 1_000);
        shop.capture(held, 1_000).unwrap();
        assert_eq!(shop.told(held), meanwhile);
        assert_eq!(shop.capture(held, 1_000), Err(Refusal::CountExceeded));
        let close = shop.books.close_authorization(held, Reason::SellerClosed, None);
        assert_eq!(close, Err(Refusal::AuthorizationState(meanwhile.0)));
        shop.wait(60 * SECOND);
        assert_eq!(shop.told(held), open);
        shop.capture(held, 1_000).unwrap();
        shop.wait(60 * SECOND);
        assert_eq!(shop.told(held), used);
    }
}

#[test]
fn after_a_week_a_capture_is_not_decided_at_once() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    shop.books[order].environment = Some(Environment::Live);
    let held = shop.held(order, 1_000);
    shop.wait(7 * DAY + 1);
    let capture = shop.capture(held, 1_000).unwrap();
    assert_eq!(shop.books[capture].state, CaptureState::Pending);
    assert_eq!(shop.books.cancel_order(order, None), Err(Refusal::CancelAttempt));
    shop.wait(HOUR);
    assert_eq!(shop.books[capture].state, CaptureState::Completed);
}

#[test]
fn what_should_have_expired_during_a_declined_capture_expires_after_it() {
    let mut shop = Shop::new();
    let later = Step { ending: DECLINED, after: Some(3 * DAY) };
    let order = shop.planned(capture_plan(&[later]));
    let held = shop.held(order, 1_000);
    shop.capture(held, 1_000).unwrap();
    shop.wait(2 * DAY);
    assert_eq!(shop.told(held), (AuthorizationState::Open, None));
    shop.wait(DAY);
    let expired = (AuthorizationState::Closed, Some(Reason::ExpiredUnused));
    assert_eq!(shop.told(held), expired);
}

#[test]
fn an_order_of_which_all_was_captured_is_closed() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    for amount in [10_000, 1_500] {
        let held = shop.held(order, amount);
        shop.capture(held, amount).unwrap();
    }
    assert_eq!(shop.order_told(order), (OrderState::Closed, Some(Reason::MaxAmountCharged)));

    let order = shop.order(&[]);
    for _ in 0..10 {
        let held = shop.held(order, 100);
        shop.capture(held, 100).unwrap();
    }
    let used_up = (OrderState::Closed, Some(Reason::MaxAuthorizationsCaptured));
    assert_eq!(shop.order_told(order), used_up);
}

#[test]
fn an_employee_captures_all_or_a_part() {
    let mut shop = Shop::new();
    let order = shop.order(&[decline(Reason::ProcessingFailure)]);
    let by_hand = |shop: &mut Shop, object, amount| shop.books.capture_by_hand(object, amount);
    assert!(by_hand(&mut shop, Object::Order(order), None).is_err());
    shop.authorize(order, &ask("declined", 100)).unwrap();
    let held = shop.held(order, 1_000);
    assert!(by_hand(&mut shop, Object::Order(order), Some("10.01")).is_err());
    assert!(by_hand(&mut shop, Object::Order(order), Some("ten")).is_err());
    let capture = by_hand(&mut shop, Object::Order(order), Some("9.5")).unwrap();
    assert_eq!(shop.books[capture].authorization, held);
    assert_eq!(shop.books[held].captured, usd(950));
    assert!(by_hand(&mut shop, Object::Authorization(held), None).is_err());
}
