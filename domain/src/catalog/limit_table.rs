//! Limits by id and by whom they limit, made for many limits and single edits.
//!
//! Both indexes are split into shards that catalogs share, and each shard is a sorted
//! list: of 400,000 limits an edit copies a 256th, and a limit that nobody uses costs
//! little more than its own fields.

use super::{Limit, Rule, Subject, shards::Shards};
use crate::{
    id::{AccountId, KeyId, LimitId, TeamId},
    name::Name,
};
use std::{cmp::Ordering, collections::BTreeSet, hash::Hash, sync::Arc};

/// All limits of a catalog.
#[derive(Debug, Clone, Default)]
pub struct LimitTable {
    by_id: Shards<Vec<Arc<Limit>>>,
    by_subject: Shards<Owned>,
    rules: Rules,
    len: usize,
}

/// Rules that limits share: most limits of many are alike. In parts, so that an edit copies
/// few of them.
#[derive(Debug, Clone, Default)]
struct Rules(Shards<BTreeSet<Arc<Rule>>>);

impl Rules {
    /// With so many in one part, those that nobody has any more go; if that is not half of
    /// them, limits are hardly alike, and the part begins anew.
    const MOST: usize = 256;

    /// Makes `limit` share the rule of those that are alike.
    fn share(&mut self, limit: &mut Arc<Limit>) {
        let mut hasher = crc32fast::Hasher::new();
        limit.rule.hash(&mut hasher);
        let byte = place_byte(hasher.finalize());
        if let Some(there) = self.0.of(byte).and_then(|it| it.get(&limit.rule)) {
            if !Arc::ptr_eq(there, &limit.rule) {
                let there = Arc::clone(there);
                Arc::make_mut(limit).rule = there;
            }
            return;
        }
        let rule = Arc::clone(&limit.rule);
        self.0.edit(byte, |part| {
            if part.len() >= Self::MOST {
                part.retain(|it| 1 < Arc::strong_count(it));
                if Self::MOST / 2 < part.len() {
                    part.clear();
                }
            }
            part.insert(rule);
        });
    }
}

/// A [`Subject`] to look for, borrowed from wherever it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the subject of its name")]
pub enum SubjectRef<'a> {
    Everything,
    Key(KeyId),
    Team(TeamId),
    Alias(&'a str),
    KeyAlias(KeyId, &'a str),
    Provider(&'a Name),
    Account(AccountId),
    AccountModel(AccountId, &'a str),
}

impl Subject {
    /// The same subject, borrowed.
    pub fn as_ref(&self) -> SubjectRef<'_> {
        match self {
            Self::Everything => SubjectRef::Everything,
            Self::Key(it) => SubjectRef::Key(*it),
            Self::Team(it) => SubjectRef::Team(*it),
            Self::Alias(it) => SubjectRef::Alias(it),
            Self::KeyAlias(key, alias) => SubjectRef::KeyAlias(*key, alias),
            Self::Provider(it) => SubjectRef::Provider(it),
            Self::Account(it) => SubjectRef::Account(*it),
            Self::AccountModel(account, model) => {
                SubjectRef::AccountModel(*account, model.as_str())
            }
        }
    }
}

impl SubjectRef<'_> {
    /// A number for where it stands: the same for a key and its aliases, and for an
    /// account and its models, so that they are found together.
    fn place(self) -> u32 {
        match self {
            Self::Everything => 0,
            Self::Key(it) | Self::KeyAlias(it, _) => crc32fast::hash(it.uuid().as_bytes()),
            Self::Team(it) => crc32fast::hash(it.uuid().as_bytes()),
            Self::Alias(it) => crc32fast::hash(it.as_bytes()),
            Self::Provider(it) => crc32fast::hash(it.as_str().as_bytes()),
            Self::Account(it) | Self::AccountModel(it, _) => crc32fast::hash(it.uuid().as_bytes()),
        }
    }
}

/// One shard of the limits by subject. Two lists of one length, because a row of both
/// would take a third more room.
#[derive(Debug, Clone, Default)]
struct Owned {
    /// The place of each limit's subject, ascending.
    places: Vec<u32>,
    /// Limits by place, then by subject, then by id.
    limits: Vec<Arc<Limit>>,
}

impl Owned {
    /// The limits whose subjects stand at `place`, sorted by subject and id.
    fn at(&self, place: u32) -> &[Arc<Limit>] {
        let from = self.places.partition_point(|it| *it < place);
        let until = self.places.partition_point(|it| *it <= place);
        self.limits.get(from..until).unwrap_or_default()
    }

    /// Where `limit` is, or belongs.
    fn position(&self, place: u32, limit: &Limit) -> Result<usize, usize> {
        let from = self.places.partition_point(|it| *it < place);
        let order = |it: &Arc<Limit>| order(it, limit);
        let here = self.at(place).binary_search_by(order);
        here.map(|it| from.saturating_add(it)).map_err(|it| from.saturating_add(it))
    }
}

fn order(a: &Limit, b: &Limit) -> Ordering {
    a.subject.as_ref().cmp(&b.subject.as_ref()).then(a.id.cmp(&b.id))
}

/// The part of a sorted list that is of one subject.
fn only<'a>(limits: &'a [Arc<Limit>], subject: SubjectRef<'_>) -> &'a [Arc<Limit>] {
    let from = limits.partition_point(|it| it.subject.as_ref() < subject);
    let until = limits.partition_point(|it| it.subject.as_ref() <= subject);
    limits.get(from..until).unwrap_or_default()
}

/// The place's own highest byte decides on the shard, the rest on the order within.
const fn place_byte(place: u32) -> u8 {
    place.to_be_bytes()[0]
}

/// A random byte of an id: the last one of a UUIDv7 is not time.
fn id_byte(id: LimitId) -> u8 {
    id.uuid().as_bytes().last().copied().unwrap_or(0)
}

/// Inserts, and grows by a sixteenth where the standard would double: a shard lives
/// long and changes rarely.
fn insert<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 16).max(1));
    }
    list.insert(at, item);
}

