//! From effects to Amazon's operations and from its documents to views. Translates and decides
//! nothing; what a document should hold and does not is said, never guessed.

use super::agreements;
use super::sign::Params;
use super::wire::Element;
use crate::adapters::amazon::amount::decimal;
use crate::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Capture, CaptureState, CaptureView,
    Effect, ReferenceState, ReferenceView, Refund, RefundState, RefundView, SetDetails,
};
use crate::domain::ids::{AuthorizationId, CaptureId, ReferenceId, ReferenceKind, RefundId};
use crate::domain::money::{Currency, Money};
use crate::ports::gateway::{Address, BuyerDetails};

/// Minutes that Amazon may take to decide about an asynchronous authorization.
const ASYNCHRONOUS_MINUTES: &str = "1440";

/// What a document is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reference,
    Agreement,
    Authorization,
    Capture,
    Refund,
    /// Nothing in it matters.
    Done,
}

/// One operation.
pub(super) struct Call<'a> {
    pub(super) action: &'static str,
    pub(super) params: Params<'a>,
    pub(super) kind: Kind,
    /// The object that is read; an answer about another one is none.
    pub(super) object: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// The operation behind an effect; of what is several operations, none.
    pub(super) fn of(effect: &'a Effect) -> Option<Self> {
        Some(match effect {
            Effect::SetDetails(details) => match details.reference.kind() {
                ReferenceKind::Recurring => agreements::set_details(details),
                ReferenceKind::OneTime | ReferenceKind::Session => set_details(details),
            },
            Effect::Confirm(id) => {
                either("ConfirmOrderReference", "ConfirmBillingAgreement", id, Kind::Done)
            }
            // A session is nothing that this API knows.
            Effect::Complete(_) => return None,
            Effect::Authorize(call) => match call.reference.kind() {
                ReferenceKind::Recurring => agreements::authorize(call),
                ReferenceKind::OneTime | ReferenceKind::Session => authorize(call),
            },
            Effect::ReadReference(id) => Self::read_reference(id),
            Effect::FindAuthorization { .. }
            | Effect::FindCapture { .. }
            | Effect::ReadRefunds(_) => return None,
            Effect::ReadAuthorization(id) => Self::read_authorization(id),
            Effect::Capture(call) => capture(call),
            Effect::ReadCapture(id) => Self::read_capture(id),
            Effect::Refund(call) => refund(call),
            Effect::ReadRefund(id) => Self::read_refund(id),
            Effect::CloseAuthorization(id) => {
                on_authorization("CloseAuthorization", id, Kind::Done)
            }
            Effect::CloseReference(id) => {
                either("CloseOrderReference", "CloseBillingAgreement", id, Kind::Done)
            }
        })
    }

    pub(super) fn read_reference(id: &'a ReferenceId) -> Self {
        if id.is_recurring() {
            return agreements::read(id);
        }
        let mut call = on_reference("GetOrderReferenceDetails", id, Kind::Reference);
        call.object = Some(id.as_str());
        call
    }

    pub(super) fn read_authorization(id: &'a AuthorizationId) -> Self {
        let mut call = on_authorization("GetAuthorizationDetails", id, Kind::Authorization);
        call.object = Some(id.as_str());
        call
    }

    pub(super) fn read_capture(id: &'a CaptureId) -> Self {
        let mut call = on("GetCaptureDetails", "AmazonCaptureId", id.as_str(), Kind::Capture);
        call.object = Some(id.as_str());
        call
    }

    pub(super) fn read_refund(id: &'a RefundId) -> Self {
        let mut call = on("GetRefundDetails", "AmazonRefundId", id.as_str(), Kind::Refund);
        call.object = Some(id.as_str());
        call
    }
}

/// The operation of a one-time reference, or that of an agreement.
fn either<'a>(
    one_time: &'static str,
    recurring: &'static str,
    id: &'a ReferenceId,
    kind: Kind,
) -> Call<'a> {
    match id.kind() {
        ReferenceKind::Recurring => agreements::on_agreement(recurring, id, kind),
        ReferenceKind::OneTime | ReferenceKind::Session => on_reference(one_time, id, kind),
    }
}

