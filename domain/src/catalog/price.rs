//! What tokens of a model cost.

use crate::tokens::Tokens;

/// Prices of one model by kind of token, in nano-dollars (10⁻⁹ USD) per million tokens:
/// $0.15 per million is 150,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Of input that was neither read from a prompt cache nor written to one.
    pub input: u64,
    /// Of input read from the provider's prompt cache.
    pub cached_input: u64,
    /// Of input written to the provider's prompt cache.
    pub cache_write: u64,
    /// Of output, reasoning included.
    pub output: u64,
}

/// Prices are per so many tokens.
const PER_TOKENS: u128 = 1_000_000;

impl Price {
    /// What these tokens cost, in nano-dollars, rounded up so that nothing is free.
    pub fn cost_nanousd(&self, tokens: Tokens) -> u64 {
        let cached = tokens.cached_input.min(tokens.input);
        let written = tokens.cache_write.min(tokens.input.saturating_sub(cached));
        let plain = tokens.input.saturating_sub(cached).saturating_sub(written);
        let parts = [
            (plain, self.input),
            (cached, self.cached_input),
            (written, self.cache_write),
            (tokens.output, self.output),
        ];
        let sum = parts
            .iter()
            .fold(0u128, |sum, (count, price)| {
                sum.saturating_add(u128::from(*count).saturating_mul(u128::from(*price)))
            })
            .div_ceil(PER_TOKENS);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// For each kind of token the dearer of the two prices.
    #[must_use]
    pub fn dearest(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cached_input: self.cached_input.max(other.cached_input),
            cache_write: self.cache_write.max(other.cache_write),
            output: self.output.max(other.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 150_000_000,
        cached_input: 75_000_000,
        cache_write: 187_500_000,
        output: 600_000_000,
    };

    #[test]
    fn each_kind_of_token_has_its_price_and_parts_are_not_paid_twice() {
        let tokens =
            Tokens { input: 1_000, cached_input: 400, cache_write: 100, output: 10, reasoning: 5 };
        let cost = 500 * 150 + 400 * 75 + 100 * 187 + 50 + 10 * 600;
        assert_eq!(PRICE.cost_nanousd(tokens), cost);
    }

    #[test]
    fn a_token_of_a_fraction_is_rounded_up() {
        let price = Price { input: 1, ..PRICE };
        assert_eq!(price.cost_nanousd(Tokens { input: 1, ..Tokens::default() }), 1);
    }
}
