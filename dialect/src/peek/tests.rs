use super::*;

#[track_caller]
fn looked(body: &str) -> Peek<'_> {
    peek(body.as_bytes()).unwrap()
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>) -> Refused {
    let body = body.as_ref();
    match peek(body) {
        Ok(it) => panic!("{:?} was taken: {it:?}", String::from_utf8_lossy(body)),
        Err(refused) => refused,
    }
}

#[test]
fn the_models_span_is_that_of_its_string() {
    for (body, model) in [
        (r#"{"model":"a"}"#, "a"),
        (r#" {"x":{"model":"no"},"model" : "gpt-4o" } "#, "gpt-4o"),
        ("\t\r\n{\"messages\":[{\"model\":1}]\n,\"model\"\n:\n\"é/ü\"\n}\n", "é/ü"),
        (r#"{"mod\u0065l":"a\u002fb\n"}"#, "a/b\n"),
        (r#"{"a":"\"model\":\"x\"","model":"b"}"#, "b"),
    ] {
        let peek = looked(body);
        assert_eq!(peek.model, model, "{body}");
        let raw = &body[peek.model_span().unwrap()];
        assert_eq!(serde_json::from_str::<String>(raw).unwrap(), model, "{body}");
    }
}

#[test]
fn an_absent_stream_is_none_and_null_is_false() {
    assert!(!looked(r#"{"model":"a"}"#).stream);
    assert!(!looked(r#"{"model":"a","stream":null}"#).stream);
    assert!(!looked(r#"{"model":"a","stream":false}"#).stream);
    assert!(looked(r#"{"stream" : true ,"model":"a"}"#).stream);
}

#[test]
fn unknown_fields_of_any_form_are_let_through() {
    let body = r#"{"model":"a","model_":1,"x":[1.0,1e400,-0,12345678901234567890123,{"stream":1,"stream":2}],
        "x":2,"y":"\ud83d\ude00\ud800","":null,"max_tokens":"many","metadata":{"model":"b"}}"#;
    assert_eq!(looked(body).model, "a");
}

#[test]
fn usage_is_asked_only_by_a_true() {
    let asked = |options: &str| {
        let body = format!(r#"{{"model":"a","stream_options":{options}}}"#);
        peek(body.as_bytes()).unwrap().stream_usage == StreamUsage::Asked
    };
    assert!(asked(r#"{"x":[],"include_usage" : true}"#));
    assert!(asked(r#"{"includ\u0065_usage":true}"#));
    for no in [
        "null",
        "{}",
        r#"{"include_usage":false}"#,
        r#"{"include_usage":null}"#,
        r#"{"x":{"include_usage":true}}"#,
    ] {
        assert!(!asked(no), "{no}");
    }
}

/// What no strict reader takes for a JSON object, one kind of mistake each.
#[rustfmt::skip]
const NOT_STRICT: &[&str] = &[
    "",
    " ",
    "\n",
    "null",
    "[]",
    "\"model\"",
    "1",
    "\u{feff}{\"model\":\"a\"}",
    "{",
    "}",
    "{{}}",
    "{\"model\"",
    "{\"model\":",
    "{\"model\":\"a\"",
    "{\"model\":\"a",
    "{\"model\":\"a\\\"}",
    "{\"model\":\"a\",}",
    "{,\"model\":\"a\"}",
    "{\"model\":\"a\",,\"b\":1}",
    "{\"model\" \"a\"}",
    "{\"model\":\"a\" \"b\":1}",
    "{\"model\"::\"a\"}",
    "{model:\"a\"}",
    "{'model':'a'}",
    "{1:1,\"model\":\"a\"}",
    "{\"model\":\"a\"}}",
    "{\"model\":\"a\"} x",
    "{\"model\":\"a\"}{}",
    "{\"model\":\"a\"}#",
    "{\"model\":\"a\"}\0",
    "{\"model\":\"a\",\"x\":01}",
    "{\"model\":\"a\",\"x\":1.}",
    "{\"model\":\"a\",\"x\":.5}",
    "{\"model\":\"a\",\"x\":+1}",
    "{\"model\":\"a\",\"x\":1e}",
    "{\"model\":\"a\",\"x\":-}",
    "{\"model\":\"a\",\"x\":0x1}",
    "{\"model\":\"a\",\"x\":1 2}",
    "{\"model\":\"a\",\"x\":NaN}",
    "{\"model\":\"a\",\"x\":Infinity}",
    "{\"model\":\"a\",\"x\":True}",
    "{\"model\":\"a\",\"x\":nul}",
    "{\"model\":\"a\",\"x\":[1,]}",
    "{\"model\":\"a\",\"x\":[,1]}",
    "{\"model\":\"a\",\"x\":[1 2]}",
    "{\"model\":\"a\",\"x\":[1}",
    "{\"model\":\"a\",\"x\":{\"y\"}}",
    "{\"model\":\"a\",\"x\":{\"y\":1]}",
    "{\"model\":\"a\",\"x\":[\"]}",
    "{\"model\":\"a\",\"x\":}",
    "{\"model\":\"a\",\"x\":\"\t\"}",
    "{\"model\":\"a\",\"x\":\"\n\"}",
    "{\"model\":\"a\",\"x\":\"\0\"}",
    "{\"model\":\"a\",\"\u{1f}\":1}",
    "{\"model\":\"a\",\"x\":\"\\x41\"}",
    "{\"model\":\"a\",\"x\":\"\\u12\"}",
    "{\"model\":\"a\",\"x\":\"\\u12G4\"}",
    "{\"model\":\"a\",\"x\":\"\\'\"}",
    "{\"model\":\"a\",\"x\":1 // c\n}",
    "{\"model\":\"a\",/* c */\"x\":1}",
    "{\"model\":\"a\",\"x\":\u{a0}1}",
    "{\"model\":\"a\",\u{2028}\"x\":1}",
    "{\"model\":\"a\",\u{c}\"x\":1}",
    "{\"model\":\"\\ud800\"}",
];

/// The same for what is not UTF-8.
#[rustfmt::skip]
const NOT_UTF8: &[&[u8]] = &[
    b"{\"model\":\"\xff\"}",
    b"{\"model\":\"a\",\"x\":\"\xc3\"}",
    b"{\"model\":\"a\",\"x\":\"\xed\xa0\x80\"}",
    b"{\"model\":\"a\",\"\xe9\":1}",
    b"{\"model\":\"a\",\"x\":\xff}",
    b"\xff\xfe{\x00",
    b"{\x00\"\x00m\x00",
    b"{\"model\":\"a\",\"x\":\"\xc0\xaf\"}",
    b"{\"model\":\"a\"}\x80",
];

#[test]
fn what_is_not_strict_json_is_refused() {
    for body in NOT_STRICT {
        let refused = refused(body);
        assert!(refused.line >= 1 && refused.column >= 1, "{body:?} {refused}");
    }
    for body in NOT_UTF8 {
        assert!(refused(body).reason.contains("not JSON"), "{body:?}");
    }
}

#[test]
fn the_place_is_said_in_lines_and_columns() {
    #[track_caller]
    fn check(body: &str, param: Option<&str>, message: &str) {
        let refused = refused(body);
        assert_eq!((refused.param, refused.to_string().as_str()), (param, message));
    }
    check("", None, "not JSON: the body is empty (line 1, column 1)");
    check("\n [1]", None, "the body must be a JSON object (line 2, column 2)");
    check("{\"model\":\"a\",\n \"x\": 1,}", None, "not JSON: trailing comma (line 2, column 9)");
    check(
        "{\"x\":1}",
        Some("model"),
        "`model` is missing: name the model to use (line 1, column 1)",
    );
    check("{\"model\":\n  7}", Some("model"), "`model` must be a string (line 2, column 3)");
    check("{\"model\":null}", Some("model"), "`model` must be a string (line 1, column 10)");
    check(
        "{\"model\":\"\"}",
        Some("model"),
        "`model` is empty: name the model to use (line 1, column 10)",
    );
    check(
        "{\"model\":\"a\",\n\"model\":\"a\"}",
        Some("model"),
        "`model` is given twice: keep one (line 2, column 9)",
    );
    check(
        "{\"model\":\"a\",\"stream\":\"true\"}",
        Some("stream"),
        "`stream` must be true or false (line 1, column 23)",
    );
    check(
        "{\"model\":\"a\",\"stream_options\":{\"include_usage\":1}}",
        Some("stream_options"),
        "`stream_options.include_usage` must be true or false (line 1, column 48)",
    );
}

#[test]
fn what_we_read_may_not_be_given_twice_however_it_is_spelled() {
    for (field, value) in [
        ("model", "\"b\""),
        ("mod\\u0065l", "\"b\""),
        ("stream", "true"),
        ("stre\\u0061m", "null"),
        ("stream_options", "{}"),
        ("max_tokens", "5"),
        ("max_completion_tokens", "5"),
        ("max_output_tokens", "5"),
        ("n", "2"),
        ("best_of", "2"),
        ("messages", "[]"),
    ] {
        let first =
            if field.starts_with("mod") { String::new() } else { format!("\"{field}\":{value},") };
        let body = format!("{{{first}\"model\":\"a\",\"{field}\":{value}}}");
        assert!(refused(&body).reason.contains("twice"), "{body}");
    }
    let body = r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#;
    assert!(refused(body).reason.contains("twice"));
}

#[test]
fn an_object_with_nothing_in_it_is_refused_where_the_path_names_the_model() {
    for body in ["{}", " { \n } "] {
        for dialect in [Dialect::OpenAi, Dialect::Gemini] {
            let refused = peek_in(dialect, body.as_bytes(), Some("m")).unwrap_err();
            assert_eq!(refused.reason, "the body asks for nothing", "{body}");
        }
    }
}

#[test]
fn a_model_in_another_case_is_refused() {
    assert!(refused(r#"{"model":"a","Model":"b"}"#).reason.contains("case"));
    assert!(refused(r#"{"MODEL":"b"}"#).reason.contains("case"));
}

#[test]
fn options_that_are_no_object_are_refused() {
    for options in ["true", "[]", "\"x\"", "1"] {
        let body = format!(r#"{{"model":"a","stream_options":{options}}}"#);
        assert_eq!(refused(body).param, Some("stream_options"));
    }
}

#[test]
fn a_model_too_long_to_exist_is_refused() {
    let body = |len| format!(r#"{{"model":"{}"}}"#, "m".repeat(len));
    assert!(peek(body(MAX_MODEL_LEN).as_bytes()).is_ok());
    assert!(refused(body(MAX_MODEL_LEN + 1)).reason.contains("longer"));
}

#[test]
fn depth_is_limited_in_values_that_nobody_reads() {
    let nested = |open: &str, close: &str, depth: usize| {
        // The outermost object is one level.
        format!(r#"{{"model":"a","x":{}1{}}}"#, open.repeat(depth - 1), close.repeat(depth - 1))
    };
    for (open, close) in [("[", "]"), ("{\"y\":", "}")] {
        assert!(peek(nested(open, close, MAX_DEPTH).as_bytes()).is_ok());
        assert!(refused(nested(open, close, MAX_DEPTH + 1)).reason.contains("deeper"));
        assert!(refused(nested(open, close, 100_000)).reason.contains("deeper"));
    }
    assert!(refused("[".repeat(100_000)).reason.contains("object"));
    assert!(refused(format!("{{\"a\":{}", "[".repeat(100_000))).reason.contains("deeper"));
}

#[test]
fn messages_do_not_quote_what_the_caller_sent() {
    for body in [
        r#"{"model":"a","stream":"sk-secret"}"#,
        r#"{"model":["sk-secret"]}"#,
        r#""sk-secret""#,
        r#"{"model":"a",sk-secret}"#,
    ] {
        assert!(!refused(body).to_string().contains("secret"), "{body}");
    }
}

#[test]
fn the_prompt_is_what_is_fed_to_the_model() {
    let empty = looked(r#"{"model":"a","user":"a long name that is not fed to the model"}"#);
    assert_eq!(empty.input_text_estimate(), 0);
    let chat = looked(
        r#"{"model":"a","messages":[{"role":"user","content":"hello world"}],"system":"be brief"}"#,
    );
    assert!((11..20).contains(&chat.input_text_estimate()), "{}", chat.input_text_estimate());
}
