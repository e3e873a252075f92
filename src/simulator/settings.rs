//! What `PUT /_sim/settings` says, and which of the possible readings of Amazon's documents is
//! played. The readings are explained in the simulator's own module text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One of the readings of a point, in the order of the documents; `a` is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reading {
    #[default]
    A,
    B,
    C,
}

/// How many readings each point has; the index is the point's number less one.
const VARIANTS: [u8; 11] = [2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2];

/// The reading chosen for each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Readings([Reading; VARIANTS.len()]);

impl Readings {
    /// The reading of point `number`, 1 to 11.
    pub(crate) fn of(self, number: usize) -> Reading {
        self.0.get(number.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// Whether point `number` is read the second way.
    pub(crate) fn second(self, number: usize) -> bool {
        self.of(number) == Reading::B
    }

    fn parse(chosen: &BTreeMap<String, Reading>) -> Result<Self, String> {
        let mut readings = Self::default();
        for (name, reading) in chosen {
            let known = name.parse::<usize>().ok().filter(|n| (1..=VARIANTS.len()).contains(n));
            let Some(number) = known else {
                return Err(format!("readings: no point {name:?}, there are 1 to 11"));
            };
            if *reading as u8 >= VARIANTS[number - 1] {
                return Err(format!("readings: point {number} has only a and b"));
            }
            readings.0[number - 1] = *reading;
        }
        Ok(readings)
    }

    fn show(self) -> BTreeMap<String, Reading> {
        (1..)
            .zip(self.0)
            .map(|(number, reading): (usize, _)| (number.to_string(), reading))
            .collect()
    }
}

/// The settings, as they are sent: what is absent is the default again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SettingsBody {
    pub(crate) quotas: bool,
    pub(crate) latency_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    pub(crate) readings: BTreeMap<String, Reading>,
}

/// The settings in force.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) quotas: bool,
    pub(crate) latency_ms: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) readings: Readings,
}

impl TryFrom<SettingsBody> for Settings {
    type Error = String;

    fn try_from(body: SettingsBody) -> Result<Self, String> {
        if body.latency_ms > 600_000 {
            return Err("latencyMs: at most 600000".to_owned());
        }
        let readings = Readings::parse(&body.readings)?;
        Ok(Self { quotas: body.quotas, latency_ms: body.latency_ms, seed: body.seed, readings })
    }
}

impl From<Settings> for SettingsBody {
    fn from(settings: Settings) -> Self {
        Self {
            quotas: settings.quotas,
            latency_ms: settings.latency_ms,
            seed: settings.seed,
            readings: settings.readings.show(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let body: SettingsBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Settings::try_from(body)
    }

    #[test]
    fn every_reading_is_a_setting_and_the_first_is_the_default() {
        let settings = read(r#"{"readings":{"1":"b","6":"c"},"quotas":true}"#).unwrap();
        assert!(settings.quotas && settings.readings.second(1));
        assert_eq!(settings.readings.of(6), Reading::C);
        assert_eq!(settings.readings.of(2), Reading::A);
        assert_eq!(SettingsBody::from(settings).readings["11"], Reading::A);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            r#"{"readings":{"12":"a"}}"#,
            r#"{"readings":{"0":"a"}}"#,
            r#"{"readings":{"1":"c"}}"#,
            r#"{"readings":{"1":"x"}}"#,
            r#"{"latencyMs":-1}"#,
            r#"{"latencyMs":1e9}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
