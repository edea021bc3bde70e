//! Where an address that a stranger wrote may lead: to the public internet, and nowhere
//! behind it.
//!
//! Names are judged by what they resolve to, and the connection goes to what was judged:
//! nobody asks the name server a second time.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use url::{Host, Url};

/// Most names that are looked up at a time. The system's resolver blocks a thread each, and
/// may hold it longer than anybody waits.
const MAX_LOOKUPS: usize = 32;

/// Where fetching may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To global unicast addresses, by https at its usual port.
    Internet,
    /// To this machine alone, at any port, in clear too: for tests, which have no other.
    ThisMachine,
}

impl Reach {
    /// Whether this may be asked at all; what its name resolves to is judged later.
    pub(super) fn allows_form(self, url: &Url) -> bool {
        let by = match self {
            Self::Internet => url.scheme() == "https" && url.port().is_none(),
            Self::ThisMachine => matches!(url.scheme(), "http" | "https"),
        };
        by && url.username().is_empty() && url.password().is_none()
    }

    /// Whether a host that is no name may be asked. Whoever connects does not resolve it.
    pub(super) fn allows_host(self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Domain(_)) => true,
            Some(Host::Ipv4(it)) => self.allows(it.into()),
            Some(Host::Ipv6(it)) => self.allows(it.into()),
            None => false,
        }
    }

    fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::Internet => is_global(ip),
            Self::ThisMachine => ip.is_loopback(),
        }
    }

    /// Resolves names to what is within reach.
    pub(super) fn resolver(self) -> Resolver {
        Resolver { reach: self, lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

/// The system's resolver, as far as its answers are within reach.
pub(in crate::upstream) struct Resolver {
    reach: Reach,
    lookups: Arc<Semaphore>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookups) = (self.reach, Arc::clone(&self.lookups));
        Box::pin(async move {
            let turn = lookups.acquire_owned().await?;
            let found = spawn_blocking(move || {
                let _turn = turn;
                let found = (name.as_str(), 0).to_socket_addrs();
                found.map(Iterator::collect::<Vec<SocketAddr>>)
            });
            let mut found = found.await??;
            found.retain(|it| reach.allows(it.ip()));
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether this is one host somewhere in the public internet.
fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(it) => is_global_v4(it),
        IpAddr::V6(it) => is_global_v6(it),
    }
}

/// What IANA keeps for special purposes, and what is one cloud's own: network and length.
const NOT_GLOBAL_V4: [(Ipv4Addr, u32); 16] = [
    // This network, and no address at all.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Between carriers and their customers; Alibaba's metadata among them.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's own services on each of its machines.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local: clouds' metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocols' own; Oracle's metadata among them.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation, also 198.51.100 and 203.0.113.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, and what is reserved, up to the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_global_v4(ip: Ipv4Addr) -> bool {
    NOT_GLOBAL_V4.iter().all(|(network, length)| {
        let mask = u32::MAX << (32 - length);
        ip.to_bits() & mask != network.to_bits()
    })
}

/// Within 2000::/3, which is all that is given out, what is no host of anybody.
const NOT_GLOBAL_V6: [(Ipv6Addr, u32); 4] = [
    // Protocols' own, Teredo's tunnels among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4: an IPv4 address in disguise.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Documentation.
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const GIVEN_OUT_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// How a host in a network without IPv4 sees the IPv4 internet.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn is_global_v6(ip: Ipv6Addr) -> bool {
    let is_in = |(network, length): (Ipv6Addr, u32)| {
        let mask = u128::MAX << (128 - length);
        ip.to_bits() & mask == network.to_bits()
    };
    if is_in(NAT64) {
        let [.., a, b, c, d] = ip.octets();
        return is_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    is_in(GIVEN_OUT_V6) && !NOT_GLOBAL_V6.into_iter().any(is_in)
}

#[cfg(test)]
mod tests;
