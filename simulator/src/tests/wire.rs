//! What is answered to whom: addresses, signatures, quotas, readings, and `/_sim` itself.

use super::*;

#[tokio::test]
async fn a_sale_is_in_the_ledger_with_all_its_names() {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    let sold = scene.authorize(&order, "a1").await.unwrap();
    let (_, ledger) = scene.sim("GET", "/ledger", Value::Null).await;
    let capture = &ledger["entries"][1];
    assert_eq!(
        *capture,
        json!({
            "at": "2026-11-23T08:00:00.000Z",
            "merchantId": "A1",
            "objectId": order,
            "kind": "capture",
            "amount": "100.00",
            "currency": "USD",
            "referenceId": "a1",
            "id": sold.tag("member"),
            "sellerOrderId": null,
        })
    );
    let path = format!("/ledger?objectId={}", sold.tag("AmazonAuthorizationId"));
    let (_, one) = scene.sim("GET", &path, Value::Null).await;
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
    let (_, all) = scene.sim("GET", "/ledger?merchantId=&objectId=", Value::Null).await;
    assert_eq!(all["entries"].as_array().unwrap().len(), 2);
    let (_, none) = scene.sim("GET", "/ledger?merchantId=A2", Value::Null).await;
    assert_eq!(none, json!({"entries": []}));
}

#[tokio::test]
async fn who_may_not_call_is_told_why() {
    let scene = Scene::new().await;
    let order = scene.order(Value::Null).await;
    let get = "GetOrderReferenceDetails";
    let signed = |params: &[(&str, &str)]| {
        scene.sign("secret", SANDBOX, get, &[&[oro(&order)], params].concat())
    };
    for (body, status, code) in [
        (signed(&[("AWSAccessKeyId", "K2")]), 403, "InvalidAccessKeyId"),
        (signed(&[("SignatureVersion", "4")]), 400, "InvalidParameterValue"),
        (signed(&[("SignatureMethod", "HmacMD5")]), 400, "InvalidParameterValue"),
        (signed(&[("Version", "2012-01-01")]), 400, "InvalidParameterValue"),
        (signed(&[("Timestamp", "2026-11-23T08:15:01Z")]), 400, "InvalidParameterValue"),
        (signed(&[("Timestamp", "2026-11-23T07:44:59Z")]), 400, "InvalidParameterValue"),
        (signed(&[("Timestamp", "now")]), 400, "InvalidParameterValue"),
        (signed(&[("SellerId", "A2")]), 401, "AccessDenied"),
        (signed(&[("Action", "GetOrder")]), 400, "InvalidAction"),
        (signed(&[]).replace("Signature=", "Signed="), 403, "MissingAuthenticationToken"),
        (signed(&[]).replace(get, "GetServiceStatus"), 403, "SignatureDoesNotMatch"),
        (signed(&[]) + "&Action=Capture", 400, "InvalidParameterValue"),
        (scene.sign("other", SANDBOX, get, &[oro(&order)]), 403, "SignatureDoesNotMatch"),
        (signed(&[("Timestamp", "2026-11-23T08:15:00Z")]), 200, ""),
    ] {
        scene.send(SANDBOX, body).await.unwrap().is(status, code);
    }
    let elsewhere = scene.send("/OffAmazonPayments/2012-01-01", signed(&[])).await.unwrap();
    elsewhere.is(400, "InvalidAddress");
}

#[tokio::test]
async fn signatures_are_judged_by_the_machine_s_clock_and_objects_age_by_amazon_s() {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    let hour = json!({"advanceSeconds": 3600});
    let (_, clock) = scene.sim("POST", "/clock", hour).await;
    assert_eq!(clock, json!({"now": "2026-11-23T09:00:00.000Z"}));
    assert_eq!(scene.call("GetServiceStatus", &[]).await.unwrap().status, 200);
    scene.wait_ms(16 * 60_000);
    let late = scene.call("GetServiceStatus", &[]).await.unwrap();
    late.is(400, "InvalidParameterValue");
    let far = json!({"advanceSeconds": 180 * 86_400});
    scene.sim("POST", "/clock", far).await;
    let closed = format!("/objects/{order}/close");
    let (status, said) = scene.sim("POST", &closed, Value::Null).await;
    assert_eq!(status, 400, "{said}");
    assert!(said["error"].as_str().unwrap().contains("Closed"), "{said}");
}

