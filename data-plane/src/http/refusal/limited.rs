//! What a limit says to the caller whom it stops: which one it is, what is left of it, and
//! when there is more. Names no key, team or account.

use crate::http::limit_words as words;
use dialect::error::ErrorKind;
use domain::{
    catalog::{Limit, Measure, Rule},
    limit::supply::MILLI,
};
use std::{fmt, sync::Arc, time::Duration};

/// A limit of the caller has too little left.
#[derive(Debug)]
pub(crate) struct Shortfall {
    pub(crate) limit: Arc<Limit>,
    /// What the request needs, in thousandths of the limit's unit.
    pub(crate) asked_milli: u64,
    /// What is left, as far as this proxy knows; likewise.
    pub(crate) left_milli: u64,
    /// When there is enough; `None`: never by waiting.
    pub(crate) retry_after: Option<Duration>,
    /// There is enough, but others hold it for the moment.
    pub(crate) moving: bool,
}

impl Shortfall {
    /// Whether a limit is a budget, which is another error to callers' programs than a rate.
    pub(crate) fn is_budget(rule: &Rule) -> bool {
        match rule {
            Rule::Grant { .. } => true,
            Rule::Calendar { measure, .. } => *measure == Measure::Cost,
            Rule::Bucket { .. }
            | Rule::WindowStrict { .. }
            | Rule::TokensPerRequest { .. }
            | Rule::InFlight { .. } => false,
        }
    }

    /// Rates and budgets are different errors to callers' programs.
    pub(super) fn kind(&self) -> ErrorKind {
        match (&*self.limit.rule, self.limit.rule.measure()) {
            (rule, _) if Self::is_budget(rule) => ErrorKind::BudgetExhausted,
            (_, Some(Measure::Tokens(_) | Measure::Cost)) => ErrorKind::TokensLimited,
            (_, Some(Measure::Requests) | None) => ErrorKind::RequestsLimited,
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, asked_milli, left_milli, retry_after, moving } = self;
        let amount = |milli: u64| words::amount(&limit.rule, milli);
        let state = match moving {
            true => "is in use by running requests, or held by other proxies",
            false => "is used up",
        };
        write!(f, "{} {state}", words::limit(limit))?;
        let (left, asked) = (amount(*left_milli), amount(whole(*asked_milli)));
        match limit.rule.measure() {
            // A request is one request: how much it takes needs no saying.
            Some(Measure::Requests) => write!(f, ": {left} left")?,
            Some(Measure::Tokens(_) | Measure::Cost) => {
                write!(f, ": {left} left, and this request takes up to {asked}")?;
            }
            None => {}
        }
        match retry_after {
            Some(wait) => write!(f, "; try again in {}", words::wait(*wait)),
            None => f.write_str("; it does not come back by itself: ask your operator"),
        }
    }
}

/// A strict limit cannot be counted now, so nothing is let through.
#[derive(Debug)]
pub(crate) struct Uncounted {
    /// `None`: one of an account, which is not the caller's business.
    pub(crate) limit: Option<Arc<Limit>>,
    /// Why, in words.
    pub(crate) why: &'static str,
    pub(crate) retry_after: Duration,
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.limit {
            Some(limit) => f.write_str(&words::limit(limit))?,
            None => f.write_str("what accounts of this gateway may still take")?,
        }
        let wait = words::wait(self.retry_after);
        write!(f, " cannot be counted now, because {}: try again in {wait}", self.why)
    }
}

/// The request is larger than one request may be.
#[derive(Debug)]
pub(crate) struct TooManyTokens {
    pub(crate) limit: Arc<Limit>,
    /// Tokens that a request may have.
    pub(crate) most: u64,
    /// Tokens that this one may take.
    pub(crate) estimated: u64,
    /// Those of its prompt alone.
    pub(crate) input: u64,
}

impl TooManyTokens {
    pub(super) const fn kind(&self) -> ErrorKind {
        if self.input > self.most { ErrorKind::PromptTooLong } else { ErrorKind::InvalidRequest }
    }
}

impl fmt::Display for TooManyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, most, estimated, input } = self;
        let limit = words::limit(limit);
        if input > most {
            // In these words clients recognise that their prompt has to become shorter.
            write!(f, "prompt is too long: {input} tokens > {most} maximum, by {limit}")
        } else {
            let room = most.saturating_sub(*input);
            write!(
                f,
                "the request may take {estimated} tokens, more than {limit}: ask for at most \
                 {room} tokens of output, or make the prompt shorter than about {input} tokens"
            )
        }
    }
}

/// The request needs more of a limit than that ever has ready.
#[derive(Debug)]
pub(crate) struct NeverFits {
    pub(crate) limit: Arc<Limit>,
    /// The most that it lets through at once, in thousandths of its unit.
    pub(crate) largest_milli: u64,
    /// What the request needs; likewise.
    pub(crate) asked_milli: u64,
}

impl fmt::Display for NeverFits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, largest_milli, asked_milli } = self;
        let amount = |milli: u64| words::amount(&limit.rule, milli);
        write!(
            f,
            "the request may take {}, and {} never lets more than {} through at once: ask for \
             less output or make the prompt shorter",
            amount(whole(*asked_milli)),
            words::limit(limit),
            amount(*largest_milli),
        )
    }
}

