//! API v2 beside MWS: one book of money, keys, faults and the upgrade of keys. What Amazon's own
//! SDK for Node does is in `tests/sdk`.

mod keys;

use ring::digest;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};

use super::*;

const PRIVATE: &str = include_str!("../merchant.pem");
const PUBLIC: &str = include_str!("../merchant_public.pem");

fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "a salt is chance, and no test looks at it")]
fn signature(text: &str) -> String {
    let body: String = PRIVATE.lines().filter(|line| !line.starts_with("--")).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    pair.sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// A shop that calls API v2, and MWS where it must.
struct Shop {
    scene: Scene,
    key_id: &'static str,
    section: &'static str,
}

impl Shop {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let seller = json!({"merchantId": "A1", "publicKeyId": "KEY1", "publicKey": PUBLIC});
        assert_eq!(scene.sim("POST", "/sellers", seller).await.0, 200);
        Self { scene, key_id: "KEY1", section: "/sandbox" }
    }

    /// A signed call, under an idempotency key where one is named.
    async fn try_call(
        &self,
        (method, place, key): (&str, &str, &str),
        body: Value,
    ) -> Result<(u16, Value), reqwest::Error> {
        let path = format!("{}/v2/{place}", self.section);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut headers = vec![
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-amz-pay-date", NOW),
            ("x-amz-pay-host", "pay-api.amazon.com"),
        ];
        if !key.is_empty() {
            headers.push(("x-amz-pay-idempotency-key", key));
        }
        headers.push(("x-amz-pay-region", "na"));
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (names, body_hash) = (names.join(";"), sha256(body.as_bytes()));
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{body_hash}");
        let algorithm = "AMZN-PAY-RSASSA-PSS-V2";
        let signed = signature(&format!("{algorithm}\n{}", sha256(canonical.as_bytes())));
        let claim = format!(
            "{algorithm} PublicKeyId={}, SignedHeaders={names}, Signature={signed}",
            self.key_id
        );
        let url = format!("{}{path}", self.scene.base);
        let mut request = self.scene.http.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.header("authorization", claim).send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_str(&answer.text().await?).unwrap_or_default()))
    }

    async fn call(&self, call: (&str, &str, &str), body: Value) -> (u16, Value) {
        self.try_call(call, body).await.unwrap()
    }

    async fn good(&self, call: (&str, &str, &str), body: Value) -> Value {
        let (status, value) = self.call(call, body).await;
        assert!((200..300).contains(&status), "{call:?}: {status} {value}");
        value
    }

    async fn bad(&self, call: (&str, &str, &str), body: Value, status: u16, code: &str) {
        let (told, value) = self.call(call, body).await;
        assert_eq!((told, value["reasonCode"].as_str()), (status, Some(code)), "{value}");
    }

    async fn is(&self, place: &str, state: &str, reason: Option<&str>) {
        let shown = self.good(("GET", place, ""), Value::Null).await;
        let told = &shown["statusDetails"];
        let reason_told = told["reasonCode"].as_str().or(told["reasons"][0]["reasonCode"].as_str());
        assert_eq!((told["state"].as_str(), reason_told), (Some(state), reason), "{shown}");
    }

    async fn charge(&self, permission: &str, key: &str, amount: &str) -> (u16, Value) {
        self.call(("POST", "charges", key), charge_of(permission, amount, true)).await
    }

    /// An agreement that MWS made and confirmed.
    async fn agreement(&self, plan: Value) -> String {
        let body = json!({"merchantId": "A1", "plan": plan});
        let (_, made) = self.scene.sim("POST", "/billing-agreements", body).await;
        let id = made["amazonBillingAgreementId"].as_str().unwrap().to_owned();
        let named = [("AmazonBillingAgreementId", id.as_str())];
        let confirmed = self.scene.call("ConfirmBillingAgreement", &named).await.unwrap();
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        id
    }

    /// A checkout that a buyer agreed to.
    async fn approved(&self, intent: &str, plan: Value) -> String {
        let details = json!({"paymentIntent": intent, "chargeAmount": usd("100.00")});
        let call = ("POST", "checkoutSessions", "session-1");
        let made = self.good(call, json!({"paymentDetails": details})).await;
        let id = made["checkoutSessionId"].as_str().unwrap().to_owned();
        let path = format!("/checkout-sessions/{id}/approve");
        assert_eq!(self.scene.sim("POST", &path, json!({"plan": plan})).await.0, 200);
        id
    }
}

