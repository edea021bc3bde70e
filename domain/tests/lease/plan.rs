//! What one run is about: limits, who asks how much, and which faults happen when.

use super::{dice::Dice, ideal::Line};
use domain::{
    id::LimitId,
    limit::{LeaseOf, demand::SET_ASIDE_PPM, supply::Supply},
};
use uuid::Uuid;

pub(crate) const S: u64 = 1_000_000;
pub(crate) const MS: u64 = 1_000;
/// By then every node has heard of a change of the configuration.
pub(crate) const CONFIG_US: u64 = 2 * S;

/// One limit and what is asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) of: LeaseOf,
    pub(crate) supply: Supply,
    /// A request takes from, to.
    pub(crate) cost: (u64, u64),
    /// How long a request runs.
    pub(crate) lasts_us: (u64, u64),
    /// What it really uses, in percent of what it took.
    pub(crate) used_percent: (u64, u64),
    /// Requests per second of all nodes together, in thousandths.
    pub(crate) demand_millihertz: u64,
    /// Whether a share is set aside, which nodes that can ask nobody go on with.
    pub(crate) aside: bool,
}

impl Rule {
    pub(crate) const fn aside_ppm(&self) -> u32 {
        if self.aside { SET_ASIDE_PPM } else { 0 }
    }
}

/// How messages fare, as long as faults happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Net {
    pub(crate) lost_ppm: u64,
    pub(crate) twice_ppm: u64,
    pub(crate) slow_ppm: u64,
    pub(crate) slow_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A node dies and comes back after so long.
    Crash { node: usize, for_us: u64 },
    /// A node stands still.
    Pause { node: usize, for_us: u64 },
    /// Messages of a node get lost, one way.
    Cut { node: usize, up: bool, for_us: u64 },
    /// The leader dies; the next begins after its lease of the leadership is over.
    LeaderCrash { for_us: u64 },
    /// The leader ends as planned; the next begins so long after it.
    LeaderLeaves { for_us: u64 },
    /// The leader is cut from the database and goes on, until it is replaced, and beyond.
    LeaderCut { for_us: u64 },
    /// A limit changes to so many percent.
    Change { limit: usize, percent: u64 },
    /// A limit begins anew.
    Reset { limit: usize },
    /// A limit is deleted, and after so long there is another like it.
    Replace { limit: usize, for_us: u64 },
    /// Who asks how much changes.
    Shift,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) rules: Vec<Rule>,
    pub(crate) net: Net,
    pub(crate) faults: Vec<(u64, Fault)>,
    /// From then on nothing fails.
    pub(crate) calm_us: u64,
    /// From then on until the end, utilisation is measured.
    pub(crate) measured_us: u64,
    pub(crate) end_us: u64,
    /// Whether requests take of two limits at once, while faults happen.
    pub(crate) joined: bool,
    /// Whether utilisation is asserted.
    pub(crate) saturated: bool,
}

/// What the limits may be: their like occurs in practice.
pub(crate) fn rule(dice: &mut Dice, index: usize, kind: u64) -> Rule {
    let limit = LimitId::from_uuid(Uuid::from_u128(0x1000 + index as u128));
    let of = LeaseOf { limit, generation: 1 };
    let whole = (100, 100);
    let (rate_nano, burst, cost, lasts_us, used_percent) = match kind {
        // 30 to 120 requests per minute.
        0 => {
            let amount = dice.within(30, 120);
            (amount * 1_000_000_000 / 60, amount * 1_000, (1_000, 1_000), (S, 5 * S), whole)
        }
        // 5 to 15 requests per second.
        1 => {
            let amount = dice.within(300, 900);
            (amount * 1_000_000_000 / 60, amount * 1_000, (1_000, 1_000), (S / 10, 3 * S), whole)
        }
        // Tokens, of which fewer are used than were taken.
        2 => {
            let amount = dice.within(50_000, 200_000);
            let cost = (amount * 5, amount * 50);
            (amount * 1_000_000_000 / 60, amount * 1_000, cost, (S / 2, 8 * S), (20, 100))
        }
        // Tokens in small requests, of which now and then more are used.
        3 => {
            let amount = dice.within(50_000, 100_000);
            let cost = (amount, amount * 4);
            (amount * 1_000_000_000 / 60, amount * 1_000, cost, (S / 2, 3 * S), (60, 130))
        }
        // A strict window: a tenth lies ready.
        4 => {
            let amount = dice.within(60, 200);
            let burst = amount / 10;
            (
                (amount - burst) * 1_000_000_000 / 60,
                burst * 1_000,
                (1_000, 1_000),
                (S, 2 * S),
                whole,
            )
        }
        // Much is allowed, and a share of it set aside; each request is ten units.
        6 => {
            let amount = dice.within(3_000, 6_000);
            let cost = (10_000, 10_000);
            (amount * 1_000_000_000 / 60, amount * 1_000, cost, (S / 10, 2 * S), whole)
        }
        _ => {
            let total_milli = dice.within(3, 12) * 1_000;
            let supply = Supply::Seats { total_milli };
            let demand_millihertz = total_milli * dice.within(2, 6) / 4;
            let (cost, lasts_us) = ((1_000, 1_000), (S / 2, 4 * S));
            let used_percent = whole;
            let aside = false;
            return Rule { of, supply, cost, lasts_us, used_percent, demand_millihertz, aside };
        }
    };
    let supply = Supply::Flow { rate_nano: rate_nano * 9_995 / 10_000, burst_milli: burst };
    let mean = u128::from(cost.0 + cost.1) / 2 * u128::from(used_percent.0 + used_percent.1) / 200;
    let hertz = u128::from(rate_nano) / 1_000 / mean.max(1);
    let demand_millihertz = hertz as u64 * dice.within(5, 30) / 10;
    Rule { of, supply, cost, lasts_us, used_percent, demand_millihertz, aside: kind == 6 }
}

