//! Where a request may go, and what to say when that is nowhere.

use super::{admit::Caller, receive::Ask};
use crate::http::refusal::Refusal;
use domain::{
    catalog::{Dialect, VirtualKey},
    routing::{self, Plan, Unroutable},
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
    let wish = routing::Ask { alias, dialect: ask.asked.dialect };
    routing::plan(snapshot, wish, key, ask.seed()).map_err(|why| match why {
        Unroutable::UnknownModel { alias } => {
            let near = near(snapshot, key, &alias);
            Refusal::UnknownModel { alias, near }
        }
        Unroutable::NoAccount { route } => Refusal::NoAccount { route },
        Unroutable::WrongDialect { route, dialect: _ } => {
            let speaks = |it: &Dialect| {
                routing::plan(snapshot, routing::Ask { alias, dialect: *it }, key, 0).is_ok()
            };
            let speaks = Dialect::ALL.into_iter().filter(speaks).collect();
            Refusal::WrongDialect { route, operation: ask.operation, speaks }
        }
    })
}

/// A model that works for `key` though no list has it: by a wildcard or a pattern.
pub(super) fn unlisted(snapshot: &Snapshot, key: &VirtualKey, id: &str) -> Option<Listed> {
    let plan = Dialect::ALL.into_iter().find_map(|dialect| {
        routing::plan(snapshot, routing::Ask { alias: id, dialect }, key, 0).ok()
    })?;
    let owner = plan.attempts.first().map(|it| it.seat.provider.to_string());
    Some(Listed { name: id.to_owned(), owner: owner.unwrap_or(plan.route) })
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
