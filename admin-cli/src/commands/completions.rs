//! `sluice completions` and `sluice exit-codes`: words, no server.

use clap::CommandFactory as _;

use crate::{
    args::{Cli, EXIT_CODES},
    failure::Outcome,
    output,
};

pub(super) fn run(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sluice", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

pub(super) fn exit_codes() -> Outcome {
    output::print(&format!("{EXIT_CODES}\n"))
}
