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

/// What is taken for a token where too few would be worse than too many, in bytes.
const RESERVED_BYTES: u64 = 3;

/// The tokens of a raw JSON value. Linear, and keeps nothing.
pub(super) fn of_raw(raw: &str) -> u64 {
    let (mut ascii, mut others) = (0u64, 0u64);
    let blobs = walk(raw, |part| {
        let (more_ascii, more_others) = count_chars(part);
        ascii = ascii.saturating_add(more_ascii);
        others = others.saturating_add(more_others);
    });
    estimate(ascii, others).saturating_add(blobs.saturating_mul(BLOB_TOKENS))
}

/// The same on the high side.
pub(super) fn reserve_of_raw(raw: &str) -> u64 {
    let mut bytes = 0u64;
    let blobs = walk(raw, |part| bytes = bytes.saturating_add(part.len() as u64));
    bytes.div_ceil(RESERVED_BYTES).saturating_add(blobs.saturating_mul(BLOB_TOKENS))
}

/// Goes over all that is text, and gives the number of files.
fn walk(raw: &str, mut add: impl FnMut(&[u8])) -> u64 {
    let text = raw.as_bytes();
    let mut blobs = 0u64;
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
    blobs
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
    fn what_is_set_aside_is_a_third_of_the_bytes_and_images_flat() {
        assert_eq!(reserve_of_raw(r#""a""#), 1);
        assert_eq!(reserve_of_raw(&format!(r#""{}""#, "x".repeat(300))), 101);
        // One token a character, as most scripts beyond ASCII have it.
        assert_eq!(reserve_of_raw(&format!(r#""{}""#, "你".repeat(300))), 301);
        let image = format!(r#""data:image/png;base64,{}""#, "iVBORw0KGgo".repeat(100_000));
        assert_eq!(reserve_of_raw(&image), 1_001);
        for text in [r#""hello world, this is a test""#, r#"[{"role":"user"}]"#, "[1,2,3]"] {
            assert!(of_raw(text) <= reserve_of_raw(text), "{text}");
        }
    }

    #[test]
    fn a_guess_is_never_zero_for_some_text() {
        assert_eq!(of_raw(r#""a""#), 1);
        assert_eq!(of_raw(r#""你好""#), 3);
        assert!(of_raw("[1,2,3]") > 0);
        assert_eq!(of_raw(r#""broken"#), 2);
    }
}
