//! What providers say is left of an account's own limits.
//!
//! Believed only downwards: who has nothing left is asked after all others, and nobody is
//! ever let through for it. Everything that was said is forgotten at its reset.

use dialect::ratelimit::{self, Family, Left};
use domain::{catalog::Dialect, id::AccountId};
use http::{HeaderMap, StatusCode};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Most accounts and models of which something is remembered.
const MOST: usize = 4_096;
/// No word is believed for longer: who was closed for a day is tried again now and then.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long a word without a reset is believed.
const UNSAID: Duration = Duration::from_secs(5);
/// How long an account rests that had too many requests and did not say for how long.
const REST: Duration = Duration::from_secs(1);
/// With more tokens left, no request is too large.
const PLENTY_TOKENS: u64 = 4_000_000;

/// What all accounts have left, as far as providers say it; by account and model, because
/// most limits are of both.
#[derive(Debug, Default)]
pub(crate) struct Headroom {
    told: Mutex<HashMap<(AccountId, Arc<str>), Told>>,
    /// How many there are: mostly none, and then nobody waits for the lock.
    count: AtomicUsize,
}

/// What a provider said last.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// It had too many requests.
    closed_until: Option<Instant>,
    /// What is left of each family, and until when that is believed.
    left: [Option<(u64, Instant)>; 4],
}

/// What a request may take of an account, as it is guessed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Need {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

impl Need {
    const fn of(self, family: Family) -> u64 {
        match family {
            Family::Requests => 1,
            Family::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Family::InputTokens => self.input_tokens,
            Family::OutputTokens => self.output_tokens,
        }
    }
}

const FAMILIES: [Family; 4] =
    [Family::Requests, Family::Tokens, Family::InputTokens, Family::OutputTokens];

impl Told {
    fn lacks(&self, need: Need, now: Instant) -> bool {
        let too_little = |(family, left): (Family, &Option<(u64, Instant)>)| {
            left.is_some_and(|(left, until)| now < until && left < need.of(family))
        };
        self.closed_until.is_some_and(|it| now < it)
            || FAMILIES.into_iter().zip(&self.left).any(too_little)
    }

    fn hear(&mut self, family: Family, left: Left, now: Instant) {
        let Some(place) = self.left.get_mut(family as usize) else { return };
        let plenty = match family {
            Family::Requests => 1,
            Family::Tokens | Family::InputTokens | Family::OutputTokens => PLENTY_TOKENS,
        };
        let until = now.checked_add(left.reset.unwrap_or(UNSAID).min(LONGEST));
        *place = until.filter(|_| left.remaining < plenty).map(|until| (left.remaining, until));
    }

    fn is_over(&self, now: Instant) -> bool {
        let mut ends = self.left.iter().flatten().map(|(_, until)| *until).chain(self.closed_until);
        ends.all(|it| it <= now)
    }
}

impl Headroom {
    /// Whether no account is known to lack anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Whether the account has said that a request like this is too much for it now.
    pub(crate) fn lacks(
        &self,
        account: AccountId,
        model: &Arc<str>,
        need: Need,
        now: Instant,
    ) -> bool {
        if self.is_empty() {
            return false;
        }
        let told = self.told();
        told.get(&(account, Arc::clone(model))).is_some_and(|it| it.lacks(need, now))
    }

    /// Takes note of what the head of an account's answer says.
    pub(crate) fn hear(
        &self,
        (account, model): (AccountId, &Arc<str>),
        dialect: Dialect,
        (status, headers): (StatusCode, &HeaderMap),
        clock: impl FnOnce() -> (Instant, i64),
    ) {
        let closed = status == StatusCode::TOO_MANY_REQUESTS;
        if !closed && !ratelimit::says_left(dialect, headers) {
            return;
        }
        let (now, now_unix_ms) = clock();
        let key = (account, Arc::clone(model));
        let mut told = self.told();
        let mut word = told.get(&key).copied().unwrap_or_default();
        if closed {
            let rest = ratelimit::retry_after(headers, now_unix_ms).unwrap_or(REST).min(LONGEST);
            // Of two refusals the longer one counts: neither is taken back by the other.
            word.closed_until = word.closed_until.max(now.checked_add(rest));
        }
        for (family, left) in ratelimit::left(dialect, headers, now_unix_ms) {
            word.hear(family, left, now);
        }
        if word.is_over(now) {
            told.remove(&key);
        } else {
            if told.len() >= MOST && !told.contains_key(&key) {
                told.retain(|_, it| !it.is_over(now));
            }
            if told.len() < MOST || told.contains_key(&key) {
                told.insert(key, word);
            }
        }
        self.count.store(told.len(), Ordering::Relaxed);
    }

