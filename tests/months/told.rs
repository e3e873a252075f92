//! What the events tell, as a CRM keeps it: per payment what was captured and given back, and how
//! each epoch and each operation ended. It learns nothing from anywhere else.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Captured and refunded, in cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        self.captured += other.captured;
        self.refunded += other.refunded;
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            captured: self.captured - before.captured,
            refunded: self.refunded - before.refunded,
        }
    }
}

/// An order or a charge.
#[derive(Debug, Default)]
pub(crate) struct Payment {
    pub(crate) sums: Sums,
    /// The results of the payment itself, oldest first: epoch, status.
    pub(crate) results: Vec<(u64, String)>,
    /// The last decline.
    pub(crate) decline: Value,
    sequence: u64,
}

impl Payment {
    /// How it stands.
    pub(crate) fn status(&self) -> &str {
        self.results.last().map_or("", |(_, status)| status)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.results.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// Whether the buyer can mend what it was declined for.
    pub(crate) fn waits_for_the_buyer(&self) -> bool {
        self.status() == "declined" && self.decline["buyerAction"] == "update_payment_method"
    }
}

/// Everything that was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) payments: HashMap<String, Payment>,
    /// News of each agreement, oldest first.
    pub(crate) agreements: HashMap<String, Vec<String>>,
    /// The ends of each operation, by payment and request.
    pub(crate) operations: HashMap<(String, String), Vec<String>>,
    /// Events by type, each counted once.
    pub(crate) counts: BTreeMap<String, usize>,
    /// Declines and rejections by status, code and Amazon's own word.
    pub(crate) declines: BTreeMap<String, usize>,
    documents: HashMap<String, String>,
}

/// An amount of US dollars in cents.
pub(crate) fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("no amount: {amount}"));
    let (whole, part) = text.split_once('.').unwrap_or_else(|| panic!("no cents: {text}"));
    assert_eq!(part.len(), 2, "{text}");
    whole.parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap()
}

impl Told {
    /// Takes an event in. The same id again is the same document, byte for byte.
    pub(crate) fn hear(&mut self, document: String) {
        let event: Value = serde_json::from_str(&document).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        if let Some(before) = self.documents.get(&id) {
            assert_eq!(*before, document, "one id, two documents");
            return;
        }
        self.documents.insert(id, document);
        let kind = event["type"].as_str().unwrap().trim_start_matches("payments.").to_owned();
        *self.counts.entry(kind.clone()).or_default() += 1;
        let (data, text) = (&event["data"], |name: &str| event["data"][name].as_str());
        let status = text("status").unwrap().to_owned();
        if kind.starts_with("agreement.") {
            let agreement = text("amazonBillingAgreementId").unwrap().to_owned();
            self.agreements.entry(agreement).or_default().push(status);
            return;
        }
        let payment = text("chargeId").or(text("orderId")).unwrap().to_owned();
        if let Some(request) = text("requestId")
            && status != "operation_pending"
        {
            let operation = (payment.clone(), request.to_owned());
            self.operations.entry(operation).or_default().push(status.clone());
        }
        if !status.ends_with("rejected") {
            self.payments.entry(payment).or_default().hear(&status, data);
        }
        if let Some(code) = data["decline"]["code"].as_str() {
            let word = data["decline"]["amazonReason"].as_str().unwrap_or("-");
            *self.declines.entry(format!("{status} {code} {word}")).or_default() += 1;
        }
    }

    pub(crate) fn payment(&self, id: &str) -> &Payment {
        self.payments.get(id).unwrap_or_else(|| panic!("nothing was told of {id}"))
    }

    /// The last news of an agreement.
    pub(crate) fn agreement(&self, id: &str) -> &str {
        self.agreements.get(id).and_then(|news| news.last()).map_or("", String::as_str)
    }
}

impl Payment {
    fn hear(&mut self, status: &str, data: &Value) {
        let (sequence, epoch) =
            (data["sequence"].as_u64().unwrap(), data["epoch"].as_u64().unwrap());
        assert_eq!(sequence, self.sequence + 1, "out of order: {data}");
        self.sequence = sequence;
        let sums = Sums {
            captured: cents(&data["capturedAmount"]),
            refunded: cents(&data["refundedAmount"]),
        };
        let grown = sums.since(self.sums);
        assert!(grown.captured >= 0 && grown.refunded >= 0, "money came back: {data}");
        assert!(sums.refunded <= sums.captured, "more went back than came: {data}");
        self.sums = sums;
        if matches!(status, "paid" | "declined" | "failed" | "canceled" | "authorized" | "pending")
        {
            self.results.push((epoch, status.to_owned()));
            self.decline = data["decline"].clone();
        }
    }

    /// What is wrong with how it ended: one end in each epoch that began, and money only in one.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let ends: Vec<&(u64, String)> =
            self.results.iter().filter(|(_, status)| status != "pending").collect();
        for pair in ends.windows(2) {
            let again = pair[0].1 == "authorized" && pair[0].0 == pair[1].0;
            if pair[0].0 >= pair[1].0 && !again {
                faults.push(format!("two ends: {pair:?}"));
            }
        }
        let paid = ends.iter().filter(|(_, status)| status == "paid").count();
        if self.status() == "pending" || ends.is_empty() {
            faults.push("no end".to_owned());
        }
        if paid > 1 || (paid == 1) != (self.sums.captured > 0) {
            faults.push(format!("paid {paid} times, {:?}", self.sums));
        }
        faults
    }
}
