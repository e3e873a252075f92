//! Good and bad fields: the parser and the schemas say the same about each.

use amazon_pay_worker::contract::{Refusal, parse};
use amazon_pay_worker::ports::broker::COMMAND_KEYS;
use serde_json::{Value, json};

use crate::fakes::{FakeVault, good, message, with, without};
use crate::schemas::schema;

const GOOD: bool = true;
const BAD: bool = false;

fn check(key: &str, body: &Value, expected: bool) {
    let parsed = match parse(&message(key, body), &FakeVault) {
        Ok(_) => true,
        Err(Refusal::Rejected(rejection)) => {
            assert!(!rejection.errors.is_empty());
            false
        }
        Err(Refusal::KeyMissing(_)) => panic!("no key was missing"),
    };
    assert_eq!(parsed, expected, "parser: {key} {body}");
    let valid = schema(&format!("{key}.json")).is_valid(body);
    assert_eq!(valid, expected, "schema: {key} {body}");
}

/// Each value in turn in that field of a good command of each of these keys.
fn each(keys: &[&str], field: &str, cases: &[(Value, bool)]) {
    for key in keys {
        for (value, expected) in cases {
            check(key, &with(good(key), field, value.clone()), *expected);
        }
    }
}

const SALES: &[&str] = &["order.import", "upsell.import"];
const MONEY: &[&str] = &["order.import", "upsell.import", "charge.recurring", "refund.request"];

#[test]
fn good_commands_are_good_with_and_without_what_may_be_left_out() {
    for key in COMMAND_KEYS {
        check(key, &good(key), GOOD);
        check(key, &with(good(key), "unknown", json!({"deep": [1.5, null]})), GOOD);
        check(key, &json!({}), BAD);
    }
}

#[test]
fn required_fields_are_required_and_null_is_as_good_as_absent() {
    let required: &[(&str, &[&str])] = &[
        ("order.import", &["orderId", "amazonBillerId", "amazonOrderId", "amount", "currency"]),
        ("upsell.import", &["orderId", "upsellId", "amazonBillerId", "amount", "currency"]),
        (
            "charge.recurring",
            &["chargeId", "amazonBillerId", "amazonBillingAgreementId", "amount", "currency"],
        ),
        ("capture.request", &["orderId", "amazonBillerId", "requestId"]),
        ("refund.request", &["orderId", "amazonBillerId", "requestId"]),
        ("cancel.request", &["orderId", "amazonBillerId", "requestId"]),
        ("agreement.close", &["amazonBillingAgreementId", "amazonBillerId", "requestId"]),
    ];
    for (key, fields) in required {
        for name in good(key).as_object().unwrap().keys() {
            let expected = !fields.contains(&name.as_str());
            check(key, &without(good(key), name), expected);
            check(key, &with(good(key), name, Value::Null), expected);
        }
    }
}

#[test]
fn every_field_has_its_type() {
    for key in COMMAND_KEYS {
        for name in good(key).as_object().unwrap().keys() {
            for wrong in [json!(true), json!(1.5), json!([]), json!(["x"])] {
                check(key, &with(good(key), name, wrong), BAD);
            }
            if name != "recurring" {
                check(key, &with(good(key), name, json!({})), BAD);
            }
        }
    }
}

#[test]
fn amounts_are_text_above_zero() {
    each(
        MONEY,
        "amount",
        &[
            (json!("19.9"), GOOD),
            (json!("19"), GOOD),
            (json!("0.01"), GOOD),
            (json!("9999999999.99"), GOOD),
            (json!("10000000000"), BAD),
            (json!(19.95), BAD),
            (json!("19,95"), BAD),
            (json!("1e3"), BAD),
            (json!("-1"), BAD),
            (json!("+1"), BAD),
            (json!("01"), BAD),
            (json!("1."), BAD),
            (json!(".5"), BAD),
            (json!("1.234"), BAD),
            (json!("0"), BAD),
            (json!("0.0"), BAD),
            (json!("0.00"), BAD),
            (json!(""), BAD),
            (json!(" 1"), BAD),
            (json!("1\n"), BAD),
            (json!("١"), BAD),
            (json!("NaN"), BAD),
        ],
    );
}

#[test]
fn currencies_are_amazon_s_and_yen_have_no_fraction() {
    each(
        MONEY,
        "currency",
        &[
            (json!("EUR"), GOOD),
            (json!("ZAR"), GOOD),
            (json!("usd"), BAD),
            (json!("CAD"), BAD),
            (json!(""), BAD),
            (json!("US"), BAD),
        ],
    );
    for key in MONEY {
        let yen = with(good(key), "currency", json!("JPY"));
        check(key, &with(yen.clone(), "amount", json!("1200")), GOOD);
        check(key, &with(yen.clone(), "amount", json!("1200.0")), BAD);
        check(key, &with(yen, "amount", json!("12.50")), BAD);
    }
}

