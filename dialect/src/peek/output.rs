//! How long an answer is asked to be, and where a bound for it can be written.

use super::read::{Envelope, Known};
use crate::json::Fields;
use domain::catalog::Dialect;
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// What a request says of the length of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    largest: Option<u64>,
    answers: u64,
    caps: Caps,
    /// Where the first key of the body can stand.
    front: usize,
}

/// The fields that bound an answer's tokens, and what stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Caps {
    /// On the top level, whichever of [`CAPS`] a provider of chats reads.
    Chat([Cap; CAPS.len()]),
    /// On the top level, the one that OpenAI's responses know.
    Responses(Cap),
    /// In Gemini's `generationConfig`.
    Gemini(Config),
}

/// What bounds answers in chats, by what it is called where.
const CAPS: [(Known, &str); 3] = [
    (Known::MaxTokens, "max_tokens"),
    (Known::MaxCompletionTokens, "max_completion_tokens"),
    (Known::MaxOutputTokens, "max_output_tokens"),
];

/// Where Gemini's bound stands.
pub(crate) const GEMINI_FIELD: &str = "generationConfig.maxOutputTokens";

/// What stands in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cap {
    Absent,
    /// `null`, or a negative number, which some providers read as "without bound".
    Open(Range<usize>),
    /// A number, or something that the provider has to make sense of.
    Given,
}

/// Gemini's settings for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Config {
    Absent,
    /// `null`.
    Null(Range<usize>),
    /// An object without a bound: where its first key can stand, and whether it has none.
    Unbounded {
        front: usize,
        empty: bool,
    },
    /// An object with one.
    Bounded(Cap),
    /// What no provider takes for settings.
    Odd,
}

/// A value where a count of tokens or of answers is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Null,
    Negative,
    Of(u64),
    Other,
}

impl Cap {
    fn read(raw: &RawValue, span: Range<usize>, largest: &mut Option<u64>) -> Self {
        match Count::read(raw.get()) {
            Count::Null | Count::Negative => Self::Open(span),
            Count::Of(tokens) => {
                *largest = (*largest).max(Some(tokens));
                Self::Given
            }
            Count::Other => Self::Given,
        }
    }
}

