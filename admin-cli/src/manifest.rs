//! A file of desired things ↔ edits of the catalog.
//!
//! YAML or JSON, one or several documents. What is in it is added or replaced; what is
//! not in it stays. Secrets are never in it: it says where they are.

mod item;
mod plan;

pub(crate) use item::{
    Account, BaseUrl, Header, Key, Limit, Model, Provider, Route, Settings, Team,
};
pub(crate) use plan::{Plan, rename_places};

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use proto::admin::v1::{self, edit::Edit};
use serde::{Deserialize, Serialize};

use crate::failure::{CliError, Outcome, Violation};

/// Everything that a file may hold, in the order in which it is applied.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) providers: Vec<Provider>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<Account>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) models: Vec<Model>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) teams: Vec<Team>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<Key>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) limits: Vec<Limit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<Settings>,
}

/// How the secrets that a manifest points at are read.
pub(crate) trait Secrets {
    /// The text of an environment variable.
    fn var(&self, name: &str) -> Option<String>;
    /// The text of a file; relative paths start at the manifest's folder.
    fn file(&self, path: &Path) -> Result<String, String>;
}

impl Manifest {
    /// Reads every document of a text; `name` is the file, for errors.
    pub(crate) fn read(name: &str, text: &str) -> Outcome<Self> {
        let mut whole = Self::default();
        for (at, document) in serde_norway::Deserializer::from_str(text).enumerate() {
            let part = Option::<Self>::deserialize(document).map_err(|error| {
                let place = if at == 0 { String::new() } else { format!(", document {}", at + 1) };
                CliError::usage(format!("{name}{place}: {error}"))
            })?;
            let part = part.unwrap_or_default();
            whole.providers.extend(part.providers);
            whole.accounts.extend(part.accounts);
            whole.models.extend(part.models);
            whole.routes.extend(part.routes);
            whole.teams.extend(part.teams);
            whole.keys.extend(part.keys);
            whole.limits.extend(part.limits);
            if part.settings.is_some() && whole.settings.is_some() {
                return Err(CliError::usage(format!("{name}: `settings` are in two documents")));
            }
            whole.settings = whole.settings.or(part.settings);
        }
        Ok(whole)
    }

    /// What there is in a catalog.
    pub(crate) fn of_edits(edits: &[v1::Edit]) -> Self {
        let mut whole = Self::default();
        for edit in edits.iter().filter_map(|it| it.edit.as_ref()) {
            match edit {
                Edit::PutProvider(it) => whole.providers.push(it.into()),
                Edit::PutAccount(it) => whole.accounts.push(it.into()),
                Edit::PutModel(it) => whole.models.push(it.into()),
                Edit::PutRoute(it) => whole.routes.push(it.into()),
                Edit::PutTeam(it) => whole.teams.push(it.into()),
                Edit::PutKey(it) => whole.keys.push(it.into()),
                Edit::PutLimit(it) => whole.limits.push(it.into()),
                Edit::PutSettings(it) => whole.settings = Some(it.into()),
                // An export holds what there is, never what there is not.
                Edit::DeleteProvider(_)
                | Edit::DeleteAccount(_)
                | Edit::DeleteModel(_)
                | Edit::DeleteRoute(_)
                | Edit::DeleteTeam(_)
                | Edit::DeleteKey(_)
                | Edit::DeleteLimit(_) => {}
            }
        }
        whole
    }

    /// The edits that bring it about, with the secrets in them; or everything that is
    /// wrong with it.
    pub(crate) fn edits(&self, secrets: &dyn Secrets) -> Outcome<Vec<v1::Edit>> {
        let mut wrong = Wrong::default();
        let mut edits = Vec::new();
        for (at, it) in self.providers.iter().enumerate() {
            edits.push(Edit::PutProvider(it.wire(wrong.within(format!("providers[{at}]")))));
        }
        for (at, it) in self.teams.iter().enumerate() {
            wrong.within(format!("teams[{at}]"));
            edits.push(Edit::PutTeam(it.wire()));
        }
        for (at, it) in self.accounts.iter().enumerate() {
            let wrong = wrong.within(format!("accounts[{at}]"));
            edits.push(Edit::PutAccount(it.wire(wrong, secrets)));
        }
        for (at, it) in self.models.iter().enumerate() {
            edits.push(Edit::PutModel(it.wire(wrong.within(format!("models[{at}]")))));
        }
        for (at, it) in self.routes.iter().enumerate() {
            edits.push(Edit::PutRoute(it.wire(wrong.within(format!("routes[{at}]")))));
        }
        for (at, it) in self.keys.iter().enumerate() {
            edits.push(Edit::PutKey(it.wire(wrong.within(format!("keys[{at}]")))));
        }
        for (at, it) in self.limits.iter().enumerate() {
            edits.push(Edit::PutLimit(it.wire(wrong.within(format!("limits[{at}]")))));
        }
        edits.extend(self.settings.as_ref().map(|it| Edit::PutSettings(it.wire())));
        let edits: Vec<_> = edits.into_iter().map(|it| v1::Edit { edit: Some(it) }).collect();
        refuse_twins(&edits, &mut wrong);
        wrong.finish()?;
        Ok(edits)
    }
}

/// One thing described twice would silently be its last description.
fn refuse_twins(edits: &[v1::Edit], wrong: &mut Wrong) {
    let mut seen = BTreeSet::new();
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (kind, name) in edits.iter().filter_map(plan::name_of) {
        let at = counts.entry(kind).or_default();
        if !seen.insert((kind, name.clone())) {
            wrong.within(format!("{kind}s[{at}]")).add("", format!("`{name}` is there twice"));
        }
        *at += 1;
    }
}

/// Collects what is wrong, so that all of it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    place: String,
    fields: Vec<Violation>,
}

impl Wrong {
    /// What follows is wrong within this item.
    fn within(&mut self, place: String) -> &mut Self {
        self.place = place;
        self
    }

    fn add(&mut self, field: &str, reason: impl Into<String>) {
        let dot = if field.is_empty() { "" } else { "." };
        let field = format!("{}{dot}{field}", self.place);
        self.fields.push(Violation { field, reason: reason.into() });
    }

    /// The value, or its default with the error noted.
    fn note<T: Default>(&mut self, field: &str, result: Result<T, String>) -> T {
        result.unwrap_or_else(|reason| {
            self.add(field, reason);
            T::default()
        })
    }

    fn finish(self) -> Outcome {
        if self.fields.is_empty() {
            return Ok(());
        }
        let mut error = CliError::usage("the manifest is not understood");
        error.fields = self.fields;
        Err(error)
    }
}

#[cfg(test)]
mod tests;
