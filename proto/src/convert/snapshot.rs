//! The catalog as it travels to proxies and lies on their disks: items, and their hash.

mod digests;

use super::{
    Invalid, bytes32_from,
    catalog::{
        account_from, account_to, model_from, model_id_from, model_to, provider_from, provider_to,
        route_from, route_to, settings_from, settings_to, team_from, team_to,
    },
    key::{KeyParts, key_from, key_to},
    limit::{ById, LimitParts, limit_from, limit_to},
};
use crate::sync::v1::{self, config_item::Item};
use digests::Digests;
use domain::{
    catalog::{Account, Catalog, Edit, VirtualKey},
    id::{AccountId, TeamId},
    key::{Fingerprint, Pepper},
    secret::Secret,
};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};

/// One edit on the wire.
#[expect(clippy::large_enum_variant, reason = "short-lived, and mostly the large one")]
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    /// An item written.
    Upsert(v1::ConfigItem),
    /// An item removed.
    Removed(v1::ItemKey),
}

mod kind {
    pub(super) const PROVIDER: u32 = 1;
    pub(super) const ACCOUNT: u32 = 2;
    pub(super) const MODEL: u32 = 3;
    pub(super) const ROUTE: u32 = 4;
    pub(super) const TEAM: u32 = 5;
    pub(super) const KEY: u32 = 6;
    pub(super) const SETTINGS: u32 = 7;
    pub(super) const PEPPER: u32 = 8;
    pub(super) const LIMIT: u32 = 9;
}

/// Writes an edit for the wire.
pub fn wire_of(edit: &Edit) -> Wire {
    let upsert = |item| Wire::Upsert(stamped(item));
    let removed = |kind, id: String| Wire::Removed(v1::ItemKey { kind, id });
    match edit {
        Edit::PutProvider(it) => upsert(Item::Provider(provider_to(it))),
        Edit::DeleteProvider(name) => removed(kind::PROVIDER, name.to_string()),
        Edit::PutAccount(it) => upsert(account_item(it)),
        Edit::DeleteAccount(id) => removed(kind::ACCOUNT, id.to_string()),
        Edit::PutModel(it) => upsert(Item::Model(model_to(it))),
        Edit::DeleteModel(id) => removed(kind::MODEL, id.to_string()),
        Edit::PutRoute(it) => upsert(Item::Route(route_to(it, &|id| id.to_string()))),
        Edit::DeleteRoute(alias) => removed(kind::ROUTE, alias.to_string()),
        Edit::PutTeam(it) => upsert(Item::Team(team_to(it))),
        Edit::DeleteTeam(id) => removed(kind::TEAM, id.to_string()),
        Edit::PutKey(it) => upsert(key_item(it)),
        Edit::DeleteKey(id) => removed(kind::KEY, id.to_string()),
        Edit::PutPepper(it) => upsert(pepper_item(it)),
        Edit::PutSettings(it) => upsert(Item::Settings(settings_to(it))),
        Edit::PutLimit(it) => upsert(Item::Limit(limit_to(it, &ById))),
        Edit::DeleteLimit(id) => removed(kind::LIMIT, id.to_string()),
    }
}

/// Every item of a catalog, in an order in which they apply.
pub fn items(catalog: &Catalog) -> impl Iterator<Item = v1::ConfigItem> {
    let settings = std::iter::once(Item::Settings(settings_to(&catalog.settings)));
    let routes = catalog.routes.values().map(|it| route_to(it, &|id| id.to_string()));
    settings
        .chain(catalog.peppers.values().map(pepper_item))
        .chain(catalog.providers.values().map(|it| Item::Provider(provider_to(it))))
        .chain(catalog.accounts.values().map(|it| account_item(it)))
        .chain(catalog.models.values().map(|it| Item::Model(model_to(it))))
        .chain(routes.map(Item::Route))
        .chain(catalog.teams.values().map(|it| Item::Team(team_to(it))))
        .chain(catalog.keys.iter().map(|it| key_item(it)))
        .chain(catalog.limits.iter().map(|it| Item::Limit(limit_to(it, &ById))))
        .map(stamped)
}

/// An item with its digest.
fn stamped(item: Item) -> v1::ConfigItem {
    let mut item = v1::ConfigItem { item: Some(item), digest: Vec::new() };
    item.digest = Sha256::digest(item.encode_to_vec()).to_vec();
    item
}

fn account_item(account: &Account) -> Item {
    let text = |it: &Option<Secret>| it.as_ref().map(|it| it.expose().to_owned());
    Item::Account(v1::SealedAccount {
        account: Some(account_to(account)),
        credential: text(&account.credential).unwrap_or_default(),
        proxy: text(&account.client.proxy).unwrap_or_default(),
    })
}

