use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::*;

/// Each message of a file with the placeholders in it.
fn messages(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = fluent_syntax::parser::parse(file).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
    let mut messages = BTreeMap::new();
    for entry in &resource.body {
        match entry {
            Entry::Message(message) => {
                assert!(message.attributes.is_empty(), "{}: an attribute, which nothing shows", message.id.name);
                let mut found = BTreeSet::new();
                placeholders(message.value.as_ref().unwrap(), &mut found);
                let before = messages.insert(message.id.name.to_owned(), found);
                assert!(before.is_none(), "{} is there twice", message.id.name);
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            other => panic!("{other:?}"),
        }
    }
    messages
}

fn placeholders(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    let mut variable = |expression: &InlineExpression<&str>| match expression {
        InlineExpression::VariableReference { id } => found.insert(id.name.to_owned()),
        other => panic!("{other:?} is no placeholder"),
    };
    let mut within = Vec::new();
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { .. } => {}
            PatternElement::Placeable { expression: Expression::Inline(expression) } => drop(variable(expression)),
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                variable(selector);
                within.extend(variants.iter().map(|variant| &variant.value));
            }
        }
    }
    // Each variant is a whole sentence, and none may forget what another one says.
    let mut told = within.iter().map(|pattern| {
        let mut found = BTreeSet::new();
        placeholders(pattern, &mut found);
        found
    });
    if let Some(first) = told.next() {
        assert!(told.all(|other| other == first), "{first:?} are not in every variant");
        found.extend(first);
    }
}

fn files(folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, kinds));
        } else if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            found.push(path);
        }
    }
    found
}

/// The code that says messages, without these tests.
fn code() -> String {
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = [files(&gateway.join("src"), &["rs"]), files(&gateway.join("templates"), &["html"])].concat();
    let own = Path::new("locales/messages/tests.rs");
    sources.iter().filter(|path| !path.ends_with(own)).map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn every_language_has_the_same_messages_with_the_same_placeholders() {
    let [(_, english), others @ ..] = FILES;
    let english = messages(english);
    for (tag, file) in others {
        let translated = messages(file);
        let names = |messages: &BTreeMap<String, _>| messages.keys().cloned().collect::<BTreeSet<_>>();
        let missing: Vec<_> = names(&english).difference(&names(&translated)).cloned().collect();
        let unknown: Vec<_> = names(&translated).difference(&names(&english)).cloned().collect();
        assert!(missing.is_empty() && unknown.is_empty(), "{tag}: missing {missing:?}, unknown {unknown:?}");
        for (name, placeholders) in &translated {
            assert_eq!(Some(placeholders), english.get(name), "{tag}: {name}");
        }
    }
}

#[test]
fn every_file_of_the_folder_is_a_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let mut there: Vec<_> =
        files(&folder, &["ftl"]).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut known: Vec<_> = Language::all().map(Language::tag).collect();
    there.sort();
    known.sort_unstable();
    assert_eq!(there, known);
    assert_eq!(Language::all().next(), Some(Language::ENGLISH));
}

#[test]
fn every_message_is_said_and_every_said_message_is_there() {
    let code = code();
    let there = messages(FILES[0].1);
    for name in there.keys().filter(|name| !name.starts_with("why-") && !name.starts_with("scope-")) {
        assert!(code.contains(&format!("\"{name}\"")), "no page says {name}");
    }
    for (_, said) in code.match_indices("say(\"").map(|(start, found)| (start, &code[start + found.len()..])) {
        let name = said.split_once('"').unwrap().0;
        assert!(there.contains_key(name), "there is no message {name}");
    }
}

/// A message that is found by its English text and whose text nobody says any more translates nothing.
#[test]
fn every_sentence_of_other_code_is_still_said_there() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/store");
    let sql: String = files(&store, &["sql"]).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let others = sql + &code().replace("\\\"", "\"");
    assert!(SENTENCES.len() > 30);
    for sentence in SENTENCES.iter() {
        for part in [sentence.before, sentence.after.unwrap_or_default()] {
            assert!(others.contains(part), "nobody says {part:?} of {}", sentence.name);
        }
        let said = match sentence.after {
            Some(after) => format!("{}scope{after}", sentence.before),
            None => sentence.before.to_owned(),
        };
        let kind = sentence.name.split_inclusive('-').next().unwrap();
        let found = Language::ENGLISH.translate(kind, &said).unwrap();
        assert_eq!((found.name, found.to_string()), (sentence.name, escaped(&said).into_owned()));
    }
}

#[test]
fn what_somebody_else_wrote_is_not_translated() {
    let german = Language::named("DE").unwrap();
    assert_eq!(german.translate("scope-", "See your e-mail address").unwrap().to_string(), "Ihre E-Mail-Adresse sehen");
    assert_eq!(
        german.translate("why-", "resource is given more than once").unwrap().to_string(),
        "resource ist mehr als einmal angegeben"
    );
    assert_eq!(
        german.translate("why-", "the parameter \"scope\" is given more than once").unwrap().to_string(),
        "der Parameter &#34;scope&#34; ist mehr als einmal angegeben"
    );
    assert!(german.translate("scope-", "See your e-mail addresses").is_none());
    // Of another kind.
    assert!(german.translate("scope-", "unknown client").is_none());
    assert!(german.translate("why-", "").is_none());
}

#[test]
fn what_is_filled_in_is_escaped_once() {
    let message = Language::ENGLISH.say("sign-in-to").set("client", "<b>&");
    assert_eq!(message.to_string(), "to continue to &#60;b&#62;&#38;");
    let message = Language::ENGLISH.say("sign-in-to").set("client", Html::strong("<b>"));
    assert_eq!(message.to_string(), "to continue to <strong><bdi>&#60;b&#62;</bdi></strong>");
    let title = Language::ENGLISH.say("title-error").set("title", Language::ENGLISH.say("sign-in-title"));
    assert_eq!(title.to_string(), "Error: Sign in");
    assert_eq!(Html::identified("code", "error", "<").to_string(), "<code id=\"error\">&#60;</code>");
}

#[test]
fn numbers_have_the_plural_of_the_language() {
    let minutes =
        |tag: &str, count| Language::named(tag).unwrap().say("moment-minutes").count("count", count).to_string();
    assert_eq!([minutes("en", 1), minutes("en", 59)], ["1 minute ago", "59 minutes ago"]);
    assert_eq!([minutes("de", 1), minutes("de", 2)], ["vor 1 Minute", "vor 2 Minuten"]);
    assert_eq!([minutes("fr", 0), minutes("fr", 2)], ["il y a 0 minute", "il y a 2 minutes"]);
}
