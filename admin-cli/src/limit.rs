//! What a limit means before anybody is asked: whom it counts, per what, and its usual
//! values where nothing is said.
//!
//! Knows the wire's limits and asks nobody; whether one is right is the server's to say.

use proto::admin::v1::{
    self, LimitMeasure, LimitPeriod, LimitProfile, TokenWeights, limit_subject::Subject,
};

use crate::spell;

/// The used share from which an account is asked last, where nothing is said, in percent.
pub(crate) const SWITCH_PERCENT: u32 = 99;

/// Whom a limit counts, in words: `key team-a`.
pub(crate) fn subject_text(subject: Option<&v1::LimitSubject>) -> String {
    match subject.and_then(|it| it.subject.as_ref()) {
        None => "nobody".to_owned(),
        Some(Subject::Everything(_)) => "everything".to_owned(),
        Some(Subject::Key(key)) => format!("key {key}"),
        Some(Subject::Team(team)) => format!("team {team}"),
        Some(Subject::Alias(alias)) => format!("alias {alias}"),
        Some(Subject::KeyAlias(it)) => format!("key {} × alias {}", it.key, it.alias),
        Some(Subject::Provider(provider)) => format!("provider {provider}"),
        Some(Subject::Account(account)) => format!("account {account}"),
        Some(Subject::AccountModel(it)) => format!("account {} × model {}", it.account, it.model),
    }
}

/// Whether it limits who is asked, not who asks: only there can be switched to another.
pub(crate) fn is_asked(subject: Option<&v1::LimitSubject>) -> bool {
    match subject.and_then(|it| it.subject.as_ref()) {
        Some(Subject::Provider(_) | Subject::Account(_) | Subject::AccountModel(_)) => true,
        Some(
            Subject::Everything(_)
            | Subject::Key(_)
            | Subject::Team(_)
            | Subject::Alias(_)
            | Subject::KeyAlias(_),
        )
        | None => false,
    }
}

/// What is allowed, in words: `100k tokens/minute`, `$500.00/month`, `8 in flight`.
pub(crate) fn rule_text(limit: &v1::Limit) -> String {
    let count = || spell::count_text(limit.amount);
    let several = if limit.amount == 1 { "" } else { "s" };
    let amount = match limit.measure() {
        LimitMeasure::Requests => format!("{} request{several}", count()),
        LimitMeasure::Tokens => format!("{} token{several}", count()),
        LimitMeasure::Cost => spell::dollars(limit.amount),
        LimitMeasure::TokensPerRequest => return format!("{} token{several}/request", count()),
        LimitMeasure::InFlight => return format!("{} in flight", count()),
        LimitMeasure::Unspecified => count(),
    };
    match (limit.period(), spell::PERIOD.of(limit.period())) {
        (_, "") => amount,
        (LimitPeriod::Forever, word) => format!("{amount} {word}"),
        (_, word) => format!("{amount}/{word}"),
    }
}

/// A limit in words: `key team-a: 60 requests/minute`.
pub(crate) fn title(limit: &v1::Limit) -> String {
    let shadow = if is_shadow(limit) { " (shadow)" } else { "" };
    format!("{}: {}{shadow}", subject_text(limit.subject.as_ref()), rule_text(limit))
}

/// What tells a limit apart from all others, in words: `key team-a requests/minute`. The
/// amount is no part of it.
pub(crate) fn identity(limit: &v1::Limit) -> String {
    let subject = subject_text(limit.subject.as_ref());
    let per = match spell::PERIOD.of(limit.period()) {
        "" => String::new(),
        word => format!("/{word}"),
    };
    // Per minute, hour and day, a steady rate and a calendar are two limits.
    let kind = match (usual_profile(limit.period()), profile(limit)) {
        (LimitProfile::Calendar, LimitProfile::Bucket | LimitProfile::WindowStrict) => " at a rate",
        (LimitProfile::Bucket, LimitProfile::Calendar) => " by the calendar",
        _ => "",
    };
    let shadow = if is_shadow(limit) { " (shadow)" } else { "" };
    format!("{subject} {}{per}{kind}{shadow}", spell::MEASURE.of(limit.measure()))
}

