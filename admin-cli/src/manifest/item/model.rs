//! A model as it stands in a manifest, and what its tokens cost.

use proto::admin::v1;
use serde::{Deserialize, Serialize};

use super::{is_default, limit::Amount};
use crate::{manifest::Wrong, spell};

fn chat() -> Vec<String> {
    vec!["chat".to_owned()]
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) provider: String,
    pub(crate) name: String,
    #[serde(default = "chat")]
    pub(crate) operations: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) price: Option<Price>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) max_output_tokens: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) context_tokens: u64,
}

/// What its tokens cost, in dollars per million.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) input: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cached_input: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_write: Option<Amount>,
    pub(crate) output: Amount,
}

impl From<&v1::Price> for Price {
    fn from(wire: &v1::Price) -> Self {
        let price = |nano: u64| Amount::of(spell::price_text(nano));
        // What costs as much as other input need not be said.
        let unusual = |nano: Option<u64>| nano.filter(|it| *it != wire.input_nanousd).map(price);
        Self {
            input: price(wire.input_nanousd),
            cached_input: unusual(wire.cached_input_nanousd),
            cache_write: unusual(wire.cache_write_nanousd),
            output: price(wire.output_nanousd),
        }
    }
}

impl Price {
    fn wire(&self, wrong: &mut Wrong) -> v1::Price {
        let mut price = |field: &str, amount: &Amount| {
            wrong.note(&format!("price.{field}"), amount.read(spell::price))
        };
        v1::Price {
            input_nanousd: price("input", &self.input),
            cached_input_nanousd: self.cached_input.as_ref().map(|it| price("cached_input", it)),
            cache_write_nanousd: self.cache_write.as_ref().map(|it| price("cache_write", it)),
            output_nanousd: price("output", &self.output),
        }
    }
}

impl From<&v1::Model> for Model {
    fn from(wire: &v1::Model) -> Self {
        let operations = wire.operations.iter().map(|it| spell::operation_text(*it)).collect();
        Self {
            provider: wire.provider.clone(),
            name: wire.name.clone(),
            operations,
            price: wire.price.as_ref().map(Price::from),
            max_output_tokens: wire.max_output_tokens,
            context_tokens: wire.context_tokens,
        }
    }
}

impl Model {
    pub(in crate::manifest) fn wire(&self, wrong: &mut Wrong) -> v1::Model {
        let operations = self.operations.iter().enumerate().map(|(at, it)| {
            wrong.note(&format!("operations[{at}]"), spell::operation(it).map(i32::from))
        });
        v1::Model {
            operations: operations.collect(),
            price: self.price.as_ref().map(|it| it.wire(wrong)),
            max_output_tokens: self.max_output_tokens,
            context_tokens: self.context_tokens,
            provider: self.provider.clone(),
            name: self.name.clone(),
            ..v1::Model::default()
        }
    }
}
