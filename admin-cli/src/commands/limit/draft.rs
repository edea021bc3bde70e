//! What flags say → limits for the wire; what makes no sense is told what to write instead.

use std::collections::BTreeMap;

use proto::admin::v1::{Limit, LimitAction, LimitMeasure, LimitPeriod, LimitProfile, LimitSubject};

use crate::{
    args::limit::{Amounts, TermFlags},
    failure::{CliError, Outcome},
    limit,
};

/// An amount, and the flag that said it.
#[derive(Debug, Clone, Copy)]
struct Said {
    flag: &'static str,
    measure: LimitMeasure,
    amount: u64,
    period: LimitPeriod,
}

/// The limits that flags describe, in the order of the flags.
pub(super) fn limits(
    subject: &LimitSubject,
    amounts: &Amounts,
    terms: &TermFlags,
) -> Outcome<Vec<Limit>> {
    let said = amounts.said(None)?;
    if said.is_empty() {
        return Err(CliError::usage("how much? No amount is said").hint(
            "write for example --rpm 60, --tpm 100k, --budget 500usd, --max-in-flight 8, or \
             --tokens 1M --per month",
        ));
    }
    let mut limits: Vec<Limit> = said
        .iter()
        .map(|it| Limit {
            subject: Some(subject.clone()),
            measure: it.measure.into(),
            amount: it.amount,
            period: it.period.into(),
            ..Limit::default()
        })
        .collect();
    terms.fit(&limits)?;
    for it in &mut limits {
        terms.apply(it);
        if terms.threshold.is_none() {
            it.switch_percent = limit::usual_switch_percent(it);
        }
    }
    let mut seen = BTreeMap::new();
    for (it, said) in limits.iter().zip(&said) {
        if let Some(twin) = seen.insert(limit::identity(it), said.flag) {
            let what = format!("{twin} and {} say the same limit twice", said.flag);
            return Err(CliError::usage(what).hint("keep one of them"));
        }
    }
    Ok(limits)
}

/// A limit that there is, with what flags say changed.
pub(super) fn changed(old: Limit, amounts: &Amounts, terms: &TermFlags) -> Outcome<Limit> {
    let mut new = old;
    match amounts.said(Some(&new))?.as_slice() {
        [] => {}
        [said] => {
            if said.measure != new.measure() {
                new.weights = None;
            }
            if said.period != new.period() {
                (new.profile, new.time_zone, new.reset_minute) = (0, String::new(), 0);
            }
            new.set_measure(said.measure);
            new.set_period(said.period);
            new.amount = said.amount;
        }
        [first, second, ..] => {
            let what = format!("{} and {}: a limit has one amount", first.flag, second.flag);
            return Err(CliError::usage(what).hint("keep one of them"));
        }
    }
    terms.fit(std::slice::from_ref(&new))?;
    terms.apply(&mut new);
    Ok(new)
}

impl Amounts {
    /// Every amount that was said; `old` knows the period where only its amount changes.
    fn said(&self, old: Option<&Limit>) -> Outcome<Vec<Said>> {
        use {LimitMeasure as M, LimitPeriod as P};
        let short = [
            ("--rpm", M::Requests, self.rpm, P::Minute),
            ("--rph", M::Requests, self.rph, P::Hour),
            ("--rpd", M::Requests, self.rpd, P::Day),
            ("--tpm", M::Tokens, self.tpm, P::Minute),
            ("--tph", M::Tokens, self.tph, P::Hour),
            ("--tpd", M::Tokens, self.tpd, P::Day),
            (
                "--max-tokens-per-request",
                M::TokensPerRequest,
                self.max_tokens_per_request,
                P::Unspecified,
            ),
            ("--max-in-flight", M::InFlight, self.max_in_flight, P::Unspecified),
        ];
        let mut all: Vec<Said> = short
            .into_iter()
            .filter_map(|(flag, measure, amount, period)| {
                amount.map(|amount| Said { flag, measure, amount, period })
            })
            .collect();
        let long = [
            ("--requests", M::Requests, self.requests),
            ("--tokens", M::Tokens, self.tokens),
            ("--budget", M::Cost, self.budget),
        ];
        let mut used = false;
        for (flag, measure, amount) in long {
            let Some(amount) = amount else { continue };
            used = true;
            let there = old.filter(|it| it.measure() == measure).map(Limit::period);
            let usual = (measure == M::Cost).then_some(P::Month);
            let period = self.per.or(there).or(usual).ok_or_else(|| {
                CliError::usage(format!("{flag} per which time?")).hint(
                    "add --per minute, hour, day, week, month, or forever for a grant that is \
                     used up",
                )
            })?;
            all.push(Said { flag, measure, amount, period });
        }
        if self.per.is_some() && !used {
            return Err(CliError::usage("--per of what?").hint(
                "it is for --requests, --tokens and --budget; --rpm, --rph, --rpd, --tpm, --tph \
                 and --tpd have their time in their names",
            ));
        }
        Ok(all)
    }
}

