//! The ledger of windows: how much of each calendar window or grant has been handed out.
//!
//! The row is what makes a window safe: whatever dies or is said twice, no more than its
//! total is ever drawn. Amounts are in thousandths of a limit's unit.

use super::{Claim, Store, StoreError, is_valid, row, tx};
use deadpool_postgres::Transaction;
use domain::{id::LimitId, time::Timestamp};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

/// How long a window is kept after its end, in days: for who asks what became of it.
const KEPT_DAYS: i32 = 35;

/// One window of one limit between two of its resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The limit.
    pub limit: LimitId,
    /// Its generation.
    pub generation: u32,
    /// The window's start, in seconds since the Unix epoch; 0 for a grant.
    pub start: i64,
}

/// What is wanted of a window's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowOrder {
    /// Which.
    pub key: WindowKey,
    /// What the window holds in all.
    pub total_milli: u64,
    /// When it ends; `None`: never.
    pub ends_at: Option<Timestamp>,
    /// To be drawn, as far as it is there.
    pub want_milli: u64,
    /// Drawn before and not used.
    pub back_milli: u64,
    /// Used without having been drawn; counted even beyond the total.
    pub owe_milli: u64,
}

/// A window's row after an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowState {
    /// What was drawn.
    pub got_milli: u64,
    /// Drawn and not put back.
    pub granted_milli: u64,
}

impl Store {
    /// Carries out orders, at most one for each window, all or none. `None`: the claim is
    /// void and nothing was done.
    ///
    /// # Errors
    /// When the database fails. What was ordered may then be done or not.
    pub async fn order_windows(
        &self,
        claim: Claim,
        orders: &[WindowOrder],
    ) -> Result<Option<BTreeMap<WindowKey, WindowState>>, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        if !is_valid(&tx, claim).await? {
            return Ok(None);
        }
        let columns = Columns::of(orders);
        columns.open(&tx).await?;
        // From here to the commit the rows are ours, so that what is drawn is the difference.
        let before = columns.lock(&tx).await?;
        let after = columns.update(&tx).await?;
        tx.commit().await?;
        let states = orders.iter().map(|order| {
            let missing = || StoreError::corrupt("window_ledger lost a row");
            let (granted, _) = before.get(&order.key).ok_or_else(missing)?;
            let (now_granted, now_returned) = after.get(&order.key).ok_or_else(missing)?;
            let drawn = now_granted.saturating_sub(*granted);
            let state = WindowState {
                got_milli: drawn.saturating_sub(bounded(order.owe_milli).unsigned_abs()),
                granted_milli: now_granted.saturating_sub(*now_returned),
            };
            Ok((order.key, state))
        });
        states.collect::<Result<_, StoreError>>().map(Some)
    }

    /// What is drawn of windows and not put back, in thousandths; of those that were ever
    /// drawn from.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_windows(
        &self,
        keys: &[WindowKey],
    ) -> Result<BTreeMap<WindowKey, u64>, StoreError> {
        let sql = "-- read_windows
            SELECT limit_id, generation, window_start, granted_milli, returned_milli
            FROM window_ledger WHERE (limit_id, generation, window_start) IN (
                SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[]))";
        let limits: Vec<_> = keys.iter().map(|it| it.limit.uuid()).collect();
        let generations: Vec<_> = keys.iter().map(|it| generation(*it)).collect();
        let starts: Vec<_> = keys.iter().map(|it| it.start).collect();
        let rows = states(&self.rows(sql, &[&limits, &generations, &starts]).await?)?;
        let out = |(granted, returned): (u64, u64)| granted.saturating_sub(returned);
        Ok(rows.into_iter().map(|(key, row)| (key, out(row))).collect())
    }

    /// Removes windows that ended long ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_windows(&self) -> Result<(), StoreError> {
        let sql = "-- forget_windows
            DELETE FROM window_ledger WHERE ends_at < now() - make_interval(days => $1)";
        self.rows(sql, &[&KEPT_DAYS]).await?;
        Ok(())
    }
}

/// Orders by column, as `unnest` takes them.
struct Columns {
    limits: Vec<Uuid>,
    generations: Vec<i32>,
    starts: Vec<i64>,
    totals: Vec<i64>,
    ends: Vec<Option<OffsetDateTime>>,
    wants: Vec<i64>,
    backs: Vec<i64>,
    owes: Vec<i64>,
}