impl Output {
    pub(super) fn of<'a>(
        dialect: Dialect,
        envelope: &Envelope<'a>,
        front: usize,
        span: impl Fn(&'a RawValue) -> Range<usize>,
    ) -> Self {
        let mut largest = None;
        let mut cap = |known| match envelope.at(known) {
            None => Cap::Absent,
            Some(raw) => Cap::read(raw, span(raw), &mut largest),
        };
        let many = |raw: &RawValue| match Count::read(raw.get()) {
            Count::Of(answers) => answers.max(1),
            Count::Null | Count::Negative | Count::Other => 1,
        };
        let mut answers = [Known::N, Known::BestOf].map(|it| envelope.at(it).map_or(1, many));
        let caps = match dialect {
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock => {
                Caps::Chat(CAPS.map(|(known, _)| cap(known)))
            }
            Dialect::OpenAiResponses => Caps::Responses(cap(Known::MaxOutputTokens)),
            Dialect::Gemini => {
                let config = [Known::GenerationConfig, Known::GenerationConfigSnake];
                let raw = config.into_iter().find_map(|it| envelope.at(it));
                let config = raw.map(|it| (it, span(it)));
                let (config, candidates) = gemini(config, &mut largest);
                answers = [candidates.map_or(1, many), 1];
                Caps::Gemini(config)
            }
        };
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

    /// Whether there is a bound under the name that only OpenAI's chats have.
    pub(crate) fn has_completion_cap(&self) -> bool {
        match &self.caps {
            Caps::Chat([_, completion, _]) => *completion == Cap::Given,
            Caps::Responses(_) | Caps::Gemini(_) => false,
        }
    }

    /// Where a bound of the name `field` is to be written, and how much of it; `None` if the
    /// request has set one that a provider of its dialect reads.
    pub(crate) fn room(&self, field: &str) -> Option<Room> {
        let entry = || Room::Entry(self.front..self.front);
        match &self.caps {
            Caps::Chat(caps) => {
                let is_read = |name: &str| name == field || name != "max_output_tokens";
                let mut named = caps.iter().zip(CAPS);
                if named.any(|(cap, (_, name))| *cap == Cap::Given && is_read(name)) {
                    return None;
                }
                let own = caps.iter().zip(CAPS).find(|(_, (_, name))| *name == field);
                Some(match own {
                    Some((Cap::Open(at), _)) => Room::Value(at.clone()),
                    Some(_) | None => entry(),
                })
            }
            Caps::Responses(Cap::Absent) => Some(entry()),
            Caps::Responses(Cap::Open(at)) => Some(Room::Value(at.clone())),
            Caps::Responses(Cap::Given) => None,
            Caps::Gemini(config) => match config {
                Config::Absent => Some(Room::Around(self.front..self.front)),
                Config::Null(at) => Some(Room::Instead(at.clone())),
                Config::Unbounded { front, empty } => {
                    Some(Room::Within { at: *front..*front, alone: *empty })
                }
                Config::Bounded(Cap::Open(at)) => Some(Room::Value(at.clone())),
                Config::Bounded(Cap::Given | Cap::Absent) | Config::Odd => None,
            },
        }
    }
}

/// Reads Gemini's settings; gives them, and the value that counts the answers.
fn gemini<'a>(
    config: Option<(&'a RawValue, Range<usize>)>,
    largest: &mut Option<u64>,
) -> (Config, Option<&'a RawValue>) {
    let Some((raw, at)) = config else { return (Config::Absent, None) };
    if raw.get() == "null" {
        return (Config::Null(at), None);
    }
    let Ok(fields) = Fields::parse(raw.get()) else { return (Config::Odd, None) };
    let find = |names: [&str; 2]| names.into_iter().find_map(|it| fields.get_raw(it));
    let candidates = find(["candidateCount", "candidate_count"]);
    let config = match find(["maxOutputTokens", "max_output_tokens"]) {
        Some(cap) => {
            let start = cap.get().as_ptr().addr().saturating_sub(raw.get().as_ptr().addr());
            let start = at.start.saturating_add(start);
            let span = start..start.saturating_add(cap.get().len());
            Config::Bounded(Cap::read(cap, span, largest))
        }
        None => {
            let (front, empty) = (at.start.saturating_add(1), fields.is_empty());
            Config::Unbounded { front, empty }
        }
    };
    (config, candidates)
}

/// Where a bound can be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// In place of the value that stands there.
    Value(Range<usize>),
    /// With its key and a comma.
    Entry(Range<usize>),
    /// With its key in Gemini's settings, and a comma unless it is alone there.
    Within { at: Range<usize>, alone: bool },
    /// With Gemini's settings around it, their key and a comma.
    Around(Range<usize>),
    /// As Gemini's settings, in place of the `null` that stands there.
    Instead(Range<usize>),
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
    use domain::catalog::Dialect;

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
    fn each_dialect_has_its_own_bound_and_room_for_it() {
        let of = |dialect, body: &str, named| {
            let peek = crate::peek::peek_in(dialect, body.as_bytes(), named).unwrap();
            (peek.output.largest(), peek.output.answers())
        };
        let gemini = |body: &str| of(Dialect::Gemini, body, Some("g"));
        for (body, expected) in [
            (r#"{"contents":[]}"#, (None, 1)),
            (r#"{"generationConfig":null}"#, (None, 1)),
            (r#"{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}"#, (Some(9), 2)),
            (r#"{"generation_config":{"max_output_tokens":9}}"#, (Some(9), 1)),
            (r#"{"generationConfig":{"maxOutputTokens":-1}}"#, (None, 1)),
            (r#"{"generationConfig":[1],"max_tokens":5}"#, (None, 1)),
        ] {
            assert_eq!(gemini(body), expected, "{body}");
        }
        let responses = |body: &str| of(Dialect::OpenAiResponses, body, None);
        assert_eq!(responses(r#"{"model":"a","max_output_tokens":5}"#), (Some(5), 1));
        assert_eq!(responses(r#"{"model":"a","max_tokens":5}"#), (None, 1));
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
