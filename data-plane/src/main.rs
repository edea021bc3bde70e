//! The program: settings in, exit code out.

use sluice_data_plane::{app, config};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::run(&config::SPEC, config::parse, app::run)
}
