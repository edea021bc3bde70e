//! Bytes that travel within a text: base64 as callers and providers spell it, and `data:`
//! addresses that hold it.

use base64::{
    Engine,
    alphabet::STANDARD as LETTERS,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use std::borrow::Cow;

/// A `data:` address taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inline<'a> {
    /// The media type; empty if it says none.
    pub(crate) mime: &'a str,
    /// What follows the comma.
    pub(crate) base64: &'a str,
}

impl<'a> Inline<'a> {
    /// Takes an address apart; `None`: it is none, or not in base64.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let (head, base64) = url.trim_start().split_once(',')?;
        let (scheme, head) = head.split_at_checked(5)?;
        let (parameters, encoding) = head.rsplit_once(';')?;
        let is_it =
            scheme.eq_ignore_ascii_case("data:") && encoding.trim().eq_ignore_ascii_case("base64");
        let mime = parameters.split(';').next().unwrap_or_default().trim();
        is_it.then_some(Self { mime, base64 })
    }
}

/// Whether an address holds what it leads to.
pub(crate) fn is_data_url(url: &str) -> bool {
    let scheme = url.trim_start().split_at_checked(5).map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| it.eq_ignore_ascii_case("data:"))
}

/// Padded or not, and whatever is left in the last letter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &LETTERS,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `bytes` in the standard alphabet, padded.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a text, however it is spelled; `None`: it is no base64.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(standard(text)?).ok()
}

/// The same bytes in the standard alphabet, padded and without blanks; `None` for what is
/// no base64. Some callers write the alphabet for addresses, leave out the padding, or break
/// lines.
pub(crate) fn standard<'a>(text: impl Into<Cow<'a, str>>) -> Option<String> {
    let text = text.into();
    let bare = text.trim_end_matches('=');
    let is_standard = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
    let padding = text.len().saturating_sub(bare.len());
    if text.len().is_multiple_of(4) && padding < 3 && bare.bytes().all(is_standard) {
        return Some(text.into_owned());
    }
    let mut out = String::with_capacity(text.len().saturating_add(2));
    let mut padded = false;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'=' => padded = true,
            _ if padded => return None,
            b'-' => out.push('+'),
            b'_' => out.push('/'),
            b'+' | b'/' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => out.push(char::from(byte)),
            _ => return None,
        }
    }
    match out.len() % 4 {
        0 => {}
        2 => out.push_str("=="),
        3 => out.push('='),
        _ => return None,
    }
    Some(out)
}

/// Whether this is the name of a media type, perhaps with parameters: two words of the signs
/// that RFC 9110 has for them, since it is written into addresses.
pub(crate) fn is_media_type(mime: &str) -> bool {
    let is_word = |it: &str| {
        let is_sign = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        !it.is_empty() && it.bytes().all(is_sign)
    };
    let (name, parameters) = mime.split_once(';').unwrap_or((mime, ""));
    let is_plain = parameters.bytes().all(|it| matches!(it, b' '..=b'~') && it != b',');
    is_plain && name.trim().split_once('/').is_some_and(|(one, two)| is_word(one) && is_word(two))
}

/// What the first bytes say that it is, of the few types that models take.
pub(crate) fn sniffed(base64: &str) -> Option<&'static str> {
    /// The beginnings, in base64: whole groups of three bytes, or as much as is sure.
    const KNOWN: [(&str, &str); 4] = [
        ("iVBORw0KGg", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("JVBERi", "application/pdf"),
    ];
    let known = KNOWN.iter().find(|(start, _)| base64.starts_with(start)).map(|(_, mime)| *mime);
    // `RIFF`, four bytes of length, `WEBP`: of the last the group `EBP` can be seen.
    let is_webp = base64.starts_with("UklGR") && base64.get(12..16) == Some("RUJQ");
    known.or(is_webp.then_some("image/webp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_addresses_are_taken_apart() {
        let parsed = |url| Inline::parse(url).map(|it| (it.mime, it.base64));
        assert_eq!(parsed("data:image/png;base64,AAAA"), Some(("image/png", "AAAA")));
        assert_eq!(parsed("DATA:text/plain;charset=utf-8;BASE64,QQ"), Some(("text/plain", "QQ")));
        assert_eq!(parsed("data:;base64,"), Some(("", "")));
        for url in ["data:text/plain,hi", "https://x/;base64,QQ", "data:", "dätä:;base64,", ""] {
            assert_eq!(parsed(url), None, "{url}");
        }
    }

    #[test]
    fn every_spelling_of_the_same_bytes_becomes_one() {
        for text in ["+/8=", "-_8", "-_8=", " +/\n8= ", "+/8"] {
            assert_eq!(standard(text).as_deref(), Some("+/8="), "{text}");
        }
        for text in ["A", "AA=A", "ä", "A*AA", "AAAAA"] {
            assert_eq!(standard(text), None, "{text}");
        }
        for text in ["", "Zg==", "Zm8=", "Zm9v"] {
            assert_eq!(standard(text).as_deref(), Some(text));
        }
        assert_eq!(standard("Zg ==").as_deref(), Some("Zg=="));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff\xfe", "+//+"),
        ] {
            assert_eq!(encoded(bytes), text);
            assert_eq!(decoded(text).as_deref(), Some(bytes));
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Some(bytes));
        }
        assert_eq!(decoded("-__-").as_deref(), Some(&b"\xfb\xff\xfe"[..]));
        // The last letter says more than there are bytes.
        assert_eq!(decoded("Zh").as_deref(), Some(&b"f"[..]));
        for wrong in ["A", "AAAAA", "A*==", "ä"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn media_types_are_two_words() {
        for mime in ["image/png", "text/plain; charset=utf-8", "application/vnd.a+json", "x/y "] {
            assert!(is_media_type(mime), "{mime}");
        }
        for mime in ["", "png", "/", "im,ge/png", "image/p ng", "image/png;a,b", "image/pn\ng"] {
            assert!(!is_media_type(mime), "{mime}");
        }
    }

    #[test]
    fn types_are_known_by_their_first_bytes() {
        for (base64, mime) in [
            ("iVBORw0KGgoAAAANSUhEUg", Some("image/png")),
            ("/9j/4AAQSkZJRg", Some("image/jpeg")),
            ("R0lGODlhAQABAIAAAAUEBA", Some("image/gif")),
            ("UklGRiIAAABXRUJQVlA4IBYAAAAw", Some("image/webp")),
            ("UklGRiQAAABXQVZFZm10IBAA", None),
            ("JVBERi0xLjQK", Some("application/pdf")),
            ("aGk=", None),
            ("", None),
        ] {
            assert_eq!(sniffed(base64), mime, "{base64}");
        }
    }
}
