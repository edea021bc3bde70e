//! Limits: what the one that lends says to a proxy, on its way down.

use super::{Out, say};
use crate::{
    fleet::Question,
    lender::{Lender, Via},
};
use domain::limit::{
    Holder,
    message::{Grants, Sync},
};
use proto::{
    convert::quota::grants_to,
    sync::v1::{Explain, session_response::Message},
};
use tokio::sync::mpsc;
use tonic::Status;

/// Messages that wait for a proxy that reads slowly; what comes beyond is lost, as a message
/// about limits may be.
const MOST_WAITING: usize = 64;

/// One proxy's way to the one that lends.
pub(super) struct Borrower {
    lender: Lender,
    holder: Holder,
    via: Via,
}

impl Borrower {
    /// The proxy is there; what is said to it is received.
    pub(super) fn attach(
        lender: &Lender,
        holder: Holder,
    ) -> (Self, mpsc::Receiver<(Holder, Grants)>) {
        let (via, grants) = mpsc::channel(MOST_WAITING);
        lender.attach(holder, via.clone());
        (Self { lender: lender.clone(), holder, via }, grants)
    }

    /// The proxy speaks.
    pub(super) fn hear(&self, sync: Sync) {
        self.lender.hear(self.holder, sync, self.via.clone());
    }
}

/// Tells the proxy what it is lent, and asks it what is asked.
pub(super) async fn tell(
    mut grants: mpsc::Receiver<(Holder, Grants)>,
    mut questions: mpsc::Receiver<Question>,
    out: &Out,
) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            Some((_, grants)) = grants.recv() => Message::Quota(grants_to(&grants)),
            Some(question) = questions.recv() => Message::Explain(Explain {
                question: question.number,
                request_id: question.request.uuid().as_bytes().to_vec(),
            }),
            else => return std::future::pending().await,
        };
        say(out, message).await?;
    }
}
