//! The simulator's notifications and the verifier, which were written apart: what is genuine is
//! taken, and of ten thousand that are forged in one place none is.

use std::sync::Arc;

use amazon_pay_worker::adapters::amazon::sns::SnsVerifier;
use amazon_pay_worker::domain::gateway::{Answer, Authorize, Effect, SetDetails};
use amazon_pay_worker::domain::notification::{About, Notification};
use amazon_pay_worker::ports::notifications::{Received, Refused, Verifier as _};
use serde_json::{Value, json};

use crate::fixtures::{Still, authorize, key, set_details};
use crate::server::{Act, Heard, Server, answer};
use crate::simulated::Amazon;

/// A listener that takes so many notifications.
async fn mailbox(count: usize) -> Server {
    Server::start(vec![Act::Answer(answer(200, &[], "")); count]).await
}

/// What the mailbox has heard, once it is so many.
async fn heard(mailbox: &Server, count: usize) -> Vec<Heard> {
    for _ in 0..1_000 {
        let heard = mailbox.heard();
        if heard.len() >= count {
            return heard;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{count} notifications were awaited: {:?}", mailbox.heard());
}

/// A verifier that trusts the host and port in this address.
fn verifier(base: &str) -> SnsVerifier {
    let host = base.trim_start_matches("http://").to_owned();
    SnsVerifier::new(&[host], Arc::new(Still)).unwrap()
}

async fn verify(verifier: &SnsVerifier, body: &str) -> Result<Notification, Refused> {
    let received = Received { body: body.as_bytes(), message_type: None, topic: None };
    verifier.verify(received).await
}

/// A sale whose seller is notified, then a chargeback.
async fn a_disputed_sale(mailbox: &Server) -> Amazon {
    let amazon = Amazon::start().await;
    let seller =
        json!({ "merchantId": "A2SIMSELLER001", "ipnUrl": format!("{}/ipn", mailbox.base) });
    amazon.play("POST", "/sellers", &seller).await;
    let (reference, _) = amazon.reference(Value::Null).await;
    let set = SetDetails { reference: reference.clone(), ..set_details() };
    amazon.done(&Effect::SetDetails(set)).await;
    amazon.done(&Effect::Confirm(reference.clone())).await;
    let sale = Authorize { reference: reference.clone(), key: key("a1"), ..authorize() };
    assert!(matches!(amazon.done(&Effect::Authorize(sale)).await, Answer::Authorization(_)));
    let dispute = json!({ "amount": "6.00", "type": "chargeback" });
    amazon.play("POST", &format!("/objects/{reference}/dispute"), &dispute).await;
    amazon
}

#[tokio::test]
async fn what_the_simulator_tells_is_genuine() {
    let mailbox = mailbox(64).await;
    let amazon = a_disputed_sale(&mailbox).await;
    let verifier = verifier(&amazon.base);
    let mut abouts = Vec::new();
    for one in heard(&mailbox, 7).await {
        assert_eq!(one.header("content-type"), Some("text/plain; charset=UTF-8"));
        let received = Received {
            body: one.body.as_bytes(),
            message_type: one.header("x-amz-sns-message-type"),
            topic: one.header("x-amz-sns-topic-arn"),
        };
        let told = verifier.verify(received).await.unwrap();
        assert_eq!(Some(told.message_id.as_str()), one.header("x-amz-sns-message-id"));
        assert_eq!((told.seller_id.as_str(), told.sandbox), ("A2SIMSELLER001", Some(true)));
        assert!(told.reference.is_some_and(|it| it.starts_with("S01-")), "{}", one.body);
        abouts.push(told.about);
    }
    for about in
        [About::Reference, About::Authorization, About::Capture, About::Refund, About::Chargeback]
    {
        assert!(abouts.contains(&about), "{about:?} in {abouts:?}");
    }
}

/// A small generator: the same numbers in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Changes one thing that is signed, or signs.
fn forged(genuine: &Value, draw: &mut Draw) -> Value {
    const SIGNED: [&str; 6] =
        ["Message", "MessageId", "Timestamp", "TopicArn", "Signature", "Subject"];
    let mut forged = genuine.clone();
    let name = SIGNED[draw.below(SIGNED.len())];
    let text = forged[name].as_str().unwrap_or("a subject").to_owned();
    let mut letters: Vec<char> = text.chars().collect();
    let at = draw.below(letters.len());
    match draw.below(3) {
        0 if name != "Subject" => {
            let old = letters[at];
            letters[at] = if old == 'x' { 'y' } else { 'x' };
        }
        1 => letters.insert(at, 'x'),
        _ => {
            letters.remove(at);
        }
    }
    forged[name] = letters.into_iter().collect::<String>().into();
    forged
}

#[tokio::test]
async fn of_ten_thousand_forged_ones_none_is_taken() {
    let mailbox = mailbox(64).await;
    let amazon = a_disputed_sale(&mailbox).await;
    let verifier = verifier(&amazon.base);
    let genuine = heard(&mailbox, 7).await;
    let genuine: Vec<Value> =
        genuine.iter().map(|one| serde_json::from_str(&one.body).unwrap()).collect();
    let mut draw = Draw(7);
    for _ in 0..10_000 {
        let forged = forged(&genuine[draw.below(genuine.len())], &mut draw).to_string();
        let taken = verify(&verifier, &forged).await;
        assert!(matches!(taken, Err(Refused::Forged(_) | Refused::Malformed(_))), "{forged}");
    }
    // Each is still taken as it was.
    for one in &genuine {
        verify(&verifier, &one.to_string()).await.unwrap();
    }
    // A signature is good for its own message alone, and only with the algorithm that it is of.
    let mut swapped = genuine[0].clone();
    swapped["Signature"] = genuine[1]["Signature"].clone();
    assert!(verify(&verifier, &swapped.to_string()).await.is_err());
    let mut other = genuine[0].clone();
    for version in ["2", "3", "", "01"] {
        other["SignatureVersion"] = version.into();
        assert!(verify(&verifier, &other.to_string()).await.is_err(), "{version}");
    }
}

/// A genuine message whose certificate is said to lie elsewhere.
async fn with_certificate_at(address: &str, mailbox: &Server) -> String {
    let body = heard(mailbox, 1).await[0].body.clone();
    let mut message: Value = serde_json::from_str(&body).unwrap();
    message["SigningCertURL"] = address.into();
    message.to_string()
}

#[tokio::test]
async fn a_certificate_comes_from_a_trusted_host_within_bounds_or_not_at_all() {
    let mailbox = mailbox(64).await;
    let amazon = a_disputed_sale(&mailbox).await;
    // A stranger's address is never called.
    let stranger = Server::saying(200, "").await;
    let message = with_certificate_at(&format!("{}/a.pem", stranger.base), &mailbox).await;
    let taken = verify(&verifier(&amazon.base), &message).await;
    assert!(matches!(taken, Err(Refused::Forged(_))), "{taken:?}");
    assert!(stranger.heard().is_empty());
    // A trusted host that leads elsewhere is not followed; what is no certificate is none.
    let onward = format!("{}/b.pem", stranger.base);
    let huge = "x".repeat(2 << 20);
    for (said, forged) in [
        (answer(302, &[("Location", &onward)], ""), true),
        (answer(404, &[], "no such key"), true),
        (answer(200, &[], "no certificate"), true),
        (answer(200, &[], &huge), false),
        (answer(503, &[], ""), false),
    ] {
        let host = Server::start([Act::Answer(said)]).await;
        let message = with_certificate_at(&format!("{}/a.pem", host.base), &mailbox).await;
        let verifier = verifier(&host.base);
        for _ in 0..3 {
            let taken = verify(&verifier, &message).await;
            assert_eq!(matches!(taken, Err(Refused::Forged(_))), forged, "{taken:?}");
            assert_eq!(matches!(taken, Err(Refused::Unverifiable(_))), !forged, "{taken:?}");
        }
        assert_eq!(host.heard().len(), 1, "a host that failed is not asked at once again");
    }
    assert!(stranger.heard().is_empty());
}
