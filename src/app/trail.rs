//! The journal of one run: its steps gathered into one row per commit, and taken apart again for
//! people. Never holds secrets or personal data.

use serde_json::{Value, json};

use crate::domain::operation::OperationTag;
use crate::domain::payment::operations::decide::key_of;
use crate::domain::payment::operations::turn::Focus;
use crate::domain::payment::{Payment, authorization_key};
use crate::ports::store::JournalEntry;

/// The steps of a run so far.
#[derive(Debug, Default, Clone)]
pub struct Trail {
    steps: Vec<Value>,
}

/// One step of a payment's timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// `message`, `intent`, `call`, `decision`, `event`, `operator`.
    pub kind: String,
    /// The rule, the call or the event.
    pub name: String,
    /// What is worth knowing of it.
    pub detail: Value,
}

impl Trail {
    /// Adds a step.
    pub fn step(&mut self, at: i64, kind: &str, name: &str, detail: Value) {
        self.steps.push(json!({ "at": at, "kind": kind, "name": name, "detail": detail }));
    }

    /// The money call that a commit allows.
    pub fn intent(&mut self, at: i64, payment: &Payment) {
        let detail = json!({
            "key": authorization_key(payment).as_str(),
            "epoch": payment.epoch,
            "amount": payment.amount.amount(),
            "currency": payment.amount.currency().code(),
            "synchronous": payment.synchronous,
        });
        self.step(at, "intent", "authorize", detail);
    }

    /// The call of an operation that a commit allows.
    pub fn intent_of(&mut self, at: i64, payment: &Payment, tag: &OperationTag) {
        let Some(operation) = payment.operation(tag) else { return };
        let mut detail = json!({ "operation": tag.to_string() });
        if let Some(amount) = operation.amount {
            detail["key"] = key_of(payment, operation).as_str().into();
            detail["amount"] = amount.amount().into();
            detail["currency"] = amount.currency().code().into();
        }
        self.step(at, "intent", tag.kind.as_str(), detail);
    }

    /// What a run decided about what it drove.
    pub fn decided(&mut self, at: i64, rule: &str, payment: &Payment, focus: &Focus) {
        match focus {
            Focus::Payment => {
                self.decision(at, rule, payment.phase.as_str(), payment.effort.attempt);
            }
            Focus::Operation(tag) => {
                let Some(operation) = payment.operation(tag) else { return };
                let detail = json!({
                    "operation": tag.to_string(),
                    "to": operation.phase.as_str(),
                    "attempt": operation.effort.attempt,
                    "payment": payment.phase.as_str(),
                });
                self.step(at, "decision", rule, detail);
            }
        }
    }

    /// What was decided, by which rule.
    pub fn decision(&mut self, at: i64, rule: &str, to: &str, attempt: u32) {
        self.step(at, "decision", rule, json!({ "to": to, "attempt": attempt }));
    }

    /// The row of a commit.
    pub fn take(&mut self, payment_id: &str, at: i64) -> Vec<JournalEntry> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        let steps = std::mem::take(&mut self.steps);
        vec![JournalEntry {
            payment_id: payment_id.to_owned(),
            at,
            kind: "run".to_owned(),
            name: String::new(),
            detail: Value::Array(steps).to_string(),
        }]
    }
}

/// The timeline behind journal rows, oldest first.
#[must_use]
pub fn steps(rows: &[JournalEntry]) -> Vec<Step> {
    let mut all = Vec::new();
    for row in rows {
        let parsed: Result<Vec<Value>, _> = serde_json::from_str(&row.detail);
        match parsed {
            Ok(steps) => all.extend(steps.into_iter().map(|step| Step {
                at: step["at"].as_i64().unwrap_or(row.at),
                kind: step["kind"].as_str().unwrap_or_default().to_owned(),
                name: step["name"].as_str().unwrap_or_default().to_owned(),
                detail: step["detail"].clone(),
            })),
            Err(_) => all.push(Step {
                at: row.at,
                kind: row.kind.clone(),
                name: row.name.clone(),
                detail: serde_json::from_str(&row.detail)
                    .unwrap_or_else(|_| Value::String(row.detail.clone())),
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_commit_come_back_in_order() {
        let mut trail = Trail::default();
        trail.step(1, "call", "confirm", json!({"result": "answered"}));
        trail.decision(2, "captured", "paid", 0);
        let rows = trail.take("7/order/1", 3);
        let steps = steps(&rows);
        assert_eq!(rows.len(), 1);
        assert_eq!(steps[0].name, "confirm");
        assert_eq!(steps[1].detail["to"], "paid");
        assert!(trail.take("7/order/1", 4).is_empty());
    }
}
