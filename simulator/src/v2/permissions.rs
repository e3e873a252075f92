//! Charge permissions: what a buyer allowed, once or for a time to come.

use serde_json::Value;

use super::body::Reader;
use super::errors::{Error, word};
use super::sessions::read_metadata;
use super::{Call, charges, objects, render, simulate, state};
use crate::World;
use crate::books::{Object, Reason, Refusal};

fn shown(world: &World, object: Object) -> (u16, Value) {
    (200, render::permission(&world.books, &world.v2, object))
}

/// `GET chargePermissions/{id}`
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let object = objects::permission(&mut world.books, call, call.id)?;
    Ok(shown(world, object))
}

/// `PATCH chargePermissions/{id}`
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let metadata = reader.object("merchantMetadata").is_some();
    let recurring = reader.object("recurringMetadata").is_some();
    reader.finish()?;
    let object = objects::permission(&mut world.books, call, call.id)?;
    if state::permission(&world.books, object).state == "Closed" {
        return Err(word(Refusal::NotModifiable));
    }
    if metadata {
        let metadata = &call.body["merchantMetadata"];
        read_metadata(metadata)?;
        let new = charges::attributes(metadata);
        match object {
            Object::Agreement(at) => {
                let of = &mut world.books[at].attributes;
                of.seller_agreement_id = new.seller_order_id.or(of.seller_agreement_id.take());
                of.store_name = new.store_name.or(of.store_name.take());
                of.seller_note = new.seller_note.or(of.seller_note.take());
                of.custom_information = new.custom_information.or(of.custom_information.take());
            }
            other => {
                if let Some(at) = world.books.order_of(other) {
                    world.books[at].attributes.overwrite(&new);
                }
            }
        }
    }
    if recurring {
        let said = world.v2.said.entry(call.id.to_owned()).or_default();
        said.insert("recurringMetadata".to_owned(), call.body["recurringMetadata"].clone());
    }
    Ok(shown(world, object))
}

/// `DELETE chargePermissions/{id}/close`
pub(super) fn close(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let why = reader.required("closureReason", 255).to_owned();
    let cancel_charges = reader.flag("cancelPendingCharges");
    reader.finish()?;
    let by_amazon = simulate::amazon_closes(call)?;
    let object = objects::permission(&mut world.books, call, call.id)?;
    if state::permission(&world.books, object).state == "Closed" {
        return Err(word(Refusal::CloseAttempt));
    }
    let reason = if by_amazon { Reason::AmazonClosed } else { Reason::SellerClosed };
    let closed = world.books.close_permission(object, cancel_charges, (reason, Some(why)));
    closed.map_err(word)?;
    Ok(shown(world, object))
}
