//! A company behind models, and how it is spoken to.

use super::Quirks;
use crate::{name::Name, pattern::Pattern};
use std::fmt;

/// A wire format that callers and providers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// OpenAI's: chat completions, embeddings, models.
    OpenAi,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's: messages, token counting, models.
    Anthropic,
    /// Google's: generated content, embeddings, token counting, models.
    Gemini,
    /// Amazon Bedrock's `Converse`. Only providers speak it.
    Bedrock,
}

impl Dialect {
    /// Every dialect, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::OpenAi, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Bedrock];

    /// The name in the catalog, in metrics and in the CLI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a credential is shown to a provider. Never in the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStyle {
    /// `Authorization: Bearer <credential>`.
    Bearer,
    /// `<header>: <credential>`, such as `x-api-key` or `api-key`.
    Header(String),
    /// Nothing is sent: a server of one's own, such as Ollama.
    None,
    /// Each request is signed with AWS's Signature Version 4. The credential is
    /// `ACCESS_KEY:SECRET_KEY` or `ACCESS_KEY:SECRET_KEY:SESSION_TOKEN`.
    SigV4 {
        /// Such as `us-east-1`; empty: the one that the base URL's host names.
        region: String,
        /// What is signed for, such as `bedrock`.
        service: String,
    },
    /// A service account of Google's, whose JSON key is the credential, is exchanged for
    /// bearer tokens that hold for a while.
    GoogleServiceAccount {
        /// What the tokens are for, such as `https://www.googleapis.com/auth/cloud-platform`.
        scope: String,
    },
    /// A client of Microsoft Entra, whose credential is `CLIENT_ID:CLIENT_SECRET`, is
    /// exchanged for bearer tokens that hold for a while.
    EntraClientCredentials {
        /// Where a tenant gives tokens:
        /// `https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`.
        token_url: String,
        /// What the tokens are for, such as `https://cognitiveservices.azure.com/.default`.
        scope: String,
    },
}

impl AuthStyle {
    /// Whether the credential itself is sent as a header, and so has to fit into one.
    pub const fn shows_credential(&self) -> bool {
        match self {
            Self::Bearer | Self::Header(_) => true,
            Self::None
            | Self::SigV4 { .. }
            | Self::GoogleServiceAccount { .. }
            | Self::EntraClientCredentials { .. } => false,
        }
    }
}

/// Where a provider speaks one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What is spoken there.
    pub dialect: Dialect,
    /// An `http(s)` URL up to where the operation's path starts, such as
    /// `https://api.openai.com/v1`. `None`: every account brings its own.
    pub base_url: Option<String>,
    /// How the credential is shown.
    pub auth: AuthStyle,
    /// The field in which chat requests take their maximum of output tokens; `None`:
    /// [`Endpoint::OUTPUT_CAP_FIELD`].
    pub output_cap_field: Option<String>,
    /// How it differs from what its dialect usually does.
    pub quirks: Quirks,
}

impl Endpoint {
    /// Where chat requests usually take their maximum of output tokens.
    pub const OUTPUT_CAP_FIELD: &'static str = "max_tokens";
}

/// A company behind models (or a server of one's own); speaks one or more dialects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name in the catalog, such as `openai`.
    pub name: Name,
    /// Its name for people, such as `OpenAI`.
    pub title: String,
    /// Where it speaks what; at most one endpoint a dialect.
    pub endpoints: Vec<Endpoint>,
    /// The environment variable that usually holds its credential.
    pub env_var: Option<String>,
    /// Which model names are its own: what makes them work once an account exists.
    pub model_patterns: Vec<Pattern>,
    /// Whether it only passes requests on to others' models. Native providers are preferred.
    pub aggregator: bool,
    /// Where its API is documented.
    pub docs_url: String,
    /// Whether it ships with Sluice, and so cannot be deleted.
    pub built_in: bool,
}

impl Provider {
    /// Where it speaks `dialect`, if it does.
    pub fn endpoint(&self, dialect: Dialect) -> Option<&Endpoint> {
        self.endpoints.iter().find(|it| it.dialect == dialect)
    }
}
