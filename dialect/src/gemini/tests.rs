//! The sample bodies of this dialect: each is read as its name says, and what is read of a
//! request can be written again.

use super::{error, request, response, stream};
use crate::{
    chat::{Event, Request, Stop},
    error::ErrorKind,
    translate::{Notes, Refused, Target, Thread},
};
use domain::catalog::{Dialect, Quirks};
use std::{fs, path::Path};

/// The samples of one kind: name and content.
fn samples(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemini").join(kind);
    // What stands beside them is what others make of them.
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.extension().is_none_or(|it| it != "snap"));
    let mut samples: Vec<_> = files
        .map(|it| (it.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(it).unwrap()))
        .collect();
    samples.sort();
    assert!(!samples.is_empty());
    samples
}

fn read(body: &[u8]) -> Result<Request, Refused> {
    request::read(body, &mut Notes::default())
}

fn write(request: &Request, model: &str) -> Result<Vec<u8>, Refused> {
    let target = Target {
        dialect: Dialect::Gemini,
        model,
        quirks: Quirks::NONE,
        output_cap_field: "maxOutputTokens",
        max_output: None,
        output_cap: None,
    };
    request::write(request, &target, &mut Thread::default(), &mut Notes::default())
}

#[test]
fn requests_are_read_and_mean_the_same_when_written_again() {
    for (name, body) in samples("request") {
        if name.ends_with("_refused") {
            assert!(read(&body).is_err(), "{name}");
            continue;
        }
        let mut request = read(&body).unwrap_or_else(|it| panic!("{name}: {it}"));
        if name.ends_with("_url") {
            assert!(write(&request, "gemini-2.5-flash").is_err(), "{name}");
            continue;
        }
        // Only Vertex has labels.
        request.metadata.clear();
        // Google tells a file's name only where it keeps the file.
        if name.starts_with("document_") {
            write(&request, "gemini-2.5-flash").unwrap();
            continue;
        }
        let is_newer = matches!(name.as_str(), "thinking_two_rounds" | "tool_result_image");
        let model = if is_newer { "gemini-3-flash" } else { "gemini-2.5-flash" };
        let again = read(&write(&request, model).unwrap()).unwrap();
        assert_eq!(without_thoughts(again), without_thoughts(request), "{name}");
    }
}

/// Without readable thoughts, which the model itself does not need again, and with results
/// in one order.
fn without_thoughts(mut request: Request) -> Request {
    use crate::chat::{CallResult, Content};
    for turn in &mut request.turns {
        turn.parts
            .retain(|it| !matches!(&it.content, Content::Thinking(it) if it.opaque.is_none()));
        for part in &mut turn.parts {
            // The name is looked up anew.
            if let Content::Result(CallResult { name, .. }) = &mut part.content {
                *name = None;
            }
        }
        turn.parts.sort_by_key(|it| match &it.content {
            Content::Result(it) => it.call.clone(),
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_)
            | Content::Call(_) => String::new(),
        });
    }
    request
}

#[test]
fn answers_are_read_and_mean_the_same_when_written_again() {
    let thread = Thread { thoughts: true, ..Thread::default() };
    for (name, body) in samples("response") {
        let answer = response::read(&body).unwrap_or_else(|it| panic!("{name}: {it}"));
        let again = response::read(&response::write(&answer, &thread)).unwrap();
        assert_eq!(again.usage, answer.usage, "{name}");
        assert_eq!((&again.id, &again.model), (&answer.id, &answer.model), "{name}");
        for (again, choice) in again.choices.iter().zip(&answer.choices) {
            assert_eq!((&again.stop, &again.logprobs), (&choice.stop, &choice.logprobs), "{name}");
            // A quote is cut out of the text anew.
            if name != "grounding" {
                assert_eq!(again.parts, choice.parts, "{name}");
            }
        }
    }
}

