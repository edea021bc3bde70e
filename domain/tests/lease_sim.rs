//! Leases under faults: thousands of seeded runs of the production machines, each looked
//! at after every event.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "lease/estate.rs"]
mod estate;
#[path = "lease/refund.rs"]
mod refund;
#[path = "lease/rules.rs"]
mod rules;
#[path = "lease/sim.rs"]
pub(crate) mod sim;

use domain::{
    id::LimitId,
    limit::{LeaseOf, supply::Supply},
};
use sim::{
    plan::{Plan, Rule},
    run::{Outcome, run},
};
use uuid::Uuid;

/// How many seeds are run, from 1 on. With rules that can be broken, though none is, some
/// are enough.
const SEEDS: u64 = if cfg!(feature = "mutants") { 100 } else { 2_000 };

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[test]
fn no_seed_outdoes_the_one_bucket_and_none_wastes_it() {
    let seeds: Vec<_> = match number("SLUICE_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SLUICE_SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            if let Err(why) = run(Plan::of(*seed), None) {
                failed.lock().unwrap().push((*seed, why));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let told: Vec<_> = failed.iter().take(10).map(|(seed, why)| {
        format!("seed {seed}: {why}\n  replay: SLUICE_SIM_SEED={seed} cargo test -p domain --test lease_sim")
    }).collect();
    assert!(
        failed.is_empty(),
        "{} of {} seeds failed\n{}",
        failed.len(),
        seeds.len(),
        told.join("\n")
    );
}

/// A steady load without faults, that shifts between nodes every ten seconds: how much
/// of the limit is used, and how many messages a request costs.
fn steady(name: &str, nodes: usize, rate: (u64, u64), cost: (u64, u64), demand: u64) -> Outcome {
    let (per_minute, burst) = rate;
    let rule = Rule {
        of: LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation: 1 },
        supply: Supply::Flow {
            rate_nano: per_minute * 1_000_000_000 / 60 * 9_995 / 10_000,
            burst_milli: burst * 1_000,
        },
        cost,
        lasts_us: (100_000, 2_000_000),
        used_percent: (100, 100),
        // Percent of what there is, in thousandths of a request per second.
        demand_millihertz: per_minute * 1_000_000 / 60 * demand / 100 / ((cost.0 + cost.1) / 2),
        aside: false,
    };
    let outcome = run(Plan::steady(1, nodes, rule), None).unwrap();
    println!(
        "{name}: {} of the limit used, {} messages per request",
        Part(outcome.least_used_ppm),
        Part(outcome.messages * 1_000_000 / outcome.asked.max(1)),
    );
    outcome
}

/// Millionths, for people.
struct Part(u64);

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

#[test]
fn a_limit_is_used_up_when_more_is_wanted() {
    let one = (1_000, 1_000);
    let (minute, fast, tokens) = ((60, 60), (1_200, 1_200), (100_000, 100_000));
    let (large, small) = ((500_000, 8_000_000), (50_000, 200_000));
    let mut wasted = Vec::new();
    let mut check = |least: u64, name: &str, nodes, rate, cost, demand| {
        let name = format!("{name}, {nodes} nodes, {demand} %");
        let used = steady(&name, nodes, rate, cost, demand).least_used_ppm;
        if used < least {
            wasted.push(format!("{name}: {used}"));
        }
    };
    for demand in [110, 150, 300] {
        check(990_000, "60 requests per minute", 8, minute, one, demand);
    }
    for nodes in [2, 4, 8] {
        check(970_000, "1,200 requests per minute", nodes, fast, one, 300);
        check(970_000, "100,000 tokens per minute, large requests", nodes, tokens, large, 300);
        check(970_000, "100,000 tokens per minute, small requests", nodes, tokens, small, 300);
    }
    check(950_000, "1,200 requests per minute", 4, fast, one, 110);
    check(780_000, "1,200 requests per minute", 4, fast, one, 80);
    assert!(wasted.is_empty(), "{wasted:#?}");
}