fn usd(amount: &str) -> Value {
    json!({"amount": amount, "currencyCode": "USD"})
}

fn charge_of(permission: &str, amount: &str, capture_now: bool) -> Value {
    let amount = usd(amount);
    json!({"chargePermissionId": permission, "chargeAmount": amount, "captureNow": capture_now})
}

#[tokio::test]
async fn what_mws_made_goes_on_through_v2() {
    let shop = Shop::new().await;
    let order = shop.scene.confirmed(Value::Null).await;
    let held = [
        oro(&order),
        ("AuthorizationReferenceId", "a1"),
        ("AuthorizationAmount.Amount", "40.00"),
        ("AuthorizationAmount.CurrencyCode", "USD"),
        ("TransactionTimeout", "0"),
    ];
    let held = shop.scene.call("Authorize", &held).await.unwrap();
    let charge = held.tag("AmazonAuthorizationId").replacen("-A", "-C", 1);
    let place = format!("charges/{charge}");
    shop.is(&place, "Authorized", None).await;
    let capture = format!("{place}/capture");
    shop.good(("POST", &capture, "c1"), json!({"captureAmount": usd("40.00")})).await;
    shop.is(&place, "Captured", None).await;
    let refund = json!({"chargeId": charge, "refundAmount": usd("5.00")});
    shop.good(("POST", "refunds", "r1"), refund).await;

    shop.is(&format!("chargePermissions/{order}"), "Chargeable", None).await;
    // 15 % above the total, as MWS allows it.
    assert_eq!(shop.charge(&order, "v1", "75.01").await.0, 400);
    let (status, sold) = shop.charge(&order, "v2", "75.00").await;
    assert_eq!(status, 201, "{sold}");
    let capture = [("AmazonCaptureId", sold["chargeId"].as_str().unwrap())];
    let seen = shop.scene.call("GetCaptureDetails", &capture).await.unwrap();
    assert_eq!(seen.tag("State"), "Completed", "{}", seen.text);
    shop.is(&format!("chargePermissions/{order}"), "Closed", Some("AmazonClosed")).await;
    let moved = shop.scene.moved(&order).await;
    assert_eq!(moved, ["authorize", "capture", "authorize", "capture"]);
}

#[tokio::test]
async fn a_capture_with_digits_of_its_own_is_refunded_by_its_id() {
    let shop = Shop::new().await;
    let order = shop.scene.confirmed(Value::Null).await;
    let amount = [("AuthorizationAmount.Amount", "40.00"), ("TransactionTimeout", "0")];
    let held = [
        &[oro(&order), ("AuthorizationReferenceId", "a1")][..],
        &[("AuthorizationAmount.CurrencyCode", "USD")],
        &amount,
    ];
    let held = shop.scene.call("Authorize", &held.concat()).await.unwrap();
    let captured = [
        ("AmazonAuthorizationId", held.tag("AmazonAuthorizationId")),
        ("CaptureReferenceId", "c1"),
        ("CaptureAmount.Amount", "40.00"),
        ("CaptureAmount.CurrencyCode", "USD"),
    ];
    let captured = shop.scene.call("Capture", &captured).await.unwrap();
    let capture = captured.tag("AmazonCaptureId");
    let twin = held.tag("AmazonAuthorizationId").replacen("-A", "-C", 1);
    assert_ne!(capture, twin);
    for (id, key) in [(capture, "r1"), (twin.as_str(), "r2")] {
        shop.is(&format!("charges/{id}"), "Captured", None).await;
        let refund = json!({"chargeId": id, "refundAmount": usd("5.00")});
        let begun = shop.good(("POST", "refunds", key), refund).await;
        assert_eq!(begun["statusDetails"]["state"], "RefundInitiated");
    }
}

