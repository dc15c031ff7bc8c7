//! What is looked for: a secret in every form that somebody might have written it in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::support::{Page, Tokens};

/// What has been used so far.
#[derive(Default)]
pub struct Secrets {
    pub needles: Vec<Needle>,
}

impl Secrets {
    pub fn note(&mut self, name: &str, secret: &str) {
        self.needles.push(Needle::text(name, secret));
        // The random part alone, should somebody have cut the rest.
        if !secret.contains(' ') && secret.len() > 40 {
            self.needles.push(Needle::text(&format!("the end of {name}"), &secret[secret.len() - 24..]));
        }
    }

    pub fn bytes(&mut self, name: &str, secret: &[u8]) {
        self.needles.push(Needle::bytes(name, secret));
    }

    pub fn cookies(&mut self, page: &Page) {
        for cookie in page.headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.len() > 12 {
                self.note(&format!("the cookie {name}"), value);
            }
        }
    }

    pub fn tokens(&mut self, tokens: &Tokens) {
        self.note("an access token", tokens.access());
        self.note("an ID token", tokens.id());
        self.note("a refresh token", tokens.refresh());
    }
}

/// A secret and its forms.
pub struct Needle {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// Of text: as it is, as a form sends it, and as bytes.
    pub fn text(name: &str, secret: &str) -> Needle {
        let mut needle = Needle::bytes(name, secret.as_bytes());
        if secret.contains(' ') {
            needle.forms.push(("form", secret.replace(' ', "+").into_bytes()));
            needle.forms.push(("URL", secret.replace(' ', "%20").into_bytes()));
        }
        needle
    }

    /// Of bytes: raw, hexadecimal, base64 in both alphabets and in each position that it can have in a longer text.
    pub fn bytes(name: &str, secret: &[u8]) -> Needle {
        assert!(secret.len() >= 12, "{name} is too short to be looked for");
        let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            ("raw", secret.to_vec()),
            ("hexadecimal", hexadecimal.to_ascii_uppercase().into_bytes()),
            ("hexadecimal", hexadecimal.into_bytes()),
        ];
        for skipped in 0..3 {
            // The first and the last letters depend on what stands around.
            let whole = &secret[skipped..skipped + (secret.len() - skipped) / 3 * 3];
            forms.push(("base64", STANDARD_NO_PAD.encode(whole).into_bytes()));
            forms.push(("base64url", URL_SAFE_NO_PAD.encode(whole).into_bytes()));
        }
        Needle { name: name.into(), forms }
    }
}

/// Every form of every secret that is in these bytes: "name (form) in place, at offset".
pub fn search(place: &str, bytes: &[u8], needles: &[Needle]) -> Vec<String> {
    // By their first two bytes, so that one pass is enough.
    let mut beginnings = vec![Vec::new(); 65_536];
    for needle in needles {
        for (form, pattern) in &needle.forms {
            beginnings[usize::from(pattern[0]) << 8 | usize::from(pattern[1])].push((needle, *form, pattern));
        }
    }
    let mut found = Vec::new();
    let mut pair = 0;
    for (index, byte) in bytes.iter().enumerate() {
        pair = (pair << 8 | usize::from(*byte)) & 0xffff;
        if beginnings[pair].is_empty() || index == 0 {
            continue;
        }
        for (needle, form, pattern) in &beginnings[pair] {
            if bytes[index - 1..].starts_with(pattern) {
                let around = String::from_utf8_lossy(&bytes[index.saturating_sub(120)..(index + 40).min(bytes.len())])
                    .into_owned();
                found.push(format!("{} ({form}) in {place}, at {index}: {around:?}", needle.name));
            }
        }
    }
    found
}
