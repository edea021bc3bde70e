//! Accounts in a change. A secret that is not given stays as it is.

use super::{Draft, References};
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Account, Edit, Subject},
    id::AccountId,
};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{account_from, account_to},
};
use std::sync::Arc;
use uuid::Uuid;

const FIELDS: &[Field<v1::Account>] = fields!(v1::Account:
    credential,
    base_urls,
    disabled,
    client.connect_timeout_ms,
    client.first_byte_timeout_ms,
    client.idle_timeout_ms,
    client.extra_headers,
    client.keep_stream_options,
    client.keep_output_open,
    proxy,
);

impl Draft {
    pub(crate) fn create_account(&mut self, wire: v1::Account) -> Result<AccountId, Refusal> {
        if self.accounts.contains_key(&wire.name) {
            return Err(Refusal::exists(Kind::Account, &wire.name));
        }
        self.put_account(wire)
    }

    /// Adds the account, or replaces the one of its name, which keeps the secrets
    /// that are not given.
    pub(crate) fn put_account(&mut self, wire: v1::Account) -> Result<AccountId, Refusal> {
        let Some(old) = self.accounts.get(&wire.name).and_then(|id| self.catalog.accounts.get(id))
        else {
            let id = AccountId::from_uuid(Uuid::now_v7());
            let new = account_from(wire, id).map_err(Refusal::Invalid)?;
            self.accounts.insert(new.name.to_string(), id);
            self.push(Edit::PutAccount(Arc::new(new)));
            return Ok(id);
        };
        let old = Arc::clone(old);
        let mut new = account_from(wire, old.id).map_err(Refusal::Invalid)?;
        if new.provider != old.provider {
            return Err(provider_is_fixed(&old));
        }
        new.credential = new.credential.or_else(|| old.credential.clone());
        new.client.proxy = new.client.proxy.or_else(|| old.client.proxy.clone());
        Ok(self.replace_account(&old, new))
    }

    /// Replaces the fields that the mask names. An empty `credential` keeps the
    /// stored one; an empty `proxy` that the mask names takes the stored one out.
    pub(crate) fn update_account(
        &mut self,
        wire: &v1::Account,
        mask: Option<&FieldMask>,
    ) -> Result<AccountId, Refusal> {
        let asked = if wire.id.is_empty() { &wire.name } else { &wire.id };
        let old = self.account(asked)?;
        if !wire.name.is_empty() && wire.name != old.name.as_str() {
            let reason = format!("cannot be changed: it is `{}`", old.name);
            return Err(Refusal::field("name", reason));
        }
        if !wire.provider.is_empty() && wire.provider != old.provider.as_str() {
            return Err(provider_is_fixed(&old));
        }
        let fields = chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)?;
        let mut new = account_to(&old);
        for field in &fields {
            (field.copy)(&mut new, wire);
        }
        let mut new = account_from(new, old.id).map_err(Refusal::Invalid)?;
        new.credential = new.credential.or_else(|| old.credential.clone());
        if !fields.iter().any(|it| it.path == "proxy") {
            new.client.proxy.clone_from(&old.client.proxy);
        }
        Ok(self.replace_account(&old, new))
    }

    pub(crate) fn delete_account(
        &mut self,
        id_or_name: &str,
        references: References,
    ) -> Result<(), Refusal> {
        let old = self.account(id_or_name)?;
        if references == References::Refuse {
            let routes = self.catalog.routes.values().filter(|it| {
                it.tiers.iter().flat_map(|it| &it.targets).any(|it| it.account == old.id)
            });
            let by: Vec<_> = routes.map(|it| format!("route `{}`", it.alias)).collect();
            if !by.is_empty() {
                let name = old.name.to_string();
                return Err(Refusal::InUse { kind: Kind::Account, name, by });
            }
        }
        self.accounts.remove(old.name.as_str());
        self.delete_limits_of(&Subject::Account(old.id));
        self.push(Edit::DeleteAccount(old.id));
        Ok(())
    }

    fn account(&self, id_or_name: &str) -> Result<Arc<Account>, Refusal> {
        let found = self.account_id(id_or_name).and_then(|id| self.catalog.accounts.get(&id));
        found.cloned().ok_or_else(|| Refusal::not_found(Kind::Account, id_or_name))
    }

    fn replace_account(&mut self, old: &Account, new: Account) -> AccountId {
        if new != *old {
            self.push(Edit::PutAccount(Arc::new(new)));
        }
        old.id
    }
}

fn provider_is_fixed(old: &Account) -> Refusal {
    let reason = format!("cannot be changed: account `{}` is one of `{}`", old.name, old.provider);
    Refusal::field("provider", reason)
}
