//! Streams that do not end as they should.

use crate::{
    stage::{ANSWER, EVENTS, Plan, Stage},
    upstream::{Step, chunk, stream_head},
};
use domain::usage::Outcome;
use std::time::Duration;

fn cut_after(events: usize, end: Step) -> Vec<Step> {
    let mut steps = vec![Step::Send(stream_head())];
    steps.extend(EVENTS[..events].iter().map(|it| Step::Send(chunk(it))));
    steps.push(end);
    steps
}

/// Bug 28 of the list: a stream that broke off was ended with `[DONE]`.
#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_event_and_no_done() {
    for end in [Step::Reset, Step::Close, Step::Send(b"0\r\n\r\n".to_vec())] {
        let stage = Stage::new().await;
        stage.main.then(cut_after(2, end.clone()));
        let response = stage.stream().await;
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        let sent = EVENTS[..2].concat();
        let ours = text.strip_prefix(&sent).unwrap_or_else(|| panic!("{end:?}: {text}"));
        let ours: serde_json::Value =
            serde_json::from_str(ours.trim().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(ours["error"]["code"], "upstream_truncated");
        assert!(!text.contains("[DONE]"));
        let record = stage.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Truncated, 200));
        assert!(record.estimated && 0 < record.tokens.input && 0 < record.tokens.output);
        assert!(stage.spare.got().is_empty(), "after the first byte there is no retry");
    }
}

#[tokio::test]
async fn the_error_event_stands_on_its_own_line_after_half_an_event() {
    let stage = Stage::new().await;
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"hel";
    stage.main.then(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(EVENTS[0])),
        Step::Send(chunk(half)),
        Step::Reset,
    ]);
    let text = stage.stream().await.text().await.unwrap();
    let (_, ours) = text.split_once(half).unwrap();
    assert!(ours.starts_with("\n\ndata: {\"error\""), "{ours}");
}

#[tokio::test]
async fn anthropic_callers_get_an_error_event_of_theirs() {
    let stage = Stage::new().await;
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
    stage.main.then(vec![Step::Send(stream_head()), Step::Send(chunk(start)), Step::Close]);
    let body = r#"{"model":"fast","stream":true,"messages":[]}"#;
    let response = stage.post("/v1/messages", body).send().await.unwrap();
    let text = response.text().await.unwrap();
    let ours = text.strip_prefix(start).unwrap();
    assert!(ours.starts_with("event: error\ndata: {\"type\":\"error\""), "{ours}");
    assert!(!text.contains("message_stop"));
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.estimated), (5, true));
}

#[tokio::test]
async fn an_answer_in_one_piece_that_breaks_off_does_not_look_whole() {
    let stage = Stage::new().await;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        ANSWER.len()
    );
    stage.main.then(vec![Step::Send(head.into()), Step::Send(ANSWER[..40].into()), Step::Reset]);
    let response = stage.chat().await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    let record = stage.record().await;
    assert_eq!((record.outcome, record.estimated), (Outcome::Truncated, true));
}

#[tokio::test]
async fn an_upstream_that_falls_silent_is_given_up() {
    let mut plan = Plan::new().await;
    plan.accounts[0].client.idle_timeout_ms = 50;
    let stage = plan.start().await;
    stage.main.then(cut_after(2, Step::Stall));
    let text = stage.stream().await.text().await.unwrap();
    assert!(text.contains("fell silent") && !text.contains("[DONE]"), "{text}");
    stage.main.hung_up(1).await;
    assert_eq!(stage.record().await.outcome, Outcome::Truncated);
}

#[tokio::test]
async fn a_stream_with_a_reason_to_stop_and_no_done_is_whole() {
    let stage = Stage::new().await;
    stage.main.then_events(&EVENTS[..4]);
    let text = stage.stream().await.text().await.unwrap();
    assert_eq!(text, EVENTS[..4].concat());
    let record = stage.record().await;
    assert_eq!((record.outcome, record.estimated), (Outcome::Complete, false));
}

/// Bug 41 of the list: the connection was held after the last event.
#[tokio::test]
async fn the_callers_stream_ends_with_the_last_event_whatever_the_upstream_does() {
    let mut plan = Plan::new().await;
    plan.http.drain_after_disconnect_ms = 20;
    let stage = plan.start().await;
    stage.main.then(cut_after(5, Step::Stall));
    let whole = tokio::time::timeout(Duration::from_secs(10), stage.stream().await.text());
    assert_eq!(whole.await.expect("the stream ends").unwrap(), EVENTS.concat());
    assert_eq!(stage.record().await.outcome, Outcome::Complete);
    stage.main.hung_up(1).await;
}

#[tokio::test]
async fn an_upstreams_own_error_event_is_passed_on_and_not_doubled() {
    let stage = Stage::new().await;
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    stage.main.then_events(&[EVENTS[0], error]);
    let text = stage.stream().await.text().await.unwrap();
    assert_eq!(text, [EVENTS[0], error].concat());
    assert_eq!(stage.record().await.outcome, Outcome::UpstreamError);
}

#[tokio::test]
async fn an_error_in_one_piece_answers_a_stream_as_it_is() {
    let stage = Stage::new().await;
    stage.main.then_json(200, ANSWER);
    let response = stage.stream().await;
    assert_eq!(response.text().await.unwrap(), ANSWER);
    let record = stage.record().await;
    assert!(!record.streamed && !record.estimated);
}

#[tokio::test]
async fn a_stream_is_known_by_its_type_in_whatever_case_that_is_written() {
    let stage = Stage::new().await;
    let head = String::from_utf8(stream_head()).unwrap();
    let head = head.replace("text/event-stream", "Text/Event-Stream; charset=utf-8");
    stage.main.then(vec![
        Step::Send(head.into_bytes()),
        Step::Send(chunk(&EVENTS[..2].concat())),
        Step::Send(b"0\r\n\r\n".to_vec()),
    ]);
    let text = stage.stream().await.text().await.unwrap();
    assert!(text.contains("upstream_truncated"), "{text}");
    assert!(stage.record().await.streamed);
}
