//! A credential that we issued to a caller.

use crate::{
    id::{KeyId, TeamId},
    key::Fingerprint,
    name::Name,
    pattern::Pattern,
    time::Timestamp,
};

/// A virtual key as it is stored: everything but its text, which is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualKey {
    /// Its identity, kept for life.
    pub id: KeyId,
    /// Its name, unique among keys.
    pub name: Name,
    /// Who owns it, if a team does.
    pub team: Option<TeamId>,
    /// What its text is recognised by.
    pub fingerprint: Fingerprint,
    /// The pepper under which the fingerprint was made.
    pub pepper_version: u32,
    /// The last four characters of its text.
    pub hint: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// What it may write in `model`; empty: everything.
    pub allowed_models: Vec<Pattern>,
}

impl VirtualKey {
    /// Whether the key may ask for `alias`.
    pub fn may_use(&self, alias: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.iter().any(|it| it.matches(alias))
    }
}
