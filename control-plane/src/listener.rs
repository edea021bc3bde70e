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

/// A connection on which nothing was asked by then is closed.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

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
    let Some(tls) = tls else { return converse(http, stream, router, watcher).await };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(http, stream, router, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn converse(
    http: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: Watcher,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&asked);
    let service = router.map_request(move |request: http::Request<Incoming>| {
        note.store(true, Ordering::Relaxed);
        request
    });
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(watcher.watch(connection));
    // Telling HTTP/1 from HTTP/2 has no deadline of its own.
    let silent = async {
        sleep(FIRST_REQUEST_TIMEOUT).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = &mut connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        }
        () = silent => tracing::debug!("nothing was asked on a connection"),
    }
}
