//! What a database needs before it can serve: a vault that fits, a pepper, and the
//! built-in providers and models.

use super::{
    Actor, Request, Store, StoreError, WriteError, row, tx,
    write::{compile, does_not_compile},
};
use crate::{
    templates::{self, Template},
    vault::{Place, Vault},
};
use domain::{
    catalog::{Catalog, Edit, Model, Provider},
    key::Pepper,
    snapshot::Snapshot,
};
use std::{collections::BTreeSet, sync::Arc};

const CHECK_PLACE: Place<'_> =
    Place { table: "vault_check", row: "1", column: "sealed", version: 1 };
const CHECK_TEXT: &[u8] = b"sluice";

impl Store {
    /// Makes sure that `vault` is the one under which this database's secrets are sealed.
    /// The first vault that comes becomes it.
    ///
    /// # Errors
    /// [`StoreError::WrongMasterKey`], or when the database fails.
    pub async fn verify_vault(&self, vault: &Vault) -> Result<(), StoreError> {
        let sealed = vault.seal(&CHECK_PLACE, CHECK_TEXT).map_err(StoreError::Seal)?;
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let first = "-- first_vault_check
            INSERT INTO vault_check (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
        tx::execute(&tx, first, &[&sealed]).await?;
        let found = tx::row(&tx, "-- vault_check\nSELECT sealed FROM vault_check", &[]).await?;
        let found = found.ok_or_else(|| StoreError::corrupt("vault_check has no row"))?;
        let opened = vault.open(&CHECK_PLACE, row::column(&found, "sealed")?);
        if opened.is_ok_and(|it| it.as_slice() == CHECK_TEXT) {
            tx.commit().await?;
            return Ok(());
        }
        Err(StoreError::WrongMasterKey)
    }

    /// Brings the built-in providers and models into the catalog, and a pepper when there
    /// is none, as one revision; gives the catalog's revision afterwards. What an operator
    /// made of a built-in item's name (`built_in` is false) is left alone.
    ///
    /// # Errors
    /// When the database fails, or what it holds does not compile.
    pub async fn seed_templates(&self, vault: &Vault) -> Result<u64, StoreError> {
        let templates = templates::built_in().map_err(StoreError::corrupt)?;
        let loaded = self.load(vault).await?;
        let base = compile(loaded.edits, loaded.revision)
            .map_err(|defects| does_not_compile(loaded.revision, &defects))?;
        let request = Request { incarnation: Some(loaded.incarnation), ..Request::default() };
        let plan = |current: &Snapshot| {
            let mut edits = missing(current.catalog(), &templates);
            if current.catalog().peppers.is_empty() {
                edits.push(Edit::PutPepper(new_pepper()?));
            }
            Ok(edits)
        };
        match self.write(vault, &Actor::system(), request, &base, plan).await {
            Ok(written) => Ok(written.revision),
            Err(WriteError::Plan(error) | WriteError::Store(error)) => Err(error),
            Err(WriteError::Defects(defects)) => Err(does_not_compile(base.revision(), &defects)),
            Err(
                other @ (WriteError::Stale { .. }
                | WriteError::EtagMismatch { .. }
                | WriteError::AlreadyExists { .. }),
            ) => Err(StoreError::corrupt(other.to_string())),
        }
    }
}

fn new_pepper() -> Result<Pepper, StoreError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| StoreError::Seal(crate::vault::VaultError::NoEntropy))?;
    Ok(Pepper::new(1, bytes))
}

/// The edits that make the built-in part of a catalog what the templates say.
fn missing(catalog: &Catalog, templates: &[Template]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut models = BTreeSet::new();
    for template in templates {
        let name = &template.provider.name;
        if catalog.providers.get(name).is_none_or(|it| it.built_in) {
            edits.push(Edit::PutProvider(Arc::new(renewed(&template.provider, catalog))));
        }
        for model in &template.models {
            models.insert(&model.id);
            let old = catalog.models.get(&model.id);
            if old.is_none_or(|it| it.built_in) {
                // What an operator knows of it better than we.
                let price = old.and_then(|it| it.price).or(model.price);
                let max_output_tokens =
                    old.and_then(|it| it.max_output_tokens).or(model.max_output_tokens);
                let context_tokens = old.and_then(|it| it.context_tokens).or(model.context_tokens);
                let model = Model { price, max_output_tokens, context_tokens, ..model.clone() };
                edits.push(Edit::PutModel(Arc::new(model)));
            }
        }
    }
    let old_models = catalog.models.values().filter(|it| it.built_in && !models.contains(&it.id));
    edits.extend(old_models.map(|it| Edit::DeleteModel(it.id.clone())));
    // A provider that went out of the templates stays as long as somebody uses it.
    let old_providers = catalog.providers.values().filter(|it| {
        it.built_in
            && !templates.iter().any(|template| template.provider.name == it.name)
            && !catalog.accounts.values().any(|account| account.provider == it.name)
            && !catalog.models.values().any(|model| !model.built_in && model.id.provider == it.name)
    });
    edits.extend(old_providers.map(|it| Edit::DeleteProvider(it.name.clone())));
    edits
}

