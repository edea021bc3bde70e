//! Lists and single items, as the admin API shows them: no secret is opened here.

use super::{Store, StoreError, row, tx::Params};
use domain::{
    catalog::{Account, Model, ModelId, Provider, Route, Settings, Team},
    id::{AccountId, TeamId},
    time::Timestamp,
};
use tokio_postgres::Row;

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// [`Listing::next`] of the page before; `None`: the first page.
    pub after: Option<String>,
    /// Most items, at least 1.
    pub limit: u32,
}

/// One page of a list, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The page's items.
    pub items: Vec<Stored<T>>,
    /// Where the next page goes on; `None`: there is none.
    pub next: Option<String>,
}

/// An item with what the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The item.
    pub item: T,
    /// The revision that last wrote it.
    pub revision: u64,
    /// When it was first written.
    pub created_at: Timestamp,
}

/// An account whose secrets stay sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// The account; its credential and proxy are `None` whether there are some or not.
    pub account: Account,
    /// Whether a credential is stored.
    pub has_credential: bool,
    /// Whether a proxy is stored.
    pub has_proxy: bool,
}

impl Page {
    /// Where the page starts; no name is empty, so the empty text comes before all.
    pub(super) fn start(&self) -> &str {
        self.after.as_deref().unwrap_or("")
    }

    /// How many rows to ask for: one more than the page has tells whether another follows.
    pub(super) fn rows(&self) -> i64 {
        i64::from(self.limit.max(1)).saturating_add(1)
    }

    pub(super) fn listing<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<T, StoreError>,
        name: impl Fn(&T) -> String,
    ) -> Result<Listing<T>, StoreError> {
        let limit = usize::try_from(self.limit.max(1)).unwrap_or(usize::MAX);
        let items: Vec<_> =
            rows.iter().take(limit).map(|it| stored(it, &read)).collect::<Result<_, _>>()?;
        let more = rows.len() > limit;
        let next = items.last().filter(|_| more).map(|it| name(&it.item));
        Ok(Listing { items, next })
    }
}

/// `provider/model`, cut at the first slash: a provider's name has none.
pub(super) fn model_id(text: &str) -> Option<ModelId> {
    let (provider, name) = text.split_once('/')?;
    Some(ModelId { provider: provider.parse().ok()?, name: name.parse().ok()? })
}

