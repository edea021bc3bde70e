//! After a failed attempt: on to the next target, or the end.

use crate::catalog::Settings;

/// How an attempt failed before a byte of its answer went to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection: refused, unreachable, TLS, name not found, or timed out.
    Connect,
    /// Connected, but no answer in time.
    FirstByteTimeout,
    /// The connection broke, or what came was not HTTP, before the answer's first byte.
    Broken,
    /// An answer with this status, outside 200 to 299.
    Status(u16),
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Ask the next target of the plan.
    Failover,
    /// Give the caller what there is.
    GiveUp,
}

/// What follows the `made`-th attempt's `failure`, `elapsed_ms` after the request came.
pub const fn after(failure: Failure, made: u32, elapsed_ms: u64, settings: &Settings) -> Next {
    if made >= settings.max_attempts || elapsed_ms >= settings.attempt_deadline_ms as u64 {
        return Next::GiveUp;
    }
    match failure {
        Failure::Connect | Failure::FirstByteTimeout | Failure::Broken => Next::Failover,
        // 401 to 403 speak of the account's credential or credit, not of the request;
        // 3xx is never followed, and another account may have the right address.
        Failure::Status(401..=403 | 408 | 429 | 300..=399 | 500..=599) => Next::Failover,
        Failure::Status(_) => Next::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_own_mistakes_are_not_tried_elsewhere() {
        let settings = Settings::default();
        for status in [400, 404, 409, 413, 422] {
            assert_eq!(after(Failure::Status(status), 1, 0, &settings), Next::GiveUp, "{status}");
        }
        for status in [401, 402, 403, 408, 429, 500, 502, 503, 504, 529] {
            assert_eq!(after(Failure::Status(status), 1, 0, &settings), Next::Failover, "{status}");
        }
    }

    #[test]
    fn attempts_and_time_are_bounded() {
        let settings = Settings::default();
        assert_eq!(after(Failure::Connect, settings.max_attempts, 0, &settings), Next::GiveUp);
        let late = u64::from(settings.attempt_deadline_ms);
        assert_eq!(after(Failure::Connect, 1, late, &settings), Next::GiveUp);
        assert_eq!(after(Failure::Connect, 1, late - 1, &settings), Next::Failover);
    }
}
