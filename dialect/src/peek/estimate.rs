//! Guesses tokens from raw JSON text.

use super::depth::string_end;
use crate::count::count_chars;
use domain::tokens::estimate;

/// What an image or another file may cost; providers charge by its size, not by its bytes.
const BLOB_TOKENS: u64 = 1_000;
/// Shorter strings are never taken for files, in bytes.
const BLOB_LEN: usize = 1_024;
/// The part of a long string that is looked at; it starts behind a `data:` URL's head.
const BLOB_SAMPLE: std::ops::Range<usize> = 128..640;

/// The tokens of a raw JSON value. Linear, and keeps nothing.
pub(super) fn of_raw(raw: &str) -> u64 {
    let text = raw.as_bytes();
    let (mut ascii, mut others, mut blobs) = (0u64, 0u64, 0u64);
    let mut add = |part: &[u8]| {
        let (more_ascii, more_others) = count_chars(part);
        ascii = ascii.saturating_add(more_ascii);
        others = others.saturating_add(more_others);
    };
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(quote) = memchr::memchr(b'"', rest) else {
            add(rest);
            break;
        };
        let from = at.saturating_add(quote).saturating_add(1);
        let end = string_end(text, from);
        let content = text.get(from..end).unwrap_or_default();
        add(text.get(at..from).unwrap_or_default());
        if is_blob(content) {
            blobs = blobs.saturating_add(1);
        } else {
            add(content);
        }
        at = end.saturating_add(1);
    }
    estimate(ascii, others).saturating_add(blobs.saturating_mul(BLOB_TOKENS))
}

fn is_blob(content: &[u8]) -> bool {
    let base64 = |it: &u8| it.is_ascii_alphanumeric() || b"+/=-_".contains(it);
    content.len() >= BLOB_LEN
        && content.get(BLOB_SAMPLE).is_some_and(|sample| sample.iter().all(base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_counts_by_its_length_and_images_do_not() {
        let words = "lorem ipsum ".repeat(1_000);
        let text = of_raw(&format!(r#"[{{"content":"{words}"}}]"#));
        assert!((3_000..3_020).contains(&text), "{text}");
        let image = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(100_000));
        let with_image = of_raw(&format!(r#"[{{"image_url":"{image}"}}]"#));
        assert!((1_000..1_020).contains(&with_image), "{with_image}");
    }

    #[test]
    fn a_guess_is_never_zero_for_some_text() {
        assert_eq!(of_raw(r#""a""#), 1);
        assert_eq!(of_raw(r#""你好""#), 3);
        assert!(of_raw("[1,2,3]") > 0);
        assert_eq!(of_raw(r#""broken"#), 2);
    }
}
