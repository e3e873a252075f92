//! The operations on billing agreements. The same effects as on order references, under other
//! names: an agreement has no total, and every charge makes an order of its own.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::map::{Call, Kind, authorization_params, constraints, money, on, state};
use super::wire::Element;
use crate::domain::gateway::{Authorize, Month, ReferenceView, SetDetails};
use crate::domain::ids::ReferenceId;

/// The element that holds an agreement.
pub(super) const DETAILS: &str = "BillingAgreementDetails";

pub(super) fn on_agreement<'a>(action: &'static str, id: &'a ReferenceId, kind: Kind) -> Call<'a> {
    on(action, "AmazonBillingAgreementId", id.as_str(), kind)
}

pub(super) fn read(id: &ReferenceId) -> Call<'_> {
    let mut call = on_agreement("GetBillingAgreementDetails", id, Kind::Agreement);
    call.object = Some(id.as_str());
    call
}

pub(super) fn set_details(details: &SetDetails) -> Call<'_> {
    let reference = &details.reference;
    let mut call = on_agreement("SetBillingAgreementDetails", reference, Kind::Agreement);
    let params = &mut call.params;
    params.add(
        "BillingAgreementAttributes.SellerBillingAgreementAttributes.SellerBillingAgreementId",
        details.seller_order_id.as_str(),
    );
    params.add_some(
        "BillingAgreementAttributes.SellerBillingAgreementAttributes.StoreName",
        details.store_name.as_deref(),
    );
    params.add_some(
        "BillingAgreementAttributes.SellerBillingAgreementAttributes.CustomInformation",
        details.custom_information.as_deref(),
    );
    call
}

pub(super) fn authorize(made: &Authorize) -> Call<'_> {
    let reference = &made.reference;
    let mut call = on_agreement("AuthorizeOnBillingAgreement", reference, Kind::Authorization);
    authorization_params(&mut call.params, made);
    let params = &mut call.params;
    // No prefix here, unlike everywhere else.
    params.add("SellerOrderAttributes.SellerOrderId", made.seller.order_id.as_str());
    params.add_some("SellerOrderAttributes.StoreName", made.seller.store_name.as_deref());
    params.add_some(
        "SellerOrderAttributes.CustomInformation",
        made.seller.custom_information.as_deref(),
    );
    params.add("InheritShippingAddress", "true");
    call
}

/// An agreement as it is shown. It lists none of its authorizations.
pub(super) fn view(details: Element<'_>) -> Result<ReferenceView, &'static str> {
    let status = details.child("BillingAgreementStatus").ok_or("an agreement without a status")?;
    let state = state(status.text_of("State").ok_or("an agreement without a state")?);
    Ok(ReferenceView {
        reason: status.text_of("ReasonCode").map(str::to_owned),
        constraints: constraints(details),
        consent: details.text_of("BillingAgreementConsent").map(|text| text == "true"),
        month: month(details)?,
        ..ReferenceView::in_state(state)
    })
}

/// What may be charged this month; a window that cannot be read is an error, because a missing one
/// would let every charge pass.
fn month(details: Element<'_>) -> Result<Option<Month>, &'static str> {
    let Some(limits) = details.child("BillingAgreementLimits") else { return Ok(None) };
    let Some(left) = money(limits, "CurrentRemainingBalance")? else { return Ok(None) };
    let at = |name: &str| match limits.text_of(name) {
        Some(text) => instant(text).map(Some).ok_or("a period that is no time"),
        None => Ok(None),
    };
    Ok(match (at("TimePeriodStartDate")?, at("TimePeriodEndDate")?) {
        (Some(begins), Some(ends)) => Some(Month { left, begins, ends }),
        _ => None,
    })
}

fn instant(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}
