//! The seconds that are granted: none to our own exp, five to our iat and nbf, sixty to those of others, and not one more.

use serde_json::json;
use tokio_postgres::Client;

use super::signer::{Signer, outcomes};
use crate::support::{Database, until};

async fn second(client: &Client) -> i64 {
    let second = "select floor(extract(epoch from clock_timestamp()))::bigint";
    client.query_one(second, &[]).await.unwrap().get(0)
}

/// What is said to a token whose claims are dated from the second in which it is judged. A second that ends meanwhile says nothing,
/// and the next one is asked.
async fn said_at(client: &Client, token: impl Fn(i64) -> String) -> [String; 2] {
    let mut said = None;
    until("a second in which a token is signed and judged", async || {
        let now = second(client).await;
        let outcomes = outcomes(client, &token(now)).await;
        said = (second(client).await == now).then_some(outcomes);
        said.is_some()
    })
    .await;
    said.unwrap()
}

#[tokio::test]
async fn a_clock_may_be_wrong_by_what_is_granted_and_not_by_a_second_more() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "EdDSA").await {
        let (late, early) = if signer.is_ours() { (0, 5) } else { (60, 60) };
        for (name, seconds, expected) in [
            ("exp", 1 - late, "accepted"),
            // RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted".
            ("exp", -late, "ID102"),
            ("exp", -late - 1, "ID102"),
            ("iat", early - 1, "accepted"),
            ("iat", early, "accepted"),
            ("iat", early + 1, "ID103"),
            ("iat", early + 2, "ID103"),
            ("nbf", early - 1, "accepted"),
            ("nbf", early, "accepted"),
            ("nbf", early + 1, "ID103"),
            ("nbf", early + 2, "ID103"),
        ] {
            let said = said_at(&app, |now| signer.token(json!({}), json!({ name: now + seconds }))).await;
            assert_eq!(said, [expected, expected], "{name} {seconds:+} of {}", signer.issuer);
        }
        // Half a second more: what has begun counts, and so does what has not.
        for (name, seconds, expected) in [("exp", -late, "ID102"), ("iat", early, "accepted"), ("nbf", early, "ID103")]
        {
            let half = |now: i64| (now + seconds) as f64 + 0.5;
            let said = said_at(&app, |now| signer.token(json!({}), json!({ name: half(now) }))).await;
            assert_eq!(said, [expected, expected], "{name} {seconds:+}.5 of {}", signer.issuer);
        }
    }
}
