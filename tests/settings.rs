//! Settings: file, environment, flags; and `gateway check`, which says whether they fit the database.

use std::process::Command;

use crate::support::{Database, Gateway, Login, checkout};

/// Exit status, standard output, standard error.
fn run(mut command: Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn file(db: &Database, name: &str, text: &str) -> String {
    let folder = checkout().join("target/test-logs");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{}-{name}", db.http_port));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn check_says_what_fits() {
    let db = Database::new().await;
    let (success, out, err) = run(Gateway::command("check", &db, &[]));
    assert!(success, "{out}{err}");
    for line in [
        "configuration is valid; issuer ",
        "role gateway_login is a member of identity_gateway and can do nothing else",
        "the extension's library and SQL are of one build",
        "the database's issuer is ",
        "statements can be prepared",
        "published signing keys: ",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    let others: Vec<_> = out.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert_eq!(
        others,
        [
            "note     identity.doctor() and identity.lint() were not asked: serve's role may not",
            "  hint: set GATEWAY_ADMIN_DATABASE_URL to a member of identity_admin, for this command only"
        ]
    );
}

#[tokio::test]
async fn check_names_every_fault_and_what_to_do() {
    let db = Database::new().await;
    db.superuser().await.batch_execute("drop function identity.userinfo_read(text)").await.unwrap();
    let (success, out, err) = run(Gateway::command("check", &db, &[("GATEWAY_ISSUER", "https://id.example.com")]));
    assert!(!success);
    assert!(out.contains("fault    issuer is https://id.example.com, but the database's is "), "{out}");
    assert!(out.contains("fault    the store does not match this gateway: identity.userinfo_read: "), "{out}");
    assert!(out.contains("hint: run: gateway migrate"), "{out}");
    assert!(err.contains("2 faults: serve would refuse to start"), "{err}");
    let (success, out, _) = run(Gateway::command("check", &db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Superuser))]));
    assert!(
        !success && out.contains("fault    role postgres can do more than serve needs: it is a superuser"),
        "{out}"
    );
}

#[tokio::test]
async fn a_setting_that_is_missing_or_wrong_is_named() {
    let db = Database::new().await;
    for (variable, value, expected) in [
        ("GATEWAY_LISTEN", "localhost", "--listen <ADDRESS:PORT>"),
        ("GATEWAY_DATABASE_WRITERS", "many", "--database-writers <COUNT>"),
        ("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8,me", "--trusted-proxies <NETWORK>"),
        ("GATEWAY_TRUSTED_PROXY_HEADER", "via", "--trusted-proxy-header <x-forwarded-for|forwarded>"),
        ("GATEWAY_CLIENT_CERTIFICATE_HEADER", "a b", "--client-certificate-header <HEADER>"),
        ("GATEWAY_CLIENT_CERTIFICATE_ENCODING", "der", "--client-certificate-encoding <rfc9440|pem|base64>"),
        ("GATEWAY_CLIENT_CERTIFICATE_CHAIN", "yes", "--client-certificate-chain <verified|unverified>"),
        ("GATEWAY_MTLS_ENDPOINT_ALIASES", "mtls.example", "--mtls-endpoint-aliases <URL>"),
        (
            "GATEWAY_CLIENT_CERTIFICATE_HEADER",
            "Client-Cert",
            "http.client_certificate_header: nobody is believed who sends it",
        ),
        (
            "GATEWAY_CLIENT_CERTIFICATE_CHAIN",
            "verified",
            "http.client_certificate_chain: set without http.client_certificate_header",
        ),
        (
            "GATEWAY_MTLS_ENDPOINT_ALIASES",
            "https://mtls.example",
            "http.mtls_endpoint_aliases: set without http.client_certificate_header",
        ),
        ("GATEWAY_DATABASE_URL", "", "database-url"),
        ("GATEWAY_DATABASE_URL", "postgres://localhost/x?sslmode=perhaps", "database.url: sslmode is not one of"),
        ("GATEWAY_DATABASE_URL", "postgres://localhost/x?colour=blue", "database.url: "),
        ("GATEWAY_TLS_KEY_FILE", "/nowhere", "http.tls_certificate and http.tls_key: only one is set"),
    ] {
        let (success, _, err) = run(Gateway::command("check", &db, &[(variable, value)]));
        assert!(!success && err.contains(expected), "{variable}={value}: {err}");
    }
    let mut command = Gateway::command("check", &db, &[]);
    command.env_remove("GATEWAY_ISSUER");
    let (success, _, err) = run(command);
    assert!(!success && err.contains("issuer: not set") && err.contains("GATEWAY_ISSUER"), "{err}");
    let mut command = Gateway::command("check", &db, &[]);
    command.env_remove("GATEWAY_DATABASE_URL");
    let (success, _, err) = run(command);
    assert!(!success && err.contains("database.url: not set") && err.contains("GATEWAY_DATABASE_URL_FILE"), "{err}");
}

