//! What only API v2 has: checkout sessions of every intent, permissions that others have charged,
//! answers that Amazon only repeats; and the way across for a MID that comes from MWS.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{MID, merchant, merchant_by_v2, merchant_id, order, upsell};
use crate::support::sim::Reference;
use crate::support::{Api, App, Combination, eventually, on_every_combination, v2};
use crate::world::{
    assert_decline, assert_names, captured, conflict, dead_letter, moved, news, of_order, story,
    told, verdict,
};

on_every_combination!(
    a_session_does_what_its_intent_says,
    a_session_that_says_something_else_is_rejected,
    what_is_completed_already_is_taken_as_it_is,
    a_key_that_only_fails_is_never_replaced,
    a_standing_session_is_charged_as_it_says_and_its_month_measured,
    the_order_of_a_standing_session_is_charged_for_every_cycle,
    a_lost_answer_to_a_completion_charges_nobody,
    a_mid_goes_over_and_comes_back,
    what_mws_left_in_draft_outlives_a_worker,
);

async fn app(combination: Combination) -> App {
    App::builder(combination.by(Api::V2)).env("PENDING_POLL_FIRST", 1).start().await
}

/// A call of the same merchant by another integration of his.
pub(crate) async fn call(
    app: &App,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: &Value,
) -> Value {
    let account = v2::Account::of(&merchant_by_v2(MID));
    let reply = v2::call(&app.sim.server, &account, (method, path), key, body).await;
    assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
    reply.json()
}

async fn complete(app: &App, session: &Reference, amount: &str) -> Value {
    let path = format!("checkoutSessions/{}/complete", session.id);
    let body = json!({ "chargeAmount": { "amount": amount, "currencyCode": "USD" } });
    call(app, Method::POST, &path, None, &body).await
}

async fn a_session_does_what_its_intent_says(combination: Combination) {
    let app = app(combination).await;
    for intent in ["Confirm", "Authorize", "AuthorizeWithCapture"] {
        let session = app.session(intent, "29.95", Value::Null).await;
        let paid = verdict(&app, intent, &order(intent, &session)).await;
        assert_eq!(paid["data"]["status"], "paid", "{intent}: {paid}");
        assert_eq!(paid["data"]["amazonOrderId"], session.id);
        // The permission that it became is the same consent to whoever asks again.
        let path = format!("checkoutSessions/{}", session.id);
        let seen = call(&app, Method::GET, &path, None, &Value::Null).await;
        let mut again = order(intent, &session);
        again["amazonOrderId"] = seen["chargePermissionId"].clone();
        assert_eq!(verdict(&app, &format!("{intent} again"), &again).await, paid);
        assert_eq!(paid["data"]["buyer"]["firstName"], "Ada", "{intent}: {paid}");
        assert_eq!(captured(&app, &session.id).await, ["29.95"], "{intent}");
        let entries = app.sim.moved(&session.id, "capture").await;
        assert_eq!(entries[0]["sellerOrderId"], intent, "{entries:?}");
    }
    for intent in ["Confirm", "Authorize"] {
        let session = app.session(intent, "29.95", Value::Null).await;
        let mut body = order(&format!("rest-{intent}"), &session);
        body["capture"] = json!("manual");
        let rest = verdict(&app, &format!("rest {intent}"), &body).await;
        assert_eq!(rest["data"]["status"], "authorized", "{intent}: {rest}");
        assert!(captured(&app, &session.id).await.is_empty());
    }
    for intent in ["Confirm", "Authorize", "AuthorizeWithCapture"] {
        for (code, softness, action) in [
            ("AmazonRejected", "hard", "use_other_method"),
            ("TransactionTimedOut", "soft", "none"),
            ("InvalidPaymentMethod", "soft", "update_payment_method"),
        ] {
            let session = app.session(intent, "29.95", json!([code])).await;
            let mut body = order(&format!("{intent}-{code}"), &session);
            body["authorization"] = json!("sync");
            let declined = verdict(&app, &format!("{intent} {code}"), &body).await;
            assert_decline(&declined, code, softness, action, softness == "soft");
        }
    }
    // Declined on Amazon's own page: another checkout may be paid.
    let plan = json!(["InvalidPaymentMethod"]);
    let session = app.session("AuthorizeWithCapture", "29.95", plan).await;
    let declined = verdict(&app, "d", &order("o-d", &session)).await;
    assert_decline(&declined, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    let other = app.session("AuthorizeWithCapture", "29.95", Value::Null).await;
    let paid = verdict(&app, "e", &order("o-d", &other)).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(2)));
}

