//! Usage out of the database: sums by what it can be told apart by, and single records.

use super::{Page, Store, StoreError, row, tx};
use domain::{
    id::{AccountId, KeyId, ProxyId, RequestId, TeamId},
    name::Name,
    time::Timestamp,
    tokens::Tokens,
    usage::{Outcome, UsageRecord},
};
use time::OffsetDateTime;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

/// Which usage is asked for. Ids may be of what is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// From here, included.
    pub since: Option<Timestamp>,
    /// Up to here, excluded.
    pub until: Option<Timestamp>,
    /// Only of this key.
    pub key: Option<KeyId>,
    /// Only of keys that were this team's at the time.
    pub team: Option<TeamId>,
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only of this model, as the upstream was asked for it.
    pub model: Option<String>,
}

/// What usage can be told apart by.
#[expect(missing_docs, reason = "each variant says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageDimension {
    Key,
    Model,
    Account,
    Team,
    Alias,
    Provider,
}

/// What some requests used together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// How many requests.
    pub requests: u64,
    /// Those whose caller did not get a whole good answer.
    pub failed_requests: u64,
    /// Those whose tokens are partly estimated.
    pub estimated_requests: u64,
    /// Their tokens.
    pub tokens: Tokens,
}

/// What one group of requests used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSummary {
    /// The group's values in the order of the asked dimensions: names, or ids of what is
    /// gone; empty where a request had none.
    pub group: Vec<String>,
    /// Its sums.
    pub sums: UsageSums,
}

/// One request, with the names that its ids have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEntry {
    /// What was settled.
    pub record: UsageRecord,
    /// The key's name, or its id if it is gone.
    pub key: String,
    /// The team's name, or its id if it is gone; empty: none.
    pub team: String,
    /// The account's name, or its id if it is gone.
    pub account: String,
    /// Who served it.
    pub proxy: ProxyId,
}

/// A query's parameters, $1 to $6 of both statements. The bounds in time are always
/// there, so that the planner can leave out whole days.
struct Filter {
    since: OffsetDateTime,
    until: OffsetDateTime,
    key: Option<Uuid>,
    team: Option<Uuid>,
    account: Option<Uuid>,
    model: Option<String>,
}

impl Filter {
    fn of(query: &UsageQuery) -> Self {
        Self {
            since: row::to_time(query.since.unwrap_or(Timestamp::from_unix_ms(i64::MIN))),
            until: row::to_time(query.until.unwrap_or(Timestamp::from_unix_ms(i64::MAX))),
            key: query.key.map(KeyId::uuid),
            team: query.team.map(TeamId::uuid),
            account: query.account.map(AccountId::uuid),
            model: query.model.clone(),
        }
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![&self.since, &self.until, &self.key, &self.team, &self.account, &self.model]
    }
}

/// $7 to $12 switch the dimensions. Names are joined to the groups, not to every record.
const SUMMARIZE: &str = "-- summarize_usage
    WITH sums AS (
        SELECT CASE WHEN $7 THEN key_id END AS key_id,
            CASE WHEN $8 THEN model END AS model,
            CASE WHEN $9 THEN account_id END AS account_id,
            CASE WHEN $10 THEN team_id END AS team_id,
            CASE WHEN $11 THEN alias END AS alias,
            CASE WHEN $12 THEN provider END AS provider,
            count(*) AS requests,
            count(*) FILTER (WHERE outcome <> 'complete' OR status >= 400) AS failed_requests,
            count(*) FILTER (WHERE estimated) AS estimated_requests,
            least(sum(input_tokens), 9223372036854775807)::bigint AS input,
            least(sum(cached_input_tokens), 9223372036854775807)::bigint AS cached_input,
            least(sum(cache_write_tokens), 9223372036854775807)::bigint AS cache_write,
            least(sum(output_tokens), 9223372036854775807)::bigint AS output,
            least(sum(reasoning_tokens), 9223372036854775807)::bigint AS reasoning
        FROM usage_event
        WHERE started_at >= $1 AND started_at < $2
            AND ($3::uuid IS NULL OR key_id = $3)
            AND ($4::uuid IS NULL OR team_id = $4)
            AND ($5::uuid IS NULL OR account_id = $5)
            AND ($6::text IS NULL OR model = $6)
        GROUP BY 1, 2, 3, 4, 5, 6
    )
    SELECT sums.*, virtual_key.name AS key_name, account.name AS account_name, team.name AS team_name
    FROM sums
        LEFT JOIN virtual_key ON virtual_key.id = sums.key_id
        LEFT JOIN account ON account.id = sums.account_id
        LEFT JOIN team ON team.id = sums.team_id
    ORDER BY sums.input::numeric + sums.output DESC, sums.requests DESC, sums.key_id, sums.model,
        sums.account_id, sums.team_id, sums.alias, sums.provider
    LIMIT $13";

