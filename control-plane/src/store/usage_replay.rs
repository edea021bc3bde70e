//! Recorded usage in the order in which it came, row by row: what a limit is tried on.

use super::{Store, StoreError, row, tx};
use domain::{
    catalog::Subject,
    id::{KeyId, RequestId},
    time::Timestamp,
    tokens::Tokens,
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

/// One recorded request, as far as a limit cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The request.
    pub request: RequestId,
    /// When it was received.
    pub started_at: Timestamp,
    /// Its time from begin to end, in milliseconds.
    pub duration_ms: u64,
    /// Whose it was.
    pub key: KeyId,
    /// The provider that served it.
    pub provider: String,
    /// The model, as the provider was asked for it.
    pub model: String,
    /// What it used.
    pub tokens: Tokens,
}

/// Which rows are fetched at once: what is in memory at a time.
const ROWS: i32 = 2_000;

/// Longest time of one fetch, in milliseconds: the first one may have to look far.
const FETCH_TIMEOUT_MS: u32 = 60_000;

const REPLAY: &str = "-- replay_usage
    SELECT request_id, started_at, duration_ms, key_id, provider, model, input_tokens,
        cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens
    FROM usage_event
    WHERE started_at >= $1 AND started_at < $2
        AND ($3::uuid IS NULL OR key_id = $3)
        AND ($4::uuid IS NULL OR team_id = $4)
        AND ($5::uuid IS NULL OR account_id = $5)
        AND ($6::text IS NULL OR provider = $6)
        AND ($7::text IS NULL OR alias = $7)
        AND ($8::text IS NULL OR model = $8)
    ORDER BY started_at, request_id";

#[derive(Default)]
struct Filter<'a> {
    key: Option<Uuid>,
    team: Option<Uuid>,
    account: Option<Uuid>,
    provider: Option<&'a str>,
    alias: Option<&'a str>,
    model: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(subject: &'a Subject) -> Self {
        let all = Self::default();
        match subject {
            Subject::Everything => all,
            Subject::Key(id) => Self { key: Some(id.uuid()), ..all },
            Subject::Team(id) => Self { team: Some(id.uuid()), ..all },
            Subject::Alias(alias) => Self { alias: Some(alias), ..all },
            Subject::KeyAlias(key, alias) => {
                Self { key: Some(key.uuid()), alias: Some(alias), ..all }
            }
            Subject::Provider(name) => Self { provider: Some(name.as_str()), ..all },
            Subject::Account(id) => Self { account: Some(id.uuid()), ..all },
            Subject::AccountModel(account, model) => {
                Self { account: Some(account.uuid()), model: Some(model.as_str()), ..all }
            }
        }
    }
}

impl Store {
    /// Gives every recorded request of a subject from `since` on and before `until` to
    /// `each`, oldest first, without ever having many of them in memory.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay_usage(
        &self,
        subject: &Subject,
        since: Timestamp,
        until: Timestamp,
        mut each: impl FnMut(&Replayed) + Send,
    ) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::read(&mut client).await?;
        let timeout = "-- replay_timeout\nSELECT set_config('statement_timeout', $1, true)";
        tx::row(&tx, timeout, &[&FETCH_TIMEOUT_MS.to_string()]).await?;
        let filter = Filter::of(subject);
        let (since, until) = (row::to_time(since), row::to_time(until));
        let params: [&(dyn ToSql + Sync); 8] = [
            &since,
            &until,
            &filter.key,
            &filter.team,
            &filter.account,
            &filter.provider,
            &filter.alias,
            &filter.model,
        ];
        let statement = tx.prepare_cached(REPLAY).await?;
        let portal = tx.bind(&statement, &params).await?;
        loop {
            let rows = tx.query_portal(&portal, ROWS).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for it in &rows {
                each(&replayed(it)?);
            }
        }
    }
}

fn replayed(row: &Row) -> Result<Replayed, StoreError> {
    Ok(Replayed {
        request: RequestId::from_uuid(row::column(row, "request_id")?),
        started_at: row::timestamp(row, "started_at")?,
        duration_ms: row::unsigned(row, "duration_ms")?,
        key: KeyId::from_uuid(row::column(row, "key_id")?),
        provider: row::column(row, "provider")?,
        model: row::column(row, "model")?,
        tokens: Tokens {
            input: row::unsigned(row, "input_tokens")?,
            cached_input: row::unsigned(row, "cached_input_tokens")?,
            cache_write: row::unsigned(row, "cache_write_tokens")?,
            output: row::unsigned(row, "output_tokens")?,
            reasoning: row::unsigned(row, "reasoning_tokens")?,
        },
    })
}
