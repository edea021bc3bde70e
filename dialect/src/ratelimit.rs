//! The headers that tell what is left of a limit, written for callers and read from
//! providers.
//!
//! Knows their names and forms; knows no limit, and no clock: it is told the time.

mod date;

use crate::gemini;
use domain::catalog::Dialect;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt::Write as _, time::Duration};

/// What the headers of one family count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Requests.
    Requests,
    /// All tokens.
    Tokens,
    /// Input tokens; only Anthropic's form tells them apart.
    InputTokens,
    /// Output tokens; only Anthropic's form tells them apart.
    OutputTokens,
}

/// How a limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its amount.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// After which time all of it is there again; `None`: never, or nobody knows.
    pub reset: Option<Duration>,
}

/// The tightest limit of each family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings([Option<Standing>; FAMILIES.len()]);

const FAMILIES: [Family; 4] =
    [Family::Requests, Family::Tokens, Family::InputTokens, Family::OutputTokens];

impl Standings {
    /// Notes how one more limit stands. Of each family that counts of which least is left.
    pub fn add(&mut self, family: Family, standing: Standing) {
        if let Some(place) = self.0.get_mut(family as usize) {
            *place = Some(place.map_or(standing, |it| tighter(it, standing)));
        }
    }

    /// Writes them into the headers of an answer.
    pub fn write(&self, dialect: Dialect, now_unix_ms: i64, to: &mut HeaderMap) {
        match dialect {
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Bedrock => {
                let [requests, tokens @ ..] = self.0;
                let tokens = tokens.into_iter().flatten().reduce(tighter);
                for (names, standing) in OPENAI.iter().zip([requests, tokens]) {
                    let reset = |it| to_duration(it);
                    insert(to, names, standing, reset);
                }
            }
            Dialect::Anthropic => {
                for (names, standing) in ANTHROPIC.iter().zip(self.0) {
                    let at = |it: Duration| {
                        let ms = i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
                        date::to_rfc3339(now_unix_ms.saturating_add(ms).min(LAST_MS))
                    };
                    insert(to, names, standing, at);
                }
            }
        }
    }
}

/// The end of the year 9999, beyond which a date has no such form.
const LAST_MS: i64 = 253_402_300_799_000;

const fn tighter(one: Standing, other: Standing) -> Standing {
    let less = other.remaining < one.remaining
        || (other.remaining == one.remaining && other.limit < one.limit);
    if less { other } else { one }
}

/// The names for limit, remaining and reset.
type Names = [HeaderName; 3];

const fn names(limit: &'static str, remaining: &'static str, reset: &'static str) -> Names {
    [
        HeaderName::from_static(limit),
        HeaderName::from_static(remaining),
        HeaderName::from_static(reset),
    ]
}

static OPENAI: [Names; 2] = [
    names(
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    names("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
];

static ANTHROPIC: [Names; 4] = [
    names(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    names(
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    names(
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    names(
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];

fn insert(
    to: &mut HeaderMap,
    names: &Names,
    standing: Option<Standing>,
    reset: impl Fn(Duration) -> String,
) {
    let Some(standing) = standing else { return };
    let [limit, remaining, at] = names;
    to.insert(limit, standing.limit.into());
    to.insert(remaining, standing.remaining.into());
    if let Some(value) = standing.reset.and_then(|it| HeaderValue::try_from(reset(it)).ok()) {
        to.insert(at, value);
    }
}

/// What a provider says is left of a limit of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What is left.
    pub remaining: u64,
    /// After which time there is more; `None`: it does not say.
    pub reset: Option<Duration>,
}

/// What the headers of a provider's answer say is left of each family; whatever of it
/// cannot be read is left out.
pub fn left(
    dialect: Dialect,
    headers: &HeaderMap,
    now_unix_ms: i64,
) -> impl Iterator<Item = (Family, Left)> {
    let names = names_of(dialect);
    FAMILIES.into_iter().zip(names).filter_map(move |(family, [_, remaining, reset])| {
        let remaining = text(headers, remaining)?.parse().ok()?;
        let reset = text(headers, reset).and_then(|it| of_reset(it, now_unix_ms));
        Some((family, Left { remaining, reset }))
    })
}

/// Google and Amazon tell nothing, but what stands in front of them may, in OpenAI's words.
const fn names_of(dialect: Dialect) -> &'static [Names] {
    match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Bedrock => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
    }
}

/// Whether a provider's answer says what is left of anything.
pub fn says_left(dialect: Dialect, headers: &HeaderMap) -> bool {
    let names = names_of(dialect);
    names.iter().any(|[_, remaining, _]| headers.contains_key(remaining))
}

/// The same for providers that say it in the body of a refusal, as Google does.
pub fn retry_delay_in_body(dialect: Dialect, body: &[u8]) -> Option<Duration> {
    match dialect {
        Dialect::Gemini => gemini::error::retry_after(body),
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Bedrock => None,
    }
}

/// After which time a provider wants to be asked again.
pub fn retry_after(headers: &HeaderMap, now_unix_ms: i64) -> Option<Duration> {
    let ms = headers.get("retry-after-ms").and_then(|it| it.to_str().ok()?.trim().parse().ok());
    ms.and_then(|it: f64| Duration::try_from_secs_f64(it / 1_000.0).ok()).or_else(|| {
        let said = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
        seconds(said).or_else(|| Some(until(date::of_http(said)?, now_unix_ms)))
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A reset as any provider writes it: a duration, seconds, or a point in time.
fn of_reset(text: &str, now_unix_ms: i64) -> Option<Duration> {
    let at = || Some(until(date::of_rfc3339(text)?, now_unix_ms));
    seconds(text).or_else(|| of_duration(text)).or_else(at)
}

fn until(at_unix_ms: i64, now_unix_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(at_unix_ms.saturating_sub(now_unix_ms)).unwrap_or(0))
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// A duration in OpenAI's form: `20ms`, `8.64s`, `6m0s`, `1h0m0s`. Rounded up to
/// milliseconds: never too early.
fn to_duration(duration: Duration) -> String {
    let ms = duration.as_nanos().div_ceil(1_000_000);
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    if seconds == 0 {
        return format!("{rest}ms");
    }
    let mut text = String::with_capacity(12);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    if hours > 0 {
        // A string takes whatever is written.
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{}", seconds % 60);
    if rest > 0 {
        let fraction = format!("{rest:03}");
        let _ = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// The other way round; days are understood, too.
fn of_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let unit_end = tail.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at_checked(unit_end)?;
        let seconds = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        sum = sum.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests;
