//! Names that people sign in with, brought into one form: two names that look or sound the same are the same.

#[cfg(test)]
mod properties;

use unicode_normalization::UnicodeNormalization as _;

use crate::native::sql_function;

/// NFKC, full case folding, nothing invisible, no white space around (Unicode Standard §3.13, toNFKC_Casefold).
pub fn normalized(name: &str) -> String {
    let once = fold(name);
    // Folding may make something that NFKC composes, and what it composes may fold once more.
    fold(&once)
}

fn fold(name: &str) -> String {
    let visible = name.trim().chars().filter(|letter| !invisible(*letter));
    visible.nfkc().flat_map(char::to_lowercase).flat_map(upper).flat_map(char::to_lowercase).nfkc().collect()
}

/// Default_Ignorable_Code_Point of DerivedCoreProperties.txt: with them anybody could look like anybody.
fn invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Upper case on the way to lower case is what makes ß and ss, ς and σ, ſ and s equal, as full case folding does.
fn upper(letter: char) -> impl Iterator<Item = char> {
    // CaseFolding.txt leaves the dotless ı alone; its upper case is I, and mail to ı would go to i.
    let kept = (letter == 'ı').then_some(letter);
    let changed = kept.is_none().then(|| letter.to_uppercase());
    kept.into_iter().chain(changed.into_iter().flatten())
}

sql_function! {
    /// `normalize_name(name)`.
    fn normalize_name(name: &str) -> Result<String, Error> {
        Ok(normalized(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_width_are_equal() {
        for (one, other) in [
            ("Alice", "alice"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ａｌｉｃｅ", "alice"),
            (" bob\u{3000}", "Bob"),
            ("ﬁn", "FIN"),
            ("É", "e\u{301}"),
            ("al\u{200b}ice", "alice"),
        ] {
            assert_eq!(normalized(one), normalized(other), "{one} {other}");
        }
        assert_ne!(normalized("ı"), normalized("i"));
    }
}
