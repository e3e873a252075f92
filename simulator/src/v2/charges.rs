//! Charges: an authorization and what is captured of it, under one id.

use serde_json::{Map, Value};

use super::body::Reader;
use super::errors::{self, Error, capture_declined, charge_status, word};
use super::sessions::read_metadata;
use super::{Call, objects, render, simulate};
use crate::World;
use crate::books::{
    AgreementAttributes, Attributes, AuthorizationAt, AuthorizationState, AuthorizeAsk, Books,
    CaptureAsk, Fate, Object, Patience, Reason,
};

const INITIATORS: [&str; 4] = ["CITU", "MITU", "CITR", "MITR"];
const CHANNELS: [&str; 8] =
    ["Web", "Phone", "App", "Alexa", "PointOfSale", "FireTv", "Offline", "Amazon"];
/// What of a charge nobody looks at but who sent it.
const HANDED_ON: [&str; 6] = [
    "merchantMetadata",
    "providerMetadata",
    "platformId",
    "chargeInitiator",
    "channel",
    "webCheckoutDetails",
];

/// What a merchant says of an order, as the books keep it.
pub(super) fn attributes(metadata: &Value) -> Attributes {
    let text = |name: &str| metadata[name].as_str().map(str::to_owned);
    Attributes {
        seller_order_id: text("merchantReferenceId"),
        store_name: text("merchantStoreName"),
        seller_note: text("noteToBuyer"),
        custom_information: text("customInformation"),
        ..Attributes::default()
    }
}

impl Books {
    /// What was said of a permission, for a charge of which nothing else is said.
    pub(super) fn attributes_of(&self, permission: Object) -> Attributes {
        let Object::Agreement(at) = permission else { return Attributes::default() };
        let AgreementAttributes { seller_agreement_id, store_name, .. } = &self[at].attributes;
        Attributes {
            seller_order_id: seller_agreement_id.clone(),
            store_name: store_name.clone(),
            ..Attributes::default()
        }
    }
}

/// `POST charges`
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let id = reader.required("chargePermissionId", 127);
    let capture_now = reader.flag("captureNow");
    let descriptor = reader.text("softDescriptor", 16);
    let may_pend = reader.flag("canHandlePendingAuthorization");
    reader.one_of("chargeInitiator", &INITIATORS);
    reader.one_of("channel", &CHANNELS);
    reader.text("platformId", 255);
    let metadata = reader.object("merchantMetadata").is_some();
    reader.object("providerMetadata");
    reader.object("webCheckoutDetails");
    let amount = reader.required_money("chargeAmount")?;
    if metadata {
        read_metadata(&call.body["merchantMetadata"])?;
    }
    if descriptor.is_some() && !capture_now {
        let message = "softDescriptor: only with captureNow";
        return Err(Error::new(400, "InvalidParameterCombination", message));
    }
    let fate = simulate::charge(call, may_pend)?;
    let World { books, v2, .. } = world;
    let permission = objects::permission(books, call, id)?;
    let ask = AuthorizeAsk {
        reference: String::new(),
        amount,
        note: String::new(),
        timeout_minutes: 0,
        patience: if may_pend { Patience::Enough } else { Patience::None },
        capture_now,
        soft_descriptor: descriptor.map(str::to_owned),
    };
    let attributes = match metadata {
        true => attributes(&call.body["merchantMetadata"]),
        false => books.attributes_of(permission),
    };
    let at = run(books, permission, &ask, (&attributes, fate))?;
    name(books, at, call.key);
    let id = objects::charge_id(books, at);
    let said: Map<String, Value> = HANDED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), call.body.get(name)?.clone())))
        .collect();
    v2.said.insert(id.clone(), said);
    Ok((201, render::charge(books, v2, at, &id)))
}

/// Charges a permission; what is declined at once is an error.
pub(super) fn run(
    books: &mut Books,
    permission: Object,
    ask: &AuthorizeAsk,
    (attributes, fate): (&Attributes, Option<Fate>),
) -> Result<AuthorizationAt, Error> {
    let made = match permission {
        Object::Agreement(at) => books.charge(at, ask, attributes, fate),
        other => {
            let order = books.order_of(other).ok_or_else(Error::unknown)?;
            books.authorize(order, ask, fate)
        }
    };
    let at = made.map_err(word)?.at;
    if books[at].state == AuthorizationState::Declined {
        return Err(errors::declined(&books[at]));
    }
    let captured = books[at].captures.last().map(|capture| &books[*capture]);
    if let Some(declined) = captured.and_then(capture_declined) {
        // A charge is one: what could not be captured is not held either.
        books.close_and_release(at, Reason::AmazonClosed);
        return Err(declined);
    }
    Ok(at)
}

/// Lets the books show by which key of the merchant's this was asked for.
pub(super) fn name(books: &mut Books, at: AuthorizationAt, key: &str) {
    key.clone_into(&mut books[at].reference);
    for capture in books[at].captures.clone() {
        key.clone_into(&mut books[capture].reference);
    }
}

pub(super) fn is_pending(books: &Books, at: AuthorizationAt) -> bool {
    books[at].state == AuthorizationState::Pending
}

fn shown(world: &World, at: AuthorizationAt, id: &str) -> (u16, Value) {
    (200, render::charge(&world.books, &world.v2, at, id))
}

/// `GET charges/{id}`
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let at = objects::charge(&mut world.books, call, call.id)?;
    Ok(shown(world, at, call.id))
}

/// `POST charges/{id}/capture`
pub(super) fn capture(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let descriptor = reader.text("softDescriptor", 16);
    let amount = reader.required_money("captureAmount")?;
    let simulated = simulate::step(call)?;
    let books = &mut world.books;
    let at = objects::charge(books, call, call.id)?;
    if books[at].state != AuthorizationState::Open || books.is_being_captured(at) {
        return Err(charge_status("The charge is not Authorized."));
    }
    let ask = CaptureAsk {
        reference: String::new(),
        amount,
        note: String::new(),
        soft_descriptor: descriptor.map(str::to_owned),
    };
    let made = books.capture(at, &ask, simulated.map(Into::into)).map_err(word)?;
    call.key.clone_into(&mut books[made.at].reference);
    if let Some(declined) = capture_declined(&books[made.at]) {
        return Err(declined);
    }
    Ok(shown(world, at, call.id))
}

/// `DELETE charges/{id}/cancel`
pub(super) fn cancel(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let why = reader.text("cancellationReason", 255).map(str::to_owned);
    reader.finish()?;
    let at = objects::charge(&mut world.books, call, call.id)?;
    world.books.close_authorization(at, Reason::SellerClosed, why).map_err(word)?;
    Ok(shown(world, at, call.id))
}