fn key_item(key: &VirtualKey) -> Item {
    Item::Key(v1::FingerprintedKey {
        key: Some(key_to(key, &|id| id.to_string())),
        fingerprint: key.fingerprint.as_bytes().to_vec(),
        pepper_version: key.pepper_version,
    })
}

fn pepper_item(pepper: &Pepper) -> Item {
    Item::Pepper(v1::Pepper { version: pepper.version(), pepper: pepper.expose().to_vec() })
}

/// The edit that an item of the wire stands for.
///
/// # Errors
/// Everything that is wrong with it. An item of a kind that this version does not
/// know is wrong too: a proxy must not run half of a catalog.
pub fn edit_of_item(item: v1::ConfigItem) -> Result<Edit, Vec<Invalid>> {
    let unknown = || vec![Invalid::new("item", "is of a kind that this version does not know")];
    let here = |key: &v1::ItemKey, wrong: Vec<Invalid>| -> Vec<Invalid> {
        let within = |it: Invalid| Invalid::new(format!("{}.{}", key.id, it.field), it.reason);
        wrong.into_iter().map(within).collect()
    };
    let key = key_of(&item).ok_or_else(unknown)?;
    edit_of(item.item.ok_or_else(unknown)?).map_err(|wrong| here(&key, wrong))
}

fn edit_of(item: Item) -> Result<Edit, Vec<Invalid>> {
    Ok(match item {
        Item::Provider(it) => Edit::PutProvider(Arc::new(provider_from(it)?)),
        Item::Account(sealed) => {
            let mut account = sealed.account.unwrap_or_default();
            let id = account.id.parse().map_err(|error| vec![Invalid::new("id", error)])?;
            account.credential = sealed.credential;
            account.proxy = sealed.proxy;
            Edit::PutAccount(Arc::new(account_from(account, id)?))
        }
        Item::Model(it) => Edit::PutModel(Arc::new(model_from(&it)?)),
        Item::Route(it) => {
            Edit::PutRoute(Arc::new(route_from(it, &|id| id.parse::<AccountId>().ok())?))
        }
        Item::Team(it) => {
            let id = it.id.parse().map_err(|error| vec![Invalid::new("id", error)])?;
            Edit::PutTeam(Arc::new(team_from(it, id)?))
        }
        Item::Key(it) => {
            let key = it.key.unwrap_or_default();
            let bytes = bytes32_from("fingerprint", &it.fingerprint).map_err(|it| vec![it])?;
            let parts = KeyParts {
                id: key.id.parse().map_err(|error| vec![Invalid::new("id", error)])?,
                fingerprint: Fingerprint::from_bytes(bytes),
                pepper_version: it.pepper_version,
                hint: key.hint.clone(),
            };
            Edit::PutKey(Arc::new(key_from(&key, parts, &|id| id.parse::<TeamId>().ok())?))
        }
        Item::Settings(it) => Edit::PutSettings(settings_from(&it)),
        Item::Limit(it) => {
            let id = it.id.parse().map_err(|error| vec![Invalid::new("id", error)])?;
            let parts = LimitParts { id, generation: it.generation };
            Edit::PutLimit(Arc::new(limit_from(&it, parts, &mut ById)?))
        }
        Item::Pepper(it) => {
            let bytes = bytes32_from("pepper", &it.pepper).map_err(|it| vec![it])?;
            Edit::PutPepper(Pepper::new(it.version, bytes))
        }
    })
}

/// The edit that a removal of the wire stands for.
///
/// # Errors
/// When its kind or id is not known here.
pub fn edit_of_removed(key: &v1::ItemKey) -> Result<Edit, Invalid> {
    let bad = |error: &dyn std::fmt::Display| Invalid::new("removed.id", error);
    Ok(match key.kind {
        kind::PROVIDER => Edit::DeleteProvider(key.id.parse().map_err(|error| bad(&error))?),
        kind::ACCOUNT => Edit::DeleteAccount(key.id.parse().map_err(|error| bad(&error))?),
        kind::MODEL => Edit::DeleteModel(model_id_from("removed.id", &key.id)?),
        kind::ROUTE => Edit::DeleteRoute(key.id.parse().map_err(|error| bad(&error))?),
        kind::TEAM => Edit::DeleteTeam(key.id.parse().map_err(|error| bad(&error))?),
        kind::KEY => Edit::DeleteKey(key.id.parse().map_err(|error| bad(&error))?),
        kind::LIMIT => Edit::DeleteLimit(key.id.parse().map_err(|error| bad(&error))?),
        other => {
            return Err(Invalid::new("removed.kind", format!("{other} is not known here")));
        }
    })
}

