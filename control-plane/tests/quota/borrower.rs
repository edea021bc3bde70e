//! A proxy as far as lending goes: holds leases and chunks by the machines that proxies have.

use crate::plane::{Authorized, Plane};
use domain::{
    id::LimitId,
    limit::{
        LeaseOf,
        bucket::Plain,
        budget::node::Chunk,
        hold::{Applied, Head, Short},
        lease::{
            node::Lease,
            session::{Session, Verdict},
        },
        message::{Grants, Sync, Why},
        supply::Supply,
    },
};
use proto::{
    admin::v1::{self, SetLimitsRequest, limit_service_client::LimitServiceClient},
    convert::quota::{grants_from, sync_to},
    sync::v1::{
        Explain, Explained, Register, SessionRequest, SessionResponse, session_request::Message,
        session_response, sync_service_client::SyncServiceClient,
    },
};
use runtime::clock::steady_us;
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connected proxy.
pub(crate) struct Borrower {
    pub(crate) id: Uuid,
    pub(crate) boot: Uuid,
    pub(crate) talk: Session,
    pub(crate) leases: BTreeMap<LimitId, Lease<Plain>>,
    pub(crate) chunks: BTreeMap<LimitId, Chunk>,
    requests: mpsc::Sender<SessionRequest>,
    answers: Streaming<SessionResponse>,
    /// Questions that came in between.
    pub(crate) questions: Vec<Explain>,
}

impl Borrower {
    pub(crate) async fn connect(plane: &Plane) -> Self {
        Self::connect_as(plane, Uuid::now_v7(), Uuid::now_v7()).await
    }

    pub(crate) async fn connect_as(plane: &Plane, id: Uuid, boot: Uuid) -> Self {
        let (requests, answers) = open(plane, id, boot).await;
        Self {
            id,
            boot,
            talk: Session::new(),
            leases: BTreeMap::new(),
            chunks: BTreeMap::new(),
            requests,
            answers,
            questions: Vec::new(),
        }
    }

    /// Goes on with another control plane.
    pub(crate) async fn move_to(&mut self, plane: &Plane) {
        (self.requests, self.answers) = open(plane, self.id, self.boot).await;
    }

    /// Has a lease or a chunk of this limit from now on.
    pub(crate) fn hold(&mut self, limit: &v1::Limit) -> LimitId {
        let id: LimitId = limit.id.parse().unwrap();
        let of = LeaseOf { limit: id, generation: limit.generation };
        let milli = limit.amount * 1_000;
        let now = steady_us();
        if limit.period() == v1::LimitPeriod::Minute {
            let rate_nano = limit.amount * 1_000_000_000 / 61;
            let supply = Supply::Flow { rate_nano, burst_milli: milli };
            self.leases.insert(id, Lease::new(of, supply, 1, now));
        } else {
            self.chunks.insert(id, Chunk::new(of, milli, now));
        }
        id
    }

    /// Gives a lease up, with what is left.
    pub(crate) async fn release(&mut self, limit: LimitId) {
        self.leases.get_mut(&limit).unwrap().release();
        self.sync().await;
    }

    /// Says all that is held.
    pub(crate) async fn sync(&mut self) -> Sync {
        let now = steady_us();
        let entries = self.leases.values_mut().map(|it| it.entry(now)).collect();
        let chunks = self.chunks.values_mut().map(|it| it.entry(now)).collect();
        let sync = self.talk.next(now, true, entries, chunks);
        self.say(Message::Quota(sync_to(&sync))).await;
        sync
    }

    pub(crate) async fn say(&self, message: Message) {
        self.requests.send(SessionRequest { message: Some(message) }).await.unwrap();
    }

    pub(crate) async fn explain(&self, explained: Explained) {
        self.say(Message::Explained(explained)).await;
    }

    /// The next word of the one that lends.
    pub(crate) async fn grants(&mut self) -> Grants {
        timeout(PATIENCE, self.next_grants()).await.unwrap()
    }

    /// The same, if it comes within `time`.
    pub(crate) async fn grants_within(&mut self, time: Duration) -> Option<Grants> {
        timeout(time, self.next_grants()).await.ok()
    }

    /// The next question.
    pub(crate) async fn question(&mut self) -> Explain {
        loop {
            if let Some(question) = self.questions.pop() {
                return question;
            }
            self.hear().await;
        }
    }

    async fn next_grants(&mut self) -> Grants {
        loop {
            if let Some(grants) = self.hear().await {
                return grants;
            }
        }
    }

    async fn hear(&mut self) -> Option<Grants> {
        match self.answers.message().await.unwrap().unwrap().message.unwrap() {
            session_response::Message::Quota(grants) => Some(grants_from(grants).unwrap()),
            session_response::Message::Explain(question) => {
                self.questions.push(question);
                None
            }
            session_response::Message::Welcome(_)
            | session_response::Message::Config(_)
            | session_response::Message::UsageAck(_)
            | session_response::Message::Drain(_) => None,
        }
    }

