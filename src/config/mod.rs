//! Configuration: flags, environment and file become typed values, all mistakes told together.
//! Nothing here starts, opens or asks anything but the file that it is named.

mod broker;
pub mod flags;
mod gateway;
mod http;
mod reader;
mod retry;
pub mod secrets;
pub mod settings;
mod sources;
mod store;
mod telemetry;

use std::path::PathBuf;
use std::time::Duration;

pub use broker::Broker;
pub use flags::Flags;
pub use gateway::Gateway;
pub use http::{Http, listen};
pub use retry::Worker;
pub use secrets::MasterKey;
pub use sources::{Mistake, Sources};
pub use store::Database;
pub use telemetry::{LogFormat, Telemetry};

use reader::Reader;

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    /// Folder of what lies on this machine.
    pub data_dir: PathBuf,
    /// Where payments lie.
    pub database: Database,
    /// Where messages lie.
    pub broker: Broker,
    /// The first seals, all open; none where the command needs none.
    pub master_keys: Vec<MasterKey>,
    /// How Amazon is reached.
    pub gateway: Gateway,
    /// Where the program listens.
    pub http: Http,
    /// How the worker works.
    pub worker: Worker,
    /// How long work in hand may take to finish at the end.
    pub shutdown_timeout: Duration,
    /// Logging and OpenTelemetry.
    pub telemetry: Telemetry,
    /// Who runs the program, as far as the environment says.
    pub user: Option<String>,
}

/// Whether the command seals or opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A master key must be there.
    MasterKey,
    /// None is needed.
    NoKey,
}

impl Config {
    /// Reads sources that were gathered.
    ///
    /// # Errors
    /// Every mistake.
    pub fn read(sources: &Sources, need: Need) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader::new(sources);
        let data_dir = store::data_dir(&mut reader);
        let mut config = Self {
            database: Database::read(&mut reader, &data_dir),
            broker: Broker::read(&mut reader),
            master_keys: secrets::read(&mut reader, need == Need::MasterKey),
            gateway: Gateway::read(&mut reader),
            http: Http::read(&mut reader),
            worker: Worker::read(&mut reader),
            shutdown_timeout: reader.seconds("SHUTDOWN_TIMEOUT", 25, 1),
            telemetry: Telemetry::read(&mut reader),
            user: sources.user.clone(),
            data_dir,
        };
        let calls = i64::try_from(config.gateway.timeout.as_millis()).unwrap_or(i64::MAX);
        config.worker.policy.give_up_calls_after(calls);
        let mistakes = reader.mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    /// Who acts on the command line, for the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("cli:{}", self.user.as_deref().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests;