#[tokio::test]
async fn an_unknown_key_of_the_file_is_an_error_that_names_it() {
    let db = Database::new().await;
    for (text, expected) in [
        ("[http]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n", "unknown field `lissten`"),
        ("[htttp]\n", "unknown field `htttp`"),
        ("[limits]\nburst = \"a lot\"\n", "burst"),
        ("[http]\nclient_certificate_header = \"a b\"\n", "is not the name of a header"),
        ("[http]\nclient_certificate_encoding = \"der\"\n", "unknown variant `der`"),
        ("issuer = \"http://id.example.com\"\n", "http is for loopback hosts only"),
    ] {
        let path = file(&db, "wrong.toml", text);
        let (success, _, err) = run(Gateway::command("check", &db, &[("GATEWAY_CONFIG_FILE", &path)]));
        assert!(!success && err.contains(&path) && err.contains(expected), "{text}: {err}");
    }
}

#[tokio::test]
async fn an_unknown_variable_of_the_environment_is_an_error_that_names_the_nearest() {
    let db = Database::new().await;
    for (variable, nearest) in [
        ("GATEWAY_LISSTEN", "GATEWAY_LISTEN"),
        ("GATEWAY_ISSUER_URL", "GATEWAY_ISSUER"),
        ("GATEWAY_DATABASE_URLFILE", "GATEWAY_DATABASE_URL_FILE"),
        ("GATEWAY_ADMIN_DATABSE_URL", "GATEWAY_ADMIN_DATABASE_URL"),
        ("GATEWAY_CONFIG", "GATEWAY_CONFIG_FILE"),
    ] {
        for name in ["check", "serve", "migrate"] {
            let (success, _, err) = run(Gateway::command(name, &db, &[(variable, "postgres://a:hunter2@127.0.0.1/x")]));
            let expected = format!(
                "gateway: environment variable {variable}: there is no such setting\n  hint: the nearest is {nearest}\n"
            );
            assert!(!success && err == expected, "{name}: {err}");
        }
    }
    // Kubernetes speaks of a service of this name to every pod; PORT alone, without the rest, is somebody's mistake.
    let mut of_kubernetes = vec![
        ("GATEWAY_SERVICE_HOST", "10.0.0.7"),
        ("GATEWAY_SERVICE_PORT", "80"),
        ("GATEWAY_SERVICE_PORT_HTTP", "80"),
        ("GATEWAY_PORT", "tcp://10.0.0.7:80"),
        ("GATEWAY_PORT_80_TCP_ADDR", "10.0.0.7"),
        ("GATEWAY_ADMIN_SERVICE_HOST", "10.0.0.8"),
        ("GATEWAY_ADMIN_PORT", "tcp://10.0.0.8:80"),
    ];
    let (success, out, err) = run(Gateway::command("check", &db, &of_kubernetes));
    assert!(success, "{out}{err}");
    of_kubernetes.retain(|(name, _)| *name != "GATEWAY_SERVICE_HOST");
    let (success, _, err) = run(Gateway::command("check", &db, &of_kubernetes));
    assert!(!success && err.contains("GATEWAY_PORT: there is no such setting"), "{err}");
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let db = Database::new().await;
    let path = file(&db, "order.toml", "issuer = \"https://from.file\"\n[database]\nwriters = 3\n");
    let issuer_found = |command: Command| {
        let (_, out, err) = run(command);
        let line = out.lines().next().unwrap_or_else(|| panic!("{err}")).to_owned();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let mut command = Gateway::command("check", &db, &[("GATEWAY_CONFIG_FILE", &path)]);
    command.env_remove("GATEWAY_ISSUER");
    assert_eq!(issuer_found(command), "https://from.file");
    let environment = [("GATEWAY_CONFIG_FILE", path.as_str()), ("GATEWAY_ISSUER", "https://from.environment")];
    assert_eq!(issuer_found(Gateway::command("check", &db, &environment)), "https://from.environment");
    let mut command = Gateway::command("check", &db, &environment);
    command.args(["--issuer", "https://from.flag"]);
    assert_eq!(issuer_found(command), "https://from.flag");
}

#[tokio::test]
async fn a_secret_comes_from_a_file_or_the_environment_and_never_from_an_argument() {
    let db = Database::new().await;
    let path = file(&db, "url", &format!("{}\n", db.url(Login::Gateway)));
    let mut command = Gateway::command("check", &db, &[("GATEWAY_DATABASE_URL_FILE", &path)]);
    command.env_remove("GATEWAY_DATABASE_URL");
    let (success, out, err) = run(command);
    assert!(success, "{out}{err}");
    let (success, _, err) = run(Gateway::command("check", &db, &[("GATEWAY_DATABASE_URL_FILE", &path)]));
    assert!(!success && err.contains("database.url and database.url_file are both set"), "{err}");
    let mut command = Gateway::command("check", &db, &[]);
    command.args(["--database-url", "postgres://gateway_login:hunter2@127.0.0.1/x"]);
    let (success, out, err) = run(command);
    assert!(!success && err.contains("readable by every user of this machine"), "{err}");
    // Nor does any message quote one.
    let (_, out_of_help, _) = {
        let mut help =
            Gateway::command("check", &db, &[("GATEWAY_DATABASE_URL", "postgres://a:hunter2@127.0.0.1:1/x")]);
        help.arg("--help");
        run(help)
    };
    let (_, refused_out, refused) =
        run(Gateway::command("check", &db, &[("GATEWAY_DATABASE_URL", "postgres://a:hunter2@127.0.0.1:1/x")]));
    for text in [out, err, out_of_help, refused_out, refused] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
