//! The program `sluice-control-plane`: settings in, exit code out.

use sluice_control_plane::{app, config};
use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run(&config::SPEC, config::parse, |config, process| async {
        app::run(config, process).await.map_err(Into::into)
    })
}
