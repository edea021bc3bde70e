//! The wall clock, as a number. Who needs time without asking is told it from here.

use std::time::{SystemTime, UNIX_EPOCH};

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
}
