//! The contract between the planes and with operators, and the customs house
//! between its wire types and the domain.
//!
//! Wire types stop here: only [`convert`] knows both sides.

pub mod convert;
mod debug;

/// The admin API, for people, scripts and dashboards.
pub mod admin {
    /// Version 1.
    #[expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::too_many_lines,
        reason = "generated"
    )]
    pub mod v1 {
        tonic::include_proto!("sluice.admin.v1");
    }
}

/// The sync service, for proxies.
pub mod sync {
    /// Version 1.
    #[expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::too_many_lines,
        reason = "generated"
    )]
    pub mod v1 {
        tonic::include_proto!("sluice.sync.v1");
    }
}

/// The descriptors of every file of the contract, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
