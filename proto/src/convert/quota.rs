//! What a proxy and the leader say to each other about limits.

use super::{Invalid, uuid_from};
use crate::sync::v1;
use domain::{
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        budget::message::{ChunkEntry, ChunkGrant, WindowId},
        lease::message::{Entry, Grant, Held, Return},
        message::{Denied, Grants, Sync, Why},
    },
};
use uuid::Uuid;

/// What a holder says, for the wire.
pub fn sync_to(sync: &Sync) -> v1::QuotaSync {
    v1::QuotaSync {
        epoch: sync.epoch,
        number: sync.number,
        sent_us: sync.sent_us,
        whole: sync.whole,
        entries: sync.entries.iter().map(entry_to).collect(),
        chunks: sync.chunks.iter().map(chunk_entry_to).collect(),
        shard: 0,
    }
}

/// What a holder says, of the wire.
///
/// # Errors
/// The first field that is wrong.
pub fn sync_from(wire: v1::QuotaSync) -> Result<Sync, Invalid> {
    one_shard(wire.shard)?;
    Ok(Sync {
        epoch: wire.epoch,
        number: wire.number,
        sent_us: wire.sent_us,
        whole: wire.whole,
        entries: wire.entries.into_iter().map(|it| entry_from(&it)).collect::<Result<_, _>>()?,
        chunks: wire
            .chunks
            .into_iter()
            .map(|it| chunk_entry_from(&it))
            .collect::<Result<_, _>>()?,
    })
}

/// What the leader says, for the wire.
pub fn grants_to(grants: &Grants) -> v1::QuotaGrants {
    v1::QuotaGrants {
        epoch: grants.epoch,
        stamp_us: grants.stamp_us,
        reply_to_us: grants.reply_to_us,
        hello: grants.hello,
        ttl_us: grants.ttl_us,
        grants: grants.grants.iter().map(grant_to).collect(),
        chunks: grants.chunks.iter().map(chunk_grant_to).collect(),
        shard: 0,
    }
}

/// What the leader says, of the wire.
///
/// # Errors
/// The first field that is wrong.
pub fn grants_from(wire: v1::QuotaGrants) -> Result<Grants, Invalid> {
    one_shard(wire.shard)?;
    Ok(Grants {
        epoch: wire.epoch,
        stamp_us: wire.stamp_us,
        reply_to_us: wire.reply_to_us,
        hello: wire.hello,
        ttl_us: wire.ttl_us,
        grants: wire.grants.into_iter().map(|it| grant_from(&it)).collect::<Result<_, _>>()?,
        chunks: wire
            .chunks
            .into_iter()
            .map(|it| chunk_grant_from(&it))
            .collect::<Result<_, _>>()?,
    })
}

/// One run of a proxy, for the wire.
pub fn holder_to(holder: Holder) -> v1::QuotaHolder {
    v1::QuotaHolder {
        proxy_id: holder.proxy.uuid().as_bytes().to_vec(),
        boot_id: holder.boot.as_bytes().to_vec(),
    }
}

/// One run of a proxy, of the wire.
///
/// # Errors
/// The first field that is wrong.
pub fn holder_from(wire: &v1::QuotaHolder) -> Result<Holder, Invalid> {
    let proxy = Uuid::from_bytes(uuid_from("proxy_id", &wire.proxy_id)?);
    let boot = Uuid::from_bytes(uuid_from("boot_id", &wire.boot_id)?);
    Ok(Holder { proxy: ProxyId::from_uuid(proxy), boot })
}

fn one_shard(shard: u32) -> Result<(), Invalid> {
    if shard == 0 {
        return Ok(());
    }
    Err(Invalid::new("shard", format!("{shard} is not known here: there is one leader")))
}

fn of_to(of: LeaseOf) -> v1::LeaseOf {
    v1::LeaseOf { limit: of.limit.uuid().as_bytes().to_vec(), generation: of.generation }
}

fn of_from(wire: Option<&v1::LeaseOf>) -> Result<LeaseOf, Invalid> {
    let wire = wire.ok_or_else(|| Invalid::new("of", "is missing"))?;
    let limit = LimitId::from_uuid(Uuid::from_bytes(uuid_from("of.limit", &wire.limit)?));
    Ok(LeaseOf { limit, generation: wire.generation })
}

fn entry_to(entry: &Entry) -> v1::LeaseEntry {
    v1::LeaseEntry {
        of: Some(of_to(entry.of)),
        incarnation: entry.incarnation,
        held: entry.held.map(|it| v1::HeldLease {
            seq: it.seq,
            level_milli: it.level_milli,
            rate_nano: it.rate_nano,
            cap_milli: it.cap_milli,
            left_us: it.left_us,
            surplus_milli: it.surplus_milli,
        }),
        demand_milli_per_s: entry.demand_milli_per_s,
        largest_milli: entry.largest_milli,
        spent_milli: entry.spent_milli,
        reserved_milli: entry.reserved_milli,
        denied: entry.denied,
        need_milli: entry.need_milli,
        least_milli: entry.least_milli,
        returned: entry
            .returned
            .iter()
            .map(|it| v1::LeaseReturn { since_us: it.since_us, unused_milli: it.unused_milli })
            .collect(),
        release: entry.release,
    }
}

