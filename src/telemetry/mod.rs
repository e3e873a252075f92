//! Logs, traces and metrics: one set of instruments for the page and for OTLP, one list of field
//! names. Nothing here ever waits for a collector, and no secret or personal datum passes through.

pub mod fields;
mod init;
mod lossy;
pub mod metrics;
mod page;
pub mod trace;

pub use init::{InitError, Telemetry, init};
pub use metrics::Metrics;
pub use page::serve;
