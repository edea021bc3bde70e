//! Words that stand for numbers of the wire: one table for flags, manifests and answers.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use proto::admin::v1::{
    LimitAction, LimitMeasure, LimitMode, LimitPeriod, LimitProfile, Translation,
};

/// The words of one thing, such as `minute` for a period.
#[derive(Debug)]
pub(crate) struct Words<T: 'static> {
    what: &'static str,
    words: &'static [(&'static str, T)],
}

/// Per which time a limit counts.
pub(crate) const PERIOD: Words<LimitPeriod> = Words {
    what: "a period",
    words: &[
        ("minute", LimitPeriod::Minute),
        ("hour", LimitPeriod::Hour),
        ("day", LimitPeriod::Day),
        ("week", LimitPeriod::Week),
        ("month", LimitPeriod::Month),
        ("forever", LimitPeriod::Forever),
    ],
};

/// How the period is meant.
pub(crate) const PROFILE: Words<LimitProfile> = Words {
    what: "a profile",
    words: &[
        ("bucket", LimitProfile::Bucket),
        ("window-strict", LimitProfile::WindowStrict),
        ("calendar", LimitProfile::Calendar),
        ("window_strict", LimitProfile::WindowStrict),
    ],
};

/// Whether exactness or going on matters more.
pub(crate) const MODE: Words<LimitMode> = Words {
    what: "a mode",
    words: &[("strict", LimitMode::Strict), ("availability", LimitMode::Availability)],
};

/// What happens at the limit.
pub(crate) const ACTION: Words<LimitAction> = Words {
    what: "an action",
    words: &[("enforce", LimitAction::Enforce), ("shadow", LimitAction::Shadow)],
};

/// How much of a request may be adapted.
pub(crate) const TRANSLATION: Words<Translation> = Words {
    what: "a translation",
    words: &[("lenient", Translation::Lenient), ("strict", Translation::Strict)],
};

/// What is counted.
pub(crate) const MEASURE: Words<LimitMeasure> = Words {
    what: "a measure",
    words: &[
        ("requests", LimitMeasure::Requests),
        ("tokens", LimitMeasure::Tokens),
        ("cost", LimitMeasure::Cost),
        ("tokens-per-request", LimitMeasure::TokensPerRequest),
        ("in-flight", LimitMeasure::InFlight),
    ],
};

impl<T: Copy + PartialEq> Words<T> {
    /// What a word stands for.
    pub(crate) fn read(&self, text: &str) -> Result<T, String> {
        let found = self.words.iter().find(|(word, _)| *word == text).map(|it| it.1);
        found.ok_or_else(|| {
            let shown = self.words.iter().filter(|it| self.is_shown(it));
            let words: Vec<_> = shown.map(|(word, _)| format!("`{word}`")).collect();
            format!("`{text}` is not {}: use {}", self.what, words.join(", "))
        })
    }

    /// Of several words for one thing, the first is shown and the others only understood.
    fn is_shown(&self, (word, value): &(&'static str, T)) -> bool {
        self.of(*value) == *word
    }

    /// Its word; empty for what has none.
    pub(crate) fn of(&self, value: T) -> &'static str {
        self.words.iter().find(|(_, it)| *it == value).map_or("", |(word, _)| word)
    }
}

impl<T: Copy + PartialEq + Send + Sync + 'static> Words<T> {
    /// Reads a flag, and tells `--help` and shells which words there are.
    pub(crate) fn parser(&'static self) -> impl TypedValueParser<Value = T> {
        let value = |it: &(&'static str, T)| PossibleValue::new(it.0).hide(!self.is_shown(it));
        PossibleValuesParser::new(self.words.iter().map(value)).try_map(|text| self.read(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_shown() {
        for word in ["minute", "hour", "day", "week", "month", "forever"] {
            assert_eq!(PERIOD.of(PERIOD.read(word).unwrap()), word);
        }
        for word in ["bucket", "window-strict", "calendar"] {
            assert_eq!(PROFILE.of(PROFILE.read(word).unwrap()), word);
        }
        assert_eq!(PROFILE.read("window_strict"), Ok(LimitProfile::WindowStrict));
        assert_eq!(PERIOD.of(LimitPeriod::Unspecified), "");
        let error = MODE.read("lax").unwrap_err();
        assert_eq!(error, "`lax` is not a mode: use `strict`, `availability`");
    }
}
