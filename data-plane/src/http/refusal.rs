//! Every way in which we say no, in words that tell the caller what to do.
//!
//! Knows whose fault each is and what kind of error it makes; the form that a dialect
//! gives to it is the dialect's.

mod limited;

pub(crate) use limited::{NeverFits, Shortfall, TooManyTokens, Uncounted};

use super::endpoint::EXISTING;
use dialect::{
    error::ErrorKind,
    peek,
    translate::{self, Notes},
};
use domain::{
    catalog::{Dialect, Limit, Operation},
    fault::Fault,
    id::LimitId,
    key::Unusable,
};
use std::{sync::Arc, time::Duration};

/// Why a request is not answered by an upstream. Never holds a credential, nor an
/// account's name: the caller reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("this proxy has no configuration yet: try again in a moment")]
    NotReady,
    #[error("there is nothing at this path. What exists: {EXISTING}")]
    UnknownPath,
    #[error("this path does not take this method: use {allow}")]
    WrongMethod { allow: &'static str },
    #[error("no virtual key was sent: send it as `Authorization: Bearer …` or as `x-api-key: …`")]
    NoKey,
    #[error("more than one virtual key was sent: send one")]
    TwoKeys,
    #[error("the virtual key is not valid: check it, or ask your operator for another")]
    UnknownKey,
    #[error("{0}: ask your operator")]
    UnusableKey(Unusable),
    #[error("the request's body is larger than {max_bytes} bytes: make it shorter")]
    TooLarge { max_bytes: usize },
    #[error("the request's body stopped for {} ms: send it without a pause", .idle.as_millis())]
    BodyTimeout { idle: Duration },
    #[error("the request's body broke off: send it again")]
    BodyBroken,
    #[error("`content-encoding: {encoding}` is not read here: use gzip, deflate or zstd, or none")]
    Encoding { encoding: String },
    #[error("the request's body is not packed as its `content-encoding` says: send it again")]
    Garbled,
    #[error("{0}")]
    Body(peek::Refused),
    #[error("the model `{alias}` does not exist, or the key may not use it{}", did_you_mean(.near))]
    UnknownModel { alias: String, near: Vec<String> },
    #[error("the route `{route}` has no enabled account: ask your operator")]
    NoAccount { route: String },
    #[error(
        "`previous_response_id`: no account here is known to keep this response for you: send the \
         conversation itself"
    )]
    UnknownResponse,
    #[error("{0}")]
    Unsayable(translate::Refused),
    #[error("{}", not_faithful(.route, .notes))]
    NotFaithful { route: String, notes: Notes },
    #[error("{}", wrong_dialect(route, *operation, speaks))]
    WrongDialect { route: String, operation: Operation, speaks: Vec<Dialect> },
    #[error("{0}")]
    Limited(Box<Shortfall>),
    #[error("{0}")]
    Uncounted(Box<Uncounted>),
    #[error("{0}")]
    TooManyTokens(Box<TooManyTokens>),
    #[error("{0}")]
    NeverFits(Box<NeverFits>),
    #[error("{}", limited::unpriced(.limit, .alias))]
    Unpriced { limit: Arc<Limit>, alias: String },
    #[error("{}", limited::no_headroom(*.retry_after))]
    NoHeadroom { retry_after: Option<Duration> },
    #[error("the request is larger than any account of this gateway takes: make it shorter")]
    TooLargeForAll,
    #[error("this proxy holds all the request bodies that it has room for: try again later")]
    NoRoom,
    #[error("the usage queue of this proxy is full, so it takes no new requests: try again later")]
    UsageQueueFull,
    #[error("the provider could not be reached: try again later")]
    UpstreamUnreachable,
    #[error("the provider did not answer in time: try again later")]
    UpstreamTimeout,
    #[error("the provider's answer was not a proper one: try again later")]
    UpstreamBroken,
    #[error("the provider refused this gateway's account, not you: tell your operator")]
    UpstreamCredential,
    #[error("something broke in this proxy: tell your operator the request id")]
    Panicked,
}

impl Refusal {
    pub(crate) fn never_fits(limit: Arc<Limit>, largest_milli: u64, asked_milli: u64) -> Self {
        Self::NeverFits(Box::new(NeverFits { limit, largest_milli, asked_milli }))
    }

