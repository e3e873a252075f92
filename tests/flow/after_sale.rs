//! After the sale: captures, refunds and cancels over the project's own API and the CRM's paths,
//! with the ledger as the judge of what really moved.

use serde_json::{Value, json};

use crate::faults::all_faults_were_met;
use crate::support::app::{MID, order};
use crate::support::http::Reply;
use crate::support::sim::Reference;
use crate::support::{Api, App, Combination, eventually, on_every_api};
use crate::world::{
    accepted, assert_decline, assert_event, assert_names, captured, dead_letter, moved, news,
    of_order, story, told, verdict,
};

on_every_api!(
    a_part_is_captured_and_the_rest_released,
    refunds_are_followed_to_their_end,
    a_refund_that_amazon_declines_gives_its_amount_back,
    a_cancel_is_as_careful_as_the_payment_needs,
    the_crm_refunds_and_cancels,
    a_cut_line_refunds_nobody_twice,
    a_worker_that_dies_refunds_nobody_twice,
    an_operator_s_act_spoils_nothing_that_is_in_hand,
);

fn manual(order_id: &str, reference: &Reference) -> Value {
    let mut body = order(order_id, reference);
    body["capture"] = json!("manual");
    body
}

/// Asks for an operation and waits for its verdict.
async fn ask(app: &App, order_id: &str, what: &str, key: &str, body: &Value) -> Reply {
    let path = format!("/v1/orders/{MID}/{order_id}/{what}");
    app.api.post_with(&path, &[("prefer", "wait=30"), ("idempotency-key", key)], body).await
}

/// … which comes at once.
async fn done(app: &App, order_id: &str, what: &str, key: &str, body: &Value) -> Value {
    let answer = ask(app, order_id, what, key, body).await.expect(200);
    assert_event(&answer["event"]);
    assert_eq!(answer["status"], answer["event"]["data"]["status"], "{answer}");
    answer["event"].clone()
}

/// … which is a conflict that names this field.
async fn conflict(app: &App, order_id: &str, what: &str, key: &str, body: &Value, field: &str) {
    let problem = ask(app, order_id, what, key, body).await.expect(409);
    assert_names(&problem["errors"], field);
}

/// Asks for an operation and does not wait.
async fn begun(app: &App, order_id: &str, what: &str, key: &str, body: &Value) {
    let path = format!("/v1/orders/{MID}/{order_id}/{what}");
    let answer = app.api.post_with(&path, &[("idempotency-key", key)], body).await.expect(202);
    assert_eq!((&answer["status"], &answer["orderId"]), (&json!("accepted"), &json!(order_id)));
}

/// The event with this status of an operation, once it is there.
async fn result(app: &App, order_id: &str, request: &str, status: &str) -> Value {
    let what = format!("{status} of {request} on {order_id}");
    let event = app
        .event_where(&what, |event| {
            event["subject"] == of_order(order_id).as_str()
                && event["data"]["requestId"] == request
                && event["data"]["status"] == status
        })
        .await;
    assert_event(&event);
    event
}

/// Amazon's clock goes on until the result is there.
async fn in_time(app: &App, order_id: &str, request: &str, status: &str) -> Value {
    eventually(&format!("{status} of {request}"), async || {
        app.sim.advance(40).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let events = told(app, &of_order(order_id)).await;
        events.into_iter().find(|event| {
            event["data"]["requestId"] == request && event["data"]["status"] == status
        })
    })
    .await
}

async fn paid(app: &App, order_id: &str, plan: Value) -> Reference {
    let reference = app.reference(plan).await;
    let event = verdict(app, &format!("sale-{order_id}"), &order(order_id, &reference)).await;
    assert_eq!(event["data"]["status"], "paid", "{event}");
    reference
}

async fn view(app: &App, order_id: &str) -> Value {
    app.api.get(&format!("/v1/orders/{MID}/{order_id}")).await.expect(200)
}

