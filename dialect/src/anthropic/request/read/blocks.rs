//! The blocks that messages are made of.

use super::{cache_mark, object, required, reworded, server, within};
use crate::{
    chat::{
        CacheMark, Call, CallInput, CallResult, Citation, Content, Document, Image, Part, Source,
        Text, Thinking,
    },
    inline,
    json::{self, Fields},
    translate::{Notes, Refused, open},
};
use domain::catalog::Dialect;
use serde_json::value::RawValue;

/// Where blocks stand that results of calls hold. No further results stand there, which
/// bounds how deep blocks may be nested.
const RESULT: &str = "messages.content.content";

/// The content of a message, of the system or of a result: a text or an array of blocks.
pub(super) fn content(
    raw: &RawValue,
    place: &'static str,
    notes: &mut Notes,
) -> Result<Vec<Part>, Refused> {
    if let Some(text) = json::text(raw) {
        return Ok(vec![Part::text(text)]);
    }
    let blocks = json::elements(raw)
        .ok_or_else(|| Refused::new(place, "has to be a text or an array of blocks"))?;
    let mut reading = Reading { place, parts: Vec::with_capacity(blocks.len()), notes };
    let mut loaded = Vec::new();
    for raw in blocks {
        let fields = Fields::parse(raw.get());
        let mut fields =
            fields.map_err(|_| Refused::new(place, "has to be an array of objects"))?;
        let kind: Option<String> = fields.take_as("type").map_err(within(place))?;
        let kind = kind.ok_or_else(|| Refused::new(format!("{place}.type"), "is required"))?;
        if kind == "tool_reference" {
            loaded.extend(fields.take_as::<String>("tool_name").map_err(within(place))?);
            continue;
        }
        reading.loaded(&mut loaded);
        reading.block(&kind, fields)?;
    }
    reading.loaded(&mut loaded);
    Ok(reading.parts)
}

struct Reading<'n> {
    place: &'static str,
    parts: Vec<Part>,
    notes: &'n mut Notes,
}

