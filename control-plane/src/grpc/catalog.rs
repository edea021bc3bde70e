//! The catalog as a whole over gRPC: many edits as one revision, and everything to take along.

use super::{
    Answer, Desk, answer, asked,
    draft::{Draft, References},
    key,
    refusal::{Kind, Refusal},
    status,
    write::{Done, Expected, Terms},
};
use crate::{named::Named, templates};
use domain::catalog::{Catalog, Limit, Subject};
use proto::{
    admin::v1::{self, catalog_service_server::CatalogService, edit::Edit},
    convert::{
        Invalid,
        catalog::{account_to, model_to, provider_to, route_to, settings_to, team_to},
        key::key_to,
        limit::{Written as _, limit_to},
    },
};
use tonic::Request;

const MOST_EDITS: usize = 10_000;

#[tonic::async_trait]
impl CatalogService for Desk {
    async fn apply_change(
        &self,
        request: Request<v1::ApplyChangeRequest>,
    ) -> Answer<v1::ApplyChangeResponse> {
        let asked = asked(request);
        let count = asked.edits.len();
        if count == 0 || MOST_EDITS < count {
            let reason = format!("has {count} edits: it must have 1 to {MOST_EDITS}");
            return Err(status::of_refusal(Refusal::field("edits", reason)));
        }
        let terms = Terms {
            etags: asked.edits.iter().filter_map(expected).collect(),
            expected_revision: asked.expected_revision,
            dry_run: asked.dry_run,
        };
        let done = self.write(terms, |draft| apply(draft, asked.edits)).await?;
        let created_keys = if asked.dry_run { Vec::new() } else { created(&done) };
        answer(v1::ApplyChangeResponse { revision: done.revision, created_keys })
    }

    async fn export_catalog(
        &self,
        request: Request<v1::ExportCatalogRequest>,
    ) -> Answer<v1::ExportCatalogResponse> {
        let asked = asked(request);
        // Ours may be behind what another control plane has just written.
        self.read(self.publisher.refresh()).await?;
        let newest = self.newest()?;
        answer(v1::ExportCatalogResponse {
            revision: newest.snapshot.revision(),
            edits: export(newest.snapshot.catalog(), &asked),
        })
    }
}

/// The item that a put believes to know.
fn expected(edit: &v1::Edit) -> Option<Expected> {
    let expected = match edit.edit.as_ref()? {
        Edit::PutProvider(it) => Expected::new(Kind::Provider, &it.name, &it.etag),
        Edit::PutAccount(it) => Expected::new(Kind::Account, &it.name, &it.etag),
        Edit::PutModel(it) => {
            Expected::new(Kind::Model, &format!("{}/{}", it.provider, it.name), &it.etag)
        }
        Edit::PutRoute(it) => Expected::new(Kind::Route, &it.alias, &it.etag),
        Edit::PutTeam(it) => Expected::new(Kind::Team, &it.name, &it.etag),
        Edit::PutKey(it) => Expected::new(Kind::Key, &it.name, &it.etag),
        Edit::PutSettings(it) => Expected::new(Kind::Settings, "settings", &it.etag),
        Edit::PutLimit(it) => Expected::new(Kind::Limit, &it.id, &it.etag),
        Edit::DeleteProvider(_)
        | Edit::DeleteAccount(_)
        | Edit::DeleteModel(_)
        | Edit::DeleteRoute(_)
        | Edit::DeleteTeam(_)
        | Edit::DeleteKey(_)
        | Edit::DeleteLimit(_) => return None,
    };
    Some(expected).filter(|it| !it.etag.is_empty())
}

/// Drafts every edit, and says of all of them what is wrong.
fn apply(draft: &mut Draft, edits: Vec<v1::Edit>) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    for (at, edit) in edits.into_iter().enumerate() {
        let Some(edit) = edit.edit else {
            wrong.push(Invalid::new(format!("edits[{at}]"), "says nothing to do"));
            continue;
        };
        let field = format!("edits[{at}].{}", name_of(&edit));
        match apply_one(draft, edit) {
            Ok(()) => {}
            Err(Refusal::NoEntropy) => return Err(Refusal::NoEntropy),
            Err(Refusal::Invalid(more)) => {
                wrong.extend(
                    more.into_iter()
                        .map(|it| Invalid::new(format!("{field}.{}", it.field), it.reason)),
                );
            }
            Err(other) => wrong.push(Invalid::new(field, other)),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong)) }
}

