//! Messages become commands or rejections that name everything that is wrong.

use amazon_pay_worker::contract::check_region;
use amazon_pay_worker::contract::command::{Biller, Wanted};
use amazon_pay_worker::contract::{
    Command, Parsed, Refusal, Rejection, Unknown, parse, sealed_copy, validate,
};
use amazon_pay_worker::domain::command::{CaptureMode, Kind, Subject};
use amazon_pay_worker::domain::decline::RejectionCode;
use amazon_pay_worker::domain::ids::MessageId;
use amazon_pay_worker::domain::merchant::Region;
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::ports::broker::{COMMAND_KEYS, Message};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::fakes::{FakeVault, good, message, with, without};

fn parsed(message: &Message) -> Parsed {
    parse(message, &FakeVault).unwrap()
}

fn rejected(message: &Message) -> Rejection {
    match parse(message, &FakeVault).unwrap_err() {
        Refusal::Rejected(rejection) => *rejection,
        Refusal::KeyMissing(_) => panic!("no key was missing"),
    }
}

fn fields(rejection: &Rejection) -> Vec<&str> {
    rejection.errors.iter().map(|error| error.field.as_str()).collect()
}

#[test]
fn every_command_is_read_whole() {
    for key in COMMAND_KEYS {
        let parsed = parsed(&message(key, &good(key)));
        assert_eq!(parsed.asker.message_id.as_str(), "crm-1");
        assert_eq!(parsed.fingerprint.len(), 64);
        assert_eq!(parsed.ids.routing_key, key);
    }
}

#[test]
fn an_order_becomes_a_sale() {
    let Command::Sale(sale) = parsed(&message("order.import", &good("order.import"))).command
    else {
        panic!("no sale")
    };
    let Biller::Named(mid) = sale.biller else { panic!("not named") };
    assert_eq!(sale.personal.first_name.as_deref(), Some("Jane"));
    assert_eq!(sale.personal.consent_token.unwrap().expose_secret(), "Atza|token");
    let sale = sale.draft.through(mid);
    assert_eq!(sale.key.event_subject(), "7/order/CRM-1001");
    assert_eq!(sale.amount, Money::from_minor(1995, Currency::USD));
    assert_eq!(sale.capture, CaptureMode::Immediate);
    assert_eq!(sale.texts.store_name.as_deref(), Some("Shop"));
    assert!(sale.initial_charge);
}

#[test]
fn null_and_empty_texts_count_as_absent_and_unknown_fields_are_ignored() {
    let bare = json!({
        "orderId": "O", "amazonBillerId": "7", "amazonOrderId": "S01-1", "amount": "1",
        "currency": "JPY", "note": "", "softDescriptor": null, "firstName": "", "capture": null,
        "recurring": null, "phoneNumber": {"anything": [1.5, null]},
    });
    let Command::Sale(sale) = parsed(&message("order.import", &bare)).command else {
        panic!("no sale")
    };
    assert!(sale.personal.is_empty());
    assert_eq!(sale.draft.texts.note, None);
    assert_eq!(sale.draft.amount.minor(), 1);
}

#[test]
fn everything_that_is_wrong_is_named_at_once_and_what_is_readable_is_kept() {
    let mut bad = message(
        "upsell.import",
        &json!({
            "orderId": "CRM-1", "upsellId": "a b", "amazonBillerId": 7, "amazonOrderId": "x/y",
            "amount": 19.95, "currency": "usd", "paySource": "CREDITCARD", "note": "n".repeat(256),
            "softDescriptor": "seventeen letters", "capture": "later", "authorization": "maybe",
            "recurring": {"initialCharge": "no"}, "firstName": ["Jane"],
        }),
    );
    bad.message_id = None;
    bad.kind = Some("order.import".to_owned());
    let rejection = rejected(&bad);
    assert_eq!(rejection.code, RejectionCode::Invalid);
    let mut named = fields(&rejection);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "amazonBillerId",
            "amazonOrderId",
            "amount",
            "authorization",
            "capture",
            "currency",
            "firstName",
            "message_id",
            "note",
            "paySource",
            "recurring.initialCharge",
            "softDescriptor",
            "type",
            "upsellId",
        ]
    );
    assert_eq!(rejection.ids.order.as_ref().unwrap().as_str(), "CRM-1");
    assert_eq!(rejection.ids.kind(), Some(Kind::Upsell));
    assert_eq!(rejection.ids.subject(), "-/upsell/CRM-1/-");
    assert_eq!(rejection.ids.rejection_key().as_deref(), Some("upsell.rejected"));
    assert!(!format!("{:?}", rejection.errors).contains("Jane"));
}

