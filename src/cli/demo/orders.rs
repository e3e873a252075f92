//! The demo's orders: what each of them meets on its way, and how it must end.

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::NAME;
use super::stage::{Reference, Stage};
use crate::cli::failure::Failure;
use crate::cli::output;

/// How one order ended.
struct End {
    id: String,
    story: &'static str,
    status: String,
    amount: String,
    expected: bool,
}

/// Plays all orders at once and shows each as it ends.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    stage.ready().await?;
    output::line(&row("ORDER", "AMOUNT", "ENDED", "STORY"))?;
    let stories = [
        bought(stage).boxed(),
        mended(stage).boxed(),
        refused(stage).boxed(),
        decided_later(stage).boxed(),
        through_the_api(stage).boxed(),
        subscribed(stage).boxed(),
    ];
    let mut otherwise = 0;
    for played in join_all(stories).await {
        otherwise += played?;
    }
    match otherwise {
        0 => output::line("all ended as they should"),
        count => Err(Failure::new(format!("{count} ended otherwise than they should"))),
    }
}

fn row(id: &str, amount: &str, status: &str, story: &str) -> String {
    format!("{id:<16} {amount:>11}  {status:<9} {story}").trim_end().to_owned()
}

/// Shows an end; counts it where it is not the one that it should be.
fn show(end: &End) -> Result<u32, Failure> {
    let story = if end.expected { end.story.to_owned() } else { format!("{} (!)", end.story) };
    output::line(&row(&end.id, &end.amount, &end.status, &story))?;
    Ok(u32::from(!end.expected))
}

fn end(id: &str, story: &'static str, payment: &Value, wanted: &str, also: bool) -> End {
    let text = |name: &str| payment[name].as_str().unwrap_or("?").to_owned();
    End {
        id: id.to_owned(),
        story,
        status: text("status"),
        amount: format!("{} {}", text("amount"), text("currency")),
        expected: also && payment["status"] == wanted,
    }
}

fn address(order: &str) -> String {
    format!("/v1/orders/{NAME}/{order}")
}

/// What a lander's form says of the buyer and of Amazon.
fn form<'a>(order: &'a str, reference: &'a Reference) -> Vec<(&'a str, &'a str)> {
    vec![
        ("orderId", order),
        ("paySource", "AMAZON"),
        ("amazonOrderId", &reference.id),
        ("amazonAddressConsent", &reference.token),
        ("campaignId", "7"),
    ]
}

/// The lander was told how it ended, or that it will be told later.
fn told_in_time(told: &Value, status: &str) -> bool {
    let order = &told["message"]["orderStatus"];
    told["result"] == "SUCCESS" && (order == status || order == "PENDING")
}

/// An order of a lander, paid at once; then two upsells: one on the order's own reference, one
/// where the buyer went through the widgets again.
async fn bought(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(1);
    let reference = stage.reference("Ada Lovelace", Value::Null).await?;
    let mut fields = form(&order, &reference);
    fields.extend([
        ("firstName", "Ada"),
        ("lastName", "Lovelace"),
        ("emailAddress", "ada.lovelace@example.com"),
        ("product1_id", "12"),
        ("product1_qty", "2"),
        ("product1_price", "19.95"),
        ("product1_shipPrice", "4.95"),
        ("salesTax", "3.49"),
    ]);
    let told = stage.lander("/order/import/", &fields).await?;
    let complete = told_in_time(&told, "COMPLETE");
    let payment = stage.reached(&address(&order), "paid").await?;
    let mut otherwise = show(&end(&order, "two bottles and shipping", &payment, "paid", complete))?;

    // Amazon takes up to 15 % more on a reference than its total.
    let product = [("orderId", order.as_str()), ("productId", "31"), ("productPrice", "4.99")];
    let told = stage.lander("/upsale/import/", &product).await?;
    let path = format!("/v1/upsells/{NAME}/{order}/31");
    let payment = stage.reached(&path, "paid").await?;
    let id = format!("{order}/31");
    let also = told["result"] == "SUCCESS";
    let story = "upsell on the order's own reference";
    otherwise += show(&end(&id, story, &payment, "paid", also))?;

    let again = stage.reference("Ada Lovelace", Value::Null).await?;
    let body = json!({
        "orderId": order,
        "upsellId": "32",
        "amazonBillerId": NAME,
        "amazonOrderId": again.id,
        "amazonAddressConsent": again.token,
        "amount": "24.00",
        "currency": "USD",
    });
    stage.api("/v1/upsells", &body).await?;
    let payment = stage.reached(&format!("/v1/upsells/{NAME}/{order}/32"), "paid").await?;
    let story = "upsell with a reference of its own";
    otherwise += show(&end(&format!("{order}/32"), story, &payment, "paid", true))?;
    Ok(otherwise)
}

