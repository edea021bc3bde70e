//! Virtual keys: the one table of the catalog that grows large.

use super::{
    Listing, Page, Store, StoreError, Stored, read, row,
    tx::{Params, execute},
};
use deadpool_postgres::Transaction;
use domain::{
    catalog::VirtualKey,
    id::{KeyId, TeamId},
};

pub(super) const PUT: &str = "-- put_key
    INSERT INTO virtual_key (id, name, team_id, fingerprint, pepper_version, hint, enabled,
        expires_at, allowed_models, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, team_id = excluded.team_id,
        fingerprint = excluded.fingerprint, pepper_version = excluded.pepper_version,
        hint = excluded.hint, enabled = excluded.enabled, expires_at = excluded.expires_at,
        allowed_models = excluded.allowed_models, revision = excluded.revision";

impl Store {
    /// One page of keys, sorted by name; with `team`, only that team's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_keys(
        &self,
        page: &Page,
        team: Option<TeamId>,
    ) -> Result<Listing<VirtualKey>, StoreError> {
        let rows = match team {
            None => {
                let sql = "-- list_keys
                    SELECT * FROM virtual_key WHERE name > $1 ORDER BY name LIMIT $2";
                self.rows(sql, &[&page.start(), &page.rows()]).await?
            }
            Some(team) => {
                let sql = "-- list_team_keys
                    SELECT * FROM virtual_key WHERE team_id = $3 AND name > $1
                    ORDER BY name LIMIT $2";
                self.rows(sql, &[&page.start(), &page.rows(), &team.uuid()]).await?
            }
        };
        page.listing(&rows, row::key, |it| it.name.to_string())
    }

    /// The key of this id or name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_key(
        &self,
        id_or_name: &str,
    ) -> Result<Option<Stored<VirtualKey>>, StoreError> {
        let found = match id_or_name.parse::<KeyId>() {
            Ok(id) => {
                self.row("-- get_key\nSELECT * FROM virtual_key WHERE id = $1", &[&id.uuid()])
                    .await?
            }
            Err(_) => {
                let sql = "-- get_key_named\nSELECT * FROM virtual_key WHERE name = $1";
                self.row(sql, &[&id_or_name]).await?
            }
        };
        found.map(|it| read::stored(&it, row::key)).transpose()
    }
}

pub(super) async fn write(
    tx: &Transaction<'_>,
    sql: &str,
    it: &VirtualKey,
    revision: i64,
) -> Result<(), tokio_postgres::Error> {
    let allowed_models: Vec<_> = it.allowed_models.iter().map(|it| it.as_str()).collect();
    let fingerprint: &[u8] = it.fingerprint.as_bytes();
    let params: Params<'_> = &[
        &it.id.uuid(),
        &it.name.as_str(),
        &it.team.map(TeamId::uuid),
        &fingerprint,
        &i64::from(it.pepper_version),
        &it.hint,
        &it.enabled,
        &it.expires_at.map(row::to_time),
        &allowed_models,
        &revision,
    ];
    execute(tx, sql, params).await.map(drop)
}
