//! What a caller's request means.

use super::*;
use crate::{
    chat::{Budget, CallInput, Detail, Effort, Format, Role, Show, Source, ToolChoice, ToolKind},
    gemini::request::{ask_count, read_count, told_count, write_count},
    json::Json,
};
use domain::catalog::Dialect;
use serde_json::json;

#[track_caller]
fn noted(body: &str) -> (Request, String) {
    let mut notes = Notes::default();
    let request = read(body.as_bytes(), &mut notes).unwrap();
    (request, notes.to_string())
}

#[track_caller]
fn silent(body: &str) -> Request {
    let (request, notes) = noted(body);
    assert_eq!(notes, "");
    request
}

#[track_caller]
fn refused(body: &str) -> String {
    read(body.as_bytes(), &mut Notes::default()).unwrap_err().field
}

/// A request with these fields beside a question.
fn with(fields: &str) -> String {
    format!(r#"{{"contents":[{{"parts":[{{"text":"hi"}}]}}],{fields}}}"#)
}

fn parts(request: &Request) -> Vec<Vec<String>> {
    let word = |it: &Part| match &it.content {
        Content::Text(it) => format!("text {}", it.text),
        Content::Call(it) => format!("call {} {}", it.id, it.name),
        Content::Result(it) => {
            let texts: Vec<_> = it.parts.iter().filter_map(Part::as_text).collect();
            let sign = if it.failed { "!" } else { "" };
            format!("result{sign} {} {}", it.call, texts.join("|"))
        }
        Content::Thinking(it) => {
            let state = it.opaque.as_ref().map(|it| format!("{}:{}", it.origin, it.data));
            let sign = if it.redacted { "!" } else { "" };
            format!("thinking{sign} {} {}", it.text, state.unwrap_or_default())
        }
        Content::Image(_) => "image".to_owned(),
        Content::Audio { .. } => "audio".to_owned(),
        Content::Document(_) => "document".to_owned(),
        Content::Refusal(_) => "refusal".to_owned(),
    };
    request.turns.iter().map(|it| it.parts.iter().map(word).collect()).collect()
}

#[test]
fn the_simplest_request_is_one_turn_of_the_user() {
    let request = silent(r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#);
    assert_eq!(parts(&request), [["text hi"]]);
    assert!(request.model.is_empty() && !request.stream);
    assert_eq!(request.turns[0].role, Role::User);
    for lenient in [
        r#"{"contents":{"role":"user","parts":{"text":"hi"}}}"#,
        r#"{"contents":["hi"]}"#,
        r#"{"contents":[{"parts":["hi"]}],"model":"models/x","tools":null}"#,
    ] {
        assert_eq!(silent(lenient), request, "{lenient}");
    }
}

#[test]
fn roles_and_instructions() {
    let request = silent(
        r#"{"system_instruction":{"role":"user","parts":[{"text":"a"},{"text":""},{"text":"b"}]},
        "contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"x"},{"text":"y"}]},
            {"role":"system","parts":[{"text":"s"}]},{"role":"function","parts":[{"text":"f"}]}]}"#,
    );
    let texts: Vec<_> = request.instructions.iter().filter_map(Part::as_text).collect();
    assert_eq!(texts, ["a", "b"]);
    // The model's words come back in the pieces in which they were streamed.
    assert_eq!(parts(&request), [["text q"], ["text xy"], ["text s"], ["text f"]]);
    let roles: Vec<_> = request.turns.iter().map(|it| it.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::System, Role::User]);
    let request = silent(&with(r#""systemInstruction":"be nice""#));
    assert_eq!(request.instructions, [Part::text("be nice")]);
}

#[test]
fn pictures_sounds_and_files_are_told_apart_by_their_type() {
    let body = |part: &str| format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#);
    let one = |part: &str| silent(&body(part)).turns[0].parts[0].content.clone();
    let Content::Image(image) = one(
        r#"{"inline_data":{"mime_type":"image/png","data":"-__-"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}"#,
    ) else {
        panic!()
    };
    assert_eq!(image.detail, Some(Detail::Low));
    assert_eq!(image.source, Source::Base64 { mime: "image/png".into(), data: "+//+".into() });
    assert!(
        matches!(one(r#"{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}"#), Content::Audio { mime, .. } if mime == "audio/wav")
    );
    let pdf =
        r#"{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0=","displayName":"a.pdf"}}"#;
    assert!(matches!(one(pdf), Content::Document(it) if it.title.as_deref() == Some("a.pdf")));
    let words = r#"{"inlineData":{"mimeType":"text/plain","data":"aGk="}}"#;
    assert!(matches!(one(words), Content::Document(it) if it.source == Source::Text("hi".into())));
    for (uri, mime) in [("https://x/a.PNG?y", ""), ("gs://b/x", r#","mimeType":"image/jpeg""#)] {
        let part = format!(r#"{{"fileData":{{"fileUri":"{uri}"{mime}}}}}"#);
        assert!(
            matches!(one(&part), Content::Image(it) if matches!(&it.source, Source::Url { url, .. } if url == uri))
        );
    }
    assert!(matches!(one(r#"{"fileData":{"fileUri":"https://x/a"}}"#), Content::Document(_)));
    for wrong in [
        r#"{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}"#,
        r#"{"inlineData":{"mimeType":"image/png","data":"*"}}"#,
        r#"{"inlineData":{"data":"AAAA"}}"#,
        r#"{"fileData":{"fileUri":"https://youtu.be/x"}}"#,
        r#"{"fileData":{"mimeType":"audio/wav","fileUri":"https://x/y"}}"#,
        r#"{"fileData":{}}"#,
        r#"{"fileData":{"fileUri":"gs://x/y","mimeType":"video/mp4"},"videoMetadata":{"fps":1}}"#,
    ] {
        assert!(refused(&body(wrong)).starts_with("contents.parts"), "{wrong}");
    }
}

/// Bug 22 of the list: calls have no ids here, and others want one of a certain form.
#[test]
fn calls_and_results_find_each_other_with_and_without_ids() {
    let request = silent(
        r#"{"contents":[{"parts":[{"text":"q"}]},
        {"role":"model","parts":[{"functionCall":{"name":"a","args":{"x": 1.0}}},{"functionCall":{"name":"b"}},
            {"functionCall":{"name":"a","args":{}}},{"functionCall":{"id":"own","name":"c"}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"b","response":{"output":"B"}}},
            {"functionResponse":{"id":"own","name":"c","response":{"k":1}}},
            {"functionResponse":{"id":"made-up","name":"a","response":{"error":"E"}}},
            {"functionResponse":{"response":{"output":{"z":2}}}},
            {"functionResponse":{"name":"a","response":{}}}]}]}"#,
    );
    assert_eq!(
        parts(&request)[1..],
        [
            vec!["call call_1_0 a", "call call_1_1 b", "call call_1_2 a", "call own c"],
            vec![
                "result call_1_1 B",
                r#"result own {"k":1}"#,
                "result! call_1_0 E",
                r#"result call_1_2 {"z":2}"#,
                "result result_2_0 ",
            ],
        ]
    );
    let Content::Call(call) = &request.turns[1].parts[0].content else { panic!() };
    assert_eq!(call.input, CallInput::Json(Json::parse(r#"{"x": 1.0}"#).unwrap()));
    let CallInput::Json(args) = &call.input else { panic!() };
    assert_eq!(args.as_str(), r#"{"x": 1.0}"#);
}

/// Bug 16 of the list: pictures of Gemini's callers were dropped.
#[test]
fn pictures_in_results_are_kept() {
    let request = silent(
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"a"}}]},
        {"parts":[{"functionResponse":{"id":"1","name":"a","response":{"output":"see"},
            "parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}"#,
    );
    let Content::Result(result) = &request.turns[1].parts[0].content else { panic!() };
    assert_eq!(result.parts.len(), 2);
    assert!(matches!(result.parts[1].content, Content::Image(_)));
    assert_eq!(result.name.as_deref(), Some("a"));
}

/// Bug 13 of the list: signatures did not come back.
#[test]
fn thoughts_and_their_states_come_back_to_their_places() {
    let state = |redacted| {
        let opaque = crate::chat::Opaque { origin: Dialect::Anthropic, data: "S/+".into() };
        crate::gemini::wire::state::write(&opaque, redacted)
    };
    for (parts_of_model, expected) in [
        // Google's own: at the call, or behind the words.
        (
            r#"{"text":"t","thought":true},{"functionCall":{"id":"1","name":"a"},"thoughtSignature":"GG=="}"#.to_owned(),
            vec!["thinking t ", "call 1 a"],
        ),
        (r#"{"text":"x","thoughtSignature":"GG=="}"#.to_owned(), vec!["text x", "thinking  gemini:GG=="]),
        (
            r#"{"text":"t","thought":true},{"text":"u","thought":true,"thoughtSignature":"GG=="}"#.to_owned(),
            vec!["thinking tu gemini:GG=="],
        ),
        // Another's: on the part behind the thought, also where the thought is lost.
        (
            format!(r#"{{"text":"t","thought":true}},{{"text":"x","thoughtSignature":"{}"}}"#, state(false)),
            vec!["thinking t anthropic:S/+", "text x"],
        ),
        (
            format!(r#"{{"functionCall":{{"id":"1","name":"a"}},"thoughtSignature":"{}"}}"#, state(false)),
            vec!["thinking  anthropic:S/+", "call 1 a"],
        ),
        (
            format!(r#"{{"text":"t","thought":true}},{{"text":"","thoughtSignature":"{}"}}"#, state(true)),
            vec!["thinking t ", "thinking!  anthropic:S/+"],
        ),
        (
            r#"{"functionCall":{"id":"1","name":"a"},"thoughtSignature":"skip_thought_signature_validator"}"#.to_owned(),
            vec!["call 1 a"],
        ),
    ] {
        let body = format!(r#"{{"contents":[{{"role":"model","parts":[{parts_of_model}]}}]}}"#);
        assert_eq!(parts(&silent(&body)), [expected], "{parts_of_model}");
    }
    let body = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"a"},"thought_signature":"GG=="}]}]}"#;
    let Content::Call(call) = &silent(body).turns[0].parts[0].content else { panic!() };
    assert_eq!(call.opaque.as_ref().map(|it| it.data.as_str()), Some("GG=="));
}

/// SDKs' chats keep each chunk as a content, and send them all.
#[test]
fn chunks_of_one_answer_are_one_turn() {
    let opaque = crate::chat::Opaque { origin: Dialect::Anthropic, data: "S".into() };
    let state = crate::gemini::wire::state::write(&opaque, false);
    let body = format!(
        r#"{{"contents":[{{"role":"user","parts":[{{"text":"q"}}]}},{{"role":"model","parts":[{{"text":"t","thought":true}}]}},
        {{"role":"model","parts":[{{"text":"Hi"}}]}},{{"role":"model","parts":[{{"text":" you"}}]}},
        {{"role":"model","parts":[{{"text":"u","thought":true}}]}},
        {{"role":"model","parts":[{{"functionCall":{{"name":"a"}},"thoughtSignature":"{state}"}}]}},{{"role":"model","parts":[{{"text":""}}]}}]}}"#
    );
    let request = silent(&body);
    assert_eq!(
        parts(&request)[1..],
        [["thinking t ", "text Hi you", "thinking u anthropic:S", "call call_5_0 a"]]
    );
}

#[test]
fn what_google_ran_before_is_told_as_text() {
    let (request, notes) = noted(
        r#"{"contents":[{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1+1"}},
        {"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}},{"toolCall":{}}]}]}"#,
    );
    assert_eq!(parts(&request), [["text \n```python\n1+1\n```\n\n```\n2\n```\n"]]);
    assert_eq!(
        notes,
        "contents.parts.executableCode;changed, contents.parts.codeExecutionResult;changed, \
         contents.parts.toolCall;dropped"
    );
}

#[test]
fn functions_are_read_from_either_kind_of_schema() {
    let (request, notes) = noted(&with(
        r#""tools":[{"functionDeclarations":[{"name":"a","description":"d","parameters":{"type":"OBJECT","properties":{"x":{"type":"STRING"}}},"response":{"type":"STRING"}}]},
        {"function_declarations":[{"name":"b","parameters_json_schema":{"$ref": "x"}},{"name":"c","behavior":"BLOCKING"}]},{"googleSearch":{}}]"#,
    ));
    assert_eq!(notes, "tools.functionDeclarations.response;dropped");
    let schemas: Vec<_> = request
        .tools
        .iter()
        .map(|it| match &it.kind {
            ToolKind::Function { schema, .. } => schema.as_ref().map(Json::as_str),
            ToolKind::Custom { .. } => panic!(),
        })
        .collect();
    let object = r#"{"type":"object","properties":{"x":{"type":"string"}}}"#;
    assert_eq!(schemas, [Some(object), Some(r#"{"$ref": "x"}"#), None]);
    assert!(request.web_search.is_some());
    for own in ["codeExecution", "urlContext", "fileSearch", "computerUse", "googleMaps", "new"] {
        assert_eq!(
            refused(&with(&format!(r#""tools":[{{"{own}":{{}}}}]"#))),
            format!("tools.{own}")
        );
    }
}

#[test]
fn every_mode_of_calling_is_told() {
    let names = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    for (mode, allowed, choice) in [
        ("AUTO", "", Some(ToolChoice::Auto)),
        ("none", "", Some(ToolChoice::None)),
        ("ANY", "", Some(ToolChoice::Required)),
        ("ANY", r#""a""#, Some(ToolChoice::One { name: "a".into() })),
        (
            "ANY",
            r#""a","b""#,
            Some(ToolChoice::Allowed { required: true, names: names(&["a", "b"]) }),
        ),
        (
            "VALIDATED",
            r#""a""#,
            Some(ToolChoice::Allowed { required: false, names: names(&["a"]) }),
        ),
        ("MODE_UNSPECIFIED", "", None),
    ] {
        let config = format!(
            r#""toolConfig":{{"functionCallingConfig":{{"mode":"{mode}","allowedFunctionNames":[{allowed}]}}}}"#
        );
        assert_eq!(silent(&with(&config)).tool_choice, choice, "{mode}");
    }
    let (request, notes) =
        noted(&with(r#""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}"#));
    assert_eq!(request.tool_choice, Some(ToolChoice::Auto));
    assert_eq!(notes, "toolConfig.functionCallingConfig.mode;changed");
    let wrong = with(r#""toolConfig":{"functionCallingConfig":{"mode":"SOME"}}"#);
    assert_eq!(refused(&wrong), "toolConfig.functionCallingConfig.mode");
}

#[test]
fn everything_in_the_generation_config_is_read() {
    let (request, notes) = noted(&with(
        r#""generationConfig":{"stopSequences":["a"],"temperature":0.5,"topP":0.9,"topK":40.0,"candidateCount":2,
        "seed":-7,"presencePenalty":1,"frequency_penalty":-1,"responseLogprobs":true,"logprobs":3,"maxOutputTokens":"64",
        "responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_LOW","newField":1},
        "safetySettings":[{}],"labels":{"team":"x"},"serviceTier":"SERVICE_TIER_FLEX","store":false,"other":{}"#,
    ));
    let sampling = &request.sampling;
    assert_eq!(sampling.stop, ["a"]);
    assert_eq!(
        (sampling.temperature, sampling.top_p, sampling.top_k),
        (Some(0.5), Some(0.9), Some(40))
    );
    assert_eq!((sampling.presence_penalty, sampling.frequency_penalty), (Some(1.0), Some(-1.0)));
    assert_eq!(sampling.seed, Some(-7));
    assert_eq!(
        (request.answers, request.logprobs, request.max_output),
        (Some(2), Some(3), Some(64))
    );
    assert_eq!(request.metadata, [("team".to_owned(), "x".to_owned())]);
    assert_eq!((&request.tier, request.store), (&Some(Tier::Flex), Some(false)));
    assert_eq!(
        notes,
        "generationConfig.mediaResolution;dropped, generationConfig.newField;dropped, \
         safetySettings;dropped, other;dropped"
    );
}

#[test]
fn formats_of_answers() {
    let config = |it: &str| with(&format!(r#""generationConfig":{{{it}}}"#));
    let json_type = r#""responseMimeType":"application/json""#;
    assert_eq!(silent(&config(json_type)).format, Some(Format::Json));
    assert_eq!(silent(&config(r#""responseMimeType":"text/plain""#)).format, None);
    for schema in [
        r#""responseSchema":{"type":"STRING","nullable":true}"#,
        r#""responseJsonSchema":{"type":["string","null"]}"#,
        r#""response_json_schema":{"type":["string","null"]}"#,
    ] {
        let format = silent(&config(&format!("{json_type},{schema}"))).format;
        let Some(Format::Schema { schema, name: None, strict: None, .. }) = format else {
            panic!()
        };
        assert_eq!(schema.to_value(), json!({"type": ["string", "null"]}));
    }
    let words =
        r#""responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["A"]}"#;
    assert_eq!(noted(&config(words)).1, "generationConfig.responseMimeType;changed");
    for wrong in [
        r#""responseMimeType":"image/png""#,
        r#""responseSchema":{"type":"STRING"}"#,
        r#""responseMimeType":"text/x.enum""#,
        r#""responseModalities":["TEXT","IMAGE"]"#,
        r#""maxOutputTokens":-1"#,
        r#""temperature":"warm""#,
        r#""thinkingConfig":{"thinkingBudget":-2}"#,
        r#""thinkingConfig":{"thinkingLevel":"LOTS"}"#,
    ] {
        assert!(refused(&config(wrong)).starts_with("generationConfig."), "{wrong}");
    }
}

#[test]
fn thoughts_are_asked_for_in_levels_or_tokens() {
    let of = |it: &str| {
        let body = with(&format!(r#""generationConfig":{{"thinkingConfig":{{{it}}}}}"#));
        let it = silent(&body).reasoning.unwrap();
        (it.effort, it.budget, it.show)
    };
    let hidden = Some(Show::Nothing);
    assert_eq!(of(r#""thinkingLevel":"HIGH""#), (Some(Effort::High), None, hidden));
    assert_eq!(of(r#""thinkingBudget":-1"#), (None, Some(Budget::Auto), hidden));
    assert_eq!(of(r#""thinkingBudget":0"#), (None, Some(Budget::Tokens(0)), hidden));
    assert_eq!(of(r#""includeThoughts":true"#), (None, None, Some(Show::Summary)));
    assert_eq!(silent(&with(r#""store":null"#)).reasoning, None);
}

#[test]
fn what_is_no_request_is_refused_and_the_field_is_named() {
    for (body, field) in [
        ("", "body"),
        ("[]", "body"),
        ("{", "body"),
        ("{}", "contents"),
        (r#"{"contents":[]}"#, "contents"),
        (r#"{"contents":[1]}"#, "contents"),
        (r#"{"contents":[{"role":"robot","parts":[]}]}"#, "contents.role"),
        (r#"{"contents":[{"parts":[{"text":1}]}]}"#, "contents.parts.text"),
        (
            r#"{"contents":[{"parts":[{"functionCall":{"name":"a"}}]}]}"#,
            "contents.parts.functionCall",
        ),
        (
            r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"a","args":[]}}]}]}"#,
            "contents.parts.functionCall.args",
        ),
        (
            r#"{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}"#,
            "contents.parts.functionCall.name",
        ),
        (
            r#"{"contents":[{"role":"model","parts":[{"functionResponse":{}}]}]}"#,
            "contents.parts.functionResponse",
        ),
    ] {
        assert_eq!(refused(body), field, "{body}");
    }
    assert_eq!(refused(&with(r#""cachedContent":"cachedContents/1""#)), "cachedContent");
    assert_eq!(
        refused(&with(r#""tools":[{"functionDeclarations":[{}]}]"#)),
        "tools.functionDeclarations.name"
    );
    assert_eq!(refused(&with(r#""labels":{"a":1}"#)), "labels.a");
    assert!(read(b"\xff", &mut Notes::default()).is_err());
}

#[test]
fn hostile_bodies_are_read_in_good_time() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (request, _) = noted(&with(&format!(r#""x":{deep}"#)));
    assert_eq!(request.turns.len(), 1);
    assert!(!refused(&format!(r#"{{"contents":{deep}}}"#)).is_empty());
    let calls = r#"{"functionCall":{"name":"a"}},"#.repeat(20_000);
    let results = r#"{"functionResponse":{"name":"a"}},"#.repeat(20_000);
    let body = format!(
        r#"{{"contents":[{{"role":"model","parts":[{calls}{{"text":""}}]}},{{"parts":[{results}{{"text":""}}]}}]}}"#
    );
    let request = silent(&body);
    let Content::Result(last) = &request.turns[1].parts[19_999].content else { panic!() };
    assert_eq!(last.call, "call_0_19999");
}

#[test]
fn tokens_are_counted_of_a_request_or_of_its_contents() {
    let whole = r#"{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"a"}]}]}}"#;
    let mut notes = Notes::default();
    assert_eq!(read_count(whole.as_bytes(), &mut notes).unwrap().tools.len(), 1);
    let contents = br#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    assert_eq!(read_count(contents, &mut notes).unwrap().turns.len(), 1);
    assert!(read_count(b"{}", &mut notes).is_err() && notes.is_empty());
    assert_eq!(write_count(7), br#"{"totalTokens":7}"#);
    let asked = ask_count(contents, "gemini-2.5-flash");
    assert_eq!(read_count(&asked, &mut notes), read_count(contents, &mut notes));
    let text = String::from_utf8(asked).unwrap();
    assert!(text.contains(r#"{"model":"models/gemini-2.5-flash","contents""#), "{text}");
    assert_eq!(told_count(br#"{"totalTokens":7,"promptTokensDetails":[]}"#), Ok(7));
    assert_eq!(told_count(b"{}"), Ok(0));
    assert!(told_count(b"[]").is_err() && told_count(br#"{"totalTokens":"x"}"#).is_err());
}
