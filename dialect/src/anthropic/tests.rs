use super::{error, request, response, stream};
use crate::{
    chat::Event,
    translate::{Notes, Target, Thread},
};
use domain::catalog::{Dialect, Quirks};
use std::{fs, path::PathBuf};

/// The golden files of one kind, by name.
fn golden(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/anthropic").join(kind);
    // What stands beside them is what others make of them.
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.extension().is_none_or(|it| it != "snap"));
    files
        .map(|it| (it.file_stem().unwrap().to_string_lossy().into(), fs::read(it).unwrap()))
        .collect()
}

fn target() -> Target<'static> {
    Target {
        dialect: Dialect::Anthropic,
        model: "claude-sonnet-4-5",
        quirks: Quirks::NONE,
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

#[test]
fn every_golden_request_is_read_and_can_be_written() {
    for (name, body) in golden("request") {
        let mut notes = Notes::default();
        let read = request::read(&body, &mut notes).unwrap_or_else(|it| panic!("{name}: {it}"));
        assert!(read.max_output.is_some() && !read.turns.is_empty(), "{name}");
        let written = request::write(&read, &target(), &mut Thread::default(), &mut notes);
        let written = written.unwrap_or_else(|it| panic!("{name}: {it}"));
        // What was written is read as a request again.
        request::read(&written, &mut notes).unwrap_or_else(|it| panic!("{name}: {it}"));
    }
}

#[test]
fn every_golden_answer_is_read_and_written_alike() {
    let thread = Thread { thoughts: true, ..Thread::default() };
    for (name, body) in golden("response") {
        let read = response::read(&body).unwrap_or_else(|it| panic!("{name}: {it}"));
        assert!(read.usage.is_some_and(|it| it.output > 0), "{name}");
        let again = response::read(&response::write(&read, &thread)).unwrap();
        assert_eq!((&again.id, &again.usage), (&read.id, &read.usage), "{name}");
        assert_eq!(again.choices[0].stop, read.choices[0].stop, "{name}");
    }
}

#[test]
fn every_golden_stream_is_read_to_its_end() {
    for (name, body) in golden("stream") {
        let (mut reader, mut out) = (stream::Reader::default(), Vec::new());
        let text = String::from_utf8(body).unwrap();
        for event in text.split_terminator("\n\n") {
            let (kind, data) = event.split_once("\ndata: ").unwrap();
            reader.push(kind.trim_start_matches("event: "), data, &mut out).unwrap();
        }
        let stops = out.iter().filter(|it| matches!(it, Event::Stop { .. })).count();
        let fails = out.iter().filter(|it| matches!(it, Event::Failed(_))).count();
        let expected = match name.as_str() {
            "error_in_the_middle" => (0, 1),
            "broken_off" => (0, 0),
            _ => (1, 0),
        };
        assert_eq!((stops, fails), expected, "{name}");
        assert_eq!(matches!(out.last(), Some(Event::End)), stops == 1, "{name}");
    }
}

#[test]
fn every_golden_error_is_read_and_told_alike() {
    for (name, body) in golden("error") {
        let status = name.split('_').next().unwrap().parse().unwrap();
        let told = error::write(&error::read(status, &body), "req_011CXyZ");
        let value = |it: &[u8]| serde_json::from_slice::<serde_json::Value>(it).unwrap();
        assert_eq!(value(&told), value(&body), "{name}");
    }
}

#[test]
fn a_golden_request_can_be_counted_instead() {
    for (name, body) in golden("request") {
        let mut notes = Notes::default();
        let read = request::read_count(&body, &mut notes).unwrap();
        let written = request::write_count(&read, &target(), &mut Thread::default(), &mut notes);
        let written = String::from_utf8(written.unwrap()).unwrap();
        assert!(!written.contains("\"max_tokens\":"), "{name}");
    }
}

/// No piece of a body, wherever it is cut, and no byte that is wrong makes anything panic.
#[test]
fn what_is_cut_or_spoilt_is_refused_or_read_and_never_a_panic() {
    for kind in ["request", "response", "error", "stream"] {
        for (_, body) in golden(kind) {
            for at in (0..body.len()).step_by(7) {
                let mut spoilt = body.clone();
                spoilt[at] = b'7';
                for bytes in [&body[..at], &spoilt] {
                    let mut notes = Notes::default();
                    if let Ok(read) = request::read(bytes, &mut notes) {
                        let thread = &mut Thread::default();
                        let _ = request::write(&read, &target(), thread, &mut notes);
                    }
                    let _ = response::read(bytes);
                    let _ = error::read(400, bytes);
                    let text = String::from_utf8_lossy(bytes);
                    let mut reader = stream::Reader::default();
                    for line in text.lines().filter_map(|it| it.strip_prefix("data: ")) {
                        let _ = reader.push("", line, &mut Vec::new());
                    }
                }
            }
        }
    }
}
