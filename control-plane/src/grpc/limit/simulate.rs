//! A limit tried on recorded usage. Nothing is written.

use super::{
    super::{Answer, Desk, answer, draft::limit_of, refusal::Refusal, required, status},
    Known,
};
use crate::{
    calendar::{Window, window_at},
    named::{Named, worst_case},
    store::Replayed,
};
use domain::{
    catalog::{Limit, Measure, Rule},
    id::{KeyId, RequestId},
    limit::{
        budget::message::WindowId,
        replay::{Record, Replay, Tally},
    },
    snapshot::Snapshot,
    time::Timestamp,
};
use proto::{
    admin::v1,
    convert::{
        Invalid,
        key::{timestamp_from, timestamp_to},
        limit::Written as _,
    },
};
use std::{cmp::Reverse, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Longest time of a simulation, once the database answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// Since when usage is replayed if nothing else is said, in milliseconds: seven days.
const USUAL_MS: i64 = 7 * 86_400_000;

/// Most keys in an answer.
const MOST_KEYS: usize = 20;

impl Desk {
    /// What a limit would have refused.
    pub(super) async fn simulated(
        &self,
        asked: v1::SimulateLimitRequest,
    ) -> Answer<v1::SimulateLimitResponse> {
        let wire = required("limit", asked.limit.as_ref())?;
        let now = Timestamp::from_unix_ms(runtime::clock::unix_ms());
        let (since, until) = times(&asked, now).map_err(status::of_refusal)?;
        let limit = self.named(|known| tried(wire, known)).await?;
        let newest = self.newest()?;
        let mut trial = Trial::of(&limit, &newest.snapshot);
        self.read(self.store.ping()).await?;
        let replay =
            self.store.replay_usage(&limit.subject, since, until, |record| trial.feed(record));
        match timeout(PATIENCE, replay).await {
            Ok(replayed) => replayed.map_err(|error| status::of_store(&error))?,
            Err(_) => {
                let reason = format!(
                    "is too long ago: so much usage was not replayed within {} s, begin later",
                    PATIENCE.as_secs()
                );
                return Err(status::of_refusal(Refusal::field("since", reason)));
            }
        }
        answer(trial.outcome())
    }
}

/// The limit to try, its fields named as parts of the request's.
fn tried(wire: &v1::Limit, known: &mut Known<'_>) -> Result<Limit, Vec<Invalid>> {
    let within = |it: Invalid| Invalid::new(format!("limit.{}", it.field), it.reason);
    limit_of(wire, known).map_err(|wrong| wrong.into_iter().map(within).collect())
}

fn times(
    asked: &v1::SimulateLimitRequest,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Refusal> {
    let read = |field: &str, wire: Option<&prost_types::Timestamp>| {
        let read = wire.map(timestamp_from).transpose();
        read.map_err(|why| Refusal::field(field, why))
    };
    let usual = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(USUAL_MS));
    let since = read("since", asked.since.as_ref())?.unwrap_or(usual);
    let until = read("until", asked.until.as_ref())?.unwrap_or(now);
    if until <= since {
        return Err(Refusal::field("until", "must be later than `since`"));
    }
    Ok((since, until))
}

type WindowOf = Box<dyn FnMut(Timestamp) -> WindowId + Send>;

/// A limit at work on the past.
struct Trial<'a> {
    limit: &'a Limit,
    snapshot: &'a Snapshot,
    replay: Replay<WindowOf>,
    first: Option<RequestId>,
    unpriced: u64,
}

impl<'a> Trial<'a> {
    fn of(limit: &'a Limit, snapshot: &'a Snapshot) -> Self {
        let replay = Replay::new(limit, window_of(Arc::clone(&limit.rule)));
        Self { limit, snapshot, replay, first: None, unpriced: 0 }
    }

    fn feed(&mut self, it: &Replayed) {
        let price = it.provider.parse().ok();
        let price = price.and_then(|provider| self.snapshot.price(&provider, &it.model));
        if price.is_none() && self.limit.rule.measure() == Some(Measure::Cost) {
            self.unpriced = self.unpriced.saturating_add(1);
            return;
        }
        let record = Record {
            started_at: it.started_at,
            duration_ms: it.duration_ms,
            tokens: it.tokens,
            cost_nanousd: price.map_or(0, |price| price.cost_nanousd(it.tokens)),
            key: it.key,
        };
        if !self.replay.feed(&record) {
            self.first.get_or_insert(it.request);
        }
    }

    fn outcome(&self) -> v1::SimulateLimitResponse {
        let all = self.replay.all();
        let names = Named(self.snapshot.catalog());
        let mut keys: Vec<(&KeyId, &Tally)> =
            self.replay.keys().iter().filter(|(_, tally)| 0 < tally.refused).collect();
        keys.sort_by_key(|(id, tally)| (Reverse(tally.refused), **id));
        let keys = keys.into_iter().take(MOST_KEYS).map(|(id, tally)| v1::SimulatedRefusals {
            key: names.key(*id),
            requests: tally.admitted.saturating_add(tally.refused),
            refused: tally.refused,
        });
        v1::SimulateLimitResponse {
            requests: all.admitted.saturating_add(all.refused).saturating_add(self.unpriced),
            refused: all.refused,
            first_refused_at: all.first_refused.map(timestamp_to),
            first_refused_request: self.first.map(|it| it.to_string()).unwrap_or_default(),
            keys: keys.collect(),
            unpriced: self.unpriced,
            worst_case: worst_case(self.limit),
        }
    }
}

/// Says to which window a moment belongs. Most follow another one of the same window.
fn window_of(rule: Arc<Rule>) -> WindowOf {
    let mut last: Option<Window> = None;
    Box::new(move |at| {
        let begins = |it: &Window| Timestamp::from_unix_ms(it.id.0.saturating_mul(1_000));
        let still = |it: &Window| begins(it) <= at && it.ends_at.is_none_or(|end| at < end);
        let window = last.filter(still).or_else(|| window_at(&rule, at));
        last = window;
        window.map_or(WindowId(0), |it| it.id)
    })
}
