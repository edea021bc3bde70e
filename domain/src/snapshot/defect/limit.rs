//! What can be wrong with a limit.

use crate::id::LimitId;

/// What is wrong with a limit. [`LimitFault::field`] says where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum LimitFault {
    #[error("{kind} `{id}` does not exist: name another, or delete the limit")]
    UnknownSubject { kind: &'static str, id: String },
    #[error("nobody can ask for its alias: {why}")]
    BadAlias { why: &'static str },
    #[error("`{other}` is a limit of the same subject, measure, period and action: keep one")]
    Twice { other: LimitId },
    #[error("{amount} is too much to count: at most {most}")]
    AmountTooLarge { amount: u64, most: u64 },
    #[error(
        "a strict window of 1 lets one through and never another: allow at least 2, or use the bucket profile"
    )]
    NeverRefilled,
    #[error(
        "a request of {tokens} tokens would be allowed, but may need {asked} at once of the limit of {of}, which lets at most {largest} through: make the one smaller or the other larger"
    )]
    LargerThanBurst { tokens: u64, asked: u64, of: String, largest: u64 },
    #[error("all its weights are 0, so that it would count nothing")]
    CountsNothing,
    #[error("`{zone}` is not a time zone: use an IANA name, such as `Asia/Shanghai`")]
    BadTimeZone { zone: String },
    #[error(
        "only accounts, their models and providers can be switched away from: leave the threshold out, or let it warn"
    )]
    CannotSwitch,
    #[error("`{field}` is {value}: it must lie between {least} and {most}")]
    OutOfRange { field: &'static str, value: u64, least: u64, most: u64 },
}

impl LimitFault {
    /// The field of the limit that has to change.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::UnknownSubject { .. } | Self::BadAlias { .. } | Self::Twice { .. } => "subject",
            Self::AmountTooLarge { .. } | Self::NeverRefilled | Self::LargerThanBurst { .. } => {
                "amount"
            }
            Self::CountsNothing => "weights",
            Self::BadTimeZone { .. } => "time_zone",
            Self::CannotSwitch => "switch_percent",
            Self::OutOfRange { field, .. } => field,
        }
    }
}
