//! Pictures and files at addresses, for providers that read none: fetched by the proxy where
//! the operator allows it, and from nowhere that is not the caller's to see.

use crate::{
    limits::{of_key, rpm},
    stage::{ANSWER, Plan, Stage, body, header, key_text, limit},
    upstream::{Step, Upstream, chunk, with_headers},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::catalog::{AuthStyle, BaseUrl, Dialect, Endpoint, Quirks, Translation};
use reqwest::Response;
use serde_json::{Value, json};
use sluice_data_plane::gateway::FetchBounds;
use std::time::Duration;

/// A PNG, as far as anybody looks.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-the-rest-of-it";
const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8}}"#;
const BEDROCK: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8}}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"big","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":3}}"#;

/// `main` speaks the one, `spare` the other; fetching is allowed.
async fn plan(main: Dialect, spare: Dialect) -> Plan {
    let mut plan = Plan::new().await;
    let endpoint = |dialect| Endpoint {
        dialect,
        base_url: None,
        auth: AuthStyle::Bearer,
        output_cap_field: None,
        quirks: Quirks::NONE,
    };
    let mut other = plan.providers[0].clone();
    other.name = "other".parse().unwrap();
    plan.providers.push(other);
    plan.accounts[1].provider = "other".parse().unwrap();
    for (at, dialect) in [main, spare].into_iter().enumerate() {
        plan.providers[at].endpoints = vec![endpoint(dialect)];
        let url = plan.accounts[at].base_urls[0].url.clone();
        plan.accounts[at].base_urls = vec![BaseUrl { dialect, url }];
    }
    plan.settings.fetch_addresses = true;
    plan
}

fn file(kind: &str, bytes: &[u8]) -> Vec<Step> {
    let length = bytes.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    vec![Step::Send([head.as_bytes(), bytes].concat())]
}

fn redirect(to: &str) -> Vec<Step> {
    vec![Step::Send(with_headers(302, &[("location", to)], ""))]
}

fn at(web: &Upstream, path: &str) -> String {
    format!("http://{}/{path}", web.addr)
}

/// A chat about the pictures at these addresses.
fn pictures(urls: &[&str]) -> String {
    let parts = urls.iter().map(|it| json!({"type": "image_url", "image_url": {"url": it}}));
    let parts: Vec<_> = parts.collect();
    json!({"model": "fast", "messages": [{"role": "user", "content": parts}]}).to_string()
}

async fn see(stage: &Stage, urls: &[&str]) -> Response {
    stage.post("/v1/chat/completions", pictures(urls)).send().await.unwrap()
}

/// Refused in the field's name, with these words, and no provider was asked.
async fn is_refused(stage: &Stage, response: Response, words: &str) {
    assert_eq!(response.status(), 400, "{words}");
    let answer = body(response).await;
    assert_eq!(answer["error"]["param"], "image_url", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("`image_url`") && message.contains(words), "{message}");
    assert!(!message.contains("127.0.0.1"), "{message}");
    assert!(stage.main.got().is_empty() && stage.spare.got().is_empty(), "{words}");
    assert_eq!(stage.usage.pending(), 0);
}

