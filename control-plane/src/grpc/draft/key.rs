//! Virtual keys in a change. The text of a key is made here, and stored nowhere.

use super::{Draft, MadeKey};
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Catalog, Edit, Subject, VirtualKey},
    id::KeyId,
    key::{KeyKind, hint, mint},
};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::key::{KeyParts, key_from, key_to},
};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;
use zeroize::Zeroizing;

const FIELDS: &[Field<v1::VirtualKey>] =
    fields!(v1::VirtualKey: team, disabled, expires_at, allowed_models);

/// From how many look-ups on an index of 100,000 names is worth its making.
const SCANS: u32 = 8;

/// Finds keys by name. A change of one key looks through the table; one of many
/// makes an index first.
#[derive(Debug, Default)]
pub(crate) struct KeyNames {
    scans: u32,
    index: Option<HashMap<String, KeyId>>,
}

impl KeyNames {
    /// The key of this name in `catalog`, which must be the same one every time but for
    /// what [`Self::insert`] and [`Self::remove`] are told.
    pub(crate) fn find(&mut self, catalog: &Catalog, name: &str) -> Option<KeyId> {
        if let Some(index) = &self.index {
            return index.get(name).copied();
        }
        if self.scans < SCANS {
            self.scans = self.scans.saturating_add(1);
            return catalog.keys.iter().find(|it| it.name.as_str() == name).map(|it| it.id);
        }
        let index: HashMap<_, _> =
            catalog.keys.iter().map(|it| (it.name.to_string(), it.id)).collect();
        let found = index.get(name).copied();
        self.index = Some(index);
        found
    }

    fn insert(&mut self, key: &VirtualKey) {
        if let Some(index) = &mut self.index {
            index.insert(key.name.to_string(), key.id);
        }
    }

    fn remove(&mut self, key: &VirtualKey) {
        if let Some(index) = &mut self.index {
            index.remove(key.name.as_str());
        }
    }
}

impl Draft {
    pub(crate) fn create_key(&mut self, wire: &v1::VirtualKey) -> Result<KeyId, Refusal> {
        if self.keys.find(&self.catalog, &wire.name).is_some() {
            return Err(Refusal::exists(Kind::Key, &wire.name));
        }
        self.make_key(wire)
    }

    /// Adds the key, or replaces the one of its name, whose text stays.
    pub(crate) fn put_key(&mut self, wire: &v1::VirtualKey) -> Result<KeyId, Refusal> {
        let found = self.keys.find(&self.catalog, &wire.name);
        match found.and_then(|id| self.catalog.keys.get(id)).cloned() {
            Some(old) => self.write_key(&old, wire),
            None => self.make_key(wire),
        }
    }

    pub(crate) fn update_key(
        &mut self,
        wire: &v1::VirtualKey,
        mask: Option<&FieldMask>,
    ) -> Result<KeyId, Refusal> {
        let asked = if wire.id.is_empty() { &wire.name } else { &wire.id };
        let old = self.key(asked)?;
        if !wire.name.is_empty() && wire.name != old.name.as_str() {
            let reason = format!("cannot be changed: it is `{}`", old.name);
            return Err(Refusal::field("name", reason));
        }
        let mut new = key_to(&old, &|id| id.to_string());
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        self.write_key(&old, &new)
    }

    pub(crate) fn delete_key(&mut self, id_or_name: &str) -> Result<(), Refusal> {
        let old = self.key(id_or_name)?;
        self.keys.remove(&old);
        self.delete_limits_of(&Subject::Key(old.id));
        self.push(Edit::DeleteKey(old.id));
        Ok(())
    }

    fn key(&mut self, id_or_name: &str) -> Result<Arc<VirtualKey>, Refusal> {
        let id = self.key_id(id_or_name);
        let found = id.and_then(|id| self.catalog.keys.get(id)).cloned();
        found.ok_or_else(|| Refusal::not_found(Kind::Key, id_or_name))
    }

    fn write_key(&mut self, old: &VirtualKey, wire: &v1::VirtualKey) -> Result<KeyId, Refusal> {
        let parts = KeyParts {
            id: old.id,
            fingerprint: old.fingerprint,
            pepper_version: old.pepper_version,
            hint: old.hint.clone(),
        };
        let new = key_from(wire, parts, &|text| self.team_id(text)).map_err(Refusal::Invalid)?;
        if new != *old {
            self.push(Edit::PutKey(Arc::new(new)));
        }
        Ok(old.id)
    }

    fn make_key(&mut self, wire: &v1::VirtualKey) -> Result<KeyId, Refusal> {
        let mut entropy = Zeroizing::new([0; 32]);
        getrandom::fill(entropy.as_mut_slice()).map_err(|_| Refusal::NoEntropy)?;
        let secret = mint(KeyKind::Caller, &entropy);
        // The newest pepper; that there is one is made sure of at the start.
        let pepper = self.catalog.peppers.values().next_back();
        let pepper = pepper.ok_or_else(|| Refusal::field("key", "there is no pepper yet"))?;
        let id = KeyId::from_uuid(Uuid::now_v7());
        let parts = KeyParts {
            id,
            fingerprint: pepper.fingerprint(secret.expose()),
            pepper_version: pepper.version(),
            hint: hint(&secret),
        };
        let new = key_from(wire, parts, &|text| self.team_id(text)).map_err(Refusal::Invalid)?;
        self.keys.insert(&new);
        self.push(Edit::PutKey(Arc::new(new)));
        self.made.push(MadeKey { id, secret });
        Ok(id)
    }
}
