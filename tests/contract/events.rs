//! Events against their golden files and their schema. A golden file changes only with the public
//! contract: what is printed when one differs is the document as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use amazon_pay_worker::contract::event::{
    Circumstances, Event, event_id, rejection_id, render, render_rejected,
};
use amazon_pay_worker::contract::{
    Command, Parsed, Personal, Refusal, details_from_json, details_to_json, parse, payment_view,
};
use amazon_pay_worker::domain::command::{Asker, PaymentKey, Subject};
use amazon_pay_worker::domain::decline::{Decline, FieldError, RejectionCode, Softness};
use amazon_pay_worker::domain::ids::{
    AuthorizationId, CaptureId, ChargeId, MerchantAccountId, MessageId, ReferenceId,
};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::{Outcome, Payment, Phase};
use amazon_pay_worker::ports::gateway::{Address, BuyerDetails};
use serde_json::{Value, json};

use crate::fakes::{FakeVault, good, message, with, without};
use crate::schemas::schema;

const NOW: i64 = 1_769_839_200_123;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn sale(key: &str) -> (Payment, Personal) {
    let Parsed { asker, command, .. } = parse(&message(key, &good(key)), &FakeVault).unwrap();
    let Command::Sale(sale) = command else { panic!("no sale") };
    let mid = MerchantAccountId::new("7").unwrap();
    let mut payment = Payment::open(sale.draft.through(mid), asker, "na/live/A1".into(), NOW);
    payment.sequence = 1;
    (payment, sale.personal)
}

fn order() -> (Payment, Personal) {
    sale("order.import")
}

fn paid(mut payment: Payment) -> Payment {
    payment.phase = Phase::Paid;
    payment.captured = payment.amount;
    payment.authorization_id = Some(AuthorizationId::new("S01-1234567-1234567-A000001").unwrap());
    payment.capture_id = Some(CaptureId::new("S01-1234567-1234567-C000001").unwrap());
    payment
}

fn declined(mut payment: Payment, decline: Decline) -> Payment {
    payment.phase = Phase::Declined;
    payment.decline = Some(decline);
    payment
}

fn details() -> BuyerDetails {
    let some = |text: &str| Some(text.to_owned());
    BuyerDetails {
        name: some("Jane Q. Buyer"),
        email: some("jane@amazon.example"),
        address: Some(Address {
            name: some("Jane Q. Buyer"),
            line1: some("1 Main Street"),
            city: some("Seattle"),
            state_or_region: some("WA"),
            postal_code: some("98101"),
            country_code: some("US"),
            ..Address::default()
        }),
    }
}

fn charge() -> Payment {
    let (mut payment, _) = order();
    payment.key = PaymentKey {
        mid: MerchantAccountId::new("7").unwrap(),
        subject: Subject::Charge(ChargeId::new("C-1").unwrap()),
    };
    payment.reference = Some(ReferenceId::new("C01-1-1").unwrap());
    payment.amount = Money::from_minor(1200, Currency::JPY);
    payment.captured = Money::zero(Currency::JPY);
    payment.refunded = Money::zero(Currency::JPY);
    let parsed = parse(&message("charge.recurring", &good("charge.recurring")), &FakeVault);
    let Command::Charge(command) = parsed.unwrap().command else { panic!("no charge") };
    payment.texts = command.texts;
    payment
}

fn told(payment: &Payment, outcome: Outcome) -> Event {
    render(payment, outcome, &Circumstances { time_ms: NOW, ..Circumstances::default() })
}

fn rejected(key: &str, body: &Value) -> Event {
    let Refusal::Rejected(rejection) = parse(&message(key, body), &FakeVault).unwrap_err() else {
        panic!("no key was missing")
    };
    let id = rejection_id("crm-1", &rejection.fingerprint);
    render_rejected(&rejection.ids, &rejection.decline(), id, NOW, Some(TRACE)).unwrap()
}

