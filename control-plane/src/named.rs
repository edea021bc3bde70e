//! What a limit's subject is called: the names that a catalog has for ids.

use domain::{
    catalog::Catalog,
    id::{AccountId, KeyId, TeamId},
    limit::words::Names,
};
use proto::convert::limit::Written;

pub(crate) use domain::limit::words::worst_case;

/// The names in a catalog; an id where it has none.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a>(pub(crate) &'a Catalog);

impl Names for Named<'_> {
    fn key(&self, key: KeyId) -> Option<String> {
        self.0.keys.get(key).map(|it| it.name.to_string())
    }

    fn team(&self, team: TeamId) -> Option<String> {
        self.0.teams.get(&team).map(|it| it.name.to_string())
    }

    fn account(&self, account: AccountId) -> Option<String> {
        self.0.accounts.get(&account).map(|it| it.name.to_string())
    }
}

impl Written for Named<'_> {
    fn key(&self, id: KeyId) -> String {
        Names::key(self, id).unwrap_or_else(|| id.to_string())
    }

    fn team(&self, id: TeamId) -> String {
        Names::team(self, id).unwrap_or_else(|| id.to_string())
    }

    fn account(&self, id: AccountId) -> String {
        Names::account(self, id).unwrap_or_else(|| id.to_string())
    }
}
