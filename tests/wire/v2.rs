//! The v2 adapter over real sockets: what it sends, signed as a server would check it, and what it
//! makes of every answer.

use std::sync::Arc;

use amazon_pay_worker::adapters::amazon::v2::{V2Gateway, V2Options};
use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, CaptureState, CaptureView, Complete, Effect,
    Fault, Intent, ReferenceState, ReferenceView, Reply, SetDetails,
};
use amazon_pay_worker::domain::ids::{AuthorizationId, CaptureId, ReferenceId};
use amazon_pay_worker::domain::merchant::{Api, Region};
use amazon_pay_worker::ports::gateway::{Account, BuyerError, Gateway};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fixtures::{
    AUTHORIZATION, CAPTURE, PATIENT, REFERENCE, Still, account, authorization, authorize, capture,
    capture_call, reference, refused, usd,
};
use crate::server::{Act, Heard, Server, answer};

const SESSION: &str = "bd504926-f659-4ad7-a1a9-9a747aaf5275";

pub(crate) fn gateway(base: &str) -> V2Gateway {
    let options = V2Options {
        endpoint_override: Some(base.to_owned()),
        timeout: PATIENT,
        clock: Arc::new(Still),
    };
    V2Gateway::new(options).unwrap()
}

pub(crate) fn account_with(public_key_id: &str) -> Account {
    let mut account = account();
    account.merchant.api = Api::V2;
    account.credentials.public_key_id = Some(public_key_id.to_owned());
    account.credentials.private_key = Some(include_str!("../support/keys/merchant.pem").into());
    account
}

fn v2_account() -> Account {
    account_with("SANDBOX-AFVKS7ABCDEFGHIJKLMNOPQR")
}

fn session() -> ReferenceId {
    ReferenceId::new(SESSION).unwrap()
}

async fn answered(effect: &Effect, status: u16, body: &str) -> Reply {
    let server = Server::saying(status, body).await;
    gateway(&server.base).call(&v2_account(), effect).await.reply
}

