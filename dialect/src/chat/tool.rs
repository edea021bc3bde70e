//! What a model may call, and whether it has to.

use super::CacheMark;
use crate::json::Json;

/// Something that a model may call and the caller runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// A space in which names are unique (OpenAI responses).
    pub namespace: Option<String>,
    /// For the model.
    pub description: Option<String>,
    /// What it takes.
    pub kind: ToolKind,
    /// Whether the prompt is worth keeping in a cache up to here.
    pub cache: Option<CacheMark>,
}

/// What a tool takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolKind {
    /// A JSON object.
    Function {
        /// Its JSON schema; `None`: no arguments.
        schema: Option<Json>,
        /// Whether it has to be kept to the letter; `None`: the dialect's default.
        strict: Option<bool>,
    },
    /// Free text.
    Custom {
        /// Its grammar, as OpenAI writes it in `format`; `None`: any text.
        format: Option<Json>,
    },
}

/// Whether and what a model has to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// What it likes, or nothing.
    Auto,
    /// Nothing.
    None,
    /// Something.
    Required,
    /// This tool.
    One {
        /// Its name.
        name: String,
    },
    /// Only some of the tools.
    Allowed {
        /// Whether it has to call one of them.
        required: bool,
        /// Their names.
        names: Vec<String>,
    },
}
