use super::*;
use crate::{
    id::{LimitId, ProxyId},
    limit::message::{Denied, Why},
};
use uuid::Uuid;

const UNIT: u64 = 1_000;
const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const NOON: WindowId = WindowId(43_200);
const NEXT: WindowId = WindowId(129_600);
const START: u64 = 7 * SECOND;

fn of() -> LeaseOf {
    LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation: 0 }
}

fn holder(number: u128) -> Holder {
    let boot = Uuid::from_u128(number);
    Holder { proxy: ProxyId::from_uuid(boot), boot }
}

/// A chunk that wants `units` at once.
fn wants(units: u64) -> ChunkEntry {
    ChunkEntry {
        of: of(),
        window: Some(NOON),
        seq: 0,
        level_milli: 0,
        reserved_milli: 0,
        spent_milli: 0,
        denied: 0,
        demand_milli_per_s: 0,
        need_milli: units * UNIT,
        least_milli: units * UNIT,
        give_back_seq: 0,
        give_back_milli: 0,
        owed_milli: 0,
    }
}

/// A chunk that has `units`, applied credit `seq`, and wants nothing.
fn has(units: u64, seq: u64) -> ChunkEntry {
    ChunkEntry { level_milli: i64::try_from(units * UNIT).unwrap(), seq, ..wants(0) }
}

/// A fund whose window lasts a minute more, in a database of its own.
struct Bench {
    fund: Fund,
    row: u64,
    total: u64,
    away: bool,
}

impl Bench {
    fn new(units: u64, mode: Mode) -> Self {
        let mut fund = Fund::new(of(), units * UNIT, mode);
        assert_eq!(fund.open(START, NOON, Some(60 * SECOND)), []);
        Self { fund, row: 0, total: units * UNIT, away: false }
    }

    /// Carries out what concerns the database, and gives what was sent.
    fn carry_out(&mut self, now_us: u64, effects: Vec<Effect>) -> Vec<(Holder, ChunkGrant)> {
        let mut sent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { holder, grant } => sent.push((holder, grant)),
                Effect::Draw { window, want_milli } => {
                    let milli = want_milli.min(self.total.saturating_sub(self.row));
                    let drawn = match self.away {
                        true => Drawn::Failed,
                        false => {
                            self.row += milli;
                            Drawn::Got { milli, row_granted_milli: self.row }
                        }
                    };
                    let effects = self.fund.on_drawn(now_us, window, drawn);
                    sent.extend(self.carry_out(now_us, effects));
                }
                Effect::PutBack { milli, .. } => self.row -= milli,
                Effect::Owe { milli, .. } => self.row += milli,
            }
        }
        sent
    }

    fn hear(&mut self, now_us: u64, number: u128, entry: &ChunkEntry) -> Vec<(Holder, ChunkGrant)> {
        let effects = self.fund.on_entry(now_us, holder(number), entry);
        self.carry_out(now_us, effects)
    }

    fn tick(&mut self, now_us: u64) -> Vec<(Holder, ChunkGrant)> {
        let effects = self.fund.tick(now_us);
        self.carry_out(now_us, effects)
    }

    /// The one word to this holder.
    fn one(&mut self, now_us: u64, number: u128, entry: &ChunkEntry) -> ChunkGrant {
        let mut sent = self.hear(now_us, number, entry);
        sent.retain(|(to, _)| *to == holder(number));
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0).1
    }

    /// Lends `units` to a holder and hears that it applied them.
    fn lend(&mut self, number: u128, units: u64) {
        let grant = self.one(START, number, &wants(units));
        assert_eq!(grant.credit_milli, units * UNIT);
        let _ = self.hear(START, number, &has(units, grant.seq));
    }
}

fn refused(retry_us: u64, why: Why) -> Option<Denied> {
    Some(Denied { retry_us, why })
}

