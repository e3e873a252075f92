//! The books, for whoever wants to compare.

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Reply, ok};
use crate::Simulator;
use crate::books::{Books, Entry};
use crate::clock::rfc3339;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Of {
    #[serde(default)]
    merchant_id: String,
    #[serde(default)]
    object_id: String,
}

/// Whether a name is the one that is asked for; `merchantId=` asks for none.
fn is(asked: &str, name: &str) -> bool {
    asked.is_empty() || asked == name
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

/// `GET /_sim/ledger`; `objectId` may be what the buyer left, an order reference made from that, a
/// checkout session, or the transaction.
pub(super) async fn ledger(State(simulator): State<Simulator>, Query(of): Query<Of>) -> Reply {
    let world = simulator.world();
    let books = &world.books;
    // A checkout session stands for the permission that came of it.
    let permission = world.v2.permission_of(&of.object_id).map(|object| books.names(object).0);
    let object_id = permission.unwrap_or(&of.object_id);
    let wanted = |entry: &&Entry| {
        let order = &books[entry.order];
        let (id, _) = books.names(entry.object);
        let parent = order.parent.map_or("", |at| &books[at].id);
        let merchant_id = &books[order.seller].merchant_id;
        is(&of.merchant_id, merchant_id)
            && [id, &order.id, parent].iter().any(|name| is(object_id, name))
    };
    let entries = books.ledger().iter().filter(wanted).map(|entry| show(books, entry));
    ok(&json!({"entries": entries.collect::<Vec<_>>()}))
}

/// `GET /_sim/calls`
pub(super) async fn calls(State(simulator): State<Simulator>, Query(of): Query<Of>) -> Reply {
    let merchant_id = Some(of.merchant_id.as_str()).filter(|id| !id.is_empty());
    let count = simulator.world().calls.count(merchant_id);
    let (throttled, refused) = (count.throttled, count.refused);
    ok(&json!({"calls": count.calls, "throttled": throttled, "refused": refused}))
}
