use super::{talk::ASK_AGAIN_US, *};
use crate::{
    id::LimitId,
    limit::{
        budget::message::ChunkGrant,
        hold::{Applied, Head},
        message::Denied,
    },
};
use uuid::Uuid;

const UNIT: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const START: u64 = 50 * SECOND;

fn of(generation: u32) -> LeaseOf {
    LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation }
}

fn head(stamp_us: u64, reply_to_us: Option<u64>) -> Head {
    Head { epoch: 1, stamp_us, reply_to_us, ttl_us: 8 * SECOND }
}

fn grant(window: i64, seq: u64, units: u64) -> ChunkGrant {
    ChunkGrant {
        of: of(0),
        window: WindowId(window),
        left_us: Some(60 * SECOND),
        seq,
        credit_milli: units * UNIT,
        denied: None,
        call_in: false,
        call_in_milli: 0,
        free_milli: 0,
        used_ppm: 0,
    }
}

fn no(retry_us: u64, why: Why) -> Option<Denied> {
    Some(Denied { retry_us, why })
}

/// A chunk of ten units, with five of them here.
fn chunk() -> Chunk {
    let mut chunk = Chunk::new(of(0), 10 * UNIT, START);
    assert_eq!(chunk.take(START, UNIT), Err(Short::Ask));
    let applied = chunk.on_grant(START, head(1, Some(START)), &grant(1, START + 1, 5));
    assert_eq!(applied, Applied::Granted);
    chunk
}

fn level(chunk: &Chunk) -> i64 {
    chunk.view(START + 1).level_milli
}

#[test]
fn what_is_held_is_settled_once_and_what_was_not_used_is_there_again() {
    let mut chunk = chunk();
    let hold = chunk.take(START, 4 * UNIT).unwrap();
    let view = chunk.view(START);
    assert_eq!((view.level_milli, view.reserved_milli, view.spent_milli), (1_000, 4_000, 0));
    chunk.settle(START, hold, 3 * UNIT);
    let view = chunk.view(START);
    assert_eq!((view.level_milli, view.reserved_milli, view.spent_milli), (2_000, 0, 3_000));
    let hold = chunk.take(START, 2 * UNIT).unwrap();
    chunk.undo(START, hold);
    assert_eq!(level(&chunk), 2_000);
}

#[test]
fn what_was_used_beyond_its_hold_is_owed_and_asked_for() {
    let mut chunk = chunk();
    let hold = chunk.take(START, 5 * UNIT).unwrap();
    chunk.settle(START, hold, 8 * UNIT);
    assert_eq!(level(&chunk), -3_000);
    assert_eq!(chunk.take(START, 0), Err(Short::Ask));
    let entry = chunk.entry(START);
    assert_eq!((entry.need_milli, entry.least_milli), (3 * UNIT, 1));
    chunk.want(2 * UNIT);
    let entry = chunk.entry(START);
    assert_eq!((entry.need_milli, entry.least_milli), (5 * UNIT, 5 * UNIT));
}

#[test]
fn a_credit_is_applied_once_and_an_earlier_one_never() {
    let mut chunk = chunk();
    let first = grant(1, START + 1, 5);
    assert_eq!(chunk.on_grant(START, head(1, None), &first), Applied::Unchanged);
    let second = chunk.on_grant(START, head(3, None), &grant(1, START + 2, 1));
    assert_eq!(second, Applied::Granted);
    assert_eq!(chunk.on_grant(START, head(1, None), &first), Applied::Ignored);
    assert_eq!(level(&chunk), 6_000);
}

#[test]
fn a_chunk_that_begins_anew_takes_nothing_that_was_meant_for_the_one_before() {
    let mut anew = Chunk::new(of(0), 10 * UNIT, START + SECOND);
    let _ = anew.on_grant(START + SECOND, head(1, None), &grant(1, START + 1, 5));
    assert_eq!(anew.view(START + SECOND).level_milli, 0);
    assert_eq!(anew.entry(START + SECOND).seq, START + SECOND);
}

#[test]
fn another_window_takes_nothing_over_and_an_earlier_one_is_not_heard() {
    let mut chunk = chunk();
    let hold = chunk.take(START, 2 * UNIT).unwrap();
    let _ = chunk.on_grant(START, head(2, None), &grant(2, START + 2, 1));
    let view = chunk.view(START);
    assert_eq!((view.level_milli, view.reserved_milli, view.spent_milli), (1_000, 0, 0));
    chunk.settle(START, hold, 0);
    assert_eq!(level(&chunk), 1_000);
    let late = chunk.on_grant(START, head(3, None), &grant(1, START + 3, 9));
    assert_eq!(late, Applied::Ignored);
    assert_eq!(level(&chunk), 1_000);
}

