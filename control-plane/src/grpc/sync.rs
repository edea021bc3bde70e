//! One stream for each proxy: the catalog and what it is lent down, what it runs, what it
//! needs and what it used up.
//!
//! Knows the protocol. All of it goes on side by side, so that a large catalog on its way
//! down does not hold up usage on its way up.

mod config;
mod pieces;
mod quota;
mod report;

use super::{Answer, status};
use crate::{
    fleet::{Fleet, Question, Seat},
    ledger::Ledger,
    lender::Lender,
    publisher::Publisher,
};
use config::Holding;
use domain::{
    id::ProxyId,
    limit::{Holder, message::Grants},
};
use proto::{
    convert::{Invalid, uuid_from},
    sync::v1::{
        Register, SessionRequest, SessionResponse, Welcome, session_request, session_response,
        sync_service_server::SyncService,
    },
};
use quota::Borrower;
use runtime::Process;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// The version of the protocol.
const PROTOCOL: u32 = 1;

/// Longest wait for a proxy's first message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages on their way down, of at most about 512 KiB each.
const MOST_QUEUED: usize = 4;

/// Most usage records of one proxy on the way unacknowledged.
const USAGE_WINDOW: u32 = 10_000;

const HEARTBEAT_MS: u32 = 2_000;

/// What a session says to its proxy.
type Out = mpsc::Sender<Result<SessionResponse, Status>>;

/// What sessions have at hand. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SyncDesk {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) fleet: Fleet,
    pub(crate) ledger: Ledger,
    pub(crate) lender: Lender,
    pub(crate) process: Process,
}

#[tonic::async_trait]
impl SyncService for SyncDesk {
    type SessionStream = ReceiverStream<Result<SessionResponse, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Answer<Self::SessionStream> {
        if self.process.shutdown.is_draining() {
            return Err(status::stopping());
        }
        let (out, answers) = mpsc::channel(MOST_QUEUED);
        let desk = self.clone();
        let inbound = request.into_inner();
        self.process.tasks.spawn("sync session", async move {
            if let Err(status) = desk.serve(inbound, &out).await {
                tracing::info!(code = ?status.code(), why = status.message(), "end a session");
                // Who does not listen any more needs no reason.
                let _ = out.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

impl SyncDesk {
    async fn serve(&self, mut inbound: Streaming<SessionRequest>, out: &Out) -> Result<(), Status> {
        let register = first(&mut inbound).await?;
        let (holder, holding) = check(&register)?;
        let proxy = holder.proxy;
        if let Some(it) = &holding {
            let heeded = self.publisher.heed(it.incarnation, it.revision).await;
            heeded.map_err(|error| status::of_store(&error))?;
        }
        let newest = self.publisher.newest().ok_or_else(status::unavailable)?;
        let address = shortened(register.address);
        tracing::info!(%proxy, address, revision = register.revision, "a proxy connects");
        let (seat, questions) =
            self.fleet.join(proxy, address.clone(), shortened(register.version));
        if holding.as_ref().is_some_and(|it| it.incarnation == newest.incarnation) {
            seat.applied(register.revision, Vec::new());
        }
        let welcome = Welcome {
            incarnation: newest.incarnation.as_bytes().to_vec(),
            server_unix_ms: u64::try_from(runtime::clock::unix_ms()).unwrap_or(0),
            usage_window: USAGE_WINDOW,
            heartbeat_ms: HEARTBEAT_MS,
        };
        drop(newest);
        say(out, session_response::Message::Welcome(welcome)).await?;
        let (borrower, grants) = Borrower::attach(&self.lender, holder);
        let up = Up { seat, borrower, ledger: self.ledger.clone() };
        let down = Down { holding, grants, questions };
        let ended = self.side_by_side(up, inbound, down, out).await;
        tracing::info!(%proxy, address, "a proxy is gone");
        ended
    }

    async fn side_by_side(
        &self,
        up: Up,
        inbound: Streaming<SessionRequest>,
        down: Down,
        out: &Out,
    ) -> Result<(), Status> {
        let (resync, resyncs) = watch::channel(0);
        let Down { holding, grants, questions } = down;
        let heard = report::listen(&up, inbound, out, &resync);
        let told = config::tell(&self.publisher, &self.process.shutdown, out, holding, resyncs);
        let lent = quota::tell(grants, questions, out);
        tokio::select! {
            ended = heard => ended,
            ended = told => ended,
            ended = lent => ended,
            () = out.closed() => Ok(()),
            () = self.process.shutdown.cut() => Err(status::stopping()),
        }
    }
}

/// Where what a proxy says goes.
struct Up {
    seat: Seat,
    borrower: Borrower,
    ledger: Ledger,
}

/// What a proxy is to be told, apart from the catalog.
struct Down {
    holding: Option<Holding>,
    grants: mpsc::Receiver<(Holder, Grants)>,
    questions: mpsc::Receiver<Question>,
}

async fn first(inbound: &mut Streaming<SessionRequest>) -> Result<Register, Status> {
    let unregistered =
        || status::bad_session("NOT_REGISTERED", "the first message must be a Register");
    let first = timeout(PATIENCE, inbound.message()).await.map_err(|_| unregistered())??;
    match first.and_then(|it| it.message) {
        Some(session_request::Message::Register(register)) => Ok(register),
        Some(_) | None => Err(unregistered()),
    }
}

/// Whether a proxy can be spoken with, who it is, and what it holds.
fn check(register: &Register) -> Result<(Holder, Option<Holding>), Status> {
    if register.protocol != PROTOCOL {
        let message = format!(
            "the proxy speaks version {} of the protocol, this control plane version {PROTOCOL}: run the same version of both",
            register.protocol
        );
        return Err(status::bad_session("UNKNOWN_PROTOCOL", &message));
    }
    let bad = |wrong: Invalid| status::bad_message(&wrong);
    let proxy = uuid_from("register.proxy_id", &register.proxy_id).map_err(bad)?;
    let boot = uuid_from("register.boot_id", &register.boot_id).map_err(bad)?;
    let holding = if register.incarnation.is_empty() {
        None
    } else {
        let incarnation = uuid_from("register.incarnation", &register.incarnation).map_err(bad)?;
        Some(Holding {
            incarnation: Uuid::from_bytes(incarnation),
            revision: register.revision,
            hash: Some(register.snapshot_hash.clone()),
        })
    };
    let proxy = ProxyId::from_uuid(Uuid::from_bytes(proxy));
    Ok((Holder { proxy, boot: Uuid::from_bytes(boot) }, holding))
}

/// Sends a message, waiting while the proxy is slow.
///
/// # Errors
/// When the proxy is gone.
async fn say(out: &Out, message: session_response::Message) -> Result<(), Status> {
    let message = SessionResponse { message: Some(message) };
    out.send(Ok(message)).await.map_err(|_| status::gone())
}

/// Texts of a proxy's are kept, so not at any length.
fn shortened(text: String) -> String {
    const MOST: usize = 200;
    if text.len() <= MOST { text } else { text.chars().take(MOST).collect() }
}
