//! Which addresses belong to the Internet: not one of the special-purpose registries of IANA (RFC 6890), in whatever form it comes.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// A host or a network that may be reached although it is none of the Internet's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// This name, whatever its addresses are.
    Host(String),
    /// These addresses, by whatever name.
    Network(IpNet),
}

impl Allowed {
    /// Whether it names this host or holds this address.
    pub fn covers(&self, name: Option<&str>, address: IpAddr) -> bool {
        match self {
            Self::Host(host) => name.is_some_and(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host)),
            Self::Network(network) => network.contains(&address),
        }
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) => Ok(Self::Host(name)),
            Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) | Err(_) => {
                Err(format!("{text} is neither a host name nor an address nor a network such as 10.0.0.0/8"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An IPv4 address that is written as an IPv6 one (RFC 4291 §2.5.5.2), as itself.
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether it is this machine.
pub fn is_loopback(address: IpAddr) -> bool {
    plain(address).is_loopback()
}

/// Whether it is an address of the Internet.
pub fn is_global(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, length)| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        u32::from(address) & mask == u32::from(Ipv4Addr::from(*network))
    })
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    // RFC 6052 §2.1: what is behind a translator is an IPv4 address. (64:ff9b:1::/48, RFC 8215, is for private ones.)
    if (first, second) == (0x64, 0xff9b) && address.segments().iter().skip(2).take(4).all(|segment| *segment == 0) {
        let [.., a, b, c, d] = address.octets();
        return is_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is given out (RFC 4291 §2.4, IANA's registry of unicast addresses); of that not:
    let special = match (first, second) {
        // 2001::/23, IETF protocol assignments, Teredo (RFC 4380) and ORCHID among them
        (0x2001, ..=0x01ff) => true,
        // 2001:db8::/32, documentation (RFC 3849)
        (0x2001, 0x0db8) => true,
        // 6to4 (RFC 3056), where any IPv4 address can hide, and which is no longer in use (RFC 7526)
        (0x2002, _) => true,
        // 2620:4f:8000::/48, AS112 (RFC 7534)
        (0x2620, 0x004f) => third == 0x8000,
        // 3fff::/20, documentation (RFC 9637)
        (0x3fff, ..=0x0fff) => true,
        _ => false,
    };
    first & 0xe000 == 0x2000 && !special
}

/// IANA IPv4 Special-Purpose Address Registry, multicast and what is reserved.
const SPECIAL_V4: [([u8; 4], u32); 18] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn global(address: &str) -> bool {
        is_global(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_global() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(global(address), "{address}");
        }
    }

    #[test]
    fn addresses_of_special_networks_are_not_in_whatever_form() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:101:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!global(address), "{address}");
        }
    }

    #[test]
    fn an_exception_is_a_name_an_address_or_a_network() {
        let covers = |allowed: &str, name: Option<&str>, address: &str| {
            allowed.parse::<Allowed>().unwrap().covers(name, address.parse().unwrap())
        };
        assert!(covers("idp.corp", Some("IDP.corp."), "10.0.0.1"));
        assert!(!covers("idp.corp", Some("x.idp.corp"), "10.0.0.1"));
        assert!(!covers("idp.corp", None, "10.0.0.1"));
        assert!(covers("10.0.0.0/8", Some("idp.corp"), "10.1.2.3"));
        assert!(covers("10.1.2.3", None, "10.1.2.3"));
        assert!(!covers("10.1.2.3", None, "10.1.2.4"));
        assert!(covers("fd00::/8", None, "fd12::1"));
        for nonsense in ["", "10.0.0.0/33", "a b", "https://idp.corp"] {
            assert!(nonsense.parse::<Allowed>().is_err(), "{nonsense}");
        }
    }
}
