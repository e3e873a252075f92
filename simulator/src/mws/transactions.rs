//! The operations that move money: authorize, capture, refund. A reference id that was used before
//! is looked at before the state of anything, so that a repeat gets what the first call made.

use super::errors::{Error, Wanted, word};
use super::request::Reader;
use super::xml::Xml;
use super::{Call, note, orders, render};
use crate::books::{
    AuthorizationAt, AuthorizeAsk, Books, CaptureAsk, CaptureAt, Fate, Object, Patience, Reason,
    RefundAsk, Refusal,
};

const NOTE_MAX: usize = 255;
const DESCRIPTOR_MAX: usize = 16;
/// A day, where the caller names no timeout.
const TIMEOUT_MINUTES: u32 = 1440;

fn refuse(books: &Books, call: &Call<'_>, refusal: Refusal) -> Error {
    word(books, call.seller, Wanted::Transaction, refusal)
}

fn find(books: &mut Books, call: &Call<'_>, id: &str) -> Result<Object, Error> {
    let found = books.look_up_by_mws(call.seller, call.environment, id);
    found.map_err(|refusal| refuse(books, call, refusal))
}

fn find_authorization(
    books: &mut Books,
    call: &Call<'_>,
    id: &str,
) -> Result<AuthorizationAt, Error> {
    match find(books, call, id)? {
        Object::Authorization(at) => Ok(at),
        _ => Err(refuse(books, call, Refusal::Unknown)),
    }
}

fn find_capture(books: &mut Books, call: &Call<'_>, id: &str) -> Result<CaptureAt, Error> {
    match find(books, call, id)? {
        Object::Capture(at) => Ok(at),
        _ => Err(refuse(books, call, Refusal::Unknown)),
    }
}

pub(super) fn authorization_details(books: &Books, at: AuthorizationAt, fresh: bool) -> String {
    let mut xml = Xml::default();
    render::authorization(&mut xml, books, at, fresh);
    xml.into_text()
}

/// The answer to a repeat is what the object is now, or what was answered first (reading 1); only
/// where the latter is wanted is it kept.
pub(super) fn answer(books: &Books, kept: &Option<String>, now: String) -> String {
    match kept {
        Some(first) if books.readings.second(1) => first.clone(),
        _ => now,
    }
}

/// What an authorization is asked for with; `None` once something is wrong with it.
pub(super) fn read_ask(reader: &mut Reader<'_>) -> Option<AuthorizeAsk> {
    let reference = reader.reference("AuthorizationReferenceId");
    let amount = reader.money("AuthorizationAmount");
    let note = reader.optional("SellerAuthorizationNote", NOTE_MAX).unwrap_or_default();
    let timeout_minutes = reader.number("TransactionTimeout", TIMEOUT_MINUTES, (0, 1440));
    if !timeout_minutes.is_multiple_of(5) {
        reader.reject("TransactionTimeout", "Member must be a multiple of 5");
    }
    let capture_now = reader.flag("CaptureNow");
    let soft_descriptor = reader.optional("SoftDescriptor", DESCRIPTOR_MAX);
    let patience = if timeout_minutes == 0 { Patience::Little } else { Patience::Enough };
    let amount = amount?;
    Some(AuthorizeAsk {
        reference,
        amount,
        note,
        timeout_minutes,
        patience,
        capture_now,
        soft_descriptor,
    })
}

/// What a note asks of an authorization.
pub(super) fn simulated(call: &Call<'_>, ask: &AuthorizeAsk) -> Result<Option<Fate>, Error> {
    let synchronous = ask.timeout_minutes == 0;
    note::authorization(&ask.note, call.environment, synchronous, ask.capture_now)
}

/// `Authorize`
pub(super) fn authorize(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonOrderReferenceId", 127);
    let ask = read_ask(&mut reader);
    reader.finish()?;
    let Some(ask) = ask else { return Err(Error::invalid("no amount")) };
    let order = orders::find(books, call, &id)?;
    let made = books.made_authorization(order, &ask);
    if let Some(at) = made.map_err(|refusal| refuse(books, call, refusal))? {
        let now = authorization_details(books, at, false);
        return Ok(answer(books, &books[at].first_answer, now));
    }
    let made = books.authorize(order, &ask, simulated(call, &ask)?);
    let at = made.map_err(|refusal| refuse(books, call, refusal))?.at;
    let details = authorization_details(books, at, true);
    if books.readings.second(1) {
        books[at].first_answer = Some(details.clone());
    }
    Ok(details)
}