#[test]
fn ids_are_short_and_plain() {
    let long = "x".repeat(65);
    for key in COMMAND_KEYS {
        for name in ["orderId", "upsellId", "chargeId", "amazonBillerId", "requestId"] {
            if good(key).get(name).is_none() {
                continue;
            }
            let longest = "x".repeat(64);
            for fine in ["1", "A-b_c.d:e", longest.as_str()] {
                check(key, &with(good(key), name, json!(fine)), GOOD);
            }
            for wrong in ["", "a b", "a/b", "ä", "a\n", long.as_str(), "a\u{0}"] {
                check(key, &with(good(key), name, json!(wrong)), BAD);
            }
            check(key, &with(good(key), name, json!(1001)), BAD);
        }
    }
    each(
        SALES,
        "amazonOrderId",
        &[(json!("P01-1-1"), GOOD), (json!("a:b"), BAD), (json!(""), BAD)],
    );
    let agreements = &["charge.recurring", "agreement.close"];
    let cases = [(json!("C01-1-1"), GOOD), (json!("B01/1"), BAD), (json!(""), BAD)];
    each(agreements, "amazonBillingAgreementId", &cases);
}

#[test]
fn the_words_of_a_sale_are_the_contract_s() {
    each(SALES, "paySource", &[(json!("CREDITCARD"), BAD), (json!("amazon"), BAD)]);
    each(
        SALES,
        "capture",
        &[(json!("manual"), GOOD), (json!("later"), BAD), (json!(""), BAD), (json!(false), BAD)],
    );
    each(
        SALES,
        "authorization",
        &[(json!("sync"), GOOD), (json!("async"), GOOD), (json!("SYNC"), BAD)],
    );
    each(
        SALES,
        "recurring",
        &[
            (json!({}), GOOD),
            (json!({"initialCharge": false}), GOOD),
            (json!({"initialCharge": null}), GOOD),
            (json!({"initialCharge": "false"}), BAD),
            (json!({"initialCharge": 0}), BAD),
            (json!(true), BAD),
        ],
    );
}

#[test]
fn texts_have_their_bounds_in_characters() {
    let with_texts = &["order.import", "upsell.import", "charge.recurring"];
    let sixteen = "ü".repeat(16);
    each(
        with_texts,
        "softDescriptor",
        &[(json!(sixteen), GOOD), (json!(""), GOOD), (json!("x".repeat(17)), BAD)],
    );
    each(
        with_texts,
        "note",
        &[(json!("ü".repeat(255)), GOOD), (json!("x".repeat(256)), BAD), (json!("a\u{0}"), BAD)],
    );
    each(SALES, "customInformation", &[(json!("x".repeat(2000)), GOOD), (json!("\u{0}"), BAD)]);
    each(SALES, "firstName", &[(json!(""), GOOD), (json!("Zoë\n"), GOOD), (json!("\u{0}"), BAD)]);
}

#[test]
fn a_charge_has_a_time_and_a_cycle() {
    each(
        &["charge.recurring"],
        "notBefore",
        &[
            (json!("2026-01-31T06:00:00.5+09:00"), GOOD),
            (json!("2026-01-31"), BAD),
            (json!("2026-02-30T06:00:00Z"), BAD),
            (json!(1_769_839_200), BAD),
            (json!(""), BAD),
        ],
    );
    each(
        &["charge.recurring"],
        "cycle",
        &[(json!(3), GOOD), (json!("3"), GOOD), (json!(""), GOOD), (json!(3.5), BAD)],
    );
}

#[test]
fn an_operation_names_one_payment() {
    for key in ["capture.request", "refund.request", "cancel.request"] {
        let bare = without(good(key), "orderId");
        check(key, &with(bare.clone(), "chargeId", json!("C-1")), GOOD);
        check(key, &with(bare.clone(), "upsellId", json!("U-1")), BAD);
        check(key, &with(good(key), "upsellId", json!("U-1")), GOOD);
        check(key, &with(good(key), "chargeId", json!("C-1")), BAD);
        let both = with(with(bare, "chargeId", json!("C-1")), "upsellId", json!("U-1"));
        check(key, &both, BAD);
        check(key, &without(good(key), "amount"), GOOD);
        check(key, &without(good(key), "currency"), GOOD);
    }
}
