//! Why an operator's request is refused before anything is written. Knows no gRPC status.

use proto::convert::Invalid;
use std::fmt;

/// The nouns of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Provider,
    Account,
    Model,
    Route,
    Team,
    Key,
    Limit,
    Settings,
}

impl Kind {
    /// The noun, for people and for `ResourceInfo`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Account => "account",
            Self::Model => "model",
            Self::Route => "route",
            Self::Team => "team",
            Self::Key => "key",
            Self::Limit => "limit",
            Self::Settings => "settings",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Fields are wrong: all that are.
    Invalid(Vec<Invalid>),
    /// There is no item of this name or id.
    NotFound { kind: Kind, name: String },
    /// There is one of this name already.
    Exists { kind: Kind, name: String },
    /// Other items refer to it.
    InUse { kind: Kind, name: String, by: Vec<String> },
    /// It ships with Sluice and stays as it is.
    BuiltIn { kind: Kind, name: String },
    /// The etag is not the stored one.
    EtagMismatch { kind: Kind, name: String },
    /// The system gives no randomness to make a key from.
    NoEntropy,
}

impl Refusal {
    /// One wrong field.
    pub(crate) fn field(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid(vec![Invalid::new(field, reason)])
    }

    /// The same, with wrong fields named as parts of the request's field `part`.
    pub(crate) fn within(self, part: &str) -> Self {
        let named = |it: Invalid| match it.field.as_str() {
            "update_mask" => it,
            field => Invalid::new(format!("{part}.{field}"), it.reason),
        };
        match self {
            Self::Invalid(wrong) => Self::Invalid(wrong.into_iter().map(named).collect()),
            other @ (Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::InUse { .. }
            | Self::BuiltIn { .. }
            | Self::EtagMismatch { .. }
            | Self::NoEntropy) => other,
        }
    }

    /// What a caller wrote may be of any length; an answer is not.
    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        Self::NotFound { kind, name: name.chars().take(200).collect() }
    }

    pub(crate) fn exists(kind: Kind, name: &impl ToString) -> Self {
        Self::Exists { kind, name: name.to_string() }
    }

    pub(crate) fn built_in(kind: Kind, name: &impl ToString) -> Self {
        Self::BuiltIn { kind, name: name.to_string() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(wrong) => match wrong.as_slice() {
                [only] => write!(f, "{only}"),
                many => {
                    let texts: Vec<_> = many.iter().map(ToString::to_string).collect();
                    write!(f, "{} fields are wrong: {}", many.len(), texts.join("; "))
                }
            },
            Self::NotFound { kind, name } => write!(f, "there is no {kind} `{name}`"),
            Self::Exists { kind, name } => write!(f, "there is a {kind} `{name}` already"),
            Self::InUse { kind, name, by } => {
                write!(f, "{kind} `{name}` is in use by {}", some_of(by))
            }
            Self::BuiltIn { kind, name } => write!(
                f,
                "{kind} `{name}` ships with Sluice and cannot be changed or deleted: add one of another name"
            ),
            Self::EtagMismatch { kind, name } => {
                write!(f, "{kind} `{name}` was changed in the meantime: read it again")
            }
            Self::NoEntropy => f.write_str("the system gives no randomness to make a key from"),
        }
    }
}

/// The first few, and how many more there are.
fn some_of(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = texts.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
