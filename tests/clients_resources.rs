//! What clients can ask for: scopes and resources (sql/store/functions/scopes.sql, resources.sql).

use crate::clients::refusal;
use crate::support::Database;

#[tokio::test]
async fn scopes_and_resources_are_checked_and_kept_in_canonical_form() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for (query, code, message) in [
        ("select identity.scope_create('a b', 'x')", "ID005", "name: must be a scope-token of RFC 6749 §3.3"),
        (
            "select identity.scope_create('a', ' ')",
            "ID005",
            "description: must say what the person allows, in at most 1000 characters without control characters",
        ),
        ("select identity.scope_create('openid', 'x')", "ID007", "name: this scope exists already"),
        ("select identity.resource_create('/x', 'X')", "ID005", "identifier: must be an absolute URI without fragment"),
        (
            "select identity.resource_create('https://a.example/#x', 'X')",
            "ID005",
            "identifier: must be an absolute URI without fragment",
        ),
        (
            "select identity.resource_create('https://a.example', '')",
            "ID005",
            "name: must say what the person knows it as, in at most 1000 characters without control characters",
        ),
        (
            "select identity.resource_create('https://a.example', 'A', '{nowhere}')",
            "ID006",
            "scopes: there is no scope 'nowhere'",
        ),
    ] {
        assert_eq!(refusal(admin.query_one(query, &[]).await), (code.into(), message.into()), "{query}");
    }
    let owner = db.owner().await;
    for (given, canonical) in [
        ("HTTPS://API.Example:443/Path/", Some("https://api.example/Path")),
        ("https://api.example", Some("https://api.example")),
        ("https://api.example//", Some("https://api.example")),
        ("http://api.example:80", Some("http://api.example")),
        ("https://api.example:8443/x?y=Z", Some("https://api.example:8443/x?y=Z")),
        ("urn:example:api", Some("urn:example:api")),
        ("api.example", None),
        ("https://", None),
    ] {
        let row = owner.query_one("select identity_store.resource_canonical($1)", &[&given]).await.unwrap();
        assert_eq!(row.get::<_, Option<&str>>(0), canonical, "{given}");
    }
}
