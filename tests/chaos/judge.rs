//! The judge of the chaos test: what the events say of each payment, held against each other and
//! against the simulator's own books. Nothing double, nothing lost, nothing refunded twice.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::crm::{Crm, Operation, Payment, When};
use super::support::App;
use super::support::app::MID;

/// The movements of one kind, by this field. What a payment says was its own is taken out: what is
/// left in the end was nobody's.
type Ledger<'a> = HashMap<&'a str, &'a Value>;

fn of_kind<'a>(entries: &'a [Value], kind: &str, field: &str) -> Ledger<'a> {
    let mut found = HashMap::new();
    for entry in entries.iter().filter(|entry| entry["kind"] == kind) {
        let known = found.insert(entry[field].as_str().unwrap(), entry);
        assert!(known.is_none(), "{kind} twice: {entry}, {known:?}");
    }
    found
}

/// In the smallest unit.
fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("no amount: {amount}"));
    let (whole, rest) = text.split_once('.').unwrap();
    whole.parse::<i64>().unwrap() * 100 + rest.parse::<i64>().unwrap()
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event["data"][name].as_str().unwrap_or_default()
}

/// Holds everything that was told against everything that moved.
pub(crate) async fn judge(app: &App, crm: &Crm, kills: u32) {
    let entries = app.sim.ledger("").await;
    // A payment has a name of its own at Amazon, and is captured once under it.
    let mut captures = of_kind(&entries, "capture", "sellerOrderId");
    let mut refunds = of_kind(&entries, "refund", "id");
    let mut told: HashMap<&str, Vec<&Value>> = HashMap::new();
    let mut ids = HashMap::new();
    for event in &crm.events {
        let id = event["id"].as_str().unwrap();
        assert!(ids.insert(id, event).is_none(), "event {id} stands twice in the feed");
        told.entry(event["subject"].as_str().unwrap()).or_default().push(event);
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (subject, payment) in &crm.asked {
        let events = &told[subject.as_str()];
        let end = its_own_end(subject, payment, events);
        *counts.entry(format!("{} {} {end}", payment.mid, payment.kind)).or_default() += 1;
        let captured = its_capture(payment, events, end, &mut captures);
        let refunded = its_refunds(subject, events, captured, &mut refunds);
        for operation in &payment.operations {
            let word = one_end(subject, operation, events, (end, captured - refunded));
            *counts.entry(format!("{} {word}", operation.what)).or_default() += 1;
        }
    }
    assert!(captures.is_empty(), "captures of nobody's payment: {captures:?}");
    assert!(refunds.is_empty(), "refunds that nobody asked for: {refunds:?}");
    dead_letters(app, crm);
    let counts: Vec<String> =
        counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    println!("chaos: {}", counts.join(", "));
    println!("chaos: {kills} kills, every command ended once, nothing double, lost or wrong");
}

/// The story of the payment itself, which has one end in each epoch; the last of them.
fn its_own_end<'a>(subject: &str, payment: &Payment, events: &[&'a Value]) -> &'a str {
    let numbers: Vec<u64> =
        events.iter().filter_map(|event| event["data"]["sequence"].as_u64()).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "{subject}: out of order or lost: {events:#?}");
    let own = ["authorized", "paid", "declined", "failed", "canceled"];
    let story: Vec<&str> = events
        .iter()
        .map(|event| text(event, "status"))
        .filter(|status| own.contains(status))
        .collect();
    let lasting = ["paid", "declined", "canceled"].as_slice();
    let good = match &story[..] {
        // Softly declined and canceled after that, which is an epoch of its own.
        ["declined", "canceled"] => true,
        ["authorized", end] => lasting.contains(end),
        ["authorized"] => payment.body["capture"] == "manual" || !has_first_charge(payment),
        [end] => lasting.contains(end),
        _ => false,
    };
    assert!(good, "{subject}: {story:?} in {events:#?}");
    story.last().unwrap()
}

fn has_first_charge(payment: &Payment) -> bool {
    payment.body["recurring"]["initialCharge"] != json!(false)
}

/// What was captured: once, of the amount that is told, under the payment's own name.
fn its_capture(payment: &Payment, events: &[&Value], end: &str, ledger: &mut Ledger<'_>) -> i64 {
    let told = events.iter().filter(|event| event["data"].get("capturedAmount").is_some());
    let most = told.map(|event| cents(&event["data"]["capturedAmount"])).max().unwrap_or(0);
    if end != "paid" {
        assert_eq!(most, 0, "{events:#?}");
        return 0;
    }
    let paid = events.iter().find(|event| text(event, "status") == "paid").unwrap();
    let entry = ledger.remove(payment.key.as_str());
    let entry = entry.unwrap_or_else(|| panic!("{}: no capture, {paid}", payment.subject()));
    assert_eq!(entry["amount"], paid["data"]["capturedAmount"], "{paid}");
    // To v2 what is captured later is still known by its charge.
    if entry["id"] != paid["data"]["amazonCaptureId"] {
        assert_eq!((text(paid, "operation"), payment.mid == MID), ("capture", false), "{paid}");
    }
    let asked = cents(&payment.body["amount"]);
    let captured = cents(&entry["amount"]);
    assert!(captured == most && captured <= asked, "{asked} asked, {entry}");
    let part = payment.operations.iter().find(|operation| {
        operation.what == "captures" && operation.request == text(paid, "requestId")
    });
    let fixed = part.and_then(|part| part.amount).map_or(asked, |amount| cents(&json!(amount)));
    assert_eq!(captured, fixed, "{paid}");
    captured
}

