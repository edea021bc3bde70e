//! The catalog's rows: what changed since a revision, and how an edit is written.

use super::{
    StoreError, limits, row,
    tx::{Params, execute, rows},
};
use crate::vault::{Place, Vault, VaultError};
use deadpool_postgres::Transaction;
use domain::{
    catalog::{Account, Edit, Model, Provider, Settings},
    id::{AccountId, KeyId, LimitId, TeamId},
    key::Pepper,
    secret::Secret,
};
use std::sync::Arc;
use tokio_postgres::Row;

const PROVIDERS: &str = "-- providers_since\nSELECT * FROM provider WHERE revision > $1";
const ACCOUNTS: &str = "-- accounts_since\nSELECT * FROM account WHERE revision > $1";
const MODELS: &str = "-- models_since\nSELECT * FROM model WHERE revision > $1";
const ROUTES: &str = "-- routes_since\nSELECT * FROM route WHERE revision > $1";
const TEAMS: &str = "-- teams_since\nSELECT * FROM team WHERE revision > $1";
const KEYS: &str = "-- keys_since\nSELECT * FROM virtual_key WHERE revision > $1";
const PEPPERS: &str = "-- peppers_since\nSELECT * FROM pepper WHERE revision > $1";
const LIMITS: &str = "-- limits_since\nSELECT * FROM limit_rule WHERE revision > $1";
const SETTINGS: &str = "-- settings_since\nSELECT * FROM settings WHERE revision > $1";
const TOMBSTONES: &str = "-- tombstones_since\nSELECT kind, id FROM tombstone WHERE revision > $1";

const PUT_ACCOUNT: &str = "-- put_account
    INSERT INTO account (id, name, provider, sealed_credential, sealed_proxy,
        secret_version, revision, base_urls, enabled, connect_timeout_ms,
        first_byte_timeout_ms, idle_timeout_ms, extra_headers, ask_stream_usage, keep_output_open)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, provider = excluded.provider,
        sealed_credential = excluded.sealed_credential,
        sealed_proxy = excluded.sealed_proxy, secret_version = excluded.secret_version,
        revision = excluded.revision, base_urls = excluded.base_urls,
        enabled = excluded.enabled, connect_timeout_ms = excluded.connect_timeout_ms,
        first_byte_timeout_ms = excluded.first_byte_timeout_ms,
        idle_timeout_ms = excluded.idle_timeout_ms,
        extra_headers = excluded.extra_headers,
        ask_stream_usage = excluded.ask_stream_usage,
        keep_output_open = excluded.keep_output_open";