#[test]
fn nothing_is_lent_before_it_is_drawn_and_one_draw_is_under_way_at_a_time() {
    let mut fund = Fund::new(of(), 100 * UNIT, Mode::Strict);
    let _ = fund.open(START, NOON, Some(60 * SECOND));
    let effects = fund.on_entry(START, holder(1), &wants(3));
    assert_eq!(effects, [Effect::Draw { window: NOON, want_milli: 3 * UNIT }]);
    assert_eq!(fund.on_entry(START, holder(2), &wants(4)), []);
    let got = Drawn::Got { milli: 3 * UNIT, row_granted_milli: 3 * UNIT };
    let effects = fund.on_drawn(START, NOON, got);
    let [Effect::Send { holder: to, grant }, Effect::Draw { want_milli, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((*to, grant.credit_milli, grant.seq), (holder(1), 3 * UNIT, 1));
    assert_eq!((grant.left_us, *want_milli), (Some(60 * SECOND), 4 * UNIT));
}

#[test]
fn a_credit_that_was_not_heard_is_said_again_and_not_lent_again() {
    let mut bench = Bench::new(100, Mode::Strict);
    let first = bench.one(START, 1, &wants(3));
    let again = bench.one(START + 50 * MS, 1, &wants(3));
    assert_eq!((again.seq, again.credit_milli), (first.seq, first.credit_milli));
    assert_eq!(bench.row, 3 * UNIT);
    let entry = ChunkEntry { seq: first.seq, ..wants(3) };
    let next = bench.one(START + 60 * MS, 1, &entry);
    assert_eq!((next.seq, next.credit_milli), (first.seq + 1, 3 * UNIT));
    let late = bench.one(START + 70 * MS, 1, &wants(3));
    assert_eq!(late.seq, next.seq, "what is older changes nothing");
    assert_eq!(bench.row, 6 * UNIT);
}

#[test]
fn what_is_given_back_counts_once() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.lend(1, 10);
    let back = ChunkEntry { give_back_seq: 1, give_back_milli: 4 * UNIT, ..has(6, 1) };
    for _ in 0..3 {
        let _ = bench.hear(START, 1, &back);
        assert_eq!(bench.fund.status(START).free_milli, 4 * UNIT);
    }
    assert_eq!(bench.one(START, 2, &wants(4)).credit_milli, 4 * UNIT);
    let _ = bench.hear(START, 1, &back);
    assert_eq!(bench.fund.status(START).free_milli, 0);
    let sent = bench.hear(START, 3, &wants(1));
    assert!(sent.iter().all(|(to, _)| *to != holder(3)), "{sent:?}");
}

#[test]
fn a_leader_that_meets_a_holder_hears_what_it_gives_back_and_goes_on_from_its_number() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.row = 10 * UNIT;
    let back = ChunkEntry { give_back_seq: 70, give_back_milli: 4 * UNIT, ..has(1, 900) };
    let _ = bench.hear(START, 1, &back);
    let grant = bench.one(START, 1, &ChunkEntry { seq: 900, give_back_seq: 70, ..wants(4) });
    assert_eq!((grant.seq, grant.credit_milli), (901, 4 * UNIT));
}

#[test]
fn used_up_is_said_with_when_the_window_ends() {
    let mut bench = Bench::new(5, Mode::Strict);
    bench.lend(1, 5);
    let spent = ChunkEntry { spent_milli: 5 * UNIT, ..has(0, 1) };
    let _ = bench.hear(START, 1, &spent);
    let grant = bench.one(START + 20 * SECOND, 2, &wants(1));
    assert_eq!(grant.denied, refused(40 * SECOND, Why::Exhausted));
    assert_eq!((grant.free_milli, grant.used_ppm), (0, 1_000_000));
    let renewed = bench.one(START + 22 * SECOND, 2, &has(0, 0));
    assert_eq!(renewed.denied, refused(38 * SECOND, Why::Exhausted), "still");
}

