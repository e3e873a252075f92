//! What Amazon says no to, or not yet: soft and hard declines, failures inside Amazon, decisions
//! that take their time, authorizations at rest, and captures that are declined.

use serde_json::{Value, json};

use crate::support::app::order;
use crate::support::sim::Reference;
use crate::support::{Api, App, Combination, on_every_api};
use crate::world::{
    accepted, ask, assert_decline, captured, moved, news, of_order, story, told, verdict,
};

on_every_api!(
    a_soft_decline_is_mended_and_paid,
    another_reference_has_another_buyer,
    a_hard_decline_is_final,
    amazons_failures_are_asked_again,
    a_slow_decision_is_followed_to_its_end,
    a_declined_capture_is_asked_again_once,
);

/// The program with waits that a test can stand.
async fn app(combination: Combination) -> App {
    App::builder(combination)
        .env("PROCESSING_FAILURE_WAIT", 1)
        .env("PENDING_POLL_FIRST", 1)
        .start()
        .await
}

async fn a_soft_decline_is_mended_and_paid(combination: Combination) {
    let app = app(combination).await;
    let reference = app.reference(json!(["InvalidPaymentMethod", "approve"])).await;
    let body = order("o-1", &reference);
    let declined = verdict(&app, "first", &body).await;
    assert_decline(&declined, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    let said = match combination.api {
        Api::Mws => "InvalidPaymentMethod",
        Api::V2 => "HardDeclined",
    };
    assert_eq!(declined["data"]["decline"]["amazonReason"], said);
    assert_eq!(declined["data"]["capturedAmount"], "0.00");
    // The same message is never a new attempt, mended or not.
    app.sim.mend_payment_method(&reference.id).await;
    assert_eq!(verdict(&app, "first", &body).await, declined);
    let paid = verdict(&app, "second", &body).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(2)));
    assert_eq!(paid["data"]["sequence"], 2);
    assert_ne!(paid["data"]["messageId"], declined["data"]["messageId"]);
    assert_ne!(paid["data"]["amazonAuthorizationId"], declined["data"]["amazonAuthorizationId"]);
    // Whoever asks now, under the old id or a new one, hears how it ended.
    assert_eq!(verdict(&app, "first", &body).await, paid);
    assert_eq!(verdict(&app, "third", &body).await, paid);
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    let told = told(&app, &of_order("o-1")).await;
    assert_eq!(story(&told), [("declined".to_owned(), 1), ("paid".to_owned(), 2)]);

    // A buyer who mended nothing is declined again, in an epoch of its own.
    let reference = app.reference(json!(["InvalidPaymentMethod", "approve"])).await;
    let body = order("o-2", &reference);
    verdict(&app, "a", &body).await;
    let again = verdict(&app, "b", &body).await;
    assert_decline(&again, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    assert_eq!(again["data"]["epoch"], 2);
    // Another reference, and another amount on it.
    let other = app.reference_of("31.00", Value::Null).await;
    let mut body = order("o-2", &other);
    body["amount"] = json!("31.00");
    let paid = verdict(&app, "c", &body).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(3)));
    assert_eq!(
        (&paid["data"]["amount"], &paid["data"]["amazonOrderId"]),
        (&json!("31.00"), &json!(other.id))
    );
    assert_eq!(captured(&app, &other.id).await, ["31.00"]);
    assert!(captured(&app, &reference.id).await.is_empty());
}

async fn another_reference_has_another_buyer(combination: Combination) {
    let app = app(combination).await;
    let mut references = Vec::new();
    for (name, city, plan) in [
        ("Ada One", "Firstville", json!(["InvalidPaymentMethod"])),
        ("Bob Two", "Sometown", Value::Null),
    ] {
        let address = json!({
            "name": name,
            "addressLine1": "1 Main Street",
            "city": city,
            "stateOrRegion": "IL",
            "postalCode": "62701",
            "countryCode": "US",
        });
        let email = format!("{city}@example.com");
        let buyer = json!({ "name": name, "email": email, "address": address });
        references.push(app.reference_from(&buyer, &app.mid, ("29.95", "USD"), plan).await);
    }
    let declined = verdict(&app, "first", &order("o-1", &references[0])).await;
    assert_eq!(declined["data"]["shippingAddress"]["city"], "Firstville", "{declined}");
    let paid = verdict(&app, "second", &order("o-1", &references[1])).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(paid["data"]["shippingAddress"]["city"], "Sometown", "{paid}");
    assert_eq!(paid["data"]["buyer"]["firstName"], "Bob", "{paid}");
}

