//! Bytes that travel in base64, and `data:` addresses that hold them.

/// A `data:` address taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inline<'a> {
    /// The media type; empty if it says none.
    pub(super) mime: &'a str,
    /// What follows the comma.
    pub(super) base64: &'a str,
}

impl<'a> Inline<'a> {
    /// Takes an address apart; `None`: it is none, or not in base64.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
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
pub(super) fn is_data_url(url: &str) -> bool {
    let scheme = url.trim_start().split_at_checked(5).map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| it.eq_ignore_ascii_case("data:"))
}

/// The same bytes in the standard alphabet, padded and without blanks; `None` for what is
/// no base64. Some callers write the alphabet for addresses, or leave out the padding.
pub(super) fn normalised(text: &str) -> Option<String> {
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

/// The bytes of a text in the standard alphabet.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.bytes().take_while(|it| *it != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            // The lower eight bits of what is left after the shift are one byte.
            bytes.push((bits >> held & 0xff) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// What the first bytes say that it is, of the few types that models take.
pub(super) fn sniffed(base64: &str) -> Option<&'static str> {
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
            assert_eq!(normalised(text).as_deref(), Some("+/8="), "{text}");
        }
        for text in ["A", "AA=A", "ä", "A*AA", "AAAAA"] {
            assert_eq!(normalised(text), None, "{text}");
        }
        assert_eq!(normalised("").as_deref(), Some(""));
    }

    #[test]
    fn what_is_decoded_is_what_was_encoded() {
        for (text, bytes) in
            [("", ""), ("aA==", "h"), ("aGk=", "hi"), ("aGkg", "hi "), ("w6TDtg==", "äö")]
        {
            assert_eq!(decoded(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decoded("+/8=").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(decoded("a b"), None);
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
