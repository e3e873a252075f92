//! Entry point: parses the command line, runs the command, gives its exit code. Nothing else.

use std::process::ExitCode;

use amazon_pay_worker::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version are no error, and clap knows which it is.
            let code = if told.use_stderr() { 2 } else { 0 };
            return if told.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    // One crypto library for every TLS connection; a second start in one process finds it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(cli.run());
            // What was abandoned at the deadline of a shutdown is not waited for.
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(_) => ExitCode::FAILURE,
    }
}
