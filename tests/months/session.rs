//! A checkout session that charges by its own intent when the worker completes it: there was no
//! mandate that the charge could have been measured by, and from then on there is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{buyer, v2};
use crate::world::{Mid, World};
use crate::{day, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_charges_by_itself_counts_in_the_mandates_month() {
    for (intent, amount) in [("AuthorizeWithCapture", "300.00"), ("Authorize", "299.99")] {
        let mid = Mid { by_v2: true, ..Mid::new(0) };
        let mut world = World::start(1, &[mid], day(0, 1) + 1_000).await;
        let mid = Mid { by_v2: true, ..Mid::new(0) };
        let known = json!({
            "region": "na", "publicKeyId": mid.key_id(), "storeId": mid.store_id(),
        });
        let asked = buyer::standing(&known, intent, (amount, "USD"));
        let create = (Method::POST, "checkoutSessions");
        let key = Some("0123456789abcdef0123456789abcdef");
        let account = v2::Account::of(&known);
        let made = v2::call(&world.amazon, &account, create, key, &asked).await.expect(201);
        let session = made["checkoutSessionId"].as_str().unwrap();
        world.play(&format!("/checkout-sessions/{session}/approve"), &json!({})).await;
        let order = json!({
            "orderId": "o-1",
            "amazonBillerId": mid.id,
            "amazonOrderId": session,
            "amount": amount,
            "currency": "USD",
        });
        world.send("order.import", "m-1".to_owned(), &order);
        world.calm().await;
        let heard = world.heard();
        let event: Value = serde_json::from_str(heard.last().expect("an event")).unwrap();
        assert_eq!(event["type"], "payments.order.paid", "{event}");
        let ledger = world.amazon.get("/_sim/ledger").await.expect(200);
        let permission = ledger["entries"][0]["objectId"].as_str().unwrap();
        let mandate = world.mandate(permission).expect("a mandate");
        let held: Vec<(&str, i64)> =
            mandate.held.iter().map(|held| (held.payment.as_str(), held.amount.minor())).collect();
        assert_eq!(held, [("mid-0/order/o-1", told::cents(&json!(amount)))], "{mandate:?}");
    }
}
