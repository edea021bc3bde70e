//! What kind of file some base64 holds. Callers' media types lie now and then, and
//! Anthropic refuses a picture whose type is not the one it is said to have.

/// The media types of pictures that Anthropic takes.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// The media type of a PDF.
pub(super) const PDF: &str = "application/pdf";

/// The type that Anthropic takes this picture for: the one its first bytes show or, if
/// they show none, the one it is said to have. `None`: Anthropic does not take it.
pub(super) fn picture(mime: &str, data: &str) -> Option<&'static str> {
    sniffed(data).or_else(|| {
        let mime = if mime.eq_ignore_ascii_case("image/jpg") { "image/jpeg" } else { mime };
        PICTURES.into_iter().find(|it| it.eq_ignore_ascii_case(mime))
    })
}

fn sniffed(data: &str) -> Option<&'static str> {
    // The bytes that the formats begin with, in base64.
    let begins = |start| data.starts_with(start);
    match () {
        () if begins("/9j/") => Some("image/jpeg"),
        () if begins("iVBORw0KGg") => Some("image/png"),
        () if begins("R0lGOD") => Some("image/gif"),
        // `RIFF`, four bytes of size, `WEBP`.
        () if begins("UklGR") && data.get(11..16) == Some("XRUJQ") => Some("image/webp"),
        () => None,
    }
}

/// Whether this is a PDF, by what it says or by its first bytes.
pub(super) fn is_pdf(mime: &str, data: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    mime.eq_ignore_ascii_case(PDF) || data.starts_with("JVBERi")
}

/// The text that base64 of this media type holds, if it is a text.
pub(super) fn text(mime: &str, data: &str) -> Option<String> {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text = mime.starts_with("text/")
        || ["application/json", "application/xml", "application/yaml"].contains(&mime.as_str());
    if is_text { String::from_utf8(decoded(data)?).ok() } else { None }
}

/// The bytes of some base64, in either alphabet, padded or not.
fn decoded(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in data.trim_end_matches('=').bytes().filter(|it| !it.is_ascii_whitespace()) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_bytes_show() {
        for (mime, data, shown) in [
            ("image/png", "/9j/4AAQSkZJRg==", Some("image/jpeg")),
            ("image/jpeg", "iVBORw0KGgoAAAANSUhEUg==", Some("image/png")),
            ("image/png", "R0lGODlhAQABAIAAAA==", Some("image/gif")),
            ("", "UklGRiQAAABXRUJQVlA4IA==", Some("image/webp")),
            ("image/jpg", "AAAA", Some("image/jpeg")),
            ("IMAGE/WEBP", "AAAA", Some("image/webp")),
            ("image/bmp", "Qk0AAAAA", None),
            ("image/svg+xml", "", None),
        ] {
            assert_eq!(picture(mime, data), shown, "{mime} {data}");
        }
    }

    #[test]
    fn texts_come_out_of_base64() {
        assert_eq!(text("text/plain; charset=utf-8", "SGVsbG8sIOS9oA==").unwrap(), "Hello, 你");
        assert_eq!(text("text/csv", "YSxi\nCg").unwrap(), "a,b\n");
        assert!(text("text/plain", "/9j/4A==").is_none(), "no UTF-8");
        assert!(text("text/plain", "a*b").is_none());
        assert!(text("application/zip", "SGVsbG8=").is_none());
        assert!(is_pdf("application/octet-stream", "JVBERi0xLjQ="));
    }
}
