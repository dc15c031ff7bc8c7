//! Forms that only our own pages can send.
//!
//! A form carries a digest of a cookie that no other site can read, so that it cannot be made elsewhere, and is
//! worthless in another browser or, where it is the session's cookie, after somebody else has signed in. What the
//! browser itself says about the origin of the request is believed as well where it says anything.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The name of the hidden field.
pub const FIELD: &str = "csrf";

/// A form that was not sent by a page of ours in this browser, or not in this session. Nothing may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the form was not sent by a page of this site in this session")]
pub struct Forged;

/// What a form bound to `cookie` carries. It says nothing about the cookie: a digest of 256 random bits.
pub fn token(cookie: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("csrf:{cookie}").as_bytes()))
}

/// What a form carries that also says in which session it was seen, for a page whose answer is one person's.
pub fn token_of_both(browser: Option<&str>, session: Option<&str>) -> String {
    format!("{}.{}", browser.map(token).unwrap_or_default(), session.map(token).unwrap_or_default())
}

/// When the page of a form was seen that a page of ours in this browser has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// In the session that there is now.
    InThisSession,
    /// Before somebody signed in, or signed in again, or signed out.
    InAnotherSession,
}

/// Checks a posted form with a [`token_of_both`].
///
/// # Errors
/// [`Forged`] as [`check`], for the half of the browser's cookie.
pub fn check_both(
    headers: &HeaderMap,
    origin: &str,
    submitted: Option<&str>,
    browser: Option<&str>,
    session: Option<&str>,
) -> Result<Seen, Forged> {
    let (of_browser, of_session) = submitted.and_then(|submitted| submitted.split_once('.')).unzip();
    check(headers, origin, of_browser, browser)?;
    Ok(match check(headers, origin, of_session, session) {
        Ok(()) => Seen::InThisSession,
        Err(Forged) => Seen::InAnotherSession,
    })
}

/// Checks a posted form against the cookie it is bound to.
///
/// # Errors
/// [`Forged`] when the browser names another origin, or the field is missing, or does not fit the cookie.
pub fn check(headers: &HeaderMap, origin: &str, submitted: Option<&str>, cookie: Option<&str>) -> Result<(), Forged> {
    let ours = same_origin(headers, origin)
        && submitted.zip(cookie).is_some_and(|(submitted, cookie)| {
            verify_slices_are_equal(token(cookie).as_bytes(), submitted.as_bytes()).is_ok()
        });
    if ours { Ok(()) } else { Err(Forged) }
}

/// Fetch Metadata: `same-origin` is a form of ours, `none` the person (a form sent again after a restart of the
/// browser). `same-site` is another host of the same domain and not ours.
///
/// `Origin: null` is what our own pages send: their referrer policy is no-referrer (Fetch §3.2, "append a request
/// `Origin` header"). It is therefore no sign of a stranger, and none of ours either: the token decides.
fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    let from = headers.get(header::ORIGIN).map(|value| value.as_bytes());
    matches!(site, None | Some(b"same-origin" | b"none"))
        && from.is_none_or(|from| from == b"null" || from.eq_ignore_ascii_case(origin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const OURS: &str = "https://id.example";

    fn checked(headers: &[(&'static str, &'static str)], submitted: Option<&str>) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        check(&headers.collect(), OURS, submitted, Some("cookie")).is_ok()
    }

    #[test]
    fn a_form_of_this_browser_passes() {
        let token = token("cookie");
        assert!(checked(&[], Some(&token)));
        assert!(checked(&[("sec-fetch-site", "same-origin"), ("origin", OURS)], Some(&token)));
        assert!(checked(&[("sec-fetch-site", "same-origin"), ("origin", "null")], Some(&token)));
    }

    #[test]
    fn a_form_without_the_token_of_a_cookie_is_forged() {
        assert!(!checked(&[], None));
        assert!(!checked(&[], Some("")));
        assert!(!checked(&[], Some(&token("another cookie"))));
        assert!(check(&HeaderMap::new(), OURS, Some(&token("")), None).is_err());
    }

    #[test]
    fn a_form_of_both_cookies_is_forged_in_another_browser_and_old_in_another_session() {
        let form = token_of_both(Some("browser"), Some("session"));
        let seen = |form: &str, session| check_both(&HeaderMap::new(), OURS, Some(form), Some("browser"), session);
        assert_eq!(seen(&form, Some("session")), Ok(Seen::InThisSession));
        assert_eq!(seen(&form, Some("another")), Ok(Seen::InAnotherSession));
        assert_eq!(seen(&form, None), Ok(Seen::InAnotherSession));
        for forged in [token_of_both(Some("another"), Some("session")), token("browser"), token("session"), ".".into()]
        {
            assert_eq!(seen(&forged, Some("session")), Err(Forged), "{forged}");
        }
    }

    #[test]
    fn a_form_of_another_origin_is_forged_even_with_the_token() {
        let token = token("cookie");
        assert!(!checked(&[("sec-fetch-site", "cross-site")], Some(&token)));
        assert!(!checked(&[("sec-fetch-site", "same-site")], Some(&token)));
        assert!(!checked(&[("origin", "https://evil.example")], Some(&token)));
    }
}
