//! The last revisions as what they changed, so that a proxy that was away for a
//! moment is told only that. Knows wire items; knows no proxy.

use proto::{
    convert::snapshot::{Wire, key_of},
    sync::v1::{ConfigItem, ItemKey},
};
use std::collections::{HashMap, VecDeque};

/// Most revisions that are kept.
const MOST_STEPS: usize = 1_024;

/// Most items in all of them: about 20 MB.
const MOST_ITEMS: usize = 50_000;

/// What led from one published revision to the next.
#[derive(Debug)]
pub(super) struct Step {
    /// The revision before.
    pub(super) base: u64,
    /// The catalog's hash before.
    pub(super) base_hash: [u8; 32],
    /// The revision after.
    pub(super) revision: u64,
    /// What was written and removed, in order.
    pub(super) edits: Vec<Wire>,
}

/// What leads from a revision to the newest one: every item once.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delta {
    /// Items added or replaced.
    pub(crate) upserts: Vec<ConfigItem>,
    /// Items removed.
    pub(crate) removed: Vec<ItemKey>,
}

/// The steps that are kept; each starts where the one before ends.
#[derive(Debug, Default)]
pub(super) struct Ring {
    steps: VecDeque<Step>,
    items: usize,
}

impl Ring {
    /// Keeps a step, and forgets the oldest ones for it.
    pub(super) fn push(&mut self, step: Step) {
        if self.steps.back().is_some_and(|last| last.revision != step.base) {
            self.steps.clear();
            self.items = 0;
        }
        self.items = self.items.saturating_add(step.edits.len());
        self.steps.push_back(step);
        while MOST_STEPS < self.steps.len() || MOST_ITEMS < self.items {
            let Some(oldest) = self.steps.pop_front() else { return };
            self.items = self.items.saturating_sub(oldest.edits.len());
        }
    }

    /// What leads from `revision` to the newest one. `hash`, if given, must be what
    /// the catalog hashed to there. `None`: not known any more, or another catalog.
    pub(super) fn since(&self, revision: u64, hash: Option<&[u8]>) -> Option<Delta> {
        let from = self.steps.iter().position(|it| it.base == revision)?;
        let mut steps = self.steps.iter().skip(from).peekable();
        let first = steps.peek()?;
        if hash.is_some_and(|it| it != first.base_hash) {
            return None;
        }
        Some(merged(steps.flat_map(|it| &it.edits)))
    }
}

/// Each item as the last edit leaves it.
fn merged<'a>(edits: impl Iterator<Item = &'a Wire>) -> Delta {
    let mut last: HashMap<(u32, String), &Wire> = HashMap::new();
    for edit in edits {
        let key = match edit {
            Wire::Upsert(item) => key_of(item),
            Wire::Removed(key) => Some(key.clone()),
        };
        // An item without a key cannot come from our own catalog.
        let Some(key) = key else { continue };
        last.insert((key.kind, key.id), edit);
    }
    let mut delta = Delta::default();
    for edit in last.into_values() {
        match edit {
            Wire::Upsert(item) => delta.upserts.push(item.clone()),
            Wire::Removed(key) => delta.removed.push(key.clone()),
        }
    }
    delta
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        catalog::{Edit, Team},
        id::TeamId,
    };
    use proto::convert::snapshot::wire_of;
    use std::sync::Arc;

    fn team(id: u128, description: &str) -> Wire {
        let id = TeamId::from_uuid(uuid::Uuid::from_u128(id));
        let name = "team".parse().unwrap();
        wire_of(&Edit::PutTeam(Arc::new(Team { id, name, description: description.into() })))
    }

    fn gone(id: u128) -> Wire {
        wire_of(&Edit::DeleteTeam(TeamId::from_uuid(uuid::Uuid::from_u128(id))))
    }

    fn step(base: u64, edits: Vec<Wire>) -> Step {
        let base_hash = [u8::try_from(base % 256).unwrap(); 32];
        Step { base, base_hash, revision: base + 1, edits }
    }

    #[test]
    fn steps_are_merged_and_the_last_word_counts() {
        let mut ring = Ring::default();
        ring.push(step(1, vec![team(1, "a"), team(2, "a")]));
        ring.push(step(2, vec![team(1, "b")]));
        ring.push(step(3, vec![gone(2)]));
        let delta = ring.since(1, None).unwrap();
        assert_eq!((delta.upserts.len(), delta.removed.len()), (1, 1));
        assert_eq!(Wire::Upsert(delta.upserts[0].clone()), team(1, "b"));
        assert_eq!(ring.since(3, None).unwrap().upserts.len(), 0);
    }

    #[test]
    fn another_catalog_or_an_unknown_revision_gets_nothing() {
        let mut ring = Ring::default();
        ring.push(step(1, vec![team(1, "a")]));
        assert!(ring.since(1, Some(&[1; 32])).is_some());
        assert!(ring.since(1, Some(&[2; 32])).is_none() && ring.since(1, Some(&[])).is_none());
        assert!(ring.since(0, None).is_none() && ring.since(2, None).is_none());
    }

    #[test]
    fn it_is_bounded_and_starts_anew_after_a_gap() {
        let mut ring = Ring::default();
        for base in 0..3_000 {
            ring.push(step(base, vec![team(1, "a")]));
        }
        assert!(ring.steps.len() <= MOST_STEPS && ring.since(0, None).is_none());
        ring.push(step(5_000, vec![]));
        assert_eq!((ring.steps.len(), ring.items), (1, 0));
    }
}
