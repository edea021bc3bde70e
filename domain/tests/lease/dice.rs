//! Chance from a seed: the same seed gives the same run, on every machine.

/// A small generator (xorshift64*, seeded through splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((z ^ (z >> 31)) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + (self.next() >> 11) % (high - low + 1)
    }

    /// Whether something of so many in a million happens.
    pub(crate) fn chance(&mut self, ppm: u64) -> bool {
        self.within(1, 1_000_000) <= ppm
    }

    /// A waiting time with this mean, at most eight times as long.
    pub(crate) fn wait(&mut self, mean_us: u64) -> u64 {
        // The sum of three uniform ones is close enough to what arrivals do.
        let sum: u64 = (0..3).map(|_| self.within(0, mean_us * 2)).sum();
        sum / 3 + 1
    }
}
