//! Ids of calls: bringing them into a target's form, and making up those that are missing.
//!
//! The same conversation always gets the same ids, so that a later result finds its call
//! without anybody keeping a table, and the prompt's beginning stays the same for caches.

use crate::chat::{Content, Part, Turn};
use domain::catalog::Dialect;
use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

/// The id of an answer's call of this number, where the provider gives none.
pub(crate) fn invented(request: &str, choice: u32, number: u32) -> String {
    format!("call_{:016x}", hash(&format!("{request}\n{choice}\n{number}")))
}

/// Eight letters that tell apart what looks alike when it is shortened.
pub(super) fn short_hash(text: &str) -> String {
    let hash = hash(text);
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

/// FNV-1a, its bits mixed well in the end; it keeps no secrets.
fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// What a dialect takes for an id of a call.
struct Rule {
    /// Most bytes.
    most: usize,
    /// Whether only letters, digits, `_` and `-` may be in it.
    plain: bool,
    /// Whether it may be absent.
    optional: bool,
}

const fn rule(dialect: Dialect) -> Rule {
    match dialect {
        Dialect::OpenAi => Rule { most: 40, plain: false, optional: false },
        Dialect::OpenAiResponses => Rule { most: 64, plain: false, optional: false },
        Dialect::Anthropic | Dialect::Bedrock => Rule { most: 64, plain: true, optional: false },
        Dialect::Gemini => Rule { most: usize::MAX, plain: false, optional: true },
    }
}

impl Rule {
    /// The id; or what of it may stay, with a hash behind it.
    fn fitted<'t>(&self, id: &'t str) -> Cow<'t, str> {
        // What is printable ASCII is fine with everybody who takes any text at all.
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let is_allowed = |it: char| if self.plain { is_plain(it) } else { it.is_ascii_graphic() };
        if id.len() <= self.most && id.chars().all(is_allowed) {
            return Cow::Borrowed(id);
        }
        let kept = id.chars().take(self.most.saturating_sub(9));
        let kept: String = kept.map(|it| if is_allowed(it) { it } else { '_' }).collect();
        Cow::Owned(format!("{kept}_{}", short_hash(id)))
    }
}

/// Whether every call and result has an id that the target takes.
pub(super) fn fit_already(turns: &[Turn], target: Dialect) -> bool {
    let rule = rule(target);
    let fits =
        |id: &str| rule.optional || (!id.is_empty() && matches!(rule.fitted(id), Cow::Borrowed(_)));
    turns.iter().flat_map(|it| &it.parts).all(|it| match &it.content {
        Content::Call(call) => fits(&call.id),
        Content::Result(result) => fits(&result.call),
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Image(_)
        | Content::Audio { .. }
        | Content::Document(_)
        | Content::Thinking(_) => true,
    })
}

/// Brings the ids of all calls and results into the target's form. Results without an id
/// belong to the first call without one, and of their name if they have any, that has no
/// result yet.
pub(super) fn fit(turns: &mut [Turn], target: Dialect) {
    let rule = rule(target);
    if rule.optional {
        return;
    }
    let mut made_up = MadeUp::default();
    for part in turns.iter_mut().flat_map(|it| &mut it.parts) {
        match &mut part.content {
            Content::Call(call) => match call.id.is_empty() {
                true => call.id = made_up.of_call(&call.name),
                false => refit(&mut call.id, &rule),
            },
            Content::Result(result) => match result.call.is_empty() {
                true => result.call = made_up.of_result(result.name.as_deref()),
                false => refit(&mut result.call, &rule),
            },
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_) => {}
        }
    }
}

/// The ids of the calls of an answer that have none.
pub(super) fn invent_missing(parts: &mut [Part], request: &str, choice: u32) {
    let calls = parts.iter_mut().filter_map(|it| match &mut it.content {
        Content::Call(call) => Some(call),
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Image(_)
        | Content::Audio { .. }
        | Content::Document(_)
        | Content::Thinking(_)
        | Content::Result(_) => None,
    });
    for (number, call) in (0..).zip(calls) {
        if call.id.is_empty() {
            call.id = invented(request, choice, number);
        }
    }
}

fn refit(id: &mut String, rule: &Rule) {
    if let Cow::Owned(fitted) = rule.fitted(id) {
        *id = fitted;
    }
}

/// The ids of a conversation's calls that have none.
#[derive(Default)]
struct MadeUp {
    count: u64,
    /// The ids of calls that have no result yet, in their order.
    open: BTreeMap<u64, String>,
    /// Which calls there were of a name. Those that have a result since may still be there.
    of_name: BTreeMap<String, VecDeque<u64>>,
}

impl MadeUp {
    fn of_call(&mut self, name: &str) -> String {
        let id = self.next(name);
        self.open.insert(self.count, id.clone());
        self.of_name.entry(name.to_owned()).or_default().push_back(self.count);
        id
    }

