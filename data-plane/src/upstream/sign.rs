//! How an account shows its credential: in headers, never in the query.
//!
//! The one door for it: plain headers are made once, signatures for each request, and
//! tokens are fetched and held here.

mod entra;
mod google;
mod sigv4;
mod token;

pub(crate) use token::NoToken;

use domain::{
    catalog::{Account, AuthStyle},
    secret::Secret,
    snapshot::SeatEndpoint,
};
use http::{HeaderName, HeaderValue, header};
use reqwest::{Client, Request};
use runtime::tasks::Tasks;
use token::{Issuer, Tokens};

/// Why no signature can be made. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSignature {
    #[error("the account has no credential")]
    NoCredential,
    #[error("the credential holds characters that no header may have")]
    Credential,
    #[error("the credential is not {0}")]
    Form(&'static str),
    #[error("neither the endpoint nor the base URL's host names a region")]
    NoRegion,
    #[error("`{0}` is no header that can be sent")]
    Header(String),
}

/// Why a request could not be signed. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSigned {
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    #[error(transparent)]
    Token(#[from] NoToken),
}

/// What an account adds to every request, its credential among it.
#[derive(Debug)]
pub(crate) struct Signature {
    headers: Vec<(HeaderName, HeaderValue)>,
    seal: Seal,
}

/// What can only be added once the request is known, or the time.
#[derive(Debug)]
enum Seal {
    /// Nothing: it is among the headers.
    None,
    SigV4(sigv4::Signer),
    Token(Tokens),
}

impl Signature {
    /// The account's extra headers and then its credential, which they cannot replace.
    ///
    /// # Errors
    /// [`InvalidSignature`] when one of them is no header, or the credential is not what
    /// the endpoint wants.
    pub(crate) fn of(
        account: &Account,
        endpoint: &SeatEndpoint,
        tasks: &Tasks,
    ) -> Result<Self, InvalidSignature> {
        let mut headers = Vec::with_capacity(account.client.extra_headers.len().saturating_add(1));
        for (name, value) in &account.client.extra_headers {
            let invalid = || InvalidSignature::Header(name.clone());
            let parsed: HeaderName = name.parse().map_err(|_| invalid())?;
            headers.push((parsed, HeaderValue::from_str(value).map_err(|_| invalid())?));
        }
        let credential = || account.credential.as_ref().ok_or(InvalidSignature::NoCredential);
        let tokens = |issuer| Seal::Token(Tokens::new(issuer, tasks.clone()));
        let seal = match &endpoint.auth {
            AuthStyle::Bearer => {
                let value = sensitive("Bearer ", credential()?)?;
                headers.push((header::AUTHORIZATION, value));
                Seal::None
            }
            AuthStyle::Header(name) => {
                let invalid = || InvalidSignature::Header(name.clone());
                let name = name.parse().map_err(|_| invalid())?;
                headers.push((name, sensitive("", credential()?)?));
                Seal::None
            }
            AuthStyle::None => Seal::None,
            AuthStyle::SigV4 { region, service } => {
                let base_url = &endpoint.base_url;
                Seal::SigV4(sigv4::Signer::of(credential()?, (region, service), base_url)?)
            }
            AuthStyle::GoogleServiceAccount { scope } => {
                let key = google::Key::of(credential()?, scope)?;
                tokens(Issuer::Google(Box::new(key)))
            }
            AuthStyle::EntraClientCredentials { token_url, scope } => {
                let client = entra::Registration::of(credential()?, token_url, scope)?;
                tokens(Issuer::Entra(client))
            }
        };
        Ok(Self { headers, seal })
    }

    /// Puts all of it into a request, in the place of what the caller sent under the same
    /// names. The request must not be changed any more. Waits for a token only where none
    /// is held.
    ///
    /// # Errors
    /// [`NotSigned`] when there is no token to be had, or the request cannot be signed.
    pub(crate) async fn sign(
        &self,
        client: &Client,
        request: &mut Request,
    ) -> Result<(), NotSigned> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        match &self.seal {
            Seal::None => {}
            Seal::SigV4(signer) => {
                signer.sign(request, runtime::clock::unix_ms().div_euclid(1_000))?;
            }
            Seal::Token(tokens) => {
                let token = tokens.bearer(client).await?;
                request.headers_mut().insert(header::AUTHORIZATION, token);
            }
        }
        Ok(())
    }

    /// An upstream refused who shows this as `authorization`.
    pub(crate) fn refused(&self, shown: &HeaderValue) {
        if let Seal::Token(tokens) = &self.seal {
            tokens.refused(shown);
        }
    }
}

fn sensitive(prefix: &str, credential: &Secret) -> Result<HeaderValue, InvalidSignature> {
    let text = [prefix, credential.expose()].concat();
    let value = HeaderValue::try_from(text);
    let mut value = value.map_err(|_| InvalidSignature::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
