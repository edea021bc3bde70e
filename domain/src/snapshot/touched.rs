//! What of a catalog a change can have made wrong.

use super::{Defect, check};
use crate::{
    catalog::{Catalog, Edit, LimitTable, Subject, SubjectRef},
    id::KeyId,
};
use std::collections::BTreeSet;

/// What has to be checked again after a change.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Everything but virtual keys and limits; then it is indexed anew, too.
    pub(super) index: bool,
    /// Whether all virtual keys have to be checked, and not only `keys`.
    all_keys: bool,
    keys: BTreeSet<KeyId>,
    /// Whose limits have to be checked, all of them together.
    subjects: BTreeSet<Subject>,
}

impl Touched {
    /// What `change` touches in a catalog that has these `limits` and compiles.
    pub(super) fn by(change: &[Edit], limits: &LimitTable) -> Self {
        let mut touched = Self::default();
        for edit in change {
            touched.index |= !edit.is_about_keys_or_limits();
            touched.note(edit, limits);
        }
        touched
    }

    /// What is deleted takes from its limits whom they limit; what is written cannot.
    fn note(&mut self, edit: &Edit, limits: &LimitTable) {
        let of = |subject| limits.of(subject).iter();
        match edit {
            Edit::PutKey(key) => drop(self.keys.insert(key.id)),
            Edit::PutLimit(it) => drop(self.subjects.insert(it.subject.clone())),
            Edit::DeleteKey(id) => {
                self.subjects.extend(limits.of_key(*id).map(|it| it.subject.clone()));
            }
            Edit::DeleteAccount(id) => {
                self.subjects.extend(limits.of_account(*id).map(|it| it.subject.clone()));
            }
            Edit::DeleteProvider(name) => {
                let provider = SubjectRef::Provider(name);
                self.subjects.extend(of(provider).map(|it| it.subject.clone()));
            }
            Edit::DeleteTeam(id) => {
                // Only this can take from a key what it refers to: peppers are never deleted.
                self.all_keys = true;
                let team = SubjectRef::Team(*id);
                self.subjects.extend(of(team).map(|it| it.subject.clone()));
            }
            Edit::PutProvider(_)
            | Edit::PutAccount(_)
            | Edit::PutModel(_)
            | Edit::DeleteModel(_)
            | Edit::PutRoute(_)
            | Edit::DeleteRoute(_)
            | Edit::PutTeam(_)
            | Edit::DeleteLimit(_)
            | Edit::PutPepper(_)
            | Edit::PutSettings(_) => {}
        }
    }

    /// The defects of `catalog`, which is the old one with the change on top.
    pub(super) fn defects(&self, catalog: &Catalog) -> Vec<Defect> {
        let mut defects =
            if self.index { check::all_but_keys_and_limits(catalog) } else { Vec::new() };
        for key in catalog.keys.iter().filter(|_| self.all_keys) {
            check::key(catalog, key, &mut defects);
        }
        let put = self.keys.iter().filter(|_| !self.all_keys);
        for key in put.filter_map(|it| catalog.keys.get(*it)) {
            check::key(catalog, key, &mut defects);
        }
        for subject in &self.subjects {
            check::limits_of(catalog, subject.as_ref(), &mut defects);
        }
        defects
    }
}