    /// Takes what is said. Says what came of it for each lease and chunk in it.
    pub(crate) fn take(&mut self, grants: &Grants) -> (Verdict, Vec<Applied>) {
        let now = steady_us();
        let verdict = self.talk.on_grants(grants);
        if let Verdict::Hello(epoch) = verdict {
            self.leases.values_mut().for_each(|it| it.on_epoch(now, epoch));
            self.chunks.values_mut().for_each(|it| it.on_epoch(now, epoch));
        }
        let mut applied = Vec::new();
        if verdict == Verdict::Current {
            let head = Head::of(grants);
            for grant in &grants.grants {
                let lease = self.leases.get_mut(&grant.of.limit).unwrap();
                applied.push(lease.on_grant(now, head, grant));
            }
            for grant in &grants.chunks {
                let chunk = self.chunks.get_mut(&grant.of.limit).unwrap();
                applied.push(chunk.on_grant(now, head, grant));
            }
        }
        (verdict, applied)
    }

    /// Lets `milli` through, asking as long as that helps. `Err`: the leader's why.
    pub(crate) async fn spend(&mut self, limit: LimitId, milli: u64) -> Result<(), Why> {
        timeout(PATIENCE, self.try_spend(limit, milli)).await.unwrap()
    }

    async fn try_spend(&mut self, limit: LimitId, milli: u64) -> Result<(), Why> {
        loop {
            let now = steady_us();
            let taken = match self.leases.get_mut(&limit) {
                Some(lease) => lease.take(now, milli).map(|hold| lease.settle(now, hold, milli)),
                None => {
                    let chunk = self.chunks.get_mut(&limit).unwrap();
                    chunk.take(now, milli).map(|hold| chunk.settle(now, hold, milli))
                }
            };
            match taken {
                Ok(()) => return Ok(()),
                Err(Short::Denied { why: Why::Learning | Why::Unknown, .. } | Short::Ask) => {}
                Err(Short::Denied { why, .. }) => {
                    match self.leases.get_mut(&limit) {
                        Some(lease) => lease.refused(now, milli),
                        None => self.chunks.get_mut(&limit).unwrap().refused(now, milli),
                    }
                    return Err(why);
                }
                Err(it @ Short::TooLarge { .. }) => panic!("{it:?}"),
            }
            self.want(limit, milli);
            self.sync().await;
            // An answer may get lost while leaders change: then it is asked again.
            if let Some(grants) = self.grants_within(Duration::from_millis(200)).await {
                self.take(&grants);
                while let Some(more) = self.grants_within(Duration::from_millis(1)).await {
                    self.take(&more);
                }
            }
            self.unwant(limit, milli);
        }
    }

    /// The same, and waits while there is nothing.
    pub(crate) async fn spend_at_last(&mut self, limit: LimitId, milli: u64) {
        let spent = async { while self.try_spend(limit, milli).await.is_err() {} };
        timeout(PATIENCE, spent).await.unwrap();
    }

    /// How many units can be let through one by one until the leader says no.
    pub(crate) async fn spend_all(&mut self, limit: LimitId) -> (u64, Why) {
        let mut count = 0;
        loop {
            match self.spend(limit, 1_000).await {
                Ok(()) => count += 1,
                Err(why) => return (count, why),
            }
        }
    }

    fn want(&mut self, limit: LimitId, milli: u64) {
        match self.leases.get_mut(&limit) {
            Some(lease) => lease.want(milli),
            None => self.chunks.get_mut(&limit).unwrap().want(milli),
        }
    }

    fn unwant(&mut self, limit: LimitId, milli: u64) {
        match self.leases.get_mut(&limit) {
            Some(lease) => lease.unwant(milli),
            None => self.chunks.get_mut(&limit).unwrap().unwant(milli),
        }
    }
}

type Wire = (mpsc::Sender<SessionRequest>, Streaming<SessionResponse>);

async fn open(plane: &Plane, id: Uuid, boot: Uuid) -> Wire {
    let channel = plane.authorized(&plane.node).await;
    let mut client = SyncServiceClient::new(channel).max_decoding_message_size(16 << 20);
    let (requests, sent) = mpsc::channel(16);
    let register = Register {
        proxy_id: id.as_bytes().to_vec(),
        boot_id: boot.as_bytes().to_vec(),
        version: "0.0.0-test".to_owned(),
        protocol: 1,
        address: "http://127.0.0.1:1".to_owned(),
        ..Register::default()
    };
    let first = SessionRequest { message: Some(Message::Register(register)) };
    requests.send(first).await.unwrap();
    let answers = client.session(ReceiverStream::new(sent)).await.unwrap().into_inner();
    (requests, answers)
}

/// Sets a limit on everything, so many requests per `period`.
pub(crate) async fn set(plane: &Plane, amount: u64, period: v1::LimitPeriod) -> v1::Limit {
    let everything = v1::limit_subject::Subject::Everything(v1::limit_subject::Everything {});
    let limit = v1::Limit {
        subject: Some(v1::LimitSubject { subject: Some(everything) }),
        measure: v1::LimitMeasure::Requests.into(),
        amount,
        period: period.into(),
        ..v1::Limit::default()
    };
    let request = SetLimitsRequest { limits: vec![limit] };
    let done = limits(plane).await.set_limits(request).await.unwrap().into_inner();
    done.limits.into_iter().next().unwrap()
}

pub(crate) async fn limits(plane: &Plane) -> LimitServiceClient<Authorized> {
    LimitServiceClient::new(plane.admin().await)
}

/// How the limits in use are doing.
pub(crate) async fn statuses(plane: &Plane) -> v1::ListLimitStatusResponse {
    let request = v1::ListLimitStatusRequest::default();
    limits(plane).await.list_limit_status(request).await.unwrap().into_inner()
}
