//! A migrated, seeded store and short words for what the tests put into it.

use crate::database::{Database, connect};
use domain::{
    catalog::{Account, Catalog, ClientSettings, Edit, Team, VirtualKey},
    id::{AccountId, KeyId, TeamId},
    key::Fingerprint,
    secret::Secret,
    snapshot::Snapshot,
};
use sluice_control_plane::{
    store::{
        Actor, ActorKind, Loaded, PoolSettings, Request, Source, Store, StoreError, WriteError,
        Written,
    },
    vault::{MasterKey, Vault},
};
use std::{convert::Infallible, sync::Arc};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) base: Snapshot,
    tasks: JoinSet<()>,
}

impl Fixture {
    pub(crate) async fn create() -> Self {
        let database = Database::create().await;
        let store = store(&database);
        let vault = vault(7);
        store.migrate().await.unwrap();
        store.verify_vault(&vault).await.unwrap();
        store.seed_templates(&vault).await.unwrap();
        let base = snapshot(store.load(&vault).await.unwrap());
        Self { database, store, vault, base, tasks: JoinSet::new() }
    }

    /// Writes `edits` with nothing asked of the state before.
    pub(crate) async fn put(&self, edits: Vec<Edit>) -> Written {
        self.write(Request::default(), edits).await.unwrap()
    }

    pub(crate) async fn write(
        &self,
        request: Request,
        edits: Vec<Edit>,
    ) -> Result<Written, WriteError<Infallible>> {
        self.store.write(&self.vault, &actor(), request, &self.base, |_| Ok(edits)).await
    }

    pub(crate) async fn revision(&self) -> u64 {
        self.store.incarnation_and_revision().await.unwrap().1
    }

    pub(crate) async fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load(&self.vault).await
    }

    /// A connection beside the store's.
    pub(crate) async fn client(&mut self) -> Client {
        connect(&self.database.config, &mut self.tasks).await
    }
}

pub(crate) fn store(database: &Database) -> Store {
    let settings =
        PoolSettings { max_size: 8, statement_timeout_ms: 30_000, acquire_timeout_ms: 30_000 };
    Store::connect(Source::Embedded(database.config.clone()), settings).unwrap()
}

pub(crate) fn vault(byte: u8) -> Vault {
    Vault::new(MasterKey::new([byte; 32]))
}

pub(crate) fn actor() -> Actor {
    Actor { kind: ActorKind::Operator, name: "tester".to_owned() }
}

pub(crate) fn catalog(loaded: Loaded) -> Catalog {
    let mut catalog = Catalog::default();
    loaded.edits.into_iter().for_each(|it| catalog.apply(it));
    catalog
}

pub(crate) fn snapshot(loaded: Loaded) -> Snapshot {
    let revision = loaded.revision;
    Snapshot::build(catalog(loaded), revision).unwrap()
}

pub(crate) fn team(name: &str) -> Arc<Team> {
    Arc::new(Team {
        id: TeamId::from_uuid(Uuid::now_v7()),
        name: name.parse().unwrap(),
        description: String::new(),
    })
}

pub(crate) fn account(name: &str, credential: &str) -> Arc<Account> {
    Arc::new(Account {
        id: AccountId::from_uuid(Uuid::now_v7()),
        name: name.parse().unwrap(),
        provider: "openai".parse().unwrap(),
        credential: Some(Secret::new(credential.to_owned())),
        base_urls: Vec::new(),
        enabled: true,
        client: ClientSettings {
            proxy: Some(Secret::new(format!("socks5://user:{credential}@127.0.0.1:1"))),
            ..ClientSettings::default()
        },
    })
}

pub(crate) fn key(name: &str) -> Arc<VirtualKey> {
    let id = Uuid::now_v7();
    let mut fingerprint = [0; 32];
    fingerprint[..16].copy_from_slice(id.as_bytes());
    Arc::new(VirtualKey {
        id: KeyId::from_uuid(id),
        name: name.parse().unwrap(),
        team: None,
        fingerprint: Fingerprint::from_bytes(fingerprint),
        pepper_version: 1,
        hint: "abcd".to_owned(),
        enabled: true,
        expires_at: None,
        allowed_models: vec!["gpt-*".parse().unwrap()],
    })
}
