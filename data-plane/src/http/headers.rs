//! Which headers pass through a proxy, in either direction. Knows no flow and no account.

use domain::catalog::Dialect;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, Entry},
};

/// Ours: on every answer, and on every request that we send on.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's name for the same.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// What the upstream called the request.
pub(crate) const UPSTREAM_REQUEST_ID: HeaderName =
    HeaderName::from_static("x-sluice-upstream-request-id");
/// The account that answered.
pub(crate) const ACCOUNT: HeaderName = HeaderName::from_static("x-sluice-account");
/// How many attempts were made.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-sluice-attempts");
/// The catalog revision that decided.
pub(crate) const REVISION: HeaderName = HeaderName::from_static("x-sluice-revision");
/// The route or provider that was found.
pub(crate) const ROUTE: HeaderName = HeaderName::from_static("x-sluice-route");

/// About one connection only (RFC 9110, 7.6.1), and what old clients write in its place.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Not sent on: about the way to us, credentials, and what would act on the account
/// rather than on the request.
const NOT_TO_UPSTREAM: [&str; 22] = [
    "accept-encoding",
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "api-key",
    "authorization",
    "content-encoding",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "request-id",
    "true-client-ip",
    "via",
    "x-api-key",
    "x-goog-api-key",
    "x-goog-user-project",
    "x-real-ip",
    "x-request-id",
];
/// Amazon's say which of the account's guardrails and throughput is used, and sign; Google's
/// say for whom one acts, and whether what the account has reserved is used.
const NOT_TO_UPSTREAM_PREFIXES: [&str; 8] = [
    "proxy-",
    "x-amz-",
    "x-amzn-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-goog-iam-",
    "x-sluice-",
    "x-vertex-ai-",
];

/// Which of two priorities the caller gives its request: `low`, or anything else.
pub(crate) const PRIORITY: HeaderName = HeaderName::from_static("x-sluice-priority");
/// How long to wait before trying again, in milliseconds.
pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Whether trying again is of any use, for SDKs that would try by themselves.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Not passed back: whose account it is, what stands in front of the provider, and what
/// is about the provider's own origin. `content-length` is set where the body is known.
const NOT_TO_CALLER: [&str; 19] = [
    "alt-svc",
    "anthropic-organization-id",
    "content-length",
    "nel",
    "openai-organization",
    "openai-project",
    "public-key-pins",
    "report-to",
    "request-id",
    "server",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "via",
    "www-authenticate",
    "x-powered-by",
    "x-request-id",
    "x-robots-tag",
    "x-served-by",
];
/// Among them the limits of the account, which are not the caller's.
const NOT_TO_CALLER_PREFIXES: [&str; 11] = [
    "access-control-",
    "anthropic-ratelimit-",
    "cf-",
    "proxy-",
    "ratelimit",
    "x-amz-cf-",
    "x-cache",
    "x-envoy-",
    "x-rate-limit-",
    "x-ratelimit",
    "x-sluice-",
];

/// What was adapted on the way to the provider's dialect.
pub(crate) const ADAPTED: HeaderName = HeaderName::from_static("x-sluice-adapted");

/// All that is said to an upstream of another dialect: where the request is from, and to
/// which trace it belongs.
const IN_ANY_DIALECT: [&str; 4] = ["baggage", "traceparent", "tracestate", "user-agent"];
/// Anthropic's API wants its version named; of this one the bodies are that we write.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The headers of a request that was translated to `dialect`.
pub(crate) fn to_upstream_of(dialect: Dialect, from: &HeaderMap) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(8);
    for name in IN_ANY_DIALECT {
        if let Some(value) = from.get(name) {
            to.insert(HeaderName::from_static(name), value.clone());
        }
    }
    to.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    to.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    match dialect {
        Dialect::Anthropic => {
            to.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        }
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Bedrock => {}
    }
    to
}

/// The caller's headers that go to the upstream, with `accept-encoding: identity`:
/// a compressed answer could not be metered in passing.
pub(crate) fn to_upstream(from: &HeaderMap) -> HeaderMap {
    let mut to = pass(from, &NOT_TO_UPSTREAM, &NOT_TO_UPSTREAM_PREFIXES);
    to.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    to
}

