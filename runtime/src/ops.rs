//! The private port: `/livez`, `/readyz`, `/metrics`.
//!
//! Knows that the process lives, what it waits for, and its metrics as text. Answers
//! until the very end, so that who asks during a drain is told to go elsewhere.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::Process;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 64;

/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may live: a scraper comes again.
const CONNECTION_MAX: Duration = Duration::from_secs(60);

/// How long to wait after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on `addr` and answers in the background; says where it listens, which
/// tells the port when `addr` asked for any.
///
/// # Errors
///
/// When `addr` cannot be listened on.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn serve(process: &Process, addr: SocketAddr) -> io::Result<SocketAddr> {
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("listen on {addr} for operations: {error}"))
    };
    let listener = std::net::TcpListener::bind(addr).map_err(failed)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let bound = listener.local_addr()?;
    process.tasks.spawn_until_exit("ops", accept(process.clone(), listener));
    Ok(bound)
}

async fn accept(process: Process, listener: TcpListener) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept on the operations port");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let answering = process.clone();
        process.tasks.spawn_until_exit("ops connection", async move {
            let _seat = seat;
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(&answering, request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            // What the other side breaks off here concerns nobody.
            let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
        });
    }
}

fn answer(process: &Process, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match path {
        "/livez" => text(StatusCode::OK, "alive\n"),
        "/readyz" => ready(process),
        "/metrics" => text(StatusCode::OK, process.metrics.render()),
        _ => text(StatusCode::NOT_FOUND, "here are /livez, /readyz and /metrics\n"),
    }
}

fn ready(process: &Process) -> Response<Full<Bytes>> {
    let mut blockers = process.readiness.blockers();
    if process.shutdown.is_draining() {
        blockers.insert(0, "draining".to_owned());
    }
    match blockers.is_empty() {
        true => text(StatusCode::OK, "ready\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, blockers.join("\n") + "\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    // The version is that of the metrics' format; other texts do not mind it.
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn check(process: &Process, method: &Method, path: &str, status: u16, body: &str) {
        let response = answer(process, method, path);
        assert_eq!(response.status(), status, "{method} {path}");
        let bytes = block_on(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), body, "{method} {path}");
    }

    #[test]
    fn alive_always_ready_only_without_blockers_and_before_the_drain() {
        let process = Process::alone();
        check(&process, &Method::GET, "/readyz", 200, "ready\n");
        let guard = process.readiness.guard("no water yet");
        check(&process, &Method::GET, "/readyz", 503, "no water yet\n");
        drop(guard);
        process.shutdown.drain();
        check(&process, &Method::GET, "/readyz", 503, "draining\n");
        check(&process, &Method::GET, "/livez", 200, "alive\n");
    }

    #[test]
    fn says_what_exists_to_who_asks_for_something_else() {
        let process = Process::alone();
        let paths = "here are /livez, /readyz and /metrics\n";
        check(&process, &Method::GET, "/", 404, paths);
        check(&process, &Method::POST, "/livez", 405, "only GET and HEAD\n");
    }

    #[test]
    fn listens_on_any_free_port_and_says_which() {
        block_on(async {
            let process = Process::alone();
            let addr = serve(&process, ([127, 0, 0, 1], 0).into()).unwrap();
            assert!(serve(&process, addr).is_err(), "one port, one listener");
            let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
            assert!(answer.ends_with("alive\n"), "{answer}");
        });
    }
}
