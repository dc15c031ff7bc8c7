//! In which language a page speaks: `ui_locales` of the client's request (OpenID Connect Core §3.1.2.1), else what the
//! browser asks for (RFC 9110 §12.5.4, `Accept-Language`), else English. What the pages say is in `messages/`.
//!
//! A request has one language, and each page it may lead to speaks it, the errors of all layers too. So what is known of it
//! goes with the task that answers the request, and no function hands it on. The client's wish is known where the address
//! says it, and after that only to the database, which opens the sealed request: its answer brings it (`heed`).

mod messages;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::iter::successors;

use axum::extract::Request;
use axum::http::header::ACCEPT_LANGUAGE;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::form_urlencoded;

pub use messages::{Html, Language, Message};

tokio::task_local! {
    static WISHES: RefCell<Wishes>;
}

/// What is known of the languages that a person reads, as it was said.
#[derive(Debug, Default)]
pub struct Wishes {
    ui_locales: Option<String>,
    accept_language: String,
}

/// The most language ranges that are looked at, and the longest: a person does not read more.
const MOST: usize = 32;
const LONGEST: usize = 64;

/// Does the work of answering a request in the language of whoever sent it.
pub fn speaking<F: Future>(wishes: Wishes, work: F) -> impl Future<Output = F::Output> {
    WISHES.scope(RefCell::new(wishes), work)
}

/// What the answer of the database says of the client's wish.
pub fn heed(answer: &RawValue) {
    #[derive(Deserialize)]
    struct Asked {
        ui_locales: Option<String>,
    }
    if let Ok(Asked { ui_locales: Some(wish) }) = serde_json::from_str(answer.get()) {
        // Outside of a request there is nobody to speak to.
        let _ = WISHES.try_with(|wishes| wishes.borrow_mut().ui_locales = Some(wish));
    }
}

/// An address of ours whose page speaks as the client wishes, also when nothing else carries the wish there.
pub fn keep(address: String) -> String {
    let wish = WISHES.try_with(|wishes| wishes.borrow().ui_locales.clone()).ok().flatten();
    match wish.filter(|wish| wish.len() <= LONGEST) {
        None => address,
        Some(wish) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let separator = if address.contains('?') { '&' } else { '?' };
            format!("{address}{separator}{}", query.append_pair("ui_locales", &wish).finish())
        }
    }
}

impl Language {
    /// Of the answer to the request that this task is about.
    pub fn present() -> Self {
        best(Self::named).unwrap_or(Self::ENGLISH)
    }
}

/// The best of what there is in several languages (RFC 4647 §3.4, "Lookup"): `of` answers what there is in exactly this one,
/// named in any case.
pub fn best<T>(of: impl Fn(&str) -> Option<T>) -> Option<T> {
    let find =
        |wishes: &RefCell<Wishes>| wishes.borrow().ranges().into_iter().find_map(|range| shorter(range).find_map(&of));
    // Outside of a request there is nobody who wishes anything.
    WISHES.try_with(find).ok().flatten()
}

impl Wishes {
    /// Of a request.
    pub fn of(request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let asked = || form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ui_locales");
        let ui_locales = query.contains("ui_locales=").then(asked).flatten().map(|(_, wish)| wish.into_owned());
        let mut accept_language = String::new();
        for line in request.headers().get_all(ACCEPT_LANGUAGE) {
            // What is not ASCII names no language.
            let _ = write!(accept_language, "{},", line.to_str().unwrap_or_default());
        }
        Self { ui_locales, accept_language }
    }

    /// The best first.
    fn ranges(&self) -> Vec<&str> {
        // OpenID Connect Core §3.1.2.1: "a space-separated list of BCP47 language tag values, ordered by preference".
        let asked = self.ui_locales.as_deref().unwrap_or_default().split(' ').filter(|range| !range.is_empty());
        let accepted = accepted(&self.accept_language);
        asked.take(MOST).chain(accepted).filter(|range| range.len() <= LONGEST).collect()
    }
}

