//! Grants, response types and response modes stand in one list per layer (sql/store/functions/grant_types.sql, response_types.sql;
//! gateway/src/token/mod.rs, web/outcome/redirection.rs), and all that is said of them elsewhere is made of these lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::authorize::call;
use crate::registration::{initial_access_token, refused, register_with};
use crate::support::{Browser, Database, Gateway, checkout, client};

async fn listed(db: &Database, sql: &str) -> Vec<String> {
    db.owner().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn grant_types(db: &Database) -> Vec<String> {
    listed(db, "select grant_type from identity_store.grant_types()").await
}

/// In the order of the list.
pub async fn response_types(db: &Database) -> Vec<String> {
    listed(db, "select response_type from identity_store.response_types()").await
}

/// Those that /authorize serves: the grants that a response type needs, without those of the token endpoint.
async fn ended_at_the_authorization_endpoint(db: &Database) -> BTreeSet<String> {
    let sql = "select distinct g from identity_store.response_types() t, unnest(t.grant_types) g
               where to_regproc('identity.token_' || g) is null";
    listed(db, sql).await.into_iter().collect()
}

/// The name that its files have: of a URN (RFC 8693 §2.1 and others) the last part.
fn file_name(grant_type: &str) -> String {
    grant_type.rsplit(':').next().unwrap().replace('-', "_")
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The values that OpenAPI allows a parameter of this operation, in a query or in a form.
fn described(document: &Value, path: &str, method: &str, name: &str) -> BTreeSet<String> {
    let operation = &document["paths"][path][method];
    match operation["parameters"].as_array().and_then(|fields| fields.iter().find(|field| field["name"] == name)) {
        Some(field) => texts(&field["schema"]["enum"]),
        None => {
            let content = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"];
            texts(&content["schema"]["properties"][name]["enum"])
        }
    }
}

#[tokio::test]
async fn every_grant_is_in_both_metadata_documents_in_openapi_and_a_file_of_its_name_in_each_layer() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    let all: BTreeSet<String> = grant_types(&db).await.into_iter().collect();
    for document in ["openid-configuration", "oauth-authorization-server"] {
        let metadata = browser.get(gateway.url(&format!("/.well-known/{document}"))).await.json();
        assert_eq!(texts(&metadata["grant_types_supported"]), all, "{document}");
    }
    let elsewhere = ended_at_the_authorization_endpoint(&db).await;
    let of_tokens: BTreeSet<String> = all.difference(&elsewhere).cloned().collect();
    assert!(elsewhere.is_subset(&all), "{elsewhere:?}");
    let document = browser.get(gateway.url("/openapi.json")).await.json();
    assert_eq!(described(&document, "/token", "post", "grant_type"), of_tokens);

    let names: BTreeSet<String> = of_tokens.iter().map(|grant_type| file_name(grant_type)).collect();
    let files = |folder: &str, prefix: &str, suffix: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(checkout().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned())).collect()
    };
    let of_gateway = files("gateway/src/token", "", ".rs");
    assert_eq!(of_gateway, names.iter().cloned().chain(["mod".to_owned()]).collect());
    assert_eq!(files("sql/store/functions", "token_", ".sql"), names);
}

#[tokio::test]
async fn a_client_may_be_registered_for_every_grant_and_every_response_type_there_is() {
    let db = Database::new().await;
    let (grant_types, response_types) = (grant_types(&db).await, response_types(&db).await);
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": grant_types, "response_types": response_types
    });
    let registered = client(&db, metadata.clone()).await.metadata;
    assert_eq!(
        (&registered["grant_types"], &registered["response_types"]),
        (&json!(grant_types), &json!(response_types))
    );
    // By itself too, where an administrator allows it.
    let admin = db.admin().await;
    admin.query_one("select identity.registration_configure('token', $1)", &[&grant_types]).await.unwrap();
    let token = initial_access_token(&db, 1).await;
    let (outcome, registered) = register_with(&db.gateway_role().await, &metadata, &token).await;
    assert_eq!(outcome, "registered", "{registered}");
    assert_eq!(
        (&registered["grant_types"], &registered["response_types"]),
        (&json!(grant_types), &json!(response_types))
    );
}

/// The decision stands in one column: who may come without an administrator gets nothing without a person.
#[tokio::test]
async fn strangers_may_register_for_the_grants_of_a_person_and_for_no_other() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for grant_type in grant_types(&db).await {
        let sql = format!("select person from identity_store.grant_types() where grant_type = '{grant_type}'");
        let person: bool = db.owner().await.query_one(&sql, &[]).await.unwrap().get(0);
        let opened = admin.query_one("select identity.registration_configure('open', array[$1])", &[&grant_type]).await;
        assert_eq!(opened.is_ok(), person, "{grant_type}");
    }
}

#[tokio::test]
async fn a_grant_for_clients_that_authenticate_gives_nothing_to_a_client_that_does_not() {
    let db = Database::new().await;
    let metadata = json!({"grant_types": ["client_credentials"]});
    let service = client(&db, metadata).await;
    // Nobody gets there through registration.
    let by_hand = "update identity_store.clients set token_endpoint_auth_method = 'none' where id = $1";
    db.owner().await.execute(by_hand, &[&service.id]).await.unwrap();
    let sql = db.gateway_role().await;
    let none: [&str; 0] = [];
    let answered =
        call(&sql, "token_client_credentials", &[&service.id, &None::<&str>, &"none", &None::<&str>, &none.as_slice()])
            .await;
    assert_eq!(answered, refused("unauthorized_client", "the client is not registered for client_credentials"));
}

