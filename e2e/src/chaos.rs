//! Limits under fire: several control planes, several proxies, real faults, and the demo
//! provider's ledger and clock as the only judge.

mod books;
mod calm;
mod faults;
mod story;
mod verdict;

use crate::{
    admin::limits::{in_flight, limit, rpm, tpm},
    caller::Caller,
    fleet::{Fleet, Size},
    load::{Ask, Load},
};
use anyhow::Result;
use faults::Schedule;
use proto::admin::v1::{
    LimitMeasure, LimitPeriod, LimitProfile, VirtualKey, limit_subject::Subject,
};
use std::time::Duration;
pub use {
    books::Books,
    calm::{Calm, Share},
    verdict::Verdict,
};

/// How long and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Which faults come in which order.
    pub seed: u64,
    /// How many faults are left to the dice, after each kind has come once.
    pub dice: usize,
    /// How long the looks at quiet traffic are.
    pub quiet: Duration,
    /// The short run: each kind once, some at the same time, and no balancer.
    pub short: bool,
}

/// By then everybody has found a leader again, and its lease.
const RECOVERED: Duration = Duration::from_secs(15);

/// Requests a minute of the key with a bucket.
pub(crate) const RPM: u64 = 240;
/// Tokens a minute of the key that is counted in tokens.
pub(crate) const TPM: u64 = 6_000;
/// Requests in any minute of the key with a strict window.
pub(crate) const STRICT: u64 = 200;
/// Requests in each minute of the calendar.
pub(crate) const CALENDAR: u64 = 150;
/// Requests at the same time.
pub(crate) const SEATS: u64 = 4;
/// What the changing limit is lowered to; it starts at [`RPM`].
pub(crate) const LOWERED: u64 = 12;
/// Most output that a request on tokens asks for.
pub(crate) const MOST_OUTPUT: u64 = 200;
/// What it really gets.
pub(crate) const OUTPUT: u64 = 100;

/// Runs a fleet through `plan`.
///
/// # Errors
/// When the fleet itself fails; a limit that does not hold is in the verdict.
pub async fn run(plan: Plan) -> Result<Verdict> {
    let mut fleet = Fleet::start(Size { controls: 2, proxies: 4 }).await?;
    if !plan.short {
        fleet.balance().await?;
    }
    let keys = Keys::make(&fleet).await?;
    // Buckets start full: what is measured is what comes after.
    keys.drain(&fleet).await?;
    let loads = keys.press(&fleet)?;
    tokio::time::sleep(plan.quiet / 2).await;
    let mut calm = vec![look(&fleet, &loads, plan.quiet).await?];
    let mut schedule = Schedule::new(plan);
    while schedule.next(&mut fleet, &keys, &loads).await? {}
    if !plan.short {
        tokio::time::sleep(RECOVERED).await;
        calm.push(look(&fleet, &loads, plan.quiet).await?);
    }
    loads.iter().for_each(|(_, it)| it.pause(true));
    let books = books::audit(&fleet, &schedule.story).await?;
    verdict::judge(&fleet, &schedule, calm, books).await
}