fn all() -> BTreeMap<&'static str, Event> {
    let (payment, personal) = order();
    let details = details();
    let around = Circumstances {
        time_ms: NOW,
        personal: Some(&personal),
        details: Some(&details),
        traceparent: Some(TRACE),
    };
    let mut authorized = paid(payment.clone());
    authorized.captured = Money::zero(Currency::USD);
    authorized.capture_id = None;
    let mut later =
        declined(payment.clone(), Decline::invalid_payment_method("InvalidPaymentMethod"));
    later.decline.as_mut().unwrap().retry_after = Some(NOW + 86_400_000);
    (later.sequence, later.epoch) = (3, 2);
    let upsell = declined(sale("upsell.import").0, Decline::order_not_paid(Softness::Soft));
    let conflict = Decline::rejected(
        RejectionCode::Conflict,
        vec![FieldError::new("amount", "the reference was confirmed with another total")],
    );
    let no_mid = without(good("upsell.import"), "amazonBillerId");
    BTreeMap::from([
        ("order.paid", render(&paid(payment.clone()), Outcome::Paid, &around)),
        ("order.authorized", told(&authorized, Outcome::Authorized)),
        ("order.declined", told(&later, Outcome::Declined)),
        ("order.declined.conflict", told(&declined(payment.clone(), conflict), Outcome::Declined)),
        (
            "order.failed",
            told(&declined(payment.clone(), Decline::discarded(None)), Outcome::Failed),
        ),
        ("order.canceled", told(&payment, Outcome::Canceled)),
        ("order.pending.amazon", told(&payment, Outcome::PendingAmazon)),
        ("order.pending.operator", told(&payment, Outcome::PendingOperator)),
        ("upsell.declined", told(&upsell, Outcome::Declined)),
        ("charge.paid", told(&paid(charge()), Outcome::Paid)),
        ("order.rejected", rejected("order.import", &json!({"orderId": "CRM-1", "amount": 5}))),
        ("upsell.rejected", rejected("upsell.import", &no_mid)),
        ("charge.rejected", rejected("charge.recurring", &json!({"chargeId": "C-1"}))),
        (
            "upsell.operation_rejected",
            rejected("refund.request", &json!({"orderId": "O", "upsellId": "U", "requestId": "R"})),
        ),
        ("agreement.rejected", rejected("agreement.close", &json!({"amazonBillerId": "7"}))),
    ])
}

fn golden() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/golden"))
}

fn value(event: &Event) -> Value {
    serde_json::from_slice(&event.body).unwrap()
}

