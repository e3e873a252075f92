//! Reads what callers send. Every bad parameter of a request is named at once, in the words that
//! Amazon uses for it.

use std::collections::BTreeMap;

use super::errors::Error;
use amazon_pay_money::{Currency, Money};

/// The parameters of a call, sorted as they are signed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    by_name: BTreeMap<String, String>,
}

impl Params {
    /// Reads a form.
    ///
    /// # Errors
    /// A name stands twice.
    pub(super) fn parse(form: &[u8]) -> Result<Self, Error> {
        let mut by_name = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            if by_name.contains_key(name.as_ref()) {
                return Err(Error::invalid(format!("parameter {name} stands twice")));
            }
            by_name.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self { by_name })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_name.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.by_name.insert(name.to_owned(), value.to_owned());
    }
}

/// Reads parameters by what they must be, and remembers what is wrong.
pub(super) struct Reader<'a> {
    params: &'a Params,
    wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(params: &'a Params) -> Self {
        Self { params, wrong: Vec::new() }
    }

    fn complain(&mut self, name: &str, value: Option<&str>, constraint: &str) {
        let value = value.map_or("null".to_owned(), |value| format!("'{value}'"));
        let path: Vec<String> = name.split('.').map(lower_first).collect();
        self.wrong.push(format!(
            "Value {value} at '{}' failed to satisfy constraint: {constraint}",
            path.join(".")
        ));
    }

    /// A text of at most `max` characters; an empty one is not there.
    pub(super) fn optional(&mut self, name: &str, max: usize) -> Option<String> {
        let value = self.params.get(name).filter(|value| !value.is_empty())?;
        if value.chars().count() > max {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.complain(name, Some(value), &constraint);
        }
        Some(value.to_owned())
    }

    pub(super) fn required(&mut self, name: &str, max: usize) -> String {
        self.optional(name, max).unwrap_or_else(|| {
            self.complain(name, None, "Member must not be null");
            String::new()
        })
    }

    /// An id of the seller's own: letters, digits, `_` and `-`, at most 32.
    pub(super) fn reference(&mut self, name: &str) -> String {
        let value = self.required(name, 32);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !value.bytes().all(fits) {
            let constraint = "Member must satisfy regular expression pattern: [A-Za-z0-9_-]+";
            self.complain(name, Some(&value), constraint);
        }
        value
    }

    /// The text of an enumeration.
    pub(super) fn one_of(&mut self, name: &str, of: &[&str]) -> Option<String> {
        let value = self.optional(name, 255)?;
        if !of.iter().any(|known| known.eq_ignore_ascii_case(&value)) {
            let constraint = format!("Member must satisfy enum value set: [{}]", of.join(", "));
            self.complain(name, Some(&value), &constraint);
        }
        Some(value)
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let value = self.one_of(name, &["true", "false"]);
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &str, default: u32, (min, max): (u32, u32)) -> u32 {
        let Some(value) = self.optional(name, 20) else { return default };
        match value.parse() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                let constraint = format!("Member must have value between {min} and {max}");
                self.complain(name, Some(&value), &constraint);
                default
            }
        }
    }

    /// An amount above zero with its currency, where any of it was sent.
    pub(super) fn optional_money(&mut self, name: &str) -> Option<Money> {
        let (amount, currency) = (format!("{name}.Amount"), format!("{name}.CurrencyCode"));
        let sent = |name: &str| self.params.get(name).is_some_and(|value| !value.is_empty());
        if sent(&amount) || sent(&currency) { self.money(name) } else { None }
    }

    /// An amount above zero with its currency.
    pub(super) fn money(&mut self, name: &str) -> Option<Money> {
        let (amount_name, currency_name) =
            (format!("{name}.Amount"), format!("{name}.CurrencyCode"));
        let amount = self.required(&amount_name, 20);
        let code = self.required(&currency_name, 3);
        if code.is_empty() {
            return None;
        }
        let Some(currency) = Currency::parse(&code) else {
            self.complain(&currency_name, Some(&code), "Member must be a known currency");
            return None;
        };
        if amount.is_empty() {
            return None;
        }
        let money = read_amount(&amount, currency);
        if money.is_none() {
            let constraint = "Member must be a positive decimal with at most two digits";
            self.complain(&amount_name, Some(&amount), constraint);
        }
        money
    }

    /// What is enumerated as `name.1`, `name.2`, …
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (1..)
            .map_while(|number: usize| self.params.get(&format!("{name}.{number}")))
            .map(str::to_owned)
            .collect()
    }

    /// Whether any parameter begins with this.
    pub(super) fn has(&self, prefix: &str) -> bool {
        self.params.iter().any(|(name, _)| name.starts_with(prefix))
    }

    /// Complains that a whole structure is missing.
    pub(super) fn missing(&mut self, name: &str) {
        self.complain(name, None, "Member must not be null");
    }

    /// Complains of a value that only its meaning makes wrong.
    pub(super) fn reject(&mut self, name: &str, constraint: &str) {
        let value = self.params.get(name).map(str::to_owned);
        self.complain(name, value.as_deref(), constraint);
    }

    /// # Errors
    /// Everything that was wrong.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.wrong.len() {
            0 => Ok(()),
            1 => Err(Error::invalid(format!("1 validation error detected: {}", self.wrong[0]))),
            count => Err(Error::invalid(format!(
                "{count} validation errors detected: {}",
                self.wrong.join("; ")
            ))),
        }
    }
}

/// Yen may be written with a fraction of zeros, as Amazon itself writes them.
fn read_amount(text: &str, currency: Currency) -> Option<Money> {
    let text = match text.split_once('.') {
        Some((whole, "0" | "00")) if currency.digits() == 0 => whole,
        _ => text,
    };
    Money::parse(text, currency).ok()
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_parameter_is_named_at_once_in_amazon_s_words() {
        let params =
            Params::parse(b"Note=toolong&Flag=maybe&A.Amount=1.234&A.CurrencyCode=USD").unwrap();
        let mut reader = Reader::new(&params);
        reader.required("AmazonOrderReferenceId", 127);
        reader.optional("Note", 3);
        reader.flag("Flag");
        assert_eq!(reader.money("A"), None);
        let error = reader.finish().unwrap_err();
        let said = error.message();
        assert!(said.starts_with("4 validation errors detected: Value null at"), "{said}");
        for part in ["'amazonOrderReferenceId'", "'note'", "'maybe' at 'flag'", "'a.amount'"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn yen_come_with_and_without_a_fraction() {
        let yen = |text| read_amount(text, Currency::JPY).map(Money::minor);
        assert_eq!([yen("134"), yen("134.00"), yen("134.5")], [Some(134), Some(134), None]);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        assert!(Params::parse(b"A=1&A=1").is_err());
    }
}
