use super::*;

const NOW: i64 = 1_769_517_045_000; // 2026-01-27T12:30:45Z

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn standing(limit: u64, remaining: u64, reset_ms: u64) -> Standing {
    Standing { limit, remaining, reset: Some(ms(reset_ms)) }
}

fn written(dialect: Dialect, standings: &Standings) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    standings.write(dialect, NOW, &mut headers);
    let text = |it: &HeaderValue| it.to_str().unwrap().to_owned();
    let mut all: Vec<_> = headers.iter().map(|(k, v)| (k.to_string(), text(v))).collect();
    all.sort();
    all
}

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
}

#[test]
fn durations_are_written_as_openai_writes_them_and_read_back() {
    for (duration, text) in [
        (ms(0), "0ms"),
        (ms(20), "20ms"),
        (ms(999), "999ms"),
        (ms(1_000), "1s"),
        (ms(8_640), "8.64s"),
        (ms(17_005), "17.005s"),
        (ms(360_000), "6m0s"),
        (ms(90_951), "1m30.951s"),
        (ms(3_600_000), "1h0m0s"),
        (ms(86_399_000), "23h59m59s"),
        (ms(90_000_500), "25h0m0.5s"),
    ] {
        assert_eq!(to_duration(duration), text);
        assert_eq!(of_duration(text), Some(duration), "{text}");
    }
    assert_eq!(to_duration(Duration::from_micros(1)), "1ms");
    assert_eq!(of_duration("1d2h"), Some(Duration::from_secs(93_600)));
    for wrong in ["", "5", "s", "1x", "1.2.3s", "-1s", "1s ", "99999999999999999999d"] {
        assert_eq!(of_duration(wrong), None, "{wrong}");
    }
}

#[test]
fn each_dialect_has_its_own_names_and_forms() {
    let mut standings = Standings::default();
    standings.add(Family::Requests, standing(60, 59, 1_000));
    standings.add(Family::Tokens, standing(100_000, 90_000, 6_000));
    let pairs = |it: &[(&str, &str)]| -> Vec<(String, String)> {
        it.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    assert_eq!(
        written(Dialect::OpenAi, &standings),
        pairs(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-limit-tokens", "100000"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "90000"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "6s"),
        ])
    );
    assert_eq!(
        written(Dialect::Anthropic, &standings),
        pairs(&[
            ("anthropic-ratelimit-requests-limit", "60"),
            ("anthropic-ratelimit-requests-remaining", "59"),
            ("anthropic-ratelimit-requests-reset", "2026-01-27T12:30:46Z"),
            ("anthropic-ratelimit-tokens-limit", "100000"),
            ("anthropic-ratelimit-tokens-remaining", "90000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-27T12:30:51Z"),
        ])
    );
}

#[test]
fn of_each_family_the_one_of_which_least_is_left_is_told() {
    let mut standings = Standings::default();
    standings.add(Family::Requests, standing(60, 50, 1));
    standings.add(Family::Requests, standing(1_000, 3, 2));
    standings.add(Family::Requests, standing(500, 80, 3));
    let all = written(Dialect::OpenAi, &standings);
    assert_eq!(all[0].1, "1000");
    assert_eq!(all[1].1, "3");
    // OpenAI's form has one word for all tokens.
    standings.add(Family::InputTokens, standing(70, 7, 4));
    standings.add(Family::OutputTokens, standing(90, 9, 5));
    assert!(
        written(Dialect::OpenAi, &standings)
            .contains(&("x-ratelimit-remaining-tokens".to_owned(), "7".to_owned()))
    );
    let anthropic = written(Dialect::Anthropic, &standings);
    for (name, value) in [
        ("anthropic-ratelimit-input-tokens-remaining", "7"),
        ("anthropic-ratelimit-output-tokens-remaining", "9"),
    ] {
        assert!(anthropic.contains(&(name.to_owned(), value.to_owned())));
    }
}

