//! Client certificates, tls_client_auth and self_signed_tls_client_auth: whose certificate it is, and nobody else's (RFC 8705 §2).
//! Contents, and certificates as OpenSSL makes them.

mod endpoints;
mod headers;
mod keys;
mod metadata;
mod proxies;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use crate::authorize::{Answer, Sql, call};
use crate::client_assertions::assert_refused;
use crate::clock::off;
use crate::jwt::merged;
use crate::support::{Client, Database, checkout, client, public_client, service_client};

/// A certificate that signed itself, and the files it and its key are in.
pub struct Certificate {
    pub der: Vec<u8>,
    pub file: String,
    pub key_file: String,
}

impl Certificate {
    /// With this subject, as OpenSSL takes it, and these alternative names (`DNS:a.example,IP:…`; empty: none).
    pub fn new(subject: &str, alternatives: &str) -> Certificate {
        Certificate::made(subject, alternatives, &[], None)
    }

    /// Made so many hours from now, and good for a day.
    pub fn made_at(hours: &str) -> Certificate {
        Certificate::made("/CN=client", "", &off(hours), None)
    }

    /// Another one of the same key.
    pub fn again(&self, subject: &str) -> Certificate {
        Certificate::made(subject, "", &[], Some(&self.key_file))
    }

    fn made(subject: &str, alternatives: &str, environment: &[(String, String)], key: Option<&str>) -> Certificate {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let folder = checkout().join("target/test-logs");
        std::fs::create_dir_all(&folder).unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = |kind: &str| {
            folder.join(format!("client-{}-{number}.{kind}", std::process::id())).to_str().unwrap().to_owned()
        };
        let (file, configuration) = (path("crt"), path("cnf"));
        let extension =
            if alternatives.is_empty() { String::new() } else { format!("subjectAltName={alternatives}\n") };
        // Without what OpenSSL would add, a certificate of version 1 where there is nothing to say.
        let text = format!("[req]\ndistinguished_name=dn\nx509_extensions=x\n[dn]\n[x]\n{extension}");
        std::fs::write(&configuration, text).unwrap();
        let key_file = key.map_or_else(|| path("key"), str::to_owned);
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-utf8", "-multivalue-rdn", "-days", "1", "-config", &configuration]);
        openssl.args(["-subj", subject, "-out", &file]);
        match key {
            Some(key) => openssl.args(["-key", key]),
            None => openssl.args([
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                &key_file,
            ]),
        };
        let made = openssl.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pem = std::fs::read_to_string(&file).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Certificate { der: BASE64_STANDARD.decode(base64).unwrap(), file, key_file }
    }

    /// Its public key.
    pub fn jwk(&self) -> Value {
        // RFC 5480 §2.2: a bit string of 66 bytes, without unused bits, that holds an uncompressed point.
        let before = [3, 66, 0, 4];
        let at = self.der.windows(4).position(|window| window == before).unwrap() + before.len();
        let encode = |from: usize| BASE64_URL_SAFE_NO_PAD.encode(&self.der[from..from + 32]);
        json!({ "kty": "EC", "crv": "P-256", "x": encode(at), "y": encode(at + 32) })
    }

    /// As `x5c` and most headers have it.
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(&self.der)
    }
}

/// A service that is known by its certificate: metadata beside the method.
pub async fn known_by(db: &Database, method: &str, metadata: Value) -> Client {
    let base = json!({ "token_endpoint_auth_method": method, "grant_types": ["client_credentials"] });
    let made = client(db, merged(base, metadata)).await;
    assert_eq!(made.secret, None, "who has a certificate needs no secret");
    made
}

/// The token endpoint's answer to a request that says its client_id, and comes with this certificate.
pub async fn shown(sql: &Sql, client_id: Option<&str>, method: &str, der: Option<&[u8]>) -> Answer {
    let arguments: [&(dyn ToSql + Sync); 6] =
        [&client_id, &None::<&str>, &method, &None::<&str>, &None::<Vec<&str>>, &der];
    call(sql, "token_client_credentials", &arguments).await
}

