//! Agreements from outside: an order's consent, the charges on it, its month, its end, and what
//! happens when the buyer mends the payment method.

use serde_json::{Value, json};

use crate::faults::all_faults_were_met;
use crate::support::app::{MID, merchant_id, order};
use crate::support::sim::Reference;
use crate::support::{
    Api, App, Combination, eventually, on_every_api, on_every_combination, on_every_queue,
};
use crate::world::{accepted, ask, assert_decline, captured, conflict, news, story, told, verdict};

on_every_api!(
    an_order_on_an_agreement_is_the_mandate_of_later_charges,
    two_workers_never_charge_more_than_the_month,
    a_mended_method_is_told_and_charged_by_itself,
    a_charge_is_made_once_whatever_is_lost,
);
// Readings of Amazon's documents on MWS, and its quota, which is the smaller one.
on_every_combination!(
    agreements_under_every_reading,
    charges_beyond_the_quota_wait_for_their_turn_and_are_made_once,
);
on_every_queue!(an_agreement_is_closed_once_and_charged_no_more);

/// An agreement in Draft, or a permission; `plan` as in the contract, or null.
async fn agreement(app: &App, consent: bool, plan: Value) -> Reference {
    app.agreement_at(&app.mid, consent, plan).await
}

/// One that was confirmed by its order, without a first charge.
pub(crate) async fn agreed(app: &App, order_id: &str, plan: Value) -> Reference {
    let reference = agreement(app, true, plan).await;
    let mut body = order(order_id, &reference);
    body["recurring"] = json!({ "initialCharge": false });
    let event = verdict(app, order_id, &body).await;
    assert_eq!(event["data"]["status"], "authorized", "{event}");
    assert_eq!(event["data"]["capturedAmount"], "0.00", "{event}");
    reference
}

pub(crate) fn charge(charge_id: &str, reference: &Reference, amount: &str) -> Value {
    json!({
        "chargeId": charge_id,
        "amazonBillerId": MID,
        "amazonBillingAgreementId": reference.id,
        "amount": amount,
        "currency": "USD",
    })
}

pub(crate) fn of_charge(charge_id: &str) -> String {
    format!("{MID}/charge/{charge_id}")
}

fn of_agreement(reference: &Reference) -> String {
    format!("{MID}/agreement/{}", reference.id)
}

/// News of an agreement, once it is there.
pub(crate) async fn heard(app: &App, reference: &Reference, status: &str) -> Value {
    app.event_where(&format!("the agreement {status}"), |event| {
        event["subject"] == of_agreement(reference) && event["data"]["status"] == status
    })
    .await
}

const fn charge_operation(app: &App) -> &'static str {
    match app.combination.api {
        Api::Mws => "AuthorizeOnBillingAgreement",
        Api::V2 => "CreateCharge",
    }
}

async fn charges_made(app: &App) -> u64 {
    let calls = app.sim.calls(&merchant_id(MID)).await;
    calls["calls"][charge_operation(app)].as_u64().unwrap_or(0)
}