/// What tells an item apart from others; `None` for an item that is not set.
pub fn key_of(item: &v1::ConfigItem) -> Option<v1::ItemKey> {
    let (kind, id) = match item.item.as_ref()? {
        Item::Provider(it) => (kind::PROVIDER, it.name.clone()),
        Item::Account(it) => {
            (kind::ACCOUNT, it.account.as_ref().map(|it| it.id.clone()).unwrap_or_default())
        }
        Item::Model(it) => (kind::MODEL, format!("{}/{}", it.provider, it.name)),
        Item::Route(it) => (kind::ROUTE, it.alias.clone()),
        Item::Team(it) => (kind::TEAM, it.id.clone()),
        Item::Key(it) => (kind::KEY, it.key.as_ref().map(|it| it.id.clone()).unwrap_or_default()),
        Item::Settings(_) => (kind::SETTINGS, String::new()),
        Item::Pepper(it) => (kind::PEPPER, it.version.to_string()),
        Item::Limit(it) => (kind::LIMIT, it.id.clone()),
    };
    Some(v1::ItemKey { kind, id })
}

/// The hash of a catalog: the sum, modulo 2^256 in four lanes of 64 bits, of the
/// SHA-256 of its items. The order of items does not matter, and an edit costs one
/// item. It finds what got lost or mixed up on the way; it is no signature.
#[derive(Debug, Clone, Default)]
pub struct CatalogHash {
    sum: [u64; 4],
    items: Digests,
}

impl PartialEq for CatalogHash {
    fn eq(&self, other: &Self) -> bool {
        self.sum == other.sum
    }
}

impl Eq for CatalogHash {}

impl CatalogHash {
    /// The hash of these items.
    pub fn of(items: impl IntoIterator<Item = v1::ConfigItem>) -> Self {
        let mut hash = Self::default();
        for item in items {
            hash.upsert(&item);
        }
        hash
    }

    /// Takes an item in, in place of the one of its key.
    pub fn upsert(&mut self, item: &v1::ConfigItem) {
        let Some(key) = key_of(item) else { return };
        let digest = digest_of(item);
        let old = self.items.insert(short(&key), digest);
        self.sum = self.sum_with(old, Some(digest));
    }

    /// Takes the item of this key out.
    pub fn remove(&mut self, key: &v1::ItemKey) {
        let old = self.items.remove(short(key));
        self.sum = self.sum_with(old, None);
    }

    /// The hash, 32 bytes.
    pub fn value(&self) -> [u8; 32] {
        bytes(self.sum)
    }

    /// What [`Self::value`] would be after these edits, without making them.
    pub fn value_after(&self, upserts: &[v1::ConfigItem], removed: &[v1::ItemKey]) -> [u8; 32] {
        // What the touched keys stand at, as the edits go by.
        let mut touched: HashMap<[u8; 16], Option<[u64; 4]>> = HashMap::new();
        let mut staged = Self { sum: self.sum, items: Digests::default() };
        let edits = upserts
            .iter()
            .filter_map(|it| Some((short(&key_of(it)?), Some(digest_of(it)))))
            .chain(removed.iter().map(|it| (short(it), None)));
        for (key, new) in edits {
            let old = touched.insert(key, new).unwrap_or_else(|| self.items.get(&key));
            staged.sum = staged.sum_with(old, new);
        }
        staged.value()
    }

    fn sum_with(&self, old: Option<[u64; 4]>, new: Option<[u64; 4]>) -> [u64; 4] {
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        std::array::from_fn(|lane| {
            let at = |it: &[u64; 4]| it.get(lane).copied().unwrap_or(0);
            at(&self.sum).wrapping_sub(at(&old)).wrapping_add(at(&new))
        })
    }
}

/// An item's digest: the one it came with, so that a field unknown here does not change it.
fn digest_of(item: &v1::ConfigItem) -> [u64; 4] {
    let given = <[u8; 32]>::try_from(&item.digest[..]);
    lanes(given.unwrap_or_else(|_| Sha256::digest(item.encode_to_vec()).into()))
}

/// A key in 16 bytes, so that 100,000 of them stay small.
fn short(key: &v1::ItemKey) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(key.encode_to_vec()).into();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0))
}

fn lanes(digest: [u8; 32]) -> [u64; 4] {
    let (chunks, _) = digest.as_chunks::<8>();
    std::array::from_fn(|at| chunks.get(at).map_or(0, |it| u64::from_le_bytes(*it)))
}

fn bytes(lanes: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *chunk = lane.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests;