/// The upstream's headers that go back to the caller; its request id under our name for it.
pub(crate) fn to_caller(from: &HeaderMap) -> HeaderMap {
    let mut to = pass(from, &NOT_TO_CALLER, &NOT_TO_CALLER_PREFIXES);
    if let Some(id) = from.get(X_REQUEST_ID).or_else(|| from.get(REQUEST_ID)) {
        to.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
    to
}

/// The headers of an answer that was translated: what is about another dialect's API says
/// nothing to the caller, but for when to come back.
pub(crate) fn to_caller_of_other(from: &HeaderMap) -> HeaderMap {
    const KEPT: [&str; 4] = ["cache-control", "retry-after", "retry-after-ms", "x-should-retry"];
    let mut to = to_caller(from);
    let kept = |it: &HeaderName| KEPT.contains(&it.as_str()) || *it == UPSTREAM_REQUEST_ID;
    let others: Vec<_> = to.keys().filter(|it| !kept(it)).cloned().collect();
    for name in others {
        to.remove(name);
    }
    to
}

fn pass(from: &HeaderMap, names: &[&str], prefixes: &[&str]) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(from.len().saturating_add(8));
    let nominated = nominated(from);
    for (name, value) in from {
        let text = name.as_str();
        let stays = HOP_BY_HOP.contains(&text)
            || names.binary_search(&text).is_ok()
            || prefixes.iter().any(|it| text.starts_with(it))
            || nominated.iter().any(|it| it.eq_ignore_ascii_case(text));
        if !stays {
            match to.entry(name) {
                Entry::Occupied(mut entry) => entry.append(value.clone()),
                Entry::Vacant(entry) => {
                    entry.insert(value.clone());
                }
            }
        }
    }
    to
}

/// The headers that `Connection` names as its own.
fn nominated(from: &HeaderMap) -> Vec<&str> {
    from.get_all(header::CONNECTION)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(str::trim)
        .filter(|it| !it.is_empty() && !it.eq_ignore_ascii_case("close"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn the_lists_are_sorted_so_that_they_can_be_searched() {
        assert!(NOT_TO_UPSTREAM.is_sorted() && NOT_TO_CALLER.is_sorted());
    }

    #[test]
    fn what_is_about_the_request_goes_on_and_what_is_about_the_way_does_not() {
        let to = to_upstream(&map(&[
            ("anthropic-beta", "some-2099-01-01"),
            ("x-custom-trace", "1"),
            ("user-agent", "sdk"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("authorization", "Bearer slc"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-sluice-account", "x"),
            ("te", "trailers"),
        ]));
        let mut names: Vec<_> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-encoding", "anthropic-beta", "user-agent", "x-custom-trace"]);
        assert_eq!(to["accept-encoding"], "identity");
    }

    #[test]
    fn what_acts_on_the_account_stays_here() {
        let to = to_upstream(&map(&[
            ("x-goog-user-project", "p"),
            ("x-goog-iam-authorization-token", "t"),
            ("x-goog-authenticated-user-email", "a@b"),
            ("x-goog-api-client", "genai-py/1"),
            ("x-vertex-ai-llm-request-type", "dedicated"),
            ("x-amzn-bedrock-guardrailidentifier", "g"),
            ("x-amz-security-token", "t"),
            ("openai-organization", "o"),
            ("anthropic-workspace-id", "w"),
            ("ocp-apim-subscription-key", "k"),
        ]));
        let mut names: Vec<_> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-encoding", "x-goog-api-client"]);
    }

    /// Bug 27 of the list: when to come back was lost.
    #[test]
    fn an_answer_loses_the_accounts_identity_and_keeps_when_to_retry() {
        let to = to_caller(&map(&[
            ("content-type", "application/json"),
            ("retry-after", "2"),
            ("x-should-retry", "true"),
            ("openai-processing-ms", "12"),
            ("openai-organization", "acme"),
            ("x-ratelimit-remaining-requests", "1"),
            ("x-ratelimitbysize-remaining-minute", "1"),
            ("x-rate-limit-limit", "1"),
            ("ratelimit", "\"default\";r=1;t=1"),
            ("ratelimit-policy", "\"default\";q=1"),
            ("anthropic-ratelimit-requests-limit", "1"),
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("set-cookie", "a=b"),
            ("cf-ray", "1"),
            ("strict-transport-security", "max-age=1"),
            ("x-request-id", "upstream-1"),
        ]));
        let mut names: Vec<_> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let kept = ["content-type", "openai-processing-ms", "retry-after", "x-should-retry"];
        assert_eq!(names[..4], kept);
        assert_eq!(to[UPSTREAM_REQUEST_ID], "upstream-1");
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn repeated_headers_stay_repeated() {
        let mut from = HeaderMap::new();
        from.append("anthropic-beta", HeaderValue::from_static("a"));
        from.append("anthropic-beta", HeaderValue::from_static("b"));
        assert_eq!(to_upstream(&from).get_all("anthropic-beta").iter().count(), 2);
    }
}