    /// What kind of error it is to the caller's program.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NotReady => ErrorKind::NotReady,
            Self::UnknownPath => ErrorKind::UnknownPath,
            Self::WrongMethod { .. } => ErrorKind::MethodNotAllowed,
            Self::NoKey | Self::TwoKeys | Self::UnknownKey => ErrorKind::InvalidKey,
            Self::UnusableKey(_) => ErrorKind::Forbidden,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::BodyTimeout { .. } => ErrorKind::RequestTimeout,
            Self::BodyBroken
            | Self::Body(_)
            | Self::Garbled
            | Self::UnknownResponse
            | Self::Unsayable(_)
            | Self::NotFaithful { .. } => ErrorKind::InvalidRequest,
            Self::Encoding { .. } => ErrorKind::UnsupportedMediaType,
            Self::UnknownModel { .. } => ErrorKind::ModelNotFound,
            Self::NoAccount { .. } => ErrorKind::NoAccount,
            // What Claude Code expects of a gateway that cannot count.
            Self::WrongDialect { operation: Operation::CountTokens, .. } => ErrorKind::NotSupported,
            Self::WrongDialect { .. } => ErrorKind::InvalidRequest,
            Self::Limited(short) => short.kind(),
            Self::Uncounted(_) => ErrorKind::NotReady,
            Self::TooManyTokens(over) => over.kind(),
            Self::NeverFits(_) | Self::TooLargeForAll => ErrorKind::InvalidRequest,
            Self::Unpriced { .. } => ErrorKind::Forbidden,
            Self::NoHeadroom { retry_after: Some(_) } => ErrorKind::RequestsLimited,
            Self::NoHeadroom { retry_after: None } => ErrorKind::NoAccount,
            Self::NoRoom | Self::UsageQueueFull => ErrorKind::Overloaded,
            Self::UpstreamTimeout => ErrorKind::UpstreamTimeout,
            Self::UpstreamUnreachable | Self::UpstreamBroken | Self::UpstreamCredential => {
                ErrorKind::UpstreamFailed
            }
            Self::Panicked => ErrorKind::Internal,
        }
    }

    /// Who has to act.
    pub(crate) const fn fault(&self) -> Fault {
        match self {
            Self::NotReady
            | Self::NoAccount { .. }
            | Self::Uncounted(_)
            | Self::Unpriced { .. }
            | Self::NoRoom
            | Self::UsageQueueFull
            | Self::Panicked => Fault::Ours,
            Self::Limited(_)
            | Self::TooManyTokens(_)
            | Self::NeverFits(_)
            | Self::TooLargeForAll
            | Self::NoHeadroom { .. } => Fault::Limit,
            Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::UpstreamBroken
            | Self::UpstreamCredential => Fault::Upstream,
            Self::UnknownPath
            | Self::WrongMethod { .. }
            | Self::NoKey
            | Self::TwoKeys
            | Self::UnknownKey
            | Self::UnusableKey(_)
            | Self::TooLarge { .. }
            | Self::BodyTimeout { .. }
            | Self::BodyBroken
            | Self::Encoding { .. }
            | Self::Garbled
            | Self::Body(_)
            | Self::UnknownResponse
            | Self::Unsayable(_)
            | Self::NotFaithful { .. }
            | Self::UnknownModel { .. }
            | Self::WrongDialect { .. } => Fault::Caller,
        }
    }

    /// The field of the request that is to blame.
    pub(crate) fn param(&self) -> Option<&str> {
        if let Self::Body(refused) = self {
            return refused.param;
        }
        if matches!(self, Self::UnknownResponse) {
            return Some("previous_response_id");
        }
        if let Self::Unsayable(refused) = self {
            return Some(&refused.field);
        }
        if let Self::NotFaithful { notes, .. } = self {
            return notes.iter().next().map(|it| &*it.field);
        }
        let by_model = matches!(self, Self::UnknownModel { .. } | Self::WrongDialect { .. });
        if by_model { Some("model") } else { None }
    }

    /// The caller's limit that said no, and what was left of it then, in thousandths of its unit.
    pub(crate) fn short_of(&self) -> Option<(LimitId, u64)> {
        let Self::Limited(short) = self else { return None };
        Some((short.limit.id, short.left_milli))
    }

    /// When it may be worth trying again, where we know.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Limited(short) = self {
            return short.retry_after;
        }
        if let Self::Uncounted(it) = self {
            return Some(it.retry_after);
        }
        if let Self::NoHeadroom { retry_after } = self {
            return *retry_after;
        }
        let soon = matches!(self, Self::NotReady | Self::NoRoom | Self::UsageQueueFull);
        soon.then_some(Duration::from_secs(1))
    }

    /// Whether SDKs shall not try again by themselves: it is of no use, or the dialect's
    /// clients expect to be told so of a gateway's own limits (as Claude Code does).
    pub(crate) fn is_final(&self, dialect: Dialect) -> bool {
        let useless = match self.limit_says() {
            None => return matches!(self, Self::Unpriced { .. }),
            Some(retry_after) => retry_after.is_none(),
        };
        useless || self.kind() == ErrorKind::BudgetExhausted || dialect == Dialect::Anthropic
    }

    /// When there is more, where that is what is missing.
    fn limit_says(&self) -> Option<Option<Duration>> {
        let by_limit = matches!(self, Self::Limited(_) | Self::NoHeadroom { .. });
        by_limit.then(|| self.retry_after())
    }

    /// The limit that says no.
    pub(crate) fn limit(&self) -> Option<LimitId> {
        let limit = if let Self::Limited(it) = self {
            &it.limit
        } else if let Self::Uncounted(it) = self {
            it.limit.as_ref()?
        } else if let Self::TooManyTokens(it) = self {
            &it.limit
        } else if let Self::NeverFits(it) = self {
            &it.limit
        } else if let Self::Unpriced { limit, .. } = self {
            limit
        } else {
            return None;
        };
        Some(limit.id)
    }
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

