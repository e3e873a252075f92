//! How the service is, and how the seller's account is.

use super::Call;
use super::errors::Error;
use super::xml::Xml;
use crate::books::Books;

/// `GetServiceStatus`
pub(super) fn service(books: &mut Books, _call: &Call<'_>) -> Result<String, Error> {
    let mut xml = Xml::default();
    xml.leaf("Status", "GREEN");
    xml.time("Timestamp", books.now());
    Ok(xml.into_text())
}

/// `GetMerchantAccountStatus`
pub(super) fn account(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut xml = Xml::default();
    let active = books[call.seller].active;
    xml.leaf("AccountStatus", if active { "ACTIVE" } else { "INACTIVE" });
    Ok(xml.into_text())
}