#[test]
fn what_cannot_be_read_as_an_object_is_malformed() {
    for body in ["", "[]", "{", "\"x\"", "{\"orderId\":\"a\",\"orderId\":\"a\"}", "nonsense"] {
        let mut bad = message("order.import", &json!({}));
        bad.body = body.as_bytes().to_vec();
        assert_eq!(rejected(&bad).code, RejectionCode::Malformed, "{body}");
    }
}

#[test]
fn the_kind_of_an_operation_follows_from_the_readable_ids() {
    let cases = [
        (json!({"orderId": "O"}), "order.operation_rejected", "-/order/O"),
        (json!({"orderId": "O", "upsellId": "U"}), "upsell.operation_rejected", "-/upsell/O/U"),
        (json!({"chargeId": "C"}), "charge.operation_rejected", "-/charge/C"),
        (json!({}), "order.operation_rejected", "-/order/-"),
    ];
    for (body, key, subject) in cases {
        let rejection = rejected(&message("refund.request", &body));
        assert_eq!(rejection.ids.rejection_key().as_deref(), Some(key));
        assert_eq!(rejection.ids.subject(), subject);
    }
    let unknown = rejected(&message("order.destroy", &good("order.import")));
    assert_eq!(unknown.ids.rejection_key(), None);
    assert_eq!(unknown.ids.kind(), None);
    assert_eq!(unknown.ids.order.unwrap().as_str(), "CRM-1001");
}

#[test]
fn the_fingerprint_is_over_what_was_meant() {
    let one = parsed(&message("order.import", &good("order.import")));
    // For ever: a redelivery may reach a newer program than its first delivery did.
    assert_eq!(one.fingerprint, "f7d21f0a2a34edd6dde5ba75975cc44edb6716592d4c2e22536676b682fb5cf8");
    let mut same = good("order.import");
    same["amount"] = json!("19.950".trim_end_matches('0'));
    same["phoneNumber"] = json!("unknown");
    same.as_object_mut().unwrap().remove("paySource");
    same.as_object_mut().unwrap().remove("capture");
    assert_eq!(parsed(&message("order.import", &same)).fingerprint, one.fingerprint);

    for (name, value) in [
        ("amount", json!("19.96")),
        ("firstName", json!("John")),
        ("amazonAddressConsent", json!("Atza|other")),
        ("recurring", json!({"initialCharge": false})),
        ("note", json!("other")),
    ] {
        let other = message("order.import", &with(good("order.import"), name, value));
        assert_ne!(parsed(&other).fingerprint, one.fingerprint, "{name}");
    }
    let mut other = message("order.import", &good("order.import"));
    other.message_id = Some("crm-2".to_owned());
    assert_ne!(parsed(&other).fingerprint, one.fingerprint);
}

#[test]
fn sealed_copies_show_nothing_and_mean_the_same() {
    for key in COMMAND_KEYS {
        let mut clear = message(key, &with(good(key), "phoneNumber", json!("555")));
        clear.reply_to = Some("replies".to_owned());
        let first = parsed(&clear);
        let sealed = sealed_copy(&clear, &first, &FakeVault);
        let text = String::from_utf8(sealed.body.clone()).unwrap();
        for secret in ["Jane", "Doe", "jane@example.com", "Atza", "555"] {
            assert!(!text.contains(secret), "{key}: {text}");
        }
        assert_eq!(sealed.reply_to, clear.reply_to);
        let again = parsed(&sealed);
        assert_eq!(again.fingerprint, first.fingerprint, "{key}");
        assert_eq!(again.ids, first.ids);
    }
}

#[test]
fn what_was_sealed_for_another_message_or_beside_clear_fields_is_rejected() {
    let clear = message("order.import", &good("order.import"));
    let sealed = sealed_copy(&clear, &parsed(&clear), &FakeVault);
    let moved = Message { message_id: Some("crm-2".to_owned()), ..sealed.clone() };
    assert_eq!(fields(&rejected(&moved)), ["sealed"]);

    let body: Value = serde_json::from_slice(&sealed.body).unwrap();
    let both = message("order.import", &with(body.clone(), "firstName", json!("Jane")));
    assert_eq!(fields(&rejected(&both)), ["firstName"]);

    let other_key = message("order.import", &with(body, "sealed", json!("key2.x.y")));
    assert!(matches!(parse(&other_key, &FakeVault), Err(Refusal::KeyMissing(_))));
}

