//! Why a command failed: what, in which fields, the way out, and the exit code.
//!
//! The one place where a gRPC status becomes words. Prints nothing.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It went wrong, and none of the others says how.
    Failed,
    /// The command line, a file or an environment variable cannot be understood.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// The server refused: bad input, a name that is taken, something else refers to it.
    Refused,
    /// The server cannot be reached or does not know who is asking.
    Unreachable,
}

impl Kind {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Unreachable => 5,
        }
    }
}

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The path of the field, as in `tiers[0].targets[1].account`.
    pub(crate) field: String,
    /// What is wrong and what would be right.
    pub(crate) reason: String,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    /// What the exit code says.
    pub(crate) kind: Kind,
    /// What went wrong, in one sentence.
    pub(crate) what: String,
    /// Every field that is wrong.
    pub(crate) fields: Vec<Violation>,
    /// The way out.
    pub(crate) hint: Option<String>,
}

/// What a command gives.
pub(crate) type Outcome<T = ()> = Result<T, CliError>;

impl CliError {
    /// An error of some kind.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), fields: Vec::new(), hint: None }
    }

    /// It went wrong.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }

    /// It cannot be understood.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// The same, with the way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let mut fields = Vec::new();
        for it in details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default()
        {
            fields.push(Violation { field: it.field.clone(), reason: it.description.clone() });
        }
        let failure = details.precondition_failure();
        for it in failure.map(|it| it.violations.as_slice()).unwrap_or_default() {
            fields.push(Violation { field: it.subject.clone(), reason: it.description.clone() });
        }
        let reason = details.error_info().map(|it| it.reason.as_str()).unwrap_or_default();
        let hint = details.error_info().and_then(|it| it.metadata.get("hint").cloned());
        let kind = kind_of(status.code());
        let mut what = status.message().to_owned();
        if what.is_empty() {
            what = format!("the server answered {:?}", status.code());
        }
        if let [first, _, ..] = fields.as_slice()
            && fields.iter().all(|it| what.contains(&it.reason))
            && let Some(at) =
                [&first.field, &first.reason].iter().filter_map(|it| what.find(*it)).min()
        {
            // Several are told one by one below: only "3 fields are wrong" is left of it.
            what.truncate(what[..at].trim_end_matches([':', ' ']).len());
        }
        let hint = hint.or_else(|| usual_hint(status.code(), reason));
        Self { kind, what, fields, hint }
    }
}

const fn kind_of(code: Code) -> Kind {
    match code {
        Code::NotFound => Kind::NotFound,
        Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange => Kind::Refused,
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Unauthenticated
        | Code::PermissionDenied => Kind::Unreachable,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Kind::Failed,
    }
}

/// What to do, where the server did not say it.
fn usual_hint(code: Code, reason: &str) -> Option<String> {
    let hint = match code {
        Code::Aborted => "somebody else changed it meanwhile: read it again and repeat",
        Code::Unauthenticated | Code::PermissionDenied => {
            "is it the right operator token? see `sluice context list`, --token-file and \
             SLUICE_OPERATOR_TOKEN"
        }
        Code::Unavailable => "is the control plane running, and its database? see `sluice status`",
        Code::DeadlineExceeded => "it did not answer in time: try again",
        Code::Unimplemented => {
            "the server is older than this sluice, or something else listens there"
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => return None,
    };
    let known = reason.is_empty();
    Some(if known { hint.to_owned() } else { format!("{hint} ({reason})") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let kinds = [Kind::Failed, Kind::Usage, Kind::NotFound, Kind::Refused, Kind::Unreachable];
        assert_eq!(kinds.map(Kind::code), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_status_keeps_its_fields_and_tells_them_once() {
        const MESSAGE: &str = "2 fields are wrong: account.provider: there is no provider `x`; \
                               account.name: `A` is not a name";
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("account.provider", "there is no provider `x`");
        details.add_bad_request_violation("account.name", "`A` is not a name");
        let status = Status::with_error_details(Code::InvalidArgument, MESSAGE, details);
        let error = CliError::from(status);
        assert_eq!(error.what, "2 fields are wrong");
        assert_eq!(error.kind, Kind::Refused);
        let fields: Vec<_> = error.fields.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["account.provider", "account.name"]);
    }

    #[test]
    fn codes_become_kinds() {
        let check = |code, kind| assert_eq!(CliError::from(Status::new(code, "x")).kind, kind);
        check(Code::NotFound, Kind::NotFound);
        check(Code::Aborted, Kind::Refused);
        check(Code::Unauthenticated, Kind::Unreachable);
        check(Code::Internal, Kind::Failed);
    }
}