pub(super) fn on<'a>(
    action: &'static str,
    name: &'static str,
    id: &'a str,
    kind: Kind,
) -> Call<'a> {
    let mut params = Params::default();
    params.add(name, id);
    Call { action, params, kind, object: None }
}

fn on_reference<'a>(action: &'static str, id: &'a ReferenceId, kind: Kind) -> Call<'a> {
    on(action, "AmazonOrderReferenceId", id.as_str(), kind)
}

fn on_authorization<'a>(action: &'static str, id: &'a AuthorizationId, kind: Kind) -> Call<'a> {
    on(action, "AmazonAuthorizationId", id.as_str(), kind)
}

fn set_details(details: &SetDetails) -> Call<'_> {
    let mut call = on_reference("SetOrderReferenceDetails", &details.reference, Kind::Reference);
    let params = &mut call.params;
    params.add("OrderReferenceAttributes.OrderTotal.Amount", details.total.amount());
    let currency = details.total.currency().code();
    params.add("OrderReferenceAttributes.OrderTotal.CurrencyCode", currency);
    let seller_order_id = details.seller_order_id.as_str();
    params.add("OrderReferenceAttributes.SellerOrderAttributes.SellerOrderId", seller_order_id);
    let store_name = details.store_name.as_deref();
    params.add_some("OrderReferenceAttributes.SellerOrderAttributes.StoreName", store_name);
    params.add_some(
        "OrderReferenceAttributes.SellerOrderAttributes.CustomInformation",
        details.custom_information.as_deref(),
    );
    call
}

fn authorize(made: &Authorize) -> Call<'_> {
    let mut call = on_reference("Authorize", &made.reference, Kind::Authorization);
    authorization_params(&mut call.params, made);
    call
}

/// What an authorization is asked for with, on whatever it is made.
pub(super) fn authorization_params<'a>(params: &mut Params<'a>, made: &'a Authorize) {
    params.add("AuthorizationReferenceId", made.key.as_str());
    params.add("AuthorizationAmount.Amount", made.amount.amount());
    params.add("AuthorizationAmount.CurrencyCode", made.amount.currency().code());
    let timeout = if made.synchronous { "0" } else { ASYNCHRONOUS_MINUTES };
    params.add("TransactionTimeout", timeout);
    params.add("CaptureNow", if made.capture_now { "true" } else { "false" });
    let descriptor = made.soft_descriptor.as_deref().filter(|_| made.capture_now);
    params.add_some("SoftDescriptor", descriptor);
    params.add_some("SellerAuthorizationNote", made.note.as_deref());
}

fn capture(made: &Capture) -> Call<'_> {
    let mut call = on_authorization("Capture", &made.authorization, Kind::Capture);
    let params = &mut call.params;
    params.add("CaptureReferenceId", made.key.as_str());
    params.add("CaptureAmount.Amount", made.amount.amount());
    params.add("CaptureAmount.CurrencyCode", made.amount.currency().code());
    params.add_some("SoftDescriptor", made.soft_descriptor.as_deref());
    call
}

fn refund(made: &Refund) -> Call<'_> {
    let mut call = on("Refund", "AmazonCaptureId", made.capture.as_str(), Kind::Refund);
    let params = &mut call.params;
    params.add("RefundReferenceId", made.key.as_str());
    params.add("RefundAmount.Amount", made.amount.amount());
    params.add("RefundAmount.CurrencyCode", made.amount.currency().code());
    params.add_some("SoftDescriptor", made.soft_descriptor.as_deref());
    call
}