const PUT_MODEL: &str = "-- put_model
    INSERT INTO model (provider, name, operations, built_in, input_nanousd,
        cached_input_nanousd, cache_write_nanousd, output_nanousd, max_output_tokens,
        context_tokens, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (provider, name) DO UPDATE SET operations = excluded.operations,
        built_in = excluded.built_in, input_nanousd = excluded.input_nanousd,
        cached_input_nanousd = excluded.cached_input_nanousd,
        cache_write_nanousd = excluded.cache_write_nanousd,
        output_nanousd = excluded.output_nanousd,
        max_output_tokens = excluded.max_output_tokens,
        context_tokens = excluded.context_tokens, revision = excluded.revision";

/// What was written and removed after revision `after`, each item once; with -1, everything.
pub(super) async fn since(
    tx: &Transaction<'_>,
    vault: &Vault,
    after: i64,
) -> Result<Vec<Edit>, StoreError> {
    let mut edits = Vec::new();
    let mut take = |rows: Vec<Row>, read: &dyn Fn(&Row) -> Result<Edit, StoreError>| {
        edits.reserve(rows.len());
        rows.iter().try_for_each(|it| {
            edits.push(read(it)?);
            Ok::<_, StoreError>(())
        })
    };
    let since: Params<'_> = &[&after];
    take(rows(tx, PROVIDERS, since).await?, &|it| {
        Ok(Edit::PutProvider(Arc::new(row::provider(it)?)))
    })?;
    take(rows(tx, ACCOUNTS, since).await?, &|it| {
        Ok(Edit::PutAccount(Arc::new(open_account(vault, it)?)))
    })?;
    take(rows(tx, MODELS, since).await?, &|it| Ok(Edit::PutModel(Arc::new(row::model(it)?))))?;
    take(rows(tx, ROUTES, since).await?, &|it| Ok(Edit::PutRoute(Arc::new(row::route(it)?))))?;
    take(rows(tx, TEAMS, since).await?, &|it| Ok(Edit::PutTeam(Arc::new(row::team(it)?))))?;
    take(rows(tx, PEPPERS, since).await?, &|it| Ok(Edit::PutPepper(open_pepper(vault, it)?)))?;
    take(rows(tx, KEYS, since).await?, &|it| Ok(Edit::PutKey(Arc::new(row::key(it)?))))?;
    take(rows(tx, LIMITS, since).await?, &|it| Ok(Edit::PutLimit(Arc::new(limits::read(it)?))))?;
    take(rows(tx, SETTINGS, since).await?, &|it| Ok(Edit::PutSettings(row::settings(it)?)))?;
    if after >= 0 {
        take(rows(tx, TOMBSTONES, since).await?, &deleted)?;
    }
    Ok(edits)
}

fn deleted(row: &Row) -> Result<Edit, StoreError> {
    let kind: &str = row::column(row, "kind")?;
    let id: &str = row::column(row, "id")?;
    let edit = match kind {
        "provider" => id.parse().ok().map(Edit::DeleteProvider),
        "account" => id.parse::<AccountId>().ok().map(Edit::DeleteAccount),
        "model" => super::read::model_id(id).map(Edit::DeleteModel),
        "route" => id.parse().ok().map(Edit::DeleteRoute),
        "team" => id.parse::<TeamId>().ok().map(Edit::DeleteTeam),
        "key" => id.parse::<KeyId>().ok().map(Edit::DeleteKey),
        "limit" => id.parse::<LimitId>().ok().map(Edit::DeleteLimit),
        _ => None,
    };
    edit.ok_or_else(|| StoreError::corrupt(format!("tombstone of {kind} `{id}`")))
}

/// Where an account's secret lies.
pub(super) fn secret_place<'a>(row: &'a str, column: &'a str, version: u64) -> Place<'a> {
    Place { table: "account", row, column, version }
}

fn open_account(vault: &Vault, row: &Row) -> Result<Account, StoreError> {
    let mut account = row::account(row)?;
    let id = account.id.to_string();
    let version = row::unsigned(row, "secret_version")?;
    let open = |column: &str| -> Result<Option<Secret>, StoreError> {
        let Some(sealed) = row::column::<Option<&[u8]>>(row, column)? else { return Ok(None) };
        let plain = vault
            .open(&secret_place(&id, column, version), sealed)
            .map_err(|error| cannot_open(&format!("{column} of account `{id}`"), error))?;
        let text = std::str::from_utf8(&plain)
            .map_err(|_| StoreError::corrupt(format!("{column} of account `{id}`")))?;
        Ok(Some(Secret::new(text.to_owned())))
    };
    account.credential = open("sealed_credential")?;
    account.client.proxy = open("sealed_proxy")?;
    Ok(account)
}

fn open_pepper(vault: &Vault, row: &Row) -> Result<Pepper, StoreError> {
    let version: u32 = row::unsigned(row, "version")?;
    let id = version.to_string();
    let plain = vault
        .open(&pepper_place(&id), row::column(row, "sealed")?)
        .map_err(|error| cannot_open(&format!("pepper {id}"), error))?;
    let bytes = <[u8; 32]>::try_from(plain.as_slice())
        .map_err(|_| StoreError::corrupt(format!("pepper {id}")))?;
    Ok(Pepper::new(version, bytes))
}

fn pepper_place(id: &str) -> Place<'_> {
    Place { table: "pepper", row: id, column: "sealed", version: 1 }
}

fn cannot_open(what: &str, error: VaultError) -> StoreError {
    if error == VaultError::OtherKey {
        return StoreError::WrongMasterKey;
    }
    StoreError::corrupt(format!("{what}: {error}"))
}