    fn of_result(&mut self, name: Option<&str>) -> String {
        let id = match name {
            None => self.open.pop_first().map(|(_, id)| id),
            Some(name) => self.of_name.get_mut(name).and_then(|numbers| {
                std::iter::from_fn(|| numbers.pop_front()).find_map(|it| self.open.remove(&it))
            }),
        };
        // Without a call it belongs to none: the provider may say so.
        id.unwrap_or_else(|| self.next(name.unwrap_or_default()))
    }

    fn next(&mut self, name: &str) -> String {
        self.count = self.count.saturating_add(1);
        format!("call_{:016x}", hash(&format!("{name}\n{}", self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{Call, CallInput, CallResult, Role},
        json::Json,
    };

    fn turns(ids: &[(&str, &str)]) -> Vec<Turn> {
        let call = |(id, name): &(&str, &str)| {
            Part::new(Content::Call(Call {
                id: (*id).to_owned(),
                name: (*name).to_owned(),
                namespace: None,
                input: CallInput::Json(Json::empty_object()),
                opaque: None,
            }))
        };
        let result = |(id, name): &(&str, &str)| {
            Part::new(Content::Result(CallResult {
                call: (*id).to_owned(),
                name: Some((*name).to_owned()),
                parts: Vec::new(),
                failed: false,
                custom: false,
            }))
        };
        let turn = |role, parts| Turn { role, name: None, parts };
        vec![
            turn(Role::Assistant, ids.iter().map(call).collect()),
            // Answered the other way round.
            turn(Role::User, ids.iter().rev().map(result).collect()),
        ]
    }

    fn ids(turns: &[Turn]) -> Vec<&str> {
        fn id(part: &Part) -> Option<&str> {
            match &part.content {
                Content::Call(it) => Some(it.id.as_str()),
                Content::Result(it) => Some(it.call.as_str()),
                Content::Text(_)
                | Content::Refusal(_)
                | Content::Image(_)
                | Content::Audio { .. }
                | Content::Document(_)
                | Content::Thinking(_) => None,
            }
        }
        turns.iter().flat_map(|it| &it.parts).filter_map(id).collect()
    }

    /// The ids of two calls and of their results in a request for `target`.
    fn fitted_for(target: Dialect, first: (&str, &str), second: (&str, &str)) -> [String; 2] {
        let mut turns = turns(&[first, second]);
        let already = fit_already(&turns, target);
        let before = turns.clone();
        fit(&mut turns, target);
        assert_eq!(already, before == turns);
        assert!(fit_already(&turns, target));
        let ids = ids(&turns);
        assert_eq!((ids[0], ids[1]), (ids[3], ids[2]));
        [ids[0].to_owned(), ids[1].to_owned()]
    }

    /// Bug 22 of the list: ids were too long, or of letters that the target does not take.
    #[test]
    fn ids_get_the_targets_form_and_results_find_their_calls() {
        let long = "x".repeat(100);
        for (target, most) in [
            (Dialect::OpenAi, 40),
            (Dialect::OpenAiResponses, 64),
            (Dialect::Anthropic, 64),
            (Dialect::Bedrock, 64),
        ] {
            let [first, second] = fitted_for(target, (&long, "a"), ("functions.x:0", "a"));
            assert_eq!(first.len(), most);
            assert!(first.starts_with("xxx") && second.starts_with("functions"));
            let plain = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it);
            let is_plain = matches!(target, Dialect::Anthropic | Dialect::Bedrock);
            assert_eq!(second.chars().all(plain), is_plain);
            let [first, second] = fitted_for(target, ("call_1", "a"), ("call.1", "b"));
            assert_eq!(first, "call_1");
            assert_ne!(first, second);
        }
    }

    #[test]
    fn missing_ids_are_made_up_and_the_same_each_time() {
        for target in [Dialect::OpenAi, Dialect::Anthropic] {
            let ids = fitted_for(target, ("", "a"), ("", "b"));
            assert_ne!(ids[0], ids[1]);
            assert_eq!(ids, fitted_for(target, ("", "a"), ("", "b")));
        }
        assert_eq!(fitted_for(Dialect::Gemini, ("", "a"), ("a.b", "b")), ["", "a.b"]);
    }

    #[test]
    fn an_answers_missing_ids_are_its_own() {
        let mut turns = turns(&[("", "a"), ("x", "a"), ("", "a")]);
        invent_missing(&mut turns[0].parts, "req_1", 0);
        let ids = ids(&turns[..1]);
        assert_eq!((ids[0], ids[1]), (invented("req_1", 0, 0).as_str(), "x"));
        assert_ne!(ids[2], ids[0]);
        assert_ne!(invented("req_1", 0, 0), invented("req_2", 0, 0));
        assert_eq!(invented("req_1", 0, 0).len(), 21);
    }
}
