//! What goes wrong, in an order that a seed decides.

use super::{CHANGING_KEY, Keys, LOWERED, RPM};
use crate::{admin::limits::rpm, fleet::Fleet, load::Load, patience::until};
use anyhow::Result;
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::sleep;

/// How long a lease lives without a renewal, in seconds (docs/limits.md).
const LEASE: f64 = 8.0;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillProxy,
    PauseProxy(f64),
    KillLeader,
    PauseLeader(f64),
    CutUp(f64),
    CutDown(f64),
    BreakSessions,
    StopDatabase(f64),
    Skew,
    JoinBurst,
    Lower,
    Raise,
}

/// In the short run, each of these comes once before anything is left to the dice.
const FIRST: [Fault; 7] = [
    Fault::KillProxy,
    Fault::Lower,
    Fault::KillLeader,
    Fault::CutUp(LEASE + 1.0),
    Fault::Raise,
    Fault::PauseProxy(LEASE + 0.1),
    Fault::StopDatabase(4.0),
];

const ALL: [Fault; 17] = [
    Fault::KillProxy,
    Fault::KillProxy,
    Fault::PauseProxy(1.0),
    Fault::PauseProxy(LEASE - 0.1),
    Fault::PauseProxy(LEASE + 0.1),
    Fault::PauseProxy(30.0),
    Fault::KillLeader,
    Fault::PauseLeader(2.0),
    Fault::PauseLeader(10.0),
    Fault::PauseLeader(60.0),
    Fault::CutUp(3.0),
    Fault::CutDown(LEASE + 2.0),
    Fault::BreakSessions,
    Fault::StopDatabase(15.0),
    Fault::Skew,
    Fault::JoinBurst,
    Fault::Lower,
];

/// Most proxies that a fleet grows to.
const MOST_PROXIES: usize = 8;

/// The faults of one run, and what they excuse.
pub(super) struct Schedule {
    dice: u64,
    came: usize,
    /// What came, for the report.
    pub(super) log: Vec<String>,
    /// Times that a proxy was stopped between two steps: each may let one request a
    /// thread through that was decided before (docs/limits.md).
    pub(super) pauses: u64,
    /// Times that a proxy was cut off for longer than a lease lives.
    pub(super) cut_off: u64,
    /// Whether the changing limit is low now.
    lowered: bool,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: seed | 1, came: 0, log: Vec::new(), pauses: 0, cut_off: 0, lowered: false }
    }

    /// Marsaglia's xorshift: the same faults for the same seed.
    fn roll(&mut self, sides: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from(self.dice % sides.max(1) as u64).unwrap_or(0)
    }

    /// Lets the next thing go wrong, and mends it.
    pub(super) async fn next(
        &mut self,
        fleet: &mut Fleet,
        keys: &Keys,
        loads: &[(&'static str, Load)],
    ) -> Result<()> {
        let fault = match FIRST.get(self.came) {
            Some(it) => *it,
            None => match ALL.get(self.roll(ALL.len())) {
                Some(Fault::Lower) if self.lowered => Fault::Raise,
                Some(it) => *it,
                None => Fault::BreakSessions,
            },
        };
        self.came += 1;
        let proxy = self.roll(fleet.proxies.len());
        self.log.push(format!("{fault:?} (proxy {})", proxy + 1));
        match fault {
            Fault::KillProxy => {
                fleet.proxies[proxy].program.kill();
                sleep(Duration::from_secs(1)).await;
                fleet.restart_proxy(proxy).await?;
            }
            Fault::PauseProxy(seconds) => {
                fleet.proxies[proxy].program.signal(Signal::STOP)?;
                sleep(Duration::from_secs_f64(seconds)).await;
                fleet.proxies[proxy].program.signal(Signal::CONT)?;
                self.pauses += 1;
                self.cut_off += u64::from(seconds >= LEASE);
            }
            Fault::KillLeader => {
                let leader = leader(fleet).await?;
                fleet.controls[leader].program.kill();
                until("another control plane leads", async || {
                    other_leads(fleet, leader).await.then_some(())
                })
                .await?;
                fleet.restart_control(leader).await?;
            }
            Fault::PauseLeader(seconds) => {
                let leader = leader(fleet).await?;
                fleet.controls[leader].program.signal(Signal::STOP)?;
                sleep(Duration::from_secs_f64(seconds)).await;
                fleet.controls[leader].program.signal(Signal::CONT)?;
            }
            Fault::CutUp(seconds) | Fault::CutDown(seconds) => {
                let wire = &fleet.proxies[proxy].wire;
                if matches!(fault, Fault::CutUp(_)) {
                    wire.cut_up()
                } else {
                    wire.cut_down()
                }
                sleep(Duration::from_secs_f64(seconds)).await;
                fleet.proxies[proxy].wire.mend();
                self.cut_off += u64::from(seconds >= LEASE);
            }
            Fault::BreakSessions => fleet.proxies.iter().for_each(|it| it.wire.break_off()),
            Fault::StopDatabase(seconds) => {
                fleet.signal_database(Signal::STOP);
                sleep(Duration::from_secs_f64(seconds)).await;
                fleet.signal_database(Signal::CONT);
            }
            Fault::Skew => skew(fleet, keys, loads, proxy).await?,
            Fault::JoinBurst if fleet.proxies.len() < MOST_PROXIES => {
                fleet.join(2).await?;
                redirect(fleet, keys, loads)?;
            }
            Fault::JoinBurst => fleet.proxies.iter().for_each(|it| it.wire.break_off()),
            Fault::Lower | Fault::Raise => self.change(fleet, fault).await?,
        }
        redirect(fleet, keys, loads)?;
        sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    async fn change(&mut self, fleet: &Fleet, fault: Fault) -> Result<()> {
        self.lowered = matches!(fault, Fault::Lower);
        let amount = if self.lowered { LOWERED } else { RPM };
        let set = async || fleet.admin.set_limits(vec![rpm(CHANGING_KEY, amount)]).await.ok();
        until("the limit can be changed", set).await?;
        Ok(())
    }
}

/// Nineteen of twenty requests go to one proxy, for a while.
async fn skew(
    fleet: &Fleet,
    keys: &Keys,
    loads: &[(&'static str, Load)],
    favourite: usize,
) -> Result<()> {
    for (name, load) in loads {
        let callers = keys.callers(fleet, name)?;
        let most = callers.get(favourite).cloned().into_iter().cycle().take(callers.len() * 19);
        load.redirect(most.chain(callers.clone()).collect());
    }
    sleep(Duration::from_secs(5)).await;
    Ok(())
}

fn redirect(fleet: &Fleet, keys: &Keys, loads: &[(&'static str, Load)]) -> Result<()> {
    for (name, load) in loads {
        load.redirect(keys.callers(fleet, name)?);
    }
    Ok(())
}

/// The control plane that lends, counted from 0.
async fn leader(fleet: &Fleet) -> Result<usize> {
    let look = async || {
        let leader = fleet.admin.limit_status().await.ok()?.leader?;
        fleet.controls.iter().position(|it| leader.address == it.url())
    };
    until("some control plane leads", look).await
}

async fn other_leads(fleet: &Fleet, than: usize) -> bool {
    let status = fleet.admin.limit_status().await;
    let leader = status.ok().and_then(|it| it.leader);
    leader.is_some_and(|it| !it.address.is_empty() && it.address != fleet.controls[than].url())
}
