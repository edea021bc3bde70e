//! One limit's windows: the fund of `domain`, and which window it is by the calendar.

use super::Now;
use crate::{
    calendar,
    lender::clerk::{Errand, Sort},
    store::{WindowKey, WindowOrder, WindowState},
};
use domain::{
    catalog::{Measure, Mode, Rule},
    limit::{
        Holder, LeaseOf,
        budget::{
            fund::{Drawn, Effect, Fund, FundStatus},
            message::{ChunkEntry, ChunkGrant, WindowId},
        },
        lease::status::Glance,
        message::{Denied, Why},
    },
    time::Timestamp,
};

/// When to ask again for what is not known here, in microseconds: until then the catalog
/// has come round.
const UNKNOWN_RETRY_US: u64 = 200_000;

/// A limit's windows.
pub(super) struct Windowed {
    of: LeaseOf,
    total_milli: u64,
    /// The most that was allowed in this window since we lead, or out already when we first
    /// saw its row: a limit that is cut was not outdone.
    allowed_milli: u64,
    seen: bool,
    fund: Fund,
    now: Option<Span>,
    /// The one before: what is put back into it still has to find it.
    before: Option<Span>,
    effects: Vec<Effect>,
}

/// A window, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    window: WindowId,
    /// In milliseconds since the Unix epoch; `None`: never.
    ends_ms: Option<i64>,
}

/// What a fund wants.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) sends: Vec<(Holder, ChunkGrant)>,
    pub(super) orders: Vec<(WindowOrder, Sort)>,
}

impl Windowed {
    pub(super) fn new(of: LeaseOf, total_milli: u64, mode: Mode) -> Self {
        let fund = Fund::new(of, total_milli, mode);
        Self {
            of,
            total_milli,
            allowed_milli: total_milli,
            seen: false,
            fund,
            now: None,
            before: None,
            effects: Vec::new(),
        }
    }

    pub(super) fn set_total(&mut self, now: Now, total_milli: u64, mode: Mode) {
        self.total_milli = total_milli;
        self.allowed_milli = self.allowed_milli.max(total_milli);
        self.effects.extend(self.fund.set_total(now.us, total_milli, mode));
    }

    /// When the window ends, in milliseconds since the Unix epoch.
    pub(super) fn ends_ms(&self) -> Option<i64> {
        self.now.and_then(|it| it.ends_ms)
    }

    /// Goes on to the window in which we are now.
    pub(super) fn roll(&mut self, now: Now, rule: &Rule) {
        let Some(span) = span(rule, now.unix_ms) else { return };
        if self.now.is_none_or(|it| it.window != span.window) {
            self.before = self.now;
            (self.allowed_milli, self.seen) = (self.total_milli, false);
        }
        self.now = Some(span);
        if rule.measure() == Some(Measure::Requests) {
            self.fund.returns_nothing();
        }
        let left_us = span.ends_ms.map(|it| left_us(it, now.unix_ms));
        self.effects.extend(self.fund.open(now.us, span.window, left_us));
    }

    pub(super) fn hear(&mut self, now: Now, holder: Holder, entry: &ChunkEntry) {
        self.effects.extend(self.fund.on_entry(now.us, holder, entry));
    }

    pub(super) fn drawn(&mut self, now: Now, order: &WindowOrder, state: Option<WindowState>) {
        let open = self.now.is_some_and(|it| it.window.0 == order.key.start);
        if let Some(it) = state.filter(|_| open && !self.seen) {
            self.seen = true;
            let before = it.granted_milli.saturating_sub(it.got_milli);
            self.allowed_milli = self.allowed_milli.max(before);
        }
        let drawn = match state {
            Some(it) if it.got_milli > 0 => {
                Drawn::Got { milli: it.got_milli, row_granted_milli: it.granted_milli }
            }
            Some(it) => Drawn::Empty { row_granted_milli: it.granted_milli },
            None => Drawn::Failed,
        };
        self.effects.extend(self.fund.on_drawn(now.us, WindowId(order.key.start), drawn));
    }

    pub(super) fn not_owed(&mut self, order: &WindowOrder) {
        self.fund.on_owe_failed(WindowId(order.key.start), order.owe_milli);
    }

    /// Whether there is something to be settled.
    pub(super) fn tick(&mut self, now: Now) -> bool {
        self.effects.extend(self.fund.tick(now.us));
        !self.effects.is_empty()
    }

    /// Whether somebody waits for something of it.
    pub(super) fn is_awaited(&self) -> bool {
        self.fund.is_awaited()
    }

    pub(super) fn close(&mut self) {
        self.effects.extend(self.fund.close());
    }

    pub(super) fn status(&self, now: Now) -> FundStatus {
        self.fund.status(now.us)
    }

    /// How full it is.
    pub(super) fn glance(&self, now: Now) -> Glance {
        Glance { over_milli: self.over_milli(), ..self.fund.glance(now.us) }
    }

    /// What is out beyond all that was allowed.
    pub(super) fn over_milli(&self) -> u64 {
        self.fund.out_milli().saturating_sub(self.allowed_milli)
    }

