//! What tools gave that Anthropic ran by itself, earlier in a conversation. No other
//! provider knows such blocks: they are told as text, as far as they hold any.

use crate::json::{self, Fields};
use serde_json::value::RawValue;

/// The block as text; `None` if it says nothing to others.
pub(super) fn rendered(kind: &str, fields: &mut Fields<'_>) -> Option<String> {
    let raw = fields.take("content")?;
    match kind {
        "web_search_tool_result" => Some(search(raw)),
        "web_fetch_tool_result" => fetched(raw),
        "code_execution_tool_result" | "bash_code_execution_tool_result" => ran(raw),
        "tool_search_tool_result" => loaded(raw),
        "mcp_tool_result" | "compaction" => Some(words(raw)).filter(|it| !it.is_empty()),
        _ => None,
    }
}

/// The texts in a text or an array of blocks.
pub(super) fn words(raw: &RawValue) -> String {
    if let Some(text) = json::text(raw) {
        return text.into_owned();
    }
    let blocks = json::elements(raw).unwrap_or_default();
    let texts = blocks.into_iter().filter_map(|it| field(it, "text"));
    texts.collect::<Vec<_>>().join("\n\n")
}

fn field(raw: &RawValue, name: &str) -> Option<String> {
    Some(Fields::parse(raw.get()).ok()?.text(name)?.into_owned())
}

fn search(raw: &RawValue) -> String {
    let Some(pages) = json::elements(raw) else {
        return "The web search failed.".to_owned();
    };
    let mut text = "Web search results:".to_owned();
    for page in pages {
        if let Some(url) = field(page, "url") {
            let title = field(page, "title").unwrap_or_default();
            text.push_str(&format!("\n- {title} <{url}>"));
        }
    }
    text
}

fn fetched(raw: &RawValue) -> Option<String> {
    let fields = Fields::parse(raw.get()).ok()?;
    let url = fields.text("url")?;
    let document = fields.get("content").and_then(|it| Fields::parse(it.get()).ok());
    let source = document.as_ref().and_then(|it| Fields::parse(it.get("source")?.get()).ok());
    let is_text = source.as_ref().and_then(|it| it.text("type")).as_deref() == Some("text");
    let page = source.as_ref().filter(|_| is_text).and_then(|it| it.text("data"));
    Some(format!("Fetched <{url}>:\n\n{}", page.unwrap_or_default()))
}

fn ran(raw: &RawValue) -> Option<String> {
    let (out, err) = (field(raw, "stdout"), field(raw, "stderr"));
    if out.is_none() && err.is_none() {
        return None;
    }
    let (out, err) = (out.unwrap_or_default(), err.unwrap_or_default());
    Some(format!("Code ran, and wrote:\n{out}{err}"))
}

fn loaded(raw: &RawValue) -> Option<String> {
    let fields = Fields::parse(raw.get()).ok()?;
    let found = json::elements(fields.get("tool_references")?)?;
    let names: Vec<_> = found.into_iter().filter_map(|it| field(it, "tool_name")).collect();
    (!names.is_empty()).then(|| format!("Loaded tools: {}", names.join(", ")))
}
