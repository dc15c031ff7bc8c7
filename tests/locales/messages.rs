//! The messages as the files have them: what of them a page must show, and what it must not.

use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{Entry, Expression, Pattern, PatternElement};

use crate::support::checkout;

/// Each message: its variants, each as the pieces of text between placeholders.
pub fn of(language: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let file = std::fs::read_to_string(checkout().join(format!("gateway/messages/{language}.ftl"))).unwrap();
    let resource = fluent_syntax::parser::parse(file.as_str()).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
    let messages = resource.body.iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some((message.id.name.to_owned(), variants(message.value.as_ref().unwrap()))),
        _ => None,
    });
    messages.collect()
}

fn variants(pattern: &Pattern<&str>) -> Vec<Vec<String>> {
    let chosen = pattern.elements.iter().find_map(|element| match element {
        PatternElement::Placeable { expression: Expression::Select { variants, .. } } => Some(variants),
        _ => None,
    });
    match chosen {
        Some(chosen) => chosen.iter().flat_map(|variant| variants(&variant.value)).collect(),
        None => {
            let pieces = pattern.elements.iter().filter_map(|element| match element {
                PatternElement::TextElement { value } => Some(value.trim().to_owned()),
                PatternElement::Placeable { .. } => None,
            });
            vec![pieces.filter(|piece| !piece.is_empty()).collect()]
        }
    }
}

/// The names of those messages that this text holds none of.
pub fn unseen(messages: &BTreeMap<String, Vec<Vec<String>>>, texts: &[String]) -> BTreeSet<String> {
    let seen = |variant: &Vec<String>| texts.iter().any(|text| variant.iter().all(|piece| text.contains(piece)));
    messages.iter().filter(|(_, variants)| !variants.iter().any(seen)).map(|(name, _)| name.clone()).collect()
}

/// What is English and of this language not: pieces of more than one word, of messages that another language has too.
pub fn english_only(language: &str) -> BTreeSet<String> {
    let others = of(language).into_values().flatten().flatten().collect::<Vec<_>>().join("\n");
    let pieces = of("en").into_values().flatten().flatten();
    pieces.filter(|piece| piece.contains(' ') && piece.len() > 6 && !others.contains(piece.as_str())).collect()
}
