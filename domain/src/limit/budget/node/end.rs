//! When a window is over, by the holder's clock.

/// When a window is over; `u64::MAX`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Told in an answer and counted from the sending of the question: not later than the
    /// true end.
    Sure(u64),
    /// Counted from the arrival of what was not asked for: not earlier than the true end.
    Late(u64),
}

impl End {
    /// Of no window.
    pub(super) const UNKNOWN: Self = Self::Sure(0);

    /// What the leader told at `now_us`, in answer to what was sent at `reply_to_us`.
    pub(super) fn told(now_us: u64, reply_to_us: Option<u64>, left_us: Option<u64>) -> Self {
        let from_us = reply_to_us.unwrap_or(now_us);
        let end_us = left_us.map_or(u64::MAX, |left| from_us.saturating_add(left));
        match reply_to_us {
            Some(_) => Self::Sure(end_us),
            None => Self::Late(end_us),
        }
    }

    /// Of two that were told of the same window, the one nearer to the truth.
    pub(super) fn nearer(self, other: Self) -> Self {
        match (self, other) {
            (Self::Sure(one), Self::Sure(two)) => Self::Sure(one.max(two)),
            (Self::Late(one), Self::Late(two)) => Self::Late(one.min(two)),
            (sure @ Self::Sure(_), Self::Late(_)) | (Self::Late(_), sure @ Self::Sure(_)) => sure,
        }
    }

    /// How long until then, in microseconds; `u64::MAX`: for ever.
    pub(super) const fn left_us(self, now_us: u64) -> u64 {
        match self {
            Self::Sure(u64::MAX) | Self::Late(u64::MAX) => u64::MAX,
            Self::Sure(end_us) | Self::Late(end_us) => end_us.saturating_sub(now_us),
        }
    }

    /// The end, where it is surely not too late; else never.
    pub(super) const fn sure_us(self) -> u64 {
        match self {
            Self::Sure(end_us) => end_us,
            Self::Late(_) => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_counted_from_the_question_and_the_nearest_word_counts() {
        let push = End::told(1_000, None, Some(500));
        assert_eq!(push, End::Late(1_500));
        let answer = End::told(1_000, Some(900), Some(500));
        assert_eq!(answer, End::Sure(1_400));
        assert_eq!(push.nearer(answer), answer);
        assert_eq!(answer.nearer(push), answer);
        assert_eq!(answer.nearer(End::Sure(1_390)), answer);
        assert_eq!(push.nearer(End::Late(1_450)), End::Late(1_450));
        assert_eq!((answer.left_us(1_300), answer.left_us(2_000)), (100, 0));
        assert_eq!(End::told(5, Some(1), None).left_us(u64::MAX), u64::MAX);
    }
}