/// What the log says of a refusal, after the answer was looked at.
pub async fn detail(sql: &Sql, client: &Client, method: &str, der: Option<&[u8]>) -> String {
    assert_refused(&shown(sql, Some(&client.id), method, der).await);
    let query = "select detail from identity.token_client_credentials($1, null, $2, null, null, $3)";
    sql.query_one(query, &[&client.id, &method, &der]).await.unwrap().get(0)
}

pub const VERIFIED: &str = "tls_client_auth";
pub const UNVERIFIED: &str = "self_signed_tls_client_auth";

const ALTERNATIVES: &str = "DNS:Client.Example,DNS:second.example,URI:spiffe://example.org/ns/Prod,IP:192.0.2.1,IP:2001:db8::1,email:Ops@Example.ORG";

#[tokio::test]
async fn a_client_is_known_by_the_one_name_that_it_registered() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let certificate = Certificate::new("/C=DE/O=Müller \\, Sons/OU=Sales+CN=J.  Smith", ALTERNATIVES);
    let other = Certificate::new("/C=DE/O=Müller \\, Sons/OU=Sales+CN=K. Smith", "DNS:other.example");
    for (member, name) in [
        ("subject_dn", r"CN=J. Smith+OU=Sales,O=Müller \, Sons,C=DE"),
        ("subject_dn", r"ou=sales+cn=j.\20smith , o=MÜLLER \2C sons , c=de"),
        ("san_dns", "client.example"),
        ("san_dns", "SECOND.EXAMPLE"),
        ("san_uri", "spiffe://example.org/ns/Prod"),
        ("san_ip", "192.0.2.1"),
        ("san_ip", "2001:0db8:0:0:0:0:0:1"),
        ("san_email", "Ops@example.org"),
    ] {
        let app = known_by(&db, VERIFIED, json!({ (format!("tls_client_auth_{member}")): name })).await;
        let (outcome, answer) = shown(&sql, Some(&app.id), VERIFIED, Some(&certificate.der)).await;
        assert_eq!(outcome, "ok", "{name}: {answer}");
        let of_another = "client certificate: of another subject";
        assert_eq!(detail(&sql, &app, VERIFIED, Some(&other.der)).await, of_another, "{name}");
        // Anybody can write any name into a certificate that nobody has verified.
        let unverified = "client certificate: its chain was not verified";
        assert_eq!(detail(&sql, &app, UNVERIFIED, Some(&certificate.der)).await, unverified, "{name}");
    }
    for (member, name) in [
        ("subject_dn", r"C=DE,O=Müller \, Sons,OU=Sales+CN=J. Smith"),
        ("subject_dn", r"CN=J. Smith,OU=Sales,O=Müller \, Sons,C=DE"),
        ("subject_dn", r"O=Müller \, Sons,C=DE"),
        ("san_dns", "example"),
        ("san_dns", "spiffe://example.org/ns/Prod"),
        ("san_uri", "spiffe://example.org/ns/prod"),
        ("san_ip", "::ffff:192.0.2.1"),
        ("san_email", "ops@example.org"),
    ] {
        let app = known_by(&db, VERIFIED, json!({ (format!("tls_client_auth_{member}")): name })).await;
        let of_another = "client certificate: of another subject";
        assert_eq!(detail(&sql, &app, VERIFIED, Some(&certificate.der)).await, of_another, "{name}");
    }
}

#[tokio::test]
async fn what_is_expired_or_not_yet_valid_proves_nobody() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    for (hours, detailed) in [("-48h", "client certificate: expired"), ("+48h", "client certificate: not yet valid")] {
        let certificate = Certificate::made_at(hours);
        let by_name = known_by(&db, VERIFIED, json!({ "tls_client_auth_subject_dn": "CN=client" })).await;
        let by_key = known_by(&db, UNVERIFIED, json!({ "jwks": { "keys": [certificate.jwk()] } })).await;
        for app in [&by_name, &by_key] {
            assert_eq!(detail(&sql, app, VERIFIED, Some(&certificate.der)).await, detailed);
        }
        // The same key, today.
        let today = certificate.again("/CN=client");
        for app in [&by_name, &by_key] {
            assert_eq!(shown(&sql, Some(&app.id), VERIFIED, Some(&today.der)).await.0, "ok", "{hours}");
        }
    }
}

