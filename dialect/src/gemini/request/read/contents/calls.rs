//! Ids for calls that have none, and which result answers which call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The calls of a conversation so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    turn: usize,
    count: usize,
    known: BTreeSet<String>,
    answered: BTreeSet<String>,
    by_name: BTreeMap<String, VecDeque<String>>,
    in_order: VecDeque<String>,
}

impl Calls {
    /// A turn begins.
    pub(super) const fn begin(&mut self, turn: usize) {
        self.turn = turn;
        self.count = 0;
    }

    /// The id of a call. Made of its place, so that it is the same whenever the same
    /// conversation comes again.
    pub(super) fn given(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|it| !it.is_empty()).unwrap_or_else(|| self.next("call"));
        self.known.insert(id.clone());
        self.by_name.entry(name.to_owned()).or_default().push_back(id.clone());
        self.in_order.push_back(id.clone());
        id
    }

    /// The id of the call that a result answers: by its id, else the first call of its name
    /// that has no result yet, else (without a name) the first of all.
    pub(super) fn answered(&mut self, id: Option<String>, name: Option<&str>) -> String {
        let id = id.filter(|it| !it.is_empty());
        if let Some(id) = id.as_ref().filter(|it| self.known.contains(*it)) {
            self.answered.insert(id.clone());
            return id.clone();
        }
        let mut waiting = match name {
            Some(name) => self.by_name.get_mut(name),
            None => Some(&mut self.in_order),
        };
        while let Some(call) = waiting.as_mut().and_then(|it| it.pop_front()) {
            if self.answered.insert(call.clone()) {
                return call;
            }
        }
        id.unwrap_or_else(|| self.next("result"))
    }

    fn next(&mut self, what: &str) -> String {
        let id = format!("{what}_{}_{}", self.turn, self.count);
        self.count = self.count.saturating_add(1);
        id
    }
}
