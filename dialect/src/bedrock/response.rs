//! Reads answers that came whole.

use super::stream::{stop, tier, tokens};
use crate::{
    chat::{Answer, Call, CallInput, Choice, Citation, Content, Opaque, Part, Text, Thinking},
    json::{Fields, Json, elements},
    translate::Unreadable,
};
use domain::catalog::Dialect;
use serde_json::value::RawValue;

/// Reads an answer. Blocks of kinds that are not known are left out: they are of features
/// that no request of ours asks for.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Unreadable> {
    let wrong = |what: &str| Unreadable(what.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| wrong("it is not UTF-8"))?;
    let mut fields = Fields::parse(text).map_err(|_| wrong("it is not a JSON object"))?;
    let object = |raw: &'_ RawValue| Fields::parse(raw.get()).is_ok();
    let output = fields.take("output").filter(|it| object(it));
    let output = output.ok_or_else(|| wrong("it has no `output`"))?;
    let message = Fields::parse(output.get()).ok().and_then(|mut it| it.take("message"));
    let message = message.and_then(|it| Fields::parse(it.get()).ok());
    let mut message = message.ok_or_else(|| wrong("its `output` has no `message`"))?;
    let mut parts = Vec::new();
    if let Some(content) = message.take("content") {
        let blocks = elements(content).ok_or_else(|| wrong("its `content` is no array"))?;
        for block in blocks {
            let block = Fields::parse(block.get()).map_err(|_| wrong("a block is no object"))?;
            read_block(&block, &mut parts)?;
        }
    }
    let stop = fields.text("stopReason").map(|it| stop(&it, &fields));
    let choice = Choice {
        parts,
        stop: stop.ok_or_else(|| wrong("it has no `stopReason`"))?,
        logprobs: None,
    };
    Ok(Answer {
        // Bedrock names neither the answer nor the model.
        id: String::new(),
        model: String::new(),
        created: None,
        choices: vec![choice],
        usage: fields.take("usage").and_then(tokens),
        tier: fields.take("serviceTier").and_then(tier),
    })
}

fn read_block(block: &Fields<'_>, parts: &mut Vec<Part>) -> Result<(), Unreadable> {
    if let Some(text) = block.text("text") {
        parts.push(Part::text(text));
    } else if let Some(call) = block.get("toolUse") {
        parts.push(Part::new(Content::Call(read_call(call)?)));
    } else if let Some(thoughts) = block.get("reasoningContent") {
        parts.extend(read_thinking(thoughts).map(|it| Part::new(Content::Thinking(it))));
    } else if let Some(cited) = block.get("citationsContent") {
        parts.extend(read_cited(cited).map(|it| Part::new(Content::Text(it))));
    }
    Ok(())
}

fn read_call(raw: &RawValue) -> Result<Call, Unreadable> {
    let fields = Fields::parse(raw.get());
    let fields = fields.map_err(|_| Unreadable("a `toolUse` is no object".to_owned()))?;
    let name = fields.text("name");
    let name = name.ok_or_else(|| Unreadable("a `toolUse` has no `name`".to_owned()))?;
    let input = fields.get("input").map_or_else(Json::empty_object, Json::from);
    Ok(Call {
        id: fields.text("toolUseId").unwrap_or_default().into_owned(),
        name: name.into_owned(),
        namespace: None,
        input: CallInput::Json(input),
        opaque: None,
    })
}

fn read_thinking(raw: &RawValue) -> Option<Thinking> {
    let fields = Fields::parse(raw.get()).ok()?;
    let opaque = |data: String| Opaque { origin: Dialect::Bedrock, data };
    if let Some(data) = fields.text("redactedContent") {
        let opaque = Some(opaque(data.into_owned()));
        return Some(Thinking { text: String::new(), opaque, redacted: true });
    }
    let inner = Fields::parse(fields.get("reasoningText")?.get()).ok()?;
    let text = inner.text("text").unwrap_or_default().into_owned();
    let signature = inner.text("signature").filter(|it| !it.is_empty());
    let opaque = signature.map(|it| opaque(it.into_owned()));
    Some(Thinking { text, opaque, redacted: false })
}

fn read_cited(raw: &RawValue) -> Option<Text> {
    let fields = Fields::parse(raw.get()).ok()?;
    let each = |name: &str| fields.get(name).and_then(elements).unwrap_or_default();
    let mut text = String::new();
    for piece in each("content") {
        if let Ok(piece) = Fields::parse(piece.get()) {
            text.push_str(&piece.text("text").unwrap_or_default());
        }
    }
    let citations = each("citations").into_iter().filter_map(citation).collect();
    Some(Text { text, citations })
}

/// A source in the web. Sources in documents have no place in the common form.
pub(super) fn citation(raw: &RawValue) -> Option<Citation> {
    let fields = Fields::parse(raw.get()).ok()?;
    let location = Fields::parse(fields.get("location")?.get()).ok()?;
    let web = Fields::parse(location.get("web")?.get()).ok()?;
    let quotes = fields.get("sourceContent").and_then(elements).unwrap_or_default();
    let quote = quotes.into_iter().find_map(|it| {
        let it = Fields::parse(it.get()).ok()?;
        it.text("text").map(std::borrow::Cow::into_owned)
    });
    Some(Citation {
        url: web.text("url")?.into_owned(),
        title: fields.text("title").map(std::borrow::Cow::into_owned),
        quote,
        range: None,
    })
}

#[cfg(test)]
mod tests;
