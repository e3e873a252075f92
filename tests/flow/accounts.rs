//! Several merchant accounts at once: each region with its currencies, sandbox and live, keys of
//! its own or delegated, and quotas that one exhausts without the others noticing.

use serde_json::{Value, json};

use crate::support::app::{MID, merchant, merchant_by, merchant_id, order};
use crate::support::buyer::ada;
use crate::support::{Api, App, Combination, on_every_api, on_every_combination};
use crate::world::{accepted, ask, assert_names, captured, news, of_order, verdict};

on_every_api!(every_region_has_its_currencies, a_quota_delays_and_loses_nothing);
// A permission of v2 shows its buyer without a token, and its sandbox reads no note.
on_every_combination!(a_token_and_a_note_are_amazons_to_read);

async fn every_region_has_its_currencies(combination: Combination) {
    let app = App::start(combination).await;
    for (mid, region, sandbox, amount, currency) in [
        ("eu-1", "eu", true, "19.90", "EUR"),
        ("uk-1", "uk", false, "19.90", "GBP"),
        ("jp-1", "jp", true, "1990", "JPY"),
        ("eu-2", "eu", false, "250.5", "SEK"),
        ("na-2", "na", false, "19.90", "USD"),
    ] {
        let mut account = merchant_by(combination.api, mid);
        account["region"] = json!(region);
        account["sandbox"] = json!(sandbox);
        match combination.api {
            Api::Mws if mid == "na-2" => account["mwsAuthToken"] = json!("amzn.mws.delegated"),
            Api::V2 if !sandbox => {
                account["publicKeyId"] = json!(format!("LIVE-{}", merchant_id(mid)));
            }
            Api::Mws | Api::V2 => {}
        }
        app.add_mid(&account).await;
        let shown = if amount == "250.5" { "250.50" } else { amount };
        let price = (shown, currency);
        let reference = app.reference_from(&ada(), &account, price, Value::Null).await;
        let mut body = order("o-1", &reference);
        body["amazonBillerId"] = json!(mid);
        body["amount"] = json!(amount);
        body["currency"] = json!(currency);
        // The same orderId through another MID is another payment.
        let paid = verdict(&app, mid, &body).await;
        assert_eq!(paid["data"]["status"], "paid", "{mid}: {paid}");
        let told = [&paid["data"]["amount"], &paid["data"]["capturedAmount"]];
        assert_eq!(told, [&json!(shown), &json!(shown)], "{mid}: {paid}");
        assert_eq!(captured(&app, &reference.id).await, [shown], "{mid}");
    }
    // A currency that the region lacks, and a fraction that the yen lacks.
    for (mid, amount, currency, field) in [
        ("na-2", "1.00", "EUR", "currency"),
        ("jp-1", "1", "USD", "currency"),
        ("eu-1", "1.00", "CAD", "currency"),
        ("jp-1", "19.90", "JPY", "amount"),
    ] {
        let reference = app.sim.order_reference(&merchant_id(mid), Value::Null).await;
        let mut body = order("o-2", &reference);
        body["amazonBillerId"] = json!(mid);
        body["amount"] = json!(amount);
        body["currency"] = json!(currency);
        let refused = ask(&app, &format!("{mid}{currency}{field}"), &body).await;
        assert_names(&refused.expect(422)["errors"], field);
    }
    without_an_order_id(&app).await;
}

/// On the CRM's path it may be left out.
async fn without_an_order_id(app: &App) {
    let reference = app.reference_of("5.00", Value::Null).await;
    let fields = [
        ("amazonBillerId", MID),
        ("amazonOrderId", reference.id.as_str()),
        ("paySource", "AMAZON"),
        ("product1_price", "5.00"),
    ];
    let answer = app.crm("/order/import/", &fields).await;
    assert_eq!(answer["message"]["orderStatus"], "COMPLETE", "{answer}");
    assert_eq!(answer["message"]["orderId"], reference.id, "{answer}");
    assert_eq!(captured(app, &reference.id).await, ["5.00"]);
}

async fn a_token_and_a_note_are_amazons_to_read(combination: Combination) {
    let app = App::start(combination).await;
    app.add_mid(&merchant("na-2")).await;
    somebody_elses_token(&app).await;
    let reference = app.reference(Value::Null).await;
    let mut body = order("n-1", &reference);
    let simulated = json!({"State": "Declined", "ReasonCode": "AmazonRejected"});
    body["note"] = json!(json!({"SandboxSimulation": simulated}).to_string());
    body["softDescriptor"] = json!("SIXTEEN*LETTERS!");
    body["storeName"] = json!("Müller's Shop, 東京");
    body["customInformation"] = json!("a+b = c/d & 50 %");
    let declined = verdict(&app, "n-1", &body).await;
    assert_eq!(declined["data"]["decline"]["code"], "AmazonRejected", "{declined}");
}

/// It stops no payment; nobody is told who the buyer is.
async fn somebody_elses_token(app: &App) {
    let other = app.sim.order_reference(&merchant_id("na-2"), Value::Null).await;
    for (order_id, token) in [("t-1", other.token.as_str()), ("t-2", "Atza|nobody-has-this")] {
        let reference = app.reference(Value::Null).await;
        let mut body = order(order_id, &reference);
        body["amazonAddressConsent"] = json!(token);
        let paid = verdict(app, order_id, &body).await;
        assert_eq!(paid["data"]["status"], "paid", "{paid}");
        assert!(paid["data"].get("shippingAddress").is_none(), "{paid}");
        assert_eq!(captured(app, &reference.id).await, ["29.95"]);
    }
}

async fn a_quota_delays_and_loses_nothing(combination: Combination) {
    let app = App::start(combination).await;
    let second = merchant_by(combination.api, "mid-2");
    app.add_mid(&second).await;
    let mut orders = Vec::new();
    for number in 0..16 {
        orders.push((format!("o-{number}"), app.reference(Value::Null).await));
    }
    let other = app.reference_at(&second, "29.95", Value::Null).await;
    // Production's burst is ten, then one a second.
    app.sim.set(json!({"quotas": true})).await;
    for (order_id, reference) in &orders {
        accepted(&app, order_id, &order(order_id, reference)).await;
    }
    let mut free = order("free", &other);
    free["amazonBillerId"] = json!("mid-2");
    assert_eq!(verdict(&app, "free", &free).await["data"]["status"], "paid");
    for (order_id, reference) in &orders {
        news(&app, &of_order(order_id), "paid", 1).await;
        assert_eq!(captured(&app, &reference.id).await, ["29.95"], "{order_id}");
    }
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
    let listed = app.cli_json(&["order", "list", "--mid", MID, "--json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(orders.len()), "{listed}");
}
