//! What an order or upsell costs, by the CRM's fields.

use crate::world::{World, lander};

async fn order(fields: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let world = World::start().await;
    outcome(&world, world.form("/order/import/", &lander(fields)).await)
}

async fn upsale(fields: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let world = World::start().await;
    let named = [("orderId", "CRM-1"), ("productId", "7"), ("amazonBillerId", "mid-na")];
    outcome(&world, world.form("/upsale/import/", &[&named, fields].concat()).await)
}

fn outcome(world: &World, answer: crate::world::Answer) -> Result<String, Vec<String>> {
    if answer.json()["result"] == "SUCCESS" {
        let command = world.command();
        return Ok(format!("{} {}", command["amount"], command["currency"]).replace('"', ""));
    }
    assert!(world.published().is_empty());
    Err(answer.refused(200))
}

fn ok(amount: &str) -> Result<String, Vec<String>> {
    Ok(amount.to_owned())
}

fn names(fields: &[&str]) -> Result<String, Vec<String>> {
    Err(fields.iter().map(|field| (*field).to_owned()).collect())
}

#[tokio::test(start_paused = true)]
async fn the_amount_is_what_is_sent_or_the_sum_of_the_lines() {
    assert_eq!(order(&[("amount", "29.95")]).await, ok("29.95 USD"));
    let line = [("product1_id", "1"), ("product1_price", "10.10")];
    assert_eq!(order(&line).await, ok("10.10 USD"));
    let lines = [
        ("product1_id", "1"),
        ("product1_qty", "3"),
        ("product1_price", "9.99"),
        ("product1_shipPrice", "4.5"),
        ("product2_id", "2"),
        ("product2_price", "0"),
        ("product12_price", "0.01"),
        ("salesTax", "1.07"),
    ];
    // 3 × 9.99 + 4.50 + 0.00 + 0.01 + 1.07
    assert_eq!(order(&lines).await, ok("35.55 USD"));
    assert_eq!(order(&[&lines[..], &[("amount", "35.55")]].concat()).await, ok("35.55 USD"));
    let big = [("product1_price", "9999999999.99")];
    assert_eq!(order(&big).await, ok("9999999999.99 USD"));
}

#[tokio::test(start_paused = true)]
async fn neither_or_both_and_different_is_an_error_that_names_the_amount() {
    let line = [("product1_id", "1"), ("product1_price", "10.00")];
    assert_eq!(order(&[]).await, names(&["amount"]));
    assert_eq!(order(&[("salesTax", "1.00")]).await, names(&["amount"]));
    assert_eq!(order(&[("product1_id", "1")]).await, names(&["amount"]));
    assert_eq!(order(&[&line[..], &[("amount", "10.01")]].concat()).await, names(&["amount"]));
    assert_eq!(order(&[&line[..], &[("product2_id", "2")]].concat()).await, names(&["amount"]));
    for free in ["0", "0.00"] {
        assert_eq!(order(&[("product1_price", free)]).await, names(&["amount"]));
        assert_eq!(order(&[("amount", free)]).await, names(&["amount"]));
    }
}

/// What changes a price without being in the lines.
const ELSEWHERE: [(&str, &str); 4] = [
    ("couponCode", "TEN"),
    ("shipProfileId", "3"),
    ("insureShipment", "1"),
    ("orderItems", "{\"12\":1}"),
];

#[tokio::test(start_paused = true)]
async fn a_price_that_is_not_all_in_the_lines_needs_an_amount() {
    let line = [("product1_id", "1"), ("product1_price", "10.00")];
    for more in ELSEWHERE {
        let both = [&line[..], &[more]].concat();
        assert_eq!(order(&both).await, names(&["amount"]), "{more:?}");
        // The difference is the coupon's, or the shipping's: the amount stands.
        let amount = [&both[..], &[("amount", "9.00")]].concat();
        assert_eq!(order(&amount).await, ok("9.00 USD"), "{more:?}");
    }
    assert_eq!(order(&[("orderItems", "{\"12\":1}")]).await, names(&["amount"]));
    let uninsured = [&line[..], &[("insureShipment", "0"), ("couponCode", "")]].concat();
    assert_eq!(order(&uninsured).await, ok("10.00 USD"));
}

