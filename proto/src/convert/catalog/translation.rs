//! How much of a request a route lets be adapted.

use super::Invalid;
use crate::admin::v1;
use domain::catalog::Translation;

/// A translation of the wire; unsaid, as every older program leaves it, it is the usual one.
pub(super) fn translation_from(translation: i32) -> Result<Translation, Invalid> {
    match v1::Translation::try_from(translation) {
        Ok(v1::Translation::Unspecified | v1::Translation::Lenient) => Ok(Translation::Lenient),
        Ok(v1::Translation::Strict) => Ok(Translation::Strict),
        Err(_) => {
            Err(Invalid::new("translation", "must be TRANSLATION_LENIENT or TRANSLATION_STRICT"))
        }
    }
}

/// A translation for the wire. The usual one is said, so that who reads a route sees it.
pub(super) const fn translation_to(translation: Translation) -> v1::Translation {
    match translation {
        Translation::Lenient => v1::Translation::Lenient,
        Translation::Strict => v1::Translation::Strict,
    }
}