#[test]
fn a_window_ends_by_the_holders_clock_from_the_sending_of_its_question() {
    let mut chunk = Chunk::new(of(0), 10 * UNIT, START);
    let arrived = START + SECOND;
    let _ = chunk.on_grant(arrived, head(1, Some(START)), &grant(1, START + 1, 5));
    let end = START + 60 * SECOND;
    assert_eq!(chunk.view(arrived).left_us, 59 * SECOND);
    let hold = chunk.take(end - 1, UNIT).unwrap();
    assert_eq!(chunk.take(end, UNIT), Err(Short::Ask));
    assert!(!chunk.view(end).live);
    chunk.settle(end, hold, UNIT);
    let entry = chunk.entry(end);
    assert_eq!((entry.window, entry.level_milli), (Some(WindowId(1)), 0));
}

#[test]
fn a_grant_for_ever_does_not_end() {
    let mut chunk = Chunk::new(of(0), 10 * UNIT, START);
    let forever = ChunkGrant { left_us: None, ..grant(0, START + 1, 5) };
    let _ = chunk.on_grant(START, head(1, Some(START)), &forever);
    assert!(chunk.take(u64::MAX - 1, UNIT).is_ok());
    assert_eq!(chunk.view(u64::MAX - 1).left_us, u64::MAX);
    let gone = ChunkGrant { denied: no(u64::MAX, Why::Exhausted), ..forever };
    let _ = chunk.on_grant(START, head(2, None), &gone);
    let refused = chunk.take(START, 9 * UNIT);
    assert_eq!(refused, Err(Short::Denied { until_us: u64::MAX, why: Why::Exhausted }));
}

#[test]
fn a_refusal_holds_until_it_ends_or_there_is_room_and_only_for_what_is_not_there() {
    let mut chunk = chunk();
    let refusal = ChunkGrant {
        denied: no(60 * SECOND, Why::Exhausted),
        free_milli: UNIT,
        ..grant(1, START + 1, 0)
    };
    let applied = chunk.on_grant(START + 5, head(2, Some(START)), &refusal);
    assert!(matches!(applied, Applied::Denied(_)));
    let until_us = START + 60 * SECOND;
    let denied = Err(Short::Denied { until_us, why: Why::Exhausted });
    assert_eq!(chunk.take(START, 7 * UNIT), denied);
    assert_eq!(chunk.take(START, 6 * UNIT), Err(Short::Ask), "one unit is still there");
    assert!(chunk.take(START, UNIT).is_ok(), "what lies here is not refused");
    chunk.want(9 * UNIT);
    assert!(!chunk.should_ask(START));
    assert_eq!(chunk.ask_at_us(START), Some(until_us));
    let _ = chunk.on_grant(START, head(3, None), &grant(1, START + 1, 0));
    assert!(chunk.should_ask(START));
    assert_eq!(chunk.take(START, 7 * UNIT), Err(Short::Ask));
    let away = ChunkGrant {
        denied: no(SECOND, Why::Unavailable),
        free_milli: 9 * UNIT,
        ..grant(1, START + 1, 0)
    };
    let _ = chunk.on_grant(START, head(4, None), &away);
    let until_us = START + SECOND;
    assert_eq!(chunk.take(START, 7 * UNIT), Err(Short::Denied { until_us, why: Why::Unavailable }));
    assert_eq!(chunk.take(until_us, 7 * UNIT), Err(Short::Ask));
}

#[test]
fn an_older_word_does_not_undo_a_newer_one() {
    let mut chunk = chunk();
    let room = ChunkGrant { free_milli: 3, ..grant(1, START + 1, 0) };
    let _ = chunk.on_grant(START, head(9, None), &room);
    let refusal = ChunkGrant { denied: no(SECOND, Why::Exhausted), ..grant(1, START + 1, 0) };
    assert_eq!(chunk.on_grant(START, head(8, None), &refusal), Applied::Ignored);
    assert_eq!(chunk.take(START, 9 * UNIT), Err(Short::Ask));
    // Another leader counts its time differently.
    chunk.on_epoch(START, 2);
    assert!(matches!(chunk.on_grant(START, head(1, None), &refusal), Applied::Denied(_)));
    assert_eq!(level(&chunk), 5_000);
}

#[test]
fn it_asks_once_for_all_who_wait_and_again_when_no_answer_comes() {
    let mut chunk = chunk();
    assert!(!chunk.should_ask(START));
    chunk.want(6 * UNIT);
    chunk.want(8 * UNIT);
    assert!(chunk.should_ask(START));
    let entry = chunk.entry(START);
    assert_eq!((entry.need_milli, entry.least_milli), (9 * UNIT, UNIT));
    assert!(!chunk.should_ask(START + ASK_AGAIN_US - 1));
    assert!(chunk.should_ask(START + ASK_AGAIN_US));
    assert_eq!(chunk.ask_at_us(START), Some(START + ASK_AGAIN_US));
    chunk.on_lost(START);
    assert!(chunk.should_ask(START), "nothing is on its way any more");
    chunk.unwant(6 * UNIT);
    chunk.unwant(8 * UNIT);
    assert!(!chunk.should_ask(START));
}

