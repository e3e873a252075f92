//! The books, for whoever wants to compare.

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Reply, ok};
use crate::simulator::Simulator;
use crate::simulator::books::{Books, Entry};
use crate::simulator::clock::rfc3339;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Of {
    merchant_id: Option<String>,
    object_id: Option<String>,
}

/// One movement of money, as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    at: String,
    merchant_id: &'a str,
    object_id: &'a str,
    kind: &'static str,
    amount: String,
    currency: &'static str,
    reference_id: &'a str,
    id: &'a str,
    seller_order_id: Option<&'a str>,
}

fn show<'a>(books: &'a Books, entry: &Entry) -> Shown<'a> {
    let order = &books[entry.order];
    let parent = order.parent.map(|at| books[at].id.as_str());
    let (id, reference_id) = books.names(entry.object);
    Shown {
        at: rfc3339(entry.at),
        merchant_id: &books[order.seller].merchant_id,
        object_id: parent.unwrap_or(&order.id),
        kind: entry.kind.text(),
        amount: entry.amount.amount(),
        currency: entry.amount.currency().code(),
        reference_id,
        id,
        seller_order_id: order.attributes.seller_order_id.as_deref(),
    }
}

/// `GET /_sim/ledger`; `objectId` may be what the buyer left, an order reference made from that, or
/// the transaction.
pub(super) async fn ledger(State(simulator): State<Simulator>, Query(of): Query<Of>) -> Reply {
    let world = simulator.world();
    let books = &world.books;
    let wanted = |entry: &&Entry| {
        let order = &books[entry.order];
        let merchant_id = &books[order.seller].merchant_id;
        let parent = order.parent.map(|at| &books[at].id);
        let (id, _) = books.names(entry.object);
        let is = |wanted: &String| {
            *wanted == order.id || wanted == id || parent.is_some_and(|parent| wanted == parent)
        };
        of.merchant_id.as_ref().is_none_or(|wanted| wanted == merchant_id)
            && of.object_id.as_ref().is_none_or(is)
    };
    let entries = books.ledger().iter().filter(wanted).map(|entry| show(books, entry));
    ok(&json!({"entries": entries.collect::<Vec<_>>()}))
}

/// `GET /_sim/calls`
pub(super) async fn calls(State(simulator): State<Simulator>, Query(of): Query<Of>) -> Reply {
    let count = simulator.world().calls.count(of.merchant_id.as_deref());
    let (throttled, refused) = (count.throttled, count.refused);
    ok(&json!({"calls": count.calls, "throttled": throttled, "refused": refused}))
}
