//! The last failure becomes an answer: what the upstream said, if the caller may hear
//! it, else our own words.

use super::{
    exchange::{Failed, Said, is_compressed, is_of_type},
    receive::Ask,
    relay::{Credits, credit},
    settle::{Settlement, Used},
};
use crate::{
    http::{
        headers,
        refusal::Refusal,
        reply::{Content, Reply},
    },
    upstream::Line,
};
use bytes::Bytes;
use dialect::{chat, ratelimit::retry_delay_in_body, translate};
use domain::{
    catalog::Dialect,
    routing::{Failure, Plan},
    secret::Secret,
    snapshot::Snapshot,
    usage::Outcome,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The longest error body that is passed on.
const MAX_SAID_BYTES: usize = 1 << 20;
/// How long it may take to come.
const SAID_WITHIN: Duration = Duration::from_secs(10);
/// Shorter credentials are placeholders, which occur in any text.
const MIN_CREDENTIAL_LEN: usize = 8;
const REDACTED: &[u8] = b"[redacted]";

/// Answers the caller, and settles the request for which no upstream did.
pub(super) async fn to_caller(
    failed: Failed,
    settlement: Settlement,
    snapshot: &Snapshot,
    ask: &Ask<'_>,
    plan: &Plan,
) -> Reply {
    let refusal = refusal(failed.failure);
    let mut credits = Credits {
        account: None,
        attempts: settlement.attempts(),
        revision: snapshot.revision(),
        route: &plan.route,
        reveal: snapshot.catalog().settings.reveal_route,
    };
    let mut reply = Reply::refuse(&refusal, ask.asked.stamp);
    match failed.said.map(|it| *it) {
        Some(Said::Answer(response, line, dialect)) => {
            if matches!(refusal, Refusal::UpstreamCredential) {
                let (account, status) = (&line.seat.account.name, response.status().as_u16());
                tracing::warn!(%account, status, "the provider refuses the account's credential");
            } else if may_be_heard(response.status()) {
                reply = said(response, &line, dialect, &refusal, ask).await;
                credits.account = Some(line.name.clone());
            }
        }
        Some(Said::Event(failure, line)) if !matches!(refusal, Refusal::UpstreamCredential) => {
            reply = translated(&failure, &line, ask);
            credits.account = Some(line.name.clone());
        }
        Some(Said::Event(..)) | None => {}
    }
    credit(&mut reply.headers, credits);
    settlement.settle(reply.status, Outcome::UpstreamError, used(failed.failure));
    reply
}

/// What the last attempt cost. One that was asked and then said nothing may have worked
/// all the same, and want to be paid.
const fn used(failure: Failure) -> Used {
    match failure {
        Failure::FirstByteTimeout | Failure::Broken => Used::Unknown,
        Failure::Connect | Failure::Status(_) => Used::Nothing,
    }
}

/// Our own words for a failure.
const fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Connect => Refusal::UpstreamUnreachable,
        Failure::FirstByteTimeout => Refusal::UpstreamTimeout,
        Failure::Status(401 | 403) => Refusal::UpstreamCredential,
        Failure::Broken | Failure::Status(_) => Refusal::UpstreamBroken,
    }
}

/// 401 and 403 are about our credential, and where a redirect leads to is nobody's business.
fn may_be_heard(status: StatusCode) -> bool {
    let ours = status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
    !ours && (status.is_client_error() || status.is_server_error())
}

