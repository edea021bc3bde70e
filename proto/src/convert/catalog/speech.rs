//! How endpoints are spoken to: dialects, operations, credentials, quirks.

use super::{Invalid, Wrong};
use crate::admin::v1;
use domain::catalog::{AuthStyle, Dialect, Operation, Quirk, Quirks};

/// A dialect of the wire.
///
/// # Errors
/// When it is not said or not known here.
pub fn dialect_from(field: &str, dialect: i32) -> Result<Dialect, Invalid> {
    match v1::Dialect::try_from(dialect) {
        Ok(v1::Dialect::Openai) => Ok(Dialect::OpenAi),
        Ok(v1::Dialect::OpenaiResponses) => Ok(Dialect::OpenAiResponses),
        Ok(v1::Dialect::Anthropic) => Ok(Dialect::Anthropic),
        Ok(v1::Dialect::Gemini) => Ok(Dialect::Gemini),
        Ok(v1::Dialect::Bedrock) => Ok(Dialect::Bedrock),
        Ok(v1::Dialect::Unspecified) | Err(_) => Err(Invalid::new(
            field,
            "must be DIALECT_OPENAI, DIALECT_ANTHROPIC or another that is known",
        )),
    }
}

/// A dialect for the wire.
pub const fn dialect_to(dialect: Dialect) -> v1::Dialect {
    match dialect {
        Dialect::OpenAi => v1::Dialect::Openai,
        Dialect::OpenAiResponses => v1::Dialect::OpenaiResponses,
        Dialect::Anthropic => v1::Dialect::Anthropic,
        Dialect::Gemini => v1::Dialect::Gemini,
        Dialect::Bedrock => v1::Dialect::Bedrock,
    }
}

/// An operation of the wire.
///
/// # Errors
/// When it is not said or not known here.
pub fn operation_from(field: &str, operation: i32) -> Result<Operation, Invalid> {
    match v1::Operation::try_from(operation) {
        Ok(v1::Operation::Chat) => Ok(Operation::Chat),
        Ok(v1::Operation::Completions) => Ok(Operation::Completions),
        Ok(v1::Operation::Embeddings) => Ok(Operation::Embeddings),
        Ok(v1::Operation::CountTokens) => Ok(Operation::CountTokens),
        Ok(v1::Operation::Unspecified) | Err(_) => Err(Invalid::new(
            field,
            "must be OPERATION_CHAT, OPERATION_EMBEDDINGS or OPERATION_COUNT_TOKENS",
        )),
    }
}

/// An operation for the wire.
pub const fn operation_to(operation: Operation) -> v1::Operation {
    match operation {
        Operation::Chat => v1::Operation::Chat,
        Operation::Embeddings => v1::Operation::Embeddings,
        Operation::CountTokens => v1::Operation::CountTokens,
        Operation::Completions => v1::Operation::Completions,
    }
}

pub(super) fn auth_from(auth: Option<v1::AuthStyle>) -> AuthStyle {
    use v1::auth_style::{EntraClientCredentials, GoogleServiceAccount, SigV4, Style};
    match auth.and_then(|it| it.style) {
        Some(Style::Header(name)) => AuthStyle::Header(name),
        Some(Style::None(_)) => AuthStyle::None,
        Some(Style::Sigv4(SigV4 { region, service })) => AuthStyle::SigV4 { region, service },
        Some(Style::GoogleServiceAccount(GoogleServiceAccount { scope })) => {
            AuthStyle::GoogleServiceAccount { scope }
        }
        Some(Style::EntraClientCredentials(EntraClientCredentials { token_url, scope })) => {
            AuthStyle::EntraClientCredentials { token_url, scope }
        }
        Some(Style::Bearer(_)) | None => AuthStyle::Bearer,
    }
}

pub(super) fn auth_to(auth: &AuthStyle) -> v1::AuthStyle {
    use v1::auth_style::{
        Bearer, EntraClientCredentials, GoogleServiceAccount, NoAuth, SigV4, Style,
    };
    let style = match auth.clone() {
        AuthStyle::Bearer => Style::Bearer(Bearer {}),
        AuthStyle::Header(name) => Style::Header(name),
        AuthStyle::None => Style::None(NoAuth {}),
        AuthStyle::SigV4 { region, service } => Style::Sigv4(SigV4 { region, service }),
        AuthStyle::GoogleServiceAccount { scope } => {
            Style::GoogleServiceAccount(GoogleServiceAccount { scope })
        }
        AuthStyle::EntraClientCredentials { token_url, scope } => {
            Style::EntraClientCredentials(EntraClientCredentials { token_url, scope })
        }
    };
    v1::AuthStyle { style: Some(style) }
}

/// A quirk by its name.
///
/// # Errors
/// When there is none of this name.
pub fn quirk_from(field: &str, text: &str) -> Result<Quirk, Invalid> {
    Quirk::parse(text).ok_or_else(|| {
        let known = Quirk::ALL.map(Quirk::as_str).join(", ");
        Invalid::new(field, format!("no such quirk is known, only {known}"))
    })
}

pub(super) fn quirks_from(field: &str, texts: &[String], wrong: &mut Wrong) -> Quirks {
    let quirks = texts.iter().enumerate();
    let quirks =
        quirks.filter_map(|(at, it)| wrong.note_invalid(quirk_from(&format!("{field}[{at}]"), it)));
    quirks.collect()
}
