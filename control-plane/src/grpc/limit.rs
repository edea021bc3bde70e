//! Limits over gRPC: set, read, reset, tried out, watched, explained.

mod explain;
mod simulate;
mod status;

use super::{
    Answer, Desk, answer, asked,
    draft::{Draft, KeyNames},
    page,
    refusal::{Kind, Refusal},
    status as failure,
    write::{Done, Expected, Terms, etag},
};
use crate::{
    named::{Named, worst_case},
    store::Stored,
};
use domain::{
    catalog::{Catalog, Limit, Subject},
    id::{AccountId, KeyId, LimitId, TeamId},
};
use proto::{
    admin::v1::{self, limit_service_server::LimitService},
    convert::{
        Invalid,
        limit::{Find, limit_to, subject_from},
    },
};
use std::collections::{BTreeMap, BTreeSet};
use tonic::{Request, Status};

/// Most limits in one request.
const MOST_LIMITS: usize = 1_000;

/// With the names in `catalog`, and what can happen at worst.
pub(super) fn shown(stored: &Stored<Limit>, catalog: &Catalog) -> v1::Limit {
    v1::Limit {
        worst_case: worst_case(&stored.item),
        revision: stored.revision,
        etag: etag(stored.revision),
        ..limit_to(&stored.item, &Named(catalog))
    }
}

/// Finds what a subject is made of in a catalog.
struct Known<'a> {
    catalog: &'a Catalog,
    keys: KeyNames,
}

impl Find for Known<'_> {
    fn key(&mut self, text: &str) -> Option<KeyId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.keys.get(*id).is_some());
        by_id.or_else(|| self.keys.find(self.catalog, text))
    }

    fn team(&mut self, text: &str) -> Option<TeamId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.teams.contains_key(id));
        by_id.or_else(|| self.catalog.team_named(text).map(|it| it.id))
    }

    fn account(&mut self, text: &str) -> Option<AccountId> {
        let by_id = text.parse().ok().filter(|id| self.catalog.accounts.contains_key(id));
        by_id.or_else(|| self.catalog.account_named(text).map(|it| it.id))
    }
}

impl Desk {
    /// Reads something that names keys, teams or accounts. Another control plane may have
    /// made them a moment ago: what is not found is looked for again in the newest catalog.
    async fn named<T>(
        &self,
        read: impl Fn(&mut Known<'_>) -> Result<T, Vec<Invalid>>,
    ) -> Result<T, Status> {
        let attempt = |catalog: &Catalog| read(&mut Known { catalog, keys: KeyNames::default() });
        if let Ok(read) = attempt(self.newest()?.snapshot.catalog()) {
            return Ok(read);
        }
        self.read(self.publisher.refresh()).await?;
        let again = attempt(self.newest()?.snapshot.catalog());
        again.map_err(|wrong| failure::of_refusal(Refusal::Invalid(wrong)))
    }

    /// The subject that a request names.
    async fn subject(
        &self,
        field: &str,
        wire: Option<&v1::LimitSubject>,
    ) -> Result<Subject, Status> {
        self.named(|known| subject_from(field, wire, known).map_err(|it| vec![it])).await
    }

    /// The limits of a finished write, as the store has them now; if it cannot be asked, as
    /// they were written.
    async fn limits_done(&self, done: &Done<Vec<LimitId>>) -> Vec<v1::Limit> {
        let read = self.read(self.store.get_limits(&done.item)).await.unwrap_or_default();
        let read: BTreeMap<_, _> = read.into_iter().map(|it| (it.item.id, it)).collect();
        let catalog = done.snapshot.catalog();
        let shown = done.item.iter().filter_map(|id| match read.get(id) {
            Some(stored) => Some(shown(stored, catalog)),
            None => Some(shown(&done.stored_now((**catalog.limits.get(*id)?).clone()), catalog)),
        });
        shown.collect()
    }
}

/// Drafts every limit, and says of all of them what is wrong.
fn set(draft: &mut Draft, limits: &[v1::Limit]) -> Result<Vec<LimitId>, Refusal> {
    let mut wrong = Vec::new();
    let mut ids = Vec::with_capacity(limits.len());
    let mut seen = BTreeSet::new();
    for (at, wire) in limits.iter().enumerate() {
        let field = format!("limits[{at}]");
        match draft.put_limit(wire).map_err(|it| it.within(&field)) {
            Ok(id) if seen.insert(id) => ids.push(id),
            Ok(_) => {
                let reason = "is named twice: subject, measure, period and action are those of another one here";
                wrong.push(Invalid::new(field, reason));
            }
            Err(Refusal::Invalid(more)) => wrong.extend(more),
            Err(other) => return Err(other),
        }
    }
    if wrong.is_empty() { Ok(ids) } else { Err(Refusal::Invalid(wrong)) }
}

/// The etags that the limits come with, each for the id that came with it.
fn expected(limits: &[v1::Limit]) -> Result<Terms, Status> {
    let mut etags = Vec::new();
    for (at, it) in limits.iter().enumerate().filter(|(_, it)| !it.etag.is_empty()) {
        if it.id.is_empty() {
            let refusal = Refusal::field(format!("limits[{at}].id"), "must come with an etag");
            return Err(failure::of_refusal(refusal));
        }
        etags.push(Expected::new(Kind::Limit, &it.id, &it.etag));
    }
    Ok(Terms { etags, ..Terms::default() })
}

fn bounded(field: &str, count: usize, least: usize) -> Result<(), Status> {
    if (least..=MOST_LIMITS).contains(&count) {
        return Ok(());
    }
    let reason = format!("has {count} limits: it must have {least} to {MOST_LIMITS}");
    Err(failure::of_refusal(Refusal::field(field, reason)))
}

#[tonic::async_trait]
impl LimitService for Desk {
    async fn set_limits(
        &self,
        request: Request<v1::SetLimitsRequest>,
    ) -> Answer<v1::SetLimitsResponse> {
        let asked = asked(request);
        bounded("limits", asked.limits.len(), 1)?;
        let terms = expected(&asked.limits)?;
        let done = self.write(terms, |draft| set(draft, &asked.limits)).await?;
        let limits = self.limits_done(&done).await;
        answer(v1::SetLimitsResponse { limits, revision: done.revision })
    }

