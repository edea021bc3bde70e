//! The clocks, as numbers. Who needs time without asking is told it from here.

use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// What counts while the machine sleeps, too: `CLOCK_MONOTONIC` of Linux stands still then.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

/// Microseconds since some moment before the process began: never goes back, is never set,
/// and goes on while the process is stopped or the machine sleeps. Of use only within one
/// process; costs some tens of nanoseconds.
#[must_use]
pub fn steady_us() -> u64 {
    let now = clock_gettime(STEADY);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let micros = u64::try_from(now.tv_nsec / 1_000).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}

/// Milliseconds since 1970 in UTC; negative before it, and at the ends of the
/// range it stops rather than wraps.
#[must_use]
pub fn unix_ms() -> i64 {
    let as_ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => as_ms(since),
        Err(before) => -as_ms(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_later_than_when_this_was_written() {
        assert!(1_700_000_000_000 < super::unix_ms());
    }

    #[test]
    fn the_steady_clock_goes_on_at_the_pace_of_others() {
        let (begun, other) = (super::steady_us(), std::time::Instant::now());
        while other.elapsed().as_millis() < 20 {
            std::hint::spin_loop();
        }
        let passed = super::steady_us() - begun;
        assert!((19_000..20_000_000).contains(&passed), "{passed}");
    }
}
