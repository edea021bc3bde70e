//! The demo provider as a program.

use e2e::demo::{config, server};
use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run(&config::SPEC, config::parse, server::run)
}
