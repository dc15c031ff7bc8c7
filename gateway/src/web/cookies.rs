//! The four cookies (README, decision 14), and the rules of setting them.
//!
//! | cookie  | holds                                       | lives                  |
//! |---------|---------------------------------------------|------------------------|
//! | session | the secret of a browser session, made in SQL | until the browser ends |
//! | state   | a digest of that secret, which the frame of session monitoring reads (session_state.rs) | as long |
//! | browser | 256 random bits: unfinished logins and their forms belong to this browser | until the browser ends |
//! | device  | "somebody has signed in here before", made in SQL: a counter of failures of its own | 365 days |

use std::convert::Infallible;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::state::AppState;
use crate::config::SameSite;

/// One year, in seconds.
const DEVICE_MAX_AGE: u32 = 365 * 24 * 60 * 60;

/// The longest value that can be one of ours, in characters.
const LONGEST: usize = 512;

/// The length of 256 bits in base64url.
const BROWSER_LENGTH: usize = 43;

/// The cookies of a request, and those that its response will set.
pub struct Cookies {
    names: Names,
    same_site: SameSite,
    session: Option<String>,
    browser: Option<String>,
    device: Option<String>,
    settable: bool,
    set: Vec<String>,
}

impl Cookies {
    /// Reads the cookies of a request. `secure`: whether the issuer is https; `same_site`: of the session cookie.
    pub fn read(headers: &HeaderMap, secure: bool, same_site: SameSite) -> Self {
        let names = if secure { HTTPS } else { LOOPBACK };
        // A cross-site POST comes without our Lax cookies although the browser has them: setting new ones would
        // throw away the person's session and every login that is under way in another window (README, decision 7).
        let stranger = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
        // Those that come along from other sites say nothing about what was held back.
        let held_back = |name: &str| name == names.state || name == names.session && same_site == SameSite::None;
        let brought = pairs(headers).any(|(name, _)| !held_back(name));
        Self {
            session: value(headers, names.session),
            browser: value(headers, names.browser).filter(|value| value.len() == BROWSER_LENGTH),
            device: value(headers, names.device),
            settable: brought || !stranger,
            set: Vec::new(),
            names,
            same_site,
        }
    }

    /// The secret of the browser session, not yet believed.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The pre-session cookie.
    pub fn browser(&self) -> Option<&str> {
        self.browser.as_deref()
    }

    /// The device cookie, not yet believed.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// The pre-session cookie, made now if there is none; `None` when this response must not set one, or the
    /// system gives no random bytes.
    pub fn browser_or_new(&mut self) -> Option<&str> {
        if self.browser.is_none() && self.settable {
            let mut bits = [0; 32];
            aws_lc_rs::rand::fill(&mut bits).ok()?;
            let value = URL_SAFE_NO_PAD.encode(bits);
            self.put(self.names.browser, &value, SameSite::Lax, "");
            if self.session.is_none() {
                self.put_state(&nobodys_state(&value), "");
            }
            self.browser = Some(value);
        }
        self.browser()
    }

    /// Sets the session cookie. It ends with the browser; how long it is good for is decided in SQL.
    pub fn set_session(&mut self, value: &str) {
        self.put(self.names.session, value, self.same_site, "");
        self.put_state(&browser_state(digest(&SHA256, value.as_bytes()).as_ref()), "");
    }

    /// Sets the device cookie for a year.
    pub fn set_device(&mut self, value: &str) {
        self.put(self.names.device, value, SameSite::Lax, &format!("; Max-Age={DEVICE_MAX_AGE}"));
    }

    /// Forgets the session cookie, if the browser sent one.
    pub fn end_session(&mut self) {
        if self.session.take().is_some() {
            self.put(self.names.session, "", self.same_site, "; Max-Age=0");
            self.show_nobody();
        }
    }

    /// Says to the frame of session monitoring that nobody is signed in.
    pub fn show_nobody(&mut self) {
        match self.browser.as_deref().map(nobodys_state) {
            Some(state) => self.put_state(&state, ""),
            None => self.put_state("", "; Max-Age=0"),
        }
    }

    /// Adds the Set-Cookie headers.
    pub fn onto(self, mut response: Response) -> Response {
        for cookie in self.set {
            if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
                cookie.set_sensitive(true);
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        response
    }

    /// Read by script in frames of all sites, and worth nothing: so neither HttpOnly nor Lax. Without Secure a browser would
    /// throw `None` away.
    fn put_state(&mut self, value: &str, lifetime: &str) {
        let (name, secure) = (self.names.state, self.names.secure);
        let same_site = if secure.is_empty() { SameSite::Lax } else { SameSite::None }.attribute();
        self.set.push(format!("{name}={value}; Path=/; SameSite={same_site}{secure}{lifetime}"));
    }

    /// RFC 6265bis §4.1.3.2: a `__Host-` cookie must be Secure, have `Path=/` and no Domain.
    fn put(&mut self, name: &str, value: &str, same_site: SameSite, lifetime: &str) {
        let (secure, same_site) = (self.names.secure, same_site.attribute());
        self.set.push(format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{lifetime}"));
    }
}

impl FromRequestParts<AppState> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let same_site = state.settings.http.session_cookie_same_site;
        Ok(Self::read(&parts.headers, state.issuer.is_https(), same_site))
    }
}

