//! The OpenID Foundation's certification plans Basic, Implicit, Hybrid, Form Post, Config, Dynamic, Third-Party-Initiated
//! Login, RP-Initiated, Back-Channel and Front-Channel Logout and Session Management, module by module: each test names the
//! modules (`oidcc-…`) whose conditions it looks at, in every response type and mode in which a plan has them. What the suite
//! only warns of fails here.

mod answers;
mod documents;
mod dynamic;
mod logout;
mod person;
mod requests;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::client_assertions::assertion_claims;
use crate::issuers::Foreign;
use crate::outbound::ASSERTION_TYPE;
use crate::response_types::hybrid_client;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, Tokens, User, user};

/// How a plan runs its modules.
#[derive(Clone, Copy, Debug)]
struct Variant {
    response_type: &'static str,
    form_post: bool,
}

impl Variant {
    fn gives(self, word: &str) -> bool {
        self.response_type.split(' ').any(|given| given == word)
    }

    /// Every one: Basic, Implicit and Hybrid, each by itself and with Form Post.
    fn all() -> impl Iterator<Item = Variant> {
        let types = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
        types.into_iter().flat_map(|response_type| [false, true].map(|form_post| Variant { response_type, form_post }))
    }

    /// `OIDCCCreateDynamicClientRegistrationRequest`, without redirect URIs and the way in which the client proves itself.
    fn metadata(self) -> Value {
        let implicit = ["token", "id_token"].iter().any(|word| self.gives(word));
        let grants = [("authorization_code", self.gives("code")), ("implicit", implicit)];
        json!({
            "client_name": "OIDF conformance test", "contacts": ["certification@oidf.org"], "response_types": [self.response_type],
            "grant_types": grants.iter().filter(|(_, used)| *used).map(|(name, _)| name).collect::<Vec<_>>()
        })
    }
}

/// The parameters that came back to the client.
type Returned = BTreeMap<String, String>;

/// What a client has at the end of a flow, verified.
struct Given {
    /// From the authorization endpoint.
    front: Returned,
    /// From the token endpoint, where there was a code.
    back: Value,
    /// The claims of the ID token that came last.
    id: Value,
}

impl Given {
    /// Every access token there is.
    fn access_tokens(&self) -> impl Iterator<Item = &str> {
        self.front.get("access_token").map(String::as_str).into_iter().chain(self.back["access_token"].as_str())
    }
}

/// What a client of private_key_jwt proves itself with, and to whom.
struct Proof {
    key: Foreign,
    audience: String,
}

/// The suite, its client, and a person whose browser is signed in.
struct Suite {
    db: Database,
    gateway: Gateway,
    alice: User,
    app: Client,
    /// Where it has no secret.
    proof: Option<Proof>,
    keys: Vec<Value>,
    browser: Browser,
}

impl Suite {
    async fn new() -> Suite {
        Suite::with(&[]).await
    }

    /// With a gateway of these settings.
    async fn with(environment: &[(&str, &str)]) -> Suite {
        let db = Database::new().await;
        let gateway = Gateway::start_with(&db, environment).await;
        let (alice, app) = (user(&db, "alice").await, hybrid_client(&db).await);
        let browser = Browser::new();
        let keys = browser.get(gateway.url("/jwks.json")).await.json()["keys"].as_array().unwrap().clone();
        let login = browser.get(gateway.url("/login")).await;
        browser.sign_in(&login, &alice.username, &alice.password).await;
        Suite { db, gateway, alice, app, proof: None, keys, browser }
    }

    /// A request as the suite writes it, without PKCE, in the browser that is signed in.
    fn request(&self, variant: Variant) -> Flow {
        self.request_of(&self.app, variant)
    }

    fn request_of(&self, app: &Client, variant: Variant) -> Flow {
        let flow = Flow::new(&self.gateway, app)
            .in_browser(Browser { http: self.browser.http.clone() })
            .without("code_challenge")
            .without("code_challenge_method")
            .with("scope", "openid")
            .with("response_type", variant.response_type);
        if variant.form_post { flow.with("response_mode", "form_post") } else { flow }
    }

