//! What a proxy says: what it runs, how it is doing, what it needs and what was used.

use super::{Out, USAGE_WINDOW, Up, say, shortened};
use crate::{
    fleet::{Load, Seat},
    grpc::status,
    ledger::{Ledger, LedgerError},
    metrics,
    store::{Batch, Durable},
};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesOrdered};
use proto::{
    convert::{Invalid, quota::sync_from, usage::record_from, uuid_from},
    sync::v1::{
        ConfigAck, SessionRequest, UsageAck, UsageBatch, session_request::Message, session_response,
    },
};
use std::time::Duration;
use tokio::{sync::watch, time::timeout};
use tonic::{Status, Streaming};
use uuid::Uuid;

/// Most reasons that are kept of a rejection.
const MOST_DEFECTS: usize = 50;

/// How long acknowledgements are waited for once the proxy has said its last word.
const PATIENCE: Duration = Duration::from_secs(5);

/// A proxy that goes beyond its window by this factor does not keep to the protocol.
const TOLERANCE: usize = 2;

/// Batches on their way into the database, in the order in which they came.
#[derive(Default)]
struct OnTheWay {
    batches: FuturesOrdered<BoxFuture<'static, Settled>>,
    records: usize,
}

/// How many records a batch had, and what became of it.
type Settled = (usize, Result<Durable, LedgerError>);

/// Listens until the proxy has said its last word.
pub(super) async fn listen(
    up: &Up,
    mut inbound: Streaming<SessionRequest>,
    out: &Out,
    resync: &watch::Sender<u64>,
) -> Result<(), Status> {
    let mut on_the_way = OnTheWay::default();
    loop {
        tokio::select! {
            said = inbound.message() => {
                let Some(said) = said? else { break };
                hear(up, said, &mut on_the_way, resync).await?;
            }
            Some(settled) = on_the_way.batches.next() => {
                on_the_way.acknowledge(out, settled).await?;
            }
        }
    }
    let rest = async {
        while let Some(settled) = on_the_way.batches.next().await {
            on_the_way.acknowledge(out, settled).await?;
        }
        Ok(())
    };
    timeout(PATIENCE, rest).await.unwrap_or(Ok(()))
}

async fn hear(
    Up { seat, borrower, ledger }: &Up,
    said: SessionRequest,
    on_the_way: &mut OnTheWay,
    resync: &watch::Sender<u64>,
) -> Result<(), Status> {
    match said.message {
        Some(Message::ConfigAck(ack)) => note_ack(seat, ack),
        Some(Message::ConfigResync(asked)) => {
            let why = shortened(asked.reason);
            tracing::info!(proxy = %seat.id(), why, "a proxy wants the whole catalog");
            resync.send_modify(|it| *it = it.wrapping_add(1));
        }
        Some(Message::Heartbeat(it)) => {
            let load = Load {
                requests_in_flight: it.requests_in_flight,
                requests_total: it.requests_total,
                usage_pending: it.usage_pending,
            };
            seat.heartbeat(it.applied_revision, load);
        }
        Some(Message::Usage(batch)) => {
            let batch = read_batch(seat, batch).map_err(|wrong| status::bad_message(&wrong))?;
            on_the_way.submit(ledger, batch).await?;
        }
        Some(Message::Quota(sync)) => {
            borrower.hear(sync_from(sync).map_err(|wrong| status::bad_message(&wrong))?);
        }
        Some(Message::Explained(it)) => seat.explained(it.question, it.record),
        Some(Message::Register(_)) => {
            return Err(status::bad_session("REGISTERED_TWICE", "a session registers once"));
        }
        // Said by a newer proxy, which does well without an answer.
        None => {}
    }
    Ok(())
}

fn note_ack(seat: &Seat, ack: ConfigAck) {
    let defects: Vec<_> = ack.defects.into_iter().take(MOST_DEFECTS).map(shortened).collect();
    if !defects.is_empty() {
        metrics::config_rejected();
        tracing::error!(
            proxy = %seat.id(),
            revision = ack.revision,
            applied_revision = ack.applied_revision,
            ?defects,
            "a proxy rejects a revision"
        );
    }
    seat.applied(ack.applied_revision, defects);
}

fn read_batch(seat: &Seat, batch: UsageBatch) -> Result<Batch, Invalid> {
    let wal_id = Uuid::from_bytes(uuid_from("usage.wal_id", &batch.wal_id)?);
    let mut records = Vec::with_capacity(batch.records.len());
    for (at, record) in batch.records.into_iter().enumerate() {
        let record = record_from(record).map_err(|wrong| {
            tracing::error!(proxy = %seat.id(), at, %wrong, "a usage record cannot be read");
            Invalid::new(format!("usage.records[{at}].{}", wrong.field), wrong.reason)
        })?;
        records.push(record);
    }
    Ok(Batch { proxy: seat.id(), wal_id, first_seq: batch.first_seq, records })
}

impl OnTheWay {
    async fn submit(&mut self, ledger: &Ledger, batch: Batch) -> Result<(), Status> {
        let count = batch.records.len();
        let window = usize::try_from(USAGE_WINDOW).unwrap_or(usize::MAX);
        if window.saturating_mul(TOLERANCE) < self.records.saturating_add(count) {
            let message = format!("more than {USAGE_WINDOW} usage records are unacknowledged");
            return Err(status::too_much(&message));
        }
        self.records = self.records.saturating_add(count);
        let answer = ledger.submit(batch).await;
        self.batches.push_back(Box::pin(async move {
            (count, answer.await.unwrap_or(Err(LedgerError::Stopping)))
        }));
        Ok(())
    }

    async fn acknowledge(&mut self, out: &Out, (count, settled): Settled) -> Result<(), Status> {
        self.records = self.records.saturating_sub(count);
        let durable = settled.map_err(|error| match error {
            LedgerError::Refused => status::usage_refused(),
            LedgerError::Stopping => status::stopping(),
        })?;
        let ack = UsageAck { wal_id: durable.wal_id.as_bytes().to_vec(), durable_seq: durable.seq };
        say(out, session_response::Message::UsageAck(ack)).await
    }
}
