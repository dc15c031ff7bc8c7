//! Pages: rendering, and the headers that every page has.
//!
//! A page loads our stylesheet and pictures that it names, and nothing else: no script runs on it (form_post has one of its
//! own), nobody frames it, no cache keeps it, and no address of ours leaks from it.

mod display;
mod error;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub use display::{Client, Scope, Time, WebLink, Words};
pub use error::{Trouble, answer, busy, error, missing};

use super::locales::{Html, Language, Message};
use super::state::AppState;
use crate::assets;

/// What every page shows and links to.
pub struct Site {
    /// Host and port of the issuer: what the person sees in the address line.
    pub name: String,
    /// The issuer's path, in front of every link of ours; empty when it has none.
    pub root: String,
    /// Path of the home page.
    pub home: String,
    /// Path of the stylesheet.
    pub stylesheet: String,
    /// Path of the mark, which is also the icon of the window.
    pub mark: String,
    /// What it speaks.
    pub language: Language,
}

impl Site {
    /// The site of this gateway.
    pub fn of(state: &AppState) -> Self {
        let origin = state.issuer.origin();
        Self {
            name: origin.split_once("://").map_or(origin, |(_, host)| host).to_owned(),
            root: state.issuer.path().to_owned(),
            home: home(state),
            stylesheet: state.issuer.local(&assets::STYLE.path()),
            mark: state.issuer.local(&assets::MARK.path()),
            language: Language::present(),
        }
    }

    /// One of the messages.
    pub fn say(&self, name: &'static str) -> Message {
        self.language.say(name)
    }

    /// A name in a sentence.
    #[expect(clippy::unused_self, reason = "templates reach it so")]
    pub fn bdi(&self, text: impl AsRef<str>) -> Html {
        Html::bdi(text.as_ref())
    }

    /// A name that a sentence is about.
    #[expect(clippy::unused_self, reason = "templates reach it so")]
    pub fn strong(&self, text: impl AsRef<str>) -> Html {
        Html::strong(text.as_ref())
    }
}

/// Where the forms of a page lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// To this site, and their answer stays on it. Also for pages without a form.
    Here,
    /// To this site, and their answer may redirect to a client.
    ///
    /// Chromium holds every redirect that follows a form against `form-action`, those that the client answers with
    /// included, and where a client sends people from its redirect URI nobody here knows: so the directive is absent.
    Onward,
    /// To a client, by itself: the only page with a script, whose digest is here.
    Away {
        /// As a policy writes it: `sha256-…`.
        script: &'static str,
    },
}

/// Renders a page, with its headers. `pictures`: the pictures of others that it shows.
///
/// # Errors
/// [`Trouble::Template`], which does not happen with the templates we have.
pub fn render<'a>(
    status: StatusCode,
    template: &impl Template,
    forms: Forms,
    pictures: impl IntoIterator<Item = &'a WebLink>,
) -> Result<Response, Trouble> {
    let html = template.render()?;
    let language = HeaderValue::from_static(Language::present().tag());
    let policy = HeaderValue::try_from(content_security_policy(forms, pictures)).map_err(|_| Trouble::Policy)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        // For engines that do not know frame-ancestors.
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Addresses of pages hold sealed requests.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_LANGUAGE, language),
        (header::VARY, HeaderValue::from_static("accept-language")),
    ];
    Ok((status, headers, html).into_response())
}

/// Renders the page that loads pages of clients in frames, for as long as it takes them. `script`: its digest, as a policy writes it.
///
/// # Errors
/// [`Trouble::Template`], which does not happen with the templates we have.
pub fn render_frames<'a>(
    template: &impl Template,
    frames: impl IntoIterator<Item = &'a WebLink>,
    script: &str,
) -> Result<Response, Trouble> {
    let mut response = render(StatusCode::OK, template, Forms::Here, [])?;
    let frames = origins(frames).join(" ");
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-src {frames}; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'; script-src '{script}'"
    );
    let policy = HeaderValue::try_from(policy).map_err(|_| Trouble::Policy)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// Path of the home page: `/`, or the issuer's path as it is.
pub fn home(state: &AppState) -> String {
    match state.issuer.path() {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

fn content_security_policy<'a>(forms: Forms, pictures: impl IntoIterator<Item = &'a WebLink>) -> String {
    let mut policy = "default-src 'none'; style-src 'self'; img-src 'self'".to_owned();
    for origin in origins(pictures) {
        policy.push(' ');
        policy.push_str(&origin);
    }
    policy.push_str("; frame-ancestors 'none'; base-uri 'none'");
    match forms {
        Forms::Here => policy.push_str("; form-action 'self'"),
        Forms::Onward => {}
        Forms::Away { script } => {
            policy.push_str("; script-src '");
            policy.push_str(script);
            policy.push('\'');
        }
    }
    policy
}

/// Each origin once.
fn origins<'a>(links: impl IntoIterator<Item = &'a WebLink>) -> Vec<String> {
    let mut origins: Vec<String> = links.into_iter().map(WebLink::origin).collect();
    origins.sort_unstable();
    origins.dedup();
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_each_origin_of_a_picture_once() {
        let pictures = ["https://b.example/1.png", "https://a.example:8443/2.png", "https://b.example/3.png"];
        let pictures = pictures.map(|link| link.parse::<WebLink>().unwrap());
        assert_eq!(
            content_security_policy(Forms::Here, &pictures),
            "default-src 'none'; style-src 'self'; img-src 'self' https://a.example:8443 https://b.example; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        );
    }

    #[test]
    fn a_page_that_leads_to_a_client_says_nothing_of_forms() {
        assert!(!content_security_policy(Forms::Onward, []).contains("form-action"));
    }
}
