//! From what is asked and what is known to the ordered attempts.
//!
//! A model name resolves in this order: exact alias; wildcard route;
//! `provider/model`; the models and patterns of providers that have an enabled account.

use super::pick::{Dice, weighted_order};
use crate::{
    catalog::{Dialect, ModelId, Route, VirtualKey},
    name::Name,
    snapshot::{Seat, Snapshot},
};
use std::sync::Arc;

/// What routing has to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What the caller wrote in `model`.
    pub alias: &'a str,
    /// What the caller speaks.
    pub dialect: Dialect,
}

/// One try at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whom to ask.
    pub seat: Arc<Seat>,
    /// The model to ask for.
    pub model: Arc<str>,
    /// The tier that the target stands in, from 0.
    pub tier: usize,
}

/// Ordered attempts; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The route's alias, or the provider whose models were found.
    pub route: String,
    /// In the order in which to make them.
    pub attempts: Vec<Attempt>,
}

/// Why a request can go nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// Nothing is known by this name (or nothing that the key may use).
    #[error("the model `{alias}` does not exist or the key may not use it")]
    UnknownModel {
        /// What the caller wrote.
        alias: String,
    },
    /// The name is known, but no account that serves it is enabled.
    #[error("route `{route}` has no enabled account")]
    NoAccount {
        /// The route or provider that was found.
        route: String,
    },
    /// The name is known, but not to an account that speaks the caller's dialect.
    #[error("route `{route}` has no account that speaks the {dialect} dialect")]
    WrongDialect {
        /// The route or provider that was found.
        route: String,
        /// What the caller speaks.
        dialect: Dialect,
    },
}

/// Plans the attempts for a request. `seed` decides among targets of equal standing.
///
/// # Errors
/// [`Unroutable`] when there is nothing to attempt.
pub fn plan(
    snapshot: &Snapshot,
    ask: Ask<'_>,
    key: &VirtualKey,
    seed: u64,
) -> Result<Plan, Unroutable> {
    let unknown = || Unroutable::UnknownModel { alias: ask.alias.to_owned() };
    if !key.may_use(ask.alias) {
        return Err(unknown());
    }
    let mut dice = Dice::new(seed);
    let found = resolve(snapshot, ask).ok_or_else(unknown)?;
    let route = found.name;
    let mut attempts = Vec::new();
    let mut any = false;
    for (tier, targets) in found.tiers.into_iter().enumerate() {
        any |= !targets.is_empty();
        let speaking = targets
            .into_iter()
            .filter(|(_, (seat, _))| seat.endpoint(ask.dialect).is_some())
            .collect();
        let order = weighted_order(speaking, &mut dice);
        attempts.extend(order.into_iter().map(|(seat, model)| Attempt { seat, model, tier }));
    }
    match (attempts.is_empty(), any) {
        (false, _) => Ok(Plan { route, attempts }),
        (true, true) => Err(Unroutable::WrongDialect { route, dialect: ask.dialect }),
        (true, false) => Err(Unroutable::NoAccount { route }),
    }
}

type Weighted = (u32, (Arc<Seat>, Arc<str>));

struct Found {
    name: String,
    tiers: Vec<Vec<Weighted>>,
}

fn resolve(snapshot: &Snapshot, ask: Ask<'_>) -> Option<Found> {
    let Ask { alias, dialect } = ask;
    if let Some(route) = snapshot.route_of(alias) {
        return Some(through_route(snapshot, route, alias));
    }
    let found = named_provider(snapshot, alias);
    found.or_else(|| by_pattern(snapshot, alias, dialect)).or_else(|| {
        // Known, but nobody is there to serve it: that is not the caller's mistake.
        known_provider(snapshot, alias)
            .map(|name| Found { name: name.to_string(), tiers: Vec::new() })
    })
}

fn through_route(snapshot: &Snapshot, route: &Route, alias: &str) -> Found {
    let tiers = route.tiers.iter().filter(|_| route.enabled).map(|tier| {
        let targets = tier.targets.iter().filter(|it| it.weight > 0).filter_map(|target| {
            let seat = Arc::clone(snapshot.seat(target.account)?);
            let model = target.model.as_ref().map_or(alias, |it| it.as_str());
            Some((target.weight, (seat, model.into())))
        });
        targets.collect()
    });
    Found { name: route.alias.to_string(), tiers: tiers.collect() }
}

fn split_provider(alias: &str) -> Option<(Name, &str)> {
    let (provider, model) = alias.split_once('/')?;
    Some((provider.parse().ok()?, model)).filter(|(_, model)| !model.is_empty())
}

fn named_provider(snapshot: &Snapshot, alias: &str) -> Option<Found> {
    let (provider, model) = split_provider(alias)?;
    let tier = tier_of(snapshot, &provider, model)?;
    Some(Found { name: provider.to_string(), tiers: vec![tier] })
}

/// One provider's accounts: the best that speaks the caller's dialect, else the best.
/// Never on to another provider, whom only a route can name: its operator decides
/// who else may see a request, and what may answer in place of a model.
fn by_pattern(snapshot: &Snapshot, alias: &str, dialect: Dialect) -> Option<Found> {
    let providers = snapshot.index().providers_for(alias);
    let speaks =
        |name: &Name| snapshot.index().seats_of(name).any(|it| it.endpoint(dialect).is_some());
    let provider = providers.iter().find(|it| speaks(it)).or(providers.first())?;
    let tier = tier_of(snapshot, provider, alias)?;
    Some(Found { name: provider.to_string(), tiers: vec![tier] })
}

/// The enabled accounts of a provider as one tier of equal weights; `None` without any.
fn tier_of(snapshot: &Snapshot, provider: &Name, model: &str) -> Option<Vec<Weighted>> {
    let model: Arc<str> = model.into();
    let tier: Vec<_> = snapshot
        .index()
        .seats_of(provider)
        .map(|it| (1, (Arc::clone(it), Arc::clone(&model))))
        .collect();
    (!tier.is_empty()).then_some(tier)
}

/// A provider that would serve `alias` if it had an enabled account.
fn known_provider(snapshot: &Snapshot, alias: &str) -> Option<Name> {
    let catalog = snapshot.catalog();
    let has_account = |name: &Name| catalog.accounts.values().any(|it| it.provider == *name);
    if let Some((provider, _)) = split_provider(alias)
        && catalog.providers.contains_key(&provider)
    {
        return Some(provider);
    }
    let listed = catalog
        .models
        .keys()
        .find(|ModelId { provider, name }| name.as_str() == alias && has_account(provider));
    listed.map(|it| it.provider.clone()).or_else(|| {
        let matches = |name: &Name| {
            catalog
                .providers
                .get(name)
                .is_some_and(|it| it.model_patterns.iter().any(|pattern| pattern.matches(alias)))
        };
        let mut with_account = catalog.accounts.values().map(|it| &it.provider);
        with_account.find(|it| matches(it)).cloned()
    })
}

#[cfg(test)]
mod tests;
