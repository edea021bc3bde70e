//! The keys of answers that mean something to us, and what a string under them is.

use super::found::Slot;

/// A key of an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    #[default]
    Other,
    BlockReason,
    Candidates,
    Choices,
    Content,
    ContentBlock,
    Delta,
    Error,
    FinishReason,
    Id,
    Message,
    Output,
    PromptFeedback,
    Response,
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
    /// It is what the provider calls the answer.
    Id,
    /// It is an error's text.
    Error,
    Skip,
}

impl Key {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"blockReason" => Self::BlockReason,
            b"candidates" => Self::Candidates,
            b"choices" => Self::Choices,
            b"content" => Self::Content,
            b"content_block" => Self::ContentBlock,
            b"delta" => Self::Delta,
            b"error" => Self::Error,
            b"finish_reason" | b"finishReason" => Self::FinishReason,
            b"id" => Self::Id,
            b"message" => Self::Message,
            b"output" => Self::Output,
            b"promptFeedback" => Self::PromptFeedback,
            b"response" => Self::Response,
            b"stop_reason" | b"stopReason" => Self::StopReason,
            b"type" => Self::Type,
            b"usage" | b"usageMetadata" => Self::Usage,
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
        let written = matches!(
            top,
            Self::Choices
                | Self::Delta
                | Self::ContentBlock
                | Self::Content
                | Self::Candidates
                | Self::Output
        );
        match self {
            Self::Written(slot) if written => Role::Count(slot),
            Self::Content if written => Role::Count(Slot::Said),
            Self::Type if depth == 1 => Role::Kind,
            Self::Error if depth == 1 => Role::Error,
            Self::Id if depth == 1 || depth == 2 && top == Self::Response => Role::Id,
            Self::FinishReason if matches!(top, Self::Choices | Self::Candidates) => Role::End,
            Self::BlockReason if top == Self::PromptFeedback => Role::End,
            // OpenAI's responses: the piece itself.
            Self::Delta if depth == 1 => Role::Count(Slot::Said),
            Self::StopReason if depth == 1 || depth == 2 && top == Self::Delta => Role::End,
            Self::Other
            | Self::BlockReason
            | Self::Candidates
            | Self::Choices
            | Self::Content
            | Self::ContentBlock
            | Self::Delta
            | Self::Error
            | Self::FinishReason
            | Self::Id
            | Self::Message
            | Self::Output
            | Self::PromptFeedback
            | Self::Response
            | Self::StopReason
            | Self::Type
            | Self::Usage
            | Self::XGroq
            | Self::Written(_) => Role::Skip,
        }
    }
}