impl Plan {
    /// For how many proxies the share is set aside: all that ever run, those that start
    /// again included, for each begins with its part.
    pub(crate) fn proxies(&self) -> u64 {
        let crashes = self.faults.iter().filter(|it| matches!(it.1, Fault::Crash { .. }));
        (self.nodes + crashes.count()) as u64
    }

    /// A run with faults of all kinds.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let nodes = dice.within(2, 6) as usize;
        let count = dice.within(2, 3);
        let first = dice.within(0, 6);
        let rules =
            (0..count).map(|it| rule(&mut dice, it as usize, (first + it * 2 + it / 2) % 7));
        let rules: Vec<_> = rules.collect();
        let net = Net {
            lost_ppm: dice.within(0, 150_000),
            twice_ppm: dice.within(0, 100_000),
            slow_ppm: dice.within(0, 150_000),
            slow_us: dice.within(S / 10, 10_400_000),
        };
        let calm_us = 40 * S;
        let mut faults = Vec::new();
        let mut at = 2 * S;
        while at < calm_us {
            faults.push((at, fault(&mut dice, nodes, rules.len())));
            at += dice.wait(4 * S);
        }
        Self {
            seed,
            nodes,
            rules,
            net,
            faults,
            calm_us,
            measured_us: calm_us + 16 * S,
            end_us: calm_us + 36 * S,
            joined: dice.chance(400_000),
            saturated: true,
        }
    }

    /// A run without faults, of one limit.
    pub(crate) fn steady(seed: u64, nodes: usize, rule: Rule) -> Self {
        let net = Net { lost_ppm: 0, twice_ppm: 0, slow_ppm: 0, slow_us: 0 };
        let faults = (1..60).map(|it| (it * 10 * S, Fault::Shift)).collect();
        Self {
            seed,
            nodes,
            rules: vec![rule],
            net,
            faults,
            calm_us: 0,
            measured_us: 100 * S,
            end_us: 400 * S,
            joined: false,
            saturated: false,
        }
    }
}

fn fault(dice: &mut Dice, nodes: usize, limits: usize) -> Fault {
    let node = dice.within(0, nodes as u64 - 1) as usize;
    let limit = dice.within(0, limits as u64 - 1) as usize;
    match dice.within(0, 99) {
        0..20 => Fault::Crash { node, for_us: dice.within(S / 10, 12 * S) },
        20..38 => Fault::Pause { node, for_us: dice.within(S / 10, 25 * S) },
        38..58 => Fault::Cut { node, up: dice.chance(500_000), for_us: dice.within(S, 20 * S) },
        58..68 => match dice.within(3 * S, 6 * S) {
            for_us if for_us.is_multiple_of(2) => Fault::LeaderCrash { for_us },
            for_us => Fault::LeaderLeaves { for_us: for_us / 16 },
        },
        68..76 => Fault::LeaderCut { for_us: dice.within(3_100_000, 6 * S) },
        76..84 => Fault::Change { limit, percent: dice.within(30, 250) },
        84..87 => Fault::Reset { limit },
        87..91 => Fault::Replace { limit, for_us: dice.within(S / 10, 4 * S) },
        _ => Fault::Shift,
    }
}

/// The line that an ideal bucket keeps to; of seats, how many there are.
pub(crate) const fn line(supply: Supply) -> Line {
    match supply {
        Supply::Flow { rate_nano, burst_milli } => Line { rate_nano, burst_milli },
        Supply::Seats { total_milli } | Supply::Window { total_milli } => {
            Line { rate_nano: 0, burst_milli: total_milli }
        }
    }
}
