//! Schedules that chance seldom finds. Each gives how much was let through beyond the one
//! bucket, in thousandths: nothing, unless a rule is broken.

use super::bench::Bench;
use domain::limit::{
    lease::{leader::Heard, mutant::Mutant},
    message::Grants,
    supply::Supply,
};

/// Ten at once.
const fn ten(rate_nano: u64) -> Supply {
    Supply::Flow { rate_nano, burst_milli: 10_000 }
}

fn take_all(bench: &mut Bench, node: usize) -> usize {
    (0..20).filter_map(|_| bench.take(node, 1_000)).count()
}

fn fine(heard: Heard) -> Grants {
    let Heard::Fine(grants) = heard else { panic!("{heard:?}") };
    grants
}

/// A node tells what it has, spends it, and is never heard of again. What it told last is
/// nobody's any more.
pub(crate) fn dead_with_a_level(mutant: Option<Mutant>) -> i128 {
    let mut bench = Bench::new(ten(10_000_000), mutant);
    bench.fetch(0, 5_000, 1);
    bench.talk(0);
    assert_eq!(take_all(&mut bench, 0), 5);
    bench.pass_ms(9_000);
    bench.fetch(1, 5_000, 2);
    bench.fetch(1, 10_000, 2);
    take_all(&mut bench, 1);
    bench.over_milli()
}

/// A push of long ago comes again just before a lease ends that nobody renews.
pub(crate) fn push_to_one_who_is_cut_off(mutant: Option<Mutant>) -> i128 {
    let mut bench = Bench::new(ten(1_000_000_000), mutant);
    bench.fetch(0, 5_000, 1);
    bench.talk(0);
    // Another needs more than there is: the idle one is asked to give back, and does.
    bench.nodes[1].lease.want(6_000);
    bench.talk(1);
    bench.talk(1);
    let push = bench.push(0).unwrap();
    bench.nodes[1].lease.unwant(6_000);
    // It waits no longer.
    bench.talk(1);
    bench.down(0, &push);
    bench.talk(0);
    // Whoever was refused comes first for a while.
    bench.pass_ms(5_000);
    bench.talk(1);
    bench.fetch(0, 5_000, 2);
    bench.talk(0);
    assert_eq!(bench.nodes[0].lease.view(bench.now_us).level_milli, 5_000);
    bench.pass_ms(7_900);
    bench.down(0, &push);
    bench.pass_ms(6_000);
    bench.fetch(1, 10_000, 3);
    take_all(&mut bench, 1);
    take_all(&mut bench, 0);
    bench.over_milli()
}

/// A message of the time before comes late to a new leader. What its sender has by then is
/// more than it says.
pub(crate) fn late_word_to_a_new_leader(mutant: Option<Mutant>) -> i128 {
    let mut bench = Bench::new(ten(10_000_000_000), mutant);
    bench.fetch(0, 1_000, 1);
    let hold = bench.take(0, 1_000).unwrap();
    bench.nodes[0].lease.settle(bench.now_us, hold, 1_000);
    bench.talk(1);
    bench.nodes[0].lease.want(5_000);
    let late = bench.say(0);
    let grants = fine(bench.up(0, &late));
    bench.down(0, &grants);
    bench.nodes[0].lease.unwant(5_000);
    bench.pass_ms(3_500);
    bench.elect();
    // Twice on the way: once to either leader. The other node tells all it has, too.
    bench.up(0, &late);
    bench.talk(1);
    bench.pass_ms(2_000);
    bench.fetch(1, 10_000, 3);
    take_all(&mut bench, 1);
    take_all(&mut bench, 0);
    bench.over_milli()
}

/// A request runs for so long that what it took is refilled, and another takes that. What it
/// did not use is not there a second time.
pub(crate) fn refund_of_what_was_refilled(mutant: Option<Mutant>) -> i128 {
    let mut bench = Bench::new(ten(1_000_000_000), mutant);
    // Requests of this kind use all that they take: no room is kept for them.
    for _ in 0..12 {
        bench.fetch(0, 1_000, 2);
        let hold = bench.take(0, 1_000).unwrap();
        bench.nodes[0].lease.settle(bench.now_us, hold, 1_000);
        bench.pass_ms(1_000);
        bench.talk(0);
    }
    bench.pass_ms(1_000);
    bench.fetch(0, 10_000, 3);
    let hold = bench.take(0, 10_000).unwrap();
    for _ in 0..9 {
        bench.pass_ms(1_000);
        bench.talk(0);
    }
    bench.fetch(1, 8_000, 3);
    for _ in 0..8 {
        let hold = bench.take(1, 1_000).unwrap();
        bench.nodes[1].lease.settle(bench.now_us, hold, 1_000);
    }
    bench.talk(1);
    bench.nodes[0].lease.settle(bench.now_us, hold, 0);
    bench.talk(0);
    bench.fetch(1, 10_000, 3);
    bench.fetch(1, 5_000, 3);
    take_all(&mut bench, 1);
    take_all(&mut bench, 0);
    bench.over_milli()
}