async fn a_part_is_captured_and_the_rest_released(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference(Value::Null).await;
    let rest = verdict(&app, "1", &manual("o-1", &reference)).await;
    assert_eq!(rest["data"]["status"], "authorized", "{rest}");
    let above = json!({"requestId": "c0", "amount": "29.96"});
    conflict(&app, "o-1", "captures", "c0", &above, "amount").await;
    conflict(&app, "o-1", "refunds", "r0", &json!({"requestId": "r0"}), "orderId").await;
    let part = json!({"requestId": "c1", "amount": "10.00", "currency": "USD"});
    let event = done(&app, "o-1", "captures", "c1", &part).await;
    let data = &event["data"];
    assert_eq!(event["type"], "payments.order.paid");
    assert_eq!(
        json!([data["amount"], data["capturedAmount"], data["refundedAmount"], data["operation"]]),
        json!(["29.95", "10.00", "0.00", "capture"])
    );
    assert_eq!(data["messageId"], rest["data"]["messageId"]);
    let moved = moved(&app, &reference.id).await;
    assert_eq!(
        (&moved["capture"][..], &moved["release"][..]),
        (&["10.00".to_owned()][..], &["19.95".to_owned()][..])
    );
    // Again, under any message id: the same document.
    assert_eq!(done(&app, "o-1", "captures", "c1-again", &part).await, event);
    let other = json!({"requestId": "c1", "amount": "11.00"});
    conflict(&app, "o-1", "captures", "c1-other", &other, "amount").await;
    conflict(&app, "o-1", "captures", "c2", &json!({"requestId": "c2"}), "orderId").await;
    let shown = view(&app, "o-1").await;
    assert_eq!((&shown["status"], &shown["capturedAmount"]), (&json!("paid"), &json!("10.00")));
    assert_eq!(shown["data"]["amazonCaptureId"], data["amazonCaptureId"]);
    assert_eq!(captured(&app, &reference.id).await, ["10.00"]);

    let refused = app.reference(json!({"capture": ["AmazonRejected"]})).await;
    verdict(&app, "2", &manual("o-2", &refused)).await;
    let event = done(&app, "o-2", "captures", "c", &json!({"requestId": "c"})).await;
    assert_decline(&event, "AmazonRejected", "hard", "use_other_method", false);
    let moved = crate::world::moved(&app, &refused.id).await;
    assert_eq!((moved.get("capture"), &moved["release"][..]), (None, &["29.95".to_owned()][..]));
    let bad = json!({"requestId": "c9", "amount": "0", "orderId": "o-1", "what": 1});
    let problem = ask(&app, "o-1", "captures", "c9", &bad).await.expect(422);
    for field in ["amount", "orderId", "what"] {
        assert_names(&problem["errors"], field);
    }
}

async fn refunds_are_followed_to_their_end(combination: Combination) {
    let app = App::builder(combination).env("PENDING_POLL_FIRST", 1).start().await;
    // Asked before its order is known: it waits for it.
    let first = json!({"requestId": "r1", "amount": "10.00"});
    begun(&app, "o-1", "refunds", "r1", &first).await;
    let reference = paid(&app, "o-1", Value::Null).await;
    let news = result(&app, "o-1", "r1", "operation_pending").await;
    assert_eq!(news["data"]["pending"]["cause"], "amazon");
    begun(&app, "o-1", "refunds", "r1-again", &first).await;
    let more = json!({"requestId": "r1", "amount": "10.01"});
    conflict(&app, "o-1", "refunds", "r1-other", &more, "amount").await;
    let above = json!({"requestId": "r2", "amount": "19.96"});
    conflict(&app, "o-1", "refunds", "r2-above", &above, "amount").await;
    let event = in_time(&app, "o-1", "r1", "refunded").await;
    assert_event(&event);
    let data = &event["data"];
    assert_eq!(
        json!([data["amount"], data["capturedAmount"], data["refundedAmount"], data["operation"]]),
        json!(["10.00", "29.95", "10.00", "refund"])
    );
    let entry = &app.sim.moved(&reference.id, "refund").await[0];
    assert_eq!((&entry["id"], &entry["amount"]), (&data["amazonRefundId"], &json!("10.00")));
    // Its latest result again, byte for byte; the payment's own is not touched by it.
    assert_eq!(done(&app, "o-1", "refunds", "r1-later", &first).await, event);
    let shown = view(&app, "o-1").await;
    assert_eq!((&shown["status"], &shown["refundedAmount"]), (&json!("paid"), &json!("10.00")));
    assert_eq!(shown["data"].get("requestId"), None);

    // All that is left; after that, nothing is.
    begun(&app, "o-1", "refunds", "r2", &json!({"requestId": "r2"})).await;
    let event = in_time(&app, "o-1", "r2", "refunded").await;
    assert_eq!(
        (&event["data"]["amount"], &event["data"]["refundedAmount"]),
        (&json!("19.95"), &json!("29.95"))
    );
    conflict(&app, "o-1", "refunds", "r3", &json!({"requestId": "r3"}), "amount").await;
    assert_eq!(moved(&app, &reference.id).await["refund"], ["10.00", "19.95"]);
    let all: Vec<Value> = told(&app, &of_order("o-1"))
        .await
        .into_iter()
        .filter(|event| event["data"]["status"] != "operation_rejected")
        .collect();
    let words: Vec<String> = story(&all).into_iter().map(|(status, _)| status).collect();
    let round = ["operation_pending", "refunded"];
    assert_eq!(words, [&["paid"][..], &round, &round].concat());
}

