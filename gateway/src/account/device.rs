//! What a person calls the thing they signed in with, from its `User-Agent`: a hint, never evidence.

use crate::web::locales::{Html, Language};

/// "Firefox on Linux"; what is not recognised by its first word, and nothing as "Unknown device".
pub fn name(user_agent: &str, language: Language) -> Html {
    let find = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(BROWSERS), find(SYSTEMS)) {
        (Some(browser), Some(system)) => {
            language.say("device-browser").set("browser", browser).set("system", system).into()
        }
        (Some(name), None) | (None, Some(name)) => Html::text(name),
        (None, None) => {
            let word: String = user_agent.split_whitespace().next().unwrap_or_default().chars().take(40).collect();
            if word.is_empty() { language.say("device-unknown").into() } else { Html::text(&word) }
        }
    }
}

/// In this order, because most browsers also claim to be those below them.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use crate::web::locales::Language;

    fn name(user_agent: &str) -> String {
        super::name(user_agent, Language::ENGLISH).to_string()
    }

    #[test]
    fn devices_have_the_names_that_people_use() {
        let linux =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
        assert_eq!(name(linux), "Chrome on Linux");
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Safari/604.1";
        assert_eq!(name(phone), "Safari on iPhone");
        assert_eq!(name("curl/8.5.0"), "curl/8.5.0");
        assert_eq!(name(""), "Unknown device");
        assert_eq!(name("<b>"), "&#60;b&#62;");
        assert_eq!(super::name(linux, Language::named("fr").unwrap()).to_string(), "Chrome sur Linux");
    }
}