fn apply_one(draft: &mut Draft, edit: Edit) -> Result<(), Refusal> {
    let later = References::LeaveToCompiler;
    match edit {
        Edit::PutProvider(it) => draft.put_provider(it).map(drop),
        Edit::DeleteProvider(name) => draft.delete_provider(&name, later),
        Edit::PutAccount(it) => draft.put_account(it).map(drop),
        Edit::DeleteAccount(name) => draft.delete_account(&name, later),
        Edit::PutModel(it) => draft.put_model(it).map(drop),
        Edit::DeleteModel(id) => draft.delete_model(&id),
        Edit::PutRoute(it) => draft.put_route(it).map(drop),
        Edit::DeleteRoute(alias) => draft.delete_route(&alias),
        Edit::PutTeam(it) => draft.put_team(it).map(drop),
        Edit::DeleteTeam(name) => draft.delete_team(&name, later),
        Edit::PutKey(it) => draft.put_key(&it).map(drop),
        Edit::DeleteKey(name) => draft.delete_key(&name),
        Edit::PutSettings(it) => {
            draft.put_settings(&it);
            Ok(())
        }
        Edit::PutLimit(it) => draft.put_limit(&it).map(drop),
        Edit::DeleteLimit(id) => draft.delete_limit(&id),
    }
}

const fn name_of(edit: &Edit) -> &'static str {
    match edit {
        Edit::PutProvider(_) => "put_provider",
        Edit::DeleteProvider(_) => "delete_provider",
        Edit::PutAccount(_) => "put_account",
        Edit::DeleteAccount(_) => "delete_account",
        Edit::PutModel(_) => "put_model",
        Edit::DeleteModel(_) => "delete_model",
        Edit::PutRoute(_) => "put_route",
        Edit::DeleteRoute(_) => "delete_route",
        Edit::PutTeam(_) => "put_team",
        Edit::DeleteTeam(_) => "delete_team",
        Edit::PutKey(_) => "put_key",
        Edit::DeleteKey(_) => "delete_key",
        Edit::PutSettings(_) => "put_settings",
        Edit::PutLimit(_) => "put_limit",
        Edit::DeleteLimit(_) => "delete_limit",
    }
}

/// The keys that were made and are still there at the change's end, with their texts.
fn created(done: &Done<()>) -> Vec<v1::CreatedKey> {
    let catalog = done.snapshot.catalog();
    let created = done.made.iter().filter_map(|made| {
        let key = catalog.keys.get(made.id)?;
        Some(v1::CreatedKey {
            key: Some(key::shown(&done.stored_now((**key).clone()), catalog)),
            secret: made.secret.expose().to_owned(),
        })
    });
    created.collect()
}

/// The catalog as edits that would make it, in an order in which they apply.
fn export(catalog: &Catalog, asked: &v1::ExportCatalogRequest) -> Vec<v1::Edit> {
    let built_in = asked.with_built_in;
    let named = Named(catalog);
    let account = |id| named.account(id);
    let team = |id| named.team(id);
    let mut accounts: Vec<_> = catalog.accounts.values().collect();
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut teams: Vec<_> = catalog.teams.values().collect();
    teams.sort_by(|a, b| a.name.cmp(&b.name));
    let mut keys: Vec<_> = catalog.keys.iter().filter(|_| !asked.without_keys).collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    // Without keys, limits of keys would have nobody to limit.
    let of_key = |it: &Limit| matches!(it.subject, Subject::Key(_) | Subject::KeyAlias(..));
    let mut limits: Vec<_> =
        catalog.limits.iter().filter(|it| !asked.without_keys || !of_key(it)).collect();
    limits.sort_unstable_by_key(|it| it.id);

    let providers = catalog.providers.values().filter(|it| built_in || !it.built_in);
    // Of a built-in model, what an operator has said of it.
    let shipped = templates::models();
    let models = catalog.models.values().filter(|it| {
        built_in || !it.built_in || shipped.get(&it.id).is_some_and(|was| *was != ***it)
    });
    std::iter::once(Edit::PutSettings(settings_to(&catalog.settings)))
        .chain(providers.map(|it| Edit::PutProvider(provider_to(it))))
        .chain(accounts.into_iter().map(|it| Edit::PutAccount(account_to(it))))
        .chain(models.map(|it| Edit::PutModel(model_to(it))))
        .chain(catalog.routes.values().map(|it| Edit::PutRoute(route_to(it, &account))))
        .chain(teams.into_iter().map(|it| Edit::PutTeam(team_to(it))))
        .chain(keys.into_iter().map(|it| Edit::PutKey(key_to(it, &team))))
        .chain(limits.into_iter().map(|it| Edit::PutLimit(limit_to(it, &named))))
        .map(|it| v1::Edit { edit: Some(it) })
        .collect()
}