async fn an_order_on_an_agreement_is_the_mandate_of_later_charges(here: Combination) {
    let app = App::start(here).await;
    let reference = agreement(&app, true, Value::Null).await;
    let event = verdict(&app, "o", &order("o-1", &reference)).await;
    assert_eq!(event["data"]["status"], "paid", "{event}");
    assert_eq!(event["data"]["amazonOrderId"], reference.id);
    assert_eq!(event["data"]["buyer"]["lastName"], "Lovelace", "{event}");

    let mut first = charge("c-1", &reference, "19.95");
    first["orderId"] = json!("o-1");
    first["cycle"] = json!(3);
    let event = verdict(&app, "c1", &first).await;
    assert_eq!(event["data"]["status"], "paid", "{event}");
    assert_eq!((&event["data"]["cycle"], &event["data"]["orderId"]), (&json!(3), &json!("o-1")));
    assert_eq!(verdict(&app, "c1 again", &first).await, event);
    first["amount"] = json!("20.95");
    conflict(&app, "c1 other", &first, "amount").await;
    assert_eq!(captured(&app, &reference.id).await, ["29.95", "19.95"]);
    let last = &app.sim.moved(&reference.id, "capture").await[1];
    assert_eq!(last["sellerOrderId"], "c-1");

    // Another order may use the same agreement; what is asked for too early waits.
    let second = verdict(&app, "o2", &order("o-2", &reference)).await;
    assert_eq!(second["data"]["status"], "paid", "{second}");
    let later = now() + time::Duration::seconds(4);
    let rfc3339 = time::format_description::well_known::Rfc3339;
    let mut waits = charge("c-2", &reference, "5.00");
    waits["notBefore"] = json!(later.format(&rfc3339).unwrap());
    accepted(&app, "c2", &waits).await;
    let path = format!("/v1/charges/{MID}/c-2");
    eventually("the charge that waits", async || {
        (app.api.get(&path).await.status == 200).then_some(())
    })
    .await;
    let waiting = app.api.get(&path).await.expect(200);
    assert_eq!(waiting["status"], "accepted", "{waiting}");
    assert_eq!(app.done_at(&path).await["status"], "paid");
    assert!(now() >= later);

    if here.api == Api::Mws {
        // A permission is the buyer's consent, so v2 has none without.
        let none = agreement(&app, false, Value::Null).await;
        let event = verdict(&app, "o3", &order("o-3", &none)).await;
        assert_decline(&event, "BuyerConsentNotSet", "soft", "update_payment_method", true);
    }
    let rested = agreed(&app, "o-4", Value::Null).await;
    let event = verdict(&app, "c4", &charge("c-4", &rested, "7.00")).await;
    assert_eq!(event["data"]["status"], "paid", "{event}");
    assert_eq!(captured(&app, &rested.id).await, ["7.00"]);

    let one_time = app.sim.order_reference(&merchant_id(MID), Value::Null).await;
    let reply = ask(&app, "c5", &charge("c-5", &one_time, "7.00")).await;
    assert_eq!(reply.status, 422, "{}", reply.text);
}

async fn two_workers_never_charge_more_than_the_month(here: Combination) {
    let roles = ["ingest,relay,worker", "worker"];
    let app = App::builder(here).processes(&roles).start().await;
    let reference = agreed(&app, "o-1", Value::Null).await;
    let ids: Vec<String> = (0..6).map(|number| format!("c-{number}")).collect();
    for id in &ids {
        accepted(&app, id, &charge(id, &reference, "180.00")).await;
    }
    let mut paid = 0;
    for id in &ids {
        let done = app.done_at(&format!("/v1/charges/{MID}/{id}")).await;
        if done["status"] == "paid" {
            paid += 1;
            continue;
        }
        let decline = &done["decline"];
        assert_eq!(decline["code"], "BillingAgreementAmountExceeded", "{done}");
        assert_eq!((&decline["type"], &decline["buyerAction"]), (&json!("soft"), &json!("none")));
        let next = decline["retryAfter"].as_str().unwrap();
        assert!(next.contains("-01T00:00:00"), "{next}");
    }
    // A month of an agreement is 500.00, of a permission 1,000.00.
    let fit = match here.api {
        Api::Mws => 2,
        Api::V2 => 5,
    };
    assert_eq!(paid, fit);
    assert_eq!(captured(&app, &reference.id).await, vec!["180.00"; fit]);
    assert_eq!(charges_made(&app).await, fit as u64);
    // What is left may still be charged.
    let event = verdict(&app, "rest", &charge("c-rest", &reference, "100.00")).await;
    assert_eq!(event["data"]["status"], "paid", "{event}");
}

