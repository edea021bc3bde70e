//! The look-ups that a compiled catalog answers without searching.

use crate::{
    catalog::{
        Account, AuthStyle, Catalog, Dialect, Endpoint, Model, ModelName, Provider, Quirks, Route,
    },
    id::AccountId,
    name::Name,
    pattern::Pattern,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where and how an account speaks one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatEndpoint {
    /// What is spoken there.
    pub dialect: Dialect,
    /// The URL up to where the operation's path starts, without a slash at its end.
    pub base_url: Arc<str>,
    /// How the credential is shown.
    pub auth: AuthStyle,
    /// The field in which chat requests take their maximum of output tokens.
    pub output_cap_field: Arc<str>,
    /// How it differs from what its dialect usually does.
    pub quirks: Quirks,
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
            let cap = it.output_cap_field.as_deref().unwrap_or(Endpoint::OUTPUT_CAP_FIELD);
            let (auth, output_cap_field) = (it.auth.clone(), cap.into());
            let (dialect, quirks) = (it.dialect, it.quirks);
            Some(SeatEndpoint { dialect, base_url, auth, output_cap_field, quirks })
        });
        Self {
            account: Arc::clone(account),
            provider: provider.name.clone(),
            endpoints: endpoints.collect(),
        }
    }
}

/// The look-ups of one snapshot; shared by revisions that only change keys.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Index {
    /// Enabled accounts.
    pub(crate) seats: BTreeMap<AccountId, Arc<Seat>>,
    by_provider: BTreeMap<Name, Vec<Arc<Seat>>>,
    /// The most specific first.
    wildcard_routes: Vec<Arc<Route>>,
    /// Providers with an enabled account that list a model of this name, sorted by name.
    listed: BTreeMap<ModelName, Vec<Name>>,
    /// By provider and name, to be found without making a name of a text.
    models: BTreeMap<Name, BTreeMap<ModelName, Arc<Model>>>,
    /// Native providers first, then the most specific pattern, then by name.
    patterns: Vec<(Pattern, Name)>,
    /// Providers with an enabled account that only pass requests on.
    aggregators: BTreeSet<Name>,
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
        // The sort is stable: equally specific ones stay in the order of their text.
        index.wildcard_routes.sort_by_key(|it| Reverse(it.alias.fixed_len()));
        let serving: Vec<_> = catalog
            .providers
            .values()
            .filter(|it| index.by_provider.contains_key(&it.name))
            .collect();
        index.aggregators =
            serving.iter().filter(|it| it.aggregator).map(|it| it.name.clone()).collect();
        index.patterns = patterns(&serving);
        index.listed = index.listed(catalog);
        for (id, model) in catalog.models.iter() {
            let of_provider = index.models.entry(id.provider.clone()).or_default();
            of_provider.insert(id.name.clone(), Arc::clone(model));
        }
        index
    }

    fn listed(&self, catalog: &Catalog) -> BTreeMap<ModelName, Vec<Name>> {
        let mut listed: BTreeMap<ModelName, Vec<Name>> = BTreeMap::new();
        // Models come by provider, so that each list is sorted by name.
        for it in catalog.models.keys().filter(|it| self.by_provider.contains_key(&it.provider)) {
            listed.entry(it.name.clone()).or_default().push(it.provider.clone());
        }
        listed
    }

    /// What operators said of a provider's model.
    pub(super) fn model(&self, provider: &Name, model: &str) -> Option<&Arc<Model>> {
        self.models.get(provider)?.get(model)
    }

    /// The enabled accounts of a provider.
    pub(crate) fn seats_of(&self, provider: &Name) -> impl Iterator<Item = &Arc<Seat>> {
        self.by_provider.get(provider).into_iter().flatten()
    }

    /// The most specific wildcard route that describes `model`.
    pub(crate) fn wildcard_route(&self, model: &str) -> Option<&Arc<Route>> {
        self.wildcard_routes.iter().find(|it| it.alias.matches(model))
    }

    /// Every listed model with the provider that is asked first for it, sorted by name.
    pub(crate) fn models(&self) -> impl Iterator<Item = (&ModelName, &Name)> {
        let first = |model: &ModelName| self.providers_for(model.as_str()).into_iter().next();
        self.listed.keys().filter_map(move |it| Some((it, first(it)?)))
    }

    /// Providers with an enabled account that list `model`, or whose patterns describe
    /// it, each once and the best first: whose model it is comes before who only
    /// passes requests on, and only then who lists it before whose pattern fits.
    pub(crate) fn providers_for(&self, model: &str) -> Vec<&Name> {
        let listing = self.listed.get(model).into_iter().flatten();
        let fitting = self.patterns.iter().filter(|(it, _)| it.matches(model)).map(|(_, it)| it);
        let mut providers: Vec<&Name> = Vec::new();
        for it in listing.chain(fitting) {
            if !providers.contains(&it) {
                providers.push(it);
            }
        }
        providers.sort_by_key(|it| self.aggregators.contains(*it));
        providers
    }
}

fn patterns(serving: &[&Arc<Provider>]) -> Vec<(Pattern, Name)> {
    let of = |it: &Arc<Provider>| {
        let (aggregator, name) = (it.aggregator, it.name.clone());
        let rank =
            move |it: &Pattern| (aggregator, Reverse(it.fixed_len()), name.clone(), it.clone());
        it.model_patterns.iter().map(rank).collect::<Vec<_>>()
    };
    let mut patterns: Vec<_> = serving.iter().flat_map(|it| of(it)).collect();
    patterns.sort_unstable();
    patterns.into_iter().map(|(_, _, name, pattern)| (pattern, name)).collect()
}
