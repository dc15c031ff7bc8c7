//! Spelling: three parts of base64url and nothing else, so that a token has one spelling.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::signer::{Signer, both_say};
use super::{access_token, authenticate, forged, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn a_token_has_one_spelling_only() {
    let db = Database::new().await;
    let app = db.app().await;
    let good = access_token(&db, json!({})).await;
    let (signing_input, signature) = good.rsplit_once('.').unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let encode = |bytes: &[u8]| format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let last = signature.chars().last().unwrap();
    let with_other_unused_bits = signature[..signature.len() - 1].to_owned() + &((last as u8 + 1) as char).to_string();
    let cases = [
        ("ID101", format!("{good}=")),
        ("ID101", format!("{good}==")),
        ("ID101", format!(" {good}")),
        ("ID101", format!("{good}\n")),
        ("ID101", format!("{good}.")),
        ("ID101", format!("{good}.{signature}.{signature}")),
        ("ID101", format!("{signing_input}.{with_other_unused_bits}")),
        ("ID106", encode(&[0; 64])),
        ("ID106", encode(&bytes[..63])),
        ("ID106", encode(&[&bytes[..], &[0]].concat())),
        ("ID106", encode(&[&[0][..], &bytes[..32], &[0], &bytes[32..]].concat())),
        ("ID106", format!("{signing_input}.")),
        ("ID101", forged(&good, |header, _| header["crit"] = json!(["exp"]))),
        ("ID101", forged(&good, |header, _| header["b64"] = json!(false))),
        ("ID101", forged(&good, |header, _| header["kid"] = json!("k".repeat(1_000_000)))),
        ("ID101", format!("{good}{}", "A".repeat(10_000_000))),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token:.200}");
    }
    let repeated = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"ES256"}"#),
        &good[good.find('.').unwrap() + 1..]
    );
    assert_eq!(sqlstate(authenticate(&app, &repeated).await), "ID101");
}

#[tokio::test]
async fn three_parts_and_no_other_number() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let good = signer.token(json!({}), json!({}));
        let [header, payload, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        // RFC 7516 §7.1: an encrypted token has five parts.
        let jwe = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM","kid":"k"}"#);
        for token in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            "....".into(),
            header.into(),
            format!("{header}.{payload}"),
            format!("{good}.{signature}"),
            format!("{good}.."),
            format!("{header}.{payload}.{payload}.{payload}.{signature}"),
            format!("{jwe}..{payload}.{payload}.{signature}"),
            format!("{header}..{payload}.{signature}"),
            format!(".{payload}.{signature}"),
            format!("{header}..{signature}"),
            format!("..{signature}"),
            format!("{payload}.{header}.{signature}"),
            format!("Bearer {good}"),
            format!("\"{good}\""),
            good.replace('.', "%2E"),
            good.replace('.', "\u{3002}"),
        ] {
            both_say(&app, "ID101", &token).await;
        }
        both_say(&app, "ID106", &format!("{header}.{payload}.")).await;
        both_say(&app, "accepted", &good).await;
    }
    assert_eq!(sqlstate(app.execute("select identity.authenticate(null)", &[]).await), "ID101");
    assert_eq!(sqlstate(app.execute("select identity.verify_jwt(null)", &[]).await), "ID101");
}

#[tokio::test]
async fn every_part_is_base64url_without_anything_else() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "EdDSA").await {
        // A payload with ? and ~ has letters in which the alphabets differ; its length leaves unused bits in every part.
        let (header, claims) =
            (signer.header(json!({ "x": "??>~" })).to_string(), signer.claims(json!({ "x": "~??>" })).to_string());
        let pad = |text: String| {
            (0..3).map(|spaces| text.clone() + &" ".repeat(spaces)).find(|text| text.len() % 3 == 1).unwrap()
        };
        let good = signer.key.sign_text(pad(header), pad(claims));
        both_say(&app, "accepted", &good).await;
        let parts: Vec<&str> = good.split('.').collect();
        for (index, part) in parts.iter().enumerate() {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
            assert_eq!(bytes.len() % 3, 1);
            let last = part.chars().last().unwrap();
            let other_last = char::from_u32(last as u32 + 1).unwrap();
            let mut changed = vec![
                BASE64_URL_SAFE.encode(&bytes),
                format!("{part}="),
                format!("{part}==="),
                format!("{part}A"),
                format!("{part}AA"),
                format!("{}{other_last}", &part[..part.len() - 1]),
                format!("{part} "),
                format!(" {part}"),
                format!("{}\n{}", &part[..8], &part[8..]),
                format!("{}\r\n{}", &part[..8], &part[8..]),
                format!("{}\t{}", &part[..8], &part[8..]),
                format!("{}\u{a0}{}", &part[..8], &part[8..]),
                format!("{}\u{200b}{}", &part[..8], &part[8..]),
                format!("{}%41{}", &part[..8], &part[8..]),
                BASE64_STANDARD.encode(&bytes),
            ];
            let standard = BASE64_STANDARD_NO_PAD.encode(&bytes);
            changed.extend((standard != *part).then_some(standard));
            for changed in changed {
                let mut parts = parts.clone();
                parts[index] = &changed;
                let token = parts.join(".");
                // A signature may become a longer one; JSON may not go on behind its end.
                let signature = index == 2 && BASE64_URL_SAFE_NO_PAD.decode(&changed).is_ok();
                let expected = if signature { "ID106" } else { "ID101" };
                both_say(&app, expected, &token).await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_too_long_is_malformed_at_once() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "EdDSA").await {
        let long = |length: usize| "x".repeat(length);
        both_say(&app, "ID101", &signer.token(json!({}), json!({ "x": long(10_000_000) }))).await;
        both_say(&app, "ID101", &signer.token(json!({ "x": long(10_000_000) }), json!({}))).await;
        both_say(&app, "ID101", &long(10_000_000)).await;
        both_say(&app, "ID101", &".".repeat(10_000_000)).await;
        // 16 KiB are the limit, to the letter.
        let length = |filler: usize| signer.token(json!({}), json!({ "x": long(filler) }));
        let filler = (11_000..12_300).rev().find(|filler| length(*filler).len() <= 16_384).unwrap();
        both_say(&app, "accepted", &length(filler)).await;
        both_say(&app, "ID101", &length(filler + 3)).await;
    }
}
