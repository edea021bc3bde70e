//! Goes through a JSON text once, in pieces of any size, and notices what an answer
//! says of itself: its kind, its usage, its end, an error, and how much text it has.
//!
//! Knows the few keys that providers use for these and where they may stand; a
//! tool's arguments that look like usage are not taken for it. Checks nothing else:
//! what is not JSON gives no findings, and no failure. Keeps [`MAX_USAGE`] bytes at
//! most, and takes a nanosecond or two for each byte.

mod found;
mod key;

pub(crate) use found::{Choices, Found, Short, TextCount};

use found::Usage;
use key::{Key, Role};

/// The longest `usage` object that is kept, in bytes. Real ones are below 1 KiB.
const MAX_USAGE: usize = 16 * 1024;

/// A walk over one JSON text.
#[derive(Debug, Default)]
pub(crate) struct Skim {
    depth: u32,
    /// Whether any bracket was seen.
    begun: bool,
    /// The string that we are in.
    string: Option<Role>,
    escape: Escape,
    /// The last string that was no value: the next colon makes it a key.
    last: Short,
    /// The key whose value comes next.
    awaited: Option<Key>,
    /// The key of the outermost object that we are under.
    top: Key,
    /// The depth around the `usage` object that is being kept, if one is.
    keeping: Option<u32>,
    kept: Vec<u8>,
    found: Found,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// Behind a backslash.
    Begun,
    /// Within `\uXXXX`.
    Unicode { left: u8, value: u32 },
}