    /// The answer to a request, allowed where the person is asked, from where its mode puts it and from nowhere else.
    async fn returned(&self, flow: &Flow, variant: Variant) -> Returned {
        self.read(&flow.authorize(&self.alice).await, variant)
    }

    #[track_caller]
    fn read(&self, page: &Page, variant: Variant) -> Returned {
        let to = self.app.redirect_uri();
        let returned: Returned = if variant.form_post {
            assert_eq!((page.status.as_u16(), page.location()), (200, None), "{}", page.body);
            let form = page.form("continue");
            assert_eq!(form.action, to);
            form.fields.into_iter().collect()
        } else {
            let location = page.headers.get("location").unwrap_or_else(|| panic!("{}: {}", page.url, page.body));
            let location = location.to_str().unwrap();
            let separator = if variant.response_type == "code" { '?' } else { '#' };
            // What its redirect URI asks already, stays (RFC 6749 §3.1.2).
            let separator = if separator == '?' && to.contains('?') { '&' } else { separator };
            let parameters = location.strip_prefix(to).and_then(|rest| rest.strip_prefix(separator));
            let parameters = parameters.unwrap_or_else(|| panic!("{location}"));
            form_urlencoded::parse(parameters.as_bytes()).into_owned().collect()
        };
        assert_eq!(
            (page.status.as_u16(), &returned["iss"]),
            (if variant.form_post { 200 } else { 303 }, &self.gateway.issuer)
        );
        returned
    }

