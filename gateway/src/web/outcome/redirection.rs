//! The way back to a client through the browser: by redirect or by a form (OAuth 2.0 Multiple Response Type Encoding
//! Practices §2.1; OAuth 2.0 Form Post Response Mode §2).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::form_urlencoded;

use crate::web::page::{self, Forms, Site};
use crate::web::response::see_other;
use crate::web::state::AppState;

/// An answer to a client by way of the browser (RFC 6749 §4.1.2).
#[derive(Debug, Deserialize)]
pub struct Redirection {
    redirect_uri: String,
    #[serde(default)]
    response_mode: ResponseMode,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// The names of [`ResponseMode`], for OpenAPI.
pub const RESPONSE_MODES: [&str; 3] = ["query", "fragment", "form_post"];

/// How the parameters travel.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResponseMode {
    #[default]
    Query,
    Fragment,
    FormPost,
}

/// The page that takes the parameters to the client.
#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPostPage<'a> {
    site: Site,
    redirect_uri: &'a str,
    parameters: &'a BTreeMap<String, String>,
    script: &'static str,
}

/// The one script of this page. A policy that names its digest lets no other run (CSP Level 2), and needs no nonce.
const SUBMIT: &str = "document.forms[0].submit()";

/// Its digest, as a policy writes it.
static SUBMIT_DIGEST: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(digest(&SHA256, SUBMIT.as_bytes()))));

impl Redirection {
    /// The response that takes the browser there.
    pub fn respond(&self, state: &AppState) -> Response {
        match self.response_mode {
            ResponseMode::Query => see_other(&self.query()),
            ResponseMode::Fragment => see_other(&self.fragment()),
            ResponseMode::FormPost => page::answer(state, {
                let page = FormPostPage {
                    site: Site::of(state),
                    redirect_uri: &self.redirect_uri,
                    parameters: &self.parameters,
                    script: SUBMIT,
                };
                page::render(StatusCode::OK, &page, Forms::Away { script: &SUBMIT_DIGEST }, [])
            }),
        }
    }

    /// The address with the parameters in its query.
    ///
    /// RFC 6749 §3.1.2: a query component of the registered URI "MUST be retained". The URI itself is not parsed and
    /// written anew: it goes back byte for byte as it was registered.
    pub fn query(&self) -> String {
        if self.parameters.is_empty() {
            return self.redirect_uri.clone();
        }
        let separator = match self.redirect_uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.redirect_uri, self.encoded())
    }

    /// RFC 6749 §3.1.2: a registered URI "MUST NOT include a fragment component", so this is the only one.
    fn fragment(&self) -> String {
        format!("{}#{}", self.redirect_uri, self.encoded())
    }

    fn encoded(&self) -> String {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(&self.parameters);
        // Both mean a space in a form; only %20 does to clients that decode with decodeURIComponent.
        encoded.finish().replace('+', "%20")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirection(redirect_uri: &str) -> Redirection {
        let parameters = [("code", "a+b c"), ("state", "ü&=")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Redirection {
            redirect_uri: redirect_uri.to_owned(),
            response_mode: ResponseMode::Query,
            parameters: parameters.into(),
        }
    }

    #[test]
    fn query_parameters_of_the_registered_uri_are_kept() {
        let added = "code=a%2Bb%20c&state=%C3%BC%26%3D";
        let location = |redirect_uri| redirection(redirect_uri).query();
        assert_eq!(location("https://a.example/cb"), format!("https://a.example/cb?{added}"));
        assert_eq!(location("https://a.example/cb?"), format!("https://a.example/cb?{added}"));
        assert_eq!(location("https://a.example/cb?x=%7e"), format!("https://a.example/cb?x=%7e&{added}"));
        assert_eq!(location("com.example.app:/cb"), format!("com.example.app:/cb?{added}"));
        assert_eq!(redirection("https://a.example/cb?x=y").fragment(), format!("https://a.example/cb?x=y#{added}"));
    }

    #[test]
    fn the_policy_names_the_script_that_the_page_has() {
        let parameters = BTreeMap::from([("state".to_owned(), "\"><script>".to_owned())]);
        let site = Site {
            name: "id.example".into(),
            root: String::new(),
            home: "/".into(),
            stylesheet: "/assets/style.css".into(),
            mark: "/assets/mark.svg".into(),
            language: crate::web::locales::Language::ENGLISH,
        };
        let page = FormPostPage { site, redirect_uri: "https://a.example/cb", parameters: &parameters, script: SUBMIT };
        let html = page.render().unwrap();
        let script = html.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
        assert_eq!(format!("sha256-{}", STANDARD.encode(digest(&SHA256, script.as_bytes()))), *SUBMIT_DIGEST);
        assert_eq!(html.matches("<script").count(), 1, "{html}");
    }
}
