//! Virtual keys by id and by fingerprint, made for many keys and small edits.
//!
//! Both indexes are split into shards by a byte of the key, and shared between
//! catalogs: an edit copies two shards of about a 256th of the table, not 100,000 rows.
//! They are ordered, so that the same keys are gone through in the same order everywhere.

use super::{VirtualKey, shards::Shards};
use crate::{id::KeyId, key::Fingerprint};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

type Shard<K> = BTreeMap<K, Arc<VirtualKey>>;

/// All virtual keys of a catalog.
#[derive(Debug, Clone, Default)]
pub struct KeyTable {
    by_id: Shards<Shard<KeyId>>,
    /// With the id, so that a fingerprint that two keys share loses neither.
    by_fingerprint: Shards<Shard<(Fingerprint, KeyId)>>,
    len: usize,
}

/// A random byte of an id: the last one of a UUIDv7 is not time.
fn id_byte(id: KeyId) -> u8 {
    id.uuid().as_bytes().last().copied().unwrap_or(0)
}

fn fingerprint_byte(fingerprint: &Fingerprint) -> u8 {
    fingerprint.as_bytes().first().copied().unwrap_or(0)
}

impl KeyTable {
    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key of this id.
    pub fn get(&self, id: KeyId) -> Option<&Arc<VirtualKey>> {
        self.by_id.of(id_byte(id))?.get(&id)
    }

    /// The key whose fingerprint this is; of several, the oldest. The full fingerprint
    /// is compared in constant time once the table has pointed to a row.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&Arc<VirtualKey>> {
        let shard = self.by_fingerprint.of(fingerprint_byte(fingerprint))?;
        let least = (*fingerprint, KeyId::from_uuid(Uuid::nil()));
        let (_, key) = shard.range(least..).next()?;
        Some(key).filter(|it| it.fingerprint.matches(fingerprint))
    }

    /// Every key, always in the same order, which means nothing.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<VirtualKey>> {
        self.by_id.iter().flat_map(BTreeMap::values)
    }

    /// Adds a key, or replaces the one of its id.
    pub fn insert(&mut self, key: Arc<VirtualKey>) {
        self.remove(key.id);
        self.by_fingerprint.edit(fingerprint_byte(&key.fingerprint), |shard| {
            shard.insert((key.fingerprint, key.id), Arc::clone(&key));
        });
        self.by_id.edit(id_byte(key.id), |shard| {
            shard.insert(key.id, key);
        });
        self.len = self.len.saturating_add(1);
    }

    /// Removes the key of this id, if it is there.
    pub fn remove(&mut self, id: KeyId) {
        let Some(old) = self.get(id).cloned() else { return };
        self.by_id.edit(id_byte(id), |shard| {
            shard.remove(&id);
        });
        self.by_fingerprint.edit(fingerprint_byte(&old.fingerprint), |shard| {
            shard.remove(&(old.fingerprint, id));
        });
        self.len = self.len.saturating_sub(1);
    }
}

impl PartialEq for KeyTable {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|it| other.get(it.id) == Some(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{key, key_id};
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// A key's number and the number of its fingerprint; or only the number of one to remove.
    fn edits() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((0..12u8, prop::option::weighted(0.7, 0..12u8)), 0..60)
    }

    fn keyed(number: u8, fingerprint: u8) -> Arc<VirtualKey> {
        Arc::new(VirtualKey { fingerprint: key(fingerprint).fingerprint, ..key(number) })
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(edits in edits()) {
            let mut table = KeyTable::default();
            let mut plain: HashMap<KeyId, Arc<VirtualKey>> = HashMap::new();
            for (number, fingerprint) in edits {
                let before = table.clone();
                let there = plain.clone();
                match fingerprint {
                    Some(it) => {
                        table.insert(keyed(number, it));
                        plain.insert(key_id(number), keyed(number, it));
                    }
                    None => {
                        table.remove(key_id(number));
                        plain.remove(&key_id(number));
                    }
                }
                prop_assert_eq!((table.len(), table.is_empty()), (plain.len(), plain.is_empty()));
                for number in 0..12 {
                    prop_assert_eq!(table.get(key_id(number)), plain.get(&key_id(number)));
                    let wanted = key(number).fingerprint;
                    let oldest = plain.values().filter(|it| it.fingerprint == wanted).min_by_key(|it| it.id);
                    prop_assert_eq!(table.find(&wanted), oldest);
                }
                let mut all: Vec<_> = table.iter().map(|it| it.id).collect();
                all.sort_unstable();
                let mut expected: Vec<_> = plain.keys().copied().collect();
                expected.sort_unstable();
                prop_assert_eq!(all, expected);
                // A clone made before does not see the edit.
                prop_assert_eq!(before.len(), there.len());
                prop_assert!(there.values().all(|it| before.get(it.id) == Some(it)));
            }
        }

        #[test]
        fn equal_tables_are_gone_through_in_the_same_order(edits in edits()) {
            let mut table = KeyTable::default();
            for (number, fingerprint) in edits {
                table.insert(keyed(number, fingerprint.unwrap_or(number)));
            }
            let mut keys: Vec<_> = table.iter().cloned().collect();
            let mut again = KeyTable::default();
            keys.reverse();
            keys.iter().for_each(|it| again.insert(Arc::clone(it)));
            prop_assert_eq!(&again, &table);
            prop_assert!(again.iter().eq(table.iter()));
        }
    }

    #[test]
    fn an_edit_copies_two_shards_and_shares_the_rest() {
        let mut table = KeyTable::default();
        (0..200).for_each(|it| table.insert(keyed(it, it)));
        let before = table.clone();
        table.insert(keyed(200, 200));
        assert_eq!(table.by_id.unshared(&before.by_id), 1);
        assert_eq!(table.by_fingerprint.unshared(&before.by_fingerprint), 1);
    }
}
