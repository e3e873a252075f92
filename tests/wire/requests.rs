//! What goes out, byte for byte: operation and parameters of every effect, and a signature that
//! an independent reading of the rules finds right.

use amazon_pay_worker::domain::gateway::{Authorize, Effect};
use amazon_pay_worker::domain::merchant::Region;
use amazon_pay_worker::ports::gateway::{Account, Gateway};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::fixtures::{
    account, authorization, authorize, capture, capture_call, error, gateway, key, reference,
    set_details, usd,
};
use crate::server::{Heard, Server};

async fn sent_by(account: &Account, effect: &Effect) -> Heard {
    let server = Server::saying(400, &error("CurrencyMismatch")).await;
    assert!(gateway(&server.base).call(account, effect).await.reply.is_err());
    let heard = server.heard();
    assert_eq!(heard.len(), 1);
    heard[0].clone()
}

async fn sent(effect: &Effect) -> Heard {
    sent_by(&account(), effect).await
}

/// The signature as the server reckons it: over the decoded parameters, sorted and encoded anew.
fn signature_of(heard: &Heard, secret: &str) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let mut params: Vec<(String, String)> = form_urlencoded::parse(heard.body.as_bytes())
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    params.sort();
    let query: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = heard.first_line().split(' ').nth(1).unwrap();
    let host = heard.header("host").unwrap();
    let text = format!("POST\n{host}\n{path}\n{}", query.join("&"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

#[tokio::test]
async fn a_request_is_the_one_on_file() {
    let heard = sent(&Effect::Authorize(authorize())).await;
    let body: Vec<&str> = heard.body.split('&').collect();
    let (signature, signed) = body.split_last().unwrap();
    let headers = ["content-type", "user-agent"].map(|name| heard.header(name).unwrap());
    let text = format!("{}\n{}\n\n{}\n", heard.first_line(), headers.join("\n"), signed.join("\n"));
    assert_eq!(text, include_str!("golden/authorize.http"));
    assert!(signature.starts_with("Signature="));
    assert!(heard.header("accept-encoding").is_none(), "nothing is unpacked");
}

#[tokio::test]
async fn every_request_is_signed_for_the_host_that_it_names() {
    let mut delegated = account();
    delegated.credentials.mws_auth_token = Some("amzn.mws.1234".into());
    delegated.merchant.region = Region::Jp;
    delegated.merchant.sandbox = false;
    for account in [account(), delegated] {
        for effect in effects() {
            let heard = sent_by(&account, &effect).await;
            let expected = signature_of(&heard, "simulator/secret+key==0123456789");
            assert_eq!(heard.param("Signature"), Some(expected), "{}", effect.name());
            assert_eq!(heard.param("Timestamp").as_deref(), Some("2026-11-23T08:00:00Z"));
            assert!(heard.header("host").unwrap().starts_with("127.0.0.1:"));
            let path = match account.merchant.sandbox {
                true => "/OffAmazonPayments_Sandbox/2013-01-01",
                false => "/OffAmazonPayments/2013-01-01",
            };
            assert_eq!(heard.first_line(), format!("POST {path} HTTP/1.1"));
            let token = heard.param("MWSAuthToken");
            assert_eq!(token.is_some(), account.credentials.mws_auth_token.is_some());
        }
    }
}

fn effects() -> Vec<Effect> {
    vec![
        Effect::SetDetails(set_details()),
        Effect::Confirm(reference()),
        Effect::Authorize(authorize()),
        Effect::ReadReference(reference()),
        Effect::FindAuthorization { ids: vec![authorization()], key: key("k") },
        Effect::ReadAuthorization(authorization()),
        Effect::Capture(capture_call()),
        Effect::ReadCapture(capture()),
        Effect::CloseAuthorization(authorization()),
        Effect::CloseReference(reference()),
    ]
}

/// The parameters that are the operation's own, decoded and in order.
fn own(heard: &Heard) -> Vec<String> {
    let common = [
        "AWSAccessKeyId",
        "SellerId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ];
    form_urlencoded::parse(heard.body.as_bytes())
        .filter(|(name, _)| !common.contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[tokio::test]
async fn each_effect_is_one_operation_with_its_parameters() {
    let reference = "AmazonOrderReferenceId=S01-1234567-7654321";
    let authorization = "AmazonAuthorizationId=S01-1234567-7654321-A012345";
    let capture = "AmazonCaptureId=S01-1234567-7654321-C012345";
    let expected: [&[&str]; 10] = [
        &[
            "Action=SetOrderReferenceDetails",
            reference,
            "OrderReferenceAttributes.OrderTotal.Amount=106.00",
            "OrderReferenceAttributes.OrderTotal.CurrencyCode=USD",
            "OrderReferenceAttributes.SellerOrderAttributes.SellerOrderId=CRM-1001",
            "OrderReferenceAttributes.SellerOrderAttributes.StoreName=Müller's Shop, 東京",
        ],
        &["Action=ConfirmOrderReference", reference],
        &[
            "Action=Authorize",
            reference,
            "AuthorizationAmount.Amount=106.00",
            "AuthorizationAmount.CurrencyCode=USD",
            "AuthorizationReferenceId=ord-42_a1",
            "CaptureNow=true",
            "SellerAuthorizationNote=Grüße & 50% off",
            "SoftDescriptor=ACME*WIDGETS",
            "TransactionTimeout=0",
        ],
        &["Action=GetOrderReferenceDetails", reference],
        &["Action=GetAuthorizationDetails", authorization],
        &["Action=GetAuthorizationDetails", authorization],
        &[
            "Action=Capture",
            authorization,
            "CaptureAmount.Amount=106.00",
            "CaptureAmount.CurrencyCode=USD",
            "CaptureReferenceId=ord-42_c1",
        ],
        &["Action=GetCaptureDetails", capture],
        &["Action=CloseAuthorization", authorization],
        &["Action=CloseOrderReference", reference],
    ];
    for (effect, expected) in effects().iter().zip(expected) {
        assert_eq!(own(&sent(effect).await), expected, "{}", effect.name());
    }
}

#[tokio::test]
async fn an_authorization_without_capture_has_no_descriptor_and_may_take_a_day() {
    let effect = Effect::Authorize(Authorize {
        amount: usd("5"),
        capture_now: false,
        synchronous: false,
        note: None,
        ..authorize()
    });
    let heard = sent(&effect).await;
    assert_eq!(heard.param("CaptureNow").as_deref(), Some("false"));
    assert_eq!(heard.param("TransactionTimeout").as_deref(), Some("1440"));
    assert_eq!(heard.param("AuthorizationAmount.Amount").as_deref(), Some("5.00"));
    assert_eq!(heard.param("SoftDescriptor"), None);
    assert_eq!(heard.param("SellerAuthorizationNote"), None);
}