    async fn get_limit(
        &self,
        request: Request<v1::GetLimitRequest>,
    ) -> Answer<v1::GetLimitResponse> {
        let id = asked(request).id;
        let missing = || failure::not_found(Kind::Limit, &id);
        let found = self.read(self.store.get_limit(id.parse().map_err(|_| missing())?)).await?;
        let found = found.ok_or_else(missing)?;
        let newest = self.newest()?;
        answer(v1::GetLimitResponse { limit: Some(shown(&found, newest.snapshot.catalog())) })
    }

    async fn list_limits(
        &self,
        request: Request<v1::ListLimitsRequest>,
    ) -> Answer<v1::ListLimitsResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(failure::of_refusal)?;
        let subject = match &asked.subject {
            None => None,
            some => Some(self.subject("subject", some.as_ref()).await?),
        };
        let list = self.read(self.store.list_limits(&page, subject.as_ref())).await?;
        let newest = self.newest()?;
        let catalog = newest.snapshot.catalog();
        answer(v1::ListLimitsResponse {
            limits: list.items.iter().map(|it| shown(it, catalog)).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn delete_limit(
        &self,
        request: Request<v1::DeleteLimitRequest>,
    ) -> Answer<v1::DeleteLimitResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Limit, &asked.id, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_limit(&asked.id);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteLimitResponse { revision: done.revision })
    }

    async fn reset_limits(
        &self,
        request: Request<v1::ResetLimitsRequest>,
    ) -> Answer<v1::ResetLimitsResponse> {
        let asked = asked(request);
        bounded("ids", asked.ids.len(), 0)?;
        if !asked.ids.is_empty() && asked.subject.is_some() {
            let reason = "must be left out where ids say which limits are meant";
            return Err(failure::of_refusal(Refusal::field("subject", reason)));
        }
        let plan = |draft: &mut Draft| {
            if asked.ids.is_empty() {
                draft.reset_subject(asked.subject.as_ref())
            } else {
                draft.reset_limits(&asked.ids)
            }
        };
        let done = self.write(Terms::default(), plan).await?;
        let limits = self.limits_done(&done).await;
        answer(v1::ResetLimitsResponse { limits, revision: done.revision })
    }

    async fn simulate_limit(
        &self,
        request: Request<v1::SimulateLimitRequest>,
    ) -> Answer<v1::SimulateLimitResponse> {
        self.simulated(asked(request)).await
    }

    async fn list_limit_status(
        &self,
        request: Request<v1::ListLimitStatusRequest>,
    ) -> Answer<v1::ListLimitStatusResponse> {
        self.limit_statuses(asked(request)).await
    }

    async fn explain_request(
        &self,
        request: Request<v1::ExplainRequestRequest>,
    ) -> Answer<v1::ExplainRequestResponse> {
        self.explained(asked(request)).await
    }
}