pub(super) fn stored<T>(
    row: &Row,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Stored<T>, StoreError> {
    Ok(Stored {
        item: read(row)?,
        revision: row::unsigned(row, "revision")?,
        created_at: row::timestamp(row, "created_at")?,
    })
}

fn stored_account(row: &Row) -> Result<StoredAccount, StoreError> {
    Ok(StoredAccount {
        account: row::account(row)?,
        has_credential: row::column(row, "has_credential")?,
        has_proxy: row::column(row, "has_proxy")?,
    })
}

impl Store {
    pub(super) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, params).await?)
    }

    pub(super) async fn row(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query_opt(&statement, params).await?)
    }

    /// One page of providers, sorted by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_providers(&self, page: &Page) -> Result<Listing<Provider>, StoreError> {
        let sql = "-- list_providers
            SELECT * FROM provider WHERE name > $1 ORDER BY name LIMIT $2";
        let rows = self.rows(sql, &[&page.start(), &page.rows()]).await?;
        page.listing(&rows, row::provider, |it| it.name.to_string())
    }

    /// The provider of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_provider(&self, name: &str) -> Result<Option<Stored<Provider>>, StoreError> {
        let sql = "-- get_provider\nSELECT * FROM provider WHERE name = $1";
        let row = self.row(sql, &[&name]).await?;
        row.map(|it| stored(&it, row::provider)).transpose()
    }

    /// One page of accounts, sorted by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_accounts(&self, page: &Page) -> Result<Listing<StoredAccount>, StoreError> {
        let sql = "-- list_accounts
            SELECT id, name, provider, base_urls, enabled, connect_timeout_ms,
                first_byte_timeout_ms, idle_timeout_ms, extra_headers, ask_stream_usage,
                keep_output_open, sealed_credential IS NOT NULL AS has_credential,
                sealed_proxy IS NOT NULL AS has_proxy, revision, created_at
            FROM account WHERE name > $1 ORDER BY name LIMIT $2";
        let rows = self.rows(sql, &[&page.start(), &page.rows()]).await?;
        page.listing(&rows, stored_account, |it| it.account.name.to_string())
    }

    /// The account of this id or name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_account(
        &self,
        id_or_name: &str,
    ) -> Result<Option<Stored<StoredAccount>>, StoreError> {
        let sql = "-- get_account
            SELECT id, name, provider, base_urls, enabled, connect_timeout_ms,
                first_byte_timeout_ms, idle_timeout_ms, extra_headers, ask_stream_usage,
                keep_output_open, sealed_credential IS NOT NULL AS has_credential,
                sealed_proxy IS NOT NULL AS has_proxy, revision, created_at
            FROM account WHERE id = $1 OR name = $2";
        let id = id_or_name.parse::<AccountId>().ok().map(AccountId::uuid);
        let row = self.row(sql, &[&id, &id.is_none().then_some(id_or_name)]).await?;
        row.map(|it| stored(&it, stored_account)).transpose()
    }

    /// One page of models, sorted by provider and name.
    ///
    /// # Errors
    /// When the database fails, or [`StoreError::BadPage`].
    pub async fn list_models(&self, page: &Page) -> Result<Listing<Model>, StoreError> {
        let sql = "-- list_models
            SELECT * FROM model WHERE (provider, name) > ($1, $2) ORDER BY provider, name LIMIT $3";
        let (provider, name) = match &page.after {
            None => ("", ""),
            Some(after) => after.split_once('/').ok_or(StoreError::BadPage)?,
        };
        let rows = self.rows(sql, &[&provider, &name, &page.rows()]).await?;
        page.listing(&rows, row::model, |it| it.id.to_string())
    }

    /// The model written `provider/model`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_model(&self, id: &str) -> Result<Option<Stored<Model>>, StoreError> {
        let Some(id) = model_id(id) else { return Ok(None) };
        let sql = "-- get_model\nSELECT * FROM model WHERE provider = $1 AND name = $2";
        let row = self.row(sql, &[&id.provider.as_str(), &id.name.as_str()]).await?;
        row.map(|it| stored(&it, row::model)).transpose()
    }

    /// One page of routes, sorted by alias.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_routes(&self, page: &Page) -> Result<Listing<Route>, StoreError> {
        let sql = "-- list_routes
            SELECT * FROM route WHERE alias > $1 ORDER BY alias LIMIT $2";
        let rows = self.rows(sql, &[&page.start(), &page.rows()]).await?;
        page.listing(&rows, row::route, |it| it.alias.to_string())
    }

    /// The route of this alias.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_route(&self, alias: &str) -> Result<Option<Stored<Route>>, StoreError> {
        let row = self.row("-- get_route\nSELECT * FROM route WHERE alias = $1", &[&alias]).await?;
        row.map(|it| stored(&it, row::route)).transpose()
    }

    /// One page of teams, sorted by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_teams(&self, page: &Page) -> Result<Listing<Team>, StoreError> {
        let sql = "-- list_teams\nSELECT * FROM team WHERE name > $1 ORDER BY name LIMIT $2";
        let rows = self.rows(sql, &[&page.start(), &page.rows()]).await?;
        page.listing(&rows, row::team, |it| it.name.to_string())
    }

    /// The team of this id or name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_team(&self, id_or_name: &str) -> Result<Option<Stored<Team>>, StoreError> {
        let sql = "-- get_team\nSELECT * FROM team WHERE id = $1 OR name = $2";
        let id = id_or_name.parse::<TeamId>().ok().map(TeamId::uuid);
        let row = self.row(sql, &[&id, &id.is_none().then_some(id_or_name)]).await?;
        row.map(|it| stored(&it, row::team)).transpose()
    }

    /// The settings: of revision 0 and the epoch while nobody has written any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_settings(&self) -> Result<Stored<Settings>, StoreError> {
        let row = self.row("-- get_settings\nSELECT * FROM settings", &[]).await?;
        let defaults = || Stored {
            item: Settings::default(),
            revision: 0,
            created_at: Timestamp::from_unix_ms(0),
        };
        row.map_or_else(|| Ok(defaults()), |it| stored(&it, row::settings))
    }
}
