//! A proxy as far as the sync service sees one: applies what it is sent, checks the hash.

use crate::plane::Plane;
use domain::catalog::Catalog;
use proto::{
    convert::snapshot::{CatalogHash, edit_of_item, edit_of_removed, items},
    sync::v1::{
        ConfigAck, ConfigResync, ConfigUpdate, Drain, Heartbeat, Register, SessionRequest,
        SessionResponse, UsageAck, UsageBatch, UsageRecord, Welcome, session_request::Message,
        session_response, sync_service_client::SyncServiceClient,
    },
};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a proxy keeps over connections.
pub(crate) struct Proxy {
    pub(crate) id: Uuid,
    pub(crate) incarnation: Vec<u8>,
    pub(crate) revision: u64,
    pub(crate) catalog: Catalog,
    pub(crate) hash: CatalogHash,
}

/// One connection of it.
pub(crate) struct Session {
    requests: mpsc::Sender<SessionRequest>,
    answers: Streaming<SessionResponse>,
    pub(crate) welcome: Welcome,
}

/// An update as it came.
pub(crate) struct Update {
    /// The revision that it started from; `None`: it was the whole catalog.
    pub(crate) base: Option<u64>,
    pub(crate) pieces: usize,
    pub(crate) items: usize,
}

impl Proxy {
    pub(crate) fn new() -> Self {
        Self {
            id: Uuid::now_v7(),
            incarnation: Vec::new(),
            revision: 0,
            catalog: Catalog::default(),
            hash: CatalogHash::default(),
        }
    }

    pub(crate) fn register(&self) -> Register {
        let held = !self.incarnation.is_empty();
        Register {
            proxy_id: self.id.as_bytes().to_vec(),
            boot_id: Uuid::now_v7().as_bytes().to_vec(),
            version: "0.0.0-test".to_owned(),
            protocol: 1,
            incarnation: self.incarnation.clone(),
            revision: self.revision,
            snapshot_hash: if held { self.hash.value().to_vec() } else { Vec::new() },
            address: "http://127.0.0.1:1".to_owned(),
        }
    }

    pub(crate) async fn connect(&self, plane: &Plane) -> Session {
        Session::open(plane, Message::Register(self.register())).await.unwrap()
    }

    /// Takes the next update whole, checks its hash, and acknowledges it.
    pub(crate) async fn update(&mut self, session: &mut Session) -> Update {
        let mut pieces: Vec<ConfigUpdate> = Vec::new();
        while !pieces.last().is_some_and(|it| it.last) {
            pieces.push(session.config().await);
        }
        let base = pieces[0].base_revision;
        match base {
            None => {
                self.catalog = Catalog::default();
                self.hash = CatalogHash::default();
            }
            Some(base) => assert_eq!(base, self.revision, "a delta of another revision"),
        }
        let mut update = Update { base, pieces: pieces.len(), items: 0 };
        for piece in pieces {
            assert_eq!(piece.base_revision, base);
            self.incarnation = piece.incarnation;
            self.revision = piece.revision;
            update.items += piece.upserts.len() + piece.removed.len();
            for item in piece.upserts {
                self.hash.upsert(&item);
                self.catalog.apply(edit_of_item(item).unwrap());
            }
            for key in piece.removed {
                self.hash.remove(&key);
                self.catalog.apply(edit_of_removed(&key).unwrap());
            }
            if piece.last {
                assert_eq!(piece.snapshot_hash, self.hash.value());
            }
        }
        // What the edits left must be what a rebuild of the whole would give.
        assert_eq!(CatalogHash::of(items(&self.catalog)).value(), self.hash.value());
        session.ack(self.revision, self.revision, &[]).await;
        update
    }
}

impl Session {
    /// Opens a stream with its first message, and waits for the welcome.
    pub(crate) async fn open(plane: &Plane, first: Message) -> Result<Self, Status> {
        let channel = plane.authorized(&plane.node).await;
        let mut client = SyncServiceClient::new(channel).max_decoding_message_size(16 << 20);
        let (requests, sent) = mpsc::channel(16);
        requests.send(SessionRequest { message: Some(first) }).await.unwrap();
        let mut answers = client.session(ReceiverStream::new(sent)).await?.into_inner();
        let first = timeout(PATIENCE, answers.message()).await.unwrap()?.unwrap();
        let Some(session_response::Message::Welcome(welcome)) = first.message else {
            panic!("not a welcome: {first:?}");
        };
        Ok(Self { requests, answers, welcome })
    }

    pub(crate) async fn say(&self, message: Message) {
        self.requests.send(SessionRequest { message: Some(message) }).await.unwrap();
    }

    pub(crate) async fn ack(&self, revision: u64, applied_revision: u64, defects: &[&str]) {
        let defects = defects.iter().map(ToString::to_string).collect();
        self.say(Message::ConfigAck(ConfigAck { revision, defects, applied_revision })).await;
    }

    pub(crate) async fn resync(&self) {
        self.say(Message::ConfigResync(ConfigResync { reason: "test".to_owned() })).await;
    }

    pub(crate) async fn heartbeat(&self, applied_revision: u64, usage_pending: u64) {
        let heartbeat = Heartbeat { applied_revision, usage_pending, ..Heartbeat::default() };
        self.say(Message::Heartbeat(heartbeat)).await;
    }

    pub(crate) async fn usage(&self, wal: Uuid, first_seq: u64, records: Vec<UsageRecord>) {
        let wal_id = wal.as_bytes().to_vec();
        self.say(Message::Usage(UsageBatch { wal_id, first_seq, records })).await;
    }

    async fn heard(&mut self) -> Option<session_response::Message> {
        loop {
            let heard = timeout(PATIENCE, self.answers.message()).await.unwrap();
            match heard.unwrap().map(|it| it.message.unwrap()) {
                // Whoever lends says hello at a moment of its own.
                Some(session_response::Message::Quota(_)) => {}
                heard => return heard,
            }
        }
    }

    async fn config(&mut self) -> ConfigUpdate {
        match self.heard().await {
            Some(session_response::Message::Config(update)) => update,
            other => panic!("not configuration: {other:?}"),
        }
    }

    pub(crate) async fn usage_ack(&mut self) -> UsageAck {
        match self.heard().await {
            Some(session_response::Message::UsageAck(ack)) => ack,
            other => panic!("not an acknowledgement: {other:?}"),
        }
    }

    pub(crate) async fn drain(&mut self) -> Drain {
        match self.heard().await {
            Some(session_response::Message::Drain(drain)) => drain,
            other => panic!("not a drain: {other:?}"),
        }
    }

    /// The status with which the stream ends; `None`: it ended well.
    pub(crate) async fn end(&mut self) -> Option<Status> {
        loop {
            match timeout(PATIENCE, self.answers.message()).await.unwrap() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }
}
