//! Whose fault a failure is: decides the log level, the metric label and the words.

use std::fmt;

/// Who has to act for a failure to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller asked for something that cannot be had.
    Caller,
    /// A limit that an operator set.
    Limit,
    /// A provider, or the way to it.
    Upstream,
    /// Sluice itself, or how it is set up.
    Ours,
}

impl Fault {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Limit => "limit",
            Self::Upstream => "upstream",
            Self::Ours => "ours",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
