//! Which account made a response that a provider keeps, and for whom: a request that goes
//! on from it has to go there, and only who asked first may.
//!
//! Known to this proxy alone, and forgotten with it.

use domain::id::{AccountId, KeyId, TeamId};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most responses that are remembered; the oldest are forgotten first.
const MOST: usize = 16_384;

/// Who made a response, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The account that made it.
    pub(crate) account: AccountId,
    /// The key that asked for it.
    pub(crate) key: KeyId,
    /// That key's team, whose other keys may go on from it too.
    pub(crate) team: Option<TeamId>,
}

impl Owner {
    /// Whether this key may go on from the response.
    fn lets(&self, key: KeyId, team: Option<TeamId>) -> bool {
        self.key == key || self.team.is_some() && self.team == team
    }
}

/// The responses that were made of late.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    by_id: HashMap<Box<str>, Owner>,
    /// The oldest first.
    order: VecDeque<Box<str>>,
}

impl Owners {
    /// Remembers who made the response of this id.
    pub(crate) fn note(&self, id: &str, owner: Owner) {
        let mut all = self.lock();
        if all.by_id.insert(id.into(), owner).is_none() {
            all.order.push_back(id.into());
        }
        while MOST < all.order.len() {
            let Some(oldest) = all.order.pop_front() else { break };
            all.by_id.remove(&oldest);
        }
    }

    /// The account that made it; `None` if it is not known here, or was not made for this
    /// key: both read alike.
    pub(crate) fn account(&self, id: &str, key: KeyId, team: Option<TeamId>) -> Option<AccountId> {
        self.lock().by_id.get(id).filter(|it| it.lets(key, team)).map(|it| it.account)
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(number: u128) -> KeyId {
        KeyId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn only_the_key_that_asked_and_its_team_find_it() {
        let owners = Owners::default();
        let account = AccountId::from_uuid(Uuid::from_u128(9));
        let team = Some(TeamId::from_uuid(Uuid::from_u128(5)));
        owners.note("resp_1", Owner { account, key: key(1), team });
        assert_eq!(owners.account("resp_1", key(1), team), Some(account));
        assert_eq!(owners.account("resp_1", key(2), team), Some(account));
        assert_eq!(owners.account("resp_1", key(2), None), None);
        assert_eq!(owners.account("resp_2", key(1), team), None);
        owners.note("resp_3", Owner { account, key: key(1), team: None });
        assert_eq!(owners.account("resp_3", key(2), None), None, "no team is no team's");
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let owners = Owners::default();
        let account = AccountId::from_uuid(Uuid::nil());
        for number in 0..=MOST {
            owners.note(&number.to_string(), Owner { account, key: key(1), team: None });
        }
        assert_eq!(owners.account("0", key(1), None), None);
        assert_eq!(owners.account("1", key(1), None), Some(account));
        assert_eq!(owners.lock().by_id.len(), MOST);
    }
}
