//! One HTTP client for each account and worker: its connections never change threads.
//! The only place where a client is built, the one that fetches for callers too.

use super::{
    fetch::Resolver,
    sign::{InvalidSignature, NotSigned, Signature},
    url::{self, Asked, InvalidBase, Place},
};
use crate::metrics::Attempts;
use bytes::Bytes;
use domain::{
    catalog::{Dialect, Operation},
    id::AccountId,
    routing::Failure,
    snapshot::{Seat, Snapshot},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Client, ClientBuilder, Proxy, Request};
use runtime::tasks::Tasks;
use rustls::{ClientConfig, RootCertStore, crypto};
use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Below what common servers keep an idle connection for, so that it is us who close.
const POOL_IDLE: Duration = Duration::from_secs(45);
/// Most idle connections kept to one account, for each worker.
const POOL_MAX_IDLE: usize = 256;
/// A connection that the peer closed while it was idle breaks within a round trip. What
/// breaks later may have been worked on, and paid for.
const STALE_WITHIN: Duration = Duration::from_secs(2);
/// How a peer that has vanished is noticed on a connection in use.
const KEEPALIVE: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A worker's lines to accounts.
pub(crate) struct Clients {
    lines: Mutex<HashMap<AccountId, Cached>>,
    /// To renew tokens in.
    tasks: Tasks,
}

struct Cached {
    /// Kept over revisions while it stays the same, so that its address tells.
    seat: Arc<Seat>,
    line: Result<Arc<Line>, Arc<Unreachable>>,
}

impl Clients {
    pub(crate) fn new(tasks: Tasks) -> Self {
        // Reading the system's roots takes a while: now, rather than in the first request.
        let _ = tls();
        Self { lines: Mutex::new(HashMap::new()), tasks }
    }

    /// The line to `seat`: the one there is, or a new one if the account has changed.
    ///
    /// # Errors
    /// [`Unreachable`] when the account's settings make no client.
    pub(crate) fn line(
        &self,
        seat: &Arc<Seat>,
        snapshot: &Snapshot,
    ) -> Result<Arc<Line>, Arc<Unreachable>> {
        let id = seat.account.id;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = lines.get(&id).filter(|it| Arc::ptr_eq(&it.seat, seat)) {
            return cached.line.clone();
        }
        // Seldom enough to look for accounts that are gone, too.
        lines.retain(|id, _| snapshot.seat(*id).is_some());
        let line = Line::new(seat, &self.tasks).map(Arc::new).map_err(Arc::new);
        lines.insert(id, Cached { seat: Arc::clone(seat), line: line.clone() });
        line
    }
}

/// Why an account cannot be spoken to at all. Quotes no credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error(transparent)]
    Base(#[from] InvalidBase),
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    #[error("the account's proxy is no proxy URL")]
    Proxy,
    #[error("this process has no TLS")]
    Tls,
    #[error("build the HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// Why there is nothing to send to an account. Quotes no credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRequest {
    #[error("the account has no place for such a request")]
    NoPlace,
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
}

/// A client with everything that is the same in each request to one account.
pub(crate) struct Line {
    /// The account, as it was when the client was built.
    pub(crate) seat: Arc<Seat>,
    /// Its name, as a header of the answer.
    pub(crate) name: HeaderValue,
    /// How attempts at it ended.
    pub(crate) attempts: Attempts,
    /// Longest wait for an answer to begin.
    pub(crate) first_byte: Duration,
    /// Longest silence within an answer.
    pub(crate) idle: Duration,
    /// Whether it has ever answered here, so that there may be a connection from before.
    answered: AtomicBool,
    client: Client,
    doors: Vec<Door>,
}

/// Where one dialect is spoken, and with which credential.
struct Door {
    dialect: Dialect,
    places: Vec<(Operation, Place)>,
    signature: Signature,
}

impl Line {
    fn new(seat: &Arc<Seat>, tasks: &Tasks) -> Result<Self, Unreachable> {
        let account = &seat.account;
        let mut doors = Vec::with_capacity(seat.endpoints.len());
        for endpoint in &seat.endpoints {
            let mut places = Vec::new();
            for operation in Operation::ALL {
                places.extend(url::of(endpoint, operation)?.map(|it| (operation, it)));
            }
            let signature = Signature::of(account, endpoint, tasks)?;
            doors.push(Door { dialect: endpoint.dialect, places, signature });
        }
        // A name has no character that a header may not have.
        let name = HeaderValue::from_str(account.name.as_str());
        Ok(Self {
            seat: Arc::clone(seat),
            name: name.unwrap_or_else(|_| HeaderValue::from_static("account")),
            attempts: Attempts::at(account.name.as_str()),
            first_byte: Duration::from_millis(account.client.first_byte_timeout_ms.into()),
            idle: Duration::from_millis(account.client.idle_timeout_ms.into()),
            answered: AtomicBool::new(false),
            client: client(seat)?,
            doors,
        })
    }

