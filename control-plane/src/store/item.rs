//! What tells the items of a catalog apart, and what is left of a list of edits.

use crate::named::Named;
use domain::{
    catalog::{Catalog, Edit, ModelId},
    id::{AccountId, KeyId, LimitId, TeamId},
    limit::words::title,
    name::Name,
    pattern::Pattern,
};
use std::{collections::BTreeMap, fmt};

/// One item of a catalog. Ordered so that what others refer to comes first.
#[expect(missing_docs, reason = "each variant says which item it names")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemRef {
    Provider(Name),
    Account(AccountId),
    Model(ModelId),
    Route(Pattern),
    Team(TeamId),
    Pepper(u32),
    Key(KeyId),
    Limit(LimitId),
    Settings,
}

impl ItemRef {
    /// The item that an edit is about.
    pub fn of(edit: &Edit) -> Self {
        match edit {
            Edit::PutProvider(it) => Self::Provider(it.name.clone()),
            Edit::DeleteProvider(name) => Self::Provider(name.clone()),
            Edit::PutAccount(it) => Self::Account(it.id),
            Edit::DeleteAccount(id) => Self::Account(*id),
            Edit::PutModel(it) => Self::Model(it.id.clone()),
            Edit::DeleteModel(id) => Self::Model(id.clone()),
            Edit::PutRoute(it) => Self::Route(it.alias.clone()),
            Edit::DeleteRoute(alias) => Self::Route(alias.clone()),
            Edit::PutTeam(it) => Self::Team(it.id),
            Edit::DeleteTeam(id) => Self::Team(*id),
            Edit::PutKey(it) => Self::Key(it.id),
            Edit::DeleteKey(id) => Self::Key(*id),
            Edit::PutPepper(it) => Self::Pepper(it.version()),
            Edit::PutSettings(_) => Self::Settings,
            Edit::PutLimit(it) => Self::Limit(it.id),
            Edit::DeleteLimit(id) => Self::Limit(*id),
        }
    }

    /// The kind, as tombstones and the change log call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider",
            Self::Account(_) => "account",
            Self::Model(_) => "model",
            Self::Route(_) => "route",
            Self::Team(_) => "team",
            Self::Pepper(_) => "pepper",
            Self::Key(_) => "key",
            Self::Limit(_) => "limit",
            Self::Settings => "settings",
        }
    }

    /// The identity within its kind, as tombstones and the change log write it.
    pub fn id(&self) -> String {
        match self {
            Self::Provider(name) => name.to_string(),
            Self::Account(id) => id.to_string(),
            Self::Model(id) => id.to_string(),
            Self::Route(alias) => alias.to_string(),
            Self::Team(id) => id.to_string(),
            Self::Pepper(version) => version.to_string(),
            Self::Key(id) => id.to_string(),
            Self::Limit(id) => id.to_string(),
            Self::Settings => "settings".to_owned(),
        }
    }
}

impl fmt::Display for ItemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::Settings {
            return f.write_str("settings");
        }
        write!(f, "{} `{}`", self.kind(), self.id())
    }
}

/// Whether the edit removes its item.
pub(super) const fn is_delete(edit: &Edit) -> bool {
    matches!(
        edit,
        Edit::DeleteProvider(_)
            | Edit::DeleteAccount(_)
            | Edit::DeleteModel(_)
            | Edit::DeleteRoute(_)
            | Edit::DeleteTeam(_)
            | Edit::DeleteKey(_)
            | Edit::DeleteLimit(_)
    )
}

/// What a list of edits comes down to: the last edit of each item, without those that
/// would leave the catalog as it is.
pub(super) fn collapse(edits: Vec<Edit>, catalog: &Catalog) -> Vec<Edit> {
    let mut last = BTreeMap::new();
    for edit in edits {
        last.insert(ItemRef::of(&edit), edit);
    }
    last.into_values().filter(|it| !changes_nothing(it, catalog)).collect()
}

fn changes_nothing(edit: &Edit, catalog: &Catalog) -> bool {
    match edit {
        Edit::PutProvider(it) => catalog.providers.get(&it.name) == Some(it),
        Edit::DeleteProvider(name) => !catalog.providers.contains_key(name),
        Edit::PutAccount(it) => catalog.accounts.get(&it.id) == Some(it),
        Edit::DeleteAccount(id) => !catalog.accounts.contains_key(id),
        Edit::PutModel(it) => catalog.models.get(&it.id) == Some(it),
        Edit::DeleteModel(id) => !catalog.models.contains_key(id),
        Edit::PutRoute(it) => catalog.routes.get(&it.alias) == Some(it),
        Edit::DeleteRoute(alias) => !catalog.routes.contains_key(alias),
        Edit::PutTeam(it) => catalog.teams.get(&it.id) == Some(it),
        Edit::DeleteTeam(id) => !catalog.teams.contains_key(id),
        Edit::PutKey(it) => catalog.keys.get(it.id) == Some(it),
        Edit::DeleteKey(id) => catalog.keys.get(*id).is_none(),
        Edit::PutLimit(it) => catalog.limits.get(it.id) == Some(it),
        Edit::DeleteLimit(id) => catalog.limits.get(*id).is_none(),
        Edit::PutPepper(it) => catalog.peppers.get(&it.version()) == Some(it),
        Edit::PutSettings(it) => catalog.settings == *it,
    }
}

/// The name that people know an edit's item by, in the catalogs before and after it: ids
/// say little in a log.
pub(super) fn name_of(edit: &Edit, before: &Catalog, after: &Catalog) -> String {
    let name = match edit {
        Edit::PutAccount(it) => Some(it.name.to_string()),
        Edit::DeleteAccount(id) => before.accounts.get(id).map(|it| it.name.to_string()),
        Edit::PutTeam(it) => Some(it.name.to_string()),
        Edit::DeleteTeam(id) => before.teams.get(id).map(|it| it.name.to_string()),
        Edit::PutKey(it) => Some(it.name.to_string()),
        Edit::DeleteKey(id) => before.keys.get(*id).map(|it| it.name.to_string()),
        Edit::PutLimit(it) => Some(title(it, &Named(after))),
        Edit::DeleteLimit(id) => before.limits.get(*id).map(|it| title(it, &Named(before))),
        Edit::PutProvider(_)
        | Edit::DeleteProvider(_)
        | Edit::PutModel(_)
        | Edit::DeleteModel(_)
        | Edit::PutRoute(_)
        | Edit::DeleteRoute(_)
        | Edit::PutPepper(_)
        | Edit::PutSettings(_) => None,
    };
    name.unwrap_or_else(|| ItemRef::of(edit).id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::{Settings, Team};
    use std::sync::Arc;
    use uuid::Uuid;

    fn team(id: u128, description: &str) -> Edit {
        Edit::PutTeam(Arc::new(Team {
            id: TeamId::from_uuid(Uuid::from_u128(id)),
            name: format!("team-{id}").parse().unwrap(),
            description: description.to_owned(),
        }))
    }

    #[test]
    fn the_last_edit_of_an_item_counts() {
        let edits = vec![team(1, "a"), team(2, "b"), team(1, "c")];
        assert_eq!(collapse(edits, &Catalog::default()), [team(1, "c"), team(2, "b")]);
    }

    #[test]
    fn edits_that_change_nothing_are_dropped() {
        let mut catalog = Catalog::default();
        catalog.apply(team(1, "a"));
        let gone = Edit::DeleteTeam(TeamId::from_uuid(Uuid::from_u128(9)));
        let same = Edit::PutSettings(Settings::default());
        assert_eq!(collapse(vec![team(1, "b"), team(1, "a"), gone, same], &catalog), []);
    }
}
