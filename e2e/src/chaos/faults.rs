//! What goes wrong, in an order that a seed decides.

use super::{
    CHANGING_KEY, Keys, LOWERED, Plan, RPM,
    story::{LEASE_MS, Story, Stretch},
};
use crate::{admin::limits::rpm, fleet::Fleet, load::Load, patience::until};
use anyhow::Result;
use runtime::clock::unix_ms;
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::sleep;

/// How long a lease lives without a renewal, in seconds.
const LEASE: f64 = LEASE_MS as f64 / 1_000.0;

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
    KillDatabase,
    Skew,
    JoinBurst,
    Lower,
    Raise,
}

/// The short run. What takes time goes on while the next things go wrong.
const SHORT: [Fault; 11] = [
    Fault::Lower,
    Fault::PauseProxy(LEASE + 0.1),
    Fault::CutUp(LEASE + 1.0),
    Fault::JoinBurst,
    Fault::Skew,
    Fault::KillProxy,
    Fault::PauseLeader(2.0),
    Fault::KillLeader,
    Fault::Raise,
    Fault::StopDatabase(4.0),
    Fault::KillDatabase,
];

/// In the long run each kind comes once, before anything is left to the dice.
const EACH: [Fault; 13] = [
    Fault::KillProxy,
    Fault::Lower,
    Fault::KillLeader,
    Fault::CutUp(LEASE + 1.0),
    Fault::Raise,
    Fault::PauseProxy(LEASE + 0.1),
    Fault::StopDatabase(4.0),
    Fault::PauseLeader(10.0),
    Fault::KillDatabase,
    Fault::CutDown(LEASE + 2.0),
    Fault::Skew,
    Fault::JoinBurst,
    Fault::BreakSessions,
];

const ALL: [Fault; 18] = [
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
    Fault::KillDatabase,
    Fault::Skew,
    Fault::JoinBurst,
    Fault::Lower,
];

/// Most proxies that a fleet grows to.
const MOST_PROXIES: usize = 8;

/// Between two faults, in the long run.
const BREATH: Duration = Duration::from_secs(2);

/// Something that ends later.
#[derive(Debug, Clone, Copy)]
struct Open {
    proxy: usize,
    sort: Sort,
    stretch: Stretch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Pause,
    Cut,
}

/// The faults of one run, and what they excuse.
pub(super) struct Schedule {
    plan: Plan,
    random: u64,
    came: usize,
    /// What came, for the report.
    pub(super) log: Vec<String>,
    /// What it excuses.
    pub(super) story: Story,
    open: Vec<Open>,
    /// Whether the changing limit is low now.
    lowered: bool,
}

impl Schedule {
    pub(super) fn new(plan: Plan) -> Self {
        let (story, random) = (Story::default(), plan.seed | 1);
        Self { plan, random, came: 0, log: Vec::new(), story, open: Vec::new(), lowered: false }
    }

