//! Origins: nothing crashes, and what registration lets pass has the origin that browsers give it (the url crate reads as they do).

use std::net::Ipv6Addr;

use proptest::prelude::*;
use url::Url;

use super::{origin, url_origin};
use crate::mutation::{edited, edits};

/// What a browser makes of it; `None` where it is no web address.
fn browsers(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    Some(url.origin().ascii_serialization())
}

/// Letters, digits, dots and hyphens, in which a browser has nothing to translate: the last label begins with a letter.
const HOST: &str = "([a-wA-W0-9]([a-zA-Z0-9-]{0,4}[a-zA-Z0-9])?\\.){0,2}[a-wA-W][a-zA-Z0-9]{0,6}\\.?";

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => HOST,
        1 => any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")),
        1 => any::<[(u16, bool); 8]>().prop_map(|parts| {
            let address = Ipv6Addr::from(parts.map(|(part, zero)| if zero { 0 } else { part }));
            format!("[{address}]")
        }),
    ]
}

/// Web addresses as people write them.
fn addresses() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        2 => Just(String::new()),
        1 => prop::sample::select(vec![":", ":0", ":00", ":80", ":443", ":0443", ":65535"]).prop_map(str::to_owned),
        2 => any::<u16>().prop_map(|port| format!(":{port}")),
    ];
    let rest = "([/?#][ -~]{0,12})?";
    ("[hH][tT][tT][pP][sS]?", "(([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-F]{2}){0,6}@)?", hosts(), port, rest)
        .prop_map(|(scheme, user, host, port, rest)| format!("{scheme}://{user}{host}{port}{rest}"))
}

/// Anything that has some of the letters that make a difference.
fn nearly() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "https",
        "HTTP",
        "ftp",
        ":",
        "://",
        ":/",
        "/",
        "//",
        "\\",
        "@",
        "?",
        "#",
        "[",
        "]",
        "[::1]",
        "[::0001]",
        "::",
        "%",
        "%41",
        "a",
        "A",
        ".",
        "..",
        "b.example",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "00",
        "0",
        "80",
        "443",
        "99999",
        "-",
        "_",
        "xn--",
        "\u{212a}",
        "ß",
        "İ",
        "。",
        "\u{ad}",
        " ",
        "\t",
        "\n",
        "\0",
        "+",
        "\u{fffd}",
    ]);
    let parts = prop::collection::vec(part, 0..9).prop_map(|parts| parts.concat());
    prop_oneof![3 => parts.clone(), 3 => parts.prop_map(|rest| format!("https://{rest}")), 1 => "\\PC{0,30}", 1 => ".{0,30}"]
}

/// As redirect URIs and pages are admitted: sql/store/functions/client_metadata.sql, redirect_uri_fits and page_fits.
fn registers(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let end = rest.find(['/', '?', '#', '@']).unwrap_or(rest.len());
    end > 0 && !rest[end..].starts_with('@') && rest.bytes().all(|letter| letter.is_ascii_graphic())
}

/// What browsers translate in a host and we do not: octets, backslashes, numbers that are addresses, addresses with zeros, and names
/// in punycode. It costs its own client the notice that somebody else is signed in, and nobody else anything.
fn is_translated(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let host = host.strip_suffix(':').unwrap_or(authority);
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    host.contains(['%', '\\', '[']) || last.starts_with(|letter: char| letter.is_ascii_digit()) || host.contains("xn--")
}

/// Addresses with few letters, so that two of them often have one host.
fn few() -> impl Strategy<Value = String> {
    "https://[ab]{1,2}[.%\\\\]?(:[08]{0,2})?[/?]?"
}

/// Two addresses that may be of one origin.
fn pairs() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (few(), few()),
        (prop_oneof![nearly(), addresses()], edits()).prop_map(|(one, change)| (one.clone(), edited(&one, &change))),
    ]
}

proptest! {
    #[test]
    fn an_address_has_the_origin_that_browsers_give_it(address in addresses()) {
        let expected = browsers(&address);
        prop_assert!(expected.is_some(), "{address}");
        prop_assert_eq!(Some(origin(&address)), expected);
    }

    #[test]
    fn what_browsers_have_written_out_has_their_origin(address in prop_oneof![addresses(), nearly()]) {
        if let Some(expected) = browsers(&address) {
            prop_assert_eq!(origin(Url::parse(&address).unwrap().as_str()), expected);
        }
    }

    #[test]
    fn what_registers_has_the_origin_of_browsers_or_is_translated_by_them(address in prop_oneof![nearly(), few()]) {
        if let Some(expected) = browsers(&address).filter(|_| registers(&address)) {
            prop_assert!(origin(&address) == expected || is_translated(&address), "{} {expected}", origin(&address));
        }
    }

    /// A page that is told of a logout lies where its client does.
    #[test]
    fn two_that_register_and_are_of_one_origin_are_so_for_browsers((one, other) in pairs()) {
        if registers(&one) && registers(&other) && origin(&one) == origin(&other)
            && let (Some(one), Some(other)) = (browsers(&one), browsers(&other))
        {
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn nothing_crashes_and_an_origin_is_its_own(text in prop_oneof![nearly(), addresses()]) {
        let found = origin(&text);
        prop_assert!(found == "null" || found.starts_with("https://") || found.starts_with("http://"), "{found}");
        prop_assert_eq!(origin(&found), found.as_str());
        prop_assert_eq!(url_origin(&text).ok().unwrap(), found);
    }
}
