use super::*;
use crate::{
    chat::{Block, Failure, Part, Start, Stop},
    error::ErrorKind,
};
use domain::tokens::Tokens;

fn written(steps: &[Step], stream_usage: bool) -> String {
    let thread = Thread { alias: "m".to_owned(), stream_usage, ..Thread::default() };
    let mut writer = Writer::new(&thread);
    let mut out = Vec::new();
    for step in steps {
        writer.push(step, &thread, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn steps() -> Vec<Step> {
    let start = Start { id: "resp_1".to_owned(), created: Some(5), ..Start::default() };
    let text = Delta::Text { text: "a".to_owned(), logprobs: None };
    vec![
        Step::Start(start),
        Step::Open { choice: 0, index: 0, block: Block::Thinking },
        Step::Delta { choice: 0, index: 0, delta: Delta::Thinking("Hm.".to_owned()) },
        Step::Open { choice: 0, index: 1, block: Block::Text },
        Step::Delta { choice: 0, index: 1, delta: text },
        Step::Close { choice: 0, index: 1, whole: Part::text("a") },
        Step::Stop { choice: 0, stop: Stop::End },
        Step::End { usage: Some(Tokens { input: 1, ..Tokens::default() }), tier: None },
    ]
}

#[test]
fn texts_are_never_null_and_exact_to_the_byte() {
    let expected = concat!(
        r#"data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}]}"#,
        "\n\n",
        r#"data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}"#,
        "\n\ndata: [DONE]\n\n",
    );
    assert_eq!(written(&steps(), false), expected);
}

#[test]
fn usage_comes_in_a_chunk_without_choices_to_who_asked() {
    let text = written(&steps(), true);
    assert_eq!(text.matches(r#""usage":null}"#).count(), 2, "{text}");
    assert!(text.contains(r#""choices":[],"usage":{"prompt_tokens":1,"#), "{text}");
}

#[test]
fn what_went_wrong_does_not_look_like_an_end() {
    let message = "m".to_owned();
    let kind = ErrorKind::UpstreamFailed;
    let failure = Failure { kind, message, code: None, param: None };
    let text = written(&[Step::Ping, Step::Failed(failure)], true);
    let expected = concat!(
        ": ping\n\n",
        r#"data: {"error":{"message":"m","type":"server_error","param":null,"code":"upstream_failed"}}"#,
        "\n\n"
    );
    assert_eq!(text, expected);
}
