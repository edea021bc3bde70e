//! With an issuer whose every answer is the test's.

use super::*;
use domain::secret::Secret;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// An issuer that gives the answers in their order, and the last one ever after.
struct Fake {
    url: String,
    asked: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<String>>>,
}

async fn issuer(answers: &[(u16, &str)]) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let (asked, bodies) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let fake = Fake { url, asked: Arc::clone(&asked), bodies: Arc::clone(&bodies) };
    let answers: Vec<_> = answers.iter().map(|(status, it)| (*status, (*it).to_owned())).collect();
    Tasks::default().spawn_until_exit("issuer", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            while !is_whole(&text) {
                let mut piece = [0; 4_096];
                let read = stream.read(&mut piece).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
            let number = asked.fetch_add(1, Ordering::SeqCst);
            bodies.lock().unwrap().push(text.split_once("\r\n\r\n").unwrap().1.to_owned());
            // Time for others to come.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (status, body) = answers.get(number).or(answers.last()).unwrap();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    fake
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: "));
    length.is_none_or(|it| it.parse::<usize>().unwrap() <= body.len())
}

fn entra(url: &str) -> Issuer {
    let credential = Secret::new("id-1:sk-secret".to_owned());
    Issuer::Entra(entra::Registration::of(&credential, url, "s").unwrap())
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Lets the held token be due, and perhaps over.
fn age(tokens: &Tokens, is_over: bool) {
    let mut held = tokens.shared.held.lock().unwrap();
    let held = held.as_mut().unwrap();
    held.renew = Some(Instant::now());
    if is_over {
        held.until = Instant::now();
    }
}

const ONE: (u16, &str) = (200, r#"{"token_type":"Bearer","access_token":"t-1","expires_in":3599}"#);
const TWO: (u16, &str) = (200, r#"{"access_token":"t-2","expires_in":"3599"}"#);

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait_and_then_held() {
    let fake = issuer(&[ONE, TWO]).await;
    let (tokens, client) = (Tokens::new(entra(&fake.url), Tasks::default()), client());
    let all = futures_util::future::join_all((0..20).map(|_| tokens.bearer(&client))).await;
    assert!(all.iter().all(|it| it.as_ref().unwrap() == "Bearer t-1"));
    assert_eq!(tokens.bearer(&client).await.unwrap(), "Bearer t-1");
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
    assert!(fake.bodies.lock().unwrap()[0].contains("client_secret=sk-secret"));
    assert!(!format!("{tokens:?}").contains("t-1") && !format!("{tokens:?}").contains("sk-"));
}

#[tokio::test]
async fn a_token_that_is_due_is_renewed_while_it_goes_on_being_used() {
    let fake = issuer(&[ONE, (503, "busy"), TWO]).await;
    let (tokens, client) = (Tokens::new(entra(&fake.url), Tasks::default()), client());
    tokens.bearer(&client).await.unwrap();
    for number in 2..=3 {
        age(&tokens, false);
        // The first of them begins the renewal, and nobody waits for it.
        for _ in 0..5 {
            assert_eq!(tokens.bearer(&client).await.unwrap(), "Bearer t-1");
        }
        while fake.asked.load(Ordering::SeqCst) < number {
            tokio::task::yield_now().await;
        }
        // A renewal that fails is not tried again at once, and the token holds.
        drop(tokens.shared.turn.lock().await);
    }
    assert_eq!(tokens.bearer(&client).await.unwrap(), "Bearer t-2");
    assert_eq!(fake.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_that_is_over_is_not_used() {
    let fake = issuer(&[ONE, TWO]).await;
    let (tokens, client) = (Tokens::new(entra(&fake.url), Tasks::default()), client());
    tokens.bearer(&client).await.unwrap();
    age(&tokens, true);
    assert_eq!(tokens.bearer(&client).await.unwrap(), "Bearer t-2");
}

#[tokio::test]
async fn a_refusal_is_told_in_short_and_to_all_who_wait() {
    let fake = issuer(&[(400, r#"{"error":"invalid_client","error_description":"sk-1"}"#)]).await;
    let (tokens, client) = (Tokens::new(entra(&fake.url), Tasks::default()), client());
    let all = futures_util::future::join_all((0..5).map(|_| tokens.bearer(&client))).await;
    for it in all {
        let error = it.unwrap_err();
        let expected = "the token's issuer refused with status 400 (invalid_client)";
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn googles_issuer_is_asked_with_an_assertion() {
    let fake = issuer(&[ONE]).await;
    let key = google::tests::json_key(&fake.url);
    let key = google::Key::of(&Secret::new(key), "s").unwrap();
    let tokens = Tokens::new(Issuer::Google(Box::new(key)), Tasks::default());
    assert_eq!(tokens.bearer(&client()).await.unwrap(), "Bearer t-1");
    assert!(fake.bodies.lock().unwrap()[0].contains("jwt-bearer&assertion="));
}

#[test]
fn what_is_no_token_is_not_taken_for_one() {
    for body in ["", "{}", r#"{"access_token":1}"#, r#"{"access_token":""}"#, "<html>"] {
        let token = read(StatusCode::OK, body.as_bytes()).and_then(Answer::into_token);
        assert_eq!(token.unwrap_err(), NoToken::NotAToken, "{body}");
    }
    let inject = r#"{"access_token":"a\r\nb"}"#;
    let token = read(StatusCode::OK, inject.as_bytes()).and_then(Answer::into_token);
    assert_eq!(token.unwrap_err(), NoToken::NotAToken);
    for (body, code) in [
        (r#"{"error":"invalid_grant"}"#, Some("invalid_grant")),
        (r#"{"error":"Secret sk-1"}"#, None),
        (r#"{"error":{"message":"x"}}"#, None),
        ("busy", None),
    ] {
        let error = read(StatusCode::BAD_REQUEST, body.as_bytes()).err();
        let code = code.map(str::to_owned);
        assert_eq!(error, Some(NoToken::Refused { status: 400, code }));
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_thrown_away_and_not_one_after_the_other() {
    let fake = issuer(&[ONE, TWO]).await;
    let (tokens, client) = (Tokens::new(entra(&fake.url), Tasks::default()), client());
    let first = tokens.bearer(&client).await.unwrap();
    tokens.refused(&HeaderValue::from_static("Bearer t-0"));
    assert_eq!(tokens.bearer(&client).await.unwrap(), first, "it was another's");
    tokens.refused(&first);
    let second = tokens.bearer(&client).await.unwrap();
    assert_eq!(second, "Bearer t-2");
    // Late news of the first, and early ones of the second.
    tokens.refused(&first);
    tokens.refused(&second);
    assert_eq!(tokens.bearer(&client).await.unwrap(), second);
    assert_eq!(fake.asked.load(Ordering::SeqCst), 2);
    tokens.shared.throw_away(&second, Instant::now() + PAUSE_OF_REFUSAL);
    tokens.bearer(&client).await.unwrap();
    assert_eq!(fake.asked.load(Ordering::SeqCst), 3);
}
