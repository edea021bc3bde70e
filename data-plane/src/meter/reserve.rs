//! Takes of all of a request's limits, or of none. Never waits.

use super::{
    Inner,
    cell::{Cell, State, Stop, Taken, Turn, is_no},
    queue::Priority,
    reservation::{Part, Verdict, Want},
};
use domain::{
    catalog::{Action, Rule},
    limit::{
        hold::{Short, View},
        supply::MILLI,
    },
};
use std::sync::Arc;

/// What was found out about a request's limits while it waited, by their place in its list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Nobody can be asked: take of what is set aside.
    fallback: u128,
    /// On trial, and nobody could say.
    unknown: u128,
    /// It has stood in line, here or further on: it does not stand here once more.
    stood: u128,
}

impl Found {
    /// Whether anything can be found out of the limit in this place.
    pub(super) const fn reaches(at: usize) -> bool {
        at < MOST_FOUND
    }

    pub(super) fn go_on_with_fallback(&mut self, at: usize) {
        self.fallback |= bit(at);
    }

    pub(super) fn leave_out(&mut self, at: usize) {
        self.unknown |= bit(at);
    }

    /// It stands in line for this one. Those before let it through: if it lined up there,
    /// too, whenever others did, two who wait for two limits would send each other to and
    /// fro.
    pub(super) fn stand(&mut self, at: usize) {
        (0..=at).for_each(|it| self.stood |= bit(it));
    }
}

/// Of those beyond the first so many, nothing can be found out.
const MOST_FOUND: usize = 128;

fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|it| 1u128.checked_shl(it)).unwrap_or(0)
}

/// How a request asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) wants: &'a [Want<'a>],
    pub(super) priority: Priority,
    /// How long it has waited, in milliseconds.
    pub(super) waited_ms: u32,
    pub(super) found: Found,
    /// Its number in the queue of a cell.
    pub(super) place: Option<(&'a Arc<Cell>, u64)>,
}

/// The limit that stopped it.
#[derive(Debug)]
pub(super) struct Stopped {
    /// Its place in the list.
    pub(super) at: usize,
    pub(super) stop: Stop,
    /// What was asked, that limit last.
    pub(super) parts: Vec<Part>,
    /// `None`: it stops without having one.
    pub(super) cell: Option<Arc<Cell>>,
}

impl Inner {
    /// Takes of all, or undoes all at the same instant: as if nothing had been.
    pub(super) fn take_all(
        &self,
        now_us: u64,
        asking: &Asking<'_>,
    ) -> Result<Vec<Part>, Box<Stopped>> {
        let mut parts = Vec::with_capacity(asking.wants.len());
        for (at, want) in asking.wants.iter().enumerate() {
            let part = parts.len();
            parts.push(Part {
                limit: Arc::clone(want.limit),
                asked_milli: want.milli,
                before: View::default(),
                after: View::default(),
                waited_ms: asking.waited_ms,
                verdict: Verdict::Passed,
                taken: None,
                late: None,
            });
            if let Some(part) = parts.get_mut(part)
                && let Err((stop, cell)) = self.take_one(now_us, at, asking, part)
            {
                part.verdict = Verdict::Refused;
                self.undo_all(now_us, &mut parts);
                return Err(Box::new(Stopped { at, stop, parts, cell }));
            }
        }
        Ok(parts)
    }

    fn undo_all(&self, now_us: u64, parts: &mut [Part]) {
        for part in parts.iter_mut().rev() {
            if let Some((cell, taken)) = part.taken.take() {
                cell.lock().undo(now_us, taken);
            }
        }
    }

    fn take_one(
        &self,
        now_us: u64,
        at: usize,
        asking: &Asking<'_>,
        part: &mut Part,
    ) -> Result<(), (Stop, Option<Arc<Cell>>)> {
        if part.asked_milli == 0 {
            // Nothing is taken of it, so it has nothing to say.
            return Ok(());
        }
        let Some(cell) = self.cell_of(&part.limit, now_us) else {
            return one_request(part).map_err(|stop| (stop, None));
        };
        if asking.found.unknown & bit(at) != 0 {
            part.verdict = Verdict::Unknown;
            part.late = Some(cell);
            return Ok(());
        }
        let mut state = cell.lock();
        let taken = self.take_here(&mut state, now_us, at, asking, &cell, part.asked_milli);
        part.after = state.view(now_us);
        drop(state);
        match taken {
            Ok(taken) => {
                part.before = part.after;
                if let Taken::Hold(hold) = &taken {
                    put_back(&mut part.before, hold.taken_milli());
                } else {
                    part.verdict = Verdict::Fallback;
                }
                part.taken = Some((cell, taken));
                Ok(())
            }
            Err(stop) => {
                part.before = part.after;
                let refused = matches!(stop, Stop::Short(short) if is_no(short));
                if refused && part.limit.action == Action::Shadow {
                    part.verdict = Verdict::WouldRefuse;
                    return Ok(());
                }
                Err((stop, Some(cell)))
            }
        }
    }

    fn take_here(
        &self,
        state: &mut State,
        now_us: u64,
        at: usize,
        asking: &Asking<'_>,
        cell: &Arc<Cell>,
        milli: u64,
    ) -> Result<Taken, Stop> {
        if asking.found.fallback & bit(at) != 0 {
            return state.take_fallback(now_us, milli, self.fallback_proxies());
        }
        let turn = match asking.place.filter(|(of, _)| Arc::ptr_eq(of, cell)) {
            Some((_, number)) => Turn::Number(number),
            None if asking.found.stood & bit(at) != 0 => Turn::Had,
            None => Turn::New(asking.priority),
        };
        state.take(now_us, milli, turn)
    }

    /// Counts what limits on trial would have refused; once for each request that is let
    /// through.
    pub(super) fn count_trials(&self, now_us: u64, parts: &[Part]) {
        for part in parts.iter().filter(|it| it.verdict == Verdict::WouldRefuse) {
            self.metrics.would_refuse();
            if let Some(cell) = self.cell_of(&part.limit, now_us) {
                cell.lock().refused(now_us, part.asked_milli);
            }
        }
    }
}

/// A limit that looks at each request alone.
fn one_request(part: &mut Part) -> Result<(), Stop> {
    let Rule::TokensPerRequest { most } = *part.limit.rule else { return Ok(()) };
    let largest_milli = most.get().saturating_mul(MILLI);
    if part.asked_milli <= largest_milli {
        return Ok(());
    }
    if part.limit.action == Action::Shadow {
        part.verdict = Verdict::WouldRefuse;
        return Ok(());
    }
    Err(Stop::Short(Short::TooLarge { largest_milli }))
}

/// How it stood before `milli` was taken.
fn put_back(view: &mut View, milli: u64) {
    let level = i64::try_from(milli).unwrap_or(i64::MAX);
    view.level_milli = view.level_milli.saturating_add(level);
    view.reserved_milli = view.reserved_milli.saturating_sub(milli);
}
