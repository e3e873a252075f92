//! Takes the fields of an object one by one and keeps a list of everything that is wrong, so that
//! every bad field is named at once. Values are never repeated in what it says.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::json::shown;
use crate::domain::decline::FieldError;
use crate::domain::ids::IdError;
use crate::domain::money::{Currency, Money};

pub(super) struct Fields<'a> {
    values: &'a Map<String, Value>,
    known: BTreeSet<&'static str>,
    pub(super) errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(values: &'a Map<String, Value>) -> Self {
        Self { values, known: BTreeSet::new(), errors: Vec::new() }
    }

    pub(super) fn wrong(&mut self, name: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError::new(name, message));
    }

    /// The value; `null` counts as absent.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&mut self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// Text as it was sent, which may be empty.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.value(name)? {
            // The character has no place in a database's text.
            Value::String(text) if text.contains('\0') => {
                self.wrong(name, "must not contain the NUL character");
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.wrong(name, "must be text");
                None
            }
        }
    }

    /// Text for people: empty counts as absent.
    pub(super) fn words(&mut self, name: &'static str, chars_max: usize) -> Option<String> {
        let text = self.text(name).filter(|text| !text.is_empty())?;
        if text.chars().count() > chars_max {
            self.wrong(name, format!("must be at most {chars_max} characters"));
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn optional<T, E: std::fmt::Display>(
        &mut self,
        name: &'static str,
        new: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        new(text).map_err(|error| self.wrong(name, error.to_string())).ok()
    }

    pub(super) fn required<T, E: std::fmt::Display>(
        &mut self,
        name: &'static str,
        new: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.has(name) {
            self.wrong(name, "is required");
        }
        self.optional(name, new)
    }

    /// One of a few words.
    pub(super) fn word<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        if !self.has(name) {
            return Some(default);
        }
        self.optional(name, |text| parse(text).ok_or_else(|| format!("must be {words}")))
    }

    pub(super) fn required_money(&mut self) -> Option<Money> {
        let currency = self.required("currency", currency);
        // The number is judged even where the currency cannot be.
        let assumed = currency.unwrap_or(Currency::USD);
        let amount = self.required("amount", |text| Money::parse(text, assumed));
        currency.and(amount)
    }

    /// Fields that nobody asked for.
    pub(super) fn unknown(&self) -> Vec<FieldError> {
        let strange = self.values.keys().filter(|key| !self.known.contains(key.as_str()));
        strange.map(|key| FieldError::new(shown(key), "is not a field of this command")).collect()
    }
}

pub(super) fn currency(text: &str) -> Result<Currency, IdError> {
    Currency::parse(text)
        .ok_or(IdError { rule: "must be a currency that Amazon Pay takes, like USD" })
}
