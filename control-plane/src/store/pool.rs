//! Connections: how they are made, bounded and lent.

use super::{Store, StoreError};
use deadpool_postgres::{Manager, ManagerConfig, Object, RecyclingMethod, Runtime};
use domain::secret::Secret;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use std::{fmt, path::Path, sync::Arc, time::Duration};
use tokio_postgres::{NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// Nobody may hold the catalog's lock longer than this while doing nothing.
const IDLE_IN_TRANSACTION_MS: u64 = 30_000;

/// A lent connection has to answer within this time, or another one is taken: one whose
/// server is gone without a word would otherwise be lent again and again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// What is sent and not acknowledged for so long breaks the connection; keep-alives are
/// not sent in the meantime.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Where the database is.
#[expect(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
#[derive(Debug, Clone)]
pub enum Source {
    /// An operator's own: a `postgres://` URL, which may hold a password.
    Url(Secret),
    /// The private cluster of [`super::embedded`].
    Embedded(tokio_postgres::Config),
}

/// The pool's bounds.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Most connections at a time, without those that listen.
    pub max_size: usize,
    /// Longest time for a single statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// Longest wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
}

/// Lends connections; makes more for who wants one alone.
#[derive(Clone)]
pub(super) struct Pool {
    lent: deadpool_postgres::Pool,
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl Store {
    /// A store over `source`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn connect(source: Source, settings: PoolSettings) -> Result<Self, StoreError> {
        let (mut config, tls) = match source {
            Source::Url(url) => parse_url(&url)?,
            Source::Embedded(config) => (config, None),
        };
        let options = format!(
            "{} -c statement_timeout={} -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} \
             -c synchronous_commit=on -c timezone=UTC",
            config.get_options().unwrap_or(""),
            settings.statement_timeout_ms,
        );
        config.options(options.trim());
        if config.get_application_name().is_none() {
            config.application_name("sluice");
        }
        let acquire = Duration::from_millis(settings.acquire_timeout_ms);
        config.connect_timeout(acquire);
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        config.tcp_user_timeout(UNACKNOWLEDGED);
        let how = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = match &tls {
            Some(tls) => Manager::from_config(config.clone(), tls.clone(), how),
            None => Manager::from_config(config.clone(), NoTls, how),
        };
        let lent = deadpool_postgres::Pool::builder(manager)
            .max_size(settings.max_size.max(1))
            .wait_timeout(Some(acquire))
            .create_timeout(Some(acquire))
            .recycle_timeout(Some(acquire.min(ANSWERS_WITHIN)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { pool: Pool { lent, config, tls } })
    }

    /// Says goodbye on every idle connection, and lends none any more: before a database
    /// of our own stops, so that it need not break them off.
    pub fn close(&self) {
        self.pool.lent.close();
    }
}

impl Pool {
    /// A connection, given back when it is dropped.
    pub(super) async fn get(&self) -> Result<Object, StoreError> {
        Ok(self.lent.get().await?)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration may hold a password.
        f.debug_struct("Pool").field("status", &self.lent.status()).finish_non_exhaustive()
    }
}

/// Reads the URL, and takes out of it what the driver does not know: `sslrootcert`, and
/// the two stricter words for `require`, which is as strict here.
fn parse_url(
    url: &Secret,
) -> Result<(tokio_postgres::Config, Option<MakeRustlsConnect>), StoreError> {
    let bad = |why: &str| StoreError::BadUrl(why.to_owned());
    let mut parsed = Url::parse(url.expose())
        .map_err(|_| bad("expected postgres://user:password@host:5432/database"))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(bad("it must start with postgres:// or postgresql://"));
    }
    let mut root_cert = None;
    let mut others = Vec::new();
    for (name, value) in parsed.query_pairs() {
        match (name.as_ref(), value.as_ref()) {
            ("sslrootcert", path) => root_cert = Some(path.to_owned()),
            ("sslmode", "verify-ca" | "verify-full") => {
                others.push(("sslmode".to_owned(), "require".to_owned()));
            }
            (name, value) => others.push((name.to_owned(), value.to_owned())),
        }
    }
    parsed.set_query(None);
    if !others.is_empty() {
        parsed.query_pairs_mut().extend_pairs(others);
    }
    // The driver's own words name the parameter, never its value.
    let mut config: tokio_postgres::Config =
        parsed.as_str().parse().map_err(|error: tokio_postgres::Error| {
            StoreError::BadUrl(
                std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string),
            )
        })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Ok((config, Some(tls(root_cert.as_deref())?)));
    }
    config.ssl_mode(SslMode::Disable);
    Ok((config, None))
}

fn tls(root_cert: Option<&str>) -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    match root_cert {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let bad = |why: &dyn fmt::Display| {
                StoreError::BadUrl(format!("sslrootcert `{path}` cannot be used: {why}"))
            };
            let certs = CertificateDer::pem_file_iter(Path::new(path)).map_err(|it| bad(&it))?;
            for cert in certs {
                roots.add(cert.map_err(|it| bad(&it))?).map_err(|it| bad(&it))?;
            }
            if roots.is_empty() {
                return Err(bad(&"it has no certificate"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::BadUrl(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<(tokio_postgres::Config, Option<MakeRustlsConnect>), String> {
        parse_url(&Secret::new(url.to_owned())).map_err(|it| it.to_string())
    }

    #[test]
    fn tls_is_used_when_it_is_asked_for() {
        assert!(parse("postgres://u:p@h/d").unwrap().1.is_none());
        assert!(parse("postgres://u:p@h/d?sslmode=require").unwrap().1.is_some());
        assert!(parse("postgresql://u:p@h:6543/d?sslmode=verify-full").unwrap().1.is_some());
    }

    #[test]
    fn bad_urls_are_refused_without_showing_the_password() {
        for bad in [
            "",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h/d?nonsense=hunter2",
            "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=/nowhere/ca.pem",
        ] {
            let error = parse(bad).err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
