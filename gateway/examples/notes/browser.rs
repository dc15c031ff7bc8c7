//! Cookie sessions and pages: what any web application has, and a framework would bring.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use openidconnect::CsrfToken;

use crate::Error;

/// Sessions by cookie. In memory is enough for an example; tokens never reach the browser.
pub struct Sessions<T>(Mutex<HashMap<String, T>>);

impl<T> Sessions<T> {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// Starts a session with a cookie of its own. SameSite=Lax: other sites can link here, but not post a form in a
    /// person's name.
    pub fn start(&self, session: T) -> AppendHeaders<[(HeaderName, String); 1]> {
        let cookie = CsrfToken::new_random_len(32).into_secret();
        let set = format!("notes={cookie}; Path=/; HttpOnly; SameSite=Lax");
        self.lock().insert(cookie, session);
        AppendHeaders([(header::SET_COOKIE, set)])
    }

    /// Looks at the session of a request.
    pub fn find<R>(&self, headers: &HeaderMap, look: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        look(self.lock().get(cookie(headers)?)?)
    }

    /// Ends the session of a request.
    pub fn end(&self, headers: &HeaderMap) -> Option<T> {
        self.lock().remove(cookie(headers)?)
    }

    /// Forgets some.
    pub fn retain(&self, keep: impl Fn(&T) -> bool) {
        self.lock().retain(|_, session| keep(session));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    cookies.flat_map(|line| line.split("; ")).find_map(|pair| pair.strip_prefix("notes="))
}

/// Why there is no answer.
pub enum Failure {
    /// Nobody is signed in, or no longer: back to the start.
    SignedOut,
    /// Anything else; written to the terminal.
    Other(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::SignedOut => ([(header::SET_COOKIE, "notes=; Path=/; Max-Age=0")], Redirect::to("/")).into_response(),
            Self::Other(error) => {
                eprintln!("notes: {error:?}");
                (StatusCode::BAD_GATEWAY, refused("please try again")).into_response()
            }
        }
    }
}

/// A page with this content, which is HTML.
pub fn page(content: &str) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, Html(include_str!("page.html").replace("{content}", content))).into_response()
}

/// Before anybody signed in.
pub fn welcome() -> Response {
    page("<h1>Notes</h1><p>Everybody sees their own.</p><p><a class=button id=sign-in href=/sign-in>Sign in</a></p>")
}

/// Something did not work, for a reason that is text.
pub fn refused(reason: &str) -> Response {
    page(&format!("<h1>Not signed in</h1><p id=error>{}</p><a class=button href=/>Back</a>", escape(reason)))
}

/// Text as HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
