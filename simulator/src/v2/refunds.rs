//! Refunds: always begun now and decided later.

use serde_json::Value;

use super::body::Reader;
use super::errors::{Error, word};
use super::{Call, objects, render, simulate};
use crate::World;
use crate::books::{Object, RefundAsk};

/// `POST refunds`
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let id = reader.required("chargeId", 127);
    let descriptor = reader.text("softDescriptor", 16);
    let amount = reader.required_money("refundAmount")?;
    let simulated = simulate::step(call)?;
    let books = &mut world.books;
    let capture = objects::captured(books, call, id)?;
    let ask = RefundAsk {
        reference: String::new(),
        amount,
        note: String::new(),
        soft_descriptor: descriptor.map(str::to_owned),
    };
    let made = books.refund(capture, &ask, simulated).map_err(word)?;
    call.key.clone_into(&mut books[made.at].reference);
    Ok((201, render::refund(books, made.at)))
}

/// `GET refunds/{id}`
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let found = world.books.look_up(call.seller, call.environment, call.id).map_err(word)?;
    match found {
        Object::Refund(at) => Ok((200, render::refund(&world.books, at))),
        Object::Order(_) | Object::Agreement(_) | Object::Authorization(_) | Object::Capture(_) => {
            Err(Error::unknown())
        }
    }
}
