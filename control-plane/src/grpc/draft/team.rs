//! Teams in a change.

use super::{Draft, References};
use crate::grpc::{
    mask::{Field, chosen, fields},
    refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Edit, Subject, Team},
    id::TeamId,
};
use prost_types::FieldMask;
use proto::{
    admin::v1,
    convert::catalog::{team_from, team_to},
};
use std::sync::Arc;
use uuid::Uuid;

const FIELDS: &[Field<v1::Team>] = fields!(v1::Team: description);

impl Draft {
    pub(crate) fn create_team(&mut self, wire: v1::Team) -> Result<TeamId, Refusal> {
        if self.teams.contains_key(&wire.name) {
            return Err(Refusal::exists(Kind::Team, &wire.name));
        }
        self.put_team(wire)
    }

    pub(crate) fn put_team(&mut self, wire: v1::Team) -> Result<TeamId, Refusal> {
        let known = self.teams.get(&wire.name).copied();
        let id = known.unwrap_or_else(|| TeamId::from_uuid(Uuid::now_v7()));
        let new = team_from(wire, id).map_err(Refusal::Invalid)?;
        Ok(self.write_team(new))
    }

    pub(crate) fn update_team(
        &mut self,
        wire: &v1::Team,
        mask: Option<&FieldMask>,
    ) -> Result<TeamId, Refusal> {
        let asked = if wire.id.is_empty() { &wire.name } else { &wire.id };
        let old = self.team(asked)?;
        if !wire.name.is_empty() && wire.name != old.name.as_str() {
            let reason = format!("cannot be changed: it is `{}`", old.name);
            return Err(Refusal::field("name", reason));
        }
        let mut new = team_to(&old);
        for field in chosen(FIELDS, wire, mask).map_err(Refusal::Invalid)? {
            (field.copy)(&mut new, wire);
        }
        let new = team_from(new, old.id).map_err(Refusal::Invalid)?;
        Ok(self.write_team(new))
    }

    pub(crate) fn delete_team(
        &mut self,
        id_or_name: &str,
        references: References,
    ) -> Result<(), Refusal> {
        let old = self.team(id_or_name)?;
        if references == References::Refuse {
            let keys = self.catalog.keys.iter().filter(|it| it.team == Some(old.id));
            let mut by: Vec<_> = keys.map(|it| format!("key `{}`", it.name)).collect();
            by.sort_unstable();
            if !by.is_empty() {
                let name = old.name.to_string();
                return Err(Refusal::InUse { kind: Kind::Team, name, by });
            }
        }
        self.teams.remove(old.name.as_str());
        self.delete_limits_of(&Subject::Team(old.id));
        self.push(Edit::DeleteTeam(old.id));
        Ok(())
    }

    fn team(&self, id_or_name: &str) -> Result<Arc<Team>, Refusal> {
        let found = self.team_id(id_or_name).and_then(|id| self.catalog.teams.get(&id));
        found.cloned().ok_or_else(|| Refusal::not_found(Kind::Team, id_or_name))
    }

    fn write_team(&mut self, new: Team) -> TeamId {
        let id = new.id;
        if self.catalog.teams.get(&id).is_none_or(|old| **old != new) {
            self.teams.insert(new.name.to_string(), id);
            self.push(Edit::PutTeam(Arc::new(new)));
        }
        id
    }
}