#[tokio::test]
async fn a_solution_provider_needs_the_seller_s_token() {
    let scene = Scene::new().await;
    let seller = json!({"merchantId": "A1", "mwsAuthToken": "amzn.mws.1"});
    assert_eq!(scene.sim("POST", "/sellers", seller).await.0, 200);
    let token = |text| [("MWSAuthToken", text)];
    let account = "GetMerchantAccountStatus";
    let without = scene.call("GetServiceStatus", &[]).await.unwrap();
    without.is(401, "AccessDenied");
    let other = scene.call(account, &token("amzn.mws.2")).await.unwrap();
    other.is(401, "UnauthorizedSolutionProvider");
    let right = scene.call(account, &token("amzn.mws.1")).await.unwrap();
    assert_eq!(right.tag("AccountStatus"), "ACTIVE");
    scene.sim("POST", "/sellers", json!({"merchantId": "A1", "active": false})).await;
    let right = scene.call(account, &token("amzn.mws.1")).await.unwrap();
    assert_eq!(right.tag("AccountStatus"), "INACTIVE");
    let order = [oro("S01-1-1"), ("MWSAuthToken", "amzn.mws.1")];
    let refused = scene.call("GetOrderReferenceDetails", &order).await.unwrap();
    refused.is(403, "InvalidAccountStatus");
}

#[tokio::test]
async fn quotas_are_off_until_they_are_set_and_come_before_or_after_the_signature() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        assert_eq!(scene.call("GetServiceStatus", &[]).await.unwrap().status, 200);
    }
    for (readings, code) in
        [(json!({}), "RequestThrottled"), (json!({"10": "b"}), "SignatureDoesNotMatch")]
    {
        let settings = json!({"quotas": true, "readings": readings});
        assert_eq!(scene.sim("PUT", "/settings", settings).await.0, 200);
        scene.wait_ms(1);
        let answers = [(); 3].map(|()| scene.sign("other", SANDBOX, "Refund", &[]));
        let mut last = String::new();
        for body in answers {
            last = scene.send(SANDBOX, body).await.unwrap().tag("Code").to_owned();
        }
        assert_eq!(last, code);
    }
    let (_, calls) = scene.sim("GET", "/calls?merchantId=A1", Value::Null).await;
    let counted = json!({
        "calls": {"GetServiceStatus": 5, "Refund": 6},
        "throttled": 1,
        "refused": 5,
    });
    assert_eq!(calls, counted);
    assert_eq!(scene.sim("GET", "/calls", Value::Null).await.1, counted);
}

#[tokio::test]
async fn a_repeat_gets_the_object_as_it_is_or_the_first_answer() {
    for (reading, captured) in [("a", "100.00"), ("b", "0")] {
        let scene = Scene::new().await;
        scene.sim("PUT", "/settings", json!({"readings": {"1": reading}})).await;
        let order = scene.confirmed(Value::Null).await;
        let first = scene.authorize(&order, "a1").await.unwrap();
        let again = scene.authorize(&order, "a1").await.unwrap();
        for (answer, captured) in [(first, "0"), (again, captured)] {
            let inside = answer.tag("CapturedAmount");
            assert!(inside.contains(&format!("<Amount>{captured}</Amount>")), "{inside}");
        }
    }
}

