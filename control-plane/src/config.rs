//! What the control plane is told at its start. Knows settings; opens no file and no socket.

use crate::{store::PoolSettings, vault::MasterKey};
use domain::{
    key::{KeyKind, check_form},
    secret::Secret,
};
use runtime::settings::{Setting, Settings, Spec};
use std::{net::SocketAddr, path::PathBuf};

/// The program's table of settings.
pub const SPEC: Spec = Spec {
    program: "sluice-control-plane",
    about: "Remembers the catalog, publishes it to proxies, and settles usage.",
    settings: &[
        Setting::new(
            "control-addr",
            "SLUICE_CONTROL_ADDR",
            "where the admin API and the sync service listen; beyond loopback with TLS only",
        )
        .or("127.0.0.1:7070"),
        Setting::new(
            "ops-addr",
            "SLUICE_CONTROL_OPS_ADDR",
            "where /livez, /readyz and /metrics listen",
        )
        .or("127.0.0.1:7071"),
        Setting::new("home", "SLUICE_HOME", "folder of secrets and of the private database")
            .or("./.sluice"),
        Setting::new(
            "database-url",
            "DATABASE_URL",
            "postgres://user:password@host:5432/database; without it, a private cluster in the home folder is run",
        )
        .secret(),
        Setting::new(
            "pg-bin",
            "SLUICE_PG_BIN",
            "folder of PostgreSQL's server programs, if they are not found by themselves",
        ),
        Setting::new(
            "master-key",
            "SLUICE_MASTER_KEY",
            "base64 of the 32 bytes that seal credentials; without it, the file master.key in the home folder, made on the first start",
        )
        .secret(),
        Setting::new(
            "operator-token",
            "SLUICE_OPERATOR_TOKEN",
            "token of the admin API, slc_pat_…; without it, the file operator.token in the home folder, made on the first start",
        )
        .secret(),
        Setting::new(
            "node-token",
            "SLUICE_NODE_TOKEN",
            "token of proxies, slc_jn_…; without it, the file node.token in the home folder, made on the first start",
        )
        .secret(),
        Setting::new("tls-cert", "SLUICE_TLS_CERT", "certificate chain as PEM file; needs tls-key"),
        Setting::new("tls-key", "SLUICE_TLS_KEY", "private key as PEM file; needs tls-cert"),
        Setting::new(
            "tls-self-signed",
            "SLUICE_TLS_SELF_SIGNED",
            "names and addresses, comma between them, for which a certificate and its CA are made once, in home/tls",
        ),
        Setting::new(
            "db-pool-size",
            "SLUICE_DB_POOL_SIZE",
            "most connections to the database at a time, 2 to 200; to the private cluster, to 90",
        )
        .or("16"),
        Setting::new(
            "statement-timeout-ms",
            "SLUICE_STATEMENT_TIMEOUT_MS",
            "longest time of a single statement, in milliseconds, 100 to 600000",
        )
        .or("5000"),
        Setting::new(
            "acquire-timeout-ms",
            "SLUICE_ACQUIRE_TIMEOUT_MS",
            "longest wait for a connection to the database, in milliseconds, 100 to 60000",
        )
        .or("5000"),
        Setting::new(
            "advertise-url",
            "SLUICE_ADVERTISE_URL",
            "where other control planes over the same database reach this one, http(s)://host:port; without it, the control address, if that names one host",
        ),
        Setting::new(
            "peer-ca",
            "SLUICE_PEER_CA",
            "PEM file of the CA that signed other control planes' certificates; without it, our own CA with tls-self-signed, else the public ones",
        ),
        Setting::new(
            "lend-without-database",
            "SLUICE_LEND_WITHOUT_DATABASE",
            "limits are lent on while the database is away: only where this is the one control plane over it; always so with the private cluster",
        )
        .switch(),
        Setting::new(
            "cors-origins",
            "SLUICE_CORS_ORIGINS",
            "origins of web pages that may call the admin API by grpc-web, comma between them",
        ),
    ],
};

/// Most connections of the pool to the private cluster, which takes 100: some are left
/// for who listens, and for operators.
const MOST_PRIVATE: u64 = 90;

