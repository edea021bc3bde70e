//! Waits for the leader's answer, or for room, and takes then.
//!
//! While it waits a request holds nothing, only its place in the queue of the one limit
//! that stopped it. Whatever ends the wait, the end of the caller's connection included,
//! the place goes with it.

use super::{
    Inner, Meter,
    cell::{Cell, State, Stop},
    queue::Priority,
    reservation::{Reservation, ShortWhy, Shortage, Want},
    reserve::{Asking, Found, Stopped},
};
use domain::limit::{hold::Short, message::Why, supply::Supply};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Longest wait for the leader's answer.
const ANSWER: Duration = Duration::from_millis(50);
/// When a request may come again that nobody could say anything about.
const SOON: Duration = Duration::from_secs(1);
/// When one may come again whose answer was late: it is there by then.
const VERY_SOON: Duration = Duration::from_millis(200);
/// What is named as the end of a wait beyond this is no end.
const NEVER: Duration = Duration::from_secs(400 * 86_400);

/// A place in the queue of one limit; dropped, it is free.
struct Place<'a> {
    inner: &'a Inner,
    cell: Arc<Cell>,
    number: u64,
    milli: u64,
    wake: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(inner: &'a Inner, cell: &Arc<Cell>, priority: Priority, milli: u64) -> Option<Self> {
        let wake = Arc::new(Notify::new());
        let number = cell.lock().join(priority, milli, Arc::clone(&wake))?;
        inner.metrics.waiting(1.0);
        Some(Self { inner, cell: Arc::clone(cell), number, milli, wake })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let now_us = self.inner.now_us();
        self.cell.lock().leave(now_us, self.number, self.milli);
        self.inner.metrics.waiting(-1.0);
    }
}

/// What to do about a limit that stopped a request.
enum Next {
    /// Try again with what was found out.
    Again,
    /// Stand in line until one of these, then try again.
    Wait {
        until: Instant,
        look: Option<Instant>,
    },
    Refuse(ShortWhy, Option<Duration>),
}

/// A request that waits.
struct Wait<'a> {
    meter: &'a Meter,
    wants: &'a [Want<'a>],
    priority: Priority,
    /// Whether it stands in line as long as limits let it.
    queues: bool,
    began: Instant,
    found: Found,
    /// What it was told last, while it waits on: of which limit, until when, and why.
    told: Option<(usize, u64, Why)>,
}

impl Meter {
    pub(super) async fn wait_for_all(
        &self,
        wants: &[Want<'_>],
        priority: Priority,
        queues: bool,
        mut stopped: Box<Stopped>,
    ) -> Result<Reservation, Box<Shortage>> {
        let (began, found) = (Instant::now(), Found::default());
        let mut wait = Wait { meter: self, wants, priority, queues, began, found, told: None };
        let mut place: Option<Place<'_>> = None;
        let ended = loop {
            match wait.next(&stopped) {
                Next::Again => {}
                Next::Refuse(why, retry_after) => {
                    break Err(wait.refuse(*stopped, why, retry_after));
                }
                Next::Wait { until, look } => {
                    if !wait.stand(&mut place, &stopped) {
                        // Nothing is known of how much is left.
                        if !wait.goes_on_uncounted(&stopped) {
                            break Err(wait.refuse(*stopped, ShortWhy::Crowded, Some(SOON)));
                        }
                    } else if let Some(place) = &place {
                        let end = look.map_or(until, |it| it.min(until));
                        // Time that is over is seen by looking, too.
                        let _ = timeout_at(end, place.wake.notified()).await;
                    }
                }
            }
            match wait.try_all(place.as_ref()) {
                Ok(reservation) => break Ok(reservation),
                Err(next) => stopped = next,
            }
        };
        self.inner.metrics.waited(began.elapsed());
        ended
    }
}

impl<'a> Wait<'a> {
    fn try_all(&self, place: Option<&Place<'_>>) -> Result<Reservation, Box<Stopped>> {
        let inner = &self.meter.inner;
        let now_us = inner.now_us();
        let asking = Asking {
            wants: self.wants,
            priority: self.priority,
            waited_ms: self.waited_ms(),
            found: self.found,
            place: place.map(|it| (&it.cell, it.number)),
        };
        let parts = inner.take_all(now_us, &asking)?;
        inner.count_trials(now_us, &parts);
        Ok(Reservation::new(Arc::clone(inner), parts))
    }

