//! A client of Microsoft Entra: the request for a token on its own behalf (RFC 6749, 4.4).
//! Sends nothing.

use super::{InvalidSignature, token::Errand};
use domain::secret::Secret;
use reqwest::Url;
use std::fmt;
use url::form_urlencoded::Serializer;

/// A client as it is registered, and what it wants tokens for.
pub(super) struct Registration {
    client_id: String,
    client_secret: Secret,
    token_url: Url,
    scope: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Registration {
    /// Of a credential that is written `CLIENT_ID:CLIENT_SECRET`; secrets may have colons.
    ///
    /// # Errors
    /// [`InvalidSignature::Form`] when it is not written so, or the URL is none.
    pub(super) fn of(
        credential: &Secret,
        token_url: &str,
        scope: &str,
    ) -> Result<Self, InvalidSignature> {
        let parts = credential.expose().split_once(':');
        let (client_id, client_secret) = parts
            .filter(|(id, secret)| !id.is_empty() && !secret.is_empty())
            .ok_or(InvalidSignature::Form("CLIENT_ID:CLIENT_SECRET"))?;
        let token_url = Url::parse(token_url)
            .ok()
            .filter(|it| matches!(it.scheme(), "http" | "https"))
            .ok_or(InvalidSignature::Form("for a token URL that can be asked"))?;
        Ok(Self {
            client_id: client_id.to_owned(),
            client_secret: Secret::new(client_secret.to_owned()),
            token_url,
            scope: scope.to_owned(),
        })
    }

    /// The request for a token.
    pub(super) fn errand(&self) -> Errand {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose())
            .append_pair("scope", &self.scope);
        Errand { url: self.token_url.clone(), form: form.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Registration, InvalidSignature> {
        let url = "https://login.example/t/oauth2/v2.0/token";
        Registration::of(&Secret::new(text.to_owned()), url, "https://a.example/.default")
    }

    #[test]
    fn a_token_is_asked_for_in_a_form() {
        let errand = of("id-1:se~cr:et&").unwrap().errand();
        assert_eq!(errand.url.as_str(), "https://login.example/t/oauth2/v2.0/token");
        assert_eq!(
            errand.form,
            "grant_type=client_credentials&client_id=id-1&client_secret=se%7Ecr%3Aet%26\
             &scope=https%3A%2F%2Fa.example%2F.default"
        );
    }

    #[test]
    fn what_is_no_registration_is_refused_and_not_quoted() {
        for text in ["sk-1", ":sk-1", "sk-1:", ""] {
            assert!(!of(text).unwrap_err().to_string().contains("sk-1"));
        }
        assert!(!format!("{:?}", of("id:sk-1").unwrap()).contains("sk-1"));
    }
}
