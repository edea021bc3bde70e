//! A control plane in this process, over a database of its own, and clients of it.

use crate::database::Database;
use domain::{
    key::{KeyKind, mint},
    secret::Secret,
};
use runtime::Process;
use sluice_control_plane::{
    app::App,
    config::{Config, Tls},
    store::PoolSettings,
    vault::MasterKey,
};
use std::path::Path;
use tempfile::TempDir;
use tokio_postgres::config::Host;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// A running control plane. It ends with its test.
pub(crate) struct Plane {
    /// Its doings.
    pub(crate) app: App,
    /// What ends it.
    pub(crate) process: Process,
    /// The token of the admin API.
    pub(crate) operator: String,
    /// The token of proxies.
    pub(crate) node: String,
    /// What its secrets are sealed with.
    pub(crate) master_key: String,
    /// Its database.
    pub(crate) url: String,
    pub(crate) database: Option<Database>,
    pub(crate) _home: TempDir,
}

impl Plane {
    /// Starts one over a database of its own, and waits until the catalog is loaded.
    pub(crate) async fn start() -> Self {
        let database = Database::create().await;
        let mut plane = Self::over(url(&database.config)).await;
        plane.database = Some(database);
        plane.app.open().await.unwrap();
        plane
    }

    /// Starts one over a database that may be away, and waits for nothing.
    pub(crate) async fn over(url: String) -> Self {
        let (operator, node) = (mint(KeyKind::Operator, &rand()), mint(KeyKind::Proxy, &rand()));
        let secrets = [MasterKey::generate().unwrap().to_base64(), operator, node];
        Self::with(url, secrets, |_| {}).await
    }

    /// The same with these secrets (of the vault, of operators, of proxies), and with
    /// settings as `change` makes them.
    pub(crate) async fn with(
        url: String,
        secrets: [Secret; 3],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let process = Process::alone();
        let mut config = config(home.path(), url.clone(), secrets.each_ref());
        change(&mut config);
        let app = App::start(config, process.clone()).await.unwrap();
        let [master_key, operator, node] = secrets.map(|it| it.expose().to_owned());
        Self { app, process, operator, node, master_key, url, database: None, _home: home }
    }

    /// What it was started with.
    pub(crate) fn secrets(&self) -> [Secret; 3] {
        [&self.master_key, &self.operator, &self.node].map(|it| Secret::new(it.clone()))
    }

    /// Starts another one over the same database, of which `other` is in charge.
    pub(crate) async fn beside(other: &Self) -> Self {
        let plane = Self::with(other.url.clone(), other.secrets(), |_| {}).await;
        plane.app.open().await.unwrap();
        plane
    }

    /// A connection to the control port.
    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.app.control_addr)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// A connection with the operator's token.
    pub(crate) async fn admin(&self) -> Authorized {
        self.authorized(&self.operator).await
    }

    /// A connection that shows `token`.
    pub(crate) async fn authorized(&self, token: &str) -> Authorized {
        InterceptedService::new(self.channel().await, Token::of(token))
    }
}

/// A connection that shows a token.
pub(crate) type Authorized = InterceptedService<Channel, Token>;

/// Shows a token with every call.
#[derive(Clone)]
pub(crate) struct Token(MetadataValue<tonic::metadata::Ascii>);

impl Token {
    pub(crate) fn of(text: &str) -> Self {
        Self(format!("Bearer {text}").parse().unwrap())
    }
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// The URL of a database that is reached by a socket's folder.
pub(crate) fn url(config: &tokio_postgres::Config) -> String {
    let Some(Host::Unix(folder)) = config.get_hosts().first() else {
        panic!("the private cluster listens on a socket");
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!(
        "postgres:///{}?host={}&port={port}&user={}",
        config.get_dbname().unwrap(),
        folder.display(),
        config.get_user().unwrap()
    )
}

fn config(home: &Path, url: String, [key, operator, node]: [&Secret; 3]) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    Config {
        control_addr: any,
        ops_addr: any,
        home: home.to_owned(),
        database_url: Some(Secret::new(url)),
        pg_bin: None,
        master_key: Some(key.clone()),
        operator_token: Some(operator.clone()),
        node_token: Some(node.clone()),
        tls: Tls::Off,
        pool: PoolSettings { max_size: 8, statement_timeout_ms: 5_000, acquire_timeout_ms: 2_000 },
        advertise_url: None,
        peer_ca: None,
        lend_without_database: false,
        cors_origins: vec!["https://dashboard.example".to_owned()],
    }
}

fn rand() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
