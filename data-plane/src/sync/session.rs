//! One session with a control plane, from Register to its end: configuration comes in
//! and is acknowledged, usage goes out and is forgotten, heartbeats go out.
//!
//! One task does all of it, so that nothing here is shared or locked.

use super::{
    Side,
    config_stream::{Collector, Held, Update, Verdict, apply},
    heartbeat,
    link::{Link, Lost},
    random_part,
    usage::{Shipper, When},
};
use domain::{id::RequestId, snapshot::Snapshot};
use proto::{
    admin::v1::ExplainRequestResponse,
    sync::v1::{
        ConfigAck, ConfigResync, ConfigUpdate, Drain, Explain, Explained, Heartbeat, Register,
        SessionRequest, SessionResponse, UsageAck, Welcome, session_request::Message as Say,
        session_response::Message as Hear,
    },
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use uuid::Uuid;

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;
/// Messages handed to the connection and not yet sent.
const OUTGOING: usize = 16;
/// Answers that wait; beyond, nothing more is read.
const ANSWERS: usize = 64;
/// Longest wait for the first message.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the reason of a broken stream.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The control plane asked us to come back at this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComeBackAt(pub(super) Instant);

/// Speaks with a control plane until it asks us to come back, or is lost. `welcomed` is
/// called once it has taken us in.
pub(super) async fn run(
    side: &mut Side,
    link: &Link,
    welcomed: impl FnOnce(),
) -> Result<ComeBackAt, Lost> {
    let (out, outgoing) = mpsc::channel(OUTGOING);
    // The receiver is here and the buffer is empty: it is taken.
    let _ = out.try_send(request(Say::Register(register(side))));
    let mut incoming = link.open(ReceiverStream::new(outgoing)).await?;
    let first = timeout(WELCOME_TIMEOUT, incoming.message()).await.map_err(|_| Lost::Silent)??;
    let Some(SessionResponse { message: Some(Hear::Welcome(welcome)) }) = first else {
        return Err(
            first.map_or(Lost::Ended, |_| Lost::Protocol("it did not begin with a Welcome"))
        );
    };
    welcomed();
    side.freshness.heard();
    side.quota.begin();
    tracing::info!("connected to the control plane");
    Session::new(side, &welcome).talk(incoming, out, &welcome).await
}

fn register(side: &Side) -> Register {
    let held = side.held.as_ref();
    Register {
        proxy_id: side.proxy.uuid().as_bytes().to_vec(),
        boot_id: side.boot.as_bytes().to_vec(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        incarnation: held.map(|it| it.incarnation.as_bytes().to_vec()).unwrap_or_default(),
        revision: held.map_or(0, Held::revision),
        snapshot_hash: held.map(|it| it.hash.value().to_vec()).unwrap_or_default(),
        address: side.address.clone(),
    }
}

fn request(message: Say) -> SessionRequest {
    SessionRequest { message: Some(message) }
}

struct Session<'a> {
    side: &'a mut Side,
    answers: VecDeque<Say>,
    /// Kept apart: only the newest matters.
    heartbeat: Option<Heartbeat>,
    shipper: Shipper,
    collector: Collector,
    /// The whole catalog was asked for and has not been applied since.
    resyncing: bool,
    come_back_at: Option<Instant>,
}

impl<'a> Session<'a> {
    fn new(side: &'a mut Side, welcome: &Welcome) -> Self {
        let shipper = Shipper::new(side.usage.clone(), welcome.usage_window);
        Self {
            side,
            answers: VecDeque::new(),
            heartbeat: None,
            shipper,
            collector: Collector::default(),
            resyncing: false,
            come_back_at: None,
        }
    }

    async fn talk(
        mut self,
        mut incoming: Streaming<SessionResponse>,
        out: mpsc::Sender<SessionRequest>,
        welcome: &Welcome,
    ) -> Result<ComeBackAt, Lost> {
        let mut beats = interval(heartbeat::every(welcome.heartbeat_ms));
        let meter = self.side.quota.meter().clone();
        loop {
            let now = Instant::now();
            let when = self.shipper.when(now);
            let quota_at = self.side.quota.due_at();
            let to_send = when == When::Now
                || quota_at <= now
                || !self.answers.is_empty()
                || self.heartbeat.is_some();
            let ship_at = if let When::At(at) = when { Some(at) } else { None };
            tokio::select! {
                biased;
                heard = incoming.message(), if self.answers.len() < ANSWERS => match heard? {
                    Some(message) => self.hear(message).await?,
                    None => return self.come_back_at.map(ComeBackAt).ok_or(Lost::Ended),
                },
                () = reached(self.come_back_at) => return Ok(ComeBackAt(Instant::now())),
                _ = beats.tick() => self.beat(),
                permit = out.reserve(), if to_send => {
                    let Ok(permit) = permit else { return self.last_word(incoming).await };
                    // Requests wait for this one; they wait for nothing else.
                    let message = self.side.quota.next().map(Say::Quota)
                        .or_else(|| self.answers.pop_front())
                        .or_else(|| self.heartbeat.take().map(Say::Heartbeat))
                        .or_else(|| self.shipper.batch().map(Say::Usage));
                    if let Some(message) = message {
                        permit.send(request(message));
                    }
                }
                () = meter.asked() => self.side.quota.on_asked(),
                () = sleep_until(quota_at), if !to_send => {}
                () = reached(ship_at) => {}
                () = self.shipper.arrival(), if when == When::OnArrival => {}
            }
        }
    }

    /// Our side of the stream is closed; theirs says why.
    async fn last_word(
        &self,
        mut incoming: Streaming<SessionResponse>,
    ) -> Result<ComeBackAt, Lost> {
        let reason = async {
            // What comes before the reason came too late.
            while incoming.message().await?.is_some() {}
            Ok::<_, tonic::Status>(())
        };
        if let Ok(Err(status)) = timeout(LAST_WORD, reason).await {
            return Err(status.into());
        }
        self.come_back_at.map(ComeBackAt).ok_or(Lost::Ended)
    }

    async fn hear(&mut self, message: SessionResponse) -> Result<(), Lost> {
        match message.message {
            Some(Hear::Config(piece)) => self.on_piece(piece).await,
            Some(Hear::Quota(grants)) => self.side.quota.hear(grants),
            Some(Hear::UsageAck(ack)) => self.on_usage_ack(&ack),
            Some(Hear::Drain(drain)) => self.on_drain(drain),
            Some(Hear::Explain(question)) => self.on_explain(&question),
            Some(Hear::Welcome(_)) => return Err(Lost::Protocol("it said Welcome twice")),
            None => tracing::debug!("a message of a kind that this version does not know"),
        }
        Ok(())
    }

    /// Tells how a recent request was decided, as far as it is known here.
    fn on_explain(&mut self, question: &Explain) {
        let id = Uuid::from_slice(&question.request_id).ok().map(RequestId::from_uuid);
        let record = id.and_then(|it| self.side.explainer.find(it)).map(|it| {
            let (proxy, address) = (self.side.proxy.to_string(), self.side.address.clone());
            ExplainRequestResponse { proxy, address, ..it }
        });
        let explained = Explained { question: question.question, record };
        self.answers.push_back(Say::Explained(explained));
    }

    async fn on_piece(&mut self, piece: ConfigUpdate) {
        match self.collector.push(piece) {
            Ok(None) => {}
            Ok(Some(update)) => self.on_update(update).await,
            Err(why) => self.resync(why),
        }
    }

    async fn on_update(&mut self, update: Update) {
        let (revision, full) = (update.revision, update.base.is_none());
        let held = self.side.held.take();
        let before = held.as_ref().map(|it| it.snapshot.clone());
        let started = Instant::now();
        // A whole catalog takes long to compile: not on the threads that must answer pings.
        let applied = spawn_blocking(move || apply(held, update)).await;
        let verdict = match applied {
            Ok((held, verdict)) => {
                self.side.held = held;
                verdict
            }
            Err(error) => {
                tracing::error!(revision, %error, "applying a revision broke off");
                Verdict::Rejected(vec!["applying it broke off within the proxy".to_owned()])
            }
        };
        match verdict {
            Verdict::Applied => {
                let took_ms = millis(started.elapsed());
                tracing::info!(revision, full, took_ms, "revision applied");
                self.on_applied(before.as_ref());
                self.acknowledge(revision, Vec::new());
            }
            // Asking once more would bring the same again.
            Verdict::Resync(why) if full && self.resyncing => self.reject(revision, vec![why]),
            Verdict::Resync(why) => self.resync(why),
            Verdict::Rejected(defects) => self.reject(revision, defects),
        }
    }

    fn on_applied(&mut self, before: Option<&Arc<Snapshot>>) {
        self.resyncing = false;
        let Some(held) = &self.side.held else { return };
        // Who comes back to where nothing happened is told so by an empty change.
        if before.is_none_or(|it| !Arc::ptr_eq(it, &held.snapshot)) {
            self.side.freshness.hold(held.snapshot.clone());
            self.side.quota.meter().on_snapshot(&held.snapshot);
            self.side.cache.put(held.incarnation, held.snapshot.clone());
        }
    }

    fn reject(&mut self, revision: u64, defects: Vec<String>) {
        let runs = self.revision();
        tracing::error!(
            revision,
            runs,
            ?defects,
            "a revision is rejected, the last good one stays"
        );
        self.acknowledge(revision, defects);
    }

    fn acknowledge(&mut self, revision: u64, defects: Vec<String>) {
        let applied_revision = self.revision();
        self.answers.push_back(Say::ConfigAck(ConfigAck { revision, defects, applied_revision }));
    }

    fn resync(&mut self, reason: String) {
        tracing::warn!(reason, "asking for the whole catalog");
        self.resyncing = true;
        self.answers.push_back(Say::ConfigResync(ConfigResync { reason }));
    }

    fn on_usage_ack(&mut self, ack: &UsageAck) {
        self.shipper.on_ack(ack, Instant::now());
    }

    fn on_drain(&mut self, drain: Drain) {
        let within = Duration::from_millis(u64::from(drain.reconnect_within_ms));
        let wait = random_part(within);
        tracing::info!(wait_ms = millis(wait), "the control plane is about to stop");
        self.come_back_at = Some(Instant::now() + wait);
    }

    fn beat(&mut self) {
        let load = (self.side.load)();
        self.heartbeat = Some(heartbeat::beat(load, &self.side.usage, self.revision()));
    }

    fn revision(&self) -> u64 {
        self.side.held.as_ref().map_or(0, Held::revision)
    }
}

/// Waits for a time; without one, for ever.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