async fn a_refund_that_amazon_declines_gives_its_amount_back(combination: Combination) {
    let app = App::builder(combination)
        .env("PENDING_POLL_FIRST", 1)
        .env("PROCESSING_FAILURE_WAIT", 1)
        .start()
        .await;
    let plan = json!({"refund": ["AmazonRejected", "ProcessingFailure", "approve"]});
    let reference = paid(&app, "o-1", plan).await;
    begun(&app, "o-1", "refunds", "r1", &json!({"requestId": "r1"})).await;
    let event = in_time(&app, "o-1", "r1", "refund_declined").await;
    assert_event(&event);
    let decline = &event["data"]["decline"];
    assert_eq!(
        json!([decline["code"], decline["type"], decline["retryable"]]),
        json!(["AmazonRejected", "hard", false])
    );
    assert_eq!(view(&app, "o-1").await["refundedAmount"], "0.00");
    // Asked again once by itself where Amazon failed inside.
    begun(&app, "o-1", "refunds", "r2", &json!({"requestId": "r2"})).await;
    in_time(&app, "o-1", "r2", "refunded").await;
    assert_eq!(moved(&app, &reference.id).await["refund"], ["29.95"]);
}

async fn a_cancel_is_as_careful_as_the_payment_needs(combination: Combination) {
    let app = App::builder(combination).env("PENDING_POLL_FIRST", 1).start().await;
    let cancel = json!({"requestId": "x1"});
    // At rest.
    let reference = app.reference(Value::Null).await;
    verdict(&app, "1", &manual("o-1", &reference)).await;
    let event = done(&app, "o-1", "cancel", "x1", &cancel).await;
    assert_eq!(
        json!([event["type"], event["data"]["epoch"]]),
        json!(["payments.order.canceled", 1])
    );
    assert_eq!(moved(&app, &reference.id).await["release"], ["29.95"]);
    assert_eq!(done(&app, "o-1", "cancel", "x1-again", &cancel).await, event);
    assert_eq!(verdict(&app, "1-again", &manual("o-1", &reference)).await, event);
    conflict(&app, "o-1", "captures", "c1", &json!({"requestId": "c1"}), "orderId").await;
    // Softly declined: nothing opens it again.
    let reference = app.reference(json!(["InvalidPaymentMethod"])).await;
    verdict(&app, "2", &order("o-2", &reference)).await;
    let event = done(&app, "o-2", "cancel", "x2", &cancel).await;
    assert_eq!(
        (&event["data"]["status"], &event["data"]["epoch"]),
        (&json!("canceled"), &json!(2))
    );
    app.sim.mend_payment_method(&reference.id).await;
    assert_eq!(verdict(&app, "2-again", &order("o-2", &reference)).await, event);
    assert!(captured(&app, &reference.id).await.is_empty());
    // Paid.
    paid(&app, "o-3", Value::Null).await;
    conflict(&app, "o-3", "cancel", "x3", &cancel, "orderId").await;
    // Sent, and Amazon has not decided: its outcome decides.
    let plan = json!([{"outcome": "approve", "afterSeconds": 600}]);
    let reference = app.reference(plan).await;
    accepted(&app, "4", &order("o-4", &reference)).await;
    news(&app, &of_order("o-4"), "pending", 2).await;
    begun(&app, "o-4", "cancel", "x4", &cancel).await;
    let (rejected, ()) = tokio::join!(result(&app, "o-4", "x1", "operation_rejected"), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        app.sim.advance(700).await;
    });
    assert_eq!(rejected["data"]["decline"]["code"], "conflict");
    assert_eq!(app.done("o-4").await["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    // Nobody's reference was closed or canceled by all that.
    let calls = app.sim.calls("").await;
    for operation in ["CancelOrderReference", "CloseOrderReference"] {
        assert_eq!(calls["calls"][operation].as_u64().unwrap_or(0), 0, "{calls}");
    }
}

const fn refund_call(api: Api) -> &'static str {
    match api {
        Api::Mws => "Refund",
        Api::V2 => "CreateRefund",
    }
}

