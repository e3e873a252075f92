//! After a month: Amazon's ledger on one side, what the events told on the other.

use std::collections::HashMap;

use serde_json::Value;

use crate::draw::{MONTH_CENTS, text};
use crate::told::{Sums, Told, cents};
use crate::{SUBSCRIPTIONS, Story, YEAR};

/// What an entry of the ledger moves.
fn moves(entry: &Value) -> Sums {
    let amount = cents(&entry["amount"]);
    match entry["kind"].as_str().unwrap() {
        "capture" => Sums { captured: amount, refunded: 0 },
        "refund" | "chargeback" => Sums { captured: 0, refunded: amount },
        _ => Sums::default(),
    }
}

/// The sums of entries by one of their texts.
fn sums(entries: &[Value], name: &str) -> HashMap<String, Sums> {
    let mut sums: HashMap<String, Sums> = HashMap::new();
    for entry in entries {
        let key = entry[name].as_str().unwrap_or_else(|| panic!("no {name}: {entry}"));
        sums.entry(key.to_owned()).or_default().add(moves(entry));
    }
    sums
}

fn total<'a>(all: impl Iterator<Item = &'a Sums>) -> Sums {
    let mut total = Sums::default();
    all.for_each(|sums| total.add(*sums));
    total
}

impl Story {
    /// The month is over: the ledger and the events must agree, payment by payment, agreement by
    /// agreement, and in all.
    pub(crate) async fn agree(&mut self, month: u8) {
        let reply = self.world.amazon.get("/_sim/ledger").await.expect(200);
        let ledger = reply["entries"].as_array().unwrap();
        let of_month = &ledger[self.ledger_read..];
        let begins = format!("{YEAR}-{:02}-", month + 1);
        for entry in of_month {
            let at = entry["at"].as_str().unwrap();
            assert!(at.starts_with(&begins), "a movement of another month: {entry}");
        }
        // Each payment, since ever.
        let by_payment = sums(ledger, "sellerOrderId");
        for id in by_payment.keys() {
            self.told.payment(id);
        }
        for (id, payment) in &self.told.payments {
            let moved = by_payment.get(id).copied().unwrap_or_default();
            assert_eq!(moved, payment.sums, "{id}: the ledger, and what was told");
            assert_eq!(payment.faults(), Vec::<String>::new(), "{id}: {payment:?}");
        }
        // Each agreement, in this month.
        let by_agreement = sums(of_month, "objectId");
        let mut grown = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            let agreement = self.subscriptions[number].agreement.clone();
            let ids = self.payments[number].iter().flatten();
            let told = total(ids.map(|id| &self.told.payment(id).sums));
            let since = told.since(self.before.insert(agreement.clone(), told).unwrap_or_default());
            let moved = by_agreement.get(&agreement).copied().unwrap_or_default();
            assert_eq!(moved, since, "{agreement} in month {month}: the ledger, and what was told");
            assert!(moved.captured <= MONTH_CENTS, "{agreement} in month {month}: {moved:?}");
            self.fits(number, month, moved.captured);
            grown.push(since);
        }
        let (moved, told) = (total(by_agreement.values()), total(grown.iter()));
        assert_eq!(moved, told, "month {month}: the ledger, and what was told");
        // The month is metered before a charge is made: Amazon never has to say so.
        let said_so = self.told.declines.keys().find(|name| name.contains("PeriodicAmount"));
        assert_eq!(said_so, None, "a charge above the month was made");
        eprintln!(
            "month {month}: captured {}, refunded {}",
            text(moved.captured),
            text(moved.refunded)
        );
        self.ledger_read = ledger.len();
    }

    /// Where Amazon approves of everything, the month takes as many charges as it can bear.
    fn fits(&self, number: usize, month: u8, captured: i64) {
        let subscription = &self.subscriptions[number];
        let asked = i64::try_from(self.payments[number][usize::from(month)].len()).unwrap();
        if !subscription.is_clean {
            return;
        }
        let is_closed = self.closed.get(&subscription.agreement).is_some_and(|(at, _)| *at < month);
        let waits = month == 0 && !subscription.charged_at_once;
        let fit = if is_closed || waits { 0 } else { asked.min(subscription.fit()) };
        let paid = fit * subscription.price;
        assert_eq!(captured, paid, "{} in month {month}", subscription.agreement);
    }

    /// What ten months must have seen, and what they must never see.
    pub(crate) fn judge_the_whole(&self) {
        for (payment, request) in &self.refunds {
            // A message may be rejected beside it; the refund itself ends once.
            let ends = self.told.operations.get(&(payment.clone(), request.clone()));
            let ends = ends.unwrap_or_else(|| panic!("refund {request} of {payment} never ends"));
            let done = ends.iter().filter(|end| *end != "operation_rejected").count();
            assert!(done <= 1, "refund {request} of {payment}: {ends:?}");
        }
        for (agreement, (_, asked)) in &self.closed {
            let news = self.told.agreements.get(agreement);
            let closed = news.into_iter().flatten().filter(|news| *news == "closed").count();
            assert!(closed == 1 || (!asked && closed == 0), "{agreement}: {news:?}");
        }
        let Told { counts, declines, .. } = &self.told;
        eprintln!("{counts:#?}\n{declines:#?}");
        for seen in [
            "order.paid",
            "charge.paid",
            "charge.refunded",
            "charge.refund_declined",
            "charge.operation_rejected",
            "agreement.suspended",
            "agreement.reopened",
            "agreement.closed",
        ] {
            assert!(counts.contains_key(seen), "{seen} was never told");
        }
        for seen in [
            "declined AmazonRejected AmazonRejected",
            "declined InvalidPaymentMethod InvalidPaymentMethod",
            "declined BillingAgreementAmountExceeded -",
        ] {
            assert!(declines.contains_key(seen), "nothing was {seen}");
        }
        for reason in ["exhausted", "unknown_outcome", "configuration", "poison"] {
            let label = format!("reason=\"{reason}\"");
            assert_eq!(self.world.count("amazon_pay_dead_letters_total", &label), 0, "{reason}");
        }
        assert_eq!(self.world.count("amazon_pay_invariants_broken_total", ""), 0);
    }
}
