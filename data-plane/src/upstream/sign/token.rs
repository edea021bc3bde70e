//! Bearer tokens that are fetched for a credential, held, and renewed before they end.
//!
//! One request for a token at a time; nobody waits for it while a token still holds.

use super::{entra, google};
use http::{HeaderValue, StatusCode, header};
use reqwest::{Client, Url};
use runtime::{clock, tasks::Tasks};
use serde::Deserialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Mutex as Turn, time::timeout};

/// Longest wait for a token.
const PATIENCE: Duration = Duration::from_secs(15);
/// A token is used no longer than until so long before its end: clocks differ.
const MARGIN: Duration = Duration::from_secs(30);
/// So long before its end a new one is fetched, or at half of its life if that is later.
const AHEAD: Duration = Duration::from_secs(300);
/// After a failure nobody asks again for so long; those who wait get the same failure.
const PAUSE: Duration = Duration::from_secs(2);
/// After a failed renewal while the old token holds.
const PAUSE_OF_RENEWAL: Duration = Duration::from_secs(30);
/// A token that is refused is thrown away no more often than this: a right that is missing is
/// missing with the next one, too.
const PAUSE_OF_REFUSAL: Duration = Duration::from_secs(30);
/// How long a token holds of which nobody says it, in seconds.
const USUAL_LIFE_SECS: u64 = 300;
const LONGEST_LIFE_SECS: u64 = 86_400;
const LARGEST_ANSWER: usize = 65_536;

/// Why there is no token. Never quotes a credential or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("the token's issuer cannot be reached")]
    Unreachable,
    #[error("the token's issuer did not answer in time")]
    Late,
    #[error("the token's issuer refused with status {status}{}", said(.code))]
    Refused { status: u16, code: Option<String> },
    #[error("the token's issuer gave no token")]
    NotAToken,
    #[error("the request for a token cannot be signed with the account's key")]
    Key,
}

fn said(code: &Option<String>) -> String {
    code.as_ref().map_or_else(String::new, |it| format!(" ({it})"))
}

/// Who gives tokens, and for what.
#[derive(Debug)]
pub(super) enum Issuer {
    Google(Box<google::Key>),
    Entra(entra::Registration),
}

/// What is posted to an issuer.
pub(super) struct Errand {
    pub(super) url: Url,
    pub(super) form: String,
}

impl Issuer {
    fn errand(&self, unix_secs: i64) -> Result<Errand, NoToken> {
        match self {
            Self::Google(key) => key.errand(unix_secs),
            Self::Entra(registration) => Ok(registration.errand()),
        }
    }
}

/// The tokens of one account.
#[derive(Debug)]
pub(super) struct Tokens {
    shared: Arc<Shared>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Shared {
    issuer: Issuer,
    held: Mutex<Option<Held>>,
    /// When one was last thrown away.
    thrown: Mutex<Option<Instant>>,
    /// Whose turn it is to ask, and how the last one fared that failed.
    turn: Turn<Option<(Instant, NoToken)>>,
}

#[derive(Debug)]
struct Held {
    /// `Bearer …`, marked as a secret.
    value: HeaderValue,
    until: Instant,
    /// When to fetch the next; `None` while somebody does.
    renew: Option<Instant>,
}

impl Tokens {
    pub(super) fn new(issuer: Issuer, tasks: Tasks) -> Self {
        let (held, thrown, turn) = (Mutex::new(None), Mutex::new(None), Turn::new(None));
        Self { shared: Arc::new(Shared { issuer, held, thrown, turn }), tasks }
    }

    /// A token as the value of `authorization`. Waits only if none is held that still holds.
    ///
    /// # Errors
    /// [`NoToken`] when there is none to be had.
    pub(super) async fn bearer(&self, client: &Client) -> Result<HeaderValue, NoToken> {
        if let Some((value, is_due)) = self.shared.held(Instant::now()) {
            if is_due {
                let (shared, client) = (Arc::clone(&self.shared), client.clone());
                self.tasks.spawn_until_exit("token", async move { shared.renew(&client).await });
            }
            return Ok(value);
        }
        self.shared.first(client).await
    }