    fn told(&self) -> MutexGuard<'_, HashMap<(AccountId, Arc<str>), Told>> {
        // Every change leaves it whole: a panic elsewhere cannot have torn it.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use uuid::Uuid;

    const NOW_MS: i64 = 1_769_517_045_000;
    const SMALL: Need = Need { input_tokens: 10, output_tokens: 10 };

    struct Scene {
        headroom: Headroom,
        model: Arc<str>,
        begin: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { headroom: Headroom::default(), model: "big-1".into(), begin: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begin + Duration::from_secs(seconds)
        }

        fn hear(&self, seconds: u64, status: u16, pairs: &[(&'static str, &'static str)]) {
            let pairs = pairs.iter();
            let headers: HeaderMap = pairs
                .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
                .collect();
            self.headroom.hear(
                (account(1), &self.model),
                Dialect::OpenAi,
                (StatusCode::from_u16(status).unwrap(), &headers),
                || (self.at(seconds), NOW_MS),
            );
        }

        fn lacks(&self, seconds: u64, need: Need) -> bool {
            self.headroom.lacks(account(1), &self.model, need, self.at(seconds))
        }
    }

    fn account(number: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn who_has_no_request_left_is_avoided_until_the_reset_and_not_longer() {
        let scene = Scene::new();
        assert!(!scene.lacks(0, SMALL));
        scene.hear(
            0,
            200,
            &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")],
        );
        assert!(scene.lacks(0, SMALL) && scene.lacks(19, SMALL) && !scene.lacks(20, SMALL));
        let other: Arc<str> = "big-2".into();
        assert!(!scene.headroom.lacks(account(1), &other, SMALL, scene.at(0)));
        assert!(!scene.headroom.lacks(account(2), &scene.model, SMALL, scene.at(0)));
    }

    #[test]
    fn a_request_is_too_large_only_beyond_the_tokens_that_are_left() {
        let scene = Scene::new();
        scene.hear(
            0,
            200,
            &[("x-ratelimit-remaining-tokens", "100"), ("x-ratelimit-reset-tokens", "1m0s")],
        );
        let need = |output_tokens| Need { input_tokens: 50, output_tokens };
        assert!(!scene.lacks(1, need(50)) && scene.lacks(1, need(51)));
        // The last word counts, in either direction.
        scene.hear(
            2,
            200,
            &[("x-ratelimit-remaining-tokens", "5000000"), ("x-ratelimit-reset-tokens", "1m0s")],
        );
        assert!(!scene.lacks(3, need(51)));
    }

    #[test]
    fn too_many_requests_close_an_account_for_as_long_as_it_says() {
        let scene = Scene::new();
        scene.hear(0, 429, &[("retry-after", "7")]);
        assert!(scene.lacks(6, SMALL) && !scene.lacks(7, SMALL));
        // An answer that was on its way says nothing of that.
        scene.hear(1, 200, &[("x-ratelimit-remaining-requests", "5")]);
        assert!(scene.lacks(6, SMALL));
        scene.hear(10, 429, &[]);
        assert!(scene.lacks(10, SMALL) && !scene.lacks(11, SMALL));
        scene.hear(20, 429, &[("retry-after", "900000")]);
        assert!(scene.lacks(3_619, SMALL) && !scene.lacks(3_620, SMALL));
    }

    #[test]
    fn what_nobody_needs_to_know_is_not_kept() {
        let scene = Scene::new();
        scene.hear(0, 200, &[("x-ratelimit-remaining-requests", "59")]);
        scene.hear(0, 503, &[("retry-after", "7")]);
        scene.hear(0, 200, &[("content-type", "text/plain")]);
        assert_eq!(scene.headroom.count.load(Ordering::Relaxed), 0);
        scene.hear(0, 200, &[("x-ratelimit-remaining-requests", "0")]);
        assert!(scene.lacks(4, SMALL) && !scene.lacks(5, SMALL));
        scene.hear(6, 200, &[("x-ratelimit-remaining-requests", "1")]);
        assert_eq!(scene.headroom.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_a_bound_and_the_forgotten_make_room() {
        let scene = Scene::new();
        let closed = (StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
        let hear = |number, seconds| {
            let clock = || (scene.at(seconds), NOW_MS);
            scene.headroom.hear((account(number), &scene.model), Dialect::OpenAi, closed, clock);
        };
        for number in 0..5_000 {
            hear(number, 0);
        }
        assert_eq!(scene.headroom.told().len(), MOST);
        hear(9_999, 2);
        assert_eq!(scene.headroom.told().len(), 1);
    }
}
