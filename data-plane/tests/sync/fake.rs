//! A control plane whose every word is the test's, and what a test's catalog is made of.

use domain::{
    catalog::{
        Account, Action, AuthStyle, Catalog, ClientSettings, Dialect, Edit, Endpoint, Limit,
        Measure, Mode, Model, ModelId, Operation, Period, Provider, Quirks, Rule, Subject,
        VirtualKey,
    },
    id::{AccountId, KeyId, LimitId, RequestId},
    key::{Fingerprint, KeyKind, Pepper, mint},
    secret::Secret,
    time::Timestamp,
    tokens::Tokens,
    usage::{Outcome, UsageRecord},
};
use proto::{
    convert::snapshot::{CatalogHash, Wire, items, wire_of},
    sync::v1::{
        ConfigAck, ConfigItem, ConfigUpdate, Register, SessionRequest, SessionResponse, UsageAck,
        UsageBatch, Welcome,
        session_request::Message as Said,
        session_response::Message as Say,
        sync_service_server::{SyncService, SyncServiceServer},
    },
};
use std::{
    collections::HashMap, net::SocketAddr, num::NonZeroU64, pin::Pin, sync::Arc, time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// Longest wait for anything: only a broken test waits that long.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const DATABASE: Uuid = Uuid::from_u128(0xdb);

pub(super) fn token(seed: u8) -> Secret {
    mint(KeyKind::Proxy, &[seed; 32])
}

/// The server; dropped, it breaks every connection off.
pub(super) struct Control {
    address: SocketAddr,
    peers: mpsc::Receiver<Peer>,
    serving: JoinHandle<()>,
}

impl Control {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, peers) = mpsc::channel(16);
        let server = tonic::transport::Server::builder()
            .add_service(SyncServiceServer::new(Sessions(arrived)))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let tasks = runtime::Process::alone().tasks;
        let serving = tasks.spawn("fake control plane", async { server.await.unwrap() });
        Self { address, peers, serving }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next proxy that connects, before it was answered.
    pub(super) async fn peer(&mut self) -> Peer {
        timeout(PATIENCE, self.peers.recv()).await.unwrap().unwrap()
    }

    /// The next proxy that connects, welcomed.
    pub(super) async fn welcomed(&mut self) -> (Peer, Register) {
        let mut peer = self.peer().await;
        let Said::Register(register) = peer.hear().await.unwrap() else { panic!("no Register") };
        peer.say(Say::Welcome(Welcome {
            incarnation: DATABASE.as_bytes().to_vec(),
            server_unix_ms: 0,
            usage_window: 2_000,
            heartbeat_ms: 1_000,
        }))
        .await;
        (peer, register)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Sessions(mpsc::Sender<Peer>);

#[tonic::async_trait]
impl SyncService for Sessions {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let shown = request.metadata().get("authorization").and_then(|it| it.to_str().ok());
        let shown = shown.unwrap_or_default().to_owned();
        let (out, answers) = mpsc::channel(64);
        let peer = Peer { shown, heard: request.into_inner(), out };
        self.0.send(peer).await.map_err(|_| Status::unavailable("over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

/// One session, seen from the control plane; dropped, it ends.
pub(super) struct Peer {
    pub(super) shown: String,
    heard: Streaming<SessionRequest>,
    out: mpsc::Sender<Result<SessionResponse, Status>>,
}

impl Peer {
    pub(super) async fn say(&self, message: Say) {
        self.out.send(Ok(SessionResponse { message: Some(message) })).await.unwrap();
    }

    /// What the proxy says next; `None`: it left.
    pub(super) async fn hear(&mut self) -> Option<Said> {
        let heard = timeout(PATIENCE, self.heard.message()).await.unwrap();
        heard.ok().flatten().map(|it| it.message.unwrap())
    }

    pub(super) async fn publish(&self, update: ConfigUpdate) {
        self.say(Say::Config(update)).await;
    }

    /// The next message that is an answer to configuration.
    pub(super) async fn verdict(&mut self) -> Said {
        loop {
            let said = self.hear().await.unwrap();
            if matches!(said, Said::ConfigAck(_) | Said::ConfigResync(_)) {
                return said;
            }
        }
    }

    pub(super) async fn ack(&mut self) -> ConfigAck {
        let verdict = self.verdict().await;
        let Said::ConfigAck(ack) = verdict else { panic!("no ConfigAck: {verdict:?}") };
        ack
    }

    pub(super) async fn applied(&mut self, revision: u64) {
        let applied = ConfigAck { revision, defects: Vec::new(), applied_revision: revision };
        assert_eq!(self.ack().await, applied);
    }

    /// The next batch of usage; `None`: the proxy left.
    pub(super) async fn usage(&mut self) -> Option<UsageBatch> {
        loop {
            let said = self.hear().await?;
            if let Said::Usage(batch) = said {
                return Some(batch);
            }
            assert!(matches!(said, Said::Heartbeat(_) | Said::Quota(_)), "{said:?}");
        }
    }

    pub(super) async fn acknowledge(&self, batch: &UsageBatch, durable_seq: u64) {
        let wal_id = batch.wal_id.clone();
        self.say(Say::UsageAck(UsageAck { wal_id, durable_seq })).await;
    }
}

/// Usage as a database keeps it: in order, each number once.
#[derive(Default)]
pub(super) struct Book {
    cursors: HashMap<Vec<u8>, u64>,
    pub(super) requests: Vec<Vec<u8>>,
}

impl Book {
    /// Enters what follows what is there; gives the last number that is there.
    pub(super) fn enter(&mut self, batch: &UsageBatch) -> u64 {
        let cursor = self.cursors.entry(batch.wal_id.clone()).or_default();
        if batch.first_seq <= *cursor + 1 {
            let known = (*cursor + 1 - batch.first_seq) as usize;
            for record in batch.records.iter().skip(known) {
                self.requests.push(record.request_id.clone());
                *cursor += 1;
            }
        }
        *cursor
    }
}

pub(super) fn account(number: u128) -> Edit {
    Edit::PutAccount(Arc::new(Account {
        id: AccountId::from_uuid(Uuid::from_u128(number)),
        name: format!("account-{number}").parse().unwrap(),
        provider: "acme".parse().unwrap(),
        credential: Some(Secret::new("sk-1".into())),
        base_urls: vec![],
        enabled: true,
        client: ClientSettings::default(),
    }))
}

pub(super) fn key(number: u128, pepper_version: u32) -> Edit {
    let mut fingerprint = [0; 32];
    fingerprint[..16].copy_from_slice(&number.to_le_bytes());
    key_of(number, Fingerprint::from_bytes(fingerprint), pepper_version)
}

/// A key that a test can show.
pub(super) fn key_with(fingerprint: Fingerprint) -> Edit {
    key_of(9, fingerprint, 1)
}

/// Of the provider, and known to it.
pub(super) fn model() -> Edit {
    let id = ModelId { provider: "acme".parse().unwrap(), name: "big-1".parse().unwrap() };
    let operations = vec![Operation::Chat];
    Edit::PutModel(Arc::new(Model {
        id,
        operations,
        built_in: false,
        price: None,
        max_output_tokens: None,
        context_tokens: None,
    }))
}

fn key_of(number: u128, fingerprint: Fingerprint, pepper_version: u32) -> Edit {
    Edit::PutKey(Arc::new(VirtualKey {
        id: KeyId::from_uuid(Uuid::from_u128(number)),
        name: format!("key-{number}").parse().unwrap(),
        team: None,
        fingerprint,
        pepper_version,
        hint: "abcd".into(),
        enabled: true,
        expires_at: None,
        allowed_models: vec![],
    }))
}

pub(super) fn record(number: u128) -> UsageRecord {
    UsageRecord {
        request: RequestId::from_uuid(Uuid::from_u128(number)),
        started_at: Timestamp::from_unix_ms(1),
        duration_ms: 1,
        ttft_ms: None,
        key: KeyId::from_uuid(Uuid::from_u128(1)),
        team: None,
        alias: "gpt".into(),
        model: "gpt".into(),
        account: AccountId::from_uuid(Uuid::from_u128(1)),
        provider: "acme".parse().unwrap(),
        dialect: Dialect::OpenAi,
        operation: Operation::Chat,
        streamed: false,
        status: 200,
        outcome: Outcome::Complete,
        tokens: Tokens::default(),
        estimated: false,
        attempts: 1,
        revision: 1,
    }
}

/// 60 requests a minute of all callers together.
pub(super) fn limit() -> Arc<Limit> {
    let amount = NonZeroU64::new(60).unwrap();
    Arc::new(Limit {
        id: LimitId::from_uuid(Uuid::from_u128(1)),
        generation: 1,
        subject: Subject::Everything,
        rule: Arc::new(Rule::Bucket { measure: Measure::Requests, amount, period: Period::Minute }),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

/// The catalog that tests start from: a pepper, a provider, an account.
pub(super) fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.apply(Edit::PutPepper(Pepper::new(1, [1; 32])));
    catalog.apply(Edit::PutProvider(Arc::new(Provider {
        name: "acme".parse().unwrap(),
        title: "Acme".into(),
        endpoints: vec![Endpoint {
            dialect: Dialect::OpenAi,
            base_url: Some("https://acme.test/v1".into()),
            auth: AuthStyle::Bearer,
            output_cap_field: None,
            quirks: Quirks::NONE,
        }],
        env_var: None,
        model_patterns: vec![],
        aggregator: false,
        docs_url: String::new(),
        built_in: true,
    })));
    catalog.apply(account(1));
    catalog
}

pub(super) fn hash(catalog: &Catalog) -> Vec<u8> {
    CatalogHash::of(items(catalog)).value().to_vec()
}

/// The whole catalog, in pieces of one item.
pub(super) fn full(catalog: &Catalog, revision: u64) -> Vec<ConfigUpdate> {
    let piece = |upserts: Vec<ConfigItem>| ConfigUpdate {
        incarnation: DATABASE.as_bytes().to_vec(),
        revision,
        base_revision: None,
        upserts,
        removed: Vec::new(),
        snapshot_hash: Vec::new(),
        last: false,
    };
    let mut pieces: Vec<_> = items(catalog).map(|it| piece(vec![it])).collect();
    pieces.push(ConfigUpdate { snapshot_hash: hash(catalog), last: true, ..piece(vec![]) });
    pieces
}

/// `edits` on top of `catalog`, which is at the revision before.
pub(super) fn delta(catalog: &mut Catalog, revision: u64, edits: Vec<Edit>) -> ConfigUpdate {
    let (mut upserts, mut removed) = (Vec::new(), Vec::new());
    for edit in edits {
        match wire_of(&edit) {
            Wire::Upsert(item) => upserts.push(item),
            Wire::Removed(key) => removed.push(key),
        }
        catalog.apply(edit);
    }
    ConfigUpdate {
        incarnation: DATABASE.as_bytes().to_vec(),
        revision,
        base_revision: Some(revision - 1),
        upserts,
        removed,
        snapshot_hash: hash(catalog),
        last: true,
    }
}
