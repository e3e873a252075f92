//! Writes XML. Every text is escaped; what XML cannot hold is left out.

use std::fmt::Write as _;

use crate::clock::{Millis, rfc3339};
use amazon_pay_money::Money;

/// A document that grows.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Adds what is XML already.
    pub(crate) fn raw(&mut self, xml: &str) {
        self.text.push_str(xml);
    }

    pub(crate) fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        // Writing to a string cannot fail, here and below.
        let _infallible = write!(self.text, "<{name} xmlns=\"{namespace}\">");
        inside(self);
        let _infallible = write!(self.text, "</{name}>");
    }

    pub(crate) fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        let _infallible = write!(self.text, "<{name}>");
        inside(self);
        let _infallible = write!(self.text, "</{name}>");
    }

    pub(crate) fn empty(&mut self, name: &str) {
        let _infallible = write!(self.text, "<{name}/>");
    }

    pub(crate) fn leaf(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return self.empty(name);
        }
        self.within(name, |xml| value.chars().for_each(|letter| xml.escape(letter)));
    }

    /// An element only where there is something to say.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.leaf(name, if value { "true" } else { "false" });
    }

    pub(crate) fn time(&mut self, name: &str, at: Millis) {
        self.leaf(name, &rfc3339(at));
    }

    /// An amount, always with two decimals: Amazon writes yen so too.
    pub(crate) fn price(&mut self, name: &str, money: Money) {
        let amount = match money.currency().digits() {
            0 => format!("{}.00", money.minor()),
            _ => money.amount(),
        };
        self.amount(name, &amount, money);
    }

    /// A total that grows: nothing is written as `0`.
    pub(crate) fn total(&mut self, name: &str, money: Money) {
        if money.is_zero() {
            self.amount(name, "0", money);
        } else {
            self.price(name, money);
        }
    }

    /// A limit, which Amazon writes without decimals.
    pub(crate) fn limit(&mut self, name: &str, money: Money) {
        let amount = money.amount();
        self.amount(name, amount.strip_suffix(".00").unwrap_or(&amount), money);
    }

    /// A moment without its milliseconds.
    pub(crate) fn day(&mut self, name: &str, at: Millis) {
        self.leaf(name, &rfc3339(at).replace(".000Z", "Z"));
    }

    fn amount(&mut self, name: &str, amount: &str, money: Money) {
        self.within(name, |xml| {
            xml.leaf("CurrencyCode", money.currency().code());
            xml.leaf("Amount", amount);
        });
    }

    fn escape(&mut self, letter: char) {
        match letter {
            '&' => self.text.push_str("&amp;"),
            '<' => self.text.push_str("&lt;"),
            '>' => self.text.push_str("&gt;"),
            '"' => self.text.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _infallible = write!(self.text, "&#{};", u32::from(letter));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => self.text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amazon_pay_money::Currency;

    #[test]
    fn texts_are_escaped_and_amounts_have_amazon_s_shapes() {
        let mut xml = Xml::default();
        xml.leaf("Note", "a<b>&\"c\"\n\u{1}");
        xml.leaf("Empty", "");
        xml.price("Yen", Money::from_minor(134, Currency::JPY));
        xml.total("Nothing", Money::zero(Currency::USD));
        assert_eq!(
            xml.into_text(),
            "<Note>a&lt;b&gt;&amp;&quot;c&quot;&#10;</Note><Empty/>\
             <Yen><CurrencyCode>JPY</CurrencyCode><Amount>134.00</Amount></Yen>\
             <Nothing><CurrencyCode>USD</CurrencyCode><Amount>0</Amount></Nothing>"
        );
    }
}
