//! However an answer is cut into pieces, the caller gets the same bytes and we see the same.

use bytes::Bytes;
use dialect::relay::{Relay, Seen};
use domain::catalog::{Dialect, Operation};
use proptest::prelude::*;

/// What is forwarded, before and at the end, and what is seen before and at the end.
fn run(relay: Relay, pieces: &[&[u8]]) -> (Vec<u8>, Seen, Seen) {
    let mut relay = relay;
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&relay.push(Bytes::copy_from_slice(piece)));
    }
    let before = relay.seen();
    out.extend_from_slice(&relay.finish());
    (out, before, relay.seen())
}

fn stream(dialect: Dialect, hide: bool) -> Relay {
    Relay::new(dialect, Operation::Chat, true, hide)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z ]{0,12}",
        Just("你好 é\u{1f600}".to_owned()),
        Just(r#"\"usage\":{\"prompt_tokens\":5}\u00e9\ud83d\ude00\n"#.to_owned()),
    ]
}

fn openai_data() -> impl Strategy<Value = String> {
    let reason = prop_oneof![3 => Just("null"), 1 => Just("\"stop\""), 1 => Just("\"\"")];
    let usage = prop_oneof![
        3 => Just(String::new()),
        1 => Just(",\"usage\":null".to_owned()),
        1 => (0..1_000u32, 0..1_000u32).prop_map(|(input, output)| {
            format!(",\"usage\":{{\"prompt_tokens\":{input}, \"completion_tokens\":{output}}}")
        }),
    ];
    let space = "[ ]{0,2}";
    prop_oneof![
        4 => (text(), reason, usage, space).prop_map(|(text, reason, usage, space)| format!(
            "{{\"choices\":{space}[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{reason}}}]{usage}}}"
        )),
        2 => (0..1_000u32, 0..1_000u32).prop_map(|(input, output)| format!(
            "{{\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}"
        )),
        1 => Just("[DONE]".to_owned()),
        1 => Just("{\"error\":{\"message\":\"x\"}}".to_owned()),
        1 => Just("{\"broken\":".to_owned()),
        1 => Just(String::new()),
    ]
}

fn anthropic_data() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..99u32, 0..99u32).prop_map(|(input, cached)| format!(
            "{{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":{input},\
             \"cache_read_input_tokens\":{cached},\"output_tokens\":1}}}}}}"
        )),
        text().prop_map(|text| format!(
            "{{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}"
        )),
        (0..99u32).prop_map(|output| format!(
            "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\
             \"usage\":{{\"output_tokens\":{output}}}}}"
        )),
        Just("{\"type\":\"message_stop\"}".to_owned()),
        Just("{\"type\": \"ping\"}".to_owned()),
        Just("{\"type\":\"error\",\"error\":{}}".to_owned()),
    ]
}

/// An event with its line ends still to be chosen.
fn event(data: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let head = prop_oneof![
        4 => Just(""),
        1 => Just(": ping\n"),
        1 => Just("event: x\n"),
        1 => Just("id: 1\nretry: 2\nunknown\n"),
        1 => Just("event: error\n"),
        1 => Just("\n"),
    ];
    let field = prop_oneof![Just("data: "), Just("data:")];
    // JSON may be broken into lines between its tokens, and is then several data lines.
    (head, field, data, any::<bool>()).prop_map(|(head, field, data, broken)| {
        let data = if broken { data.replacen("],", &format!("],\n{field}"), 1) } else { data };
        format!("{head}{field}{data}\n\n")
    })
}

