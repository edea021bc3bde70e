//! Usage records into the database: each exactly once, however often it is sent.
//!
//! A proxy numbers its records within a log (`wal_id`). The log's cursor moves in the
//! transaction that copies the records in, so that what is sent again is recognised,
//! and what is missing is asked for.

use super::{Store, StoreError, row, tx};
use deadpool_postgres::Transaction;
use domain::{
    id::{ProxyId, TeamId},
    time::Timestamp,
    usage::UsageRecord,
};
use std::{borrow::Cow, pin::pin};
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use uuid::Uuid;

/// Longest text of a caller's that is stored with a record, in bytes.
const MAX_TEXT_LEN: usize = 400;

const MS_PER_DAY: i64 = 86_400_000;

/// How many days ahead there is a partition for.
const DAYS_AHEAD: i64 = 7;

/// Records of one proxy, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who sent them.
    pub proxy: ProxyId,
    /// The log in which they are numbered.
    pub wal_id: Uuid,
    /// The first one's number, from 1; the others follow without a gap.
    pub first_seq: u64,
    /// The records.
    pub records: Vec<UsageRecord>,
}

/// How far a log is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// The log.
    pub wal_id: Uuid,
    /// Every record up to this number is in the database.
    pub seq: u64,
}

impl Store {
    /// Writes batches of any number of proxies in one transaction, and says for each log
    /// how far it is in the database now: behind what was sent if records before are missing.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn ingest_usage(&self, mut batches: Vec<Batch>) -> Result<Vec<Durable>, StoreError> {
        // Always in the same order, so that two transactions cannot wait for each other.
        batches.sort_by_key(|it| (it.wal_id, it.first_seq));
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let mut durable: Vec<Durable> = Vec::new();
        let mut fresh = Vec::new();
        for batch in &batches {
            let (skipped, seq) = advance(&tx, batch).await?;
            let numbered = (batch.first_seq..).zip(&batch.records).skip(skipped);
            fresh.extend(numbered.map(|(seq, record)| (batch, seq, record)));
            match durable.last_mut().filter(|it| it.wal_id == batch.wal_id) {
                Some(last) => last.seq = seq,
                None => durable.push(Durable { wal_id: batch.wal_id, seq }),
            }
        }
        if !fresh.is_empty() {
            copy(&tx, &fresh).await?;
        }
        tx.commit().await?;
        Ok(durable)
    }

    /// Makes the daily partitions from yesterday to a week ahead. To be called now and
    /// then: what comes without one goes to the default partition, from where it moves on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prepare_usage_days(&self, now: Timestamp) -> Result<(), StoreError> {
        let sql = "-- prepare_usage_days
            SELECT usage_event_add_day(date '1970-01-01' + day) FROM generate_series($1::int, $2::int) AS day";
        let today = now.unix_ms().div_euclid(MS_PER_DAY);
        let day = |it: i64| i32::try_from(it).unwrap_or(0);
        self.rows(sql, &[&day(today.saturating_sub(1)), &day(today.saturating_add(DAYS_AHEAD))])
            .await?;
        Ok(())
    }
}

/// Moves a log's cursor over a batch. Says how many of its records are not to be
/// written, because they are there already or cannot be yet, and where the cursor is now.
async fn advance(tx: &Transaction<'_>, batch: &Batch) -> Result<(usize, u64), StoreError> {
    let count = batch.records.len() as u64;
    let before = batch.first_seq.saturating_sub(1);
    let last = before.saturating_add(count);
    let proxy = batch.proxy.uuid();
    let wal = batch.wal_id;
    if count > 0 && batch.first_seq > 0 {
        let follow = "-- advance_usage_cursor
            UPDATE usage_cursor SET last_seq = $3, proxy_id = $4, seen_at = now()
            WHERE wal_id = $1 AND last_seq = $2";
        let params: tx::Params<'_> = &[&wal, &row::signed(before), &row::signed(last), &proxy];
        if tx::execute(tx, follow, params).await? == 1 {
            return Ok((0, last));
        }
    }
    let open = "-- open_usage_cursor
        INSERT INTO usage_cursor (wal_id, proxy_id, last_seq) VALUES ($1, $2, 0)
        ON CONFLICT (wal_id) DO NOTHING";
    tx::execute(tx, open, &[&wal, &proxy]).await?;
    let lock = "-- lock_usage_cursor
        SELECT last_seq FROM usage_cursor WHERE wal_id = $1 FOR UPDATE";
    let found = tx::row(tx, lock, &[&wal]).await?;
    let found = found.ok_or_else(|| StoreError::corrupt("usage_cursor lost a row"))?;
    let stored: u64 = row::unsigned(&found, "last_seq")?;
    let missing = stored < before;
    if missing || last <= stored || batch.first_seq == 0 {
        return Ok((batch.records.len(), stored));
    }
    let set = "-- set_usage_cursor
        UPDATE usage_cursor SET last_seq = $2, seen_at = now() WHERE wal_id = $1";
    tx::execute(tx, set, &[&wal, &row::signed(last)]).await?;
    Ok((usize::try_from(stored.saturating_sub(before)).unwrap_or(usize::MAX), last))
}

const COPY: &str = "-- copy_usage
    COPY usage_event (started_at, request_id, proxy_id, wal_id, seq, key_id, team_id, account_id,
        provider, alias, model, dialect, operation, outcome, streamed, estimated, status, attempts,
        duration_ms, ttft_ms, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, revision)
    FROM STDIN BINARY";

const TYPES: [Type; 26] = [
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::UUID,
    Type::UUID,
    Type::INT8,
    Type::UUID,
    Type::UUID,
    Type::UUID,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::BOOL,
    Type::BOOL,
    Type::INT4,
    Type::INT4,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
];

async fn copy(
    tx: &Transaction<'_>,
    records: &[(&Batch, u64, &UsageRecord)],
) -> Result<(), StoreError> {
    let statement = tx.prepare_cached(COPY).await?;
    let sink = tx.copy_in(&statement).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for (batch, seq, it) in records {
        let tokens = &it.tokens;
        let fields: [&(dyn ToSql + Sync); 26] = [
            &row::to_time(it.started_at),
            &it.request.uuid(),
            &batch.proxy.uuid(),
            &batch.wal_id,
            &row::signed(*seq),
            &it.key.uuid(),
            &it.team.map(TeamId::uuid),
            &it.account.uuid(),
            &it.provider.as_str(),
            &storable(&it.alias),
            &storable(&it.model),
            &it.dialect.as_str(),
            &it.operation.as_str(),
            &it.outcome.as_str(),
            &it.streamed,
            &it.estimated,
            &i32::from(it.status),
            &i32::try_from(it.attempts).unwrap_or(i32::MAX),
            &row::signed(it.duration_ms),
            &it.ttft_ms.map(row::signed),
            &row::signed(tokens.input),
            &row::signed(tokens.cached_input),
            &row::signed(tokens.cache_write),
            &row::signed(tokens.output),
            &row::signed(tokens.reasoning),
            &row::signed(it.revision),
        ];
        writer.as_mut().write(&fields).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// A caller's text as Postgres can hold it: without NUL, and not endless. One odd record
/// must not keep all that follow it out of the books.
fn storable(text: &str) -> Cow<'_, str> {
    let end = text.floor_char_boundary(MAX_TEXT_LEN);
    let text = text.get(..end).unwrap_or("");
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_storable_and_stays_text() {
        assert_eq!(storable("gpt-4o"), "gpt-4o");
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        assert!(storable(&"é".repeat(1_000)).len() <= MAX_TEXT_LEN);
    }
}
