//! Identifiers: one type and one text prefix per kind of thing.
//!
//! The text form is `prefix_` and 32 lowercase hexadecimal digits of a UUIDv7,
//! so that ids sort by age and a pasted id says what it is.

use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind} id: expected `{prefix}` followed by 32 hexadecimal digits")]
pub struct InvalidId {
    /// What was given.
    pub text: String,
    /// The kind that was wanted, with its article.
    pub kind: &'static str,
    /// The prefix that the kind carries.
    pub prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind starts with in text.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID made at the edge (UUIDv7, so that ids sort by age).
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, for storage.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid =
                    || InvalidId { text: text.to_owned(), kind: $kind, prefix: $prefix };
                let digits = text.strip_prefix($prefix).ok_or_else(invalid)?;
                if digits.len() != 32 {
                    return Err(invalid());
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| invalid())
            }
        }
    };
}

id!(
    /// An account: one credentialed seat at a provider.
    AccountId, "acct_", "an account"
);
id!(
    /// A virtual key that we issued.
    KeyId, "key_", "a virtual key"
);
id!(
    /// A team, who owns keys.
    TeamId, "team_", "a team"
);
id!(
    /// One request of a caller, whatever number of attempts it takes.
    RequestId, "req_", "a request"
);
id!(
    /// A limit that an operator set.
    LimitId, "lim_", "a limit"
);
id!(
    /// One proxy, kept over restarts of its process.
    ProxyId, "prx_", "a proxy"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_round_trips(bits: u128) {
            let id = AccountId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused_and_both_are_named() {
        let key = KeyId::from_uuid(Uuid::from_u128(7)).to_string();
        let error = key.parse::<AccountId>().unwrap_err().to_string();
        assert!(error.contains("an account id") && error.contains("key_"), "{error}");
    }

    #[test]
    fn hyphens_braces_and_wrong_lengths_are_refused() {
        for digits in
            ["", "12", "00000000-0000-0000-0000-000000000000", "{0000000000000000000000000000000}"]
        {
            assert!(format!("acct_{digits}").parse::<AccountId>().is_err(), "{digits}");
        }
    }
}