/// Whether it is only counted and reported.
pub(crate) fn is_shadow(limit: &v1::Limit) -> bool {
    limit.action() == v1::LimitAction::Shadow
}

/// How a period is meant where nothing is said; unspecified where it can be meant in only
/// one way.
pub(crate) const fn usual_profile(period: LimitPeriod) -> LimitProfile {
    match period {
        LimitPeriod::Minute | LimitPeriod::Hour => LimitProfile::Bucket,
        LimitPeriod::Day | LimitPeriod::Week | LimitPeriod::Month => LimitProfile::Calendar,
        LimitPeriod::Forever | LimitPeriod::Unspecified => LimitProfile::Unspecified,
    }
}

/// How its period is meant.
pub(crate) fn profile(limit: &v1::Limit) -> LimitProfile {
    match limit.profile() {
        LimitProfile::Unspecified => usual_profile(limit.period()),
        said @ (LimitProfile::Bucket | LimitProfile::WindowStrict | LimitProfile::Calendar) => said,
    }
}

/// Its profile's word, also of those that have none to choose: `grant`, or nothing.
pub(crate) fn profile_text(limit: &v1::Limit) -> &'static str {
    if limit.period() == LimitPeriod::Forever {
        return "grant";
    }
    spell::PROFILE.of(profile(limit))
}

/// The threshold of a limit that says none: accounts with an amount that is used up, such
/// as a provider's free quota, are left for last before it is.
pub(crate) fn usual_switch_percent(limit: &v1::Limit) -> u32 {
    let of_account = match limit.subject.as_ref().and_then(|it| it.subject.as_ref()) {
        Some(Subject::Account(_) | Subject::AccountModel(_)) => true,
        Some(_) | None => false,
    };
    let used_up =
        profile(limit) == LimitProfile::Calendar || limit.period() == LimitPeriod::Forever;
    if of_account && used_up && !is_shadow(limit) { SWITCH_PERCENT } else { 0 }
}

/// With usual values filled in and without what only the server knows, so that two that
/// mean the same are equal.
pub(crate) fn normal(limit: v1::Limit) -> v1::Limit {
    let calendar = profile(&limit) == LimitProfile::Calendar;
    let mode = match limit.mode() {
        v1::LimitMode::Unspecified | v1::LimitMode::Strict => v1::LimitMode::Strict,
        v1::LimitMode::Availability => v1::LimitMode::Availability,
    };
    let action = match limit.action() {
        v1::LimitAction::Unspecified | v1::LimitAction::Enforce => v1::LimitAction::Enforce,
        v1::LimitAction::Shadow => v1::LimitAction::Shadow,
    };
    let weights = (limit.measure() == LimitMeasure::Tokens).then(|| {
        let said = limit.weights.unwrap_or_default();
        TokenWeights {
            input_percent: said.input_percent.or(Some(100)),
            cached_input_percent: said.cached_input_percent.or(Some(100)),
            cache_write_percent: said.cache_write_percent.or(Some(100)),
            output_percent: said.output_percent.or(Some(100)),
        }
    });
    v1::Limit {
        id: String::new(),
        profile: profile(&limit).into(),
        time_zone: match limit.time_zone.as_str() {
            "" if calendar => "UTC".to_owned(),
            _ => limit.time_zone.clone(),
        },
        mode: mode.into(),
        action: action.into(),
        weights,
        generation: 0,
        worst_case: String::new(),
        revision: 0,
        etag: String::new(),
        ..limit
    }
}

/// A refill of what a limit measures, in thousandths of a unit per second, in words.
pub(crate) fn rate_text(measure: LimitMeasure, milli_per_s: u64) -> String {
    match measure {
        LimitMeasure::Cost => spell::nanousd_text(milli_per_s.into()),
        LimitMeasure::Requests
        | LimitMeasure::Tokens
        | LimitMeasure::TokensPerRequest
        | LimitMeasure::InFlight
        | LimitMeasure::Unspecified => spell::thousandths(milli_per_s),
    }
}

