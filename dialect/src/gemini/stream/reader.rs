//! A provider's chunks. Each is an answer of its own form, with as much as is new.

use crate::{
    chat::{Content, Event, Start},
    gemini::{
        error,
        response::{
            self, logprobs,
            piece::{self, Piece, Said},
            sources::{self, Source},
        },
        wire::object::Object,
    },
    json::elements,
    translate::Unreadable,
};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Reads chunk after chunk.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    is_begun: bool,
    id: String,
    model: String,
    choices: BTreeMap<u32, Seen>,
}

/// What one answer has told so far.
#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    /// Some text was not ASCII: bytes are not characters then.
    is_mixed: bool,
    /// Sources come again with every chunk.
    cited: BTreeSet<(String, Option<(u64, u64)>)>,
}

impl Reader {
    /// Reads one event's data; what it says is put behind `out`.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub(crate) fn push(
        &mut self,
        _name: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(());
        }
        // Only lookalikes say it.
        if data == "[DONE]" {
            out.push(Event::End);
            return Ok(());
        }
        // An error may stand in an array, as in streams that are no events.
        let raw: &RawValue = serde_json::from_str(data).map_err(|_| unreadable("it is no JSON"))?;
        for raw in elements(raw).unwrap_or_else(|| vec![raw]) {
            let chunk = Object::of(raw, "").map_err(|_| unreadable("a chunk is no object"))?;
            self.chunk(raw, chunk, out);
        }
        Ok(())
    }

    fn chunk(&mut self, raw: &RawValue, mut chunk: Object<'_>, out: &mut Vec<Event>) {
        if chunk.has("error") {
            out.push(Event::Failed(error::read(0, raw.get().as_bytes())));
            return;
        }
        self.start(&mut chunk, out);
        let candidates = chunk.list("candidates");
        if candidates.is_empty()
            && let Some(choice) = response::blocked(&mut chunk)
        {
            for part in choice.parts {
                if let Content::Refusal(text) = part.content {
                    out.push(Event::Refusal { choice: 0, text });
                }
            }
            out.push(Event::Stop { choice: 0, stop: choice.stop });
        }
        for raw in candidates {
            if let Ok(candidate) = Object::of(raw, "") {
                self.candidate(candidate, out);
            }
        }
        let usage = chunk.object("usageMetadata", "").ok().flatten();
        if let Some(usage) = usage.and_then(response::usage) {
            out.push(Event::Usage(usage));
        }
    }

    /// The first chunk begins; a later one may tell what is not known yet.
    fn start(&mut self, chunk: &mut Object<'_>, out: &mut Vec<Event>) {
        let mut news = |known: &mut String, name: &str| {
            let told = chunk.text(name).ok().flatten().unwrap_or_default();
            let is_news = known.is_empty() && !told.is_empty();
            if is_news {
                *known = told;
            }
            is_news
        };
        let has_id = news(&mut self.id, "responseId");
        let has_model = news(&mut self.model, "modelVersion");
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if is_first || has_id || has_model {
            let (id, model) = (self.id.clone(), self.model.clone());
            out.push(Event::Start(Start { id, model, created: None, usage: None }));
        }
    }

    fn candidate(&mut self, mut candidate: Object<'_>, out: &mut Vec<Event>) {
        let index = candidate.count("index").ok().flatten();
        let choice = index.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let seen = self.choices.entry(choice).or_default();
        let mut logprobs = candidate.take("logprobsResult").and_then(logprobs::read);
        for raw in response::parts(&mut candidate) {
            let Some(Piece { said, state }) = piece::read(raw) else { continue };
            match said {
                Said::Call { id, name, args } => {
                    let slot = seen.calls;
                    seen.calls = seen.calls.saturating_add(1);
                    out.push(Event::CallStart {
                        choice,
                        slot,
                        id,
                        name,
                        namespace: None,
                        custom: false,
                        opaque: state,
                    });
                    let text = args.as_str().to_owned();
                    out.push(Event::CallInput { choice, slot, text });
                    out.push(Event::CallEnd { choice, slot });
                    continue;
                }
                Said::Text(text) => {
                    seen.is_mixed |= !text.is_ascii();
                    if !text.is_empty() {
                        out.push(Event::Text { choice, text, logprobs: logprobs.take() });
                    }
                }
                Said::Thought(text) => {
                    if !text.is_empty() {
                        out.push(Event::Thinking { choice, text });
                    }
                }
                // Nobody can ask for it, since no caller's request may.
                Said::Bytes { .. } => {}
            }
            if let Some(opaque) = state {
                out.push(Event::ThinkingState { choice, opaque, redacted: false });
            }
        }
        for source in sources::read(&mut candidate) {
            seen.cite(choice, source, out);
        }
        let reason = candidate.text("finishReason").ok().flatten();
        let is_said = |it: &String| !matches!(it.as_str(), "" | "FINISH_REASON_UNSPECIFIED");
        if let Some(reason) = reason.filter(is_said) {
            let stop = response::stop(&reason, 0 < seen.calls);
            out.push(Event::Stop { choice, stop });
        }
    }
}

impl Seen {
    fn cite(&mut self, choice: u32, source: Source, out: &mut Vec<Event>) {
        let Source { part: _, bytes, mut citation } = source;
        if self.cited.insert((citation.url.clone(), bytes)) {
            citation.range = bytes.filter(|_| !self.is_mixed);
            out.push(Event::Cite { choice, citation });
        }
    }
}

fn unreadable(what: &str) -> Unreadable {
    Unreadable(what.to_owned())
}
