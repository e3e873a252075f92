//! How much an order or upsell of the CRM costs: `amount` where sent, else the sum of its lines, in
//! integers only. What cannot be known from the parameters alone is an error, never a guess.

use std::collections::BTreeMap;

use super::params::{Params, is_no};
use crate::domain::decline::FieldError;
use crate::domain::money::{Currency, Money};

/// The largest amount that the contract knows, in minor units with two digits.
const MAX_MINOR: i128 = 999_999_999_999;

/// Names of one line's parameters.
struct Line {
    id: String,
    quantity: String,
    price: String,
    shipping: String,
}

/// What an order costs.
///
/// # Errors
/// The parameters at fault.
pub(super) fn of_order(params: &Params, currency: Currency) -> Result<Money, Vec<FieldError>> {
    let mut lines = BTreeMap::new();
    for name in params.names() {
        let Some(number) = line_number(name) else { continue };
        lines.entry(number).or_insert_with_key(|number| Line {
            id: format!("product{number}_id"),
            quantity: format!("product{number}_qty"),
            price: format!("product{number}_price"),
            shipping: format!("product{number}_shipPrice"),
        });
    }
    let lines: Vec<Line> = lines.into_values().collect();
    decide(params, currency, &lines, "salesTax")
}

/// What an upsell costs.
///
/// # Errors
/// The parameters at fault.
pub(super) fn of_upsale(params: &Params, currency: Currency) -> Result<Money, Vec<FieldError>> {
    let line = Line {
        id: "productId".to_owned(),
        quantity: "productQty".to_owned(),
        price: "productPrice".to_owned(),
        shipping: "productShipPrice".to_owned(),
    };
    decide(params, currency, &[line], "productSalesTax")
}

fn decide(
    params: &Params,
    currency: Currency,
    lines: &[Line],
    tax: &str,
) -> Result<Money, Vec<FieldError>> {
    let has = |name: &str| params.get(name).is_some();
    let priced = lines.iter().any(|line| has(&line.price));
    let unpriced = lines.iter().find(|line| {
        !has(&line.price) && (has(&line.id) || has(&line.quantity) || has(&line.shipping))
    });
    let elsewhere = elsewhere(params);
    let complete = priced && unpriced.is_none() && elsewhere.is_none();
    let Some(text) = params.get("amount") else {
        return match (elsewhere, unpriced) {
            (Some(name), _) => missing(&format!("is required together with {name}")),
            (None, Some(line)) if priced => missing(&format!("is required without {}", line.price)),
            _ if priced => sum(params, currency, lines, tax),
            _ => missing("is required where no price is sent"),
        };
    };
    let amount = Money::parse(text, currency)
        .map_err(|error| vec![FieldError::new("amount", error.to_string())])?;
    if complete {
        let sum = sum(params, currency, lines, tax)?;
        if sum != amount {
            let message = format!("differs from the sum of the prices, {}", sum.amount());
            return Err(vec![FieldError::new("amount", message)]);
        }
    }
    Ok(amount)
}

/// What is sent that changes the price without being in the lines.
fn elsewhere(params: &Params) -> Option<&'static str> {
    let all = ["couponCode", "shipProfileId", "insureShipment", "orderItems"];
    all.into_iter()
        .find(|name| params.get(name).is_some_and(|it| *name != "insureShipment" || !is_no(it)))
}

fn missing(message: &str) -> Result<Money, Vec<FieldError>> {
    Err(vec![FieldError::new("amount", message)])
}

fn sum(
    params: &Params,
    currency: Currency,
    lines: &[Line],
    tax: &str,
) -> Result<Money, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut money = |name: &str| match params.get(name) {
        None => 0,
        Some(text) => Money::parse_or_zero(text, currency).map_or_else(
            |error| {
                errors.push(FieldError::new(name, error.to_string()));
                0
            },
            |money| i128::from(money.minor()),
        ),
    };
    let mut total = money(tax);
    let mut quantities = Vec::new();
    for line in lines {
        let quantity = quantity(params, &line.quantity);
        total += i128::from(*quantity.as_ref().unwrap_or(&0)) * money(&line.price);
        total += money(&line.shipping);
        quantities.extend(quantity.err());
    }
    errors.extend(quantities);
    if !errors.is_empty() {
        return Err(errors);
    }
    let max = if currency.digits() == 0 { MAX_MINOR / 100 } else { MAX_MINOR };
    match i64::try_from(total) {
        Ok(minor) if total > 0 && total <= max => Ok(Money::from_minor(minor, currency)),
        Ok(0) => missing("must be above 0"),
        _ => missing("has more than ten digits before the point"),
    }
}

fn quantity(params: &Params, name: &str) -> Result<u32, FieldError> {
    match params.get(name) {
        None => Ok(1),
        Some(text) if text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| FieldError::new(name, "must be a whole number"))
        }
        Some(_) => Err(FieldError::new(name, "must be a whole number")),
    }
}

/// The `12` of `product12_price`.
fn line_number(name: &str) -> Option<String> {
    let (number, field) = name.strip_prefix("product")?.split_once('_')?;
    let known = ["id", "qty", "price", "shipPrice"].contains(&field);
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (known && digits).then(|| number.to_owned())
}
