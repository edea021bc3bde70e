//! Rules that can be taken away, one at a time, to prove that the tests would notice.
//!
//! Without the feature `mutants` no rule can be broken and nothing of this is left in
//! the program.

/// A rule of the leases that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// A change of shape fills the bucket.
    FullOnResize,
    /// A grant that comes twice is credited twice.
    TwiceApplied,
    /// What a shrink frees is lent on before its holder said that it applied it.
    FreedBeforeAck,
    /// A lease ends by the leader's clock, compared with the holder's own.
    WallClock,
    /// A lease lasts from the arrival of the answer, not from the sending of the question.
    FromReceipt,
    /// A new leader lends at once.
    NoLearning,
    /// A change of shape keeps how full the bucket is, in percent.
    RatioFill,
    /// Neither holders nor leaders mind that a leader was replaced.
    Zombie,
    /// What nobody asked for extends a lease too.
    PushExtends,
    /// A new epoch is adopted from any message, and claims need not have adopted it.
    NoHandshake,
    /// What a lost holder had left, as last told, goes back to the pool.
    RefundDead,
    /// What a request did not use goes back whole, however full the bucket was since.
    NaiveRefund,
    /// What was used beyond what was taken is charged to nobody.
    NoDebt,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::FullOnResize,
        Self::TwiceApplied,
        Self::FreedBeforeAck,
        Self::WallClock,
        Self::FromReceipt,
        Self::NoLearning,
        Self::RatioFill,
        Self::Zombie,
        Self::PushExtends,
        Self::NoHandshake,
        Self::RefundDead,
        Self::NaiveRefund,
        Self::NoDebt,
    ];
}

/// Which rule is broken, if any can be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    #[cfg(feature = "mutants")]
    broken: Option<Mutant>,
}

impl Rules {
    #[cfg(feature = "mutants")]
    pub(super) const fn without(broken: Option<Mutant>) -> Self {
        Self { broken }
    }

    #[cfg(feature = "mutants")]
    pub(super) fn lack(self, rule: Mutant) -> bool {
        self.broken == Some(rule)
    }

    #[cfg(not(feature = "mutants"))]
    pub(super) const fn lack(self, _: Mutant) -> bool {
        false
    }
}
