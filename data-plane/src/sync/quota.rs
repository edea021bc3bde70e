//! Limits, as they are spoken of with a control plane: what the meter asks and renews goes
//! out, what the leader lends comes in. Outlives sessions, for messages are numbered over
//! the whole run of the proxy.

use crate::meter::{Letter, Meter};
use domain::limit::{
    lease::{
        RENEW_US,
        session::{Session, Verdict},
    },
    message::Grants,
};
use proto::{convert::quota, sync::v1};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// So long questions are gathered, so that one message asks for all.
const GATHER: Duration = Duration::from_millis(1);
/// A leader that wants to be told again what it was told is not told more often than this.
const AGAIN: Duration = Duration::from_millis(100);

/// The limits' side of all sessions.
pub(super) struct Quota {
    meter: Meter,
    talk: Session,
    /// When all that is held is told next.
    renew_at: Instant,
    /// When what is asked for is told.
    ask_at: Option<Instant>,
    letters: VecDeque<Letter>,
}

impl Quota {
    pub(super) fn new(meter: Meter) -> Self {
        Self {
            meter,
            talk: Session::new(),
            renew_at: Instant::now(),
            ask_at: None,
            letters: VecDeque::new(),
        }
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// A session has begun: the control plane is told at once what is held.
    pub(super) fn begin(&mut self) {
        self.letters.clear();
        self.ask_at = None;
        self.renew_at = Instant::now();
        self.meter.on_connected();
    }

    /// The session is over.
    pub(super) fn end(&mut self) {
        self.meter.on_lost();
    }

    /// Somebody waits for the leader.
    pub(super) fn on_asked(&mut self) {
        let at = Instant::now() + GATHER;
        self.ask_at = Some(self.ask_at.map_or(at, |it| it.min(at)));
    }

    /// When there is something to say.
    pub(super) fn due_at(&self) -> Instant {
        if !self.letters.is_empty() {
            return Instant::now();
        }
        self.ask_at.map_or(self.renew_at, |it| it.min(self.renew_at))
    }

    /// What is to be said now.
    pub(super) fn next(&mut self) -> Option<v1::QuotaSync> {
        let now = Instant::now();
        if self.letters.is_empty() {
            if self.renew_at <= now {
                self.renew_at = now + renewal();
                self.letters.extend(self.meter.renewals());
            } else if self.ask_at.is_some_and(|it| it <= now) {
                self.ask_at = None;
                self.letters.extend(Some(self.meter.questions()).filter(|it| !it.is_empty()));
            }
        }
        let letter = self.letters.pop_front()?;
        let sync = self.talk.next(letter.told_us, letter.whole, letter.entries, letter.chunks);
        Some(quota::sync_to(&sync))
    }

    /// Takes what the leader says.
    pub(super) fn hear(&mut self, wire: v1::QuotaGrants) {
        let grants: Grants = match quota::grants_from(wire) {
            Ok(grants) => grants,
            Err(invalid) => {
                tracing::warn!(%invalid, "a grant that cannot be read is left out");
                return;
            }
        };
        match self.talk.on_grants(&grants) {
            Verdict::Hello(epoch) => {
                tracing::info!(epoch, "limits are lent by a new leader");
                self.meter.on_epoch(epoch);
                self.letters.clear();
                self.renew_at = Instant::now();
            }
            Verdict::Current => {
                if grants.hello {
                    self.renew_at = self.renew_at.min(Instant::now() + AGAIN);
                }
                self.meter.on_grants(&grants);
            }
            Verdict::Stale => tracing::debug!(epoch = grants.epoch, "a grant of another leader"),
        }
    }
}

/// Until the next renewal: the usual time, give or take a tenth, so that proxies do not
/// come all at once.
fn renewal() -> Duration {
    let usual = Duration::from_micros(RENEW_US);
    usual.mul_f64(0.9) + super::random_part(usual.mul_f64(0.2))
}

#[cfg(test)]
mod tests;
