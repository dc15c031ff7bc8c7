//! Opaque secrets, refresh tokens and ids: what they say to whom.

use tokio_postgres::types::ToSql;

use crate::support::Database;

#[tokio::test]
async fn an_opaque_secret_names_its_row_and_is_stored_as_a_hash() {
    let owner = Database::new().await.owner().await;
    let minted = owner
        .query_one(
            "select m.token, m.hash, i.id from identity.uuid_v7() as i (id), identity.opaque_mint('code', i.id) as m",
            &[],
        )
        .await
        .unwrap();
    let (token, hash, id): (String, Vec<u8>, uuid::Uuid) = (minted.get(0), minted.get(1), minted.get(2));
    assert!(
        token.starts_with("code_")
            && token.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"_-".contains(&letter))
    );
    let parse = "select identity.opaque_id($1, $2), identity.opaque_hash($2)";
    let parsed = owner.query_one(parse, &[&"code", &token]).await.unwrap();
    assert_eq!((parsed.get::<_, uuid::Uuid>(0), parsed.get::<_, Vec<u8>>(1)), (id, hash));
    for (prefix, token) in [
        ("session", token.clone()),
        ("code", format!("{token}A")),
        ("code", token.replacen("code", "cod", 1)),
        ("code", String::new()),
    ] {
        let parsed = owner.query_one(parse, &[&prefix, &token]).await.unwrap();
        assert_eq!(parsed.get::<_, Option<uuid::Uuid>>(0), None, "{prefix} {token}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_computed_from_family_generation_and_seed() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let row = owner
        .query_one("select identity.uuid_v7(), identity.refresh_seed(), identity.refresh_seed()", &[])
        .await
        .unwrap();
    let (family, seed, foreign): (uuid::Uuid, Vec<u8>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
    let token = |generation: i32| {
        let (owner, seed) = (&owner, &seed);
        async move {
            owner
                .query_one(
                    "select identity.refresh_token($1, $2, $3)",
                    &[&family as &(dyn ToSql + Sync), &generation, seed],
                )
                .await
                .unwrap()
                .get::<_, String>(0)
        }
    };
    let third = token(3).await;
    db.admin().await.batch_execute("select identity.rotate_sealed_key('refresh')").await.unwrap();
    assert_eq!(token(3).await, third);
    assert_ne!(token(4).await, third);
    let parsed = owner
        .query_one("select identity.refresh_family($1), identity.refresh_generation($1)", &[&third])
        .await
        .unwrap();
    assert_eq!((parsed.get::<_, uuid::Uuid>(0), parsed.get::<_, i32>(1)), (family, 3));
    let matches = "select identity.refresh_matches($1, $2), identity.refresh_matches($1, $3), identity.refresh_matches('rt_x', $2)";
    let row = owner.query_one(matches, &[&third as &(dyn ToSql + Sync), &seed, &foreign]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1), row.get::<_, bool>(2)), (true, false, false));
}

#[tokio::test]
async fn ids_ascend_and_carry_their_time() {
    let app = Database::new().await.app().await;
    let ascending = "with ids as materialized (select n, identity.uuid_v7() as id from generate_series(1, 10000) as n)
      select bool_and(id > before), bool_and(abs(extract(epoch from identity.uuid_v7_time(id) - clock_timestamp())) < 60)
      from (select id, lag(id) over (order by n) as before from ids) as pairs";
    let row = app.query_one(ascending, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, true));
    // RFC 9562 appendix A.6
    let example = "select identity.uuid_v7_time('017F22E2-79B0-7CC3-98C4-DC0C0C07398F') = '2022-02-22T19:22:22Z',
      identity.uuid_v7_floor('2022-02-22T19:22:22Z') = '017f22e2-79b0-7000-8000-000000000000',
      identity.uuid_v7_time('017F22E2-79B0-4CC3-98C4-DC0C0C07398F') is null";
    let row = app.query_one(example, &[]).await.unwrap();
    assert!((0..3).all(|column| row.get(column)));
}
