//! Undoes `content-encoding` of a request's body, within a bound: what is small on the wire
//! may be huge.

use crate::http::refusal::Refusal;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use ruzstd::decoding::{StreamingDecoder, errors::FrameDecoderError};
use std::io::{self, Read};

/// The window that small bodies may have, too, in bytes: packers that do not know a body's
/// length choose it large, and every reader shall have this much (RFC 8878, 3.1.1.1.2).
const USUAL_WINDOW: u64 = 8 << 20;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Deflate,
    Zstd,
}

/// What the headers say of it.
///
/// # Errors
/// [`Refusal::Encoding`]: an encoding that we do not read, or more than one.
pub(super) fn of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = said.next() else { return Ok(Encoding::Plain) };
    let known: [(&[u8], _); 5] = [
        (b"identity", Encoding::Plain),
        (b"gzip", Encoding::Gzip),
        (b"x-gzip", Encoding::Gzip),
        (b"deflate", Encoding::Deflate),
        (b"zstd", Encoding::Zstd),
    ];
    let found = known.iter().find(|(name, _)| first.as_bytes().eq_ignore_ascii_case(name));
    match (found, said.next()) {
        (Some((_, encoding)), None) => Ok(*encoding),
        _ => {
            let encoding = String::from_utf8_lossy(first.as_bytes()).chars().take(40).collect();
            Err(Refusal::Encoding { encoding })
        }
    }
}

/// The body as it was before it was packed.
///
/// # Errors
/// [`Refusal::TooLarge`] when it is longer than `max` bytes; [`Refusal::Garbled`] when it is
/// not what its header says.
pub(super) fn unpacked(packed: Bytes, encoding: Encoding, max: usize) -> Result<Bytes, Refusal> {
    match encoding {
        Encoding::Plain => Ok(packed),
        Encoding::Gzip => within(MultiGzDecoder::new(&*packed), max),
        // Some send it with zlib's frame, as the RFC says, and some without.
        Encoding::Deflate => match within(ZlibDecoder::new(&*packed), max) {
            Err(Refusal::Garbled) => within(DeflateDecoder::new(&*packed), max),
            other => other,
        },
        Encoding::Zstd => {
            // Room for the window is made before anything is unpacked.
            let window = u64::try_from(max).unwrap_or(u64::MAX).max(USUAL_WINDOW);
            let opened = StreamingDecoder::new_with_max_window_size(&*packed, window);
            let decoder = opened.map_err(|error| {
                if matches!(error, FrameDecoderError::WindowSizeTooBig { .. }) {
                    return Refusal::TooLarge { max_bytes: max };
                }
                Refusal::Garbled
            })?;
            within(decoder, max)
        }
    }
}

fn within(from: impl Read, max: usize) -> Result<Bytes, Refusal> {
    let mut whole = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read: io::Result<_> = from.take(bound).read_to_end(&mut whole);
    match read {
        Ok(_) if max < whole.len() => Err(Refusal::TooLarge { max_bytes: max }),
        Ok(_) => Ok(whole.into()),
        Err(_) => Err(Refusal::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;
    use std::io::Write as _;

    const TEXT: &[u8] = br#"{"model":"m","messages":[]}"#;

    fn gzip(text: &[u8]) -> Bytes {
        let mut writer = GzEncoder::new(Vec::new(), Compression::best());
        writer.write_all(text).unwrap();
        writer.finish().unwrap().into()
    }

    /// Bug 44 of the list: bodies that Codex sends compressed were not unpacked.
    #[test]
    fn every_encoding_that_clients_use_is_undone() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(TEXT).unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, level);
        for (packed, encoding) in [
            (Bytes::from_static(TEXT), Encoding::Plain),
            (gzip(TEXT), Encoding::Gzip),
            (zlib.finish().unwrap().into(), Encoding::Deflate),
            (raw.finish().unwrap().into(), Encoding::Deflate),
            (zstd.into(), Encoding::Zstd),
        ] {
            let body = unpacked(packed, encoding, 100).unwrap();
            assert_eq!(&*body, TEXT, "{encoding:?}");
        }
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_does() {
        let bomb = gzip(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < 100_000);
        let refused = unpacked(bomb, Encoding::Gzip, 1_000).unwrap_err();
        assert!(matches!(refused, Refusal::TooLarge { max_bytes: 1_000 }), "{refused}");
        assert_eq!(unpacked(gzip(&[b' '; 1_000]), Encoding::Gzip, 1_000).unwrap().len(), 1_000);
    }

    /// A zstd frame that holds nothing, behind a window of these bits.
    fn windowed(log: u8) -> Bytes {
        let mut frame = 0xFD2F_B528_u32.to_le_bytes().to_vec();
        // No content size, no checksum; the window; one last raw block of no bytes.
        frame.extend([0, (log - 10) << 3, 1, 0, 0]);
        frame.into()
    }

    #[test]
    fn a_zstd_window_is_within_the_bound_or_the_usual() {
        let open = |log, max| unpacked(windowed(log), Encoding::Zstd, max);
        assert_eq!(open(23, 1_000).unwrap().len(), 0);
        for (log, max) in [(24, 1_000), (26, 33_554_432)] {
            let refused = open(log, max).unwrap_err();
            assert!(matches!(refused, Refusal::TooLarge { .. }), "{log}: {refused}");
        }
        assert_eq!(open(25, 33_554_432).unwrap().len(), 0);
    }

    #[test]
    fn a_zstd_bomb_is_refused_before_it_is_unpacked() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let bomb = ruzstd::encoding::compress_to_vec(&*vec![b' '; 50_000_000], level);
        assert!(bomb.len() < 1_000_000);
        let refused = unpacked(bomb.into(), Encoding::Zstd, 1_000).unwrap_err();
        assert!(matches!(refused, Refusal::TooLarge { max_bytes: 1_000 }), "{refused}");
    }

    #[test]
    fn what_is_not_packed_as_it_says_is_refused() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let refused = unpacked(Bytes::from_static(b"{}"), encoding, 100).unwrap_err();
            assert!(matches!(refused, Refusal::Garbled), "{encoding:?}: {refused}");
        }
        let whole = gzip(TEXT);
        let torn = whole.slice(..whole.len() - 5);
        assert!(matches!(unpacked(torn, Encoding::Gzip, 100), Err(Refusal::Garbled)));
    }

    #[test]
    fn unknown_encodings_are_named() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers).unwrap(), Encoding::Plain);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("GZip"));
        assert_eq!(of(&headers).unwrap(), Encoding::Gzip);
        headers.append(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        assert!(matches!(of(&headers), Err(Refusal::Encoding { .. })));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        assert!(of(&headers).unwrap_err().to_string().contains("br"));
    }
}
