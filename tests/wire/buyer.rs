//! The buyer's details: whose token it is comes first, and without it nothing is shown.

use amazon_pay_worker::domain::gateway::Fault;
use amazon_pay_worker::ports::gateway::{Address, BuyerDetails, BuyerError, Gateway};
use secrecy::SecretString;
use serde_json::json;

use crate::fixtures::{account, document, error, gateway, reference, reference_details};
use crate::server::{Act, Heard, Server, answer};

const CLIENT: &str = "amzn1.application-oa2-client.c0ffee";

fn shown(buyer: &str) -> Act {
    let inside = format!(
        "<OrderReferenceStatus><State>Open</State></OrderReferenceStatus>{buyer}\
         <Destination><PhysicalDestination><Name>Ada Lovelace</Name><AddressLine1>1 Main St\
         </AddressLine1><AddressLine2/><City>Springfield</City><StateOrRegion>IL</StateOrRegion>\
         <PostalCode>62701</PostalCode><CountryCode>US</CountryCode><Phone>800-555-0100</Phone>\
         </PhysicalDestination></Destination>"
    );
    let details = reference_details("").replace(
        "<Destination><DestinationType>Physical</DestinationType><PhysicalDestination>\
         <City>Springfield</City></PhysicalDestination></Destination>",
        &inside,
    );
    Act::Answer(answer(200, &[], &document("GetOrderReferenceDetails", &details)))
}

const BUYER: &str = "<Buyer><Name>Ada Lovelace</Name><Email>ada@example.com</Email></Buyer>";

fn info(aud: &str, app_id: &str) -> Act {
    let body = json!({ "aud": aud, "user_id": "u", "exp": 2370, "app_id": app_id, "iat": 1 });
    Act::Answer(answer(200, &[], &body.to_string()))
}

fn ada() -> BuyerDetails {
    let text = |text: &str| Some(text.to_owned());
    BuyerDetails {
        name: text("Ada Lovelace"),
        email: text("ada@example.com"),
        address: Some(Address {
            name: text("Ada Lovelace"),
            line1: text("1 Main St"),
            line2: None,
            line3: None,
            city: text("Springfield"),
            state_or_region: text("IL"),
            postal_code: text("62701"),
            country_code: text("US"),
            phone: text("800-555-0100"),
        }),
    }
}

async fn asked(
    acts: Vec<Act>,
    token: Option<&str>,
) -> (Result<BuyerDetails, BuyerError>, Vec<Heard>) {
    let server = Server::start(acts).await;
    let token = token.map(SecretString::from);
    let read = gateway(&server.base).buyer(&account(), &reference(), token.as_ref()).await;
    (read, server.heard())
}

fn is_token(read: &Result<BuyerDetails, BuyerError>) -> bool {
    matches!(read, Err(BuyerError::Token))
}

#[tokio::test]
async fn a_token_of_ours_shows_buyer_and_address() {
    let (read, heard) = asked(vec![info(CLIENT, "x"), shown(BUYER)], Some("Atza%7CIw%2BEB")).await;
    assert!(read.unwrap() == ada());
    assert_eq!(heard[0].first_line(), "GET /auth/o2/tokeninfo HTTP/1.1");
    assert_eq!(heard[0].header("x-amz-access-token"), Some("Atza|Iw+EB"), "decoded once");
    assert_eq!(heard[1].param("AddressConsentToken").as_deref(), Some("Atza|Iw+EB"));
    assert_eq!(heard[1].param("AccessToken"), None, "both together are refused");
    // Some applications are known by their other id.
    let (read, _) = asked(vec![info("x", CLIENT), shown(BUYER)], Some("t")).await;
    assert!(read.is_ok());
}

#[tokio::test]
async fn a_token_of_somebody_else_is_refused_before_anything_is_asked_with_it() {
    let (read, heard) = asked(vec![info("x", "y"), shown(BUYER)], Some("t")).await;
    assert!(is_token(&read));
    assert_eq!(heard.len(), 1);
    let invalid = r#"{"error":"invalid_token","error_description":"expired"}"#;
    let (read, _) = asked(vec![Act::Answer(answer(400, &[], invalid))], Some("t")).await;
    assert!(is_token(&read));
    let (read, heard) = asked(vec![], Some("no\nheader")).await;
    assert!(is_token(&read) && heard.is_empty());
    let expired = Act::Answer(answer(404, &[], &error("InvalidAddressConsentToken")));
    let (read, _) = asked(vec![info(CLIENT, ""), expired], Some("t")).await;
    assert!(is_token(&read));
}

#[tokio::test]
async fn without_a_token_the_reference_alone_is_read() {
    let (read, heard) = asked(vec![shown(BUYER)], None).await;
    assert!(read.unwrap() == ada());
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].param("AddressConsentToken"), None);
    let (read, heard) = asked(vec![shown("")], None).await;
    let details = read.unwrap();
    assert!(details.name.is_none() && details.email.is_none() && details.address.is_some());
    assert_eq!(heard.len(), 1);
}

#[tokio::test]
async fn what_the_reference_does_not_say_the_profile_may() {
    let profile = json!({ "user_id": "u", "name": "Ada L.", "email": "ada@example.com" });
    let profile = Act::Answer(answer(200, &[], &profile.to_string()));
    let named = "<Buyer><Name>Ada Lovelace</Name></Buyer>";
    let (read, heard) = asked(vec![info(CLIENT, ""), shown(named), profile], Some("t")).await;
    assert!(read.unwrap() == ada(), "the reference's word before the profile's");
    assert_eq!(heard[2].first_line(), "GET /user/profile HTTP/1.1");
    assert_eq!(heard[2].header("x-amz-access-token"), Some("t"));
}

#[tokio::test]
async fn an_account_without_a_client_id_cannot_check_and_goes_on() {
    let server = Server::start([shown(BUYER)]).await;
    let mut account = account();
    account.credentials.client_id = None;
    let token = SecretString::from("t");
    let read = gateway(&server.base).buyer(&account, &reference(), Some(&token)).await;
    assert!(read.is_ok());
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_login_service_in_trouble_is_a_fault_and_says_nothing_about_the_token() {
    for act in
        [Act::HangUp, Act::Answer(answer(503, &[], "")), Act::Answer(answer(200, &[], "<html>"))]
    {
        let (read, _) = asked(vec![act], Some("t")).await;
        assert!(matches!(read, Err(BuyerError::Fault(_))));
    }
    let throttled = Act::Answer(answer(503, &[], &error("RequestThrottled")));
    let (read, _) = asked(vec![info(CLIENT, ""), throttled], Some("t")).await;
    assert!(matches!(read, Err(BuyerError::Fault(Fault::Throttled { .. }))));
}
