//! What a target is told: the caller's own bytes where both speak alike, else their
//! translation. Reads a request once, however many targets it is written for.

use super::{hosted, receive::Ask};
use bytes::Bytes;
use dialect::{
    peek::StreamUsage,
    splice::{Change, OutputCap, splice},
    translate::{self, Notes, PathWords, Reading, Refused, Target, Thread, Way},
};
use domain::{
    catalog::{Dialect, Operation, Quirk},
    routing::Attempt,
    snapshot::{SeatEndpoint, Snapshot},
};
use http::HeaderMap;

/// What goes to a target.
pub(super) struct Words {
    pub(super) body: Bytes,
    /// What is asked there. Texts to be continued become chats where chats are all there is.
    pub(super) operation: Operation,
    pub(super) manner: Manner,
}

/// How it came about, which is how the answer is treated.
pub(super) enum Manner {
    /// The caller's own bytes.
    Own {
        /// Whether a usage chunk in the answer is ours to take out.
        hide_usage: bool,
    },
    /// A translation: how the answer comes back, and what was adapted.
    Translated(Box<(Back, Notes)>),
}

/// How the answer to a translation comes back.
#[derive(Debug, Clone)]
pub(super) enum Back {
    /// As a conversation, of which this has to be remembered.
    Chat(Thread),
    /// As something small and whole.
    Errand(Way),
}

/// Whether the target is told the caller's own bytes.
pub(super) fn is_own(ask: &Ask<'_>, attempt: &Attempt) -> bool {
    let alike = attempt.dialect == ask.asked.dialect && ask.spoken == ask.asked.dialect;
    alike && !(ask.peek.wraps_request() && is_vertex(attempt))
}

fn is_vertex(attempt: &Attempt) -> bool {
    attempt.seat.endpoint(attempt.dialect).is_some_and(|it| it.quirks.has(Quirk::Vertex))
}

/// What to tell the target of `attempt`. `cap` bounds an answer that the request leaves open;
/// `filled` is the request with what was fetched for it, where something was.
///
/// # Errors
/// [`Refused`] when it cannot be said there; somebody else may still be told.
pub(super) fn to(
    ask: &Ask<'_>,
    attempt: &Attempt,
    snapshot: &Snapshot,
    cap: Option<u64>,
    filled: Option<&Reading>,
) -> Result<Words, Refused> {
    let Some(endpoint) = attempt.seat.endpoint(attempt.dialect) else {
        // Routing names only dialects that the seat knows.
        return Err(Refused::new("model", "the account does not speak this dialect any more"));
    };
    if is_own(ask, attempt) {
        let hide_usage = attempt.seat.account.client.ask_stream_usage && lacks_usage(ask);
        let body = splice(ask.body, &ask.peek, change(attempt, endpoint, hide_usage, cap));
        let operation = ask.operation;
        let body = hosted::edited(body, endpoint, operation, &ask.asked.head.headers);
        return Ok(Words { body, operation, manner: Manner::Own { hide_usage } });
    }
    let target = Target {
        dialect: attempt.dialect,
        model: &attempt.model,
        quirks: endpoint.quirks,
        output_cap_field: &endpoint.output_cap_field,
        max_output: snapshot.max_output(&attempt.seat.provider, &attempt.model),
        output_cap: cap,
    };
    let translated = |body, operation, back, notes| {
        let body = hosted::edited(body, endpoint, operation, &HeaderMap::new());
        Ok(Words { body, operation, manner: Manner::Translated(Box::new((back, notes))) })
    };
    let reading = || filled.map_or_else(|| ask.reading().as_ref().map_err(Clone::clone), Ok);
    let errand = match ask.operation {
        Operation::Chat | Operation::Completions => {
            let received_at = u64::try_from(ask.received_at.unix_ms() / 1_000).unwrap_or(0);
            let out = reading()?.write(&target, &ask.request.to_string(), received_at)?;
            return translated(out.body, Operation::Chat, Back::Chat(out.thread), out.notes);
        }
        Operation::CountTokens => translate::count(reading()?, &target)?,
        Operation::Embeddings => translate::embed(ask.spoken, ask.body, &target)?,
    };
    translated(errand.body, ask.operation, Back::Errand(errand.way), errand.notes)
}

/// Reads a request into the common form.
pub(super) fn read(ask: &Ask<'_>) -> Result<Reading, Refused> {
    match ask.operation {
        Operation::Completions => translate::read_completion(ask.body, path_of(ask)),
        Operation::CountTokens => translate::read_count(ask.spoken, ask.body, path_of(ask)),
        Operation::Chat | Operation::Embeddings => {
            translate::read(ask.spoken, ask.body, path_of(ask))
        }
    }
}

fn path_of<'a>(ask: &Ask<'a>) -> PathWords<'a> {
    PathWords { model: ask.says.model.as_deref(), stream: ask.says.stream }
}

fn change<'a>(
    attempt: &'a Attempt,
    endpoint: &'a SeatEndpoint,
    ask_usage: bool,
    cap: Option<u64>,
) -> Change<'a> {
    let field = match endpoint.dialect {
        Dialect::OpenAiResponses => "max_output_tokens",
        Dialect::Gemini => "generationConfig.maxOutputTokens",
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock => &*endpoint.output_cap_field,
    };
    let output_cap = cap.map(|tokens| OutputCap { field, tokens });
    Change { model: &attempt.model, ask_usage, output_cap }
}

/// Whether it is a stream that would not report its usage unless it is asked to.
fn lacks_usage(ask: &Ask<'_>) -> bool {
    let chats = matches!(ask.operation, Operation::Chat | Operation::Completions);
    let reports = match ask.asked.dialect {
        Dialect::OpenAi => matches!(ask.peek.stream_usage, StreamUsage::Asked),
        Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => true,
    };
    ask.peek.stream && chats && !reports
}
