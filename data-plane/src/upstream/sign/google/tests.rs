//! With a key that is made for the test.

use super::*;
use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A JSON key like Google's, whose tokens are asked for at `token_uri`.
pub(in crate::upstream::sign) fn json_key(token_uri: &str) -> String {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(&pair).unwrap();
    let lines = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = lines.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let (begin, end) = ("-----BEGIN PRIVATE", "-----END PRIVATE");
    let pem = format!("{begin} KEY-----\n{}\n{end} KEY-----\n", lines.join("\n"));
    let key = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "kid-1",
        "private_key": pem, "client_email": "a@p.iam.gserviceaccount.com",
        "client_id": "1", "token_uri": token_uri,
    });
    serde_json::to_string_pretty(&key).unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn the_assertion_says_who_asks_for_what_and_is_signed() {
    let text = json_key("https://oauth2.example/token");
    let key = Key::of(&Secret::new(text), "scope-1").unwrap();
    let errand = key.errand(1_700_000_000).unwrap();
    assert_eq!(errand.url.as_str(), "https://oauth2.example/token");
    let assertion = errand
        .form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let parts: Vec<_> = assertion.split('.').collect();
    assert_eq!(decoded(parts[0]), json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!(
        decoded(parts[1]),
        json!({"iss": "a@p.iam.gserviceaccount.com", "scope": "scope-1",
            "aud": "https://oauth2.example/token", "iat": 1_700_000_000, "exp": 1_700_003_600})
    );
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pair.public_key());
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[test]
fn what_is_no_key_is_refused_and_not_quoted() {
    for text in [
        "",
        "sk-1",
        "{\"sk-1\":1}",
        r#"{"client_email":"sk-1","private_key":"sk-1","token_uri":"https://h"}"#,
        &json_key("ftp://sk-1"),
    ] {
        let error = Key::of(&Secret::new(text.to_owned()), "s").unwrap_err();
        assert!(!error.to_string().contains("sk-1"), "{error}");
    }
    let key = Key::of(&Secret::new(json_key("https://h")), "s").unwrap();
    assert!(!format!("{key:?}").contains("PRIVATE"));
}