impl Skim {
    /// Goes on with the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        // From where on the piece belongs to the object that is being kept.
        let mut keep_from = 0;
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            if let Some(role) = self.string {
                at = self.in_string(role, piece, at);
                continue;
            }
            match byte {
                b'"' => self.open_string(),
                b'{' | b'[' => {
                    if *byte == b'{' && self.is_usage() {
                        self.keeping = Some(self.depth);
                        self.kept.clear();
                        keep_from = at;
                    }
                    self.open(*byte);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.awaited = None;
                    if self.keeping == Some(self.depth) {
                        self.keep(piece.get(keep_from..=at).unwrap_or_default());
                        self.kept_all();
                    }
                }
                b':' => self.name_value(),
                b',' => self.awaited = None,
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => {
                    self.awaited = None;
                    self.fill_choices();
                    // Nothing changes before the next bracket, string or key: long
                    // arrays of numbers go by quickly.
                    let rest = piece.get(at..).unwrap_or_default();
                    let is_next = |it: &u8| matches!(it, b'"' | b'{' | b'}' | b'[' | b']' | b':');
                    let plain = rest.iter().position(is_next);
                    at = at.saturating_add(plain.unwrap_or(rest.len()));
                    continue;
                }
            }
            at = at.saturating_add(1);
        }
        if self.keeping.is_some() {
            self.keep(piece.get(keep_from..).unwrap_or_default());
        }
    }

    /// What was found since the last call; the walk starts anew.
    pub(crate) fn take(&mut self) -> Found {
        std::mem::take(self).found
    }

    /// What was found so far.
    pub(crate) const fn found(&self) -> &Found {
        &self.found
    }

    /// What was found, if the text ended where it stands: with all brackets and
    /// strings closed.
    pub(crate) fn take_if_whole(&mut self) -> Option<Found> {
        let is_whole = self.begun && self.depth == 0 && self.string.is_none();
        is_whole.then(|| self.take())
    }

    fn open(&mut self, bracket: u8) {
        self.fill_choices();
        let key = self.awaited.take();
        if self.depth == 1 {
            match key {
                Some(Key::Choices) if bracket == b'[' => self.found.choices = Choices::Empty,
                Some(Key::Error) => self.found.error = true,
                Some(_) | None => {}
            }
        }
        self.begun = true;
        self.depth = self.depth.saturating_add(1);
    }

    fn name_value(&mut self) {
        let key = Key::of(self.last.as_slice());
        if self.depth == 1 {
            self.top = key;
        }
        self.awaited = Some(key);
    }

    fn open_string(&mut self) {
        self.fill_choices();
        let role = match self.awaited.take() {
            Some(key) => key.role(self.depth, self.top),
            None => {
                self.last = Short::default();
                Role::Name
            }
        };
        match role {
            Role::Kind => self.found.kind = Short::default(),
            Role::Id => self.found.id.clear(),
            Role::Count(slot) => self.found.count(slot).begin(),
            Role::Name | Role::End | Role::Error | Role::Skip => {}
        }
        self.escape = Escape::None;
        self.string = Some(role);
    }

    /// Something stands where we are: if that is in `choices`, it is not empty.
    fn fill_choices(&mut self) {
        if self.depth == 2 && self.top == Key::Choices && self.found.choices == Choices::Empty {
            self.found.choices = Choices::Some;
        }
    }

    fn is_usage(&self) -> bool {
        self.keeping.is_none()
            && self.awaited == Some(Key::Usage)
            && match self.depth {
                1 => true,
                2 => matches!(self.top, Key::Message | Key::XGroq | Key::Response),
                3 => self.top == Key::Choices,
                _ => false,
            }
    }

    /// Goes on in a string from `at`; returns where to go on after it.
    fn in_string(&mut self, role: Role, piece: &[u8], at: usize) -> usize {
        let rest = piece.get(at..).unwrap_or_default();
        match self.escape {
            Escape::None => {
                let Some(end) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.text(role, rest);
                    return piece.len();
                };
                self.text(role, rest.get(..end).unwrap_or_default());
                if rest.get(end) == Some(&b'"') {
                    self.string = None;
                } else {
                    self.escape = Escape::Begun;
                }
                at.saturating_add(end).saturating_add(1)
            }
            Escape::Begun => {
                if rest.first() == Some(&b'u') {
                    self.escape = Escape::Unicode { left: 4, value: 0 };
                } else {
                    self.escape = Escape::None;
                    self.escaped(role, 0);
                }
                at.saturating_add(1)
            }
            Escape::Unicode { left, value } => {
                let digit = rest.first().and_then(|it| char::from(*it).to_digit(16)).unwrap_or(0);
                let value = value.wrapping_mul(16).wrapping_add(digit);
                if left > 1 {
                    self.escape = Escape::Unicode { left: left.saturating_sub(1), value };
                } else {
                    self.escape = Escape::None;
                    self.escaped(role, value);
                }
                at.saturating_add(1)
            }
        }
    }

    /// A part of a string without escapes.
    fn text(&mut self, role: Role, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        match role {
            Role::Name => self.last.push(part),
            Role::Kind => self.found.kind.push(part),
            Role::Count(slot) => self.found.count(slot).add(part),
            Role::End => self.found.ended = true,
            Role::Id => self.found.add_id(part),
            Role::Error => self.found.error = true,
            Role::Skip => {}
        }
    }

    /// An escaped character of a string.
    fn escaped(&mut self, role: Role, code: u32) {
        match role {
            // No key and no kind that we know has an escape.
            Role::Name => self.last.spoil(),
            Role::Kind => self.found.kind.spoil(),
            Role::Id => self.found.id.clear(),
            Role::Count(slot) => self.found.count(slot).add_char(code),
            Role::End => self.found.ended = true,
            Role::Error => self.found.error = true,
            Role::Skip => {}
        }
    }

    fn keep(&mut self, part: &[u8]) {
        if self.kept.len().saturating_add(part.len()) > MAX_USAGE {
            self.keeping = None;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(part);
        }
    }

    fn kept_all(&mut self) {
        // None: it was too long.
        let Some(depth) = self.keeping.take() else { return };
        // The outermost wins, and among equals the last.
        if self.found.usage.as_ref().is_none_or(|it| depth <= it.depth) {
            self.found.usage = Some(Usage { depth, raw: std::mem::take(&mut self.kept) });
        }
    }
}

#[cfg(test)]
mod tests;
