//! The figures that Sluice promises, measured on the built programs of this machine.

pub mod limits;
pub mod load;
pub mod report;
pub mod revocation;
pub mod scale;
pub mod start;

use report::Figure;

/// What is measured, by the name it is asked for on the command line.
pub const FIGURES: [&str; 5] = ["revocation", "scale", "start", "load", "limits"];

/// Measures one of [`FIGURES`].
///
/// # Errors
/// When the stack cannot be started, or behaves in a way that is no measurement.
pub async fn measure(name: &str) -> anyhow::Result<Vec<Figure>> {
    match name {
        "revocation" => revocation::measure().await,
        "scale" => scale::measure().await,
        "start" => start::measure().await,
        "load" => load::measure().await,
        "limits" => limits::measure().await,
        other => anyhow::bail!("`{other}` is no figure: expected {}", FIGURES.join(", ")),
    }
}
