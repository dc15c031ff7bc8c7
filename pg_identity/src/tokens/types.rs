//! Types of tokens: `typ` in the header, and claims that give another kind of token away.

use serde_json::{Map, Value};

/// RFC 7515 §4.1.9: `application/` may be left out; media types ignore case (RFC 2045 §5.1).
pub fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
}

/// Claims that only ID, logout, event and introspection tokens have. Keycloak types its tokens in the payload and repeats the nonce
/// in older access tokens.
pub fn is_other_token(claims: &Map<String, Value>) -> bool {
    let payload_type = claims.get("typ").and_then(Value::as_str);
    let nonce = claims.contains_key("nonce") && payload_type != Some("Bearer");
    // Amazon Cognito types its tokens in a claim of its own.
    let used_otherwise = claims.get("token_use").is_some_and(|token_use| token_use != "access");
    let others = ["at_hash", "c_hash", "s_hash", "events", "token_introspection"];
    nonce
        || used_otherwise
        || others.iter().any(|claim| claims.contains_key(*claim))
        || !matches!(payload_type, None | Some("Bearer"))
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn media_types_are_compared_as_rfc_9068_says() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            assert_eq!(media_type(typ), "at+jwt");
        }
        assert_ne!(media_type("text/at+jwt"), "at+jwt");
    }
}
