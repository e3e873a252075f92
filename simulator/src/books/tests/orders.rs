//! Order references.

use super::*;
use crate::clock::{DAY, HOUR, MINUTE};

#[test]
fn a_draft_that_nobody_confirms_goes_stale_after_three_hours() {
    let mut shop = Shop::new();
    let order = shop.draft(Plan::default());
    shop.wait(3 * HOUR - 1);
    assert_eq!(shop.order_told(order), (OrderState::Draft, None));
    shop.wait(1);
    assert_eq!(shop.order_told(order), (OrderState::Canceled, Some(Reason::Stale)));
    assert_eq!(shop.books[order].updated, Some(3 * HOUR));
}

#[test]
fn an_order_expires_after_half_a_year_and_keeps_what_is_authorized() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    shop.wait(179 * DAY);
    let held = shop.held(order, 500);
    shop.wait(DAY);
    assert_eq!(shop.order_told(order), (OrderState::Closed, Some(Reason::Expired)));
    assert!(shop.capture(held, 500).is_ok());
}

#[test]
fn what_is_announced_as_immediate_must_come_within_the_hour() {
    let mut shop = Shop::new();
    let [idle, used] = [(); 2].map(|()| {
        let order = shop.draft(Plan::default());
        shop.set(order, 100);
        shop.books.confirm_order(order, true).unwrap();
        order
    });
    shop.held(used, 100);
    shop.wait(60 * MINUTE);
    assert_eq!(shop.order_told(idle), (OrderState::Closed, Some(Reason::AmazonClosed)));
    assert_eq!(shop.order_told(used), (OrderState::Open, None));
}

#[test]
fn an_order_is_confirmed_once_it_has_a_total_and_then_not_changed() {
    let mut shop = Shop::new();
    let order = shop.draft(Plan::default());
    let missing = Refusal::Constraints(vec![Constraint::AmountNotSet]);
    assert_eq!(shop.books.confirm_order(order, false), Err(missing));
    shop.set(order, 100);
    shop.set(order, 200);
    shop.books.confirm_order(order, false).unwrap();
    shop.books.confirm_order(order, false).unwrap();
    let set = shop.books.set_order(order, usd(300), &Attributes::default(), false);
    assert_eq!(set, Err(Refusal::NotModifiable));
    assert_eq!(shop.books[order].total, Some(usd(200)));
}

#[test]
fn after_the_purchase_attributes_are_added_but_not_changed() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let named =
        |id: &str| Attributes { seller_order_id: Some(id.to_owned()), ..Attributes::default() };
    shop.books.set_attributes(order, None, &named("1")).unwrap();
    shop.books.set_attributes(order, Some(usd(10_000)), &named("1")).unwrap();
    for (total, attributes) in [
        (None, named("2")),
        (Some(usd(1)), Attributes::default()),
        (None, Attributes { platform_id: Some("A2".to_owned()), ..Attributes::default() }),
        (None, Attributes { categories: vec!["Antiques".to_owned()], ..Attributes::default() }),
    ] {
        let set = shop.books.set_attributes(order, total, &attributes);
        assert_eq!(set, Err(Refusal::NotModifiable), "{attributes:?}");
    }
    assert_eq!(shop.books[order].attributes, named("1"));
}

#[test]
fn canceling_gives_back_what_is_held_but_not_what_was_captured() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let held = shop.held(order, 1_000);
    let why = Some("sorry".to_owned());
    shop.books.cancel_order(order, why.clone()).unwrap();
    let canceled = (OrderState::Canceled, Some(Reason::SellerCanceled));
    assert_eq!(shop.order_told(order), canceled);
    assert_eq!(shop.books[order].description, why);
    let closed = (AuthorizationState::Closed, Some(Reason::OrderReferenceCanceled));
    assert_eq!(shop.told(held), closed);
    assert_eq!(shop.moved(), [(EntryKind::Authorize, 1_000), (EntryKind::Release, 1_000)]);
    assert_eq!(shop.books.cancel_order(order, None), Ok(()));

    let sold = shop.sold(Plan::default());
    let order = shop.books.order_of_capture(sold);
    assert_eq!(shop.books.cancel_order(order, None), Err(Refusal::CancelAttempt));
}

#[test]
fn a_closed_order_takes_no_more_authorizations() {
    let mut shop = Shop::new();
    let draft = shop.draft(Plan::default());
    let close = |shop: &mut Shop, at| shop.books.close_order(at, Reason::SellerClosed, None);
    assert_eq!(close(&mut shop, draft), Err(Refusal::CloseAttempt));
    let order = shop.order(&[]);
    let held = shop.held(order, 1_000);
    assert_eq!(close(&mut shop, order), Ok(()));
    let refused = shop.authorize(order, &ask("x", 1));
    assert_eq!(refused, Err(Refusal::OrderState(OrderState::Closed)));
    assert!(shop.capture(held, 1_000).is_ok());
    assert_eq!(shop.books.cancel_order(order, None), Err(Refusal::CancelAttempt));
}

