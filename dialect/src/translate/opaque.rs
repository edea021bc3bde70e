//! A provider's opaque state in the opaque slot of another dialect, and back.
//!
//! Signed thoughts have to come back to the provider that signed them, by way of a caller
//! who speaks another dialect. They travel in that dialect's own slot (a `signature`, an
//! `encrypted_content`, a `thoughtSignature`), with a prefix that says whose they are. A
//! state without the prefix is the slot's own dialect's.

use crate::chat::Opaque;
use domain::catalog::Dialect;

/// Marks a state that is not in its own dialect's slot, and the mark's version.
const PREFIX: &str = "slc1.";

/// What to write into the slot of a caller's dialect.
pub fn seal(opaque: &Opaque, slot: Dialect) -> String {
    if opaque.origin == slot {
        opaque.data.clone()
    } else {
        format!("{PREFIX}{}.{}", opaque.origin, opaque.data)
    }
}

/// What stands in the slot of a caller's dialect.
pub fn open(text: &str, slot: Dialect) -> Opaque {
    let marked = text.strip_prefix(PREFIX).and_then(|it| it.split_once('.'));
    let known = marked.and_then(|(name, data)| {
        let origin = Dialect::ALL.into_iter().find(|it| it.as_str() == name)?;
        Some(Opaque { origin, data: data.to_owned() })
    });
    known.unwrap_or_else(|| Opaque { origin: slot, data: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_to_whom_it_is_from_through_any_slot() {
        for origin in Dialect::ALL {
            for slot in Dialect::ALL {
                let opaque = Opaque { origin, data: "Eu.Yx==".to_owned() };
                assert_eq!(open(&seal(&opaque, slot), slot), opaque, "{origin} in {slot}");
            }
        }
    }

    #[test]
    fn what_looks_like_ours_and_is_not_belongs_to_the_slot() {
        for text in ["", "slc1.", "slc1.nobody.x", "slc2.gemini.x", "EqQB"] {
            assert_eq!(open(text, Dialect::Anthropic).origin, Dialect::Anthropic, "{text}");
        }
    }
}
