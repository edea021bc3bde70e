//! What other control planes bring here: their proxies' messages about limits, and questions.
//!
//! Knows the protocol between control planes, and nothing of what is lent.

use super::{Answer, Desk, status};
use crate::{
    fleet::Question,
    lender::{Lender, Via},
};
use domain::{
    id::RequestId,
    limit::{Holder, message::Grants},
};
use proto::{
    convert::{
        Invalid,
        quota::{grants_to, holder_from, holder_to, sync_from},
        uuid_from,
    },
    sync::v1::{
        AskExplainedRequest, AskExplainedResponse, AskLimitStatusRequest, AskLimitStatusResponse,
        Explain, ForwardRequest, ForwardResponse, QuotaHolder, forward_request, forward_response,
        peer_service_server::PeerService,
    },
};
use runtime::Process;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// Messages on their way to another control plane's proxies.
const MOST_QUEUED: usize = 1_024;

/// What peers have at hand. Cheap to clone.
#[derive(Clone)]
pub(crate) struct PeerDesk {
    pub(crate) desk: Desk,
    pub(crate) process: Process,
}

type Out = mpsc::Sender<Result<ForwardResponse, Status>>;

#[tonic::async_trait]
impl PeerService for PeerDesk {
    type ForwardStream = ReceiverStream<Result<ForwardResponse, Status>>;

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Answer<Self::ForwardStream> {
        if self.process.shutdown.is_draining() {
            return Err(status::stopping());
        }
        let (out, answers) = mpsc::channel(MOST_QUEUED);
        let peer = self.clone();
        let inbound = request.into_inner();
        self.process.tasks.spawn("peer session", async move {
            if let Err(status) = peer.serve(inbound, &out).await {
                tracing::info!(code = ?status.code(), why = status.message(), "end a peer's session");
                // Who does not listen any more needs no reason.
                let _ = out.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn ask_limit_status(
        &self,
        request: Request<AskLimitStatusRequest>,
    ) -> Answer<AskLimitStatusResponse> {
        let asked = super::required("request", request.into_inner().request)?;
        let response = Some(self.desk.limit_statuses_here(asked).await?);
        super::answer(AskLimitStatusResponse { response })
    }

    async fn ask_explained(
        &self,
        request: Request<AskExplainedRequest>,
    ) -> Answer<AskExplainedResponse> {
        let id = uuid_from("request_id", &request.into_inner().request_id);
        let id = id.map_err(|wrong| status::bad_message(&wrong))?;
        let id = RequestId::from_uuid(Uuid::from_bytes(id));
        let found = self.desk.fleet.explain(id).await;
        super::answer(AskExplainedResponse { record: found.record, asked: found.proxies })
    }
}

impl PeerDesk {
    async fn serve(&self, inbound: Streaming<ForwardRequest>, out: &Out) -> Result<(), Status> {
        let (via, grants) = mpsc::channel(MOST_QUEUED);
        let (_ears, questions) = self.desk.fleet.listen_peer();
        tracing::info!("another control plane forwards to this one");
        tokio::select! {
            ended = self.listen(inbound, &via) => ended,
            ended = tell(grants, questions, out) => ended,
            () = out.closed() => Ok(()),
            // Its proxies are better off with whoever lends next.
            () = self.process.shutdown.draining() => Err(status::stopping()),
        }
    }

    async fn listen(
        &self,
        mut inbound: Streaming<ForwardRequest>,
        via: &Via,
    ) -> Result<(), Status> {
        while let Some(said) = inbound.message().await? {
            self.hear(said, via).map_err(|wrong| status::bad_message(&wrong))?;
        }
        Ok(())
    }

    fn hear(&self, said: ForwardRequest, via: &Via) -> Result<(), Invalid> {
        let lender: &Lender = &self.desk.lender;
        match said.message {
            Some(forward_request::Message::Attached(it)) => {
                for holder in &it.holders {
                    lender.attach_forwarded(holder_from(holder)?, via.clone());
                }
            }
            Some(forward_request::Message::Heard(it)) => {
                let missing = |field: &str| Invalid::new(field, "is missing");
                let holder: &QuotaHolder = it.holder.as_ref().ok_or_else(|| missing("holder"))?;
                let sync = it.sync.ok_or_else(|| missing("sync"))?;
                lender.hear_forwarded(holder_from(holder)?, sync_from(sync)?, via.clone());
            }
            Some(forward_request::Message::Explained(it)) => {
                self.desk.fleet.answered(it.question, it.record);
            }
            // Said by a newer one.
            None => {}
        }
        Ok(())
    }
}

async fn tell(
    mut grants: mpsc::Receiver<(Holder, Grants)>,
    mut questions: mpsc::Receiver<Question>,
    out: &Out,
) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            Some((holder, grants)) = grants.recv() => {
                forward_response::Message::Grants(forward_response::Grants {
                    holder: Some(holder_to(holder)),
                    grants: Some(grants_to(&grants)),
                })
            }
            Some(question) = questions.recv() => forward_response::Message::Explain(Explain {
                question: question.number,
                request_id: question.request.uuid().as_bytes().to_vec(),
            }),
            else => return std::future::pending().await,
        };
        let message = ForwardResponse { message: Some(message) };
        out.send(Ok(message)).await.map_err(|_| status::gone())?;
    }
}
