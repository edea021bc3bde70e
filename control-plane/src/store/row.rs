//! Rows to domain values and back. A row that this program would not have written is
//! [`StoreError::Corrupt`], named by its table and key.

use super::StoreError;
use domain::{
    catalog::{
        Account, AuthStyle, BaseUrl, ClientSettings, Dialect, Endpoint, Model, ModelId, Operation,
        Price, Provider, Quirk, Route, Settings, Target, Team, Tier, Translation, VirtualKey,
    },
    id::{AccountId, KeyId, TeamId},
    key::Fingerprint,
    pattern::Pattern,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt::Display, str::FromStr};
use time::OffsetDateTime;
use tokio_postgres::{
    Row,
    types::{FromSql, Json},
};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndpointRow {
    dialect: String,
    base_url: Option<String>,
    auth: AuthRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_cap_field: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    quirks: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthRow {
    Bearer,
    Header(String),
    None,
    Sigv4 { region: String, service: String },
    GoogleServiceAccount { scope: String },
    EntraClientCredentials { token_url: String, scope: String },
}

impl From<AuthRow> for AuthStyle {
    fn from(row: AuthRow) -> Self {
        match row {
            AuthRow::Bearer => Self::Bearer,
            AuthRow::Header(name) => Self::Header(name),
            AuthRow::None => Self::None,
            AuthRow::Sigv4 { region, service } => Self::SigV4 { region, service },
            AuthRow::GoogleServiceAccount { scope } => Self::GoogleServiceAccount { scope },
            AuthRow::EntraClientCredentials { token_url, scope } => {
                Self::EntraClientCredentials { token_url, scope }
            }
        }
    }
}

impl From<AuthStyle> for AuthRow {
    fn from(auth: AuthStyle) -> Self {
        match auth {
            AuthStyle::Bearer => Self::Bearer,
            AuthStyle::Header(name) => Self::Header(name),
            AuthStyle::None => Self::None,
            AuthStyle::SigV4 { region, service } => Self::Sigv4 { region, service },
            AuthStyle::GoogleServiceAccount { scope } => Self::GoogleServiceAccount { scope },
            AuthStyle::EntraClientCredentials { token_url, scope } => {
                Self::EntraClientCredentials { token_url, scope }
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BaseUrlRow {
    dialect: String,
    url: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TierRow {
    targets: Vec<TargetRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TargetRow {
    account: String,
    model: Option<String>,
    weight: u32,
}

/// A column of a row.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StoreError> {
    row.try_get(name).map_err(|error| {
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        StoreError::corrupt(format!("column {name}: {why}"))
    })
}

/// A column of text that has to parse.
pub(super) fn parsed<T: FromStr<Err: Display>>(row: &Row, name: &str) -> Result<T, StoreError> {
    parse(column::<&str>(row, name)?, name)
}

fn parse<T: FromStr<Err: Display>>(text: &str, name: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| StoreError::corrupt(format!("column {name}: {error}")))
}

/// A column of a number that is never negative.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &Row, name: &str) -> Result<T, StoreError> {
    let number: i64 = column(row, name)?;
    T::try_from(number).map_err(|_| StoreError::corrupt(format!("column {name}: {number}")))
}

/// The same, of a column that may be null.
pub(super) fn maybe_unsigned<T: TryFrom<i64>>(
    row: &Row,
    name: &str,
) -> Result<Option<T>, StoreError> {
    match column::<Option<i64>>(row, name)? {
        None => Ok(None),
        Some(_) => unsigned(row, name).map(Some),
    }
}

/// A number for a bigint column. Nothing that is stored comes near its bound.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(row: &Row, name: &str) -> Result<Timestamp, StoreError> {
    Ok(from_time(column(row, name)?))
}

pub(super) fn from_time(time: OffsetDateTime) -> Timestamp {
    let ms = time.unix_timestamp_nanos().div_euclid(1_000_000);
    Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// What timestamptz and its driver can hold: the years 0 to 9999. Beyond, the nearest.
pub(super) fn to_time(at: Timestamp) -> OffsetDateTime {
    const EARLIEST_MS: i64 = -62_167_219_200_000;
    const LATEST_MS: i64 = 253_402_300_799_999;
    let ms = at.unix_ms().clamp(EARLIEST_MS, LATEST_MS);
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms).saturating_mul(1_000_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(super) fn dialect(text: &str) -> Result<Dialect, StoreError> {
    Dialect::ALL
        .into_iter()
        .find(|it| it.as_str() == text)
        .ok_or_else(|| StoreError::corrupt(format!("dialect `{text}`")))
}

fn quirk(text: &str) -> Result<Quirk, StoreError> {
    Quirk::parse(text).ok_or_else(|| StoreError::corrupt(format!("quirk `{text}`")))
}

pub(super) fn operation(text: &str) -> Result<Operation, StoreError> {
    Operation::ALL
        .into_iter()
        .find(|it| it.as_str() == text)
        .ok_or_else(|| StoreError::corrupt(format!("operation `{text}`")))
}

pub(super) fn patterns(row: &Row, name: &str) -> Result<Vec<Pattern>, StoreError> {
    column::<Vec<&str>>(row, name)?.into_iter().map(|it| parse(it, name)).collect()
}

pub(super) fn provider(row: &Row) -> Result<Provider, StoreError> {
    let Json(endpoints) = column::<Json<Vec<EndpointRow>>>(row, "endpoints")?;
    let endpoints = endpoints.into_iter().map(|it| {
        let (dialect, auth) = (dialect(&it.dialect)?, it.auth.into());
        let output_cap_field = it.output_cap_field;
        let quirks = it.quirks.iter().map(|it| quirk(it)).collect::<Result<_, _>>()?;
        Ok(Endpoint { dialect, base_url: it.base_url, auth, output_cap_field, quirks })
    });
    Ok(Provider {
        name: parsed(row, "name")?,
        title: column(row, "title")?,
        endpoints: endpoints.collect::<Result<_, StoreError>>()?,
        env_var: column(row, "env_var")?,
        model_patterns: patterns(row, "model_patterns")?,
        aggregator: column(row, "aggregator")?,
        docs_url: column(row, "docs_url")?,
        built_in: column(row, "built_in")?,
    })
}

pub(super) fn endpoint_rows(provider: &Provider) -> Json<Vec<EndpointRow>> {
    let endpoints = provider.endpoints.iter().map(|it| EndpointRow {
        dialect: it.dialect.as_str().to_owned(),
        base_url: it.base_url.clone(),
        auth: it.auth.clone().into(),
        output_cap_field: it.output_cap_field.clone(),
        quirks: it.quirks.iter().map(|it| it.to_string()).collect(),
    });
    Json(endpoints.collect())
}

/// An account without its secrets, which only a vault can open.
pub(super) fn account(row: &Row) -> Result<Account, StoreError> {
    let Json(base_urls) = column::<Json<Vec<BaseUrlRow>>>(row, "base_urls")?;
    let base_urls =
        base_urls.into_iter().map(|it| Ok(BaseUrl { dialect: dialect(&it.dialect)?, url: it.url }));
    let Json(extra_headers) = column::<Json<Vec<(String, String)>>>(row, "extra_headers")?;
    Ok(Account {
        id: AccountId::from_uuid(column(row, "id")?),
        name: parsed(row, "name")?,
        provider: parsed(row, "provider")?,
        credential: None,
        base_urls: base_urls.collect::<Result<_, StoreError>>()?,
        enabled: column(row, "enabled")?,
        client: ClientSettings {
            connect_timeout_ms: unsigned(row, "connect_timeout_ms")?,
            first_byte_timeout_ms: unsigned(row, "first_byte_timeout_ms")?,
            idle_timeout_ms: unsigned(row, "idle_timeout_ms")?,
            proxy: None,
            extra_headers,
            ask_stream_usage: column(row, "ask_stream_usage")?,
            keep_output_open: column(row, "keep_output_open")?,
        },
    })
}

pub(super) fn base_url_rows(account: &Account) -> Json<Vec<BaseUrlRow>> {
    let rows = account
        .base_urls
        .iter()
        .map(|it| BaseUrlRow { dialect: it.dialect.as_str().to_owned(), url: it.url.clone() });
    Json(rows.collect())
}

pub(super) fn model(row: &Row) -> Result<Model, StoreError> {
    let operations = column::<Vec<&str>>(row, "operations")?.into_iter().map(operation);
    Ok(Model {
        id: ModelId { provider: parsed(row, "provider")?, name: parsed(row, "name")? },
        operations: operations.collect::<Result<_, _>>()?,
        built_in: column(row, "built_in")?,
        price: price(row)?,
        max_output_tokens: maybe_unsigned(row, "max_output_tokens")?,
        context_tokens: maybe_unsigned(row, "context_tokens")?,
    })
}

/// All four prices of a model, or none.
fn price(row: &Row) -> Result<Option<Price>, StoreError> {
    let Some(input) = maybe_unsigned(row, "input_nanousd")? else { return Ok(None) };
    Ok(Some(Price {
        input,
        cached_input: unsigned(row, "cached_input_nanousd")?,
        cache_write: unsigned(row, "cache_write_nanousd")?,
        output: unsigned(row, "output_nanousd")?,
    }))
}

pub(super) fn route(row: &Row) -> Result<Route, StoreError> {
    let Json(tiers) = column::<Json<Vec<TierRow>>>(row, "tiers")?;
    let tiers = tiers.into_iter().map(|tier| {
        let targets = tier.targets.into_iter().map(|it| {
            Ok(Target {
                account: parse(&it.account, "tiers")?,
                model: it.model.map(|it| parse(&it, "tiers")).transpose()?,
                weight: it.weight,
            })
        });
        Ok(Tier { targets: targets.collect::<Result<_, StoreError>>()? })
    });
    Ok(Route {
        alias: parsed(row, "alias")?,
        tiers: tiers.collect::<Result<_, StoreError>>()?,
        enabled: column(row, "enabled")?,
        translation: translation(column(row, "translation")?)?,
    })
}

fn translation(text: &str) -> Result<Translation, StoreError> {
    Translation::parse(text).ok_or_else(|| StoreError::corrupt(format!("translation `{text}`")))
}

pub(super) fn tier_rows(route: &Route) -> Json<Vec<TierRow>> {
    let tiers = route.tiers.iter().map(|tier| TierRow {
        targets: tier
            .targets
            .iter()
            .map(|it| TargetRow {
                account: it.account.to_string(),
                model: it.model.as_ref().map(ToString::to_string),
                weight: it.weight,
            })
            .collect(),
    });
    Json(tiers.collect())
}

pub(super) fn team(row: &Row) -> Result<Team, StoreError> {
    Ok(Team {
        id: TeamId::from_uuid(column(row, "id")?),
        name: parsed(row, "name")?,
        description: column(row, "description")?,
    })
}

pub(super) fn key(row: &Row) -> Result<VirtualKey, StoreError> {
    let fingerprint = <[u8; 32]>::try_from(column::<&[u8]>(row, "fingerprint")?)
        .map_err(|_| StoreError::corrupt("column fingerprint: not 32 bytes"))?;
    Ok(VirtualKey {
        id: KeyId::from_uuid(column(row, "id")?),
        name: parsed(row, "name")?,
        team: column::<Option<Uuid>>(row, "team_id")?.map(TeamId::from_uuid),
        fingerprint: Fingerprint::from_bytes(fingerprint),
        pepper_version: unsigned(row, "pepper_version")?,
        hint: column(row, "hint")?,
        enabled: column(row, "enabled")?,
        expires_at: column::<Option<OffsetDateTime>>(row, "expires_at")?.map(from_time),
        allowed_models: patterns(row, "allowed_models")?,
    })
}

pub(super) fn settings(row: &Row) -> Result<Settings, StoreError> {
    Ok(Settings {
        max_attempts: unsigned(row, "max_attempts")?,
        attempt_deadline_ms: unsigned(row, "attempt_deadline_ms")?,
        reveal_route: column(row, "reveal_route")?,
        default_output_tokens: unsigned(row, "default_output_tokens")?,
        fallback_proxies: unsigned(row, "fallback_proxies")?,
        fetch_addresses: column(row, "fetch_addresses")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_and_the_far_ends_are_clamped() {
        for ms in [0, 1, -1, 1_700_000_000_123] {
            let at = Timestamp::from_unix_ms(ms);
            assert_eq!(from_time(to_time(at)), at);
        }
        assert_eq!(to_time(Timestamp::from_unix_ms(i64::MAX)).year(), 9999);
        assert_eq!(to_time(Timestamp::from_unix_ms(i64::MIN)).year(), 0);
    }
}
