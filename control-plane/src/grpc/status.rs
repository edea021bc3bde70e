//! The one place where errors become a `tonic::Status`: code, words, and details of
//! `google.rpc`. Never a secret, and nothing of the inside: that goes to the log.

use super::refusal::{Kind, Refusal};
use crate::store::{StoreError, WriteError};
use domain::{id::RequestId, snapshot::Defect};
use proto::convert::Invalid;
use std::{collections::HashMap, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "sluice";

/// Details travel in a header, of which clients take 16 KiB: beyond this many bytes
/// of violations the rest is only counted.
const MOST_VIOLATION_BYTES: usize = 6_000;
const MOST_MESSAGE_BYTES: usize = 1_000;

/// When to try again after the database was gone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refusal of ours as a status.
pub(crate) fn of_refusal(refusal: Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::Invalid(wrong) => bad_request("INVALID_FIELDS", &message, &wrong),
        Refusal::NotFound { kind, name } => {
            about(Code::NotFound, "NOT_FOUND", &message, kind, &name)
        }
        Refusal::Exists { kind, name } => {
            about(Code::AlreadyExists, "ALREADY_EXISTS", &message, kind, &name)
        }
        Refusal::InUse { kind, name, by } => {
            let mut details = info("IN_USE", [("kind", kind.as_str()), ("name", &name)]);
            for it in by.iter().take(20) {
                details.add_precondition_failure_violation("IN_USE", it.clone(), &message);
            }
            status(Code::FailedPrecondition, &message, details)
        }
        Refusal::BuiltIn { kind, name } => {
            about(Code::FailedPrecondition, "BUILT_IN", &message, kind, &name)
        }
        Refusal::EtagMismatch { kind, name } => {
            about(Code::Aborted, "ETAG_MISMATCH", &message, kind, &name)
        }
        Refusal::NoEntropy => {
            tracing::error!(error = %message, "make a key");
            status(Code::Internal, &message, info("NO_ENTROPY", []))
        }
    }
}

/// A failed write as a status.
pub(crate) fn of_write(error: WriteError<Refusal>) -> Status {
    let message = error.to_string();
    match error {
        WriteError::Plan(refusal) => of_refusal(refusal),
        WriteError::Defects(defects) => of_defects(&defects),
        WriteError::Stale { expected, actual } => {
            let (expected, actual) = (expected.to_string(), actual.to_string());
            let known = [("expected", expected.as_str()), ("actual", actual.as_str())];
            status(Code::Aborted, &message, info("REVISION_MISMATCH", known))
        }
        WriteError::EtagMismatch { .. } => {
            status(Code::Aborted, &message, info("ETAG_MISMATCH", []))
        }
        WriteError::AlreadyExists { .. } => {
            status(Code::AlreadyExists, &message, info("ALREADY_EXISTS", []))
        }
        // It answered a moment ago, and then broke off in the middle.
        WriteError::Store(error @ StoreError::Unavailable(_)) => {
            tracing::warn!(%error, "write the catalog");
            write_uncertain()
        }
        WriteError::Store(error) => of_store(&error),
    }
}

/// A failure of the store as a status.
pub(crate) fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::Unavailable(_) | StoreError::Timeout(_) => {
            tracing::warn!(%error, "use the database");
            unavailable()
        }
        StoreError::BadPage => of_refusal(super::page::bad_token()),
        StoreError::Corrupt { .. }
        | StoreError::WrongMasterKey
        | StoreError::SchemaTooNew { .. }
        | StoreError::Drift { .. }
        | StoreError::BadUrl(_)
        | StoreError::Seal(_)
        | StoreError::Refused(_) => {
            tracing::error!(%error, "use the database");
            let message = "the control plane failed: its log says why";
            status(Code::Internal, message, info("INTERNAL", []))
        }
    }
}

/// There is no such item.
pub(crate) fn not_found(kind: Kind, name: &str) -> Status {
    of_refusal(Refusal::not_found(kind, name))
}

/// The database does not answer.
pub(crate) fn unavailable() -> Status {
    let mut details = info("DATABASE_UNAVAILABLE", []);
    details.set_retry_info(Some(RETRY_AFTER));
    status(Code::Unavailable, "the database does not answer: try again", details)
}

/// A write was begun, and nobody knows how it ended.
pub(crate) fn write_uncertain() -> Status {
    let mut details = info("WRITE_UNCERTAIN", []);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "the database broke off: the change may have been written or not, so read before you try again";
    status(Code::Unavailable, message, details)
}

/// The control plane that lends limits cannot be asked.
pub(crate) fn leader_away(why: &str) -> Status {
    tracing::warn!(why, "ask the control plane that lends");
    let mut details = info("LEADER_UNAVAILABLE", []);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "the control plane that lends limits does not answer: try again";
    status(Code::Unavailable, message, details)
}

