//! What a caller may write in `model`, and what is known of what stands behind it.

use super::Snapshot;
use crate::{
    catalog::{Operation, Route, VirtualKey},
    name::Name,
};

/// A model or alias as it is listed to a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// What to write in `model`.
    pub name: String,
    /// The provider, or `sluice` for an alias of a route.
    pub owner: String,
    /// What it can be asked; empty: not known.
    pub operations: Vec<Operation>,
    /// The most tokens of input and output together, if that is known.
    pub context_tokens: Option<u64>,
    /// The most output tokens of one answer, if that is known.
    pub max_output_tokens: Option<u64>,
}

impl Snapshot {
    /// What `key` may write in `model`, sorted by name: exact aliases of enabled
    /// routes, and listed models of providers that have an enabled account. A model that
    /// several providers list is shown as that of the one that is asked first, and one
    /// that a disabled route hides is not shown.
    pub fn listed(&self, key: &VirtualKey) -> Vec<Listed> {
        let aliases = self
            .catalog
            .routes
            .values()
            .filter(|it| it.enabled && !it.alias.is_wildcard() && key.may_use(it.alias.as_str()))
            .map(|it| self.listed_alias(it));
        let models = self
            .index
            .models()
            .filter(|(name, _)| key.may_use(name.as_str()))
            .filter(|(name, _)| self.route_of(name.as_str()).is_none_or(|it| it.enabled))
            .map(|(name, owner)| {
                self.described(name.as_str(), owner.as_str(), Some((owner, name.as_str())))
            });
        let mut listed: Vec<_> = aliases.chain(models).collect();
        // Aliases come first above and the sort is stable, so an alias hides a model of its name.
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed.dedup_by(|b, a| a.name == b.name);
        listed
    }

    /// `name`, listed as `owner`'s, with what the catalog knows of the provider's model that
    /// stands behind it.
    pub fn described(&self, name: &str, owner: &str, behind: Option<(&Name, &str)>) -> Listed {
        let model = behind.and_then(|(provider, model)| self.index.model(provider, model));
        Listed {
            name: name.to_owned(),
            owner: owner.to_owned(),
            operations: model.map(|it| it.operations.clone()).unwrap_or_default(),
            context_tokens: model.and_then(|it| it.context_tokens),
            max_output_tokens: model.and_then(|it| it.max_output_tokens),
        }
    }

    /// An alias is described by the first of its targets that can be asked: the others are
    /// there in its place, and are the operator's to choose alike.
    fn listed_alias(&self, route: &Route) -> Listed {
        let alias = route.alias.as_str();
        let mut targets = route.tiers.iter().flat_map(|it| &it.targets).filter(|it| it.weight > 0);
        let behind = targets.find_map(|it| {
            let model = it.model.as_ref().map_or(alias, |it| it.as_str());
            Some((&self.seat(it.account)?.provider, model))
        });
        self.described(alias, "sluice", behind)
    }
}
