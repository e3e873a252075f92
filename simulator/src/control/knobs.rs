//! The clock, the faults and the settings.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Refused, Reply, ok, read};
use crate::clock::rfc3339;
use crate::faults::{Api, Fault, Match, Trouble};
use crate::settings::{POINTS, Reading, Readings, Settings};
use crate::{Simulator, World};

fn show_clock(world: &World) -> Reply {
    ok(&json!({"now": rfc3339(world.books.now())}))
}

/// `GET /_sim/clock`
pub(super) async fn clock(State(simulator): State<Simulator>) -> Reply {
    show_clock(&simulator.world())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdvanceBody {
    advance_seconds: u64,
}

/// `POST /_sim/clock`
pub(super) async fn advance(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: AdvanceBody = read(&body)?;
    if !simulator.world().clock.advance(body.advance_seconds) {
        return Err(Refused::Nonsense("advanceSeconds: too far".to_owned()));
    }
    show_clock(&simulator.world())
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct MatchBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FaultBody {
    #[serde(default, rename = "match")]
    matches: MatchBody,
    fault: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
}

impl TryFrom<FaultBody> for Fault {
    type Error = String;

    fn try_from(body: FaultBody) -> Result<Self, String> {
        let trouble = Trouble::parse(&body.fault);
        let api = body.matches.api.map(|api| {
            Api::parse(&api).ok_or_else(|| format!("match: api {api:?} is not mws, v2 or lwa"))
        });
        Ok(Self {
            matches: Match {
                api: api.transpose()?,
                operation: body.matches.operation,
                merchant_id: body.matches.merchant_id,
                object_id: body.matches.object_id,
            },
            trouble: trouble.ok_or_else(|| format!("there is no fault {:?}", body.fault))?,
            status: body.status,
            code: body.code,
            delay_ms: body.delay_ms,
            times: body.times,
            probability: body.probability,
        })
    }
}

impl From<&Fault> for FaultBody {
    fn from(fault: &Fault) -> Self {
        Self {
            matches: MatchBody {
                api: fault.matches.api.map(|api| api.text().to_owned()),
                operation: fault.matches.operation.clone(),
                merchant_id: fault.matches.merchant_id.clone(),
                object_id: fault.matches.object_id.clone(),
            },
            fault: fault.trouble.text().to_owned(),
            status: fault.status,
            code: fault.code.clone(),
            delay_ms: fault.delay_ms,
            times: fault.times,
            probability: fault.probability,
        }
    }
}

fn show_faults(world: &World) -> Reply {
    ok(&world.faults.list().iter().map(FaultBody::from).collect::<Vec<_>>())
}

/// `GET /_sim/faults`
pub(super) async fn faults(State(simulator): State<Simulator>) -> Reply {
    show_faults(&simulator.world())
}

fn replace_faults(simulator: &Simulator, list: Vec<FaultBody>) -> Reply {
    let list: Result<Vec<Fault>, String> = list.into_iter().map(Fault::try_from).collect();
    let mut world = simulator.world();
    list.and_then(|list| world.faults.replace(list)).map_err(Refused::Nonsense)?;
    show_faults(&world)
}

/// `PUT /_sim/faults`
pub(super) async fn set_faults(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    replace_faults(&simulator, read(&body)?)
}

/// `DELETE /_sim/faults`
pub(super) async fn clear_faults(State(simulator): State<Simulator>) -> Reply {
    replace_faults(&simulator, Vec::new())
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SettingsBody {
    quotas: bool,
    latency_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    readings: BTreeMap<String, String>,
}

impl TryFrom<SettingsBody> for Settings {
    type Error = String;

    fn try_from(body: SettingsBody) -> Result<Self, String> {
        const LATENCY_MS_MAX: u64 = 600_000;
        if body.latency_ms > LATENCY_MS_MAX {
            return Err(format!("latencyMs: at most {LATENCY_MS_MAX}"));
        }
        let mut readings = Readings::default();
        for (number, text) in &body.readings {
            let chosen = number.parse().ok().zip(Reading::parse(text));
            if !chosen.is_some_and(|(number, reading)| readings.choose(number, reading)) {
                return Err(format!("readings: point {number:?} has no reading {text:?}"));
            }
        }
        Ok(Self { quotas: body.quotas, latency_ms: body.latency_ms, seed: body.seed, readings })
    }
}

impl From<Settings> for SettingsBody {
    fn from(settings: Settings) -> Self {
        let chosen = |point: usize| settings.readings.of(point).text().to_owned();
        Self {
            quotas: settings.quotas,
            latency_ms: settings.latency_ms,
            seed: settings.seed,
            readings: (1..=POINTS).map(|point| (point.to_string(), chosen(point))).collect(),
        }
    }
}

/// `PUT /_sim/settings`: what is not said is the default again.
pub(super) async fn settings(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: SettingsBody = read(&body)?;
    let settings = Settings::try_from(body).map_err(Refused::Nonsense)?;
    simulator.world().apply(settings);
    ok(&SettingsBody::from(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let body: SettingsBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Settings::try_from(body)
    }

    fn fault(text: &str) -> Result<Fault, String> {
        let body: FaultBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Fault::try_from(body)
    }

    #[test]
    fn every_reading_is_a_setting_and_nonsense_is_refused() {
        let set = settings(r#"{"readings":{"1":"b","6":"c"},"quotas":true}"#).unwrap();
        assert!(set.quotas && set.readings.second(1));
        assert_eq!(SettingsBody::from(set).readings["11"], "a");
        for text in [
            r#"{"readings":{"13":"a"}}"#,
            r#"{"readings":{"1":"c"}}"#,
            r#"{"readings":{"one":"a"}}"#,
            r#"{"latencyMs":-1}"#,
            r#"{"latencyMs":600001}"#,
        ] {
            assert!(settings(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_is_shown_as_it_was_sent() {
        let text = r#"{"match":{"api":"mws"},"fault":"reset_after","times":2}"#;
        let shown = serde_json::to_string(&FaultBody::from(&fault(text).unwrap())).unwrap();
        assert_eq!(shown, text);
        for text in [
            r#"{"fault":"explode"}"#,
            r#"{"match":{"api":"ftp"},"fault":"refuse"}"#,
            r#"{"match":{"objectID":"x"},"fault":"refuse"}"#,
        ] {
            assert!(fault(text).is_err(), "{text}");
        }
    }
}
