//! What an answer's form depends on and only the request says.

use crate::{chat, json::Json, translate::Thread};
use serde_json::Value;
use std::collections::BTreeSet;

/// Where it travels among the request's own fields.
const FUNCTIONS: &str = "functions";
const CUSTOM: &str = "tools.custom";

/// What the caller has asked with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// With `functions`, so that a call is a `function_call`.
    pub(super) functions: bool,
    /// The names of its tools that take free text.
    pub(super) custom: BTreeSet<String>,
}

impl Asked {
    /// What came with the request of this thread.
    pub(super) fn of(thread: &Thread) -> Self {
        let find = |name| thread.echo.iter().find(|(key, _)| key == name).map(|(_, it)| it);
        let names = |it: &Json| serde_json::from_str(it.as_str()).unwrap_or_default();
        Self {
            functions: find(FUNCTIONS).is_some(),
            custom: find(CUSTOM).map(names).unwrap_or_default(),
        }
    }

    /// Gives it along with the request.
    pub(super) fn note(&self, request: &mut chat::Request) {
        if self.functions {
            request.echo.push((FUNCTIONS.to_owned(), Json::empty_object()));
        }
        if !self.custom.is_empty() {
            let names = Json::of(&self.custom.iter().map(String::as_str).collect::<Value>());
            request.echo.push((CUSTOM.to_owned(), names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_with_is_known_when_the_answer_comes() {
        for asked in [
            Asked::default(),
            Asked { functions: true, custom: BTreeSet::new() },
            Asked { functions: false, custom: ["a\"", "b"].map(str::to_owned).into() },
        ] {
            let mut request = chat::Request::default();
            asked.note(&mut request);
            let thread = Thread { echo: request.echo, ..Thread::default() };
            assert_eq!(Asked::of(&thread), asked);
        }
    }
}
