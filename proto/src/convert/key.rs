//! Virtual keys.

use super::{Invalid, Wrong};
use crate::admin::v1;
use domain::{
    catalog::VirtualKey,
    id::{KeyId, TeamId},
    key::Fingerprint,
    time::Timestamp,
};

/// What a virtual key has that is not for an operator to say.
#[derive(Debug, Clone)]
pub struct KeyParts {
    /// Its identity.
    pub id: KeyId,
    /// What its text is recognised by.
    pub fingerprint: Fingerprint,
    /// The pepper of the fingerprint.
    pub pepper_version: u32,
    /// The last four characters of its text.
    pub hint: String,
}

/// A virtual key of the wire; `find` turns a team's id or name into its id.
///
/// # Errors
/// Everything that is wrong with it.
pub fn key_from(
    wire: &v1::VirtualKey,
    parts: KeyParts,
    find: &dyn Fn(&str) -> Option<TeamId>,
) -> Result<VirtualKey, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let name = wrong.note("name", wire.name.parse());
    let team = (!wire.team.is_empty()).then(|| {
        find(&wire.team)
            .ok_or_else(|| format!("there is no team `{}`: see `sluice team list`", wire.team))
    });
    let team = team.and_then(|it| wrong.note("team", it));
    let expires_at = wire.expires_at.as_ref();
    let expires_at = expires_at.and_then(|it| wrong.note("expires_at", timestamp_from(it)));
    let allowed_models = wrong.parse_all("allowed_models", &wire.allowed_models);
    let key = name.map(|name| VirtualKey {
        id: parts.id,
        name,
        team,
        fingerprint: parts.fingerprint,
        pepper_version: parts.pepper_version,
        hint: parts.hint,
        enabled: !wire.disabled,
        expires_at,
        allowed_models,
    });
    wrong.finish(key)
}

/// A virtual key for the wire; `name` says how a team is written.
pub fn key_to(key: &VirtualKey, name: &dyn Fn(TeamId) -> String) -> v1::VirtualKey {
    v1::VirtualKey {
        id: key.id.to_string(),
        name: key.name.to_string(),
        team: key.team.map(name).unwrap_or_default(),
        disabled: !key.enabled,
        expires_at: key.expires_at.map(timestamp_to),
        allowed_models: key.allowed_models.iter().map(ToString::to_string).collect(),
        hint: key.hint.clone(),
        created_at: None,
        revision: 0,
        etag: String::new(),
    }
}

/// A time of the wire, to the millisecond (rounded down).
///
/// # Errors
/// When it lies outside the years 1 to 9999, or its fraction is not one.
pub fn timestamp_from(wire: &prost_types::Timestamp) -> Result<Timestamp, String> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    if !(YEAR_1..YEAR_10000).contains(&wire.seconds) {
        return Err("must lie between the years 1 and 9999".to_owned());
    }
    let millis = u32::try_from(wire.nanos).ok().filter(|it| *it < 1_000_000_000);
    let millis = millis.ok_or_else(|| "has a fraction outside 0 to 999999999 ns".to_owned())?;
    Ok(Timestamp::from_unix_ms(wire.seconds * 1000 + i64::from(millis / 1_000_000)))
}

/// A time for the wire.
pub fn timestamp_to(time: Timestamp) -> prost_types::Timestamp {
    let ms = time.unix_ms();
    // The remainder lies within 0 to 999, so the nanoseconds fit.
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds: ms.div_euclid(1000), nanos }
}
