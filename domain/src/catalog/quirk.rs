//! How an endpoint differs from what its dialect usually does.

use std::fmt;

/// One difference from the usual. For the OpenAI dialect the usual is what compatible
/// servers share: a `system` role, parts or plain texts as content, function tools only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Instructions are a `developer` message (OpenAI itself).
    DeveloperRole,
    /// Tools that take free text are known (OpenAI itself).
    CustomTools,
    /// `stream_options` is refused.
    NoStreamOptions,
    /// Thoughts are wanted back as `reasoning_content` in turns that call tools.
    ReasoningContent,
    /// Content has to be one plain text.
    PlainText,
    /// `response_format` knows no `json_schema`.
    NoJsonSchema,
    /// `parallel_tool_calls` is refused.
    NoParallelFlag,
    /// Anthropic's `cache_control` is understood in parts, messages and tools.
    CacheControl,
    /// `temperature`, `top_p` and `top_k` are refused.
    NoSampling,
    /// `reasoning_effort` is refused.
    NoEffort,
    /// Hosted by Vertex AI: of Anthropic's messages the model stands in the path; of Gemini
    /// counts of tokens take the request itself, and vectors are not to be had.
    Vertex,
    /// Anthropic's messages as Bedrock's `InvokeModel` hosts them: the model stands in the
    /// path, and streams come in Amazon's own framing.
    BedrockInvoke,
}

impl Quirk {
    /// Every quirk, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::DeveloperRole,
        Self::CustomTools,
        Self::NoStreamOptions,
        Self::ReasoningContent,
        Self::PlainText,
        Self::NoJsonSchema,
        Self::NoParallelFlag,
        Self::CacheControl,
        Self::NoSampling,
        Self::NoEffort,
        Self::Vertex,
        Self::BedrockInvoke,
    ];

    /// The name in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeveloperRole => "developer_role",
            Self::CustomTools => "custom_tools",
            Self::NoStreamOptions => "no_stream_options",
            Self::ReasoningContent => "reasoning_content",
            Self::PlainText => "plain_text",
            Self::NoJsonSchema => "no_json_schema",
            Self::NoParallelFlag => "no_parallel_flag",
            Self::CacheControl => "cache_control",
            Self::NoSampling => "no_sampling",
            Self::NoEffort => "no_effort",
            Self::Vertex => "vertex",
            Self::BedrockInvoke => "bedrock_invoke",
        }
    }

    /// The quirk of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The quirks of one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks(u32);

impl Quirks {
    /// None: all is as usual.
    pub const NONE: Self = Self(0);

    /// Whether this is one of them.
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & quirk.bit() != 0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | quirk.bit())
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |it| self.has(*it))
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<T: IntoIterator<Item = Quirk>>(quirks: T) -> Self {
        quirks.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_has_a_name_of_its_own_and_a_place_of_its_own() {
        for quirk in Quirk::ALL {
            assert_eq!(Quirk::parse(quirk.as_str()), Some(quirk));
            let only = Quirks::NONE.with(quirk);
            assert_eq!(only.iter().collect::<Vec<_>>(), [quirk]);
        }
        assert_eq!(Quirk::ALL.into_iter().collect::<Quirks>().iter().count(), Quirk::ALL.len());
    }
}
