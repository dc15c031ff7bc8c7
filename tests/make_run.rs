//! `make run` as a newcomer uses it: start, look, Ctrl-C, start again; with ports and a folder of its own.

use std::collections::HashMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Browser, Client, Flow, Tokens, User, checkout, free_port};

mod proxy;

#[tokio::test]
async fn starts_stops_and_keeps_the_data() {
    let mut demo = Demo::new();
    demo.start().await;
    let env = demo.env();
    for name in [
        "ISSUER",
        "DATABASE_URL",
        "APP_DATABASE_URL",
        "DEMO_USERNAME",
        "DEMO_PASSWORD",
        "DEMO_CLIENT_ID",
        "DEMO_WEB_CLIENT_ID",
        "DEMO_WEB_CLIENT_SECRET",
        "DEMO_SERVICE_CLIENT_ID",
        "DEMO_SERVICE_CLIENT_SECRET",
    ] {
        assert!(!env[name].is_empty(), "{name} is empty");
        assert!(demo.printed().contains(&env[name]) || name.contains("SECRET") || name.contains("URL"), "{name}");
    }
    // It holds passwords.
    assert_eq!(fs::metadata(demo.folder.join("env")).unwrap().permissions().mode() & 0o777, 0o600);
    let written =
        sql(&env["DATABASE_URL"], "insert into notes (user_id, body) select user_id, 'kept' from notes limit 1");
    assert!(written.status.success(), "{written:?}");

    // The application's login is an ordinary one: it inherits identity_app and sees nobody's notes by itself.
    let seen = sql(&env["APP_DATABASE_URL"], "select count(*), identity.user_id() is null from notes");
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "0|t", "{seen:?}");

    assert_every_standard_claim(&env, Browser::new()).await;

    // A second one in the same folder would write over the first.
    let second = demo.command().output().unwrap();
    assert!(!second.status.success());
    assert!(text(&second).contains("already running"), "{}", text(&second));

    let status = demo.interrupt();
    // make ends by the signal it was sent, after its recipe has ended in order.
    assert_eq!(status.signal(), Some(2), "{status}: {}", demo.printed());
    assert!(demo.printed().contains("stopping"), "{}", demo.printed());
    for port in demo.ports() {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "somebody still listens on {port}");
    }

    let started = Instant::now();
    demo.start().await;
    assert!(started.elapsed() < Duration::from_secs(60), "the second start took {:?}", started.elapsed());
    assert_eq!(demo.env(), env);
    let kept = sql(&env["DATABASE_URL"], "select count(*) from notes where body = 'kept'");
    assert_eq!(String::from_utf8_lossy(&kept.stdout).trim(), "1");
    let home = Browser::new().open(&env["ISSUER"]).await;
    assert!(home.has("sign-in"), "{}", home.body);
}

#[test]
fn names_a_taken_port_and_what_to_do() {
    let demo = Demo::new();
    let _taken = TcpListener::bind(("127.0.0.1", demo.app_port)).unwrap();
    let output = demo.command().output().unwrap();
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains(&format!("port {} is taken", demo.app_port)) && text.contains("APP_PORT="), "{text}");
}

