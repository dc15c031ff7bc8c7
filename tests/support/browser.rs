//! A person's browser without script: cookies, forms, and redirects that it follows only when told.

use reqwest::header::{HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use crate::html::{self, Form};

/// Cookies of one person. Redirects are answered, not followed.
pub struct Browser {
    /// The client beneath, for requests of another kind with the same cookies.
    pub http: reqwest::Client,
}

/// A response that has been read.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it came from.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Browser {
    /// A browser without cookies.
    #[expect(clippy::new_without_default, reason = "each is another person's")]
    pub fn new() -> Browser {
        Browser::sending(&[])
    }

    /// The same, with headers of its own on every request.
    pub fn sending(headers: &[(&'static str, &str)]) -> Browser {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .cookie_store(true)
            .no_proxy()
            .default_headers(headers.collect())
            .build()
            .unwrap();
        Browser { http }
    }

    /// GET.
    pub async fn get(&self, url: impl AsRef<str>) -> Page {
        self.send(self.http.get(url.as_ref())).await
    }

    /// POST of a form.
    pub async fn post(&self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Page {
        self.send(self.http.request(Method::POST, url.as_ref()).form(fields)).await
    }

    /// Any request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        Page {
            url: response.url().clone(),
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// Follows redirects as long as they stay on the host and port of the page.
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(next) if next.origin() == page.url.origin() => page = self.get(next).await,
                _ => return page,
            }
        }
        panic!("more than ten redirects, the last to {:?}", page.location());
    }

    /// Opens an address and follows redirects on the same host.
    pub async fn open(&self, url: impl AsRef<str>) -> Page {
        let page = self.get(url).await;
        self.follow(page).await
    }

    /// Fills in and sends the form of this page that has this button; fields that the page pre-fills are kept unless
    /// given here. Follows redirects on the same host.
    pub async fn press(&self, page: &Page, button: &str, fields: &[(&str, &str)]) -> Page {
        let answer = self.send(self.filled_in(page, button, fields)).await;
        self.follow(answer).await
    }

    /// The request that `press` sends.
    pub fn filled_in(&self, page: &Page, button: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let form = page.form(button);
        let mut all: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| fields.iter().all(|(other, _)| other != name))
            .collect();
        all.extend_from_slice(fields);
        all.extend(form.buttons.iter().filter(|(name, _)| name == button).map(|(n, v)| (n.as_str(), v.as_str())));
        let action = if form.action.is_empty() { page.url.clone() } else { page.url.join(&form.action).unwrap() };
        // What a browser says about the page a form was on; CSRF checks may look at it.
        self.http
            .post(action.clone())
            .header("Origin", action.origin().ascii_serialization())
            .header("Sec-Fetch-Site", "same-origin")
            .form(&all)
    }

    /// Fills in the sign-in page.
    pub async fn sign_in(&self, page: &Page, username: &str, password: &str) -> Page {
        self.press(page, "sign-in", &[("username", username), ("password", password)]).await
    }
}

impl Page {
    /// The address it redirects to.
    pub fn location(&self) -> Option<Url> {
        self.headers.get(LOCATION).map(|location| self.url.join(location.to_str().unwrap()).unwrap())
    }

    /// A query parameter of the address it redirects to.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = self.location()?;
        location.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    }

    /// The form with this button (or field).
    pub fn form(&self, name: &str) -> Form {
        Form::all(&self.body)
            .into_iter()
            .find(|form| form.has(name))
            .unwrap_or_else(|| panic!("{} ({}) has no form with {name}:\n{}", self.url, self.status, self.body))
    }

    /// Whether an element has this id.
    pub fn has(&self, id: &str) -> bool {
        self.body.contains(&format!("id=\"{id}\""))
    }

    /// The text of the element with this id.
    pub fn text(&self, id: &str) -> Option<String> {
        html::element(&self.body, id)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{} ({}) is not JSON:\n{}", self.url, self.status, self.body))
    }
}
