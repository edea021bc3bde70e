//! `sluice explain …`

use proto::admin::v1;

use super::{Session, limit};
use crate::{
    args::limit::Explain,
    client::Client,
    failure::{CliError, Outcome},
    output::Format,
    view::{ExplainView, Measures},
};

pub(super) async fn run(it: &Session, args: Explain) -> Outcome {
    let request_id = args.request;
    if request_id.parse::<domain::id::RequestId>().is_err() {
        return Err(CliError::usage(format!("`{request_id}` is not a request's id"))
            .hint("an answer's `x-request-id` holds it, as does `sluice usage list`"));
    }
    let client = it.client().await?;
    let request = v1::ExplainRequestRequest { request_id };
    let view = ExplainView::from(client.limits().explain_request(request).await?.into_inner());
    let measures = match it.output.format {
        Format::Table => measures(&client, &view).await?,
        Format::Json | Format::Yaml => Measures::new(),
    };
    it.output.either(&view, || view.text(&measures))
}

/// What the limits measure, so that money is shown as money. One that was removed since
/// leaves plain numbers.
async fn measures(client: &Client, view: &ExplainView) -> Outcome<Measures> {
    let mut measures = Measures::new();
    for id in view.limit_ids() {
        if measures.contains_key(id) {
            continue;
        }
        match limit::get(client, id.to_owned()).await {
            Ok(limit) => measures.insert(id.to_owned(), limit.measure()),
            Err(error) if error.kind == crate::failure::Kind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(measures)
}
