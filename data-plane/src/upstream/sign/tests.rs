//! What is added to a request, and what is never printed.

use super::*;
use domain::{
    catalog::{ClientSettings, Dialect, Quirks},
    id::AccountId,
};
use http::HeaderMap;
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

fn of(account: &Account, auth: AuthStyle) -> Result<Signature, InvalidSignature> {
    let endpoint = SeatEndpoint {
        dialect: Dialect::OpenAi,
        base_url: "https://bedrock-runtime.eu-west-1.amazonaws.com".into(),
        auth,
        output_cap_field: "max_tokens".into(),
        quirks: Quirks::NONE,
    };
    Signature::of(account, &endpoint, &Tasks::default())
}

async fn signed(signature: &Signature, headers: HeaderMap) -> HeaderMap {
    let url = "https://bedrock-runtime.eu-west-1.amazonaws.com/x".parse().unwrap();
    let mut request = Request::new(http::Method::POST, url);
    *request.headers_mut() = headers;
    let client = Client::builder().no_proxy().build().unwrap();
    signature.sign(&client, &mut request).await.unwrap();
    request.headers().clone()
}

#[tokio::test]
async fn extra_headers_cannot_replace_the_credential() {
    let extra = [("authorization", "Bearer other"), ("x-team", "a")];
    let sigv4 = AuthStyle::SigV4 { region: String::new(), service: "bedrock".to_owned() };
    for (credential, auth, expected, added) in [
        ("sk-1", AuthStyle::Bearer, "Bearer sk-1", 0),
        ("sk-1:b", sigv4, "AWS4-HMAC-SHA256 Credential=sk-1/", 2),
    ] {
        let signature = of(&account(credential, &extra), auth).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-team", HeaderValue::from_static("callers"));
        let headers = signed(&signature, headers).await;
        assert!(headers["authorization"].to_str().unwrap().starts_with(expected));
        assert_eq!(headers["x-team"], "a");
        assert_eq!(headers.len(), 2 + added);
    }
}

#[tokio::test]
async fn the_region_comes_from_the_base_url_where_none_is_said() {
    for (region, expected) in [("", "/eu-west-1/bedrock/"), ("us-x-1", "/us-x-1/bedrock/")] {
        let (region, service) = (region.to_owned(), "bedrock".to_owned());
        let signature = of(&account("a:b", &[]), AuthStyle::SigV4 { region, service }).unwrap();
        let headers = signed(&signature, HeaderMap::new()).await;
        assert!(headers["authorization"].to_str().unwrap().contains(expected));
    }
}

#[test]
fn a_signature_never_prints_its_credential() {
    let sigv4 = AuthStyle::SigV4 { region: "r".into(), service: "s".into() };
    let (token_url, scope) = ("https://h".to_owned(), "s".to_owned());
    let entra = AuthStyle::EntraClientCredentials { token_url, scope };
    for auth in [AuthStyle::Bearer, AuthStyle::Header("x-api-key".into()), sigv4, entra] {
        let signature = of(&account("sk-live-1:sk-live-2", &[]), auth).unwrap();
        assert!(!format!("{signature:?}").contains("sk-live-"));
    }
}

#[test]
fn what_cannot_be_sent_is_named_but_not_quoted() {
    let error = of(&account("sk-\n1", &[]), AuthStyle::Bearer).unwrap_err();
    assert_eq!(error, InvalidSignature::Credential);
    let bad = account("sk-1", &[("x y", "1")]);
    let error = of(&bad, AuthStyle::None).unwrap_err();
    assert_eq!(error, InvalidSignature::Header("x y".into()));
    let google = AuthStyle::GoogleServiceAccount { scope: "s".into() };
    assert!(!of(&account("sk-1", &[]), google).unwrap_err().to_string().contains("sk-1"));
}
