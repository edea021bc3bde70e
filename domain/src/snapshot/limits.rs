//! Which limits a request meets, and what its tokens cost.

use super::{Seat, Snapshot};
use crate::{
    catalog::{Limit, Price, SubjectRef, VirtualKey},
    id::LimitId,
    name::Name,
};
use std::sync::Arc;

impl Snapshot {
    /// The limit of this id.
    pub fn limit(&self, id: LimitId) -> Option<&Arc<Limit>> {
        self.catalog.limits.get(id)
    }

    /// The limits on who asks, when `key` asks for `alias`; sorted by id, so that every
    /// request asks them in the same order.
    pub fn limits_of_caller(&self, key: &VirtualKey, alias: &str) -> Vec<&Arc<Limit>> {
        let subjects = [
            Some(SubjectRef::Everything),
            Some(SubjectRef::Key(key.id)),
            key.team.map(SubjectRef::Team),
            Some(SubjectRef::Alias(alias)),
            Some(SubjectRef::KeyAlias(key.id, alias)),
        ];
        self.limits_of(subjects.into_iter().flatten())
    }

    /// The limits on who is asked, when `seat` is asked for `model`; sorted by id.
    pub fn limits_of_target(&self, seat: &Seat, model: &str) -> Vec<&Arc<Limit>> {
        let account = seat.account.id;
        self.limits_of([
            SubjectRef::Provider(&seat.provider),
            SubjectRef::Account(account),
            SubjectRef::AccountModel(account, model),
        ])
    }

    /// What tokens of a provider's model cost, as far as it is known.
    pub fn price(&self, provider: &Name, model: &str) -> Option<Price> {
        self.index.model(provider, model)?.price
    }

    /// The most output tokens that a provider's model gives to one request, as far as it
    /// is known.
    pub fn max_output(&self, provider: &Name, model: &str) -> Option<u64> {
        self.index.model(provider, model)?.max_output_tokens
    }

    fn limits_of<'a>(
        &self,
        subjects: impl IntoIterator<Item = SubjectRef<'a>>,
    ) -> Vec<&Arc<Limit>> {
        if self.catalog.limits.is_empty() {
            return Vec::new();
        }
        let of = |it| self.catalog.limits.of(it);
        let mut limits: Vec<_> = subjects.into_iter().flat_map(of).collect();
        limits.sort_unstable_by_key(|it| it.id);
        limits
    }
}
