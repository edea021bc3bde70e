//! One answer's queue of blocks.

use super::{
    block::{Begun, COST, Kind, Piece, nameless},
    nonsense,
};
use crate::{
    chat::{Citation, Delta, Failure, Opaque, Step, Stop, Text, Thinking},
    json::Json,
};
use std::collections::{BTreeMap, VecDeque};

/// One answer of several.
#[derive(Debug)]
pub(super) struct Track {
    choice: u32,
    queue: VecDeque<Piece>,
    /// The serial number of the queue's first block.
    first: u64,
    /// The block that was last told of.
    latest: Option<u64>,
    slots: BTreeMap<u64, Slot>,
    /// How many blocks and calls have been opened.
    opened: u32,
    calls: u32,
    /// Why it ended, as first said.
    pub(super) stop: Option<Stop>,
    /// How many bytes it held when they were last counted.
    pub(super) counted: usize,
    /// What the blocks in the queue hold.
    held: usize,
    defect: Option<Failure>,
}

/// Where the calls of one slot are.
#[derive(Debug)]
struct Slot {
    /// The id of the last one, as the provider gave it.
    id: String,
    /// Its serial number.
    serial: u64,
}

impl Track {
    pub(super) const fn new(choice: u32) -> Self {
        Self {
            choice,
            queue: VecDeque::new(),
            first: 0,
            latest: None,
            slots: BTreeMap::new(),
            opened: 0,
            calls: 0,
            stop: None,
            counted: 0,
            held: 0,
            defect: None,
        }
    }

    /// About how many bytes it keeps.
    pub(super) fn held(&self) -> usize {
        self.slots.len().saturating_add(1).saturating_mul(COST).saturating_add(self.held)
    }

    /// Whether it has made any call.
    pub(super) const fn has_calls(&self) -> bool {
        self.calls > 0
    }

    pub(super) fn text(&mut self, text: String, logprobs: Option<Json>) {
        if !text.is_empty() || logprobs.is_some() {
            let is_text = |it: &Kind| matches!(it, Kind::Text(_));
            let serial = self.tail(is_text, || Kind::Text(Text::default()));
            self.add(serial, Delta::Text { text, logprobs });
        }
    }

    /// Sources may be told before the text that they belong to.
    pub(super) fn cite(&mut self, citation: Citation) {
        let is_text = |it: &Kind| matches!(it, Kind::Text(_));
        let serial = self.tail(is_text, || Kind::Text(Text::default()));
        self.add(serial, Delta::Cite(citation));
    }

    pub(super) fn refusal(&mut self, text: String) {
        if !text.is_empty() {
            let is_refusal = |it: &Kind| matches!(it, Kind::Refusal(_));
            let serial = self.tail(is_refusal, || Kind::Refusal(String::new()));
            self.add(serial, Delta::Refusal(text));
        }
    }

    pub(super) fn thinking(&mut self, text: String) {
        if !text.is_empty() {
            let is_thinking = |it: &Kind| matches!(it, Kind::Thinking(_));
            let serial = self.tail(is_thinking, || Kind::Thinking(Thinking::default()));
            self.add(serial, Delta::Thinking(text));
        }
    }

    pub(super) fn state(&mut self, opaque: Opaque, redacted: bool) {
        let serial = if redacted {
            let thought = Thinking { text: String::new(), opaque: Some(opaque), redacted };
            self.begin(Piece::new(Kind::Thinking(thought)))
        } else {
            let is_thinking = |it: &Kind| matches!(it, Kind::Thinking(_));
            let serial = self.tail(is_thinking, || Kind::Thinking(Thinking::default()));
            self.add(serial, Delta::State(opaque));
            serial
        };
        self.end(serial);
    }

    /// A call begins in a slot, or goes on: if it has no other id and no other name than
    /// the one that is there, and that one is not whole. The start of a call that is
    /// whole, told again with its id, is nothing new.
    pub(super) fn call(&mut self, slot: u64, begun: Begun) {
        if let Some(Slot { id, serial }) = self.slots.get_mut(&slot) {
            let at = serial.checked_sub(self.first).and_then(|it| usize::try_from(it).ok());
            let piece = at.and_then(|it| self.queue.get_mut(it));
            if let Some(piece) = piece.filter(|it| it.is_unfinished_call())
                && let Kind::Call(call) = &mut piece.kind
            {
                if call.is_continued_by(&begun) {
                    if id.is_empty() {
                        begun.id.clone_into(id);
                    }
                    call.learn(begun, piece.index.is_some());
                    self.latest = Some(*serial);
                    return;
                }
                piece.over = true;
            }
            let says_nothing = begun.id.is_empty() && begun.name.is_empty();
            if says_nothing || (!begun.id.is_empty() && *id == begun.id) {
                return;
            }
        }
        let id = begun.id.clone();
        let serial = self.begin(Piece::call(begun));
        self.slots.insert(slot, Slot { id, serial });
    }