#[test]
fn what_confirming_and_closing_mean_when_it_is_over_is_reading_nine() {
    for (mut shop, confirmed, closed) in [
        (Shop::new(), Refusal::OrderState(OrderState::Closed), Ok(())),
        (Shop::reading(9), Refusal::NotModifiable, Err(Refusal::CloseAttempt)),
    ] {
        let order = shop.order(&[]);
        shop.books.close_order(order, Reason::SellerClosed, None).unwrap();
        assert_eq!(shop.books.confirm_order(order, false), Err(confirmed));
        assert_eq!(shop.books.close_order(order, Reason::SellerClosed, None), closed);
    }
}

#[test]
fn another_seller_s_order_does_not_exist_and_environments_do_not_mix() {
    let mut shop = Shop::new();
    let (stranger, _) = shop.books.register("A2", SellerChange::default());
    let order = shop.draft(Plan::default());
    let id = shop.books[order].id.clone();
    let mut look = |seller, environment, id: &str| shop.books.look_up(seller, environment, id);
    let found = Ok(Object::Order(order));
    assert_eq!(look(shop.seller, Environment::Sandbox, &id), found);
    assert_eq!(look(stranger, Environment::Sandbox, &id), Err(Refusal::Unknown));
    assert_eq!(look(shop.seller, Environment::Sandbox, "S01-1-1"), Err(Refusal::Unknown));
    let other = look(shop.seller, Environment::Live, &id);
    assert_eq!(other, Err(Refusal::OtherEnvironment));
}

#[test]
fn the_first_call_binds_an_order_to_its_environment() {
    let mut shop = Shop::new();
    let first = shop.draft(Plan::default());
    let buyer = Arc::clone(&shop.books[first].buyer);
    let (order, _) = shop.books.leave_order(shop.seller, buyer, Plan::default(), None);
    let id = shop.books[order].id.clone();
    assert!(id.starts_with("S01-"));
    assert!(shop.books.look_up(shop.seller, Environment::Live, &id).is_ok());
    assert!(shop.books.look_up(shop.seller, Environment::Sandbox, &id).is_err());
}

#[test]
fn a_token_shows_its_own_buyer_for_an_hour() {
    let mut shop = Shop::new();
    let order = shop.draft(Plan::default());
    let buyer = Arc::clone(&shop.books[order].buyer);
    let token = shop.books.issue_token(shop.seller, &buyer);
    assert_eq!(shop.books.shows_buyer(order, None), Ok(false));
    assert_eq!(shop.books.shows_buyer(order, Some(&token)), Ok(true));
    let other = Arc::new(Buyer { user_id: "another".to_owned(), ..(*buyer).clone() });
    let foreign = shop.books.issue_token(shop.seller, &other);
    assert_eq!(shop.books.shows_buyer(order, Some(&foreign)), Err(Refusal::Token));
    shop.wait(HOUR);
    assert_eq!(shop.books.shows_buyer(order, Some(&token)), Err(Refusal::Token));
}

#[test]
fn the_buyer_s_new_payment_method_reopens_what_waited_for_it() {
    let mut shop = Shop::new();
    let order = shop.order(&[decline(Reason::InvalidPaymentMethod)]);
    shop.authorize(order, &ask("a", 100)).unwrap();
    let suspended = (OrderState::Suspended, Some(Reason::InvalidPaymentMethod));
    assert_eq!(shop.order_told(order), suspended);
    assert_eq!(shop.books[order].constraints(), [Constraint::PaymentPlanNotSet]);
    assert_eq!(shop.books.confirm_order(order, false), Err(Refusal::MethodNotUpdated));
    shop.books.change_method(order, true);
    assert_eq!(shop.order_told(order), (OrderState::Open, None));
    shop.held(order, 100);
}

#[test]
fn a_card_that_is_not_valid_declines_and_uses_nothing_of_the_plan() {
    let mut shop = Shop::new();
    let order = shop.order(&[decline(Reason::ProcessingFailure)]);
    shop.books.change_method(order, false);
    let at = shop.authorize(order, &ask("a", 100)).unwrap();
    assert_eq!(shop.books[at].reason, Some(Reason::InvalidPaymentMethod));
    shop.books.change_method(order, true);
    let at = shop.authorize(order, &ask("b", 100)).unwrap();
    assert_eq!(shop.books[at].reason, Some(Reason::ProcessingFailure));
}

#[test]
fn an_employee_closes_with_a_reason_or_with_words() {
    let mut shop = Shop::new();
    let order = shop.order(&[]);
    let held = shop.held(order, 100);
    let close = |shop: &mut Shop, object, word| shop.books.close_by_hand(object, word);
    close(&mut shop, Object::Order(order), Some("fraud suspected")).unwrap();
    assert_eq!(shop.order_told(order), (OrderState::Closed, Some(Reason::SellerClosed)));
    assert_eq!(shop.books[order].description.as_deref(), Some("fraud suspected"));
    close(&mut shop, Object::Authorization(held), Some("AmazonClosed")).unwrap();
    let closed = (AuthorizationState::Closed, Some(Reason::AmazonClosed));
    assert_eq!(shop.told(held), closed);
    assert!(close(&mut shop, Object::Order(order), None).is_err());

    let order = shop.order(&[]);
    let held = shop.held(order, 100);
    close(&mut shop, Object::Order(order), Some("AmazonCanceled")).unwrap();
    assert_eq!(shop.order_told(order), (OrderState::Canceled, Some(Reason::AmazonCanceled)));
    assert_eq!(shop.books[held].reason, Some(Reason::OrderReferenceCanceled));
}