    /// Somebody was shown this and refused it: if it is the token that is held, it was taken
    /// back before its time, and the next request fetches another.
    pub(super) fn refused(&self, shown: &HeaderValue) {
        self.shared.throw_away(shown, Instant::now());
    }
}

impl Shared {
    fn throw_away(&self, shown: &HeaderValue, now: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|it| it.value != *shown) {
            return;
        }
        let mut thrown = self.thrown.lock().unwrap_or_else(PoisonError::into_inner);
        if thrown.is_none_or(|it| PAUSE_OF_REFUSAL <= now.saturating_duration_since(it)) {
            *thrown = Some(now);
            *held = None;
        }
    }

    /// The token, and whether it is up to the caller to renew it.
    fn held(&self, now: Instant) -> Option<(HeaderValue, bool)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut().filter(|it| now < it.until)?;
        let is_due = held.renew.is_some_and(|it| it <= now);
        if is_due {
            held.renew = None;
        }
        Some((held.value.clone(), is_due))
    }

    async fn first(&self, client: &Client) -> Result<HeaderValue, NoToken> {
        let mut turn = self.turn.lock().await;
        // Somebody may have fetched it, or failed to, while we waited for our turn.
        if let Some((value, _)) = self.held(Instant::now()) {
            return Ok(value);
        }
        if let Some((at, why)) = turn.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            tracing::debug!(since_ms = at.elapsed().as_millis(), "no token, as before");
            return Err(why.clone());
        }
        let fetched = self.fetch(client).await;
        *turn = fetched.as_ref().err().map(|why| (Instant::now(), why.clone()));
        fetched
    }

    /// Fetches the next token while the old one is in use.
    async fn renew(&self, client: &Client) {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.fetch(client).await {
            tracing::warn!(%error, "a token could not be renewed");
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = held.as_mut() {
                held.renew = Some(Instant::now() + PAUSE_OF_RENEWAL);
            }
        }
    }

    async fn fetch(&self, client: &Client) -> Result<HeaderValue, NoToken> {
        let errand = self.issuer.errand(clock::unix_ms().div_euclid(1_000))?;
        let begun = Instant::now();
        let answer =
            timeout(PATIENCE, asked(client, errand)).await.map_err(|_| NoToken::Late)??;
        let (value, life) = answer.into_token()?;
        let ahead = AHEAD.min(life / 2);
        let until = begun + life.saturating_sub(MARGIN.min(life / 4));
        let renew = Some(begun + life.saturating_sub(ahead));
        let held = Held { value: value.clone(), until, renew };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(value)
    }
}

async fn asked(client: &Client, errand: Errand) -> Result<Answer, NoToken> {
    let mut request = reqwest::Request::new(http::Method::POST, errand.url);
    let headers = request.headers_mut();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(errand.form.into());
    let response = client.execute(request).await.map_err(|error| {
        tracing::debug!(error = ?error.without_url(), "ask for a token");
        NoToken::Unreachable
    })?;
    let status = response.status();
    let mut response = response;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| NoToken::Unreachable)? {
        if LARGEST_ANSWER < body.len().saturating_add(chunk.len()) {
            return Err(NoToken::NotAToken);
        }
        body.extend_from_slice(&chunk);
    }
    read(status, &body)
}

/// What an issuer answers when it gives a token (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<Life>,
}

/// Some write numbers as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Life {
    Number(u64),
    Text(String),
}

/// What it answers when it does not (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn read(status: StatusCode, body: &[u8]) -> Result<Answer, NoToken> {
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|_| NoToken::NotAToken);
    }
    let is_code = |it: &String| {
        let plain = |it: u8| it.is_ascii_lowercase() || it == b'_';
        (1..=64).contains(&it.len()) && it.bytes().all(plain)
    };
    let refusal = serde_json::from_slice::<Refusal>(body);
    let code = refusal.map(|it| it.error).ok().filter(is_code);
    Err(NoToken::Refused { status: status.as_u16(), code })
}

impl Answer {
    fn into_token(self) -> Result<(HeaderValue, Duration), NoToken> {
        let token = Some(self.access_token).filter(|it| !it.is_empty());
        let text = format!("Bearer {}", token.ok_or(NoToken::NotAToken)?);
        let mut value = HeaderValue::try_from(text).map_err(|_| NoToken::NotAToken)?;
        value.set_sensitive(true);
        let secs = match self.expires_in {
            Some(Life::Number(secs)) => secs,
            Some(Life::Text(text)) => text.parse().unwrap_or(USUAL_LIFE_SECS),
            None => USUAL_LIFE_SECS,
        };
        Ok((value, Duration::from_secs(secs.min(LONGEST_LIFE_SECS))))
    }
}

#[cfg(test)]
mod tests;
