//! The way to the control plane that lends: what proxies say goes there, what it says comes
//! back. Knows gRPC. What is lost on a broken link was allowed to be lost.

use super::{Input, election::Rival};
use crate::fleet::Fleet;
use domain::{
    id::RequestId,
    limit::{Holder, message::Sync},
    secret::Secret,
};
use proto::{
    convert::{
        quota::{grants_from, holder_from, holder_to, sync_to},
        uuid_from,
    },
    sync::v1::{
        Explain, Explained, ForwardRequest, ForwardResponse, forward_request, forward_response,
        peer_service_client::PeerServiceClient,
    },
};
use runtime::{Process, backoff::Backoff};
use std::{path::Path, time::Duration};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use uuid::Uuid;

/// Messages on their way to the one that lends; beyond, they are dropped and said again.
const MOST_QUEUED: usize = 1_024;

/// Another control plane is near; what takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// A peer that does not answer a ping for so long is dead, half-open or frozen.
const PING_EVERY: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest pause between two tries: leases last a few seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Longest message: what one proxy says of all its leases.
const MOST_BYTES: usize = 16 << 20;

/// Why other control planes cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The address or the certificates do not work.
    #[error("cannot prepare the way to another control plane: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The certificates cannot be read.
    #[error("cannot read the certificates of other control planes: {0}")]
    Ca(#[from] std::io::Error),
    /// The token does not fit into a header.
    #[error("the node token has characters that a header cannot carry")]
    Token,
}

/// A client of another control plane.
pub(crate) type PeerClient = PeerServiceClient<InterceptedService<Channel, Shown>>;

/// Shows the node token with every call.
#[derive(Debug, Clone)]
pub(crate) struct Shown(MetadataValue<Ascii>);

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// How other control planes are reached.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    ca: Option<Certificate>,
    shown: Shown,
}

impl Peers {
    /// Trusts the certificates in the PEM file `ca`, or the public roots.
    ///
    /// # Errors
    /// When the file or the token cannot be used.
    pub(crate) fn new(ca: Option<&Path>, token: &Secret) -> Result<Self, LinkError> {
        let ca = ca.map(std::fs::read).transpose()?.map(Certificate::from_pem);
        let mut shown: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose()).parse().map_err(|_| LinkError::Token)?;
        shown.set_sensitive(true);
        Ok(Self { ca, shown: Shown(shown) })
    }

    /// A client of the control plane at `address`; connects when it is used.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub(crate) fn client(&self, address: &str) -> Result<PeerClient, LinkError> {
        let mut endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true);
        if address.starts_with("https://") {
            let tls = match &self.ca {
                Some(ca) => ClientTlsConfig::new().ca_certificate(ca.clone()),
                None => ClientTlsConfig::new().with_webpki_roots(),
            };
            endpoint = endpoint.tls_config(tls)?;
        }
        let service = InterceptedService::new(endpoint.connect_lazy(), self.shown.clone());
        Ok(PeerServiceClient::new(service).max_decoding_message_size(MOST_BYTES))
    }
}

/// The way to the one that lends. Dropped, it is closed.
pub(super) struct Link {
    out: mpsc::Sender<ForwardRequest>,
    carrying: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Link {
    /// Begins to keep a way open to `rival`.
    pub(super) fn open(
        peers: &Peers,
        rival: &Rival,
        fleet: &Fleet,
        inbox: mpsc::Sender<Input>,
        process: &Process,
    ) -> Result<Self, LinkError> {
        let client = peers.client(&rival.address)?;
        let (out, outgoing) = mpsc::channel(MOST_QUEUED);
        let carrier =
            Carrier { client, inbox, fleet: fleet.clone(), address: rival.address.clone() };
        let shutdown = process.shutdown.clone();
        let carrying = process.tasks.spawn("peer link", async move {
            tokio::select! {
                () = carrier.carry(outgoing) => {}
                () = shutdown.cut() => {}
            }
        });
        Ok(Self { out, carrying: carrying.abort_handle() })
    }

    /// Proxies are connected here.
    pub(super) fn attached(&self, holders: Vec<Holder>) {
        let holders = holders.into_iter().map(holder_to).collect();
        self.say(forward_request::Message::Attached(forward_request::Attached { holders }));
    }

    /// A proxy speaks.
    pub(super) fn heard(&self, holder: Holder, sync: &Sync) {
        let heard =
            forward_request::Heard { holder: Some(holder_to(holder)), sync: Some(sync_to(sync)) };
        self.say(forward_request::Message::Heard(heard));
    }

    /// One that leads nowhere, and what is said on it.
    #[cfg(test)]
    pub(super) fn of_a_test(process: &Process) -> (Self, mpsc::Receiver<ForwardRequest>) {
        let (out, said) = mpsc::channel(MOST_QUEUED);
        let carrying = process.tasks.spawn("link", std::future::pending::<()>()).abort_handle();
        (Self { out, carrying }, said)
    }

    fn say(&self, message: forward_request::Message) {
        // While the link is broken or slow this is lost, and said again.
        let _ = self.out.try_send(ForwardRequest { message: Some(message) });
    }
}

struct Carrier {
    client: PeerClient,
    inbox: mpsc::Sender<Input>,
    fleet: Fleet,
    address: String,
}

impl Carrier {
    /// Carries to and fro, again and again.
    async fn carry(mut self, mut outgoing: mpsc::Receiver<ForwardRequest>) {
        let mut backoff = Backoff::new(Duration::from_millis(50), LONGEST_PAUSE);
        let mut told = false;
        loop {
            let begun = Instant::now();
            let lost = self.carry_once(&mut outgoing).await;
            if LONGEST_PAUSE < begun.elapsed() {
                backoff = Backoff::new(Duration::from_millis(50), LONGEST_PAUSE);
                told = false;
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(
                    address = self.address,
                    why = lost.message(),
                    "the way to the control plane that lends is broken"
                );
            }
            sleep(backoff.next()).await;
        }
    }

