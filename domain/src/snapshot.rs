//! What a proxy runs: a catalog compiled at one revision, immutable and indexed.
//!
//! [`Snapshot::build`] is the only way in. The control plane calls it to refuse a
//! bad change, a proxy calls it again because it trusts nobody.

mod check;
mod defect;
mod index;
mod limits;
mod listed;
mod touched;

pub use defect::{Defect, LimitFault};
pub use index::{Seat, SeatEndpoint};
pub use listed::Listed;

use crate::{
    catalog::{Catalog, Edit, Route, VirtualKey},
    id::AccountId,
    key::Fingerprint,
};
use index::Index;
use std::sync::Arc;
use touched::Touched;

/// A compiled catalog.
#[derive(Debug, Clone)]
pub struct Snapshot {
    revision: u64,
    catalog: Catalog,
    index: Arc<Index>,
}

impl Snapshot {
    /// Compiles a whole catalog.
    ///
    /// # Errors
    /// Every defect at once.
    pub fn build(catalog: Catalog, revision: u64) -> Result<Self, Vec<Defect>> {
        let mut defects = check::all_but_keys_and_limits(&catalog);
        for key in catalog.keys.iter() {
            check::key(&catalog, key, &mut defects);
        }
        for subject in catalog.limits.subjects() {
            check::limits_of(&catalog, subject, &mut defects);
        }
        if defects.is_empty() {
            let index = Arc::new(Index::build(&catalog, None));
            Ok(Self { revision, catalog, index })
        } else {
            Err(defects)
        }
    }

    /// Compiles this catalog with a change on top: gives what [`Self::build`] would
    /// give of the result, but compiles only what the change can have touched.
    ///
    /// # Errors
    /// Every defect at once; `self` stays as it is.
    pub fn amend(&self, change: Vec<Edit>, revision: u64) -> Result<Self, Vec<Defect>> {
        let touched = Touched::by(&change, &self.catalog.limits);
        let mut catalog = self.catalog.clone();
        for edit in change {
            catalog.apply(edit);
        }
        let defects = touched.defects(&catalog);
        if !defects.is_empty() {
            return Err(defects);
        }
        let index = if touched.index {
            Arc::new(Index::build(&catalog, Some(&self.index)))
        } else {
            Arc::clone(&self.index)
        };
        Ok(Self { revision, catalog, index })
    }

    /// The catalog's revision.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// What was compiled.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The key that `text` is, under any pepper. Its form was checked before.
    pub fn key_of(&self, text: &str) -> Option<&Arc<VirtualKey>> {
        self.catalog.peppers.values().rev().find_map(|pepper| {
            let fingerprint: Fingerprint = pepper.fingerprint(text);
            self.catalog.keys.find(&fingerprint).filter(|it| it.pepper_version == pepper.version())
        })
    }

    /// An enabled account, ready to be spoken to.
    pub fn seat(&self, account: AccountId) -> Option<&Arc<Seat>> {
        self.index.seats.get(&account)
    }

    /// The route that a caller's `alias` takes, enabled or not: its own, else the most
    /// specific wildcard.
    pub(crate) fn route_of(&self, alias: &str) -> Option<&Arc<Route>> {
        let exact = alias.parse().ok().and_then(|it| self.catalog.routes.get(&it));
        let exact = exact.filter(|it| !it.alias.is_wildcard());
        exact.or_else(|| self.index.wildcard_route(alias))
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }
}

#[cfg(test)]
mod tests;