async fn a_session_that_says_something_else_is_rejected(combination: Combination) {
    let app = app(combination).await;
    let session = app.session("AuthorizeWithCapture", "31.00", Value::Null).await;
    conflict(&app, "1", &order("o-1", &session), "amount").await;
    assert!(moved(&app, &session.id).await.is_empty());
    let mut right = order("o-1", &session);
    right["amount"] = json!("31.00");
    let mut manual = right.clone();
    manual["capture"] = json!("manual");
    conflict(&app, "2", &manual, "capture").await;
    assert!(moved(&app, &session.id).await.is_empty());
    // It was nobody's fault but the messages': judged afresh it is paid.
    assert_eq!(verdict(&app, "3", &right).await["data"]["status"], "paid");
    assert_eq!(captured(&app, &session.id).await, ["31.00"]);
    // A session and its permission are one reference to everybody else.
    let mut other = order("o-2", &session);
    other["amount"] = json!("31.00");
    conflict(&app, "4", &other, "amazonOrderId").await;
    let entries = app.sim.moved(&session.id, "capture").await;
    other["amazonOrderId"] = entries[0]["objectId"].clone();
    conflict(&app, "5", &other, "amazonOrderId").await;
    assert_eq!(captured(&app, &session.id).await, ["31.00"]);
    let unknown = Reference { id: "bd504926-f659-4ad7-a1a9-9a747aaf5275".to_owned(), ..session };
    let rejected = verdict(&app, "6", &order("o-3", &unknown)).await;
    assert_eq!(rejected["data"]["decline"]["code"], "unknown_reference", "{rejected}");
    assert_eq!(rejected["data"]["amazonOrderId"], unknown.id, "{rejected}");
    assert_names(&rejected["data"]["decline"]["errors"], "amazonOrderId");
}

async fn what_is_completed_already_is_taken_as_it_is(combination: Combination) {
    let app = app(combination).await;
    let session = app.session("AuthorizeWithCapture", "29.95", Value::Null).await;
    let done = complete(&app, &session, "29.95").await;
    let mut dear = order("o-1", &session);
    dear["amount"] = json!("31.00");
    conflict(&app, "1", &dear, "amount").await;
    let paid = verdict(&app, "2", &order("o-1", &session)).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(paid["data"]["amazonCaptureId"], done["chargeId"]);
    assert_eq!(captured(&app, &session.id).await, ["29.95"]);

    // One that was only confirmed is charged, once, by whichever name it is known.
    let session = app.session("Confirm", "29.95", Value::Null).await;
    let done = complete(&app, &session, "29.95").await;
    let permission = Reference {
        id: done["chargePermissionId"].as_str().unwrap().to_owned(),
        token: session.token.clone(),
    };
    let paid = verdict(&app, "3", &order("o-3", &permission)).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    conflict(&app, "4", &order("o-4", &session), "amazonOrderId").await;
    assert_eq!(captured(&app, &session.id).await, ["29.95"]);

    // Somebody else has charged it.
    let session = app.session("Confirm", "29.95", Value::Null).await;
    let done = complete(&app, &session, "29.95").await;
    let charge = json!({
        "chargePermissionId": done["chargePermissionId"], "captureNow": true,
        "chargeAmount": { "amount": "9.95", "currencyCode": "USD" },
    });
    call(&app, Method::POST, "charges", Some("somebody-else"), &charge).await;
    conflict(&app, "5", &order("o-5", &session), "amazonOrderId").await;
    assert_eq!(captured(&app, &session.id).await, ["9.95"]);
}

