//! `sluice`, the operator's hand: parse, run, exit code.
//!
//! Everything it does to an installation goes over the admin API; it knows neither the
//! database nor how the catalog is stored.

mod args;
mod client;
mod commands;
mod contexts;
mod env;
mod failure;
mod limit;
mod manifest;
mod output;
mod spell;
mod view;

use std::process::ExitCode;

use args::Cli;
use clap::Parser as _;
use failure::{CliError, Kind};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // `--help` and `--version` come this way too, with code 0 and on stdout.
        Err(answer) => {
            let _ = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(Kind::Usage.code()));
        }
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = match tokio {
        Ok(tokio) => {
            let ended = tokio.block_on(Box::pin(commands::run(cli)));
            // A read of stdin that nobody waits for any more must not hold the exit.
            tokio.shutdown_background();
            ended
        }
        Err(error) => Err(CliError::failed(format!("start: {error}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.kind.code())
        }
    }
}
