//! Whole sales at the simulator, which reads Amazon's documents on its own.

use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Capture, CaptureState, CaptureView,
    Effect, Fault, ReferenceState, ReferenceView, SetDetails,
};
use amazon_pay_worker::domain::ids::ReferenceId;
use amazon_pay_worker::ports::gateway::{BuyerError, Gateway};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::fixtures::{authorize, key, refused, set_details, usd};
use crate::simulated::Amazon;

fn set(reference: &ReferenceId) -> Effect {
    Effect::SetDetails(SetDetails { reference: reference.clone(), ..set_details() })
}

/// Authorize and capture at once.
fn sale(reference: &ReferenceId, own_key: &str) -> Authorize {
    Authorize { reference: reference.clone(), key: key(own_key), ..authorize() }
}

async fn confirmed(amazon: &Amazon, plan: Value) -> ReferenceId {
    let (reference, _) = amazon.reference(plan).await;
    amazon.done(&set(&reference)).await;
    assert_eq!(amazon.done(&Effect::Confirm(reference.clone())).await, Answer::Done);
    reference
}

fn reference_in(answer: Answer) -> ReferenceView {
    match answer {
        Answer::Reference(view) => view,
        other => panic!("{other:?}"),
    }
}

fn authorization_in(answer: Answer) -> AuthorizationView {
    match answer {
        Answer::Authorization(view) => view,
        other => panic!("{other:?}"),
    }
}