/// Rounded up to whole units, as far as there is a whole one.
fn whole(milli: u64) -> u64 {
    milli.checked_next_multiple_of(MILLI).unwrap_or(milli)
}

pub(super) fn unpriced(limit: &Limit, alias: &str) -> String {
    let limit = words::limit(limit);
    format!(
        "{limit} counts money, and what `{alias}` costs is not known: ask your operator to set \
         a price for it"
    )
}

pub(super) fn no_headroom(retry_after: Option<Duration>) -> String {
    let text = "no account of this gateway has room for the request";
    match retry_after {
        Some(wait) => format!("{text} now: try again in {}", words::wait(wait)),
        None => format!("{text}: ask your operator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::refusal::Refusal;
    use domain::{
        catalog::{Action, Dialect, Mode, Period, Subject, Weights},
        id::{LimitId, TeamId},
    };
    use std::num::NonZeroU64;
    use uuid::Uuid;

    fn limit(subject: Subject, rule: Rule) -> Arc<Limit> {
        Arc::new(Limit {
            id: LimitId::from_uuid(Uuid::from_u128(1)),
            generation: 0,
            subject,
            rule: rule.into(),
            mode: Mode::Strict,
            action: Action::Enforce,
            warn_percent: None,
            switch_percent: None,
            queue_ms: 0,
        })
    }

    fn n(amount: u64) -> NonZeroU64 {
        NonZeroU64::new(amount).unwrap()
    }

    fn tokens() -> Rule {
        let measure = Measure::Tokens(Weights::default());
        Rule::Bucket { measure, amount: n(1_000), period: Period::Minute }
    }

    #[test]
    fn a_shortfall_says_which_how_much_and_when() {
        let short = Shortfall {
            limit: limit(Subject::Team(TeamId::from_uuid(Uuid::from_u128(9))), tokens()),
            asked_milli: 900_500,
            left_milli: 300_999,
            retry_after: Some(Duration::from_millis(36_001)),
            moving: false,
        };
        assert_eq!(
            short.to_string(),
            "your team's limit of 1000 tokens per minute is used up: 300 tokens left, and this \
             request takes up to 901 tokens; try again in 37 s"
        );
        let refusal = Refusal::Limited(Box::new(short));
        assert_eq!(refusal.kind(), ErrorKind::TokensLimited);
        assert!(!refusal.is_final(Dialect::OpenAi) && refusal.is_final(Dialect::Anthropic));
    }

    #[test]
    fn a_budget_is_another_error_than_a_rate_and_final() {
        let grant = Rule::Grant { measure: Measure::Cost, amount: n(5_000_000) };
        let short = Shortfall {
            limit: limit(Subject::Everything, grant),
            asked_milli: 1,
            left_milli: 0,
            retry_after: None,
            moving: false,
        };
        let refusal = Refusal::Limited(Box::new(short));
        assert_eq!(refusal.kind(), ErrorKind::BudgetExhausted);
        assert!(refusal.is_final(Dialect::OpenAi));
        assert!(refusal.to_string().starts_with("this gateway's limit of $5 in all is used up"));
    }

    #[test]
    fn what_others_hold_for_a_moment_is_not_said_to_be_used_up() {
        let short = Shortfall {
            limit: limit(Subject::Everything, tokens()),
            asked_milli: 4_108_000,
            left_milli: 5_000,
            retry_after: Some(Duration::from_secs(1)),
            moving: true,
        };
        assert_eq!(
            short.to_string(),
            "this gateway's limit of 1000 tokens per minute is in use by running requests, or \
             held by other proxies: 5 tokens left, and this request takes up to 4108 tokens; try \
             again in 1 s"
        );
        // A window's end that is near makes a budget no rate.
        let measure = Measure::Cost;
        let grant = Rule::Grant { measure, amount: n(5_000_000) };
        let short = Shortfall {
            limit: limit(Subject::Everything, grant),
            retry_after: Some(Duration::from_secs(2)),
            moving: false,
            ..short
        };
        assert_eq!(short.kind(), ErrorKind::BudgetExhausted);
    }

    #[test]
    fn a_prompt_that_is_too_long_is_told_in_the_words_that_clients_look_for() {
        let rule = Rule::TokensPerRequest { most: n(100) };
        let key = Subject::Alias("fast".into());
        let over = |input, estimated| {
            let limit = limit(key.clone(), rule.clone());
            Refusal::TooManyTokens(Box::new(TooManyTokens { limit, most: 100, estimated, input }))
        };
        let long = over(150, 200);
        assert!(long.to_string().starts_with("prompt is too long: 150 tokens > 100 maximum"));
        assert_eq!(long.kind(), ErrorKind::PromptTooLong);
        let wide = over(50, 4_146);
        assert!(wide.to_string().contains("at most 50 tokens of output"), "{wide}");
        assert_eq!(wide.kind(), ErrorKind::InvalidRequest);
    }
}
