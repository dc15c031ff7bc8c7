//! What several pages show of clients, scopes and times. Texts in it were written by strangers: the templates escape
//! them, and links are parsed here into what a page may hold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use askama::filters::HtmlSafe;
use serde::Deserialize;
use time::OffsetDateTime;
use url::{Host, Url};

use crate::web::locales::{self, Html, Language, Message};

/// An application as people see it (RFC 7591 §2), in the language of the request.
#[derive(Debug, Deserialize)]
#[serde(from = "Registered")]
pub struct Client {
    client_id: String,
    client_name: Option<String>,
    /// Its home page.
    pub client_uri: Option<WebLink>,
    /// Its picture.
    pub logo_uri: Option<WebLink>,
    /// What it does with data.
    pub policy_uri: Option<WebLink>,
    /// Its terms of service.
    pub tos_uri: Option<WebLink>,
    /// Where others may begin a sign-in at it; on the account page only.
    initiate_login_uri: Option<WebLink>,
}

/// As it registered itself, in whatever languages.
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    initiate_login_uri: Option<String>,
    /// `client_name#fr` and others of this kind.
    #[serde(default)]
    localized: BTreeMap<String, String>,
}

impl Registered {
    /// RFC 7591 §2.2: the member with the tag of a language is "the human-readable value in that language"; the one without
    /// a tag is for everybody else.
    fn in_language(&self, member: &str, otherwise: Option<&String>) -> Option<String> {
        let translated = locales::best(|range| {
            let mut tagged = self.localized.iter().filter_map(|(name, value)| Some((name.split_once('#')?, value)));
            tagged.find(|((name, tag), _)| *name == member && tag.eq_ignore_ascii_case(range)).map(|(_, value)| value)
        });
        translated.or(otherwise).cloned()
    }

    /// What is no link that a page may hold is not shown; the page is still good.
    fn link(&self, member: &str, otherwise: Option<&String>) -> Option<WebLink> {
        self.in_language(member, otherwise)?.parse().ok()
    }
}

impl From<Registered> for Client {
    fn from(registered: Registered) -> Self {
        Self {
            client_name: registered.in_language("client_name", registered.client_name.as_ref()),
            client_uri: registered.link("client_uri", registered.client_uri.as_ref()),
            logo_uri: registered.link("logo_uri", registered.logo_uri.as_ref()),
            policy_uri: registered.link("policy_uri", registered.policy_uri.as_ref()),
            tos_uri: registered.link("tos_uri", registered.tos_uri.as_ref()),
            initiate_login_uri: registered.initiate_login_uri.and_then(|uri| uri.parse().ok()),
            client_id: registered.client_id,
        }
    }
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
    /// In plain words: the standard ones in the person's language, others as the administrator described them. A scope that
    /// nobody described is shown by its name, never left out.
    pub fn words(&self, language: &Language) -> Words<'_> {
        let written = self.description.as_deref().filter(|words| !words.is_empty()).unwrap_or(&self.name);
        Words::of(*language, "scope-", written)
    }
}

/// A text of the database: in the person's language if it is one of ours, else as it was written.
pub enum Words<'a> {
    /// One of ours.
    Ours(Message),
    /// Somebody else's.
    Written(&'a str),
}

impl<'a> Words<'a> {
    /// Of a kind of messages.
    pub fn of(language: Language, kind: &str, written: &'a str) -> Self {
        language.translate(kind, written).map_or(Self::Written(written), Self::Ours)
    }

    /// Whether it is in the language of whoever wrote it.
    pub const fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(message) => message.fmt(formatter),
            Self::Written(text) => Html::bdi(text).fmt(formatter),
        }
    }
}

impl From<Words<'_>> for Html {
    fn from(words: Words<'_>) -> Self {
        match words {
            Words::Ours(message) => message.into(),
            Words::Written(text) => Self::bdi(text),
        }
    }
}

/// Both kinds are escaped.
impl HtmlSafe for Words<'_> {}

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

/// A moment, shown by its distance: the server does not know the person's time zone.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Time(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl Time {
    /// How long before `now` it was, in words.
    pub fn ago(&self, now: &Self, language: &Language) -> Html {
        let minutes = (now.0 - self.0).whole_minutes();
        let words = match (minutes, minutes / 60, minutes / (24 * 60)) {
            (..1, _, _) => language.say("moment-now"),
            (minutes, 0, _) => language.say("moment-minutes").count("count", minutes),
            (_, hours, 0) => language.say("moment-hours").count("count", hours),
            (_, _, days @ ..60) => language.say("moment-days").count("count", days),
            (_, _, _) => {
                let date = language.say("moment-date").count("month", u8::from(self.0.month()).into());
                date.set("day", self.0.day().to_string()).set("year", self.0.year().to_string())
            }
        };
        Html::time(&self.stamp(), &words)
    }

    /// In the form that HTML and other programs read, to the second.
    pub fn stamp(&self) -> String {
        let moment = self.0.to_offset(time::UtcOffset::UTC);
        format!("{}T{:02}:{:02}:{:02}Z", moment.date(), moment.hour(), moment.minute(), moment.second())
    }
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
        let german = Language::named("de").unwrap();
        let told = |text: &str, language: &Language| {
            let html = at(text).ago(&now, language).to_string();
            let words = html.split_once('>').unwrap().1.split_once("</time>").unwrap().0;
            assert_eq!(html.matches(&at(text).stamp()).count(), 2, "{html}");
            words.to_owned()
        };
        for (moment, english, translated) in [
            ("2026-03-04T12:00:30+00:00", "just now", "gerade eben"),
            ("2026-03-04T11:58:59+00:00", "1 minute ago", "vor 1 Minute"),
            ("2026-03-04T09:00:00+00:00", "3 hours ago", "vor 3 Stunden"),
            ("2026-03-02T12:00:00+02:00", "2 days ago", "vor 2 Tagen"),
            ("2025-12-24T12:00:00+00:00", "on December 24, 2025", "am 24. Dezember 2025"),
            ("2025-05-01T12:00:00+00:00", "on May 1, 2025", "am 1. Mai 2025"),
        ] {
            assert_eq!((told(moment, &Language::ENGLISH), told(moment, &german)), (english.into(), translated.into()));
        }
        assert_eq!(at("2025-12-24T01:02:03.4+02:00").stamp(), "2025-12-23T23:02:03Z");
    }
}