#[tokio::test(start_paused = true)]
async fn every_number_that_is_none_is_named() {
    let lines = [
        ("product1_price", "1,5"),
        ("product2_price", "1.234"),
        ("product2_qty", "-1"),
        ("product3_price", "1"),
        ("product3_qty", "1.5"),
        ("product3_shipPrice", "free"),
        ("salesTax", "1e1"),
    ];
    let named = [
        "product1_price",
        "product2_price",
        "product2_qty",
        "product3_qty",
        "product3_shipPrice",
        "salesTax",
    ];
    assert_eq!(order(&lines).await, names(&named));
    for amount in ["29,95", "29.955", "abc", "12345678901", "-5", " 5", "$5"] {
        assert_eq!(order(&[("amount", amount)]).await, names(&["amount"]), "{amount}");
    }
    let large = [("product1_price", "9999999999"), ("product1_qty", "999999999")];
    assert_eq!(order(&large).await, names(&["amount"]));
}

#[tokio::test(start_paused = true)]
async fn the_currency_is_the_one_sent_or_the_region_s() {
    let eu = |more: &[(&'static str, &'static str)]| {
        let fields =
            [("orderId", "CRM-1"), ("amazonOrderId", "S01-1"), ("amazonBillerId", "mid-eu")];
        [&fields[..], more].concat()
    };
    for (more, expected) in [
        (vec![("amount", "5")], ok("5.00 EUR")),
        (vec![("amount", "5"), ("currency", "GBP")], ok("5.00 GBP")),
        (vec![("amount", "500"), ("currency", "JPY")], ok("500 JPY")),
        (vec![("product1_price", "500"), ("currency", "JPY")], ok("500 JPY")),
        (vec![("amount", "5.00"), ("currency", "JPY")], names(&["amount"])),
        (vec![("amount", "5"), ("currency", "eur")], names(&["currency"])),
    ] {
        let world = World::start().await;
        let answer = world.form("/order/import/", &eu(&more)).await;
        assert_eq!(outcome(&world, answer), expected, "{more:?}");
    }
    assert_eq!(order(&[("amount", "5"), ("currency", "EUR")]).await, names(&["currency"]));
}

#[tokio::test(start_paused = true)]
async fn the_price_of_an_upsale_may_be_elsewhere_too() {
    let line = [("productPrice", "9.99")];
    for more in ELSEWHERE {
        let both = [&line[..], &[more]].concat();
        assert_eq!(upsale(&both).await, names(&["amount"]), "{more:?}");
        let amount = [&both[..], &[("amount", "9.00")]].concat();
        assert_eq!(upsale(&amount).await, ok("9.00 USD"), "{more:?}");
    }
    let uninsured = [&line[..], &[("insureShipment", "0")]].concat();
    assert_eq!(upsale(&uninsured).await, ok("9.99 USD"));
}

#[tokio::test(start_paused = true)]
async fn an_upsale_has_one_line() {
    assert_eq!(upsale(&[("amount", "5")]).await, ok("5.00 USD"));
    let line = [
        ("productQty", "2"),
        ("productPrice", "9.99"),
        ("productShipPrice", "1.00"),
        ("productSalesTax", "0.52"),
    ];
    assert_eq!(upsale(&line).await, ok("21.50 USD"));
    assert_eq!(upsale(&[&line[..], &[("amount", "21.5")]].concat()).await, ok("21.50 USD"));
    assert_eq!(upsale(&[&line[..], &[("amount", "21.51")]].concat()).await, names(&["amount"]));
    assert_eq!(upsale(&[]).await, names(&["amount"]));
    assert_eq!(upsale(&[("productQty", "2")]).await, names(&["amount"]));
}
