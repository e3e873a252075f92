//! Faults, as a caller's TCP stack sees them.

use std::error::Error as _;
use std::io::ErrorKind;

use super::*;

/// Whether a reset, and not a goodbye, ended it.
fn was_reset(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == ErrorKind::ConnectionReset
        {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn try_with(fault: Value) -> (Scene, String, Result<Heard, reqwest::Error>) {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    scene.fault(fault).await;
    let answer = scene.authorize(&order, "a1").await;
    (scene, order, answer)
}

#[tokio::test]
async fn a_refused_call_ends_without_an_answer_or_an_effect() {
    let fault = json!({"match": {"operation": "Authorize"}, "fault": "refuse", "times": 1});
    let (scene, order, answer) = try_with(fault).await;
    assert!(!was_reset(&answer.unwrap_err()));
    assert!(scene.moved(&order).await.is_empty());
    assert_eq!(scene.authorize(&order, "a1").await.unwrap().status, 200);
}

/// The PHP SDK writes `bearer`.
#[tokio::test]
async fn a_token_is_a_token_however_its_scheme_is_spelled() {
    let scene = Scene::new().await;
    let (_, made) = scene.sim("POST", "/order-references", json!({"merchantId": "A1"})).await;
    let token = made["accessToken"].as_str().unwrap();
    for (scheme, status) in [("Bearer", 200), ("bearer", 200), ("basic", 400)] {
        let asked = scene.http.get(format!("{}/user/profile", scene.base));
        let answer = asked.header("authorization", format!("{scheme} {token}")).send().await;
        assert_eq!(answer.unwrap().status(), status, "{scheme}");
    }
}

#[tokio::test]
async fn a_reset_before_leaves_nothing() {
    let fault = json!({"match": {"merchantId": "A1"}, "fault": "reset_before", "times": 1});
    let (scene, order, answer) = try_with(fault).await;
    assert!(was_reset(&answer.unwrap_err()));
    assert!(scene.moved(&order).await.is_empty());
}

#[tokio::test]
async fn a_reset_after_leaves_the_effect_and_the_same_call_finds_it() {
    let (scene, order, answer) = try_with(json!({"fault": "reset_after", "times": 1})).await;
    assert!(was_reset(&answer.unwrap_err()));
    assert_eq!(scene.moved(&order).await, ["authorize", "capture"]);
    let again = scene.authorize(&order, "a1").await.unwrap();
    assert_eq!(again.tag("ReasonCode"), "MaxCapturesProcessed", "{}", again.text);
    assert_eq!(scene.moved(&order).await, ["authorize", "capture"]);
}

#[tokio::test]
async fn a_truncated_answer_stops_half_way() {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    scene.fault(json!({"match": {"objectId": order}, "fault": "truncate", "times": 1})).await;
    let body = scene.sign("secret", SANDBOX, "GetOrderReferenceDetails", &[oro(&order)]);
    let request = scene.http.post(format!("{}{SANDBOX}", scene.base)).body(body);
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let length = answer.content_length().unwrap();
    let mut read = 0;
    let error = loop {
        match answer.chunk().await {
            Ok(Some(bytes)) => read += bytes.len() as u64,
            Ok(None) => panic!("the answer was whole"),
            Err(error) => break error,
        }
    };
    assert!(!was_reset(&error));
    assert_eq!(read, length / 2);
}

#[tokio::test]
async fn a_delayed_answer_has_its_effect_at_once() {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    scene.fault(json!({"fault": "delay", "delayMs": 600_000, "times": 1})).await;
    let asked = scene.authorize(&order, "a1");
    let ledger = async {
        while scene.moved(&order).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = asked => panic!("answered: {answer:?}"),
        () = ledger => {}
    }
    assert_eq!(scene.moved(&order).await, ["authorize", "capture"]);
}

#[tokio::test]
async fn a_status_takes_the_place_of_the_call_or_of_its_answer() {
    let fault = json!({"fault": "status", "status": 503, "times": 1});
    let (scene, order, answer) = try_with(fault).await;
    answer.unwrap().is(503, "ServiceUnavailable");
    assert!(scene.moved(&order).await.is_empty());
    let throttle = json!({"fault": "status", "status": 503, "code": "RequestThrottled"});
    scene.fault(throttle).await;
    let answer = scene.authorize(&order, "a1").await.unwrap();
    answer.is(503, "RequestThrottled");
    assert!(answer.text.contains("<Type/>") && answer.text.contains("<RequestID>"));
    let after = json!({"fault": "status_after", "status": 500, "times": 1});
    scene.fault(after).await;
    scene.authorize(&order, "a1").await.unwrap().is(500, "InternalServerError");
    assert_eq!(scene.moved(&order).await, ["authorize", "capture"]);
}

#[tokio::test]
async fn faults_never_meet_the_control_calls_and_can_be_taken_back() {
    let (scene, order, answer) = try_with(json!({"fault": "reset_before"})).await;
    assert!(answer.is_err());
    let (_, list) = scene.sim("GET", "/faults", Value::Null).await;
    assert_eq!(list, json!([{"match": {}, "fault": "reset_before"}]));
    assert_eq!(scene.sim("DELETE", "/faults", Value::Null).await, (200, json!([])));
    assert_eq!(scene.authorize(&order, "a1").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_is_in_hand() {
    let scene = Scene::new().await;
    let order = scene.confirmed(Value::Null).await;
    scene.fault(json!({"fault": "delay", "delayMs": 100, "times": 1})).await;
    let stop = async {
        while scene.moved(&order).await.is_empty() {
            tokio::task::yield_now().await;
        }
        scene.stop.cancel();
    };
    let (answer, ()) = tokio::join!(scene.authorize(&order, "a1"), stop);
    assert_eq!(answer.unwrap().status, 200);
    scene.server.await.unwrap();
}
