//! What was changed on the way, and what cannot be said at all.

use crate::json::WrongType;
use std::{borrow::Cow, fmt};

/// What was adapted, each field once for each way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes(Vec<Note>);

/// One thing that was adapted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The caller's field, in the caller's words: `top_k`, `messages.tool_calls.id`.
    pub field: Cow<'static, str>,
    /// What became of it.
    pub how: How,
}

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// It is not sent: the target has no place for it.
    Dropped,
    /// It was brought into the target's bounds.
    Clamped,
    /// It is sent in another form that means nearly the same.
    Changed,
    /// The target cannot do it; something else stands in for it.
    Emulated,
    /// It is sent in another place.
    Moved,
    /// The target wants it and the caller did not say it: a value of ours.
    Defaulted,
}

impl How {
    /// The word in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Clamped => "clamped",
            Self::Changed => "changed",
            Self::Emulated => "emulated",
            Self::Moved => "moved",
            Self::Defaulted => "defaulted",
        }
    }
}

impl Notes {
    /// Most notes that are kept: more say nothing more to anybody.
    pub const MAX: usize = 32;
    /// The longest field name that is kept, in bytes.
    const MAX_FIELD: usize = 64;

    /// Notes that `field` was adapted in this way.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, how: How) {
        let mut field = field.into();
        if field.len() > Self::MAX_FIELD {
            let end = (0..=Self::MAX_FIELD).rev().find(|it| field.is_char_boundary(*it));
            field = field.get(..end.unwrap_or(0)).unwrap_or_default().to_owned().into();
        }
        let note = Note { field, how };
        if self.0.len() < Self::MAX && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Notes that `field` is not sent.
    pub fn dropped(&mut self, field: impl Into<Cow<'static, str>>) {
        self.add(field, How::Dropped);
    }

    /// Notes that `field` is not sent, if it says anything.
    pub fn dropped_if<T>(&mut self, field: &'static str, value: &Option<T>) {
        if value.is_some() {
            self.dropped(field);
        }
    }

    /// Takes over what others noted.
    pub fn extend(&mut self, others: &Self) {
        for note in &others.0 {
            self.add(note.field.clone(), note.how);
        }
    }

    /// In the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    /// Whether nothing was adapted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As in the `x-sluice-adapted` header: `top_k;dropped, temperature;clamped`. Only
/// printable ASCII without the signs that part them.
impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, note) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            for letter in note.field.chars() {
                let plain = letter.is_ascii_graphic() && !matches!(letter, ',' | ';');
                write!(f, "{}", if plain { letter } else { '_' })?;
            }
            write!(f, ";{}", note.how.as_str())?;
        }
        Ok(())
    }
}

/// What cannot be said in the target's dialect without changing the answer's form or
/// meaning, or is no proper request in the caller's. A 400 that names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub struct Refused {
    /// The caller's field, in the caller's words.
    pub field: String,
    /// Why, and what to do. Never quotes values.
    pub reason: String,
}

impl Refused {
    /// A refusal of `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl From<WrongType> for Refused {
    fn from(wrong: WrongType) -> Self {
        Self { field: wrong.field, reason: wrong.why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_noted_once_for_each_way_and_fits_a_header() {
        let mut notes = Notes::default();
        notes.dropped("top_k");
        notes.dropped("top_k");
        notes.add("temperature", How::Clamped);
        notes.dropped("tö,k;en\n".to_owned());
        assert_eq!(notes.to_string(), "top_k;dropped, temperature;clamped, t__k_en_;dropped");
    }

    #[test]
    fn a_caller_cannot_make_them_long() {
        let mut notes = Notes::default();
        for number in 0..1_000 {
            notes.dropped(format!("{number}{}", "ä".repeat(500)));
        }
        assert_eq!(notes.iter().count(), Notes::MAX);
        assert!(notes.to_string().len() < 4_096);
    }
}
