//! The control port's connections: accepted, bounded in number and time, drained.
//!
//! Knows TCP, TLS and HTTP. Knows nothing of what is served.

use crate::metrics::OpenConnection;
use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use runtime::{Process, shutdown::Shutdown};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Most connections at a time; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 4_096;

/// Longest time of a TLS handshake, and of an HTTP/1 request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nobody has shown a token that is known by then is closed: who
/// has none must not keep a place.
const STRANGERS_TIMEOUT: Duration = Duration::from_secs(30);

/// After this long a silence the other side is tried, and given up this much later.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

const MOST_STREAMS: u32 = 256;
const MOST_HEADER_BYTES: u32 = 64 << 10;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How long calls may go on once the process drains. Sessions of proxies end by themselves before.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Goes with every request of a connection; whoever knows its caller marks it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acquaintance(Arc<AtomicBool>);

impl Acquaintance {
    /// Somebody known calls on this connection.
    pub(crate) fn made(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves connections until the process drains, then waits for them to end, or for the cut.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    process: Process,
) {
    let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let http = Arc::new(builder());
    loop {
        let accepted = tokio::select! {
            () = process.shutdown.draining() => break,
            accepted = accept(&listener, &seats) => accepted,
        };
        let (stream, peer, seat) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept on the control port");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (http, tls, router) = (Arc::clone(&http), tls.clone(), router.clone());
        let watcher = graceful.watcher();
        let shutdown = process.shutdown.clone();
        process.tasks.spawn("control connection", async move {
            let _seat = seat;
            let _open = OpenConnection::new();
            tokio::select! {
                () = greet(&http, stream, tls, router, watcher) => {}
                () = overdue(&shutdown) => tracing::debug!(%peer, "cut a connection"),
            }
            tracing::trace!(%peer, "a connection ended");
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = process.shutdown.cut() => {}
    }
}

/// The time for what was begun is over: there are calls that would go on for ever.
async fn overdue(shutdown: &Shutdown) {
    shutdown.draining().await;
    tokio::select! {
        () = sleep(DRAIN_TIMEOUT) => {}
        () = shutdown.cut() => {}
    }
}

type Seat = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, Seat)> {
    let seat = Arc::clone(seats).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, seat))
}

fn builder() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MOST_HEADER_BYTES as usize);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http
}

/// TLS first, where there is some.
async fn greet(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
) {
    let Some(tls) = tls else {
        return converse(http, stream, router, watcher, STRANGERS_TIMEOUT).await;
    };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(http, stream, router, watcher, STRANGERS_TIMEOUT).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn converse(
    http: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: Watcher,
    strangers: Duration,
) {
    let acquaintance = Acquaintance::default();
    let theirs = acquaintance.clone();
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(theirs.clone());
        request
    });
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(watcher.watch(connection));
    // Telling HTTP/1 from HTTP/2 has no deadline of its own, and HTTP/2 none for silence.
    let strange = async {
        sleep(strangers).await;
        if acquaintance.0.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = &mut connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        }
        () = strange => tracing::debug!("nobody known has called on a connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Extension, body::Body, routing::get};
    use hyper::client::conn::http2;

    /// Whether a connection on which `path` was asked for is still there when strangers are shown out.
    async fn lasts(path: &str) -> bool {
        let known = |Extension(it): Extension<Acquaintance>| async move { it.made() };
        let router = Router::new().route("/open", get(|| async {})).route("/known", get(known));
        let (near, far) = tokio::io::duplex(64 << 10);
        let (http, graceful) = (builder(), GracefulShutdown::new());
        let serving = converse(&http, near, router, graceful.watcher(), Duration::from_secs(1));
        let asking = async {
            let io = TokioIo::new(far);
            let (mut client, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let request = http::Request::get(format!("http://x{path}")).body(Body::empty());
            let answer = async {
                let answer = client.send_request(request.unwrap()).await.unwrap();
                assert_eq!(answer.status(), http::StatusCode::OK);
                std::future::pending::<()>().await;
            };
            let _ = tokio::join!(connection, answer);
        };
        tokio::select! {
            () = serving => false,
            () = asking => false,
            () = sleep(Duration::from_secs(2)) => true,
        }
    }

    #[tokio::test]
    async fn a_connection_without_a_known_caller_does_not_last() {
        assert_eq!(tokio::join!(lasts("/open"), lasts("/known")), (false, true));
    }
}
