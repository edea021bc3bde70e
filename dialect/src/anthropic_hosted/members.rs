//! Where the members of a JSON object stand in its bytes.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A member: from the quote of its key to the end of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// The key, its escapes undone.
    pub(super) key: String,
    /// Where the key begins.
    pub(super) start: usize,
    /// Where the value begins.
    pub(super) value: usize,
    /// Where the value ends.
    pub(super) end: usize,
}

/// The members of the object that `body` is, in their order; `None` if it is none.
pub(super) fn members(body: &[u8]) -> Option<Vec<Member>> {
    let text = std::str::from_utf8(body).ok()?;
    let Pairs(pairs) = serde_json::from_str(text).ok()?;
    let member = |(key, value): (&RawValue, &RawValue)| {
        let name: Cow<'_, str> = serde_json::from_str(key.get()).ok()?;
        let value_at = place_of(text, value.get())?;
        Some(Member {
            key: name.into_owned(),
            start: place_of(text, key.get())?,
            value: value_at,
            end: value_at.checked_add(value.get().len())?,
        })
    };
    pairs.into_iter().map(member).collect()
}

/// Where a piece that is borrowed from `text` stands in it.
fn place_of(text: &str, piece: &str) -> Option<usize> {
    let at = piece.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    text.get(at..)?.starts_with(piece).then_some(at)
}

/// Keys and values as they are written.
struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}
