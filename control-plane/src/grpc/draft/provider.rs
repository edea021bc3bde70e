//! Providers in a change.

use super::{Draft, References};
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Edit, Provider, Subject},
    name::Name,
};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{provider_from, provider_to},
};
use std::sync::Arc;

const FIELDS: &[Field<v1::Provider>] =
    fields!(v1::Provider: title, endpoints, env_var, model_patterns, aggregator, docs_url);

impl Draft {
    pub(crate) fn create_provider(&mut self, wire: v1::Provider) -> Result<Name, Refusal> {
        let provider = read(wire)?;
        if self.catalog.providers.contains_key(&provider.name) {
            return Err(Refusal::exists(Kind::Provider, &provider.name));
        }
        self.write_provider(provider)
    }

    pub(crate) fn put_provider(&mut self, wire: v1::Provider) -> Result<Name, Refusal> {
        let provider = read(wire)?;
        self.write_provider(provider)
    }

    pub(crate) fn update_provider(
        &mut self,
        wire: &v1::Provider,
        mask: Option<&FieldMask>,
    ) -> Result<Name, Refusal> {
        let old = self.provider(&wire.name)?;
        let mut new = provider_to(&old);
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        self.write_provider(read(new)?)
    }

    pub(crate) fn delete_provider(
        &mut self,
        name: &str,
        references: References,
    ) -> Result<(), Refusal> {
        let old = self.provider(name)?;
        if old.built_in {
            return Err(Refusal::built_in(Kind::Provider, &old.name));
        }
        if references == References::Refuse {
            let accounts = self.catalog.accounts.values().filter(|it| it.provider == old.name);
            let models = self.catalog.models.keys().filter(|it| it.provider == old.name);
            let by: Vec<_> = accounts
                .map(|it| format!("account `{}`", it.name))
                .chain(models.map(|it| format!("model `{it}`")))
                .collect();
            if !by.is_empty() {
                return Err(Refusal::InUse { kind: Kind::Provider, name: name.to_owned(), by });
            }
        }
        self.delete_limits_of(&Subject::Provider(old.name.clone()));
        self.push(Edit::DeleteProvider(old.name.clone()));
        Ok(())
    }

    fn provider(&self, name: &str) -> Result<Arc<Provider>, Refusal> {
        let found = name.parse().ok().and_then(|it: Name| self.catalog.providers.get(&it));
        found.cloned().ok_or_else(|| Refusal::not_found(Kind::Provider, name))
    }

    fn write_provider(&mut self, mut new: Provider) -> Result<Name, Refusal> {
        let name = new.name.clone();
        if let Some(old) = self.catalog.providers.get(&name) {
            new.built_in = old.built_in;
            if new == **old {
                return Ok(name);
            }
            if old.built_in {
                return Err(Refusal::built_in(Kind::Provider, &name));
            }
        }
        self.push(Edit::PutProvider(Arc::new(new)));
        Ok(name)
    }
}

fn read(mut wire: v1::Provider) -> Result<Provider, Refusal> {
    wire.built_in = false;
    provider_from(wire).map_err(Refusal::Invalid)
}
