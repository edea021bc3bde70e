//! Connections: how they begin, how long they may take, and how they end.

use crate::{
    stage::{ANSWER, CHAT, EVENTS, Plan, STREAM, Stage, eventually, key_text},
    upstream::{Step, chunk, json, stream_head},
};
use domain::usage::Outcome;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::{Instant, timeout},
};

const LONG: Duration = Duration::from_secs(20);

/// Everything until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end as well.
    let _ = timeout(LONG, stream.read_to_end(&mut text)).await.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

fn request(body: &str) -> String {
    let (key, length) = (key_text(1), body.len());
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_its_connection() {
    let mut plan = Plan::new().await;
    plan.http.header_timeout_ms = 100;
    let stage = plan.start().await;
    // Nothing, half a head, and the beginning of what might become HTTP/2.
    for beginning in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-slow", "PRI * HT"] {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(stage.addr).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        rest(&mut stream).await;
        assert!(Duration::from_millis(90) <= begin.elapsed(), "{beginning}");
    }
}

#[tokio::test]
async fn a_head_that_trickles_has_no_more_time_than_one_that_stops() {
    let mut plan = Plan::new().await;
    plan.http.header_timeout_ms = 200;
    let stage = plan.start().await;
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let (mut from, mut to) = stream.split();
    let trickle = async {
        while to.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut text = Vec::new();
    tokio::select! {
        _ = from.read_to_end(&mut text) => {}
        () = trickle => {}
        () = tokio::time::sleep(LONG) => panic!("still open"),
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_deadline_of_a_head() {
    let mut plan = Plan::new().await;
    plan.http.header_timeout_ms = 100;
    let stage = plan.start().await;
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    for _ in 0..2 {
        stage.main.then_json(200, ANSWER);
        stream.write_all(request(CHAT).as_bytes()).await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(ANSWER.as_bytes()) {
            assert!(0 < stream.read_buf(&mut text).await.unwrap());
        }
        // Three times the deadline: it is the absence of an end that is awaited.
        let end = timeout(Duration::from_millis(300), stream.read_buf(&mut text)).await;
        assert!(end.is_err(), "closed while idle");
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let mut plan = Plan::new().await;
    plan.http.body_idle_timeout_ms = 50;
    let stage = plan.start().await;
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    let whole = request(CHAT);
    stream.write_all(&whole.as_bytes()[..whole.len() - 5]).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 408 "));
    stage.records(0).await;
}

#[tokio::test]
async fn a_caller_who_takes_nothing_is_given_up() {
    let mut plan = Plan::new().await;
    plan.http.write_stall_timeout_ms = 100;
    plan.http.max_drains = 0;
    let stage = plan.start().await;
    let event = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(1 << 20)
    );
    let mut steps = vec![Step::Send(stream_head())];
    steps.extend((0..64).map(|_| Step::Send(chunk(&event))));
    steps.push(Step::Stall);
    stage.main.then(steps);
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    let body = CHAT.replacen('{', r#"{"stream":true,"#, 1);
    stream.write_all(request(&body).as_bytes()).await.unwrap();
    let record = stage.record().await;
    assert_eq!(record.outcome, Outcome::CallerGone);
    stage.main.hung_up(1).await;
    drop(stream);
}

#[tokio::test]
async fn a_caller_who_takes_nothing_of_one_http2_stream_is_given_up_too() {
    let mut plan = Plan::new().await;
    plan.http.write_stall_timeout_ms = 200;
    plan.http.max_drains = 0;
    let stage = plan.start().await;
    let event = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(1 << 20)
    );
    let mut steps = vec![Step::Send(stream_head())];
    steps.extend((0..16).map(|_| Step::Send(chunk(&event))));
    steps.push(Step::Stall);
    stage.main.then(steps);
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    let body = CHAT.replacen('{', r#"{"stream":true,"#, 1);
    let response = client.post(&url).bearer_auth(key_text(1)).body(body).send().await.unwrap();
    assert_eq!(stage.record().await.outcome, Outcome::CallerGone);
    stage.main.hung_up(1).await;
    // The connection itself is none the worse.
    let root = client.get(format!("http://{}/", stage.addr)).send().await.unwrap();
    assert_eq!(root.status(), 200);
    drop(response);
}

#[tokio::test]
async fn an_upstream_that_is_slow_is_not_taken_for_a_caller_who_takes_nothing() {
    let mut plan = Plan::new().await;
    plan.http.write_stall_timeout_ms = 50;
    let stage = plan.start().await;
    let gate = Arc::new(Notify::new());
    stage.main.then(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(EVENTS[0])),
        Step::Wait(gate.clone()),
        Step::Send(chunk(&EVENTS[1..].concat())),
        Step::Send(b"0\r\n\r\n".to_vec()),
    ]);
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    let sending = client.post(&url).bearer_auth(key_text(1)).body(STREAM).send();
    let mut response = sending.await.unwrap();
    let mut text = response.chunk().await.unwrap().unwrap().to_vec();
    // Four times the deadline: it is the absence of an end that is awaited.
    let end = timeout(Duration::from_millis(200), response.chunk()).await;
    assert!(end.is_err(), "given up");
    gate.notify_one();
    while let Some(piece) = response.chunk().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(text).unwrap(), EVENTS.concat());
}

#[tokio::test]
async fn http2_without_tls_is_spoken_on_the_same_port() {
    let stage = Stage::new().await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    for _ in 0..3 {
        stage.main.then_events(&EVENTS);
        let body =
            CHAT.replacen('{', r#"{"stream":true,"stream_options":{"include_usage":true},"#, 1);
        let response = client.post(&url).bearer_auth(key_text(1)).body(body).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        assert_eq!(response.text().await.unwrap(), EVENTS.concat());
    }
    stage.records(3).await;
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait_their_turn() {
    let mut plan = Plan::new().await;
    plan.http.max_connections = 1;
    let stage = plan.start().await;
    stage.main.then_json(200, ANSWER);
    let mut first = TcpStream::connect(stage.addr).await.unwrap();
    first.write_all(request(CHAT).as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(ANSWER.as_bytes()) {
        assert!(0 < first.read_buf(&mut text).await.unwrap());
    }
    let mut second = TcpStream::connect(stage.addr).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    let early = timeout(Duration::from_millis(100), second.read(&mut byte)).await;
    assert!(early.is_err(), "served beyond the bound");
    drop(first);
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_drain_finishes_what_has_begun_and_takes_nothing_new() {
    let stage = Stage::new().await;
    let gate = Arc::new(Notify::new());
    stage.main.then(vec![Step::Wait(gate.clone()), Step::Send(json(200, ANSWER))]);
    let asking = stage.post("/v1/chat/completions", CHAT).send();
    let draining = async {
        eventually("the request is under way", || !stage.main.got().is_empty()).await;
        stage.process.shutdown.drain();
        let refused = async { while TcpStream::connect(stage.addr).await.is_ok() {} };
        timeout(LONG, refused).await.expect("nothing new is let in");
        gate.notify_one();
    };
    let (response, ()) = tokio::join!(asking, draining);
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), ANSWER);
    timeout(LONG, stage.process.tasks.wait()).await.expect("everything ends");
    assert_eq!(stage.record().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn a_cut_tells_callers_of_streams_and_settles_them_as_interrupted() {
    let stage = Stage::new().await;
    stage.main.then(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&EVENTS[..2].concat())),
        Step::Stall,
    ]);
    let mut response = stage.stream().await;
    let first = response.chunk().await.unwrap().unwrap();
    assert!(!first.is_empty());
    stage.process.shutdown.cut_now();
    let text = timeout(LONG, response.text()).await.expect("the stream ends").unwrap();
    assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
    timeout(LONG, stage.process.tasks.wait()).await.expect("everything ends");
    let record = stage.record().await;
    assert_eq!((record.outcome, record.estimated), (Outcome::Interrupted, true));
    stage.main.hung_up(1).await;
}

#[tokio::test]
async fn a_cut_settles_requests_that_have_no_answer_yet() {
    let stage = Stage::new().await;
    stage.main.then(vec![Step::Stall]);
    let asking = stage.post("/v1/chat/completions", CHAT).send();
    let cutting = async {
        eventually("the request is under way", || !stage.main.got().is_empty()).await;
        stage.process.shutdown.cut_now();
    };
    let (response, ()) = tokio::join!(asking, cutting);
    assert!(response.is_err());
    assert_eq!(stage.record().await.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn heads_beyond_the_bound_are_refused() {
    let mut plan = Plan::new().await;
    plan.http.max_header_bytes = 8_192;
    let stage = plan.start().await;
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    // The other side may close before it has read all of it.
    let _ = stream.write_all(head.as_bytes()).await;
    let text = rest(&mut stream).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431 "), "{text}");
}
