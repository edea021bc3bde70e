//! Limits in a change. To set one of a known identity replaces it: it keeps its id, and
//! what was used of it stays used, unless its windows begin at other moments now.

use super::Draft;
use crate::{
    calendar,
    grpc::refusal::{Kind, Refusal},
};
use domain::{
    catalog::{Calendar, Edit, Limit, Rule, Subject},
    id::{AccountId, KeyId, LimitId, TeamId},
};
use proto::{
    admin::v1,
    convert::{
        Invalid,
        limit::{Find, LimitParts, limit_from, subject_from},
    },
};
use std::sync::Arc;
use uuid::Uuid;

impl Find for Draft {
    fn key(&mut self, text: &str) -> Option<KeyId> {
        self.key_id(text)
    }

    fn team(&mut self, text: &str) -> Option<TeamId> {
        self.team_id(text)
    }

    fn account(&mut self, text: &str) -> Option<AccountId> {
        self.account_id(text)
    }
}

impl Draft {
    /// Adds the limit, or replaces the one of its identity.
    pub(crate) fn put_limit(&mut self, wire: &v1::Limit) -> Result<LimitId, Refusal> {
        let mut limit = limit_of(wire, self).map_err(Refusal::Invalid)?;
        let identity = limit.identity();
        let known = self.catalog.limits.of(limit.subject.as_ref());
        let known = known.iter().find(|it| it.identity() == identity).cloned();
        if let Some(old) = &known {
            limit.id = old.id;
            // Other windows: what was counted in the ones before says nothing of them.
            let anew = u32::from(calendar_of(&old.rule) != calendar_of(&limit.rule));
            limit.generation = old.generation.wrapping_add(anew);
        }
        let id = limit.id;
        if known.is_none_or(|old| *old != limit) {
            self.push(Edit::PutLimit(Arc::new(limit)));
        }
        Ok(id)
    }

    /// Removes the limit of this id. One that went with its subject in the same change
    /// is gone already, which is all that is asked for.
    pub(crate) fn delete_limit(&mut self, id: &str) -> Result<(), Refusal> {
        match self.limit(id) {
            Ok(old) => self.push(Edit::DeleteLimit(old.id)),
            Err(missing) => {
                let went = id.parse().is_ok_and(|id: LimitId| self.orphans.contains(&id));
                return if went { Ok(()) } else { Err(missing) };
            }
        }
        Ok(())
    }

    /// Begins these limits anew.
    pub(crate) fn reset_limits(&mut self, ids: &[String]) -> Result<Vec<LimitId>, Refusal> {
        let mut reset = Vec::with_capacity(ids.len());
        for id in ids {
            let limit = self.limit(id)?;
            // Named twice is reset once.
            if !reset.contains(&limit.id) {
                self.reset(&limit);
                reset.push(limit.id);
            }
        }
        Ok(reset)
    }

    /// Begins all limits of a subject anew: of a key or an account those of its aliases or
    /// models too.
    pub(crate) fn reset_subject(
        &mut self,
        wire: Option<&v1::LimitSubject>,
    ) -> Result<Vec<LimitId>, Refusal> {
        let subject = subject_from("subject", wire, self);
        let subject = subject.map_err(|it| Refusal::Invalid(vec![it]))?;
        let limits = self.limits_of(&subject);
        for limit in &limits {
            self.reset(limit);
        }
        Ok(limits.iter().map(|it| it.id).collect())
    }

    /// Removes the limits of what is deleted.
    pub(super) fn delete_limits_of(&mut self, subject: &Subject) {
        for limit in self.limits_of(subject) {
            self.orphans.insert(limit.id);
            self.push(Edit::DeleteLimit(limit.id));
        }
    }

    fn limits_of(&self, subject: &Subject) -> Vec<Arc<Limit>> {
        let limits = &self.catalog.limits;
        let mut found: Vec<_> = match subject {
            Subject::Key(id) => limits.of_key(*id).cloned().collect(),
            Subject::Account(id) => limits.of_account(*id).cloned().collect(),
            Subject::Everything
            | Subject::Team(_)
            | Subject::Alias(_)
            | Subject::KeyAlias(..)
            | Subject::Provider(_)
            | Subject::AccountModel(..) => limits.of(subject.as_ref()).to_vec(),
        };
        found.sort_unstable_by_key(|it| it.id);
        found
    }

    fn limit(&self, id: &str) -> Result<Arc<Limit>, Refusal> {
        let found = id.parse().ok().and_then(|it: LimitId| self.catalog.limits.get(it));
        found.cloned().ok_or_else(|| Refusal::not_found(Kind::Limit, id))
    }

    fn reset(&mut self, old: &Limit) {
        let generation = old.generation.wrapping_add(1);
        self.push(Edit::PutLimit(Arc::new(Limit { generation, ..old.clone() })));
    }
}

/// Where and when the windows of a rule begin.
fn calendar_of(rule: &Rule) -> Option<&Calendar> {
    match rule {
        Rule::Calendar { calendar, .. } => Some(calendar),
        Rule::Bucket { .. }
        | Rule::WindowStrict { .. }
        | Rule::Grant { .. }
        | Rule::TokensPerRequest { .. }
        | Rule::InFlight { .. } => None,
    }
}

/// The limit that a caller describes, new so far; its time zone is written as the list of
/// time zones has it.
///
/// # Errors
/// Everything that is wrong with it.
pub(in crate::grpc) fn limit_of(
    wire: &v1::Limit,
    find: &mut dyn Find,
) -> Result<Limit, Vec<Invalid>> {
    let new = LimitParts { id: LimitId::from_uuid(Uuid::now_v7()), generation: 0 };
    let mut limit = limit_from(wire, new, find)?;
    if matches!(*limit.rule, Rule::Calendar { .. })
        && let Rule::Calendar { calendar, .. } = Arc::make_mut(&mut limit.rule)
    {
        calendar.zone = calendar::zone(&calendar.zone).ok_or_else(|| {
            let zone = &calendar.zone;
            let reason =
                format!("`{zone}` is not an IANA time zone: write one such as `Asia/Shanghai`");
            vec![Invalid::new("time_zone", reason)]
        })?;
    }
    Ok(limit)
}
