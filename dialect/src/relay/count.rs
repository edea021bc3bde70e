//! Reads counts leniently: one odd field of a usage object must not hide the others.

use domain::tokens::Tokens;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A count that a provider gave, if it is one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) Option<u64>);

impl Count {
    /// The count; 0 if there is none.
    pub(super) fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let whole = text.parse::<u64>().ok();
        // Some providers write `12.0`. A cast from f64 stays within the bounds of u64.
        let part = || text.parse::<f64>().ok().filter(|it| *it >= 0.0).map(|it| it as u64);
        Ok(Self(whole.or_else(part)))
    }
}

/// For `deserialize_with`: what is not a `T` is `T`'s default.
pub(super) fn lenient<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned + Default,
    D: Deserializer<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// Parts never exceed their totals, whatever a provider says.
pub(super) fn clamped(tokens: Tokens) -> Tokens {
    let cached_input = tokens.cached_input.min(tokens.input);
    let cache_write = tokens.cache_write.min(tokens.input.saturating_sub(cached_input));
    let reasoning = tokens.reasoning.min(tokens.output);
    Tokens { cached_input, cache_write, reasoning, ..tokens }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_leniently() {
        for (text, expected) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("1e3", Some(1_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1e400", Some(u64::MAX)),
            ("-1", None),
            ("null", None),
            ("\"12\"", None),
            ("[12]", None),
            ("{}", None),
        ] {
            assert_eq!(serde_json::from_str::<Count>(text).unwrap().0, expected, "{text}");
        }
    }
}
