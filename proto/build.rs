//! Compiles the contract with protox: no `protoc` on the machine.

use std::{env, error::Error, fs, path::PathBuf};

/// Messages that carry secrets: prost's derived `Debug` would print them.
const SECRET: [&str; 6] = [
    "sluice.admin.v1.Account",
    "sluice.admin.v1.CreateKeyResponse",
    "sluice.admin.v1.CreatedKey",
    "sluice.sync.v1.SealedAccount",
    "sluice.sync.v1.FingerprintedKey",
    "sluice.sync.v1.Pepper",
];

#[expect(clippy::disallowed_methods, reason = "a build script is told its folder so")]
fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "sluice/admin/v1/catalog.proto",
        "sluice/admin/v1/key.proto",
        "sluice/admin/v1/limit.proto",
        "sluice/admin/v1/usage.proto",
        "sluice/admin/v1/system.proto",
        "sluice/sync/v1/quota.proto",
        "sluice/sync/v1/sync.proto",
        "sluice/sync/v1/peer.proto",
    ];
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().skip_debug(SECRET).compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=sluice");
    Ok(())
}
