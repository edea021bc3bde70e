//! Figures and how they are written down.

use std::time::Duration;

/// One measured number, beside what was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What came out.
    pub measured: String,
    /// What was promised; empty: nothing.
    pub promised: String,
    /// Whether the promise is kept.
    pub kept: bool,
}

impl Figure {
    /// A time that must not be longer than promised.
    pub fn at_most(what: &str, measured: Duration, promised: Duration) -> Self {
        Self {
            what: what.to_owned(),
            measured: milliseconds(measured),
            promised: format!("≤ {}", milliseconds(promised)),
            kept: measured <= promised,
        }
    }

    /// A number that must be this.
    pub fn exactly(what: &str, measured: u64, promised: u64) -> Self {
        let kept = measured == promised;
        Self {
            what: what.to_owned(),
            measured: measured.to_string(),
            promised: promised.to_string(),
            kept,
        }
    }

    /// Something worth knowing that nobody promised.
    pub fn aside(what: &str, measured: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            measured: measured.into(),
            promised: String::new(),
            kept: true,
        }
    }
}

/// A duration in milliseconds, as people write it.
pub fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

/// The value that so many in a hundred do not exceed. Zero for no values.
pub fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// The figures as a table in Markdown.
pub fn table(figures: &[Figure]) -> String {
    let mut text = String::from("| figure | measured | promised | |\n|---|---|---|---|\n");
    for it in figures {
        let mark = if it.promised.is_empty() {
            ""
        } else if it.kept {
            "kept"
        } else {
            "**missed**"
        };
        text += &format!("| {} | {} | {} | {mark} |\n", it.what, it.measured, it.promised);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut values, 100), Duration::from_millis(200));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }
}
