//! Judges a limit by what reached the upstream, and by the upstream's clock alone.

/// One request as the upstream saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it came, in microseconds of the upstream's own clock, which only goes forward.
    pub at_us: u64,
    /// What it counts, in units of the limit.
    pub units: u64,
}

/// How far a bucket that holds `burst` units and gets `per_minute` more each minute was
/// overdrawn at worst, in units; 0: never. One perfect bucket in the middle of
/// everything would have refused just that much.
pub fn overdrawn(arrivals: &[Arrival], burst: u64, per_minute: u64) -> f64 {
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_by_key(|it| it.at_us);
    let mut level = burst as f64;
    let mut last = arrivals.first().map_or(0, |it| it.at_us);
    let mut worst = 0.0f64;
    for it in &arrivals {
        let minutes = (it.at_us - last) as f64 / 60_000_000.0;
        level = (level + minutes * per_minute as f64).min(burst as f64) - it.units as f64;
        last = it.at_us;
        worst = worst.max(-level);
        // What was too much is said once, and is no debt of those that come after.
        level = level.max(0.0);
    }
    worst
}

/// The most units within any stretch of `window_us`.
pub fn most_within(arrivals: &[Arrival], window_us: u64) -> u64 {
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_by_key(|it| it.at_us);
    let (mut from, mut sum, mut most) = (0, 0, 0);
    for it in &arrivals {
        sum += it.units;
        while let Some(first) = arrivals.get(from)
            && first.at_us + window_us <= it.at_us
        {
            sum -= first.units;
            from += 1;
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(us: u64, count: u64) -> Vec<Arrival> {
        (0..count).map(|it| Arrival { at_us: it * us, units: 1 }).collect()
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_rate() {
        assert_eq!(overdrawn(&every(0, 60), 60, 60), 0.0);
        assert!((overdrawn(&every(0, 61), 60, 60) - 1.0).abs() < 1e-9);
        assert!(overdrawn(&every(1_000_000, 600), 1, 60) < 1e-6);
        assert!(overdrawn(&every(900_000, 600), 10, 60) > 0.0);
    }

    #[test]
    fn a_window_slides() {
        assert_eq!(most_within(&every(1_000_000, 120), 60_000_000), 60);
        assert_eq!(most_within(&[], 60_000_000), 0);
    }
}
