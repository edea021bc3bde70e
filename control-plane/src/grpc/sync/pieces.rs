//! Cuts an update into pieces that fit a message.

use prost::Message;
use proto::sync::v1::{ConfigItem, ConfigUpdate, ItemKey};
use std::iter::Peekable;
use uuid::Uuid;

/// Most items in a piece.
const MOST_ITEMS: usize = 1_000;

/// A piece ends with the item that reaches this size, in bytes.
const ENOUGH_BYTES: usize = 512 << 10;

/// A part of an update.
#[expect(clippy::large_enum_variant, reason = "short-lived, and mostly the large one")]
#[derive(Debug)]
pub(super) enum Part {
    /// An item added or replaced.
    Upsert(ConfigItem),
    /// An item removed.
    Removed(ItemKey),
}

/// What an update leads to, and from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// The database's identity.
    pub(super) incarnation: Uuid,
    /// The revision that the update leads to.
    pub(super) revision: u64,
    /// The revision that it starts from; `None`: it is the whole catalog.
    pub(super) base_revision: Option<u64>,
    /// The hash of the whole catalog at `revision`.
    pub(super) hash: [u8; 32],
}

/// The pieces of an update, made as they are asked for; there is always one.
pub(super) struct Pieces<I: Iterator<Item = Part>> {
    frame: Frame,
    parts: Peekable<I>,
    done: bool,
}

impl<I: Iterator<Item = Part>> Pieces<I> {
    pub(super) fn new(frame: Frame, parts: I) -> Self {
        Self { frame, parts: parts.peekable(), done: false }
    }
}

impl<I: Iterator<Item = Part>> Iterator for Pieces<I> {
    type Item = ConfigUpdate;

    fn next(&mut self) -> Option<ConfigUpdate> {
        if self.done {
            return None;
        }
        let mut piece = ConfigUpdate {
            incarnation: self.frame.incarnation.as_bytes().to_vec(),
            revision: self.frame.revision,
            base_revision: self.frame.base_revision,
            ..ConfigUpdate::default()
        };
        let mut bytes = 0;
        while piece.upserts.len() + piece.removed.len() < MOST_ITEMS && bytes < ENOUGH_BYTES {
            match self.parts.next() {
                Some(Part::Upsert(item)) => {
                    bytes += item.encoded_len();
                    piece.upserts.push(item);
                }
                Some(Part::Removed(key)) => {
                    bytes += key.encoded_len();
                    piece.removed.push(key);
                }
                None => break,
            }
        }
        if self.parts.peek().is_none() {
            self.done = true;
            piece.last = true;
            piece.snapshot_hash = self.frame.hash.to_vec();
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: Vec<Part>) -> Vec<ConfigUpdate> {
        let frame =
            Frame { incarnation: Uuid::nil(), revision: 7, base_revision: None, hash: [9; 32] };
        Pieces::new(frame, parts.into_iter()).collect()
    }

    fn removed(count: usize, len: usize) -> Vec<Part> {
        (0..count).map(|_| Part::Removed(ItemKey { kind: 1, id: "x".repeat(len) })).collect()
    }

    #[test]
    fn an_update_of_nothing_is_one_last_piece() {
        let pieces = cut(Vec::new());
        assert_eq!(pieces.len(), 1);
        assert!(pieces[0].last && pieces[0].snapshot_hash == [9; 32]);
    }

    #[test]
    fn pieces_are_bounded_by_count_and_by_size_and_only_one_is_the_last() {
        for (parts, expected) in
            [(removed(1_000, 1), 1), (removed(1_001, 1), 2), (removed(5, 300_000), 3)]
        {
            let count = parts.len();
            let pieces = cut(parts);
            assert_eq!(pieces.len(), expected);
            assert_eq!(pieces.iter().map(|it| it.removed.len()).sum::<usize>(), count);
            let last: Vec<_> = pieces.iter().map(|it| it.last).collect();
            assert_eq!(last.iter().filter(|it| **it).count(), 1);
            assert_eq!(last.last(), Some(&true));
        }
    }
}
