//! Where requests go, and where they cannot be led.

use super::*;
use domain::catalog::AuthStyle;

fn at(
    base: &str,
    (dialect, operation): (Dialect, Operation),
    quirks: Quirks,
) -> Result<Option<Place>, InvalidBase> {
    let (auth, output_cap_field) = (AuthStyle::Bearer, "max_tokens".into());
    let base_url = base.into();
    of(&SeatEndpoint { dialect, base_url, auth, output_cap_field, quirks }, operation)
}

fn chat(base: &str) -> Result<String, InvalidBase> {
    let place = at(base, (Dialect::OpenAi, Operation::Chat), Quirks::NONE)?.unwrap();
    let asked = Asked { model: "m", stream: false, query: None };
    Ok(place.url(asked, b"{}").unwrap().to_string())
}

#[test]
fn the_path_is_appended_to_whatever_the_base_has() {
    for (base, expected) in [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h", "http://h/chat/completions"),
        ("http://h/a%2Fb?api-version=1", "http://h/a%2Fb/chat/completions?api-version=1"),
    ] {
        assert_eq!(chat(base).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_no_place_to_send_a_credential_to_is_refused() {
    for base in ["", "h/v1", "ftp://h/v1", "http://u:p@h/v1", "file:///etc/passwd"] {
        assert!(chat(base).is_err(), "{base}");
    }
    let bad = at("http://u:p@h", (Dialect::Bedrock, Operation::Chat), Quirks::NONE);
    assert_eq!(bad, Err(InvalidBase::Userinfo));
}

#[test]
fn a_dialect_without_the_operation_has_no_place() {
    let none = |dialect, operation, quirks| {
        assert_eq!(at("http://h", (dialect, operation), quirks), Ok(None), "{dialect}");
    };
    none(Dialect::Anthropic, Operation::Embeddings, Quirks::NONE);
    none(Dialect::OpenAi, Operation::CountTokens, Quirks::NONE);
    none(Dialect::Bedrock, Operation::CountTokens, Quirks::NONE);
    none(Dialect::Gemini, Operation::Embeddings, Quirks::NONE.with(Quirk::Vertex));
    let invoke = Quirks::NONE.with(Quirk::BedrockInvoke);
    none(Dialect::Anthropic, Operation::CountTokens, invoke);
}

#[track_caller]
fn check(base: &str, asked: (Dialect, Operation), quirks: Quirks, facts: [(&str, &str); 2]) {
    let place = at(base, asked, quirks).unwrap().unwrap();
    for (stream, (model, expected)) in [false, true].into_iter().zip(facts) {
        let asked = Asked { model, stream, query: Some("alt=json&key=k") };
        let url = place.url(asked, b"{}").unwrap();
        assert_eq!(url.as_str(), expected);
    }
}

#[test]
fn the_model_stands_in_the_path_where_a_dialect_wants_it() {
    let gemini = "https://g/v1beta";
    check(
        gemini,
        (Dialect::Gemini, Operation::Chat),
        Quirks::NONE,
        [
            ("gemini-2.5-pro", "https://g/v1beta/models/gemini-2.5-pro:generateContent"),
            (
                "models/gemini-2.5-pro",
                "https://g/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            ),
        ],
    );
    check(
        gemini,
        (Dialect::Gemini, Operation::CountTokens),
        Quirks::NONE,
        [
            ("tunedModels/t", "https://g/v1beta/tunedModels/t:countTokens"),
            ("m", "https://g/v1beta/models/m:countTokens"),
        ],
    );
    check(
        gemini,
        (Dialect::Gemini, Operation::Embeddings),
        Quirks::NONE,
        [("e", "https://g/v1beta/models/e:embedContent"); 2],
    );
    check(
        "https://b/",
        (Dialect::Bedrock, Operation::Chat),
        Quirks::NONE,
        [
            ("us.a.c-v2:0", "https://b/model/us.a.c-v2%3A0/converse"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/p",
                "https://b/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp/converse-stream",
            ),
        ],
    );
}

#[test]
fn one_vector_and_many_are_asked_for_at_different_places() {
    let place = at("https://g", (Dialect::Gemini, Operation::Embeddings), Quirks::NONE);
    let place = place.unwrap().unwrap();
    let asked = Asked { model: "e", stream: false, query: None };
    for (body, verb) in [
        (r#"{"content":{"parts":[{"text":"requests"}]}}"#, "embedContent"),
        (r#"{"requests":[{"content":{}}]}"#, "batchEmbedContents"),
    ] {
        let url = place.url(asked, body.as_bytes()).unwrap();
        assert_eq!(url.as_str(), format!("https://g/models/e:{verb}"));
    }
}

#[test]
fn anthropics_dialect_has_other_paths_where_others_host_it() {
    let chat = (Dialect::Anthropic, Operation::Chat);
    check(
        "https://v/v1/projects/p/locations/l/publishers/anthropic",
        chat,
        Quirks::NONE.with(Quirk::Vertex),
        [
            (
                "claude-x@1",
                "https://v/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%401:rawPredict",
            ),
            (
                "claude-x@1",
                "https://v/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%401:streamRawPredict",
            ),
        ],
    );
    check(
        "https://b",
        chat,
        Quirks::NONE.with(Quirk::BedrockInvoke),
        [
            ("a.c:0", "https://b/model/a.c%3A0/invoke"),
            ("a.c:0", "https://b/model/a.c%3A0/invoke-with-response-stream"),
        ],
    );
}

#[test]
fn a_model_cannot_leave_its_place_in_the_path() {
    let place = |dialect| at("https://b/x", (dialect, Operation::Chat), Quirks::NONE);
    let place = |dialect| place(dialect).unwrap().unwrap();
    for model in ["", ".", "..", "models/..", "models/"] {
        let asked = Asked { model, stream: false, query: None };
        for dialect in [Dialect::Gemini, Dialect::Bedrock] {
            let url = place(dialect).url(asked, b"{}");
            let inside = |it: &Url| it.path().starts_with("/x/model/models%2F");
            assert!(url.as_ref().is_none_or(inside), "{model} {url:?}");
        }
    }
    for model in ["../..", "a/../../b", "a?b#c", "a%2e%2e", "\\..\\", "ä\n"] {
        let asked = Asked { model, stream: false, query: None };
        let url = place(Dialect::Gemini).url(asked, b"{}").unwrap();
        assert_eq!(url.path_segments().unwrap().count(), 3, "{url}");
        assert!(url.path().starts_with("/x/models/") && url.query().is_none(), "{url}");
    }
}

#[test]
fn the_callers_query_stands_behind_the_bases_own() {
    let at = |base: &str, query| with_query(&Url::parse(base).unwrap(), query).to_string();
    assert_eq!(at("http://h/m", Some("beta=true")), "http://h/m?beta=true");
    assert_eq!(at("http://h/m?v=1", Some("beta=true")), "http://h/m?v=1&beta=true");
    assert_eq!(at("http://h/m?v=1", None), "http://h/m?v=1");
    assert_eq!(at("http://h/m", Some("a=/../x#y")), "http://h/m?a=/../x%23y");
}
