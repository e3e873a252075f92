//! The same payment asked for again, and references that others have: what joins, what conflicts,
//! what is answered with what is known, and what is judged afresh.

use serde_json::{Value, json};

use crate::mws;
use crate::support::app::{MID, merchant_by, order};
use crate::support::sim::Reference;
use crate::support::{App, Combination, on_every_api, on_every_combination};
use crate::world::{
    accepted, ask, assert_names, captured, conflict, dead_letter, moved, news, of_order, story,
    told, verdict,
};

on_every_api!(
    what_is_paid_stays_as_it_is,
    a_reference_belongs_to_one_payment,
    a_payment_in_hand_is_joined,
);
// A session that is completed already has rules of its own (v2.rs).
on_every_combination!(a_reference_that_is_open_already_is_taken_as_it_is);

/// The order with one field changed.
fn with(body: &Value, field: &str, value: &str) -> Value {
    let mut body = body.clone();
    body[field] = json!(value);
    body
}

async fn what_is_paid_stays_as_it_is(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference(Value::Null).await;
    let body = order("o-1", &reference);
    let paid = verdict(&app, "1", &body).await;
    let other = app.reference(Value::Null).await;
    conflict(&app, "2", &with(&body, "amount", "30.00"), "amount").await;
    conflict(&app, "3", &with(&body, "amazonOrderId", &other.id), "amazonOrderId").await;
    // The same number in other digits is no other amount.
    assert_eq!(verdict(&app, "4", &with(&body, "amount", "29.95")).await, paid);
    let whole = app.reference_of("30.00", Value::Null).await;
    let paid_whole = verdict(&app, "5", &with(&order("o-2", &whole), "amount", "30")).await;
    assert_eq!(paid_whole["data"]["amount"], "30.00");
    let again = verdict(&app, "6", &with(&order("o-2", &whole), "amount", "30.0")).await;
    assert_eq!(again, paid_whole);
    // Nothing of all that has touched the payment or charged anybody.
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    assert!(moved(&app, &other.id).await.is_empty());
    let view = app.api.get(&format!("/v1/orders/{MID}/o-1")).await.expect(200);
    assert_eq!((&view["status"], &view["data"]), (&json!("paid"), &paid["data"]));
    let letter = dead_letter(&app, |letter| letter["orderId"] == "o-1").await;
    assert_eq!((&letter["reason"], &letter["status"]), (&json!("rejected"), &json!("open")));

    let reference = app.reference(Value::Null).await;
    let mut body = order("o-3", &reference);
    body["capture"] = json!("manual");
    let rest = verdict(&app, "7", &body).await;
    assert_eq!(verdict(&app, "8", &body).await, rest);
    conflict(&app, "9", &with(&body, "amount", "1.00"), "amount").await;
    assert!(captured(&app, &reference.id).await.is_empty());
}

async fn a_payment_in_hand_is_joined(combination: Combination) {
    let app = App::builder(combination)
        .env("PENDING_POLL_FIRST", 1)
        .mid(json!({"region": "eu"}))
        .start()
        .await;
    let plan = json!([{"outcome": "approve", "afterSeconds": 600}]);
    let reference = app.reference(plan).await;
    let mut body = order("o-1", &reference);
    body["currency"] = json!("EUR");
    accepted(&app, "1", &body).await;
    news(&app, &of_order("o-1"), "pending", 2).await;
    accepted(&app, "2", &body).await;
    conflict(&app, "3", &with(&body, "amount", "30.00"), "amount").await;
    conflict(&app, "4", &with(&body, "currency", "GBP"), "currency").await;
    let other = app.reference(Value::Null).await;
    conflict(&app, "5", &with(&body, "amazonOrderId", &other.id), "amazonOrderId").await;
    let (joined, ()) = tokio::join!(verdict(&app, "6", &body), async {
        // Not what is asserted: the joining is right before and after the end.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        app.sim.advance(700).await;
    });
    assert_eq!(joined["data"]["status"], "paid", "{joined}");
    for key in ["1", "2", "6"] {
        assert_eq!(verdict(&app, key, &body).await, joined);
    }
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    let told = told(&app, &of_order("o-1")).await;
    let told: Vec<Value> =
        told.into_iter().filter(|event| event["data"]["status"] != "rejected").collect();
    assert_eq!(story(&told), [("pending".to_owned(), 2), ("paid".to_owned(), 2)]);
}

