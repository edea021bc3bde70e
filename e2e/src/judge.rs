//! Judges a limit by what reached the upstream, and by the upstream's clock alone.

/// One request as the upstream saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it came, in microseconds of the upstream's own clock, which only goes forward.
    pub at_us: u64,
    /// What it counts, in units of the limit.
    pub units: u64,
}

/// From a moment on, a bucket that holds so many units and gets as many each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// By the upstream's clock.
    pub from_us: u64,
    /// Units, and units a minute.
    pub amount: u64,
}

/// A stretch in which a few requests may come that were let through earlier: those of a
/// proxy that stood still between its decision and its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excuse {
    /// By the upstream's clock.
    pub from_us: u64,
    /// By the same.
    pub until_us: u64,
    /// How many.
    pub requests: u64,
}

/// How far a bucket that holds `burst` units and gets `per_minute` more each minute was
/// overdrawn at worst, in units; 0: never. One perfect bucket in the middle of
/// everything would have refused just that much.
pub fn overdrawn(arrivals: &[Arrival], burst: u64, per_minute: u64) -> f64 {
    let mut bucket = Bucket::full(burst as f64, per_minute as f64);
    let mut worst = 0.0f64;
    for it in sorted(arrivals) {
        bucket.refill(it.at_us);
        worst = worst.max(bucket.take(it.units as f64));
    }
    worst
}

/// As [`overdrawn`], of a bucket that is changed meanwhile: a raise mints nothing, a cut
/// takes what has no room. Phases come in order. What overdraws it within an excuse, as
/// far as that reaches, is passed over.
pub fn overdrawn_in(arrivals: &[Arrival], phases: &[Phase], excuses: &[Excuse]) -> f64 {
    let Some((first, rest)) = phases.split_first() else { return 0.0 };
    let mut bucket = Bucket::full(first.amount as f64, first.amount as f64);
    let (mut rest, mut excuses) = (rest, excuses.to_vec());
    let mut worst = 0.0f64;
    for it in sorted(arrivals) {
        while let Some((next, others)) = rest.split_first()
            && next.from_us <= it.at_us
        {
            bucket.refill(next.from_us);
            bucket.change(next.amount as f64);
            rest = others;
        }
        bucket.refill(it.at_us);
        let over = bucket.take(it.units as f64);
        if over > 1e-6 && !excuse(&mut excuses, it.at_us) {
            worst = worst.max(over);
        }
    }
    worst
}

/// Uses up one request of an excuse that covers this moment, if there is one.
fn excuse(excuses: &mut [Excuse], at_us: u64) -> bool {
    let covers = |it: &&mut Excuse| it.from_us <= at_us && at_us <= it.until_us && 0 < it.requests;
    match excuses.iter_mut().find(covers) {
        Some(it) => {
            it.requests -= 1;
            true
        }
        None => false,
    }
}

/// What is left without the first requests in each excuse.
pub fn without(arrivals: &[Arrival], excuses: &[Excuse]) -> Vec<Arrival> {
    let mut excuses = excuses.to_vec();
    sorted(arrivals).into_iter().filter(|it| !excuse(&mut excuses, it.at_us)).collect()
}

fn sorted(arrivals: &[Arrival]) -> Vec<Arrival> {
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_by_key(|it| it.at_us);
    arrivals
}

/// The perfect one.
struct Bucket {
    level: f64,
    burst: f64,
    per_minute: f64,
    at_us: Option<u64>,
}

impl Bucket {
    const fn full(burst: f64, per_minute: f64) -> Self {
        Self { level: burst, burst, per_minute, at_us: None }
    }

    fn refill(&mut self, at_us: u64) {
        let since = self.at_us.unwrap_or(at_us);
        let minutes = at_us.saturating_sub(since) as f64 / 60_000_000.0;
        self.level = (self.level + minutes * self.per_minute).min(self.burst);
        self.at_us = Some(at_us.max(since));
    }

    fn change(&mut self, amount: f64) {
        (self.burst, self.per_minute) = (amount, amount);
        self.level = self.level.min(amount);
    }

    /// How much was missing. It is said once, and is no debt of those that come after.
    fn take(&mut self, units: f64) -> f64 {
        let over = (units - self.level).max(0.0);
        self.level = (self.level - units).max(0.0);
        over
    }
}

/// The most units within any stretch of `window_us`.
pub fn most_within(arrivals: &[Arrival], window_us: u64) -> u64 {
    let arrivals = sorted(arrivals);
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
    fn a_bucket_that_is_cut_is_judged_by_what_it_is_then() {
        let phases = [
            Phase { from_us: 0, amount: 240 },
            Phase { from_us: 20_000_000, amount: 12 },
            Phase { from_us: 30_000_000, amount: 240 },
        ];
        // Four a second is right before and after, and not in between.
        let steady = every(250_000, 200);
        let none = |from: u64, until: u64| -> Vec<_> {
            let outside = |it: &Arrival| it.at_us < from || until <= it.at_us;
            steady.iter().copied().filter(outside).collect()
        };
        assert!(overdrawn_in(&steady, &phases, &[]) > 0.9);
        assert_eq!(overdrawn_in(&none(20_000_000, 30_000_000), &phases, &[]), 0.0);
        // Twelve lay ready at the cut, and no more than these came.
        assert_eq!(overdrawn_in(&none(23_000_000, 30_000_000), &phases, &[]), 0.0);
        assert!(overdrawn_in(&none(24_000_000, 30_000_000), &phases, &[]) > 0.0);
    }

    #[test]
    fn an_excuse_covers_a_few_requests_just_then() {
        let phases = [Phase { from_us: 0, amount: 60 }];
        let mut arrivals = every(0, 60);
        let late = |at_us| Arrival { at_us, units: 1 };
        arrivals.extend([late(100), late(200)]);
        let excuse = |from_us, requests| Excuse { from_us, until_us: from_us + 1_000, requests };
        assert_eq!(overdrawn_in(&arrivals, &phases, &[excuse(50, 2)]), 0.0);
        assert!(overdrawn_in(&arrivals, &phases, &[excuse(50, 1)]) > 0.9);
        assert!(overdrawn_in(&arrivals, &phases, &[excuse(250, 2)]) > 0.9);
        assert_eq!(without(&arrivals, &[excuse(50, 1)]).len(), 61);
    }

    #[test]
    fn a_window_slides() {
        assert_eq!(most_within(&every(1_000_000, 120), 60_000_000), 60);
        assert_eq!(most_within(&[], 60_000_000), 0);
    }
}