async fn a_cut_line_refunds_nobody_twice(combination: Combination) {
    let app = App::builder(combination)
        .env("AMAZON_TIMEOUT", 2)
        .env("PENDING_POLL_FIRST", 1)
        .start()
        .await;
    let troubles = ["refuse", "reset_before", "reset_after", "truncate", "delay", "status"];
    let mut orders = Vec::new();
    for trouble in troubles {
        orders.push((trouble, paid(&app, &format!("o-{trouble}"), Value::Null).await));
    }
    let mut faults = Vec::new();
    for (trouble, _) in &orders {
        let shown = view(&app, &format!("o-{trouble}")).await;
        let operation = refund_call(combination.api);
        let mut fault = json!({
            "match": {"operation": operation, "objectId": shown["amazonCaptureId"]},
            "fault": trouble,
            "times": 4,
        });
        match *trouble {
            "delay" => fault["delayMs"] = json!(3_000),
            "status" => fault["status"] = json!(500),
            _ => {}
        }
        faults.push(fault);
    }
    app.sim.faults(Value::from(faults)).await;
    for trouble in troubles {
        let part = json!({"requestId": "r1", "amount": "5.00"});
        begun(&app, &format!("o-{trouble}"), "refunds", &format!("r-{trouble}"), &part).await;
    }
    for (trouble, reference) in &orders {
        in_time(&app, &format!("o-{trouble}"), "r1", "refunded").await;
        assert_eq!(moved(&app, &reference.id).await["refund"], ["5.00"], "{trouble}");
    }
    all_faults_were_met(&app).await;
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}

async fn a_worker_that_dies_refunds_nobody_twice(combination: Combination) {
    let app = App::builder(combination).env("PENDING_POLL_FIRST", 1);
    let mut app = app.processes(&["ingest,relay", "worker"]).start().await;
    let reference = paid(&app, "o-1", Value::Null).await;
    let operation = refund_call(combination.api);
    let slow = json!({
        "match": {"operation": operation}, "fault": "delay", "delayMs": 1_500, "times": 1,
    });
    app.sim.faults(json!([slow])).await;
    begun(&app, "o-1", "refunds", "r1", &json!({"requestId": "r1", "amount": "7.00"})).await;
    eventually("a refund under way", async || {
        let calls = app.sim.calls("").await;
        calls["calls"][operation].as_u64().filter(|calls| *calls > 0)
    })
    .await;
    app.crash("worker").await;
    in_time(&app, "o-1", "r1", "refunded").await;
    assert_eq!(moved(&app, &reference.id).await["refund"], ["7.00"]);
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}

