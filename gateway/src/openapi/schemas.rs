//! What the answers of the protocol hold.

use serde_json::{Value, json};

/// By name.
pub fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let seconds = json!({ "type": "integer", "minimum": 0 });
    json!({
        // RFC 6749 §5.2.
        "Error": {
            "type": "object",
            "required": ["error", "error_description"],
            "properties": { "error": { "type": "string", "pattern": "^[a-z_]+$" }, "error_description": text },
            "additionalProperties": false,
        },
        // RFC 6749 §5.1; OpenID Connect Core §3.1.3.3.
        "Tokens": {
            "type": "object",
            "required": ["access_token", "token_type", "expires_in", "scope"],
            "properties": {
                "access_token": text,
                "token_type": { "const": "Bearer" },
                "expires_in": { "type": "integer", "minimum": 1 },
                "scope": text,
                "refresh_token": text,
                "id_token": text,
            },
            "additionalProperties": false,
        },
        // RFC 7662 §2.2: of a token that is worth nothing nothing more is said.
        "Introspection": {
            "type": "object",
            "required": ["active"],
            "properties": { "active": { "type": "boolean" } },
            "if": { "properties": { "active": { "const": false } } },
            "then": { "maxProperties": 1 },
            "else": {
                "required": ["client_id", "iss", "sub", "iat", "exp"],
                "properties": {
                    "token_type": { "const": "Bearer" }, "client_id": text, "iss": text, "sub": text, "scope": text,
                    "iat": seconds, "exp": seconds,
                },
            },
        },
        // RFC 7009 §2.2.
        "Revoked": { "type": "object", "maxProperties": 0 },
        // RFC 7591 §2; what is not known is ignored.
        "ClientMetadata": {
            "type": "object",
            "properties": {
                "redirect_uris": texts, "grant_types": texts, "response_types": texts, "contacts": texts,
                "client_name": text, "scope": text, "token_endpoint_auth_method": text, "application_type": text,
                "jwks": { "type": "object" }, "software_statement": text,
            },
        },
        // RFC 7591 §3.2.1; RFC 7592 §3; OpenID Connect Registration §3.2. No member is ever null.
        "Client": {
            "type": "object",
            "required": [
                "client_id", "client_id_issued_at", "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method",
            ],
            "properties": {
                "client_id": text, "client_id_issued_at": seconds, "client_secret": text, "client_secret_expires_at": seconds,
                "registration_access_token": text, "registration_client_uri": { "type": "string", "format": "uri" },
                "redirect_uris": texts, "grant_types": texts, "response_types": texts,
            },
            "dependentRequired": {
                "client_secret": ["client_secret_expires_at"], "client_secret_expires_at": ["client_secret"],
                "registration_access_token": ["registration_client_uri"],
                "registration_client_uri": ["registration_access_token"],
            },
            "additionalProperties": { "not": { "type": "null" } },
        },
        // OpenID Connect Core §5.1, §5.3.2.
        "Person": {
            "type": "object",
            "required": ["sub"],
            "properties": {
                "sub": text, "name": text, "given_name": text, "family_name": text, "middle_name": text, "nickname": text,
                "preferred_username": text, "profile": text, "picture": text, "website": text, "gender": text,
                "birthdate": text, "zoneinfo": text, "locale": text, "email": text, "phone_number": text,
                "email_verified": { "type": "boolean" }, "phone_number_verified": { "type": "boolean" },
                "address": { "type": "object", "additionalProperties": text }, "updated_at": seconds,
            },
        },
        // RFC 7517 §5.
        "Keys": {
            "type": "object",
            "required": ["keys"],
            "properties": {
                "keys": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["kty", "kid", "use"],
                        "properties": { "kty": { "enum": ["RSA", "EC", "OKP"] }, "use": { "enum": ["sig", "enc"] } },
                        "additionalProperties": text,
                        "not": { "anyOf": [{ "required": ["d"] }, { "required": ["k"] }] },
                    },
                },
            },
            "additionalProperties": false,
        },
        // OpenID Connect Discovery §3; RFC 8414 §2. No member is ever null.
        "Metadata": {
            "type": "object",
            "required": [
                "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "response_types_supported",
                "subject_types_supported",
            ],
            "patternProperties": {
                "^issuer$|_endpoint$|_uri$": { "type": "string", "format": "uri" },
                "_supported$": { "type": ["array", "boolean"], "items": text },
            },
            "additionalProperties": { "not": { "type": "null" } },
        },
        "Description": { "type": "object", "required": ["openapi", "info", "paths"] },
    })
}

/// How a caller may prove who it is. Secrets and assertions in the form are fields of it.
pub fn security() -> Value {
    json!({
        "client_secret_basic": { "type": "http", "scheme": "basic", "description": "A client: RFC 6749 §2.3.1." },
        "initial_access_token": { "type": "http", "scheme": "bearer", "description": "RFC 7591 §3." },
        "registration_access_token": { "type": "http", "scheme": "bearer", "description": "RFC 7592 §2." },
        "access_token": { "type": "http", "scheme": "bearer", "description": "RFC 6750 §2.1." },
    })
}