/// The payment method is no longer valid; the buyer puts it right, and the lander sends the order
/// again.
async fn mended(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(2);
    let reference = stage.reference("Grace Hopper", json!(["InvalidPaymentMethod"])).await?;
    let mut fields = form(&order, &reference);
    fields.extend([("amount", "49.00"), ("currency", "USD")]);
    let told = stage.lander("/order/import/", &fields).await?;
    let soft = stage.reached(&address(&order), "declined").await?;
    let told = told["result"] == "ERROR" || told["message"]["orderStatus"] == "PENDING";
    let softly = told && soft["decline"]["type"] == "soft";
    let story = "payment method no longer valid: a soft decline";
    let mut otherwise = show(&end(&order, story, &soft, "declined", softly))?;

    stage.mend(&reference).await?;
    let told = stage.lander("/order/import/", &fields).await?;
    let payment = stage.reached(&address(&order), "paid").await?;
    let also = told_in_time(&told, "COMPLETE");
    let story = "the same, mended by the buyer and sent again";
    otherwise += show(&end(&order, story, &payment, "paid", also))?;
    Ok(otherwise)
}

/// Amazon refuses for good.
async fn refused(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(3);
    let reference = stage.reference("Charles Babbage", json!(["AmazonRejected"])).await?;
    let mut fields = form(&order, &reference);
    fields.extend([("amount", "120.00"), ("currency", "USD")]);
    stage.lander("/order/import/", &fields).await?;
    let payment = stage.reached(&address(&order), "declined").await?;
    let hard = payment["decline"]["type"] == "hard";
    show(&end(&order, "refused by Amazon: a hard decline", &payment, "declined", hard))
}

/// Amazon cannot decide at once: the order is pending, and paid a little later.
async fn decided_later(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(4);
    let plan = json!([{ "outcome": "approve", "afterSeconds": 3 }]);
    let reference = stage.reference("Alan Turing", plan).await?;
    stage.api("/v1/orders", &command(&order, &reference, "75.50")).await?;
    let pending = stage.reached(&address(&order), "pending").await?;
    let story = "Amazon takes its time to decide";
    let mut otherwise = show(&end(&order, story, &pending, "pending", true))?;
    let payment = stage.reached(&address(&order), "paid").await?;
    otherwise += show(&end(&order, "and has decided", &payment, "paid", true))?;
    Ok(otherwise)
}

/// An order of the CRM by the project's own API.
async fn through_the_api(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(5);
    let reference = stage.reference("Katherine Johnson", Value::Null).await?;
    stage.api("/v1/orders", &command(&order, &reference, "8.00")).await?;
    let payment = stage.reached(&address(&order), "paid").await?;
    show(&end(&order, "by the project's own API", &payment, "paid", true))
}

/// A subscription: the order opens the agreement, the billing scheduler charges it; once the
/// payment method has to be put right, and once the month is used up.
async fn subscribed(stage: &Stage) -> Result<u32, Failure> {
    let order = stage.order_id(6);
    let plan = json!(["approve", "approve", "InvalidPaymentMethod"]);
    let agreement = stage.agreement("Hedy Lamarr", plan).await?;
    stage.api("/v1/orders", &command(&order, &agreement, "29.00")).await?;
    let payment = stage.reached(&address(&order), "paid").await?;
    let story = "opens a subscription";
    let mut otherwise = show(&end(&order, story, &payment, "paid", true))?;

    let charge = |cycle: u32, amount: &str| {
        let id = format!("{order}.{cycle}");
        let path = format!("/v1/charges/{NAME}/{id}");
        let body = json!({
            "chargeId": id,
            "amazonBillerId": NAME,
            "amazonBillingAgreementId": agreement.id,
            "orderId": order,
            "cycle": cycle,
            "amount": amount,
            "currency": "USD",
        });
        (id, path, body)
    };
    let (id, path, body) = charge(2, "29.00");
    stage.api("/v1/charges", &body).await?;
    let payment = stage.reached(&path, "paid").await?;
    otherwise += show(&end(&id, "its second cycle", &payment, "paid", true))?;

    let (id, path, body) = charge(3, "29.00");
    stage.api("/v1/charges", &body).await?;
    let soft = stage.reached(&path, "declined").await?;
    let softly = soft["decline"]["code"] == "InvalidPaymentMethod";
    let story = "its third: the payment method is no longer valid";
    otherwise += show(&end(&id, story, &soft, "declined", softly))?;
    stage.mend(&agreement).await?;
    stage.api_and_wait("/v1/charges", &body).await?;
    let payment = stage.reached(&path, "paid").await?;
    otherwise += show(&end(&id, "the same, mended and sent again", &payment, "paid", true))?;

    let (id, path, body) = charge(4, "450.00");
    stage.api("/v1/charges", &body).await?;
    let over = stage.reached(&path, "declined").await?;
    let capped = over["decline"]["code"] == "BillingAgreementAmountExceeded";
    let story = "more than is left of this month: not asked for";
    otherwise += show(&end(&id, story, &over, "declined", capped))?;
    Ok(otherwise)
}

fn command(order: &str, reference: &Reference, amount: &str) -> Value {
    json!({
        "orderId": order,
        "amazonBillerId": NAME,
        "amazonOrderId": reference.id,
        "amazonAddressConsent": reference.token,
        "amount": amount,
        "currency": "USD",
    })
}