impl Reading<'_> {
    /// Tells which tools a search of tools has found: they are sent all along.
    fn loaded(&mut self, names: &mut Vec<String>) {
        if !names.is_empty() {
            let text = format!("Loaded tools: {}", names.join(", "));
            names.clear();
            self.parts.push(Part::text(text));
            reworded(format!("{}.tool_reference", self.place), self.notes);
        }
    }

    fn block(&mut self, kind: &str, mut fields: Fields<'_>) -> Result<(), Refused> {
        let cache = cache_mark(&mut fields, self.notes);
        let inside = self.place == RESULT;
        let content = match kind {
            "text" => self.text(&mut fields)?,
            "image" => Content::Image(Image { source: self.source(&mut fields)?, detail: None }),
            "document" => return self.document(fields, cache),
            "search_result" => self.search_result(&mut fields)?,
            "tool_use" if !inside => self.call(&mut fields)?,
            "tool_result" if !inside => self.result(&mut fields)?,
            "thinking" if !inside => thinking(&mut fields)?,
            "redacted_thinking" if !inside => redacted(&mut fields)?,
            "container_upload" => {
                let reason = "names a file that is kept by Anthropic: send its bytes instead";
                return Err(Refused::new(format!("{}.file_id", self.place), reason));
            }
            other => {
                let field = format!("{}.{other}", self.place);
                match server::rendered(other, &mut fields) {
                    Some(text) => {
                        reworded(field, self.notes);
                        self.parts.push(Part { cache, ..Part::text(text) });
                    }
                    None => self.notes.dropped(field),
                }
                return Ok(());
            }
        };
        self.leftover(fields);
        self.parts.push(Part { content, cache });
        Ok(())
    }

    fn leftover(&mut self, fields: Fields<'_>) {
        for (name, _) in fields.rest() {
            self.notes.dropped(format!("{}.{name}", self.place));
        }
    }

    fn text(&mut self, fields: &mut Fields<'_>) -> Result<Content, Refused> {
        let text = fields.take_as("text").map_err(within(self.place))?;
        let text = text.ok_or_else(|| required("messages.content.text"))?;
        let cited = fields.take("citations").and_then(json::elements).unwrap_or_default();
        let citations: Vec<_> = cited.iter().filter_map(|it| citation(it)).collect();
        if citations.len() < cited.len() {
            self.notes.dropped(format!("{}.citations", self.place));
        }
        Ok(Content::Text(Text { text, citations }))
    }

    /// The source of a picture.
    fn source(&mut self, fields: &mut Fields<'_>) -> Result<Source, Refused> {
        let (kind, mut fields) = self.open_source(fields)?;
        let place = within("messages.content.source");
        match kind.as_str() {
            "base64" => base64(&mut fields),
            "url" => {
                let url = fields.take_as("url").map_err(place)?;
                let url = url.ok_or_else(|| required("messages.content.source.url"))?;
                Ok(Source::Url { url, mime: None })
            }
            "file" => Err(Refused::new(
                "messages.content.source.file_id",
                "names a file that is kept by Anthropic: send its bytes instead",
            )),
            _ => Err(Refused::new("messages.content.source.type", "is not known")),
        }
    }

    fn open_source<'a>(&self, fields: &mut Fields<'a>) -> Result<(String, Fields<'a>), Refused> {
        let raw = fields.take("source").ok_or_else(|| required("messages.content.source"))?;
        let source = Fields::parse(raw.get());
        let mut source = source
            .map_err(|_| Refused::new(format!("{}.source", self.place), "has to be an object"))?;
        let kind = source.take_as("type").map_err(within("messages.content.source"))?;
        Ok((kind.ok_or_else(|| required("messages.content.source.type"))?, source))
    }

    fn document(
        &mut self,
        mut fields: Fields<'_>,
        cache: Option<CacheMark>,
    ) -> Result<(), Refused> {
        let title = fields.take_as("title").map_err(within(self.place))?;
        let context = fields.take_as("context").map_err(within(self.place))?;
        let cited = fields.take("citations").and_then(|it| Fields::parse(it.get()).ok());
        let citations = cited.and_then(|it| it.get("enabled")).is_some_and(|it| it.get() == "true");
        let peek = fields.get("source").and_then(|it| Fields::parse(it.get()).ok());
        let peek = peek.as_ref().and_then(|it| it.text("type"));
        let mut pictures = Vec::new();
        let source = match peek.as_deref() {
            Some("text") => {
                let (_, mut source) = self.open_source(&mut fields)?;
                let text = source.take_as("data").map_err(within("messages.content.source"))?;
                Source::Text(text.ok_or_else(|| required("messages.content.source.data"))?)
            }
            Some("content") => {
                let (_, mut source) = self.open_source(&mut fields)?;
                self.composed(&mut source, &mut pictures)?
            }
            _ => self.source(&mut fields)?,
        };
        self.leftover(fields);
        let document = Document { source, title, context, citations };
        self.parts.push(Part::new(Content::Document(document)));
        self.parts.append(&mut pictures);
        if let Some(last) = self.parts.last_mut() {
            last.cache = cache;
        }
        Ok(())
    }

    /// A document that is made of blocks: its texts in one, its pictures behind it.
    fn composed(
        &mut self,
        source: &mut Fields<'_>,
        pictures: &mut Vec<Part>,
    ) -> Result<Source, Refused> {
        let place = "messages.content.source.content";
        reworded(place, self.notes);
        let raw = source.take("content").ok_or_else(|| required(place))?;
        if let Some(text) = json::text(raw) {
            return Ok(Source::Text(text.into_owned()));
        }
        let blocks = json::elements(raw)
            .ok_or_else(|| Refused::new(place, "has to be a text or an array of blocks"))?;
        let mut texts: Vec<String> = Vec::new();
        for raw in blocks {
            let mut fields =
                Fields::parse(raw.get()).map_err(|_| Refused::new(place, "has to hold objects"))?;
            match fields.text("type").as_deref() {
                Some("text") => {
                    texts.extend(fields.take_as::<String>("text").map_err(within(place))?)
                }
                Some("image") => {
                    let source = self.source(&mut fields)?;
                    pictures.push(Part::new(Content::Image(Image { source, detail: None })));
                }
                _ => self.notes.dropped(place),
            }
        }
        Ok(Source::Text(texts.join("\n\n")))
    }

    fn search_result(&mut self, fields: &mut Fields<'_>) -> Result<Content, Refused> {
        let source: Option<String> = fields.take_as("source").map_err(within(self.place))?;
        let title: Option<String> = fields.take_as("title").map_err(within(self.place))?;
        let found = fields.take("content").map(server::words).unwrap_or_default();
        // Whether it shall be cited: a text cannot be.
        fields.take("citations");
        reworded(format!("{}.search_result", self.place), self.notes);
        let text = format!(
            "Search result: {}\nSource: {}\n\n{found}",
            title.unwrap_or_default(),
            source.unwrap_or_default()
        );
        Ok(Content::Text(Text { text, citations: Vec::new() }))
    }

    fn call(&mut self, fields: &mut Fields<'_>) -> Result<Content, Refused> {
        let place = within("messages.content");
        let id = fields.take_as("id").map_err(&place)?;
        let name = fields.take_as("name").map_err(&place)?;
        let input = object(fields.take("input"));
        let input = match input.is_object() {
            true => CallInput::Json(input),
            false => CallInput::Text(input.as_str().to_owned()),
        };
        let caller = fields.take("caller").and_then(|it| Fields::parse(it.get()).ok());
        if caller.is_some_and(|it| it.text("type").as_deref() != Some("direct")) {
            self.notes.dropped("messages.content.caller");
        }
        Ok(Content::Call(Call {
            id: id.ok_or_else(|| required("messages.content.id"))?,
            name: name.ok_or_else(|| required("messages.content.name"))?,
            namespace: None,
            input,
            opaque: None,
        }))
    }

    fn result(&mut self, fields: &mut Fields<'_>) -> Result<Content, Refused> {
        let place = within("messages.content");
        let call = fields.take_as("tool_use_id").map_err(&place)?;
        let failed = fields.take_as("is_error").map_err(&place)?;
        let parts = match fields.take("content") {
            Some(raw) => content(raw, RESULT, self.notes)?,
            None => Vec::new(),
        };
        Ok(Content::Result(CallResult {
            call: call.ok_or_else(|| required("messages.content.tool_use_id"))?,
            name: None,
            parts,
            failed: failed.unwrap_or_default(),
            custom: false,
        }))
    }
}