#[test]
fn events_are_the_golden_ones() {
    let mut differing = Vec::new();
    for (name, event) in all() {
        let now = value(&event);
        let file = fs::read(golden().join(format!("{name}.json"))).unwrap_or_default();
        if serde_json::from_slice::<Value>(&file).ok() != Some(now.clone()) {
            differing.push(format!(
                "{name}.json is now\n{}",
                serde_json::to_string_pretty(&now).unwrap()
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn no_golden_file_is_left_over() {
    let files = fs::read_dir(golden()).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, all().keys().map(|name| format!("{name}.json")).collect());
}

#[test]
fn every_event_keeps_the_schema() {
    let schema = schema("event.json");
    for (name, event) in all() {
        let document = value(&event);
        let errors: Vec<String> =
            schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        assert_eq!(document["type"], format!("payments.{}", event.routing_key));
        assert_eq!(document["id"], event.id.as_str());
        assert_eq!(document["subject"], event.subject.as_str());
        assert!(!event.body.windows(4).any(|part| part == b"null"), "{name}");
    }
}

#[test]
fn the_schema_tells_wrong_events_apart() {
    let schema = schema("event.json");
    let paid = value(&all()["order.paid"]);
    for (pointer, wrong) in [
        ("/type", json!("payments.order.declined")),
        ("/data/sequence", json!(0)),
        ("/data/capturedAmount", json!(19.95)),
        ("/data/kind", json!("upsell")),
        ("/data/buyer", Value::Null),
        ("/data/decline", json!({})),
        ("/subject", json!("7/order")),
    ] {
        let mut event = paid.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = wrong;
        assert!(!schema.is_valid(&event), "{pointer}");
    }
}

#[test]
fn the_same_fact_has_one_id_and_one_document() {
    let (payment, _) = order();
    assert_eq!(told(&payment, Outcome::Paid), told(&payment, Outcome::Paid));
    let ids = [
        event_id("7/order/A", 1),
        event_id("7/order/A", 2),
        event_id("7/order/B", 1),
        rejection_id("m", "f"),
        rejection_id("m", "g"),
        rejection_id("n", "f"),
    ];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(ids[0], "evt_1ca96bfbd85360e0d969128813e51077");
}

#[test]
fn amazon_s_word_about_the_buyer_goes_before_the_command_s() {
    let (payment, personal) = order();
    let buyer = |name: Option<&str>, email: Option<&str>, personal: Option<&Personal>| {
        let details = BuyerDetails {
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
            address: None,
        };
        let around =
            Circumstances { details: Some(&details), personal, ..Circumstances::default() };
        value(&render(&payment, Outcome::Paid, &around))["data"].get("buyer").cloned()
    };
    let told = Some(&personal);
    assert_eq!(
        buyer(Some("  Ana  de Souza "), Some("a@b"), told).unwrap(),
        json!({"firstName": "Ana", "lastName": "de Souza", "emailAddress": "a@b"})
    );
    assert_eq!(
        buyer(Some("Cher"), None, told).unwrap(),
        json!({"firstName": "Cher", "lastName": "", "emailAddress": "jane@example.com"})
    );
    assert_eq!(
        buyer(None, Some("a@b"), told).unwrap(),
        json!({"firstName": "Jane", "lastName": "Doe", "emailAddress": "a@b"})
    );
    assert_eq!(buyer(None, None, None), None);
    // Where Amazon was not heard, the command's word is not taken for Amazon's.
    let unheard = Circumstances { personal: told, ..Circumstances::default() };
    let event = value(&render(&payment, Outcome::Paid, &unheard));
    assert_eq!(event["data"].get("buyer"), None);
    assert_eq!(event["data"].get("shippingAddress"), None);
}

#[test]
fn what_is_stored_about_the_buyer_is_read_back() {
    for details in [details(), BuyerDetails::default()] {
        assert!(details_from_json(&details_to_json(&details)).unwrap() == details);
    }
    let (_, personal) = order();
    let back = Personal::from_json(&personal.to_json()).unwrap();
    assert_eq!(back.to_json(), personal.to_json());
    assert!(Personal::from_json(b"nonsense").is_err());
    assert!(!format!("{personal:?} {:?}", details()).contains("Jane"));
}

#[test]
fn a_cycle_comes_back_as_it_was_sent() {
    for cycle in [json!(3), json!("3"), json!("2026-01"), json!("\"")] {
        let body = with(good("charge.recurring"), "cycle", cycle.clone());
        let parsed = parse(&message("charge.recurring", &body), &FakeVault).unwrap();
        let Command::Charge(command) = parsed.command else { panic!("no charge") };
        let mut payment = charge();
        payment.texts = command.texts;
        assert_eq!(value(&told(&payment, Outcome::Paid))["data"]["cycle"], cycle);
    }
}

#[test]
fn a_payment_is_shown_with_its_last_event_and_today_s_amounts() {
    let (payment, _) = order();
    let before = payment_view(&payment, None);
    assert_eq!(before["status"], "accepted");
    assert_eq!(before["data"]["orderId"], "CRM-1001");
    assert_eq!(before["data"]["capturedAmount"], "0.00");

    let mut payment = paid(payment);
    let last = told(&payment, Outcome::Paid);
    payment.refunded = Money::from_minor(500, Currency::USD);
    let view = payment_view(&payment, Some(&last.body));
    assert_eq!(view["status"], "paid");
    assert_eq!(view["refundedAmount"], "5.00");
    assert_eq!(view["data"]["refundedAmount"], "5.00");
    assert_eq!(view["data"]["amazonCaptureId"], "S01-1234567-1234567-C000001");
    assert_eq!(view["messageId"], "crm-1");
}

#[test]
fn an_event_s_trace_is_the_opener_s_unless_another_is_told() {
    let (mut payment, _) = order();
    payment.opener = Asker {
        message_id: MessageId::new("crm-1").unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: Some(TRACE.to_owned()),
    };
    assert_eq!(value(&told(&payment, Outcome::Paid))["traceparent"], TRACE);
}
