//! Wildcard patterns over model names: `gpt-*`, `*-mini`, `*`.

use std::{fmt, str::FromStr};

/// A text in which `*` stands for any run of characters, the empty one included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a model name or pattern: use 1 to 200 printable characters without spaces")]
pub struct InvalidPattern(pub String);

impl Pattern {
    /// The longest pattern, in bytes.
    pub const MAX_LEN: usize = 200;

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern has a `*`; without one it matches just itself.
    pub fn is_wildcard(&self) -> bool {
        self.0.contains('*')
    }

    /// How many characters of a name the pattern fixes: the more, the more specific.
    pub fn fixed_len(&self) -> usize {
        self.0.chars().filter(|it| *it != '*').count()
    }

    /// Whether `name` is one of those that the pattern describes.
    ///
    /// Greedy matching of the pieces between the stars from left to right is
    /// exact for patterns with only `*`, and linear in `name` for each piece.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return *self.0 == *name;
        };
        let Some(mut left) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for piece in middle.split('*').filter(|it| !it.is_empty()) {
            let Some(at) = left.find(piece) else { return false };
            left = left.get(at.saturating_add(piece.len())..).unwrap_or("");
        }
        left.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len())
            && !text.chars().any(|it| it.is_whitespace() || it.is_control());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPattern(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                naive(rest, name)
                    || name.split_first().is_some_and(|(_, left)| naive(pattern, left))
            }
            (Some((a, rest)), Some((b, left))) => a == b && naive(rest, left),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_matcher(pattern in "[ab*]{1,7}", name in "[ab]{0,8}") {
            let parsed: Pattern = pattern.parse().unwrap();
            prop_assert_eq!(parsed.matches(&name), naive(pattern.as_bytes(), name.as_bytes()));
        }
    }

    #[test]
    fn a_star_matches_the_empty_run_too() {
        let pattern: Pattern = "gpt-*".parse().unwrap();
        assert!(pattern.matches("gpt-") && pattern.matches("gpt-4o") && !pattern.matches("gp"));
    }
}
