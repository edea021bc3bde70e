use super::*;
use crate::chat::{Choice as Said, Stop, Thinking};
use domain::tokens::Tokens;

#[test]
fn only_the_words_are_written() {
    let thought = Thinking { text: "Hm.".to_owned(), ..Thinking::default() };
    let parts = vec![Part::new(Content::Thinking(thought)), Part::text("a"), Part::text("b")];
    let refusal = vec![Part::new(Content::Refusal("No.".to_owned()))];
    let answer = chat::Answer {
        id: "chatcmpl-1".to_owned(),
        model: "m".to_owned(),
        created: Some(5),
        choices: vec![
            Said { parts, stop: Stop::Length, logprobs: None },
            Said { parts: refusal, stop: Stop::Calls, logprobs: None },
        ],
        usage: Some(Tokens { input: 1, output: 2, ..Tokens::default() }),
        tier: None,
    };
    let expected = concat!(
        r#"{"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":["#,
        r#"{"text":"ab","index":0,"logprobs":null,"finish_reason":"length"},"#,
        r#"{"text":"No.","index":1,"logprobs":null,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"#,
        r#""prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#
    );
    let written = write(&answer, &Thread::default());
    assert_eq!(std::str::from_utf8(&written).unwrap(), expected);
}
