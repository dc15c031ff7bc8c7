//! Clients that other people wrote, against the real gateway and database: what they check, we pass.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::support::{
    Client, Database, Gateway, User, checkout, client, free_port, public_client, service_client, user, web_client,
};

#[tokio::test]
async fn openid_client_of_npm() {
    let world = World::new().await;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "openid-client.mjs"]);
    world.run(node).await;
}

#[tokio::test]
async fn form_post_in_chromium() {
    let world = World::new().await;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "form_post.mjs"]);
    world.run(node).await;
}

#[tokio::test]
async fn authlib_of_pypi() {
    let world = World::new().await;
    let mut python = Command::new(clients().join(".venv/bin/python"));
    python.arg("authlib_client.py");
    world.run(python).await;
}

/// A gateway with a person and clients of three kinds, told to a program by its environment.
struct World {
    gateway: Gateway,
    alice: User,
    web: Client,
    post: Client,
    public: Client,
    service: Client,
    hybrid: Client,
    form: Client,
    form_port: u16,
}

impl World {
    async fn new() -> World {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        let post = json!({
            "client_name": "A client with its secret in the body",
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": ["https://notes.example/callback"],
            "scope": "openid profile email address phone offline_access"
        });
        let form_port = free_port();
        let redirect_uri = format!("http://127.0.0.1:{form_port}/callback");
        let form = client(&db, json!({"client_name": "A client of forms", "redirect_uris": [redirect_uri]})).await;
        World {
            form,
            form_port,
            gateway,
            alice: user(&db, "alice").await,
            web: web_client(&db).await,
            post: client(&db, post).await,
            public: public_client(&db).await,
            service: service_client(&db).await,
            hybrid: crate::response_types::hybrid_client(&db).await,
        }
    }

    async fn run(&self, mut program: Command) {
        program
            .env("ISSUER", &self.gateway.issuer)
            .env("PERSON_NAME", &self.alice.username)
            .env("PERSON_PASSWORD", &self.alice.password)
            .env("PERSON_SUB", self.alice.id.to_string())
            .env("WEB_ID", &self.web.id)
            .env("WEB_SECRET", self.web.secret.as_ref().unwrap())
            .env("WEB_REDIRECT", self.web.redirect_uri())
            .env("POST_ID", &self.post.id)
            .env("POST_SECRET", self.post.secret.as_ref().unwrap())
            .env("PUBLIC_ID", &self.public.id)
            .env("PUBLIC_REDIRECT", self.public.redirect_uri())
            .env("FORM_ID", &self.form.id)
            .env("FORM_PORT", self.form_port.to_string())
            .env("HYBRID_ID", &self.hybrid.id)
            .env("HYBRID_SECRET", self.hybrid.secret.as_ref().unwrap())
            .env("SERVICE_ID", &self.service.id)
            .env("SERVICE_SECRET", self.service.secret.as_ref().unwrap());
        run(program).await;
    }
}

/// Runs a program of tests/clients; its output is part of the failure.
pub async fn run(mut program: Command) {
    let output = program.current_dir(clients()).stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program:?} failed:\n{text}");
    // For those who look with --nocapture.
    println!("{text}");
}

/// The folder of the clients.
pub fn clients() -> PathBuf {
    checkout().join("tests/clients")
}
