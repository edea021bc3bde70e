//! Who is limited, in what, per what time, and how firmly.

use super::{Alias, ModelName};
use crate::{
    id::{AccountId, KeyId, LimitId, TeamId},
    name::Name,
};
use std::{fmt, num::NonZeroU64, sync::Arc};

/// Whom a limit counts. Of one subject there may be many limits; all of them have to
/// agree. (Users will be a subject once there are users.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All requests of the installation.
    Everything,
    /// One virtual key.
    Key(KeyId),
    /// All keys of one team together.
    Team(TeamId),
    /// What callers write in `model`, whoever they are.
    Alias(Alias),
    /// One key's use of one alias.
    KeyAlias(KeyId, Alias),
    /// All accounts at one provider together.
    Provider(Name),
    /// One account.
    Account(AccountId),
    /// One account's use of one model.
    AccountModel(AccountId, ModelName),
}

impl Subject {
    /// Whether it limits who asks. The others limit who is asked: there, a request
    /// moves on to the next target where it would be refused here.
    pub const fn is_callers(&self) -> bool {
        match self {
            Self::Everything
            | Self::Key(_)
            | Self::Team(_)
            | Self::Alias(_)
            | Self::KeyAlias(..) => true,
            Self::Provider(_) | Self::Account(_) | Self::AccountModel(..) => false,
        }
    }
}

/// What each kind of token counts, in percent of a token: 0 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weights {
    /// Input that was neither read from a prompt cache nor written to one.
    pub input: u16,
    /// Input read from the provider's prompt cache.
    pub cached_input: u16,
    /// Input written to the provider's prompt cache.
    pub cache_write: u16,
    /// Output, reasoning included.
    pub output: u16,
}

impl Default for Weights {
    fn default() -> Self {
        Self { input: 100, cached_input: 100, cache_write: 100, output: 100 }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Requests that were let through.
    Requests,
    /// Tokens, each kind by its weight.
    Tokens(Weights),
    /// Money; amounts are in micro-dollars (10⁻⁶ USD).
    Cost,
}

/// A [`Measure`] without its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeasureKind {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Money.
    Cost,
}

impl MeasureKind {
    /// The name in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }
}

impl Measure {
    /// Without weights.
    pub const fn kind(self) -> MeasureKind {
        match self {
            Self::Requests => MeasureKind::Requests,
            Self::Tokens(_) => MeasureKind::Tokens,
            Self::Cost => MeasureKind::Cost,
        }
    }
}

/// The time over which a rate is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Period {
    /// The name in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in seconds.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CalendarPeriod {
    /// From a full minute to the next.
    Minute,
    /// From a full hour to the next.
    Hour,
    /// From the reset time to that of the next day: 23 to 25 hours.
    Day,
    /// From the reset time of a Monday on.
    Week,
    /// From the reset time of a month's first day on.
    Month,
}

impl CalendarPeriod {
    /// The name in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Which calendar, and when its days begin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Calendar {
    /// IANA time zone, such as `Asia/Shanghai`; known to the control plane's database.
    pub zone: Arc<str>,
    /// Minutes after midnight at which days, weeks and months begin: 0 to 1,439.
    pub reset_minute: u16,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: "UTC".into(), reset_minute: 0 }
    }
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Refilled steadily: `amount` per `period` in the long run. Starts full: up to
    /// twice the amount in the worst period.
    Bucket {
        /// What is counted.
        measure: Measure,
        /// Requests, weighted tokens or micro-dollars.
        amount: NonZeroU64,
        /// Per which time.
        period: Period,
    },
    /// At most `amount` in *any* stretch of `period`, at the price of a tenth of the
    /// sustained rate.
    WindowStrict {
        /// What is counted.
        measure: Measure,
        /// Requests, weighted tokens or micro-dollars.
        amount: NonZeroU64,
        /// Per which time.
        period: Period,
    },
    /// At most `amount` in each stretch of the calendar, then all of it anew.
    Calendar {
        /// What is counted.
        measure: Measure,
        /// Requests, weighted tokens or micro-dollars.
        amount: NonZeroU64,
        /// Which stretch.
        period: CalendarPeriod,
        /// Of which calendar.
        calendar: Box<Calendar>,
    },
    /// A grant that is used up once and does not come back.
    Grant {
        /// What is counted.
        measure: Measure,
        /// Requests, weighted tokens or micro-dollars.
        amount: NonZeroU64,
    },
    /// No request may be estimated at more tokens, prompt and greatest output together.
    TokensPerRequest {
        /// Tokens.
        most: NonZeroU64,
    },
    /// No more requests at the same time.
    InFlight {
        /// Requests.
        most: NonZeroU64,
    },
}

