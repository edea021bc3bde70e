//! Where words are from: Google tells it beside the answer and counts bytes, others tell
//! it at the words and count characters.

use crate::{
    chat::Citation,
    gemini::wire::{self, GroundingChunk, GroundingSupport, Segment, Web, object::Object},
};
use serde_json::value::RawValue;

/// A page, which part cites it, and which bytes of that part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gemini) struct Source {
    pub(in crate::gemini) part: usize,
    pub(in crate::gemini) bytes: Option<(u64, u64)>,
    pub(in crate::gemini) citation: Citation,
}

/// What a candidate tells of its sources.
pub(in crate::gemini) fn read(candidate: &mut Object<'_>) -> Vec<Source> {
    let mut sources = Vec::new();
    if let Ok(Some(grounding)) = candidate.object("groundingMetadata", "") {
        grounded(grounding, &mut sources);
    }
    if let Ok(Some(mut metadata)) = candidate.object("citationMetadata", "") {
        let citations = metadata.list("citations").into_iter();
        sources.extend(citations.filter_map(cited));
    }
    sources
}

fn grounded(mut grounding: Object<'_>, sources: &mut Vec<Source>) {
    let pages: Vec<_> = grounding.list("groundingChunks").into_iter().map(page).collect();
    let supports = grounding.list("groundingSupports");
    if supports.is_empty() {
        let pages = pages.into_iter().flatten();
        sources.extend(pages.map(|citation| Source { part: 0, bytes: None, citation }));
        return;
    }
    for raw in supports {
        let Ok(mut support) = Object::of(raw, "") else { continue };
        let Ok(segment) = support.object("segment", "") else { continue };
        let (part, bytes, quote) = segment.map_or((0, None, None), place);
        for raw in support.list("groundingChunkIndices") {
            let number = wire::object::integer(raw).and_then(|it| usize::try_from(it).ok());
            let Some(Some(page)) = number.and_then(|it| pages.get(it)) else { continue };
            let citation = Citation { quote: quote.clone(), ..page.clone() };
            sources.push(Source { part, bytes, citation });
        }
    }
}

/// A page: in the web, on a map, in somebody's documents.
fn page(raw: &RawValue) -> Option<Citation> {
    let mut chunk = Object::of(raw, "").ok()?;
    let kinds = ["web", "maps", "retrievedContext"];
    let mut page = kinds.iter().find_map(|it| chunk.object(it, "").ok().flatten())?;
    let url = page.text("uri").ok().flatten()?;
    let title = page.text("title").ok().flatten();
    Some(Citation { url, title, quote: None, range: None })
}

fn place(mut segment: Object<'_>) -> (usize, Option<(u64, u64)>, Option<String>) {
    let mut count = |name: &str| segment.count(name).ok().flatten();
    let part = count("partIndex").and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    let bytes = span(count("startIndex"), count("endIndex"));
    (part, bytes, segment.text("text").ok().flatten().filter(|it| !it.is_empty()))
}

fn cited(raw: &RawValue) -> Option<Source> {
    let mut citation = Object::of(raw, "").ok()?;
    let url = citation.text("uri").ok().flatten().filter(|it| !it.is_empty())?;
    let title = citation.text("title").ok().flatten().filter(|it| !it.is_empty());
    let start = citation.count("startIndex").ok().flatten();
    let bytes = span(start, citation.count("endIndex").ok().flatten());
    Some(Source { part: 0, bytes, citation: Citation { url, title, quote: None, range: None } })
}

/// A start that is not told is the beginning.
fn span(start: Option<u64>, end: Option<u64>) -> Option<(u64, u64)> {
    let (start, end) = (start.unwrap_or(0), end?);
    (start <= end).then_some((start, end))
}

/// Where characters begin in a text: both ways, and each question answered quickly.
pub(in crate::gemini) struct Letters(Option<Vec<usize>>, usize);

impl Letters {
    /// Of `text`. Where each character is one byte there is nothing to remember.
    pub(in crate::gemini) fn of(text: &str) -> Self {
        let starts = || text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        Self((!text.is_ascii()).then(starts), text.len())
    }

    /// The characters of these bytes.
    pub(in crate::gemini) fn chars(&self, (start, end): (u64, u64)) -> Option<(u64, u64)> {
        let place = |byte: u64| {
            let byte = usize::try_from(byte).ok()?;
            match &self.0 {
                None => (byte <= self.1).then_some(byte as u64),
                Some(starts) => starts.binary_search(&byte).ok().map(|it| it as u64),
            }
        };
        Some((place(start)?, place(end)?))
    }

    /// The bytes of these characters.
    fn bytes(&self, (start, end): (u64, u64)) -> Option<(usize, usize)> {
        let place = |letter: u64| {
            let letter = usize::try_from(letter).ok()?;
            match &self.0 {
                None => (letter <= self.1).then_some(letter),
                Some(starts) => starts.get(letter).copied(),
            }
        };
        Some((place(start)?, place(end)?)).filter(|(start, end)| start <= end)
    }
}

/// Writes sources; each page once in a row.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Writer(wire::Grounding);

impl Writer {
    /// The sources of one text, which is the `part`th, `before` bytes of which were told
    /// already.
    pub(in crate::gemini) fn add(&mut self, part: u64, before: u64, text: &crate::chat::Text) {
        if text.citations.is_empty() {
            return;
        }
        let letters = Letters::of(&text.text);
        for citation in &text.citations {
            let page = self.page(citation);
            let Some((start, end)) = citation.range.and_then(|it| letters.bytes(it)) else {
                continue;
            };
            let quoted = text.text.get(start..end).unwrap_or_default().to_owned();
            let segment = Segment {
                part_index: part,
                start_index: before.saturating_add(start as u64),
                end_index: before.saturating_add(end as u64),
                text: quoted,
            };
            let indices = vec![page];
            self.0
                .grounding_supports
                .push(GroundingSupport { segment, grounding_chunk_indices: indices });
        }
    }

    /// All of them, if there are any.
    pub(in crate::gemini) fn done(self) -> Option<wire::Grounding> {
        Some(self.0).filter(|it| !it.grounding_chunks.is_empty())
    }

    fn page(&mut self, citation: &Citation) -> usize {
        let chunks = &mut self.0.grounding_chunks;
        let is_last = chunks.last().is_some_and(|it| it.web.uri == citation.url);
        if !is_last {
            let web = Web { uri: citation.url.clone(), title: citation.title.clone() };
            chunks.push(GroundingChunk { web });
        }
        chunks.len().saturating_sub(1)
    }
}