fn capture_in(answer: Answer) -> CaptureView {
    match answer {
        Answer::Capture(view) => view,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sale_is_set_confirmed_captured_found_again_and_closed() {
    let amazon = Amazon::start().await;
    let (reference, _) = amazon.reference(Value::Null).await;
    let draft = reference_in(amazon.done(&Effect::ReadReference(reference.clone())).await);
    assert_eq!((draft.state, draft.total), (ReferenceState::Draft, None));
    assert_eq!(draft.constraints, ["AmountNotSet"]);
    let ready = reference_in(amazon.done(&set(&reference)).await);
    assert_eq!((ready.constraints.len(), ready.total), (0, Some(usd("106"))));
    // Either may be asked for again.
    amazon.done(&set(&reference)).await;
    for _ in 0..2 {
        assert_eq!(amazon.done(&Effect::Confirm(reference.clone())).await, Answer::Done);
    }
    let twice = amazon.fault_of(&set(&reference)).await;
    assert_eq!(twice, refused("OrderReferenceNotModifiable"));

    let call = Effect::Authorize(sale(&reference, "a1"));
    let made = authorization_in(amazon.done(&call).await);
    assert_eq!((made.state, made.key.as_str()), (AuthorizationState::Closed, "a1"));
    assert_eq!(made.reason.as_deref(), Some("MaxCapturesProcessed"));
    assert_eq!((made.amount, made.captures.len()), (Some(usd("106")), 1));
    let again = authorization_in(amazon.done(&call).await);
    assert_eq!((again.id.as_str(), &again.captures), (made.id.as_str(), &made.captures));

    let open = reference_in(amazon.done(&Effect::ReadReference(reference.clone())).await);
    assert_eq!(
        (open.state, open.authorizations.as_slice()),
        (ReferenceState::Open, &[made.id][..])
    );
    let search =
        |own_key| Effect::FindAuthorization { ids: open.authorizations.clone(), key: key(own_key) };
    let found = authorization_in(amazon.done(&search("a1")).await);
    assert_eq!(found.captures, made.captures);
    assert_eq!(amazon.done(&search("a2")).await, Answer::NotFound);
    let capture = capture_in(amazon.done(&Effect::ReadCapture(made.captures[0].clone())).await);
    assert_eq!(capture.state, CaptureState::Completed);
    assert_eq!((capture.amount, capture.refunded), (Some(usd("106")), Some(usd("0"))));
    assert_eq!(amazon.ledger(&reference).await, ["authorize", "capture"]);

    for _ in 0..2 {
        assert_eq!(amazon.done(&Effect::CloseReference(reference.clone())).await, Answer::Done);
    }
    let closed = reference_in(amazon.done(&Effect::ReadReference(reference.clone())).await);
    assert_eq!(closed.state, ReferenceState::Closed);
    assert_eq!(closed.reason.as_deref(), Some("SellerClosed"));
    let late = amazon.fault_of(&Effect::Authorize(sale(&reference, "a9"))).await;
    assert_eq!(late, refused("InvalidOrderReferenceStatus"));
}

#[tokio::test]
async fn an_authorization_is_captured_later_or_given_back() {
    let amazon = Amazon::start().await;
    let reference = confirmed(&amazon, Value::Null).await;
    let manual = |own_key: &str, amount: &str| {
        let amount = usd(amount);
        Effect::Authorize(Authorize { capture_now: false, amount, ..sale(&reference, own_key) })
    };
    let held = authorization_in(amazon.done(&manual("a1", "100.00")).await);
    assert_eq!((held.state, held.captures.len()), (AuthorizationState::Open, 0));
    let capture = Effect::Capture(Capture {
        authorization: held.id.clone(),
        key: key("c1"),
        amount: usd("60.50"),
        soft_descriptor: Some("ACME".to_owned()),
    });
    let taken = capture_in(amazon.done(&capture).await);
    assert_eq!((taken.state, taken.amount), (CaptureState::Completed, Some(usd("60.5"))));
    let over = authorization_in(amazon.done(&Effect::ReadAuthorization(held.id)).await);
    assert_eq!(over.reason.as_deref(), Some("MaxCapturesProcessed"));
    assert_eq!(over.captures, [taken.id]);

    let other = authorization_in(amazon.done(&manual("a2", "5.00")).await);
    let close = Effect::CloseAuthorization(other.id.clone());
    assert_eq!(amazon.done(&close).await, Answer::Done);
    assert_eq!(amazon.fault_of(&close).await, refused("InvalidAuthorizationStatus"));
    let back = authorization_in(amazon.done(&Effect::ReadAuthorization(other.id)).await);
    assert_eq!(back.state, AuthorizationState::Closed);
    assert_eq!(back.reason.as_deref(), Some("SellerClosed"));
}

#[tokio::test]
async fn declines_are_answers_and_not_faults() {
    let amazon = Amazon::start().await;
    for (reason, then) in [
        ("InvalidPaymentMethod", ReferenceState::Suspended),
        ("AmazonRejected", ReferenceState::Closed),
        ("ProcessingFailure", ReferenceState::Open),
        ("TransactionTimedOut", ReferenceState::Open),
    ] {
        let reference = confirmed(&amazon, json!([reason])).await;
        let made = amazon.done(&Effect::Authorize(sale(&reference, reason))).await;
        let made = authorization_in(made);
        assert_eq!(made.state, AuthorizationState::Declined);
        assert_eq!(made.reason.as_deref(), Some(reason));
        let view = reference_in(amazon.done(&Effect::ReadReference(reference)).await);
        assert_eq!(view.state, then, "{reason}");
    }
    let reference = confirmed(&amazon, json!([{ "outcome": "approve", "afterSeconds": 30 }])).await;
    let later = Authorize { synchronous: false, ..sale(&reference, "later") };
    let made = authorization_in(amazon.done(&Effect::Authorize(later)).await);
    assert_eq!(made.state, AuthorizationState::Pending);
    amazon.play("POST", "/clock", &json!({ "advanceSeconds": 60 })).await;
    let decided = authorization_in(amazon.done(&Effect::ReadAuthorization(made.id)).await);
    assert_eq!((decided.state, decided.captures.len()), (AuthorizationState::Closed, 1));
}

#[tokio::test]
async fn what_has_no_answer_is_answered_when_asked_again_and_happens_once() {
    let amazon = Amazon::start().await;
    for (fault, more, expected) in [
        ("reset_after", json!({}), Fault::Unknown),
        ("truncate", json!({}), Fault::Unknown),
        ("reset_before", json!({}), Fault::Unknown),
        ("status", json!({ "status": 500 }), Fault::Unavailable { code: String::new() }),
        ("status_after", json!({ "status": 502 }), Fault::Unavailable { code: String::new() }),
    ] {
        let reference = confirmed(&amazon, Value::Null).await;
        let call =
            Effect::Authorize(sale(&reference, reference.as_str().trim_start_matches("S01-")));
        amazon.fault("Authorize", fault, more).await;
        let first = amazon.fault_of(&call).await;
        assert_eq!(first.name(), expected.name(), "{fault}: {first:?}");
        assert!(first.leaves_unknown());
        let made = authorization_in(amazon.done(&call).await);
        assert_eq!(made.captures.len(), 1, "{fault}");
        assert_eq!(amazon.ledger(&reference).await, ["authorize", "capture"], "{fault}");
    }
    let reference = confirmed(&amazon, Value::Null).await;
    let more = json!({ "status": 503, "code": "RequestThrottled" });
    amazon.fault("Authorize", "status", more).await;
    let call = Effect::Authorize(sale(&reference, "throttled"));
    assert!(matches!(amazon.fault_of(&call).await, Fault::Throttled { .. }));
    assert!(amazon.ledger(&reference).await.is_empty());
}

#[tokio::test]
async fn quotas_of_the_sandbox_are_met_as_throttles() {
    let amazon = Amazon::start().await;
    amazon.play("PUT", "/settings", &json!({ "quotas": true })).await;
    let (reference, _) = amazon.reference(Value::Null).await;
    let mut throttled = 0;
    for _ in 0..4 {
        match amazon.call(&set(&reference)).await {
            Ok(_) => {}
            Err(Fault::Throttled { .. }) => throttled += 1,
            Err(fault) => panic!("{fault:?}"),
        }
    }
    assert!(throttled > 0);
}

#[tokio::test]
async fn a_probe_finds_a_wrong_key_secret_and_seller() {
    let mut amazon = Amazon::start().await;
    assert_eq!(amazon.gateway.probe(&amazon.account).await, Ok(()));
    let good = amazon.account.clone();
    for wrong in ["access key", "secret key", "seller", "token"] {
        amazon.account = good.clone();
        match wrong {
            "access key" => amazon.account.credentials.access_key = Some("AKIANOBODY".to_owned()),
            "secret key" => amazon.account.credentials.secret_key = Some("another".into()),
            "seller" => amazon.account.merchant.seller_id = "A9SOMEBODYELSE".to_owned(),
            _ => amazon.account.credentials.mws_auth_token = Some("amzn.mws.0".into()),
        }
        let verdict = amazon.gateway.probe(&amazon.account).await;
        assert!(matches!(verdict, Err(Fault::Credentials { .. })), "{wrong}: {verdict:?}");
    }
}

#[tokio::test]
async fn the_buyer_is_shown_to_whose_token_it_is() {
    let amazon = Amazon::start().await;
    let (reference, token) = amazon.reference(Value::Null).await;
    let token = SecretString::from(token);
    let read = amazon.gateway.buyer(&amazon.account, &reference, Some(&token)).await.unwrap();
    assert_eq!(read.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(read.email.as_deref(), Some("ada@example.com"));
    assert!(read.address.unwrap().line1.is_some());
    let draft = amazon.gateway.buyer(&amazon.account, &reference, None).await.unwrap();
    assert!(draft.name.is_none() && draft.address.unwrap().line1.is_none());
    amazon.done(&set(&reference)).await;
    amazon.done(&Effect::Confirm(reference.clone())).await;
    let open = amazon.gateway.buyer(&amazon.account, &reference, None).await.unwrap();
    assert!(open.name.is_some() && open.address.unwrap().line1.is_some());
    let foreign = SecretString::from("Atza|somebody-else");
    let read = amazon.gateway.buyer(&amazon.account, &reference, Some(&foreign)).await;
    assert!(matches!(read, Err(BuyerError::Token)));
    let mut other = amazon.account.clone();
    other.credentials.client_id = Some("amzn1.application-oa2-client.other".to_owned());
    let read = amazon.gateway.buyer(&other, &reference, Some(&token)).await;
    assert!(matches!(read, Err(BuyerError::Token)));
}
