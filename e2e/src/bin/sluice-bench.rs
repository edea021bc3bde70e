//! Measures the figures that Sluice promises and prints them; `make bench` runs it.
//!
//! Arguments name figures (`revocation`, `scale`, `start`, `load`, `limits`); none: all of them.

use e2e::bench::{FIGURES, measure, report::table};
use std::process::ExitCode;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people")]
async fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let names = if asked.is_empty() { FIGURES.map(str::to_owned).into() } else { asked };
    let mut figures = Vec::new();
    for name in names {
        eprintln!("measuring: {name}");
        match Box::pin(measure(&name)).await {
            Ok(it) => figures.extend(it),
            Err(error) => {
                eprintln!("{name}: {error:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{}", table(&figures));
    if figures.iter().all(|it| it.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