/// Why an edit was not written: sealing failed, or Postgres refused.
pub(super) enum Unwritten {
    Sealing(VaultError),
    Refused(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Unwritten {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Refused(error)
    }
}

/// Writes one edit's row, stamped with `revision`.
pub(super) async fn write(
    tx: &Transaction<'_>,
    vault: &Vault,
    edit: &Edit,
    revision: i64,
) -> Result<(), Unwritten> {
    let sql = statement(edit);
    match edit {
        Edit::PutProvider(it) => write_provider(tx, sql, it, revision).await?,
        Edit::PutAccount(it) => write_account(tx, sql, vault, it, revision).await?,
        Edit::PutModel(it) => write_model(tx, sql, it, revision).await?,
        Edit::PutRoute(it) => {
            let tiers = row::tier_rows(it);
            let (alias, translation) = (it.alias.as_str(), it.translation.as_str());
            execute(tx, sql, &[&alias, &tiers, &it.enabled, &translation, &revision]).await?;
        }
        Edit::PutTeam(it) => {
            let name = it.name.as_str();
            execute(tx, sql, &[&it.id.uuid(), &name, &it.description, &revision]).await?;
        }
        Edit::PutKey(it) => super::keys::write(tx, sql, it, revision).await?,
        Edit::PutPepper(it) => {
            let id = it.version().to_string();
            let sealed = vault.seal(&pepper_place(&id), it.expose()).map_err(Unwritten::Sealing)?;
            execute(tx, sql, &[&i64::from(it.version()), &sealed, &revision]).await?;
        }
        Edit::PutSettings(it) => write_settings(tx, sql, it, revision).await?,
        Edit::PutLimit(it) => limits::write(tx, sql, it, revision).await?,
        Edit::DeleteProvider(name) => drop(execute(tx, sql, &[&name.as_str()]).await?),
        Edit::DeleteRoute(alias) => drop(execute(tx, sql, &[&alias.as_str()]).await?),
        Edit::DeleteAccount(id) => drop(execute(tx, sql, &[&id.uuid()]).await?),
        Edit::DeleteTeam(id) => drop(execute(tx, sql, &[&id.uuid()]).await?),
        Edit::DeleteKey(id) => drop(execute(tx, sql, &[&id.uuid()]).await?),
        Edit::DeleteLimit(id) => drop(execute(tx, sql, &[&id.uuid()]).await?),
        Edit::DeleteModel(id) => {
            execute(tx, sql, &[&id.provider.as_str(), &id.name.as_str()]).await?;
        }
    }
    Ok(())
}

async fn write_provider(
    tx: &Transaction<'_>,
    sql: &str,
    it: &Provider,
    revision: i64,
) -> Result<(), tokio_postgres::Error> {
    let patterns: Vec<_> = it.model_patterns.iter().map(|it| it.as_str()).collect();
    let params: Params<'_> = &[
        &it.name.as_str(),
        &it.title,
        &row::endpoint_rows(it),
        &it.env_var,
        &patterns,
        &it.aggregator,
        &it.docs_url,
        &it.built_in,
        &revision,
    ];
    execute(tx, sql, params).await.map(drop)
}

async fn write_account(
    tx: &Transaction<'_>,
    sql: &str,
    vault: &Vault,
    it: &Account,
    revision: i64,
) -> Result<(), Unwritten> {
    // Every write seals anew under its own revision, so that no older text fits the row.
    let id = it.id.to_string();
    let version = u64::try_from(revision).unwrap_or(0);
    let seal = |secret: &Option<Secret>, column: &str| {
        let sealed = secret
            .as_ref()
            .map(|it| vault.seal(&secret_place(&id, column, version), it.expose().as_bytes()));
        sealed.transpose().map_err(Unwritten::Sealing)
    };
    let client = &it.client;
    let params: Params<'_> = &[
        &it.id.uuid(),
        &it.name.as_str(),
        &it.provider.as_str(),
        &seal(&it.credential, "sealed_credential")?,
        &seal(&client.proxy, "sealed_proxy")?,
        &revision,
        &row::base_url_rows(it),
        &it.enabled,
        &i64::from(client.connect_timeout_ms),
        &i64::from(client.first_byte_timeout_ms),
        &i64::from(client.idle_timeout_ms),
        &tokio_postgres::types::Json(&client.extra_headers),
        &client.ask_stream_usage,
        &client.keep_output_open,
    ];
    execute(tx, sql, params).await?;
    Ok(())
}

