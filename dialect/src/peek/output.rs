//! How long an answer is asked to be, and where a bound for it can be written.

use super::read::{Envelope, Known};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// What a request says of the length of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    largest: Option<u64>,
    answers: u64,
    caps: [Cap; CAPS.len()],
    /// Where the first key of the body can stand.
    front: usize,
}

/// The fields that bound an answer's tokens, by what they are called where.
const CAPS: [(Known, &str); 3] = [
    (Known::MaxTokens, "max_tokens"),
    (Known::MaxCompletionTokens, "max_completion_tokens"),
    (Known::MaxOutputTokens, "max_output_tokens"),
];

/// What stands in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cap {
    Absent,
    /// `null`, or a negative number, which some providers read as "without bound".
    Open(Range<usize>),
    /// A number, or something that the provider has to make sense of.
    Given,
}

/// A value where a count of tokens or of answers is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Null,
    Negative,
    Of(u64),
    Other,
}

impl Output {
    pub(super) fn of<'a>(
        envelope: &Envelope<'a>,
        front: usize,
        span: impl Fn(&'a RawValue) -> Range<usize>,
    ) -> Self {
        let mut largest = None;
        let caps = CAPS.map(|(known, _)| {
            let Some(raw) = envelope.at(known) else { return Cap::Absent };
            match Count::read(raw.get()) {
                Count::Null | Count::Negative => Cap::Open(span(raw)),
                Count::Of(tokens) => {
                    largest = largest.max(Some(tokens));
                    Cap::Given
                }
                Count::Other => Cap::Given,
            }
        });
        let answers = [Known::N, Known::BestOf].map(|it| {
            envelope.at(it).map_or(1, |raw| match Count::read(raw.get()) {
                Count::Of(answers) => answers.max(1),
                Count::Null | Count::Negative | Count::Other => 1,
            })
        });
        Self { largest, answers: answers.into_iter().fold(1, u64::max), caps, front }
    }

    /// How many answers are asked for; at least one.
    pub const fn answers(&self) -> u64 {
        self.answers
    }

    /// The greatest bound that the request sets for one answer, in tokens: whichever of
    /// its names a provider reads, the answer is not longer.
    pub const fn largest(&self) -> Option<u64> {
        self.largest
    }

    /// Where a bound of the name `field` is to be written, and whether only its value;
    /// `None` if the request has set one that a provider of chats reads.
    pub(crate) fn room(&self, field: &str) -> Option<Room> {
        let is_read = |name: &str| name == field || name != "max_output_tokens";
        let mut caps = self.caps.iter().zip(CAPS);
        if caps.any(|(cap, (_, name))| *cap == Cap::Given && is_read(name)) {
            return None;
        }
        let own = self.caps.iter().zip(CAPS).find(|(_, (_, name))| *name == field);
        Some(match own {
            Some((Cap::Open(at), _)) => Room::Value(at.clone()),
            Some(_) | None => Room::Entry(self.front..self.front),
        })
    }
}

/// Where a bound can be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// In place of the value that stands there.
    Value(Range<usize>),
    /// With its key and a comma.
    Entry(Range<usize>),
}

/// Whether a provider knows a bound by a name that [`Output`] has looked for.
pub(crate) fn is_known(field: &str) -> bool {
    CAPS.iter().any(|(_, name)| *name == field)
}

impl Count {
    fn read(raw: &str) -> Self {
        // Lenient providers read a number in quotes as that number.
        let text = match raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
            Some(quoted) if quoted.contains('\\') => {
                serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(quoted), Cow::Owned)
            }
            Some(quoted) => Cow::Borrowed(quoted),
            None => Cow::Borrowed(raw),
        };
        let text = text.trim();
        if text == "null" {
            return Self::Null;
        }
        if let Ok(count) = text.parse() {
            return Self::Of(count);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_nan() => Self::Other,
            Ok(number) if number < 0.0 => Self::Negative,
            // Rounded up; what is beyond 64 bits is the most there is.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and such a cast saturates"
            )]
            Ok(number) => Self::Of(number.ceil() as u64),
            Err(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::peek::peek;

    #[track_caller]
    fn asked(fields: &str) -> (Option<u64>, u64) {
        let body = format!(r#"{{"model":"a"{fields}}}"#);
        let peek = peek(body.as_bytes()).unwrap();
        (peek.output.largest(), peek.output.answers())
    }

    #[test]
    fn the_largest_of_all_bounds_counts_whatever_it_is_called() {
        for (fields, largest, answers) in [
            ("", None, 1),
            (r#","max_tokens":7"#, Some(7), 1),
            // Reserved as 1 + 1 elsewhere, and answered with 10,000 (LiteLLM #37001).
            (r#","max_tokens":1,"max_completion_tokens":10000"#, Some(10_000), 1),
            (r#","max_output_tokens":5,"max_tokens":3"#, Some(5), 1),
            (r#","max_tokens":7,"n":3"#, Some(7), 3),
            (r#","n":2,"best_of":5"#, None, 5),
            (r#","n":0,"best_of":null"#, None, 1),
            (r#","max_tokens":null"#, None, 1),
            (r#","max_tokens":0"#, Some(0), 1),
        ] {
            assert_eq!(asked(fields), (largest, answers), "{fields}");
        }
    }

    #[test]
    fn absurd_bounds_count_as_large_or_as_none_and_never_as_small() {
        for (value, largest) in [
            ("-1", None),
            ("-0.5", None),
            ("1e400", Some(u64::MAX)),
            ("123456789012345678901234567890", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("100.0", Some(100)),
            ("0.5", Some(1)),
            ("1e3", Some(1_000)),
            (r#""4096""#, Some(4_096)),
            (r#""\u0034096""#, Some(4_096)),
            (r#""many""#, None),
            (r#""NaN""#, None),
            ("true", None),
            ("{}", None),
        ] {
            assert_eq!(asked(&format!(r#","max_tokens":{value}"#)).0, largest, "{value}");
        }
    }
}