async fn a_mended_method_is_told_and_charged_by_itself(here: Combination) {
    let reauthorize = json!({ "enabled": true, "windowSeconds": 3600, "max": 2 });
    let app = App::builder(here)
        .mid(json!({ "reauthorize": reauthorize }))
        .env("PENDING_POLL_FIRST", 1)
        .start()
        .await;
    let reference = agreed(&app, "o-1", json!(["InvalidPaymentMethod"])).await;
    let of_cycle = |id: &str| {
        let mut body = charge(id, &reference, "19.95");
        body["orderId"] = json!("o-1");
        body["cycle"] = json!("2026-11");
        body
    };
    // One that does not say what it is for is left to the CRM.
    let event = verdict(&app, "c0", &charge("c-0", &reference, "1.00")).await;
    assert_decline(&event, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    heard(&app, &reference, "suspended").await;
    let older = verdict(&app, "c1", &of_cycle("c-1")).await;
    assert_decline(&older, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    // A newer one for the same thing takes its place.
    let newer = verdict(&app, "c2", &of_cycle("c-2")).await;
    assert_decline(&newer, "InvalidPaymentMethod", "soft", "update_payment_method", true);
    app.sim.mend_payment_method(&reference.id).await;
    heard(&app, &reference, "reopened").await;
    let paid = news(&app, &of_charge("c-2"), "paid", 2).await;
    assert_eq!(paid["data"]["messageId"], newer["data"]["messageId"], "{paid}");
    conflict(&app, "c3", &of_cycle("c-3"), "cycle").await;
    assert_eq!(captured(&app, &reference.id).await, ["19.95"]);
    for withdrawn in ["c-0", "c-1"] {
        let told = told(&app, &of_charge(withdrawn)).await;
        assert_eq!(story(&told), [("declined".to_owned(), 1)]);
    }
    // Asked for again it is charged, in a new epoch.
    let again = verdict(&app, "c0 again", &charge("c-0", &reference, "2.00")).await;
    assert_eq!((&again["data"]["status"], &again["data"]["epoch"]), (&json!("paid"), &json!(2)));
}

async fn a_charge_is_made_once_whatever_is_lost(here: Combination) {
    let mut app = App::builder(here).env("AMAZON_TIMEOUT", 2).start().await;
    let operation = charge_operation(&app);
    let (mut faults, mut charges) = (Vec::new(), Vec::new());
    for trouble in ["reset_after", "reset_before", "truncate", "delay"] {
        let reference = agreed(&app, &format!("o-{trouble}"), Value::Null).await;
        let matches = json!({ "operation": operation, "objectId": reference.id });
        faults.push(json!({ "match": matches, "fault": trouble, "delayMs": 3_000, "times": 4 }));
        charges.push((format!("c-{trouble}"), reference));
    }
    app.sim.faults(Value::from(faults)).await;
    for (id, reference) in &charges {
        accepted(&app, id, &charge(id, reference, "11.00")).await;
    }
    for (id, reference) in &charges {
        let done = app.done_at(&format!("/v1/charges/{MID}/{id}")).await;
        assert_eq!((&done["status"], &done["data"]["epoch"]), (&json!("paid"), &json!(1)));
        assert_eq!(captured(&app, &reference.id).await, ["11.00"], "{id}");
    }
    all_faults_were_met(&app).await;
    // The worker dies while the answer is on its way.
    let matches = json!({ "operation": operation });
    let slow = json!([{ "match": matches, "fault": "delay", "delayMs": 1_500, "times": 1 }]);
    app.sim.faults(slow).await;
    let (_, reference) = &charges[0];
    accepted(&app, "killed", &charge("killed", reference, "11.00")).await;
    let before = charges_made(&app).await;
    eventually("the call", async || (charges_made(&app).await > before).then_some(())).await;
    app.crash("worker").await;
    let done = app.done_at(&format!("/v1/charges/{MID}/killed")).await;
    assert_eq!(done["status"], "paid", "{done}");
    assert_eq!(captured(&app, &reference.id).await, ["11.00"; 2]);
}

async fn agreements_under_every_reading(here: Combination) {
    let app = App::builder(here).env("PENDING_POLL_FIRST", 1).start().await;
    for (round, readings) in [
        json!({ "1": "b", "6": "b", "9": "b" }),
        json!({ "6": "c" }),
        json!({ "1": "b", "11": "b" }),
    ]
    .into_iter()
    .enumerate()
    {
        app.sim.set(json!({ "readings": readings })).await;
        let name = |what: &str| format!("r{round}-{what}");
        let plan = json!(["approve", "InvalidPaymentMethod"]);
        let reference = agreement(&app, true, plan).await;
        let paid = verdict(&app, &name("o"), &order(&name("o"), &reference)).await;
        assert_eq!(paid["data"]["status"], "paid", "{paid}");
        let matches = json!({ "operation": "AuthorizeOnBillingAgreement" });
        app.sim.faults(json!([{ "match": matches, "fault": "reset_after", "times": 2 }])).await;
        let id = name("c");
        let declined = verdict(&app, &id, &charge(&id, &reference, "5.00")).await;
        assert_decline(&declined, "InvalidPaymentMethod", "soft", "update_payment_method", true);
        app.sim.mend_payment_method(&reference.id).await;
        let again = verdict(&app, &name("again"), &charge(&id, &reference, "5.00")).await;
        assert_eq!(again["data"]["status"], "paid", "{again}");
        let path = format!("/objects/{}/close", reference.id);
        app.sim.play(&path, &json!({})).await;
        let late = verdict(&app, &name("late"), &charge(&name("l"), &reference, "5.00")).await;
        assert_eq!(late["data"]["status"], "declined", "{late}");
        assert_eq!(late["data"]["decline"]["type"], "hard", "{late}");
        assert_eq!(captured(&app, &reference.id).await, ["29.95", "5.00"]);
    }
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}

async fn an_agreement_is_closed_once_and_charged_no_more(here: Combination) {
    let app = App::start(here).await;
    let queues = app.queues().await;
    let mut events = queues.events("agreement.#").await;
    let reference = agreed(&app, "o-1", Value::Null).await;
    let close = |agreement: &str, request: &str| {
        json!({
            "amazonBillingAgreementId": agreement, "amazonBillerId": MID, "requestId": request
        })
    };
    queues.command("agreement.close", "m-1", &close(&reference.id, "r-1")).await;
    let event = events.event().await;
    assert_eq!(event["type"], "payments.agreement.closed", "{event}");
    assert_eq!(event["subject"], of_agreement(&reference));
    assert_eq!(
        (&event["data"]["requestId"], &event["data"]["messageId"]),
        (&json!("r-1"), &json!("m-1"))
    );
    for message in ["m-1", "m-2"] {
        queues.command("agreement.close", message, &close(&reference.id, "r-1")).await;
        assert_eq!(events.event().await, event);
    }
    queues.command("agreement.close", "m-3", &close("C01-9999999-9999999", "r-1")).await;
    let rejected = events.event().await;
    assert_eq!(rejected["type"], "payments.agreement.rejected", "{rejected}");
    assert_eq!(rejected["data"]["decline"]["code"], "unknown_reference", "{rejected}");
    let late = verdict(&app, "late", &charge("c-1", &reference, "5.00")).await;
    assert_decline(&late, "InvalidBillingAgreementStatus", "hard", "use_other_method", false);
}

/// By the machine's clock, as the program under test reads it.
#[expect(clippy::disallowed_methods, reason = "the program from outside has the machine's time")]
fn now() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

/// The first throttle tells the quota. What comes later gets its turn with its claim, and Amazon is
/// not asked too soon again.
async fn charges_beyond_the_quota_wait_for_their_turn_and_are_made_once(here: Combination) {
    let app = App::start(here).await;
    let mut references = Vec::new();
    for number in 0..4 {
        references.push(agreed(&app, &format!("o-{number}"), Value::Null).await);
    }
    // Production's burst is ten, then one a second.
    app.sim.set(json!({"quotas": true})).await;
    let throttled = async || {
        let calls = app.sim.calls(&merchant_id(MID)).await;
        calls["throttled"].as_u64().unwrap()
    };
    let make = async |numbers: std::ops::Range<usize>| {
        for number in numbers.clone() {
            let (id, on) = (format!("c-{number}"), &references[number % references.len()]);
            accepted(&app, &id, &charge(&id, on, "1.00")).await;
        }
        for number in numbers {
            news(&app, &of_charge(&format!("c-{number}")), "paid", 1).await;
        }
    };
    make(0..12).await;
    let at_first = throttled().await;
    assert!(at_first > 0);
    make(12..24).await;
    assert_eq!(throttled().await, at_first);
    let mut put_off = 0;
    for number in 12..24 {
        let path = format!("/v1/charges/{MID}/c-{number}?timeline=1");
        let shown = app.api.get(&path).await.expect(200);
        let steps = shown["timeline"].as_array().cloned().unwrap_or_default();
        put_off += usize::from(steps.iter().any(|step| step["name"] == "quota"));
    }
    assert!(put_off > 0);
    for reference in &references {
        assert_eq!(captured(&app, &reference.id).await, ["1.00"; 6]);
    }
}
