//! What is asked for in the chaos test, drawn from its seed: sales, orders that rest until they are
//! captured, agreements with charges; what is to follow each; and how it ends at Amazon.

use serde_json::{Value, json};

use super::crm::{Operation, Payment, When};
use super::support::App;
use super::support::app::{MID, merchant, merchant_by_v2, order};
use super::support::chance::Chance;
use super::support::sim::Reference;

/// The MID that speaks v2, and the one that goes over to it in the middle.
pub(crate) const BY_V2: &str = "mid-2";
pub(crate) const GOES_OVER: &str = "mid-3";

/// How the authorizations, captures and refunds of an order end.
fn plan(chance: &mut Chance) -> Value {
    let authorize = match chance.below(100) {
        0..6 => json!(["InvalidPaymentMethod"]),
        6..10 => json!(["AmazonRejected"]),
        10..13 => json!(["ProcessingFailure", "approve"]),
        13..16 => json!(["TransactionTimedOut", {"outcome": "approve", "afterSeconds": 5}]),
        16..18 => json!(["TransactionTimedOut", {"outcome": "AmazonRejected", "afterSeconds": 5}]),
        _ => json!([]),
    };
    let capture = match chance.below(100) {
        0..3 => json!(["ProcessingFailure", "approve"]),
        3..5 => json!(["AmazonRejected"]),
        _ => json!([]),
    };
    let refund = match chance.below(100) {
        0..10 => json!(["AmazonRejected"]),
        10..20 => json!(["ProcessingFailure", "approve"]),
        _ => json!([]),
    };
    json!({ "authorize": authorize, "capture": capture, "refund": refund })
}

fn operation(when: When, what: &'static str, request: &str, chance: &mut Chance) -> Operation {
    let times = if chance.below(3) == 0 { 2 } else { 1 };
    let (request, messages) = (request.to_owned(), Vec::new());
    Operation { when, what, request, amount: None, times, messages }
}

/// Up to three refunds, which together may be more than there is.
fn refunds(chance: &mut Chance) -> Vec<Operation> {
    let count = chance.below(4);
    let one = |number: u64| {
        let when = if chance.below(5) == 0 { When::AtOnce } else { When::Paid };
        let mut refund = operation(when, "refunds", &format!("r{number}"), chance);
        refund.amount = (chance.below(4) > 0).then_some("10.00");
        refund
    };
    (0..count).map(one).collect()
}

/// What becomes of an authorization at rest: captured, in part too, canceled, both, or nothing.
fn after_rest(chance: &mut Chance) -> Vec<Operation> {
    let captured = |chance: &mut Chance| {
        let mut capture = operation(When::Authorized, "captures", "c", chance);
        capture.amount = (chance.below(2) == 0).then_some("12.50");
        capture
    };
    match chance.below(10) {
        0..5 => vec![captured(chance)],
        5..7 => vec![operation(When::Authorized, "cancel", "x", chance)],
        7..9 => vec![captured(chance), operation(When::Authorized, "cancel", "x", chance)],
        _ => vec![],
    }
}

/// Charges on the agreement that an order brings.
fn charges(
    order: &str,
    mid: &'static str,
    reference: &Reference,
    chance: &mut Chance,
) -> Vec<Payment> {
    let count = chance.below(5);
    let one = |cycle: u64| {
        let key = format!("{order}-{cycle}");
        let body = json!({
            "chargeId": key,
            "amazonBillerId": mid,
            "amazonBillingAgreementId": reference.id,
            "amount": "19.95",
            "currency": "USD",
            "orderId": order,
            "cycle": cycle,
        });
        Payment { mid, kind: "charge", key, body, operations: refunds(chance), charges: Vec::new() }
    };
    (1..=count).map(one).collect()
}

/// Every other order is by v2, in turn with a session that only confirms and one that does more.
pub(crate) async fn payment(app: &App, number: u64, chance: &mut Chance) -> Payment {
    let key = format!("C{number}");
    let (mid, account, intent) = match number % 4 {
        0 => (MID, merchant(MID), None),
        1 => (BY_V2, merchant_by_v2(BY_V2), Some(("Confirm", "Confirm"))),
        2 => (GOES_OVER, merchant(GOES_OVER), None),
        _ => (BY_V2, merchant_by_v2(BY_V2), Some(("AuthorizeWithCapture", "Authorize"))),
    };
    let (plan, fate) = (plan(chance), chance.below(100));
    let manual = fate < 20;
    let reference = match intent {
        _ if (20..40).contains(&fate) => app.agreement_at(&account, true, plan).await,
        Some((_, resting)) if manual => app.session_at(&account, resting, "29.95", plan).await,
        Some((intent, _)) => app.session_at(&account, intent, "29.95", plan).await,
        None => app.reference_at(&account, "29.95", plan).await,
    };
    let mut body = order(&key, &reference);
    body["amazonBillerId"] = json!(mid);
    let mut operations = refunds(chance);
    let mut after = Vec::new();
    match fate {
        0..20 => {
            body["capture"] = json!("manual");
            operations.extend(after_rest(chance));
        }
        20..40 => {
            body["recurring"] = json!({ "initialCharge": chance.below(2) == 0 });
            after = charges(&key, mid, &reference, chance);
        }
        // While it is in hand.
        40..50 => operations.push(operation(When::AtOnce, "cancel", "x", chance)),
        _ => {}
    }
    Payment { mid, kind: "order", key, body, operations, charges: after }
}