    /// Marsaglia's xorshift: the same faults for the same seed.
    fn roll(&mut self, sides: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % sides.max(1) as u64).unwrap_or(0)
    }

    fn pick(&mut self) -> Option<Fault> {
        let first: &[Fault] = if self.plan.short { &SHORT } else { &EACH };
        if let Some(it) = first.get(self.came) {
            return Some(*it);
        }
        if first.len() + self.plan.dice <= self.came {
            return None;
        }
        let at = self.roll(ALL.len());
        match ALL.get(at) {
            Some(Fault::Lower) if self.lowered => Some(Fault::Raise),
            it => it.copied(),
        }
    }

    /// Lets the next thing go wrong, and mends it. Says whether there was one.
    pub(super) async fn next(
        &mut self,
        fleet: &mut Fleet,
        keys: &Keys,
        loads: &[(&'static str, Load)],
    ) -> Result<bool> {
        let Some(fault) = self.pick() else {
            self.mend(fleet, i64::MAX).await?;
            return Ok(false);
        };
        self.came += 1;
        let mut proxy = self.roll(fleet.proxies.len());
        while self.open.iter().any(|it| it.proxy == proxy) {
            proxy = (proxy + 1) % fleet.proxies.len();
        }
        self.log.push(format!("{fault:?} (proxy {})", proxy + 1));
        match fault {
            Fault::PauseProxy(seconds) => self.begin(fleet, proxy, Sort::Pause, seconds, fault)?,
            Fault::CutUp(seconds) | Fault::CutDown(seconds) => {
                self.begin(fleet, proxy, Sort::Cut, seconds, fault)?;
            }
            Fault::Skew => skew(fleet, keys, loads, proxy).await?,
            Fault::Lower | Fault::Raise => self.change(fleet, fault).await?,
            Fault::KillProxy => {
                // What takes longer is over by then: the books could tell no longer what
                // was lost with whom.
                self.mend(fleet, i64::MAX).await?;
                self.story.kills_ms.push(unix_ms());
                fleet.proxies[proxy].program.kill();
                sleep(Duration::from_secs(1)).await;
                fleet.restart_proxy(proxy).await?;
            }
            Fault::KillLeader
            | Fault::PauseLeader(_)
            | Fault::BreakSessions
            | Fault::StopDatabase(_)
            | Fault::KillDatabase
            | Fault::JoinBurst => strike(fleet, fault).await?,
        }
        let long = !self.plan.short;
        self.mend(fleet, if long { i64::MAX } else { unix_ms() }).await?;
        redirect(fleet, keys, loads)?;
        if long {
            sleep(BREATH).await;
        }
        Ok(true)
    }

    fn begin(
        &mut self,
        fleet: &Fleet,
        proxy: usize,
        sort: Sort,
        seconds: f64,
        fault: Fault,
    ) -> Result<()> {
        let member = &fleet.proxies[proxy];
        if matches!(fault, Fault::CutUp(_)) {
            member.wire.cut_up();
        } else if matches!(fault, Fault::CutDown(_)) {
            member.wire.cut_down();
        } else {
            member.program.signal(Signal::STOP)?;
        }
        let from_ms = unix_ms();
        let stretch = Stretch { from_ms, until_ms: from_ms + (seconds * 1_000.0) as i64 };
        self.open.push(Open { proxy, sort, stretch });
        Ok(())
    }

    /// Ends what is to end by then, each when its time has come.
    async fn mend(&mut self, fleet: &Fleet, by_ms: i64) -> Result<()> {
        self.open.sort_by_key(|it| it.stretch.until_ms);
        while let Some(first) = self.open.first().copied().filter(|it| it.stretch.until_ms <= by_ms)
        {
            self.open.remove(0);
            let left_ms = first.stretch.until_ms.saturating_sub(unix_ms());
            sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
            let stretch = Stretch { until_ms: unix_ms(), ..first.stretch };
            let member = &fleet.proxies[first.proxy];
            match first.sort {
                Sort::Pause => {
                    member.program.signal(Signal::CONT)?;
                    self.story.pauses.push(stretch);
                }
                Sort::Cut => {
                    member.wire.mend();
                    self.story.cuts.push(stretch);
                }
            }
        }
        Ok(())
    }

    async fn change(&mut self, fleet: &Fleet, fault: Fault) -> Result<()> {
        self.lowered = matches!(fault, Fault::Lower);
        let amount = if self.lowered { LOWERED } else { RPM };
        self.story.raises();
        let set = async || fleet.admin.set_limits(vec![rpm(CHANGING_KEY, amount)]).await.ok();
        until("the limit can be changed", set).await?;
        if self.lowered {
            self.story.lowered();
        }
        Ok(())
    }
}

/// What needs to know of nothing but the fleet.
async fn strike(fleet: &mut Fleet, fault: Fault) -> Result<()> {
    match fault {
        Fault::KillLeader => {
            let leader = leader(fleet).await?;
            fleet.controls[leader].program.kill();
            let look = async || other_leads(fleet, leader).await.then_some(());
            until("another control plane leads", look).await?;
            fleet.restart_control(leader).await?;
        }
        Fault::PauseLeader(seconds) => {
            let leader = leader(fleet).await?;
            fleet.controls[leader].program.signal(Signal::STOP)?;
            sleep(Duration::from_secs_f64(seconds)).await;
            fleet.controls[leader].program.signal(Signal::CONT)?;
        }
        Fault::StopDatabase(seconds) => {
            fleet.signal_database(Signal::STOP);
            sleep(Duration::from_secs_f64(seconds)).await;
            fleet.signal_database(Signal::CONT);
        }
        Fault::KillDatabase => fleet.kill_database().await?,
        Fault::JoinBurst if fleet.proxies.len() < MOST_PROXIES => fleet.join(2).await?,
        Fault::BreakSessions
        | Fault::JoinBurst
        | Fault::KillProxy
        | Fault::PauseProxy(_)
        | Fault::CutUp(_)
        | Fault::CutDown(_)
        | Fault::Skew
        | Fault::Lower
        | Fault::Raise => fleet.proxies.iter().for_each(|it| it.wire.break_off()),
    }
    Ok(())
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