/// What went back: each request once, never more than came in, and what the events sum up.
fn its_refunds(subject: &str, events: &[&Value], captured: i64, ledger: &mut Ledger<'_>) -> i64 {
    let mut by_request = HashMap::new();
    let (mut sum, mut most) = (0, 0);
    for event in events.iter().filter(|event| text(event, "status") == "refunded") {
        let request = text(event, "requestId");
        assert!(!request.is_empty(), "{subject}: a refund that nobody asked for: {event}");
        let before = by_request.insert(request, event);
        assert!(before.is_none(), "{subject}: {request} was refunded twice: {events:#?}");
        let refund = text(event, "amazonRefundId");
        let entry = ledger.remove(refund);
        let entry = entry.unwrap_or_else(|| panic!("{subject}: no refund {refund}: {event}"));
        assert_eq!(entry["amount"], event["data"]["amount"], "{subject}");
        sum += cents(&entry["amount"]);
        // Amazon may count another already of which it has yet to be told.
        let counted = cents(&event["data"]["refundedAmount"]);
        assert!(counted >= sum, "{subject}: {counted} of {sum}: {events:#?}");
        most = most.max(counted);
    }
    assert_eq!(most, sum, "{subject}: what is told is not what went back: {events:#?}");
    assert!(sum <= captured, "{subject}: {sum} of {captured} went back: {events:#?}");
    sum
}

/// An operation's one end, or one rejection for each message; and a rejection has its reason.
fn one_end<'a>(
    subject: &str,
    operation: &Operation,
    events: &[&'a Value],
    (end, left): (&str, i64),
) -> &'a str {
    let of_request = |event: &&&Value| text(event, "requestId") == operation.request;
    let mine: Vec<&&Value> = events.iter().filter(of_request).collect();
    let rejected = |event: &&Value| text(event, "status") == "operation_rejected";
    let ends: Vec<&&Value> = mine
        .iter()
        .copied()
        .filter(|event| !rejected(event) && text(event, "status") != "operation_pending")
        .collect();
    assert!(ends.len() <= 1, "{subject}: {} ended {ends:#?}", operation.request);
    for message in &operation.messages {
        let count =
            mine.iter().filter(|event| rejected(event) && text(event, "messageId") == message);
        let count = count.count();
        assert!(count <= 1 && count + ends.len() >= 1, "{subject}: {message}: {mine:#?}");
    }
    if let Some(one) = ends.first() {
        let word = text(one, "status");
        let good = match operation.what {
            "refunds" => ["refunded", "refund_declined"].contains(&word),
            "captures" => ["paid", "declined"].contains(&word),
            _ => word == "canceled",
        };
        assert!(good, "{subject}: {one}");
        return word;
    }
    let first = mine.iter().find(|event| rejected(event));
    let Some(first) = first else { return "not asked for" };
    let unknown = first["data"]["decline"]["code"] == "unknown_reference";
    let some = |status: &str| events.iter().any(|event| text(event, "status") == status);
    // A declined refund held its amount until then; what rests has nothing to give back.
    let held = some("refund_declined") || operation.when == When::AtOnce && some("authorized");
    let reason = match operation.what {
        "refunds" => {
            let wanted = operation.amount.map_or(1, |amount| cents(&json!(amount)));
            end != "paid" || wanted > left || held
        }
        _ => ["paid", "canceled", "declined"].contains(&end),
    };
    assert!(reason || unknown, "{subject}: rejected without a reason: {first:#}");
    if unknown { "unknown for a minute" } else { "operation_rejected" }
}

/// Nothing lies in the dead letters but what was rejected.
fn dead_letters(app: &App, crm: &Crm) {
    let letters = app.cli_json(&["dead-letter", "list", "--status", "open", "--json"]);
    let letters = letters.as_array().unwrap();
    let rejected: Vec<&Value> =
        crm.events.iter().filter(|event| text(event, "status").ends_with("rejected")).collect();
    for letter in letters {
        assert_eq!(letter["reason"], "rejected", "{letter}");
        let message = letter["messageId"].as_str().unwrap();
        let told = rejected.iter().any(|event| text(event, "messageId") == message);
        assert!(told, "nobody was told of {letter}");
    }
    assert_eq!(letters.len(), rejected.len(), "dead letters and rejections");
}
