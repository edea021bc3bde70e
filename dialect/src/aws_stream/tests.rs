//! Streams that are made here by the published description of the format.

use super::*;
use proptest::prelude::*;

/// A message with these headers, all of them texts.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend(name.as_bytes());
        block.push(7);
        block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend(value.as_bytes());
    }
    framed(&block, payload)
}

fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(FRAME + headers.len() + payload.len()).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// An event of this type.
fn event_of(name: &str, payload: &str) -> Vec<u8> {
    let headers =
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.as_bytes())
}

/// An exception of this type.
fn exception(name: &str, payload: &str) -> Vec<u8> {
    message(&[(":exception-type", name), (":message-type", "exception")], payload.as_bytes())
}

fn read_in(pieces: &[&[u8]]) -> (Vec<(String, String)>, bool) {
    let (mut stream, mut out) = (AwsStream::default(), Vec::new());
    let pushed = pieces.iter().try_for_each(|it| stream.push(it, &mut out));
    let fine = pushed.and_then(|()| stream.finish()).is_ok();
    (out.into_iter().map(|it| (it.name, it.payload)).collect(), fine)
}

fn owned(messages: &[(&str, &str)]) -> Vec<(String, String)> {
    messages.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn a_message_without_anything_is_as_the_format_has_it() {
    let bytes = [
        0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8,
        0xff,
    ];
    assert_eq!(framed(b"", b""), bytes);
    assert_eq!(read_in(&[&bytes]), (owned(&[("", "")]), true));
}

#[test]
fn messages_are_read_wherever_they_are_cut() {
    let mut bytes = event_of("messageStart", r#"{"role":"assistant"}"#);
    bytes.extend(event_of("contentBlockDelta", r#"{"delta":{"text":"你"}}"#));
    bytes.extend(exception("throttlingException", r#"{"message":"slow"}"#));
    let facts = [
        ("messageStart", r#"{"role":"assistant"}"#),
        ("contentBlockDelta", r#"{"delta":{"text":"你"}}"#),
        ("throttlingException", r#"{"message":"slow"}"#),
    ];
    for step in 1..=bytes.len() {
        let pieces: Vec<_> = bytes.chunks(step).collect();
        assert_eq!(read_in(&pieces), (owned(&facts), true), "cut at {step}");
    }
    for end in 1..bytes.len() {
        let (read, fine) = read_in(&[&bytes[..end]]);
        let is_boundary = [
            event_of("messageStart", facts[0].1).len(),
            event_of("messageStart", facts[0].1).len()
                + event_of("contentBlockDelta", facts[1].1).len(),
        ];
        assert_eq!(fine, is_boundary.contains(&end), "{end} {read:?}");
    }
}

#[test]
fn an_error_without_a_model_of_it_is_told_by_its_headers() {
    let headers = [
        (":message-type", "error"),
        (":error-code", "InternalFailure"),
        (":error-message", "a \"b\""),
    ];
    let told = owned(&[("InternalFailure", r#"{"message":"a \"b\""}"#)]);
    assert_eq!(read_in(&[&message(&headers, b"")]), (told, true));
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    for (kind, length) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend([1, b'x', kind]);
        headers.extend(vec![0; length]);
    }
    headers.extend([1, b'x', 6, 0, 2, 1, 2]);
    headers.extend(b"\x0b:event-type\x07\x00\x01e");
    assert_eq!(read_in(&[&framed(&headers, b"{}")]), (owned(&[("e", "{}")]), true));
}

#[test]
fn nonsense_is_told_after_what_was_good() {
    let good = event_of("a", "{}");
    let any_bit = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    // A length that is wrong has a wrong checksum, too: it is not waited for.
    for at in 0..good.len() {
        let bytes = [good.clone(), any_bit(at), good.clone()].concat();
        assert_eq!(read_in(&[&bytes]), (owned(&[("a", "{}")]), false), "{at}");
    }
    for bad in [
        framed(&[1], b""),
        framed(&[1, b'x', 10], b""),
        framed(&[1, b'x', 7, 0, 9, b'y'], b""),
        framed(b"\x0b:event-type\x07\x00\x01\xff", b""),
        event_of("b", "{}").iter().map(|_| b'<').collect(),
        message(&[(":event-type", "x")], b"\xff"),
    ] {
        let (read, fine) = read_in(&[&good, &bad, &good]);
        assert_eq!((read, fine), (owned(&[("a", "{}")]), false), "{bad:?}");
    }
}

#[test]
fn lengths_that_cannot_be_are_not_waited_for() {
    let prelude = |length: u32, headers: u32| {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(headers.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    let most = u32::try_from(MAX_MESSAGE).unwrap();
    for (length, headers, fine) in [
        (most, 0, true),
        (most + 1, 0, false),
        (u32::MAX, 0, false),
        (15, 0, false),
        (16, 1, false),
        (100, 85, false),
        (100, 84, true),
    ] {
        let pushed = AwsStream::default().push(&prelude(length, headers), &mut Vec::new());
        assert_eq!(pushed.is_ok(), fine, "{length} {headers}");
    }
}

#[track_caller]
fn check(content: Content, messages: &[Vec<u8>], expected: &str) {
    let bytes = messages.concat();
    for step in [1, 7, bytes.len()] {
        let (mut reframing, mut out) = (Reframing::new(content), Vec::new());
        for piece in bytes.chunks(step) {
            reframing.push(piece, &mut out).unwrap();
        }
        reframing.finish().unwrap();
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }
}

#[test]
fn events_of_converse_are_said_with_their_names() {
    check(
        Content::Converse,
        &[
            event_of("messageStart", r#"{"role":"assistant","p":"abc"}"#),
            event_of("metadata", "{\r\n\"usage\":{}}"),
            exception("throttlingException", r#"{"message":"Too \"many\""}"#),
            exception("modelStreamErrorException", "?"),
        ],
        "event: messageStart\ndata: {\"role\":\"assistant\",\"p\":\"abc\"}\n\n\
         event: metadata\ndata: {  \"usage\":{}}\n\n\
         event: error\ndata: {\"__type\":\"throttlingException\",\
         \"message\":\"Too \\\"many\\\"\"}\n\n\
         event: error\ndata: {\"__type\":\"modelStreamErrorException\",\"message\":\"\"}\n\n",
    );
}

#[test]
fn anthropics_events_are_unwrapped_to_the_byte() {
    let wrapped = |text: &str| {
        let bytes = STANDARD.encode(text);
        event_of("chunk", &format!(r#"{{"bytes":"{bytes}","p":"abcdefgh"}}"#))
    };
    let (start, stop) =
        (r#"{"type":"message_start", "message":{"x":1.0}}"#, r#"{"type":"message_stop"}"#);
    check(
        Content::Anthropic,
        &[
            wrapped(start),
            event_of("other", "{}"),
            wrapped(stop),
            exception("throttlingException", r#"{"message":"Slow down"}"#),
        ],
        &format!(
            "event: message_start\ndata: {start}\n\nevent: message_stop\ndata: {stop}\n\n\
             event: error\ndata: {}\n\n",
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"},"request_id":""}"#
        ),
    );
}

#[test]
fn what_is_wrapped_otherwise_is_unreadable_after_what_was_good() {
    for bad in ["", "[]", "{}", r#"{"bytes":"*"}"#, r#"{"bytes":"e30"}"#, r#"{"bytes":"/w=="}"#] {
        let bytes = [event_of("chunk", r#"{"bytes":"e30="}"#), event_of("chunk", bad)].concat();
        let (mut reframing, mut out) = (Reframing::new(Content::Anthropic), Vec::new());
        assert!(reframing.push(&bytes, &mut out).is_err(), "{bad}");
        assert_eq!(out, b"event: \ndata: {}\n\n");
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        names in prop::collection::vec("[a-z]{0,5}", 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes: Vec<u8> = names.iter().flat_map(|it| event_of(it, "{}")).collect();
        bytes.extend(noise);
        let mut cuts: Vec<_> = cuts.iter().map(|it| it.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let begins = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([bytes.len()]);
        let pieces: Vec<_> = begins.zip(ends).map(|(from, to)| &bytes[from..to]).collect();
        prop_assert_eq!(read_in(&pieces), read_in(&[&bytes]));
    }
}
