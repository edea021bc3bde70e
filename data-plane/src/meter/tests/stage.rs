//! A meter and a real leader, with nothing but a little time between them.

use crate::meter::{Clock, Letter, Meter, Priority, Reservation, Shortage, Want};
use domain::{
    catalog::{Action, Limit, Measure, Mode, Period, Rule, Subject, Weights},
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        demand::SET_ASIDE_PPM,
        lease::{
            leader::{Heard, Leader, Start},
            message::Grant,
            session::{Session, Verdict},
        },
        message::Grants,
        supply::{MILLI, Supply},
    },
};
use std::{
    collections::VecDeque,
    num::NonZeroU64,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, interval, sleep};
use uuid::Uuid;

pub(super) const SECOND: u64 = 1_000_000;

pub(super) fn limit(number: u128, rule: Rule) -> Arc<Limit> {
    Arc::new(Limit {
        id: LimitId::from_uuid(Uuid::from_u128(number)),
        generation: 1,
        subject: Subject::Everything,
        rule: Arc::new(rule),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

pub(super) fn but(limit: &Arc<Limit>, change: impl FnOnce(&mut Limit)) -> Arc<Limit> {
    let mut limit = Limit::clone(limit);
    change(&mut limit);
    Arc::new(limit)
}

pub(super) fn rpm(number: u128, amount: u64) -> Arc<Limit> {
    let amount = NonZeroU64::new(amount).unwrap();
    limit(number, Rule::Bucket { measure: Measure::Requests, amount, period: Period::Minute })
}

pub(super) fn tpm(number: u128, amount: u64) -> Arc<Limit> {
    let (measure, period) = (Measure::Tokens(Weights::default()), Period::Minute);
    let amount = NonZeroU64::new(amount).unwrap();
    limit(number, Rule::Bucket { measure, amount, period })
}

pub(super) fn seats(number: u128, most: u64) -> Arc<Limit> {
    limit(number, Rule::InFlight { most: NonZeroU64::new(most).unwrap() })
}

pub(super) fn want(limit: &Arc<Limit>, units: u64) -> Want<'_> {
    Want { limit, milli: units * MILLI }
}

/// Asks for one unit of each.
pub(super) async fn ask(
    meter: &Meter,
    limits: &[&Arc<Limit>],
) -> Result<Reservation, Box<Shortage>> {
    let wants: Vec<_> = limits.iter().map(|it| want(it, 1)).collect();
    meter.reserve(&wants, Priority::Normal).await
}

/// So many ask at once.
pub(super) async fn crowd(
    meter: &Meter,
    limits: &[&Arc<Limit>],
    count: usize,
) -> Vec<Result<Reservation, Box<Shortage>>> {
    futures_util::future::join_all((0..count).map(|_| ask(meter, limits))).await
}

/// A clock that tests turn, and a meter that goes by it.
pub(super) fn by_hand() -> (Meter, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(SECOND));
    let shown = Arc::clone(&time);
    (Meter::new(Arc::new(move || shown.load(Ordering::SeqCst))), time)
}

/// Lends so much of a limit, for good at no rate, as the answer to a question.
pub(super) fn lend(meter: &Meter, now_us: u64, limit: &Arc<Limit>, units: u64) {
    let of = LeaseOf { limit: limit.id, generation: limit.generation };
    let wants = [want(limit, 1)];
    let mut first = std::pin::pin!(meter.reserve(&wants, Priority::Normal));
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = first.as_mut().poll(&mut nobody);
    let letter = meter.renewals().remove(0);
    let entry = letter.entries.iter().find(|it| it.of == of).unwrap();
    let grant = Grant {
        of,
        incarnation: entry.incarnation,
        seq: entry.held.map_or(0, |it| it.seq) + 1,
        rate_nano: 0,
        cap_milli: units * MILLI,
        credit_milli: units * MILLI,
        reset: false,
        denied: None,
        free_milli: 0,
        used_ppm: 0,
    };
    meter.on_grants(&Grants {
        epoch: 1,
        stamp_us: now_us,
        reply_to_us: Some(now_us),
        hello: false,
        ttl_us: 8 * SECOND,
        grants: vec![grant],
        chunks: Vec::new(),
    });
}

/// The leader and the way to it. Time is tokio's, which tests hold.
pub(super) struct Stage {
    pub(super) meter: Meter,
    clock: Clock,
    pub(super) leader: Mutex<Leader>,
    talk: Mutex<Session>,
    holder: Holder,
    pub(super) latency: Duration,
    /// Messages in which something was asked for.
    pub(super) questions: AtomicUsize,
    /// Nothing gets through.
    pub(super) cut: AtomicBool,
}

impl Stage {
    pub(super) fn new(limits: &[&Arc<Limit>]) -> Self {
        Self::with(limits, Start::Fresh)
    }

    pub(super) fn with(limits: &[&Arc<Limit>], start: Start) -> Self {
        let began = Instant::now();
        let clock: Clock =
            Arc::new(move || 100 * SECOND + u64::try_from(began.elapsed().as_micros()).unwrap());
        let mut leader = Leader::new(clock(), 1, start);
        for limit in limits {
            let of = LeaseOf { limit: limit.id, generation: limit.generation };
            let aside = if limit.mode == Mode::Availability { SET_ASIDE_PPM } else { 0 };
            leader.set(clock(), of, Supply::of(limit).unwrap(), aside);
        }
        let proxy = ProxyId::from_uuid(Uuid::from_u128(1));
        Self {
            meter: Meter::new(Arc::clone(&clock)),
            clock,
            leader: Mutex::new(leader),
            talk: Mutex::new(Session::new()),
            holder: Holder { proxy, boot: Uuid::from_u128(2) },
            latency: Duration::from_millis(1),
            questions: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        (self.clock)()
    }

    pub(super) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    /// Runs `play` while the session goes on.
    pub(super) async fn run<T>(&self, play: impl Future<Output = T>) -> T {
        self.meter.on_connected();
        tokio::select! {
            biased;
            ended = async {
                // The leader's epoch is adopted first.
                sleep(Duration::from_millis(20)).await;
                play.await
            } => ended,
            () = self.session() => unreachable!(),
        }
    }

    async fn session(&self) {
        let (mut renew, mut tick) =
            (interval(Duration::from_secs(2)), interval(Duration::from_millis(5)));
        let mut ticks = 0u32;
        loop {
            tokio::select! {
                () = self.meter.asked() => {
                    sleep(Duration::from_millis(1)).await;
                    self.post([self.meter.questions()].into()).await;
                }
                _ = renew.tick() => self.post(self.meter.renewals().into()).await,
                _ = tick.tick() => {
                    ticks += 1;
                    let now_us = self.now_us();
                    let mut leader = self.leader.lock().unwrap();
                    let pushes = match ticks.is_multiple_of(10) {
                        true => leader.tick(now_us),
                        false => leader.hurry(now_us),
                    };
                    drop(leader);
                    for (_, grants) in pushes {
                        self.deliver(&grants);
                    }
                }
            }
        }
    }

    async fn post(&self, mut letters: VecDeque<Letter>) {
        while let Some(letter) = letters.pop_front() {
            let asks = letter.entries.iter().any(|it| it.need_milli > 0);
            self.questions.fetch_add(usize::from(asks), Ordering::SeqCst);
            let sync = self.talk.lock().unwrap().next(
                letter.told_us,
                letter.whole,
                letter.entries,
                letter.chunks,
            );
            sleep(self.latency / 2).await;
            if self.cut.load(Ordering::SeqCst) {
                return;
            }
            let heard = self.leader.lock().unwrap().on_sync(self.now_us(), self.holder, &sync);
            sleep(self.latency / 2).await;
            match heard {
                Heard::Hello(grants) | Heard::Fine(grants) => {
                    if self.deliver(&grants) {
                        letters.extend(self.meter.renewals());
                    }
                }
                Heard::StepDown | Heard::Duplicate => {}
            }
        }
    }

    /// Says whether everything is to be told.
    fn deliver(&self, grants: &Grants) -> bool {
        if self.cut.load(Ordering::SeqCst) {
            return false;
        }
        let verdict = self.talk.lock().unwrap().on_grants(grants);
        match verdict {
            Verdict::Hello(epoch) => self.meter.on_epoch(epoch),
            Verdict::Current => self.meter.on_grants(grants),
            Verdict::Stale => {}
        }
        matches!(verdict, Verdict::Hello(_))
    }
}