#[test]
fn what_is_more_than_all_can_never_be_had() {
    let mut chunk = chunk();
    assert_eq!(chunk.take(START, 11 * UNIT), Err(Short::TooLarge { largest_milli: 10 * UNIT }));
    chunk.set_total(12 * UNIT);
    assert_eq!(chunk.take(START, 11 * UNIT), Err(Short::Ask));
}

#[test]
fn a_chunk_that_is_called_in_keeps_what_it_needs_at_once() {
    let mut chunk = chunk();
    chunk.want(2 * UNIT);
    let called = ChunkGrant { call_in: true, ..grant(1, START + 1, 0) };
    let _ = chunk.on_grant(START, head(2, None), &called);
    assert!(chunk.should_ask(START));
    let entry = chunk.entry(START);
    assert_eq!((entry.give_back_milli, entry.level_milli), (3 * UNIT, 2_000));
    assert_eq!(entry.give_back_seq, START + 1);
    let again = chunk.entry(START);
    assert_eq!((again.give_back_milli, again.give_back_seq), (0, START + 1));
}

#[test]
fn what_nobody_needs_is_given_back_whole_and_a_debt_is_said() {
    let mut chunk = chunk();
    assert!(!chunk.is_idle(START + IDLE_US - 1));
    assert!(chunk.is_idle(START + IDLE_US));
    chunk.release();
    assert!(!chunk.released(), "not said yet");
    let entry = chunk.entry(START);
    assert_eq!((entry.give_back_milli, entry.owed_milli, entry.level_milli), (5 * UNIT, 0, 0));
    assert!(chunk.released());

    let mut owing = super::tests::chunk();
    let hold = owing.take(START, UNIT).unwrap();
    assert!(!owing.is_idle(START + 2 * IDLE_US), "a request is not settled");
    owing.settle(START, hold, 9 * UNIT);
    owing.release();
    let entry = owing.entry(START);
    assert_eq!((entry.give_back_milli, entry.owed_milli, entry.level_milli), (0, 4 * UNIT, 0));
}

#[test]
fn a_request_that_comes_before_it_is_forgotten_keeps_it() {
    let mut chunk = chunk();
    chunk.release();
    let hold = chunk.take(START, UNIT).unwrap();
    assert_eq!(chunk.entry(START).give_back_milli, 0);
    assert!(!chunk.released());
    chunk.settle(START, hold, UNIT);
}

#[test]
fn what_was_taken_before_a_reset_is_not_given_back_after_it() {
    let mut before = chunk();
    let hold = before.take(START, 5 * UNIT).unwrap();
    let mut after = Chunk::new(of(1), 10 * UNIT, START);
    let first = ChunkGrant { of: of(1), ..grant(1, START + 1, 1) };
    let _ = after.on_grant(START, head(1, Some(START)), &first);
    after.settle(START, hold, 0);
    assert_eq!((level(&after), after.view(START).spent_milli), (1_000, 0));
}

#[test]
fn what_belongs_to_another_generation_is_not_heard() {
    let mut chunk = chunk();
    let other = ChunkGrant { of: of(1), ..grant(1, START + 2, 5) };
    assert_eq!(chunk.on_grant(START, head(2, None), &other), Applied::Ignored);
    assert_eq!(level(&chunk), 5_000);
}

#[test]
fn what_is_asked_for_at_least_is_what_the_smallest_who_still_waits_can_use() {
    let mut chunk = Chunk::new(of(0), 10 * UNIT, START);
    let least = |chunk: &mut Chunk| {
        let entry = chunk.entry(START);
        (entry.need_milli, entry.least_milli)
    };
    for want in [4, 2, 2] {
        chunk.want(want * UNIT);
    }
    assert_eq!(least(&mut chunk), (8 * UNIT, 2 * UNIT));
    chunk.unwant(2 * UNIT);
    assert_eq!(least(&mut chunk), (6 * UNIT, 2 * UNIT));
    chunk.unwant(2 * UNIT);
    assert_eq!(least(&mut chunk), (4 * UNIT, 4 * UNIT), "nobody can use two any more");
    chunk.unwant(4 * UNIT);
    assert_eq!(least(&mut chunk), (0, 0));
}

#[test]
fn who_only_looks_has_not_asked() {
    let mut chunk = chunk();
    let before = format!("{chunk:?}");
    assert_eq!(chunk.look(START + 1, 5 * UNIT), Ok(()));
    assert_eq!(chunk.look(START + 1, 6 * UNIT), Err(Short::Ask));
    let too_large = Short::TooLarge { largest_milli: 10 * UNIT };
    assert_eq!(chunk.look(START + 1, 11 * UNIT), Err(too_large));
    assert_eq!(format!("{chunk:?}"), before);
    assert_eq!(chunk.take(START + 1, 6 * UNIT), Err(Short::Ask));
}
