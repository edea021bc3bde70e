//! A bucket of tokens: what a lease lets through between two words with the leader.

/// How fast a bucket refills and how much it can hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Refill, in billionths of a unit per second; 0: only what is given.
    pub rate_nano: u64,
    /// Most that it holds, in thousandths of a unit.
    pub cap_milli: u64,
}

/// A token bucket whose shape can change and that can be given back to. Implementations
/// may round what they hold down, never up.
pub trait Bucket: Sized {
    /// An empty bucket. `coarse` is the greatest refill it will ever have, in billionths
    /// of a unit per second: what its grains may be chosen by.
    fn empty(shape: Shape, coarse: u64, now_us: u64) -> Self;

    /// Its present shape.
    fn shape(&self) -> Shape;

    /// What lies ready, in thousandths; negative: a debt.
    fn level_milli(&self, now_us: u64) -> i64;

    /// Takes `milli` if so much lies ready, else nothing. Says whether it did.
    fn take(&mut self, now_us: u64, milli: u64) -> bool;

    /// Takes `milli` whatever lies ready: what is missing is owed.
    fn debit(&mut self, now_us: u64, milli: u64);

    /// Puts `milli` in, as far as there is room. Gives what was put in.
    fn give(&mut self, now_us: u64, milli: u64) -> u64;

    /// Changes the shape. What lies ready stays, as far as there is room: nothing is
    /// minted. Gives what there was no room for.
    fn reshape(&mut self, now_us: u64, shape: Shape) -> u64;
}

/// Parts of a thousandth of a unit: a billionth of a unit per second and a microsecond.
const FINE: i128 = 1_000_000_000_000;

/// The reference: exact integers in the finest grain there is, so that nothing is ever
/// rounded but what it is asked for, and that down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    shape: Shape,
    level_fine: i128,
    at_us: u64,
}

impl Plain {
    /// How long until `milli` lie ready, in microseconds, rounded up; `None`: never.
    pub fn ready_in_us(&self, now_us: u64, milli: u64) -> Option<u64> {
        let missing = fine(milli).saturating_sub(self.level_fine(now_us));
        if missing <= 0 {
            return Some(0);
        }
        if self.shape.cap_milli < milli || self.shape.rate_nano == 0 {
            return None;
        }
        let rate = i128::from(self.shape.rate_nano);
        let us = missing.saturating_add(rate).saturating_sub(1) / rate;
        Some(u64::try_from(us).unwrap_or(u64::MAX))
    }

    fn level_fine(&self, now_us: u64) -> i128 {
        let elapsed = i128::from(now_us.saturating_sub(self.at_us));
        let refill = i128::from(self.shape.rate_nano).saturating_mul(elapsed);
        self.level_fine.saturating_add(refill).min(fine(self.shape.cap_milli))
    }

    /// Brings the level up to now. A clock that steps back stands still.
    fn accrue(&mut self, now_us: u64) {
        self.level_fine = self.level_fine(now_us);
        self.at_us = self.at_us.max(now_us);
    }
}

