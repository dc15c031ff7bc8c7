//! Session management: what a client asks our frame about (OpenID Connect Session Management 1.0 §3.2). Which secret stands for a
//! browser is decided in `sql/store/functions/authorization_response.sql`.

#[cfg(test)]
mod properties;

use aws_lc_rs::digest::{SHA256, digest};

use crate::native::sql_function;
use crate::sealing::random;

sql_function! {
    /// `session_state(client_id, redirect_uri, secret)`: `secret`, which changes with every sign-in and logout, stands for the browser;
    /// without one nothing will be said to be unchanged.
    fn session_state(client_id: &str, redirect_uri: &str, secret: Option<&[u8]>) -> Result<String, Error> {
        let nobody: [u8; 32] = random()?;
        let browser_state = hex(&sha256(&[b"browser_state:", secret.unwrap_or(&nobody)].concat()));
        let salt = hex(&random::<16>()?);
        // §3.2: "a salted cryptographic hash of Client ID, origin URL, and OP User Agent state"; the origin is that of the answer.
        let salted = format!("{client_id} {} {browser_state} {salt}", origin(redirect_uri));
        Ok(format!("{}.{salt}", hex(&sha256(salted.as_bytes()))))
    }
}

sql_function! {
    /// `url_origin(url)`: as browsers write it.
    fn url_origin(url: &str) -> Result<String, Error> {
        Ok(origin(url))
    }
}

/// RFC 6454 §6.2: scheme, host, and the port unless it is that of the scheme; anything but a web address has no origin.
fn origin(url: &str) -> String {
    parts(url).map_or_else(
        || "null".to_owned(),
        |(scheme, host, port)| {
            let number = port.trim_start_matches('0');
            let usual = if scheme == "https" { "443" } else { "80" };
            let shown = match number {
                "" if port.is_empty() => String::new(),
                // Port 0 is another than the usual one, though nothing can listen there.
                "" => ":0".to_owned(),
                number if number == usual => String::new(),
                number => format!(":{number}"),
            };
            format!("{scheme}://{}{shown}", host.to_lowercase())
        },
    )
}

/// Scheme, host and digits of the port of a web address.
fn parts(url: &str) -> Option<(&'static str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = ["https", "http"].into_iter().find(|web| scheme.eq_ignore_ascii_case(web))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    // RFC 3986 §3.2.2: only an IPv6 address has colons, and stands in brackets.
    let host = match place.split_once(']') {
        Some((address, _)) if address.starts_with('[') => place.get(..=address.len())?,
        Some(_) | None => place.split(':').next()?,
    };
    let port = place.get(host.len()..)?.strip_prefix(':').unwrap_or_default();
    let digits = port.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(port.len());
    (!host.is_empty()).then_some((scheme, host, port.get(..digits)?))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
