//! What happens to an object outside the seller's program: the buyer changes a card, an employee
//! closes or captures in Seller Central, somebody disputes.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, Reply, created, ok, read};
use crate::books::{Books, Object, Reason, RefundKind};
use crate::{Simulator, World, v2};

/// By any id: Amazon's, a charge's, or that of the checkout session it came of.
fn find(world: &World, id: &str) -> Result<Object, Refused> {
    let found = v2::anything(&world.books, id).or_else(|| world.v2.permission_of(id));
    found.ok_or_else(|| Refused::Missing(format!("there is no object {id:?}")))
}

/// The object as it is now.
fn show(books: &Books, object: Object) -> Value {
    let (id, _) = books.names(object);
    let (state, reason) = match object {
        Object::Order(at) => (books[at].state.text(), books[at].reason),
        Object::Agreement(at) => (books[at].state.text(), books[at].reason),
        Object::Authorization(at) => (books[at].state.text(), books[at].reason),
        Object::Capture(at) => (books[at].state.text(), books[at].reason),
        Object::Refund(at) => (books[at].state.text(), books[at].reason),
    };
    json!({"id": id, "state": state, "reasonCode": reason.map(Reason::text)})
}

#[derive(Debug, Deserialize)]
struct MethodBody {
    valid: bool,
}

/// `POST /_sim/objects/{id}/payment-method`
pub(super) async fn payment_method(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = simulator.world();
    let object = find(&world, &id)?;
    let body: MethodBody = read(&body)?;
    match object {
        Object::Order(at) => world.books.change_method(at, body.valid),
        Object::Agreement(at) => world.books.change_agreement_method(at, body.valid),
        Object::Authorization(_) | Object::Capture(_) | Object::Refund(_) => {
            let text = "only a reference or an agreement has a payment method".to_owned();
            return Err(Refused::Nonsense(text));
        }
    }
    ok(&show(&world.books, object))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloseBody {
    reason: Option<String>,
}

/// `POST /_sim/objects/{id}/close`
pub(super) async fn close(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = simulator.world();
    let object = find(&world, &id)?;
    let body: CloseBody = read(&body)?;
    let closed = world.books.close_by_hand(object, body.reason.as_deref());
    closed.map_err(Refused::Nonsense)?;
    ok(&show(&world.books, object))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AmountBody {
    amount: Value,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl AmountBody {
    /// The amount as text; a number counts as it was written.
    fn amount(&self) -> Result<Option<String>, Refused> {
        match &self.amount {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(number.to_string())),
            _ => Err(Refused::Nonsense("amount: must be a text like 19.95".to_owned())),
        }
    }
}

/// `POST /_sim/objects/{id}/capture`
pub(super) async fn capture(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = simulator.world();
    let object = find(&world, &id)?;
    let body: AmountBody = read(&body)?;
    let amount = body.amount()?;
    let captured = world.books.capture_by_hand(object, amount.as_deref());
    let at = captured.map_err(Refused::Nonsense)?;
    created(&show(&world.books, Object::Capture(at)))
}

/// `POST /_sim/objects/{id}/dispute`
pub(super) async fn dispute(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = simulator.world();
    let object = find(&world, &id)?;
    let body: AmountBody = read(&body)?;
    let kind = match body.kind.as_deref().map(dispute_kind) {
        None => RefundKind::Chargeback,
        Some(Some(kind)) => kind,
        Some(None) => {
            let text = "type: chargeback or a-to-z".to_owned();
            return Err(Refused::Nonsense(text));
        }
    };
    let amount = body.amount()?;
    let disputed = world.books.dispute(object, amount.as_deref(), kind);
    let at = disputed.map_err(Refused::Nonsense)?;
    created(&show(&world.books, Object::Refund(at)))
}

/// A chargeback of the bank's, or Amazon's own guarantee, however that is spelled.
fn dispute_kind(text: &str) -> Option<RefundKind> {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    if letters.starts_with("chargeback") {
        Some(RefundKind::Chargeback)
    } else if letters.contains("atoz") || letters.ends_with("az") || letters.contains("azg") {
        Some(RefundKind::Guarantee)
    } else {
        None
    }
}
