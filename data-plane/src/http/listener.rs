//! Accepts connections and hands their requests on. Knows sockets and hyper, and what
//! a proxy does when it is asked to stop.

use super::{
    answer,
    socket::{HeadTimer, Patience, Progress, Socket},
    taking,
};
use crate::gateway::{Gateway, Worker};
use hyper::{
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use runtime::{Process, backoff::Backoff, shutdown::Shutdown, tasks::Tasks};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
};
use tokio_util::task::TaskTracker;

/// Most header fields of a request.
const MAX_HEADERS: usize = 100;
/// HTTP/2 bounds, as Envoy recommends them for an edge.
const MAX_STREAMS: u32 = 100;
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that has said nothing yet may begin to when we drain: its
/// first bytes may be under way.
const FIRST_WORDS: Duration = Duration::from_secs(1);
/// How long after the cut a connection may take to say so to its caller.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Serves callers on `listener` with the tokio runtime that this is called on, until
/// the process drains and every connection has ended, or until the cut.
///
/// `listener` must be non-blocking. A listener that tokio refuses fails the process.
pub async fn serve(listener: std::net::TcpListener, gateway: Arc<Gateway>, process: Process) {
    match TcpListener::from_std(listener) {
        Ok(listener) => Door::new(gateway, process).run(listener).await,
        Err(error) => process.shutdown.fail(format!("listen for callers: {error}")),
    }
}

/// One worker's door: its connections all stay on its thread.
struct Door {
    worker: Arc<Worker>,
    process: Process,
    inside: TaskTracker,
    backoff: Backoff,
}

impl Door {
    fn new(gateway: Arc<Gateway>, process: Process) -> Self {
        let backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        let worker = Arc::new(Worker::new(gateway));
        Self { worker, process, inside: TaskTracker::new(), backoff }
    }

    async fn run(mut self, listener: TcpListener) {
        let shutdown = self.process.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.draining() => break,
                accepted = self.accept(&listener) => self.let_in(accepted),
            }
        }
        // Who is in the queue already has been promised an answer by the kernel.
        while let Some(Ok((stream, _))) = now_or_never(listener.accept()).await {
            let Ok(permit) = Arc::clone(&self.worker.gateway.connections).try_acquire_owned()
            else {
                break;
            };
            self.let_in(Some((stream, permit)));
        }
        drop(listener);
        self.inside.close();
        let ended = async {
            self.inside.wait().await;
            self.worker.gateway.drains_ended().await;
        };
        tokio::select! {
            () = ended => {}
            () = async { shutdown.cut().await; tokio::time::sleep(LAST_WORDS).await } => {}
        }
    }

    /// The next connection, once there is room for it. `None`: there was none after all.
    ///
    /// Accepted first: room taken in advance would be missing at another worker's door.
    async fn accept(
        &mut self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        match listener.accept().await {
            Ok((stream, _)) => {
                self.backoff.reset();
                let room = Arc::clone(&self.worker.gateway.connections);
                Some((stream, room.acquire_owned().await.ok()?))
            }
            // One connection's own trouble, gone before we took it.
            Err(error) if is_of_one_connection(&error) => None,
            // Out of descriptors or memory: asking again at once would only burn the core.
            Err(error) => {
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(self.backoff.next().max(Duration::from_millis(5))).await;
                None
            }
        }
    }

    fn let_in(&mut self, accepted: Option<(TcpStream, OwnedSemaphorePermit)>) {
        let Some((stream, permit)) = accepted else { return };
        // Only a socket that is gone already refuses this.
        let _ = stream.set_nodelay(true);
        let shutdown = self.process.shutdown.clone();
        let connection = Connection {
            worker: Arc::clone(&self.worker),
            tasks: self.process.tasks.clone(),
            shutdown: shutdown.clone(),
        };
        let held = (permit, self.inside.token(), self.worker.gateway.metrics.connection());
        self.process.tasks.spawn("connection", async move {
            let _held = held;
            let mut connection = pin!(connection.serve(stream));
            tokio::select! {
                ended = &mut connection => note(ended),
                () = shutdown.cut() => {
                    // Answers in flight notice the cut and say so, if they are let.
                    let _ = tokio::time::timeout(LAST_WORDS, connection).await;
                }
            }
        });
    }
}

/// What one connection needs to be served.
struct Connection {
    worker: Arc<Worker>,
    tasks: Tasks,
    shutdown: Shutdown,
}

impl Connection {
    async fn serve(self, stream: TcpStream) -> Result<(), Ended> {
        let bounds = self.worker.gateway.http;
        let patience = Patience {
            head: Duration::from_millis(bounds.header_timeout_ms),
            write_stall: Duration::from_millis(bounds.write_stall_timeout_ms),
        };
        let progress = Arc::new(Progress::default());
        let mut socket = Socket::new(stream, Arc::clone(&progress), patience);
        let silent_while_draining = async {
            self.shutdown.draining().await;
            tokio::time::sleep(FIRST_WORDS).await;
        };
        let speaks_http2 = tokio::select! {
            it = socket.speaks_http2() => it?,
            () = silent_while_draining => return Ok(()),
        };
        if speaks_http2 {
            self.serve_http2(socket, progress, patience).await
        } else {
            self.serve_http1(socket, progress, patience).await
        }
    }

    async fn serve_http1(
        self,
        socket: Socket,
        progress: Arc<Progress>,
        patience: Patience,
    ) -> Result<(), Ended> {
        let worker = self.worker;
        let mut hyper = http1::Builder::new();
        hyper
            .timer(HeadTimer::new(Arc::clone(&progress), patience))
            .header_read_timeout(patience.head)
            .max_headers(MAX_HEADERS)
            .max_buf_size(worker.gateway.http.max_header_bytes);
        let service = service_fn(move |request| {
            progress.head_arrived();
            let worker = Arc::clone(&worker);
            async move { Ok::<_, Infallible>(answer(&worker, request).await) }
        });
        let mut connection = pin!(hyper.serve_connection(socket, service));
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Ok(ended?),
            () = self.shutdown.draining() => connection.as_mut().graceful_shutdown(),
        }
        Ok(connection.await?)
    }

    async fn serve_http2(
        self,
        socket: Socket,
        progress: Arc<Progress>,
        patience: Patience,
    ) -> Result<(), Ended> {
        let worker = self.worker;
        let max_header_bytes = worker.gateway.http.max_header_bytes;
        let mut hyper =
            http2::Builder::new(Spawner { tasks: self.tasks, patience: patience.write_stall });
        hyper
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(u32::try_from(max_header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT);
        let service = service_fn(move |request| {
            progress.head_arrived();
            let worker = Arc::clone(&worker);
            async move { Ok::<_, Infallible>(answer(&worker, request).await) }
        });
        let mut connection = pin!(hyper.serve_connection(socket, service));
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Ok(ended?),
            () = self.shutdown.draining() => connection.as_mut().graceful_shutdown(),
        }
        Ok(connection.await?)
    }
}

/// How a connection came to its end before it should have.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
}

/// Polls once: what is there is there.
async fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        it = future => Some(it),
        () = std::future::ready(()) => None,
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// How a connection ends is its caller's business, unless someone is looking closely.
fn note(ended: Result<(), Ended>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// HTTP/2 needs a task for each stream; they are counted like every other, and given up
/// when their caller takes nothing.
#[derive(Clone)]
struct Spawner {
    tasks: Tasks,
    patience: Duration,
}

impl<F> Executor<F> for Spawner
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.tasks.spawn("stream", taking::unless_refused(future, self.patience));
    }
}