/// What happens when a proxy cannot ask how much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses once what it was lent is over: the limit is never exceeded.
    Strict,
    /// It goes on with a share that was set aside for that.
    Availability,
}

/// What happens at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The request is refused, or goes to the next target.
    Enforce,
    /// It is only counted and reported: a way to try a limit.
    Shadow,
}

/// A limit that an operator set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its identity, kept for life.
    pub id: LimitId,
    /// Counts resets: what was lent under an earlier one is void.
    pub generation: u32,
    /// Who is limited.
    pub subject: Subject,
    /// What is allowed. Shared, because many limits allow the same.
    pub rule: Arc<Rule>,
    /// Whether exactness or going on matters more.
    pub mode: Mode,
    /// Whether it refuses or only reports.
    pub action: Action,
    /// The used share from which it is reported as nearly used, in percent: 1 to 100.
    pub warn_percent: Option<u8>,
    /// The used share from which an account is asked only when nothing else is left, in
    /// percent: 1 to 100. Only for accounts and providers.
    pub switch_percent: Option<u8>,
    /// Longest wait for room instead of a refusal, in milliseconds; 0: none.
    pub queue_ms: u32,
}

/// Per what a limit counts: a part of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// A steady rate.
    Rate(MeasureKind, Period),
    /// A stretch of the calendar.
    Calendar(MeasureKind, CalendarPeriod),
    /// A grant for ever.
    Forever(MeasureKind),
    /// One request.
    Request,
    /// What runs at the same time.
    InFlight,
}

/// What tells limits apart for their operators: there is one of each. To set a limit of
/// the same identity replaces it. A shadow stands beside what is enforced, so that a
/// new amount can be tried while the old one holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitIdentity {
    /// Who is limited.
    pub subject: Subject,
    /// Per what it counts.
    pub span: Span,
    /// Whether it refuses or only reports.
    pub action: Action,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(kind, period) => write!(f, "{} per {}", kind.as_str(), period.as_str()),
            Self::Calendar(kind, period) => {
                write!(f, "{} per calendar {}", kind.as_str(), period.as_str())
            }
            Self::Forever(kind) => write!(f, "{} for ever", kind.as_str()),
            Self::Request => f.write_str("tokens per request"),
            Self::InFlight => f.write_str("requests in flight"),
        }
    }
}

impl Limit {
    /// What tells it apart.
    pub fn identity(&self) -> LimitIdentity {
        LimitIdentity { subject: self.subject.clone(), span: self.rule.span(), action: self.action }
    }
}

impl Rule {
    /// Per what it counts.
    pub const fn span(&self) -> Span {
        match self {
            Self::Bucket { measure, period, .. } | Self::WindowStrict { measure, period, .. } => {
                Span::Rate(measure.kind(), *period)
            }
            Self::Calendar { measure, period, .. } => Span::Calendar(measure.kind(), *period),
            Self::Grant { measure, .. } => Span::Forever(measure.kind()),
            Self::TokensPerRequest { .. } => Span::Request,
            Self::InFlight { .. } => Span::InFlight,
        }
    }

    /// What it counts; `None` where it counts nothing over time.
    pub const fn measure(&self) -> Option<Measure> {
        match self {
            Self::Bucket { measure, .. }
            | Self::WindowStrict { measure, .. }
            | Self::Calendar { measure, .. }
            | Self::Grant { measure, .. } => Some(*measure),
            Self::TokensPerRequest { .. } | Self::InFlight { .. } => None,
        }
    }

    /// The amount, in requests, weighted tokens or micro-dollars.
    pub const fn amount(&self) -> NonZeroU64 {
        match self {
            Self::Bucket { amount, .. }
            | Self::WindowStrict { amount, .. }
            | Self::Calendar { amount, .. }
            | Self::Grant { amount, .. } => *amount,
            Self::TokensPerRequest { most } | Self::InFlight { most } => *most,
        }
    }
}
