//! A caller's connection with the deadlines that hyper does not keep by itself. Knows
//! bytes and time, no HTTP.
//!
//! hyper's one header timeout would also end idle connections after ten seconds, and
//! does not run before it knows whether HTTP/1 or HTTP/2 is spoken; nothing in it
//! ends a connection whose caller takes no bytes.

use bytes::BytesMut;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Timer, Write};
use hyper_util::rt::TokioIo;
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::Sleep};

/// How long a connection may wait for its next request. Above the usual 60 seconds of
/// load balancers, so that it is they who close.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(75);

/// What a connection's parts tell each other.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    reads: AtomicU64,
    served: AtomicBool,
}

impl Progress {
    /// A request's head has arrived whole.
    pub(crate) fn head_arrived(&self) {
        if !self.served.load(Ordering::Relaxed) {
            self.served.store(true, Ordering::Relaxed);
        }
    }
}

/// The longest waits on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a request's head, from its first byte (of the first one: from the connection) on.
    pub(crate) head: Duration,
    /// For the caller to take some of its answer.
    pub(crate) write_stall: Duration,
}

/// A connection that ends by itself when its first request is late, or when its
/// caller stops taking what is written.
pub(crate) struct Socket {
    io: TokioIo<TcpStream>,
    progress: Arc<Progress>,
    /// Read already, to see what is spoken.
    first_bytes: BytesMut,
    opening: Option<Pin<Box<Sleep>>>,
    stall: Stall,
}

/// What every HTTP/2 connection begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Socket {
    pub(crate) fn new(stream: TcpStream, progress: Arc<Progress>, patience: Patience) -> Self {
        Self {
            io: TokioIo::new(stream),
            progress,
            first_bytes: BytesMut::with_capacity(HTTP2_PREFACE.len()),
            opening: Some(Box::pin(tokio::time::sleep(patience.head))),
            stall: Stall::new(patience.write_stall),
        }
    }

    /// Whether the caller speaks HTTP/2; whatever else it says is taken for HTTP/1.
    ///
    /// # Errors
    /// The connection broke, or nothing telling came in time.
    pub(crate) async fn speaks_http2(&mut self) -> io::Result<bool> {
        let mut bytes = BytesMut::with_capacity(HTTP2_PREFACE.len());
        while bytes.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&bytes) {
            let mut room = [0; HTTP2_PREFACE.len()];
            let room = room.get_mut(bytes.len()..).unwrap_or_default();
            let mut read = ReadBuf::new(room);
            poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, read.unfilled())).await?;
            if read.filled().is_empty() {
                break;
            }
            bytes.extend_from_slice(read.filled());
        }
        let is_http2 = bytes == HTTP2_PREFACE;
        self.first_bytes = bytes;
        Ok(is_http2)
    }

    fn opening_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.progress.served.load(Ordering::Relaxed) {
            self.opening = None;
        }
        self.opening.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_ready())
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first_bytes.is_empty() {
            let len = buf.remaining().min(self.first_bytes.len());
            buf.put_slice(&self.first_bytes.split_to(len));
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(read) => {
                self.progress.reads.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(read)
            }
            Poll::Pending if self.opening_is_over(cx) => Poll::Ready(Err(late("no request came"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.stall.watch(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.stall.watch(cx, written)
    }
}

/// Runs while a caller takes nothing, and only then.
pub(super) struct Stall {
    after: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Stall {
    pub(super) const fn new(after: Duration) -> Self {
        Self { after, timer: None, armed: false }
    }

    /// The caller took something.
    pub(super) const fn over(&mut self) {
        self.armed = false;
    }

    /// The caller takes nothing. Ready when that has lasted too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.after)));
        if !self.armed {
            self.armed = true;
            timer.as_mut().reset(tokio::time::Instant::now() + self.after);
        }
        timer.as_mut().poll(cx)
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.over();
            return written;
        }
        self.poll(cx).map(|()| Err(late("the caller took nothing of its answer")))
    }
}

fn late(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// hyper's timer for HTTP/1 heads: the whole head in time once its first byte is
/// there, and a longer patience for idle connections before it.
#[derive(Debug, Clone)]
pub(crate) struct HeadTimer {
    progress: Arc<Progress>,
    head: Duration,
}

impl HeadTimer {
    pub(crate) const fn new(progress: Arc<Progress>, patience: Patience) -> Self {
        Self { progress, head: patience.head }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let reads = self.progress.reads.load(Ordering::Relaxed);
        Box::pin(HeadSleep {
            progress: Arc::clone(&self.progress),
            reads,
            head: self.head,
            begun: false,
            sleep: Box::pin(tokio::time::sleep(KEEP_ALIVE_IDLE.max(self.head))),
        })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

struct HeadSleep {
    progress: Arc<Progress>,
    /// How often the connection had been read from when the wait began.
    reads: u64,
    head: Duration,
    begun: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Future for HeadSleep {
    type Output = ();

    /// hyper polls this after every read that did not complete the head.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.begun && self.progress.reads.load(Ordering::Relaxed) != self.reads {
            self.begun = true;
            let deadline = tokio::time::Instant::now() + self.head;
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for HeadSleep {}