/// The upstream's own words, without its secrets and with its status. A web page, what is
/// compressed though not asked to be, or does not come whole, is replaced by ours.
async fn said(
    response: Response<reqwest::Body>,
    line: &Arc<Line>,
    dialect: Dialect,
    refusal: &Refusal,
    ask: &Ask<'_>,
) -> Reply {
    let (head, body) = response.into_parts();
    let credential = line.seat.account.credential.as_ref();
    let credential = credential.filter(|it| MIN_CREDENTIAL_LEN <= it.expose().len());
    let mut headers = headers::to_caller(&head.headers);
    forget(&mut headers, credential);
    let readable = !is_of_type(&head.headers, "text/html") && !is_compressed(&head.headers);
    let body = timeout(SAID_WITHIN, Limited::new(body, MAX_SAID_BYTES).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
    match body.filter(|it| readable && !it.is_empty()) {
        Some(body) if dialect != ask.asked.dialect => {
            let failure = translate::failure(dialect, head.status.as_u16(), &body);
            let mut reply = translated(&failure, line, ask);
            if let Some(after) = retry_delay_in_body(dialect, &body) {
                // Rounded up: who comes back too early is refused once more.
                let seconds = after.as_millis().div_ceil(1_000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            take_over(&mut headers, &mut reply.headers);
            reply
        }
        Some(body) => {
            let content = Content::Whole(redact(body, credential));
            Reply { status: head.status, headers, content }
        }
        None => {
            let mut reply = Reply::refuse(refusal, ask.asked.stamp);
            if dialect == ask.asked.dialect {
                reply.status = head.status;
            }
            take_over(&mut headers, &mut reply.headers);
            reply
        }
    }
}

/// What an upstream of another dialect said, in the caller's.
fn translated(failure: &chat::Failure, line: &Line, ask: &Ask<'_>) -> Reply {
    let credential = line.seat.account.credential.as_ref();
    let credential = credential.filter(|it| MIN_CREDENTIAL_LEN <= it.expose().len());
    let dialect = ask.asked.dialect;
    let body = translate::error_body(dialect, failure, ask.asked.stamp.text());
    Reply::json(failure.kind.status(dialect), redact(body, credential))
}

/// When to come back is worth knowing, whoever says it.
fn take_over(from: &mut HeaderMap, to: &mut HeaderMap) {
    for name in ["retry-after", "retry-after-ms", "x-should-retry"] {
        if let Some(value) = from.remove(name) {
            to.insert(name, value);
        }
    }
}

/// Takes out headers that show the credential.
fn forget(headers: &mut HeaderMap, credential: Option<&Secret>) {
    let Some(credential) = credential else { return };
    let telling: Vec<_> = headers
        .iter()
        .filter(|(_, value)| find(value.as_bytes(), credential.expose().as_bytes()).is_some())
        .map(|(name, _)| name.clone())
        .collect();
    for name in telling {
        headers.remove(name);
    }
}

/// Takes the credential out of a body, wherever it stands.
fn redact(body: Bytes, credential: Option<&Secret>) -> Bytes {
    let Some(credential) = credential.map(|it| it.expose().as_bytes()) else { return body };
    let mut clean = Vec::new();
    let mut rest = &*body;
    while let Some(at) = find(rest, credential) {
        clean.extend_from_slice(rest.get(..at).unwrap_or_default());
        clean.extend_from_slice(REDACTED);
        rest = rest.get(at.saturating_add(credential.len())..).unwrap_or_default();
    }
    if rest.len() == body.len() {
        return body;
    }
    clean.extend_from_slice(rest);
    clean.into()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|it| it == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_the_credential_is_taken_out() {
        let credential = Secret::new("sk-live-123".to_owned());
        let redacted =
            |text: &'static str| redact(Bytes::from_static(text.as_bytes()), Some(&credential));
        assert_eq!(redacted("a sk-live-123 b sk-live-123"), "a [redacted] b [redacted]");
        assert_eq!(redacted("sk-live-123sk-live-123"), "[redacted][redacted]");
        assert_eq!(redacted("sk-live-12"), "sk-live-12");
    }

    #[test]
    fn what_is_about_our_account_is_not_the_callers_to_hear() {
        for status in [301, 302, 401, 403] {
            assert!(!may_be_heard(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [400, 402, 404, 413, 422, 429, 500, 503, 529] {
            assert!(may_be_heard(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
