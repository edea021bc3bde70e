//! What a walk over an answer's JSON found.

use crate::count::count_chars;
use domain::tokens::estimate;

/// What one JSON text says of itself.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The outermost object's `type`.
    pub(crate) kind: Short,
    /// What the provider calls the answer; empty if it says nothing, or too much.
    pub(crate) id: Vec<u8>,
    /// Whether there is a reason why the model stopped.
    pub(crate) ended: bool,
    /// Whether it is an error, or carries one.
    pub(crate) error: bool,
    /// The outermost object's `choices`.
    pub(crate) choices: Choices,
    /// The usage object, as raw JSON.
    pub(crate) usage: Option<Usage>,
    texts: [TextCount; 4],
}

/// A `usage` object, and how deep it stood.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) depth: u32,
    pub(crate) raw: Vec<u8>,
}

/// What stands under `choices`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choices {
    #[default]
    None,
    Empty,
    Some,
}

/// Kinds of text that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Said,
    Reasoning,
    ReasoningContent,
    Text,
}

impl Found {
    /// The longest id that is kept, in bytes.
    const MAX_ID: usize = 128;

    pub(super) fn add_id(&mut self, part: &[u8]) {
        if Self::MAX_ID < self.id.len().saturating_add(part.len()) {
            // Unlike any id that a caller could name.
            self.id.clear();
        } else {
            self.id.extend_from_slice(part);
        }
    }

    pub(super) fn count(&mut self, slot: Slot) -> &mut TextCount {
        let [said, reasoning, reasoning_content, text] = &mut self.texts;
        match slot {
            Slot::Said => said,
            Slot::Reasoning => reasoning,
            Slot::ReasoningContent => reasoning_content,
            Slot::Text => text,
        }
    }

    /// All text that the model wrote here, with everything once.
    pub(crate) fn written(&self) -> TextCount {
        let [said, reasoning, reasoning_content, text] = self.texts;
        // Some providers send the same thoughts under two names, or as parts besides.
        let thoughts = reasoning.max(reasoning_content);
        said.plus(if thoughts.is_empty() { text } else { thoughts.max(text) })
    }
}

/// How much text there is, for a guess at its tokens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextCount {
    ascii: u64,
    others: u64,
    words: Words,
}

/// Whether a text is a single word, with blanks before it or behind it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    #[default]
    None,
    Begun,
    /// A blank has come behind the first word.
    Ended,
    Several,
}

impl Words {
    const fn with(self, is_blank: bool) -> Self {
        match (self, is_blank) {
            (Self::None, false) => Self::Begun,
            (Self::Begun, true) => Self::Ended,
            (Self::Ended, false) => Self::Several,
            (same, _) => same,
        }
    }
}

impl TextCount {
    /// The longest word that is taken for one token if it comes alone, in bytes.
    const WORD_LEN: u64 = 16;

    /// Adds a part of a UTF-8 text; it may begin and end within a character.
    pub(crate) fn add(&mut self, part: &[u8]) {
        let (ascii, others) = count_chars(part);
        self.ascii = self.ascii.saturating_add(ascii);
        self.others = self.others.saturating_add(others);
        for byte in part {
            if self.words == Words::Several {
                break;
            }
            self.words = self.words.with(byte.is_ascii_whitespace());
        }
    }

    /// Adds the character of a UTF-16 code unit, or of an escape such as `\n` as 0.
    pub(crate) fn add_char(&mut self, code: u32) {
        match code {
            0..0x80 => self.ascii = self.ascii.saturating_add(1),
            // The second half of a pair, whose first half was counted.
            0xdc00..0xe000 => {}
            _ => self.others = self.others.saturating_add(1),
        }
        self.words = self.words.with(matches!(code, 0 | 0x09..=0x0d | 0x20));
    }

    /// Another string begins, which is another word.
    pub(crate) fn begin(&mut self) {
        if self.words == Words::Begun {
            self.words = Words::Ended;
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let both = self.words != Words::None && other.words != Words::None;
        Self {
            ascii: self.ascii.saturating_add(other.ascii),
            others: self.others.saturating_add(other.others),
            words: if both { Words::Several } else { self.words.max(other.words) },
        }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.ascii == 0 && self.others == 0
    }

    /// Whether it is one short word. Most upstreams stream token by token, and a
    /// word that comes alone is one then, however long it is.
    pub(crate) fn is_one_word(self) -> bool {
        !self.is_empty()
            && self.others == 0
            && self.ascii <= Self::WORD_LEN
            && self.words != Words::Several
    }

    /// About how many tokens that is; not zero for some text.
    pub(crate) const fn tokens(self) -> u64 {
        estimate(self.ascii, self.others)
    }

    fn max(self, other: Self) -> Self {
        if other.tokens() > self.tokens() { other } else { self }
    }
}

/// A short text, or the knowledge that it is none that we look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Short {
    bytes: [u8; Self::MAX_LEN],
    /// Its length; more than the array has when it was too long.
    len: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { bytes: [0; Self::MAX_LEN], len: 0 }
    }
}

impl Short {
    const MAX_LEN: usize = 24;

    pub(crate) fn push(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(part);
        }
        self.len = end;
    }

    /// Makes it unlike any text.
    pub(crate) const fn spoil(&mut self) {
        self.len = usize::MAX;
    }

    /// The text; empty if it was too long.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether nothing was pushed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
