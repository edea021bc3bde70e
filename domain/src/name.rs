//! Names that operators choose.

use std::{fmt, str::FromStr, sync::Arc};

/// The name of a provider, account, team or virtual key: 1 to 63 characters,
/// lowercase letters, digits, `-`, `_` and `.`, starting with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 63 lowercase letters, digits, `-`, `_` or `.`, starting with a letter or digit"
)]
pub struct InvalidName(pub String);

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let head = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        let tail = |it: u8| head(it) || matches!(it, b'-' | b'_' | b'.');
        let fits = text.len() <= Self::MAX_LEN
            && text.bytes().next().is_some_and(head)
            && text.bytes().all(tail);
        if fits { Ok(Self(text.into())) } else { Err(InvalidName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_slugs() {
        for good in ["a", "team-a", "gpt-4.1_x", "0"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "A", "a b", "a/b", "é", "a\n", long.as_str()] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
