//! `sluice usage …`

use proto::admin::v1;

use super::Session;
use crate::{
    args::usage::{By, Filter, Usage, UsageCommand},
    client::Client,
    failure::{CliError, Outcome},
    spell,
    view::{UsageEntryView, UsageView},
};

pub(super) async fn run(it: &Session, args: Usage) -> Outcome {
    let filter = args.filter.wire(runtime::clock::unix_ms())?;
    let client = it.client().await?;
    match args.command {
        Some(UsageCommand::List { limit }) => {
            let records = records(&client, filter, limit).await?;
            it.output.list(&records, "Nothing was used in that time.")
        }
        None => {
            let mut by: Vec<By> = Vec::new();
            for dimension in args.by {
                if !by.contains(&dimension) {
                    by.push(dimension);
                }
            }
            let group_by = by.iter().map(|it| it.wire().into()).collect();
            let request = v1::SummarizeUsageRequest { filter: Some(filter), group_by };
            let sums = client.usage().summarize_usage(request).await?.into_inner();
            let view = UsageView::new(by.into_iter().map(By::as_str).collect(), sums);
            it.output.either(&view, || view.text())
        }
    }
}

/// The newest records, up to `limit`.
async fn records(
    client: &Client,
    filter: v1::UsageFilter,
    limit: usize,
) -> Outcome<Vec<UsageEntryView>> {
    let mut records = Vec::new();
    let mut page_token = String::new();
    while records.len() < limit {
        let page_size = u32::try_from((limit - records.len()).min(1000)).unwrap_or(1000);
        let filter = Some(filter.clone());
        let request = v1::ListUsageRecordsRequest { filter, page_size, page_token };
        let page = client.usage().list_usage_records(request).await?.into_inner();
        records.extend(page.records.into_iter().map(UsageEntryView::from));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    records.truncate(limit);
    Ok(records)
}

impl Filter {
    fn wire(self, now_ms: i64) -> Outcome<v1::UsageFilter> {
        let at = |flag: &str, text: &str| {
            spell::instant(text, now_ms, -1)
                .map(spell::timestamp)
                .map_err(|error| CliError::usage(format!("{flag}: {error}")))
        };
        let since = match self.since.as_str() {
            "all" => None,
            text => Some(at("--since", text)?),
        };
        Ok(v1::UsageFilter {
            since,
            until: self.until.as_deref().map(|it| at("--until", it)).transpose()?,
            key: self.key.unwrap_or_default(),
            team: self.team.unwrap_or_default(),
            account: self.account.unwrap_or_default(),
            model: self.model.unwrap_or_default(),
        })
    }
}
