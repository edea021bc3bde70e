//! What Bedrock calls the kinds of files. Callers' media types lie now and then, and a
//! picture whose kind is not the one it is said to have is refused.

use crate::inline;

/// The kind of a picture: what its first bytes show or, if they show nothing, what it is
/// said to be. `None`: Bedrock takes no such picture.
pub(super) fn picture(mime: &str, data: &str) -> Option<&'static str> {
    let seen = inline::sniffed(data).filter(|it| it.starts_with("image/"));
    match seen.unwrap_or(&essence(mime)) {
        "image/jpeg" | "image/jpg" => Some("jpeg"),
        "image/png" => Some("png"),
        "image/gif" => Some("gif"),
        "image/webp" => Some("webp"),
        _ => None,
    }
}

/// The kind of a document. `None`: Bedrock reads no such document.
pub(super) fn document(mime: &str, data: &str) -> Option<&'static str> {
    if inline::sniffed(data) == Some("application/pdf") {
        return Some("pdf");
    }
    match essence(mime).as_str() {
        "application/pdf" => Some("pdf"),
        "text/csv" => Some("csv"),
        "application/msword" => Some("doc"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some("docx"),
        "application/vnd.ms-excel" => Some("xls"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Some("xlsx"),
        "text/html" => Some("html"),
        "text/markdown" => Some("md"),
        "application/json" | "application/xml" | "application/yaml" => Some("txt"),
        it if it.starts_with("text/") => Some("txt"),
        _ => None,
    }
}

/// The kind of a sound. `None`: Bedrock hears no such sound.
pub(super) fn sound(mime: &str) -> Option<&'static str> {
    match essence(mime).as_str() {
        "audio/mp3" => Some("mp3"),
        "audio/mpeg" | "audio/mpga" => Some("mpeg"),
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/ogg" => Some("ogg"),
        "audio/opus" => Some("opus"),
        "audio/aac" => Some("aac"),
        "audio/flac" | "audio/x-flac" => Some("flac"),
        "audio/mp4" => Some("mp4"),
        "audio/m4a" | "audio/x-m4a" => Some("m4a"),
        "audio/webm" => Some("webm"),
        "audio/pcm" | "audio/l16" => Some("pcm"),
        _ => None,
    }
}

/// A text as a file.
pub(super) fn encoded(text: &str) -> String {
    inline::encoded(text.as_bytes())
}

fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_bytes_before_words() {
        for (mime, data, kind) in [
            ("image/png", "/9j/4AAQSkZJRg==", Some("jpeg")),
            ("image/jpeg", "iVBORw0KGgoAAAANSUhEUg==", Some("png")),
            ("", "UklGRiQAAABXRUJQVlA4IA==", Some("webp")),
            ("IMAGE/JPG", "AAAA", Some("jpeg")),
            ("image/bmp", "Qk0AAAAA", None),
        ] {
            assert_eq!(picture(mime, data), kind, "{mime} {data}");
        }
        for (mime, data, kind) in [
            ("application/octet-stream", "JVBERi0xLjQ=", Some("pdf")),
            ("text/plain; charset=utf-8", "YQ==", Some("txt")),
            ("text/markdown", "YQ==", Some("md")),
            ("application/zip", "YQ==", None),
        ] {
            assert_eq!(document(mime, data), kind, "{mime}");
        }
        assert_eq!((sound("audio/x-wav"), sound("audio/midi")), (Some("wav"), None));
    }
}
