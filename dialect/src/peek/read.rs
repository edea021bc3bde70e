//! Finds the few known keys of an object without reading the values of any.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// The keys of the body's top level that we read. Each may stand there once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Messages,
    Input,
    Prompt,
    System,
    Tools,
    Instructions,
    Contents,
    SystemInstruction,
    SystemInstructionSnake,
    Content,
    Requests,
    GenerateContentRequest,
    Model,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    N,
    BestOf,
    GenerationConfig,
    GenerationConfigSnake,
    PreviousResponse,
    Conversation,
}

impl Known {
    /// How many of them, from the first, are fed to the model.
    pub(super) const PROMPTS: usize = 12;

    const ALL: [(Self, &'static str); 24] = [
        (Self::Messages, "messages"),
        (Self::Input, "input"),
        (Self::Prompt, "prompt"),
        (Self::System, "system"),
        (Self::Tools, "tools"),
        (Self::Instructions, "instructions"),
        (Self::Contents, "contents"),
        (Self::SystemInstruction, "systemInstruction"),
        (Self::SystemInstructionSnake, "system_instruction"),
        (Self::Content, "content"),
        (Self::Requests, "requests"),
        (Self::GenerateContentRequest, "generateContentRequest"),
        (Self::Model, "model"),
        (Self::Stream, "stream"),
        (Self::StreamOptions, "stream_options"),
        (Self::MaxTokens, "max_tokens"),
        (Self::MaxCompletionTokens, "max_completion_tokens"),
        (Self::MaxOutputTokens, "max_output_tokens"),
        (Self::N, "n"),
        (Self::BestOf, "best_of"),
        (Self::GenerationConfig, "generationConfig"),
        (Self::GenerationConfigSnake, "generation_config"),
        (Self::PreviousResponse, "previous_response_id"),
        (Self::Conversation, "conversation"),
    ];
}

/// Where the known keys' values stand in a body.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    values: [Option<&'a RawValue>; Known::ALL.len()],
    /// The first key that came twice, and its second value.
    pub(super) twice: Option<(&'static str, &'a RawValue)>,
    /// The value of a `Model` or `MODEL`, which readers that ignore case take for `model`.
    pub(super) other_case: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn at(&self, key: Known) -> Option<&'a RawValue> {
        self.values.get(key as usize).copied().flatten()
    }

    pub(super) fn prompts(&self) -> [Option<&'a str>; Known::PROMPTS] {
        let mut values = self.values.iter();
        std::array::from_fn(|_| values.next().copied().flatten().map(RawValue::get))
    }
}

enum Key {
    Known(Known, &'static str),
    OtherCase,
    Unknown,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl Visitor<'_> for Keys {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                let known = Known::ALL.iter().find(|(_, name)| *name == text);
                Ok(match known {
                    Some((known, name)) => Key::Known(*known, name),
                    None if text.eq_ignore_ascii_case("model") => Key::OtherCase,
                    None => Key::Unknown,
                })
            }
        }
        deserializer.deserialize_str(Keys)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Envelopes;
        impl<'de> Visitor<'de> for Envelopes {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Envelope<'de>, M::Error> {
                let mut found = Envelope::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Unknown => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        Key::OtherCase => found.other_case = Some(map.next_value()?),
                        Key::Known(known, name) => {
                            let value = map.next_value()?;
                            let Some(place) = found.values.get_mut(known as usize) else {
                                continue;
                            };
                            if place.replace(value).is_some() && found.twice.is_none() {
                                found.twice = Some((name, value));
                            }
                        }
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Envelopes)
    }
}

/// What `stream_options` says of usage.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub(super) include_usage: Option<&'a RawValue>,
    /// A second value of it.
    pub(super) twice: Option<&'a RawValue>,
    /// Whether the object has no key at all.
    pub(super) empty: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Options<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Options<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Options<'de>, M::Error> {
                let mut found = Options { empty: true, ..Options::default() };
                while let Some(Text(key)) = map.next_key()? {
                    let value = map.next_value()?;
                    found.empty = false;
                    if key == "include_usage" && found.include_usage.replace(value).is_some() {
                        found.twice = Some(value);
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Whether a key of this name stands on the top level of a body that was read before.
pub(super) fn has_key(body: &str, name: &str) -> bool {
    struct Keys<'n>(&'n str);
    impl<'de> Visitor<'de> for Keys<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<bool, M::Error> {
            let mut found = false;
            while let Some((Text(key), IgnoredAny)) = map.next_entry()? {
                found |= key == self.0;
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(body);
    reader.deserialize_map(Keys(name)).unwrap_or(false)
}

/// A JSON string, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
