//! Which piece belongs to which call.
//!
//! Servers number calls wrongly or not at all, give ids late, never or anew with each
//! piece, and tell whole calls at once: a piece is a new call's only if it says a name.

use crate::{chat::Event, json::Fields, openai_chat::call::Said};
use serde::de::IgnoredAny;
use std::{borrow::Cow, collections::HashMap};

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Their places are their slots.
    calls: Vec<Told>,
    by_number: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
    /// Of which call an empty object is held back.
    empty: Option<usize>,
}

/// What is known of a call.
#[derive(Debug, Default)]
struct Told {
    id: String,
    name: String,
    /// What came before its name.
    early: String,
    /// Whether any input was told.
    filled: bool,
    /// Whether its input came in one piece.
    whole: bool,
}

impl Calls {
    /// Reads an element of `tool_calls`.
    pub(super) fn push(&mut self, choice: u32, mut fields: Fields<'_>, out: &mut Vec<Event>) {
        let number = fields.take_as::<u64>("index").ok().flatten();
        self.said(choice, number, Said::take(&mut fields), out);
    }

    /// Reads a piece of a call. `number`: the one it is given.
    pub(super) fn said(
        &mut self,
        choice: u32,
        number: Option<u64>,
        said: Said<'_>,
        out: &mut Vec<Event>,
    ) {
        let found = self.find(number, &said);
        let at = found.unwrap_or(self.calls.len());
        if found.is_none() {
            self.settle(choice, out);
            self.calls.push(Told::default());
        }
        if let Some(number) = number {
            self.by_number.insert(number, at);
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_empty() && !said.id.is_empty() {
            call.id = said.id.clone().into_owned();
            self.by_id.insert(call.id.clone(), at);
        }
        let input = said.input.map(|raw| match crate::json::text(raw) {
            Some(text) => text,
            None => Cow::Borrowed(raw.get()),
        });
        let input = input.unwrap_or_default();
        let slot = at as u64;
        if call.name.is_empty() && !said.name.is_empty() {
            call.name = said.name.into_owned();
            out.push(Event::CallStart {
                choice,
                slot,
                id: call.id.clone(),
                name: call.name.clone(),
                namespace: None,
                custom: said.custom,
                opaque: said.opaque,
            });
            let early = std::mem::take(&mut call.early);
            self.input(choice, at, &early, out);
        }
        self.input(choice, at, &input, out);
    }

    /// The call that a piece belongs to; `None`: a new one.
    fn find(&self, number: Option<u64>, said: &Said<'_>) -> Option<usize> {
        let last = || self.calls.len().checked_sub(1);
        // Without a name it can be no new call while there is any.
        let has_name = !said.name.is_empty();
        let found = match number {
            Some(number) => self.by_number.get(&number).copied(),
            None if !said.id.is_empty() => {
                self.by_id.get(&*said.id).copied().or_else(|| last().filter(|_| !has_name))
            }
            None => last(),
        }?;
        let call = self.calls.get(found)?;
        let differs = !said.id.is_empty() && !call.id.is_empty() && said.id != call.id;
        // The same name without an id may be the same call once more, unless that is whole.
        let begins_anew =
            said.id.is_empty() && !call.name.is_empty() && (call.whole || said.name != call.name);
        (!has_name || !(differs || begins_anew)).then_some(found)
    }

    fn input(&mut self, choice: u32, at: usize, text: &str, out: &mut Vec<Event>) {
        let Some(call) = self.calls.get_mut(at) else { return };
        if text.is_empty() {
            return;
        }
        if call.name.is_empty() {
            call.early.push_str(text);
            return;
        }
        if !call.filled {
            call.whole = text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
            // What follows may be the true arguments: then this was none.
            if text.trim() == "{}" {
                self.empty = Some(at);
                return;
            }
            self.empty = self.empty.filter(|it| *it != at);
        }
        call.filled = true;
        out.push(Event::CallInput { choice, slot: at as u64, text: text.to_owned() });
    }

    /// Nothing more comes for the call that was told last: an empty object was meant.
    pub(super) fn settle(&mut self, choice: u32, out: &mut Vec<Event>) {
        let Some(at) = self.empty.take() else { return };
        if let Some(call) = self.calls.get_mut(at) {
            call.filled = true;
            let (slot, text) = (at as u64, "{}".to_owned());
            out.push(Event::CallInput { choice, slot, text });
        }
    }
}