fn whole(data: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let events = prop::collection::vec((event(data), ends), 0..8);
    (events, any::<bool>(), 0..3usize).prop_map(|(events, mark, cut)| {
        let text: String = events.iter().map(|(it, ends)| it.replace('\n', ends)).collect();
        let mut bytes = if mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        bytes.extend_from_slice(text.as_bytes());
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

fn pieces<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|it| it.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Bug 37 of the list: a cut within a character, or a CRLF, broke events.
    #[test]
    fn any_split_of_an_openai_stream_gives_the_same(
        bytes in whole(openai_data()),
        cuts in cuts(),
        hide in any::<bool>(),
    ) {
        let uncut = run(stream(Dialect::OpenAi, hide), &[&bytes]);
        let cut = run(stream(Dialect::OpenAi, hide), &pieces(&bytes, &cuts));
        prop_assert_eq!(&cut, &uncut);
        let bytewise: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&run(stream(Dialect::OpenAi, hide), &bytewise), &uncut);
        if !hide {
            prop_assert_eq!(&uncut.0, &bytes);
        }
    }

    #[test]
    fn hiding_changes_nothing_of_what_is_seen_and_takes_out_whole_events(
        bytes in whole(openai_data()),
    ) {
        let shown = run(stream(Dialect::OpenAi, false), &[&bytes]);
        let hidden = run(stream(Dialect::OpenAi, true), &[&bytes]);
        prop_assert_eq!((shown.1, shown.2), (hidden.1, hidden.2));
        // What is left is a stream like any other, with nothing more to hide.
        let again = run(stream(Dialect::OpenAi, true), &[&hidden.0]);
        if !bytes.starts_with("\u{feff}".as_bytes()) {
            prop_assert_eq!(&again.0, &hidden.0);
        }
        prop_assert_eq!(again.2.finished, shown.2.finished);
        prop_assert_eq!(again.2.output_estimate, shown.2.output_estimate);
    }

    #[test]
    fn any_split_of_an_anthropic_stream_gives_the_same(
        bytes in whole(anthropic_data()),
        cuts in cuts(),
    ) {
        let uncut = run(stream(Dialect::Anthropic, false), &[&bytes]);
        prop_assert_eq!(&uncut.0, &bytes);
        let cut = run(stream(Dialect::Anthropic, false), &pieces(&bytes, &cuts));
        prop_assert_eq!(&cut, &uncut);
    }

    #[test]
    fn any_split_of_a_body_gives_the_same(data in openai_data(), cuts in cuts()) {
        let body = || Relay::new(Dialect::OpenAi, Operation::Chat, false, false);
        let uncut = run(body(), &[data.as_bytes()]);
        prop_assert_eq!(run(body(), &pieces(data.as_bytes(), &cuts)), uncut);
    }

    #[test]
    fn any_bytes_go_by_unchanged_and_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in cuts(),
    ) {
        for dialect in Dialect::ALL {
            for streamed in [false, true] {
                let relay = Relay::new(dialect, Operation::Chat, streamed, false);
                prop_assert_eq!(&run(relay, &pieces(&bytes, &cuts)).0, &bytes);
            }
        }
    }
}

#[test]
fn long_events_are_split_alike_too() {
    let usage = |padding: usize| {
        let padding = "x".repeat(padding);
        format!(
            "data: {{\"choices\":[],\"p\":\"{padding}\",\"usage\":{{\"prompt_tokens\":1}}}}\r\n\r\n"
        )
    };
    let held = dialect::relay::MAX_HELD;
    let shortest = usage(0).len();
    for len in held - shortest + 1..=held - shortest + 4 {
        // After a hidden event, a long one with line ends in it.
        let long = format!("{}: {}\r\n", usage(5), "c".repeat(len));
        let bytes = format!(": a\r\n\r\n{}{long}{}data: [DONE]\r\n\r\n", usage(len), usage(5));
        let bytes = bytes.into_bytes();
        let uncut = run(stream(Dialect::OpenAi, true), &[&bytes]);
        let ends: Vec<_> = (1..bytes.len()).filter(|it| bytes[it - 1] == b'\r').collect();
        for end in ends {
            for cut in end - 2..end + 2 {
                let (a, b) = bytes.split_at(cut.min(bytes.len()));
                assert!(run(stream(Dialect::OpenAi, true), &[a, b]) == uncut, "{len} {cut}");
            }
        }
        assert_eq!(uncut.1.tokens.unwrap().input, 1);
    }
}
