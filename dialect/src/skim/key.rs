//! The keys of answers that mean something to us, and what a string under them is.

use super::found::Slot;

/// A key of an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    #[default]
    Other,
    Choices,
    Content,
    ContentBlock,
    Delta,
    Error,
    FinishReason,
    Message,
    StopReason,
    Type,
    Usage,
    XGroq,
    /// Text that the model wrote.
    Written(Slot),
}

/// What a string is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It may turn out to be a key.
    Name,
    /// It says what kind of object this is.
    Kind,
    /// The model wrote it.
    Count(Slot),
    /// It says why the model stopped.
    End,
    /// It is an error's text.
    Error,
    Skip,
}

impl Key {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"choices" => Self::Choices,
            b"content" => Self::Content,
            b"content_block" => Self::ContentBlock,
            b"delta" => Self::Delta,
            b"error" => Self::Error,
            b"finish_reason" => Self::FinishReason,
            b"message" => Self::Message,
            b"stop_reason" => Self::StopReason,
            b"type" => Self::Type,
            b"usage" => Self::Usage,
            b"x_groq" => Self::XGroq,
            b"arguments" | b"name" | b"partial_json" | b"refusal" | b"thinking" | b"transcript" => {
                Self::Written(Slot::Said)
            }
            b"reasoning" => Self::Written(Slot::Reasoning),
            b"reasoning_content" => Self::Written(Slot::ReasoningContent),
            b"text" => Self::Written(Slot::Text),
            _ => Self::Other,
        }
    }

    /// What a string under this key is, `depth` brackets deep, below `top` in the
    /// outermost object.
    pub(super) fn role(self, depth: u32, top: Self) -> Role {
        let written =
            matches!(top, Self::Choices | Self::Delta | Self::ContentBlock | Self::Content);
        match self {
            Self::Written(slot) if written => Role::Count(slot),
            Self::Content if written => Role::Count(Slot::Said),
            Self::Type if depth == 1 => Role::Kind,
            Self::Error if depth == 1 => Role::Error,
            Self::FinishReason if top == Self::Choices => Role::End,
            Self::StopReason if depth == 1 || depth == 2 && top == Self::Delta => Role::End,
            Self::Other
            | Self::Choices
            | Self::Content
            | Self::ContentBlock
            | Self::Delta
            | Self::Error
            | Self::FinishReason
            | Self::Message
            | Self::StopReason
            | Self::Type
            | Self::Usage
            | Self::XGroq
            | Self::Written(_) => Role::Skip,
        }
    }
}
