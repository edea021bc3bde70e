//! Usage records.

use super::{
    Invalid,
    catalog::{dialect_from, dialect_to, operation_from, operation_to},
    uuid_from,
};
use crate::{admin, sync::v1};
use domain::{
    id::{AccountId, KeyId, RequestId, TeamId},
    time::Timestamp,
    tokens::Tokens,
    usage::{Outcome, UsageRecord},
};
use uuid::Uuid;

/// Token counts for the wire.
pub const fn tokens_to(tokens: &Tokens) -> admin::v1::TokenCounts {
    admin::v1::TokenCounts {
        input: tokens.input,
        cached_input: tokens.cached_input,
        cache_write: tokens.cache_write,
        output: tokens.output,
        reasoning: tokens.reasoning,
    }
}

/// A usage record for the wire.
pub fn record_to(record: &UsageRecord) -> v1::UsageRecord {
    let bytes = |it: Uuid| it.as_bytes().to_vec();
    v1::UsageRecord {
        request_id: bytes(record.request.uuid()),
        started_unix_ms: record.started_at.unix_ms(),
        duration_ms: record.duration_ms,
        ttft_ms: record.ttft_ms,
        key_id: bytes(record.key.uuid()),
        team_id: record.team.map(|it| bytes(it.uuid())).unwrap_or_default(),
        alias: record.alias.clone(),
        model: record.model.clone(),
        account_id: bytes(record.account.uuid()),
        provider: record.provider.to_string(),
        dialect: dialect_to(record.dialect).into(),
        operation: operation_to(record.operation).into(),
        streamed: record.streamed,
        status: u32::from(record.status),
        outcome: outcome_to(record.outcome).into(),
        tokens: Some(tokens_to(&record.tokens)),
        estimated: record.estimated,
        attempts: record.attempts,
        revision: record.revision,
    }
}

/// A usage record of the wire.
///
/// # Errors
/// The first field that is wrong.
pub fn record_from(wire: v1::UsageRecord) -> Result<UsageRecord, Invalid> {
    let tokens = wire.tokens.unwrap_or_default();
    let team = (!wire.team_id.is_empty()).then(|| uuid_from("team_id", &wire.team_id));
    Ok(UsageRecord {
        request: RequestId::from_uuid(Uuid::from_bytes(uuid_from("request_id", &wire.request_id)?)),
        started_at: Timestamp::from_unix_ms(wire.started_unix_ms),
        duration_ms: wire.duration_ms,
        ttft_ms: wire.ttft_ms,
        key: KeyId::from_uuid(Uuid::from_bytes(uuid_from("key_id", &wire.key_id)?)),
        team: team.transpose()?.map(|it| TeamId::from_uuid(Uuid::from_bytes(it))),
        alias: wire.alias,
        model: wire.model,
        account: AccountId::from_uuid(Uuid::from_bytes(uuid_from("account_id", &wire.account_id)?)),
        provider: wire.provider.parse().map_err(|error| Invalid::new("provider", error))?,
        dialect: dialect_from("dialect", wire.dialect)?,
        operation: operation_from("operation", wire.operation)?,
        streamed: wire.streamed,
        status: u16::try_from(wire.status).map_err(|error| Invalid::new("status", error))?,
        outcome: outcome_from(wire.outcome)?,
        tokens: Tokens {
            input: tokens.input,
            cached_input: tokens.cached_input,
            cache_write: tokens.cache_write,
            output: tokens.output,
            reasoning: tokens.reasoning,
        },
        estimated: wire.estimated,
        attempts: wire.attempts,
        revision: wire.revision,
    })
}

const fn outcome_to(outcome: Outcome) -> v1::Outcome {
    match outcome {
        Outcome::Complete => v1::Outcome::Complete,
        Outcome::UpstreamError => v1::Outcome::UpstreamError,
        Outcome::Truncated => v1::Outcome::Truncated,
        Outcome::CallerGone => v1::Outcome::CallerGone,
        Outcome::Interrupted => v1::Outcome::Interrupted,
    }
}

fn outcome_from(outcome: i32) -> Result<Outcome, Invalid> {
    match v1::Outcome::try_from(outcome) {
        Ok(v1::Outcome::Complete) => Ok(Outcome::Complete),
        Ok(v1::Outcome::UpstreamError) => Ok(Outcome::UpstreamError),
        Ok(v1::Outcome::Truncated) => Ok(Outcome::Truncated),
        Ok(v1::Outcome::CallerGone) => Ok(Outcome::CallerGone),
        Ok(v1::Outcome::Interrupted) => Ok(Outcome::Interrupted),
        Ok(v1::Outcome::Unspecified) | Err(_) => {
            Err(Invalid::new("outcome", format!("{outcome} is not a known outcome")))
        }
    }
}
