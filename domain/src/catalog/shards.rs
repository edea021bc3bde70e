//! A table in 256 parts that catalogs share: an edit copies one part, not the table.

use std::sync::Arc;

const SHARDS: usize = 256;

/// The parts, found by a byte. `T` is what one of them holds.
#[derive(Debug, Clone)]
pub(super) struct Shards<T>(Box<[Arc<T>]>);

impl<T: Clone + Default> Default for Shards<T> {
    fn default() -> Self {
        Self(vec![Arc::default(); SHARDS].into())
    }
}

impl<T: Clone> Shards<T> {
    /// The part of `byte`. There always is one; `None` is for the compiler.
    pub(super) fn of(&self, byte: u8) -> Option<&T> {
        self.0.get(usize::from(byte)).map(AsRef::as_ref)
    }

    /// Lets `edit` change the part of `byte`, copied first if it is shared.
    pub(super) fn edit(&mut self, byte: u8, edit: impl FnOnce(&mut T)) {
        if let Some(shard) = self.0.get_mut(usize::from(byte)) {
            edit(Arc::make_mut(shard));
        }
    }

    /// Every part, in the order of its byte.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many parts are not shared with `other`.
    #[cfg(test)]
    pub(super) fn unshared(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).filter(|(a, b)| !Arc::ptr_eq(a, b)).count()
    }
}
