//! The calls of an order, of an agreement and of its charges by MWS.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{Request, Stats, Stub};
use crate::sign;

/// What all of its paths begin with.
pub(super) const PATHS: &str = "/OffAmazonPayments";
const NS: &str = "http://mws.amazonservices.com/schema/OffAmazonPayments/2013-01-01";

/// A form, read.
struct Form(BTreeMap<String, String>);

impl Form {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

pub(super) async fn answer(stub: &Stub, request: &Request<'_>) -> Response {
    let form = Form(form_urlencoded::parse(request.body).into_owned().collect());
    let action = form.get("Action");
    let let_through = {
        let mut stats = stub.stats.lock().expect("whole");
        if action == "SetOrderReferenceDetails" {
            stats.in_hand += 1;
            stats.in_hand_max = stats.in_hand_max.max(stats.in_hand);
        }
        let account = format!("{}/{}", form.get("SellerId"), form.get("AWSAccessKeyId"));
        stats.quotas.take(account, action, Instant::now())
    };
    stub.take_time().await;
    let signed = form.0.iter().filter(|(name, _)| *name != "Signature");
    let canonical = sign::canonical(signed.map(|(name, value)| (name.as_str(), value.as_str())));
    let signature = sign::signature(request.header("host"), request.path, &canonical);
    let mut stats = stub.stats.lock().expect("whole");
    if signature != form.get("Signature") {
        stats.bad_signature += 1;
        return refused(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    if !let_through {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "RequestThrottled");
    }
    *stats.calls.entry(action.to_owned()).or_default() += 1;
    if form.0.contains_key("AmazonBillingAgreementId") {
        on_agreement(&mut stats, &form)
    } else {
        on_order(&mut stats, &form)
    }
}

fn on_order(stats: &mut Stats, form: &Form) -> Response {
    let (action, order) = (form.get("Action"), form.get("AmazonOrderReferenceId"));
    match action {
        "SetOrderReferenceDetails" => {
            let total = form.get("OrderReferenceAttributes.OrderTotal.Amount");
            stats.totals.insert(order.to_owned(), total.to_owned());
            document(action, &reference(order, "Draft", total))
        }
        "ConfirmOrderReference" | "GetOrderReferenceDetails" => match stats.totals.get(order) {
            Some(_) if action == "ConfirmOrderReference" => document(action, ""),
            Some(total) => document(action, &reference(order, "Open", total)),
            None => {
                stats.bad_sequence += 1;
                refused(StatusCode::BAD_REQUEST, "InvalidOrderReferenceId")
            }
        },
        "Authorize" => {
            let (key, amount) =
                (form.get("AuthorizationReferenceId"), form.get("AuthorizationAmount.Amount"));
            if stats.totals.get(order).is_none_or(|total| total != amount) {
                stats.bad_sequence += 1;
                return refused(StatusCode::BAD_REQUEST, "TransactionAmountExceeded");
            }
            let keys = stats.authorized.entry(order.to_owned()).or_default();
            if !keys.insert(key.to_owned()) {
                return refused(StatusCode::BAD_REQUEST, "DuplicateRequest");
            }
            let number = keys.len();
            stats.in_hand = stats.in_hand.saturating_sub(1);
            document(action, &authorization(order, key, amount, number))
        }
        _ => refused(StatusCode::BAD_REQUEST, "InvalidAction"),
    }
}

fn on_agreement(stats: &mut Stats, form: &Form) -> Response {
    let (action, agreement) = (form.get("Action"), form.get("AmazonBillingAgreementId"));
    match action {
        "SetBillingAgreementDetails" => document(action, &agreed(agreement, "Draft")),
        "ConfirmBillingAgreement" => document(action, ""),
        "GetBillingAgreementDetails" => document(action, &agreed(agreement, "Open")),
        "AuthorizeOnBillingAgreement" => {
            let (key, amount) =
                (form.get("AuthorizationReferenceId"), form.get("AuthorizationAmount.Amount"));
            let times = stats.charged.entry(key.to_owned()).or_default();
            *times += 1;
            if *times > 1 {
                return refused(StatusCode::BAD_REQUEST, "DuplicateRequest");
            }
            let number = stats.charged.len();
            let order = format!("P01-{:07}-{:07}", number / 1_000, number % 1_000);
            let made = authorization(&order, key, amount, 1);
            let of = format!("<AmazonOrderReferenceId>{order}</AmazonOrderReferenceId>");
            document(action, &format!("{made}{of}"))
        }
        _ => refused(StatusCode::BAD_REQUEST, "InvalidAction"),
    }
}

fn document(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"{NS}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>7c0e4a5e-1111-4000-8000-abcdefabcdef</RequestId>\
         </ResponseMetadata></{action}Response>"
    );
    ([("content-type", "text/xml")], body).into_response()
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"{NS}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{code}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    );
    (status, [("content-type", "text/xml")], body).into_response()
}

fn price(name: &str, amount: &str) -> String {
    format!("<{name}><Amount>{amount}</Amount><CurrencyCode>USD</CurrencyCode></{name}>")
}

const BUYER: &str = "<Buyer><Name>Ada Lovelace</Name><Email>ada@example.com</Email></Buyer>\
     <Destination><DestinationType>Physical</DestinationType><PhysicalDestination>\
     <Name>Ada Lovelace</Name><AddressLine1>1 Main St</AddressLine1><City>Reno</City>\
     <StateOrRegion>NV</StateOrRegion><PostalCode>89501</PostalCode>\
     <CountryCode>US</CountryCode></PhysicalDestination></Destination>";

fn reference(order: &str, state: &str, total: &str) -> String {
    let total = price("OrderTotal", total);
    format!(
        "<OrderReferenceDetails><AmazonOrderReferenceId>{order}</AmazonOrderReferenceId>\
         <OrderReferenceStatus><State>{state}</State></OrderReferenceStatus>{total}{BUYER}\
         <ReleaseEnvironment>Sandbox</ReleaseEnvironment>\
         <CreationTimestamp>2026-11-20T20:00:00.000Z</CreationTimestamp>\
         <ExpirationTimestamp>2027-05-19T20:00:00.000Z</ExpirationTimestamp>\
         </OrderReferenceDetails>"
    )
}

fn agreed(agreement: &str, state: &str) -> String {
    format!(
        "<BillingAgreementDetails>\
         <AmazonBillingAgreementId>{agreement}</AmazonBillingAgreementId>\
         <BillingAgreementStatus><State>{state}</State></BillingAgreementStatus>{BUYER}\
         <BillingAgreementConsent>true</BillingAgreementConsent>\
         <ReleaseEnvironment>Live</ReleaseEnvironment>\
         <CreationTimestamp>2026-11-20T20:00:00.000Z</CreationTimestamp>\
         </BillingAgreementDetails>"
    )
}

fn authorization(order: &str, key: &str, amount: &str, number: usize) -> String {
    let (authorized, captured) =
        (price("AuthorizationAmount", amount), price("CapturedAmount", amount));
    format!(
        "<AuthorizationDetails><AmazonAuthorizationId>{order}-A{number:06}</AmazonAuthorizationId>\
         <AuthorizationReferenceId>{key}</AuthorizationReferenceId>{authorized}{captured}\
         <AuthorizationStatus><State>Closed</State><ReasonCode>MaxCapturesProcessed</ReasonCode>\
         <LastUpdateTimestamp>2026-11-20T20:00:00.000Z</LastUpdateTimestamp></AuthorizationStatus>\
         <IdList><member>{order}-C{number:06}</member></IdList><CaptureNow>true</CaptureNow>\
         </AuthorizationDetails>"
    )
}
