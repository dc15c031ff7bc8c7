//! Where a request really comes from. `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed from the
//! configured proxies only: anybody else could write them to escape the rate limit or to blame another address.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header::FORWARDED};
use ipnet::IpNet;

/// Who sent the request, in its extensions: `Extension(source): Extension<Source>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The client's address, behind the trusted proxies.
    pub address: IpAddr,
    /// Whether a trusted proxy says that the client spoke plain http to it.
    pub plain_http: bool,
}

impl Source {
    /// Of a request that came from `peer`.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(&peer) {
            return Self { address: peer, plain_http: false };
        }
        // From the right: each proxy appends the address it saw, so the first that is no proxy of ours is the client, and
        // whatever stands left of it was written by the client itself.
        let mut address = peer;
        for hop in hops(headers).iter().rev() {
            let Some(hop) = parse(hop) else { break };
            address = hop;
            if !is_trusted(&hop) {
                break;
            }
        }
        Self { address, plain_http: protocol(headers).is_some_and(|protocol| protocol.eq_ignore_ascii_case("http")) }
    }
}

/// The chain of addresses, the client's first. RFC 7239 where somebody speaks it, else the older header.
fn hops(headers: &HeaderMap) -> Vec<String> {
    let forwarded: Vec<String> =
        elements(headers, FORWARDED.as_str()).filter_map(|element| parameter(&element, "for")).collect();
    if forwarded.is_empty() { elements(headers, "x-forwarded-for").collect() } else { forwarded }
}

/// What the proxy next to us says; it is the last element.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let forwarded = elements(headers, FORWARDED.as_str()).filter_map(|element| parameter(&element, "proto")).last();
    forwarded.or_else(|| elements(headers, "x-forwarded-proto").last())
}

fn elements<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = String> + 'a {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|element| element.trim().to_owned())
}

fn parameter(element: &str, name: &str) -> Option<String> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

/// An address as proxies write it: alone, with a port, in brackets. `unknown` and `_hidden` (RFC 7239 §6) are none.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.trim().trim_matches('"');
    address
        .parse::<IpAddr>()
        .or_else(|_| address.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| address.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let source = Source::of(peer.parse().unwrap(), &map, &trusted);
        format!("{}{}", source.address, if source.plain_http { " http" } else { "" })
    }

    #[test]
    fn a_stranger_cannot_name_another_source() {
        assert_eq!(of("192.0.2.1", &[("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "http")]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_names_the_source() {
        assert_eq!(
            of("10.0.0.1", &[("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "https")]),
            "198.51.100.7"
        );
        assert_eq!(of("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.7")]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", &[("forwarded", "for=\"[2001:db8::1]:4711\";proto=http")]), "2001:db8::1 http");
    }

    #[test]
    fn what_the_client_wrote_itself_is_not_believed() {
        assert_eq!(of("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")]), "198.51.100.7");
        assert_eq!(
            of("10.0.0.1", &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.7")]),
            "198.51.100.7"
        );
    }

    #[test]
    fn a_hidden_hop_ends_the_chain() {
        assert_eq!(of("10.0.0.1", &[("forwarded", "for=203.0.113.9, for=_hidden, for=10.0.0.2")]), "10.0.0.2");
    }
}