#[test]
fn streams_are_read_to_their_end() {
    for (name, body) in samples("stream") {
        let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
        for line in String::from_utf8(body).unwrap().lines() {
            if let Some(data) = line.strip_prefix("data: ") {
                reader.push("", data, &mut events).unwrap();
            }
        }
        let stop = events.iter().find_map(|it| {
            if let Event::Stop { stop, .. } = it { Some(stop.clone()) } else { None }
        });
        let failed = events.iter().any(|it| matches!(it, Event::Failed(_)));
        let expected = match name.as_str() {
            "truncated" | "error_in_the_middle" => None,
            "finish_max_tokens" => Some(Stop::Length),
            "finish_safety" | "blocked_prompt" => Some(Stop::Refused),
            "finish_malformed_function_call" => {
                Some(Stop::Failed("MALFORMED_FUNCTION_CALL".to_owned()))
            }
            "calls_with_signature" | "parallel_calls_one_chunk" => Some(Stop::Calls),
            _ => Some(Stop::End),
        };
        assert_eq!((stop, failed), (expected, name == "error_in_the_middle"), "{name}");
    }
}

#[test]
fn errors_are_of_the_kinds_that_their_names_say() {
    for (name, body) in samples("error") {
        let status = name.get(..3).unwrap().parse().unwrap();
        let kind = match name.as_str() {
            "400_invalid_argument" => ErrorKind::InvalidRequest,
            "400_api_key_invalid" | "401_unauthenticated" => ErrorKind::InvalidKey,
            "400_prompt_too_long" => ErrorKind::PromptTooLong,
            "400_payload_too_large" | "413_too_large" => ErrorKind::TooLarge,
            "403_permission_denied" => ErrorKind::Forbidden,
            "404_not_found" => ErrorKind::ModelNotFound,
            "429_requests" => ErrorKind::RequestsLimited,
            "429_tokens" => ErrorKind::TokensLimited,
            "500_internal" => ErrorKind::UpstreamFailed,
            "503_overloaded" | "529_overloaded" => ErrorKind::Overloaded,
            "504_deadline" => ErrorKind::UpstreamTimeout,
            _ => panic!("{name}"),
        };
        assert_eq!(error::read(status, &body).kind, kind, "{name}");
        assert_eq!(error::retry_after(&body).is_some(), status == 429, "{name}");
    }
}

#[test]
fn what_is_cut_off_anywhere_is_refused_and_nothing_worse() {
    for (name, body) in samples("request") {
        let end = body.trim_ascii_end().len();
        for at in (0..end).step_by(7) {
            assert!(read(&body[..at]).is_err(), "{name} at {at}");
        }
    }
    for (name, body) in samples("response") {
        let end = body.trim_ascii_end().len();
        for at in (0..end).step_by(7) {
            assert!(response::read(&body[..at]).is_err(), "{name} at {at}");
        }
    }
    for (_, body) in samples("error") {
        for at in 0..body.len() {
            assert!(400 <= error::read(500, &body[..at]).kind.status(Dialect::Gemini).as_u16());
        }
    }
}

/// Any value in any place: what is wrong is refused or left out, and nothing breaks.
#[test]
fn values_of_wrong_types_break_nothing() {
    let odd = ["null", "-1", "1e999", "true", "\"\"", "[null]", "[{}]", "{}"];
    for (kind, bodies) in [("request", samples("request")), ("response", samples("response"))] {
        for (_, body) in bodies {
            let text = String::from_utf8(body).unwrap();
            let colons: Vec<_> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
            for at in colons {
                let end = text[at..].find([',', '\n']).map_or(text.len(), |it| at + it);
                for value in odd {
                    let broken = format!("{}{value}{}", &text[..at], &text[end..]);
                    if kind == "request" {
                        if let Ok(request) = read(broken.as_bytes()) {
                            let _ = write(&request, "gemini-3-flash");
                        }
                    } else if let Ok(answer) = response::read(broken.as_bytes()) {
                        response::write(&answer, &Thread::default());
                        let mut reader = stream::Reader::default();
                        reader.push("", &broken, &mut Vec::new()).unwrap();
                    }
                }
            }
        }
    }
}
