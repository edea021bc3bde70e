//! The order in which the targets of one tier are asked, from a given seed.

/// A small generator of pseudo-random numbers (SplitMix64, Steele et al. 2014):
/// enough to spread load, and the same for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0. Multiply-shift: its bias is below 2^-32 here.
    fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.roll()).wrapping_mul(u128::from(bound));
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

/// Draws items one after the other, each with a chance in proportion to its weight
/// among those left. Items of weight 0 are left out.
pub(super) fn weighted_order<T>(items: Vec<(u32, T)>, dice: &mut Dice) -> Vec<T> {
    let mut left: Vec<_> = items.into_iter().filter(|(weight, _)| *weight > 0).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let sum = left.iter().fold(0u64, |sum, (weight, _)| sum.saturating_add(u64::from(*weight)));
        let mut at = dice.below(sum);
        let chosen = left.iter().position(|(weight, _)| {
            let hit = at < u64::from(*weight);
            at = at.saturating_sub(u64::from(*weight));
            hit
        });
        order.push(left.swap_remove(chosen.unwrap_or(0)).1);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_weights() {
        let mut firsts = [0u32; 3];
        for seed in 0..30_000u64 {
            let order = weighted_order(vec![(1, 0), (2, 1), (0, 2)], &mut Dice::new(seed));
            assert_eq!(order.len(), 2);
            firsts[order[0]] += 1;
        }
        assert_eq!(firsts[2], 0);
        let share = f64::from(firsts[1]) / 30_000.0;
        assert!((share - 2.0 / 3.0).abs() < 0.02, "{share}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let order = |seed| weighted_order((0..8).map(|it| (1, it)).collect(), &mut Dice::new(seed));
        assert_eq!(order(5), order(5));
        assert_ne!(order(5), order(6));
    }
}
