//! One answer on its way from a provider who speaks one dialect to a caller who speaks
//! another: bytes in, bytes out.
//!
//! Knows the order of the stations and nothing of any dialect. A stream goes by way of
//! frames, events, the [`Sequencer`] and the [`Restorer`] to the caller's writer; what
//! comes whole for a caller who wants a stream is told as if it came as one, and a stream
//! for a caller who wants it whole is collected.

mod progress;

use super::{
    MAX_HELD, MAX_STREAM, NoAnswer, Thread, Unreadable,
    array::Array,
    frames::Frames,
    restore::{self, Restorer},
    sequence::{Sequencer, nonsense},
    voice::{self, Caller, Provider, Reads, Voice, Writes},
    whole::{self, Collector},
};
use crate::{
    chat::{Answer, Failure, Step},
    error::ErrorKind,
};
use bytes::Bytes;
use domain::{catalog::Dialect, tokens::Tokens};
use progress::Progress;

/// How a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// One body at the end.
    Whole,
    /// Server-sent events.
    Events,
    /// One JSON array whose elements come one by one (Gemini without `alt=sse`).
    Array,
}

/// What the caller has been told first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// Nothing of the answer: the status may still be held back.
    Nothing,
    /// A piece of the answer.
    Content,
    /// That it went wrong, before any piece of the answer.
    Failed(Failure),
}

/// One answer.
#[derive(Debug)]
pub struct Answering {
    thread: Thread,
    heard: Heard,
    restorer: Restorer,
    telling: Telling,
    progress: Progress,
    /// Whether the caller's clients stumble over anything but answers in a stream: some of
    /// Google's take a comment for an answer that is no JSON.
    only_answers: bool,
    is_nonsense: bool,
    /// How many more bytes of a stream are read: readers and writers keep some of them, such
    /// as calls whose names are still to come.
    pub(super) left: usize,
}

/// What comes from the provider.
#[derive(Debug)]
enum Heard {
    Stream {
        frames: Box<dyn Frames>,
        reader: Box<dyn Reads>,
        sequencer: Box<Sequencer>,
    },
    Whole {
        body: Vec<u8>,
        provider: &'static Provider,
    },
    /// Nobody can read it.
    Nothing,
}

/// What goes to the caller.
#[derive(Debug)]
enum Telling {
    Stream {
        writer: Box<dyn Writes>,
        array: Option<Array>,
    },
    Whole {
        collector: Box<Collector>,
        caller: &'static Caller,
    },
    /// Nobody can write it.
    Nothing,
}

impl Answering {
    /// Gets ready for the successful answer to one request. `streamed` says what came from
    /// upstream, a stream or one body, not what was asked for; `thread` is from
    /// [`super::Outgoing`].
    pub fn new(from: Dialect, streamed: bool, to: Dialect, told: Told, thread: Thread) -> Self {
        let answering = Self::by(voice::voice(from), streamed, voice::voice(to), told, thread);
        Self { only_answers: to == Dialect::Gemini, ..answering }
    }

    pub(super) fn by(
        from: Option<&'static Voice>,
        streamed: bool,
        to: Option<&'static Voice>,
        told: Told,
        thread: Thread,
    ) -> Self {
        let mut progress = Progress::default();
        let heard = from.map_or(Heard::Nothing, |it| Heard::new(&it.provider, streamed, &thread));
        let caller = match thread.completion {
            true => Some(&voice::COMPLETIONS),
            false => to.and_then(|it| it.caller.as_ref()),
        };
        let telling = caller.map_or(Telling::Nothing, |it| Telling::new(it, told, &thread));
        if matches!(heard, Heard::Nothing) || matches!(telling, Telling::Nothing) {
            progress.fail(Failure {
                kind: ErrorKind::NotSupported,
                message: "the answer cannot be translated into the caller's dialect".to_owned(),
                code: None,
                param: None,
            });
        }
        let restorer = Restorer::default();
        let (only_answers, is_nonsense) = (false, false);
        let left = MAX_STREAM;
        Self { thread, heard, restorer, telling, progress, only_answers, is_nonsense, left }
    }