/// Everything the control plane was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the admin API and the sync service listen.
    pub control_addr: SocketAddr,
    /// Where the private port listens.
    pub ops_addr: SocketAddr,
    /// Folder of secrets and of the private database.
    pub home: PathBuf,
    /// An operator's own database; `None`: a private cluster.
    pub database_url: Option<Secret>,
    /// Folder of PostgreSQL's server programs.
    pub pg_bin: Option<PathBuf>,
    /// Base64 of the master key; `None`: the file.
    pub master_key: Option<Secret>,
    /// The token of the admin API; `None`: the file.
    pub operator_token: Option<Secret>,
    /// The token of proxies; `None`: the file.
    pub node_token: Option<Secret>,
    /// How the control port is encrypted.
    pub tls: Tls,
    /// Bounds of the connections to the database.
    pub pool: PoolSettings,
    /// Where other control planes reach this one; `None`: at the control address.
    pub advertise_url: Option<String>,
    /// The CA of other control planes' certificates, PEM.
    pub peer_ca: Option<PathBuf>,
    /// Whether limits are lent on while the database is away.
    pub lend_without_database: bool,
    /// Origins that may call by grpc-web.
    pub cors_origins: Vec<String>,
}

/// How the control port is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all; on loopback only.
    Off,
    /// By an operator's own certificate.
    Files {
        /// The certificate chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
    /// By a certificate that we make for these names and addresses.
    SelfSigned(Vec<String>),
}

/// Reads the settings; whatever is wrong is recorded in them, all of it.
pub fn parse(settings: &mut Settings) -> Option<Config> {
    let control_addr = settings.require::<SocketAddr>("control-addr");
    let ops_addr = settings.require::<SocketAddr>("ops-addr");
    let home = settings.require::<PathBuf>("home");
    let database_url = settings.get::<String>("database-url");
    if database_url.as_deref().is_some_and(|it| !is_postgres_url(it)) {
        settings.problem("database-url", "must start with postgres:// or postgresql://");
    }
    let pg_bin = settings.get::<PathBuf>("pg-bin");
    let master_key = settings.get::<String>("master-key").map(Secret::new);
    if let Some(Err(error)) = master_key.as_ref().map(|it| MasterKey::from_base64(it.expose())) {
        settings.problem("master-key", error.to_string());
    }
    let operator_token = token(settings, "operator-token", KeyKind::Operator);
    let node_token = token(settings, "node-token", KeyKind::Proxy);
    let tls = tls(settings);
    if let Some(addr) = control_addr
        && !addr.ip().is_loopback()
        && tls == Some(Tls::Off)
    {
        let text = format!(
            "{addr} can be reached from outside, where only TLS is allowed: give tls-cert and tls-key, or tls-self-signed"
        );
        settings.problem("control-addr", text);
    }
    let max_size = bounded(settings, "db-pool-size", 2, 200);
    if database_url.is_none() && max_size.is_some_and(|it| MOST_PRIVATE < it) {
        let text = format!("the private cluster takes at most {MOST_PRIVATE}: give a database-url");
        settings.problem("db-pool-size", text);
    }
    let statement_timeout_ms = bounded(settings, "statement-timeout-ms", 100, 600_000);
    let acquire_timeout_ms = bounded(settings, "acquire-timeout-ms", 100, 60_000);
    let advertise_url = settings.get::<String>("advertise-url");
    if let Some(url) = advertise_url.as_deref().filter(|it| !is_origin(it)) {
        let text = format!("`{url}` is not a URL such as https://cp-1.example.org:7070");
        settings.problem("advertise-url", text);
    }
    let peer_ca = settings.get::<PathBuf>("peer-ca");
    let lend_without_database = settings.switch("lend-without-database");
    let cors_origins = list(settings, "cors-origins");
    for origin in &cors_origins {
        if !is_origin(origin) {
            let text = format!("`{origin}` is not an origin such as https://example.org");
            settings.problem("cors-origins", text);
        }
    }
    settings.problems().is_empty().then_some(())?;
    let alone = database_url.is_none();
    Some(Config {
        control_addr: control_addr?,
        ops_addr: ops_addr?,
        home: home?,
        database_url: database_url.map(Secret::new),
        pg_bin,
        master_key,
        operator_token,
        node_token,
        tls: tls?,
        pool: PoolSettings {
            max_size: usize::try_from(max_size?).ok()?,
            statement_timeout_ms: statement_timeout_ms?,
            acquire_timeout_ms: acquire_timeout_ms?,
        },
        advertise_url,
        peer_ca,
        // Over its own cluster it is alone.
        lend_without_database: lend_without_database || alone,
        cors_origins,
    })
}

fn is_postgres_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// A scheme and a host, and nothing after them: what browsers send as `origin`.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|it| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic() && !b"/?#*@".contains(&it))
    })
}

fn token(settings: &mut Settings, name: &'static str, kind: KeyKind) -> Option<Secret> {
    let text = settings.get::<String>(name)?;
    if let Err(error) = check_form(kind, &text) {
        settings.problem(name, error.to_string());
    }
    Some(Secret::new(text))
}