fn entry_from(wire: &v1::LeaseEntry) -> Result<Entry, Invalid> {
    Ok(Entry {
        of: of_from(wire.of.as_ref())?,
        incarnation: wire.incarnation,
        held: wire.held.as_ref().map(|it| Held {
            seq: it.seq,
            level_milli: it.level_milli,
            rate_nano: it.rate_nano,
            cap_milli: it.cap_milli,
            left_us: it.left_us,
            surplus_milli: it.surplus_milli,
        }),
        demand_milli_per_s: wire.demand_milli_per_s,
        largest_milli: wire.largest_milli,
        spent_milli: wire.spent_milli,
        reserved_milli: wire.reserved_milli,
        denied: wire.denied,
        need_milli: wire.need_milli,
        least_milli: wire.least_milli,
        returned: wire
            .returned
            .iter()
            .map(|it| Return { since_us: it.since_us, unused_milli: it.unused_milli })
            .collect(),
        release: wire.release,
    })
}

fn chunk_entry_to(entry: &ChunkEntry) -> v1::ChunkEntry {
    v1::ChunkEntry {
        of: Some(of_to(entry.of)),
        window: entry.window.map(|it| it.0),
        seq: entry.seq,
        level_milli: entry.level_milli,
        reserved_milli: entry.reserved_milli,
        spent_milli: entry.spent_milli,
        denied: entry.denied,
        demand_milli_per_s: entry.demand_milli_per_s,
        need_milli: entry.need_milli,
        least_milli: entry.least_milli,
        give_back_seq: entry.give_back_seq,
        give_back_milli: entry.give_back_milli,
        owed_milli: entry.owed_milli,
    }
}

fn chunk_entry_from(wire: &v1::ChunkEntry) -> Result<ChunkEntry, Invalid> {
    Ok(ChunkEntry {
        of: of_from(wire.of.as_ref())?,
        window: wire.window.map(WindowId),
        seq: wire.seq,
        level_milli: wire.level_milli,
        reserved_milli: wire.reserved_milli,
        spent_milli: wire.spent_milli,
        denied: wire.denied,
        demand_milli_per_s: wire.demand_milli_per_s,
        need_milli: wire.need_milli,
        least_milli: wire.least_milli,
        give_back_seq: wire.give_back_seq,
        give_back_milli: wire.give_back_milli,
        owed_milli: wire.owed_milli,
    })
}

fn grant_to(grant: &Grant) -> v1::LeaseGrant {
    v1::LeaseGrant {
        of: Some(of_to(grant.of)),
        incarnation: grant.incarnation,
        seq: grant.seq,
        rate_nano: grant.rate_nano,
        cap_milli: grant.cap_milli,
        credit_milli: grant.credit_milli,
        reset: grant.reset,
        denied: grant.denied.map(denied_to),
        free_milli: grant.free_milli,
        used_ppm: grant.used_ppm,
    }
}

fn grant_from(wire: &v1::LeaseGrant) -> Result<Grant, Invalid> {
    Ok(Grant {
        of: of_from(wire.of.as_ref())?,
        incarnation: wire.incarnation,
        seq: wire.seq,
        rate_nano: wire.rate_nano,
        cap_milli: wire.cap_milli,
        credit_milli: wire.credit_milli,
        reset: wire.reset,
        denied: wire.denied.map(denied_from).transpose()?,
        free_milli: wire.free_milli,
        used_ppm: wire.used_ppm,
    })
}

fn chunk_grant_to(grant: &ChunkGrant) -> v1::ChunkGrant {
    v1::ChunkGrant {
        of: Some(of_to(grant.of)),
        window: grant.window.0,
        left_us: grant.left_us,
        seq: grant.seq,
        credit_milli: grant.credit_milli,
        denied: grant.denied.map(denied_to),
        call_in: grant.call_in,
        call_in_milli: grant.call_in_milli,
        free_milli: grant.free_milli,
        used_ppm: grant.used_ppm,
    }
}

fn chunk_grant_from(wire: &v1::ChunkGrant) -> Result<ChunkGrant, Invalid> {
    Ok(ChunkGrant {
        of: of_from(wire.of.as_ref())?,
        window: WindowId(wire.window),
        left_us: wire.left_us,
        seq: wire.seq,
        credit_milli: wire.credit_milli,
        denied: wire.denied.map(denied_from).transpose()?,
        call_in: wire.call_in,
        call_in_milli: wire.call_in_milli,
        free_milli: wire.free_milli,
        used_ppm: wire.used_ppm,
    })
}

fn denied_to(denied: Denied) -> v1::QuotaDenied {
    let reason = match denied.why {
        Why::Exhausted => v1::QuotaDeniedReason::Exhausted,
        Why::Moving => v1::QuotaDeniedReason::Moving,
        Why::Learning => v1::QuotaDeniedReason::Learning,
        Why::Unknown => v1::QuotaDeniedReason::Unknown,
        Why::Unavailable => v1::QuotaDeniedReason::Unavailable,
    };
    v1::QuotaDenied { retry_us: denied.retry_us, reason: reason.into() }
}

fn denied_from(wire: v1::QuotaDenied) -> Result<Denied, Invalid> {
    let why = match v1::QuotaDeniedReason::try_from(wire.reason) {
        Ok(v1::QuotaDeniedReason::Exhausted) => Why::Exhausted,
        Ok(v1::QuotaDeniedReason::Moving) => Why::Moving,
        Ok(v1::QuotaDeniedReason::Learning) => Why::Learning,
        Ok(v1::QuotaDeniedReason::Unknown) => Why::Unknown,
        // A reason of a later version: one bad word must not cost the whole message.
        Ok(v1::QuotaDeniedReason::Unavailable) | Err(_) => Why::Unavailable,
        Ok(v1::QuotaDeniedReason::Unspecified) => {
            return Err(Invalid::new("denied.reason", "is missing"));
        }
    };
    Ok(Denied { retry_us: wire.retry_us, why })
}

#[cfg(test)]
mod tests;
