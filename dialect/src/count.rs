//! Counting bytes, quickly.

/// How many of `bytes` satisfy `is`. Small sums in small integers: compilers make
/// vector instructions of that, and not of a sum of `usize`.
pub(crate) fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
    let few = |it: &[u8]| it.iter().fold(0u8, |sum, byte| sum.wrapping_add(u8::from(is(*byte))));
    bytes.chunks(usize::from(u8::MAX)).map(|it| u64::from(few(it))).sum()
}

/// How many ASCII bytes, and how many other characters, a part of a UTF-8 text has.
/// Of a character that is cut only the part with its first byte counts.
pub(crate) fn count_chars(part: &[u8]) -> (u64, u64) {
    let ascii = count(part, |it| it < 0x80);
    if ascii == part.len() as u64 {
        return (ascii, 0);
    }
    // A character's first byte is 0xc2 or more, its others are below 0xc0.
    (ascii, count(part, |it| it >= 0xc0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_texts_are_counted_alike() {
        for len in [0, 1, 254, 255, 256, 510, 1_000] {
            assert_eq!(count(&vec![b'x'; len], |it| it == b'x'), len as u64);
            let text = "aé你\u{1f600}".repeat(len);
            assert_eq!(count_chars(text.as_bytes()), (len as u64, 3 * len as u64));
        }
    }

    #[test]
    fn a_character_counts_once_wherever_it_is_cut() {
        let text = "\u{1f600}é".as_bytes();
        for at in 0..=text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(count_chars(a).1 + count_chars(b).1, 2, "{at}");
        }
    }
}
