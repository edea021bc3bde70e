//! Amazon's event streams: bytes in, cut anywhere, server-sent events out.
//!
//! A message is its length and that of its headers, a checksum of these two, the headers,
//! the payload, and a checksum of all before it. What is said in them is passed on as it
//! is; only exceptions get the name `error`, and their own name into their data.

use crate::{json::Fields, translate::Unreadable};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::json;

/// The longest message that is taken.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;
/// What a message is longer than its headers and its payload.
const FRAME: usize = PRELUDE + 4;

/// What stands in the messages of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The events of `ConverseStream`.
    Converse,
    /// Anthropic's own events, as `InvokeModelWithResponseStream` wraps them.
    Anthropic,
}

/// Makes server-sent events of one of Amazon's streams.
#[derive(Debug)]
pub struct Reframing {
    content: Content,
    stream: AwsStream,
    messages: Vec<Message>,
}

impl Reframing {
    /// Gets ready for a stream of such messages.
    pub fn new(content: Content) -> Self {
        Self { content, stream: AwsStream::default(), messages: Vec::new() }
    }

    /// Takes the next piece, and adds the events that end in it to `out`.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no such stream. The events before that are added.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let pushed = self.stream.push(piece, &mut self.messages);
        for message in self.messages.drain(..) {
            say(&message, self.content, out)?;
        }
        pushed
    }

    /// The stream ended.
    ///
    /// # Errors
    /// [`Unreadable`] when it did so in the middle of a message.
    pub fn finish(&self) -> Result<(), Unreadable> {
        self.stream.finish()
    }
}

fn say(message: &Message, content: Content, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let Message { name, payload, is_exception } = message;
    match (content, is_exception) {
        (Content::Converse, true) => {
            let data = json!({ "__type": name, "message": said(payload) });
            event("error", data.to_string().as_bytes(), out);
        }
        (Content::Anthropic, true) => out.extend_from_slice(&of_exception(name, payload)),
        (Content::Converse, false) => event(name, payload.as_bytes(), out),
        (Content::Anthropic, false) if name == "chunk" => unwrap(payload, out)?,
        // What may come to be told some day.
        (Content::Anthropic, false) => {}
    }
    Ok(())
}

/// What an exception says.
fn said(payload: &str) -> String {
    let fields = Fields::parse(payload).unwrap_or_default();
    let text = fields.text("message").or_else(|| fields.text("Message"));
    text.map_or_else(String::new, std::borrow::Cow::into_owned)
}

/// An exception as Anthropic's event of an error.
fn of_exception(name: &str, payload: &str) -> Bytes {
    let data = json!({ "__type": name, "message": said(payload) }).to_string();
    let failure = crate::bedrock::error::read(500, data.as_bytes());
    crate::error::stream_error(
        domain::catalog::Dialect::Anthropic,
        failure.kind,
        &failure.message,
        "",
    )
}

/// One of Anthropic's events, which stands in base64 in the field `bytes`.
fn unwrap(payload: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let wrong = |_| wrong("an event is not wrapped as it should be");
    let fields = Fields::parse(payload).map_err(wrong)?;
    let bytes = fields.text("bytes").unwrap_or_default();
    let inner = STANDARD.decode(bytes.as_bytes()).map_err(|_| wrong_base64())?;
    let text = std::str::from_utf8(&inner).map_err(|_| wrong_base64())?;
    let kind = Fields::parse(text).map_err(wrong)?;
    event(&kind.text("type").unwrap_or_default(), text.as_bytes(), out);
    Ok(())
}

fn wrong_base64() -> Unreadable {
    wrong("an event is not the base64 of a text")
}

/// Line ends that stand between the values of a JSON text become blanks: an event's data
/// is one line here.
fn event(name: &str, data: &[u8], out: &mut Vec<u8>) {
    let plain = |it: &u8| !matches!(it, b'\r' | b'\n');
    out.extend_from_slice(b"event: ");
    out.extend(name.bytes().filter(plain));
    out.extend_from_slice(b"\ndata: ");
    out.extend(data.iter().map(|it| if plain(it) { *it } else { b' ' }));
    out.extend_from_slice(b"\n\n");
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    /// The type of the event, or of the exception.
    name: String,
    /// What it holds; JSON in all streams that are read here.
    payload: String,
    is_exception: bool,
}

/// Where in a stream we are. Holds at most one message that is not whole yet.
#[derive(Debug, Default)]
struct AwsStream {
    held: Vec<u8>,
    /// After nonsense nothing can be told apart any more.
    is_lost: bool,
}

