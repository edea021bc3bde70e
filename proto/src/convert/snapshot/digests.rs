//! Items' digests by their keys, in little more room than these take: a catalog may have
//! half a million items, and a hash table is up to half empty.

use std::collections::HashMap;

/// A key in 16 bytes.
pub(super) type Short = [u8; 16];
/// A digest in four lanes.
pub(super) type Digest = [u64; 4];

/// So many changes are kept beside the list, or this part of its length, if that is more:
/// then they are merged into it.
const RECENT: usize = 1_024;
const RECENT_PART: usize = 16;

/// Digests by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Digests {
    /// By ascending key.
    settled: Vec<(Short, Digest)>,
    /// What is different from that; `None`: it is gone.
    recent: HashMap<Short, Option<Digest>>,
}

impl Digests {
    pub(super) fn get(&self, key: &Short) -> Option<Digest> {
        if let Some(it) = self.recent.get(key) {
            return *it;
        }
        let at = self.settled.binary_search_by(|it| it.0.cmp(key)).ok()?;
        self.settled.get(at).map(|it| it.1)
    }

    /// Puts one in; gives the one that was there.
    pub(super) fn insert(&mut self, key: Short, digest: Digest) -> Option<Digest> {
        self.change(key, Some(digest))
    }

    /// Takes one out; gives it.
    pub(super) fn remove(&mut self, key: Short) -> Option<Digest> {
        self.change(key, None)
    }

    fn change(&mut self, key: Short, to: Option<Digest>) -> Option<Digest> {
        let before = self.get(&key);
        self.recent.insert(key, to);
        if RECENT.max(self.settled.len() / RECENT_PART) < self.recent.len() {
            self.merge();
        }
        before
    }

    fn merge(&mut self) {
        let mut recent: Vec<_> = std::mem::take(&mut self.recent).into_iter().collect();
        recent.sort_unstable_by_key(|it| it.0);
        let mut merged = Vec::with_capacity(self.settled.len().saturating_add(recent.len()));
        let mut changes = recent.into_iter().peekable();
        for it in std::mem::take(&mut self.settled) {
            while let Some((key, to)) = changes.next_if(|change| change.0 < it.0) {
                merged.extend(to.map(|digest| (key, digest)));
            }
            match changes.next_if(|change| change.0 == it.0) {
                Some((key, to)) => merged.extend(to.map(|digest| (key, digest))),
                None => merged.push(it),
            }
        }
        merged.extend(changes.filter_map(|(key, to)| Some((key, to?))));
        merged.shrink_to_fit();
        self.settled = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that come in no order.
    fn mixed(number: u64) -> u64 {
        let mut it = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        it ^= it >> 31;
        it.wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn it_does_what_a_table_does() {
        let (mut digests, mut table) = (Digests::default(), HashMap::new());
        for step in 0..30_000 {
            let key: Short = u128::from(mixed(step) % 7_000).to_le_bytes();
            if mixed(step + 1).is_multiple_of(3) {
                assert_eq!(digests.remove(key), table.remove(&key));
            } else {
                let digest = [step, mixed(step), 0, 1];
                assert_eq!(digests.insert(key, digest), table.insert(key, digest));
            }
            let other: Short = u128::from(mixed(step + 2) % 7_000).to_le_bytes();
            assert_eq!(digests.get(&other), table.get(&other).copied());
        }
        digests.merge();
        assert_eq!(digests.settled.len(), table.len());
        assert!(digests.settled.is_sorted_by(|one, two| one.0 < two.0));
    }
}