fn tls(settings: &mut Settings) -> Option<Tls> {
    let cert = settings.get::<PathBuf>("tls-cert");
    let key = settings.get::<PathBuf>("tls-key");
    let names = list(settings, "tls-self-signed");
    match (cert, key, names.is_empty()) {
        (None, None, true) => Some(Tls::Off),
        (None, None, false) => Some(Tls::SelfSigned(names)),
        (Some(cert), Some(key), true) => Some(Tls::Files { cert, key }),
        (Some(_), Some(_), false) => {
            settings.problem("tls-self-signed", "cannot be combined with tls-cert and tls-key");
            None
        }
        (Some(_), None, _) => {
            settings.problem("tls-cert", "needs tls-key too");
            None
        }
        (None, Some(_), _) => {
            settings.problem("tls-key", "needs tls-cert too");
            None
        }
    }
}

fn list(settings: &mut Settings, name: &'static str) -> Vec<String> {
    let text = settings.get::<String>(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn bounded(settings: &mut Settings, name: &'static str, least: u64, most: u64) -> Option<u64> {
    let value = settings.require::<u64>(name)?;
    if value < least || most < value {
        settings.problem(name, format!("`{value}` must lie between {least} and {most}"));
        return None;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn read(args: &[&str], env: &[(&str, &str)]) -> (Option<Config>, String) {
        let mut settings = Settings::read(&SPEC, args.iter().map(OsString::from), |name| {
            env.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into())
        });
        let config = parse(&mut settings);
        (config, settings.problems().to_string())
    }

    #[test]
    fn with_nothing_given_it_stays_on_loopback() {
        let (config, problems) = read(&[], &[]);
        let config = config.unwrap();
        assert_eq!(problems, "");
        assert!(config.control_addr.ip().is_loopback() && config.ops_addr.ip().is_loopback());
        assert_eq!(config.tls, Tls::Off);
        assert_eq!(config.pool.max_size, 16);
    }

    #[test]
    fn it_lends_without_a_database_where_it_is_alone_or_told_so() {
        let database = [("DATABASE_URL", "postgres://u@h/d")];
        for (args, env, expected) in [
            (&[][..], &[][..], true),
            (&[], &database, false),
            (&["--lend-without-database"], &database, true),
        ] {
            let (config, problems) = read(args, env);
            assert_eq!(problems, "");
            assert_eq!(config.unwrap().lend_without_database, expected, "{args:?} {env:?}");
        }
    }

    #[test]
    fn an_advertised_url_has_a_scheme_and_a_host() {
        let (config, _) = read(&["--advertise-url", "https://cp-1.example:7070"], &[]);
        assert_eq!(config.unwrap().advertise_url.unwrap(), "https://cp-1.example:7070");
        let (config, problems) = read(&["--advertise-url", "cp-1.example:7070"], &[]);
        assert!(config.is_none() && problems.contains("advertise-url"), "{problems}");
    }

    #[test]
    fn beyond_loopback_there_is_tls_or_nothing() {
        let (config, problems) = read(&["--control-addr", "0.0.0.0:7070"], &[]);
        assert!(config.is_none() && problems.contains("TLS"), "{problems}");
        let tls = ["--control-addr", "0.0.0.0:7070", "--tls-self-signed", "cp.example, 10.0.0.1"];
        let (config, problems) = read(&tls, &[]);
        assert_eq!(problems, "");
        let names = vec!["cp.example".to_owned(), "10.0.0.1".to_owned()];
        assert_eq!(config.unwrap().tls, Tls::SelfSigned(names));
    }

    #[test]
    fn a_pool_must_fit_the_private_cluster() {
        let (config, problems) = read(&["--db-pool-size", "150"], &[]);
        assert!(config.is_none() && problems.contains("db-pool-size"), "{problems}");
        let (config, _) = read(&["--db-pool-size", "150"], &[("DATABASE_URL", "postgres://u@h/d")]);
        assert_eq!(config.unwrap().pool.max_size, 150);
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_no_secret_is() {
        let (config, problems) = read(
            &["--tls-cert", "c.pem", "--db-pool-size", "0", "--control-addr", "here"],
            &[
                ("SLUICE_MASTER_KEY", "hunter2"),
                ("SLUICE_OPERATOR_TOKEN", "hunter2"),
                ("SLUICE_NODE_TOKEN", "slc_pat_hunter2"),
                ("DATABASE_URL", "mysql://hunter2@h"),
                ("SLUICE_CORS_ORIGINS", "https://a.example,b.example/x"),
            ],
        );
        assert!(config.is_none());
        for name in [
            "tls-cert",
            "db-pool-size",
            "control-addr",
            "SLUICE_MASTER_KEY",
            "SLUICE_OPERATOR_TOKEN",
            "SLUICE_NODE_TOKEN",
            "DATABASE_URL",
            "SLUICE_CORS_ORIGINS",
        ] {
            assert!(problems.contains(name), "{name} is missing in {problems}");
        }
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}
