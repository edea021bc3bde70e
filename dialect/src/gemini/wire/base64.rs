//! Base64 in both alphabets: Google's SDKs write either, other dialects only the standard
//! one.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in the standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4u32 {
            let digit = (bits >> (18 - 6 * place)) & 0x3f;
            let is_told = place <= group.len() as u32;
            text.push(if is_told { letter(digit) } else { '=' });
        }
    }
    text
}

/// The bytes of a text in either alphabet, padded or not; `None`: it is no base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len().div_ceil(4).saturating_mul(3));
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text {
        if matches!(byte, b'\r' | b'\n') {
            continue;
        }
        bits = (bits << 6) | digit(*byte)?;
        count += 6;
        if 8 <= count {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // Six bits are left of a letter too many.
    (count < 6).then_some(bytes)
}

/// The same bytes in the standard alphabet, padded; `None`: it is no base64.
pub(crate) fn standard(text: String) -> Option<String> {
    let bare = text.trim_end_matches('=');
    let is_standard = |it: u8| digit(it).is_some() && !matches!(it, b'-' | b'_');
    let clean = bare.bytes().all(is_standard);
    if clean && text.len().is_multiple_of(4) && text.len() - bare.len() < 3 {
        return Some(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(3));
    for byte in bare.bytes().filter(|it| !matches!(it, b'\r' | b'\n')) {
        out.push(letter(digit(byte)?));
    }
    match out.len() % 4 {
        1 => return None,
        2 => out.push_str("=="),
        3 => out.push('='),
        _ => {}
    }
    Some(out)
}

fn letter(digit: u32) -> char {
    ALPHABET.get(digit as usize).copied().map_or('A', char::from)
}

const fn digit(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => letter as u32 - b'A' as u32,
        b'a'..=b'z' => letter as u32 - b'a' as u32 + 26,
        b'0'..=b'9' => letter as u32 - b'0' as u32 + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff\xfe", "+//+"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes));
        }
        assert_eq!(decode("-__-").as_deref(), Some(&b"\xfb\xff\xfe"[..]));
        for wrong in ["A", "AAAAA", "A*==", "ä"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn either_alphabet_becomes_the_standard_one() {
        for (text, standard_text) in [
            ("-__-", Some("+//+")),
            ("Zg", Some("Zg==")),
            ("Zm8", Some("Zm8=")),
            ("Zm8=", Some("Zm8=")),
            ("Zm9v\r\nZm9v", Some("Zm9vZm9v")),
            ("Z", None),
            ("Zg ==", None),
        ] {
            assert_eq!(standard(text.to_owned()).as_deref(), standard_text, "{text}");
        }
    }
}