    /// Whether nobody holds anything of it.
    pub(super) fn is_at_rest(&self, now: Now) -> bool {
        self.status(now).holders.is_empty()
    }

    /// What the fund wants to be done.
    pub(super) fn wanted(&mut self) -> Wanted {
        let mut wanted = Wanted::default();
        for effect in std::mem::take(&mut self.effects) {
            let (window, sort, milli) = match effect {
                Effect::Send { holder, grant } => {
                    wanted.sends.push((holder, grant));
                    continue;
                }
                Effect::Draw { window, want_milli } => (window, Sort::Draw, want_milli),
                Effect::PutBack { window, milli } => (window, Sort::PutBack, milli),
                Effect::Owe { window, milli } => (window, Sort::Owe, milli),
            };
            let ends_at = self.ends_at(window);
            let (limit, generation) = (self.of.limit, self.of.generation);
            let key = WindowKey { limit, generation, start: window.0 };
            let of = |it: Sort| if it == sort { milli } else { 0 };
            let order = WindowOrder {
                key,
                total_milli: self.total_milli,
                ends_at,
                want_milli: of(Sort::Draw),
                back_milli: of(Sort::PutBack),
                owe_milli: of(Sort::Owe),
            };
            wanted.orders.push((order, sort));
        }
        wanted
    }

    fn ends_at(&self, window: WindowId) -> Option<Timestamp> {
        let known = [self.now, self.before].into_iter().flatten().find(|it| it.window == window);
        known.and_then(|it| it.ends_ms).map(Timestamp::from_unix_ms)
    }
}

/// Gives back what was drawn for nobody.
pub(super) fn put_back(order: &WindowOrder, milli: u64) -> Option<Errand> {
    let order = WindowOrder { want_milli: 0, back_milli: milli, owe_milli: 0, ..*order };
    (milli > 0).then_some(Errand::Window(order, Sort::PutBack))
}

/// There is no such limit here, or not of this generation.
pub(super) fn unknown(entry: &ChunkEntry) -> ChunkGrant {
    ChunkGrant {
        of: entry.of,
        window: entry.window.unwrap_or(WindowId(0)),
        left_us: Some(0),
        seq: entry.seq,
        credit_milli: 0,
        denied: Some(Denied { retry_us: UNKNOWN_RETRY_US, why: Why::Unknown }),
        call_in: false,
        call_in_milli: 0,
        free_milli: 0,
        used_ppm: 0,
    }
}

/// The window of a rule at a moment; `None`: it has none.
fn span(rule: &Rule, unix_ms: i64) -> Option<Span> {
    let window = calendar::window_at(rule, Timestamp::from_unix_ms(unix_ms))?;
    Some(Span { window: window.id, ends_ms: window.ends_at.map(Timestamp::unix_ms) })
}

fn left_us(ends_ms: i64, unix_ms: i64) -> u64 {
    u64::try_from(ends_ms.saturating_sub(unix_ms)).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::LimitId;
    use std::num::NonZeroU64;
    use uuid::Uuid;

    const NOW: Now = Now { us: 1_000_000, unix_ms: 1_000 };

    fn over(windowed: &Windowed) -> u64 {
        windowed.over_milli()
    }

    /// Does what it wants of the row, of which so much is out.
    fn row(windowed: &mut Windowed, granted_milli: u64) {
        let wanted = windowed.wanted().orders;
        let draws = wanted.iter().filter(|(_, sort)| *sort == Sort::Draw);
        let draws: Vec<_> = draws.map(|(order, _)| *order).collect();
        for order in draws {
            let state = WindowState { got_milli: 0, granted_milli };
            windowed.drawn(NOW, &order, Some(state));
        }
    }

    #[test]
    fn a_window_that_was_cut_is_not_outdone_and_one_that_owes_is() {
        let of = LeaseOf { limit: LimitId::from_uuid(Uuid::nil()), generation: 0 };
        let amount = NonZeroU64::new(10).unwrap();
        let rule = Rule::Grant { measure: Measure::Requests, amount };
        let mut windowed = Windowed::new(of, 10_000, Mode::Strict);
        windowed.roll(NOW, &rule);
        let holder =
            Holder { proxy: domain::id::ProxyId::from_uuid(Uuid::nil()), boot: Uuid::nil() };
        let mut entry = ChunkEntry {
            of,
            window: Some(WindowId(0)),
            seq: 1,
            level_milli: 0,
            reserved_milli: 0,
            spent_milli: 0,
            denied: 0,
            demand_milli_per_s: 0,
            need_milli: 1_000,
            least_milli: 1_000,
            give_back_seq: 1,
            give_back_milli: 0,
            owed_milli: 0,
        };
        windowed.hear(NOW, holder, &entry);
        // Another leader has lent nine, and then the limit was cut.
        row(&mut windowed, 9_000);
        assert_eq!(over(&windowed), 0);
        windowed.set_total(NOW, 4_000, Mode::Strict);
        assert_eq!(over(&windowed), 0);
        (entry.give_back_seq, entry.owed_milli) = (2, 3_000);
        windowed.hear(NOW, holder, &entry);
        assert_eq!(over(&windowed), 2_000);
    }
}