async fn a_hard_decline_is_final(combination: Combination) {
    let app = app(combination).await;
    let reference = app.reference(json!(["AmazonRejected", "approve"])).await;
    let body = order("o-1", &reference);
    let first = ask(&app, "first", &body).await;
    let declined = first.expect(200)["event"].clone();
    assert_decline(&declined, "AmazonRejected", "hard", "use_other_method", false);
    let bytes = |text: &str| text[text.find("\"event\":").unwrap()..].to_owned();
    for key in ["first", "second"] {
        let again = ask(&app, key, &body).await;
        assert_eq!(bytes(&again.text), bytes(&first.text), "{key}");
    }
    let other = app.reference(Value::Null).await;
    assert_eq!(verdict(&app, "third", &order("o-1", &other)).await, declined);
    assert!(captured(&app, &reference.id).await.is_empty());
    assert!(moved(&app, &other.id).await.is_empty());
    assert_eq!(story(&told(&app, &of_order("o-1")).await), [("declined".to_owned(), 1)]);
    let answer = app.crm("/order/import/", &crm(&reference, "o-1")).await;
    assert_eq!(answer["result"], "ERROR", "{answer}");
    assert_eq!(answer["message"], declined["data"]["decline"]["message"], "{answer}");
}

fn crm<'a>(reference: &'a Reference, order_id: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("orderId", order_id),
        ("amazonBillerId", crate::support::app::MID),
        ("amazonOrderId", &reference.id),
        ("amazonAddressConsent", &reference.token),
        ("amount", "29.95"),
        ("paySource", "AMAZON"),
    ]
}

async fn amazons_failures_are_asked_again(combination: Combination) {
    let app = app(combination).await;
    let reference = app.reference(json!(["ProcessingFailure"])).await;
    let paid = verdict(&app, "1", &order("o-1", &reference)).await;
    // To v2 it is a failure of Amazon's own, and the same key is sent again.
    let epoch = match combination.api {
        Api::Mws => 2,
        Api::V2 => 1,
    };
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(paid["data"]["epoch"], epoch, "{paid}");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);

    let (failure, mode) = match combination.api {
        Api::Mws => (json!("ProcessingFailure"), "sync_then_async"),
        // There it is a decline where it comes later.
        Api::V2 => (json!({"outcome": "ProcessingFailure", "afterSeconds": 1}), "async"),
    };
    let reference = app.reference(json!([failure, failure, failure])).await;
    let mut body = order("o-2", &reference);
    body["authorization"] = json!(mode);
    let declined = verdict(&app, "2", &body).await;
    assert_decline(&declined, "ProcessingFailure", "soft", "none", true);
    assert_eq!(declined["data"]["epoch"], 3);
    // Time mends it: the order sent again later is paid.
    let paid = verdict(&app, "3", &body).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(4)));
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}

