//! A solution provider's key acting for another seller by API v2: the token that says so is asked
//! for once, goes with every call under the signature, and is asked for again when it is refused.

use std::sync::Arc;

use amazon_pay_worker::adapters::amazon::v2::{V2Gateway, V2Options};
use amazon_pay_worker::adapters::system::System;
use amazon_pay_worker::domain::gateway::{Answer, Effect, Fault};
use amazon_pay_worker::ports::gateway::{Account, Gateway};
use serde_json::json;

use crate::fixtures::{PATIENT, account, reference, refused};
use crate::server::{Act, Server, answer};
use crate::simulated::Amazon;
use crate::v2::{account_with, gateway, holds};

const KEY: &str = "SANDBOX-AFVKS7ABCDEFGHIJKLMNOPQR";
const MWS_TOKEN: &str = "amzn.mws.4ea38b7b-f563-7709-4bae-87aea000c5b8";

/// The account, whose calls somebody else's key signs.
fn delegated(account: Account) -> Account {
    let mut delegated = account_with(KEY);
    delegated.merchant.seller_id = account.merchant.seller_id;
    delegated.credentials.mws_auth_token = Some(MWS_TOKEN.into());
    delegated
}

fn said(status: u16, body: &str) -> Act {
    Act::Answer(answer(status, &[], body))
}

const UNKNOWN: &str = r#"{"reasonCode":"ResourceNotFound"}"#;
const NOT_HIS: &str = r#"{"reasonCode":"UnauthorizedAccess"}"#;

#[tokio::test]
async fn the_token_is_asked_for_once_and_signed_with_every_call() {
    let token = said(200, r#"{"authorizationToken":"eyJhbGciOi.first"}"#);
    let server = Server::start([token, said(404, UNKNOWN), said(404, UNKNOWN)]).await;
    let (gateway, account) = (gateway(&server.base), delegated(account()));
    for _ in 0..2 {
        let reply = gateway.call(&account, &Effect::ReadReference(reference())).await.reply;
        assert_eq!(reply, Err(refused("ResourceNotFound")));
    }
    let heard = server.heard();
    let merchant = &account.merchant.seller_id;
    let path = format!("GET /v2/authorizationTokens/{MWS_TOKEN}?merchantId={merchant} HTTP/1.1");
    assert_eq!(heard[0].first_line(), path);
    assert_eq!(heard[0].header("x-amz-pay-authtoken"), None);
    for call in &heard[1..] {
        assert_eq!(call.header("x-amz-pay-authtoken"), Some("eyJhbGciOi.first"));
        assert!(call.header("authorization").unwrap().contains(";x-amz-pay-authtoken;"));
        assert!(holds(call));
    }
    assert_eq!(heard.len(), 3);
}

#[tokio::test]
async fn a_token_that_ran_out_is_asked_for_again_and_a_new_one_that_is_refused_is_told() {
    let token = |text: &str| said(200, &json!({ "authorizationToken": text }).to_string());
    let acts = [
        token("first"),
        said(404, UNKNOWN),
        said(403, NOT_HIS),
        token("second"),
        said(403, NOT_HIS),
    ];
    let server = Server::start(acts).await;
    let (gateway, account) = (gateway(&server.base), delegated(account()));
    let mut replies = Vec::new();
    for _ in 0..3 {
        replies.push(gateway.call(&account, &Effect::ReadReference(reference())).await.reply);
    }
    let told = Fault::Credentials { code: "UnauthorizedAccess".to_owned() };
    assert_eq!(replies, [Err(refused("ResourceNotFound")), Err(Fault::NotSent), Err(told)]);
    assert_eq!(server.heard()[4].header("x-amz-pay-authtoken"), Some("second"));
}

#[tokio::test]
async fn without_the_token_no_call_is_made_for_the_wrong_account() {
    let answers = [
        (said(400, r#"{"reasonCode":"InvalidParameterValue"}"#), "InvalidParameterValue"),
        (said(200, "{}"), "unreadable_authorization_token"),
    ];
    for (act, code) in answers {
        let server = Server::start([act]).await;
        let effect = Effect::ReadReference(reference());
        let reply = gateway(&server.base).call(&delegated(account()), &effect).await.reply;
        assert_eq!(reply, Err(Fault::Credentials { code: code.to_owned() }));
        assert_eq!(server.heard().len(), 1);
    }
    let trouble = [said(503, "{}"), Act::HangUp];
    for act in trouble {
        let server = Server::start([act]).await;
        let effect = Effect::ReadReference(reference());
        let reply = gateway(&server.base).call(&delegated(account()), &effect).await.reply;
        assert_eq!(reply, Err(Fault::NotSent), "what was to be called was not");
    }
}

#[tokio::test]
async fn a_provider_acts_for_who_gave_him_a_token_and_for_nobody_else() {
    let amazon = Amazon::start().await;
    let public = include_str!("../support/keys/merchant_public.pem");
    let provider = json!({
        "merchantId": "A2PROVIDER00001", "publicKeyId": KEY, "publicKey": public,
    });
    amazon.play("POST", "/sellers", &provider).await;
    let seller = json!({ "merchantId": "A2SIMSELLER001", "mwsAuthToken": MWS_TOKEN });
    amazon.play("POST", "/sellers", &seller).await;
    let (reference, _) = amazon.reference(json!(["approve"])).await;
    let gateway = V2Gateway::new(V2Options {
        endpoint_override: Some(amazon.base.clone()),
        timeout: PATIENT,
        clock: Arc::new(System::new()),
    });
    let gateway = gateway.unwrap();
    let read = Effect::ReadReference(reference);
    let theirs = delegated(amazon.account.clone());
    let seen = gateway.call(&theirs, &read).await.reply;
    assert!(matches!(seen, Ok(Answer::Reference(_))), "{seen:?}");

    let mut own = theirs.clone();
    own.credentials.mws_auth_token = None;
    assert_eq!(gateway.call(&own, &read).await.reply, Err(refused("ResourceNotFound")));
    let mut guessed = theirs;
    guessed.credentials.mws_auth_token = Some("amzn.mws.guessed".into());
    let told = Fault::Credentials { code: "InvalidParameterValue".to_owned() };
    assert_eq!(gateway.call(&guessed, &read).await.reply, Err(told));
}
