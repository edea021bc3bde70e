//! `sluice status`

use proto::admin::v1;

use super::Session;
use crate::{failure::Outcome, view::StatusView};

pub(super) async fn run(it: &Session) -> Outcome {
    let client = it.client().await?;
    let status = client.system().get_status(v1::GetStatusRequest {}).await?.into_inner();
    let view = StatusView::new(client.server.clone(), status, runtime::clock::unix_ms());
    it.output.either(&view, || view.text())
}
