//! Reads plans: how the authorizations, captures and refunds of an object will end.

use std::collections::VecDeque;

use serde_json::Value;

use crate::books::{Ending, Plan, Reason, Step};
use crate::clock::{Millis, SECOND};

const AUTHORIZATIONS: [Reason; 4] = [
    Reason::InvalidPaymentMethod,
    Reason::AmazonRejected,
    Reason::ProcessingFailure,
    Reason::TransactionTimedOut,
];
const OTHERS: [Reason; 2] = [Reason::AmazonRejected, Reason::ProcessingFailure];

/// A list of authorizations, or an object of lists; `null` is an empty plan.
pub(super) fn read(plan: &Value) -> Result<Plan, String> {
    match plan {
        Value::Null => Ok(Plan::default()),
        Value::Array(_) => {
            Ok(Plan { authorize: steps("plan", plan, &AUTHORIZATIONS)?, ..Plan::default() })
        }
        Value::Object(lists) => {
            let mut plan = Plan::default();
            for (name, list) in lists {
                let (into, known): (_, &[Reason]) = match name.as_str() {
                    "authorize" => (&mut plan.authorize, &AUTHORIZATIONS),
                    "capture" => (&mut plan.capture, &OTHERS),
                    "refund" => (&mut plan.refund, &OTHERS),
                    _ => return Err(format!("plan: there is no {name:?}")),
                };
                *into = steps(&format!("plan.{name}"), list, known)?;
            }
            Ok(plan)
        }
        _ => Err("plan: must be a list, or an object of lists".to_owned()),
    }
}

fn steps(name: &str, list: &Value, known: &[Reason]) -> Result<VecDeque<Step>, String> {
    let list = list.as_array().ok_or_else(|| format!("{name}: must be a list"))?;
    list.iter().map(|entry| step(name, entry, known)).collect()
}

fn step(name: &str, entry: &Value, known: &[Reason]) -> Result<Step, String> {
    let (word, after) = match entry {
        Value::String(word) => (word.as_str(), None),
        Value::Object(entry) => {
            let word = entry.get("outcome").and_then(Value::as_str).unwrap_or("");
            let after = match entry.get("afterSeconds") {
                None | Some(Value::Null) => None,
                Some(seconds) => Some(whole_seconds(seconds).ok_or_else(|| {
                    format!("{name}: afterSeconds must be whole seconds, at most a year")
                })?),
            };
            (word, after)
        }
        _ => return Err(format!("{name}: an entry is a word or an object with an outcome")),
    };
    if word == "approve" {
        return Ok(Step { ending: Ending::Approve, after });
    }
    let reason = Reason::parse(word).filter(|reason| known.contains(reason));
    let reason = reason.ok_or_else(|| format!("{name}: {word:?} is no outcome"))?;
    Ok(Step { ending: Ending::Decline(reason), after })
}

fn whole_seconds(value: &Value) -> Option<Millis> {
    let seconds = value.as_i64().filter(|seconds| (0..=31_536_000).contains(seconds))?;
    Some(seconds * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_is_a_list_or_an_object_of_lists() {
        let plan =
            read(&json!(["approve", {"outcome": "AmazonRejected", "afterSeconds": 5}])).unwrap();
        assert_eq!(plan.authorize[0], Step::APPROVE);
        let rejected = Ending::Decline(Reason::AmazonRejected);
        assert_eq!(plan.authorize[1], Step { ending: rejected, after: Some(5_000) });
        let plan = read(&json!({"capture": ["ProcessingFailure"], "refund": []})).unwrap();
        assert_eq!((plan.authorize.len(), plan.capture.len()), (0, 1));
        assert_eq!(read(&Value::Null), Ok(Plan::default()));
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        for (plan, named) in [
            (json!("approve"), "plan"),
            (json!(["decline"]), "decline"),
            (json!({"capture": ["InvalidPaymentMethod"]}), "plan.capture"),
            (json!({"void": []}), "void"),
            (json!([{"outcome": "approve", "afterSeconds": -1}]), "afterSeconds"),
            (json!([{"afterSeconds": 1}]), "outcome"),
            (json!([1]), "entry"),
        ] {
            let error = read(&plan).unwrap_err();
            assert!(error.contains(named), "{plan}: {error}");
        }
    }
}