/// Looks for a while at what is used.
async fn look(fleet: &Fleet, loads: &[(&'static str, Load)], quiet: Duration) -> Result<Calm> {
    let from = calm::mark(fleet, loads).await?;
    tokio::time::sleep(quiet).await;
    let until = calm::mark(fleet, loads).await?;
    calm::between(fleet, &from, &until).await
}

/// A key for each kind of limit; its model has the same name.
pub(crate) struct Keys {
    /// Name of key and model, text of the key.
    pub(crate) all: Vec<(&'static str, String)>,
}

pub(crate) const BUCKET_KEY: &str = "demo-bucket";
pub(crate) const TOKENS_KEY: &str = "demo-tokens";
pub(crate) const STRICT_KEY: &str = "demo-strict";
pub(crate) const CALENDAR_KEY: &str = "demo-calendar";
pub(crate) const SEATS_KEY: &str = "demo-seats";
pub(crate) const CHANGING_KEY: &str = "demo-changing";

const NAMES: [&str; 6] =
    [BUCKET_KEY, TOKENS_KEY, STRICT_KEY, CALENDAR_KEY, SEATS_KEY, CHANGING_KEY];

/// What is asked with a key.
fn ask(name: &str) -> Ask {
    let max_tokens = (name == TOKENS_KEY).then_some(MOST_OUTPUT);
    Ask { model: name.to_owned(), stream: matches!(name, TOKENS_KEY | SEATS_KEY), max_tokens }
}

impl Keys {
    async fn make(fleet: &Fleet) -> Result<Self> {
        let mut all = Vec::new();
        for name in NAMES {
            let key = VirtualKey { name: name.to_owned(), ..VirtualKey::default() };
            all.push((name, fleet.admin.make_key(key).await?.secret));
        }
        let requests = |key: &str, amount, profile: LimitProfile| {
            let subject = Subject::Key(key.to_owned());
            let mut it = limit(subject, LimitMeasure::Requests, amount, LimitPeriod::Minute);
            it.profile = profile.into();
            it
        };
        let limits = vec![
            rpm(BUCKET_KEY, RPM),
            tpm(TOKENS_KEY, TPM),
            requests(STRICT_KEY, STRICT, LimitProfile::WindowStrict),
            requests(CALENDAR_KEY, CALENDAR, LimitProfile::Calendar),
            in_flight(SEATS_KEY, SEATS),
            rpm(CHANGING_KEY, RPM),
        ];
        fleet.admin.set_limits(limits).await?;
        fleet.settled().await?;
        // An answer that takes its time, so that seats are really taken.
        let slow = serde_json::json!({"model": SEATS_KEY});
        fleet.witness.behave(slow, "tokens=40,chunk_ms=25", None).await?;
        let exact = serde_json::json!({"model": TOKENS_KEY});
        fleet.witness.behave(exact, &format!("tokens={OUTPUT}"), None).await?;
        Ok(Self { all })
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.all.iter().find(|it| it.0 == name).map_or("", |it| &it.1)
    }

    /// Callers of every proxy with one key; where there is a balancer, a third of the
    /// requests go through it.
    pub(crate) fn callers(&self, fleet: &Fleet, name: &str) -> Result<Vec<Caller>> {
        let direct = (0..fleet.proxies.len()).map(|it| fleet.caller(it, self.text(name)));
        let mut callers: Vec<_> = direct.collect::<Result<_>>()?;
        if let Some(url) = fleet.balancer_url() {
            let caller = Caller::new(&url, self.text(name))?;
            callers.extend(std::iter::repeat_n(caller, callers.len().div_ceil(2)));
        }
        Ok(callers)
    }

    /// Takes what lies ready of the buckets, from all proxies at once.
    async fn drain(&self, fleet: &Fleet) -> Result<()> {
        for name in [BUCKET_KEY, CHANGING_KEY, TOKENS_KEY, STRICT_KEY] {
            let callers = self.callers(fleet, name)?;
            let drain = callers.iter().map(async |caller| {
                let body = ask(name).body();
                // Refused ten times in a row: there is nothing left but what trickles in.
                let mut refused = 0;
                while refused < 10 {
                    let answer = caller.post("/v1/chat/completions", &body).await;
                    refused = if answer.is_ok_and(|it| it.status == 200) { 0 } else { refused + 1 };
                }
            });
            futures_util::future::join_all(drain).await;
        }
        Ok(())
    }

    /// About three times what each limit allows.
    fn press(&self, fleet: &Fleet) -> Result<Vec<(&'static str, Load)>> {
        let per_second = |per_minute: u64| per_minute as f64 * 3.0 / 60.0;
        let mut loads = Vec::new();
        for name in NAMES {
            let rate = match name {
                TOKENS_KEY => per_second(TPM / OUTPUT),
                // Each of them is taken for a second.
                SEATS_KEY => 3.0 * SEATS as f64,
                STRICT_KEY => per_second(STRICT),
                CALENDAR_KEY => per_second(CALENDAR),
                _ => per_second(RPM),
            };
            loads.push((name, Load::start(self.callers(fleet, name)?, ask(name), rate)));
        }
        Ok(loads)
    }
}
