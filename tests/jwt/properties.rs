//! Thousands of changed tokens through SQL: each is refused for a reason of its own, or says what was signed.
//!
//! PROPTEST_CASES counts batches here; `make fuzz` ends at a million tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::signer::Signer;
use crate::support::Database;

/// Tokens of one round trip.
const BATCH: usize = 16;
const MOST_BATCHES: u32 = 62_500;

/// What authenticate and verify_jwt say to each token, in one statement: a SQLSTATE, or the claims.
const SAID: &str = "
  create function pg_temp.said(token text) returns jsonb language plpgsql as $$
  declare
    claims jsonb;
  begin
    claims := identity.verify_jwt(token);
    perform identity.authenticate(token);
    if identity.claims() <> claims then
      return '\"two claims\"';
    end if;
    perform identity.sign_out();
    return claims;
  exception
    -- A batch is one transaction, and that has one subject.
    when sqlstate 'ID201' then return claims;
    when others then
    return to_jsonb(sqlstate);
  end
  $$";

#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u32),
    Replace(Index, char),
    Insert(Index, char),
    Remove(Index),
    Swap(Index, Index),
    Part(usize, usize, usize),
}

fn changes() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let letter = || prop_oneof![4 => prop::char::ranges(vec!['A'..='Z', 'a'..='z', '0'..='9', '-'..='.', '_'..='_'].into()), 1 => "[^\0]".prop_map(|text| text.chars().next().unwrap())];
    prop_oneof![
        (place(), 0..7_u32).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (place(), letter()).prop_map(|(at, letter)| Change::Replace(at, letter)),
        (place(), letter()).prop_map(|(at, letter)| Change::Insert(at, letter)),
        place().prop_map(Change::Remove),
        (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
        (0..3_usize, 0..4_usize, 0..3_usize).prop_map(|(part, token, of)| Change::Part(part, token, of)),
    ]
}

fn changed(tokens: &[String], which: usize, change: &Change) -> String {
    let mut letters: Vec<char> = tokens[which].chars().collect();
    let length = letters.len();
    match change {
        Change::Flip(at, bit) => {
            let at = at.index(length);
            // PostgreSQL's text has no U+0000.
            letters[at] =
                char::from_u32(letters[at] as u32 ^ (1 << bit)).filter(|letter| *letter != '\0').unwrap_or('.');
        }
        Change::Replace(at, letter) => letters[at.index(length)] = *letter,
        Change::Insert(at, letter) => letters.insert(at.index(length), *letter),
        Change::Remove(at) => drop(letters.remove(at.index(length))),
        Change::Swap(one, other) => letters.swap(one.index(length), other.index(length)),
        Change::Part(part, token, of) => {
            let mut parts: Vec<&str> = tokens[which].split('.').collect();
            parts[*part] = tokens[*token].split('.').nth(*of).unwrap();
            return parts.join(".");
        }
    }
    letters.into_iter().collect()
}

#[test]
fn a_changed_token_is_refused_or_says_what_was_signed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_db, client, tokens) = runtime.block_on(prepared());
    let cases = ProptestConfig::default().cases.min(MOST_BATCHES);
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let batch = prop::collection::vec((0..tokens.len(), changes()), BATCH);
    let outcome = runner.run(&batch, |batch| {
        let sent: Vec<String> = batch.iter().map(|(which, change)| changed(&tokens, *which, change)).collect();
        let said: Value = runtime.block_on(said(&client, &sent));
        for ((which, change), (sent, said)) in batch.iter().zip(sent.iter().zip(said.as_array().unwrap())) {
            match said {
                Value::String(sqlstate) => prop_assert!(
                    sent != &tokens[*which] && sqlstate.starts_with("ID1"),
                    "{} {:?} {}",
                    sqlstate,
                    change,
                    sent
                ),
                claims => prop_assert!(tokens.contains(sent), "{} {:?} {}", claims, change, sent),
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

async fn prepared() -> (Database, Client, Vec<String>) {
    let db = Database::new().await;
    let mut tokens = Vec::new();
    for (algorithm, whose) in [("ES256", 0), ("EdDSA", 0), ("RS256", 0), ("ES256", 1)] {
        let signer =
            if whose == 0 { Signer::ours(&db, algorithm).await } else { Signer::trusted(&db, algorithm).await };
        tokens.push(signer.token(json!({}), json!({ "scope": "a b", "jti": format!("{algorithm}-{whose}") })));
    }
    let client = db.superuser().await;
    client.batch_execute(SAID).await.unwrap();
    (db, client, tokens)
}

async fn said(client: &Client, tokens: &[String]) -> Value {
    let all = "select jsonb_agg(pg_temp.said(token) order by number) from unnest($1::text[]) with ordinality as sent (token, number)";
    client.query_one(all, &[&tokens]).await.unwrap().get(0)
}

fn documents() -> impl Strategy<Value = Value> {
    let text = "[^\0]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text, inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// PostgreSQL looks members up by bisection: what is kept in another order than its own is not found again.
#[test]
fn claims_are_the_jsonb_that_postgresql_would_have_read() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_db, client, _) = runtime.block_on(prepared());
    let cases = ProptestConfig::default().cases.min(MOST_BATCHES);
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let member = || ("[^\0]{0,12}", documents());
    let batch = prop::collection::vec(prop::collection::vec(member(), 0..8), BATCH);
    let outcome = runner.run(&batch, |batch| {
        let payloads: Vec<String> =
            batch.into_iter().map(|members| members.into_iter().collect::<Value>().to_string()).collect();
        let tokens: Vec<String> =
            payloads.iter().map(|payload| format!("eyJhbGciOiJFUzI1NiJ9.{}.AAAA", URL_SAFE_NO_PAD.encode(payload))).collect();
        let same: bool = runtime.block_on(async {
            let same = "select bool_and(read = expected and read::text = expected::text and not exists (
                  select from jsonb_each(expected) e where read -> e.key is distinct from e.value))
                from unnest($1::text[], $2::text[]) as sent (token, payload),
                  lateral (select identity.decode_jwt_unverified(token) -> 'claims' as read, payload::jsonb as expected) both_ways";
            client.query_one(same, &[&tokens, &payloads]).await.unwrap().get(0)
        });
        prop_assert!(same, "{payloads:?}");
        Ok(())
    });
    outcome.unwrap();
}
