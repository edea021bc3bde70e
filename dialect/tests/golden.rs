//! What each sample of a dialect becomes in every other: `tests/golden/<dialect>/` holds
//! requests of callers and answers of providers, written by hand, and under `tests/told/`
//! stands what is made of each. `SLUICE_UPDATE_GOLDEN=1` writes that anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use dialect::translate::{
    self, Answering, Outgoing, PathWords, Refused, Target, Thread, Told, callers_speak,
    providers_speak,
};
use domain::catalog::{Dialect, Quirks};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Where a dialect's samples are.
const fn folder(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "openai_chat",
        Dialect::OpenAiResponses => "openai_responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Bedrock => "bedrock",
    }
}

#[test]
fn requests_become_what_they_became() {
    let mut compared = Compared::default();
    for from in Dialect::ALL.into_iter().filter(|it| callers_speak(*it)) {
        for case in cases(from, "request", "json") {
            let path = match from {
                Dialect::Gemini => PathWords { model: Some("gemini-model"), stream: Some(false) },
                Dialect::OpenAi
                | Dialect::OpenAiResponses
                | Dialect::Anthropic
                | Dialect::Bedrock => PathWords::default(),
            };
            let reading = translate::read(from, &fs::read(&case).unwrap(), path);
            for to in Dialect::ALL.into_iter().filter(|it| *it != from && providers_speak(*it)) {
                let outgoing = reading.as_ref().map_err(Refused::clone);
                let outgoing =
                    outgoing.and_then(|it| it.write(&target(to), "req_1", 1_700_000_000));
                compared.with(&case, to, &of_request(outgoing));
            }
        }
    }
    compared.assert_same();
}

#[test]
fn answers_become_what_they_became() {
    let mut compared = Compared::default();
    for (from, to) in pairs() {
        for case in cases(from, "response", "json") {
            let mut answering = Answering::new(from, false, to, Told::Whole, thread());
            let told = finished(&mut answering, &fs::read(&case).unwrap(), usize::MAX);
            compared.with(&case, to, &of_answer(&answering, &indented(&told)));
        }
    }
    compared.assert_same();
}

#[test]
fn streams_become_what_they_became_however_they_are_cut() {
    let mut compared = Compared::default();
    for (from, to) in pairs() {
        for case in cases(from, "stream", "") {
            let stream = fs::read(&case).unwrap();
            let told = |size| {
                let mut answering = Answering::new(from, true, to, Told::Events, thread());
                let told = finished(&mut answering, &stream, size);
                (of_answer(&answering, &String::from_utf8(told).unwrap()), answering)
            };
            let (uncut, _) = told(usize::MAX);
            for size in [1, 7, 100] {
                assert_eq!(told(size).0, uncut, "{} cut at {size}", case.display());
            }
            compared.with(&case, to, &uncut);
        }
    }
    compared.assert_same();
}

/// A stream for a caller who wants it whole, and a whole answer for one who wants a
/// stream: that they end well where the other way does.
#[test]
fn streams_are_collected_and_whole_answers_are_told_as_streams() {
    for (from, to) in pairs() {
        for (kind, ending, streamed) in [("stream", "", true), ("response", "json", false)] {
            for case in cases(from, kind, ending) {
                let body = fs::read(&case).unwrap();
                let failed = |told| {
                    let mut answering = Answering::new(from, streamed, to, told, thread());
                    let told = finished(&mut answering, &body, usize::MAX);
                    assert!(answering.is_over(), "{}", case.display());
                    (answering.failed().cloned(), told.is_empty())
                };
                let (events, whole) = (failed(Told::Events), failed(Told::Whole));
                assert_eq!(events.0, whole.0, "{} as {to}", case.display());
                assert_eq!((events.1, whole.1), (false, whole.0.is_some()));
            }
        }
    }
}

/// litellm#32475, #32159, talon#254, OmniRoute#7699: a stream that breaks off looks whole.
#[test]
fn a_stream_that_breaks_off_anywhere_never_looks_whole() {
    for (from, to) in pairs() {
        // What ends a good stream; Gemini's has no mark of its own.
        let mark = match to {
            Dialect::OpenAi => "data: [DONE]",
            Dialect::OpenAiResponses => "response.completed",
            Dialect::Anthropic => "message_stop",
            Dialect::Gemini | Dialect::Bedrock => "\"finishReason\"",
        };
        for case in cases(from, "stream", "") {
            let stream = fs::read(&case).unwrap();
            let step = stream.len().div_ceil(40).max(1);
            for end in (0..stream.len()).step_by(step) {
                let mut answering = Answering::new(from, true, to, Told::Events, thread());
                let told = finished(&mut answering, &stream[..end], usize::MAX);
                let text = String::from_utf8(told).unwrap();
                let place = format!("{} cut at {end} as {to}", case.display());
                assert!(answering.is_over() && !text.is_empty(), "{place}");
                if answering.failed().is_some() {
                    assert!(!text.contains(mark), "{place}: {text}");
                    assert!(text.contains("error"), "{place}: {text}");
                }
            }
        }
    }
}

