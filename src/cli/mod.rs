//! The command line: one file per command. Parses, opens what the command needs, prints, and says
//! by the exit code how it went (0 done, 1 failed, 2 wrong usage or configuration).

mod api_client;
mod check_config;
mod dead_letter;
mod demo;
mod failure;
mod mid;
mod migrate;
mod order;
mod output;
mod serve;
mod session;
mod signals;
mod simulator;
mod since;

use clap::{Parser, Subcommand};

use session::Common;

/// The payment worker behind a CRM's Amazon Pay checkout.
///
/// An order goes in by HTTP or RabbitMQ, Amazon is paid, one result event comes out, whatever dies
/// in between. `demo` shows all of it with nothing to install.
///
/// Exit codes: 0 done, 1 the command failed, 2 wrong usage or configuration.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    /// Take orders over HTTP, until SIGTERM or SIGINT.
    ///
    /// The CRM's own paths and the project's API, on INGEST_LISTEN. Needs the broker to accept, and
    /// no database.
    Ingest(serve::OneRole),
    /// Drive payments: take commands, talk to Amazon, until SIGTERM or SIGINT.
    ///
    /// Many may run at once, on many machines; a payment of one that died goes on at another.
    Worker(serve::OneRole),
    /// Publish result events, until SIGTERM or SIGINT.
    ///
    /// Of many that run, one publishes and the others stand by.
    Relay(serve::OneRole),
    /// Take Amazon's notifications, until SIGTERM or SIGINT.
    ///
    /// On IPN_LISTEN; where ingest runs, they are taken on its address too. A notification makes
    /// quick what the worker's own looks at Amazon find sooner or later.
    Ipn(serve::OneRole),
    Migrate(migrate::Migrate),
    Mid(mid::Mid),
    ApiClient(api_client::ApiClients),
    Order(order::Orders),
    DeadLetter(dead_letter::DeadLetters),
    Simulator(simulator::Simulate),
    CheckConfig(check_config::CheckConfig),
}

impl Cli {
    /// Runs the command; its exit code. Here and not in `main.rs`, because async code is compiled
    /// where it is first awaited, and all of it in a program of one line takes longer.
    pub fn run(self) -> u8 {
        // One crypto library for every TLS connection; a second start finds it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
            return 1;
        };
        let code = runtime.block_on(self.command());
        // What was abandoned at the deadline of a shutdown is not waited for.
        runtime.shutdown_background();
        code
    }

    async fn command(self) -> u8 {
        let common = &self.common;
        let done = match self.command {
            Command::Demo(demo) => Box::pin(demo.run(common)).await,
            Command::Serve(serve) => Box::pin(serve.run(common)).await,
            Command::Ingest(role) => Box::pin(role.run("ingest", common)).await,
            Command::Worker(role) => Box::pin(role.run("worker", common)).await,
            Command::Relay(role) => Box::pin(role.run("relay", common)).await,
            Command::Ipn(role) => Box::pin(role.run("ipn", common)).await,
            Command::Migrate(migrate) => Box::pin(migrate.run(common)).await,
            Command::Mid(mid) => Box::pin(mid.run(common)).await,
            Command::ApiClient(clients) => Box::pin(clients.run(common)).await,
            Command::Order(orders) => Box::pin(orders.run(common)).await,
            Command::DeadLetter(letters) => Box::pin(letters.run(common)).await,
            Command::Simulator(simulator) => Box::pin(simulator.run(common)).await,
            Command::CheckConfig(check) => Box::pin(check.run(common)).await,
        };
        match done {
            Ok(()) => 0,
            Err(failure) => failure.tell(),
        }
    }
}
