//! What a request is told when there is too little, and when there is enough.

use super::{Lease, Refusal, Short, refill_us, signed};
use crate::limit::{bucket::Bucket, message::Why, supply::Supply};

impl<B: Bucket> Lease<B> {
    /// What [`Lease::take`] would say, without taking: nobody has asked by that.
    ///
    /// # Errors
    /// [`Short`], as `take`.
    pub fn look(&self, now_us: u64, milli: u64) -> Result<(), Short> {
        let largest_milli = self.supply.largest_milli();
        if largest_milli < milli {
            return Err(Short::TooLarge { largest_milli });
        }
        let own = self.held.as_ref().filter(|own| now_us < own.expires_us);
        match own.is_some_and(|own| signed(milli) <= own.bucket.level_milli(now_us)) {
            true => Ok(()),
            false => Err(self.short(now_us, milli)),
        }
    }

    /// Why nothing was taken.
    pub(super) fn short(&self, now_us: u64, milli: u64) -> Short {
        let Some(refusal) = self.refusal_of(now_us, milli) else { return Short::Ask };
        let Supply::Flow { rate_nano, .. } = self.supply else {
            return Short::Denied { until_us: refusal.until_us, why: refusal.why };
        };
        let more = refill_us(milli.saturating_sub(refusal.least_milli), rate_nano);
        let lent_us = refusal.until_us.saturating_add(more);
        // What refills here may be enough sooner.
        let own = self.held.as_ref().map(|own| own.bucket.shape()).unwrap_or_default();
        let until_us = match milli <= own.cap_milli {
            true => {
                let missing = self.missing_milli(now_us, milli);
                lent_us.min(now_us.saturating_add(refill_us(missing, own.rate_nano)))
            }
            false => lent_us,
        };
        Short::Denied { until_us, why: refusal.why }
    }

    /// The leader's no, as far as it is about a request of `milli` too.
    pub(super) fn refusal_of(&self, now_us: u64, milli: u64) -> Option<Refusal> {
        let refusal = self.refusal.filter(|it| now_us < it.ask_us)?;
        let less = refusal.why == Why::Exhausted && milli < refusal.least_milli;
        (!less).then_some(refusal)
    }

    pub(super) fn missing_milli(&self, now_us: u64, milli: u64) -> u64 {
        let level = self.held.as_ref().map_or(0, |own| own.bucket.level_milli(now_us));
        // A debt is told by the level itself: what is wanted comes on top of it.
        u64::try_from(signed(milli).saturating_sub(level.max(0))).unwrap_or(0)
    }
}