    /// Takes the next piece of the provider's body; gives what the caller is told now.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        if self.progress.over {
            return Bytes::new();
        }
        let mut steps = Vec::new();
        match &mut self.heard {
            Heard::Stream { sequencer, .. } if self.left < piece.len() => {
                sequencer.fail(nonsense("it is larger than is read of one answer"), &mut steps);
            }
            Heard::Stream { frames, reader, sequencer } => {
                self.left = self.left.saturating_sub(piece.len());
                let mut found = Vec::new();
                let read = frames.push(piece, &mut found);
                let read = read_frames(&found, reader.as_mut(), sequencer, &mut steps).and(read);
                if let Err(error) = read {
                    sequencer.fail(unreadable(&error), &mut steps);
                }
            }
            Heard::Whole { body, .. } => {
                if body.len().saturating_add(piece.len()) > MAX_HELD {
                    steps.push(Step::Failed(nonsense("it is larger than is held for one answer")));
                } else {
                    body.extend_from_slice(piece);
                }
            }
            Heard::Nothing => {}
        }
        self.tell(steps)
    }

    /// The provider's body ended, in good order; gives the rest of what the caller is told.
    pub fn finish(&mut self) -> Bytes {
        if self.progress.over {
            return Bytes::new();
        }
        let mut steps = Vec::new();
        match &mut self.heard {
            Heard::Stream { frames, reader, sequencer } => {
                let mut found = Vec::new();
                let read = frames.finish(&mut found);
                let read = read_frames(&found, reader.as_mut(), sequencer, &mut steps).and(read);
                match read {
                    Ok(()) => sequencer.finish(&mut steps),
                    Err(error) => sequencer.fail(unreadable(&error), &mut steps),
                }
            }
            Heard::Whole { body, provider } => match (provider.read_answer)(body) {
                Ok(mut answer) => {
                    body.clear();
                    restore::answer(&mut answer, &self.thread);
                    return self.tell_whole(answer);
                }
                Err(NoAnswer::Unreadable(error)) => {
                    self.is_nonsense = true;
                    steps.push(Step::Failed(unreadable(&error)));
                }
                Err(NoAnswer::Failed(failure)) => steps.push(Step::Failed(failure)),
            },
            Heard::Nothing => {}
        }
        self.tell(steps)
    }

    /// The provider's body did not end in good order. A caller's stream is told so, unless
    /// the answer is complete and only the stream's own end is missing; a caller who is
    /// told whole is told nothing here.
    pub fn break_off(&mut self, failure: &Failure) -> Bytes {
        if self.progress.over {
            return Bytes::new();
        }
        let mut steps = Vec::new();
        match &mut self.heard {
            Heard::Stream { sequencer, .. } if sequencer.is_complete() => {
                sequencer.finish(&mut steps);
            }
            Heard::Stream { sequencer, .. } => sequencer.fail(failure.clone(), &mut steps),
            Heard::Whole { .. } | Heard::Nothing => steps.push(Step::Failed(failure.clone())),
        }
        self.tell(steps)
    }

    /// A sign of life for a caller's stream in a silent gap; empty if the caller is not
    /// told by events, or its dialect has no such sign.
    pub fn ping(&mut self) -> Bytes {
        if self.progress.over
            || self.only_answers
            || !matches!(self.telling, Telling::Stream { array: None, .. })
        {
            return Bytes::new();
        }
        let mut steps = Vec::new();
        if let Heard::Stream { sequencer, .. } = &mut self.heard
            && sequencer.is_known()
        {
            sequencer.begin(&mut steps);
        }
        let begins = !steps.is_empty() || self.progress.begun;
        let told = self.tell(steps);
        let ping = if begins { self.tell(vec![Step::Ping]) } else { Bytes::new() };
        match ping.is_empty() {
            // A comment, which readers of server-sent events pass over.
            true => [&told[..], b": ping\n\n"].concat().into(),
            false => [told, ping].concat().into(),
        }
    }

    /// What the caller has been told first. As long as that is nothing, what
    /// [`Self::push`] gave may still be kept back in favour of an error's status.
    pub fn first(&self) -> First {
        match &self.progress.failure {
            _ if self.progress.content => First::Content,
            Some(failure) => First::Failed(failure.clone()),
            None => First::Nothing,
        }
    }

    /// Whether the caller has been told an end, good or bad.
    pub const fn is_over(&self) -> bool {
        self.progress.over
    }

    /// Why it went wrong, if it did.
    pub const fn failed(&self) -> Option<&Failure> {
        self.progress.failure.as_ref()
    }

    /// Whether it went wrong, and the caller, who is told whole, has been told nothing of it.
    pub const fn is_untold(&self) -> bool {
        matches!(self.telling, Telling::Whole { .. }) && self.progress.failure.is_some()
    }

    /// Whether it went wrong because a whole body could not be read: nobody knows what it
    /// says, or what it cost.
    pub const fn is_nonsense(&self) -> bool {
        self.is_nonsense
    }

    /// What was used, as far as the provider has told it.
    pub fn usage(&self) -> Option<Tokens> {
        let heard = match &self.heard {
            Heard::Stream { sequencer, .. } => sequencer.usage(),
            Heard::Whole { .. } | Heard::Nothing => None,
        };
        heard.or(self.progress.usage)
    }

    /// About how many tokens of output the texts are that the caller has been told.
    pub const fn output_estimate(&self) -> u64 {
        self.progress.output_estimate()
    }

    /// An answer that came whole.
    fn tell_whole(&mut self, answer: Answer) -> Bytes {
        if let Telling::Whole { caller, .. } = &self.telling {
            self.progress.usage = answer.usage;
            self.progress.end();
            return (caller.write_answer)(&answer, &self.thread).into();
        }
        let mut steps = Vec::new();
        whole::replay(answer, &mut steps);
        // It is restored already: the writer has it as it is.
        self.write(steps)
    }

    fn tell(&mut self, steps: Vec<Step>) -> Bytes {
        let mut restored = Vec::with_capacity(steps.len());
        for step in steps {
            self.restorer.push(step, &self.thread, &mut restored);
        }
        self.write(restored)
    }

    fn write(&mut self, steps: Vec<Step>) -> Bytes {
        let mut out = Vec::new();
        for step in steps {
            if self.progress.over {
                break;
            }
            match &mut self.telling {
                Telling::Stream { writer, array } => {
                    self.progress.note(&step);
                    write_step(writer.as_mut(), array.as_mut(), &step, &self.thread, &mut out);
                }
                Telling::Whole { collector, caller } => {
                    self.progress.count(&step);
                    if let Step::Failed(failure) = step {
                        self.progress.fail(failure);
                        break;
                    }
                    match collector.push(step) {
                        Ok(None) => {}
                        Ok(Some(answer)) => {
                            self.progress.end();
                            out = (caller.write_answer)(&answer, &self.thread);
                        }
                        Err(error) => self.progress.fail(unreadable(&error)),
                    }
                }
                Telling::Nothing => {}
            }
        }
        out.into()
    }
}