/// A template's provider, with those endpoints of the one before it that it has no more but
/// that an account names: without them the account would be a defect, and nothing would start.
fn renewed(template: &Provider, catalog: &Catalog) -> Provider {
    let mut provider = template.clone();
    let old = catalog.providers.get(&provider.name).map(|it| it.endpoints.as_slice());
    let accounts = || catalog.accounts.values().filter(|it| it.provider == template.name);
    let is_named =
        |dialect| accounts().any(|it| it.base_urls.iter().any(|it| it.dialect == dialect));
    let kept = old
        .unwrap_or_default()
        .iter()
        .filter(|it| template.endpoint(it.dialect).is_none() && is_named(it.dialect));
    provider.endpoints.extend(kept.cloned());
    provider
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        catalog::{Account, BaseUrl, ClientSettings, Dialect, Endpoint, ModelId, Price},
        id::AccountId,
        secret::Secret,
    };
    use uuid::Uuid;

    fn seeded(templates: &[Template]) -> Catalog {
        let mut catalog = Catalog::default();
        missing(&catalog, templates).into_iter().for_each(|it| catalog.apply(it));
        catalog
    }

    #[test]
    fn the_templates_compile_and_seeding_twice_changes_nothing() {
        let templates = templates::built_in().unwrap();
        let catalog = seeded(&templates);
        Snapshot::build(catalog.clone(), 1).unwrap();
        let mut again = catalog.clone();
        missing(&catalog, &templates).into_iter().for_each(|it| again.apply(it));
        assert_eq!(again, catalog);
    }

    #[test]
    fn what_an_operator_made_of_a_built_in_provider_stays() {
        let templates = templates::built_in().unwrap();
        let mut catalog = seeded(&templates);
        let mut own = templates[0].provider.clone();
        own.title = "Mine".to_owned();
        own.built_in = false;
        catalog.apply(Edit::PutProvider(Arc::new(own.clone())));
        missing(&catalog, &templates).into_iter().for_each(|it| catalog.apply(it));
        assert_eq!(*catalog.providers[&own.name], own);
    }

    #[test]
    fn what_an_operator_knows_of_a_built_in_model_stays() {
        let templates = templates::built_in().unwrap();
        let mut catalog = seeded(&templates);
        let known = Price { input: 1, cached_input: 2, cache_write: 3, output: 4 };
        for (provider, name) in [("openai", "gpt-4o"), ("demo", "gpt-4o")] {
            let id = ModelId { provider: provider.parse().unwrap(), name: name.parse().unwrap() };
            let own = Model { price: Some(known), ..(*catalog.models[&id]).clone() };
            catalog.apply(Edit::PutModel(Arc::new(own)));
            missing(&catalog, &templates).into_iter().for_each(|it| catalog.apply(it));
            assert_eq!(catalog.models[&id].price, Some(known));
        }
    }

    #[test]
    fn an_endpoint_that_left_the_templates_stays_as_long_as_an_account_names_it() {
        let templates = templates::built_in().unwrap();
        let mut catalog = seeded(&templates);
        let mut old = Provider::clone(&catalog.providers[&"anthropic".parse().unwrap()]);
        let endpoint = Endpoint { dialect: Dialect::OpenAi, ..old.endpoints[0].clone() };
        old.endpoints.push(endpoint.clone());
        catalog.apply(Edit::PutProvider(Arc::new(old)));
        let account = Account {
            id: AccountId::from_uuid(Uuid::from_u128(1)),
            name: "main".parse().unwrap(),
            provider: "anthropic".parse().unwrap(),
            credential: Some(Secret::new("x".to_owned())),
            base_urls: vec![BaseUrl { dialect: Dialect::OpenAi, url: "http://a/v1".to_owned() }],
            enabled: true,
            client: ClientSettings::default(),
        };
        catalog.apply(Edit::PutAccount(Arc::new(account)));
        missing(&catalog, &templates).into_iter().for_each(|it| catalog.apply(it));
        let provider = &catalog.providers[&"anthropic".parse().unwrap()];
        assert_eq!(provider.endpoint(Dialect::OpenAi), Some(&endpoint));
        catalog.apply(Edit::DeleteAccount(AccountId::from_uuid(Uuid::from_u128(1))));
        missing(&catalog, &templates).into_iter().for_each(|it| catalog.apply(it));
        assert_eq!(catalog, seeded(&templates));
    }

    #[test]
    fn what_left_the_templates_leaves_the_catalog() {
        let mut templates = templates::built_in().unwrap();
        let mut catalog = seeded(&templates);
        templates.remove(0);
        missing(&catalog, &templates).into_iter().for_each(|it| catalog.apply(it));
        assert_eq!(catalog, seeded(&templates));
    }
}