async fn sent_by(account: &Account, effect: &Effect) -> Heard {
    let server = Server::saying(404, r#"{"reasonCode":"ResourceNotFound"}"#).await;
    let reply = gateway(&server.base).call(account, effect).await.reply;
    assert_eq!(reply, Err(refused("ResourceNotFound")));
    server.heard()[0].clone()
}

/// Whether the signature is the one of what was heard, by an independent reading of the rules.
pub(crate) fn holds(heard: &Heard) -> bool {
    let authorization = heard.header("authorization").unwrap();
    let (algorithm, rest) = authorization.split_once(' ').unwrap();
    let part = |name: &str| {
        let all = rest.split(", ").find_map(|part| part.strip_prefix(name));
        all.and_then(|part| part.strip_prefix('=')).unwrap().to_owned()
    };
    let (method, path) = heard.first_line().split_once(' ').unwrap();
    let path = path.split(' ').next().unwrap();
    let mut text = format!("{method}\n{path}\n\n");
    for name in part("SignedHeaders").split(';') {
        text += &format!("{name}:{}\n", heard.header(name).unwrap());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let body = hex(&Sha256::digest(heard.body.as_bytes()));
    text += &format!("\n{}\n{body}", part("SignedHeaders"));
    let signed = format!("{algorithm}\n{}", hex(&Sha256::digest(text.as_bytes())));
    let pem = include_str!("../support/keys/merchant_public.pem");
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
    // The key itself stands behind 24 bytes that say what it is.
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &der[24..]);
    use base64::Engine;
    let signature = base64::engine::general_purpose::STANDARD.decode(part("Signature")).unwrap();
    key.verify(signed.as_bytes(), &signature).is_ok()
}

type Sent = (Effect, &'static str, String, Option<&'static str>, Value);

/// Every effect, and what it is on the wire: method, path, key, body.
fn on_the_wire() -> Vec<Sent> {
    let permission = format!("/v2/chargePermissions/{REFERENCE}");
    let charge = format!("/v2/charges/{CAPTURE}");
    let at_session = format!("/v2/checkoutSessions/{SESSION}");
    let details = |reference| {
        Effect::SetDetails(SetDetails {
            reference,
            total: usd("106.00"),
            seller_order_id: "CRM-1001".to_owned(),
            store_name: Some("S".repeat(60)),
            custom_information: None,
        })
    };
    let completion = Effect::Complete(Complete { session: session(), total: usd("106.00") });
    let price = json!({ "amount": "106.00", "currencyCode": "USD" });
    let metadata = json!({
        "merchantReferenceId": "CRM-1001", "merchantStoreName": "S".repeat(50),
    });
    let made = json!({
        "chargePermissionId": REFERENCE, "chargeAmount": price, "captureNow": true,
        "canHandlePendingAuthorization": false, "softDescriptor": "ACME*WIDGETS",
        "merchantMetadata": {
            "merchantReferenceId": "CRM-1001", "noteToBuyer": "Grüße & 50% off",
        },
    });
    let close = json!({ "closureReason": "completed", "cancelPendingCharges": false });
    vec![
        (Effect::ReadReference(reference()), "GET", permission.clone(), None, Value::Null),
        (Effect::Confirm(reference()), "GET", permission.clone(), None, Value::Null),
        (Effect::ReadReference(session()), "GET", at_session.clone(), None, Value::Null),
        (
            details(session()),
            "PATCH",
            at_session.clone(),
            None,
            json!({ "merchantMetadata": metadata }),
        ),
        (
            details(reference()),
            "PATCH",
            permission.clone(),
            None,
            json!({ "merchantMetadata": metadata }),
        ),
        (
            completion,
            "POST",
            format!("{at_session}/complete"),
            None,
            json!({ "chargeAmount": price }),
        ),
        (Effect::Authorize(authorize()), "POST", "/v2/charges".to_owned(), Some("ord-42_a1"), made),
        (Effect::ReadAuthorization(authorization()), "GET", charge.clone(), None, Value::Null),
        (Effect::ReadCapture(capture()), "GET", charge.clone(), None, Value::Null),
        (
            Effect::Capture(capture_call()),
            "POST",
            format!("{charge}/capture"),
            Some("ord-42_c1"),
            json!({ "captureAmount": price }),
        ),
        (
            Effect::CloseAuthorization(authorization()),
            "DELETE",
            format!("{charge}/cancel"),
            None,
            json!({ "cancellationReason": "no longer needed" }),
        ),
        (Effect::CloseReference(reference()), "DELETE", format!("{permission}/close"), None, close),
    ]
}

#[tokio::test]
async fn every_effect_is_one_call_and_bears_its_key_where_it_makes_something() {
    for (effect, method, path, key, body) in on_the_wire() {
        let heard = sent_by(&v2_account(), &effect).await;
        assert_eq!(heard.first_line(), format!("{method} {path} HTTP/1.1"), "{effect:?}");
        assert_eq!(heard.header("x-amz-pay-idempotency-key"), key, "{effect:?}");
        assert_eq!(heard.header("x-amz-pay-date"), Some("20261123T080000Z"));
        assert_eq!(heard.header("x-amz-pay-host"), heard.header("host"));
        assert_eq!(heard.header("x-amz-pay-region"), Some("na"));
        let sent = if heard.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&heard.body).unwrap()
        };
        assert_eq!(sent, body, "{effect:?}");
        assert!(holds(&heard), "{effect:?}");
        let other = Heard { body: format!("{} ", heard.body), ..heard };
        assert!(!holds(&other), "{effect:?}");
    }
}

#[tokio::test]
async fn the_name_of_the_key_and_the_mid_say_where_a_call_goes() {
    let read = Effect::ReadCapture(capture());
    for (key, sandbox, region, path, name) in [
        ("AFVKS7ABCDEFGHIJKLMNOPQR", true, Region::Na, "/sandbox/v2/charges", "na"),
        ("AFVKS7ABCDEFGHIJKLMNOPQR", false, Region::Eu, "/live/v2/charges", "eu"),
        ("live-AFVKS7ABCDEFGHIJKLMNOPQ", false, Region::Uk, "/v2/charges", "eu"),
        ("SANDBOX-AFVKS7ABCDEFGHIJKLMN", true, Region::Jp, "/v2/charges", "jp"),
    ] {
        let mut account = account_with(key);
        account.merchant.sandbox = sandbox;
        account.merchant.region = region;
        let heard = sent_by(&account, &read).await;
        assert_eq!(heard.first_line(), format!("GET {path}/{CAPTURE} HTTP/1.1"));
        assert_eq!(heard.header("x-amz-pay-region"), Some(name));
        let current = key.contains('-');
        let algorithm = heard.header("authorization").unwrap().split(' ').next().unwrap();
        assert_eq!(algorithm.ends_with("-V2"), current);
        assert_eq!(holds(&heard), current, "the salt of the older algorithm is another");
    }
}

