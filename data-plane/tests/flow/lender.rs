//! A leader in the same process: lends to the one proxy of a stage, by a clock that is
//! turned by hand. Rows of windows are kept in memory and written at once.

use domain::{
    catalog::{CalendarPeriod, Limit, Rule},
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        budget::{
            fund::{Drawn, Effect, Fund},
            message::{ChunkEntry, ChunkGrant, WindowId},
        },
        lease::{
            leader::{Heard, Leader, Start},
            session::{Session, Verdict},
        },
        message::{Grants, Sync},
        supply::Supply,
    },
};
use sluice_data_plane::meter::{Letter, Meter};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// The window that is open; it began so long ago that nobody minds.
const WINDOW: WindowId = WindowId(1_700_000_000);
/// Leases are renewed in steps of this.
const STEP: Duration = Duration::from_secs(1);

/// How long a fund waits for others, and a little more.
const PAUSE_US: u64 = 30_000;

/// The clock of proxy and leader, in microseconds.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000_000)))
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct Lender {
    pub(crate) meter: Meter,
    clock: HandClock,
    inner: Mutex<Inner>,
}

struct Inner {
    leader: Leader,
    session: Session,
    funds: BTreeMap<LimitId, Lent>,
}

struct Lent {
    fund: Fund,
    total_milli: u64,
    granted_milli: u64,
}

fn holder() -> Holder {
    Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(1)), boot: Uuid::from_u128(2) }
}

impl Lender {
    /// Lends these, all of them unused.
    pub(crate) fn new(limits: &[Limit]) -> Arc<Self> {
        let clock = HandClock::new();
        let now_us = clock.now_us();
        let mut leader = Leader::new(now_us, 1, Start::Fresh);
        let mut funds = BTreeMap::new();
        for limit in limits {
            let of = LeaseOf { limit: limit.id, generation: limit.generation };
            match Supply::of(limit) {
                None => {}
                Some(Supply::Window { total_milli }) => {
                    let mut fund = Fund::new(of, total_milli, limit.mode);
                    let opened = fund.open(now_us, WINDOW, left_us(limit));
                    assert_eq!(opened, [], "nobody has asked for anything yet");
                    funds.insert(limit.id, Lent { fund, total_milli, granted_milli: 0 });
                }
                Some(supply) => leader.set(now_us, of, supply, 0),
            }
        }
        let of_meter = clock.clone();
        let meter = Meter::new(Arc::new(move || of_meter.now_us()));
        let inner = Mutex::new(Inner { leader, session: Session::new(), funds });
        let lender = Arc::new(Self { meter, clock, inner });
        lender.meter.on_connected();
        lender.renew();
        lender
    }

    /// Answers questions for ever.
    pub(crate) async fn serve(self: Arc<Self>) {
        loop {
            self.meter.asked().await;
            let letter = self.meter.questions();
            if !letter.is_empty() {
                self.inner.lock().unwrap().say(&self.meter, &self.clock, letter);
            }
        }
    }

    /// Turns the clock on, as it would go: leases are renewed meanwhile.
    pub(crate) fn advance(&self, by: Duration) {
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(STEP);
            left -= step;
            let us = u64::try_from(step.as_micros()).unwrap();
            self.clock.0.fetch_add(us, Ordering::SeqCst);
            self.renew();
        }
    }

    fn renew(&self) {
        let mut inner = self.inner.lock().unwrap();
        for letter in self.meter.renewals() {
            inner.say(&self.meter, &self.clock, letter);
        }
        let now_us = self.clock.now_us();
        for (_, grants) in inner.leader.tick(now_us) {
            self.meter.on_grants(&grants);
        }
    }

    /// What is used of a limit and what is held by requests, in thousandths, as the proxy
    /// has told it.
    pub(crate) fn used_and_reserved(&self, limit: &Arc<Limit>) -> (u64, u64) {
        let standing = self.meter.standing(&[limit]);
        standing.first().map_or((0, 0), |(_, view)| (view.spent_milli, view.reserved_milli))
    }
}

