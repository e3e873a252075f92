//! A gateway with a fixed time, an account, effects, and documents as Amazon writes them.

use std::sync::Arc;
use std::time::Duration;

use amazon_pay_worker::adapters::amazon::mws::{MwsGateway, MwsOptions};
use amazon_pay_worker::domain::gateway::{
    Authorize, Capture, Effect, Fault, Reply, SellerAttributes, SetDetails,
};
use amazon_pay_worker::domain::ids::{
    AuthorizationId, CaptureId, MerchantAccountId, OperationKey, ReferenceId,
};
use amazon_pay_worker::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::ports::clock::Clock;
use amazon_pay_worker::ports::gateway::{Account, Credentials, Gateway};

use crate::server::Server;

pub(crate) const REFERENCE: &str = "S01-1234567-7654321";
pub(crate) const AUTHORIZATION: &str = "S01-1234567-7654321-A012345";
pub(crate) const CAPTURE: &str = "S01-1234567-7654321-C012345";
pub(crate) const KEY: &str = "ord-42_a1";

/// 2026-11-23T08:00:00Z.
pub(crate) const NOW: i64 = 1_795_420_800_000;

/// A clock that stands.
pub(crate) struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        NOW
    }

    fn random_hex(&self, bytes: usize) -> String {
        "0".repeat(2 * bytes)
    }
}

/// Long enough for a busy machine where an answer comes.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);

pub(crate) fn gateway_with(base: &str, timeout: Duration, clock: Arc<dyn Clock>) -> MwsGateway {
    let options = MwsOptions {
        endpoint_override: Some(base.to_owned()),
        profile_override: Some(base.to_owned()),
        timeout,
        clock,
    };
    MwsGateway::new(options).unwrap()
}

pub(crate) fn gateway(base: &str) -> MwsGateway {
    gateway_with(base, PATIENT, Arc::new(Still))
}

pub(crate) fn account() -> Account {
    Account {
        merchant: MerchantAccount {
            id: MerchantAccountId::new("7").unwrap(),
            title: "Demo".to_owned(),
            soft_descriptor: None,
            mid_number: None,
            region: Region::Na,
            sandbox: true,
            api: Api::Mws,
            seller_id: "A2SIMSELLER001".to_owned(),
            enabled: true,
            reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
            revision: 1,
        },
        credentials: Credentials {
            access_key: Some("AKIAEXAMPLESIMULATOR".to_owned()),
            secret_key: Some("simulator/secret+key==0123456789".into()),
            client_id: Some("amzn1.application-oa2-client.c0ffee".to_owned()),
            ..Credentials::default()
        },
    }
}

pub(crate) fn usd(text: &str) -> Money {
    Money::parse_or_zero(text, Currency::USD).unwrap()
}

pub(crate) fn reference() -> ReferenceId {
    ReferenceId::new(REFERENCE).unwrap()
}

pub(crate) fn authorization() -> AuthorizationId {
    AuthorizationId::new(AUTHORIZATION).unwrap()
}

pub(crate) fn capture() -> CaptureId {
    CaptureId::new(CAPTURE).unwrap()
}

pub(crate) fn key(text: &str) -> OperationKey {
    OperationKey::new(text).unwrap()
}

pub(crate) fn set_details() -> SetDetails {
    SetDetails {
        reference: reference(),
        total: usd("106.00"),
        seller_order_id: "CRM-1001".to_owned(),
        store_name: Some("Müller's Shop, 東京".to_owned()),
        custom_information: None,
    }
}

pub(crate) fn authorize() -> Authorize {
    Authorize {
        reference: reference(),
        key: key(KEY),
        amount: usd("106.00"),
        capture_now: true,
        synchronous: true,
        soft_descriptor: Some("ACME*WIDGETS".to_owned()),
        note: Some("Grüße & 50% off".to_owned()),
        seller: SellerAttributes { order_id: "CRM-1001".to_owned(), ..Default::default() },
    }
}

pub(crate) fn capture_call() -> Capture {
    Capture {
        authorization: authorization(),
        key: key("ord-42_c1"),
        amount: usd("106.00"),
        soft_descriptor: None,
    }
}

/// One call to a server that answers with this document.
pub(crate) async fn answered(effect: &Effect, status: u16, body: &str) -> Reply {
    let server = Server::saying(status, body).await;
    gateway(&server.base).call(&account(), effect).await.reply
}

pub(crate) fn refused(code: &str) -> Fault {
    Fault::Refused { code: code.to_owned() }
}

const NS: &str = "http://mws.amazonservices.com/schema/OffAmazonPayments/2013-01-01";

/// The answer to `action` with this inside its result.
pub(crate) fn document(action: &str, inside: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{NS}\"><{action}Result>{inside}</{action}Result>\
         <ResponseMetadata><RequestId>b1c459b9-61c7-4f0b-b0b6-d6afcd314ef9</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

pub(crate) fn error(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{NS}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>Some text.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )
}

/// An authorization in `state`, with the elements of the reference guide in another order.
pub(crate) fn authorization_details(state: &str, reason: &str, captures: &[&str]) -> String {
    let members: String = captures.iter().map(|id| format!("<member>{id}</member>")).collect();
    format!(
        "<AuthorizationDetails>\
         <AuthorizationAmount><CurrencyCode>USD</CurrencyCode><Amount>106.00</Amount>\
         </AuthorizationAmount><CapturedAmount><CurrencyCode>USD</CurrencyCode><Amount>0</Amount>\
         </CapturedAmount><ExpirationTimestamp>2026-12-23T08:02:00.250Z</ExpirationTimestamp>\
         <IdList>{members}</IdList><SoftDecline>false</SoftDecline><AuthorizationStatus>\
         <LastUpdateTimestamp>2026-11-23T08:02:00.250Z</LastUpdateTimestamp><State>{state}</State>\
         <ReasonCode>{reason}</ReasonCode></AuthorizationStatus><CaptureNow>true</CaptureNow>\
         <SellerAuthorizationNote/><AmazonAuthorizationId>{AUTHORIZATION}</AmazonAuthorizationId>\
         <AuthorizationReferenceId>{KEY}</AuthorizationReferenceId></AuthorizationDetails>"
    )
}

/// A reference that shows `inside` beside its id.
pub(crate) fn reference_details(inside: &str) -> String {
    format!(
        "<OrderReferenceDetails><Destination><DestinationType>Physical</DestinationType>\
         <PhysicalDestination><City>Springfield</City></PhysicalDestination></Destination>\
         <AmazonOrderReferenceId>{REFERENCE}</AmazonOrderReferenceId>{inside}\
         <ReleaseEnvironment>Sandbox</ReleaseEnvironment></OrderReferenceDetails>"
    )
}
