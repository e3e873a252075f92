//! Finds objects by the ids of API v2. Whatever MWS made is found too: a reference or an agreement
//! by its own id as a permission, an authorization by its id with a `C` for the `A`.

use super::Call;
use super::errors::{Error, word};
use crate::books::{AuthorizationAt, Books, Object, Refusal};

/// Where the letter of a transaction stands: `S01-1234567-1234567-C123456`.
const LETTER_AT: usize = 20;

/// The same id with another letter, where it is one of a transaction.
fn with_letter(id: &str, from: u8, to: &str) -> Option<String> {
    let bytes = id.as_bytes();
    let is_one =
        bytes.len() > LETTER_AT && bytes[LETTER_AT - 1] == b'-' && bytes[LETTER_AT] == from;
    (is_one && id.is_ascii()).then(|| format!("{}{to}{}", &id[..LETTER_AT], &id[LETTER_AT + 1..]))
}

/// The id of a charge, as API v2 writes it.
pub(crate) fn charge_id(books: &Books, at: AuthorizationAt) -> String {
    let id = &books[at].id;
    with_letter(id, b'A', "C").unwrap_or_else(|| id.clone())
}

/// The permission of this id: an order reference or an agreement.
pub(super) fn permission(books: &mut Books, call: &Call<'_>, id: &str) -> Result<Object, Error> {
    match books.look_up(call.seller, call.environment, id).map_err(word)? {
        found @ (Object::Order(_) | Object::Agreement(_)) => Ok(found),
        Object::Authorization(_) | Object::Capture(_) | Object::Refund(_) => Err(Error::unknown()),
    }
}

/// The charge of this id: of an authorization with the same digits, else of that very capture.
pub(super) fn charge(
    books: &mut Books,
    call: &Call<'_>,
    id: &str,
) -> Result<AuthorizationAt, Error> {
    let mut look_up = |id: &str| books.look_up(call.seller, call.environment, id);
    let twin = with_letter(id, b'C', "A").ok_or_else(Error::unknown)?;
    if let Ok(Object::Authorization(at)) = look_up(&twin) {
        return Ok(at);
    }
    match look_up(id) {
        Ok(Object::Capture(at)) => Ok(books[at].authorization),
        Ok(_) => Err(Error::unknown()),
        Err(refusal) => Err(word(refusal)),
    }
}

/// Whatever has this id, whosever it is: in the books, or a charge that was not captured.
pub(crate) fn anything(books: &Books, id: &str) -> Option<Object> {
    let charge = || books.find(&with_letter(id, b'C', "A")?);
    books.find(id).or_else(charge)
}

/// As [`charge`], with what was captured of it.
pub(super) fn captured(
    books: &mut Books,
    call: &Call<'_>,
    id: &str,
) -> Result<crate::books::CaptureAt, Error> {
    let exact = books.look_up(call.seller, call.environment, id);
    let at = charge(books, call, id)?;
    let captures = &books[at].captures;
    match exact {
        Ok(Object::Capture(exact)) if captures.len() == 1 => Ok(exact),
        _ => captures.last().copied().ok_or_else(|| word(Refusal::NotRefundable)),
    }
}