    /// The request to send, signed: it must not be changed any more. May wait for a token,
    /// but not while one is held.
    ///
    /// # Errors
    /// [`NoRequest`] if the account does not speak `dialect`, or not of this operation, or
    /// if nothing can be signed for it now.
    pub(crate) async fn request(
        &self,
        (dialect, operation): (Dialect, Operation),
        asked: Asked<'_>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request, NoRequest> {
        let door = self.doors.iter().find(|it| it.dialect == dialect).ok_or(NoRequest::NoPlace)?;
        let place = door.places.iter().find(|(it, _)| *it == operation);
        let url = place.and_then(|(_, it)| it.url(asked, &body)).ok_or(NoRequest::NoPlace)?;
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        door.signature.sign(&self.client, &mut request).await?;
        Ok(request)
    }

    /// Sends it, and waits for the answer's head.
    pub(crate) async fn send(&self, request: Request) -> reqwest::Result<reqwest::Response> {
        let shown = request.headers().get(header::AUTHORIZATION).cloned();
        let response = self.client.execute(request).await?;
        self.answered.store(true, Ordering::Relaxed);
        let status = response.status();
        if let (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(shown)) = (status, shown) {
            self.doors.iter().for_each(|it| it.signature.refused(&shown));
        }
        Ok(response)
    }

    /// Whether a request that failed so soon may have gone into a connection that the
    /// upstream was closing for having been idle: then nobody has read it, and it may be
    /// sent once more. An upstream does so whenever it likes, and no pool can know in time.
    pub(crate) fn was_stale(&self, error: &reqwest::Error, waited: Duration) -> bool {
        self.answered.load(Ordering::Relaxed)
            && waited < STALE_WITHIN
            && classify(error) == Failure::Broken
            && !has_answered(error)
    }
}

/// Whether something came back, though it was no HTTP.
fn has_answered(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(it) = source {
        if it.downcast_ref().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        source = it.source();
    }
    false
}

/// How an attempt failed that gave no answer.
pub(crate) fn classify(error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() { Failure::Connect } else { Failure::Broken }
}

fn client(seat: &Seat) -> Result<Client, Unreachable> {
    let settings = &seat.account.client;
    let mut builder = plain(tls().ok_or(Unreachable::Tls)?.clone())
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms.into()))
        .tcp_keepalive(KEEPALIVE)
        .http2_keep_alive_interval(KEEPALIVE)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_adaptive_window(true)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_MAX_IDLE);
    if let Some(proxy) = &settings.proxy {
        builder = builder.proxy(Proxy::all(proxy.expose()).map_err(|_| Unreachable::Proxy)?);
    }
    builder.build().map_err(|error| Unreachable::Client(error.without_url()))
}

/// A client for hosts that nobody knows: it has no credential, and keeps no connection, so that
/// each goes to what the resolver has just let through.
pub(super) fn to_strangers(resolver: Resolver, connect: Duration) -> Result<Client, Unreachable> {
    let mut tls = tls().ok_or(Unreachable::Tls)?.clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    plain(tls)
        .http1_only()
        .pool_max_idle_per_host(0)
        .connect_timeout(connect)
        .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(resolver)
        .build()
        .map_err(|error| Unreachable::Client(error.without_url()))
}

/// What goes for all: nothing is followed, tried again, told of where one comes from or taken
/// from the environment.
fn plain(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tcp_nodelay(true)
}

/// TLS for every client: the public roots, which need no files, and the system's,
/// among which an operator's own may be. `None` if the process has no TLS provider.
fn tls() -> Option<&'static ClientConfig> {
    static TLS: OnceLock<Option<ClientConfig>> = OnceLock::new();
    let make = || {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // Certificates that cannot be read or parsed are left out, as everyone does.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = crypto::CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(crypto::aws_lc_rs::default_provider()));
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().ok()?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Some(config)
    };
    TLS.get_or_init(make).as_ref()
}
