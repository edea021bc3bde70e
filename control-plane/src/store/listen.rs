//! Hears of new revisions at once. Only a hint: what is missed here, the poll finds.

use super::{Store, StoreError, pool::Pool, write::NOTIFY_CHANNEL};
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
    stream::poll_fn,
};
use runtime::backoff::Backoff;
use std::{fmt, pin::Pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};
use tracing::debug;

/// After this long a silence the connection is tried: a dead one looks like no news.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest wait for an answer when it is tried, or made.
const PATIENCE: Duration = Duration::from_secs(5);

type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, tokio_postgres::Error>> + Send>>;

/// A connection of its own that hears of new revisions, and is made again when it breaks.
pub struct Listener {
    pool: Pool,
    live: Option<Live>,
    backoff: Backoff,
}

struct Live {
    client: Client,
    messages: Messages,
    /// A notification came that [`Listener::changed`] has not told yet.
    news: bool,
    heard_at: Instant,
}

impl Store {
    /// Listens for new revisions, from the first call of [`Listener::changed`] on.
    pub fn listen(&self) -> Listener {
        let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        Listener { pool: self.pool.clone(), live: None, backoff }
    }
}

impl Listener {
    /// Waits until there may be a new revision: a notification came, or the connection
    /// was made, before which some may have been missed. May be dropped at any time
    /// without losing one.
    pub async fn changed(&mut self) {
        loop {
            let Some(live) = &mut self.live else {
                match timeout(PATIENCE, Live::connect(&self.pool)).await {
                    Ok(Ok(live)) => {
                        self.live = Some(live);
                        self.backoff.reset();
                        return;
                    }
                    Ok(Err(error)) => debug!(%error, "cannot listen for revisions"),
                    Err(_) => debug!("cannot listen for revisions: no answer"),
                }
                sleep(self.backoff.next()).await;
                continue;
            };
            if live.news {
                live.news = false;
                return;
            }
            if !live.hear().await {
                debug!("no longer listening for revisions");
                self.live = None;
            }
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("live", &self.live.is_some()).finish_non_exhaustive()
    }
}

impl Live {
    async fn connect(pool: &Pool) -> Result<Self, StoreError> {
        let (client, messages) = match &pool.tls {
            Some(tls) => {
                let (client, connection) = pool.config.connect(tls.clone()).await?;
                (client, messages(connection))
            }
            None => {
                let (client, connection) = pool.config.connect(NoTls).await?;
                (client, messages(connection))
            }
        };
        let mut live = Self { client, messages, news: false, heard_at: Instant::now() };
        if live.run(&format!("LISTEN {NOTIFY_CHANNEL}")).await {
            Ok(live)
        } else {
            Err(StoreError::Unavailable("the connection broke off".to_owned()))
        }
    }

    /// Takes the next message, or tries the connection; false: it is lost.
    async fn hear(&mut self) -> bool {
        let silence_ends = self.heard_at + SILENCE;
        tokio::select! {
            message = self.messages.next() => self.take(message),
            () = sleep_until(silence_ends) => self.run("SELECT 1").await,
        }
    }

    /// Runs a statement without parameters while the connection is served.
    async fn run(&mut self, sql: &str) -> bool {
        let client = &self.client;
        let messages = &mut self.messages;
        let news = &mut self.news;
        let run = std::pin::pin!(client.batch_execute(sql));
        let serve = std::pin::pin!(async {
            while let Some(Ok(message)) = messages.next().await {
                *news |= matches!(message, AsyncMessage::Notification(_));
            }
        });
        let done = match timeout(PATIENCE, select(run, serve)).await {
            Ok(Either::Left((result, _))) => result.is_ok(),
            Ok(Either::Right(_)) | Err(_) => false,
        };
        self.heard_at = Instant::now();
        done
    }

    fn take(&mut self, message: Option<Result<AsyncMessage, tokio_postgres::Error>>) -> bool {
        self.heard_at = Instant::now();
        match message {
            Some(Ok(message)) => {
                self.news |= matches!(message, AsyncMessage::Notification(_));
                true
            }
            Some(Err(_)) | None => false,
        }
    }
}

fn messages<T>(mut connection: Connection<Socket, T>) -> Messages
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(poll_fn(move |cx| connection.poll_message(cx)))
}