#[tokio::test]
async fn every_response_type_and_response_mode_is_in_both_metadata_documents_and_in_openapi() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    let types: BTreeSet<String> = response_types(&db).await.into_iter().collect();
    let modes: BTreeSet<String> =
        listed(&db, "select unnest(identity_store.response_modes())").await.into_iter().collect();
    for document in ["openid-configuration", "oauth-authorization-server"] {
        let metadata = browser.get(gateway.url(&format!("/.well-known/{document}"))).await.json();
        assert_eq!(texts(&metadata["response_types_supported"]), types, "{document}");
        assert_eq!(texts(&metadata["response_modes_supported"]), modes, "{document}");
    }
    let document = browser.get(gateway.url("/openapi.json")).await.json();
    assert_eq!(described(&document, "/authorize", "get", "response_mode"), modes);
    assert_eq!(described(&document, "/authorize", "post", "response_mode"), modes);
}

/// Lines of the gateway, the extension and the SQL in which `found` finds something: file, line.
fn lines(found: impl Fn(&str) -> bool) -> BTreeSet<(String, String)> {
    fn read(folder: &Path, found: &dyn Fn(&str) -> bool, lines: &mut BTreeSet<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found, lines);
                continue;
            }
            if path.extension().is_none_or(|extension| extension == "md") {
                continue;
            }
            let name = path.strip_prefix(checkout()).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            lines.extend(
                text.lines().map(str::trim).filter(|line| found(line)).map(|line| (name.clone(), line.to_owned())),
            );
        }
    }
    let mut lines = BTreeSet::new();
    for folder in ["gateway/src", "gateway/templates", "pg_identity/src", "sql"] {
        read(&checkout().join(folder), &found, &mut lines);
    }
    lines
}

/// Whether a line has this word by itself between quotes, or as an element of an array literal.
fn quotes(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        matches!(before, Some('\'' | '"' | '{' | ',')) && matches!(after, Some('\'' | '"' | '}' | ','))
    })
}

/// Who else names a grant knows something of its own about it, and the next grant cannot be missing there.
#[tokio::test]
async fn a_grant_is_named_in_the_lists_and_in_its_own_files_and_nowhere_else() {
    let lists = [
        "gateway/src/token/mod.rs",
        "sql/store/functions/grant_types.sql",
        // What a response type needs.
        "sql/store/functions/response_types.sql",
    ];
    let allowed = [
        // The implicit grant ends there.
        ("gateway/src/authorize.rs", "implicit"),
        // What registrants of a new database may have; identity.registration_configure changes it.
        ("sql/store/migrations/0008_registration.sql", "authorization_code"),
        ("sql/store/migrations/0008_registration.sql", "implicit"),
        ("sql/store/migrations/0008_registration.sql", "refresh_token"),
        // Whether a refresh token is given, and so whether offline_access means anything.
        ("sql/store/functions/refresh.sql", "refresh_token"),
        ("sql/store/functions/authorization_verdict.sql", "refresh_token"),
        // A setting of the same name, and that one refresh token needs another grant's.
        ("sql/store/functions/client_metadata.sql", "refresh_token"),
        // A member of the token response.
        ("gateway/src/openapi/schemas.rs", "refresh_token"),
    ];
    let db = Database::new().await;
    let mut named = BTreeSet::new();
    for grant_type in grant_types(&db).await {
        let own = file_name(&grant_type);
        let own = [format!("gateway/src/token/{own}.rs"), format!("sql/store/functions/token_{own}.sql")];
        let files = lines(|line| quotes(line, &grant_type)).into_iter().map(|(file, _)| file);
        named.extend(
            files
                .filter(|file| !lists.contains(&file.as_str()) && !own.contains(file))
                .map(|file| (file, grant_type.clone())),
        );
    }
    assert_eq!(named, allowed.map(|(file, grant_type)| (file.to_owned(), grant_type.to_owned())).into());
}

/// A response type is taken apart by identity_store.response_gives and response_front, so that a new word is missed by nobody.
#[tokio::test]
async fn a_response_type_is_named_and_taken_apart_in_one_file() {
    let db = Database::new().await;
    let list = "sql/store/functions/response_types.sql";
    for response_type in response_types(&db).await.iter().filter(|response_type| response_type.contains(' ')) {
        let files: BTreeSet<String> =
            lines(|line| quotes(line, response_type)).into_iter().map(|(file, _)| file).collect();
        assert_eq!(files, [list.to_owned()].into(), "{response_type}");
    }
    let apart = lines(|line| {
        let taken = ["string_to_array(", "string_to_table(", " ~ ", " like ", "like_regex", "starts with"];
        line.contains("response_type") && !line.contains("response_types ") && taken.iter().any(|by| line.contains(by))
    });
    let issue = "words text[] := string_to_array(p ->> 'response_type', ' ');";
    let elsewhere: Vec<_> = apart.iter().filter(|(file, _)| file != list).collect();
    assert_eq!(
        elsewhere,
        // What each word gives, a branch each.
        [&("sql/store/functions/authorization_response.sql".to_owned(), issue.to_owned())]
    );
}
