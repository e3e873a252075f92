//! Logging and OpenTelemetry.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::Targets;

use super::reader::{Reader, authority};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What is logged and measured, and where it goes.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// What is logged: levels by target. Not by span or field: that would bring a regular
    /// expression engine along, and much compiling.
    pub filter: Targets,
    /// How.
    pub format: LogFormat,
    /// Whether traces go out by OTLP.
    pub traces: bool,
    /// Whether metrics go out by OTLP.
    pub metrics: bool,
}

impl Telemetry {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let filter = reader.parsed("RUST_LOG", |text| {
            let mistake = || "must be directives as info,amazon_pay_worker=debug".to_owned();
            text.parse::<Targets>().map_err(|_| mistake())
        });
        let format = reader.parsed("LOG_FORMAT", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be text or json".to_owned()),
        });
        reader.parsed(ENDPOINT, endpoint);
        Self {
            filter: filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO)),
            format: format.unwrap_or_else(|| {
                if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
            }),
            traces: signal(reader, "TRACES"),
            metrics: signal(reader, "METRICS"),
        }
    }
}

/// Whether a signal goes out, by the standard variables; those that tune it are read by the SDK.
fn signal(reader: &mut Reader<'_>, signal: &str) -> bool {
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    reader.parsed(&own, endpoint);
    let endpoint = reader.text(ENDPOINT).is_some() || reader.text(&own).is_some();
    let disabled = reader.text("OTEL_SDK_DISABLED").is_some_and(|text| text == "true");
    let none = reader.text(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|text| text == "none");
    if !endpoint || disabled || none {
        return false;
    }
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL");
    for name in [own.as_str(), "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        let Some(protocol) = reader.text(name) else { continue };
        if protocol != "http/protobuf" {
            reader.mistake(name, "must be http/protobuf, the one protocol that is spoken");
        }
        break;
    }
    true
}

/// Whether a collector can be at this address.
fn endpoint(text: &str) -> Result<(), String> {
    let form = "must be http://host[:port][/path], or the same with https";
    let (scheme, rest) = text.split_once("://").ok_or(form)?;
    let place = rest.split('/').next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    match (scheme, authority(place)) {
        ("http" | "https", Ok((host, _))) if !host.is_empty() => Ok(()),
        _ => Err(form.to_owned()),
    }
}