#[tokio::test]
async fn an_id_of_the_other_environment_is_reading_eight() {
    let get = "GetOrderReferenceDetails";
    for (reading, status, code) in
        [("a", 404, "InvalidOrderReferenceId"), ("b", 500, "InternalServerError")]
    {
        let scene = Scene::new().await;
        scene.sim("PUT", "/settings", json!({"readings": {"8": reading}})).await;
        let order = scene.order(Value::Null).await;
        let live = || scene.sign("secret", LIVE, get, &[oro(&order)]);
        assert_eq!(scene.call(get, &[oro(&order)]).await.unwrap().status, 200);
        scene.send(LIVE, live()).await.unwrap().is(status, code);
    }
}

#[tokio::test]
async fn constraints_have_another_status_in_europe() {
    let scene = Scene::new().await;
    for (region, status) in [("na", 404), ("eu", 400)] {
        scene.sim("POST", "/sellers", json!({"merchantId": "A1", "region": region})).await;
        let order = scene.order(Value::Null).await;
        let confirmed = scene.call("ConfirmOrderReference", &[oro(&order)]).await.unwrap();
        confirmed.is(status, "ConstraintsExist");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_control_call_is_said() {
    let scene = Scene::new().await;
    for (method, path, body, status, named) in [
        ("POST", "/sellers", json!({}), 400, "merchantId"),
        ("POST", "/sellers", json!({"merchantId": "A3", "region": "us"}), 400, "region"),
        ("POST", "/order-references", json!({"merchantId": "A9"}), 404, "A9"),
        ("POST", "/order-references", json!({"merchantId": "A1", "plan": 1}), 400, "plan"),
        ("POST", "/objects/S01-1-1/close", json!({}), 404, "S01-1-1"),
        ("POST", "/clock", json!({"advanceSeconds": -1}), 400, "-1"),
        ("PUT", "/faults", json!({}), 400, "sequence"),
        ("PUT", "/faults", json!([{"fault": "explode"}]), 400, "explode"),
        ("PUT", "/settings", json!({"readings": {"1": "z"}}), 400, "readings"),
        ("GET", "/nothing", Value::Null, 404, "no such call"),
    ] {
        let (got, said) = scene.sim(method, path, body).await;
        let text = said["error"].as_str().unwrap();
        assert!(got == status && text.contains(named), "{method} {path}: {got} {text}");
    }
}

#[tokio::test]
async fn buyers_cards_employees_and_banks_are_played_under_sim() {
    let scene = Scene::new().await;
    let order = scene.confirmed(json!(["InvalidPaymentMethod"])).await;
    let at = |what: &str| format!("/objects/{order}/{what}");
    let declined = scene.authorize(&order, "a1").await.unwrap();
    assert_eq!(declined.tag("ReasonCode"), "InvalidPaymentMethod");
    let (_, mended) = scene.sim("POST", &at("payment-method"), json!({"valid": true})).await;
    assert_eq!(mended, json!({"id": order, "state": "Open", "reasonCode": null}));
    assert_eq!(scene.sim("POST", &at("capture"), json!({})).await.0, 400);
    scene.authorize(&order, "a2").await.unwrap();
    let chargeback = json!({"amount": "5.00", "type": "chargeback"});
    let (status, disputed) = scene.sim("POST", &at("dispute"), chargeback).await;
    assert_eq!((status, &disputed["state"]), (201, &json!("Completed")));
    let nonsense = json!({"amount": "5.00", "type": "tantrum"});
    assert_eq!(scene.sim("POST", &at("dispute"), nonsense).await.0, 400);
    assert_eq!(scene.sim("POST", &at("close"), json!({"reason": "Expired"})).await.0, 200);
    assert_eq!(scene.moved(&order).await, ["decline", "authorize", "capture", "chargeback"]);
}

#[tokio::test]
async fn one_seed_gives_one_history() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let scene = Scene::new().await;
        scene.sim("PUT", "/settings", json!({"seed": 7})).await;
        ids.push(scene.order(Value::Null).await);
    }
    assert_eq!(ids[0], ids[1]);
}