/// What a whole document means; an error names what is wrong with it, without its contents.
pub(super) fn answer(kind: Kind, root: Element<'_>) -> Result<Answer, &'static str> {
    match kind {
        Kind::Done => Ok(Answer::Done),
        Kind::Reference => {
            reference(details(root, "OrderReferenceDetails")?).map(Answer::Reference)
        }
        Kind::Agreement => {
            agreements::view(details(root, agreements::DETAILS)?).map(Answer::Reference)
        }
        Kind::Authorization => {
            authorization(details(root, "AuthorizationDetails")?).map(Answer::Authorization)
        }
        Kind::Capture => capture_view(details(root, "CaptureDetails")?).map(Answer::Capture),
        Kind::Refund => refund_view(details(root, "RefundDetails")?).map(Answer::Refund),
    }
}

/// The details inside the operation's result.
pub(super) fn details<'d>(
    root: Element<'d>,
    name: &'static str,
) -> Result<Element<'d>, &'static str> {
    let mut results = root.children();
    results.find_map(|result| result.child(name)).ok_or("no details in it")
}

fn reference(details: Element<'_>) -> Result<ReferenceView, &'static str> {
    let status = details.child("OrderReferenceStatus").ok_or("a reference without a status")?;
    let required = details
        .child("PaymentAuthenticationStatus")
        .and_then(|status| status.text_of("State"))
        .is_some_and(|state| state.eq_ignore_ascii_case("REQUIRED"));
    let state = state(status.text_of("State").ok_or("a reference without a state")?);
    Ok(ReferenceView {
        reason: status.text_of("ReasonCode").map(str::to_owned),
        total: money(details, "OrderTotal")?,
        constraints: constraints(details),
        authorizations: ids(details, AuthorizationId::new),
        authentication_required: required,
        ..ReferenceView::in_state(state)
    })
}

pub(super) fn state(word: &str) -> ReferenceState {
    match word {
        "Draft" => ReferenceState::Draft,
        "Open" => ReferenceState::Open,
        "Suspended" => ReferenceState::Suspended,
        "Closed" => ReferenceState::Closed,
        "Canceled" => ReferenceState::Canceled,
        _ => ReferenceState::Other,
    }
}

pub(super) fn constraints(details: Element<'_>) -> Vec<String> {
    let list = details.child("Constraints").into_iter().flat_map(|list| list.children());
    list.filter_map(|constraint| constraint.text_of("ConstraintID")).map(str::to_owned).collect()
}

fn authorization(details: Element<'_>) -> Result<AuthorizationView, &'static str> {
    let id = details.text_of("AmazonAuthorizationId").unwrap_or_default();
    let status = details.child("AuthorizationStatus").ok_or("an authorization without a status")?;
    Ok(AuthorizationView {
        id: AuthorizationId::new(id).map_err(|_| "an authorization without an id")?,
        key: details.text_of("AuthorizationReferenceId").unwrap_or_default().to_owned(),
        state: match status.text_of("State").ok_or("an authorization without a state")? {
            "Pending" => AuthorizationState::Pending,
            "Open" => AuthorizationState::Open,
            "Declined" => AuthorizationState::Declined,
            "Closed" => AuthorizationState::Closed,
            _ => AuthorizationState::Other,
        },
        reason: status.text_of("ReasonCode").map(str::to_owned),
        amount: money(details, "AuthorizationAmount")?,
        captures: ids(details, CaptureId::new),
        shown: None,
    })
}

fn capture_view(details: Element<'_>) -> Result<CaptureView, &'static str> {
    let id = details.text_of("AmazonCaptureId").unwrap_or_default();
    let status = details.child("CaptureStatus").ok_or("a capture without a status")?;
    Ok(CaptureView {
        id: CaptureId::new(id).map_err(|_| "a capture without an id")?,
        key: details.text_of("CaptureReferenceId").unwrap_or_default().to_owned(),
        state: match status.text_of("State").ok_or("a capture without a state")? {
            "Pending" => CaptureState::Pending,
            "Completed" => CaptureState::Completed,
            "Declined" => CaptureState::Declined,
            "Closed" => CaptureState::Closed,
            _ => CaptureState::Other,
        },
        reason: status.text_of("ReasonCode").map(str::to_owned),
        amount: money(details, "CaptureAmount")?,
        refunded: money(details, "RefundedAmount")?,
    })
}

fn refund_view(details: Element<'_>) -> Result<RefundView, &'static str> {
    let id = details.text_of("AmazonRefundId").unwrap_or_default();
    let status = details.child("RefundStatus").ok_or("a refund without a status")?;
    Ok(RefundView {
        id: RefundId::new(id).map_err(|_| "a refund without an id")?,
        key: details.text_of("RefundReferenceId").unwrap_or_default().to_owned(),
        dispute: details.text_of("RefundType").is_some_and(|kind| kind != "SellerInitiated"),
        state: match status.text_of("State").ok_or("a refund without a state")? {
            "Pending" => RefundState::Pending,
            "Completed" => RefundState::Completed,
            "Declined" => RefundState::Declined,
            _ => RefundState::Other,
        },
        reason: status.text_of("ReasonCode").map(str::to_owned),
        amount: money(details, "RefundAmount")?,
    })
}

/// The refunds that a capture's document lists.
pub(super) fn refunds_of(root: Element<'_>) -> Result<Vec<RefundId>, &'static str> {
    Ok(ids(details(root, "CaptureDetails")?, RefundId::new))
}

/// `member` in answers, `Id` in notifications.
fn ids<T, E>(details: Element<'_>, make: fn(String) -> Result<T, E>) -> Vec<T> {
    let list = details.child("IdList").into_iter().flat_map(|list| list.children());
    list.filter(|item| matches!(item.name(), "member" | "Id"))
        .filter_map(|item| make(item.text()?.to_owned()).ok())
        .collect()
}

/// An amount where there is one. One that cannot be read is an error, because a missing amount
/// would pass every comparison.
pub(super) fn money(details: Element<'_>, name: &str) -> Result<Option<Money>, &'static str> {
    let Some(price) = details.child(name) else { return Ok(None) };
    let (amount, code) = (price.text_of("Amount"), price.text_of("CurrencyCode"));
    let (Some(amount), Some(code)) = (amount, code) else {
        let empty = amount.is_none() && code.is_none();
        return if empty { Ok(None) } else { Err("half an amount") };
    };
    let currency = Currency::parse(code).ok_or("an amount in an unknown currency")?;
    decimal(amount, currency).map(Some).ok_or("an amount that is no number of its currency")
}

/// The buyer and the shipping address that a reference shows.
pub(super) fn buyer(root: Element<'_>) -> Result<BuyerDetails, &'static str> {
    let details =
        details(root, "OrderReferenceDetails").or_else(|_| details(root, agreements::DETAILS))?;
    let buyer = details.child("Buyer");
    let of_buyer = |name: &str| buyer.and_then(|buyer| buyer.text_of(name)).map(str::to_owned);
    let destination = details.child("Destination");
    Ok(BuyerDetails {
        name: of_buyer("Name"),
        email: of_buyer("Email"),
        address: destination.and_then(|place| place.child("PhysicalDestination")).map(address),
    })
}

fn address(place: Element<'_>) -> Address {
    let text = |name: &str| place.text_of(name).map(str::to_owned);
    Address {
        name: text("Name"),
        line1: text("AddressLine1"),
        line2: text("AddressLine2"),
        line3: text("AddressLine3"),
        city: text("City"),
        state_or_region: text("StateOrRegion"),
        postal_code: text("PostalCode"),
        country_code: text("CountryCode"),
        phone: text("Phone"),
    }
}

/// Whether the document is about another object than was asked for.
pub(super) fn is_another(answer: &Answer, root: Element<'_>, asked: &str) -> bool {
    let shown = match answer {
        Answer::Authorization(view) => Some(view.id.as_str()),
        Answer::Capture(view) | Answer::Refunds(view, _) => Some(view.id.as_str()),
        Answer::Refund(view) => Some(view.id.as_str()),
        Answer::Reference(_) => match details(root, "OrderReferenceDetails") {
            Ok(details) => details.text_of("AmazonOrderReferenceId"),
            Err(_) => details(root, agreements::DETAILS)
                .ok()
                .and_then(|details| details.text_of("AmazonBillingAgreementId")),
        },
        Answer::Done | Answer::NotFound => None,
    };
    shown.is_some_and(|shown| shown != asked)
}
