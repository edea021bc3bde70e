//! Virtual keys by id and by fingerprint, made for many keys and small edits.
//!
//! Both indexes are split into shards by a byte of the key, and shared between
//! catalogs: an edit copies two shards of about a 256th of the table, not 100,000 rows.

use super::VirtualKey;
use crate::{id::KeyId, key::Fingerprint};
use std::{collections::HashMap, hash::Hash, sync::Arc};

const SHARDS: usize = 256;

type Shard<K> = Arc<HashMap<K, Arc<VirtualKey>>>;

#[derive(Debug, Clone)]
struct Shards<K>(Box<[Shard<K>]>);

impl<K: Eq + Hash + Clone> Shards<K> {
    fn new() -> Self {
        Self((0..SHARDS).map(|_| Shard::default()).collect())
    }

    fn find(&self, byte: u8, key: &K) -> Option<&Arc<VirtualKey>> {
        self.0.get(usize::from(byte))?.get(key)
    }

    /// Lets `edit` change the shard of `byte`, copied first if it is shared.
    fn edit(&mut self, byte: u8, edit: impl FnOnce(&mut HashMap<K, Arc<VirtualKey>>)) {
        // A byte is always a shard: there are 256 of them.
        if let Some(shard) = self.0.get_mut(usize::from(byte)) {
            edit(Arc::make_mut(shard));
        }
    }
}

/// All virtual keys of a catalog.
#[derive(Debug, Clone)]
pub struct KeyTable {
    by_id: Shards<KeyId>,
    by_fingerprint: Shards<Fingerprint>,
    len: usize,
}

impl Default for KeyTable {
    fn default() -> Self {
        Self { by_id: Shards::new(), by_fingerprint: Shards::new(), len: 0 }
    }
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
        self.by_id.find(id_byte(id), &id)
    }

    /// The key whose fingerprint this is. The full fingerprint is compared in
    /// constant time once the table has pointed to a row.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&Arc<VirtualKey>> {
        self.by_fingerprint
            .find(fingerprint_byte(fingerprint), fingerprint)
            .filter(|it| it.fingerprint.matches(fingerprint))
    }

    /// Every key, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<VirtualKey>> {
        self.by_id.0.iter().flat_map(|it| it.values())
    }

    /// Adds a key, or replaces the one of its id.
    pub fn insert(&mut self, key: Arc<VirtualKey>) {
        self.remove(key.id);
        self.by_fingerprint.edit(fingerprint_byte(&key.fingerprint), |shard| {
            shard.insert(key.fingerprint, Arc::clone(&key));
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
            // Another key may have taken the fingerprint over in the meantime.
            if shard.get(&old.fingerprint).is_some_and(|it| it.id == id) {
                shard.remove(&old.fingerprint);
            }
        });
        self.len = self.len.saturating_sub(1);
    }
}

impl PartialEq for KeyTable {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|it| other.get(it.id) == Some(it))
    }
}
