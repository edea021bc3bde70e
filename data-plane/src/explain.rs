//! How recent requests were decided: values, kept for a while, put into words only for
//! who asks.
//!
//! A request pays for its record with an allocation and some stores; all formatting is
//! done by whoever looks one up.

mod words;

use crate::{
    gateway::SnapshotCell,
    meter::{self, Part, ShortWhy},
};
use domain::{
    catalog::Limit,
    id::{KeyId, RequestId},
    routing::{Attempt, Failure},
    time::Timestamp,
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// How many requests are remembered.
pub const KEPT: usize = 10_000;

/// The last requests of a proxy.
pub struct Explainer {
    /// A ring: each request takes the place of the one so many before it.
    places: Box<[Mutex<Option<Arc<Record>>>]>,
    next: AtomicUsize,
    /// Where names are looked up when somebody asks.
    snapshot: SnapshotCell,
}

impl Explainer {
    /// Remembers the last `kept` requests; at least one.
    pub fn new(kept: usize, snapshot: SnapshotCell) -> Self {
        let places = std::iter::repeat_with(Mutex::default).take(kept.max(1)).collect();
        Self { places, next: AtomicUsize::new(0), snapshot }
    }

    /// Opens the record of a request, which can be looked up from now on.
    pub(crate) fn open(&self, asked: Asked) -> Arc<Record> {
        let record = Arc::new(Record { asked, story: Mutex::default() });
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.places.len();
        let old = self.places.get(at).map(|it| lock(it).replace(Arc::clone(&record)));
        // Freed when nobody waits for the place any more.
        drop(old);
        record
    }

    /// The record of a request, if it was one of the last.
    pub(crate) fn record(&self, request: RequestId) -> Option<Arc<Record>> {
        let is_it = |it: &Arc<Record>| it.asked.request == request;
        self.places.iter().find_map(|place| lock(place).as_ref().filter(|it| is_it(it)).cloned())
    }
}

/// What a request was, before anything was decided.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: RequestId,
    pub(crate) received_at: Timestamp,
    pub(crate) key: KeyId,
    pub(crate) alias: Box<str>,
    pub(crate) revision: u64,
}

/// One request, from its arrival to its end.
#[derive(Debug)]
pub(crate) struct Record {
    asked: Asked,
    /// Never held across anything that waits; hardly ever wanted by two.
    story: Mutex<Story>,
}

#[derive(Debug, Default)]
struct Story {
    /// What the caller got; 0: nothing yet.
    status: u16,
    input_tokens: u64,
    output_tokens: u64,
    limits: Vec<Said>,
    looks: Vec<Look>,
}

/// What a limit said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) limit: Arc<Limit>,
    pub(crate) verdict: Verdict,
    /// What was asked of it; this and all amounts in thousandths of its unit.
    pub(crate) asked_milli: u64,
    /// What lay ready here before.
    pub(crate) before_milli: i64,
    /// What lay ready here after.
    pub(crate) after_milli: i64,
    /// What was charged in the end.
    pub(crate) settled_milli: Option<u64>,
    /// The lease that it came from.
    pub(crate) epoch: u64,
    pub(crate) incarnation: u32,
    pub(crate) seq: u64,
    pub(crate) waited_ms: u32,
}

impl Said {
    /// What a limit said that let the request through, or only reports.
    pub(crate) fn of(part: &Part) -> Self {
        let verdict = match part.verdict {
            meter::Verdict::Passed | meter::Verdict::Fallback if part.waited_ms == 0 => {
                Verdict::Taken
            }
            meter::Verdict::Passed | meter::Verdict::Fallback => Verdict::Waited,
            meter::Verdict::WouldRefuse => Verdict::WouldRefuse,
            meter::Verdict::Unknown => Verdict::Skipped,
            meter::Verdict::Refused => Verdict::Refused(Reason::Exhausted),
        };
        Self {
            limit: Arc::clone(&part.limit),
            verdict,
            asked_milli: part.asked_milli,
            before_milli: part.before.level_milli,
            after_milli: part.after.level_milli,
            settled_milli: None,
            epoch: part.after.epoch,
            incarnation: part.after.incarnation,
            seq: part.after.seq,
            waited_ms: part.waited_ms,
        }
    }

    /// What a limit says that was not even asked for room.
    pub(crate) const fn never(limit: Arc<Limit>, asked_milli: u64, reason: Reason) -> Self {
        Self {
            limit,
            verdict: Verdict::Refused(reason),
            asked_milli,
            before_milli: 0,
            after_milli: 0,
            settled_milli: None,
            epoch: 0,
            incarnation: 0,
            seq: 0,
            waited_ms: 0,
        }
    }

    /// It gave, and got it back at once: another limit refused.
    pub(crate) const fn skip(&mut self) {
        self.verdict = Verdict::Skipped;
        self.after_milli = self.before_milli;
    }

    /// It is the one that refused.
    #[must_use]
    pub(crate) fn refused(self, reason: Reason) -> Self {
        Self { verdict: Verdict::Refused(reason), ..self }
    }
}

/// How a limit decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It gave what was asked.
    Taken,
    /// It gave that after a wait.
    Waited,
    /// It refused.
    Refused(Reason),
    /// It would have refused, and only counts.
    WouldRefuse,
    /// It was not asked in the end, or gave what was given back.
    Skipped,
}

/// Why a limit refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is used up.
    Exhausted,
    /// What is left is on its way between proxies, or reserved.
    Moving,
    /// The control plane cannot be asked.
    Disconnected,
    /// The control plane did not answer in time.
    Unanswered,
    /// Too many requests waited already.
    Crowded,
    /// A new leader still learns what is lent.
    Learning,
    /// What counts it cannot be reached.
    Unavailable,
    /// It never has so much.
    TooLarge,
    /// What the request costs is not known.
    Unpriced,
}

