//! Agreements against the simulator: set, confirmed, charged within the month, closed; and what is
//! asked for an agreement under the same effects as a one-time reference.

use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Effect, ReferenceState,
    ReferenceView, SetDetails,
};
use amazon_pay_worker::domain::ids::ReferenceId;
use amazon_pay_worker::ports::gateway::Gateway;
use serde_json::{Value, json};

use crate::fixtures::{authorize, key, refused, set_details, usd};
use crate::simulated::Amazon;

async fn agreement(amazon: &Amazon, consent: bool, plan: Value) -> ReferenceId {
    let buyer = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
    let body = json!({
        "merchantId": "A2SIMSELLER001", "buyer": buyer, "consent": consent, "plan": plan
    });
    let made = amazon.play("POST", "/billing-agreements", &body).await;
    ReferenceId::new(made["amazonBillingAgreementId"].as_str().unwrap()).unwrap()
}

fn view(answer: Answer) -> ReferenceView {
    match answer {
        Answer::Reference(view) => view,
        other => panic!("{other:?}"),
    }
}

fn made(answer: Answer) -> AuthorizationView {
    match answer {
        Answer::Authorization(view) => view,
        other => panic!("{other:?}"),
    }
}

fn set(reference: &ReferenceId) -> Effect {
    Effect::SetDetails(SetDetails { reference: reference.clone(), ..set_details() })
}

fn charge(reference: &ReferenceId, own_key: &str, amount: &str) -> Effect {
    Effect::Authorize(Authorize {
        reference: reference.clone(),
        key: key(own_key),
        amount: usd(amount),
        ..authorize()
    })
}

async fn opened(amazon: &Amazon, plan: Value) -> ReferenceId {
    let reference = agreement(amazon, true, plan).await;
    amazon.done(&set(&reference)).await;
    amazon.done(&Effect::Confirm(reference.clone())).await;
    reference
}

#[tokio::test]
async fn an_agreement_is_set_confirmed_and_charged_within_the_month() {
    let amazon = Amazon::start().await;
    let reference = agreement(&amazon, true, Value::Null).await;
    let draft = view(amazon.done(&set(&reference)).await);
    assert_eq!((draft.state, draft.consent), (ReferenceState::Draft, Some(true)));
    assert!(draft.constraints.is_empty() && draft.authorizations.is_empty());
    let month = draft.month.expect("the balance of a draft");
    assert_eq!(month.left, usd("500.00"));
    assert!(month.begins < month.ends);

    assert_eq!(amazon.done(&Effect::Confirm(reference.clone())).await, Answer::Done);
    let call = charge(&reference, "ord-42_a1", "106.00");
    let first = made(amazon.done(&call).await);
    assert_eq!(first.state, AuthorizationState::Closed);
    assert_eq!(first.reason.as_deref(), Some("MaxCapturesProcessed"));
    assert_eq!(first.captures.len(), 1);
    // The same call again is the same charge.
    assert_eq!(made(amazon.done(&call).await).id, first.id);
    let other = charge(&reference, "ord-42_a1", "107.00");
    assert_eq!(amazon.fault_of(&other).await, refused("DuplicateRequest"));

    let open = view(amazon.done(&Effect::ReadReference(reference.clone())).await);
    assert_eq!(open.state, ReferenceState::Open);
    assert_eq!(open.month.unwrap().left, usd("394.00"));
    let over = charge(&reference, "ord-42_a2", "394.01");
    assert_eq!(amazon.fault_of(&over).await, refused("PeriodicAmountExceeded"));
}

#[tokio::test]
async fn an_agreement_without_consent_cannot_be_confirmed() {
    let amazon = Amazon::start().await;
    let reference = agreement(&amazon, false, Value::Null).await;
    let draft = view(amazon.done(&set(&reference)).await);
    assert_eq!(draft.consent, Some(false));
    assert_eq!(draft.constraints, ["BuyerConsentNotSet"]);
    let confirmed = amazon.fault_of(&Effect::Confirm(reference.clone())).await;
    assert_eq!(confirmed, refused("BillingAgreementConstraintsExist"));
    let charged = amazon.fault_of(&charge(&reference, "ord-42_a1", "5.00")).await;
    assert_eq!(charged, refused("InvalidBillingAgreementStatus"));
}

#[tokio::test]
async fn a_soft_decline_suspends_it_until_the_method_is_mended() {
    let amazon = Amazon::start().await;
    let reference = opened(&amazon, json!(["InvalidPaymentMethod"])).await;
    let call = charge(&reference, "ord-42_a1", "5.00");
    let declined = made(amazon.done(&call).await);
    assert_eq!(declined.state, AuthorizationState::Declined);
    // The same call again tells the same, whatever state the agreement is in.
    assert_eq!(made(amazon.done(&call).await).state, AuthorizationState::Declined);
    let read = Effect::ReadReference(reference.clone());
    assert_eq!(view(amazon.done(&read).await).state, ReferenceState::Suspended);
    let again = charge(&reference, "ord-42_a2", "5.00");
    assert_eq!(amazon.fault_of(&again).await, refused("InvalidBillingAgreementStatus"));
    let confirmed = amazon.fault_of(&Effect::Confirm(reference.clone())).await;
    assert_eq!(confirmed, refused("PaymentMethodNotUpdated"));
    let path = format!("/objects/{reference}/payment-method");
    amazon.play("POST", &path, &json!({ "valid": true })).await;
    assert_eq!(view(amazon.done(&read).await).state, ReferenceState::Open);
    assert_eq!(made(amazon.done(&again).await).state, AuthorizationState::Closed);
}

#[tokio::test]
async fn it_is_closed_for_charges_and_its_buyer_can_be_read() {
    let amazon = Amazon::start().await;
    let reference = opened(&amazon, Value::Null).await;
    let buyer = amazon.gateway.buyer(&amazon.account, &reference, None).await.unwrap();
    assert_eq!(buyer.name.as_deref(), Some("Ada Lovelace"));
    let close = Effect::CloseReference(reference.clone());
    assert_eq!(amazon.done(&close).await, Answer::Done);
    let read = Effect::ReadReference(reference.clone());
    assert_eq!(view(amazon.done(&read).await).state, ReferenceState::Closed);
    let late = charge(&reference, "ord-42_a1", "5.00");
    assert_eq!(amazon.fault_of(&late).await, refused("InvalidBillingAgreementStatus"));
    let unknown = ReferenceId::new("C01-0000000-0000000").unwrap();
    let unknown = Effect::ReadReference(unknown);
    assert_eq!(amazon.fault_of(&unknown).await, refused("InvalidBillingAgreementId"));
}