impl AwsStream {
    /// Takes the next piece and gives the messages that end in it.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no such stream; the messages before that are given, and
    /// none after it.
    fn push(&mut self, piece: &[u8], out: &mut Vec<Message>) -> Result<(), Unreadable> {
        if self.is_lost {
            return Err(wrong("it is broken"));
        }
        self.held.extend_from_slice(piece);
        let mut at = 0;
        let taken = self.take(&mut at, out);
        self.is_lost = taken.is_err();
        // Once for all messages of a piece.
        self.held.drain(..at.min(self.held.len()));
        taken
    }

    fn take(&self, at: &mut usize, out: &mut Vec<Message>) -> Result<(), Unreadable> {
        while let Some(length) = length_of(self.held.get(*at..).unwrap_or_default())? {
            let end = at.saturating_add(length);
            let Some(message) = self.held.get(*at..end) else { break };
            out.push(read(message)?);
            *at = end;
        }
        Ok(())
    }

    /// The stream ended.
    ///
    /// # Errors
    /// [`Unreadable`] when it did so in the middle of a message.
    fn finish(&self) -> Result<(), Unreadable> {
        if self.is_lost || !self.held.is_empty() {
            return Err(wrong("it ends in the middle of a message"));
        }
        Ok(())
    }
}

fn wrong(what: &str) -> Unreadable {
    Unreadable(format!("as an event stream, {what}"))
}

/// How long the message is that begins here; `None` if not enough is there to say it.
fn length_of(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    let Some(prelude) = bytes.get(..PRELUDE) else { return Ok(None) };
    let (lengths, sum) = prelude.split_at(PRELUDE - 4);
    if crc32fast::hash(lengths) != u32_at(sum, 0) {
        return Err(wrong("the checksum of a prelude is wrong"));
    }
    let length = usize::try_from(u32_at(prelude, 0)).unwrap_or(usize::MAX);
    let headers = usize::try_from(u32_at(prelude, 4)).unwrap_or(usize::MAX);
    if !(FRAME..=MAX_MESSAGE).contains(&length) || length - FRAME < headers {
        return Err(wrong("a message has a length that it cannot have"));
    }
    Ok(Some(length))
}

/// Reads a whole message, whose lengths are right.
fn read(message: &[u8]) -> Result<Message, Unreadable> {
    let (body, sum) = message.split_at(message.len().saturating_sub(4));
    if crc32fast::hash(body) != u32_at(sum, 0) {
        return Err(wrong("the checksum of a message is wrong"));
    }
    let headers = usize::try_from(u32_at(message, 4)).unwrap_or(usize::MAX);
    let rest = body.get(PRELUDE..).unwrap_or_default();
    let (headers, payload) =
        rest.split_at_checked(headers).ok_or_else(|| wrong("its headers are too long"))?;
    let headers = Headers::read(headers).ok_or_else(|| wrong("its headers cannot be read"))?;
    let payload = std::str::from_utf8(payload).map_err(|_| wrong("a payload is not UTF-8"))?;
    let message = |name: &str, payload: String, is_exception| {
        Ok(Message { name: name.to_owned(), payload, is_exception })
    };
    match headers.message_type {
        "exception" => message(headers.exception_type, payload.to_owned(), true),
        // An error that nobody modelled stands in the headers alone.
        "error" => {
            let payload = json!({ "message": headers.error_message }).to_string();
            message(headers.error_code, payload, true)
        }
        _ => message(headers.event_type, payload.to_owned(), false),
    }
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Headers<'a> {
    message_type: &'a str,
    event_type: &'a str,
    exception_type: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

impl<'a> Headers<'a> {
    fn read(mut rest: &'a [u8]) -> Option<Self> {
        let mut headers = Self::default();
        while !rest.is_empty() {
            let length = usize::from(*rest.first()?);
            let name = take(&mut rest, length, 1)?;
            let kind = *take(&mut rest, 1, 0)?.first()?;
            let value = match kind {
                // True and false.
                0 | 1 => &[],
                2 => take(&mut rest, 1, 0)?,
                3 => take(&mut rest, 2, 0)?,
                4 => take(&mut rest, 4, 0)?,
                // A number, and a time.
                5 | 8 => take(&mut rest, 8, 0)?,
                // Bytes and a text.
                6 | 7 => {
                    let length = rest.get(..2)?;
                    let length = length.iter().fold(0, |sum, it| sum << 8 | usize::from(*it));
                    take(&mut rest, length, 2)?
                }
                9 => take(&mut rest, 16, 0)?,
                _ => return None,
            };
            let slot = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            if kind == 7 {
                *slot = std::str::from_utf8(value).ok()?;
            }
        }
        Some(headers)
    }
}

/// Takes `length` bytes that stand behind `skip` others.
fn take<'a>(rest: &mut &'a [u8], length: usize, skip: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.get(skip..)?.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at.saturating_add(4)).unwrap_or_default();
    four.iter().fold(0, |sum, it| sum << 8 | u32::from(*it))
}

#[cfg(test)]
mod tests;
