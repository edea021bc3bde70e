//! What a list of edits would change in a catalog, item by item.
//!
//! Only for people to read: the server decides by itself what is a change.

use std::{collections::BTreeMap, fmt};

use domain::id::AccountId;
use proto::{
    admin::v1::{self, edit::Edit},
    convert::catalog::{
        account_from, account_to, model_from, model_to, provider_from, provider_to, settings_from,
        settings_to,
    },
};
use serde::Serialize;

use crate::{failure::CliError, limit};

/// An id to compare accounts under; whichever, as it is cleared again.
const NOBODY: &str = "acct_00000000000000000000000000000000";

/// What happens to one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// It is new.
    Add,
    /// It is there, and differs.
    Change,
    /// It is there and only a secret is given, which the server alone can compare.
    Secret,
}

/// Every item that an application touches: what happens, kind, name.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Plan(pub(crate) Vec<PlanLine>);

/// One item.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PlanLine {
    pub(crate) step: Step,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

impl Plan {
    /// Compares what is wanted with what there is.
    pub(crate) fn new(wanted: &[v1::Edit], there: &[v1::Edit]) -> Self {
        let there: BTreeMap<_, _> = there.iter().filter_map(normal).collect();
        let mut lines = Vec::new();
        for edit in wanted {
            let Some(((kind, name), normal)) = normal(edit) else { continue };
            let step = match there.get(&(kind, name.clone())) {
                None => Step::Add,
                Some(same) if *same == normal && has_secret(edit) => Step::Secret,
                Some(same) if *same == normal => continue,
                Some(_) => Step::Change,
            };
            lines.push(PlanLine { step, kind, name });
        }
        Self(lines)
    }

    /// Whether nothing would change.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PlanLine { step, kind, name } in &self.0 {
            match step {
                Step::Add => writeln!(f, "+ {kind} {name}")?,
                Step::Change => writeln!(f, "~ {kind} {name}")?,
                Step::Secret => {
                    writeln!(f, "? {kind} {name} (changes only if its secret differs)")?
                }
            }
        }
        Ok(())
    }
}

/// Kind and name of an edit's item.
pub(crate) fn name_of(edit: &v1::Edit) -> Option<(&'static str, String)> {
    Some(match edit.edit.as_ref()? {
        Edit::PutProvider(it) => ("provider", it.name.clone()),
        Edit::PutAccount(it) => ("account", it.name.clone()),
        Edit::PutModel(it) => ("model", format!("{}/{}", it.provider, it.name)),
        Edit::PutRoute(it) => ("route", it.alias.clone()),
        Edit::PutTeam(it) => ("team", it.name.clone()),
        Edit::PutKey(it) => ("key", it.name.clone()),
        Edit::PutLimit(it) => ("limit", limit::identity(it)),
        Edit::PutSettings(_) => ("settings", String::new()),
        Edit::DeleteProvider(it) => ("provider", it.clone()),
        Edit::DeleteAccount(it) => ("account", it.clone()),
        Edit::DeleteModel(it) => ("model", it.clone()),
        Edit::DeleteRoute(it) => ("route", it.clone()),
        Edit::DeleteTeam(it) => ("team", it.clone()),
        Edit::DeleteKey(it) => ("key", it.clone()),
        Edit::DeleteLimit(it) => ("limit", it.clone()),
    })
}

fn has_secret(edit: &v1::Edit) -> bool {
    match &edit.edit {
        Some(Edit::PutAccount(it)) => !it.credential.is_empty() || !it.proxy.is_empty(),
        Some(_) | None => false,
    }
}

type Named = ((&'static str, String), Edit);

/// An edit with defaults filled in and without what only the server knows, so that two
/// that mean the same are equal.
fn normal(edit: &v1::Edit) -> Option<Named> {
    let name = name_of(edit)?;
    let normal = match edit.edit.clone()? {
        Edit::PutProvider(mut it) => {
            it.built_in = false;
            Edit::PutProvider(provider_from(it.clone()).map_or(it, |it| provider_to(&it)))
        }
        Edit::PutAccount(mut it) => {
            it.credential.clear();
            it.proxy.clear();
            let nobody = NOBODY.parse::<AccountId>().ok()?;
            let mut it = account_from(it.clone(), nobody).map_or(it, |it| account_to(&it));
            (it.id, it.has_credential, it.has_proxy) = (String::new(), false, false);
            Edit::PutAccount(it)
        }
        Edit::PutModel(mut it) => {
            it.built_in = false;
            Edit::PutModel(model_from(&it).map_or(it, |it| model_to(&it)))
        }
        Edit::PutRoute(mut it) => {
            for target in it.tiers.iter_mut().flat_map(|it| &mut it.targets) {
                target.weight = target.weight.or(Some(1));
            }
            Edit::PutRoute(v1::Route { revision: 0, etag: String::new(), ..it })
        }
        Edit::PutTeam(it) => {
            Edit::PutTeam(v1::Team { id: String::new(), revision: 0, etag: String::new(), ..it })
        }
        Edit::PutKey(it) => Edit::PutKey(v1::VirtualKey {
            id: String::new(),
            hint: String::new(),
            created_at: None,
            revision: 0,
            etag: String::new(),
            ..it
        }),
        Edit::PutLimit(it) => {
            let mut it = limit::normal(it);
            // The server knows its own way to write a time zone.
            it.time_zone.make_ascii_lowercase();
            Edit::PutLimit(it)
        }
        Edit::PutSettings(it) => Edit::PutSettings(settings_to(&settings_from(&it))),
        other @ (Edit::DeleteProvider(_)
        | Edit::DeleteAccount(_)
        | Edit::DeleteModel(_)
        | Edit::DeleteRoute(_)
        | Edit::DeleteTeam(_)
        | Edit::DeleteKey(_)
        | Edit::DeleteLimit(_)) => other,
    };
    Some((name, normal))
}

/// Names the items in an error's fields, where the server only counts edits:
/// `edits[3].put_account.name` becomes `accounts["main"].name`.
pub(crate) fn rename_places(mut error: CliError, edits: &[v1::Edit]) -> CliError {
    for it in &mut error.fields {
        let Some((number, rest)) =
            it.field.strip_prefix("edits[").and_then(|rest| rest.split_once(']'))
        else {
            continue;
        };
        let edit = number.parse::<usize>().ok().and_then(|at| edits.get(at));
        let Some((kind, name)) = edit.and_then(name_of) else { continue };
        // The oneof's own name says no more than the kind does.
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        let rest =
            rest.strip_prefix("put_").map_or(rest, |it| it.split_once('.').map_or("", |it| it.1));
        let dot = if rest.is_empty() { "" } else { "." };
        let field = match kind {
            "settings" => format!("settings{dot}{rest}"),
            _ => format!("{kind}s[\"{name}\"]{dot}{rest}"),
        };
        // A message of one wrong field names it.
        error.what = error.what.replace(&it.field, &field);
        it.field = field;
    }
    error
}