/// One refund lies in the dead letters while another of the same payment is being made: who sends
/// the first back to work takes nothing from the second.
async fn an_operator_s_act_spoils_nothing_that_is_in_hand(combination: Combination) {
    let app = App::builder(combination)
        .env("RETRY_BUDGET_OPERATIONS", 2)
        .env("PENDING_POLL_FIRST", 1)
        .start()
        .await;
    let reference = paid(&app, "o-1", Value::Null).await;
    let operation = refund_call(combination.api);
    let cut = json!({"match": {"operation": operation}, "fault": "reset_before"});
    app.sim.faults(json!([cut])).await;
    begun(&app, "o-1", "refunds", "r1", &json!({"requestId": "r1", "amount": "5.00"})).await;
    let letter = dead_letter(&app, |letter| letter["orderId"] == "o-1").await;
    let id = letter["id"].as_str().unwrap();

    let called = async || app.sim.calls("").await["calls"][operation].as_u64();
    let before = called().await;
    let slow = json!({
        "match": {"operation": operation}, "fault": "delay", "delayMs": 2_000, "times": 1,
    });
    app.sim.faults(json!([slow])).await;
    begun(&app, "o-1", "refunds", "r2", &json!({"requestId": "r2", "amount": "7.00"})).await;
    eventually("the second refund under way", async || (called().await > before).then_some(()))
        .await;
    app.cli_done(&["dead-letter", "redrive", id]);

    in_time(&app, "o-1", "r1", "refunded").await;
    in_time(&app, "o-1", "r2", "refunded").await;
    let mut refunds = moved(&app, &reference.id).await["refund"].clone();
    refunds.sort();
    assert_eq!(refunds, ["5.00", "7.00"]);
    let letters = app.cli_json(&["dead-letter", "list", "--json"]);
    let letters: Vec<_> = letters.as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(letters, ["redriven"]);
}

async fn the_crm_refunds_and_cancels(combination: Combination) {
    let app =
        App::builder(combination).env("PENDING_POLL_FIRST", 1).env("CRM_WAIT", 5).start().await;
    let reference = paid(&app, "o-1", Value::Null).await;
    let refused = app.crm("/order/refund/", &[("orderId", "o-1"), ("amount", "5.00")]).await;
    assert_eq!(refused["result"], "ERROR", "{refused}");
    assert!(refused["message"]["requestId"].is_string(), "{refused}");
    let part = [("orderId", "o-1"), ("amount", "5.00"), ("requestId", "q1"), ("async", "1")];
    let begun = app.crm("/order/refund/", &part).await;
    assert_eq!(begun["result"], "SUCCESS", "{begun}");
    in_time(&app, "o-1", "q1", "refunded").await;
    let again = app.crm("/order/refund", &part[..3]).await;
    assert_eq!(
        json!([
            again["result"],
            again["message"]["orderStatus"],
            again["message"]["amountRefunded"]
        ]),
        json!(["SUCCESS", "COMPLETE", "5.00"])
    );
    // Without an id it is all that is left, once.
    app.crm("/order/refund/", &[("orderId", "o-1"), ("async", "1")]).await;
    eventually("the rest to be refunded", async || {
        app.sim.advance(40).await;
        (view(&app, "o-1").await["refundedAmount"] == "29.95").then_some(())
    })
    .await;
    let all = app.crm("/order/refund/", &[("orderId", "o-1")]).await;
    assert_eq!(
        json!([all["result"], all["message"]["orderStatus"]]),
        json!(["SUCCESS", "REFUNDED"])
    );
    assert_eq!(moved(&app, &reference.id).await["refund"], ["5.00", "24.95"]);
    let paid_one = app.crm("/order/cancel/", &[("orderId", "o-1")]).await;
    assert_eq!(paid_one["result"], "ERROR", "{paid_one}");

    let reference = app.reference(Value::Null).await;
    verdict(&app, "2", &manual("o-2", &reference)).await;
    for _ in 0..2 {
        let canceled = app.crm("/order/cancel/", &[("orderId", "o-2")]).await;
        assert_eq!(
            json!([canceled["result"], canceled["message"]["orderStatus"]]),
            json!(["SUCCESS", "CANCELLED"])
        );
    }
    // Several MIDs have the order: which is meant must be said.
    let mid = crate::support::app::merchant("mid-2");
    app.add_mid(&mid).await;
    let other =
        app.sim.order_reference(&crate::support::app::merchant_id("mid-2"), Value::Null).await;
    let mut body = order("o-1", &other);
    body["amazonBillerId"] = json!("mid-2");
    eventually("the new mid", async || {
        let reply = app.api.post("/v1/orders", &body).await;
        (reply.status == 202).then_some(())
    })
    .await;
    app.done_at("/v1/orders/mid-2/o-1").await;
    for path in ["/order/refund/", "/order/cancel/"] {
        let refused = app.crm(path, &[("orderId", "o-1")]).await;
        assert!(refused["message"]["amazonBillerId"].is_string(), "{refused}");
    }
}
