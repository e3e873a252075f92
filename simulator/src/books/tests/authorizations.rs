//! Authorizations.

use super::*;
use crate::clock::{DAY, MINUTE, SECOND};

fn asynchronous(reference: &str, timeout_minutes: u32) -> AuthorizeAsk {
    AuthorizeAsk { timeout_minutes, patience: Patience::Enough, ..ask(reference, 1_000) }
}

fn in_a_minute(ending: Ending) -> Step {
    Step { ending, after: Some(60 * SECOND) }
}

#[test]
fn the_plan_is_used_up_in_order_and_then_all_is_approved() {
    let mut shop = Shop::new();
    let plan = [step(Ending::Approve), decline(Reason::ProcessingFailure)];
    let order = shop.order(&plan);
    let ends: Vec<_> = ["a", "b", "c"]
        .map(|reference| shop.authorize(order, &ask(reference, 100)).unwrap())
        .map(|at| shop.told(at))
        .into();
    let open = (AuthorizationState::Open, None);
    let declined = (AuthorizationState::Declined, Some(Reason::ProcessingFailure));
    assert_eq!(ends, [open, declined, open]);
    let kinds: Vec<_> = shop.moved().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EntryKind::Authorize, EntryKind::Decline, EntryKind::Authorize]);
}

#[test]
fn what_a_decline_does_to_the_order() {
    for (mut shop, reason, told) in [
        (
            Shop::new(),
            Reason::InvalidPaymentMethod,
            (OrderState::Suspended, Some(Reason::InvalidPaymentMethod)),
        ),
        (Shop::new(), Reason::AmazonRejected, (OrderState::Closed, Some(Reason::AmazonClosed))),
        (Shop::reading(5), Reason::AmazonRejected, (OrderState::Open, None)),
        (Shop::new(), Reason::ProcessingFailure, (OrderState::Open, None)),
        (Shop::new(), Reason::TransactionTimedOut, (OrderState::Open, None)),
    ] {
        let order = shop.order(&[decline(reason)]);
        let at = shop.authorize(order, &ask("a", 100)).unwrap();
        assert_eq!(shop.told(at), (AuthorizationState::Declined, Some(reason)));
        assert_eq!(shop.order_told(order), told);
    }
}

#[test]
fn a_synchronous_call_has_no_time_for_what_is_pending_first() {
    let mut shop = Shop::new();
    let order = shop.order(&[in_a_minute(DECLINED)]);
    let first = shop.authorize(order, &ask("a", 1_000)).unwrap();
    assert_eq!(shop.books[first].reason, Some(Reason::TransactionTimedOut));
    let second = shop.authorize(order, &asynchronous("b", 1440)).unwrap();
    assert_eq!(shop.told(second), (AuthorizationState::Pending, None));
    shop.wait(60 * SECOND - 1);
    assert_eq!(shop.told(second), (AuthorizationState::Pending, None));
    shop.wait(1);
    assert_eq!(shop.books[second].reason, Some(Reason::ProcessingFailure));
}

#[test]
fn or_it_comes_back_pending_and_uses_the_entry_which_is_reading_eleven() {
    let mut shop = Shop::reading(11);
    let order = shop.order(&[in_a_minute(Ending::Approve), decline(Reason::AmazonRejected)]);
    let at = shop.authorize(order, &ask("a", 1_000)).unwrap();
    assert_eq!(shop.told(at), (AuthorizationState::Pending, None));
    assert!(shop.moved().is_empty());
    shop.wait(60 * SECOND);
    assert_eq!(shop.told(at), (AuthorizationState::Open, None));
    let next = shop.authorize(order, &ask("b", 1_000)).unwrap();
    assert_eq!(shop.books[next].reason, Some(Reason::AmazonRejected));
}

#[test]
fn an_asynchronous_one_is_pending_first_and_captures_when_it_is_decided() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let ask = AuthorizeAsk { capture_now: true, ..asynchronous("a", 1440) };
    let at = shop.authorize(order, &ask).unwrap();
    assert_eq!(shop.told(at), (AuthorizationState::Pending, None));
    shop.wait(30 * SECOND);
    let captured = (AuthorizationState::Closed, Some(Reason::MaxCapturesProcessed));
    assert_eq!(shop.told(at), captured);
    assert_eq!(shop.books[at].captured, usd(1_000));
}

#[test]
fn when_an_asynchronous_one_times_out_is_reading_four() {
    for (mut shop, after) in [(Shop::new(), 10 * MINUTE), (Shop::reading(4), 30 * SECOND)] {
        let order = shop.order(&[decline(Reason::TransactionTimedOut)]);
        let at = shop.authorize(order, &asynchronous("a", 10)).unwrap();
        shop.wait(after - 1);
        assert_eq!(shop.books[at].state, AuthorizationState::Pending);
        shop.wait(1);
        assert_eq!(shop.books[at].reason, Some(Reason::TransactionTimedOut));
    }
}

