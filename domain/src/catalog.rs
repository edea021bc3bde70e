//! What operators edit: providers, accounts, models, routes, teams, keys, limits, settings.
//!
//! A [`Catalog`] is a plain value at some revision. It is cheap to clone: its maps
//! are shared and copied only where an edit touches them.

mod account;
mod alias;
mod change;
mod key_table;
mod limit;
mod limit_table;
mod model;
mod price;
mod provider;
mod quirk;
mod route;
mod setting;
mod shards;
mod team;
mod virtual_key;

pub use account::{Account, BaseUrl, ClientSettings};
pub use alias::Alias;
pub use change::Edit;
pub use key_table::KeyTable;
pub use limit::{
    Action, Calendar, CalendarPeriod, Limit, LimitIdentity, Measure, MeasureKind, Mode, Period,
    Rule, Span, Subject, Weights,
};
pub use limit_table::{LimitTable, SubjectRef};
pub use model::{InvalidModelName, Model, ModelId, ModelName, Operation};
pub use price::Price;
pub use provider::{AuthStyle, Dialect, Endpoint, Provider};
pub use quirk::{Quirk, Quirks};
pub use route::{Route, Target, Tier, Translation};
pub use setting::Settings;
pub use team::Team;
pub use virtual_key::VirtualKey;

use crate::{
    id::{AccountId, TeamId},
    key::Pepper,
    name::Name,
    pattern::Pattern,
};
use std::{collections::BTreeMap, sync::Arc};

/// Everything that operators set, at one revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// Companies behind models, built in and added.
    pub providers: Arc<BTreeMap<Name, Arc<Provider>>>,
    /// Credentialed seats at them.
    pub accounts: Arc<BTreeMap<AccountId, Arc<Account>>>,
    /// Model names beyond what a provider's patterns say.
    pub models: Arc<BTreeMap<ModelId, Arc<Model>>>,
    /// Aliases and wildcards to tiers of targets.
    pub routes: Arc<BTreeMap<Pattern, Arc<Route>>>,
    /// Who owns keys.
    pub teams: Arc<BTreeMap<TeamId, Arc<Team>>>,
    /// Virtual keys, found by id and by fingerprint.
    pub keys: KeyTable,
    /// Limits, found by id and by whom they limit.
    pub limits: LimitTable,
    /// Peppers of the keys' fingerprints, by version.
    pub peppers: Arc<BTreeMap<u32, Pepper>>,
    /// Switches of the whole installation.
    pub settings: Settings,
}

impl Catalog {
    /// Applies one edit. References are not checked here: compile the result
    /// with [`crate::snapshot::Snapshot::build`] or `amend`.
    pub fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::PutProvider(it) => {
                Arc::make_mut(&mut self.providers).insert(it.name.clone(), it);
            }
            Edit::DeleteProvider(name) => {
                Arc::make_mut(&mut self.providers).remove(&name);
            }
            Edit::PutAccount(it) => {
                Arc::make_mut(&mut self.accounts).insert(it.id, it);
            }
            Edit::DeleteAccount(id) => {
                Arc::make_mut(&mut self.accounts).remove(&id);
            }
            Edit::PutModel(it) => {
                Arc::make_mut(&mut self.models).insert(it.id.clone(), it);
            }
            Edit::DeleteModel(id) => {
                Arc::make_mut(&mut self.models).remove(&id);
            }
            Edit::PutRoute(it) => {
                Arc::make_mut(&mut self.routes).insert(it.alias.clone(), it);
            }
            Edit::DeleteRoute(alias) => {
                Arc::make_mut(&mut self.routes).remove(&alias);
            }
            Edit::PutTeam(it) => {
                Arc::make_mut(&mut self.teams).insert(it.id, it);
            }
            Edit::DeleteTeam(id) => {
                Arc::make_mut(&mut self.teams).remove(&id);
            }
            Edit::PutKey(it) => self.keys.insert(it),
            Edit::DeleteKey(id) => self.keys.remove(id),
            Edit::PutLimit(it) => self.limits.insert(it),
            Edit::DeleteLimit(id) => self.limits.remove(id),
            Edit::PutPepper(it) => {
                Arc::make_mut(&mut self.peppers).insert(it.version(), it);
            }
            Edit::PutSettings(it) => self.settings = it,
        }
    }

    /// The account of this name, if there is one.
    pub fn account_named(&self, name: &str) -> Option<&Arc<Account>> {
        self.accounts.values().find(|it| it.name.as_str() == name)
    }

    /// The team of this name, if there is one.
    pub fn team_named(&self, name: &str) -> Option<&Arc<Team>> {
        self.teams.values().find(|it| it.name.as_str() == name)
    }
}
