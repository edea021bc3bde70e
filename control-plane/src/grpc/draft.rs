//! A change in the making: edits, each resolved against the catalog as the edits
//! before it leave it.
//!
//! Knows wire items and the catalog. Knows no database: what comes out is compiled
//! and written by the store.

mod account;
mod key;
mod limit;
mod model;
mod provider;
mod route;
mod settings;
mod team;

pub(crate) use key::KeyNames;
pub(in crate::grpc) use limit::limit_of;

use domain::{
    catalog::{Catalog, Edit},
    id::{AccountId, KeyId, LimitId, TeamId},
    secret::Secret,
    snapshot::Snapshot,
};
use std::collections::{BTreeSet, HashMap};

/// What to do when something refers to an item that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum References {
    /// Refuse, and name them.
    Refuse,
    /// Leave it to compiling: later edits of the change may remove them.
    LeaveToCompiler,
}

/// A key that the change makes, with its text.
#[derive(Debug)]
pub(crate) struct MadeKey {
    /// Its identity.
    pub(crate) id: KeyId,
    /// Its text, shown once.
    pub(crate) secret: Secret,
}

/// A change in the making.
pub(crate) struct Draft {
    catalog: Catalog,
    edits: Vec<Edit>,
    accounts: HashMap<String, AccountId>,
    teams: HashMap<String, TeamId>,
    keys: KeyNames,
    /// Limits that went with what they limited.
    orphans: BTreeSet<LimitId>,
    made: Vec<MadeKey>,
}

impl Draft {
    /// An empty change of what `snapshot` was compiled from.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let catalog = snapshot.catalog().clone();
        let accounts = catalog.accounts.values().map(|it| (it.name.to_string(), it.id)).collect();
        let teams = catalog.teams.values().map(|it| (it.name.to_string(), it.id)).collect();
        let (edits, made) = (Vec::new(), Vec::new());
        Self {
            catalog,
            edits,
            accounts,
            teams,
            keys: KeyNames::default(),
            orphans: BTreeSet::new(),
            made,
        }
    }

    /// The edits that make a difference, and the keys that they make.
    pub(crate) fn finish(self) -> (Vec<Edit>, Vec<MadeKey>) {
        (self.edits, self.made)
    }

    fn push(&mut self, edit: Edit) {
        self.catalog.apply(edit.clone());
        self.edits.push(edit);
    }

    /// The account of this id or name.
    fn account_id(&self, text: &str) -> Option<AccountId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.accounts.contains_key(id));
        by_id.or_else(|| self.accounts.get(text).copied())
    }

    /// The key of this id or name.
    fn key_id(&mut self, text: &str) -> Option<KeyId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.keys.get(*id).is_some());
        by_id.or_else(|| self.keys.find(&self.catalog, text))
    }

    /// The team of this id or name.
    fn team_id(&self, text: &str) -> Option<TeamId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.teams.contains_key(id));
        by_id.or_else(|| self.teams.get(text).copied())
    }
}
