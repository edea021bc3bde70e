//! Items of a conversation that are not sent, but named: a provider has them.

use super::read::Text;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Whether one of the items in `input`, raw JSON, is a reference. Whoever reads an item's
/// type twice may take either.
pub(super) fn has_reference(input: &str) -> bool {
    let items: Option<Vec<&RawValue>> = serde_json::from_str(input).ok();
    let read = |it: &RawValue| serde_json::from_str(it.get()).unwrap_or_default();
    items.unwrap_or_default().into_iter().map(read).any(|it: Item| it.is_reference())
}

/// The little of an item that says what it is.
#[derive(Default)]
struct Item {
    is_object: bool,
    named: bool,
    typed: bool,
    has_role: bool,
}

impl Item {
    /// A reference may leave out its type, and so may a message, which has a role.
    const fn is_reference(&self) -> bool {
        self.named || self.is_object && !self.typed && !self.has_role
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Item, M::Error> {
                let mut item = Item { is_object: true, ..Item::default() };
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "type" => {
                            let kind: &RawValue = map.next_value()?;
                            let kind: Option<Text<'_>> =
                                serde_json::from_str(kind.get()).unwrap_or_default();
                            item.typed |= kind.is_some();
                            item.named |= kind.is_some_and(|it| it.0 == "item_reference");
                        }
                        "role" => {
                            item.has_role |= map.next_value::<Option<IgnoredAny>>()?.is_some()
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(item)
            }
        }
        deserializer.deserialize_map(Items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_however_they_are_written() {
        for input in [
            r#"[{"type":"item_reference","id":"rs_1"}]"#,
            r#"[{"role":"user","content":"hi"},{"id":"msg_1"}]"#,
            r#"[{"id":"msg_1","type":null,"role":null}]"#,
            r#"[{"t\u0079pe":"item\u005freference","id":"x"}]"#,
            r#"[{"type":"message","type":"item_reference","role":"user","id":"x"}]"#,
        ] {
            assert!(has_reference(input), "{input}");
        }
        for input in [
            r#""item_reference""#,
            "[]",
            r#"[{"role":"user","content":"item_reference"}]"#,
            r#"[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}]"#,
            r#"[{"type":"message","role":"user","content":[{"type":"item_reference"}]}]"#,
        ] {
            assert!(!has_reference(input), "{input}");
        }
    }
}