    pub(super) fn input(&mut self, slot: u64, text: &str) {
        let Some(serial) = self.slots.get(&slot).map(|it| it.serial) else {
            if !text.is_empty() {
                self.defect = Some(nonsense("it goes on with a call that never began"));
            }
            return;
        };
        // What comes after the end of a call is no part of it.
        if self.piece(serial).is_some_and(|it| !it.over) {
            self.latest = Some(serial);
            self.add(serial, Delta::Input(text.to_owned()));
        }
    }

    pub(super) fn call_end(&mut self, slot: u64) {
        if let Some(serial) = self.slots.get(&slot).map(|it| it.serial) {
            self.end(serial);
        }
    }

    /// What was last told of is over.
    pub(super) fn block_end(&mut self) {
        if let Some(serial) = self.latest.take() {
            self.end(serial);
        }
    }

    /// It ended for this reason. Words may still come, and go on; calls do not.
    pub(super) fn stop(&mut self, stop: Stop) {
        if self.stop.is_some() {
            return;
        }
        self.stop = Some(stop);
        for piece in self.queue.iter_mut().filter(|it| it.is_unfinished_call()) {
            piece.over = true;
        }
    }

    pub(super) fn end_all(&mut self) {
        for piece in &mut self.queue {
            piece.over = true;
        }
    }

    /// Tells what can be told.
    pub(super) fn advance(&mut self, request: &str, out: &mut Vec<Step>) -> Result<(), Failure> {
        if let Some(defect) = self.defect.take() {
            return Err(defect);
        }
        let choice = self.choice;
        while let Some(piece) = self.queue.front_mut() {
            let Some(index) = piece.index.or_else(|| {
                let block = piece.opening(request, choice, self.calls)?;
                let index = self.opened;
                self.opened = self.opened.saturating_add(1);
                if matches!(piece.kind, Kind::Call(_)) {
                    self.calls = self.calls.saturating_add(1);
                }
                out.push(Step::Open { choice, index, block });
                piece.index = Some(index);
                piece.index
            }) else {
                return if piece.over { Err(nameless()) } else { Ok(()) };
            };
            let untold = piece.take_untold();
            out.extend(untold.into_iter().map(|delta| Step::Delta { choice, index, delta }));
            let is_whole_call = matches!(piece.kind, Kind::Call(_)) && !piece.is_unfinished_call();
            if !piece.over && !is_whole_call {
                return Ok(());
            }
            let last = piece.finish().map(|delta| Step::Delta { choice, index, delta });
            out.extend(last);
            let Some(piece) = self.queue.pop_front() else { return Ok(()) };
            self.first = self.first.saturating_add(1);
            self.held = self.held.saturating_sub(piece.held());
            out.push(Step::Close { choice, index, whole: piece.into_part() });
        }
        Ok(())
    }

    /// The last block if it is of this kind and not over; otherwise a new one.
    fn tail(&mut self, is_it: impl Fn(&Kind) -> bool, new: impl FnOnce() -> Kind) -> u64 {
        match self.queue.back() {
            Some(last) if !last.over && is_it(&last.kind) => {
                let serial = self.next_serial().saturating_sub(1);
                self.latest = Some(serial);
                serial
            }
            Some(_) | None => self.begin(Piece::new(new())),
        }
    }

    /// Puts a block behind the others. Unless the last one is a call, it is over then.
    fn begin(&mut self, piece: Piece) -> u64 {
        if let Some(last) = self.queue.back_mut() {
            last.over |= !matches!(last.kind, Kind::Call(_));
        }
        let serial = self.next_serial();
        self.held = self.held.saturating_add(piece.held());
        self.queue.push_back(piece);
        self.latest = Some(serial);
        serial
    }

    fn add(&mut self, serial: u64, delta: Delta) {
        let Some(piece) = self.piece(serial) else { return };
        let before = piece.held();
        piece.add(delta);
        let more = piece.held().saturating_sub(before);
        self.held = self.held.saturating_add(more);
    }

    fn end(&mut self, serial: u64) {
        if let Some(piece) = self.piece(serial) {
            piece.over = true;
        }
    }

    fn piece(&mut self, serial: u64) -> Option<&mut Piece> {
        let at = serial.checked_sub(self.first).and_then(|it| usize::try_from(it).ok())?;
        self.queue.get_mut(at)
    }

    fn next_serial(&self) -> u64 {
        self.first.saturating_add(self.queue.len() as u64)
    }
}
