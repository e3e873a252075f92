//! Idempotency keys, and the keys that sign.

use super::*;

#[tokio::test]
async fn what_was_not_answered_is_answered_under_the_same_key() {
    let shop = Shop::new().await;
    let order = shop.scene.confirmed(Value::Null).await;
    for (fault, key) in [("reset_after", "k1"), ("status_after", "k2"), ("status", "k3")] {
        let matches = json!({"api": "v2", "operation": "createCharge", "objectId": order});
        shop.scene.fault(json!({"match": matches, "fault": fault, "times": 1})).await;
        let call = ("POST", "charges", key);
        let first = shop.try_call(call, charge_of(&order, "10.00", true)).await;
        assert!(first.is_err() || first.is_ok_and(|(status, _)| status == 503), "{fault}");
        assert_eq!(shop.charge(&order, key, "10.00").await.0, 201, "{fault}");
        assert_eq!(shop.charge(&order, key, "10.00").await.0, 201, "{fault}");
    }
    assert_eq!(shop.scene.moved(&order).await.len(), 6);
    shop.bad(("POST", "charges", "k1"), charge_of(&order, "9.00", true), 400, DUPLICATE).await;
    let long = "k".repeat(33);
    let header = "InvalidHeaderValue";
    shop.bad(("POST", "charges", &long), charge_of(&order, "9.00", true), 400, header).await;
    let missing = "MissingHeaderValue";
    shop.bad(("POST", "charges", ""), charge_of(&order, "9.00", true), 400, missing).await;
}

const DUPLICATE: &str = "DuplicateIdempotencyKey";

#[tokio::test]
async fn trouble_is_repeated_under_its_key_where_that_is_how_amazon_is_read() {
    for (fault, captured) in [("status", 0), ("status_after", 1)] {
        let shop = Shop::new().await;
        shop.scene.sim("PUT", "/settings", json!({"readings": {"12": "b"}})).await;
        let order = shop.scene.confirmed(Value::Null).await;
        shop.scene.fault(json!({"match": {"api": "v2"}, "fault": fault, "times": 1})).await;
        for _ in 0..3 {
            assert_eq!(shop.charge(&order, "k1", "10.00").await.0, 503);
        }
        let captures = shop.scene.moved(&order).await;
        assert_eq!(captures.iter().filter(|kind| *kind == "capture").count(), captured);
        assert_eq!(shop.charge(&order, "k2", "10.00").await.0, 201);
    }
}

#[tokio::test]
async fn mws_keys_are_exchanged_for_a_key_of_v2() {
    let shop = Shop { scene: Scene::new().await, key_id: "NEWKEY", section: "/sandbox" };
    let seller = json!({"merchantId": "A1", "upgradeKeys": ["NEWKEY"]});
    shop.scene.sim("POST", "/sellers", seller).await;
    let upgrade = async |secret: &str, public: &str| {
        let host = shop.scene.base.trim_start_matches("http://");
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let signed = format!(
            "AWSAccessKeyId=K1&Action=GetPublicKeyId&SellerId=A1&SignatureMethod=HmacSHA256\
             &SignatureVersion=2&Timestamp={}",
            encode(NOW)
        );
        let text = format!("GET\n{host}\n/live/v2/publicKeyId\n{signed}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let query = format!(
            "{}&PublicKey={}&Signature={}",
            signed.replace("SellerId", "MerchantId"),
            encode(public),
            encode(&signature)
        );
        let url = format!("{}/live/v2/publicKeyId?{query}", shop.scene.base);
        let answer = shop.scene.http.get(url).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    assert_eq!(upgrade("another", PUBLIC).await.0, 403);
    assert_eq!(upgrade("secret", "no key").await.0, 400);
    let order = shop.scene.confirmed(Value::Null).await;
    let place = format!("chargePermissions/{order}");
    let unknown = "InvalidAuthentication";
    shop.bad(("GET", &place, ""), Value::Null, 403, unknown).await;
    for _ in 0..2 {
        assert_eq!(upgrade("secret", PUBLIC).await, (200, json!({"publicKeyId": "NEWKEY"})));
    }
    shop.is(&place, "Chargeable", None).await;
    // The old keys are good still.
    let details = shop.scene.call("GetOrderReferenceDetails", &[oro(&order)]).await.unwrap();
    assert_eq!(details.status, 200);
    let (_, calls) = shop.scene.sim("GET", "/calls?merchantId=A1", Value::Null).await;
    assert_eq!(calls["calls"]["GetPublicKeyId"], 4, "{calls}");
}

#[tokio::test]
async fn a_seller_who_changes_his_key_is_known_by_the_new_one_alone() {
    let mut shop = Shop::new().await;
    let seller = json!({"merchantId": "A1", "publicKeyId": "KEY2"});
    shop.scene.sim("POST", "/sellers", seller).await;
    let order = shop.scene.confirmed(Value::Null).await;
    let place = format!("chargePermissions/{order}");
    shop.bad(("GET", &place, ""), Value::Null, 403, "InvalidAuthentication").await;
    shop.key_id = "KEY2";
    shop.is(&place, "Chargeable", None).await;
    let nonsense = json!({"merchantId": "A1", "publicKey": "no key"});
    assert_eq!(shop.scene.sim("POST", "/sellers", nonsense).await.0, 400);
    shop.scene.sim("POST", "/sellers", json!({"merchantId": "A1", "active": false})).await;
    shop.bad(("GET", &place, ""), Value::Null, 403, "InvalidAccountStatus").await;
}
