//! One edit of the catalog; a list of them applied together is a change, and makes one revision.

use super::{Account, Limit, Model, ModelId, Provider, Route, Settings, Team, VirtualKey};
use crate::{
    id::{AccountId, KeyId, LimitId, TeamId},
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
    PutLimit(Arc<Limit>),
    DeleteLimit(LimitId),
    PutPepper(Pepper),
    PutSettings(Settings),
}

impl Edit {
    /// Whether the edit only concerns virtual keys or limits, which nothing else refers
    /// to, so that the rest needs no compiling anew.
    pub const fn is_about_keys_or_limits(&self) -> bool {
        matches!(
            self,
            Self::PutKey(_) | Self::DeleteKey(_) | Self::PutLimit(_) | Self::DeleteLimit(_)
        )
    }
}
