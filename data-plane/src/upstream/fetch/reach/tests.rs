use super::*;

const GLOBAL: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "203.0.112.255",
    "223.255.255.255",
    "2001:200::1",
    "2001:db7::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "3ffe::1",
    "3fff:1000::1",
    "64:ff9b::8.8.8.8",
];

const NOT_GLOBAL: &[&str] = &[
    // Unspecified, this network, loopback.
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    // Private.
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    // Between carriers.
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    // Link-local, metadata.
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    // Documentation, benchmarks, relays.
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.255",
    "198.18.0.1",
    "198.19.255.255",
    "192.88.99.1",
    // Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    // The same in IPv6.
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "3fff::1",
    "3fff:fff::1",
    "5f00::1",
    "4000::1",
    // Tunnels and protocols' own.
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff::1",
    // IPv4 in disguise.
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b::169.254.169.254",
    "64:ff9b::100.64.0.1",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:808:808::1",
];

#[test]
fn only_hosts_of_the_public_internet_are_global() {
    for text in GLOBAL {
        assert!(is_global(text.parse().unwrap()), "{text}");
    }
    for text in NOT_GLOBAL {
        assert!(!is_global(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn networks_are_written_down_by_their_first_address() {
    for (network, length) in NOT_GLOBAL_V4 {
        assert_eq!(network.to_bits() & !(u32::MAX << (32 - length)), 0, "{network}");
    }
    for (network, length) in NOT_GLOBAL_V6.into_iter().chain([GIVEN_OUT_V6, NAT64]) {
        assert_eq!(network.to_bits() & !(u128::MAX << (128 - length)), 0, "{network}");
    }
}

fn form(reach: Reach, text: &str) -> bool {
    Url::parse(text).is_ok_and(|it| reach.allows_form(&it))
}

fn host(reach: Reach, text: &str) -> bool {
    Url::parse(text).is_ok_and(|it| reach.allows_host(&it))
}

#[test]
fn only_https_at_its_usual_port_and_without_a_name_is_asked() {
    for good in [
        "https://example.com/a.png",
        "https://example.com:443/a.png",
        "HTTPS://EXAMPLE.com",
        "https://example.com/a?x=1&sig=a%3D#b",
        "https://[2606:4700:4700::1111]/",
    ] {
        assert!(form(Reach::Internet, good), "{good}");
    }
    for bad in [
        "http://example.com/a.png",
        "https://example.com:8443/a.png",
        "https://example.com:80/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://:pass@example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "https://",
        "example.com/a.png",
    ] {
        assert!(!form(Reach::Internet, bad), "{bad}");
    }
}

#[test]
fn an_address_in_place_of_a_name_is_read_however_it_is_written() {
    for bad in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://0/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::7f00:1]/",
        "https://１２７.0.0.1/",
    ] {
        assert!(!host(Reach::Internet, bad), "{bad}");
    }
    for good in ["https://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://example.com/"] {
        assert!(host(Reach::Internet, good), "{good}");
    }
    assert!(host(Reach::ThisMachine, "http://127.0.0.1:9/"));
    assert!(!host(Reach::ThisMachine, "https://1.1.1.1/"));
    assert!(!host(Reach::ThisMachine, "https://10.0.0.1/"));
}

#[tokio::test]
async fn names_resolve_to_what_is_within_reach_alone() {
    // The one name that every machine knows by itself.
    let resolve = |reach: Reach| reach.resolver().resolve("localhost".parse().unwrap());
    let here: Vec<_> = resolve(Reach::ThisMachine).await.unwrap().collect();
    assert!(!here.is_empty() && here.iter().all(|it| it.ip().is_loopback()), "{here:?}");
    assert!(resolve(Reach::Internet).await.is_err());
}
