//! A seeded simulation of the production machines, with faults and oracles.

pub(crate) mod bench;
pub(crate) mod dice;
pub(crate) mod ideal;
pub(crate) mod node;
pub(crate) mod oracle;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod world;
