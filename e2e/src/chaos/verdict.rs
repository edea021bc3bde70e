//! What the demo provider saw, held against what was promised.

use super::{
    BUCKET_KEY, CALENDAR, CALENDAR_KEY, CHANGING_KEY, RPM, SEATS, SEATS_KEY, STRICT, STRICT_KEY,
    TOKENS_KEY, TPM,
    books::Books,
    calm::Calm,
    faults::Schedule,
    story::{Dial, Story},
};
use crate::{
    demo::ledger::Entry,
    fleet::Fleet,
    judge::{Arrival, Excuse, Phase, most_within, overdrawn_in, without},
};
use anyhow::Result;
use runtime::clock::unix_ms;
use std::collections::BTreeMap;

const MINUTE_US: u64 = 60_000_000;
/// A request that was let through at a window's end arrives a little later.
const ON_THE_WAY_MS: i64 = 1_000;

/// What came of a run.
#[derive(Debug)]
pub struct Verdict {
    /// Promises that were broken, each in words.
    pub broken: Vec<String>,
    /// How much each limit was exceeded by, in its own units, before anything is excused.
    pub over: BTreeMap<&'static str, f64>,
    /// How much of the rates was used while nothing was wrong, before the faults and (in
    /// the long run) after them.
    pub calm: Vec<Calm>,
    /// Requests that reached the upstream.
    pub served: usize,
    /// What became of them in the control plane's books.
    pub books: Books,
    /// What went wrong, in order.
    pub faults: Vec<String>,
    /// How long the lowered limit was judged by, in milliseconds.
    pub low_ms: i64,
    /// What the leader itself found to be too much, in thousandths of units.
    pub over_milli: u64,
}

pub(super) fn tokens_of(it: &Entry) -> u64 {
    it.input_tokens + it.output_tokens
}

/// Gathers what is over, with and without what is excused.
struct Scales {
    dial: Dial,
    excuses: Vec<Excuse>,
    broken: Vec<String>,
    over: BTreeMap<&'static str, f64>,
}

impl Scales {
    fn weigh(&mut self, limit: &'static str, what: &str, raw: f64, excused: f64) {
        let over = self.over.entry(limit).or_default();
        *over = over.max(raw);
        if excused > 1e-6 {
            self.broken.push(format!("{limit}: {excused:.2} {what} beyond what is promised"));
        }
    }

    fn bucket(&mut self, limit: &'static str, arrivals: &[Arrival], phases: &[Phase]) {
        let raw = overdrawn_in(arrivals, phases, &[]);
        let excused = overdrawn_in(arrivals, phases, &self.excuses);
        self.weigh(limit, "units", raw, excused);
    }

    fn window(&mut self, limit: &'static str, arrivals: &[Arrival], most: u64) {
        let over =
            |arrivals: &[Arrival]| most_within(arrivals, MINUTE_US).saturating_sub(most) as f64;
        let raw = over(arrivals);
        let excused = over(&without(arrivals, &self.excuses));
        self.weigh(limit, "requests in some minute", raw, excused);
    }

    fn calendar(&mut self, limit: &'static str, entries: &[Entry], most: u64) {
        let mine: Vec<_> = entries.iter().filter(|it| it.model == limit).collect();
        let arrival = |it: &&Entry| Arrival { at_us: it.arrived_us, units: 1 };
        let arrivals: Vec<_> = mine.iter().map(arrival).collect();
        let kept = without(&arrivals, &self.excuses);
        let kept: std::collections::BTreeSet<u64> = kept.iter().map(|it| it.at_us).collect();
        let over = |at_ms: Vec<i64>| {
            let minutes = by_minute(&at_ms, most);
            let worst = minutes.values().map(|it| it.saturating_sub(most)).max();
            worst.unwrap_or(0) as f64
        };
        let raw = over(mine.iter().map(|it| it.at_ms).collect());
        let those = mine.iter().filter(|it| kept.contains(&it.arrived_us));
        let excused = over(those.map(|it| it.at_ms).collect());
        self.weigh(limit, "requests in some minute of the calendar", raw, excused);
    }

    fn seats(&mut self, limit: &'static str, entries: &[Entry], story: &Story) {
        let dial = self.dial;
        let raw = most_beyond(entries, |_| SEATS);
        let excused = most_beyond(entries, |at_us| story.seats(dial, at_us));
        self.weigh(limit, "requests at the same time", raw as f64, excused as f64);
    }
}