impl Bucket for Plain {
    fn empty(shape: Shape, _coarse: u64, now_us: u64) -> Self {
        Self { shape, level_fine: 0, at_us: now_us }
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn level_milli(&self, now_us: u64) -> i64 {
        clamped(self.level_fine(now_us).div_euclid(FINE))
    }

    fn take(&mut self, now_us: u64, milli: u64) -> bool {
        self.accrue(now_us);
        let enough = fine(milli) <= self.level_fine;
        if enough {
            self.level_fine = self.level_fine.saturating_sub(fine(milli));
        }
        enough
    }

    fn debit(&mut self, now_us: u64, milli: u64) {
        self.accrue(now_us);
        self.level_fine = self.level_fine.saturating_sub(fine(milli));
    }

    fn give(&mut self, now_us: u64, milli: u64) -> u64 {
        self.accrue(now_us);
        let room = fine(self.shape.cap_milli).saturating_sub(self.level_fine) / FINE;
        let given = u64::try_from(room).unwrap_or(u64::MAX).min(milli);
        self.level_fine = self.level_fine.saturating_add(fine(given));
        given
    }

    fn reshape(&mut self, now_us: u64, shape: Shape) -> u64 {
        self.accrue(now_us);
        self.shape = shape;
        let over = self.level_fine.saturating_sub(fine(shape.cap_milli)).max(0);
        self.level_fine = self.level_fine.saturating_sub(over);
        u64::try_from(over / FINE).unwrap_or(u64::MAX)
    }
}

const fn fine(milli: u64) -> i128 {
    // The product of a u64 and 10¹² always fits.
    (milli as i128) * FINE
}

fn clamped(milli: i128) -> i64 {
    i64::try_from(milli).unwrap_or(if milli < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one microsecond after the other, in parts of 10¹⁵ of a unit.
    struct Naive {
        shape: Shape,
        level: i128,
        at_us: u64,
    }

    impl Naive {
        fn wait(&mut self, now_us: u64) {
            while self.at_us < now_us {
                self.at_us += 1;
                self.level = (self.level + i128::from(self.shape.rate_nano)).min(self.cap());
            }
        }

        fn cap(&self) -> i128 {
            i128::from(self.shape.cap_milli) * FINE
        }

        fn milli(&self) -> i64 {
            i64::try_from(self.level.div_euclid(FINE)).unwrap()
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Take(u64),
        Debit(u64),
        Give(u64),
        Reshape(Shape),
    }

    fn shape() -> impl Strategy<Value = Shape> {
        // Up to a whole unit per microsecond, so that something happens in short times.
        (prop_oneof![Just(0), 0..1_000_000_000_000_000u64], 0..60_000u64)
            .prop_map(|(rate_nano, cap_milli)| Shape { rate_nano, cap_milli })
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..20_000u64).prop_map(Act::Take),
            (0..20_000u64).prop_map(Act::Debit),
            (0..90_000u64).prop_map(Act::Give),
            shape().prop_map(Act::Reshape),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_the_naive_one_does(
            first in shape(),
            acts in proptest::collection::vec((0..500u64, act()), 1..40),
        ) {
            let mut plain = Plain::empty(first, first.rate_nano, 7);
            let mut naive = Naive { shape: first, level: 0, at_us: 7 };
            let mut now_us = 7;
            for (wait_us, act) in acts {
                now_us += wait_us;
                naive.wait(now_us);
                match act {
                    Act::Take(milli) => {
                        let enough = i128::from(milli) * FINE <= naive.level;
                        prop_assert_eq!(plain.take(now_us, milli), enough);
                        naive.level -= if enough { i128::from(milli) * FINE } else { 0 };
                    }
                    Act::Debit(milli) => {
                        plain.debit(now_us, milli);
                        naive.level -= i128::from(milli) * FINE;
                    }
                    Act::Give(milli) => {
                        let room = (naive.cap() - naive.level) / FINE;
                        let given = milli.min(u64::try_from(room).unwrap());
                        prop_assert_eq!(plain.give(now_us, milli), given);
                        naive.level += i128::from(given) * FINE;
                    }
                    Act::Reshape(shape) => {
                        naive.shape = shape;
                        let over = (naive.level - naive.cap()).max(0);
                        naive.level -= over;
                        let over = u64::try_from(over / FINE).unwrap();
                        prop_assert_eq!(plain.reshape(now_us, shape), over);
                    }
                }
                prop_assert_eq!(plain.level_milli(now_us), naive.milli());
                prop_assert_eq!(plain.shape(), naive.shape);
            }
        }

        #[test]
        fn it_is_ready_when_it_says_and_not_before(
            rate_nano in 1..1_000_000_000_000u64,
            level_milli in 0..50_000u64,
            milli in 0..50_000u64,
        ) {
            let mut bucket = Plain::empty(Shape { rate_nano, cap_milli: 50_000 }, rate_nano, 0);
            bucket.give(0, level_milli);
            let us = bucket.ready_in_us(0, milli).unwrap();
            let (mut early, mut late) = (bucket, bucket);
            prop_assert!(0 == us || !early.take(us - 1, milli));
            prop_assert!(late.take(us, milli));
        }
    }

    #[test]
    fn a_clock_that_steps_back_refills_nothing() {
        let mut bucket = Plain::empty(Shape { rate_nano: 1_000_000_000, cap_milli: 9_000 }, 0, 0);
        assert!(bucket.take(5_000_000, 5_000));
        assert_eq!(bucket.level_milli(1_000_000), 0);
        assert!(!bucket.take(1_000_000, 1));
        assert_eq!(bucket.level_milli(6_000_000), 1_000);
    }

    #[test]
    fn the_greatest_numbers_do_not_overflow() {
        let all = Shape { rate_nano: u64::MAX, cap_milli: u64::MAX };
        let mut bucket = Plain::empty(all, u64::MAX, 0);
        assert_eq!(bucket.level_milli(u64::MAX), i64::MAX);
        assert!(bucket.take(u64::MAX, u64::MAX));
        bucket.debit(u64::MAX, u64::MAX);
        assert_eq!(bucket.level_milli(u64::MAX), i64::MIN);
    }
}
