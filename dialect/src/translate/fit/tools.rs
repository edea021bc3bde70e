//! What tools are called at a target, and of what kind they are there.

use crate::{
    chat::{CallInput, Content, Request, Tool, ToolKind},
    json::Json,
    translate::{How, Names, Notes, Original, Target, call_ids},
};
use domain::catalog::{Dialect, Quirk};
use std::collections::{BTreeMap, BTreeSet};

/// The tools of a request that are others at the target.
#[derive(Debug)]
pub(super) struct Renaming {
    rule: Rule,
    /// By name; then by namespace.
    tools: BTreeMap<String, BTreeMap<Option<String>, New>>,
}

/// A tool at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct New {
    /// Its name there.
    pub(super) upstream: String,
    /// Whether its namespace has gone into the name.
    pub(super) flattened: bool,
    /// Whether its free text stands in the field `input` of an object.
    pub(super) wrapped: bool,
}

/// What a target takes.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// The longest name, in bytes.
    most: usize,
    /// Whether names may have `.` and `:`, and have to begin with a letter or `_`.
    gemini: bool,
    custom: bool,
}

impl Rule {
    fn of(target: &Target<'_>) -> Self {
        let plain = Self { most: 64, gemini: false, custom: false };
        match target.dialect {
            Dialect::OpenAi => Self { custom: target.quirks.has(Quirk::CustomTools), ..plain },
            Dialect::OpenAiResponses => Self { custom: true, ..plain },
            Dialect::Anthropic => Self { most: 128, ..plain },
            Dialect::Gemini => Self { gemini: true, ..plain },
            Dialect::Bedrock => plain,
        }
    }

    fn allows(self, letter: char) -> bool {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '_' | '-')
            || (self.gemini && matches!(letter, '.' | ':'))
    }

    /// The tool's name, if the target takes it; or what of it may stay, with a hash behind
    /// it. `again` tells apart those that would be the same.
    fn name(self, name: &str, namespace: Option<&str>, again: usize) -> String {
        let full = match namespace {
            Some(namespace) => format!("{namespace}__{name}"),
            None => name.to_owned(),
        };
        let begins = full.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        let begins = begins || (!self.gemini && !full.is_empty());
        let fits = full.len() <= self.most && full.chars().all(|it| self.allows(it));
        if begins && fits && again == 0 {
            return full;
        }
        let first = (!begins).then_some('_');
        let kept = first.into_iter().chain(full.chars()).take(KEPT);
        let kept: String = kept.map(|it| if self.allows(it) { it } else { '_' }).collect();
        let identity = format!("{}\n{name}\n{again}", namespace.unwrap_or_default());
        format!("{kept}_{}", call_ids::short_hash(&identity))
    }
}

impl Renaming {
    pub(super) fn of(request: &Request, target: &Target<'_>) -> Self {
        let rule = Rule::of(target);
        let mut found = Self { rule, tools: BTreeMap::new() };
        let all = tools(request);
        let fits = |name: &str, namespace: Option<&str>| {
            namespace.is_none() && rule.name(name, namespace, 0) == name
        };
        // Those that keep their names have them first.
        let kept = all.iter().filter(|(name, namespace, _)| fits(name, *namespace));
        let mut taken: BTreeSet<String> = kept.map(|(name, ..)| (*name).to_owned()).collect();
        for (name, namespace, custom) in all {
            let wrapped = custom && !rule.custom;
            let keeps = fits(name, namespace);
            if (keeps && !wrapped) || found.find(name, namespace).is_some() {
                continue;
            }
            let mut names = (0..TRIES).map(|again| rule.name(name, namespace, again));
            let upstream = match keeps {
                true => None,
                false => names.find(|it| !taken.contains(it)),
            };
            let upstream = upstream.unwrap_or_else(|| name.to_owned());
            taken.insert(upstream.clone());
            let flattened = namespace.is_some();
            let new = New { upstream, flattened, wrapped };
            let of_name = found.tools.entry(name.to_owned()).or_default();
            of_name.insert(namespace.map(str::to_owned), new);
        }
        found
    }