    async fn carry_once(&mut self, outgoing: &mut mpsc::Receiver<ForwardRequest>) -> Status {
        // What was said while there was no way is old.
        while outgoing.try_recv().is_ok() {}
        let (out, sent) = mpsc::channel(MOST_QUEUED);
        let opened = timeout(OPEN_TIMEOUT, self.client.forward(ReceiverStream::new(sent))).await;
        let mut incoming = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return status,
            Err(_) => return Status::deadline_exceeded("it did not answer in time"),
        };
        tracing::info!(address = self.address, "forward to the control plane that lends");
        let _ = self.inbox.try_send(Input::Linked);
        let mut questions = JoinSet::new();
        loop {
            tokio::select! {
                next = outgoing.recv() => {
                    // Only a dropped link ends this, and then we are aborted.
                    let Some(next) = next else { return Status::ok("") };
                    if out.send(next).await.is_err() {
                        return last_word(&mut incoming).await;
                    }
                }
                heard = incoming.message() => match heard {
                    Ok(Some(heard)) => self.hear(heard, &out, &mut questions).await,
                    Ok(None) => return Status::unavailable("it ended the stream"),
                    Err(status) => return status,
                },
                Some(_) = questions.join_next() => {}
            }
        }
    }

    async fn hear(
        &self,
        heard: ForwardResponse,
        out: &mpsc::Sender<ForwardRequest>,
        questions: &mut JoinSet<()>,
    ) {
        match heard.message {
            Some(forward_response::Message::Grants(it)) => {
                let holder = it.holder.as_ref().map(holder_from);
                let (Some(Ok(holder)), Some(Ok(grants))) = (holder, it.grants.map(grants_from))
                else {
                    tracing::warn!(address = self.address, "what it says makes no sense");
                    return;
                };
                // Waits a moment when much is going on; nothing else comes this way.
                let _ = self.inbox.send(Input::Answered(holder, grants)).await;
            }
            Some(forward_response::Message::Explain(asked)) => {
                let (fleet, out) = (self.fleet.clone(), out.clone());
                questions.spawn(async move { explain(&fleet, asked, &out).await });
            }
            // Said by a newer one.
            None => {}
        }
    }
}

/// Asks our own proxies what another control plane wants to know.
async fn explain(fleet: &Fleet, asked: Explain, out: &mpsc::Sender<ForwardRequest>) {
    let record = match uuid_from("request_id", &asked.request_id) {
        Ok(id) => fleet.explain_here(RequestId::from_uuid(Uuid::from_bytes(id))).await.record,
        Err(_) => None,
    };
    let explained = Explained { question: asked.question, record };
    let message = forward_request::Message::Explained(explained);
    let _ = out.send(ForwardRequest { message: Some(message) }).await;
}

/// Why a stream was broken off.
async fn last_word(incoming: &mut Streaming<ForwardResponse>) -> Status {
    let word = timeout(CONNECT_TIMEOUT, async {
        loop {
            match incoming.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::unavailable("it ended the stream"),
                Err(status) => return status,
            }
        }
    });
    word.await.unwrap_or_else(|_| Status::unavailable("it takes nothing any more"))
}