async fn write_model(
    tx: &Transaction<'_>,
    sql: &str,
    it: &Model,
    revision: i64,
) -> Result<(), tokio_postgres::Error> {
    let operations: Vec<_> = it.operations.iter().map(|it| it.as_str()).collect();
    let params: Params<'_> = &[
        &it.id.provider.as_str(),
        &it.id.name.as_str(),
        &operations,
        &it.built_in,
        &it.price.map(|it| row::signed(it.input)),
        &it.price.map(|it| row::signed(it.cached_input)),
        &it.price.map(|it| row::signed(it.cache_write)),
        &it.price.map(|it| row::signed(it.output)),
        &it.max_output_tokens.map(row::signed),
        &it.context_tokens.map(row::signed),
        &revision,
    ];
    execute(tx, sql, params).await.map(drop)
}

async fn write_settings(
    tx: &Transaction<'_>,
    sql: &str,
    it: &Settings,
    revision: i64,
) -> Result<(), tokio_postgres::Error> {
    let params: Params<'_> = &[
        &i64::from(it.max_attempts),
        &i64::from(it.attempt_deadline_ms),
        &it.reveal_route,
        &row::signed(it.default_output_tokens),
        &i64::from(it.fallback_proxies),
        &it.fetch_addresses,
        &revision,
    ];
    execute(tx, sql, params).await.map(drop)
}

/// The statement that writes an edit of this kind.
pub(super) fn statement(edit: &Edit) -> &'static str {
    match edit {
        Edit::PutProvider(_) => {
            "-- put_provider
            INSERT INTO provider (name, title, endpoints, env_var, model_patterns, aggregator,
                docs_url, built_in, revision)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (name) DO UPDATE SET title = excluded.title,
                endpoints = excluded.endpoints, env_var = excluded.env_var,
                model_patterns = excluded.model_patterns, aggregator = excluded.aggregator,
                docs_url = excluded.docs_url, built_in = excluded.built_in,
                revision = excluded.revision"
        }
        Edit::PutAccount(_) => PUT_ACCOUNT,
        Edit::PutModel(_) => PUT_MODEL,
        Edit::PutRoute(_) => {
            "-- put_route
            INSERT INTO route (alias, tiers, enabled, translation, revision)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (alias) DO UPDATE SET tiers = excluded.tiers,
                enabled = excluded.enabled, translation = excluded.translation,
                revision = excluded.revision"
        }
        Edit::PutTeam(_) => {
            "-- put_team
            INSERT INTO team (id, name, description, revision) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name,
                description = excluded.description, revision = excluded.revision"
        }
        Edit::PutKey(_) => super::keys::PUT,
        Edit::PutPepper(_) => {
            "-- put_pepper
            INSERT INTO pepper (version, sealed, revision) VALUES ($1, $2, $3)
            ON CONFLICT (version) DO UPDATE SET sealed = excluded.sealed,
                revision = excluded.revision"
        }
        Edit::PutSettings(_) => {
            "-- put_settings
            INSERT INTO settings (id, max_attempts, attempt_deadline_ms, reveal_route,
                default_output_tokens, fallback_proxies, fetch_addresses, revision)
            VALUES (1, $1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (id) DO UPDATE SET max_attempts = excluded.max_attempts,
                attempt_deadline_ms = excluded.attempt_deadline_ms,
                reveal_route = excluded.reveal_route,
                default_output_tokens = excluded.default_output_tokens,
                fallback_proxies = excluded.fallback_proxies,
                fetch_addresses = excluded.fetch_addresses, revision = excluded.revision"
        }
        Edit::DeleteProvider(_) => "-- delete_provider\nDELETE FROM provider WHERE name = $1",
        Edit::DeleteAccount(_) => "-- delete_account\nDELETE FROM account WHERE id = $1",
        Edit::DeleteModel(_) => {
            "-- delete_model\nDELETE FROM model WHERE provider = $1 AND name = $2"
        }
        Edit::DeleteRoute(_) => "-- delete_route\nDELETE FROM route WHERE alias = $1",
        Edit::DeleteTeam(_) => "-- delete_team\nDELETE FROM team WHERE id = $1",
        Edit::DeleteKey(_) => "-- delete_key\nDELETE FROM virtual_key WHERE id = $1",
        Edit::PutLimit(_) => limits::PUT,
        Edit::DeleteLimit(_) => "-- delete_limit\nDELETE FROM limit_rule WHERE id = $1",
    }
}