    /// Stands in the line of what stopped the request, and sees that the leader is asked.
    /// Says whether there was room.
    fn stand(&mut self, place: &mut Option<Place<'a>>, stopped: &Stopped) -> bool {
        let meter: &'a Meter = self.meter;
        let inner: &'a Inner = &meter.inner;
        let Some(cell) = &stopped.cell else { return false };
        self.found.stand(stopped.at);
        match place {
            Some(here) if Arc::ptr_eq(&here.cell, cell) => cell.lock().missed(here.number),
            Some(_) | None => {
                // The old place goes first: nobody stands in two lines.
                drop(place.take());
                let milli = self.wants.get(stopped.at).map_or(0, |it| it.milli);
                let Some(new) = Place::take(inner, cell, self.priority, milli) else {
                    return false;
                };
                *place = Some(new);
            }
        }
        inner.ask_for(cell);
        true
    }

    /// Where there is no room in the line: whether it goes on without standing there.
    fn goes_on_uncounted(&mut self, stopped: &Stopped) -> bool {
        let Some(cell) = &stopped.cell else { return false };
        let goes_on = cell.lock().has_fallback();
        if goes_on {
            let _ = self.fall_back(stopped.at);
        }
        goes_on
    }

    /// A limit on trial delays nobody: what can be said of it only later is counted then.
    fn try_later(&mut self, cell: &Arc<Cell>, stopped: &Stopped) -> Next {
        self.found.leave_out(stopped.at);
        if matches!(stopped.stop, Stop::Short(Short::Ask)) {
            cell.lock().wish(self.milli(stopped.at));
            self.meter.inner.ask_for(cell);
        }
        Next::Again
    }

    fn next(&mut self, stopped: &Stopped) -> Next {
        let Some(cell) = stopped.cell.as_ref() else {
            return match stopped.stop {
                Stop::Short(Short::TooLarge { largest_milli }) => {
                    Next::Refuse(ShortWhy::TooLarge { largest_milli }, None)
                }
                Stop::Short(_) | Stop::Behind | Stop::Fallback(_) => {
                    Next::Refuse(ShortWhy::Unavailable, Some(SOON))
                }
            };
        };
        if !Found::reaches(stopped.at) {
            return Next::Refuse(ShortWhy::Unavailable, Some(SOON));
        }
        let state = cell.lock();
        if state.gone {
            return Next::Again;
        }
        if state.is_shadow() {
            drop(state);
            return self.try_later(cell, stopped);
        }
        match stopped.stop {
            Stop::Fallback(refill) => {
                let connected = self.meter.inner.is_connected();
                let why = if connected { ShortWhy::Unanswered } else { ShortWhy::Disconnected };
                // The leader may be there again long before the part set aside has refilled.
                Next::Refuse(why, Some(refill.map_or(SOON, |it| it.min(SOON))))
            }
            Stop::Short(Short::TooLarge { largest_milli }) => {
                Next::Refuse(ShortWhy::TooLarge { largest_milli }, None)
            }
            Stop::Short(Short::Denied { until_us, why }) => {
                self.denied(&state, stopped.at, until_us, why)
            }
            Stop::Short(Short::Ask) | Stop::Behind => self.unanswered(&state, stopped),
        }
    }

    /// The leader has not said anything about it yet.
    fn unanswered(&mut self, state: &State, stopped: &Stopped) -> Next {
        let (now, at) = (Instant::now(), stopped.at);
        let connected = self.meter.inner.is_connected();
        let behind = stopped.stop == Stop::Behind;
        // Whoever stands first has been told more than who is behind.
        let told = |state: &State| state.refusal(self.meter.inner.now_us(), self.milli(at));
        let answer_by = self.began + ANSWER;
        if connected && now < answer_by {
            let hopeless = if behind && !self.queues { told(state) } else { None };
            return match hopeless {
                Some((until_us, why)) => self.no(state, at, until_us, why),
                None => Next::Wait { until: answer_by, look: self.look(state, stopped) },
            };
        }
        if state.has_fallback() && !(behind && connected) {
            return self.fall_back(at);
        }
        let until = self.queue_until(state);
        if now < until {
            return Next::Wait { until, look: self.look(state, stopped) };
        }
        match told(state) {
            Some((until_us, why)) => self.no(state, at, until_us, why),
            None if state.has_fallback() => self.fall_back(at),
            None if connected
                && let Some((_, until_us, why)) = self.told.filter(|it| it.0 == at) =>
            {
                let soon_us = self.meter.inner.now_us().saturating_add(micros(VERY_SOON));
                self.no(state, at, until_us.max(soon_us), why)
            }
            None if connected => Next::Refuse(ShortWhy::Unanswered, Some(VERY_SOON)),
            None => Next::Refuse(ShortWhy::Disconnected, Some(SOON)),
        }
    }