#[tokio::test]
async fn an_agreement_of_mws_is_a_recurring_permission_and_its_month_is_one() {
    let shop = Shop::new().await;
    let agreement = shop.agreement(Value::Null).await;
    let cycle = [
        ("AmazonBillingAgreementId", agreement.as_str()),
        ("AuthorizationReferenceId", "m1"),
        ("AuthorizationAmount.Amount", "300.00"),
        ("AuthorizationAmount.CurrencyCode", "USD"),
        ("TransactionTimeout", "0"),
        ("CaptureNow", "true"),
    ];
    let charged = shop.scene.call("AuthorizeOnBillingAgreement", &cycle).await.unwrap();
    assert_eq!(charged.status, 200, "{}", charged.text);
    let (status, told) = shop.charge(&agreement, "v1", "200.01").await;
    assert_eq!((status, &told["reasonCode"]), (400, &json!("PeriodicAmountExceeded")));
    let (status, charged) = shop.charge(&agreement, "v2", "200.00").await;
    assert_eq!(status, 201, "{charged}");
    let id = charged["chargeId"].as_str().unwrap();
    assert!(id.starts_with(&format!("{agreement}-C")), "{id}");
    let place = format!("chargePermissions/{agreement}");
    let shown = shop.good(("GET", &place, ""), Value::Null).await;
    assert_eq!(shown["limits"]["amountBalance"], usd("0.00"), "{shown}");
    assert_eq!(shop.scene.moved(&agreement).await.len(), 4);
    // The next month has a balance of its own, and the bank takes one charge back.
    shop.scene.sim("POST", "/clock", json!({"advanceSeconds": 31 * 86_400})).await;
    assert_eq!(shop.charge(&agreement, "v3", "500.00").await.0, 201);
    let back = json!({"amount": "20.00", "type": "chargeback"});
    let path = format!("/objects/{id}/dispute");
    assert_eq!(shop.scene.sim("POST", &path, back).await.0, 201);
    let shown = shop.good(("GET", &format!("charges/{id}"), ""), Value::Null).await;
    assert_eq!(shown["refundedAmount"], usd("20.00"));
    let why = json!({"closureReason": "enough"});
    shop.good(("DELETE", &format!("{place}/close"), ""), why).await;
    let details = [("AmazonBillingAgreementId", agreement.as_str())];
    let closed = shop.scene.call("GetBillingAgreementDetails", &details).await.unwrap();
    assert_eq!(closed.tag("ReasonCode"), "SellerClosed", "{}", closed.text);
}

#[tokio::test]
async fn a_declined_charge_makes_its_permission_wait_for_the_buyer() {
    let shop = Shop::new().await;
    let agreement = shop.agreement(json!(["InvalidPaymentMethod", "AmazonRejected"])).await;
    let place = format!("chargePermissions/{agreement}");
    let declined = |told: (u16, Value)| (told.0, told.1["reasonCode"].as_str().map(str::to_owned));
    let code = |code: &str| Some(code.to_owned());
    let told = shop.charge(&agreement, "v1", "5.00").await;
    assert_eq!(declined(told), (422, code("HardDeclined")));
    shop.is(&place, "NonChargeable", Some("PaymentMethodInvalid")).await;
    let told = shop.charge(&agreement, "v2", "5.00").await;
    assert_eq!(declined(told), (422, code("InvalidChargePermissionStatus")));
    // The same key gets the same decline, whatever has changed since.
    let path = format!("/objects/{agreement}/payment-method");
    shop.scene.sim("POST", &path, json!({"valid": true})).await;
    let told = shop.charge(&agreement, "v1", "5.00").await;
    assert_eq!(declined(told), (422, code("HardDeclined")));
    let told = shop.charge(&agreement, "v3", "5.00").await;
    assert_eq!(declined(told), (422, code("AmazonRejected")));
    let kinds = shop.scene.moved(&agreement).await;
    assert_eq!(kinds, ["decline", "decline"]);
}

#[tokio::test]
async fn a_checkout_is_of_its_environment_and_ends_by_itself() {
    let mut shop = Shop::new().await;
    let id = shop.approved("Confirm", Value::Null).await;
    let place = format!("checkoutSessions/{id}");
    shop.section = "/live";
    shop.bad(("GET", &place, ""), Value::Null, 404, "ResourceNotFound").await;
    shop.section = "";
    shop.bad(("GET", &place, ""), Value::Null, 403, "InvalidAuthentication").await;
    shop.section = "/sandbox";
    shop.scene.sim("POST", "/clock", json!({"advanceSeconds": 86_401})).await;
    shop.is(&place, "Canceled", Some("Expired")).await;
    let complete = format!("{place}/complete");
    let body = json!({"chargeAmount": usd("100.00")});
    shop.bad(("POST", &complete, ""), body, 422, "CheckoutSessionCanceled").await;
    let (status, _) =
        shop.scene.sim("POST", &format!("/checkout-sessions/{id}/approve"), json!({})).await;
    assert_eq!(status, 400);
    shop.scene.sim("POST", "/clock", json!({"advanceSeconds": 30 * 86_400})).await;
    shop.bad(("GET", &place, ""), Value::Null, 404, "ResourceNotFound").await;
    let nobody = "/checkout-sessions/nobody/approve";
    assert_eq!(shop.scene.sim("POST", nobody, json!({})).await.0, 404);
}

