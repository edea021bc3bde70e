//! What a leader that ended as planned leaves to the next one: written with the very
//! statement that lets the row go, and read by who takes it, once.

use super::{Claim, StoreError, columns, row, tx};
use deadpool_postgres::Transaction;
use domain::{
    id::LimitId,
    limit::{Holder, LeaseOf, lease::leader::Estate},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Leaves an estate, and makes its holders the only ones who are recorded: nobody else has
/// anything. The row has to be the claim's.
pub(super) async fn leave(
    tx: &Transaction<'_>,
    claim: Claim,
    estate: &Estate,
) -> Result<(), StoreError> {
    let holders: Vec<_> = estate.holders.iter().copied().collect();
    let (proxies, boots) = columns(&holders);
    let epoch = row::signed(claim.epoch);
    let forget = "-- leave_quota_holders
        DELETE FROM quota_holder
        WHERE (proxy_id, boot_id) NOT IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))";
    tx::execute(tx, forget, &[&proxies, &boots]).await?;
    let record = "-- record_quota_holders
        INSERT INTO quota_holder (proxy_id, boot_id, epoch)
        SELECT proxy_id, boot_id, $3::bigint
        FROM unnest($1::uuid[], $2::uuid[]) AS it (proxy_id, boot_id)
        ON CONFLICT (proxy_id, boot_id) DO UPDATE SET epoch = excluded.epoch";
    tx::execute(tx, record, &[&proxies, &boots, &epoch]).await?;
    let limits: Vec<_> = estate.levels.keys().map(|it| it.limit.uuid()).collect();
    let generations: Vec<_> = estate.levels.keys().map(|it| i64::from(it.generation)).collect();
    let levels: Vec<_> = estate.levels.values().copied().collect();
    let others = estate.others_empty_us.map(row::signed);
    let leave = "-- leave_quota_estate
        INSERT INTO quota_estate (epoch, limit_ids, generations, levels_milli, others_empty_us)
        VALUES ($1, $2, $3, $4, $5)";
    tx::execute(tx, leave, &[&epoch, &limits, &generations, &levels, &others]).await?;
    Ok(())
}

/// Takes what the leader of the epoch before `epoch` left to `holders`, who are all that
/// are recorded. What others have left is void.
pub(super) async fn take(
    tx: &Transaction<'_>,
    epoch: u64,
    holders: &BTreeSet<Holder>,
) -> Result<Option<Estate>, StoreError> {
    let sql = "-- take_quota_estate
        WITH gone AS (DELETE FROM quota_estate RETURNING *)
        SELECT * FROM gone WHERE epoch = $1";
    let before = row::signed(epoch.saturating_sub(1));
    let Some(found) = tx::row(tx, sql, &[&before]).await? else { return Ok(None) };
    let limits: Vec<Uuid> = row::column(&found, "limit_ids")?;
    let generations: Vec<i64> = row::column(&found, "generations")?;
    let levels: Vec<i64> = row::column(&found, "levels_milli")?;
    let of = |(limit, generation): (Uuid, i64)| {
        let generation = u32::try_from(generation).ok()?;
        Some(LeaseOf { limit: LimitId::from_uuid(limit), generation })
    };
    let levels = limits.into_iter().zip(generations).zip(levels);
    let levels = levels.filter_map(|(it, level)| Some((of(it)?, level))).collect();
    let others: Option<i64> = row::column(&found, "others_empty_us")?;
    let others_empty_us = others.map(|it| u64::try_from(it).unwrap_or(0));
    Ok(Some(Estate { holders: holders.clone(), levels, others_empty_us }))
}