    /// Whether all tools are there as they are here.
    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Whether the target knows tools that take free text.
    pub(super) const fn takes_custom(&self) -> bool {
        self.rule.custom
    }

    /// What a tool is there, if it is another.
    pub(super) fn find(&self, name: &str, namespace: Option<&str>) -> Option<&New> {
        self.tools.get(name)?.get(&namespace.map(str::to_owned))
    }

    /// What a tool is called there.
    pub(super) fn upstream<'a>(&'a self, name: &'a str, namespace: Option<&str>) -> &'a str {
        self.find(name, namespace).map_or(name, |it| &it.upstream)
    }

    /// Makes a tool what it is there.
    pub(super) fn apply(&self, tool: &mut Tool, notes: &mut Notes) {
        let Some(new) = self.find(&tool.name, tool.namespace.as_deref()) else { return };
        new.upstream.clone_into(&mut tool.name);
        if new.flattened {
            tool.namespace = None;
        }
        if let ToolKind::Custom { format } = &tool.kind
            && new.wrapped
        {
            let mut words = tool.description.take().unwrap_or_default();
            if !words.is_empty() {
                words.push_str("\n\n");
            }
            words.push_str("The input is free text: give all of it, as it is, in `input`.");
            if let Some(grammar) = format.as_ref().and_then(grammar) {
                words.push_str(&grammar);
                notes.add("tools.format", How::Changed);
            }
            tool.description = Some(words);
            tool.kind = ToolKind::Function { schema: Json::parse(WRAPPING), strict: None };
        }
    }

    /// For the way back.
    pub(super) fn into_names(self) -> Names {
        let mut names = Names::default();
        for (name, all) in self.tools {
            for (namespace, New { upstream, flattened: _, wrapped }) in all {
                names.add(upstream, Original { name: name.clone(), namespace, wrapped });
            }
        }
        names
    }
}

/// The schema of a tool that takes free text, where there are only functions.
const WRAPPING: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// How much of a name that the target does not take is kept, in letters.
const KEPT: usize = 55;

/// How often another name is sought for a tool whose name is taken.
const TRIES: usize = 16;

/// All tools that are offered or were called: name, namespace, whether it takes free text.
fn tools(request: &Request) -> Vec<(&str, Option<&str>, bool)> {
    let mut all: Vec<_> = request
        .tools
        .iter()
        .map(|it| {
            let custom = matches!(it.kind, ToolKind::Custom { .. });
            (it.name.as_str(), it.namespace.as_deref(), custom)
        })
        .collect();
    let parts = || request.turns.iter().flat_map(|it| &it.parts);
    // A text as input tells little: it may be what a model meant for JSON. Of tools that
    // are not offered any more, the results say whether they took texts.
    let custom: BTreeSet<_> = parts()
        .filter_map(|it| match &it.content {
            Content::Result(it) if it.custom => Some(it.call.as_str()),
            Content::Result(_)
            | Content::Call(_)
            | Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_) => None,
        })
        .collect();
    all.extend(parts().filter_map(|it| match &it.content {
        Content::Call(it) => {
            let text = matches!(it.input, CallInput::Text(_));
            let custom = text && custom.contains(it.id.as_str());
            Some((it.name.as_str(), it.namespace.as_deref(), custom))
        }
        Content::Result(_)
        | Content::Text(_)
        | Content::Refusal(_)
        | Content::Image(_)
        | Content::Audio { .. }
        | Content::Document(_)
        | Content::Thinking(_) => None,
    }));
    all
}

/// A grammar in words. OpenAI chat has it one object deeper than OpenAI responses.
fn grammar(format: &Json) -> Option<String> {
    let mut fields = format.fields()?;
    if fields.text("type").as_deref() == Some("text") {
        return None;
    }
    let inner = fields.take("grammar").map(Json::from);
    let inner = inner.as_ref().unwrap_or(format).fields()?;
    let syntax = inner.text("syntax");
    Some(match inner.text("definition") {
        Some(definition) => {
            let syntax = syntax.map(|it| format!(" ({it})")).unwrap_or_default();
            format!(" It has to match this grammar{syntax}:\n{definition}")
        }
        None => format!(" It has to match this grammar:\n{}", format.as_str()),
    })
}
