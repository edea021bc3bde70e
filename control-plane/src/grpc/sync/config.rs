//! The catalog on its way down: whole to who holds none, else what changed.
//!
//! A slow proxy skips: what is sent next is always what leads to the newest revision.

use super::{
    Out,
    pieces::{Frame, Part, Pieces},
    say,
};
use crate::{
    metrics,
    publisher::{Delta, Published, Publisher},
};
use proto::{
    convert::snapshot::items,
    sync::v1::{Drain, session_response::Message},
};
use runtime::shutdown::Shutdown;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tonic::Status;
use uuid::Uuid;

/// The whole catalog is not sent more often than this, whatever is asked.
const BETWEEN_FULLS: Duration = Duration::from_secs(1);

/// Within which time proxies connect again after a drain.
const RECONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How long a session goes on after the drain was told: for usage on its way.
const LINGER: Duration = Duration::from_secs(3);

/// The catalog that a proxy holds, as far as we know.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    pub(super) incarnation: Uuid,
    pub(super) revision: u64,
    /// What it hashes to; `None`: it was sent by us.
    pub(super) hash: Option<Vec<u8>>,
}

/// Tells the proxy of every newest revision, until the process drains.
pub(super) async fn tell(
    publisher: &Publisher,
    shutdown: &Shutdown,
    out: &Out,
    mut holding: Option<Holding>,
    mut resyncs: watch::Receiver<u64>,
) -> Result<(), Status> {
    let mut newest = publisher.watch();
    let mut next_full = Instant::now();
    let mut heeded = 0;
    // A proxy that holds the newest catalog is told so, once.
    let mut told = false;
    loop {
        let asked = *resyncs.borrow_and_update();
        if std::mem::replace(&mut heeded, asked) != asked {
            holding = None;
        }
        newest.mark_unchanged();
        if holding.is_none() {
            sleep_until(next_full).await;
            next_full = Instant::now() + BETWEEN_FULLS;
        }
        if let Some((published, delta)) = catch_up(publisher, holding.as_ref()) {
            let revision = published.snapshot.revision();
            let incarnation = published.incarnation;
            match delta {
                Some((base, delta)) if !told || base != revision => {
                    send_delta(out, &published, base, delta).await?;
                }
                Some(_) => {}
                None => send_whole(out, &published).await?,
            }
            told = true;
            holding = Some(Holding { incarnation, revision, hash: None });
        }
        tokio::select! {
            // The publisher lives as long as the process does.
            _ = newest.changed() => {}
            _ = resyncs.changed() => {}
            () = shutdown.draining() => return drain(out).await,
        }
    }
}

type CatchUp = (std::sync::Arc<Published>, Option<(u64, Delta)>);

fn catch_up(publisher: &Publisher, holding: Option<&Holding>) -> Option<CatchUp> {
    let Some(it) = holding else { return publisher.newest().map(|it| (it, None)) };
    let (published, delta) = publisher.since(it.incarnation, it.revision, it.hash.as_deref())?;
    Some((published, delta.map(|delta| (it.revision, delta))))
}

async fn send_whole(out: &Out, published: &Published) -> Result<(), Status> {
    metrics::config_sent(true);
    let parts = items(published.snapshot.catalog()).map(Part::Upsert);
    send(out, Pieces::new(frame(published, None), parts)).await
}

async fn send_delta(
    out: &Out,
    published: &Published,
    base: u64,
    delta: Delta,
) -> Result<(), Status> {
    metrics::config_sent(false);
    let upserts = delta.upserts.into_iter().map(Part::Upsert);
    let parts = upserts.chain(delta.removed.into_iter().map(Part::Removed));
    send(out, Pieces::new(frame(published, Some(base)), parts)).await
}

async fn send(out: &Out, pieces: Pieces<impl Iterator<Item = Part>>) -> Result<(), Status> {
    for piece in pieces {
        say(out, Message::Config(piece)).await?;
    }
    Ok(())
}

fn frame(published: &Published, base_revision: Option<u64>) -> Frame {
    Frame {
        incarnation: published.incarnation,
        revision: published.snapshot.revision(),
        base_revision,
        hash: published.hash,
    }
}

async fn drain(out: &Out) -> Result<(), Status> {
    let within = u32::try_from(RECONNECT_WITHIN.as_millis()).unwrap_or(u32::MAX);
    say(out, Message::Drain(Drain { reconnect_within_ms: within })).await?;
    sleep(LINGER).await;
    Ok(())
}