    /// `performGenericAuthorizationEndpointErrorResponseValidation`: state, iss, and nothing that an error does not have.
    #[track_caller]
    fn assert_error(&self, returned: &Returned, error: &str) {
        let names: Vec<&str> = returned.keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "error_description", "iss", "session_state", "state"]);
        crate::session_state::assert_form(&returned["session_state"]);
        assert_eq!((returned["error"].as_str(), returned["state"].as_str()), (error, STATE));
        // RFC 6749 §4.1.2.1: MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E.
        let words = &returned["error_description"];
        assert!(words.chars().all(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')), "{words}");
    }

    /// A whole flow, with everything that the suite looks at in each of them.
    async fn complete(&self, flow: &Flow, variant: Variant) -> Given {
        let front = self.returned(flow, variant).await;
        self.finish(flow, variant, front).await
    }

    async fn finish(&self, flow: &Flow, variant: Variant, front: Returned) -> Given {
        assert_eq!((front.get("error"), front["state"].as_str()), (None, STATE), "{variant:?}: {front:?}");
        let words = [("code", "code"), ("access_token", "token"), ("id_token", "id_token")];
        for (member, word) in words {
            assert_eq!(front.contains_key(member), variant.gives(word), "{variant:?}: {member}");
        }
        let mut id = Value::Null;
        if let Some(token) = front.get("id_token") {
            id = self.verified(flow, token);
            // `ExtractAtHash`, `ExtractCHash`: OpenID Connect Core §3.2.2.9, §3.3.2.11.
            for (claim, member) in [("at_hash", "access_token"), ("c_hash", "code"), ("s_hash", "state")] {
                assert_eq!(
                    id[claim].as_str(),
                    front.get(member).map(|value| half_hash(value)).as_deref(),
                    "{variant:?}"
                );
            }
        }
        let mut back = Value::Null;
        if let Some(code) = front.get("code") {
            // `EnsureMinimumAuthorizationCodeEntropy`: 128 bits.
            assert!(code.len() > 40, "{code}");
            let page = self.redeem(flow, code).await;
            back = page.json();
            crate::http::assert_answer(&page, 200, &back);
            assert_eq!((&back["token_type"], &back["expires_in"]), (&json!("Bearer"), &json!(300)));
            let token = self.verified(flow, back["id_token"].as_str().unwrap());
            assert_eq!(token["at_hash"].as_str(), back["access_token"].as_str().map(half_hash).as_deref());
            // `VerifyIdTokenSubConsistentHybridFlow`.
            assert!(id.is_null() || (&id["sub"], &id["iss"]) == (&token["sub"], &token["iss"]));
            id = token;
        }
        let given = Given { front, back, id };
        for token in given.access_tokens() {
            assert_eq!(self.userinfo(token).await["sub"], self.alice.id.to_string(), "{variant:?}");
        }
        given
    }

    /// The answer of the token endpoint to this code.
    async fn redeem(&self, flow: &Flow, code: &str) -> Page {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", self.app.redirect_uri())];
        self.token(flow, &fields).await
    }

    /// A request to the token endpoint, as the client proves itself.
    async fn token(&self, flow: &Flow, fields: &[(&str, &str)]) -> Page {
        let Some(proof) = &self.proof else { return flow.token(fields).await };
        let claims = assertion_claims(&self.db, &self.app, json!({"aud": proof.audience}));
        let assertion = signed(&proof.key, &claims);
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        self.browser.post(self.gateway.url("/token"), &[fields, &proof].concat()).await
    }

    /// `PerformStandardIdTokenChecks`, `oidcc-idtoken-signature`.
    #[track_caller]
    fn verified(&self, flow: &Flow, token: &str) -> Value {
        self.verify_signature(token);
        let claims = Tokens::claims(token);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(self.gateway.issuer), &flow_parameter(flow, "client_id")));
        assert_eq!(claims["nonce"], flow_parameter(flow, "nonce"));
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!(iat < exp && claims["auth_time"].as_i64().unwrap() <= iat, "{claims}");
        assert_eq!((claims["sub"].is_string(), claims.get("azp")), (true, None));
        claims
    }

    /// RS256, with a key that is published.
    #[track_caller]
    fn verify_signature(&self, token: &str) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let header: Value = serde_json::from_slice(&decode(signed.split_once('.').unwrap().0)).unwrap();
        let key = self.keys.iter().find(|key| key["kid"] == header["kid"]).unwrap_or_else(|| panic!("{header}"));
        let (alg, usage) = (json!("RS256"), json!("sig"));
        assert_eq!((&header["alg"], &key["alg"], &key["use"]), (&alg, &alg, &usage));
        let part = |name: &str| decode(key[name].as_str().unwrap());
        RsaPublicKeyComponents { n: part("n"), e: part("e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature))
            .unwrap();
    }

    /// As JSON, or signed where the client registered for it.
    async fn userinfo(&self, token: &str) -> Value {
        let page = self.browser.send(self.browser.http.get(self.gateway.url("/userinfo")).bearer_auth(token)).await;
        if self.app.metadata["userinfo_signed_response_alg"].is_string() {
            // `EnsureContentTypeApplicationJwt`, `ValidateUserInfoResponseSignature`, `ValidateUserInfoSigningAlgIsRS256`.
            assert_eq!(
                (page.status.as_u16(), crate::http::header(&page, "content-type")),
                (200, Some("application/jwt"))
            );
            self.verify_signature(&page.body);
            return Tokens::claims(&page.body);
        }
        let body = page.json();
        crate::http::assert_answer(&page, 200, &body);
        body
    }
}

/// Signed by a client, who names its key where the key has a name.
fn signed(key: &Foreign, claims: &Value) -> String {
    let mut header = json!({"alg": key.jwk["alg"]});
    if let Some(kid) = key.jwk.get("kid") {
        header["kid"] = kid.clone();
    }
    key.sign_text(header.to_string(), claims.to_string())
}

/// A parameter of the request; null when it is not there.
fn flow_parameter(flow: &Flow, name: &str) -> Value {
    flow.parameters.iter().find(|(other, _)| other == name).map_or(Value::Null, |(_, value)| json!(value))
}

/// OpenID Connect Core §3.1.3.6, for RS256: the left half of SHA-256.
fn half_hash(value: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&digest(&SHA256, value.as_bytes()).as_ref()[..16])
}

/// What `Flow` sends.
const STATE: &str = "af0ifjsldkj";