impl LimitTable {
    /// How many limits there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The limit of this id.
    pub fn get(&self, id: LimitId) -> Option<&Arc<Limit>> {
        let shard = self.by_id.of(id_byte(id))?;
        let at = shard.binary_search_by_key(&id, |it| it.id).ok()?;
        shard.get(at)
    }

    /// The limits of this subject, sorted by id.
    pub fn of(&self, subject: SubjectRef<'_>) -> &[Arc<Limit>] {
        only(self.at(subject), subject)
    }

    /// The limits of a key, and of its use of aliases.
    pub fn of_key(&self, key: KeyId) -> impl Iterator<Item = &Arc<Limit>> {
        let there = self.at(SubjectRef::Key(key)).iter();
        there.filter(move |it| match &it.subject {
            Subject::Key(it) | Subject::KeyAlias(it, _) => *it == key,
            Subject::Everything
            | Subject::Team(_)
            | Subject::Alias(_)
            | Subject::Provider(_)
            | Subject::Account(_)
            | Subject::AccountModel(..) => false,
        })
    }

    /// The limits of an account, and of its use of models.
    pub fn of_account(&self, account: AccountId) -> impl Iterator<Item = &Arc<Limit>> {
        let there = self.at(SubjectRef::Account(account)).iter();
        there.filter(move |it| match &it.subject {
            Subject::Account(it) | Subject::AccountModel(it, _) => *it == account,
            Subject::Everything
            | Subject::Key(_)
            | Subject::Team(_)
            | Subject::Alias(_)
            | Subject::KeyAlias(..)
            | Subject::Provider(_) => false,
        })
    }

    /// Every limit, always in the same order, which means nothing.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Limit>> {
        self.by_id.iter().flatten()
    }

    /// Everyone who is limited, each once, in an order that means nothing.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = SubjectRef<'_>> {
        let shards = self.by_subject.iter();
        let each = shards.flat_map(|it| it.limits.chunk_by(|a, b| a.subject == b.subject));
        each.filter_map(|it| Some(it.first()?.subject.as_ref()))
    }

    /// Adds a limit, or replaces the one of its id.
    pub fn insert(&mut self, mut limit: Arc<Limit>) {
        self.remove(limit.id);
        self.rules.share(&mut limit);
        let place = limit.subject.as_ref().place();
        self.by_subject.edit(place_byte(place), |shard| {
            let at = shard.position(place, &limit).unwrap_or_else(|it| it);
            insert(&mut shard.places, at, place);
            insert(&mut shard.limits, at, Arc::clone(&limit));
        });
        self.by_id.edit(id_byte(limit.id), |shard| {
            let at = shard.binary_search_by_key(&limit.id, |it| it.id).unwrap_or_else(|it| it);
            insert(shard, at, limit);
        });
        self.len = self.len.saturating_add(1);
    }

    /// Removes the limit of this id, if it is there.
    pub fn remove(&mut self, id: LimitId) {
        let Some(old) = self.get(id).cloned() else { return };
        let place = old.subject.as_ref().place();
        self.by_subject.edit(place_byte(place), |shard| {
            if let Ok(at) = shard.position(place, &old) {
                shard.places.remove(at);
                shard.limits.remove(at);
            }
        });
        self.by_id.edit(id_byte(id), |shard| {
            if let Ok(at) = shard.binary_search_by_key(&id, |it| it.id) {
                shard.remove(at);
            }
        });
        self.len = self.len.saturating_sub(1);
    }

    fn at(&self, subject: SubjectRef<'_>) -> &[Arc<Limit>] {
        let place = subject.place();
        self.by_subject.of(place_byte(place)).map_or(&[], |it| it.at(place))
    }
}

impl PartialEq for LimitTable {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests;