#[test]
fn what_never_resets_says_no_reset_and_without_limits_nothing_is_said() {
    let mut standings = Standings::default();
    for dialect in Dialect::ALL {
        assert!(written(dialect, &standings).is_empty());
    }
    standings.add(Family::Tokens, Standing { limit: 10, remaining: 0, reset: None });
    for dialect in Dialect::ALL {
        assert_eq!(written(dialect, &standings).len(), 2);
    }
    let far = Standing { limit: 1, remaining: 0, reset: Some(Duration::MAX) };
    standings.add(Family::Requests, far);
    assert_eq!(
        written(Dialect::Anthropic, &standings)[2].1,
        "9999-12-31T23:59:59Z",
        "a date that has a form"
    );
}

#[test]
fn what_providers_say_is_read_in_all_their_forms() {
    let read = |dialect, pairs: &[(&'static str, &'static str)]| -> Vec<(Family, Left)> {
        left(dialect, &map(pairs), NOW).collect()
    };
    let of = |remaining, reset_ms: u64| Left { remaining, reset: Some(ms(reset_ms)) };
    assert_eq!(
        read(
            Dialect::OpenAi,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "2m59.5s"),
                ("x-ratelimit-remaining-tokens", "12"),
                ("x-ratelimit-reset-tokens", "7.5"),
            ]
        ),
        [(Family::Requests, of(0, 179_500)), (Family::Tokens, of(12, 7_500))]
    );
    assert_eq!(
        read(
            Dialect::Anthropic,
            &[
                ("anthropic-ratelimit-output-tokens-remaining", "5"),
                ("anthropic-ratelimit-output-tokens-reset", "2026-01-27T12:31:45Z"),
                ("anthropic-ratelimit-requests-remaining", "1"),
                ("anthropic-ratelimit-requests-reset", "2026-01-27T12:00:00Z"),
            ]
        ),
        [(Family::Requests, of(1, 0)), (Family::OutputTokens, of(5, 60_000))]
    );
    assert_eq!(
        read(Dialect::OpenAi, &[("x-ratelimit-remaining-requests", "3")]),
        [(Family::Requests, Left { remaining: 3, reset: None })]
    );
    for wrong in ["-1", "many", "", "1e9"] {
        assert!(read(Dialect::OpenAi, &[("x-ratelimit-remaining-requests", wrong)]).is_empty());
    }
}

#[test]
fn a_wish_to_be_asked_later_is_read_in_all_its_forms() {
    for (pairs, expected) in [
        (vec![("retry-after", "2")], Some(ms(2_000))),
        (vec![("retry-after", "1.5")], Some(ms(1_500))),
        (vec![("retry-after", "2"), ("retry-after-ms", "1250")], Some(ms(1_250))),
        (vec![("retry-after", "Tue, 27 Jan 2026 12:31:45 GMT")], Some(ms(60_000))),
        (vec![("retry-after", "Tue, 27 Jan 2026 12:00:00 GMT")], Some(ms(0))),
        (vec![("retry-after", "-2")], None),
        (vec![("retry-after", "NaN")], None),
        (vec![("retry-after", "later")], None),
        (vec![], None),
    ] {
        assert_eq!(retry_after(&map(&pairs), NOW), expected, "{pairs:?}");
    }
}

/// Bug 27 of the list: when to come back was lost, where it is not in a header.
#[test]
fn google_says_in_the_body_when_to_come_back() {
    let body = |delay: &str| {
        format!(
            r#"{{"error":{{"code":429,"details":[{{"@type":"x"}},{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{delay}}}]}}}}"#
        )
    };
    for (delay, expected) in [
        (r#""13s""#, Some(13_000)),
        (r#""0.5s""#, Some(500)),
        (r#""-1s""#, None),
        (r#""1e400s""#, None),
        (r#""soon""#, None),
        ("13", None),
    ] {
        let found = retry_delay_in_body(Dialect::Gemini, body(delay).as_bytes());
        assert_eq!(found, expected.map(Duration::from_millis), "{delay}");
    }
    assert_eq!(retry_delay_in_body(Dialect::Gemini, b"<html>"), None);
    assert_eq!(retry_delay_in_body(Dialect::OpenAi, body(r#""13s""#).as_bytes()), None);
}
