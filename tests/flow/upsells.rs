//! Upsells: on the order's reference again or on their own, before and after their order, within
//! Amazon's allowance and above it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{MID, merchant, order as support_order, upsell};
use crate::support::sim::Reference;
use crate::support::{
    Api, App, Broker, Combination, Store, eventually, on_every_api, on_every_broker,
};
use crate::world::{accepted, assert_decline, assert_names, captured, verdict};
use crate::{mws, v2};

on_every_api!(
    an_upsell_is_charged_on_the_reference_it_names,
    an_upsell_waits_for_its_order,
    an_upsell_of_a_lander_finds_its_order,
    an_upsell_finds_a_reference_at_rest_open_or_closed,
);
// A minute of waiting each: neither the store nor Amazon has a part in it.
on_every_broker!(an_upsell_of_nothing_is_rejected);

/// An order that leaves room for upsells: Amazon allows a seventh more, and no more.
fn order(order_id: &str, reference: &Reference) -> Value {
    let mut body = support_order(order_id, reference);
    body["amount"] = json!("200.00");
    body
}

async fn an_upsell_is_charged_on_the_reference_it_names(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference_of("200.00", Value::Null).await;
    verdict(&app, "o", &order("o-1", &reference)).await;
    let left_out = verdict(&app, "u1", &upsell("o-1", "u-1")).await;
    assert_eq!(left_out["data"]["status"], "paid", "{left_out}");
    assert_eq!(left_out["data"]["amazonOrderId"], reference.id);
    assert_eq!(left_out["data"]["upsellId"], "u-1");
    let mut body = upsell("o-1", "u-2");
    body["amazonOrderId"] = json!(reference.id);
    body["amazonAddressConsent"] = json!(reference.token);
    let equal = verdict(&app, "u2", &body).await;
    assert_eq!(equal["data"]["status"], "paid", "{equal}");
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "4.00", "4.00"]);
    // The same again: the same answer.
    assert_eq!(verdict(&app, "u2 again", &body).await, equal);

    let own = app.reference_of("5.00", Value::Null).await;
    let mut body = upsell("o-1", "u-3");
    body["amazonOrderId"] = json!(own.id);
    body["amazonAddressConsent"] = json!(own.token);
    body["amount"] = json!("5.00");
    let event = verdict(&app, "u3", &body).await;
    assert_eq!(
        (&event["data"]["status"], &event["data"]["amazonOrderId"]),
        (&json!("paid"), &json!(own.id))
    );
    let captures = app.sim.moved(&own.id, "capture").await;
    assert_eq!((captures.len(), &captures[0]["sellerOrderId"]), (1, &json!("o-1-u-3")));

    // Amazon allows a little more than the total, and no more.
    let mut body = upsell("o-1", "u-4");
    body["amount"] = json!("500.00");
    let declined = verdict(&app, "u4", &body).await;
    assert_decline(&declined, "TransactionAmountExceeded", "hard", "use_other_method", false);
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "4.00", "4.00"]);
    let view = app.api.get(&format!("/v1/upsells/{MID}/o-1/u-1")).await.expect(200);
    assert_eq!(view["data"], left_out["data"]);
}

async fn an_upsell_waits_for_its_order(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference_of("200.00", Value::Null).await;
    // Before its order, with and without the reference.
    accepted(&app, "u1", &upsell("o-1", "u-1")).await;
    let mut body = upsell("o-1", "u-2");
    body["amazonOrderId"] = json!(reference.id);
    accepted(&app, "u2", &body).await;
    let view = format!("/v1/upsells/{MID}/o-1/u-1");
    eventually("the upsell in hand", async || {
        (app.api.get(&view).await.status == 200).then_some(())
    })
    .await;
    assert!(captured(&app, &reference.id).await.is_empty());
    verdict(&app, "o", &order("o-1", &reference)).await;
    for upsell in ["u-1", "u-2"] {
        let done = app.done_at(&format!("/v1/upsells/{MID}/o-1/{upsell}")).await;
        assert_eq!(done["status"], "paid", "{done}");
    }
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "4.00", "4.00"]);

    for (order_id, reason, kind, again) in
        [("o-2", "AmazonRejected", "hard", false), ("o-3", "InvalidPaymentMethod", "soft", true)]
    {
        let reference = app.reference_of("200.00", json!([reason])).await;
        verdict(&app, order_id, &order(order_id, &reference)).await;
        let declined = verdict(&app, &format!("{order_id}u"), &upsell(order_id, "u")).await;
        assert_decline(&declined, "OrderNotPaid", kind, "none", again);
        assert!(captured(&app, &reference.id).await.is_empty());
        // Its own consent needs no paid order.
        let own = app.reference_of("4.00", Value::Null).await;
        let mut body = upsell(order_id, "own");
        body["amazonOrderId"] = json!(own.id);
        let paid = verdict(&app, &format!("{order_id}own"), &body).await;
        assert_eq!(paid["data"]["status"], "paid", "{paid}");
        assert_eq!(captured(&app, &own.id).await, ["4.00"]);
    }
    // The order is mended, and so is the upsell.
    let reference = app.reference_of("200.00", json!(["InvalidPaymentMethod"])).await;
    verdict(&app, "4a", &order("o-4", &reference)).await;
    verdict(&app, "4u", &upsell("o-4", "u")).await;
    app.sim.mend_payment_method(&reference.id).await;
    assert_eq!(verdict(&app, "4b", &order("o-4", &reference)).await["data"]["status"], "paid");
    let paid = verdict(&app, "4v", &upsell("o-4", "u")).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(2)));
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "4.00"]);
}

