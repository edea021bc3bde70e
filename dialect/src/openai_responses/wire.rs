//! What responses look like on the wire: items, their contents, tools and answers.
//!
//! Only for writing; readers take objects apart field by field.

mod answer;
mod request;

pub(super) use answer::{Echo, ErrorObject, Event, Incomplete, Piece, Response, Usage};
pub(super) use request::{
    AllowedTool, Choice, Pairs, Reasoning, Request, TextConfig, TextFormat, Tool,
};

use crate::{chat::Citation, json::Json};
use serde::Serialize;
use std::borrow::Cow;

/// A piece of a conversation, as callers get and providers take it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    /// Words.
    Message {
        /// Only in answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
        /// Only in answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        role: &'static str,
        content: Vec<Content<'a>>,
    },
    /// Thoughts.
    Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
        summary: Vec<Summary<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<Cow<'a, str>>,
    },
    /// The model calls a function.
    FunctionCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<Cow<'a, str>>,
        arguments: Cow<'a, str>,
    },
    /// The model gives a tool free text.
    CustomToolCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<Cow<'a, str>>,
        input: Cow<'a, str>,
    },
    /// What a function gave.
    FunctionCallOutput { call_id: &'a str, output: Output<'a> },
    /// What a tool gave for a free text.
    CustomToolCallOutput { call_id: &'a str, output: Output<'a> },
}

impl Item<'_> {
    /// Says in an item of an answer how it ended; thoughts do not say it.
    pub(super) const fn set_status(&mut self, new: &'static str) {
        match self {
            Self::Message { status, .. }
            | Self::FunctionCall { status, .. }
            | Self::CustomToolCall { status, .. } => *status = Some(new),
            Self::Reasoning { .. }
            | Self::FunctionCallOutput { .. }
            | Self::CustomToolCallOutput { .. } => {}
        }
    }
}

/// A piece of a message or of a tool's output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content<'a> {
    InputText {
        text: Cow<'a, str>,
    },
    InputImage {
        image_url: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'static str>,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
    },
    OutputText {
        /// Answers have to have it.
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<Vec<Annotation<'a>>>,
        /// Answers have to have it.
        #[serde(skip_serializing_if = "Option::is_none")]
        logprobs: Option<Json>,
        text: Cow<'a, str>,
    },
    Refusal {
        refusal: Cow<'a, str>,
    },
}

/// Where some words are from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Annotation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    start_index: u64,
    end_index: u64,
    url: Cow<'a, str>,
    title: Cow<'a, str>,
}

impl Annotation<'_> {
    /// Of a text of so many characters. Clients insist on a range: where none is known it
    /// is the whole text.
    pub(super) fn of(citation: &Citation, letters: u64) -> Annotation<'static> {
        let (start_index, end_index) = citation.range.unwrap_or((0, letters));
        Annotation {
            kind: "url_citation",
            start_index,
            end_index,
            url: citation.url.clone().into(),
            title: citation.title.clone().unwrap_or_default().into(),
        }
    }
}

/// A piece of what may be read of thoughts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Summary<'a> {
    SummaryText { text: Cow<'a, str> },
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Content<'a>>),
}

/// How much a text has, for ranges of annotations.
pub(super) fn letters(text: &str) -> u64 {
    text.chars().count() as u64
}

/// The array of tokens of several arrays, byte for byte; what is no array counts for none.
pub(super) fn joined<'j>(arrays: impl IntoIterator<Item = &'j Json>) -> Json {
    let mut text = String::from("[");
    for array in arrays {
        let inner = array.as_str().strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let inner = inner.unwrap_or_default().trim();
        if !inner.is_empty() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(inner);
        }
    }
    text.push(']');
    Json::parse(&text).unwrap_or_else(none)
}

/// No tokens.
pub(super) fn none() -> Json {
    Json::of(&serde_json::Value::Array(Vec::new()))
}
