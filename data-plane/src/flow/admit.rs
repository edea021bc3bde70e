//! Who asks, whether their limits let it through, and whether a record of what they use
//! can be kept.

use super::{
    passage::{self, Passage},
    receive::Ask,
    toll::Toll,
};
use crate::{
    access_log::Trace,
    explain::{Asked as Explained, Record},
    gateway::Gateway,
    http::{Asked, refusal::Refusal},
    sync::usage::UsageSlot,
};
use domain::{
    catalog::{Dialect, Limit, VirtualKey},
    key::{KeyKind, check_form, check_usable},
    snapshot::Snapshot,
    time::Timestamp,
};
use http::{HeaderMap, HeaderName, header};
use std::{hint::black_box, sync::Arc};

/// Somebody with a key that may be used. Only [`caller`] makes one.
#[derive(Debug)]
pub(super) struct Caller(Arc<VirtualKey>);

impl Caller {
    pub(super) fn key(&self) -> &VirtualKey {
        &self.0
    }
}

/// Leave to ask upstreams: a caller, what is held of their limits, and a place for the
/// record of what they use. Only [`admit`] makes one, and no attempt is made without.
pub(super) struct Admission {
    pub(super) key: Arc<VirtualKey>,
    pub(super) slot: UsageSlot,
    pub(super) passage: Option<Passage>,
    pub(super) record: Arc<Record>,
}

/// Finds out who asks, from the request's head.
///
/// # Errors
/// [`Refusal`] without a key, or with one that is unknown or may not be used.
pub(super) fn caller(
    snapshot: &Snapshot,
    asked: Asked<'_>,
    trace: &mut Trace,
) -> Result<Caller, Refusal> {
    let settings = &snapshot.catalog().settings;
    trace.revealed_revision = settings.reveal_route.then(|| snapshot.revision());
    let in_query = google_key(asked);
    let text = match &in_query {
        Some(key) => key,
        None => credential(&asked.head.headers)?,
    };
    let well_formed = check_form(KeyKind::Caller, text).is_ok();
    // A text that no key can be is looked up too, in the place of one that could: both
    // take the same work, so that time does not tell them apart.
    let found = snapshot.key_of(black_box(if well_formed { text } else { NOBODYS }));
    let key = found.filter(|_| well_formed).ok_or(Refusal::UnknownKey)?;
    trace.key = Some(key.id);
    let now = Timestamp::from_unix_ms(runtime::clock::unix_ms());
    check_usable(key, now).map_err(Refusal::UnusableKey)?;
    Ok(Caller(Arc::clone(key)))
}

/// As long as a key, and none.
const NOBODYS: &str = "slc_sk_0000000000000000000000000000000000000000000000000";

/// The limits that the caller's answers tell the standing of.
pub(super) fn standing(snapshot: &Snapshot, key: &VirtualKey, alias: &str) -> Vec<Arc<Limit>> {
    snapshot.limits_of_caller(key, alias).into_iter().cloned().collect()
}

/// Opens the record of how the request is decided.
pub(super) fn record(
    gateway: &Gateway,
    snapshot: &Snapshot,
    caller: &Caller,
    ask: &Ask<'_>,
) -> Arc<Record> {
    gateway.explainer.open(Explained {
        request: ask.request,
        received_at: ask.received_at,
        key: caller.key().id,
        alias: (*ask.peek.model).into(),
        revision: snapshot.revision(),
    })
}

/// Takes a place in the usage queue for the caller's request, and room in the limits.
///
/// # Errors
/// [`Refusal::UsageQueueFull`]: nothing may be used that cannot be told; or what a limit
/// says. Then nothing is held of any.
pub(super) async fn admit(
    gateway: &Gateway,
    caller: Caller,
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    record: Arc<Record>,
) -> Result<Admission, Refusal> {
    let slot = gateway.usage.reserve().ok_or(Refusal::UsageQueueFull)?;
    let passage = passage::of_caller(gateway, toll, ask, &record).await?;
    Ok(Admission { key: caller.0, slot, passage, record })
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");
const GOOGLE_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The key in the query, where Google's clients may write it.
fn google_key(asked: Asked<'_>) -> Option<String> {
    let query = asked.head.uri.query().filter(|_| asked.dialect == Dialect::Gemini)?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
}

/// The key's text, from the headers in which SDKs send it. `x-api-key` wins, as at
/// Anthropic's API.
fn credential(headers: &HeaderMap) -> Result<&str, Refusal> {
    if let Some(text) = only(headers, &X_API_KEY)? {
        return Ok(text);
    }
    if let Some(text) = only(headers, &header::AUTHORIZATION)? {
        return Ok(bearer(text).unwrap_or(text));
    }
    if let Some(text) = only(headers, &GOOGLE_API_KEY)? {
        return Ok(text);
    }
    only(headers, &API_KEY)?.ok_or(Refusal::NoKey)
}

/// The one value that all headers of this name have; an empty one counts for none.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|it| it != first) {
        return Err(Refusal::TwoKeys);
    }
    // What is no text is no key either, and is told so in the same words.
    let text = first.to_str().map_err(|_| Refusal::UnknownKey)?.trim();
    Ok(Some(text).filter(|it| !it.is_empty()))
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(pairs: &[(&'static str, &'static str)]) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        credential(&headers).map(str::to_owned).map_err(|it| format!("{it:?}"))
    }

    #[test]
    fn every_sdks_way_to_send_a_key_is_understood() {
        for pair in [
            ("authorization", "Bearer k"),
            ("authorization", "bearer  k"),
            ("x-api-key", "k"),
            ("api-key", "k"),
            ("x-goog-api-key", "k"),
        ] {
            assert_eq!(check(&[pair]), Ok("k".into()), "{pair:?}");
        }
    }

    #[test]
    fn x_api_key_wins_unless_it_is_empty() {
        assert_eq!(check(&[("authorization", "Bearer a"), ("x-api-key", "b")]), Ok("b".into()));
        assert_eq!(check(&[("authorization", "Bearer a"), ("x-api-key", "")]), Ok("a".into()));
    }

    #[test]
    fn the_same_key_twice_is_one_key_and_two_are_refused() {
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(check(&twice), Ok("a".into()));
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(check(&two), Err("TwoKeys".into()));
        assert_eq!(check(&[]), Err("NoKey".into()));
    }

    #[test]
    fn nobodys_key_is_as_long_as_a_real_one() {
        let real = domain::key::mint(KeyKind::Caller, &[7; 32]);
        assert_eq!(NOBODYS.len(), real.expose().len());
    }
}