/// Nobody who was asked has a record of this request.
pub(crate) fn no_record(request: RequestId, proxies: u32, planes: u32) -> Status {
    let message = format!(
        "no record of {request}: asked {proxies} connected proxies, and {planes} other control planes for theirs; a proxy keeps only its latest requests, and none over a restart"
    );
    let (request, asked) = (request.to_string(), proxies.to_string());
    let known = [("kind", "request"), ("name", request.as_str()), ("asked", asked.as_str())];
    status(Code::NotFound, &message, info("NOT_FOUND", known))
}

/// Nobody has shown who is calling.
pub(crate) fn unauthenticated(message: &str) -> Status {
    status(Code::Unauthenticated, message, info("UNAUTHENTICATED", []))
}

/// Who is calling may not do this.
pub(crate) fn forbidden(message: &str) -> Status {
    status(Code::PermissionDenied, message, info("WRONG_TOKEN", []))
}

/// A proxy that cannot be spoken with.
pub(crate) fn bad_session(reason: &str, message: &str) -> Status {
    status(Code::FailedPrecondition, message, info(reason, []))
}

/// A proxy's message that makes no sense.
pub(crate) fn bad_message(wrong: &Invalid) -> Status {
    bad_request("INVALID_FIELDS", &wrong.to_string(), std::slice::from_ref(wrong))
}

/// A proxy asks for more than the session allows.
pub(crate) fn too_much(message: &str) -> Status {
    status(Code::ResourceExhausted, message, info("WINDOW_EXCEEDED", []))
}

/// The process stops.
pub(crate) fn stopping() -> Status {
    status(Code::Unavailable, "the control plane is stopping", info("STOPPING", []))
}

/// A proxy has hung up: nobody reads this.
pub(crate) fn gone() -> Status {
    Status::cancelled("the proxy is gone")
}

/// The database refuses a proxy's usage; the log says why.
pub(crate) fn usage_refused() -> Status {
    let message = "the usage records were refused: the control plane's log says why";
    status(Code::Internal, message, info("USAGE_REFUSED", []))
}

/// No such path.
pub(crate) fn unknown_path() -> Status {
    let message = "no such service: reflection lists those that exist";
    status(Code::Unimplemented, message, info("UNKNOWN_SERVICE", []))
}

fn of_defects(defects: &[Defect]) -> Status {
    let wrong: Vec<_> = defects.iter().map(|it| Invalid::new(it.field(), it)).collect();
    let message = match defects {
        [only] => only.to_string(),
        many => {
            let texts: Vec<_> = many.iter().map(ToString::to_string).collect();
            format!("the catalog would have {} defects: {}", many.len(), texts.join("; "))
        }
    };
    bad_request("CATALOG_DEFECTS", &message, &wrong)
}

fn bad_request(reason: &str, message: &str, wrong: &[Invalid]) -> Status {
    let mut details = info(reason, []);
    let mut bytes = 0;
    for (at, it) in wrong.iter().enumerate() {
        bytes += it.field.len() + it.reason.len();
        if MOST_VIOLATION_BYTES < bytes {
            let rest = format!("{} more are wrong: correct these first", wrong.len() - at);
            details.add_bad_request_violation("", rest);
            break;
        }
        details.add_bad_request_violation(&it.field, &it.reason);
    }
    status(Code::InvalidArgument, message, details)
}

fn about(code: Code, reason: &str, message: &str, kind: Kind, name: &str) -> Status {
    let mut details = info(reason, [("kind", kind.as_str()), ("name", name)]);
    details.set_resource_info(kind.as_str(), name, "", message);
    status(code, message, details)
}

fn info<'a>(reason: &str, known: impl IntoIterator<Item = (&'a str, &'a str)>) -> ErrorDetails {
    let known: HashMap<_, _> =
        known.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ErrorDetails::with_error_info(reason, DOMAIN, known)
}

fn status(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, shortened(message), details)
}

fn shortened(message: &str) -> String {
    if message.len() <= MOST_MESSAGE_BYTES {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MOST_MESSAGE_BYTES);
    format!("{}…", message.get(..end).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_a_violation() {
        let wrong = vec![Invalid::new("a", "is bad"), Invalid::new("b", "is worse")];
        let status = of_refusal(Refusal::Invalid(wrong));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations.len(), 2);
        assert_eq!(details.error_info().unwrap().domain, "sluice");
    }

    #[test]
    fn a_flood_of_violations_still_fits_a_header() {
        let wrong = (0..10_000).map(|it| Invalid::new(format!("edits[{it}]"), "is bad"));
        let status = of_refusal(Refusal::Invalid(wrong.collect()));
        assert!(status.details().len() + status.message().len() < 12_000);
        let details = status.get_error_details();
        let last = details.bad_request().unwrap().field_violations.last().unwrap().clone();
        assert!(last.description.contains("more"), "{last:?}");
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let status = of_store(&StoreError::Refused("relation secret_table".into()));
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret_table"));
    }
}