impl Heard {
    fn new(provider: &'static Provider, streamed: bool, thread: &Thread) -> Self {
        if streamed {
            let sequencer = Box::new(Sequencer::new(&thread.request));
            Self::Stream { frames: (provider.frames)(), reader: (provider.reader)(), sequencer }
        } else {
            Self::Whole { body: Vec::new(), provider }
        }
    }
}

impl Telling {
    fn new(caller: &'static Caller, told: Told, thread: &Thread) -> Self {
        let stream = |array| Self::Stream { writer: (caller.writer)(thread), array };
        match told {
            Told::Whole => Self::Whole { collector: Box::default(), caller },
            Told::Events => stream(None),
            Told::Array => stream(Some(Array::default())),
        }
    }
}

/// Reads events until the answer is over or one of them cannot be read.
fn read_frames(
    found: &[super::frames::Frame],
    reader: &mut dyn Reads,
    sequencer: &mut Sequencer,
    steps: &mut Vec<Step>,
) -> Result<(), Unreadable> {
    let mut events = Vec::new();
    for frame in found {
        let read = reader.push(&frame.name, &frame.data, &mut events);
        events.drain(..).for_each(|event| sequencer.push(event, steps));
        read?;
    }
    Ok(())
}

fn write_step(
    writer: &mut dyn Writes,
    array: Option<&mut Array>,
    step: &Step,
    thread: &Thread,
    out: &mut Vec<u8>,
) {
    let Some(array) = array else { return writer.push(step, thread, out) };
    let mut events = Vec::new();
    writer.push(step, thread, &mut events);
    array.push(&events, out);
    if matches!(step, Step::End { .. } | Step::Failed(_)) {
        array.finish(out);
    }
}

fn unreadable(error: &Unreadable) -> Failure {
    Failure { kind: ErrorKind::UpstreamFailed, message: error.to_string(), code: None, param: None }
}
