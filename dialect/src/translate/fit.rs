//! Brings a request's tools and the ids of its calls into a target's form, before it is
//! written.
//!
//! Knows what names, kinds and ids each dialect takes; knows no JSON of any. What it
//! changes of tools stands in [`super::Names`], by which [`super::restore`] undoes it in the
//! answer.

mod tools;

use super::{Notes, Target, Thread, call_ids};
use crate::chat::{Call, CallInput, CallResult, Content, Request, ToolChoice};
use crate::json::Json;
use serde_json::json;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use tools::Renaming;

/// The request as the target takes it: itself, if it fits.
pub(crate) fn fit<'r>(
    request: &'r Request,
    target: &Target<'_>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Cow<'r, Request> {
    let renaming = Renaming::of(request, target);
    let ids_fit = call_ids::fit_already(&request.turns, target.dialect);
    if renaming.is_empty() && ids_fit {
        return Cow::Borrowed(request);
    }
    let mut fitted = request.clone();
    for tool in &mut fitted.tools {
        renaming.apply(tool, notes);
    }
    if let Some(choice) = &mut fitted.tool_choice {
        choose(choice, request, &renaming);
    }
    call_ids::fit(&mut fitted.turns, target.dialect);
    // What results refer to: each call's name upstream, by its id.
    let mut called = BTreeMap::new();
    for part in fitted.turns.iter_mut().flat_map(|it| &mut it.parts) {
        match &mut part.content {
            Content::Call(call) => {
                let wrapped = rename_call(call, &renaming);
                called.insert(call.id.clone(), (call.name.clone(), wrapped));
            }
            Content::Result(result) => rename_result(result, &called, &renaming),
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_) => {}
        }
    }
    thread.names = renaming.into_names();
    Cow::Owned(fitted)
}

fn choose(choice: &mut ToolChoice, request: &Request, renaming: &Renaming) {
    // A choice says no namespace: it is for all tools of this name.
    let mut offered: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tool in &request.tools {
        let upstream = renaming.upstream(&tool.name, tool.namespace.as_deref());
        offered.entry(&tool.name).or_default().insert(upstream);
    }
    let upstream = |name: &String| -> Vec<String> {
        match offered.get(name.as_str()) {
            Some(names) => names.iter().map(|it| (*it).to_owned()).collect(),
            // It may be said in the way in which it is flattened.
            None => vec![renaming.upstream(name, None).to_owned()],
        }
    };
    match choice {
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => {}
        ToolChoice::One { name } => {
            let mut names = upstream(name);
            if names.len() == 1 {
                *name = names.swap_remove(0);
            } else {
                *choice = ToolChoice::Allowed { required: true, names };
            }
        }
        ToolChoice::Allowed { required: _, names } => {
            let mut asked = BTreeSet::new();
            names.retain(|it| asked.insert(it.clone()));
            *names = names.iter().flat_map(upstream).collect();
        }
    }
}

/// Gives a call its name upstream; returns whether its input is wrapped there.
fn rename_call(call: &mut Call, renaming: &Renaming) -> bool {
    let Some(new) = renaming.find(&call.name, call.namespace.as_deref()) else { return false };
    new.upstream.clone_into(&mut call.name);
    if new.flattened {
        call.namespace = None;
    }
    if new.wrapped
        && let CallInput::Text(text) = &call.input
    {
        call.input = CallInput::Json(Json::of(&json!({ "input": text })));
    }
    new.wrapped
}

fn rename_result(
    result: &mut CallResult,
    called: &BTreeMap<String, (String, bool)>,
    renaming: &Renaming,
) {
    match called.get(&result.call).filter(|_| !result.call.is_empty()) {
        Some((name, wrapped)) => {
            if let Some(known) = &mut result.name {
                name.clone_into(known);
            }
            result.custom &= !wrapped;
        }
        None => {
            if let Some(name) = &mut result.name {
                *name = renaming.upstream(name, None).to_owned();
            }
        }
    }
    result.custom &= renaming.takes_custom();
}

#[cfg(test)]
mod tests;
