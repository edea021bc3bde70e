use super::*;
use crate::{
    chat::{Content, Event, Stop},
    error::ErrorKind,
    translate::{Notes, Target, Thread},
};
use domain::catalog::{Quirk, Quirks};
use std::{fs, path::Path};

/// The golden files of a kind, by their names without endings.
fn golden(dialect: &str, kind: &str) -> Vec<(String, String)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(dialect).join(kind);
    // What stands beside them is what others make of them.
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.extension().is_none_or(|it| it != "snap"));
    let mut files: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn target(quirks: &[Quirk]) -> Target<'static> {
    Target {
        dialect: Dialect::OpenAi,
        model: "gpt-5.1",
        quirks: quirks.iter().copied().collect::<Quirks>(),
        output_cap_field: "max_completion_tokens",
        max_output: None,
        output_cap: None,
    }
}

/// What is written is read as what it was written from: writing it again changes nothing.
#[test]
fn every_golden_request_is_written_for_each_kind_of_server_and_stays_the_same_then() {
    let openai = [Quirk::DeveloperRole, Quirk::CustomTools];
    let router = [Quirk::CacheControl, Quirk::CustomTools, Quirk::ReasoningContent];
    let frugal = [Quirk::NoJsonSchema, Quirk::NoSampling, Quirk::NoEffort, Quirk::CustomTools];
    for (name, body) in golden("openai_chat", "request") {
        for quirks in [&openai[..], &router, &frugal] {
            let again = |body: &[u8]| {
                let request = request::read(body, &mut Notes::default()).unwrap();
                let (thread, notes) = (&mut Thread::default(), &mut Notes::default());
                request::write(&request, &target(quirks), thread, notes).unwrap()
            };
            let once = again(body.as_bytes());
            // What is spelled out once is an instruction ever after.
            assert_eq!(again(&once), once, "{name} {}", String::from_utf8_lossy(&once));
        }
    }
}

#[test]
fn golden_requests_lose_nothing_that_openai_itself_knows() {
    const LOSSY: [&str; 4] =
        ["thinking_two_rounds", "thinking_of_gemini", "tool_result_image", "tools_of_other_forms"];
    for (name, body) in golden("openai_chat", "request") {
        let mut notes = Notes::default();
        let request = request::read(body.as_bytes(), &mut notes).unwrap();
        let target = target(&[Quirk::DeveloperRole, Quirk::CustomTools]);
        request::write(&request, &target, &mut Thread::default(), &mut notes).unwrap();
        if !LOSSY.contains(&name.as_str()) {
            assert_eq!(notes.to_string(), "", "{name}");
        }
    }
}

#[test]
fn every_golden_answer_is_read_and_written_without_a_loss() {
    for (name, body) in golden("openai_chat", "response") {
        let answer = response::read(body.as_bytes()).unwrap();
        let mut thread = Thread::default();
        let mut request = crate::chat::Request::default();
        let custom = ["apply_patch".to_owned()].into();
        asked::Asked { functions: name == "function_call_of_old", custom }.note(&mut request);
        thread.echo = request.echo;
        let mut again = response::read(&response::write(&answer, &thread)).unwrap();
        // vLLM's text upon which it ended has no place in OpenAI's form.
        if name == "stop_sequence_of_vllm" {
            again.choices[0].stop = Stop::Sequence(Some("THE END".to_owned()));
        }
        assert_eq!(again, answer, "{name}");
    }
}

#[test]
fn every_golden_stream_is_read_to_its_end() {
    for (name, text) in golden("openai_chat", "stream") {
        let mut reader = stream::Reader::default();
        let mut out = Vec::new();
        for data in text.split("\n\n").filter_map(|it| it.strip_prefix("data: ")) {
            reader.push("", data, &mut out).unwrap();
        }
        let count = |is: fn(&Event) -> bool| out.iter().filter(|it| is(it)).count();
        let stops = count(|it| matches!(it, Event::Stop { .. }));
        let failures = count(|it| matches!(it, Event::Failed(_)));
        let ends = count(|it| matches!(it, Event::End));
        let calls = count(|it| matches!(it, Event::CallStart { .. }));
        let expected = match name.as_str() {
            "error_in_the_middle" => (0, 1, 0),
            "cut_off" => (0, 0, 0),
            "without_done" => (1, 0, 0),
            "two_answers" => (2, 0, 1),
            _ => (1, 0, 1),
        };
        assert_eq!((stops, failures, ends), expected, "{name}");
        let expected = match name.as_str() {
            "gemini_signature" => 1,
            _ if name.starts_with("tools") => 2,
            _ => 0,
        };
        assert_eq!(calls, expected, "{name}");
    }
}

