//! How the demo provider counts tokens: exactly, and so that a test can do the same.
//!
//! A token is a word with the blanks before it, at most [`LONGEST`] bytes of it.

use serde_json::Value;

/// The longest token, in bytes.
pub const LONGEST: usize = 16;

/// The text cut into its tokens; put together they are the text.
pub fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut in_word) = (0, false);
    for (at, character) in text.char_indices() {
        let blank = character.is_whitespace();
        let full = at + character.len_utf8() - start > LONGEST;
        if at > start && (full || (blank && in_word)) {
            pieces.push(&text[start..at]);
            start = at;
            in_word = false;
        }
        in_word |= !blank;
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// How many tokens the text is.
pub fn count(text: &str) -> u64 {
    pieces(text).len() as u64
}

/// How many tokens every text in a JSON value is together: the input's count.
pub fn count_all(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 1,
        Value::String(it) => count(it),
        Value::Array(items) => items.iter().map(count_all).sum(),
        Value::Object(fields) => fields.values().map(count_all).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_text() {
        for text in [
            "",
            " ",
            "a",
            "two words",
            "  lead and trail  ",
            "你好，世界 and a-very-long-word-without-blanks",
        ] {
            assert_eq!(pieces(text).concat(), text);
            assert!(pieces(text).iter().all(|it| !it.is_empty() && it.len() <= LONGEST), "{text}");
        }
        assert_eq!(pieces("one two  three"), ["one", " two", "  three"]);
    }
}
