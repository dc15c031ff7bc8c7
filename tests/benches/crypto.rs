//! Cryptography in SQL against the raw primitive: signing, verifying and authenticating with each algorithm, and hashing
//! passwords. Every token is verified once, so that nothing remembered helps.

use std::process::Command;

use tests::{Database, checkout};

use crate::backend::Backend;
use crate::report::{Report, Target, median, ratio, rounds, time};
use crate::signatures::{ALGORITHMS, Raw};

/// Hashing, signing, verifying, authenticating.
pub async fn run(report: &Report) {
    if report.wants("argon2") {
        argon2(report).await;
    }
    let signing = ALGORITHMS.map(|algorithm| (algorithm, report.wants(sign_name(algorithm))));
    if signing.iter().any(|(_, wanted)| *wanted) {
        let db = database().await;
        for (algorithm, _) in signing.iter().filter(|(_, wanted)| *wanted) {
            sign_and_verify(report, &db, algorithm).await;
        }
    }
    if report.wants("authenticate") {
        authenticate(report).await;
    }
}

fn sign_name(algorithm: &str) -> &'static str {
    match algorithm {
        "ES256" => "sign_verify_ES256",
        "EdDSA" => "sign_verify_EdDSA",
        "RS256" => "sign_verify_RS256",
        _ => "sign_verify_PS256",
    }
}

/// A database with a current key of every algorithm.
async fn database() -> Database {
    let db = Database::new().await;
    for algorithm in ["EdDSA", "PS256"] {
        db.admin().await.execute("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
    }
    db
}

async fn argon2(report: &Report) {
    let db = Database::new().await;
    let backend = Backend::new(&db).await;
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    hash_seconds(&backend, 3).await;
    for _ in 0..rounds() {
        ours.push(hash_seconds(&backend, 10).await);
        let output = Command::new(checkout().join("target/bench/argon2")).arg("10").output().unwrap();
        reference.push(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap());
    }
    let vectors = std::fs::read_to_string("/proc/cpuinfo").unwrap().contains(" avx2 ");
    report.row(
        if vectors { "Argon2id in SQL (AVX2)" } else { "Argon2id in SQL" },
        &time(median(ours.iter().copied())),
        &format!("Debian's libargon2: {}", time(median(reference.iter().copied()))),
        ratio(&ours, &reference),
        Target::AtMost(if vectors { 0.6 } else { 1.0 }),
    );
}

/// Processor seconds of one password hash with default parameters.
async fn hash_seconds(backend: &Backend, count: usize) -> f64 {
    let call = "identity.hash_password('correct horse battery staple')";
    backend.each(call, "'correct horse battery staple'", &format!("generate_series(1, {count})")).await
}

async fn sign_and_verify(report: &Report, db: &Database, algorithm: &str) {
    let (backend, raw) = (Backend::new(db).await, Raw::new(algorithm));
    let claims = format!("({CLAIMS} || jsonb_build_object('jti', n))");
    let (mut sign, mut verify) = (Vec::new(), Vec::new());
    let (mut raw_sign, mut raw_verify) = (Vec::new(), Vec::new());
    for _ in 0..=rounds() {
        let call = format!("identity.sign_jwt({claims}, '{algorithm}', 'at+jwt')");
        sign.push(backend.each(&call, &claims, &format!("generate_series(1, {CALLS}) n")).await);
        raw_sign.push(raw.sign_seconds(CALLS));
        fresh_tokens(&backend, algorithm).await;
        verify.push(backend.each("identity.verify_jwt(token)", "token", "tokens").await);
        raw_verify.push(raw.verify_seconds(CALLS));
    }
    for (what, ours, primitive) in [("sign", sign, raw_sign), ("verify", verify, raw_verify)] {
        // The first round opened the key and planned.
        let (ours, primitive) = (&ours[1..], &primitive[1..]);
        let raw = median(primitive.iter().copied());
        report.row(
            &format!("{what} in SQL, {algorithm}"),
            &time(median(ours.iter().copied())),
            &format!("aws-lc-rs: {}", time(raw)),
            ratio(ours, primitive),
            Target::AtMost(f64::max(1.3, (raw + 8e-6) / raw)),
        );
    }
}

async fn authenticate(report: &Report) {
    let (quiet, busy) = (database().await, database().await);
    let superuser = busy.superuser().await;
    superuser.batch_execute(REVOCATIONS).await.unwrap();
    superuser.batch_execute("vacuum analyze identity.revocations").await.unwrap();
    for algorithm in ["EdDSA", "ES256"] {
        let raw = Raw::new(algorithm);
        let (quiet, busy) = (Backend::new(&quiet).await, Backend::new(&busy).await);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..=rounds() * 3 {
            for (backend, times) in [&quiet, &busy].into_iter().zip(&mut times) {
                fresh_tokens(backend, algorithm).await;
                times.push(backend.each("identity.authenticate(token)", "token", "tokens").await);
            }
            times[2].push(raw.verify_seconds(CALLS));
        }
        let [quiet, busy, raw] = times.each_ref().map(|times| &times[1..]);
        let shown = |times: &[f64]| time(median(times.iter().copied()));
        report.row(
            &format!("authenticate(), {algorithm}"),
            &shown(quiet),
            &format!("raw verification: {}", shown(raw)),
            ratio(quiet, raw),
            Target::AtMost(2.5),
        );
        report.row(
            &format!("authenticate(), {algorithm}, 100,000 revocations"),
            &shown(busy),
            &format!("without: {}", shown(quiet)),
            ratio(busy, quiet),
            Target::AtMost(1.1),
        );
    }
}

// Of one person, because a transaction has one subject.
async fn fresh_tokens(backend: &Backend, algorithm: &str) {
    backend
        .client
        .batch_execute(&format!(
            "drop table if exists tokens; create temp table tokens as
             select identity.sign_jwt({CLAIMS} || jsonb_build_object('jti', identity.uuid_v7()), '{algorithm}', 'at+jwt') as token
             from generate_series(1, {CALLS}); analyze tokens"
        ))
        .await
        .unwrap();
}

const CALLS: usize = 1000;
/// What an access token of a person holds (RFC 9068 §2.2).
const CLAIMS: &str = "jsonb_build_object('sub', '01935d3c-0000-7000-8000-000000000001', 'aud', identity.configured_issuer(), 'client_id',
  '01935d3c-0000-7000-8000-000000000002', 'grant_id', '01935d3c-0000-7000-8000-000000000003', 'sid', '01935d3c-0000-7000-8000-000000000004',
  'scope', 'openid profile email offline_access', 'auth_time', 1700000000, 'amr', array['pwd'])";
const REVOCATIONS: &str = "insert into identity.revocations (kind, id, until, issued_before)
  select (array['token', 'session', 'grant', 'client', 'user', 'agent'])[1 + n % 6], identity.uuid_v7()::text, now() + interval '1 day', now()
  from generate_series(1, 100000) n";
