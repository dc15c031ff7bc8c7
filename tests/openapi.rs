//! `/openapi.json` says what this gateway does, all of it and nothing else (gateway/src/openapi.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::http::header;
use crate::http_site::Site;
use crate::pages::set_cookies;
use crate::real_clients::{clients, run, run_in};
use crate::support::{Browser, Flow, Gateway, checkout, service_client};

/// Endpoints of the host and not of the issuer, for machines inside.
const INSIDE: [&str; 3] = ["/healthz", "/metrics", "/readyz"];

/// The operations of the description: path, and methods.
async fn described(gateway: &Gateway) -> BTreeMap<String, BTreeSet<String>> {
    let document = Browser::new().get(gateway.url("/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap();
    let methods = |operations: &Value| operations.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
    paths.iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

#[tokio::test]
async fn every_route_of_the_gateway_is_described_and_no_other() {
    let site = Site::new().await;
    let described: BTreeSet<String> = described(&site.gateway).await.into_keys().collect();
    let inside = INSIDE.map(String::from).into();
    let mut routes = BTreeSet::new();
    read_routes(&checkout().join("gateway/src"), &mut routes);
    assert_eq!(routes.difference(&described).cloned().collect::<BTreeSet<_>>(), inside, "described too little");
    assert_eq!(described.difference(&routes).collect::<Vec<_>>(), Vec::<&String>::new(), "described too much");
}

/// The paths in `.route("…", …)` of a folder of source.
fn read_routes(folder: &Path, routes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_routes(&path, routes);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for after in source.split(".route(").skip(1).map(str::trim_start) {
            let written = after.strip_prefix("&format!(").unwrap_or(after);
            let name = after.split([',', ')']).next().unwrap();
            let literal = if let Some(literal) = written.strip_prefix('"') {
                literal
            } else if name.is_empty() {
                // A method of that name, of something else.
                continue;
            } else {
                let constant = source.split_once(&format!("const {name}: &str = \"")).map(|(_, value)| value);
                constant.unwrap_or_else(|| panic!("{}: what is the path of .route({name}, …)?", path.display()))
            };
            let route = literal.split('"').next().unwrap();
            // What answers 404, and the issuer's path with a slash, which redirects to itself without.
            if route.contains("*unknown") || route == "{path}/" {
                continue;
            }
            let route = route.replace("{path}", "");
            let names = ["openid-configuration", "oauth-authorization-server"];
            match route.contains("{name}") && route.starts_with("/.well-known") {
                true => routes.extend(names.map(|name| route.replace("{name}", name))),
                false => drop(routes.insert(route)),
            }
        }
    }
}

/// RFC 9110 §15.5.6: whoever comes with another method is told which ones there are.
#[tokio::test]
async fn every_method_of_an_address_is_described_and_no_other() {
    let site = Site::new().await;
    let browser = Browser::new();
    let query = Method::from_bytes(b"QUERY").unwrap();
    for (path, methods) in described(&site.gateway).await {
        let address = site.gateway.url(&path.replace(['{', '}'], "x"));
        let page = browser.send(browser.http.request(query.clone(), address)).await;
        let allowed = header(&page, "allow").unwrap_or_else(|| panic!("{path}: {}", page.status)).split(',');
        let allowed: BTreeSet<String> = allowed.filter(|name| *name != "HEAD").map(String::from).collect();
        assert_eq!((page.status.as_u16(), allowed), (405, methods), "{path}");
    }
}

#[tokio::test]
async fn the_description_names_this_issuer_and_may_be_kept_for_a_while() {
    let mut site = Site::new().await;
    let page = site.signed_in().await.get(site.gateway.url("/openapi.json")).await;
    assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, Some("application/json")));
    assert_eq!(header(&page, "cache-control"), Some("public, max-age=60"));
    // For tools that run in a browser.
    assert_eq!((header(&page, "access-control-allow-origin"), header(&page, "set-cookie")), (Some("*"), None));
    let document = page.json();
    assert_eq!(document["servers"], json!([{ "url": site.gateway.issuer }]));
    assert_eq!(
        (&document["openapi"], &document["info"]["version"]),
        (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION")))
    );
    // It is below the issuer, as everything that it describes.
    drop(site.gateway);
    site.db.issuer += "/tenant";
    site.db.superuser().await.execute("select identity.configure($1)", &[&site.db.issuer]).await.unwrap();
    let gateway = Gateway::start(&site.db).await;
    let document = Browser::new().get(gateway.url("/openapi.json")).await.json();
    assert_eq!(document["servers"], json!([{ "url": site.db.issuer }]));
}

/// tests/clients/openapi.py: answers to requests that are right, which schemathesis seldom finds.
#[tokio::test]
async fn answers_that_are_right_are_as_described() {
    let site = Site::new().await;
    crate::registration::configure(&site.db, "'open'").await;
    let service = service_client(&site.db).await;
    let flow = Flow::new(&site.gateway, &site.web);
    let code = flow.code(&site.alice).await;
    let flow = flow.with("prompt", "consent");
    let form = flow.open().await.form("allow").fields;
    let hidden = |name: &str| form.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let mut python = Command::new(clients().join(".venv/bin/python"));
    python
        .arg("openapi.py")
        .env("ISSUER", &site.gateway.issuer)
        .env("AUTHORIZE", flow.url().as_str())
        .env("WEB_ID", &site.web.id)
        .env("WEB_SECRET", site.web.secret.as_ref().unwrap())
        .env("WEB_REDIRECT", site.web.redirect_uri())
        .env("CODE", code)
        .env("VERIFIER", &flow.code_verifier)
        .env("RESUME", hidden("resume"))
        .env("SERVICE_ID", &service.id)
        .env("SERVICE_SECRET", service.secret.as_ref().unwrap())
        .env("PERSON_NAME", &site.alice.username)
        .env("PERSON_PASSWORD", &site.alice.password);
    run(python).await;
}

/// Requests that schemathesis makes of the description, those of its coverage and random ones, always the same: no 5xx, and no
/// status, content type, header or body that the description does not have: from somebody unknown, from a client that proves who
/// it is, with the token of a person, and from a browser that is signed in.
#[tokio::test]
async fn schemathesis_finds_no_answer_that_contradicts_the_description() {
    let site = Site::new().await;
    crate::registration::configure(&site.db, "'open'").await;
    let tokens = site.flow().tokens(&site.alice).await;
    let service = service_client(&site.db).await;
    let folder = checkout().join("target/test-logs").join(format!("schemathesis-{}", site.db.http_port));
    fs::create_dir_all(&folder).unwrap();
    let browser = Browser::new();
    let login = browser.get(site.gateway.url("/login")).await;
    let fields = [("username", site.alice.username.as_str()), ("password", site.alice.password.as_str())];
    let signed_in = browser.send(browser.filled_in(&login, "sign-in", &fields)).await;
    let cookies: Vec<String> = [&login, &signed_in].into_iter().flat_map(set_cookies).collect();
    let cookies: Vec<&str> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    let basic = format!("{}:{}", service.id, service.secret.as_ref().unwrap());
    let bearer = format!("Authorization: Bearer {}", tokens.access());
    let cookies = format!("Cookie: {}", cookies.join("; "));
    for (name, more) in [
        ("a stranger", &[][..]),
        ("a client", &["--auth", &basic, "--include-path-regex", "^/(token|introspect|revoke)$"]),
        ("the holder of a token", &["--header", &bearer, "--include-path", "/userinfo"]),
        ("a browser", &["--header", &cookies, "--include-tag", "pages"]),
    ] {
        let mut program = Command::new(clients().join(".venv/bin/schemathesis"));
        program
            .args(["--no-color", "run", "--phases", "examples,coverage,fuzzing", "--max-examples", "15"])
            .args(["--checks", CHECKS])
            .args(["--generation-deterministic", "--no-shrink", "--warnings", "off"])
            .args(["--suppress-health-check", "all", "--continue-on-failure"])
            .args(more)
            .arg(site.gateway.url("/openapi.json"));
        println!("as {name}");
        run_in(&folder, program).await;
    }
}

/// All that compare an answer with the description. Others of schemathesis guess at what a server should think of a request: it
/// would have unknown parameters refused, which RFC 6749 §3.1 has ignored.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