#[test]
fn what_is_too_large_for_the_rest_is_refused_and_the_rest_is_told() {
    let mut bench = Bench::new(5, Mode::Strict);
    bench.lend(1, 3);
    let _ = bench.hear(START, 1, &has(0, 1));
    let grant = bench.one(START, 2, &wants(3));
    assert_eq!(grant.denied, refused(60 * SECOND, Why::Exhausted));
    assert_eq!(grant.free_milli, 2 * UNIT);
    assert_eq!(bench.one(START, 2, &wants(2)).credit_milli, 2 * UNIT);
}

#[test]
fn a_grant_that_is_used_up_never_comes_back() {
    let mut fund = Fund::new(of(), UNIT, Mode::Strict);
    let _ = fund.open(START, WindowId(0), None);
    let entry = ChunkEntry { window: None, ..wants(1) };
    let _ = fund.on_entry(START, holder(1), &entry);
    let effects = fund.on_drawn(START, WindowId(0), Drawn::Empty { row_granted_milli: UNIT });
    let [Effect::Send { grant, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((grant.left_us, grant.denied), (None, refused(u64::MAX, Why::Exhausted)));
}

#[test]
fn an_idle_chunk_is_called_in_for_who_is_short() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.lend(1, 10);
    let sent = bench.hear(START, 2, &wants(4));
    assert_eq!(sent.len(), 1, "who is short waits: {sent:?}");
    assert!(sent[0].0 == holder(1) && sent[0].1.call_in);
    let back = ChunkEntry { give_back_seq: 1, give_back_milli: 10 * UNIT, ..has(0, 1) };
    let sent = bench.hear(START + 2 * MS, 1, &back);
    assert!(sent.iter().any(|(to, it)| *to == holder(2) && it.credit_milli == 4 * UNIT));
    assert_eq!(bench.row, 10 * UNIT);
}

#[test]
fn a_chunk_that_is_not_given_back_makes_nobody_wait_long() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.lend(1, 10);
    assert_eq!(bench.hear(START, 2, &wants(4)).len(), 1);
    let sent = bench.tick(START + 50 * MS);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.denied, refused(100 * MS, Why::Moving), "it may still come");
    // A holder that is gone has nothing that could come.
    let later = START + 30 * SECOND;
    let grant = bench.one(later, 2, &wants(4));
    assert_eq!(grant.denied, refused(30 * SECOND, Why::Exhausted));
    assert_eq!(grant.used_ppm, 1_000_000);
}

#[test]
fn what_running_requests_have_reserved_is_not_used_up() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.lend(1, 10);
    let runs = ChunkEntry { reserved_milli: 7 * UNIT, spent_milli: 3 * UNIT, ..has(0, 1) };
    let _ = bench.hear(START, 1, &runs);
    // They may have ended since: who has them is asked, once.
    let ask = |bench: &mut Bench, now_us, number, units, denied| {
        let sent = bench.hear(now_us, number, &wants(units));
        assert!(sent.iter().all(|(to, it)| *to == holder(1) && it.call_in), "{sent:?}");
        let mut sent = bench.hear(now_us, 1, &runs);
        sent.retain(|(to, _)| *to == holder(number));
        assert_eq!(sent.remove(0).1.denied, denied);
    };
    ask(&mut bench, START, 2, 7, refused(SECOND, Why::Moving));
    let lost = refused(60 * SECOND, Why::Exhausted);
    assert_eq!(bench.one(START, 3, &wants(8)).denied, lost);
    // Requests of which each counts as one give nothing back.
    bench.fund.returns_nothing();
    let lost = refused(59 * SECOND, Why::Exhausted);
    ask(&mut bench, START + SECOND, 4, 7, lost);
}

