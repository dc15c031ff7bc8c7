//! What several pages show of clients, scopes and times. Texts in it were written by strangers: the templates escape
//! them, and links are parsed here into what a page may hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use url::{Host, Url};

/// An application as people see it (RFC 7591 §2).
#[derive(Debug, Deserialize)]
pub struct Client {
    client_id: String,
    client_name: Option<String>,
    /// Its home page.
    #[serde(default, deserialize_with = "link")]
    pub client_uri: Option<WebLink>,
    /// Its picture.
    #[serde(default, deserialize_with = "link")]
    pub logo_uri: Option<WebLink>,
    /// What it does with data.
    #[serde(default, deserialize_with = "link")]
    pub policy_uri: Option<WebLink>,
    /// Its terms of service.
    #[serde(default, deserialize_with = "link")]
    pub tos_uri: Option<WebLink>,
    /// Where others may begin a sign-in at it; on the account page only.
    #[serde(default, deserialize_with = "link")]
    initiate_login_uri: Option<WebLink>,
}

impl Client {
    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.client_id
    }

    /// Its name, or its identifier when it registered none.
    pub fn name(&self) -> &str {
        self.client_name.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or(&self.client_id)
    }

    /// What stands for it where it has no picture.
    pub fn initial(&self) -> String {
        self.name()
            .chars()
            .find(|character| character.is_alphanumeric())
            .map_or_else(|| "·".to_owned(), |character| character.to_uppercase().collect())
    }

    /// The address that opens it with a sign-in here (OpenID Connect Core §4: `iss` is REQUIRED).
    pub fn open(&self, issuer: &str) -> Option<String> {
        let mut address = self.initiate_login_uri.clone()?.0;
        address.query_pairs_mut().append_pair("iss", issuer);
        Some(address.into())
    }

    /// Whether there is anything to read about it.
    pub fn has_links(&self) -> bool {
        self.client_uri.is_some() || self.policy_uri.is_some() || self.tos_uri.is_some()
    }
}

/// What an application may do.
#[derive(Debug, Deserialize)]
pub struct Scope {
    name: String,
    description: Option<String>,
}

impl Scope {
    /// In plain words; a scope that nobody described is shown by its name, never left out.
    pub fn words(&self) -> &str {
        self.description.as_deref().filter(|words| !words.is_empty()).unwrap_or(&self.name)
    }
}

/// A link or picture that a page may hold: https, or http on this machine for development. Never `javascript:` or
/// `data:`, and nothing that looks like another host than it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebLink(Url);

/// Not a link that a page may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a web link")]
pub struct NotALink;

impl FromStr for WebLink {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let url = Url::parse(text).map_err(|_| NotALink)?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(NotALink),
        };
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        // The URL standard lets `;` and `,` into a host; in the policy of a page they would begin a new directive.
        let host = url.host_str().unwrap_or_default().bytes();
        let plain = host.into_iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte));
        let nobody = url.username().is_empty() && url.password().is_none();
        if scheme && plain && nobody { Ok(Self(url)) } else { Err(NotALink) }
    }
}

impl WebLink {
    /// Scheme, host and port, safe in a header.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Display for WebLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

/// What is no such link is not shown; the page is still good.
pub fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WebLink>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

/// A moment, shown by its distance: the server does not know the person's time zone.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Time(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl Time {
    /// How long before `now` it was, in words.
    pub fn ago(&self, now: &Self) -> String {
        let minutes = (now.0 - self.0).whole_minutes();
        match (minutes, minutes / 60, minutes / (24 * 60)) {
            (..1, _, _) => "just now".to_owned(),
            (minutes, 0, _) => count(minutes, "minute"),
            (_, hours, 0) => count(hours, "hour"),
            (_, _, days @ ..60) => count(days, "day"),
            (_, _, _) => format!("on {}", self.0.date()),
        }
    }

    /// In the form that HTML and other programs read, to the second.
    pub fn stamp(&self) -> String {
        let moment = self.0.to_offset(time::UtcOffset::UTC);
        format!("{}T{:02}:{:02}:{:02}Z", moment.date(), moment.hour(), moment.minute(), moment.second())
    }
}

fn count(number: i64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_links_are_shown() {
        for good in ["https://a.example/x?y=1", "http://localhost:4700/logo.png", "http://[::1]/a"] {
            assert!(good.parse::<WebLink>().is_ok(), "{good}");
        }
        let bad = [
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "http://a.example/",
            "//a.example/",
            "",
            "https://bank.example@evil.example/",
            "https://a.example;script-src/",
            "https:",
            "ftp://a.example/",
        ];
        for bad in bad {
            assert_eq!(bad.parse::<WebLink>(), Err(NotALink), "{bad}");
        }
    }

    #[test]
    fn a_client_without_a_name_is_called_by_its_id() {
        let client = |json: &str| serde_json::from_str::<Client>(json).unwrap();
        assert_eq!(client(r#"{"client_id":"c1","client_name":" "}"#).name(), "c1");
        let hostile = client(r#"{"client_id":"c1","client_name":"<b>","logo_uri":"javascript:alert(1)"}"#);
        assert_eq!(hostile.name(), "<b>");
        assert_eq!(hostile.logo_uri, None);
    }

    #[test]
    fn times_are_told_by_their_distance() {
        let at = |text: &str| serde_json::from_str::<Time>(&format!("\"{text}\"")).unwrap();
        let now = at("2026-03-04T12:00:00.5+00:00");
        let told = |text: &str| at(text).ago(&now);
        assert_eq!(told("2026-03-04T12:00:30+00:00"), "just now");
        assert_eq!(told("2026-03-04T11:58:59+00:00"), "1 minute ago");
        assert_eq!(told("2026-03-04T09:00:00+00:00"), "3 hours ago");
        assert_eq!(told("2026-03-02T12:00:00+02:00"), "2 days ago");
        assert_eq!(told("2025-12-24T12:00:00+00:00"), "on 2025-12-24");
        assert_eq!(at("2025-12-24T01:02:03.4+02:00").stamp(), "2025-12-23T23:02:03Z");
    }
}
