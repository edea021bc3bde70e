//! Models and what their tokens cost, as they are shown.

use proto::admin::v1;
use serde::Serialize;

use crate::{
    manifest,
    output::{Cell, Show},
    spell,
};

/// A model.
#[derive(Debug, Serialize)]
pub(crate) struct ModelView {
    provider: String,
    name: String,
    operations: Vec<String>,
    price: Option<PriceView>,
    max_output_tokens: u64,
    context_tokens: u64,
    built_in: bool,
    revision: u64,
    etag: String,
}

/// In nano-dollars per million tokens.
#[derive(Debug, Serialize)]
struct PriceView {
    input_nanousd: u64,
    cached_input_nanousd: u64,
    cache_write_nanousd: u64,
    output_nanousd: u64,
}

impl From<v1::Price> for PriceView {
    fn from(wire: v1::Price) -> Self {
        Self {
            input_nanousd: wire.input_nanousd,
            cached_input_nanousd: wire.cached_input_nanousd.unwrap_or(wire.input_nanousd),
            cache_write_nanousd: wire.cache_write_nanousd.unwrap_or(wire.input_nanousd),
            output_nanousd: wire.output_nanousd,
        }
    }
}

impl From<v1::Model> for ModelView {
    fn from(wire: v1::Model) -> Self {
        let model = manifest::Model::from(&wire);
        Self {
            provider: model.provider,
            name: model.name,
            operations: model.operations,
            price: wire.price.map(PriceView::from),
            max_output_tokens: wire.max_output_tokens,
            context_tokens: wire.context_tokens,
            built_in: wire.built_in,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

/// A number of tokens; 0 stands for one that is not known.
fn tokens(number: u64) -> Cell {
    if number == 0 { Cell::faint("-") } else { Cell::number(number) }
}

impl Show for ModelView {
    const COLUMNS: &'static [&'static str] = &[
        "MODEL",
        "OPERATIONS",
        "$/M INPUT",
        "$/M OUTPUT",
        "MAX OUTPUT",
        "CONTEXT",
        "ORIGIN",
        "REVISION",
    ];

    fn row(&self) -> Vec<Cell> {
        let price = |price: Option<u64>| {
            price.map_or_else(
                || Cell::faint("-"),
                |it| Cell::amount(spell::price_text(it), crate::output::Tone::Plain),
            )
        };
        vec![
            Cell::text(format!("{}/{}", self.provider, self.name)),
            Cell::list(&self.operations),
            price(self.price.as_ref().map(|it| it.input_nanousd)),
            price(self.price.as_ref().map(|it| it.output_nanousd)),
            tokens(self.max_output_tokens),
            tokens(self.context_tokens),
            if self.built_in { Cell::faint("built in") } else { Cell::text("added") },
            Cell::ordinal(self.revision),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut lines = vec![
            ("model", Cell::text(format!("{}/{}", self.provider, self.name))),
            ("operations", Cell::list(&self.operations)),
        ];
        let dollars = |nano| Cell::text(format!("${} per million", spell::price_text(nano)));
        match &self.price {
            Some(price) => lines.extend([
                ("input", dollars(price.input_nanousd)),
                ("cached input", dollars(price.cached_input_nanousd)),
                ("cache write", dollars(price.cache_write_nanousd)),
                ("output", dollars(price.output_nanousd)),
            ]),
            None => lines.push(("price", Cell::faint("not known"))),
        }
        lines.extend([
            ("max output", tokens(self.max_output_tokens)),
            ("context", tokens(self.context_tokens)),
            ("origin", Cell::text(if self.built_in { "built in" } else { "added" })),
            ("revision", Cell::ordinal(self.revision)),
        ]);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output;

    #[test]
    fn a_models_price_is_shown_in_dollars_per_million_tokens() {
        let model = |name: &str, price| v1::Model {
            provider: "openai".into(),
            name: name.into(),
            operations: vec![v1::Operation::Chat.into()],
            price,
            max_output_tokens: if price.is_some() { 16_384 } else { 0 },
            context_tokens: if price.is_some() { 128_000 } else { 0 },
            built_in: true,
            revision: 7,
            ..v1::Model::default()
        };
        let price = v1::Price {
            input_nanousd: 150_000_000,
            cached_input_nanousd: Some(75_000_000),
            cache_write_nanousd: None,
            output_nanousd: 600_000_000,
        };
        let views = [model("gpt-4o-mini", Some(price)), model("gpt-x", None)].map(ModelView::from);
        assert_eq!(
            output::table(ModelView::COLUMNS, views.iter().map(Show::row).collect()),
            "\
MODEL               OPERATIONS  $/M INPUT  $/M OUTPUT  MAX OUTPUT  CONTEXT  ORIGIN    REVISION
openai/gpt-4o-mini  chat             0.15         0.6      16,384  128,000  built in         7
openai/gpt-x        chat                -           -           -        -  built in         7
"
        );
        let json = serde_json::to_value(&views[0]).unwrap();
        assert_eq!(json["price"]["cache_write_nanousd"], 150_000_000);
        assert_eq!(serde_json::to_value(&views[1]).unwrap()["price"], serde_json::Value::Null);
    }
}
