//! Reads the JSON that callers send. Every bad field of a request is named at once, and a field
//! that Amazon does not know is refused.

use serde_json::{Map, Value};

use super::errors::Error;
use crate::books::order_fits;
use amazon_pay_money::{Currency, Money};

/// Reads fields by what they must be, and remembers what is wrong.
pub(super) struct Reader<'a> {
    fields: &'a Map<String, Value>,
    known: Vec<&'static str>,
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// It is no object.
    pub(super) fn new(body: &'a Value) -> Result<Self, Error> {
        let Some(fields) = body.as_object() else {
            let message = "The request body must be a JSON object.";
            return Err(Error::new(400, "InvalidRequestFormat", message));
        };
        Ok(Self { fields, known: Vec::new(), missing: Vec::new(), wrong: Vec::new() })
    }

    /// A value as it came; `null` is not there.
    pub(super) fn any(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A structure that is only handed on.
    pub(super) fn object(&mut self, name: &'static str) -> Option<&'a Map<String, Value>> {
        let value = self.any(name)?;
        if !value.is_object() {
            self.wrong.push(format!("{name}: must be an object"));
        }
        value.as_object()
    }

    /// A text of at most `max` characters; an empty one is not there.
    pub(super) fn text(&mut self, name: &'static str, max: usize) -> Option<&'a str> {
        let value = self.any(name)?;
        let Some(text) = value.as_str() else {
            self.wrong.push(format!("{name}: must be a text"));
            return None;
        };
        if text.chars().count() > max {
            self.wrong.push(format!("{name}: at most {max} characters"));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    pub(super) fn required(&mut self, name: &'static str, max: usize) -> &'a str {
        let text = self.text(name, max);
        if text.is_none() {
            self.missing.push(name.to_owned());
        }
        text.unwrap_or_default()
    }

    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.any(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong.push(format!("{name}: must be true or false"));
                false
            }
        }
    }

    /// The text of an enumeration.
    pub(super) fn one_of(&mut self, name: &'static str, of: &[&'static str]) -> Option<&'a str> {
        let text = self.text(name, 255)?;
        if !of.contains(&text) {
            self.wrong.push(format!("{name}: one of {}", of.join(", ")));
        }
        Some(text)
    }

    /// A price above zero.
    pub(super) fn money(&mut self, name: &'static str) -> Option<Money> {
        let value = self.any(name)?;
        let read = read_money(value);
        if let Err(wrong) = &read {
            self.wrong.push(format!("{name}: {wrong}"));
        }
        read.ok()
    }

    /// # Errors
    /// The price is not there, or anything else is wrong.
    pub(super) fn required_money(mut self, name: &'static str) -> Result<Money, Error> {
        let money = self.money(name);
        if money.is_none() && self.wrong.is_empty() {
            self.missing.push(name.to_owned());
        }
        self.finish()?;
        money.ok_or_else(|| Error::invalid(name))
    }

    /// # Errors
    /// Everything that was wrong.
    pub(super) fn finish(self) -> Result<(), Error> {
        let unknown: Vec<&str> = self
            .fields
            .keys()
            .map(String::as_str)
            .filter(|name| !self.known.contains(name))
            .collect();
        if !unknown.is_empty() {
            let message = format!("The request has unknown fields: {}.", unknown.join(", "));
            return Err(Error::new(400, "UnrecognizedField", message));
        }
        if !self.missing.is_empty() {
            let message = format!("The request lacks: {}.", self.missing.join(", "));
            return Err(Error::new(400, "MissingParameterValue", message));
        }
        match self.wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(self.wrong.join("; "))),
        }
    }
}

/// `{"amount": "19.95", "currencyCode": "USD"}`; a number counts as it was written.
pub(super) fn read_money(value: &Value) -> Result<Money, String> {
    let Some(code) = value["currencyCode"].as_str() else {
        return Err("needs a currencyCode".to_owned());
    };
    let currency = Currency::parse(code).ok_or_else(|| format!("{code} is no currency"))?;
    let text = match &value["amount"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err("needs an amount".to_owned()),
    };
    // Yen may be written with a fraction of zeros.
    let text = match text.split_once('.') {
        Some((whole, "0" | "00")) if currency.digits() == 0 => whole,
        _ => &text,
    };
    let money = Money::parse(text, currency).map_err(|error| format!("the amount {error}"))?;
    if order_fits(money) { Ok(money) } else { Err("the amount is too large".to_owned()) }
}