#[tokio::test]
async fn what_the_buyer_and_seller_central_do_is_seen_through_v2() {
    let shop = Shop::new().await;
    let id = shop.approved("Authorize", json!({"capture": ["AmazonRejected"]})).await;
    let complete = format!("checkoutSessions/{id}/complete");
    let body = json!({"chargeAmount": usd("100.00")});
    let done = shop.good(("POST", &complete, ""), body).await;
    let charge = done["chargeId"].as_str().unwrap();
    let place = format!("charges/{charge}");
    let capture = json!({"captureAmount": usd("10.00")});
    let call = ("POST", &*format!("{place}/capture"), "c1");
    shop.bad(call, capture, 422, "AmazonRejected").await;
    shop.is(&place, "Declined", Some("AmazonRejected")).await;
    let path = format!("/objects/{charge}/capture");
    // The button in Seller Central tries again.
    let charge_at = done["chargePermissionId"].as_str().unwrap();
    let by_hand = format!("/objects/{charge_at}/capture");
    assert_eq!(shop.scene.sim("POST", &by_hand, json!({"amount": "30.00"})).await.0, 201);
    shop.is(&place, "Captured", None).await;
    assert_eq!(shop.scene.sim("POST", &path, json!({})).await.0, 400);
    let moved = shop.scene.moved(&id).await;
    assert_eq!(moved, ["authorize", "decline", "capture", "release"]);
    // Seven days later a capture takes its time, thirty days later there is nothing to capture.
    let later = charge_of(charge_at, "20.00", false);
    let held = shop.good(("POST", "charges", "later"), later).await;
    let held = format!("charges/{}", held["chargeId"].as_str().unwrap());
    shop.scene.sim("POST", "/clock", json!({"advanceSeconds": 31 * 86_400})).await;
    shop.is(&held, "Canceled", Some("ExpiredUnused")).await;
}

#[tokio::test]
async fn after_a_week_a_capture_takes_its_time_and_after_a_month_there_is_none() {
    let mut shop = Shop::new().await;
    shop.section = "/live";
    let plan = json!({"capture": ["approve", "ProcessingFailure", "approve"]});
    let id = shop.approved("Confirm", plan).await;
    let complete = format!("checkoutSessions/{id}/complete");
    let body = json!({"chargeAmount": usd("100.00")});
    let done = shop.good(("POST", &complete, ""), body).await;
    let permission = done["chargePermissionId"].as_str().unwrap();
    assert!(permission.starts_with("P01-"), "{permission}");
    let mut held = Vec::new();
    for key in ["h1", "h2", "h3"] {
        let charge = charge_of(permission, "10.00", false);
        let charge = shop.good(("POST", "charges", key), charge).await;
        held.push(format!("charges/{}", charge["chargeId"].as_str().unwrap()));
    }
    let capture = async |place: &str, key: &str| {
        let call = ("POST", &*format!("{place}/capture"), key);
        let told = shop.good(call, json!({"captureAmount": usd("10.00")})).await;
        assert_eq!(told["statusDetails"]["state"], "CaptureInitiated", "{told}");
    };
    let wait = async |seconds: u64| {
        shop.scene.sim("POST", "/clock", json!({"advanceSeconds": seconds})).await;
    };
    wait(7 * 86_400 + 1).await;
    capture(&held[0], "c1").await;
    capture(&held[1], "c2").await;
    wait(3_600).await;
    shop.is(&held[0], "Captured", None).await;
    shop.is(&held[1], "Declined", Some("ProcessingFailure")).await;
    // It is asked again for the same charge.
    capture(&held[1], "c3").await;
    wait(3_600).await;
    shop.is(&held[1], "Captured", None).await;
    wait(23 * 86_400).await;
    shop.is(&held[2], "Canceled", Some("ExpiredUnused")).await;
    // MWS knows nothing of what was made by API v2.
    let body = shop.scene.sign("secret", LIVE, "GetOrderReferenceDetails", &[oro(permission)]);
    let details = shop.scene.send(LIVE, body).await.unwrap();
    details.is(404, "InvalidOrderReferenceId");
}