#[test]
fn spoilt_samples_break_nothing() {
    const SIGNS: &[u8] = b"{}[]\",:0\\n\n\xff";
    let mut chance = 1_u64;
    let mut next = move |below: usize| {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below.max(1)
    };
    let mut spoilt = |body: &[u8]| {
        let mut body = body.to_vec();
        for _ in 0..=next(4) {
            let at = next(body.len());
            let with = SIGNS[next(SIGNS.len())];
            if let Some(byte) = body.get_mut(at) {
                *byte = with;
            }
        }
        body
    };
    for (from, to) in pairs() {
        for (kind, streamed) in [("stream", true), ("response", false)] {
            for case in cases(from, kind, "") {
                let body = fs::read(&case).unwrap();
                for told in [Told::Whole, Told::Events, Told::Array, Told::Events] {
                    let mut answering = Answering::new(from, streamed, to, told, thread());
                    finished(&mut answering, &spoilt(&body), usize::MAX);
                    assert!(answering.is_over(), "{}", case.display());
                }
            }
        }
        for case in cases(to, "request", "json") {
            let body = spoilt(&fs::read(&case).unwrap());
            if let Ok(reading) = translate::read(to, &body, PathWords::default()) {
                let _ = reading.write(&target(from), "req_1", 0);
            }
        }
    }
}

#[test]
fn errors_become_what_they_became() {
    let mut compared = Compared::default();
    for (from, to) in pairs() {
        for case in cases(from, "error", "json") {
            let status = name(&case).split(['.', '_']).next().unwrap().parse().unwrap();
            let failure = translate::failure(from, status, &fs::read(&case).unwrap());
            let told = translate::error_body(to, &failure, "req_1");
            let text = format!("{:?}\n{}", failure.kind, indented(&told));
            compared.with(&case, to, &text);
        }
    }
    compared.assert_same();
}

/// Providers' dialects and callers' that are others.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let from = Dialect::ALL.into_iter().filter(|it| providers_speak(*it));
    from.flat_map(|from| {
        let to = Dialect::ALL.into_iter().filter(move |it| *it != from && callers_speak(*it));
        to.map(move |to| (from, to))
    })
}

fn target(dialect: Dialect) -> Target<'static> {
    Target {
        dialect,
        model: "upstream-model",
        quirks: Quirks::NONE,
        output_cap_field: "max_completion_tokens",
        max_output: Some(8_192),
        output_cap: None,
    }
}

/// A request of a caller who wants to see all that there is.
fn thread() -> Thread {
    Thread {
        request: "req_1".to_owned(),
        received_at: 1_700_000_000,
        alias: "alias".to_owned(),
        stream_usage: true,
        thoughts: true,
        wants_opaque: true,
        ..Thread::default()
    }
}

fn finished(answering: &mut Answering, body: &[u8], size: usize) -> Vec<u8> {
    let mut told: Vec<Bytes> =
        body.chunks(size.min(body.len().max(1))).map(|it| answering.push(it)).collect();
    told.push(answering.finish());
    told.concat()
}

fn of_request(outgoing: Result<Outgoing, Refused>) -> String {
    match outgoing {
        Ok(outgoing) => format!("adapted: {}\n{}", outgoing.notes, indented(&outgoing.body)),
        Err(refused) => format!("refused: {refused}\n"),
    }
}

fn of_answer(answering: &Answering, told: &str) -> String {
    let mut text = String::new();
    if let Some(failure) = answering.failed() {
        writeln!(text, "failed: {:?}: {}", failure.kind, failure.message).unwrap();
    }
    text + told
}

/// JSON with each value on a line of its own, in the order and the spelling that it has.
fn indented(json: &[u8]) -> String {
    let json = std::str::from_utf8(json).unwrap();
    let (mut out, mut depth, mut in_string, mut escaped) = (String::new(), 0usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    let mut letters = json.chars().filter(|it| *it != '\n').peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            '{' | '[' => {
                out.push(letter);
                depth += 1;
                if !matches!(letters.peek(), Some('}' | ']')) {
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !out.ends_with(['{', '[']) {
                    line(&mut out, depth);
                }
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' => {}
            other => {
                in_string = other == '"';
                out.push(other);
            }
        }
    }
    out.push('\n');
    out
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The samples of one kind, by name.
fn cases(dialect: Dialect, kind: &str, ending: &str) -> Vec<PathBuf> {
    let folder = tests().join("golden").join(folder(dialect)).join(kind);
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut cases: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    cases.retain(|it| ending.is_empty() || it.extension().is_some_and(|it| it == ending));
    cases.sort();
    cases
}

fn name(case: &Path) -> &str {
    case.file_name().unwrap().to_str().unwrap()
}

/// What differs from what was kept.
#[derive(Default)]
struct Compared(Vec<String>);

impl Compared {
    fn with(&mut self, case: &Path, to: Dialect, text: &str) {
        let sample = case.strip_prefix(tests().join("golden")).unwrap();
        let kept = tests().join("told").join(sample);
        let kept = kept.with_extension(format!("{}.snap", folder(to)));
        if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            return fs::write(kept, text).unwrap();
        }
        let before = fs::read_to_string(&kept).unwrap_or_default();
        if before != text {
            let differs = before.lines().zip(text.lines()).position(|(a, b)| a != b);
            let at = differs.unwrap_or_else(|| before.lines().count().min(text.lines().count()));
            let line = |text: &str| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
            let (old, new) = (line(&before), line(text));
            self.0.push(format!("{}:{}\n  - {old}\n  + {new}", kept.display(), at + 1));
        }
    }

    #[track_caller]
    fn assert_same(self) {
        let Self(differences) = self;
        if !differences.is_empty() {
            let count = differences.len();
            panic!("{count} differ; SLUICE_UPDATE_GOLDEN=1 keeps them\n{}", differences.join("\n"));
        }
    }
}