    fn denied(&mut self, state: &State, at: usize, until_us: u64, why: Why) -> Next {
        if can_fall_back(state, why) {
            return self.fall_back(at);
        }
        self.told = Some((at, until_us, why));
        let now = Instant::now();
        let queue_until = self.queue_until(state);
        let room = self.instant(until_us);
        // Seats come back whenever somebody leaves; nobody knows when.
        let in_time = room.is_some_and(|it| it <= queue_until)
            || matches!(state.supply, Supply::Seats { .. });
        if now < queue_until && in_time {
            let ask_at = state.ask_at_us(self.meter.inner.now_us()).and_then(|it| self.instant(it));
            let look = room.into_iter().chain(ask_at).min().filter(|it| now < *it);
            return Next::Wait { until: queue_until, look: look.or(Some(now + ANSWER)) };
        }
        self.give_up(until_us, why)
    }

    /// The leader said no, and nothing is waited for any more.
    fn no(&mut self, state: &State, at: usize, until_us: u64, why: Why) -> Next {
        if can_fall_back(state, why) { self.fall_back(at) } else { self.give_up(until_us, why) }
    }

    fn fall_back(&mut self, at: usize) -> Next {
        self.found.go_on_with_fallback(at);
        self.meter.inner.metrics.fallback();
        Next::Again
    }

    fn give_up(&self, until_us: u64, why: Why) -> Next {
        let left = Duration::from_micros(until_us.saturating_sub(self.meter.inner.now_us()));
        let retry_after = Some(left).filter(|it| *it < NEVER);
        match why {
            Why::Exhausted => Next::Refuse(ShortWhy::Exhausted, retry_after),
            Why::Moving => Next::Refuse(ShortWhy::Moving, retry_after),
            Why::Learning => Next::Refuse(ShortWhy::Learning, retry_after),
            // It knows it in a moment, or the limit is gone with the next snapshot.
            Why::Unknown | Why::Unavailable => Next::Refuse(ShortWhy::Unavailable, retry_after),
        }
    }

    /// When to look without being called: enough may have flowed in here, or the question
    /// is to be asked again. Only who may take at all has to.
    fn look(&self, state: &State, stopped: &Stopped) -> Option<Instant> {
        if stopped.stop == Stop::Behind {
            return None;
        }
        let now_us = self.meter.inner.now_us();
        let again = now_us.saturating_add(micros(ANSWER));
        let full_us = state.ready_at_us(now_us, self.milli(stopped.at)).unwrap_or(again);
        let ask_us = state.ask_at_us(now_us).filter(|it| now_us < *it).unwrap_or(again);
        self.instant(full_us.min(ask_us).max(now_us.saturating_add(1_000)))
    }

    fn queue_until(&self, state: &State) -> Instant {
        let queue_ms = if self.queues { state.limit.queue_ms } else { 0 };
        self.began + Duration::from_millis(queue_ms.into())
    }

    fn milli(&self, at: usize) -> u64 {
        self.wants.get(at).map_or(0, |it| it.milli)
    }

    /// A time of the meter's clock; `None`: so far away that it is never.
    fn instant(&self, at_us: u64) -> Option<Instant> {
        let left = Duration::from_micros(at_us.saturating_sub(self.meter.inner.now_us()));
        (left < NEVER).then(|| Instant::now() + left)
    }

    fn waited_ms(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    fn refuse(
        &self,
        stopped: Stopped,
        why: ShortWhy,
        retry_after: Option<Duration>,
    ) -> Box<Shortage> {
        let inner = &self.meter.inner;
        let want = &self.wants[stopped.at];
        inner.metrics.refused(why);
        if let Some(cell) = &stopped.cell {
            cell.lock().refused(inner.now_us(), want.milli);
        }
        let view = stopped.parts.last().map(|it| it.after).unwrap_or_default();
        Box::new(Shortage {
            limit: Arc::clone(want.limit),
            why,
            asked_milli: want.milli,
            view,
            retry_after,
            parts: stopped.parts,
        })
    }
}

/// Whether the leader's no is about itself only, and there is something to go on with.
fn can_fall_back(state: &State, why: Why) -> bool {
    matches!(why, Why::Learning | Why::Unavailable) && state.has_fallback()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
