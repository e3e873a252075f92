//! Who may call, how fast, and what of it works while the database is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use amazon_pay_worker::domain::merchant::Region;

use crate::world::{KEY, KEY_NA, LOGIN, PASSWORD, World, bearer, client, lander, merchant, order};

#[tokio::test(start_paused = true)]
async fn a_client_is_known_by_its_key_or_by_login_and_password() {
    let world = World::start().await;
    let login = format!("loginId={LOGIN}&password={PASSWORD}");
    world.request("GET", "/v1/events", &[("authorization", &bearer(KEY))], "").await.expect(200);
    world
        .request("GET", "/v1/events", &[("authorization", "bearer key-of-all")], "")
        .await
        .expect(200);
    world.request("GET", &format!("/v1/events?{login}"), &[], "").await.expect(200);

    let json = [("content-type", "application/json")];
    let path = format!("/v1/orders?{login}");
    world.request("POST", &path, &json, order().to_string()).await.expect(202);
    let mut body = order();
    body["loginId"] = LOGIN.into();
    body["password"] = PASSWORD.into();
    world.request("POST", "/v1/orders", &json, body.to_string()).await.expect(202);
    assert!(
        world
            .published()
            .iter()
            .all(|message| { !String::from_utf8_lossy(&message.body).contains(PASSWORD) })
    );
}

#[tokio::test(start_paused = true)]
async fn anybody_else_is_refused() {
    let world = World::start().await;
    let refused = [
        ("/v1/events", ""),
        ("/v1/events", "Bearer nonsense"),
        ("/v1/events", "Bearer "),
        ("/v1/events", "Basic a2V5LW9mLWFsbA=="),
        ("/v1/events?loginId=client-all", ""),
        ("/v1/events?loginId=client-all&password=wrong", ""),
        ("/v1/events?loginId=nobody&password=password-of-all", ""),
        ("/v1/nothing", ""),
    ];
    for (path, authorization) in refused {
        let answer = world.request("GET", path, &[("authorization", authorization)], "").await;
        assert!(answer.problem(401).is_empty(), "{path} {authorization}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let wrong = [("loginId", LOGIN), ("password", "wrong"), ("amount", "5")];
    let body = crate::world::form(&lander(&wrong));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    world.request("POST", "/order/import/", &form, body).await.refused(200);
    world.request("GET", "/order/query/", &[], "").await.refused(200);
    assert!(world.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_store_is_looked_into_before_a_client_is_called_unknown() {
    let world = World::start().await;
    world.database.clients.lock().unwrap().push(client("new", "secret", "key-of-new", &[]));
    let headers = [("authorization", &*bearer("key-of-new"))];
    world.request("GET", "/v1/events", &headers, "").await.expect(200);

    // What is revoked is known within 5 s.
    world.database.clients.lock().unwrap().last_mut().unwrap().revoked = true;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.request("GET", "/v1/events", &headers, "").await.problem(401);
}

#[tokio::test(start_paused = true)]
async fn many_strangers_at_once_are_one_look() {
    let world = World::start().await;
    let before = world.database.looks.load(Ordering::SeqCst);
    let stranger = || world.request("GET", "/v1/events", &[("authorization", "Bearer x")], "");
    let all = futures_util::future::join_all((0..50).map(|_| stranger())).await;
    assert!(all.iter().all(|answer| answer.status == 401));
    assert!(world.database.looks.load(Ordering::SeqCst) <= before + 2);
}

#[tokio::test(start_paused = true)]
async fn with_the_database_away_those_known_still_work() {
    let world = World::start().await;
    world.database.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.post("/v1/orders", &order()).await.expect(202);
    world.form("/order/import/", &lander(&[("amount", "5")])).await.success();

    // Of strangers nobody can say anything.
    let headers = [("authorization", "Bearer new")];
    world.request("GET", "/v1/events", &headers, "").await.problem(503);
    let mut unknown = order();
    unknown["amazonBillerId"] = "mid-new".into();
    world.post("/v1/orders", &unknown).await.problem(503);

    world.database.away.store(false, Ordering::SeqCst);
    world.request("GET", "/v1/events", &headers, "").await.problem(401);
}

#[tokio::test(start_paused = true)]
async fn a_merchant_account_must_exist_and_be_the_client_s() {
    let world = World::start().await;
    let mut body = order();
    body["amazonBillerId"] = "mid-new".into();
    assert_eq!(world.post("/v1/orders", &body).await.problem(422), ["amazonBillerId"]);
    let fields = [("orderId", "1"), ("amazonOrderId", "S01-1"), ("amount", "5")];
    let fields = [&fields[..], &[("amazonBillerId", "mid-new")]].concat();
    assert_eq!(world.form("/order/import/", &fields).await.refused(200), ["amazonBillerId"]);

    world.database.merchants.lock().unwrap().push(merchant("mid-new", Region::Na));
    world.post("/v1/orders", &body).await.expect(202);

    let headers = [("authorization", &*bearer(KEY_NA)), ("content-type", "application/json")];
    body["amazonBillerId"] = "mid-eu".into();
    let answer = world.request("POST", "/v1/orders", &headers, body.to_string()).await;
    assert_eq!(answer.problem(403), ["amazonBillerId"]);
    let answer = world.request("POST", "/order/import/", &headers, body.to_string()).await;
    assert_eq!(answer.refused(200), ["amazonBillerId"]);
    world.request("GET", "/v1/orders/mid-eu/1", &headers, "").await.problem(403);
    world
        .request("GET", "/order/query/?orderId=1&amazonBillerId=mid-eu", &headers, "")
        .await
        .refused(200);
    assert_eq!(world.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn above_its_rate_a_client_is_told_when_to_come_again() {
    let world = World::with(Some(2)).await;
    world.get("/v1/events").await.expect(200);
    world.form("/order/query/", &[("orderId", "1")]).await.refused(200);
    let answer = world.get("/v1/events").await;
    answer.problem(429);
    assert_eq!(answer.header("retry-after"), "1");
    let answer = world.form("/order/query/", &[("orderId", "1")]).await;
    answer.refused(429);
    assert_eq!(answer.header("retry-after"), "1");
    // Another client has a bucket of its own, and open paths have none.
    let headers = [("authorization", &*bearer(KEY_NA))];
    world.request("GET", "/v1/events", &headers, "").await.expect(200);
    world.get("/livez").await.expect(200);

    world.watch.forward(Duration::from_millis(500));
    world.get("/v1/events").await.expect(200);
    world.get("/v1/events").await.problem(429);
    world.watch.forward(Duration::from_secs(3600));
    world.get("/v1/events").await.expect(200);
    world.get("/v1/events").await.expect(200);
    world.get("/v1/events").await.problem(429);
}
