//! Messages as callers write them.

use super::*;

#[test]
fn instructions_stand_before_the_first_turn_and_stay_where_they_are_behind_it() {
    let (request, notes) = of(
        r#"{"messages":[{"role":"system","content":"a"},
        {"role":"developer","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":"Hi","name":"ann"},{"role":"system","content":"c"}]}"#,
    )
    .unwrap();
    let marked = Part { cache: Some(CacheMark::default()), ..Part::text("b") };
    assert_eq!(request.instructions, [Part::text("a"), marked]);
    let ann = Turn { name: Some("ann".to_owned()), ..turn(Role::User, vec![Part::text("Hi")]) };
    assert_eq!(request.turns, [ann, turn(Role::System, vec![Part::text("c")])]);
    assert_eq!(notes, "");
}

#[test]
fn instructions_alone_are_said_by_the_user() {
    let (request, notes) = of(r#"{"messages":[{"role":"system","content":"a"}]}"#).unwrap();
    assert_eq!(request.turns, [turn(Role::User, vec![Part::text("a")])]);
    assert!(request.instructions.is_empty());
    assert_eq!(notes, "messages;moved");
}

#[test]
fn a_mark_at_a_message_is_one_at_its_last_part() {
    let found = turns(
        r#"{"role":"user","cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
        {"role":"tool","tool_call_id":"c","content":"r","cache_control":{"type":"ephemeral"}}"#,
    );
    let marks: Vec<_> =
        found.iter().flat_map(|it| &it.parts).map(|it| it.cache.is_some()).collect();
    assert_eq!(marks, [false, true, true]);
    let point =
        parts(r#"[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]"#);
    assert_eq!(point.first().unwrap().cache, Some(CacheMark::default()));
}

#[test]
fn pictures_are_read() {
    let image = |source, detail| [Part::new(Content::Image(Image { source, detail }))];
    let url = |url: &str| Source::Url { url: url.to_owned(), mime: None };
    let bytes =
        |mime: &str, data: &str| Source::Base64 { mime: mime.to_owned(), data: data.to_owned() };
    let web = || url("https://x.example/a.png");
    for (part, expected) in [
        (
            r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"low"}}"#,
            image(web(), Some(Detail::Low)),
        ),
        (r#"{"type":"image_url","image_url":"https://x.example/a.png"}"#, image(web(), None)),
        (
            r#"{"type":"input_image","image_url":"https://x.example/a.png","detail":"original"}"#,
            image(web(), Some(Detail::Original)),
        ),
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#,
            image(bytes("image/png", "iVBORw0KGgo="), None),
        ),
        // Addresses' alphabet, without padding.
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/webp;base64,-_8"}}"#,
            image(bytes("image/webp", "+/8="), None),
        ),
    ] {
        assert_eq!(parts(&format!("[{part}]")), expected, "{part}");
    }
    refused_part(
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,*"}}"#,
        "messages.content.image_url",
    );
    refused_part(
        r#"{"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg/>"}}"#,
        "messages.content.image_url",
    );
    refused_part(
        r#"{"type":"image_url","image_url":{"url":"x","detail":"x"}}"#,
        "messages.content.image_url.detail",
    );
    refused_part(r#"{"type":"image_url"}"#, "messages.content.image_url");
    refused_part(r#"{"type":"input_image","file_id":"file-1"}"#, "messages.content.file_id");
}

/// sglang#19233, claude-code-router#1678.
#[test]
fn a_picture_is_what_its_bytes_say() {
    let body = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,/9j/4AAQ"}}]}]}"#;
    let (request, notes) = of(body).unwrap();
    let Content::Image(image) = &request.turns[0].parts[0].content else { panic!() };
    let data = "/9j/4AAQ".to_owned();
    assert_eq!(image.source, Source::Base64 { mime: "image/jpeg".to_owned(), data });
    assert_eq!(notes, "messages.content.image_url;changed");
}

#[test]
fn sound_and_files_are_read() {
    let part = |content| [Part::new(content)];
    let sound = Content::Audio { mime: "audio/mp3".to_owned(), data: "aGk=".to_owned() };
    let audio = r#"[{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}}]"#;
    assert_eq!(parts(audio), part(sound));
    let document = |source, title: Option<&str>| {
        let title = title.map(str::to_owned);
        part(Content::Document(Document { source, title, context: None, citations: false }))
    };
    let pdf = || Source::Base64 { mime: "application/pdf".to_owned(), data: "JVBERi0x".to_owned() };
    let text = Source::Base64 { mime: "text/csv".to_owned(), data: "YSxi".to_owned() };
    let url = Source::Url { url: "https://x.example/a.pdf".to_owned(), mime: None };
    for (content, expected) in [
        (
            r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0x"}}"#,
            document(pdf(), Some("a.pdf")),
        ),
        (r#"{"type":"file","file":{"file_data":"JVBERi0x"}}"#, document(pdf(), None)),
        (
            r#"{"type":"input_file","file_data":"data:application/pdf;base64,JVBERi0x"}"#,
            document(pdf(), None),
        ),
        (
            r#"{"type":"file","file":{"filename":"a.csv","file_data":"YSxi"}}"#,
            document(text, Some("a.csv")),
        ),
        (r#"{"type":"file","file":{"file_data":"https://x.example/a.pdf"}}"#, document(url, None)),
    ] {
        assert_eq!(parts(&format!("[{content}]")), expected, "{content}");
    }
    refused_part(r#"{"type":"file","file":{"file_id":"file-1"}}"#, "messages.content.file.file_id");
    refused_part(r#"{"type":"file","file":{"filename":"a"}}"#, "messages.content.file.file_data");
    refused_part(
        r#"{"type":"input_audio","input_audio":{"data":"*","format":"wav"}}"#,
        "messages.content.input_audio.data",
    );
    refused_part(
        r#"{"type":"input_audio","input_audio":{"data":"","format":"a/b"}}"#,
        "messages.content.input_audio.format",
    );
    refused_part(r#"{"type":"video_url","video_url":{"url":"x"}}"#, "messages.content.type");
}

#[test]
fn empty_texts_are_none_unless_they_are_marked() {
    assert_eq!(parts(r#""""#), []);
    assert_eq!(parts("null"), []);
    assert_eq!(parts(r#"[{"type":"text","text":""},"a"]"#), [Part::text("a")]);
    assert_eq!(parts(r#"[{"type":"text","text":"","cache_control":{}}]"#).len(), 1);
}

#[test]
fn turns_of_the_model_are_read_in_order() {
    let found = turns(
        r#"{"role":"assistant","reasoning_content":"Hm.","refusal":null,"annotations":[],
        "content":[{"type":"text","text":"Yes."},{"type":"refusal","refusal":"No."}],
        "tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1 }"}},
        {"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}],"function_call":null}"#,
    );
    let call = |id: &str, name: &str, input| {
        let (id, name) = (id.to_owned(), name.to_owned());
        Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
    };
    let thought = Thinking { text: "Hm.".to_owned(), ..Thinking::default() };
    let expected = vec![
        Part::new(Content::Thinking(thought)),
        Part::text("Yes."),
        Part::new(Content::Refusal("No.".to_owned())),
        call("c1", "f", CallInput::Json(json(r#"{ "a": 1 }"#))),
        call("c2", "g", CallInput::Text("x".to_owned())),
    ];
    assert_eq!(found, [turn(Role::Assistant, expected)]);
}

#[test]
fn sources_of_texts_are_read() {
    let found = turns(
        r#"{"role":"assistant","content":"See there.","annotations":[{"type":"url_citation",
        "url_citation":{"url":"https://x.example","title":"X","start_index":4,"end_index":9}}]}"#,
    );
    let citation = Citation {
        url: "https://x.example".to_owned(),
        title: Some("X".to_owned()),
        quote: None,
        range: Some((4, 9)),
    };
    let text = Text { text: "See there.".to_owned(), citations: vec![citation] };
    assert_eq!(found[0].parts, [Part::new(Content::Text(text))]);
}

/// Bug 10 of the list: a signature was lost before the second round.
#[test]
fn thoughts_and_calls_keep_the_states_that_were_sealed_for_them() {
    let found = turns(
        r#"{"role":"assistant","content":null,"reasoning_content":"Hm.",
        "reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"slc1.anthropic.EqQB","index":0}],
        "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":""},
        "extra_content":{"google":{"thought_signature":"slc1.gemini.CiQB"}}}]}"#,
    );
    let opaque = |origin, data: &str| Some(Opaque { origin, data: data.to_owned() });
    let [thought, call] = found[0].parts.as_slice() else { panic!("{found:?}") };
    let expected = Thinking {
        text: "Hm.".to_owned(),
        opaque: opaque(Dialect::Anthropic, "EqQB"),
        redacted: false,
    };
    assert_eq!(thought.content, Content::Thinking(expected));
    let Content::Call(call) = &call.content else { panic!() };
    assert_eq!(call.opaque, opaque(Dialect::Gemini, "CiQB"));
    assert_eq!(call.input, CallInput::Json(Json::empty_object()));
}

#[test]
fn results_that_follow_each_other_are_one_turn() {
    let found = turns(
        r#"{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}},
        {"id":"c2","type":"custom","custom":{"name":"g","input":""}}]},
        {"role":"tool","tool_call_id":"c1","content":"r1"},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},
        {"role":"user","content":"Go on."},
        {"role":"tool","tool_call_id":"c3","name":"h","content":""}"#,
    );
    let result = |call: &str, parts, custom, name: Option<&str>| {
        let (call, name) = (call.to_owned(), name.map(str::to_owned));
        Part::new(Content::Result(CallResult { call, name, parts, failed: false, custom }))
    };
    let first = result("c1", vec![Part::text("r1")], false, None);
    let second = result("c2", vec![Part::text("r2")], true, None);
    assert_eq!(found[1], turn(Role::User, vec![first, second]));
    assert_eq!(found[2], turn(Role::User, vec![Part::text("Go on.")]));
    assert_eq!(found[3], turn(Role::User, vec![result("c3", vec![], false, Some("h"))]));
    assert_eq!(found.len(), 4);
}

#[test]
fn calls_and_results_of_old_refer_by_name() {
    let found = turns(
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"r"}"#,
    );
    let Content::Call(call) = &found[0].parts[0].content else { panic!() };
    let Content::Result(result) = &found[1].parts[0].content else { panic!() };
    assert_eq!((call.id.as_str(), call.name.as_str()), ("", "f"));
    assert_eq!((result.call.as_str(), result.name.as_deref()), ("", Some("f")));
}