#[tokio::test]
async fn where_the_operator_does_not_allow_it_nobody_is_asked() {
    let web = Upstream::start().await;
    for dialect in [Dialect::Gemini, Dialect::Bedrock] {
        let mut plan = plan(dialect, dialect).await;
        plan.settings.fetch_addresses = false;
        let stage = plan.start().await;
        let response = see(&stage, &[&at(&web, "a.png")]).await;
        assert_eq!(response.status(), 400);
        let param = body(response).await["error"]["param"].clone();
        assert!(param.as_str().unwrap().ends_with("image_url"), "{param}");
        assert!(stage.main.got().is_empty() && stage.spare.got().is_empty());
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn the_provider_gets_the_bytes_and_the_caller_is_told() {
    for (dialect, answer) in [(Dialect::Gemini, GEMINI), (Dialect::Bedrock, BEDROCK)] {
        let web = Upstream::start().await;
        web.then(file("image/png", PNG));
        let stage = plan(dialect, dialect).await.start().await;
        stage.main.then_json(200, answer);
        let response = see(&stage, &[&at(&web, "a.png?sig=1")]).await;
        assert_eq!(response.status(), 200, "{dialect}");
        assert_eq!(header(&response, "x-sluice-adapted").as_deref(), Some("image_url;changed"));
        assert_eq!(body(response).await["choices"][0]["message"]["content"], "hi");
        let asked = web.only();
        assert_eq!(asked.line, "GET /a.png?sig=1");
        for name in ["authorization", "cookie", "referer", "x-api-key", "x-request-id"] {
            assert_eq!(asked.header(name), None, "{name}");
        }
        let sent = stage.main.only();
        assert!(sent.text().contains(&STANDARD.encode(PNG)), "{}", sent.text());
        assert!(!sent.text().contains("a.png"), "{}", sent.text());
    }
}

#[tokio::test]
async fn a_document_is_fetched_for_chats_and_a_text_is_said_in_words() {
    let web = Upstream::start().await;
    web.then(file("application/pdf", b"%PDF-1.7"));
    web.then(file("text/plain; charset=utf-8", "Räuber".as_bytes()));
    let stage = plan(Dialect::OpenAi, Dialect::OpenAi).await.start().await;
    stage.main.then_json(200, ANSWER).then_json(200, ANSWER);
    let picture = "https://example.com/a.png";
    for wanted in [STANDARD.encode("%PDF-1.7"), "Räuber".to_owned()] {
        let url = at(&web, "file");
        let asked = json!({"model": "fast", "max_tokens": 9, "messages": [
            {"role": "user", "content": [
                {"type": "document", "source": {"type": "url", "url": url}},
                {"type": "image", "source": {"type": "url", "url": picture}},
            ]},
        ]});
        let response = stage.post("/v1/messages", asked.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let adapted = header(&response, "x-sluice-adapted").unwrap();
        assert!(adapted.contains("document.source.url;changed"), "{adapted}");
        assert!(!adapted.contains("image"), "{adapted}");
        let sent = stage.main.got().pop().unwrap();
        assert!(sent.text().contains(&wanted) && !sent.text().contains(&url), "{}", sent.text());
        assert!(sent.text().contains(picture), "it reads pictures itself: {}", sent.text());
    }
}

#[tokio::test]
async fn whoever_reads_addresses_gets_the_address() {
    let web = Upstream::start().await;
    let stage = plan(Dialect::Anthropic, Dialect::Anthropic).await.start().await;
    stage.main.then_json(200, MESSAGE);
    let url = at(&web, "a.png");
    assert_eq!(see(&stage, &[&url]).await.status(), 200);
    assert!(stage.main.only().text().contains(&url));
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn tokens_of_a_picture_at_an_address_are_counted_by_its_bytes() {
    let web = Upstream::start().await;
    web.then(file("image/png", PNG));
    let stage = plan(Dialect::Gemini, Dialect::Gemini).await.start().await;
    stage.main.then_json(200, r#"{"totalTokens":31}"#);
    let asked = json!({"model": "fast", "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": at(&web, "a.png")}},
    ]}]});
    let request = stage.post("/v1/messages/count_tokens", asked.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(body(response).await, json!({"input_tokens": 31}));
    assert!(stage.main.only().text().contains(&STANDARD.encode(PNG)));
}

#[tokio::test]
async fn what_is_of_no_use_is_refused_in_the_fields_name() {
    let huge = "x".repeat(3_000);
    let pieces =
        ["HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n"];
    let mut pieces: Vec<_> = pieces.iter().map(|it| Step::Send(it.as_bytes().to_vec())).collect();
    pieces.extend([&huge, &huge].map(|it| Step::Send(chunk(it))));
    pieces.push(Step::Stall);
    let short = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 99\r\n\r\nhalf";
    let packed = [("content-type", "image/png"), ("content-encoding", "gzip")];
    let scripts = [
        (file("image/png", &[0; 4_097]), "larger than 4096 bytes"),
        (pieces, "larger than 4096 bytes"),
        (file("text/html", b"<html>"), "nor a PDF"),
        (file("application/json", b"{}"), "nor a PDF"),
        (file("image/svg+xml", b"<svg>"), "nor a PDF"),
        (vec![Step::Send(with_headers(200, &[], "x"))], "nor a PDF"),
        (vec![Step::Send(with_headers(200, &packed, "x"))], "nor a PDF"),
        (file("application/pdf", b"%PDF-1.7"), "no picture"),
        (file("text/plain", b"hello"), "no picture"),
        (vec![Step::Send(with_headers(404, &[], ""))], "status 404"),
        (vec![Step::Send(with_headers(206, &[("content-type", "image/png")], "x"))], "status 206"),
        (vec![Step::Send(with_headers(302, &[], ""))], "could not be fetched"),
        (vec![Step::Send(short.as_bytes().to_vec()), Step::Close], "could not be fetched"),
        (vec![Step::Reset], "could not be fetched"),
        (redirect("http://169.254.169.254/latest/meta-data/"), "could not be fetched"),
        (redirect("https://10.0.0.1/a.png"), "could not be fetched"),
        (redirect("//[fd00::1]/a.png"), "could not be fetched"),
        (redirect("file:///etc/passwd"), "could not be fetched"),
        (redirect("http://user:pass@127.0.0.1/"), "could not be fetched"),
    ];
    for (script, words) in scripts {
        let web = Upstream::start().await;
        web.then(script);
        let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
        plan.fetching.address_bytes = 4_096;
        let stage = plan.start().await;
        let response = see(&stage, &[&at(&web, "a")]).await;
        is_refused(&stage, response, words).await;
        // Neither tried again, nor fetched for the second account.
        assert_eq!(web.got().len(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let web = Upstream::start().await;
    web.then(vec![Step::Stall]);
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.fetching.whole = Duration::from_millis(200);
    let stage = plan.start().await;
    let response = see(&stage, &[&at(&web, "a")]).await;
    is_refused(&stage, response, "in time").await;
    web.hung_up(1).await;
}

#[tokio::test]
async fn an_address_may_lead_on_a_few_times() {
    for (times, status) in [(3, 200), (4, 400)] {
        let web = Upstream::start().await;
        for time in 0..times {
            web.then(redirect(&format!("/b{time}")));
        }
        web.then(file("image/png", PNG));
        let stage = plan(Dialect::Gemini, Dialect::Gemini).await.start().await;
        stage.main.then_json(200, GEMINI);
        assert_eq!(see(&stage, &[&at(&web, "a")]).await.status(), status);
        assert_eq!(web.got().len(), 4);
    }
}

/// All that a proxy in the field has: there is nothing by which to allow it this machine.
#[tokio::test]
async fn a_proxy_in_the_field_reaches_only_the_public_internet() {
    let web = Upstream::start().await;
    let port = web.addr.port();
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.fetching = FetchBounds::default();
    let stage = plan.start().await;
    for (url, words) in [
        (at(&web, "a.png"), "https"),
        (format!("https://127.0.0.1:{port}/a.png"), "https"),
        (format!("https://localhost:{port}/a.png"), "https"),
        ("https://user:pass@example.com/a.png".to_owned(), "https"),
        ("https://127.0.0.1/a.png".to_owned(), "could not be fetched"),
        ("https://localhost/a.png".to_owned(), "could not be fetched"),
        ("https://2130706433/a.png".to_owned(), "could not be fetched"),
        ("https://[::ffff:127.0.0.1]/a.png".to_owned(), "could not be fetched"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "could not be fetched"),
        ("https://192.168.0.1/".to_owned(), "could not be fetched"),
    ] {
        let response = see(&stage, &[&url]).await;
        is_refused(&stage, response, words).await;
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn the_next_account_gets_what_was_fetched_for_the_first() {
    let web = Upstream::start().await;
    web.then(file("image/png", PNG)).then(file("image/png", PNG));
    let stage = plan(Dialect::Gemini, Dialect::Bedrock).await.start().await;
    stage.main.then_json(500, "{}");
    stage.spare.then_json(200, BEDROCK);
    let response = see(&stage, &[&at(&web, "a.png"), &at(&web, "b.png"), &at(&web, "a.png")]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"));
    assert_eq!(header(&response, "x-sluice-adapted").as_deref(), Some("image_url;changed"));
    assert_eq!(web.got().len(), 2, "each address once");
    for got in [stage.main.only(), stage.spare.only()] {
        assert_eq!(got.text().matches(&STANDARD.encode(PNG)).count(), 3, "{}", got.text());
    }
}

#[tokio::test]
async fn where_nothing_comes_an_account_that_reads_addresses_is_asked() {
    let web = Upstream::start().await;
    web.then(vec![Step::Send(with_headers(404, &[], ""))]);
    let stage = plan(Dialect::Gemini, Dialect::Anthropic).await.start().await;
    stage.spare.then_json(200, MESSAGE);
    let url = at(&web, "a.png");
    let response = see(&stage, &[&url]).await;
    assert_eq!(response.status(), 200);
    let adapted = header(&response, "x-sluice-adapted");
    assert!(!adapted.unwrap_or_default().contains("image_url"));
    assert!(stage.main.got().is_empty() && stage.spare.only().text().contains(&url));
    assert_eq!(web.got().len(), 1);
}

#[tokio::test]
async fn one_request_names_only_so_many_and_so_much() {
    let web = Upstream::start().await;
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.fetching.request_bytes = 10_000;
    let stage = plan.start().await;
    let url = at(&web, "a.png");
    let response = see(&stage, &[&*url; 21]).await;
    is_refused(&stage, response, "20 places").await;
    assert_eq!(web.connections(), 0);
    // What is said three times counts three times.
    web.then(file("image/png", &[7; 4_000]));
    let response = see(&stage, &[&*url; 3]).await;
    is_refused(&stage, response, "together with the others").await;
    for _ in 0..3 {
        web.then(file("image/png", &[7; 4_000]));
    }
    let urls = ["a", "b", "c"].map(|it| at(&web, it));
    let response = see(&stage, &[&urls[0], &urls[1], &urls[2]]).await;
    is_refused(&stage, response, "together with the others").await;
}

#[tokio::test]
async fn what_is_fetched_takes_its_part_of_the_room_for_bodies() {
    let web = Upstream::start().await;
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.http.max_buffered_bytes = 8 << 10;
    let stage = plan.start().await;
    stage.main.then_json(200, GEMINI).then_json(200, GEMINI);
    let mut status = Vec::new();
    for size in [9_000, 5_000, 5_000] {
        web.then(file("image/png", &vec![7; size]));
        status.push(see(&stage, &[&at(&web, "a.png")]).await.status().as_u16());
    }
    assert_eq!(status, [503, 200, 200], "and it comes back with the end of each request");
}

#[tokio::test]
async fn a_strict_route_wants_it_said_to_the_letter() {
    let web = Upstream::start().await;
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.routes[0].translation = Translation::Strict;
    let stage = plan.start().await;
    let response = see(&stage, &[&at(&web, "a.png")]).await;
    is_refused(&stage, response, "image_url").await;
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn nothing_is_fetched_for_strangers_nor_beyond_a_limit() {
    let web = Upstream::start().await;
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.limits = vec![limit(1, of_key(), rpm(1))];
    let stage = plan.start().await;
    let url = at(&web, "a.png");
    let address = format!("http://{}/v1/chat/completions", stage.addr);
    let stranger = stage.client.post(address).bearer_auth(key_text(9)).body(pictures(&[&url]));
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    assert_eq!(web.connections(), 0);
    web.then(file("image/png", PNG));
    stage.main.then_json(200, GEMINI);
    assert_eq!(see(&stage, &[&url]).await.status(), 200);
    assert_eq!(see(&stage, &[&url]).await.status(), 429);
    assert_eq!(web.got().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_fetching_and_owes_nothing() {
    let web = Upstream::start().await;
    web.then(vec![Step::Stall]);
    let mut plan = plan(Dialect::Gemini, Dialect::Gemini).await;
    plan.limits = vec![limit(1, of_key(), rpm(1))];
    let stage = plan.start().await;
    let url = at(&web, "a.png");
    let asked = stage.post("/v1/chat/completions", pictures(&[&url]));
    let gone = asked.timeout(Duration::from_millis(300)).send().await;
    assert!(gone.is_err_and(|it| it.is_timeout()));
    web.hung_up(1).await;
    crate::stage::eventually("it is over", || stage.gateway.in_flight() == 0).await;
    assert_eq!(stage.usage.pending(), 0);
    // What it had taken of its limit is there for the next.
    web.then(file("image/png", PNG));
    stage.main.then_json(200, GEMINI);
    assert_eq!(see(&stage, &[&url]).await.status(), 200);
    let sent: Value = serde_json::from_slice(&stage.main.only().body).unwrap();
    assert_eq!(sent["contents"][0]["parts"][0]["inlineData"]["mimeType"], "image/png");
}
