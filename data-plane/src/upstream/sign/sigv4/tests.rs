//! Against the examples that AWS publishes: of its documentation and its test suite.

use super::*;
use http::Method;

const EXAMPLE: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30, 12:36.
const THEN: i64 = 1_440_938_160;

fn signer(credential: &str, service: &str) -> Signer {
    Signer::of(&Secret::new(credential.to_owned()), ("us-east-1", service), "").unwrap()
}

fn signed(signer: &Signer, mut request: Request) -> HeaderMap {
    signer.sign(&mut request, THEN).unwrap();
    request.headers().clone()
}

fn request(method: Method, url: &str, content_type: &'static str, body: &'static str) -> Request {
    let mut request = Request::new(method, url.parse().unwrap());
    if !content_type.is_empty() {
        let value = HeaderValue::from_static(content_type);
        request.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    *request.body_mut() = Some(body.into());
    request
}

#[test]
fn the_key_is_derived_as_in_the_documentation() {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    for (date, expected) in [
        ("20150830", "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"),
        ("20120215", "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"),
    ] {
        assert_eq!(hex(&signing_key(&secret, date, "us-east-1", "iam")), expected);
    }
}

#[test]
fn signatures_are_those_of_the_test_suite() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for (method, url, content_type, body, signature) in [
        (
            Method::GET,
            "https://example.amazonaws.com/",
            "",
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Method::GET,
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            "",
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Method::POST,
            "https://example.amazonaws.com/",
            "",
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            Method::POST,
            "https://example.amazonaws.com/",
            FORM,
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ] {
        let headers = signed(&signer(EXAMPLE, "service"), request(method, url, content_type, body));
        let names = if content_type.is_empty() { "" } else { "content-type;" };
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={names}host;x-amz-date, Signature={signature}"
        );
        assert_eq!(headers[header::AUTHORIZATION], expected, "{url}");
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
    }
}

#[test]
fn the_example_of_the_documentation_is_signed_alike() {
    let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let headers = signed(&signer(EXAMPLE, "iam"), request(Method::GET, url, form, ""));
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert!(headers[header::AUTHORIZATION].to_str().unwrap().ends_with(signature));
}

#[test]
fn a_quoted_model_is_quoted_twice_to_be_signed_and_once_to_be_sent() {
    let url: Url = "https://h/model/a.b-v1%3A0/converse".parse().unwrap();
    assert_eq!(canonical_path(&url), "/model/a.b-v1%253A0/converse");
    assert_eq!(url.path(), "/model/a.b-v1%3A0/converse");
    assert_eq!(canonical_path(&"https://h".parse().unwrap()), "/");
}

#[test]
fn a_session_goes_along_and_is_signed() {
    let signer = signer(&format!("{EXAMPLE}:tok/en=="), "bedrock");
    let headers =
        signed(&signer, request(Method::POST, "http://h:8080/x", "application/json", "{}"));
    assert_eq!(headers["x-amz-security-token"], "tok/en==");
    assert_eq!(headers["host"], "h:8080");
    let authorization = headers[header::AUTHORIZATION].to_str().unwrap();
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,";
    assert!(authorization.contains(names), "{authorization}");
    assert!(!format!("{headers:?} {signer:?}").contains("tok/en"));
    assert!(!format!("{headers:?} {signer:?}").contains("wJalr"));
}

#[test]
fn a_change_of_anything_that_is_signed_changes_the_signature() {
    let of = |signer: &Signer, url: &str, body| {
        let headers = signed(signer, request(Method::POST, url, "", body));
        headers[header::AUTHORIZATION].clone()
    };
    let one = signer(EXAMPLE, "bedrock");
    let base = of(&one, "https://h/a", "{}");
    assert_eq!(of(&one, "https://h/a", "{}"), base);
    assert_ne!(of(&one, "https://h/a", "{ }"), base);
    assert_ne!(of(&one, "https://h/b", "{}"), base);
    assert_ne!(of(&signer(EXAMPLE, "other"), "https://h/a", "{}"), base);
    assert_ne!(of(&signer("AKIDEXAMPLE:x", "bedrock"), "https://h/a", "{}"), base);
}

#[test]
fn the_region_is_the_one_that_the_host_names() {
    for (url, expected) in [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
        (
            "https://vpce-0a1-b.bedrock-runtime.eu-central-2.vpce.amazonaws.com",
            Some("eu-central-2"),
        ),
        ("https://bedrock-mantle.ap-southeast-2.api.aws/anthropic", Some("ap-southeast-2")),
        ("https://proxy.example", None),
        ("http://127.0.0.1:9", None),
    ] {
        assert_eq!(region_of(url).as_deref(), expected, "{url}");
    }
}

#[test]
fn what_is_no_credential_is_refused_and_not_quoted() {
    for text in ["sk-1", "sk-1:", ":sk-1", "a:sk-1:c:d", ""] {
        let signer = Signer::of(&Secret::new(text.to_owned()), ("r", "s"), "");
        let error = signer.unwrap_err();
        assert!(!error.to_string().contains("sk-1"), "{error}");
    }
    let no_region = Signer::of(&Secret::new("a:b".to_owned()), ("", "s"), "https://h");
    assert_eq!(no_region.unwrap_err(), InvalidSignature::NoRegion);
}

#[test]
fn times_are_written_as_the_calendar_has_them() {
    for (secs, expected) in [
        (0, "19700101T000000Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (THEN, "20150830T123600Z"),
        (4_102_444_799, "20991231T235959Z"),
    ] {
        assert_eq!(timestamp(secs), expected);
    }
}