impl Inner {
    fn say(&mut self, meter: &Meter, clock: &HandClock, letter: Letter) {
        let Letter { entries, chunks, whole, told_us } = letter;
        let now_us = clock.now_us();
        let sync = self.session.next(told_us, whole, entries, chunks);
        match self.leader.on_sync(now_us, holder(), &sync) {
            Heard::Hello(grants) => {
                let Verdict::Hello(epoch) = self.session.on_grants(&grants) else {
                    panic!("a hello of an old epoch")
                };
                meter.on_epoch(epoch);
                for letter in meter.renewals() {
                    self.say(meter, clock, letter);
                }
            }
            Heard::Fine(mut grants) => {
                grants.chunks = self.fund(now_us, &sync);
                self.hear(meter, &grants);
                let answered = |it: &ChunkEntry| grants.chunks.iter().any(|to| to.of == it.of);
                if sync.chunks.iter().any(|it| 0 < it.need_milli && !answered(it)) {
                    // A refusal waits for what may come from others.
                    clock.0.fetch_add(PAUSE_US, Ordering::SeqCst);
                    let chunks = self.tick(clock.now_us());
                    self.hear(meter, &Grants { chunks, reply_to_us: None, ..grants });
                }
                for (_, grants) in self.leader.take_pushes(now_us) {
                    self.hear(meter, &grants);
                }
            }
            Heard::StepDown | Heard::Duplicate => panic!("there is one leader, and nothing twice"),
        }
    }

    fn hear(&mut self, meter: &Meter, grants: &Grants) {
        assert_eq!(self.session.on_grants(grants), Verdict::Current);
        meter.on_grants(grants);
    }

    fn tick(&mut self, now_us: u64) -> Vec<ChunkGrant> {
        let mut sent = Vec::new();
        for lent in self.funds.values_mut() {
            let effects = lent.fund.tick(now_us);
            lent.carry_out_all(now_us, effects, &mut sent);
        }
        sent
    }

    fn fund(&mut self, now_us: u64, sync: &Sync) -> Vec<ChunkGrant> {
        let mut sent = Vec::new();
        for entry in &sync.chunks {
            let Some(lent) = self.funds.get_mut(&entry.of.limit) else { continue };
            let effects = lent.fund.on_entry(now_us, holder(), entry);
            lent.carry_out_all(now_us, effects, &mut sent);
        }
        sent
    }
}

impl Lent {
    fn carry_out_all(&mut self, now_us: u64, mut effects: Vec<Effect>, sent: &mut Vec<ChunkGrant>) {
        while !effects.is_empty() {
            let done = std::mem::take(&mut effects);
            for effect in done {
                effects.extend(self.carry_out(now_us, effect, sent));
            }
        }
    }

    fn carry_out(
        &mut self,
        now_us: u64,
        effect: Effect,
        sent: &mut Vec<ChunkGrant>,
    ) -> Vec<Effect> {
        match effect {
            Effect::Send { grant, .. } => sent.push(grant),
            Effect::Draw { window, want_milli } => {
                let milli = want_milli.min(self.total_milli.saturating_sub(self.granted_milli));
                self.granted_milli += milli;
                let row_granted_milli = self.granted_milli;
                let drawn = match milli {
                    0 => Drawn::Empty { row_granted_milli },
                    _ => Drawn::Got { milli, row_granted_milli },
                };
                return self.fund.on_drawn(now_us, window, drawn);
            }
            Effect::PutBack { milli, .. } => self.granted_milli -= milli,
            Effect::Owe { milli, .. } => self.granted_milli += milli,
        }
        Vec::new()
    }
}

/// Windows end in a whole period from the beginning of the test.
fn left_us(limit: &Limit) -> Option<u64> {
    let Rule::Calendar { period, .. } = &*limit.rule else { return None };
    let seconds = match period {
        CalendarPeriod::Minute => 60,
        CalendarPeriod::Hour => 3_600,
        CalendarPeriod::Day => 86_400,
        CalendarPeriod::Week => 7 * 86_400,
        CalendarPeriod::Month => 30 * 86_400,
    };
    Some(seconds * 1_000_000)
}
