//! Which upsell is meant, and through which merchant account.

use std::sync::atomic::Ordering;

use amazon_pay_worker::domain::merchant::Region;
use serde_json::json;

use crate::reading::payment;
use crate::world::{KEY_NA, World, bearer, form, merchant};

#[tokio::test(start_paused = true)]
async fn the_upsell_is_named_by_its_id_or_by_its_product() {
    let cases = [
        (vec![("upsellId", "u-1"), ("productId", "123")], "u-1"),
        (vec![("productId", "123")], "123"),
        (vec![("productId", "123"), ("replaceProductId", "99")], "123-r99"),
    ];
    for (fields, id) in cases {
        let world = World::start().await;
        let order = [("orderId", "CRM-1"), ("amazonBillerId", "mid-na"), ("amount", "5")];
        let answer = world.form("/upsale/import/", &[&order[..], &fields].concat()).await;
        assert_eq!(answer.success()["upsellId"], id);
        assert_eq!(world.command()["upsellId"], id);
        assert_eq!(world.command()["amazonOrderId"], json!(null), "the order's again");
    }
    let world = World::start().await;
    let answer = world.form("/upsale/import", &[("amazonBillerId", "mid-na"), ("amount", "5")]);
    assert_eq!(answer.await.refused(200), ["orderId", "upsellId"]);
}

const FIELDS: [(&str, &str); 3] = [("orderId", "CRM-1"), ("productId", "7"), ("amount", "5")];

#[tokio::test(start_paused = true)]
async fn the_account_of_an_order_that_is_known_is_the_upsell_s() {
    let world = World::start().await;
    *world.database.payments.lock().unwrap() = vec![payment("mid-eu", "CRM-1")];
    world.form("/upsale/import/", &FIELDS).await.success();
    assert_eq!(world.command()["amazonBillerId"], "mid-eu");
    assert_eq!(world.command()["currency"], "EUR");
}

#[tokio::test(start_paused = true)]
async fn the_order_of_an_operation_may_still_be_on_its_way() {
    let world = World::start().await;
    let database = std::sync::Arc::clone(&world.database);
    let taken = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        *database.payments.lock().unwrap() = vec![payment("mid-eu", "CRM-1")];
    };
    let asked = world.form("/order/cancel/", &[("orderId", "CRM-1")]);
    let (answer, ()) = tokio::join!(asked, taken);
    answer.success();
    assert_eq!(world.command()["amazonBillerId"], "mid-eu");
    // One that nobody has is unknown after some seconds, and at once to who does not wait.
    for (more, seconds) in [(vec![], 5), (vec![("async", "1")], 0)] {
        let before = crate::world::paused_now();
        let fields = [&[("orderId", "CRM-2")][..], &more].concat();
        assert_eq!(world.form("/order/refund/", &fields).await.refused(200), ["orderId"]);
        assert_eq!(before.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_one_account_means_that_one() {
    let world = World::start().await;
    world.database.away.store(true, Ordering::SeqCst);
    // Known from before: with the database away it still works.
    let headers = [("authorization", &*bearer(KEY_NA))];
    let path = format!("/upsale/import/?{}", form(&FIELDS));
    world.request("GET", &path, &headers, "").await.success();
    assert_eq!(world.command()["amazonBillerId"], "mid-na");
    assert_eq!(world.command()["currency"], "USD");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_knows_yet_is_left_to_the_worker() {
    for away in [false, true] {
        let world = World::start().await;
        world.database.away.store(away, Ordering::SeqCst);
        let fields = [&FIELDS[..], &[("currency", "USD")]].concat();
        world.form("/upsale/import/", &fields).await.success();
        let command = world.command();
        assert_eq!(command["amazonBillerId"], json!(null));
        assert_eq!(command["sealed"]["client"], "client-all", "whose accounts are searched");

        // Which account is meant is no guess where it says the currency, too.
        let answer = world.form("/upsale/import/", &FIELDS).await;
        assert_eq!(answer.refused(200), ["amazonBillerId"]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_accounts_have_one_currency_that_one_is_meant() {
    let world = World::start().await;
    let both = vec![merchant("mid-na", Region::Na), merchant("mid-na-2", Region::Na)];
    *world.database.merchants.lock().unwrap() = both;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    world.form("/upsale/import/", &FIELDS).await.success();
    assert_eq!(world.command()["currency"], "USD");
}

#[tokio::test(start_paused = true)]
async fn several_orders_of_that_id_need_the_account_named() {
    let world = World::start().await;
    *world.database.payments.lock().unwrap() =
        vec![payment("mid-eu", "CRM-1"), payment("mid-na", "CRM-1")];
    let answer = world.form("/upsale/import/", &FIELDS).await;
    assert_eq!(answer.refused(200), ["amazonBillerId"]);
}
