//! Facts about how limits are shown.

use super::*;
use crate::output;
use v1::limit_subject::KeyAlias;

/// Some limits of a test.
pub(super) fn limits() -> Vec<v1::Limit> {
    let subject = |it| Some(v1::LimitSubject { subject: Some(it) });
    let id = |n: u8| format!("lim_{n:032x}");
    vec![
        v1::Limit {
            id: id(1),
            subject: subject(Subject::Key("team-a".into())),
            measure: LimitMeasure::Requests.into(),
            amount: 60,
            period: v1::LimitPeriod::Minute.into(),
            profile: LimitProfile::WindowStrict.into(),
            worst_case: "at most 60 requests in any 60 s".into(),
            revision: 7,
            ..v1::Limit::default()
        },
        v1::Limit {
            id: id(2),
            subject: subject(Subject::Account("free-1".into())),
            measure: LimitMeasure::Tokens.into(),
            amount: 1_000_000,
            period: v1::LimitPeriod::Month.into(),
            time_zone: "Asia/Shanghai".into(),
            reset_minute: 480,
            weights: Some(v1::TokenWeights {
                cached_input_percent: Some(10),
                ..v1::TokenWeights::default()
            }),
            warn_percent: 80,
            switch_percent: 99,
            mode: v1::LimitMode::Availability.into(),
            generation: 3,
            ..v1::Limit::default()
        },
        v1::Limit {
            id: id(3),
            subject: subject(Subject::KeyAlias(KeyAlias {
                key: "ci".into(),
                alias: "chat".into(),
            })),
            measure: LimitMeasure::Cost.into(),
            amount: 500_000_000,
            period: v1::LimitPeriod::Forever.into(),
            action: v1::LimitAction::Shadow.into(),
            queue_ms: 500,
            ..v1::Limit::default()
        },
    ]
}

#[test]
fn a_list_says_whom_and_how_much() {
    let rows = limits().into_iter().map(|it| LimitView::from(it).row()).collect();
    assert_eq!(
        output::table(LimitView::COLUMNS, rows),
        "\
SUBJECT              LIMIT               HOW                     THRESHOLDS            ID
key team-a           60 requests/minute  window-strict           -                     lim_00000000000000000000000000000001
account free-1       1M tokens/month     calendar, availability  warn 80%, switch 99%  lim_00000000000000000000000000000002
key ci × alias chat  $500.00 forever     grant, shadow           -                     lim_00000000000000000000000000000003
"
    );
}

#[test]
fn one_is_shown_whole_with_what_can_happen_at_worst() {
    let views: Vec<_> = limits().into_iter().map(LimitView::from).collect();
    let text = |view: &LimitView| {
        let lines = view.details();
        lines
            .into_iter()
            .map(|(name, cell)| format!("{name}: {}\n", cell.as_str()))
            .collect::<String>()
    };
    assert_eq!(
        text(&views[0]),
        "subject: key team-a\nlimit: 60 requests/minute\nprofile: window-strict\nmode: strict\n\
         action: enforce\nwarns at: none\nqueue: none\nworst case: at most 60 requests in any 60 s\n\
         resets: 0\nid: lim_00000000000000000000000000000001\nrevision: 7\n"
    );
    let quota = text(&views[1]);
    for line in [
        "calendar: Asia/Shanghai, begins at 08:00\n",
        "weights: input=100,cached=10,cache-write=100,output=100\n",
        "warns at: 80%\n",
        "asked last from: 99%\n",
        "resets: 3\n",
    ] {
        assert!(quota.contains(line), "{line}: {quota}");
    }
    assert!(text(&views[2]).contains("queue: 500 ms\n"));
    assert_eq!(
        views[0].sentence(),
        "key team-a: 60 requests/minute (window-strict)\n  at most 60 requests in any 60 s\n"
    );
}

#[test]
fn json_has_the_fields_of_the_api_and_every_default() {
    let views: Vec<_> = limits().into_iter().map(LimitView::from).collect();
    let json = serde_json::to_value(&views).unwrap();
    assert_eq!(json[0]["subject"], serde_json::json!({ "key": "team-a" }));
    assert_eq!(json[0]["measure"], "requests");
    assert_eq!(json[0]["weights"], serde_json::Value::Null);
    assert_eq!(json[1]["profile"], "calendar");
    assert_eq!(json[1]["weights"]["output_percent"], 100);
    assert_eq!(json[1]["time_zone"], "Asia/Shanghai");
    let both = serde_json::json!({ "key_alias": { "key": "ci", "alias": "chat" } });
    assert_eq!(json[2]["subject"], both);
    assert_eq!((&json[2]["action"], &json[2]["profile"]), (&"shadow".into(), &"".into()));
}

#[test]
fn a_simulation_says_how_many_when_first_and_whose() {
    let refusals =
        |key: &str, requests, refused| v1::SimulatedRefusals { key: key.into(), requests, refused };
    let answer = v1::SimulateLimitResponse {
        requests: 12_345,
        refused: 120,
        first_refused_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        first_refused_request: "req_1".into(),
        keys: vec![refusals("team-a", 12_000, 119), refusals("ci", 300, 1), refusals("b", 45, 0)],
        unpriced: 3,
        worst_case: "at most 60 requests in any 60 s".into(),
    };
    let limit = &limits()[0];
    assert_eq!(
        SimulationView::new(limit, answer).text(),
        "\
key team-a: 60 requests/minute
  at most 60 requests in any 60 s
  would have refused 120 of 12,345 requests (0.9%)
  the first at 2023-11-14T22:13:20Z: req_1
  3 had a model without a price and could not be counted; see `sluice model update --help`

KEY     REQUESTS  WOULD REFUSE
team-a    12,000           119
ci           300             1
"
    );
    let none = v1::SimulateLimitResponse { requests: 5, ..Default::default() };
    let text = SimulationView::new(limit, none).text();
    assert_eq!(text, "key team-a: 60 requests/minute\n  would have refused none of 5 requests\n");
    let text = SimulationView::new(limit, v1::SimulateLimitResponse::default()).text();
    assert!(text.contains("no request is recorded"), "{text}");
}
