//! One connection to the control plane: where it goes, how it is secured, how soon a
//! dead peer is noticed. Knows nothing of what is said on it.

use domain::secret::Secret;
use proto::sync::v1::{SessionRequest, SessionResponse, sync_service_client::SyncServiceClient};
use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Until the stream is open, connected or not.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that does not answer a ping for [`PING_TIMEOUT`] is dead, half-open or frozen.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// A piece of a snapshot may be large; tonic's own bound is 4 MiB.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// A whole catalog is on the way at once: 64 KiB windows would make it crawl.
const WINDOW_BYTES: u32 = 4 << 20;

/// Why there can be no link at all.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The URL or the certificates do not work.
    #[error("cannot prepare the link to the control plane: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The certificates cannot be read.
    #[error("cannot read the control plane's certificates: {0}")]
    Ca(#[from] std::io::Error),
    /// The token does not fit into a header.
    #[error("the node token has characters that a header cannot carry")]
    Token,
}

/// Why a link could not be opened, or broke.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("cannot connect: {}", with_causes(.0))]
    Connect(#[from] tonic::transport::Error),
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    #[error("it did not answer within {OPEN_TIMEOUT:?}")]
    Silent,
    #[error("no URL of a control plane is set")]
    Nowhere,
    #[error("it ended the session")]
    Ended,
    #[error("it broke the protocol: {0}")]
    Protocol(&'static str),
}

impl From<Status> for Lost {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}

/// Where and how to reach the control plane.
pub struct Link {
    /// Its replicas.
    endpoints: Vec<Endpoint>,
    /// Counts which of them it is the turn of.
    turn: AtomicUsize,
    authorization: MetadataValue<Ascii>,
}

impl Link {
    /// A link to one of `urls` at a time, the first of them first, trusting the certificates
    /// in the PEM file `ca` or the public roots.
    ///
    /// # Errors
    /// When a URL, the file or the token cannot be used.
    pub fn new(
        urls: &[impl AsRef<str>],
        ca: Option<&Path>,
        token: &Secret,
    ) -> Result<Self, LinkError> {
        let endpoints =
            urls.iter().map(|it| endpoint(it.as_ref(), ca)).collect::<Result<Vec<_>, _>>()?;
        let mut authorization: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose()).parse().map_err(|_| LinkError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self { endpoints, turn: AtomicUsize::new(0), authorization })
    }

    /// The next replica is to be tried.
    pub(super) fn turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens the stream; what is sent into `outgoing` before is on it at once.
    pub(super) async fn open(
        &self,
        outgoing: ReceiverStream<SessionRequest>,
    ) -> Result<Streaming<SessionResponse>, Lost> {
        let mut replicas = self.endpoints.iter().cycle();
        let turn = self.turn.load(Ordering::Relaxed) % self.endpoints.len().max(1);
        let endpoint = replicas.nth(turn).ok_or(Lost::Nowhere)?;
        let open = async {
            let channel = endpoint.connect().await?;
            let mut client =
                SyncServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
            let mut request = Request::new(outgoing);
            request.metadata_mut().insert("authorization", self.authorization.clone());
            Ok(client.session(request).await?.into_inner())
        };
        timeout(OPEN_TIMEOUT, open).await.unwrap_or(Err(Lost::Silent))
    }
}

fn endpoint(url: &str, ca: Option<&Path>) -> Result<Endpoint, LinkError> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    let tls = match ca {
        Some(path) => {
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(path)?))
        }
        None => ClientTlsConfig::new().with_webpki_roots(),
    };
    Ok(endpoint.tls_config(tls)?)
}
