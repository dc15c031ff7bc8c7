//! The endpoints that programs speak to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::operation::{Answer, Field, Operation, field, operation, path};
use crate::{jwks, token};

/// By address.
pub fn paths() -> Vec<(String, Value)> {
    let userinfo = |id| {
        protocol(
            id,
            "Claims about the person of an access token (OpenID Connect Core §5.3)",
            &[
                ("200", Answer::JsonOrToken("Person")),
                ("400", Answer::Refused),
                ("401", Answer::Refused),
                ("403", Answer::Refused),
            ],
        )
        .security(&["access_token", ""])
    };
    let document =
        |id, schema, summary| protocol(id, summary, &[("200", Answer::Json(schema)), ("304", Answer::Empty)]);
    let metadata =
        |id| document(id, "Metadata", "What this provider can do (OpenID Connect Discovery §4, RFC 8414 §3)");
    vec![
        path("/token", [("post", by_client("token", "Tokens for a grant (RFC 6749 §3.2)", "Tokens", grant()))]),
        path(
            "/introspect",
            [("post", by_client("introspect", "What a token is worth (RFC 7662 §2)", "Introspection", about()))],
        ),
        path("/revoke", [("post", by_client("revoke", "Gives a token back (RFC 7009 §2)", "Revoked", about()))]),
        path(
            "/userinfo",
            [
                ("get", userinfo("userinfo")),
                (
                    "post",
                    userinfo("userinfo_by_post")
                        .form(&[field("access_token", "Where it is not in the header (RFC 6750 §2.2).")]),
                ),
            ],
        ),
        path("/register", [("post", register())]),
        path("/register/{client_id}", [("get", registered("200")), ("put", replaced()), ("delete", registered("204"))]),
        path(jwks::PATH, [("get", document("jwks", "Keys", "The public keys (RFC 7517 §5)"))]),
        path("/.well-known/openid-configuration", [("get", metadata("openid_configuration"))]),
        path("/.well-known/oauth-authorization-server", [("get", metadata("oauth_authorization_server"))]),
        path("/openapi.json", [("get", protocol("openapi", "This document", &[("200", Answer::Json("Description"))]))]),
    ]
}

fn protocol(id: &str, summary: &str, answers: &[(&str, Answer)]) -> Operation {
    operation("protocol", id, summary, answers)
}

/// An endpoint at which a client proves who it is.
fn by_client(id: &str, summary: &str, schema: &'static str, fields: Vec<Field>) -> Operation {
    let answers = [("200", Answer::Json(schema)), ("400", Answer::Refused), ("401", Answer::Refused)];
    let fields: Vec<Field> = fields.into_iter().chain(credentials()).collect();
    protocol(id, summary, &answers).form(&fields).security(&["client_secret_basic", ""])
}

fn register() -> Operation {
    let answers =
        [("201", Answer::Json("Client")), ("400", Answer::Refused), ("401", Answer::Refused), ("403", Answer::Refused)];
    protocol("register", "Registers a client (RFC 7591 §3)", &answers)
        .json("ClientMetadata")
        .security(&["initial_access_token", ""])
}

/// What a client that registered itself does without a body.
fn registered(status: &'static str) -> Operation {
    let (id, summary, answer) = match status {
        "204" => ("registration_delete", "Deletes a client (RFC 7592 §2.3)", Answer::Empty),
        _ => ("registration_read", "What a client registered (RFC 7592 §2.1)", Answer::Json("Client")),
    };
    by_itself(id, summary, &[(status, answer), ("400", Answer::Refused), ("401", Answer::Refused)])
}

fn replaced() -> Operation {
    let answers = [("200", Answer::Json("Client")), ("400", Answer::Refused), ("401", Answer::Refused)];
    by_itself("registration_update", "Replaces what a client registered (RFC 7592 §2.2)", &answers)
        .json("ClientMetadata")
}

fn by_itself(id: &str, summary: &str, answers: &[(&str, Answer)]) -> Operation {
    protocol(id, summary, answers).path(&[field("client_id", "The client.")]).security(&["registration_access_token"])
}

fn credentials() -> [Field; 4] {
    [
        field(
            "client_id",
            "Of a client that does not name itself in the header or in an assertion; beside a certificate too (RFC 8705 §2).",
        ),
        field("client_secret", "RFC 6749 §2.3.1."),
        field("client_assertion", "RFC 7523 §2.2: a JWT by the client, good once."),
        field("client_assertion_type", "RFC 7521 §4.2: urn:ietf:params:oauth:client-assertion-type:jwt-bearer."),
    ]
}

/// What every grant reads, and what each of them does.
fn grant() -> Vec<Field> {
    let grant_types: Vec<&str> = token::GRANTS.iter().map(|grant| grant.grant_type).collect();
    let mut own: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for grant in token::GRANTS {
        for &(name, meaning) in grant.parameters {
            own.entry(name).or_default().push(format!("{}: {meaning}", grant.grant_type));
        }
    }
    let common = [
        field("grant_type", "What the tokens are asked for with.").required().one_of(&grant_types),
        field("resource", "RFC 8707 §2.2: where the token is for.").repeated(),
    ];
    common.into_iter().chain(own.into_iter().map(|(name, meanings)| field(name, meanings.join(" ")))).collect()
}

fn about() -> Vec<Field> {
    vec![
        field("token", "The token.").required(),
        field("token_type_hint", "access_token or refresh_token; a wrong one only costs time."),
    ]
}
