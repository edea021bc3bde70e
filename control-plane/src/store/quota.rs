//! Who lends limits, and to whom: one row with an epoch, and the holders of leases.
//!
//! Every write of a leader names its epoch and is void once another one has taken the row,
//! so that a leader that was asleep cannot write into the books of its successor.

mod estate;
mod window;

pub use window::{WindowKey, WindowOrder, WindowState};

use super::{Store, StoreError, row, tx};
use deadpool_postgres::Transaction;
use domain::{
    id::ProxyId,
    limit::{Holder, lease::leader::Estate},
    time::Timestamp,
};
use std::{collections::BTreeSet, time::Duration};
use tokio_postgres::Row;
use uuid::Uuid;

/// Who lends, as the row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaLeader {
    /// The run of a control plane.
    pub holder: Uuid,
    /// The count of leaders.
    pub epoch: u64,
    /// Where other control planes reach it; empty: nowhere.
    pub address: String,
    /// When it became the leader.
    pub since: Timestamp,
    /// Whether its time is not over.
    pub current: bool,
}

/// A leader's claim to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The run of a control plane.
    pub holder: Uuid,
    /// Its count.
    pub epoch: u64,
}

/// The row was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The new epoch.
    pub epoch: u64,
    /// When the row was taken.
    pub since: Timestamp,
    /// To whom those before have lent, as far as it is recorded.
    pub recorded: BTreeSet<Holder>,
    /// What the one before left, if it ended as planned. To be used once.
    pub estate: Option<Estate>,
}

impl Store {
    /// Takes the row if its holder's time is over. `beyond` is an epoch that somebody has
    /// seen: the new one is greater, whatever the row says (a backup may have been restored).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_quota_lead(
        &self,
        holder: Uuid,
        address: &str,
        time: Duration,
        beyond: u64,
    ) -> Result<Option<Taken>, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let open = "-- open_quota_leader
            INSERT INTO quota_leader (id, holder, epoch, address, expires_at, since)
            VALUES (1, $1, 0, '', to_timestamp(0), now()) ON CONFLICT (id) DO NOTHING";
        tx::execute(&tx, open, &[&holder]).await?;
        let take = "-- take_quota_lead
            UPDATE quota_leader
            SET holder = $1, epoch = greatest(epoch, $4) + 1, address = $2,
                expires_at = now() + $3::bigint * interval '1 millisecond', since = now()
            WHERE id = 1 AND expires_at < now() RETURNING epoch, since";
        let time = row::signed(millis(time));
        let taken = tx::row(&tx, take, &[&holder, &address, &time, &row::signed(beyond)]).await?;
        let Some(taken) = taken else { return Ok(None) };
        let epoch = row::unsigned(&taken, "epoch")?;
        let recorded = holders(&tx).await?;
        let estate = estate::take(&tx, epoch, &recorded).await?;
        tx.commit().await?;
        Ok(Some(Taken { epoch, since: row::timestamp(&taken, "since")?, recorded, estate }))
    }

    /// Gives a leader more time. False: it is the leader no longer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_quota_lead(&self, claim: Claim, time: Duration) -> Result<bool, StoreError> {
        let sql = "-- renew_quota_lead
            UPDATE quota_leader SET expires_at = now() + $3::bigint * interval '1 millisecond'
            WHERE id = 1 AND holder = $1 AND epoch = $2 RETURNING epoch";
        let time = row::signed(millis(time));
        let epoch = row::signed(claim.epoch);
        Ok(self.row(sql, &[&claim.holder, &epoch, &time]).await?.is_some())
    }

    /// Lets the row go, so that another may take it at once. Whoever calls this lends no
    /// more, and has recorded every holder, or leaves an estate, in which they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up_quota_lead(
        &self,
        claim: Claim,
        estate: Option<&Estate>,
    ) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let sql = "-- give_up_quota_lead
            UPDATE quota_leader SET expires_at = to_timestamp(0)
            WHERE id = 1 AND holder = $1 AND epoch = $2 AND expires_at > to_timestamp(0)";
        let given_up = tx::execute(&tx, sql, &[&claim.holder, &row::signed(claim.epoch)]).await?;
        if given_up == 1
            && let Some(estate) = estate
        {
            estate::leave(&tx, claim, estate).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Who lends; `None`: nobody ever did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quota_leader(&self) -> Result<Option<QuotaLeader>, StoreError> {
        let sql = "-- quota_leader
            SELECT holder, epoch, address, since, expires_at >= now() AS current
            FROM quota_leader WHERE id = 1 AND epoch > 0";
        self.row(sql, &[]).await?.as_ref().map(leader).transpose()
    }

    /// Records holders before they are lent anything. False: the claim is void, and nothing
    /// may be lent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_quota_holders(
        &self,
        claim: Claim,
        holders: &[Holder],
    ) -> Result<bool, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        if !is_valid(&tx, claim).await? {
            return Ok(false);
        }
        let (proxies, boots) = columns(holders);
        let sql = "-- record_quota_holders
            INSERT INTO quota_holder (proxy_id, boot_id, epoch)
            SELECT DISTINCT proxy_id, boot_id, $3::bigint
            FROM unnest($1::uuid[], $2::uuid[]) AS it (proxy_id, boot_id)
            ON CONFLICT (proxy_id, boot_id) DO UPDATE SET epoch = excluded.epoch";
        tx::execute(&tx, sql, &[&proxies, &boots, &row::signed(claim.epoch)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets holders whose leases are over for certain: these, and those whom no leader
    /// from `claim` on has recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_quota_holders(
        &self,
        claim: Claim,
        holders: &[Holder],
        earlier: bool,
    ) -> Result<bool, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        if !is_valid(&tx, claim).await? {
            return Ok(false);
        }
        let (proxies, boots) = columns(holders);
        let sql = "-- forget_quota_holders
            DELETE FROM quota_holder
            WHERE (proxy_id, boot_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
               OR ($4 AND epoch < $3)";
        tx::execute(&tx, sql, &[&proxies, &boots, &row::signed(claim.epoch), &earlier]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Whether the claim is the newest one. To the end of the transaction nobody takes the row.
async fn is_valid(tx: &Transaction<'_>, claim: Claim) -> Result<bool, StoreError> {
    let sql = "-- quota_claim
        SELECT epoch FROM quota_leader WHERE id = 1 AND holder = $1 AND epoch = $2 FOR SHARE";
    let found = tx::row(tx, sql, &[&claim.holder, &row::signed(claim.epoch)]).await?;
    Ok(found.is_some())
}

async fn holders(tx: &Transaction<'_>) -> Result<BTreeSet<Holder>, StoreError> {
    let sql = "-- quota_holders\nSELECT proxy_id, boot_id FROM quota_holder";
    let holder = |it: &Row| {
        Ok(Holder {
            proxy: ProxyId::from_uuid(row::column(it, "proxy_id")?),
            boot: row::column(it, "boot_id")?,
        })
    };
    tx::rows(tx, sql, &[]).await?.iter().map(holder).collect()
}

fn leader(found: &Row) -> Result<QuotaLeader, StoreError> {
    Ok(QuotaLeader {
        holder: row::column(found, "holder")?,
        epoch: row::unsigned(found, "epoch")?,
        address: row::column(found, "address")?,
        since: row::timestamp(found, "since")?,
        current: row::column(found, "current")?,
    })
}

fn columns(holders: &[Holder]) -> (Vec<Uuid>, Vec<Uuid>) {
    holders.iter().map(|it| (it.proxy.uuid(), it.boot)).unzip()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