/// $7 and $8 are where the page before ended.
const LIST: &str = "-- list_usage
    SELECT usage_event.*, virtual_key.name AS key_name, account.name AS account_name, team.name AS team_name
    FROM usage_event
        LEFT JOIN virtual_key ON virtual_key.id = key_id
        LEFT JOIN account ON account.id = account_id
        LEFT JOIN team ON team.id = usage_event.team_id
    WHERE started_at >= $1 AND started_at < $2
        AND ($3::uuid IS NULL OR key_id = $3)
        AND ($4::uuid IS NULL OR usage_event.team_id = $4)
        AND ($5::uuid IS NULL OR account_id = $5)
        AND ($6::text IS NULL OR model = $6)
        AND (started_at, request_id) < ($7, $8)
    ORDER BY started_at DESC, request_id DESC
    LIMIT $9";

const MOST_GROUPS: i64 = 10_000;

/// Longest time of one sum, in milliseconds: the statement timeout is too short for one
/// over months of usage.
const SUM_TIMEOUT_MS: u32 = 30_000;

impl Store {
    /// Sums usage by `group_by`: the groups, the most tokens first, at most 10,000, and
    /// the sum of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn summarize_usage(
        &self,
        query: &UsageQuery,
        group_by: &[UsageDimension],
    ) -> Result<(Vec<UsageSummary>, UsageSums), StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::read(&mut client).await?;
        let timeout = "-- sum_timeout\nSELECT set_config('statement_timeout', $1, true)";
        tx::row(&tx, timeout, &[&SUM_TIMEOUT_MS.to_string()]).await?;
        let filter = Filter::of(query);
        let asked = |it: UsageDimension| group_by.contains(&it);
        let switches = [
            asked(UsageDimension::Key),
            asked(UsageDimension::Model),
            asked(UsageDimension::Account),
            asked(UsageDimension::Team),
            asked(UsageDimension::Alias),
            asked(UsageDimension::Provider),
        ];
        let groups = tx::rows(&tx, SUMMARIZE, &summarize_params(&filter, &switches)).await?;
        let groups: Vec<_> = groups
            .iter()
            .map(|it| Ok(UsageSummary { group: group(it, group_by)?, sums: sums(it)? }))
            .collect::<Result<_, StoreError>>()?;
        let total = tx::rows(&tx, SUMMARIZE, &summarize_params(&filter, &[false; 6])).await?;
        let total = total.first().map_or_else(|| Ok(UsageSums::default()), sums)?;
        Ok((groups, total))
    }

    /// One page of records, the newest first, and where the next page goes on.
    ///
    /// # Errors
    /// When the database fails, or [`StoreError::BadPage`].
    pub async fn list_usage(
        &self,
        query: &UsageQuery,
        page: &Page,
    ) -> Result<(Vec<UsageEntry>, Option<String>), StoreError> {
        let filter = Filter::of(query);
        let newest = (Timestamp::from_unix_ms(i64::MAX), Uuid::max());
        let (at, request) = page.after.as_deref().map_or(Ok(newest), parse_cursor)?;
        let at = row::to_time(at);
        let limit = page.rows();
        let mut params = filter.params();
        params.extend::<[&(dyn ToSql + Sync); 3]>([&at, &request, &limit]);
        let rows = self.rows(LIST, &params).await?;
        let most = usize::try_from(page.limit.max(1)).unwrap_or(usize::MAX);
        let entries: Vec<_> = rows.iter().take(most).map(entry).collect::<Result<_, _>>()?;
        let more = rows.len() > most;
        let next = entries.last().filter(|_| more).map(|it| {
            let request = it.record.request.uuid().simple();
            format!("{}.{request}", it.record.started_at.unix_ms())
        });
        Ok((entries, next))
    }
}

fn summarize_params<'a>(
    filter: &'a Filter,
    switches: &'a [bool; 6],
) -> Vec<&'a (dyn ToSql + Sync)> {
    let mut params = filter.params();
    params.extend(switches.iter().map(|it| it as &(dyn ToSql + Sync)));
    params.push(&MOST_GROUPS);
    params
}

fn parse_cursor(text: &str) -> Result<(Timestamp, Uuid), StoreError> {
    let (at, request) = text.split_once('.').ok_or(StoreError::BadPage)?;
    let at = at.parse().map_err(|_| StoreError::BadPage)?;
    let request = Uuid::try_parse(request).map_err(|_| StoreError::BadPage)?;
    Ok((Timestamp::from_unix_ms(at), request))
}

