//! The operations on order references.

use super::Call;
use super::errors::{Error, Wanted, word};
use super::request::Reader;
use super::xml::Xml;
use super::{note, render};
use crate::books::{Attributes, Books, Object, OrderAt, Reason, Refusal, order_fits};

pub(super) const TEXT_MAX: usize = 1024;

fn refuse(books: &Books, call: &Call<'_>, refusal: Refusal) -> Error {
    word(books, call.seller, Wanted::Order, refusal)
}

/// The order reference of this id.
pub(super) fn find(books: &mut Books, call: &Call<'_>, id: &str) -> Result<OrderAt, Error> {
    match books.look_up_by_mws(call.seller, call.environment, id) {
        Ok(Object::Order(at)) => Ok(at),
        Ok(_) => Err(refuse(books, call, Refusal::Unknown)),
        Err(refusal) => Err(refuse(books, call, refusal)),
    }
}

pub(super) fn details(books: &Books, at: OrderAt, shows_buyer: bool) -> String {
    let mut xml = Xml::default();
    render::order(&mut xml, books, at, shows_buyer);
    xml.into_text()
}

/// The buyer's token, under its newer or its older name, but not under both.
pub(super) fn token(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let consent = reader.optional("AddressConsentToken", 4096);
    let access = reader.optional("AccessToken", 4096);
    if consent.is_some() && access.is_some() {
        return Err(Error::new(400, "AmbiguousToken", "Send one token, not both."));
    }
    Ok(consent.or(access))
}

/// `GetOrderReferenceDetails`
pub(super) fn get(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let token = token(&mut reader);
    reader.finish()?;
    let token = token?;
    let at = find(books, call, &id)?;
    let shows = books.shows_buyer(at, token.as_deref());
    let shows = shows.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(details(books, at, shows))
}

/// What the seller says of an order; `prefix` is empty, or ends with a point.
pub(super) fn attributes(reader: &mut Reader<'_>, prefix: &str) -> Attributes {
    let name = |rest: &str| format!("{prefix}{rest}");
    let order = |rest: &str| format!("{prefix}SellerOrderAttributes.{rest}");
    let provider = |rest: &str| format!("{prefix}PaymentServiceProviderAttributes.{rest}");
    let asks = name("RequestPaymentAuthorization");
    Attributes {
        platform_id: reader.optional(&name("PlatformId"), TEXT_MAX),
        seller_note: reader.optional(&name("SellerNote"), TEXT_MAX),
        seller_order_id: reader.optional(&order("SellerOrderId"), TEXT_MAX),
        store_name: reader.optional(&order("StoreName"), TEXT_MAX),
        custom_information: reader.optional(&order("CustomInformation"), 4 * TEXT_MAX),
        supplementary_data: reader.optional(&order("SupplementaryData"), 4 * TEXT_MAX),
        request_payment_authorization: reader.one_of(&asks, &["true", "false"]),
        provider_id: reader.optional(&provider("PaymentServiceProviderId"), TEXT_MAX),
        provider_order_id: reader.optional(&provider("PaymentServiceProviderOrderId"), TEXT_MAX),
        categories: reader.list(&order("OrderItemCategories.OrderItemCategory")),
    }
}

/// `SetOrderReferenceDetails`
pub(super) fn set(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    const PREFIX: &str = "OrderReferenceAttributes";
    const TOTAL: &str = "OrderReferenceAttributes.OrderTotal";
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let mut total = None;
    if reader.has(PREFIX) {
        total = reader.money(TOTAL);
    } else {
        reader.missing(PREFIX);
    }
    let attributes = attributes(&mut reader, "OrderReferenceAttributes.");
    if total.is_some_and(|total| !order_fits(total)) {
        reader.reject(&format!("{TOTAL}.Amount"), "Member must not exceed the order maximum");
    }
    reader.finish()?;
    let at = find(books, call, &id)?;
    let said = attributes.seller_note.as_deref().unwrap_or("");
    let not_allowed = note::not_allowed(said, call.environment)?;
    if let Some(total) = total {
        let set = books.set_order(at, total, &attributes, not_allowed);
        set.map_err(|refusal| refuse(books, call, refusal))?;
    }
    Ok(details(books, at, books[at].confirmed))
}

/// `SetOrderAttributes`
pub(super) fn set_attributes(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    const TOTAL: &str = "OrderAttributes.OrderTotal";
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let total = reader.optional_money(TOTAL);
    let attributes = attributes(&mut reader, "OrderAttributes.");
    if total.is_some_and(|total| !order_fits(total)) {
        reader.reject(&format!("{TOTAL}.Amount"), "Member must not exceed the order maximum");
    }
    reader.finish()?;
    let at = find(books, call, &id)?;
    let set = books.set_attributes(at, total, &attributes);
    set.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(details(books, at, books[at].confirmed))
}

/// `ConfirmOrderReference`
pub(super) fn confirm(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    reader.optional("SuccessUrl", TEXT_MAX);
    reader.optional("FailureUrl", TEXT_MAX);
    reader.optional_money("AuthorizationAmount");
    let immediate = reader.flag("ExpectImmediateAuthorization");
    reader.finish()?;
    let at = find(books, call, &id)?;
    let confirmed = books.confirm_order(at, immediate);
    confirmed.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}

/// `CancelOrderReference`
pub(super) fn cancel(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let why = reader.optional("CancelationReason", TEXT_MAX);
    reader.finish()?;
    let at = find(books, call, &id)?;
    books.cancel_order(at, why).map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}

/// `CloseOrderReference`
pub(super) fn close(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let why = reader.optional("ClosureReason", TEXT_MAX);
    reader.finish()?;
    let at = find(books, call, &id)?;
    let by_amazon = note::amazon_closes(why.as_deref().unwrap_or(""), call.environment)?;
    let reason = if by_amazon { Reason::AmazonClosed } else { Reason::SellerClosed };
    books.close_order(at, reason, why).map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}