pub(super) async fn judge(
    fleet: &Fleet,
    schedule: &Schedule,
    calm: Vec<Calm>,
    books: Books,
) -> Result<Verdict> {
    let (entries, story) = (fleet.witness.ledger().await?, &schedule.story);
    let dial = Dial::of(&entries);
    let of = |model: &str, units: fn(&Entry) -> u64| -> Vec<_> {
        let mine = entries.iter().filter(|it| it.model == model);
        mine.map(|it| Arrival { at_us: it.arrived_us, units: units(it) }).collect()
    };
    let always = |amount| [Phase { from_us: 0, amount }];
    let mut scales =
        Scales { dial, excuses: story.excuses(dial), broken: Vec::new(), over: BTreeMap::new() };
    scales.bucket(BUCKET_KEY, &of(BUCKET_KEY, |_| 1), &always(RPM));
    scales.bucket(CHANGING_KEY, &of(CHANGING_KEY, |_| 1), &story.phases(dial));
    scales.bucket(TOKENS_KEY, &of(TOKENS_KEY, tokens_of), &always(TPM));
    scales.window(STRICT_KEY, &of(STRICT_KEY, |_| 1), STRICT);
    scales.calendar(CALENDAR_KEY, &entries, CALENDAR);
    let seats: Vec<_> = entries.iter().filter(|it| it.model == SEATS_KEY).cloned().collect();
    scales.seats(SEATS_KEY, &seats, story);
    let Scales { mut broken, over, .. } = scales;
    broken.extend(calm.iter().flat_map(Calm::wasted));
    broken.extend(books.broken.iter().cloned());
    let status = fleet.admin.limit_status().await?;
    Ok(Verdict {
        broken,
        over,
        calm,
        served: entries.len(),
        books,
        faults: schedule.log.clone(),
        low_ms: story.low_ms(unix_ms()),
        over_milli: status.statuses.iter().map(|it| it.over_milli).sum(),
    })
}

/// Requests in each minute. One that came in a minute's first second may still belong to
/// the minute before: it is counted where there is room for it, so that two minutes side by
/// side never have more than twice the limit.
fn by_minute(at_ms: &[i64], most: u64) -> BTreeMap<i64, u64> {
    let mut minutes: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for at_ms in at_ms {
        let (early, late) = minutes.entry(at_ms.div_euclid(60_000)).or_default();
        *if at_ms.rem_euclid(60_000) < ON_THE_WAY_MS { early } else { late } += 1;
    }
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for (minute, (early, late)) in minutes {
        let before = counts.entry(minute - 1).or_default();
        let moved = early.min(most.saturating_sub(*before));
        *before += moved;
        *counts.entry(minute).or_default() += early - moved + late;
    }
    counts
}

/// The most that ran at once beyond what may run at that moment.
fn most_beyond(entries: &[Entry], may: impl Fn(u64) -> u64) -> u64 {
    // An end comes before a beginning of the same microsecond.
    let mut steps: Vec<(u64, bool)> =
        entries.iter().flat_map(|it| [(it.arrived_us, true), (it.ended_us, false)]).collect();
    steps.sort_unstable();
    let (mut now, mut most) = (0u64, 0);
    for (at_us, begins) in steps {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        if begins {
            most = most.max(now.saturating_sub(may(at_us)));
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_first_second_counts_for_whichever_minute_has_room() {
        let at = |minute: i64, ms: i64, count: usize| vec![minute * 60_000 + ms; count];
        let of = |parts: &[Vec<i64>]| by_minute(&parts.concat(), 10);
        let fine = of(&[at(0, 30_000, 9), at(1, 500, 1), at(1, 30_000, 10)]);
        assert_eq!(fine.values().copied().collect::<Vec<_>>(), [0, 10, 10]);
        let over = of(&[at(0, 30_000, 10), at(1, 500, 2), at(1, 30_000, 9)]);
        assert_eq!(over.values().max(), Some(&11));
        let both = of(&[at(0, 30_000, 5), at(1, 500, 17)]);
        assert_eq!(both.values().max(), Some(&12), "{both:?}");
    }
}
