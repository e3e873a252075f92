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
    ExitCode::from(cli.run())
}
