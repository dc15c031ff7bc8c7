//! Debian's Apache speaks TLS and hands certificates on: tests/clients/apache_certificates.mjs.

use serde_json::json;
use tokio::process::Command;

use super::{Certificate, UNVERIFIED, VERIFIED, known_by};
use crate::real_clients::{clients, run};
use crate::support::{Database, Gateway, free_port};
use crate::tls::certificate;

#[tokio::test]
async fn behind_apache() {
    let db = Database::new().await;
    // A certificate that is its own authority, which Apache believes, and one that it does not.
    let believed = Certificate::new("/C=DE/O=Müller \\, Sons/CN=client", "");
    let stranger = Certificate::new("/C=DE/O=Müller \\, Sons/CN=client", "");
    let by_name =
        known_by(&db, VERIFIED, json!({ "tls_client_auth_subject_dn": r"CN=client,O=Müller \, Sons,C=DE" })).await;
    let by_key = known_by(&db, UNVERIFIED, json!({ "jwks": { "keys": [stranger.jwk()] } })).await;
    let settings = [
        ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32"),
        ("GATEWAY_CLIENT_CERTIFICATE_HEADER", "X-Client-Cert"),
        ("GATEWAY_CLIENT_CERTIFICATE_ENCODING", "pem"),
    ];
    let verified = [&settings[..], &[("GATEWAY_CLIENT_CERTIFICATE_CHAIN", "verified")]].concat();
    let (verified, unverified) =
        (Gateway::start_with(&db, &verified).await, Gateway::start_beside(&db, &settings).await);
    let (tls_certificate, tls_key) = certificate(&db, "apache");
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "apache_certificates.mjs"]).current_dir(clients());
    let (port, other_port, apache_port) = (free_port().to_string(), free_port().to_string(), free_port().to_string());
    for (name, value) in [
        ("VERIFIED", &verified.issuer),
        ("UNVERIFIED", &unverified.issuer),
        ("APACHE_PORT", &apache_port),
        ("VERIFIED_PORT", &port),
        ("UNVERIFIED_PORT", &other_port),
        ("TLS_CERTIFICATE", &tls_certificate),
        ("TLS_KEY", &tls_key),
        ("BELIEVED", &believed.file),
        ("BELIEVED_KEY", &believed.key_file),
        ("STRANGER", &stranger.file),
        ("STRANGER_KEY", &stranger.key_file),
        ("BY_NAME_ID", &by_name.id),
        ("BY_KEY_ID", &by_key.id),
    ] {
        node.env(name, value);
    }
    run(node).await;
}