async fn a_reference_belongs_to_one_payment(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference(Value::Null).await;
    verdict(&app, "1", &order("o-1", &reference)).await;
    conflict(&app, "2", &order("o-2", &reference), "amazonOrderId").await;
    // Through another MID of the same seller account, and as an upsell of another order.
    let mut twin = merchant_by(combination.api, MID);
    twin["id"] = json!("twin");
    app.add_mid(&twin).await;
    let through = with(&order("o-1", &reference), "amazonBillerId", "twin");
    let refused = crate::support::eventually("the new MID", async || {
        let reply = ask(&app, "3", &through).await;
        (reply.status != 422).then_some(reply)
    })
    .await;
    assert_names(&refused.expect(409)["errors"], "amazonOrderId");
    let other = app.reference(Value::Null).await;
    verdict(&app, "4", &order("o-4", &other)).await;
    let mut upsell = crate::support::app::upsell("o-4", "u-1");
    upsell["amazonOrderId"] = json!(reference.id);
    conflict(&app, "5", &upsell, "amazonOrderId").await;
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);

    // Another seller knows nothing of it.
    let another = merchant_by(combination.api, "mid-2");
    app.add_mid(&another).await;
    let stranger = app.reference_at(&another, "29.95", Value::Null).await;
    let rejected = verdict(&app, "6", &order("o-6", &stranger)).await;
    assert_eq!(rejected["data"]["decline"]["code"], "unknown_reference", "{rejected}");
    assert_eq!(rejected["data"]["amazonOrderId"], stranger.id, "{rejected}");
    assert_names(&rejected["data"]["decline"]["errors"], "amazonOrderId");
    assert_eq!(app.api.get(&format!("/v1/orders/{MID}/o-6")).await.status, 404);
    // Its own rejection again; and what comes later under another id is judged afresh.
    assert_eq!(verdict(&app, "6", &order("o-6", &stranger)).await, rejected);
    let mended = app.reference(Value::Null).await;
    let paid = verdict(&app, "7", &order("o-6", &mended)).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(1)));
    assert_eq!(paid["data"]["sequence"], 1);
    assert_eq!(verdict(&app, "6", &order("o-6", &stranger)).await, rejected);
}

/// The lander has confirmed it with the buyer, or somebody else has.
async fn a_reference_that_is_open_already_is_taken_as_it_is(combination: Combination) {
    let app = App::builder(combination).mid(json!({"region": "uk"})).start().await;
    let pounds = |order_id: &str, reference: &Reference| {
        with(&order(order_id, reference), "currency", "GBP")
    };
    for (order_id, total) in [("o-1", "29.95"), ("o-2", "40.00")] {
        let reference = app.reference(Value::Null).await;
        confirm(&app, &reference.id, total).await;
        let body = pounds(order_id, &reference);
        if total == "29.95" {
            let paid = verdict(&app, order_id, &body).await;
            assert_eq!(paid["data"]["status"], "paid", "{paid}");
            assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
        } else {
            conflict(&app, order_id, &body, "amount").await;
            assert!(moved(&app, &reference.id).await.is_empty());
            // With the total that it was confirmed with it is judged afresh.
            let paid = verdict(&app, "40", &with(&body, "amount", "40.00")).await;
            assert_eq!(paid["data"]["status"], "paid", "{paid}");
            assert_eq!(captured(&app, &reference.id).await, ["40.00"]);
        }
    }
    // After a soft decline the confirmed total stands.
    let reference = app.reference(json!(["InvalidPaymentMethod"])).await;
    let body = pounds("o-3", &reference);
    verdict(&app, "3a", &body).await;
    app.sim.mend_payment_method(&reference.id).await;
    conflict(&app, "3b", &with(&body, "amount", "30.00"), "amount").await;
    assert_eq!(verdict(&app, "3c", &body).await["data"]["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}

/// Sets and confirms a reference as another integration of the same seller would: by an app of
/// its own, with books of its own.
async fn confirm(app: &App, reference: &str, total: &str) {
    for (action, extra) in [
        (
            "SetOrderReferenceDetails",
            vec![
                ("OrderReferenceAttributes.OrderTotal.Amount", total),
                ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "GBP"),
            ],
        ),
        ("ConfirmOrderReference", vec![]),
    ] {
        mws::call(app, action, &[&[("AmazonOrderReferenceId", reference)], &extra[..]].concat())
            .await;
    }
}