async fn a_slow_decision_is_followed_to_its_end(combination: Combination) {
    let app = app(combination).await;
    // Synchronously no decision, asynchronously one after ten minutes.
    let slow = json!([{"outcome": "approve", "afterSeconds": 600}]);
    let reference = app.reference(slow.clone()).await;
    accepted(&app, "1", &order("o-1", &reference)).await;
    let pending = news(&app, &of_order("o-1"), "pending", 2).await;
    assert_eq!(pending["data"]["pending"], json!({"cause": "amazon"}));
    assert!(captured(&app, &reference.id).await.is_empty());
    let view =
        app.api.get(&format!("/v1/orders/{}/o-1", crate::support::app::MID)).await.expect(200);
    assert_eq!(view["status"], "pending");
    app.sim.advance(700).await;
    let paid = news(&app, &of_order("o-1"), "paid", 2).await;
    assert_eq!(paid["data"]["capturedAmount"], "29.95");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    let told = told(&app, &of_order("o-1")).await;
    assert_eq!(story(&told), [("pending".to_owned(), 2), ("paid".to_owned(), 2)]);

    // … and no decision at all within Amazon's time.
    let reference = app.reference(json!(["TransactionTimedOut", "TransactionTimedOut"])).await;
    accepted(&app, "2", &order("o-2", &reference)).await;
    if combination.api == Api::Mws {
        // v2 says so at once.
        news(&app, &of_order("o-2"), "pending", 2).await;
        app.sim.advance(2 * 86_400).await;
    }
    let declined = news(&app, &of_order("o-2"), "declined", 2).await;
    assert_decline(&declined, "TransactionTimedOut", "soft", "none", true);

    // Asynchronous from the start, declined by and by.
    let plan = json!([{"outcome": "InvalidPaymentMethod", "afterSeconds": 60}]);
    let reference = app.reference(plan).await;
    let mut body = order("o-3", &reference);
    body["authorization"] = json!("async");
    accepted(&app, "3", &body).await;
    news(&app, &of_order("o-3"), "pending", 1).await;
    app.sim.advance(100).await;
    let declined = news(&app, &of_order("o-3"), "declined", 1).await;
    assert_decline(&declined, "InvalidPaymentMethod", "soft", "update_payment_method", true);

    // Synchronous or not at all.
    let reference = app.reference(slow).await;
    let mut body = order("o-4", &reference);
    body["authorization"] = json!("sync");
    let declined = verdict(&app, "4", &body).await;
    assert_decline(&declined, "TransactionTimedOut", "soft", "none", true);
    assert_eq!(declined["data"]["epoch"], 1);

    // Authorized, to be captured by and by; so is what is not to be charged at first.
    let uncharged = json!({"initialCharge": false});
    for (field, value) in [("capture", json!("manual")), ("recurring", uncharged)] {
        let reference = app.reference(Value::Null).await;
        let mut body = order(&format!("rest-{field}"), &reference);
        body[field] = value;
        let rest = verdict(&app, field, &body).await;
        assert_eq!(
            (&rest["data"]["status"], &rest["data"]["capturedAmount"]),
            (&json!("authorized"), &json!("0.00"))
        );
        assert!(rest["data"].get("amazonCaptureId").is_none(), "{rest}");
        assert_eq!(verdict(&app, &format!("{field} again"), &body).await, rest);
        let moved = moved(&app, &reference.id).await;
        assert_eq!((moved.len(), &moved["authorize"]), (1, &vec!["29.95".to_owned()]));
    }
}

async fn a_declined_capture_is_asked_again_once(combination: Combination) {
    let app = app(combination).await;
    let reference = app.reference(json!({"capture": ["ProcessingFailure", "approve"]})).await;
    let paid = verdict(&app, "1", &order("o-1", &reference)).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(1)));
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);

    let reference = app.reference(json!({"capture": ["AmazonRejected"]})).await;
    let declined = verdict(&app, "2", &order("o-2", &reference)).await;
    assert_decline(&declined, "AmazonRejected", "hard", "use_other_method", false);
    let moved = moved(&app, &reference.id).await;
    assert!(!moved.contains_key("capture"), "{moved:?}");

    let plan = json!({"capture": ["ProcessingFailure", "ProcessingFailure"]});
    let reference = app.reference(plan).await;
    let body = order("o-3", &reference);
    let epoch = match combination.api {
        Api::Mws => {
            let declined = verdict(&app, "3", &body).await;
            assert_decline(&declined, "ProcessingFailure", "soft", "none", true);
            assert!(captured(&app, &reference.id).await.is_empty());
            2
        }
        // There a failure is no decline: the same call under the same key, until it is done.
        Api::V2 => 1,
    };
    let paid = verdict(&app, "4", &body).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(epoch)));
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}
