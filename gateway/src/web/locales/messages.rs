//! The messages of each language, and one of them on a page: HTML, whatever is filled in.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use askama::filters::{Escaper as _, HtmlSafe};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// Every language: its tag (RFC 5646) and its file. English is first: what another one lacks is taken from it.
const FILES: [(&str, &str); 5] = [
    ("en", include_str!("../../../messages/en.ftl")),
    ("de", include_str!("../../../messages/de.ftl")),
    ("fr", include_str!("../../../messages/fr.ftl")),
    ("es", include_str!("../../../messages/es.ftl")),
    ("pt", include_str!("../../../messages/pt.ftl")),
];

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; FILES.len()]> =
    LazyLock::new(|| FILES.map(|(tag, file)| bundle(tag, file)));

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    tag: &'static str,
    number: usize,
}

impl Language {
    /// The language of those who asked for none of the others.
    pub const ENGLISH: Self = Self { tag: "en", number: 0 };

    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        FILES.into_iter().enumerate().map(|(number, (tag, _))| Self { tag, number })
    }

    /// The one with this tag.
    pub fn named(tag: &str) -> Option<Self> {
        Self::all().find(|language| language.tag.eq_ignore_ascii_case(tag))
    }

    /// As HTML and HTTP name it.
    pub const fn tag(self) -> &'static str {
        self.tag
    }

    /// One of the messages, with nothing filled in yet.
    pub fn say(self, name: &'static str) -> Message {
        Message { language: self, name, values: FluentArgs::new() }
    }

    /// The message that says in this language what the database, or other code of ours, says in English. None: it says
    /// something else, such as what an administrator wrote. `kind` is what the names of such messages begin with.
    pub fn translate(self, kind: &str, english: &str) -> Option<Message> {
        SENTENCES.iter().filter(|sentence| sentence.name.starts_with(kind)).find_map(|sentence| {
            let name = sentence.name;
            match sentence.after {
                None => (sentence.before == english).then(|| self.say(name)),
                Some(after) => {
                    let value = english.strip_prefix(sentence.before)?.strip_suffix(after)?;
                    // At the beginning a name only: otherwise every sentence with such an end would be this one.
                    let fits = !value.contains(' ') || !sentence.before.is_empty();
                    fits.then(|| self.say(name).set("name", value))
                }
            }
        })
    }
}

/// A message, written when the page is.
pub struct Message {
    language: Language,
    name: &'static str,
    values: FluentArgs<'static>,
}

impl Message {
    /// Fills in a placeholder.
    pub fn set(mut self, placeholder: &'static str, value: impl Shown) -> Self {
        self.values.set(placeholder, FluentValue::from(value.html()));
        self
    }

    /// Fills in a number, whose plural the language knows.
    pub fn count(mut self, placeholder: &'static str, number: i64) -> Self {
        self.values.set(placeholder, number);
        self
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for language in [self.language, Language::ENGLISH] {
            let Some(bundle) = BUNDLES.get(language.number) else { continue };
            if let Some(pattern) = bundle.get_message(self.name).and_then(|message| message.value()) {
                return bundle.write_pattern(formatter, pattern, Some(&self.values), &mut Vec::new());
            }
        }
        formatter.write_str(self.name)
    }
}

/// Its text was escaped by its bundle, and each value by [`Shown`].
impl HtmlSafe for Message {}

/// A piece of a page.
#[derive(Clone, Debug)]
pub struct Html(String);

impl From<Message> for Html {
    fn from(message: Message) -> Self {
        Self(message.to_string())
    }
}

impl Html {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self(escaped(text).into_owned())
    }

    /// A text that may run in the other direction than the one around it.
    pub fn bdi(text: &str) -> Self {
        Self(format!("<bdi>{}</bdi>", escaped(text)))
    }

    /// The same where it stands out.
    pub fn strong(text: &str) -> Self {
        Self(format!("<strong><bdi>{}</bdi></strong>", escaped(text)))
    }

    /// A text in an element that has an id.
    pub fn identified(element: &str, id: &str, text: &str) -> Self {
        Self(format!("<{element} id=\"{id}\">{}</{element}>", escaped(text)))
    }

    /// A moment, for people and for programs.
    pub fn time(stamp: &str, words: &Message) -> Self {
        Self(format!("<time datetime=\"{stamp}\" title=\"{stamp}\">{words}</time>"))
    }

    /// Several of them, with commas between.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self(items.into_iter().map(|item| item.0).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Html {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// What a message may be filled with.
pub trait Shown {
    /// As it stands in a page.
    fn html(&self) -> String;
}

impl Shown for str {
    fn html(&self) -> String {
        escaped(self).into_owned()
    }
}

impl Shown for String {
    fn html(&self) -> String {
        self.as_str().html()
    }
}

impl Shown for Html {
    fn html(&self) -> String {
        self.0.clone()
    }
}

impl Shown for Message {
    fn html(&self) -> String {
        self.to_string()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn html(&self) -> String {
        (**self).html()
    }
}

fn bundle(tag: &str, file: &str) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(tag.parse().into_iter().collect());
    // What is filled in stands in elements of its own; marks of direction would be read out and copied along.
    bundle.set_use_isolating(false);
    bundle.set_transform(Some(escaped));
    let resource = FluentResource::try_new(file.to_owned()).unwrap_or_else(|(rest, errors)| {
        tracing::error!(language = tag, ?errors, "messages that cannot be read");
        rest
    });
    bundle.add_resource_overriding(resource);
    bundle
}

fn escaped(text: &str) -> Cow<'_, str> {
    let mut escaped = String::with_capacity(text.len());
    // A string takes everything.
    let _ = askama::filters::Html.write_escaped_str(&mut escaped, text);
    if escaped == text { Cow::Borrowed(text) } else { Cow::Owned(escaped) }
}

/// An English sentence of other code: before and after the one name that may be in it.
struct Sentence {
    name: &'static str,
    before: &'static str,
    after: Option<&'static str>,
}

/// The messages that are known by their English text; each is one line of the file.
static SENTENCES: LazyLock<Vec<Sentence>> = LazyLock::new(|| {
    let [(_, english), ..] = FILES;
    let lines = english.lines().filter_map(|line| line.split_once(" = "));
    let known = lines.filter(|(name, _)| name.starts_with("scope-") || name.starts_with("why-"));
    let sentences = known.map(|(name, text)| match text.split_once("{ $name }") {
        Some((before, after)) => Sentence { name, before, after: Some(after) },
        None => Sentence { name, before: text, after: None },
    });
    sentences.collect()
});

#[cfg(test)]
mod tests;
