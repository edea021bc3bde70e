//! One run from its plan to its verdict.

use super::{
    plan::{Plan, S},
    world::World,
};
use domain::limit::{lease::mutant::Mutant, supply::Supply};

/// How a limit was used in the measured time, in millionths of what it had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcome {
    pub(crate) least_used_ppm: u64,
    pub(crate) messages: u64,
    /// Requests, let through or refused.
    pub(crate) asked: u64,
}

/// Runs a plan; `Err`: what went wrong.
pub(crate) fn run(plan: Plan, mutant: Option<Mutant>) -> Result<Outcome, String> {
    let (measured_us, end_us, saturated) = (plan.measured_us, plan.end_us, plan.saturated);
    let mut world = World::new(plan, mutant);
    world.run_until(measured_us)?;
    let (before, asked) = (world.messages, world.admitted + world.refused);
    world.run_until(end_us)?;
    let messages = world.messages - before;
    let asked = world.admitted + world.refused - asked;
    let mut least_used_ppm = 1_000_000;
    for (limit, (_, supply)) in world.limits.iter().enumerate() {
        let Supply::Flow { rate_nano, .. } = *supply else { continue };
        // What is set aside is not used while all is well.
        let aside_ppm = u64::from(world.plan.rules[limit].aside_ppm());
        let lent_nano = rate_nano / 1_000_000 * (1_000_000 - aside_ppm);
        let had = lent_nano / 1_000_000 * ((end_us - measured_us) / S);
        let used = world.oracles[limit].charged_since(measured_us);
        // What lies ready at the end may be more than it was at the beginning.
        let slack = 3 * world.plan.rules[limit].cost.1;
        least_used_ppm = least_used_ppm.min(used * 1_000_000 / had.max(1));
        if saturated && used + slack < had / 100 * 97 {
            let ppm = used * 1_000_000 / had.max(1);
            return Err(format!(
                "limit {limit}: only {ppm} ppm used: {:?}",
                world.plan.rules[limit]
            ));
        }
    }
    drain(&mut world)?;
    Ok(Outcome { least_used_ppm, messages, asked })
}

/// Nobody asks any more: every reservation is settled, and every lease comes home.
fn drain(world: &mut World) -> Result<(), String> {
    world.closed = true;
    world.run_until(world.now_us + 12 * S)?;
    for (index, node) in world.nodes.iter().enumerate() {
        let reserved: u64 =
            node.leases.iter().map(|it| it.view(node.clock.at(world.now_us)).reserved_milli).sum();
        if 0 < reserved || !node.waiting.is_empty() {
            return Err(format!("node {index}: {reserved} still reserved after all was settled"));
        }
    }
    world.run_until(world.now_us + 16 * S)?;
    let chief = world.chief().ok_or("no leader at the end")?;
    for (of, supply) in &world.limits {
        let status = chief.leader.status(chief.clock.at(world.now_us), *of);
        let status = status.ok_or("a limit is lost")?;
        if !status.leases.is_empty() {
            return Err(format!("still lent when nobody asks: {status:?}"));
        }
        if let Supply::Seats { total_milli } = supply
            && i128::from(status.free_milli) != i128::from(*total_milli)
        {
            return Err(format!("seats are lost: {status:?}"));
        }
    }
    Ok(())
}
