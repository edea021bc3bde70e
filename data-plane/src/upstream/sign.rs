//! How an account shows its credential: headers made once, never the query.

use domain::{
    catalog::{Account, AuthStyle},
    secret::Secret,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Why no signature can be made. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSignature {
    #[error("the account has no credential")]
    NoCredential,
    #[error("the credential holds characters that no header may have")]
    Credential,
    #[error("`{0}` is no header that can be sent")]
    Header(String),
}

/// The headers that an account adds to every request, its credential among them.
#[derive(Debug)]
pub(crate) struct Signature(Vec<(HeaderName, HeaderValue)>);

impl Signature {
    /// The account's extra headers and then its credential, which they cannot replace.
    ///
    /// # Errors
    /// [`InvalidSignature`] when one of them is no header.
    pub(crate) fn of(account: &Account, auth: &AuthStyle) -> Result<Self, InvalidSignature> {
        let mut headers = Vec::with_capacity(account.client.extra_headers.len().saturating_add(1));
        for (name, value) in &account.client.extra_headers {
            let invalid = || InvalidSignature::Header(name.clone());
            let parsed: HeaderName = name.parse().map_err(|_| invalid())?;
            headers.push((parsed, HeaderValue::from_str(value).map_err(|_| invalid())?));
        }
        let credential = || account.credential.as_ref().ok_or(InvalidSignature::NoCredential);
        match auth {
            AuthStyle::Bearer => {
                let value = sensitive("Bearer ", credential()?)?;
                headers.push((header::AUTHORIZATION, value));
            }
            AuthStyle::Header(name) => {
                let invalid = || InvalidSignature::Header(name.clone());
                let name = name.parse().map_err(|_| invalid())?;
                headers.push((name, sensitive("", credential()?)?));
            }
            AuthStyle::None => {}
        }
        Ok(Self(headers))
    }

    /// Puts them into a request, in the place of what the caller sent under their names.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
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
mod tests {
    use super::*;
    use domain::{catalog::ClientSettings, id::AccountId};
    use uuid::Uuid;

    fn account(credential: &str, extra: &[(&str, &str)]) -> Account {
        let extra_headers = extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account {
            id: AccountId::from_uuid(Uuid::nil()),
            name: "main".parse().unwrap(),
            provider: "openai".parse().unwrap(),
            credential: Some(Secret::new(credential.to_owned())),
            base_urls: Vec::new(),
            enabled: true,
            client: ClientSettings { extra_headers, ..ClientSettings::default() },
        }
    }

    #[test]
    fn extra_headers_cannot_replace_the_credential() {
        let account = account("sk-1", &[("authorization", "Bearer other"), ("x-team", "a")]);
        let signature = Signature::of(&account, &AuthStyle::Bearer).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-team", HeaderValue::from_static("callers"));
        signature.sign(&mut headers);
        assert_eq!(headers["authorization"], "Bearer sk-1");
        assert_eq!(headers["x-team"], "a");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn a_signature_never_prints_its_credential() {
        let account = account("sk-live-1", &[]);
        for auth in [AuthStyle::Bearer, AuthStyle::Header("x-api-key".into())] {
            let signature = Signature::of(&account, &auth).unwrap();
            assert!(!format!("{signature:?}").contains("sk-live-1"));
        }
    }

    #[test]
    fn what_cannot_be_sent_is_named_but_not_quoted() {
        let error = Signature::of(&account("sk-\n1", &[]), &AuthStyle::Bearer).unwrap_err();
        assert_eq!(error, InvalidSignature::Credential);
        let bad = account("sk-1", &[("x y", "1")]);
        let error = Signature::of(&bad, &AuthStyle::None).unwrap_err();
        assert_eq!(error, InvalidSignature::Header("x y".into()));
    }
}
