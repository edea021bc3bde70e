//! What a check of limits costs: `cargo bench -p sluice-data-plane --bench meter`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use domain::{
    catalog::{Action, Limit, Measure, Mode, Period, Rule, Subject},
    id::LimitId,
    limit::{LeaseOf, lease::message::Grant, message::Grants},
};
use sluice_data_plane::meter::{Meter, Priority, Want};
use std::{
    hint::black_box,
    num::NonZeroU64,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So little that the refill keeps up with any number of rounds, in thousandths.
const EACH: u64 = 1;
const ROUNDS: u64 = 1_000_000;
const LEASES: u128 = 100_000;

fn limit(number: u128) -> Arc<Limit> {
    let amount = NonZeroU64::new(1_000_000_000_000).unwrap();
    // Ids are mostly chance, as real ones.
    let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Arc::new(Limit {
        id: LimitId::from_uuid(Uuid::from_u128(id)),
        generation: 1,
        subject: Subject::Everything,
        rule: Arc::new(Rule::Bucket { measure: Measure::Requests, amount, period: Period::Minute }),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

/// Polls once: what is held here answers at once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(it) => Some(it),
        Poll::Pending => None,
    }
}

/// Lends plenty of each, with a refill.
fn lend(meter: &Meter, limits: &[Arc<Limit>]) {
    for limit in limits {
        let _ = now(meter.reserve(&[Want { limit, milli: EACH }], Priority::Normal));
    }
    let sent_us = runtime::clock::steady_us();
    let letters = meter.renewals();
    let grants = letters.iter().flat_map(|it| &it.entries).map(|entry| Grant {
        of: LeaseOf { limit: entry.of.limit, generation: 1 },
        incarnation: entry.incarnation,
        seq: 1,
        rate_nano: 1_000_000_000_000_000,
        cap_milli: 2_000_000_000,
        credit_milli: 2_000_000_000,
        reset: false,
        denied: None,
        free_milli: 0,
        used_ppm: 0,
    });
    meter.on_grants(&Grants {
        epoch: 1,
        stamp_us: sent_us,
        reply_to_us: Some(sent_us),
        ttl_us: 3_600_000_000,
        grants: grants.collect(),
        ..Grants::default()
    });
}

fn per_round(rounds: u64, mut round: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        (0..rounds).for_each(|_| round());
        best = best.min(began.elapsed());
    }
    best.as_nanos() as f64 / rounds as f64
}

fn check(meter: &Meter, wants: &[Want<'_>]) {
    let reservation = now(meter.reserve(black_box(wants), Priority::Normal)).unwrap().unwrap();
    black_box(reservation).settle(|_| EACH);
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn main() {
    let meter = Meter::new(Arc::new(runtime::clock::steady_us));
    let limits: Vec<_> = (1..=4).map(limit).collect();
    lend(&meter, &limits);
    let wants: Vec<_> = limits.iter().map(|limit| Want { limit, milli: EACH }).collect();
    let clock = per_round(ROUNDS, || _ = black_box(runtime::clock::steady_us()));
    println!("the clock                       {clock:7.0} ns");
    for count in [1, 4] {
        let check = per_round(ROUNDS, || check(&meter, &wants[..count]));
        println!("reserve and settle, {count} limit(s)  {check:7.0} ns");
    }
    for count in [1, 4] {
        let (mut kept, mut took, mut best) = (Vec::with_capacity(64), Duration::ZERO, f64::MAX);
        for round in 1..=20_000 {
            let began = Instant::now();
            for _ in 0..64 {
                let wants = black_box(&wants[..count]);
                kept.push(now(meter.reserve(wants, Priority::Normal)).unwrap().unwrap());
            }
            took += began.elapsed();
            kept.drain(..).for_each(|it| it.settle(|_| EACH));
            if round % 2_000 == 0 {
                best = best.min(took.as_nanos() as f64 / (2_000.0 * 64.0));
                took = Duration::ZERO;
            }
        }
        println!("reserve alone, {count} limit(s)       {best:7.0} ns");
    }
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..ROUNDS).for_each(|_| check(&meter, &wants[..1])));
        }
    });
    let each = began.elapsed().as_nanos() as f64 / (2 * ROUNDS) as f64;
    println!("1 limit, two threads on it      {each:7.0} ns per check, of both together");
    let many = Meter::new(Arc::new(runtime::clock::steady_us));
    let limits: Vec<_> = (1..=LEASES).map(limit).collect();
    let before = resident_bytes();
    lend(&many, &limits);
    // What was only there for the messages is given back to the allocator by now.
    let bytes = resident_bytes().saturating_sub(before) as f64 / LEASES as f64;
    println!("memory of an active lease       {bytes:7.0} bytes, messages included");
}