#[test]
fn only_ingest_may_leave_out_the_merchant_account_of_an_upsell() {
    let bare = without(good("upsell.import"), "amazonBillerId");
    assert_eq!(fields(&rejected(&message("upsell.import", &bare))), ["amazonBillerId"]);
    let claimed = with(bare.clone(), "client", json!("login-1"));
    assert_eq!(fields(&rejected(&message("upsell.import", &claimed))), ["amazonBillerId"]);

    let object = bare.as_object().unwrap();
    let valid = validate("upsell.import", object, Unknown::Ignored, Some("login-1")).unwrap();
    let id = MessageId::new("ingest-1").unwrap();
    let fingerprint = valid.fingerprint(&id);
    let published = valid.into_message(&id, &FakeVault);
    let parsed = parsed(&published);
    assert_eq!(parsed.fingerprint, fingerprint);
    let Command::Sale(sale) = parsed.command else { panic!("no sale") };
    assert_eq!(sale.biller, Biller::OfOrder { client: "login-1".to_owned() });
    assert!(matches!(sale.draft.subject, Subject::Upsell(..)));

    let order = without(good("order.import"), "amazonBillerId");
    let wrong =
        validate("order.import", order.as_object().unwrap(), Unknown::Ignored, Some("login-1"));
    assert_eq!(wrong.unwrap_err()[0].field, "amazonBillerId");
}

#[test]
fn strict_callers_hear_of_unknown_fields_together_with_the_rest() {
    let mut odd = with(good("order.import"), "colour", json!("red"));
    odd["amount"] = json!("0");
    odd["sealed"] = json!("key1.a.b");
    let wrong =
        validate("order.import", odd.as_object().unwrap(), Unknown::Refused, None).unwrap_err();
    let mut named: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["amount", "colour", "sealed"]);
}

#[test]
fn currencies_belong_to_regions() {
    let euro = Currency::EUR;
    assert!(check_region(euro, Region::Uk).is_ok());
    assert_eq!(check_region(euro, Region::Na).unwrap_err().field, "currency");
}

#[test]
fn an_operation_may_leave_its_currency_to_the_payment() {
    let usd = Wanted { hundredths: Some(1950), currency: None, fraction: true };
    assert_eq!(usd.in_currency(Currency::USD).unwrap().unwrap().amount(), "19.50");
    assert_eq!(usd.in_currency(Currency::JPY).unwrap_err().field, "amount");
    let yen = Wanted { hundredths: Some(1900), currency: Some(Currency::JPY), fraction: false };
    assert_eq!(yen.in_currency(Currency::JPY).unwrap().unwrap().minor(), 19);
    assert_eq!(yen.in_currency(Currency::USD).unwrap_err().field, "currency");
    // Yen has no fraction, be it nothing: not as it was sent, nor as it is published again.
    let fields = with(good("refund.request"), "amount", json!("500.00"));
    let fields = with(fields, "currency", Value::Null);
    let wanted = |parsed: &Parsed| match &parsed.command {
        Command::Operation(operation) => operation.wanted,
        _ => panic!("no operation"),
    };
    let sent = parsed(&message("refund.request", &fields));
    let again = parsed(&sealed_copy(&message("refund.request", &fields), &sent, &FakeVault));
    for wanted in [wanted(&sent), wanted(&again)] {
        assert_eq!(wanted.in_currency(Currency::JPY).unwrap_err().field, "amount");
        assert_eq!(wanted.in_currency(Currency::USD).unwrap().unwrap().minor(), 50_000);
    }
    // To the digest it is the number that it is.
    let whole = parsed(&message("refund.request", &with(fields, "amount", json!("500"))));
    assert_eq!(whole.fingerprint, sent.fingerprint);
    assert_eq!(wanted(&whole).in_currency(Currency::JPY).unwrap().unwrap().minor(), 500);
    assert_eq!(Wanted::default().in_currency(Currency::USD).unwrap(), None);
}

#[test]
fn what_grows_by_sealing_is_still_acceptable_and_what_cannot_fit_is_not_published() {
    let long = with(good("order.import"), "firstName", json!("x".repeat(60_000)));
    let clear = message("order.import", &long);
    assert!(clear.body.len() <= 64 * 1024);
    let first = parsed(&clear);
    let sealed = sealed_copy(&clear, &first, &FakeVault);
    assert!(sealed.body.len() > 64 * 1024);
    assert_eq!(parsed(&sealed).fingerprint, first.fingerprint);

    let mut bare = good("order.import");
    for name in ["firstName", "lastName", "emailAddress", "amazonAddressConsent"] {
        bare = without(bare, name);
    }
    let empty = bare.to_string().len();
    let full = with(bare, "note", json!(""));
    let full = with(full, "customInformation", json!("x".repeat(64 * 1024 - empty)));
    let clear = message("order.import", &full);
    assert!(clear.body.len() <= 64 * 1024);
    let first = parsed(&clear);
    let again = parsed(&sealed_copy(&clear, &first, &FakeVault));
    assert_eq!(again.fingerprint, first.fingerprint);

    let huge = with(good("order.import"), "firstName", json!("x".repeat(120_000)));
    let wrong = validate("order.import", huge.as_object().unwrap(), Unknown::Ignored, None);
    assert_eq!(wrong.unwrap_err()[0].field, "body");
}