/// By key: drawn and put back, both in all.
type Rows = BTreeMap<WindowKey, (u64, u64)>;

impl Columns {
    fn of(orders: &[WindowOrder]) -> Self {
        let amounts =
            |of: fn(&WindowOrder) -> u64| orders.iter().map(|it| bounded(of(it))).collect();
        Self {
            limits: orders.iter().map(|it| it.key.limit.uuid()).collect(),
            generations: orders.iter().map(|it| generation(it.key)).collect(),
            starts: orders.iter().map(|it| it.key.start).collect(),
            totals: amounts(|it| it.total_milli),
            ends: orders.iter().map(|it| it.ends_at.map(row::to_time)).collect(),
            wants: amounts(|it| it.want_milli),
            backs: amounts(|it| it.back_milli),
            owes: amounts(|it| it.owe_milli),
        }
    }

    async fn open(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let sql = "-- open_windows
            INSERT INTO window_ledger (limit_id, generation, window_start, granted_milli,
                returned_milli, total_milli, ends_at)
            SELECT limit_id, generation, start, 0, 0, total, coalesce(ends_at, 'infinity')
            FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::timestamptz[])
                AS it (limit_id, generation, start, total, ends_at)
            ORDER BY limit_id, generation, start
            ON CONFLICT (limit_id, generation, window_start) DO NOTHING";
        let params: tx::Params<'_> =
            &[&self.limits, &self.generations, &self.starts, &self.totals, &self.ends];
        tx::execute(tx, sql, params).await?;
        Ok(())
    }

    async fn lock(&self, tx: &Transaction<'_>) -> Result<Rows, StoreError> {
        let sql = "-- lock_windows
            SELECT limit_id, generation, window_start, granted_milli, returned_milli
            FROM window_ledger WHERE (limit_id, generation, window_start) IN (
                SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[]))
            ORDER BY limit_id, generation, window_start FOR UPDATE";
        let params: tx::Params<'_> = &[&self.limits, &self.generations, &self.starts];
        states(&tx::rows(tx, sql, params).await?)
    }

    async fn update(&self, tx: &Transaction<'_>) -> Result<Rows, StoreError> {
        let sql = "-- order_windows
            UPDATE window_ledger AS w SET
                granted_milli = w.granted_milli + it.owe
                    + greatest(0, least(it.want, it.total - (w.granted_milli - w.returned_milli) - it.owe)),
                returned_milli = w.returned_milli
                    + least(it.back, w.granted_milli - w.returned_milli),
                total_milli = it.total,
                ends_at = coalesce(it.ends_at, 'infinity')
            FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::timestamptz[],
                    $6::bigint[], $7::bigint[], $8::bigint[])
                AS it (limit_id, generation, start, total, ends_at, want, back, owe)
            WHERE w.limit_id = it.limit_id AND w.generation = it.generation
              AND w.window_start = it.start
            RETURNING w.limit_id, w.generation, w.window_start, w.granted_milli, w.returned_milli";
        let params: tx::Params<'_> = &[
            &self.limits,
            &self.generations,
            &self.starts,
            &self.totals,
            &self.ends,
            &self.wants,
            &self.backs,
            &self.owes,
        ];
        states(&tx::rows(tx, sql, params).await?)
    }
}

fn states(rows: &[Row]) -> Result<Rows, StoreError> {
    let state = |it: &Row| {
        let generation: i32 = row::column(it, "generation")?;
        let key = WindowKey {
            limit: LimitId::from_uuid(row::column(it, "limit_id")?),
            generation: generation.unsigned_abs(),
            start: row::column(it, "window_start")?,
        };
        Ok((key, (row::unsigned(it, "granted_milli")?, row::unsigned(it, "returned_milli")?)))
    };
    rows.iter().map(state).collect()
}

/// Sums of a few of these stay within a bigint.
fn bounded(milli: u64) -> i64 {
    i64::try_from(milli).unwrap_or(i64::MAX).min(i64::MAX / 8)
}

fn generation(key: WindowKey) -> i32 {
    i32::try_from(key.generation).unwrap_or(i32::MAX)
}