#[tokio::test]
async fn a_certificate_proves_no_client_that_is_registered_for_something_else_and_nobody_without_a_name() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let certificate = Certificate::new("/CN=client", "");
    let app = known_by(&db, VERIFIED, json!({ "tls_client_auth_subject_dn": "CN=client" })).await;
    let service = service_client(&db).await;
    for method in [VERIFIED, UNVERIFIED] {
        let registered = "client is registered for client_secret_basic and has shown a certificate";
        assert_eq!(detail(&sql, &service, method, Some(&certificate.der)).await, registered);
        // RFC 8705 §2: client_id names the client.
        assert_refused(&shown(&sql, None, method, Some(&certificate.der)).await);
        assert_refused(&shown(&sql, Some("nobody"), method, Some(&certificate.der)).await);
        assert_eq!(detail(&sql, &app, method, None).await, "client certificate: there is none");
    }
    // Nor does what it used to have, or nothing at all.
    let registered = "client is registered for tls_client_auth and used none";
    assert_eq!(detail(&sql, &app, "none", None).await, registered);
    let secret = service.secret.as_deref();
    for method in ["client_secret_basic", "client_secret_post", VERIFIED] {
        let arguments: [&(dyn ToSql + Sync); 6] =
            [&app.id, &secret, &method, &None::<&str>, &None::<Vec<&str>>, &certificate.der];
        assert_refused(&call(&sql, "token_client_credentials", &arguments).await);
    }
    // Its secret proves the service, whatever its TLS library brings along.
    let arguments: [&(dyn ToSql + Sync); 6] =
        [&service.id, &secret, &"client_secret_basic", &None::<&str>, &None::<Vec<&str>>, &certificate.der];
    assert_eq!(call(&sql, "token_client_credentials", &arguments).await.0, "ok");
    // A public client stays one.
    let public = public_client(&db).await;
    let arguments: [&(dyn ToSql + Sync); 6] =
        [&public.id, &None::<&str>, &VERIFIED, &"x", &None::<&str>, &certificate.der];
    assert_refused(&call(&sql, "token_introspect", &arguments).await);
    assert_eq!(call(&sql, "token_revoke", &arguments).await.0, "ok");
}

#[tokio::test]
async fn what_is_no_certificate_or_an_absurd_one_proves_nobody() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let good = Certificate::new("/CN=client", "DNS:client.example");
    let by_name = known_by(&db, VERIFIED, json!({ "tls_client_auth_san_dns": "client.example" })).await;
    let by_key = known_by(&db, UNVERIFIED, json!({ "jwks": { "keys": [good.jwk()] } })).await;
    let mut damaged = good.der.clone();
    damaged[4] ^= 0x20;
    let longer = [good.der.as_slice(), b"\0"].concat();
    let many: Vec<String> = (0..400).map(|number| format!("DNS:client-{number}.example")).collect();
    let large = Certificate::new("/CN=client", &format!("{},DNS:client.example", many.join(",")));
    assert!(large.der.len() > 8192);
    let endless = vec![0x30; 100_000];
    for bytes in [&[][..], b"x", &damaged, &good.der[1..], &longer, &large.der, &endless] {
        for app in [&by_name, &by_key] {
            assert_eq!(
                detail(&sql, app, VERIFIED, Some(bytes)).await,
                "client certificate: malformed",
                "{}",
                bytes.len()
            );
        }
    }
    // As many names as fit.
    let many = Certificate::new("/CN=client", &format!("{},DNS:client.example", many[..250].join(",")));
    assert_eq!(shown(&sql, Some(&by_name.id), VERIFIED, Some(&many.der)).await.0, "ok");
    // No name at all, and one of bytes that no text has.
    let nameless = Certificate::new("/", "");
    assert_eq!(detail(&sql, &by_name, VERIFIED, Some(&nameless.der)).await, "client certificate: of another subject");
}
