//! Where bodies of Google's repeat the model that the path names.

use super::read::{Envelope, Known, Text};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{fmt, ops::Range};

/// A place for the model's full name, in bytes of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// In place of the value that stands there.
    Value(Range<usize>),
    /// With its key, here: there is none. `alone`: the object has no other key.
    Entry {
        /// Behind the object's brace.
        at: usize,
        alone: bool,
    },
}

/// All of them: in each of a batch's requests, in the request whose tokens are counted, and
/// beside the one text of which a vector is wanted, if it stands there.
pub(super) fn spots(
    envelope: &Envelope<'_>,
    span: impl Fn(&RawValue) -> Range<usize>,
) -> Vec<Spot> {
    let mut spots = Vec::new();
    let requests = envelope.at(Known::Requests).map(RawValue::get);
    let requests: Option<Vec<&RawValue>> = requests.and_then(|it| serde_json::from_str(it).ok());
    let counted = envelope.at(Known::GenerateContentRequest);
    for raw in requests.unwrap_or_default().into_iter().chain(counted) {
        // What is no object is the provider's to refuse.
        let Ok(Object { models, empty }) = serde_json::from_str(raw.get()) else { continue };
        if models.is_empty() {
            spots.push(Spot::Entry { at: span(raw).start.saturating_add(1), alone: empty });
        }
        spots.extend(models.into_iter().map(|it| Spot::Value(span(it))));
    }
    if let (Some(_), Some(model)) = (envelope.at(Known::Content), envelope.at(Known::Model)) {
        spots.push(Spot::Value(span(model)));
    }
    spots
}

/// What an object says of the model, once or more often.
struct Object<'a> {
    models: Vec<&'a RawValue>,
    empty: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut found = Object { models: Vec::new(), empty: true };
                while let Some(Text(key)) = map.next_key()? {
                    found.empty = false;
                    if key == "model" {
                        found.models.push(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Objects)
    }
}