#[tokio::test]
async fn without_usable_keys_nothing_is_sent() {
    let read = Effect::ReadCapture(capture());
    let mut no_key = v2_account();
    no_key.credentials.private_key = None;
    let mut garbled = v2_account();
    garbled.credentials.private_key = Some("-----BEGIN PRIVATE KEY-----".into());
    for (account, code) in [
        (account(), "no_public_key_id"),
        (no_key, "no_private_key"),
        (garbled, "unreadable_private_key"),
    ] {
        let server = Server::saying(200, "{}").await;
        let reply = gateway(&server.base).call(&account, &read).await.reply;
        assert_eq!(reply, Err(Fault::Credentials { code: code.to_owned() }));
        assert_eq!(server.heard().len(), 0);
    }
}

fn charge(state: &str, reason: Value) -> String {
    json!({
        "chargeId": CAPTURE, "chargePermissionId": REFERENCE, "unknown": [{}],
        "chargeAmount": { "amount": "106.00", "currencyCode": "USD" },
        "captureAmount": if state == "Captured" {
            json!({ "amount": "106.00", "currencyCode": "USD" })
        } else { Value::Null },
        "refundedAmount": { "amount": "6.00", "currencyCode": "USD" },
        "statusDetails": { "state": state, "reasonCode": reason },
    })
    .to_string()
}

/// The capture that a charge in such a state shows.
fn shown_in(state: &str) -> CaptureView {
    let done = state == "Captured";
    CaptureView {
        id: capture(),
        key: String::new(),
        state: if done { CaptureState::Completed } else { CaptureState::Pending },
        reason: None,
        amount: done.then(|| usd("106.00")),
        refunded: Some(usd("6.00")),
    }
}

#[tokio::test]
async fn a_charge_is_an_authorization_and_its_capture() {
    use AuthorizationState as A;
    let call = Effect::Authorize(authorize());
    for (state, reason, is, why, captured) in [
        ("AuthorizationInitiated", Value::Null, A::Pending, None, false),
        ("Authorized", Value::Null, A::Open, None, false),
        ("CaptureInitiated", Value::Null, A::Open, None, true),
        ("Captured", Value::Null, A::Closed, Some("MaxCapturesProcessed"), true),
        ("Canceled", json!("ExpiredUnused"), A::Closed, Some("ExpiredUnused"), false),
        ("Declined", json!("HardDeclined"), A::Declined, Some("HardDeclined"), false),
        ("Whatever", Value::Null, A::Other, None, false),
    ] {
        let expected = AuthorizationView {
            id: AuthorizationId::new(CAPTURE).unwrap(),
            key: String::new(),
            state: is,
            reason: why.map(str::to_owned),
            amount: Some(usd("106.00")),
            captures: captured.then(|| CaptureId::new(CAPTURE).unwrap()).into_iter().collect(),
            shown: captured.then(|| shown_in(state)),
        };
        let made = answered(&call, 201, &charge(state, reason.clone())).await;
        assert_eq!(made, Ok(Answer::Authorization(expected.clone())), "{state}");
        // What MWS authorized keeps its name.
        let read = Effect::ReadAuthorization(AuthorizationId::new(AUTHORIZATION).unwrap());
        let found = answered(&read, 200, &charge(state, reason)).await;
        let expected =
            AuthorizationView { id: AuthorizationId::new(AUTHORIZATION).unwrap(), ..expected };
        assert_eq!(found, Ok(Answer::Authorization(expected)), "{state}");
    }
    for (state, is) in [
        ("Captured", CaptureState::Completed),
        ("CaptureInitiated", CaptureState::Pending),
        ("Authorized", CaptureState::Pending),
        ("Declined", CaptureState::Declined),
        ("Whatever", CaptureState::Other),
    ] {
        let body = charge(state, Value::Null);
        let Ok(Answer::Capture(view)) = answered(&Effect::ReadCapture(capture()), 200, &body).await
        else {
            panic!("{state}")
        };
        assert_eq!((view.id, view.state), (capture(), is), "{state}");
        assert_eq!(view.refunded, Some(usd("6")));
    }
    let another = Effect::ReadCapture(CaptureId::new("S01-1-1-C1").unwrap());
    let reply = answered(&another, 200, &charge("Captured", Value::Null)).await;
    assert!(matches!(reply, Err(Fault::Unexpected { .. })), "{reply:?}");
}

