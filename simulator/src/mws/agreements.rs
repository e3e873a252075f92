//! The operations on billing agreements.

use super::errors::{Error, Wanted, word};
use super::request::Reader;
use super::xml::Xml;
use super::{Call, orders, render, transactions};
use crate::books::{AgreementAt, AgreementAttributes, Books, Object, OrderAt, Refusal, order_fits};
use orders::TEXT_MAX;

fn refuse(books: &Books, call: &Call<'_>, refusal: Refusal) -> Error {
    word(books, call.seller, Wanted::Agreement, refusal)
}

fn find(books: &mut Books, call: &Call<'_>, id: &str) -> Result<AgreementAt, Error> {
    match books.look_up_by_mws(call.seller, call.environment, id) {
        Ok(Object::Agreement(at)) => Ok(at),
        Ok(_) => Err(refuse(books, call, Refusal::Unknown)),
        Err(refusal) => Err(refuse(books, call, refusal)),
    }
}

fn details(books: &Books, at: AgreementAt, shows_buyer: bool) -> String {
    let mut xml = Xml::default();
    render::agreement(&mut xml, books, at, shows_buyer);
    xml.into_text()
}

/// `GetBillingAgreementDetails`
pub(super) fn get(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    let token = orders::token(&mut reader);
    reader.finish()?;
    let token = token?;
    let at = find(books, call, &id)?;
    let shows = books.shows_subscriber(at, token.as_deref());
    let shows = shows.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(details(books, at, shows))
}

/// `SetBillingAgreementDetails`
pub(super) fn set(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    const KINDS: [&str; 2] = ["CustomerInitiatedTransaction", "MerchantInitiatedTransaction"];
    let name = |rest: &str| format!("BillingAgreementAttributes.{rest}");
    let seller =
        |rest: &str| format!("BillingAgreementAttributes.SellerBillingAgreementAttributes.{rest}");
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    if !reader.has("BillingAgreementAttributes.") {
        reader.missing("BillingAgreementAttributes");
    }
    let attributes = AgreementAttributes {
        platform_id: reader.optional(&name("PlatformId"), TEXT_MAX),
        seller_note: reader.optional(&name("SellerNote"), TEXT_MAX),
        seller_agreement_id: reader.optional(&seller("SellerBillingAgreementId"), TEXT_MAX),
        store_name: reader.optional(&seller("StoreName"), TEXT_MAX),
        custom_information: reader.optional(&seller("CustomInformation"), TEXT_MAX),
        kind: reader.one_of(&name("BillingAgreementType"), &KINDS),
        subscription_amount: reader.optional_money(&name("SubscriptionAmount")),
    };
    reader.finish()?;
    let at = find(books, call, &id)?;
    let set = books.set_agreement(at, &attributes);
    set.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(details(books, at, books[at].confirmed))
}

/// `ConfirmBillingAgreement`
pub(super) fn confirm(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    reader.optional("SuccessUrl", TEXT_MAX);
    reader.optional("FailureUrl", TEXT_MAX);
    reader.finish()?;
    let at = find(books, call, &id)?;
    books.confirm_agreement(at).map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}

/// `ValidateBillingAgreement`
pub(super) fn validate(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    reader.finish()?;
    let at = find(books, call, &id)?;
    let valid = books.validate_agreement(at);
    let valid = valid.map_err(|refusal| refuse(books, call, refusal))?;
    let mut xml = Xml::default();
    xml.leaf("ValidationResult", if valid { "Success" } else { "Failure" });
    if !valid {
        xml.leaf("FailureReasonCode", "InvalidPaymentMethod");
    }
    render::agreement_status(&mut xml, &books[at]);
    Ok(xml.into_text())
}

/// `CloseBillingAgreement`
pub(super) fn close(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    let why = reader.optional("ClosureReason", TEXT_MAX);
    reader.finish()?;
    let at = find(books, call, &id)?;
    books.close_agreement(at, why).map_err(|refusal| refuse(books, call, refusal))?;
    Ok(String::new())
}

/// `CreateOrderReferenceForId`
pub(super) fn create_order(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    const TOTAL: &str = "OrderReferenceAttributes.OrderTotal";
    const DATA: &str = "OrderReferenceAttributes.SupplementaryData";
    let mut reader = Reader::new(call.params);
    let id = reader.required("Id", 127);
    reader.required("IdType", 127);
    reader.one_of("IdType", &["BillingAgreement"]);
    reader.flag("InheritShippingAddress");
    let confirm = reader.flag("ConfirmNow");
    let total = if confirm { reader.money(TOTAL) } else { reader.optional_money(TOTAL) };
    if total.is_some_and(|total| !order_fits(total)) {
        reader.reject(&format!("{TOTAL}.Amount"), "Member must not exceed the order maximum");
    }
    let mut attributes = orders::attributes(&mut reader, "OrderReferenceAttributes.");
    let data = reader.optional(DATA, 4 * TEXT_MAX);
    attributes.supplementary_data = attributes.supplementary_data.or(data);
    reader.finish()?;
    let at = find(books, call, &id)?;
    let made = books.order_from_agreement(at, total, &attributes, confirm);
    let order = made.map_err(|refusal| refuse(books, call, refusal))?;
    Ok(orders::details(books, order, true))
}

/// `AuthorizeOnBillingAgreement`
pub(super) fn authorize(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let id = reader.required("AmazonBillingAgreementId", 127);
    let ask = transactions::read_ask(&mut reader);
    reader.flag("InheritShippingAddress");
    let attributes = orders::attributes(&mut reader, "");
    reader.finish()?;
    let Some(ask) = ask else { return Err(Error::invalid("no amount")) };
    let agreement = find(books, call, &id)?;
    let made = books.made_charge(agreement, &ask, &attributes);
    if let Some(at) = made.map_err(|refusal| refuse(books, call, refusal))? {
        let now = transactions::authorization_details(books, at, false);
        let told = transactions::answer(books, &books[at].first_answer, now);
        return Ok(with_order(books, books[at].order, &told));
    }
    let simulated = transactions::simulated(call, &ask)?;
    let made = books.charge(agreement, &ask, &attributes, simulated);
    let at = made.map_err(|refusal| refuse(books, call, refusal))?.at;
    let told = transactions::authorization_details(books, at, true);
    if books.readings.second(1) {
        books[at].first_answer = Some(told.clone());
    }
    Ok(with_order(books, books[at].order, &told))
}

/// The order reference that was made for the charge stands beside the authorization.
fn with_order(books: &Books, order: OrderAt, authorization: &str) -> String {
    let mut xml = Xml::default();
    xml.raw(authorization);
    xml.leaf("AmazonOrderReferenceId", &books[order].id);
    xml.into_text()
}