impl TermFlags {
    /// Refuses what none of the limits can follow.
    fn fit(&self, limits: &[Limit]) -> Outcome {
        let none = |fits: &dyn Fn(&Limit) -> bool| !limits.iter().any(fits);
        let refuse = |what: &str, hint: &str| Err(CliError::usage(what).hint(hint));
        let with_profile = |it: &Limit| Limit { profile: self.profile_of(it), ..it.clone() };
        if let Some(said) = self.profile
            && none(&|it| can_be(said, it.period()))
        {
            return refuse(
                "--profile: nothing that is said here can have it",
                "`bucket` and `window-strict` are per minute, hour or day, `calendar` per minute, \
                 hour, day, week or month",
            );
        }
        let calendar = |it: &Limit| limit::profile(&with_profile(it)) == LimitProfile::Calendar;
        if self.timezone.is_some() && none(&calendar) {
            return refuse(
                "--timezone is for calendars, and nothing here follows one",
                "count per day, week or month, or add --profile calendar",
            );
        }
        if self.reset_at.is_some() && none(&|it| calendar(it) && by_day(it.period())) {
            return refuse(
                "--reset-at is for days, weeks and months of a calendar, and none is here",
                "count per day, week or month",
            );
        }
        if self.weights.is_some() && none(&|it| it.measure() == LimitMeasure::Tokens) {
            return refuse(
                "--weights is for tokens, and no tokens are counted here",
                "add --tpm, --tpd, or --tokens with --per",
            );
        }
        if self.threshold.is_some_and(|it| 0 < it)
            && none(&|it| limit::is_asked(it.subject.as_ref()))
        {
            return refuse(
                "--threshold is for --account and --provider: a caller cannot be switched to \
                 another",
                "to be told in time, use --warn",
            );
        }
        let over_time = |it: &Limit| it.measure() != LimitMeasure::TokensPerRequest;
        if (self.warn.is_some() || self.threshold.is_some()) && none(&over_time) {
            return refuse(
                "--max-tokens-per-request is never nearly used up: each request is counted alone",
                "leave --warn and --threshold out",
            );
        }
        if self.queue.is_some() && none(&frees) {
            return refuse(
                "--queue: waiting frees nothing here",
                "leave it out; it is for what is counted per some time and for --max-in-flight",
            );
        }
        Ok(())
    }

    /// Writes what was said into a limit, as far as it is for such a limit.
    fn apply(&self, it: &mut Limit) {
        it.profile = self.profile_of(it);
        if limit::profile(it) == LimitProfile::Calendar {
            it.time_zone = self.timezone.clone().unwrap_or_else(|| it.time_zone.clone());
            if by_day(it.period()) {
                it.reset_minute = self.reset_at.unwrap_or(it.reset_minute);
            }
        }
        if it.measure() == LimitMeasure::Tokens {
            it.weights = self.weights.or(it.weights);
        }
        if let Some(mode) = self.mode {
            it.set_mode(mode);
        }
        if self.shadow {
            it.set_action(LimitAction::Shadow);
        }
        if it.measure() != LimitMeasure::TokensPerRequest {
            it.warn_percent = self.warn.unwrap_or(it.warn_percent);
            it.switch_percent = self.threshold.unwrap_or(it.switch_percent);
        }
        if frees(it) {
            it.queue_ms = self.queue.unwrap_or(it.queue_ms);
        }
    }

    fn profile_of(&self, it: &Limit) -> i32 {
        match self.profile {
            Some(said) if can_be(said, it.period()) => said.into(),
            Some(_) | None => it.profile,
        }
    }
}

/// Whether a period can be meant so.
const fn can_be(profile: LimitProfile, period: LimitPeriod) -> bool {
    use LimitPeriod as P;
    match (period, profile) {
        (P::Minute | P::Hour | P::Day, _) => true,
        (P::Week | P::Month, LimitProfile::Calendar) => true,
        (P::Week | P::Month | P::Forever | P::Unspecified, _) => false,
    }
}

/// Whether it begins at a time of the day.
const fn by_day(period: LimitPeriod) -> bool {
    matches!(period, LimitPeriod::Day | LimitPeriod::Week | LimitPeriod::Month)
}

/// Whether room comes back by waiting.
fn frees(it: &Limit) -> bool {
    it.measure() != LimitMeasure::TokensPerRequest && it.period() != LimitPeriod::Forever
}

#[cfg(test)]
mod tests;