#[test]
fn nothing_is_pending_for_longer_than_its_timeout() {
    let mut shop = Shop::new();
    let order = shop.order(&[Step { ending: Ending::Approve, after: Some(6 * MINUTE) }]);
    let at = shop.authorize(order, &asynchronous("a", 5)).unwrap();
    shop.wait(5 * MINUTE);
    let timed_out = (AuthorizationState::Declined, Some(Reason::TransactionTimedOut));
    assert_eq!(shop.told(at), timed_out);
}

#[test]
fn the_sum_may_be_fifteen_percent_above_the_total() {
    let mut shop = Shop::new();
    let order = shop.order(&[decline(Reason::ProcessingFailure)]);
    shop.authorize(order, &ask("declined", 11_500)).unwrap();
    let held = shop.held(order, 10_000);
    let sold = shop.held(order, 1_000);
    shop.capture(sold, 400).unwrap();
    let exceeded =
        Refusal::AmountExceeded { used: usd(10_400), asked: usd(1_101), allowed: usd(11_500) };
    assert_eq!(shop.authorize(order, &ask("x", 1_101)), Err(exceeded));
    shop.books.close_authorization(held, Reason::SellerClosed, None).unwrap();
    shop.held(order, 11_100);
    let euro = Money::from_minor(1, Currency::EUR);
    let foreign = AuthorizeAsk { amount: euro, ..ask("y", 1) };
    assert_eq!(shop.authorize(order, &foreign), Err(Refusal::CurrencyMismatch));
}

#[test]
fn there_are_ten_and_whether_declined_ones_count_is_reading_seven() {
    for (mut shop, more) in [(Shop::new(), 1), (Shop::reading(7), 0)] {
        let order = shop.order(&[decline(Reason::ProcessingFailure)]);
        for number in 0..10 {
            shop.authorize(order, &ask(&format!("n{number}"), 100)).unwrap();
        }
        for number in 0..more {
            shop.authorize(order, &ask(&format!("m{number}"), 100)).unwrap();
        }
        assert_eq!(shop.authorize(order, &ask("last", 100)), Err(Refusal::CountExceeded));
    }
}

#[test]
fn a_reference_id_is_one_request_for_ever() {
    let mut shop = Shop::new();
    let [order, other] = [(); 2].map(|()| shop.order(&[decline(Reason::AmazonRejected)]));
    let first = ask("a", 100);
    let made = shop.books.authorize(order, &first, None).unwrap();
    assert!(!made.repeated);
    // The order is closed by now, and yet the repeat gets what the first call made.
    let again = shop.books.authorize(order, &first, None).unwrap();
    assert_eq!(again, Made { at: made.at, repeated: true });
    let changed = AuthorizeAsk { note: "x".to_owned(), ..first.clone() };
    assert_eq!(shop.authorize(order, &changed), Err(Refusal::DuplicateRequest));
    assert_eq!(shop.authorize(other, &first), Err(Refusal::DuplicateReference));
    assert_eq!(shop.moved().len(), 1);
}

#[test]
fn an_authorization_that_nobody_captures_expires() {
    for (environment, days) in [(Environment::Sandbox, 2), (Environment::Live, 30)] {
        let mut shop = Shop::new();
        let order = shop.order(&[]);
        shop.books[order].environment = Some(environment);
        let held = shop.held(order, 100);
        shop.wait(days * DAY - 1);
        assert_eq!(shop.told(held), (AuthorizationState::Open, None));
        shop.wait(1);
        let expired = (AuthorizationState::Closed, Some(Reason::ExpiredUnused));
        assert_eq!(shop.told(held), expired);
        assert_eq!(shop.moved(), [(EntryKind::Authorize, 100), (EntryKind::Release, 100)]);
        let closed = Refusal::AuthorizationState(AuthorizationState::Closed);
        assert_eq!(shop.capture(held, 100), Err(closed));
    }
}

#[test]
fn a_pending_one_that_is_closed_is_never_decided() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let at = shop.authorize(order, &asynchronous("a", 1440)).unwrap();
    shop.books.close_authorization(at, Reason::SellerClosed, None).unwrap();
    let again = shop.books.close_authorization(at, Reason::SellerClosed, None);
    assert_eq!(again, Err(Refusal::AuthorizationState(AuthorizationState::Closed)));
    shop.wait(DAY);
    assert_eq!(shop.told(at), (AuthorizationState::Closed, Some(Reason::SellerClosed)));
    assert!(shop.moved().is_empty());
}

#[test]
fn what_falls_due_happens_at_its_own_time_and_in_order() {
    let mut shop = Shop::new();
    let order = shop.order(&[in_a_minute(Ending::Approve), in_a_minute(DECLINED)]);
    shop.authorize(order, &asynchronous("a", 1440)).unwrap();
    shop.wait(10 * SECOND);
    shop.authorize(order, &asynchronous("b", 1440)).unwrap();
    shop.wait(300 * DAY);
    let times: Vec<_> = shop.books.ledger().iter().map(|entry| (entry.at, entry.kind)).collect();
    let expected = [
        (60 * SECOND, EntryKind::Authorize),
        (70 * SECOND, EntryKind::Decline),
        (2 * DAY, EntryKind::Release),
    ];
    assert_eq!(times, expected);
}
