//! Refunds and disputes.

use super::*;
use crate::clock::SECOND;

fn refund_ask(reference: &str, amount: i64) -> RefundAsk {
    let reference = reference.to_owned();
    RefundAsk { reference, amount: usd(amount), note: String::new(), soft_descriptor: None }
}

fn refund(shop: &mut Shop, at: CaptureAt, amount: i64) -> Result<RefundAt, Refusal> {
    let reference = format!("r{}", shop.books.refunds.len());
    shop.books.refund(at, &refund_ask(&reference, amount), None).map(|made| made.at)
}

#[test]
fn a_refund_is_pending_first_and_moves_money_when_it_is_completed() {
    let mut shop = Shop::new();
    let capture = shop.sold(Plan::default());
    let at = refund(&mut shop, capture, 1_000).unwrap();
    assert_eq!(shop.books[at].state, RefundState::Pending);
    assert!(shop.books[capture].refunded.is_zero());
    shop.wait(30 * SECOND);
    assert_eq!(shop.books[at].state, RefundState::Completed);
    assert_eq!(shop.books[capture].refunded, usd(1_000));
    assert_eq!(shop.moved().last(), Some(&(EntryKind::Refund, 1_000)));
}

#[test]
fn the_plan_declines_refunds_and_says_when() {
    let mut shop = Shop::new();
    let later = Step { ending: Ending::Approve, after: Some(5 * SECOND) };
    let refunds = [decline(Reason::AmazonRejected), later].into();
    let capture = shop.sold(Plan { refund: refunds, ..Plan::default() });
    let declined = refund(&mut shop, capture, 11_500).unwrap();
    shop.wait(30 * SECOND);
    assert_eq!(shop.books[declined].reason, Some(Reason::AmazonRejected));
    // A declined one has used nothing up.
    let completed = refund(&mut shop, capture, 11_500).unwrap();
    shop.wait(5 * SECOND);
    assert_eq!(shop.books[completed].state, RefundState::Completed);
}

#[test]
fn no_more_goes_back_than_is_allowed_pending_ones_included() {
    let mut shop = Shop::new();
    let capture = shop.sold(Plan::default());
    refund(&mut shop, capture, 10_000).unwrap();
    let exceeded =
        Refusal::AmountExceeded { used: usd(10_000), asked: usd(1_501), allowed: usd(11_500) };
    assert_eq!(refund(&mut shop, capture, 1_501), Err(exceeded));
    refund(&mut shop, capture, 1_500).unwrap();
    shop.wait(30 * SECOND);
    let closed = (CaptureState::Closed, Some(Reason::MaxAmountRefunded));
    assert_eq!((shop.books[capture].state, shop.books[capture].reason), closed);
    assert_eq!(refund(&mut shop, capture, 1), Err(Refusal::NotRefundable));
}

#[test]
fn there_are_ten_refunds_of_a_capture() {
    let mut shop = Shop::new();
    let capture = shop.sold(Plan::default());
    for _ in 0..10 {
        refund(&mut shop, capture, 100).unwrap();
    }
    assert_eq!(refund(&mut shop, capture, 100), Err(Refusal::CountExceeded));
    shop.wait(30 * SECOND);
    assert_eq!(shop.books[capture].reason, Some(Reason::MaxRefundsProcessed));
}

#[test]
fn a_refund_is_one_request_for_ever_and_of_what_was_captured() {
    let mut shop = Shop::new();
    let (capture, other) = (shop.sold(Plan::default()), shop.sold(Plan::default()));
    let ask = refund_ask("r", 100);
    let made = shop.books.refund(capture, &ask, None).unwrap();
    let again = shop.books.refund(capture, &ask, None).unwrap();
    assert_eq!(again, Made { at: made.at, repeated: true });
    let more = refund_ask("r", 101);
    assert_eq!(shop.books.refund(capture, &more, None), Err(Refusal::DuplicateRequest));
    assert_eq!(shop.books.refund(other, &ask, None), Err(Refusal::DuplicateReference));

    let declines = [decline(Reason::AmazonRejected)].into();
    let declined = shop.sold(Plan { capture: declines, ..Plan::default() });
    assert_eq!(refund(&mut shop, declined, 100), Err(Refusal::NotRefundable));
}

#[test]
fn a_buyer_gets_money_back_over_the_seller_s_head() {
    let mut shop = Shop::new();
    let capture = shop.sold(Plan::default());
    let order = Object::Order(shop.books.order_of_capture(capture));
    let dispute = |shop: &mut Shop, amount, kind| shop.books.dispute(order, amount, kind);
    let at = dispute(&mut shop, Some("40.00"), RefundKind::Chargeback).unwrap();
    assert_eq!(shop.books[at].state, RefundState::Completed);
    assert_eq!(shop.moved().last(), Some(&(EntryKind::Chargeback, 4_000)));
    assert!(dispute(&mut shop, Some("60.01"), RefundKind::Guarantee).is_err());
    dispute(&mut shop, None, RefundKind::Guarantee).unwrap();
    assert_eq!(shop.books[capture].refunded, usd(10_000));
    assert!(dispute(&mut shop, None, RefundKind::Guarantee).is_err());
    let nothing = Object::Order(shop.order(&[]));
    assert!(shop.books.dispute(nothing, None, RefundKind::Chargeback).is_err());
}