/// What identity.session_state computes of what the database holds: the SHA-256 of a session cookie, or the hash of a browser
/// cookie.
fn browser_state(hash: &[u8]) -> String {
    let state = digest(&SHA256, &[b"browser_state:", hash].concat());
    state.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// While nobody is signed in: of the browser, for a constant would tell every site that asks the frame whether somebody is.
fn nobodys_state(browser: &str) -> String {
    let hash = digest(&SHA256, format!("browser:{browser}").as_bytes());
    browser_state(URL_SAFE_NO_PAD.encode(hash).as_bytes())
}

#[derive(Clone, Copy)]
struct Names {
    session: &'static str,
    state: &'static str,
    browser: &'static str,
    device: &'static str,
    secure: &'static str,
}

const HTTPS: Names = Names {
    session: "__Host-identity_session",
    state: "__Host-identity_state",
    browser: "__Host-identity_browser",
    device: "__Host-identity_device",
    secure: "; Secure",
};

/// For an http issuer on loopback: many clients do not return Secure cookies over http.
const LOOPBACK: Names = Names {
    session: "identity_session",
    state: "identity_state",
    browser: "identity_browser",
    device: "identity_device",
    secure: "",
};

/// The name of the cookie that the frame of session monitoring reads.
pub const fn state_name(secure: bool) -> &'static str {
    if secure { HTTPS.state } else { LOOPBACK.state }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The first cookie of that name; what cannot be one of ours counts as absent.
fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let (_, value) = pairs(headers).find(|(found, _)| *found == name)?;
    let ours = (1..=LONGEST).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    ours.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(pairs: &[(&'static str, &'static str)], secure: bool) -> Cookies {
        let headers =
            pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        Cookies::read(&headers.collect(), secure, SameSite::Lax)
    }

    fn set(cookies: Cookies) -> Vec<String> {
        let response = cookies.onto(Response::default());
        let set = response.headers().get_all(header::SET_COOKIE).iter();
        set.map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_session_cookie_is_a_host_cookie_and_ends_with_the_browser() {
        let mut https = cookies(&[], true);
        https.set_session("abc");
        // printf abc | sha256sum, in binary, behind "browser_state:", sha256sum again.
        let state = "19429a5f59fe6fba38b3bced0d9eb574bf31a959cda8373c64221de269074a45";
        assert_eq!(
            set(https),
            [
                "__Host-identity_session=abc; Path=/; HttpOnly; SameSite=Lax; Secure".to_owned(),
                format!("__Host-identity_state={state}; Path=/; SameSite=None; Secure")
            ]
        );
        let mut loopback = cookies(&[], false);
        loopback.set_device("abc");
        assert_eq!(set(loopback), ["identity_device=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"]);
    }

    #[test]
    fn only_the_session_cookie_follows_into_frames_of_other_sites_and_only_where_that_is_set() {
        let mut framed = Cookies::read(&HeaderMap::new(), true, SameSite::None);
        framed.set_session("abc");
        framed.set_device("def");
        let set = set(framed);
        assert_eq!(set[0], "__Host-identity_session=abc; Path=/; HttpOnly; SameSite=None; Secure");
        assert_eq!(set[2], "__Host-identity_device=def; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=31536000");
    }

    #[test]
    fn over_http_the_browser_state_stays_on_its_site() {
        let mut loopback = cookies(&[], false);
        loopback.set_session("abc");
        let state = browser_state(digest(&SHA256, b"abc").as_ref());
        assert_eq!(set(loopback)[1], format!("identity_state={state}; Path=/; SameSite=Lax"));
    }

    #[test]
    fn a_browser_cookie_is_made_once() {
        let mut first = cookies(&[("sec-fetch-site", "none")], false);
        let value = first.browser_or_new().unwrap().to_owned();
        assert_eq!(value.len(), BROWSER_LENGTH);
        assert_eq!(first.browser_or_new(), Some(value.as_str()));
        let set = set(first);
        assert_eq!(set.len(), 2);
        assert_eq!(set[1], format!("identity_state={}; Path=/; SameSite=Lax", nobodys_state(&value)));
    }

    #[test]
    fn a_cross_site_request_without_cookies_gets_none() {
        let mut stranger = cookies(&[("sec-fetch-site", "cross-site")], false);
        assert_eq!(stranger.browser_or_new(), None);
        assert!(set(stranger).is_empty());
        let mut known = cookies(&[("sec-fetch-site", "cross-site"), ("cookie", "identity_session=a")], false);
        assert!(known.browser_or_new().is_some());
        // The one that follows everywhere does not tell that the others were not held back.
        let mut watched = cookies(&[("sec-fetch-site", "cross-site"), ("cookie", "identity_state=a")], false);
        assert_eq!(watched.browser_or_new(), None);
    }

    #[test]
    fn cookies_of_others_are_not_read() {
        let read =
            cookies(&[("cookie", "identity_session=a; __Host-identity_session=b; identity_browser=short")], true);
        assert_eq!((read.session(), read.browser()), (Some("b"), None));
        let read = cookies(&[("cookie", "identity_session=\"<script>\"")], false);
        assert_eq!(read.session(), None);
    }

    #[test]
    fn a_session_that_was_not_sent_is_not_forgotten() {
        let mut none = cookies(&[], false);
        none.end_session();
        assert!(set(none).is_empty());
        let mut some = cookies(&[("cookie", "identity_session=a")], false);
        some.end_session();
        assert_eq!(
            set(some),
            [
                "identity_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
                "identity_state=; Path=/; SameSite=Lax; Max-Age=0"
            ]
        );
    }
}