#[tokio::test]
async fn a_session_is_a_draft_until_it_is_completed() {
    let body = |state: &str, intent: &str, more: Value| {
        let mut body = json!({
            "checkoutSessionId": SESSION,
            "statusDetails": { "state": state, "reasonCode": null },
            "paymentDetails": {
                "paymentIntent": intent,
                "chargeAmount": { "amount": "106.00", "currencyCode": "USD" },
            },
            "merchantMetadata": { "merchantReferenceId": "CRM-1001" },
            "constraints": [], "chargePermissionId": null, "chargeId": null,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let read = Effect::ReadReference(session());
    let open = ReferenceView {
        total: Some(usd("106")),
        lists_all: false,
        intent: Some(Intent::Capture),
        seller_order_id: Some("CRM-1001".to_owned()),
        ..ReferenceView::in_state(ReferenceState::Draft)
    };
    let shown = answered(&read, 200, &body("Open", "AuthorizeWithCapture", json!({}))).await;
    assert_eq!(shown, Ok(Answer::Reference(open.clone())));
    let constrained = json!({ "constraints": [{ "constraintId": "BuyerNotAssociated" }] });
    let shown = answered(&read, 200, &body("Open", "Confirm", constrained)).await;
    let expected = ReferenceView {
        constraints: vec!["BuyerNotAssociated".to_owned()],
        intent: Some(Intent::Confirm),
        ..open.clone()
    };
    assert_eq!(shown, Ok(Answer::Reference(expected)));
    // Completed with a charge that is pending is 202, and as good as 200.
    let completion = Effect::Complete(Complete { session: session(), total: usd("106.00") });
    let done = json!({ "chargePermissionId": REFERENCE, "chargeId": CAPTURE });
    let shown = answered(&completion, 202, &body("Completed", "Authorize", done)).await;
    let expected = ReferenceView {
        state: ReferenceState::Open,
        intent: Some(Intent::Authorize),
        permission: Some(reference()),
        authorizations: vec![AuthorizationId::new(CAPTURE).unwrap()],
        ..open
    };
    assert_eq!(shown, Ok(Answer::Reference(expected)));
    let unknown = answered(&read, 200, &body("Open", "AuthorizeAndTip", json!({}))).await;
    assert!(matches!(unknown, Err(Fault::Unexpected { .. })), "{unknown:?}");
}

fn permission(kind: &str, state: &str, reasons: &[&str]) -> String {
    let reasons: Vec<Value> =
        reasons.iter().map(|reason| json!({ "reasonCode": reason })).collect();
    json!({
        "chargePermissionId": REFERENCE, "chargePermissionType": kind,
        "limits": {
            "amountLimit": { "amount": "106.00", "currencyCode": "USD" },
            "amountBalance": { "amount": "6.00", "currencyCode": "USD" },
        },
        "statusDetails": { "state": state, "reasons": reasons },
        "buyer": { "buyerId": "x", "name": "Ada Lovelace", "email": "ada@example.com" },
        "shippingAddress": {
            "name": "Ada Lovelace", "addressLine1": "1 Main St", "addressLine2": null,
            "city": "Springfield", "stateOrRegion": "IL", "postalCode": "62701",
            "countryCode": "US", "phoneNumber": "800-555-0100",
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_permission_is_open_suspended_or_closed() {
    let read = Effect::ReadReference(reference());
    for (state, reasons, is, authenticate) in [
        ("Chargeable", &[][..], ReferenceState::Open, false),
        ("NonChargeable", &["PaymentMethodInvalid"], ReferenceState::Suspended, false),
        ("NonChargeable", &["ChargeInProgress"], ReferenceState::Open, false),
        ("NonChargeable", &["MFAFailed"], ReferenceState::Open, true),
        ("Closed", &["AmazonClosed"], ReferenceState::Closed, false),
        ("Whatever", &[], ReferenceState::Other, false),
    ] {
        let expected = ReferenceView {
            reason: reasons.first().map(|reason| (*reason).to_owned()),
            limit: Some(usd("106")),
            balance: Some(usd("6")),
            lists_all: false,
            authentication_required: authenticate,
            ..ReferenceView::in_state(is)
        };
        let shown = answered(&read, 200, &permission("OneTime", state, reasons)).await;
        assert_eq!(shown, Ok(Answer::Reference(expected)), "{state}");
    }
    let shown = answered(&read, 200, &permission("Recurring", "Chargeable", &[])).await;
    let Ok(Answer::Reference(view)) = shown else { panic!("{shown:?}") };
    assert_eq!((view.limit, view.balance), (None, None), "a month's limit is no total");
    // To confirm is to look.
    let confirm = Effect::Confirm(reference());
    let done = answered(&confirm, 200, &permission("OneTime", "Chargeable", &[])).await;
    assert_eq!(done, Ok(Answer::Done));
    let not = permission("OneTime", "NonChargeable", &["PaymentMethodExpired"]);
    assert_eq!(answered(&confirm, 200, &not).await, Err(refused("PaymentMethodNotUpdated")));
}

#[tokio::test]
async fn the_buyer_is_who_the_permission_says() {
    let server = Server::saying(200, &permission("OneTime", "Chargeable", &[])).await;
    let token = "Atza|whatever".into();
    let buyer = gateway(&server.base).buyer(&v2_account(), &reference(), Some(&token)).await;
    let buyer = buyer.unwrap();
    assert_eq!(buyer.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(buyer.email.as_deref(), Some("ada@example.com"));
    let address = buyer.address.unwrap();
    assert_eq!(address.line1.as_deref(), Some("1 Main St"));
    assert_eq!((address.line2, address.phone.as_deref()), (None, Some("800-555-0100")));
    assert!(!server.heard()[0].head.contains("Atza"), "v2 needs no token");
    let away = Server::saying(503, "").await;
    let error = gateway(&away.base).buyer(&v2_account(), &reference(), None).await.unwrap_err();
    assert!(matches!(error, BuyerError::Fault(Fault::Unavailable { .. })), "{error:?}");
}

#[tokio::test]
async fn a_verdict_is_none_of_the_other_noes_and_no_answer_is_none_at_all() {
    let call = Effect::Authorize(authorize());
    let told = |code: &str| format!(r#"{{"reasonCode":"{code}","message":"Ada Lovelace"}}"#);
    let declined = Fault::Declined { reason: "SoftDeclined".to_owned() };
    assert_eq!(answered(&call, 422, &told("SoftDeclined")).await, Err(declined));
    let duplicate = "DuplicateIdempotencyKey";
    assert_eq!(answered(&call, 400, &told(duplicate)).await, Err(refused(duplicate)));
    let failed = Fault::Unavailable { code: "ProcessingFailure".to_owned() };
    assert_eq!(answered(&call, 500, &told("ProcessingFailure")).await, Err(failed));
    let whole = charge("Captured", Value::Null);
    let cut = &whole[..whole.len() / 2];
    assert_eq!(answered(&call, 201, cut).await, Err(Fault::Unknown));
    let server = Server::start([Act::BreakOff(answer(201, &[], &whole)[..90].to_vec())]).await;
    let reply = gateway(&server.base).call(&v2_account(), &call).await.reply;
    assert_eq!(reply, Err(Fault::Unknown));
    let headers = [("retry-after", "2"), ("x-amz-pay-request-id", "r-1")];
    let body = told("TooManyRequests");
    let server = Server::start([Act::Answer(answer(429, &headers, &body))]).await;
    let exchange = gateway(&server.base).call(&v2_account(), &call).await;
    assert_eq!(exchange.reply, Err(Fault::Throttled { retry_after_ms: Some(2_000) }));
    assert_eq!(exchange.request_id.as_deref(), Some("r-1"));
    assert!(!format!("{exchange:?}").contains("Ada"));
}

#[tokio::test]
async fn a_probe_is_answered_by_not_knowing_what_cannot_be() {
    for (status, code, fine) in [
        (404, "ResourceNotFound", true),
        (403, "InvalidAuthentication", false),
        (403, "InvalidRequestSignature", false),
    ] {
        let server = Server::saying(status, &format!(r#"{{"reasonCode":"{code}"}}"#)).await;
        let probed = gateway(&server.base).probe(&v2_account()).await;
        assert_eq!(probed.is_ok(), fine, "{code}: {probed:?}");
        assert!(server.heard()[0].first_line().contains("/v2/chargePermissions/S01-0000000-0"));
    }
}
