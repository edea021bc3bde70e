//! A provider's own name for a model, beyond what its patterns say.

use super::Price;
use crate::name::Name;
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A conversation: OpenAI chat completions and responses, Anthropic messages, Gemini's
    /// generated content.
    Chat,
    /// A text to be continued: OpenAI's completions from before chats.
    Completions,
    /// Texts to vectors.
    Embeddings,
    /// How many tokens a conversation would take (Anthropic, Gemini).
    CountTokens,
}

impl Operation {
    /// Every operation, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Completions, Self::Embeddings, Self::CountTokens];

    /// The name in usage records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
        }
    }
}

/// A model's name as its provider writes it: 1 to 200 printable characters, no spaces.
/// No larger than one pointer, for the same reason as an [`super::Alias`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName(Arc<Box<str>>);

/// Why a text is not a model name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a model name: use 1 to 200 printable characters without spaces or `*`")]
pub struct InvalidModelName(pub String);

impl ModelName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 200;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ModelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = InvalidModelName;

    fn from_str(text: &str) -> Result<Self, InvalidModelName> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len())
            && !text.chars().any(|it| it.is_whitespace() || it.is_control() || it == '*');
        if fits {
            Ok(Self(Arc::new(text.into())))
        } else {
            Err(InvalidModelName(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What tells models apart: the provider and its own name for the model.
/// Written `provider/model`, which callers may write in `model` too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId {
    /// Whose model it is.
    pub provider: Name,
    /// The provider's name for it.
    pub name: ModelName,
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.name)
    }
}

/// A model that is listed to callers, and that resolves to its provider by exact name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Provider and name.
    pub id: ModelId,
    /// What it can be asked; at least one.
    pub operations: Vec<Operation>,
    /// Whether it came with its provider's template.
    pub built_in: bool,
    /// What its tokens cost; `None`: not known, which is not nothing.
    pub price: Option<Price>,
    /// The most output tokens that it gives to one request, if that is known; above 0.
    pub max_output_tokens: Option<u64>,
    /// The most tokens that input and output of one request may have together, if that is
    /// known; above 0.
    pub context_tokens: Option<u64>,
}
