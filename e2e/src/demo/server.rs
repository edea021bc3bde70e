//! The demo provider's socket side: connections, the endpoints, and its own two:
//! `/ledger` and `/behave`.

mod answer;
mod own;
mod play;

use super::{behave::Rules, ledger::Ledger};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::{Failure, Process};
use std::{convert::Infallible, io, pin::pin, sync::Arc};
use tokio::net::{TcpListener, TcpStream};

/// What the demo provider remembers.
#[derive(Debug, Default)]
pub struct Demo {
    /// What it served.
    pub ledger: Arc<Ledger>,
    /// How it was told to misbehave.
    pub rules: Rules,
}

/// A body whose failure is a broken connection.
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What was asked for, and could not be answered because the connection is to break.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to break")]
struct Broken;

/// The program: listens, says where, serves.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn run(config: super::config::Config, process: Process) -> Result<(), Failure> {
    let listener = TcpListener::bind(config.listen_addr).await?;
    let address = listener.local_addr()?;
    runtime::announce(&process, &[("demo", format!("http://{address}"))]);
    serve(listener, process).await
}

/// Serves until drained; at the cut connections are dropped.
///
/// # Errors
/// None at present.
pub async fn serve(listener: TcpListener, process: Process) -> Result<(), Failure> {
    let demo = Arc::new(Demo::default());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = process.shutdown.draining() => return Ok(()),
        };
        let (demo, process_too) = (Arc::clone(&demo), process.clone());
        process.tasks.spawn("connection", async move {
            if let Err(error) = converse(stream, demo, &process_too).await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}

async fn converse(stream: TcpStream, demo: Arc<Demo>, process: &Process) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    // The second handle on the socket is what lets an answer break its connection by reset.
    let stream = stream.into_std()?;
    let handle = Arc::new(stream.try_clone()?);
    let stream = TokioIo::new(TcpStream::from_std(stream)?);
    let service = service_fn(|request: Request<Incoming>| {
        let (demo, handle) = (Arc::clone(&demo), Arc::clone(&handle));
        async move { answer::answer(&demo, &handle, request).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    let mut connection = pin!(http.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = process.shutdown.draining() => connection.as_mut().graceful_shutdown(),
        () = process.shutdown.cut() => return Ok(()),
    }
    tokio::select! {
        ended = connection => Ok(ended?),
        () = process.shutdown.cut() => Ok(()),
    }
}

/// A body that is there as a whole.
fn full(bytes: impl Into<Bytes>) -> Body {
    use http_body_util::BodyExt;
    http_body_util::Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// A whole answer of our own.
fn reply(status: u16, content_type: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    response
}

#[cfg(test)]
mod tests;
