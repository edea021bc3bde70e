//! From what is asked and what is known to the ordered attempts.
//!
//! A model name resolves in this order: exact alias; wildcard route;
//! `provider/model`; the models and patterns of providers that have an enabled account.

use super::{
    pick::{Dice, weighted_order},
    speech,
};
use crate::{
    catalog::{Dialect, ModelId, Operation, Route, Translation, VirtualKey},
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
    /// What is asked of the model.
    pub operation: Operation,
}

/// One try at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whom to ask.
    pub seat: Arc<Seat>,
    /// The model to ask for.
    pub model: Arc<str>,
    /// What to speak there: one of the dialects that the seat knows.
    pub dialect: Dialect,
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
    /// How much of the request may be adapted; for names without a route as much as it takes.
    pub translation: Translation,
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
    /// The name is known, but not to an account that can be asked this: in the caller's
    /// dialect, or in one that it can be translated to.
    #[error("route `{route}` has no account that can be asked this in the {dialect} dialect")]
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
    let (route, translation) = (found.name, found.translation);
    let mut attempts = Vec::new();
    let mut any = false;
    for (tier, targets) in found.tiers.into_iter().enumerate() {
        any |= !targets.is_empty();
        let speaking = targets
            .into_iter()
            .filter_map(|(weight, (seat, model))| {
                let dialect = speech(&seat, ask.dialect, ask.operation)?;
                Some((weight, (seat, model, dialect)))
            })
            .collect();
        let order = weighted_order(speaking, &mut dice);
        attempts.extend(order.into_iter().map(|(seat, model, dialect)| Attempt {
            seat,
            model,
            dialect,
            tier,
        }));
    }
    match (attempts.is_empty(), any) {
        (false, _) => Ok(Plan { route, attempts, translation }),
        (true, true) => Err(Unroutable::WrongDialect { route, dialect: ask.dialect }),
        (true, false) => Err(Unroutable::NoAccount { route }),
    }
}

type Weighted = (u32, (Arc<Seat>, Arc<str>));

struct Found {
    name: String,
    tiers: Vec<Vec<Weighted>>,
    translation: Translation,
}

impl Found {
    /// A provider that was found without a route.
    fn provider(name: &Name, tiers: Vec<Vec<Weighted>>) -> Self {
        Self { name: name.to_string(), tiers, translation: Translation::default() }
    }
}

fn resolve(snapshot: &Snapshot, ask: Ask<'_>) -> Option<Found> {
    let Ask { alias, .. } = ask;
    if let Some(route) = snapshot.route_of(alias) {
        return Some(through_route(snapshot, route, alias));
    }
    let found = named_provider(snapshot, alias);
    found.or_else(|| by_pattern(snapshot, ask)).or_else(|| {
        // Known, but nobody is there to serve it: that is not the caller's mistake.
        known_provider(snapshot, alias).map(|name| Found::provider(&name, Vec::new()))
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
    Found { name: route.alias.to_string(), tiers: tiers.collect(), translation: route.translation }
}

fn split_provider(alias: &str) -> Option<(Name, &str)> {
    let (provider, model) = alias.split_once('/')?;
    Some((provider.parse().ok()?, model)).filter(|(_, model)| !model.is_empty())
}

fn named_provider(snapshot: &Snapshot, alias: &str) -> Option<Found> {
    let (provider, model) = split_provider(alias)?;
    let tier = tier_of(snapshot, &provider, model)?;
    Some(Found::provider(&provider, vec![tier]))
}

/// One provider's accounts: the best that can be asked this, else the best.
/// Never on to another provider, whom only a route can name: its operator decides
/// who else may see a request, and what may answer in place of a model.
fn by_pattern(snapshot: &Snapshot, ask: Ask<'_>) -> Option<Found> {
    let Ask { alias, dialect, operation } = ask;
    let providers = snapshot.index().providers_for(alias);
    let speaks = |name: &Name| {
        let mut seats = snapshot.index().seats_of(name);
        seats.any(|it| speech(it, dialect, operation).is_some())
    };
    let provider = providers.iter().find(|it| speaks(it)).or(providers.first())?;
    let tier = tier_of(snapshot, provider, alias)?;
    Some(Found::provider(provider, vec![tier]))
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