fn sums(row: &Row) -> Result<UsageSums, StoreError> {
    Ok(UsageSums {
        requests: row::unsigned(row, "requests")?,
        failed_requests: row::unsigned(row, "failed_requests")?,
        estimated_requests: row::unsigned(row, "estimated_requests")?,
        tokens: Tokens {
            input: row::unsigned(row, "input")?,
            cached_input: row::unsigned(row, "cached_input")?,
            cache_write: row::unsigned(row, "cache_write")?,
            output: row::unsigned(row, "output")?,
            reasoning: row::unsigned(row, "reasoning")?,
        },
    })
}

fn group(row: &Row, group_by: &[UsageDimension]) -> Result<Vec<String>, StoreError> {
    let text = |name| Ok(row::column::<Option<String>>(row, name)?.unwrap_or_default());
    let named = group_by.iter().map(|it| match it {
        UsageDimension::Key => key_name(row),
        UsageDimension::Model => text("model"),
        UsageDimension::Account => account_name(row),
        UsageDimension::Team => team_name(row),
        UsageDimension::Alias => text("alias"),
        UsageDimension::Provider => text("provider"),
    });
    named.collect()
}

/// The joined name, or the id as text; empty where there is no id.
fn name_or_id(
    row: &Row,
    name: &str,
    id: &str,
    text: impl Fn(Uuid) -> String,
) -> Result<String, StoreError> {
    if let Some(name) = row::column::<Option<String>>(row, name)? {
        return Ok(name);
    }
    Ok(row::column::<Option<Uuid>>(row, id)?.map(text).unwrap_or_default())
}

fn key_name(row: &Row) -> Result<String, StoreError> {
    name_or_id(row, "key_name", "key_id", |it| KeyId::from_uuid(it).to_string())
}

fn account_name(row: &Row) -> Result<String, StoreError> {
    name_or_id(row, "account_name", "account_id", |it| AccountId::from_uuid(it).to_string())
}

fn team_name(row: &Row) -> Result<String, StoreError> {
    name_or_id(row, "team_name", "team_id", |it| TeamId::from_uuid(it).to_string())
}

fn entry(row: &Row) -> Result<UsageEntry, StoreError> {
    let number = |name| row::column::<i32>(row, name);
    let provider: Name = row::column::<&str>(row, "provider")?
        .parse()
        .map_err(|_| StoreError::corrupt("usage_event: provider"))?;
    let outcome: &str = row::column(row, "outcome")?;
    let outcome = Outcome::ALL.into_iter().find(|it| it.as_str() == outcome);
    let ttft_ms: Option<i64> = row::column(row, "ttft_ms")?;
    let record = UsageRecord {
        request: RequestId::from_uuid(row::column(row, "request_id")?),
        started_at: row::timestamp(row, "started_at")?,
        duration_ms: row::unsigned(row, "duration_ms")?,
        ttft_ms: ttft_ms.and_then(|it| u64::try_from(it).ok()),
        key: KeyId::from_uuid(row::column(row, "key_id")?),
        team: row::column::<Option<Uuid>>(row, "team_id")?.map(TeamId::from_uuid),
        alias: row::column(row, "alias")?,
        model: row::column(row, "model")?,
        account: AccountId::from_uuid(row::column(row, "account_id")?),
        provider,
        dialect: row::dialect(row::column(row, "dialect")?)?,
        operation: row::operation(row::column(row, "operation")?)?,
        streamed: row::column(row, "streamed")?,
        status: u16::try_from(number("status")?).unwrap_or(u16::MAX),
        outcome: outcome.ok_or_else(|| StoreError::corrupt("usage_event: outcome"))?,
        tokens: Tokens {
            input: row::unsigned(row, "input_tokens")?,
            cached_input: row::unsigned(row, "cached_input_tokens")?,
            cache_write: row::unsigned(row, "cache_write_tokens")?,
            output: row::unsigned(row, "output_tokens")?,
            reasoning: row::unsigned(row, "reasoning_tokens")?,
        },
        estimated: row::column(row, "estimated")?,
        attempts: u32::try_from(number("attempts")?).unwrap_or(u32::MAX),
        revision: row::unsigned(row, "revision")?,
    };
    Ok(UsageEntry {
        record,
        key: key_name(row)?,
        team: team_name(row)?,
        account: account_name(row)?,
        proxy: ProxyId::from_uuid(row::column(row, "proxy_id")?),
    })
}