/// The vendor's lander sends no Amazon field on an upsell, and a product for its id.
async fn an_upsell_of_a_lander_finds_its_order(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference_of("200.00", Value::Null).await;
    verdict(&app, "o", &order("o-1", &reference)).await;
    let fields = [
        ("orderId", "o-1"),
        ("productId", "42"),
        ("productQty", "2"),
        ("productPrice", "3.00"),
        ("productShipPrice", "1.00"),
        ("productSalesTax", "0.50"),
        ("replaceProductId", "7"),
    ];
    let answer = app.crm("/upsale/import/", &fields).await;
    assert_eq!(answer["result"], "SUCCESS", "{answer}");
    assert_eq!(answer["message"]["orderStatus"], "COMPLETE", "{answer}");
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "7.50"]);
    let view = app.api.get(&format!("/v1/upsells/{MID}/o-1/42-r7")).await.expect(200);
    assert_eq!(view["status"], "paid");
    // The same again, and a decline in the customer's words.
    let again = app.crm("/upsale/import", &fields).await;
    assert_eq!(again["message"]["merchantTxnId"], answer["message"]["merchantTxnId"], "{again}");
    assert_eq!(captured(&app, &reference.id).await, ["200.00", "7.50"]);
    let declined = app.reference_of("200.00", json!(["AmazonRejected"])).await;
    verdict(&app, "o2", &order("o-2", &declined)).await;
    let fields = [("orderId", "o-2"), ("productId", "42"), ("productPrice", "3.00")];
    let refused = app.crm("/upsale/import/", &fields).await;
    assert_eq!(refused["result"], "ERROR", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("not paid")), "{refused}");
}

/// Its order may be in the lane behind it, for a minute.
async fn an_upsell_of_nothing_is_rejected(broker: Broker) {
    let app = App::start(Combination::of(broker, Store::Sqlite)).await;
    // With one MID alone there would be nothing to ask.
    app.add_mid(&merchant("mid-2")).await;
    accepted(&app, "u1", &upsell("nothing", "u-1")).await;
    let fields = [
        ("orderId", "nothing"),
        ("productId", "42"),
        ("productPrice", "3.00"),
        ("currency", "USD"),
    ];
    // Running roles know a new MID within five seconds.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let waiting = app.crm("/upsale/import/", &[&fields[..], &[("async", "1")]].concat()).await;
    assert_eq!(waiting["message"]["orderStatus"], "PENDING", "{waiting}");
    tokio::time::sleep(std::time::Duration::from_secs(45)).await;
    for (upsell, field) in [("u-1", "orderId"), ("42", "amazonBillerId")] {
        let what = format!("the rejection of {upsell}");
        let rejected = app.event_where(&what, |event| event["data"]["upsellId"] == upsell).await;
        assert_eq!(rejected["data"]["status"], "rejected", "{rejected}");
        assert_names(&rejected["data"]["decline"]["errors"], field);
    }
    // Rejected is a message, never a payment: with its order there it is judged afresh.
    assert_eq!(app.api.get(&format!("/v1/upsells/{MID}/nothing/u-1")).await.status, 404);
    let reference = app.reference_of("200.00", Value::Null).await;
    verdict(&app, "o", &order("nothing", &reference)).await;
    let paid = verdict(&app, "u2", &upsell("nothing", "u-1")).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
}

/// By Amazon's own word.
async fn is_closed(app: &App, reference: &Reference) -> bool {
    match app.combination.api {
        Api::Mws => {
            let asked = [("AmazonOrderReferenceId", reference.id.as_str())];
            let details = mws::call(app, "GetOrderReferenceDetails", &asked).await;
            details.contains("<State>Closed</State>")
        }
        Api::V2 => {
            let captures = app.sim.moved(&reference.id, "capture").await;
            let permission = captures[0]["objectId"].as_str().unwrap();
            let path = format!("chargePermissions/{permission}");
            let shown = v2::call(app, Method::GET, &path, None, &Value::Null).await;
            shown["statusDetails"]["state"] == "Closed"
        }
    }
}

async fn an_upsell_finds_a_reference_at_rest_open_or_closed(combination: Combination) {
    let app = App::builder(combination).env("REFERENCE_OPEN_FOR", 2).start().await;
    let reference = app.reference_of("200.00", Value::Null).await;
    let mut body = order("rest", &reference);
    body["capture"] = json!("manual");
    assert_eq!(verdict(&app, "r", &body).await["data"]["status"], "authorized");
    let paid = verdict(&app, "ru", &upsell("rest", "u")).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(captured(&app, &reference.id).await, ["4.00"]);

    // By the program itself once its time is over, and by somebody in Seller Central.
    let by_itself = app.reference_of("200.00", Value::Null).await;
    verdict(&app, "o1", &order("o-1", &by_itself)).await;
    let by_hand = app.reference_of("200.00", Value::Null).await;
    verdict(&app, "o2", &order("o-2", &by_hand)).await;
    app.sim.play(&format!("/objects/{}/close", by_hand.id), &json!({})).await;
    eventually("the end of the reference", async || {
        is_closed(&app, &by_itself).await.then_some(())
    })
    .await;
    for order_id in ["o-1", "o-2"] {
        let declined = verdict(&app, &format!("{order_id}u"), &upsell(order_id, "u")).await;
        let code = "InvalidOrderReferenceStatus";
        assert_decline(&declined, code, "hard", "use_other_method", false);
    }
    // The orders are what they were.
    assert_eq!(app.done("o-1").await["status"], "paid");
    assert_eq!(captured(&app, &by_itself.id).await, ["200.00"]);
    assert_eq!(captured(&app, &by_hand.id).await, ["200.00"]);
}
