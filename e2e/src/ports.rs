//! Ports that stay ours while a program is down, so that it comes back to the same place.
//!
//! Port 0 is not enough for that: the system hands a freed port to the next who asks.
//! These lie below the range that it hands out, and a lock file keeps other tests off.

use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A loopback port that no other test takes while this lives.
#[derive(Debug)]
pub struct Reserved {
    port: u16,
    _lock: File,
}

impl Reserved {
    /// Reserves some free port.
    ///
    /// # Errors
    /// When none is free, or the lock files cannot be written.
    pub fn any() -> Result<Self> {
        let folder = folder()?;
        let mut seed = [0; 2];
        getrandom::fill(&mut seed)?;
        let start = u16::from_ne_bytes(seed) % COUNT;
        for step in 0..COUNT {
            let port = FIRST + (start + step) % COUNT;
            let path = folder.join(port.to_string());
            // Another user's lock file cannot be opened: not ours to take.
            let Ok(lock) = File::options().create(true).truncate(false).write(true).open(path)
            else {
                continue;
            };
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Self { port, _lock: lock });
            }
        }
        bail!("no free port from {FIRST} on")
    }

    /// The address, to listen on or to call.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

fn folder() -> Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("sluice-e2e-ports-{user}"));
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reservations_are_two_ports() {
        let (one, two) = (Reserved::any().unwrap(), Reserved::any().unwrap());
        assert_ne!(one.address(), two.address());
        assert!(TcpListener::bind(one.address()).is_ok());
    }
}
