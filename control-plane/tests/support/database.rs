//! A database of its own for each test, in one private cluster for all tests of a binary.

use sluice_control_plane::store::embedded::Embedded;
use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

/// A database that nobody else uses. Its cluster ends with the last one.
pub(crate) struct Database {
    /// How to connect to it.
    pub(crate) config: Config,
    _cluster: Arc<Cluster>,
}

/// Fields are dropped in order: first Postgres, then its folder.
struct Cluster {
    embedded: Embedded,
    _home: TempDir,
}

static CLUSTER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    fn shared() -> Arc<Self> {
        let mut shared = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let home = tempfile::tempdir().unwrap();
            // As root, Postgres runs as another user, who has to pass through.
            set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
            let embedded = Embedded::start(home.path(), None).unwrap();
            let cluster = Arc::new(Self { embedded, _home: home });
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }
}

impl Database {
    /// Makes an empty database.
    pub(crate) async fn create() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let mut config = cluster.embedded.config();
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut tasks = JoinSet::new();
        let admin = connect(&config, &mut tasks).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        config.dbname(name);
        Self { config, _cluster: cluster }
    }
}

/// A connection beside the program's own, served by a task in `tasks`.
pub(crate) async fn connect(config: &Config, tasks: &mut JoinSet<()>) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tasks.spawn(async move {
        // Ends with an error when the test stops the server.
        let _ = connection.await;
    });
    client
}
