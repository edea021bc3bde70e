//! What limits have lent, and what is used: the one that lends knows, and is asked.

use super::super::{
    Answer, Desk, answer,
    page::{self, bad_token},
    status,
};
use crate::{
    calendar::window_at,
    lender::{Figures, HeldFigures, Leads, LimitFigures, Wanted},
    named::{Named, worst_case},
    publisher::Published,
    store::WindowKey,
};
use domain::{
    catalog::{Limit, Subject},
    id::LimitId,
    limit::supply::Supply,
    time::Timestamp,
};
use proto::{
    admin::v1,
    convert::{key::timestamp_to, limit::limit_to},
    sync::v1::AskLimitStatusRequest,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;
use tonic::Status;

/// Longest wait for the one that lends.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest wait for the ledger of windows: the rest can be said without it.
const LEDGER_PATIENCE: Duration = Duration::from_secs(1);

impl Desk {
    /// One page of limits and how they are doing.
    pub(super) async fn limit_statuses(
        &self,
        asked: v1::ListLimitStatusRequest,
    ) -> Answer<v1::ListLimitStatusResponse> {
        let Leads::There(address, _) = self.lender.leads() else {
            return answer(self.limit_statuses_here(asked).await?);
        };
        let request = AskLimitStatusRequest { request: Some(asked) };
        let response = async {
            let client = self.lender.peers().client(&address);
            let mut client = client.map_err(|error| status::leader_away(&error.to_string()))?;
            client.ask_limit_status(request).await
        };
        let late = |_| status::leader_away("it did not answer in time");
        let response = timeout(PATIENCE, response).await.map_err(late)??.into_inner();
        answer(response.response.unwrap_or_default())
    }

    /// The same, as far as it is known here: all of it, if we lend.
    pub(in crate::grpc) async fn limit_statuses_here(
        &self,
        asked: v1::ListLimitStatusRequest,
    ) -> Result<v1::ListLimitStatusResponse, Status> {
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let after = page.after.as_deref().map(str::parse::<LimitId>).transpose();
        let after = after.map_err(|_| status::of_refusal(bad_token()))?;
        let subject = match &asked.subject {
            None => None,
            some => Some(self.subject("subject", some.as_ref()).await?),
        };
        let newest = self.newest()?;
        let active = self.lender.figures(Wanted::Ids).await;
        let ids: Vec<_> = match (&active, asked.with_idle) {
            (_, true) => newest.snapshot.catalog().limits.iter().map(|it| it.id).collect(),
            (Some(active), false) => active.ids.clone(),
            (None, false) => Vec::new(),
        };
        let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (limits, next) = choose(&newest, ids, after, subject.as_ref(), most);
        let wanted = Wanted::Of(limits.iter().map(|it| it.id).collect());
        let figures = self.lender.figures(wanted).await;
        let known = figures.iter().flat_map(|it| &it.limits);
        let known: BTreeMap<_, _> = known.filter_map(|it| Some((it.id?, it))).collect();
        let idle = self.idle_windows(limits.iter().filter(|it| !known.contains_key(&it.id))).await;
        Ok(v1::ListLimitStatusResponse {
            statuses: self.shown_statuses(&newest, &limits, &known, &idle),
            next_page_token: page::token(next.map(|it| it.to_string())),
            leader: Some(self.leader(figures.or(active).as_ref())),
        })
    }

    fn shown_statuses(
        &self,
        newest: &Published,
        limits: &[Arc<Limit>],
        known: &BTreeMap<LimitId, &LimitFigures>,
        idle: &BTreeMap<LimitId, LimitFigures>,
    ) -> Vec<v1::LimitStatus> {
        let names = Named(newest.snapshot.catalog());
        let shown = limits.iter().map(|limit| {
            let wire = v1::Limit { worst_case: worst_case(limit), ..limit_to(limit, &names) };
            match known.get(&limit.id).copied().or_else(|| idle.get(&limit.id)) {
                Some(figures) => self.figures_to(wire, figures),
                None => v1::LimitStatus {
                    free_milli: Supply::of(limit).map_or(0, Supply::largest_milli),
                    limit: Some(wire),
                    ..v1::LimitStatus::default()
                },
            }
        });
        shown.collect()
    }

    /// How windows are doing that nobody has asked for of late: what is used of them stays
    /// used. If the database cannot be asked, nothing.
    async fn idle_windows(
        &self,
        limits: impl Iterator<Item = &Arc<Limit>>,
    ) -> BTreeMap<LimitId, LimitFigures> {
        let now = Timestamp::from_unix_ms(runtime::clock::unix_ms());
        let window = |it: &Arc<Limit>| {
            let Some(Supply::Window { total_milli }) = Supply::of(it) else { return None };
            let window = window_at(&it.rule, now)?;
            let key = WindowKey { limit: it.id, generation: it.generation, start: window.id.0 };
            let ends_ms = window.ends_at.map(Timestamp::unix_ms);
            Some((key, (Arc::clone(it), total_milli, ends_ms)))
        };
        let windows: BTreeMap<_, _> = limits.filter_map(window).collect();
        if windows.is_empty() {
            return BTreeMap::new();
        }
        let keys: Vec<_> = windows.keys().copied().collect();
        let read = timeout(LEDGER_PATIENCE, self.store.read_windows(&keys)).await;
        let drawn = read.ok().and_then(Result::ok).unwrap_or_default();
        let figures = drawn.into_iter().filter_map(|(key, out_milli)| {
            let (limit, total_milli, ends_ms) = windows.get(&key)?;
            Some((key.limit, LimitFigures::idle(limit, *total_milli, out_milli, *ends_ms)))
        });
        figures.collect()
    }

    fn figures_to(&self, limit: v1::Limit, it: &LimitFigures) -> v1::LimitStatus {
        v1::LimitStatus {
            limit: Some(limit),
            granted_milli: it.granted_milli,
            used_milli: it.used_milli,
            reserved_milli: it.reserved_milli,
            free_milli: it.free_milli,
            used_ppm: it.used_ppm,
            denied: it.denied,
            over_milli: it.over_milli,
            window_ends_at: it.window_ends_ms.map(time),
            leases: it.held.iter().map(|it| self.held_to(it)).collect(),
            switched: it.switched,
            warned: it.warned,
        }
    }

    fn held_to(&self, it: &HeldFigures) -> v1::LimitLease {
        v1::LimitLease {
            proxy: it.holder.proxy.to_string(),
            address: self.fleet.address(it.holder.proxy).unwrap_or_default(),
            level_milli: it.level_milli,
            reserved_milli: it.reserved_milli,
            // A billionth of a unit is a millionth of a thousandth of it.
            rate_milli_per_s: it.rate_nano / 1_000_000,
            expires_ms: it.left_us.div_ceil(1_000),
            spent_milli: it.spent_milli,
            denied: it.denied,
        }
    }

    fn leader(&self, figures: Option<&Figures>) -> v1::LimitLeader {
        let Some(it) = figures else { return v1::LimitLeader::default() };
        v1::LimitLeader {
            address: self.lender.address().to_owned(),
            epoch: it.claim.epoch,
            since: Some(time(it.since.unix_ms())),
            learning: it.learning,
            database_ok: it.database_ok,
        }
    }
}

/// The page's limits, sorted by id, and where the next page goes on.
fn choose(
    newest: &Published,
    mut ids: Vec<LimitId>,
    after: Option<LimitId>,
    subject: Option<&Subject>,
    most: usize,
) -> (Vec<Arc<Limit>>, Option<LimitId>) {
    ids.retain(|id| after.is_none_or(|after| after < *id));
    ids.sort_unstable();
    let found = ids.into_iter().filter_map(|id| newest.snapshot.limit(id));
    let mut meant = found.filter(|it| subject.is_none_or(|subject| *subject == it.subject));
    let limits: Vec<_> = meant.by_ref().take(most).cloned().collect();
    let next = meant.next().and(limits.last().map(|it| it.id));
    (limits, next)
}

fn time(unix_ms: i64) -> prost_types::Timestamp {
    timestamp_to(Timestamp::from_unix_ms(unix_ms))
}
