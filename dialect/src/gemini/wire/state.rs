//! What stands in a part's `thoughtSignature`.
//!
//! Google's SDKs take it for bytes in base64 and fail upon anything else, so another
//! provider's state is wrapped once more. Some clients throw thoughts away and keep all
//! other parts: a state therefore stands on the part that follows its thought.

use crate::inline;
use crate::{chat::Opaque, translate};
use domain::catalog::Dialect;

/// What Google documents to send in place of a signature that is lost.
pub(crate) const LOST: &str = "skip_thought_signature_validator";

/// Stands for a lost signature too.
const LOST_TOO: &str = "context_engineering_is_the_way_to_go";

/// Marks the state of a thought of which nothing may be read.
const REDACTED: &str = "r:";

/// Marks what [`translate::seal`] wrote.
const SEALED: &str = "slc1.";

/// What a signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The state.
    pub(crate) opaque: Opaque,
    /// Whether the thought is hidden in it.
    pub(crate) redacted: bool,
}

impl State {
    /// Whether it is Google's own, which belongs to the part on which it stands.
    pub(crate) fn is_own(&self) -> bool {
        self.opaque.origin == Dialect::Gemini
    }
}

/// What to write for a caller.
pub(crate) fn write(opaque: &Opaque, redacted: bool) -> String {
    if opaque.origin == Dialect::Gemini {
        return opaque.data.clone();
    }
    let mark = if redacted { REDACTED } else { "" };
    inline::encoded(format!("{mark}{}", translate::seal(opaque, Dialect::Gemini)).as_bytes())
}

/// What a caller sent back; `None`: it stands for nothing.
pub(crate) fn read(text: &str) -> Option<State> {
    if matches!(text, "" | LOST | LOST_TOO) {
        return None;
    }
    let sealed = inline::decoded(text).and_then(|it| String::from_utf8(it).ok());
    let sealed = sealed.unwrap_or_else(|| text.to_owned());
    let bare = sealed.strip_prefix(REDACTED);
    let (redacted, bare) = (bare.is_some(), bare.unwrap_or(&sealed));
    if bare.starts_with(SEALED) {
        let opaque = translate::open(bare, Dialect::Gemini);
        if opaque.origin != Dialect::Gemini {
            return Some(State { opaque, redacted });
        }
    }
    let opaque = Opaque { origin: Dialect::Gemini, data: text.to_owned() };
    Some(State { opaque, redacted: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_state_comes_back_through_base64() {
        for origin in Dialect::ALL {
            for redacted in [false, true] {
                let opaque = Opaque { origin, data: "Eu.Y/+x==".to_owned() };
                let text = write(&opaque, redacted);
                let state = read(&text).unwrap();
                assert_eq!(state.opaque, opaque);
                let is_own = origin == Dialect::Gemini;
                assert_eq!(state.redacted, redacted && !is_own);
                assert!(is_own || inline::decoded(&text).is_some(), "SDKs decode it");
                // Python's SDK sends it back in the other alphabet.
                let other = text.replace('+', "-").replace('/', "_");
                assert!(is_own || read(&other) == Some(state));
            }
        }
    }

    #[test]
    fn what_stands_for_a_lost_one_is_none() {
        for text in ["", LOST, LOST_TOO] {
            assert_eq!(read(text), None);
        }
        assert_eq!(read("c2xjMS5ub2JvZHkueA==").map(|it| it.is_own()), Some(true));
    }
}
