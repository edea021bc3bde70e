//! How one recent request was decided: the proxy that served it knows, and all are asked.

use super::super::{Answer, Desk, answer, refusal::Refusal, status};
use crate::lender::Leads;
use domain::id::{KeyId, RequestId};
use proto::{
    admin::v1,
    convert::limit::Written,
    sync::v1::{AskExplainedRequest, AskExplainedResponse},
};
use std::time::Duration;
use tokio::time::timeout;
use tonic::Status;

/// Longest wait for the control plane that asks the others' proxies.
const PATIENCE: Duration = Duration::from_secs(5);

impl Desk {
    /// The record of a request.
    pub(super) async fn explained(
        &self,
        asked: v1::ExplainRequestRequest,
    ) -> Answer<v1::ExplainRequestResponse> {
        let request: RequestId = asked
            .request_id
            .parse()
            .map_err(|error| status::of_refusal(Refusal::field("request_id", error)))?;
        let here = self.fleet.explain(request).await;
        let mut proxies = here.proxies;
        if let Some(record) = here.record {
            return answer(self.with_names(record));
        }
        // The others forward to the one that lends: it can ask them.
        if let Leads::There(address, _) = self.lender.leads() {
            match self.ask_leader(&address, request).await {
                Ok(AskExplainedResponse { record: Some(record), .. }) => {
                    return answer(self.with_names(record));
                }
                Ok(AskExplainedResponse { asked, .. }) => proxies = proxies.saturating_add(asked),
                Err(error) => tracing::warn!(%error, address, "ask for a request's record"),
            }
        }
        Err(status::no_record(request, proxies, here.planes))
    }

    async fn ask_leader(
        &self,
        address: &str,
        request: RequestId,
    ) -> Result<AskExplainedResponse, Status> {
        let client = self.lender.peers().client(address);
        let mut client = client.map_err(|error| status::leader_away(&error.to_string()))?;
        let asked = AskExplainedRequest { request_id: request.uuid().as_bytes().to_vec() };
        let late = |_| status::leader_away("it did not answer in time");
        let answered = timeout(PATIENCE, client.ask_explained(asked)).await.map_err(late)?;
        Ok(answered?.into_inner())
    }

    /// A proxy writes a key's id; people read its name.
    fn with_names(&self, mut record: v1::ExplainRequestResponse) -> v1::ExplainRequestResponse {
        if let (Ok(key), Ok(newest)) = (record.key.parse::<KeyId>(), self.newest()) {
            record.key = crate::named::Named(newest.snapshot.catalog()).key(key);
        }
        record
    }
}
