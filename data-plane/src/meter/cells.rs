//! The limits that are in use on this proxy. One that nobody asks for is not here and
//! costs nothing.

use super::cell::Cell;
use domain::id::LimitId;
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Parts of the table that are locked apart.
const SHARDS: usize = 32;

/// Cells by limit.
#[derive(Debug)]
pub(super) struct Cells([RwLock<Shard>; SHARDS]);

type Shard = HashMap<u128, Arc<Cell>, BuildHasherDefault<IdHasher>>;

/// Ids are made by the control plane and mostly chance: folding them is enough.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        // Spreads what two ids of one moment differ in over all bits.
        self.0 = folded(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Both halves of an id in one.
fn folded(id: u128) -> u64 {
    (id >> 64) as u64 ^ id as u64
}

impl Cells {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }

    fn shard(&self, key: u128) -> &RwLock<Shard> {
        &self.0[folded(key) as usize % SHARDS]
    }

    fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
        // No change of a map is made by halves.
        shard.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
        shard.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, limit: LimitId) -> Option<Arc<Cell>> {
        let key = limit.uuid().as_u128();
        Self::read(self.shard(key)).get(&key).cloned()
    }

    /// The cell that is there, if `suits`; else the one that `make` makes of it.
    pub(super) fn open(
        &self,
        limit: LimitId,
        suits: impl Fn(&Cell) -> bool,
        make: impl FnOnce(Option<&Arc<Cell>>) -> Arc<Cell>,
    ) -> Arc<Cell> {
        let key = limit.uuid().as_u128();
        let mut shard = Self::write(self.shard(key));
        if let Some(cell) = shard.get(&key).filter(|it| suits(it)) {
            return Arc::clone(cell);
        }
        let cell = make(shard.get(&key));
        shard.insert(key, Arc::clone(&cell));
        cell
    }

    /// Forgets this cell; another of the same limit stays.
    pub(super) fn forget(&self, cell: &Arc<Cell>) {
        let key = cell.of.limit.uuid().as_u128();
        let mut shard = Self::write(self.shard(key));
        if shard.get(&key).is_some_and(|it| Arc::ptr_eq(it, cell)) {
            shard.remove(&key);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.0.iter().flat_map(|it| Self::read(it).values().cloned().collect::<Vec<_>>()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|it| Self::read(it).len()).sum()
    }
}