fn base64(fields: &mut Fields<'_>) -> Result<Source, Refused> {
    let place = within("messages.content.source");
    let mime = fields.take_as("media_type").map_err(&place)?;
    let data: Option<String> = fields.take_as("data").map_err(&place)?;
    let data = data.ok_or_else(|| required("messages.content.source.data"))?;
    let Some(data) = inline::standard(data) else {
        return Err(Refused::new("messages.content.source.data", "is no base64"));
    };
    Ok(Source::Base64 {
        mime: mime.ok_or_else(|| required("messages.content.source.media_type"))?,
        data,
    })
}

/// Thoughts whose text is empty count: their signature is what goes on.
fn thinking(fields: &mut Fields<'_>) -> Result<Content, Refused> {
    let place = within("messages.content");
    let text: Option<String> = fields.take_as("thinking").map_err(&place)?;
    let signature: Option<String> = fields.take_as("signature").map_err(&place)?;
    let opaque = signature.filter(|it| !it.is_empty()).map(|it| open(&it, Dialect::Anthropic));
    Ok(Content::Thinking(Thinking { text: text.unwrap_or_default(), opaque, redacted: false }))
}

fn redacted(fields: &mut Fields<'_>) -> Result<Content, Refused> {
    let state: Option<String> = fields.take_as("data").map_err(within("messages.content"))?;
    let state = state.ok_or_else(|| required("messages.content.data"))?;
    let opaque = Some(open(&state, Dialect::Anthropic));
    Ok(Content::Thinking(Thinking { text: String::new(), opaque, redacted: true }))
}

/// A citation, if it is of a page in the web; others point into documents by number.
fn citation(raw: &RawValue) -> Option<Citation> {
    crate::anthropic::wire::web_citation(raw)
}
