//! What the seed decides: which subscriptions there are, how their charges and refunds will end at
//! Amazon, what buyers and the CRM do in a month. The same seed draws the same.

use serde_json::{Value, json};

use crate::support::chance::Chance;

/// What an agreement may be charged in a month, in cents.
pub(crate) const MONTH_CENTS: i64 = 50_000;

/// A subscription: an agreement, and what is charged on it every month.
pub(crate) struct Subscription {
    pub(crate) number: usize,
    /// Place of its MID.
    pub(crate) mid: usize,
    pub(crate) price: i64,
    /// Charges a month; more than the month bears, where it is greedy.
    pub(crate) charges: i64,
    /// Whether Amazon approves of everything.
    pub(crate) is_clean: bool,
    /// Whether the first charge is made with the order.
    pub(crate) charged_at_once: bool,
    pub(crate) agreement: String,
    pub(crate) token: String,
    /// Whether nothing is charged any more.
    pub(crate) is_over: bool,
}

impl Subscription {
    pub(crate) fn draw(number: usize, mids: usize, chance: &mut Chance) -> Self {
        let is_greedy = chance.percent(6);
        let price = match is_greedy {
            true => chance.cents(9_000, 26_000),
            false => chance.cents(500, 6_000),
        };
        let more = 1 + i64::from(chance.percent(30));
        Self {
            number,
            mid: number % mids,
            price,
            charges: if is_greedy { MONTH_CENTS / price + more } else { 1 },
            is_clean: chance.percent(30),
            charged_at_once: chance.percent(96),
            agreement: String::new(),
            token: String::new(),
            is_over: false,
        }
    }

    pub(crate) fn order(&self) -> String {
        format!("o-{}", self.number)
    }

    /// How many charges fit into one month.
    pub(crate) fn fit(&self) -> i64 {
        MONTH_CENTS / self.price
    }

    /// How Amazon will decide, as the simulator's plan.
    pub(crate) fn plan(&self, chance: &mut Chance) -> Value {
        if self.is_clean {
            return Value::Null;
        }
        let authorize: Vec<Value> = (0..14 * self.charges).map(|_| decision(chance)).collect();
        let refund = |chance: &mut Chance| match chance.below(100) {
            0..10 => "AmazonRejected",
            10..20 => "ProcessingFailure",
            _ => "approve",
        };
        let refund: Vec<&str> = (0..12).map(|_| refund(chance)).collect();
        json!({ "authorize": authorize, "refund": refund })
    }
}

fn decision(chance: &mut Chance) -> Value {
    match chance.below(100) {
        0..9 => json!("InvalidPaymentMethod"),
        9..14 => json!("ProcessingFailure"),
        14..16 => json!("AmazonRejected"),
        16..19 => json!({ "outcome": "approve", "afterSeconds": 120 }),
        19..20 => json!({ "outcome": "InvalidPaymentMethod", "afterSeconds": 120 }),
        _ => json!("approve"),
    }
}

/// Cents as the contract writes them.
pub(crate) fn text(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// What of a payment is asked back: `None` is all that is left.
pub(crate) fn refunds(captured: i64, chance: &mut Chance) -> Vec<Option<i64>> {
    match chance.below(100) {
        0..35 => vec![None],
        35..70 => vec![Some(chance.cents(1, captured))],
        // Several, and then the rest.
        70..90 => vec![Some(captured / 3), Some(captured / 4), None],
        // More than there is: one of them is refused.
        _ => vec![Some(captured - 1), Some(2)],
    }
}
