//! Settled usage over gRPC.

use super::{
    Answer, Desk, answer, asked, page,
    refusal::{Kind, Refusal},
    status,
};
use crate::store::{StoreError, UsageDimension, UsageEntry, UsageQuery, UsageSummary, UsageSums};
use domain::time::Timestamp;
use proto::{
    admin::v1::{self, usage_service_server::UsageService},
    convert::{
        Invalid,
        key::{timestamp_from, timestamp_to},
        usage::tokens_to,
    },
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;
use tonic::{Request, Status};

/// Longest time of a sum over much usage, once the database answers.
const PATIENCE: Duration = Duration::from_secs(30);

#[tonic::async_trait]
impl UsageService for Desk {
    async fn summarize_usage(
        &self,
        request: Request<v1::SummarizeUsageRequest>,
    ) -> Answer<v1::SummarizeUsageResponse> {
        let asked = asked(request);
        let group_by = dimensions(&asked.group_by).map_err(status::of_refusal)?;
        let query = self.usage_query(asked.filter.unwrap_or_default()).await?;
        let (groups, total) = self.read_long(self.store.summarize_usage(&query, &group_by)).await?;
        answer(v1::SummarizeUsageResponse {
            summaries: groups.into_iter().map(summary).collect(),
            total: Some(summary(UsageSummary { group: Vec::new(), sums: total })),
        })
    }

    async fn list_usage_records(
        &self,
        request: Request<v1::ListUsageRecordsRequest>,
    ) -> Answer<v1::ListUsageRecordsResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let query = self.usage_query(asked.filter.unwrap_or_default()).await?;
        let (entries, next) = self.read_long(self.store.list_usage(&query, &page)).await?;
        answer(v1::ListUsageRecordsResponse {
            records: entries.into_iter().map(entry).collect(),
            next_page_token: page::token(next),
        })
    }
}

impl Desk {
    /// Names become ids; an id may be of what is gone.
    async fn usage_query(&self, filter: v1::UsageFilter) -> Result<UsageQuery, Status> {
        let (since, until) = times(&filter).map_err(status::of_refusal)?;
        let mut query = UsageQuery { since, until, ..UsageQuery::default() };
        if !filter.key.is_empty() {
            query.key = match filter.key.parse() {
                Ok(id) => Some(id),
                Err(_) => {
                    let found = self.read(self.store.get_key(&filter.key)).await?;
                    let found = found.ok_or_else(|| status::not_found(Kind::Key, &filter.key))?;
                    Some(found.item.id)
                }
            };
        }
        if !filter.team.is_empty() {
            query.team = match filter.team.parse() {
                Ok(id) => Some(id),
                Err(_) => Some(self.team_id(&filter.team).await?),
            };
        }
        if !filter.account.is_empty() {
            query.account = match filter.account.parse() {
                Ok(id) => Some(id),
                Err(_) => {
                    let found = self.read(self.store.get_account(&filter.account)).await?;
                    let missing = || status::not_found(Kind::Account, &filter.account);
                    Some(found.ok_or_else(missing)?.item.account.id)
                }
            };
        }
        query.model = Some(filter.model).filter(|it| !it.is_empty());
        Ok(query)
    }

    /// As [`Self::read`], for what may take its time once the database answers.
    async fn read_long<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Status> {
        self.read(self.store.ping()).await?;
        match timeout(PATIENCE, read).await {
            Ok(result) => result.map_err(|error| status::of_store(&error)),
            Err(_) => Err(status::unavailable()),
        }
    }
}

type Times = (Option<Timestamp>, Option<Timestamp>);

fn times(filter: &v1::UsageFilter) -> Result<Times, Refusal> {
    let mut wrong = Vec::new();
    let mut read = |field: &str, wire: Option<&prost_types::Timestamp>| {
        let read = wire.map(timestamp_from).transpose();
        read.map_err(|why| wrong.push(Invalid::new(field, why))).ok().flatten()
    };
    let since = read("filter.since", filter.since.as_ref());
    let until = read("filter.until", filter.until.as_ref());
    if wrong.is_empty() { Ok((since, until)) } else { Err(Refusal::Invalid(wrong)) }
}

fn dimensions(wire: &[i32]) -> Result<Vec<UsageDimension>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut dimensions = Vec::new();
    for (at, it) in wire.iter().enumerate() {
        let field = format!("group_by[{at}]");
        match dimension(*it) {
            Some(known) if seen.insert(*it) => dimensions.push(known),
            Some(_) => wrong.push(Invalid::new(field, "is named twice")),
            None => wrong.push(Invalid::new(field, format!("{it} is not a known dimension"))),
        }
    }
    if wrong.is_empty() { Ok(dimensions) } else { Err(Refusal::Invalid(wrong)) }
}

fn dimension(wire: i32) -> Option<UsageDimension> {
    match v1::UsageDimension::try_from(wire).ok()? {
        v1::UsageDimension::Unspecified => None,
        v1::UsageDimension::Key => Some(UsageDimension::Key),
        v1::UsageDimension::Model => Some(UsageDimension::Model),
        v1::UsageDimension::Account => Some(UsageDimension::Account),
        v1::UsageDimension::Team => Some(UsageDimension::Team),
        v1::UsageDimension::Alias => Some(UsageDimension::Alias),
        v1::UsageDimension::Provider => Some(UsageDimension::Provider),
    }
}

fn summary(summary: UsageSummary) -> v1::UsageSummary {
    let UsageSums { requests, failed_requests, estimated_requests, tokens } = summary.sums;
    v1::UsageSummary {
        group: summary.group,
        requests,
        failed_requests,
        estimated_requests,
        tokens: Some(tokens_to(&tokens)),
    }
}

fn entry(entry: UsageEntry) -> v1::UsageEntry {
    let UsageEntry { record, key, team, account, proxy } = entry;
    v1::UsageEntry {
        request_id: record.request.to_string(),
        started_at: Some(timestamp_to(record.started_at)),
        duration_ms: record.duration_ms,
        ttft_ms: record.ttft_ms,
        key,
        team,
        alias: record.alias,
        model: record.model,
        account,
        provider: record.provider.to_string(),
        dialect: record.dialect.as_str().to_owned(),
        operation: record.operation.as_str().to_owned(),
        streamed: record.streamed,
        status: u32::from(record.status),
        outcome: record.outcome.as_str().to_owned(),
        tokens: Some(tokens_to(&record.tokens)),
        estimated: record.estimated,
        attempts: record.attempts,
        revision: record.revision,
        proxy_id: proxy.to_string(),
    }
}