/// `GetAuthorizationDetails`
pub(super) fn get_authorization(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonAuthorizationId", 127);
    reader.finish()?;
    let at = find_authorization(books, call, &id)?;
    Ok(authorization_details(books, at, false))
}

/// `CloseAuthorization`
pub(super) fn close_authorization(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonAuthorizationId", 127);
    let why = reader.optional("ClosureReason", 1024);
    reader.finish()?;
    let at = find_authorization(books, call, &id)?;
    let closed = books.close_authorization(at, Reason::SellerClosed, why);
    closed.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}

fn capture_details(books: &Books, at: CaptureAt) -> String {
    let mut xml = Xml::default();
    render::capture(&mut xml, books, at);
    xml.into_text()
}

/// `Capture`
pub(super) fn capture(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonAuthorizationId", 127);
    let reference = reader.reference("CaptureReferenceId");
    let amount = reader.money("CaptureAmount");
    let note = reader.optional("SellerCaptureNote", NOTE_MAX).unwrap_or_default();
    let soft_descriptor = reader.optional("SoftDescriptor", DESCRIPTOR_MAX);
    reader.finish()?;
    let Some(amount) = amount else { return Err(Error::invalid("no amount")) };
    let ask = CaptureAsk { reference, amount, note, soft_descriptor };
    let authorization = find_authorization(books, call, &id)?;
    let made = books.made_capture(authorization, &ask);
    if let Some(at) = made.map_err(|refusal| refuse(books, call, refusal))? {
        return Ok(answer(books, &books[at].first_answer, capture_details(books, at)));
    }
    let simulated = note::capture(&ask.note, call.environment)?;
    let made = books.capture(authorization, &ask, simulated);
    let at = made.map_err(|refusal| refuse(books, call, refusal))?.at;
    let details = capture_details(books, at);
    if books.readings.second(1) {
        books[at].first_answer = Some(details.clone());
    }
    Ok(details)
}

/// `GetCaptureDetails`
pub(super) fn get_capture(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonCaptureId", 127);
    reader.finish()?;
    let at = find_capture(books, call, &id)?;
    Ok(capture_details(books, at))
}

/// `Refund`
pub(super) fn refund(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonCaptureId", 127);
    let reference = reader.reference("RefundReferenceId");
    let amount = reader.money("RefundAmount");
    let note = reader.optional("SellerRefundNote", NOTE_MAX).unwrap_or_default();
    let soft_descriptor = reader.optional("SoftDescriptor", DESCRIPTOR_MAX);
    reader.finish()?;
    let Some(amount) = amount else { return Err(Error::invalid("no amount")) };
    let ask = RefundAsk { reference, amount, note, soft_descriptor };
    let capture = find_capture(books, call, &id)?;
    let made = books.made_refund(capture, &ask);
    let details = |books: &Books, at| {
        let mut xml = Xml::default();
        render::refund(&mut xml, books, at);
        xml.into_text()
    };
    if let Some(at) = made.map_err(|refusal| refuse(books, call, refusal))? {
        return Ok(answer(books, &books[at].first_answer, details(books, at)));
    }
    let simulated = note::refund(&ask.note, call.environment)?;
    let made = books.refund(capture, &ask, simulated);
    let at = made.map_err(|refusal| refuse(books, call, refusal))?.at;
    let details = details(books, at);
    if books.readings.second(1) {
        books[at].first_answer = Some(details.clone());
    }
    Ok(details)
}

/// `GetRefundDetails`
pub(super) fn get_refund(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonRefundId", 127);
    reader.finish()?;
    match find(books, call, &id)? {
        Object::Refund(at) => {
            let mut xml = Xml::default();
            render::refund(&mut xml, books, at);
            Ok(xml.into_text())
        }
        _ => Err(refuse(books, call, Refusal::Unknown)),
    }
}