#[test]
fn who_was_refused_is_told_when_there_is_room() {
    let mut bench = Bench::new(4, Mode::Strict);
    bench.lend(1, 4);
    let _ = bench.hear(START, 1, &has(0, 1));
    assert!(bench.one(START, 2, &wants(2)).denied.is_some());
    bench.total = 5 * UNIT;
    let effects = bench.fund.set_total(START, 5 * UNIT, Mode::Strict);
    assert_eq!(bench.carry_out(START, effects), [], "not enough for it");
    bench.total = 6 * UNIT;
    let effects = bench.fund.set_total(START, 6 * UNIT, Mode::Strict);
    let sent = bench.carry_out(START, effects);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, sent[0].1.denied, sent[0].1.free_milli), (holder(2), None, 2 * UNIT));
    assert_eq!(bench.one(START, 2, &wants(2)).credit_milli, 2 * UNIT);
}

#[test]
fn a_limit_below_what_is_out_lends_nothing_and_calls_in() {
    let mut bench = Bench::new(100, Mode::Strict);
    let demanding = ChunkEntry { demand_milli_per_s: UNIT, ..wants(10) };
    let grant = bench.one(START, 1, &demanding);
    let level = grant.credit_milli / UNIT;
    let _ = bench.hear(START, 1, &has(level, grant.seq));
    let block = bench.fund.status(START).block_milli;
    assert!(0 < block && bench.row == block + grant.credit_milli);
    bench.total = UNIT;
    let effects = bench.fund.set_total(START, UNIT, Mode::Strict);
    let sent = bench.carry_out(START, effects);
    assert!(sent.iter().any(|(_, it)| it.call_in), "{sent:?}");
    assert_eq!(bench.row, grant.credit_milli, "the block is put back");
    let back = grant.credit_milli - UNIT;
    let entry = ChunkEntry { give_back_seq: 1, give_back_milli: back, ..has(1, grant.seq) };
    let _ = bench.hear(START, 1, &entry);
    assert_eq!(bench.row, UNIT, "what comes back goes back");
    let sent = bench.hear(START, 2, &wants(1));
    assert!(sent.iter().all(|(to, it)| *to == holder(1) && it.call_in), "{sent:?}");
}

#[test]
fn without_its_database_a_strict_window_gives_what_was_drawn_and_then_says_why_not() {
    let mut bench = Bench::new(1_000, Mode::Strict);
    let busy = ChunkEntry { demand_milli_per_s: UNIT, ..wants(1) };
    let grant = bench.one(START, 1, &busy);
    let block = bench.fund.status(START).block_milli;
    assert!(0 < block);
    bench.away = true;
    let credit = grant.credit_milli;
    let entry = ChunkEntry { seq: grant.seq, need_milli: block, least_milli: UNIT, ..wants(0) };
    assert_eq!(bench.one(START, 1, &entry).credit_milli, block);
    let refusal = bench.one(START, 2, &wants(1));
    assert_eq!(refusal.denied, refused(SECOND, Why::Unavailable));
    assert_eq!(bench.row, credit + block);
    assert_eq!(
        bench.one(START + SECOND / 2, 2, &wants(1)).denied,
        refused(SECOND / 2, Why::Unavailable)
    );
    bench.away = false;
    let sent = bench.tick(START + SECOND);
    assert!(sent.iter().any(|(to, it)| *to == holder(2) && it.denied.is_none()), "{sent:?}");
    assert_eq!(bench.one(START + SECOND, 2, &wants(1)).credit_milli, UNIT);
}

#[test]
fn without_its_database_availability_goes_on_to_the_total_and_tells_it_afterwards() {
    let mut bench = Bench::new(20, Mode::Availability);
    bench.lend(1, 5);
    assert_eq!(bench.row, 5 * UNIT);
    bench.away = true;
    let grant = bench.one(START, 2, &wants(12));
    assert_eq!(grant.credit_milli, 12 * UNIT);
    assert_eq!(bench.fund.status(START).owing_milli, 12 * UNIT);
    let most = bench.one(START, 3, &wants(4));
    assert_eq!(most.credit_milli, 0, "there are only three");
    assert_eq!(bench.row, 5 * UNIT);
    bench.away = false;
    let _ = bench.tick(START + SECOND);
    assert_eq!((bench.row, bench.fund.status(START).owing_milli), (17 * UNIT, 0));
    assert_eq!(bench.one(START + SECOND, 3, &wants(3)).credit_milli, 3 * UNIT);
    assert_eq!(bench.row, 20 * UNIT);
}

