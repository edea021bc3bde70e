//! State of thoughts and calls in `encrypted_content`, the one slot that callers send back.
//!
//! Other providers' states come in kinds that have to be told apart when they return: that
//! of a readable thought, that of a hidden one, that of a call. The kind stands behind the
//! sealed state, where no base64 can be taken for it.

use crate::{
    chat::Opaque,
    translate::{open, seal},
};
use domain::catalog::Dialect;

/// What a state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A thought of which something may be read.
    Thought,
    /// A thought that is all hidden in its state.
    Redacted,
    /// The call that follows.
    Call,
}

/// Behind the state of a hidden thought.
const REDACTED: &str = ".redacted";
/// Behind the state of a call.
const CALL: &str = ".call";

/// What a caller gets to keep.
pub(super) fn to_caller(opaque: &Opaque, kind: Kind) -> String {
    let mut slot = seal(opaque, Dialect::OpenAiResponses);
    if opaque.origin != Dialect::OpenAiResponses {
        slot.push_str(match kind {
            Kind::Thought => "",
            Kind::Redacted => REDACTED,
            Kind::Call => CALL,
        });
    }
    slot
}

/// What a caller has kept.
pub(super) fn from_caller(slot: &str) -> (Opaque, Kind) {
    let mut opaque = open(slot, Dialect::OpenAiResponses);
    let mut kind = Kind::Thought;
    if opaque.origin != Dialect::OpenAiResponses {
        for (mark, it) in [(REDACTED, Kind::Redacted), (CALL, Kind::Call)] {
            if let Some(data) = opaque.data.strip_suffix(mark) {
                (opaque.data, kind) = (data.to_owned(), it);
                break;
            }
        }
    }
    (opaque, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_any_kind_comes_back_as_it_went() {
        for origin in Dialect::ALL.into_iter().filter(|it| *it != Dialect::OpenAiResponses) {
            for kind in [Kind::Thought, Kind::Redacted, Kind::Call] {
                let opaque = Opaque { origin, data: "Eq.RedaCtEd/+=".to_owned() };
                assert_eq!(from_caller(&to_caller(&opaque, kind)), (opaque, kind));
            }
        }
    }

    #[test]
    fn the_dialects_own_state_is_not_touched() {
        for data in ["gAAAAAB", "gAAAAAB.call", "slc1.nobody.x.redacted", ""] {
            let opaque = Opaque { origin: Dialect::OpenAiResponses, data: data.to_owned() };
            assert_eq!(to_caller(&opaque, Kind::Redacted), data);
            assert_eq!(from_caller(data), (opaque, Kind::Thought));
        }
    }
}