fn not_faithful(route: &str, notes: &Notes) -> String {
    let fields: Vec<_> = notes.iter().map(|it| &*it.field).collect();
    format!(
        "`{route}` takes only what can be said to its provider without change, and this could \
         not be: {}",
        fields.join(", ")
    )
}

fn wrong_dialect(route: &str, operation: Operation, speaks: &[Dialect]) -> String {
    let names: Vec<_> = speaks.iter().map(|it| it.as_str()).collect();
    let mut text = format!("`{route}` has no account that can be asked this");
    if names.is_empty() {
        return text;
    }
    text.push_str(&format!(", but accounts that speak {}", names.join(" and ")));
    let elsewhere = match operation {
        Operation::Chat => speaks.iter().map(|it| chat_path(*it)).collect(),
        // Nobody else's dialect has these.
        Operation::Completions | Operation::Embeddings | Operation::CountTokens => Vec::new(),
    };
    if !elsewhere.is_empty() {
        text.push_str(&format!(": use {}", elsewhere.join(" or ")));
    }
    text
}

const fn chat_path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "POST /v1/chat/completions",
        Dialect::OpenAiResponses => "POST /v1/responses",
        Dialect::Anthropic => "POST /v1/messages",
        Dialect::Gemini => "POST /v1beta/models/{model}:generateContent",
        // Only providers speak it.
        Dialect::Bedrock => "POST /v1/chat/completions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_wrong_keys_read_the_same_and_name_nothing() {
        let text = Refusal::UnknownKey.to_string();
        assert!(text.contains("not valid") && !text.contains("slc_"), "{text}");
        assert_eq!(Refusal::UnknownKey.kind().status(Dialect::OpenAi), 401);
    }

    #[test]
    fn a_wrong_dialect_says_where_to_go() {
        let refusal = Refusal::WrongDialect {
            route: "claude".into(),
            operation: Operation::Chat,
            speaks: vec![Dialect::Anthropic],
        };
        assert!(refusal.to_string().ends_with("speak anthropic: use POST /v1/messages"));
    }

    #[test]
    fn near_names_are_offered_when_there_are_some() {
        let text = |near: &[&str]| {
            let near = near.iter().map(|it| (*it).to_owned()).collect();
            Refusal::UnknownModel { alias: "gpt".into(), near }.to_string()
        };
        assert!(text(&["gpt-4o", "gpt-4"]).ends_with("near it: gpt-4o, gpt-4"));
        assert!(text(&[]).ends_with("may not use it"));
    }
}