/// An amount of what a limit measures, in thousandths of a unit, in words: `1,234`, `$0.05`.
pub(crate) fn milli_text(measure: LimitMeasure, milli: i128) -> String {
    match measure {
        LimitMeasure::Cost => spell::nanousd_text(milli),
        LimitMeasure::Requests
        | LimitMeasure::Tokens
        | LimitMeasure::TokensPerRequest
        | LimitMeasure::InFlight
        | LimitMeasure::Unspecified => spell::milli_text(milli),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::limit_subject::{AccountModel, Everything, KeyAlias};

    fn limit(
        subject: Subject,
        measure: LimitMeasure,
        amount: u64,
        period: LimitPeriod,
    ) -> v1::Limit {
        v1::Limit {
            subject: Some(v1::LimitSubject { subject: Some(subject) }),
            measure: measure.into(),
            amount,
            period: period.into(),
            ..v1::Limit::default()
        }
    }

    #[test]
    fn limits_have_titles_and_identities() {
        use {LimitMeasure as M, LimitPeriod as P};
        let key = || Subject::Key("team-a".into());
        let both = Subject::KeyAlias(KeyAlias { key: "a".into(), alias: "chat".into() });
        let seat = AccountModel { account: "free-1".into(), model: "gpt-4o".into() };
        for (limit, text, name) in [
            (
                limit(key(), M::Requests, 60, P::Minute),
                "key team-a: 60 requests/minute",
                "key team-a requests/minute",
            ),
            (
                limit(both, M::Tokens, 100_000, P::Day),
                "key a × alias chat: 100k tokens/day",
                "key a × alias chat tokens/day",
            ),
            (
                limit(Subject::Team("red".into()), M::Cost, 500_000_000, P::Month),
                "team red: $500.00/month",
                "team red cost/month",
            ),
            (
                limit(Subject::AccountModel(seat), M::Tokens, 1_000_000, P::Forever),
                "account free-1 × model gpt-4o: 1M tokens forever",
                "account free-1 × model gpt-4o tokens/forever",
            ),
            (
                limit(Subject::Everything(Everything {}), M::InFlight, 8, P::Unspecified),
                "everything: 8 in flight",
                "everything in-flight",
            ),
            (
                limit(Subject::Alias("chat".into()), M::TokensPerRequest, 4_000, P::Unspecified),
                "alias chat: 4000 tokens/request",
                "alias chat tokens-per-request",
            ),
        ] {
            assert_eq!((title(&limit).as_str(), identity(&limit).as_str()), (text, name));
        }
        let mut shadow = limit(key(), M::Requests, 60, P::Minute);
        shadow.set_action(v1::LimitAction::Shadow);
        shadow.set_profile(LimitProfile::Calendar);
        assert_eq!(identity(&shadow), "key team-a requests/minute by the calendar (shadow)");
        let mut steady = limit(key(), M::Requests, 60, P::Day);
        steady.set_profile(LimitProfile::Bucket);
        assert_eq!(identity(&steady), "key team-a requests/day at a rate");
    }

    #[test]
    fn only_accounts_whose_amount_is_used_up_are_left_for_last() {
        use {LimitMeasure::Tokens, LimitPeriod as P};
        let account = || Subject::Account("free-1".into());
        for (limit, percent) in [
            (limit(account(), Tokens, 1, P::Month), 99),
            (limit(account(), Tokens, 1, P::Forever), 99),
            (limit(account(), Tokens, 1, P::Minute), 0),
            (limit(Subject::Key("k".into()), Tokens, 1, P::Month), 0),
            (limit(Subject::Provider("p".into()), Tokens, 1, P::Month), 0),
        ] {
            assert_eq!(usual_switch_percent(&limit), percent, "{}", title(&limit));
        }
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let bare = limit(Subject::Key("k".into()), LimitMeasure::Tokens, 5, LimitPeriod::Day);
        let mut said = bare.clone();
        said.set_profile(LimitProfile::Calendar);
        said.set_mode(v1::LimitMode::Strict);
        said.set_action(v1::LimitAction::Enforce);
        said.time_zone = "UTC".into();
        said.weights = Some(TokenWeights { output_percent: Some(100), ..Default::default() });
        (said.id, said.revision, said.generation) = ("lim_x".into(), 7, 3);
        assert_eq!(normal(bare.clone()), normal(said.clone()));
        said.amount = 6;
        assert_ne!(normal(bare), normal(said));
    }
}