#[test]
fn what_could_not_be_told_is_told_again() {
    let mut bench = Bench::new(20, Mode::Strict);
    bench.lend(1, 5);
    bench.fund.on_owe_failed(NOON, 2 * UNIT);
    bench.fund.on_owe_failed(WindowId(1), 3 * UNIT);
    let effects = bench.fund.tick(START);
    assert_eq!(effects, [Effect::Draw { window: NOON, want_milli: 0 }]);
    let looked = Drawn::Empty { row_granted_milli: 5 * UNIT };
    assert_eq!(
        bench.fund.on_drawn(START, NOON, looked),
        [
            Effect::Owe { window: WindowId(1), milli: 3 * UNIT },
            Effect::Owe { window: NOON, milli: 2 * UNIT },
        ]
    );
    assert_eq!(bench.fund.status(START).granted_milli, Some(7 * UNIT));
}

#[test]
fn a_debt_is_taken_from_the_block_or_told_to_the_row() {
    let mut bench = Bench::new(10, Mode::Strict);
    bench.lend(1, 10);
    let owing = ChunkEntry { give_back_seq: 1, owed_milli: 2 * UNIT, ..has(0, 1) };
    let _ = bench.hear(START, 1, &owing);
    assert_eq!(bench.row, 12 * UNIT);
    let _ = bench.hear(START, 1, &owing);
    assert_eq!(bench.row, 12 * UNIT, "once");
}

