//! Objects as API v2 shows them.

use serde_json::{Map, Value, json};

use super::state::{self, Status};
use super::{Memory, objects};
use crate::books::{Address, AuthorizationAt, Books, Buyer, Environment, Object, RefundAt};
use crate::clock::{DAY, Millis, compact};
use amazon_pay_money::{Currency, Money};

/// A recurring permission is kept for 13 months.
const RECURRING_FOR: Millis = 396 * DAY;

pub(super) fn money(money: Money) -> Value {
    json!({"amount": money.amount(), "currencyCode": money.currency().code()})
}

pub(super) const fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Sandbox => "Sandbox",
        Environment::Live => "Live",
    }
}

pub(super) fn address(address: &Address) -> Value {
    json!({
        "name": address.name,
        "addressLine1": address.address_line1,
        "addressLine2": address.address_line2,
        "addressLine3": address.address_line3,
        "city": address.city,
        "county": null,
        "district": null,
        "stateOrRegion": address.state_or_region,
        "postalCode": address.postal_code,
        "countryCode": address.country_code,
        "phoneNumber": address.phone,
    })
}

pub(super) fn buyer(buyer: &Buyer) -> Value {
    json!({
        "buyerId": buyer.user_id,
        "name": buyer.name,
        "email": buyer.email,
        "phoneNumber": buyer.address.as_ref().and_then(|address| address.phone.as_ref()),
        "primeMembershipTypes": null,
    })
}

/// What the buyer chose to pay with.
pub(super) fn preferences() -> Value {
    json!([{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}])
}

fn status(status: &Status) -> Value {
    json!({
        "state": status.state,
        "reasonCode": status.reason,
        "reasonDescription": status.description,
        "lastUpdatedTimestamp": compact(status.updated),
    })
}

fn said<'a>(of: Option<&'a Map<String, Value>>, name: &str) -> &'a Value {
    of.and_then(|of| of.get(name)).unwrap_or(&Value::Null)
}

/// A charge permission.
pub(super) fn permission(books: &Books, memory: &Memory, object: Object) -> Value {
    let (id, _) = books.names(object);
    let of = memory.said.get(id);
    let told = state::permission(books, object);
    let reasons: Vec<Value> = (told.reason.iter())
        .map(|code| json!({"reasonCode": code, "reasonDescription": told.description}))
        .collect();
    let mut shown = json!({
        "chargePermissionId": id,
        "chargePermissionReferenceId": null,
        "merchantMetadata": metadata(books, object),
        "platformId": said(of, "platformId"),
        "recurringMetadata": said(of, "recurringMetadata"),
        "paymentPreferences": preferences(),
        "statusDetails": {
            "state": told.state,
            "reasons": reasons,
            "lastUpdatedTimestamp": compact(told.updated),
        },
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), terms(books, of, object)) {
        shown.extend(more);
    }
    shown
}

/// What is allowed, to whom, by whom, and until when.
fn terms(books: &Books, of: Option<&Map<String, Value>>, object: Object) -> Value {
    let who = |buyer_of: &Buyer, created: Millis, expires: Millis, of: Option<Environment>| {
        let address = buyer_of.address.as_ref().map(address);
        json!({
            "buyer": buyer(buyer_of),
            "shippingAddress": address,
            "billingAddress": address,
            "creationTimestamp": compact(created),
            "expirationTimestamp": compact(expires),
            "releaseEnvironment": of.map(environment),
        })
    };
    let (kind, limits, mut shown) = match object {
        Object::Agreement(at) => {
            let agreement = &books[at];
            let balance = books.balance(at);
            let kind = said(of, "chargePermissionType").as_str().unwrap_or("Recurring");
            let (created, expires) = (agreement.created, agreement.created + RECURRING_FOR);
            let shown = who(&agreement.buyer, created, expires, agreement.environment);
            (kind, Some((balance.limit, balance.left)), shown)
        }
        other => {
            let Some(order) = books.order_of(other) else { return Value::Null };
            let limits = books.order_balance(order);
            let order = &books[order];
            let shown = who(&order.buyer, order.created, order.expires, order.environment);
            ("OneTime", limits, shown)
        }
    };
    shown["chargePermissionType"] = Value::from(kind);
    shown["presentmentCurrency"] = json!(limits.map(|(limit, _)| limit.currency().code()));
    shown["limits"] = json!(limits.map(|(limit, left)| {
        json!({"amountLimit": money(limit), "amountBalance": money(left)})
    }));
    shown
}

fn metadata(books: &Books, object: Object) -> Value {
    let (reference, store, note, information) = match object {
        Object::Agreement(at) => {
            let of = &books[at].attributes;
            (&of.seller_agreement_id, &of.store_name, &of.seller_note, &of.custom_information)
        }
        other => match books.order_of(other) {
            Some(at) => {
                let of = &books[at].attributes;
                (&of.seller_order_id, &of.store_name, &of.seller_note, &of.custom_information)
            }
            None => return Value::Null,
        },
    };
    json!({
        "merchantReferenceId": reference,
        "merchantStoreName": store,
        "noteToBuyer": note,
        "customInformation": information,
    })
}

/// A charge, under the id by which it was asked for.
pub(super) fn charge(books: &Books, memory: &Memory, at: AuthorizationAt, id: &str) -> Value {
    let of = &books[at];
    let said_of = memory.said.get(&objects::charge_id(books, at));
    let order = &books[of.order];
    let permission = match (&order.stem, order.parent) {
        (Some(_), Some(agreement)) => &books[agreement].id,
        _ => &order.id,
    };
    let refunded: i64 = of.captures.iter().map(|at| books[*at].refunded.minor()).sum();
    let currency: Currency = of.ask.amount.currency();
    json!({
        "chargeId": id,
        "chargePermissionId": permission,
        "chargeAmount": money(of.ask.amount),
        "captureAmount": money(of.captured),
        "refundedAmount": money(Money::from_minor(refunded, currency)),
        "convertedAmount": null,
        "conversionRate": null,
        "softDescriptor": of.ask.soft_descriptor,
        "merchantMetadata": said(said_of, "merchantMetadata"),
        "providerMetadata": said(said_of, "providerMetadata"),
        "platformId": said(said_of, "platformId"),
        "chargeInitiator": said(said_of, "chargeInitiator"),
        "channel": said(said_of, "channel"),
        "webCheckoutDetails": said(said_of, "webCheckoutDetails"),
        "statusDetails": status(&state::charge(books, at)),
        "creationTimestamp": compact(of.created),
        "expirationTimestamp": compact(of.expires),
        "releaseEnvironment": order.environment.map(environment),
    })
}

/// A refund.
pub(super) fn refund(books: &Books, at: RefundAt) -> Value {
    let of = &books[at];
    let authorization = books[of.capture].authorization;
    let order = &books[books[authorization].order];
    json!({
        "refundId": of.id,
        "chargeId": objects::charge_id(books, authorization),
        "refundAmount": money(of.ask.amount),
        "softDescriptor": of.ask.soft_descriptor,
        "statusDetails": status(&state::refund(books, at)),
        "creationTimestamp": compact(of.created),
        "releaseEnvironment": order.environment.map(environment),
    })
}
