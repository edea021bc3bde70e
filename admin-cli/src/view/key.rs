//! Virtual keys, as they are shown.

use proto::admin::v1;
use serde::Serialize;

use crate::{
    output::{Cell, Show, Tone},
    spell,
};

/// A virtual key, without its text.
#[derive(Debug, Serialize)]
pub(crate) struct KeyView {
    id: String,
    pub(crate) name: String,
    team: String,
    disabled: bool,
    expires_at: Option<String>,
    allowed_models: Vec<String>,
    hint: String,
    created_at: Option<String>,
    revision: u64,
    etag: String,
    #[serde(skip)]
    expired: bool,
}

impl From<v1::VirtualKey> for KeyView {
    fn from(wire: v1::VirtualKey) -> Self {
        let expires_ms = wire.expires_at.as_ref().and_then(spell::timestamp_ms);
        Self {
            expired: expires_ms.is_some_and(|it| it <= runtime::clock::unix_ms()),
            expires_at: spell::rfc3339(wire.expires_at.as_ref()),
            created_at: spell::rfc3339(wire.created_at.as_ref()),
            id: wire.id,
            name: wire.name,
            team: wire.team,
            disabled: wire.disabled,
            allowed_models: wire.allowed_models,
            hint: wire.hint,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

impl KeyView {
    fn state(&self) -> Cell {
        match self.expired && !self.disabled {
            true => Cell::toned("expired", Tone::Bad),
            false => Cell::enabled(self.disabled),
        }
    }

    fn models(&self) -> Cell {
        match self.allowed_models.is_empty() {
            true => Cell::faint("all"),
            false => Cell::list(&self.allowed_models),
        }
    }

    fn expiry(&self) -> Cell {
        let at = self.expires_at.as_deref();
        at.map_or_else(|| Cell::faint("never"), |it| Cell::text(to_the_second(Some(it))))
    }
}

impl Show for KeyView {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "TEAM", "STATE", "MODELS", "EXPIRES", "HINT", "CREATED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.name),
            Cell::text(&self.team),
            self.state(),
            self.models(),
            self.expiry(),
            Cell::faint(format!("…{}", self.hint)),
            Cell::text(to_the_second(self.created_at.as_deref())),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        vec![
            ("name", Cell::text(&self.name)),
            ("id", Cell::text(&self.id)),
            ("team", Cell::text(&self.team)),
            ("state", self.state()),
            ("models", self.models()),
            ("expires", self.expiry()),
            ("ends in", Cell::text(&self.hint)),
            ("created", Cell::text(self.created_at.clone().unwrap_or_default())),
            ("revision", Cell::ordinal(self.revision)),
        ]
    }
}

/// RFC 3339 without the fraction of a second.
pub(super) fn to_the_second(time: Option<&str>) -> String {
    let Some(time) = time else { return String::new() };
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}
