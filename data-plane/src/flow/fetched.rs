//! What is at addresses that a target cannot read: fetched where the operator lets it, for the
//! first target that needs it, and kept for those who come after.

use super::{receive::Ask, settle::Settlement, toll::Toll, words};
use crate::{
    gateway::Gateway,
    http::refusal::Refusal,
    upstream::{AT_ONCE, Allowance, Fetcher, MAX_PLACES, NotFetched},
};
use dialect::translate::{Address, AddressReader, FileKind, Reading, Refused};
use domain::{
    catalog::{Operation, Translation},
    routing::{Attempt, Plan},
};
use futures_util::{StreamExt as _, stream};
use std::{sync::Arc, time::Instant};

/// What was fetched for one request.
pub(super) struct Fetched<'a> {
    ask: &'a Ask<'a>,
    fetcher: &'a Fetcher,
    allowance: Allowance,
    /// The request with all that came so far in its places.
    filled: Option<Reading>,
    /// Addresses from which nothing came that is of use. They are not asked again.
    failed: Vec<(String, Refused)>,
}

impl<'a> Fetched<'a> {
    /// Nothing yet.
    pub(super) fn new(gateway: &'a Gateway, ask: &'a Ask<'a>) -> Self {
        let (fetcher, room) = (&gateway.fetcher, Arc::clone(&gateway.buffered));
        let allowance = fetcher.allowance(room);
        Self { ask, fetcher, allowance, filled: None, failed: Vec::new() }
    }

    /// The request as the target of `attempt` can read it; `None`: it is as it came.
    ///
    /// # Errors
    /// [`Refusal`] that names the field whose address leads to nothing of use.
    pub(super) async fn to(
        &mut self,
        settlement: &mut Settlement,
        toll: &Toll<'_>,
        plan: &Plan,
        attempt: &Attempt,
    ) -> Result<Option<&Reading>, Refusal> {
        if !may_fetch(self.ask, toll, plan, attempt) {
            return Ok(None);
        }
        // Whoever cannot be told it for another reason says so itself.
        let Ok(reading) = self.ask.reading() else { return Ok(None) };
        let Some(endpoint) = attempt.seat.endpoint(attempt.dialect) else { return Ok(None) };
        let target = AddressReader { dialect: attempt.dialect, quirks: endpoint.quirks };
        let unread = reading.unread(target);
        let Some(first) = unread.first() else { return Ok(None) };
        let places = unread.iter().fold(0_usize, |sum, it| sum.saturating_add(it.places));
        if MAX_PLACES < places {
            let reason = format!("stands in more than {MAX_PLACES} places: {HOW_ELSE}");
            return Err(Refusal::Unsayable(Refused::new(first.field, reason)));
        }
        let begin = Instant::now();
        let filled = Box::pin(self.fill(reading, target)).await;
        settlement.fetched(begin.elapsed());
        filled.map(Some)
    }

    async fn fill(
        &mut self,
        reading: &Reading,
        target: AddressReader,
    ) -> Result<&Reading, Refusal> {
        let Self { ask, fetcher, allowance, filled, failed } = self;
        let filled = filled.get_or_insert_with(|| reading.clone());
        let missing = filled.unread(target);
        let known = failed.iter().find(|(url, _)| missing.iter().any(|it| it.url == *url));
        if let Some((_, refused)) = known {
            return Err(Refusal::Unsayable(refused.clone()));
        }
        let coming = missing.into_iter().map(|it| fetched(fetcher, allowance, it));
        let mut coming = stream::iter(coming).buffer_unordered(AT_ONCE);
        while let Some((address, fetched)) = coming.next().await {
            let placed = match fetched {
                Ok(found) => filled.fill(target, &address.url, found),
                Err(NotFetched::NoRoom) => return Err(Refusal::NoRoom),
                Err(why) => Err(Refused::new(address.field, format!("{why}: {HOW_ELSE}"))),
            };
            if let Err(refused) = placed {
                tracing::debug!(request_id = %ask.request, %refused, "nothing was fetched");
                failed.push((address.url.clone(), refused.clone()));
                return Err(Refusal::Unsayable(refused));
            }
        }
        Ok(filled)
    }
}

async fn fetched(
    fetcher: &Fetcher,
    allowance: &Allowance,
    address: Address,
) -> (Address, Result<(FileKind, Vec<u8>), NotFetched>) {
    let fetched = fetcher.fetch(&address, allowance).await;
    (address, fetched)
}

const HOW_ELSE: &str = "send the bytes in base64";

/// Whether anything may be fetched for this target. Not where the route wants everything said
/// to the letter: bytes in place of an address are not.
fn may_fetch(ask: &Ask<'_>, toll: &Toll<'_>, plan: &Plan, attempt: &Attempt) -> bool {
    let shows = match ask.operation {
        Operation::Chat | Operation::Completions | Operation::CountTokens => true,
        Operation::Embeddings => false,
    };
    let lenient = match plan.translation {
        Translation::Lenient => true,
        Translation::Strict => false,
    };
    let allowed = toll.snapshot.catalog().settings.fetch_addresses;
    allowed && shows && lenient && !words::is_own(ask, attempt)
}