async fn a_key_that_only_fails_is_never_replaced(combination: Combination) {
    let app = App::builder(combination.by(Api::V2))
        .env("RETRY_BUDGET_CHECKOUT", 1)
        .env("PROCESSING_FAILURE_WAIT", 1)
        .start()
        .await;
    // Amazon keeps what went wrong under a key, and repeats it.
    app.sim.set(json!({ "readings": { "12": "b" } })).await;
    let session = app.reference(Value::Null).await;
    let refused = json!([{
        "match": { "operation": "CreateCharge" }, "fault": "status", "status": 500, "times": 1,
    }]);
    app.sim.faults(refused).await;
    crate::world::accepted(&app, "1", &order("o-1", &session)).await;
    let letter = dead_letter(&app, |letter| letter["orderId"] == "o-1").await;
    assert_eq!(letter["reason"], "unknown_outcome", "{letter}");
    let pending = news(&app, &of_order("o-1"), "pending", 1).await;
    assert_eq!(pending["data"]["pending"], json!({ "cause": "operator" }));
    assert!(captured(&app, &session.id).await.is_empty());
}

fn charge(id: &str, permission: &str, amount: &str) -> Value {
    json!({
        "chargeId": id, "amazonBillerId": MID, "amazonBillingAgreementId": permission,
        "amount": amount, "currency": "USD",
    })
}

/// The permission that came of a session, by the ledger.
async fn permission_of(app: &App, session: &Reference) -> String {
    let entries = app.sim.moved(&session.id, "capture").await;
    entries[0]["objectId"].as_str().unwrap().to_owned()
}

async fn a_standing_session_is_charged_as_it_says_and_its_month_measured(combination: Combination) {
    let app = app(combination).await;
    for intent in ["Confirm", "Authorize", "AuthorizeWithCapture"] {
        let session = app.standing_session(intent, Value::Null).await;
        let paid = verdict(&app, intent, &order(intent, &session)).await;
        assert_eq!(paid["data"]["status"], "paid", "{intent}: {paid}");
        assert_eq!(captured(&app, &session.id).await, ["29.95"], "{intent}");
        let permission = permission_of(&app, &session).await;
        let (most, more) = (format!("most-{intent}"), format!("more-{intent}"));
        let paid = verdict(&app, &most, &charge(&most, &permission, "970.05")).await;
        assert_eq!(paid["data"]["status"], "paid", "{intent}: {paid}");
        // A permission's month is 1,000.00, and its first charge is a part of it.
        let over = verdict(&app, &more, &charge(&more, &permission, "0.01")).await;
        assert_decline(&over, "BillingAgreementAmountExceeded", "soft", "none", true);
        assert_eq!(over["data"]["decline"].get("amazonReason"), None, "{over}");
        assert_eq!(captured(&app, &session.id).await, ["29.95", "970.05"], "{intent}");
    }
    // Without a first charge there is nothing to capture, and nothing keeps it from ending.
    let session = app.standing_session("Confirm", Value::Null).await;
    let mut body = order("o-r", &session);
    body["recurring"] = json!({ "initialCharge": false });
    let rest = verdict(&app, "r", &body).await;
    assert_eq!(rest["data"]["status"], "authorized", "{rest}");
    assert_eq!(rest["data"]["capturedAmount"], "0.00", "{rest}");
    for (what, request) in [("captures", "c1"), ("refunds", "r1")] {
        let path = format!("/v1/orders/{MID}/o-r/{what}");
        let asked = json!({ "requestId": request });
        let problem = app.api.post_with(&path, &[("prefer", "wait=30")], &asked).await.expect(409);
        assert_names(&problem["errors"], "orderId");
    }
    let path = format!("/v1/orders/{MID}/o-r/cancel");
    let asked = json!({ "requestId": "x1" });
    let done = app.api.post_with(&path, &[("prefer", "wait=30")], &asked).await.expect(200);
    assert_eq!(done["status"], "canceled", "{done}");
    assert!(moved(&app, &session.id).await.is_empty());
    // One that charges when it is completed cannot be without.
    let session = app.standing_session("AuthorizeWithCapture", Value::Null).await;
    let mut body = order("o-c", &session);
    body["recurring"] = json!({ "initialCharge": false });
    conflict(&app, "c", &body, "recurring").await;
    assert!(moved(&app, &session.id).await.is_empty());
}

