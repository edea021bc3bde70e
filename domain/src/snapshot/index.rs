//! The look-ups that a compiled catalog answers without searching.

use crate::{
    catalog::{Account, AuthStyle, Catalog, Dialect, Provider, Route},
    id::AccountId,
    name::Name,
    pattern::Pattern,
};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// Where and how an account speaks one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatEndpoint {
    /// What is spoken there.
    pub dialect: Dialect,
    /// The URL up to where the operation's path starts, without a slash at its end.
    pub base_url: Arc<str>,
    /// How the credential is shown.
    pub auth: AuthStyle,
}

/// An enabled account together with what its provider says of it: ready to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The account.
    pub account: Arc<Account>,
    /// Its provider's name.
    pub provider: Name,
    /// What it speaks, and where.
    pub endpoints: Vec<SeatEndpoint>,
}

impl Seat {
    /// Where it speaks `dialect`, if it does.
    pub fn endpoint(&self, dialect: Dialect) -> Option<&SeatEndpoint> {
        self.endpoints.iter().find(|it| it.dialect == dialect)
    }

    fn compile(account: &Arc<Account>, provider: &Provider) -> Self {
        let endpoints = provider.endpoints.iter().filter_map(|it| {
            let own = account.base_urls.iter().find(|own| own.dialect == it.dialect);
            let url = own.map(|own| own.url.as_str()).or(it.base_url.as_deref())?;
            let base_url = url.trim_end_matches('/').into();
            Some(SeatEndpoint { dialect: it.dialect, base_url, auth: it.auth.clone() })
        });
        Self {
            account: Arc::clone(account),
            provider: provider.name.clone(),
            endpoints: endpoints.collect(),
        }
    }
}

/// The look-ups of one snapshot; shared by revisions that only change keys.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Enabled accounts.
    pub(crate) seats: BTreeMap<AccountId, Arc<Seat>>,
    by_provider: BTreeMap<Name, Vec<Arc<Seat>>>,
    /// The most specific first.
    wildcard_routes: Vec<Arc<Route>>,
    /// Native providers first, then the most specific pattern, then by name.
    patterns: Vec<(Pattern, Name)>,
}

impl Index {
    /// Indexes a catalog that compiles. Seats that stayed the same are taken over
    /// from `previous`, so that who holds one can tell by its address.
    pub(super) fn build(catalog: &Catalog, previous: Option<&Self>) -> Self {
        let mut index = Self::default();
        for account in catalog.accounts.values().filter(|it| it.enabled) {
            let Some(provider) = catalog.providers.get(&account.provider) else { continue };
            let seat = Seat::compile(account, provider);
            let old = previous.and_then(|it| it.seats.get(&account.id));
            let seat = old.filter(|it| ***it == seat).cloned().unwrap_or_else(|| Arc::new(seat));
            index.by_provider.entry(provider.name.clone()).or_default().push(Arc::clone(&seat));
            index.seats.insert(account.id, seat);
        }
        index.wildcard_routes =
            catalog.routes.values().filter(|it| it.alias.is_wildcard()).cloned().collect();
        index.wildcard_routes.sort_by_key(|it| Reverse(it.alias.fixed_len()));
        let mut patterns: Vec<_> = catalog
            .providers
            .values()
            .filter(|it| index.by_provider.contains_key(&it.name))
            .flat_map(|it| it.model_patterns.iter().map(move |pattern| (it, pattern)))
            .collect();
        patterns.sort_by_key(|(provider, pattern)| {
            (provider.aggregator, Reverse(pattern.fixed_len()), provider.name.clone())
        });
        index.patterns = patterns
            .into_iter()
            .map(|(provider, pattern)| (pattern.clone(), provider.name.clone()))
            .collect();
        index
    }

    /// The enabled accounts of a provider.
    pub(crate) fn seats_of(&self, provider: &Name) -> impl Iterator<Item = &Arc<Seat>> {
        self.by_provider.get(provider).into_iter().flatten()
    }

    /// The most specific wildcard route that describes `model`.
    pub(crate) fn wildcard_route(&self, model: &str) -> Option<&Arc<Route>> {
        self.wildcard_routes.iter().find(|it| it.alias.matches(model))
    }

    /// Providers with an enabled account whose patterns describe `model`, the best first.
    pub(crate) fn providers_for(&self, model: &str) -> impl Iterator<Item = &Name> {
        self.patterns.iter().filter(move |(it, _)| it.matches(model)).map(|(_, name)| name)
    }
}
