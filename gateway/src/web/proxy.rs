//! Where a request really comes from. The configured proxies are believed, and of their headers the one they write: anybody
//! else could write one to escape the rate limit or to blame another address, also through a proxy, which leaves the headers
//! that it does not know as they came.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header::FORWARDED};
use ipnet::IpNet;

use crate::config::ProxyHeader;

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
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], header: ProxyHeader) -> Self {
        let peer = peer.to_canonical();
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(&peer) {
            return Self { address: peer, plain_http: false };
        }
        // From the right: each proxy appends the address it saw, so the first that is no proxy of ours is the client, and
        // whatever stands left of it was written by the client itself.
        let mut address = peer;
        for hop in hops(headers, header) {
            let Some(hop) = parse(&hop) else { break };
            address = hop;
            if !is_trusted(&hop) {
                break;
            }
        }
        let plain_http = protocol(headers, header).is_some_and(|protocol| protocol.eq_ignore_ascii_case("http"));
        Self { address, plain_http }
    }
}

/// The chain of addresses, the nearest first. RFC 7239 §4: "for" may be missing, which ends the chain as a hidden hop does.
fn hops(headers: &HeaderMap, header: ProxyHeader) -> Vec<String> {
    match header {
        ProxyHeader::XForwardedFor => elements(headers, "x-forwarded-for"),
        ProxyHeader::Forwarded => {
            let elements = elements(headers, FORWARDED.as_str());
            elements.iter().map(|element| parameter(element, "for").unwrap_or_default()).collect()
        }
    }
}

/// What the proxy next to us says.
fn protocol(headers: &HeaderMap, header: ProxyHeader) -> Option<String> {
    match header {
        ProxyHeader::XForwardedFor => elements(headers, "x-forwarded-proto").into_iter().next(),
        ProxyHeader::Forwarded => parameter(elements(headers, FORWARDED.as_str()).first()?, "proto"),
    }
}

/// The elements of a list, the last one first.
fn elements(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut elements: Vec<String> =
        values.flat_map(|value| split(value, ',').into_iter().rev()).map(|element| element.trim().to_owned()).collect();
    elements.reverse();
    elements
}

/// What a separator separates, the last one first; in quotes it separates nothing (RFC 9110 §5.6.4): a proxy may repeat the name
/// of a host, which its client chose. Read from the right, so that a quote which a client never closes hides nothing.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut end, mut quoted) = (Vec::new(), text.len(), false);
    for (at, character) in text.char_indices().rev() {
        if character == '"' {
            let before = text.get(..at).unwrap_or_default();
            let escaped = (at - before.trim_end_matches('\\').len()) % 2 == 1;
            quoted = quoted == escaped;
        } else if character == separator && !quoted {
            parts.extend(text.get(at + 1..end));
            end = at;
        }
    }
    parts.extend(text.get(..end));
    parts
}

fn parameter(element: &str, name: &str) -> Option<String> {
    split(element, ';').into_iter().find_map(|pair| {
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
        by(ProxyHeader::XForwardedFor, peer, headers)
    }

    fn by(header: ProxyHeader, peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let source = Source::of(peer.parse().unwrap(), &map, &trusted, header);
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
        let forwarded = [("forwarded", "for=\"[2001:db8::1]:4711\";proto=http")];
        assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &forwarded), "2001:db8::1 http");
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
    fn the_header_that_the_proxy_does_not_write_is_the_client_s_and_not_believed() {
        let both = [
            ("forwarded", "for=203.0.113.9;proto=http"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(of("10.0.0.1", &both), "198.51.100.7");
        assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &both), "203.0.113.9 http");
        // Alone it says nothing either.
        assert_eq!(of("10.0.0.1", &both[..1]), "10.0.0.1");
        let plain = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "http")];
        assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &plain), "10.0.0.1");
    }

    #[test]
    fn a_hidden_hop_ends_the_chain() {
        for hidden in ["for=_hidden", "for=unknown", "proto=http"] {
            let forwarded = format!("for=203.0.113.9;proto=http, {hidden}, for=10.0.0.2;proto=https");
            assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", &forwarded)]), "10.0.0.2", "{hidden}");
        }
    }

    #[test]
    fn no_quote_of_a_client_hides_or_forges_what_the_proxy_says() {
        for own in ["for=\"_a, for=203.0.113.9\"", "for=\"_a\\\", for=203.0.113.9\"", "for=\"_a"] {
            let forwarded = format!("{own}, for=198.51.100.7");
            assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", &forwarded)]), "198.51.100.7", "{own}");
        }
        for host in ["a,for=203.0.113.9", "a;for=203.0.113.9", "a\\\",for=203.0.113.9"] {
            let forwarded = format!("for=198.51.100.7;proto=https;host=\"{host}\"");
            assert_eq!(by(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", &forwarded)]), "198.51.100.7", "{host}");
        }
    }
}
