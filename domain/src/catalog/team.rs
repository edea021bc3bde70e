//! Who owns virtual keys.

use crate::{id::TeamId, name::Name};

/// An owner of virtual keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its identity, kept for life.
    pub id: TeamId,
    /// Its name, unique among teams.
    pub name: Name,
    /// What it is for, in the operator's words.
    pub description: String,
}