#[test]
fn every_golden_error_has_its_kind_and_its_words() {
    for (name, body) in golden("openai_chat", "error") {
        let status = name.split('_').next().unwrap().parse().unwrap();
        let failure = error::read(status, body.as_bytes());
        let kind = match name.as_str() {
            "400_context" => ErrorKind::PromptTooLong,
            "401_key" => ErrorKind::InvalidKey,
            "403_region" => ErrorKind::Forbidden,
            "404_model" => ErrorKind::ModelNotFound,
            "413_large" => ErrorKind::TooLarge,
            "429_requests" => ErrorKind::RequestsLimited,
            "429_tokens" => ErrorKind::TokensLimited,
            "429_quota" => ErrorKind::BudgetExhausted,
            "500_server" => ErrorKind::UpstreamFailed,
            "503_overloaded" | "529_overloaded" => ErrorKind::Overloaded,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!(failure.kind, kind, "{name}");
        let message = serde_json::to_string(&failure.message).unwrap();
        assert!(body.contains(message.trim_matches('"')), "{name}: {message}");
    }
}

#[test]
fn every_golden_request_for_legacy_completions_is_one_turn() {
    for (name, body) in golden("openai_completions", "request") {
        let request =
            crate::openai_completions::request::read(body.as_bytes(), &mut Notes::default());
        let turns = request.unwrap().turns;
        assert_eq!(turns.len(), 1, "{name}");
        assert!(matches!(turns[0].parts[0].content, Content::Text(_)), "{name}");
    }
}

#[test]
fn what_is_cut_off_anywhere_is_refused_and_harms_nothing() {
    for (name, body) in golden("openai_chat", "request") {
        for end in (0..body.trim_end().len()).step_by(5) {
            let cut = body.as_bytes().get(..end).unwrap();
            assert!(request::read(cut, &mut Notes::default()).is_err(), "{name} {end}");
        }
    }
    for (name, body) in golden("openai_chat", "response") {
        for end in (0..body.trim_end().len()).step_by(5) {
            assert!(response::read(body.as_bytes().get(..end).unwrap()).is_err(), "{name} {end}");
        }
    }
    for (_, body) in golden("openai_chat", "error") {
        for end in 0..body.len() {
            assert!(!error::read(500, &body.as_bytes()[..end]).message.is_empty());
        }
    }
}

/// Every field of every golden file in turn holds what it must not.
#[test]
fn what_is_of_the_wrong_type_harms_nothing() {
    for wrong in ["7", "\"x\"", "[]", "{}", "[[1]]", "true", "-1e400", "null"] {
        for (kind, ending) in [("request", "json"), ("response", "json"), ("stream", "sse")] {
            for (_, text) in golden("openai_chat", kind) {
                for (at, _) in text.match_indices(':') {
                    let after = text.get(at + 1..).unwrap_or_default();
                    let end = after.find([',', '}', '\n']).unwrap_or(after.len());
                    let mut text = text.clone();
                    text.replace_range(at + 1..at + 1 + end, wrong);
                    if ending == "sse" {
                        let mut reader = stream::Reader::default();
                        for data in text.split("\n\n").filter_map(|it| it.strip_prefix("data: ")) {
                            let _ = reader.push("", data, &mut Vec::new());
                        }
                    } else if let Ok(request) =
                        request::read(text.as_bytes(), &mut Notes::default())
                    {
                        let (thread, notes) = (&mut Thread::default(), &mut Notes::default());
                        let _ = request::write(&request, &target(&[]), thread, notes);
                    } else if let Ok(answer) = response::read(text.as_bytes()) {
                        response::write(&answer, &Thread::default());
                    }
                }
            }
        }
    }
}
