//! How deep a JSON text is nested. serde_json skips values that nobody reads
//! without recursion, and so without a limit; a provider's parser may recurse.

use crate::count::count;

/// The deepest nesting that is let through, the outermost object counted.
pub const MAX_DEPTH: usize = 128;

/// Walks over the text from string to string, unless it has too few brackets anyway.
///
/// # Errors
/// The offset of the first bracket that opens one level too many.
pub(super) fn check(text: &[u8]) -> Result<(), usize> {
    if count(text, |it| matches!(it, b'{' | b'[')) <= MAX_DEPTH as u64 {
        return Ok(());
    }
    let mut depth = 0usize;
    let mut at = 0usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at.saturating_add(1)),
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                if depth > MAX_DEPTH {
                    return Err(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = at.saturating_add(1);
    }
    Ok(())
}

/// Where the closing quote of the string stands whose content starts at `from`;
/// the text's end if there is none.
pub(super) fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(rest) = text.get(at..) {
        let Some(found) = memchr::memchr2(b'"', b'\\', rest) else { break };
        if rest.get(found) == Some(&b'"') {
            return at.saturating_add(found);
        }
        // A backslash, and what it escapes.
        at = at.saturating_add(found).saturating_add(2);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_and_the_place_is_said() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(check(nested(MAX_DEPTH + 1).as_bytes()), Err(MAX_DEPTH));
    }

    #[test]
    fn brackets_in_strings_and_side_by_side_are_not_nesting() {
        let text = format!(r#"{{"a":"{}\"{}","b":{}}}"#, "[".repeat(500), "{".repeat(500), "[[]]");
        assert_eq!(check(text.as_bytes()), Ok(()));
        assert_eq!(check("[],".repeat(1_000).as_bytes()), Ok(()));
    }

    #[test]
    fn broken_strings_end_with_the_text() {
        for text in [r#"""#, r#""\"#, r#""\""#, r#"{"a\"#, r#""abc"#] {
            // With so many brackets that the text is really walked over.
            let text = format!("{}{text}", "[],".repeat(MAX_DEPTH));
            assert_eq!(check(format!("[{text}").as_bytes()), Ok(()), "{text}");
        }
    }
}
