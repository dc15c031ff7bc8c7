//! The authorization code flow, as a client and a person go through it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use crate::browser::{Browser, Page};
use crate::gateway::Gateway;
use crate::people::{Client, User};

/// One request of a client. Parameters can be changed before it is sent.
pub struct Flow {
    /// The person's browser.
    pub browser: Browser,
    /// The authorization request's parameters.
    pub parameters: Vec<(String, String)>,
    /// What goes with the code: RFC 7636.
    pub code_verifier: String,
    issuer: String,
    client: Client,
}

/// A token response.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The whole body.
    pub body: Value,
}

impl Tokens {
    /// `access_token`.
    pub fn access(&self) -> &str {
        self.member("access_token")
    }

    /// `refresh_token`.
    pub fn refresh(&self) -> &str {
        self.member("refresh_token")
    }

    /// `id_token`.
    pub fn id(&self) -> &str {
        self.member("id_token")
    }

    /// The claims of a JWT, unverified.
    pub fn claims(token: &str) -> Value {
        let payload = token.split('.').nth(1).expect("a JWT");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn member(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }
}

impl Flow {
    /// A request for `openid profile email offline_access` with PKCE, nonce and state, in a new browser.
    pub fn new(gateway: &Gateway, client: &Client) -> Flow {
        Flow::at(&gateway.issuer, client)
    }

    /// The same at an issuer whose gateway somebody else started.
    pub fn at(issuer: &str, client: &Client) -> Flow {
        let (code_verifier, code_challenge) = pkce();
        let parameters = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", client.redirect_uri()),
            ("scope", "openid profile email offline_access"),
            ("state", "af0ifjsldkj"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", &code_challenge),
            ("code_challenge_method", "S256"),
        ];
        Flow {
            browser: Browser::new(),
            parameters: parameters.map(|(name, value)| (name.into(), value.into())).into(),
            code_verifier,
            issuer: issuer.into(),
            client: client.clone(),
        }
    }

    /// The same person's browser for another request.
    pub fn in_browser(mut self, browser: Browser) -> Flow {
        self.browser = browser;
        self
    }

    /// Sets or replaces a parameter.
    pub fn with(mut self, name: &str, value: &str) -> Flow {
        self = self.without(name);
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Removes a parameter.
    pub fn without(mut self, name: &str) -> Flow {
        self.parameters.retain(|(other, _)| other != name);
        self
    }

    /// The address of the request.
    pub fn url(&self) -> Url {
        Url::parse_with_params(&format!("{}/authorize", self.issuer), &self.parameters).unwrap()
    }

    /// Opens the request; answers the page or the redirect to the client it leads to.
    pub async fn open(&self) -> Page {
        self.browser.open(self.url()).await
    }

    /// Opens the request, signs in where asked, allows where asked; answers the redirect to the client.
    pub async fn authorize(&self, user: &User) -> Page {
        let mut page = self.open().await;
        if page.has("sign-in") {
            page = self.browser.sign_in(&page, &user.username, &user.password).await;
        }
        if page.has("allow") {
            page = self.browser.press(&page, "allow", &[]).await;
        }
        page
    }

    /// The code that `authorize` ends with.
    pub async fn code(&self, user: &User) -> String {
        let page = self.authorize(user).await;
        page.location_parameter("code")
            .unwrap_or_else(|| panic!("no code: {} {:?}\n{}", page.status, page.location(), page.body))
    }

    /// The answer of the token endpoint to this code.
    pub async fn redeem(&self, code: &str) -> Page {
        let redirect_uri = self.client.redirect_uri();
        let verifier = &self.code_verifier;
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ])
        .await
    }

    /// The answer of the token endpoint to this refresh token.
    pub async fn refresh(&self, refresh_token: &str) -> Page {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// A request to the token endpoint with the client's authentication.
    pub async fn token(&self, fields: &[(&str, &str)]) -> Page {
        self.call("/token", fields).await
    }

    /// A POST with the client's authentication: Basic with a secret, else `client_id`.
    pub async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut fields = fields.to_vec();
        let request = self.browser.http.post(format!("{}{path}", self.issuer));
        let request = match &self.client.secret {
            Some(secret) => request.basic_auth(&self.client.id, Some(secret)),
            None => {
                fields.push(("client_id", &self.client.id));
                request
            }
        };
        self.browser.send(request.form(&fields)).await
    }

    /// The whole flow.
    pub async fn tokens(&self, user: &User) -> Tokens {
        let page = self.redeem(&self.code(user).await).await;
        assert_eq!(page.status, 200, "{}", page.body);
        Tokens { body: page.json() }
    }
}

/// A fresh verifier and its S256 challenge (RFC 7636 §4).
pub fn pkce() -> (String, String) {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let verifier = URL_SAFE_NO_PAD.encode(random);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    (verifier, challenge)
}
