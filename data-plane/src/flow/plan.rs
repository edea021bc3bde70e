//! Where a request may go, and what to say when that is nowhere.

use super::{admit::Caller, receive::Ask};
use crate::{http::refusal::Refusal, owners::Owners};
use dialect::translate::Refused;
use domain::{
    catalog::{Dialect, Operation, VirtualKey},
    routing::{self, Attempt, Plan, Unroutable},
    snapshot::{Listed, Snapshot},
};

/// How many near names are offered.
const NEAR: usize = 3;
/// How alike a name must be to be offered: 0 nothing, 1 the same.
const ALIKE: f64 = 0.5;
/// Longer names are compared with nothing: no model has one.
const LONGEST_COMPARED: usize = 64;
/// Most names that are compared.
const MOST_COMPARED: usize = 500;

/// The attempts to make.
///
/// # Errors
/// [`Refusal`] that says what would work, as far as the caller may know.
pub(super) fn plan(snapshot: &Snapshot, ask: &Ask<'_>, caller: &Caller) -> Result<Plan, Refusal> {
    let alias = &*ask.peek.model;
    let key = caller.key();
    let wished = wish(alias, ask.asked.dialect, ask.operation);
    routing::plan(snapshot, wished, key, ask.seed()).map_err(|why| match why {
        Unroutable::UnknownModel { alias } => {
            let near = near(snapshot, key, &alias);
            Refusal::UnknownModel { alias, near }
        }
        Unroutable::NoAccount { route } => Refusal::NoAccount { route },
        Unroutable::WrongDialect { route, dialect: _ } => {
            let speaks = |it: &Dialect| {
                routing::plan(snapshot, wish(alias, *it, ask.operation), key, 0).is_ok()
            };
            let speaks = Dialect::ALL.into_iter().filter(speaks).collect();
            Refusal::WrongDialect { route, operation: ask.operation, speaks }
        }
    })
}

/// A request that goes on from a response can only go to the account that keeps it, and
/// only for whom it was made. Ids that are not known here are refused whoever there is to
/// ask: an account serves many keys, and gives each of them what another left there.
///
/// # Errors
/// [`Refusal::UnknownResponse`] if it is not known to be the caller's;
/// [`Refusal::Unsayable`] if the request names what only an account keeps.
pub(super) fn bind(
    mut plan: Plan,
    owners: &Owners,
    ask: &Ask<'_>,
    caller: &Caller,
) -> Result<Plan, Refusal> {
    if let (Dialect::OpenAiResponses, Some(field)) = (ask.spoken, ask.peek.kept_elsewhere()) {
        let reason = "stands for what an account keeps, and who left it there is not known here: \
                      send the conversation itself";
        return Err(Refusal::Unsayable(Refused::new(field, reason)));
    }
    let Some(id) = ask.peek.previous_response() else { return Ok(plan) };
    let key = caller.key();
    let account = owners.account(&id, key.id, key.team).ok_or(Refusal::UnknownResponse)?;
    let keeps =
        |it: &Attempt| it.seat.account.id == account && it.dialect == Dialect::OpenAiResponses;
    plan.attempts.retain(keeps);
    plan.attempts.truncate(1);
    if plan.attempts.is_empty() { Err(Refusal::UnknownResponse) } else { Ok(plan) }
}

const fn wish(alias: &str, dialect: Dialect, operation: Operation) -> routing::Ask<'_> {
    routing::Ask { alias, dialect, operation }
}

/// A model that works for `key` though no list has it: by a wildcard or a pattern.
pub(super) fn unlisted(snapshot: &Snapshot, key: &VirtualKey, id: &str) -> Option<Listed> {
    let plan = Dialect::ALL.into_iter().find_map(|dialect| {
        routing::plan(snapshot, wish(id, dialect, Operation::Chat), key, 0).ok()
    })?;
    let behind = plan.attempts.first().map(|it| (&it.seat.provider, &*it.model));
    let owner = behind.map_or(&*plan.route, |(provider, _)| provider.as_str());
    Some(snapshot.described(id, owner, behind))
}

/// The names most like `alias` that the key may use.
pub(super) fn near(snapshot: &Snapshot, key: &VirtualKey, alias: &str) -> Vec<String> {
    if LONGEST_COMPARED < alias.len() {
        return Vec::new();
    }
    let listed = snapshot.listed(key).into_iter().take(MOST_COMPARED);
    let mut scored: Vec<_> = listed
        .map(|it| (strsim::jaro_winkler(&it.name, alias), it.name))
        .filter(|(score, _)| ALIKE < *score)
        .collect();
    // The list is sorted by name, and so stay those of the same score.
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(NEAR).map(|(_, name)| name).collect()
}