/// OpenID Connect Core §5.1 and §5.1.1, for the scopes of §5.4: nothing is missing, and nothing is there but empty.
async fn assert_every_standard_claim(env: &HashMap<String, String>, browser: Browser) -> Flow {
    let client = Client {
        id: env["DEMO_WEB_CLIENT_ID"].clone(),
        secret: Some(env["DEMO_WEB_CLIENT_SECRET"].clone()),
        metadata: json!({ "redirect_uris": ["http://127.0.0.1:4700/cb"] }),
    };
    let person =
        User { id: uuid::Uuid::nil(), username: env["DEMO_USERNAME"].clone(), password: env["DEMO_PASSWORD"].clone() };
    let flow = Flow::at(&env["ISSUER"], &client).in_browser(browser);
    let flow = flow.with("scope", "openid profile email address phone");
    let tokens = flow.tokens(&person).await;
    let url = format!("{}/userinfo", env["ISSUER"]);
    let page = flow.browser.send(flow.browser.http.get(url).bearer_auth(tokens.access())).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let claims = page.json();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (mut of_person, mut of_address) = (names(&claims), names(&claims["address"]));
    of_person.sort();
    of_address.sort();
    assert_eq!(
        of_person,
        [
            "address",
            "birthdate",
            "email",
            "email_verified",
            "family_name",
            "gender",
            "given_name",
            "locale",
            "middle_name",
            "name",
            "nickname",
            "phone_number",
            "phone_number_verified",
            "picture",
            "preferred_username",
            "profile",
            "sub",
            "updated_at",
            "website",
            "zoneinfo"
        ]
    );
    assert_eq!(of_address, ["country", "formatted", "locality", "postal_code", "region", "street_address"]);
    assert_eq!(claims["preferred_username"], json!(person.username));
    for value in claims.as_object().unwrap().values().chain(claims["address"].as_object().unwrap().values()) {
        assert!(!value.is_null() && *value != json!("") && *value != json!(false), "{claims}");
    }
    assert_eq!(Tokens::claims(tokens.id())["iss"], json!(env["ISSUER"]));
    flow
}

/// A `make run` with everything of its own. Stopped and forgotten when dropped.
pub struct Demo {
    /// RUN_DIR.
    pub folder: PathBuf,
    /// What else is in its environment.
    pub environment: Vec<(&'static str, String)>,
    gateway_port: u16,
    app_port: u16,
    pg_port: u16,
    process: Option<Child>,
}

impl Demo {
    /// Chooses folder and ports.
    pub fn new() -> Demo {
        let (gateway_port, app_port, pg_port) = (free_port(), free_port(), free_port());
        let folder = checkout().join(format!("target/test-run-{gateway_port}"));
        let environment = vec![("GATEWAY_PORT", gateway_port.to_string())];
        Demo { folder, environment, gateway_port, app_port, pg_port, process: None }
    }

    /// Starts it and waits until it says that Ctrl-C stops it.
    pub async fn start(&mut self) {
        fs::create_dir_all(&self.folder).unwrap();
        let output = fs::File::create(self.folder.join("output")).unwrap();
        let mut command = self.command();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let process = self.process.insert(command.spawn().unwrap());
        let id = process.id();
        let deadline = Instant::now() + Duration::from_secs(300);
        while !self.printed().contains("Ctrl-C stops everything") {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                self.process = None;
                panic!("make run ended, {status}:\n{}", self.printed());
            }
            assert!(Instant::now() < deadline, "make run (process {id}) does not get ready:\n{}", self.printed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `make run` for this folder and these ports, in the environment of a login shell: cargo leaves variables of
    /// its own in ours.
    pub fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        // A process started in the background ignores Ctrl-C, which a test run may be.
        command.args(["--pdeathsig", "TERM", "env", "--default-signal=INT", "setsid", "make", "run"]);
        self.in_environment(&mut command);
        command
    }

    /// Environment, folder and standard input of a shell of this demo.
    pub fn in_environment(&self, command: &mut Command) {
        let kept = ["PATH", "HOME", "USER", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "PG"];
        command
            .current_dir(checkout())
            .stdin(Stdio::null())
            .env_clear()
            .envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("RUN_DIR", &self.folder)
            .env("APP_PORT", self.app_port.to_string())
            .env("PG_PORT", self.pg_port.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }

    /// `.run/env`.
    pub fn env(&self) -> HashMap<String, String> {
        let text = fs::read_to_string(self.folder.join("env")).unwrap();
        text.lines()
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn ports(&self) -> [u16; 3] {
        [self.gateway_port, self.app_port, self.pg_port]
    }

    // Ctrl-C is a signal to every process of the terminal's foreground group.
    fn interrupt(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let group = format!("-{}", process.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
        process.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.interrupt();
        }
        let mut forget = Command::new(checkout().join(".make/forget"));
        self.in_environment(&mut forget);
        let _ = forget.stdout(Stdio::null()).status();
    }
}

fn sql(url: &str, statement: &str) -> Output {
    Command::new("psql").args(["--no-psqlrc", "--no-align", "--tuples-only", url, "-c", statement]).output().unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}
