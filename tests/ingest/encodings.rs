//! The five ways in which landers send parameters, and what becomes of those sent twice.

use serde_json::json;

use crate::world::{LOGIN, PASSWORD, World, form, lander};

const PATHS: [&str; 2] = ["/order/import/", "/order/import"];
const FORM: &str = "application/x-www-form-urlencoded";

/// What every encoding below says.
fn said() -> Vec<(&'static str, &'static str)> {
    lander(&[
        ("loginId", LOGIN),
        ("password", PASSWORD),
        ("product1_id", "12"),
        ("product1_price", "29.95"),
        ("lastName", " "),
        ("emailAddress", "ada@example.com"),
        ("confirmTOS", "1"),
    ])
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--line--\r\n"
}

#[tokio::test(start_paused = true)]
async fn every_encoding_says_the_same() {
    let body = form(&said());
    let json = json!(said().into_iter().collect::<std::collections::BTreeMap<_, _>>()).to_string();
    for path in PATHS {
        let query = format!("{path}?{body}");
        let all = [
            ("POST", path, FORM, body.clone()),
            ("POST", path, "multipart/form-data; boundary=line", multipart(&said())),
            ("POST", &query, "application/json", String::new()),
            ("POST", &query, "text/plain", String::new()),
            ("GET", &query, "", String::new()),
            ("POST", path, "application/json", json.clone()),
            // Small clients forget what they send.
            ("POST", path, "", body.clone()),
            ("POST", path, FORM, json.clone()),
        ];
        for (method, target, media, body) in all {
            let world = World::start().await;
            world.worker(&[("paid", json!({"amazonCaptureId": "S01-C1"}))]);
            let answer = world.request(method, target, &[("content-type", media)], body).await;
            assert_eq!(answer.success()["orderStatus"], "COMPLETE", "{method} {target} {media}");
            let command = world.command();
            assert_eq!(command["amount"], "29.95");
            assert_eq!(command["currency"], "USD");
            assert_eq!(command["orderId"], "CRM-1");
            assert_eq!(command["amazonBillerId"], "mid-na");
            assert_eq!(command["sealed"]["lastName"], " ");
            assert_eq!(command["sealed"]["emailAddress"], "ada@example.com");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_of_a_json_body_are_what_is_written() {
    for (text, amount) in [("29.95", "29.95"), ("29.9", "29.90"), ("30", "30.00"), ("0.1", "0.10")]
    {
        let world = World::start().await;
        let body = format!(
            r#"{{"loginId":"{LOGIN}","password":"{PASSWORD}","orderId":1001,
                "amazonOrderId":"S01-1","amazonBillerId":"mid-na","amount":{text},
                "campaignId":7,"cardNumber":null,"orderItems":{{"12":1}}}}"#
        );
        let json = [("content-type", "application/json")];
        world.request("POST", "/order/import/", &json, body).await.success();
        assert_eq!(world.command()["amount"], amount);
        assert_eq!(world.command()["orderId"], "1001");
    }
    for text in ["2995e-2", "29.950", "-1", "[1]", "true"] {
        let world = World::start().await;
        let body = format!(
            r#"{{"loginId":"{LOGIN}","password":"{PASSWORD}","orderId":"1","amazonOrderId":"S01-1",
                "amazonBillerId":"mid-na","amount":{text}}}"#
        );
        let json = [("content-type", "application/json")];
        let answer = world.request("POST", "/order/import/", &json, body).await;
        assert_eq!(answer.refused(200), ["amount"], "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_matters_may_not_be_said_twice_in_two_ways() {
    let cases = [
        ("amount", "29.95", "30.00"),
        ("product1_price", "29.95", "30.00"),
        ("product1_qty", "1", "2"),
        ("salesTax", "1", "2"),
        ("currency", "USD", "EUR"),
        ("orderId", "CRM-1", "CRM-2"),
        ("campaignId", "1", "2"),
        ("product1_id", "1", "2"),
        ("amazonBillerId", "mid-na", "mid-eu"),
        ("amazonOrderId", "S01-1", "S01-2"),
        ("amazonAddressConsent", "one", "two"),
    ];
    for (name, one, other) in cases {
        let world = World::start().await;
        let rest: Vec<_> = lander(&[("amount", "29.95")]);
        let rest: Vec<_> = rest.into_iter().filter(|(known, _)| *known != name).collect();
        let twice = [&rest[..], &[(name, one), (name, other)]].concat();
        assert_eq!(world.form("/order/import/", &twice).await.refused(200), [name]);

        let path = format!("/order/import/?{}", form(&[(name, one)]));
        let body = [&rest[..], &[(name, other)]].concat();
        assert_eq!(world.form(&path, &body).await.refused(200), [name]);
        assert!(world.published().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn of_everything_else_the_body_and_the_last_count() {
    let world = World::start().await;
    let path = format!("/order/import/?{}", form(&[("firstName", "Query"), ("lastName", "Query")]));
    // The same again, and the same number written otherwise, is no contradiction.
    let fields = [
        ("orderId", "CRM-1"),
        ("orderId", "CRM-1"),
        ("amazonBillerId", "mid-na"),
        ("amazonOrderId", "S01-1"),
        ("amount", "29.9"),
        ("amount", "29.90"),
        ("firstName", "First"),
        ("firstName", "Last"),
    ];
    world.form(&path, &fields).await.success();
    let command = world.command();
    assert_eq!(command["sealed"]["firstName"], "Last");
    assert_eq!(command["sealed"]["lastName"], "Query");
    assert_eq!(command["amount"], "29.90");
}

#[tokio::test(start_paused = true)]
async fn empty_and_null_count_as_not_sent() {
    let world = World::start().await;
    let fields = [
        ("orderId", "null"),
        ("amazonBillerId", "mid-na"),
        ("amazonOrderId", "S01-1234567-1234567"),
        ("amount", ""),
        ("amount", "5"),
        ("currency", ""),
        ("lastName", "null"),
    ];
    world.form("/order/import/", &fields).await.success();
    let command = world.command();
    assert_eq!(command["orderId"], "S01-1234567-1234567", "the reference stands for it");
    assert_eq!(command["currency"], "USD");
    assert_eq!(command["sealed"], json!(null), "nothing personal was said");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_error_of_the_crm() {
    let world = World::start().await;
    let bodies = [
        ("application/json", "[1,2]"),
        ("application/json", "{\"a\":"),
        ("application/json", "{\"a\":\"\\ud800\"}"),
        ("multipart/form-data; boundary=line", "no form"),
        ("multipart/form-data", "--line--"),
    ];
    for (media, body) in bodies {
        let path = format!("/order/import/?loginId={LOGIN}&password={PASSWORD}");
        let answer = world.request("POST", &path, &[("content-type", media)], body).await;
        answer.refused(200);
    }
    assert!(world.published().is_empty());
}
