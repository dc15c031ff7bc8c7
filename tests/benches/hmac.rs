//! Tokens signed with a shared secret in SQL: our native `sign` (pg_identity_pgjwt) against the same built of SQL functions over
//! pgcrypto, as pgjwt builds it. Both sign the same claims, and the results are compared before they are timed.

use tests::Database;

use crate::backend::Backend;
use crate::report::{Report, Target, median, rounds, time};

/// Signing HS256.
pub async fn run(report: &Report) {
    if !report.wants("hmac") {
        return;
    }
    let db = Database::new().await;
    let backend = Backend::new(&db).await;
    backend.client.batch_execute(IN_SQL).await.unwrap();
    let same =
        format!("select ours.sign({CLAIMS}, 'secret') = in_sql.sign({CLAIMS}, 'secret') from generate_series(1, 1) n");
    assert!(backend.client.query_one(&same, &[]).await.unwrap().get::<_, bool>(0));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..=rounds() {
        for (schema, times) in [("ours", &mut ours), ("in_sql", &mut theirs)] {
            let call = format!("{schema}.sign({CLAIMS}, 'secret')");
            times.push(backend.each(&call, CLAIMS, "generate_series(1, 20000) n").await);
        }
    }
    // The first round planned.
    let (ours, theirs) = (median(ours.into_iter().skip(1)), median(theirs.into_iter().skip(1)));
    report.row(
        "sign in SQL, HS256",
        &time(ours),
        &format!("SQL over pgcrypto, as pgjwt: {}", time(theirs)),
        theirs / ours,
        Target::AtLeast(10.0),
    );
}

/// Another payload for each call.
const CLAIMS: &str =
    "json_build_object('sub', '01935d3c-0000-7000-8000-000000000001', 'role', 'app_user', 'exp', 4000000000, 'jti', n)";

const IN_SQL: &str = r#"
  create extension pgcrypto;
  create schema ours;
  create extension pg_identity_pgjwt schema ours;
  create schema in_sql;
  create function in_sql.url_encode(data bytea) returns text language sql immutable
  as $$ select translate(encode(data, 'base64'), E'+/=\n', '-_') $$;
  create function in_sql.algorithm_sign(signables text, secret text, algorithm text) returns text language sql immutable as $$
    with digest as (
      select case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' else '' end as name
    )
    select in_sql.url_encode(public.hmac(signables, secret, digest.name)) from digest
  $$;
  create function in_sql.sign(payload json, secret text, algorithm text default 'HS256') returns text language sql immutable as $$
    with head as (
      select in_sql.url_encode(convert_to('{"alg":"' || algorithm || '","typ":"JWT"}', 'utf8')) as data
    ), body as (
      select in_sql.url_encode(convert_to(payload::text, 'utf8')) as data
    ), signed as (
      select head.data || '.' || body.data as data from head, body
    )
    select signed.data || '.' || in_sql.algorithm_sign(signed.data, secret, algorithm) from signed
  $$;
"#;
