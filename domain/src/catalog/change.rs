//! One edit of the catalog; a list of them applied together is a change, and makes one revision.

use super::{Account, Model, ModelId, Provider, Route, Settings, Team, VirtualKey};
use crate::{
    id::{AccountId, KeyId, TeamId},
    key::Pepper,
    name::Name,
    pattern::Pattern,
};
use std::sync::Arc;

/// One item written or removed.
#[expect(missing_docs, reason = "each variant says what it does to what")]
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    PutProvider(Arc<Provider>),
    DeleteProvider(Name),
    PutAccount(Arc<Account>),
    DeleteAccount(AccountId),
    PutModel(Arc<Model>),
    DeleteModel(ModelId),
    PutRoute(Arc<Route>),
    DeleteRoute(Pattern),
    PutTeam(Arc<Team>),
    DeleteTeam(TeamId),
    PutKey(Arc<VirtualKey>),
    DeleteKey(KeyId),
    PutPepper(Pepper),
    PutSettings(Settings),
}

impl Edit {
    /// Whether the edit only concerns virtual keys, so that nothing but keys needs compiling anew.
    pub fn is_about_keys(&self) -> bool {
        matches!(self, Self::PutKey(_) | Self::DeleteKey(_))
    }
}