async fn the_order_of_a_standing_session_is_charged_for_every_cycle(combination: Combination) {
    let app = app(combination).await;
    let plan = json!(["approve", "approve", "InvalidPaymentMethod"]);
    let session = app.standing_session("Confirm", plan).await;
    let paid = verdict(&app, "o", &order("o-1", &session)).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    let permission = permission_of(&app, &session).await;
    let of_cycle = |id: &str| {
        let mut body = charge(id, &permission, "20.00");
        body["orderId"] = json!("o-1");
        body["cycle"] = json!(id);
        body
    };
    let paid = verdict(&app, "c-1", &of_cycle("c-1")).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    let declined = verdict(&app, "c-2", &of_cycle("c-2")).await;
    assert_decline(&declined, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    app.sim.mend_payment_method(&permission).await;
    let paid = verdict(&app, "c-2 again", &of_cycle("c-2")).await;
    assert_eq!((&paid["data"]["status"], &paid["data"]["epoch"]), (&json!("paid"), &json!(2)));
    // The permission is nobody's own for a second order, either.
    let mut second = order("o-2", &session);
    second["amazonOrderId"] = json!(permission);
    let paid = verdict(&app, "o-2", &second).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(captured(&app, &session.id).await, ["29.95", "20.00", "20.00", "29.95"]);
    // The session itself is.
    conflict(&app, "o-3", &order("o-3", &session), "amazonOrderId").await;
}

async fn a_lost_answer_to_a_completion_charges_nobody(combination: Combination) {
    let app = app(combination).await;
    let lost = json!([{
        "match": { "operation": "CompleteCheckoutSession" }, "fault": "reset_after", "times": 1,
    }]);
    for (id, first, money) in [("o-1", true, vec!["29.95"]), ("o-2", false, vec![])] {
        app.sim.faults(lost.clone()).await;
        let session = app.standing_session("Confirm", Value::Null).await;
        let mut body = order(id, &session);
        body["recurring"] = json!({ "initialCharge": first });
        let event = verdict(&app, id, &body).await;
        let status = if first { "paid" } else { "authorized" };
        assert_eq!(event["data"]["status"], status, "{event}");
        assert_eq!(captured(&app, &session.id).await, money);
    }
}

async fn a_mid_goes_over_and_comes_back(combination: Combination) {
    let app = App::builder(combination).env("PENDING_POLL_FIRST", 1).start().await;
    let seller = merchant_id(MID);
    let upgrade = json!({ "merchantId": seller, "upgradeKeys": ["AFVKS7ABCDEFGHIJKLMNOPQR"] });
    app.sim.play("/sellers", &upgrade).await;
    // Of the days of MWS: paid, and in the middle.
    let before = app.reference(Value::Null).await;
    let mut body = order("o-1", &before);
    body["amount"] = json!("200.00");
    assert_eq!(verdict(&app, "1", &body).await["data"]["status"], "paid");
    let slow = app.reference(json!([{ "outcome": "approve", "afterSeconds": 600 }])).await;
    crate::world::accepted(&app, "2", &order("o-2", &slow)).await;
    news(&app, &of_order("o-2"), "pending", 2).await;

    let shown = app.cli_json(&["mid", "upgrade-key", MID, "--json"]);
    assert_eq!((&shown["api"], &shown["publicKeyId"]), (&json!("v2"), &upgrade["upgradeKeys"][0]));
    assert_eq!(shown["accessKey"], merchant(MID)["accessKey"], "the old keys are kept");
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    app.cli_done(&["mid", "test", MID]);
    // Once more changes nothing.
    assert_eq!(app.cli_json(&["mid", "upgrade-key", MID, "--json"]), shown);
    // Running roles know it within five seconds.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;

    let paid = verdict(&app, "1u", &upsell("o-1", "u-1")).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(captured(&app, &before.id).await, ["200.00", "4.00"]);
    let calls = app.sim.calls(&seller).await;
    assert!(calls.to_string().contains("CreateCharge"), "{calls}");
    // What MWS captured is refunded by v2.
    let refund = json!({ "requestId": "r-1", "amount": "10.00", "currency": "USD" });
    app.api.post(&format!("/v1/orders/{MID}/o-1/refunds"), &refund).await.expect(202);
    let refunded = eventually("the refund", async || {
        app.sim.advance(600).await;
        let view = app.api.get(&format!("/v1/orders/{MID}/o-1")).await.expect(200);
        (view["data"]["refundedAmount"] == "10.00").then_some(view)
    })
    .await;
    assert_eq!(refunded["status"], "paid", "{refunded}");
    let calls = app.sim.calls(&seller).await;
    assert!(calls.to_string().contains("CreateRefund"), "{calls}");
    // What the widgets still leave in Draft is confirmed by MWS and charged by v2.
    let draft = app.reference(Value::Null).await;
    let paid = verdict(&app, "3", &order("o-3", &draft)).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(captured(&app, &draft.id).await, ["29.95"]);
    // What was in the middle is finished by the API that began it.
    news(&app, &of_order("o-2"), "paid", 2).await;
    assert_eq!(captured(&app, &slow.id).await, ["29.95"]);
    let events = told(&app, &of_order("o-2")).await;
    assert_eq!(story(&events), [("pending".to_owned(), 2), ("paid".to_owned(), 2)]);

    let shown = app.cli_json(&["mid", "upgrade-key", MID, "--back", "--json"]);
    assert_eq!(shown["api"], "mws");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let after = app.reference(Value::Null).await;
    let paid = verdict(&app, "4", &order("o-4", &after)).await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    let again = app.cli_json(&["mid", "upgrade-key", MID, "--json"]);
    assert_eq!((&again["api"], &again["publicKeyId"]), (&json!("v2"), &shown["publicKeyId"]));
}

/// What a worker that dies may have sent is sent again, but not blindly: on a permission that is
/// not confirmed yet nothing was charged, and Amazon would keep its "no" under that key.
async fn what_mws_left_in_draft_outlives_a_worker(combination: Combination) {
    let app = App::builder(combination).processes(&["ingest,relay", "worker"]);
    let mut app = app.start().await;
    let upgrade = json!({ "merchantId": merchant_id(MID), "upgradeKeys": ["AKEYOFMID1"] });
    app.sim.play("/sellers", &upgrade).await;
    app.cli_done(&["mid", "upgrade-key", MID]);
    // Started again it knows the MID as it is now.
    app.crash("worker").await;
    let draft = app.reference(Value::Null).await;
    let operation = "SetOrderReferenceDetails";
    let slow = json!([{
        "match": { "operation": operation }, "fault": "delay", "delayMs": 1_500, "times": 1,
    }]);
    app.sim.faults(slow).await;
    crate::world::accepted(&app, "1", &order("o-1", &draft)).await;
    eventually("the call", async || {
        let calls = app.sim.calls("").await;
        calls["calls"][operation].as_u64().filter(|calls| *calls > 0)
    })
    .await;
    app.crash("worker").await;
    assert_eq!(app.done("o-1").await["status"], "paid");
    assert_eq!(captured(&app, &draft.id).await, ["29.95"]);
    let calls = app.sim.calls("").await;
    assert_eq!(calls["calls"]["CreateCharge"], 1, "{calls}");
}