impl Reason {
    pub(crate) const fn of(why: ShortWhy) -> Self {
        match why {
            ShortWhy::Exhausted => Self::Exhausted,
            ShortWhy::Moving => Self::Moving,
            ShortWhy::Disconnected => Self::Disconnected,
            ShortWhy::Unanswered => Self::Unanswered,
            ShortWhy::Crowded => Self::Crowded,
            ShortWhy::Learning => Self::Learning,
            ShortWhy::Unavailable => Self::Unavailable,
            ShortWhy::TooLarge { .. } => Self::TooLarge,
        }
    }
}

/// One target that was looked at.
#[derive(Debug)]
struct Look {
    target: Attempt,
    verdict: LookVerdict,
    limits: Vec<Said>,
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookVerdict {
    /// It is being asked.
    Asked,
    /// It began to answer.
    Answered(u16),
    /// It did not.
    Failed(Failure),
    /// A limit of the account has not enough left.
    NoHeadroom,
    /// What is asked cannot be said in the dialect that it speaks.
    Unsayable,
    /// The account is to be asked after all others.
    KeptForLast(Reluctance),
}

/// Why an account is asked after all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reluctance {
    /// A limit of it is used up to its threshold.
    Threshold,
    /// The provider says that it has nothing left.
    Upstream,
}

impl Record {
    /// What the request was taken for.
    pub(crate) fn sized(&self, input_tokens: u64, output_tokens: u64) {
        let mut story = self.story();
        (story.input_tokens, story.output_tokens) = (input_tokens, output_tokens);
    }

    /// What the caller's limits said.
    pub(crate) fn said(&self, limits: Vec<Said>) {
        self.story().limits = limits;
    }

    /// A target was looked at.
    pub(crate) fn looked(&self, target: &Attempt, verdict: LookVerdict, limits: Vec<Said>) {
        let mut story = self.story();
        // Mostly there is one, and thousands of records are kept.
        story.looks.reserve_exact(1);
        story.looks.push(Look { target: target.clone(), verdict, limits });
    }

    /// What became of the target that was looked at last.
    pub(crate) fn became(&self, verdict: LookVerdict) {
        if let Some(look) = self.story().looks.last_mut() {
            look.verdict = verdict;
        }
    }

    /// What the caller's limits were charged.
    pub(crate) fn charged_caller(&self, used: impl Fn(&Limit, u64) -> u64) {
        charge(&mut self.story().limits, used);
    }

    /// What the limits of the target that was looked at last were charged.
    pub(crate) fn charged_target(&self, used: impl Fn(&Limit, u64) -> u64) {
        if let Some(look) = self.story().looks.last_mut() {
            charge(&mut look.limits, used);
        }
    }

    /// What the caller got.
    pub(crate) fn ended(&self, status: u16) {
        self.story().status = status;
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        lock(&self.story)
    }
}

fn charge(limits: &mut [Said], used: impl Fn(&Limit, u64) -> u64) {
    for said in limits {
        said.settled_milli = match said.verdict {
            Verdict::Taken | Verdict::Waited | Verdict::WouldRefuse => {
                Some(used(&said.limit, said.asked_milli))
            }
            Verdict::Refused(_) | Verdict::Skipped => None,
        };
    }
}

/// Every change leaves what is locked whole: a panic elsewhere cannot have torn it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::{Action, Measure, Mode, Rule, Subject};
    use std::num::NonZeroU64;
    use uuid::Uuid;

    fn asked(number: u128) -> Asked {
        Asked {
            request: RequestId::from_uuid(Uuid::from_u128(number)),
            received_at: Timestamp::from_unix_ms(1_500),
            key: KeyId::from_uuid(Uuid::from_u128(7)),
            alias: "fast".into(),
            revision: 3,
        }
    }

    fn found(explainer: &Explainer, number: u128) -> bool {
        explainer.find(RequestId::from_uuid(Uuid::from_u128(number))).is_some()
    }

    fn limit() -> Arc<Limit> {
        let rule = Rule::Grant { measure: Measure::Requests, amount: NonZeroU64::new(5).unwrap() };
        Arc::new(Limit {
            id: domain::id::LimitId::from_uuid(Uuid::from_u128(1)),
            generation: 0,
            subject: Subject::Everything,
            rule: rule.into(),
            mode: Mode::Strict,
            action: Action::Enforce,
            warn_percent: None,
            switch_percent: None,
            queue_ms: 0,
        })
    }

    #[test]
    fn the_last_requests_are_remembered_and_older_ones_are_not() {
        let explainer = Explainer::new(3, SnapshotCell::default());
        for number in 1..=5 {
            explainer.open(asked(number));
        }
        let all: Vec<_> = (1..=5).map(|it| found(&explainer, it)).collect();
        assert_eq!(all, [false, false, true, true, true]);
        assert!(!found(&Explainer::new(0, SnapshotCell::default()), 1));
    }

    #[test]
    fn a_request_can_be_looked_up_before_it_is_over() {
        let explainer = Explainer::new(3, SnapshotCell::default());
        let record = explainer.open(asked(1));
        let id = RequestId::from_uuid(Uuid::from_u128(1));
        assert_eq!(explainer.find(id).unwrap().status, 0);
        record.said(vec![Said::never(limit(), 9_000, Reason::TooLarge)]);
        record.charged_caller(|_, _| 1);
        record.ended(400);
        let words = explainer.find(id).unwrap();
        assert_eq!((words.status, words.received_at.unwrap().nanos), (400, 500_000_000));
        let said = &words.limits[0];
        assert_eq!(said.title, "everything: 5 requests in all");
        assert_eq!((said.verdict.as_str(), said.settled_milli), ("refused", None));
    }
}
