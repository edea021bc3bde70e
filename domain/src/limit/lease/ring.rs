//! How much room a bucket had of late: what a refund may at most be.
//!
//! A request that used less than it took should have taken less. Had it done so, the
//! bucket would have held more ever since, as far as there was room: that is what goes
//! back, no more. A bucket that was full in between gets nothing, for what refilled it
//! then would have run over. (`min(unused, least room since)`, and then the recorded
//! rooms shrink by it: without that, two refunds would share one room.)

/// So far back it remembers, in microseconds.
const REMEMBERED_US: u64 = 64_000_000;
/// So many moments it tells apart; more, and the oldest fall together.
const MARKS_MAX: usize = 64;

/// The least room since any moment of the last 64 seconds, in thousandths of a unit.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    begun_us: u64,
    /// The moments after which there never was so little room again: both grow.
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    at_us: u64,
    room_milli: u64,
}

impl Ring {
    pub(super) const fn new(now_us: u64) -> Self {
        Self { begun_us: now_us, marks: Vec::new() }
    }

    /// Records the room just before something is taken: between two events a bucket only
    /// fills, so that this was the least since the last one.
    pub(super) fn before(&mut self, now_us: u64, room_milli: u64) {
        self.note(now_us.saturating_sub(1), room_milli);
    }

    /// Records the room after an event.
    pub(super) fn after(&mut self, now_us: u64, room_milli: u64) {
        self.note(now_us, room_milli);
    }

    /// When something happened last.
    pub(super) fn last_us(&self) -> u64 {
        self.marks.last().map_or(self.begun_us, |it| it.at_us)
    }

    /// The least room from a moment on; 0 if that is too long ago.
    pub(super) fn least_since(&self, since_us: u64) -> u64 {
        let last_us = self.last_us();
        if since_us < self.begun_us || REMEMBERED_US <= last_us.saturating_sub(since_us) {
            return 0;
        }
        self.marks.iter().find(|it| since_us <= it.at_us).map_or(u64::MAX, |it| it.room_milli)
    }

    /// From a moment on there was so much less room.
    pub(super) fn raise(&mut self, since_us: u64, milli: u64) {
        let first = self.marks.partition_point(|it| it.at_us < since_us);
        for it in self.marks.iter_mut().skip(first) {
            it.room_milli = it.room_milli.saturating_sub(milli);
        }
        if let Some(least) = self.marks.get(first).map(|it| it.room_milli) {
            let kept = self.marks.partition_point(|it| it.room_milli < least).min(first);
            self.marks.drain(kept..first);
        }
    }

    fn note(&mut self, at_us: u64, room_milli: u64) {
        while self.marks.last().is_some_and(|it| room_milli <= it.room_milli) {
            self.marks.pop();
        }
        let last_us = self.marks.last().map_or(0, |it| it.at_us);
        if at_us <= last_us {
            return;
        }
        self.marks.push(Mark { at_us, room_milli });
        let long_ago =
            self.marks.partition_point(|it| it.at_us.saturating_add(REMEMBERED_US) < at_us);
        self.marks.drain(..long_ago);
        if MARKS_MAX < self.marks.len() {
            // The least of two counts for both.
            let least = self.marks.remove(0).room_milli;
            if let Some(oldest) = self.marks.first_mut() {
                oldest.room_milli = least;
            }
        }
    }
}

/// The room of a bucket. What lies ready was rounded down, so that one less is room.
pub(super) fn room_milli(cap_milli: u64, level_milli: i64) -> u64 {
    let room = i128::from(cap_milli).saturating_sub(i128::from(level_milli)).saturating_sub(1);
    u64::try_from(room.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000;

    #[test]
    fn the_least_room_since_a_moment_counts_and_what_is_given_shrinks_it() {
        let mut ring = Ring::new(S);
        ring.after(S, 50);
        ring.after(2 * S, 30);
        ring.after(5 * S, 40);
        assert_eq!(ring.least_since(S), 30);
        assert_eq!(ring.least_since(3 * S), 40);
        ring.raise(3 * S, 25);
        assert_eq!(ring.least_since(3 * S), 15);
        assert_eq!(ring.least_since(S), 15);
        ring.raise(S, 15);
        assert_eq!(ring.least_since(S), 0);
    }

    #[test]
    fn what_is_older_than_it_remembers_has_no_room() {
        let mut ring = Ring::new(10 * S);
        ring.after(10 * S, 50);
        assert_eq!(ring.least_since(9 * S), 0);
        ring.after(73 * S, 60);
        assert_eq!(ring.least_since(10 * S), 50);
        ring.after(75 * S, 70);
        assert_eq!(ring.least_since(10 * S), 0);
        assert_eq!(ring.least_since(73 * S), 60);
    }

    #[test]
    fn what_was_before_a_take_does_not_count_for_it() {
        let mut ring = Ring::new(S);
        ring.before(2 * S, 0);
        ring.after(2 * S, 100);
        assert_eq!((ring.least_since(2 * S), ring.least_since(2 * S - 1)), (100, 0));
    }

    proptest! {
        /// Never more than the true least, whatever falls together; exact with few moments.
        #[test]
        fn it_is_never_too_generous(
            steps in proptest::collection::vec((1..3_000_000u64, 0..200u64, 0..4u8), 1..200),
        ) {
            let mut ring = Ring::new(0);
            let mut all: Vec<(u64, u64)> = Vec::new();
            let mut now_us = 0;
            for (wait_us, room, act) in &steps {
                now_us += wait_us;
                match act {
                    0 if !all.is_empty() => {
                        let since_us = all[*room as usize % all.len()].0;
                        let given = ring.least_since(since_us).min(room / 4);
                        ring.raise(since_us, given);
                        all.iter_mut().filter(|it| since_us <= it.0).for_each(|it| it.1 -= given);
                    }
                    _ => {
                        ring.after(now_us, *room);
                        all.push((now_us, *room));
                    }
                }
                for (since_us, _) in &all {
                    let least = all.iter().filter(|it| since_us <= &it.0).map(|it| it.1).min();
                    let told = ring.least_since(*since_us);
                    prop_assert!(told <= least.unwrap());
                    if steps.len() < MARKS_MAX && now_us < REMEMBERED_US {
                        prop_assert_eq!(told, least.unwrap());
                    }
                }
            }
        }
    }
}
