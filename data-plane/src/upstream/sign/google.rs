//! A service account of Google's: its JSON key, and the request for a token that the key
//! signs (RFC 7523). Is told the time; sends nothing.

use super::{
    InvalidSignature,
    token::{Errand, NoToken},
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::secret::Secret;
use reqwest::Url;
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::form_urlencoded::Serializer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest that Google lets an assertion hold, in seconds.
const LIFE_SECS: i64 = 3_600;

/// What a service account signs with, and what for.
pub(super) struct Key {
    id: Option<String>,
    email: String,
    scope: String,
    token_uri: Url,
    pair: RsaKeyPair,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// The JSON key as it is downloaded. Other fields are of no use here.
#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    token_uri: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl Key {
    /// The key that `credential` holds, for tokens of `scope`.
    ///
    /// # Errors
    /// [`InvalidSignature::Form`] when it is no such key.
    pub(super) fn of(credential: &Secret, scope: &str) -> Result<Self, InvalidSignature> {
        const FORM: InvalidSignature =
            InvalidSignature::Form("the JSON key of a Google service account");
        let file: File = serde_json::from_str(credential.expose()).map_err(|_| FORM)?;
        let private_key = zeroize::Zeroizing::new(file.private_key);
        let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes()).map_err(|_| FORM)?;
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| FORM)?;
        let token_uri = Url::parse(&file.token_uri).map_err(|_| FORM)?;
        if !matches!(token_uri.scheme(), "http" | "https") {
            return Err(FORM);
        }
        let (id, email, scope) = (file.private_key_id, file.client_email, scope.to_owned());
        Ok(Self { id, email, scope, token_uri, pair })
    }

    /// The request for a token, signed at `unix_secs`.
    ///
    /// # Errors
    /// [`NoToken::Key`] when the key does not sign.
    pub(super) fn errand(&self, unix_secs: i64) -> Result<Errand, NoToken> {
        let assertion = self.assertion(unix_secs)?;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", GRANT).append_pair("assertion", &assertion);
        Ok(Errand { url: self.token_uri.clone(), form: form.finish() })
    }

    /// A JSON web token that says who asks (RFC 7519).
    fn assertion(&self, unix_secs: i64) -> Result<String, NoToken> {
        let header = Header { alg: "RS256", typ: "JWT", kid: self.id.as_deref() };
        let claims = Claims {
            iss: &self.email,
            scope: &self.scope,
            aud: self.token_uri.as_str(),
            iat: unix_secs,
            exp: unix_secs.saturating_add(LIFE_SECS),
        };
        let mut token = encoded(&header)?;
        token.push('.');
        token.push_str(&encoded(&claims)?);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| NoToken::Key)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(token)
    }
}

fn encoded(part: &impl Serialize) -> Result<String, NoToken> {
    let json = serde_json::to_vec(part).map_err(|_| NoToken::Key)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

#[cfg(test)]
pub(super) mod tests;