#[test]
fn another_window_begins_with_nothing_of_the_one_before() {
    let mut bench = Bench::new(1_000, Mode::Strict);
    let busy = ChunkEntry { demand_milli_per_s: UNIT, ..wants(1) };
    let grant = bench.one(START, 1, &busy);
    let block = bench.fund.status(START).block_milli;
    let end = START + 60 * SECOND;
    let waits = ChunkEntry { seq: grant.seq, ..wants(500) };
    assert_eq!(bench.hear(end, 1, &waits), [], "the window is over");
    let effects = bench.fund.open(end + MS, NEXT, Some(SECOND));
    assert_eq!(effects[0], Effect::PutBack { window: NOON, milli: block });
    assert_eq!(effects[1], Effect::Draw { window: NEXT, want_milli: 500 * UNIT });
    let late = Drawn::Got { milli: UNIT, row_granted_milli: 9 * UNIT };
    let effects = bench.fund.on_drawn(end + MS, NOON, late);
    assert_eq!(effects, [Effect::PutBack { window: NOON, milli: UNIT }]);
    let got = Drawn::Got { milli: 500 * UNIT, row_granted_milli: 500 * UNIT };
    let effects = bench.fund.on_drawn(end + MS, NEXT, got);
    let Some(Effect::Send { grant: next, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((next.window, next.credit_milli), (NEXT, 500 * UNIT));
    assert!(grant.seq < next.seq);
    assert_eq!(bench.fund.open(end + MS, NOON, None), [], "an earlier one is not opened");
    assert_eq!(bench.fund.window(), Some(NEXT));
}

#[test]
fn who_waits_for_a_database_that_is_silent_is_refused() {
    let mut fund = Fund::new(of(), 100 * UNIT, Mode::Strict);
    let _ = fund.open(START, NOON, Some(60 * SECOND));
    let _ = fund.on_entry(START, holder(1), &wants(3));
    assert_eq!(fund.tick(START + 20 * MS), []);
    let effects = fund.tick(START + 60 * MS);
    let [Effect::Send { grant, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(grant.denied, refused(100 * MS, Why::Unavailable));
    assert_eq!(fund.tick(START + 110 * MS), []);
    let got = Drawn::Got { milli: 3 * UNIT, row_granted_milli: 3 * UNIT };
    let effects = fund.on_drawn(START + 120 * MS, NOON, got);
    let [Effect::Send { grant, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((grant.denied, grant.free_milli), (None, 100 * UNIT));
}

#[test]
fn chunks_last_half_a_minute_and_become_single_requests_towards_the_end() {
    // Units per window, drawn before, demand per second, units that one request brings.
    for (total, before, demand, credit) in [
        (1_000_000, 0, 10, 300),
        (1_000_000, 999_000, 10, 250),
        (1_000_000, 999_900, 10, 25),
        (1_000_000, 999_990, 10, 2),
        (1_000_000, 999_996, 10, 1),
        (1_000_000, 999_999, 10, 1),
        (1_000_000, 0, 0, 1),
    ] {
        let mut bench = Bench::new(total, Mode::Strict);
        bench.row = before * UNIT;
        let _ = bench.hear(START, 1, &has(0, 0));
        let entry = ChunkEntry { demand_milli_per_s: demand * UNIT, ..wants(1) };
        let grant = bench.one(START, 1, &entry);
        let left = total - before;
        assert_eq!(grant.credit_milli, credit * UNIT, "{left} left");
    }
}

#[test]
fn a_holder_that_renews_is_filled_up_before_it_must_ask() {
    let mut bench = Bench::new(1_000_000, Mode::Strict);
    let busy =
        |units: u64, seq: u64| ChunkEntry { demand_milli_per_s: 10 * UNIT, ..has(units, seq) };
    let _ = bench.hear(START, 1, &busy(300, 0));
    assert_eq!(bench.one(START, 1, &busy(200, 0)).credit_milli, 0);
    assert_eq!(bench.one(START, 1, &busy(140, 0)).credit_milli, 160 * UNIT);
}

#[test]
fn a_block_that_nobody_asks_for_is_put_back() {
    let mut bench = Bench::new(1_000_000, Mode::Strict);
    let busy = ChunkEntry { demand_milli_per_s: 10 * UNIT, ..wants(1) };
    let grant = bench.one(START, 1, &busy);
    assert!(grant.credit_milli < bench.row);
    let _ = bench.hear(START, 1, &has(300, grant.seq));
    let _ = bench.tick(START + SECOND);
    assert_eq!(bench.row, grant.credit_milli);
}

#[test]
fn the_end_puts_back_what_is_not_lent() {
    let mut bench = Bench::new(1_000_000, Mode::Strict);
    let busy = ChunkEntry { demand_milli_per_s: 10 * UNIT, ..wants(1) };
    let grant = bench.one(START, 1, &busy);
    let effects = bench.fund.close();
    assert_eq!(bench.carry_out(START, effects), []);
    assert_eq!(bench.row, grant.credit_milli);
    assert_eq!(bench.hear(START, 1, &wants(1)), []);
    let late = Drawn::Got { milli: UNIT, row_granted_milli: 9 * UNIT };
    let effects = bench.fund.on_drawn(START, NOON, late);
    assert_eq!(effects, [Effect::PutBack { window: NOON, milli: UNIT }]);
}

#[test]
fn amounts_at_the_end_of_the_numbers_do_no_harm() {
    let mut bench = Bench::new(1, Mode::Strict);
    bench.total = u64::MAX;
    let _ = bench.fund.set_total(START, u64::MAX, Mode::Strict);
    let entry = ChunkEntry {
        need_milli: u64::MAX,
        least_milli: u64::MAX,
        demand_milli_per_s: u64::MAX,
        level_milli: i64::MIN,
        reserved_milli: u64::MAX,
        spent_milli: u64::MAX,
        give_back_seq: u64::MAX,
        owed_milli: u64::MAX,
        ..wants(1)
    };
    let effects = bench.fund.on_entry(START, holder(1), &entry);
    assert!(!effects.is_empty());
    let got = Drawn::Got { milli: u64::MAX, row_granted_milli: u64::MAX };
    let _ = bench.fund.on_drawn(START, NOON, got);
    let _ = bench.fund.tick(u64::MAX);
}