/// The ranges of an `Accept-Language`, the best first; a weight of 0 is "not acceptable", and what is none of a weight is not
/// believed.
fn accepted(header: &str) -> Vec<&str> {
    let weighed = header.split(',').take(MOST).filter_map(|element| {
        let (range, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let (name, weight) = weight.trim().split_once('=')?;
        let weight = weight.parse::<f32>().ok().filter(|weight| name.eq_ignore_ascii_case("q") && *weight > 0.0)?;
        Some((range.trim(), weight))
    });
    let mut weighed: Vec<(&str, f32)> = weighed.filter(|(range, _)| !range.is_empty()).collect();
    weighed.sort_by(|one, other| other.1.total_cmp(&one.1));
    weighed.into_iter().map(|(range, _)| range).collect()
}

/// A range, and what is left of it step by step. RFC 4647 §3.4: "Single letter or digit subtags … MUST be removed" together
/// with what follows them.
fn shorter(range: &str) -> impl Iterator<Item = &str> {
    successors(Some(range), |range| {
        let (left, _) = range.rsplit_once('-')?;
        match left.rsplit_once('-') {
            Some((before, single)) if single.len() == 1 => Some(before),
            _ => Some(left),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn wishes(query: &str, accept_language: &[&str]) -> Wishes {
        let mut request = Request::builder().uri(format!("/login{query}"));
        for line in accept_language {
            request = request.header(ACCEPT_LANGUAGE, *line);
        }
        Wishes::of(&request.body(Body::empty()).unwrap())
    }

    async fn spoken(query: &str, accept_language: &[&str]) -> &'static str {
        WISHES.scope(RefCell::new(wishes(query, accept_language)), async { Language::present().tag() }).await
    }

    #[tokio::test]
    async fn the_client_s_wish_goes_before_the_browser_s_and_english_is_last() {
        assert_eq!(spoken("", &[]).await, "en");
        assert_eq!(spoken("", &["de-AT,fr;q=0.8"]).await, "de");
        assert_eq!(spoken("", &["nl", "pt-BR, es;q=0.9"]).await, "pt");
        assert_eq!(spoken("?ui_locales=fr-CA+es", &["de"]).await, "fr");
        assert_eq!(spoken("?ui_locales=nl%20ES", &["de"]).await, "es");
        // Nothing that we speak: the browser knows better than we do.
        assert_eq!(spoken("?ui_locales=nl", &["de"]).await, "de");
        assert_eq!(spoken("?ui_locales=", &["de"]).await, "de");
        assert_eq!(spoken("?other_ui_locales=fr", &["de"]).await, "de");
        assert_eq!(spoken("", &["nl,*;q=0.5"]).await, "en");
    }

    #[tokio::test]
    async fn the_answer_of_the_database_says_what_the_sealed_request_wishes() {
        let answer: Box<RawValue> = serde_json::from_str(r#"{"ui_locales": "es fr", "resume": "x"}"#).unwrap();
        let silent: Box<RawValue> = serde_json::from_str("{}").unwrap();
        let work = async {
            heed(&silent);
            let before = Language::present().tag();
            heed(&answer);
            (before, Language::present().tag(), ["/logout/done", "/login?resume=x"].map(|page| keep(page.to_owned())))
        };
        let kept = ["/logout/done?ui_locales=es+fr", "/login?resume=x&ui_locales=es+fr"];
        let expected = ("de", "es", kept.map(str::to_owned));
        assert_eq!(WISHES.scope(RefCell::new(wishes("", &["de"])), work).await, expected);
        // A task of nobody's request.
        heed(&answer);
        assert_eq!((Language::present().tag(), keep("/".to_owned())), ("en", "/".to_owned()));
    }

    #[test]
    fn weights_order_what_a_browser_accepts() {
        assert_eq!(accepted("fr;q=0.5, de;q=0.9,en , es;Q=0.9"), ["en", "de", "es", "fr"]);
        assert_eq!(accepted("de;q=0, fr;q=0.001"), ["fr"]);
        for garbage in ["", ",,;,", "de;q=", "de;q=x", "de;level=1", ";q=1", "de;q=nan", "de;q=-1"] {
            assert_eq!(accepted(garbage), [""; 0], "{garbage}");
        }
    }

    #[test]
    fn a_range_is_shortened_from_its_end() {
        let steps = |range| shorter(range).collect::<Vec<_>>();
        assert_eq!(
            steps("zh-Hant-CN-x-private1-private2"),
            ["zh-Hant-CN-x-private1-private2", "zh-Hant-CN-x-private1", "zh-Hant-CN", "zh-Hant", "zh"]
        );
        assert_eq!(steps("de"), ["de"]);
        assert_eq!(steps("*"), ["*"]);
        assert_eq!(steps("-"), ["-", ""]);
    }

    #[test]
    fn more_than_a_person_reads_is_not_looked_at() {
        let many = format!("?ui_locales={}", "x+".repeat(10_000));
        assert_eq!(wishes(&many, &["de"]).ranges().len(), MOST + 1);
        let long = format!("?ui_locales={}", "x-".repeat(10_000));
        assert_eq!(wishes(&long, &["de"]).ranges(), ["de"]);
    }
}
