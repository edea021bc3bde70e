//! Facts about how a request's story is told.

use super::*;

fn limit(id: &str, title: &str, verdict: &str) -> v1::ExplainedLimit {
    v1::ExplainedLimit {
        id: id.into(),
        title: title.into(),
        asked_milli: 1_000,
        before_milli: 12_000,
        after_milli: 11_000,
        verdict: verdict.into(),
        epoch: 3,
        incarnation: 1,
        seq: 7,
        ..v1::ExplainedLimit::default()
    }
}

/// A request that one account had no room for.
fn story() -> v1::ExplainRequestResponse {
    let money = v1::ExplainedLimit {
        asked_milli: 2_500_000,
        before_milli: -1_000_000,
        after_milli: -1_000_000,
        reason: "exhausted".into(),
        waited_ms: 12,
        epoch: 0,
        ..limit("lim_2", "team red: $500.00 per month", "would_refuse")
    };
    let taken = v1::ExplainedLimit {
        settled_milli: Some(1_000),
        ..limit("lim_1", "key team-a: 60 requests per minute", "taken")
    };
    let attempt = |account: &str, verdict: &str, detail: &str, limits| v1::ExplainedAttempt {
        account: account.into(),
        model: "gpt-4o".into(),
        verdict: verdict.into(),
        detail: detail.into(),
        limits,
    };
    let full = limit("lim_3", "account free-1: 1M tokens per month", "refused");
    v1::ExplainRequestResponse {
        request_id: "req_1".into(),
        proxy: "prx_1".into(),
        address: "127.0.0.1:8080".into(),
        received_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        key: "team-a".into(),
        alias: "chat".into(),
        revision: 42,
        status: 200,
        estimated_input_tokens: 120,
        reserved_output_tokens: 4_096,
        limits: vec![taken, money],
        attempts: vec![
            attempt("free-1", "no_headroom", "", vec![full]),
            attempt("main", "answered", "upstream 200", Vec::new()),
        ],
    }
}

#[test]
fn the_story_goes_from_the_request_over_its_limits_to_its_targets() {
    let view = ExplainView::from(story());
    assert_eq!(view.limit_ids().collect::<Vec<_>>(), ["lim_1", "lim_2", "lim_3"]);
    let measures = Measures::from([
        ("lim_1".to_owned(), LimitMeasure::Requests),
        ("lim_2".to_owned(), LimitMeasure::Cost),
    ]);
    assert_eq!(
        view.text(&measures),
        "\
req_1 was answered with 200
  received  2023-11-14T22:13:20Z
  proxy     127.0.0.1:8080 (prx_1)
  key       team-a
  alias     chat
  revision  42
  tokens    about 120 of input, 4,096 of output reserved

Limits of who asked:
  1. key team-a: 60 requests per minute: taken
     asked 1; 12 ready before, 11 after; 1 charged in the end
     lease: epoch 3, incarnation 1, grant 7
  2. team red: $500.00 per month: would refuse, exhausted, after 12 ms
     asked $0.0025; -$0.001 ready before, -$0.001 after

Targets, in the order in which they were looked at:
  1. free-1/gpt-4o: no headroom
     - account free-1: 1M tokens per month: refused
       asked 1; 12 ready before, 11 after
       lease: epoch 3, incarnation 1, grant 7
  2. main/gpt-4o: answered, upstream 200
"
    );
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["limits"][0]["settled_milli"], 1_000);
    assert_eq!(json["attempts"][0]["verdict"], "no_headroom");
}

#[test]
fn a_request_without_limits_and_targets_says_so() {
    let text = ExplainView::from(v1::ExplainRequestResponse::default()).text(&Measures::new());
    for part in ["is not over yet", "No limit counts who asked.", "No target was looked at."] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("tokens"), "nothing was estimated: {text}");
}
