//! `simulator`: Amazon Pay alone, for the product and for other programs to try themselves on.

use amazon_pay_simulator::{Config, Simulator};
use clap::Args;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use super::signals;
use crate::config::{Flags, Need, listen};

/// The Amazon Pay simulator alone: Amazon's wire, and /_sim to play the buyer and the weather.
///
/// Everything lies in memory and begins anew with each start. There is no authentication under
/// /_sim, so it listens on this machine unless told otherwise.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Where it listens; host:port, and :port is this machine alone.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000", value_parser = listen)]
    listen: String,
}

impl Simulate {
    /// Runs it until it is told to stop.
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = Session::serving(common, Flags::default(), Need::NoKey)?;
        let listener = TcpListener::bind(&self.listen).await;
        let listener = listener
            .map_err(|error| Failure::because(&format!("--listen {}", self.listen), &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::because("the simulator's address", &error))?;
        output::tell(&format!("simulator listening on http://{address}"));
        let stop = signals::stop()?;
        Simulator::new(Config::default())
            .serve(listener, stop.cancelled_owned())
            .await
            .map_err(|error| Failure::because("the simulator", &error))?;
        session.close().await;
        Ok(())
    }
}
